"""The cases of AWS services: which call goes wrong how, and what should be said of it."""

from itertools import cycle, islice

from recording import faults
from recording.case import Call, Case

OPERATIONS = {
    "kms": "Decrypt",
    "kms-encrypt": "Encrypt",
    "kms-data-key": "GenerateDataKey",
    "kms-ciphertext": "Decrypt",
    "s3": "GetObject",
    "sqs": "SendMessage",
    "dynamodb": "PutItem",
    "secretsmanager": "GetSecretValue",
    "ssm": "GetParameter",
    "lambda": "Invoke",
}
# The calls that a language's function knows.
CALLS = {
    "python": set(OPERATIONS),
    "node": set(OPERATIONS) - {"ssm"},
    "rust": set(OPERATIONS) - {"ssm", "dynamodb", "secretsmanager"},
    # Debian's SDK for Go still speaks to SQS in its query protocol.
    "go": {"kms", "kms-encrypt", "kms-data-key", "s3", "lambda"},
    # Debian's SDK for Ruby is older than Decrypt's KeyId.
    "ruby": {"kms-encrypt", "kms-data-key"},
}
# The ways to note an error, by language; what is noted at WARN is but suspected.
HOWS = {
    "python": ["uncaught", "logging-exception", "structlog", "powertools", "print", "traceback", "logging-error", "logging-warning"],
    "node": ["uncaught", "console-text", "pino", "powertools", "console-error", "console-message", "console-warn"],
    "rust": ["uncaught", "tracing-debug", "tracing-context", "stderr-debug", "stderr-context", "tracing-warn"],
    "go": ["uncaught", "log"],
    "ruby": ["uncaught", "full-message", "logger"],
}  # fmt: skip
WARNINGS = {"logging-warning", "console-warn", "tracing-warn"}
# What says which operation failed in its text.
NAMES_OPERATION = {"python", "go"}

KEYS = {
    "kms-disabled": (
        faults.DISABLED,
        [("kms", faults.DISABLED), ("s3", "disabled.csv"), ("sqs", "disabled"), ("dynamodb", "disabled"), ("ssm", "/disabled"), ("kms-data-key", faults.DISABLED)],
        {},
    ),
    "kms-invalid-state": (
        faults.PENDING_DELETION,
        [("kms", faults.PENDING_DELETION), ("s3", "pending.csv"), ("sqs", "pending"), ("kms-encrypt", faults.PENDING_DELETION)],
        {"cause": "pending-deletion"},
    ),
    "kms-not-found": (
        faults.MISSING,
        [("kms-encrypt", faults.MISSING), ("s3", "missing-key.csv"), ("sqs", "missing-key"), ("kms-data-key", faults.MISSING)],
        {},
    ),
    "kms-access-denied": (
        faults.FORBIDDEN,
        [("kms", faults.FORBIDDEN), ("s3", "forbidden.csv"), ("sqs", "forbidden"), ("dynamodb", "forbidden"), ("kms-data-key", faults.FORBIDDEN)],
        {},
    ),
    "kms-unusable": (
        faults.SIGNING,
        [("kms-encrypt", faults.SIGNING), ("sqs", "signing"), ("kms-data-key", faults.SIGNING)],
        {},
    ),
    "kms-throttled": (None, [("kms", faults.BUSY), ("sqs", "busy"), ("kms-data-key", faults.BUSY)], {}),
    "kms-unavailable": (None, [("kms", faults.UNAVAILABLE), ("kms-encrypt", faults.INTERNAL)], {}),
}  # fmt: skip

# The action that is denied, where it is not the call's own.
DENIED_ACTIONS = {"s3": "kms:Decrypt", "sqs": "kms:GenerateDataKey", "dynamodb": "kms:Decrypt"}
SHOWN_PRINCIPAL = "arn:aws:sts::123456789012:assumed-role/orders-role/***"

# Called function, and what its failure is.
CALLEES = {
    "catalog": {"problem": "efs-mount-failure", "evidence": {"accessPointArn": faults.ACCESS_POINT}},
    "thumbnails": {"problem": "efs-mount-connectivity", "evidence": {"accessPointArn": faults.ACCESS_POINT}},
    "archive": {"problem": "efs-mount-timeout", "evidence": {"accessPointArn": faults.ACCESS_POINT}},
    "indexer": {"problem": "efs-io"},
    "media": {"problem": "s3-files-mount-failure"},
    "reports": {"problem": "s3-files-mount-connectivity"},
    "exports": {"problem": "s3-files-mount-timeout"},
    "billing": {"problem": "kms-access-denied", "evidence": {"keyArn": faults.FORBIDDEN}},
    "invoices": {"problem": "kms-disabled", "evidence": {"keyArn": faults.DISABLED}},
    "ledger": {"problem": "kms-invalid-state", "evidence": {"keyArn": faults.PENDING_DELETION}},
    "refunds": {"problem": "kms-not-found"},
    "mailer": {"problem": "function-pending"},
    "pricing": {"problem": "throttled"},
    "quotes": {"problem": "throttled"},
    "payments": {
        "problem": "invoke-access-denied",
        "evidence": {
            "calledFunctionArn": faults.function_arn("payments"),
            "action": "lambda:InvokeFunction",
            "principal": SHOWN_PRINCIPAL,
        },
    },
    "notifier": {"problem": "recursion"},
    "routes": {"problem": "subnet-exhausted"},
    "routes-eni": {"problem": "subnet-exhausted"},
}


def formats(language):
    """All that these print is without a level, and so at INFO in the JSON log format."""
    return {"formats": ("text",)} if language in ("go", "ruby", "java") else {}


def call(language, name, target, how, diagnosis):
    """A call and what should be said of it: `diagnosis` with what the text adds or leaves open."""
    event = {"call": name, "target": target, "how": how}
    if diagnosis is None:
        return Call(event)
    diagnosis = {"stage": "suspected" if how in WARNINGS else "confirmed", **diagnosis}
    evidence = dict(diagnosis.get("evidence", {}))
    if language in NAMES_OPERATION:
        evidence["operation"] = OPERATIONS[name]
    if evidence:
        diagnosis["evidence"] = evidence
    return Call(event, diagnosis)


def key_diagnosis(problem, name, key, more):
    evidence = {"keyArn": key} if key else {}
    if problem == "kms-access-denied":
        evidence["action"] = DENIED_ACTIONS.get(name, f"kms:{OPERATIONS[name]}")
        evidence["principal"] = SHOWN_PRINCIPAL
    return {"problem": problem, "view": "function", **more, **({"evidence": evidence} if evidence else {})}


def key_cases(language):
    """One case for each problem of keys, with every way to note it over several services."""
    for problem, (key, targets, more) in KEYS.items():
        targets = [target for target in targets if target[0] in CALLS[language]]
        hows = HOWS[language]
        if language in ("go", "ruby") and problem != "kms-disabled":
            hows = hows[:1]
        calls = [
            call(language, name, target, how, key_diagnosis(problem, name, key, more))
            for how, (name, target) in zip(hows, cycle(targets))
        ]
        if language not in ("go", "ruby"):
            calls += other_keys(language, problem)
        if language != "ruby":
            calls += callee_calls(language, problem)
        if calls:
            yield Case(problem, language, "keys", calls, **formats(language))


# What differs from the ordinary: aliases, ciphertexts, Secrets Manager, imported material.
ALIAS = {"aliasArn": "arn:aws:kms:eu-west-1:123456789012:alias/missing"}
OTHER_KEYS = {
    "kms-not-found": [("kms-encrypt", "alias/missing", {"evidence": ALIAS})],
    "kms-unusable": [("kms-ciphertext", "not a ciphertext", {}), ("kms", faults.OTHER, {}), ("secretsmanager", "unusable", {})],
    "kms-access-denied": [("kms", faults.FOREIGN, {"cause": "missing-or-forbidden-key"}), ("secretsmanager", "forbidden", {})],
    "kms-invalid-state": [
        ("kms-encrypt", faults.PENDING_IMPORT, {"cause": "pending-import", "evidence": {"keyArn": faults.PENDING_IMPORT}})
    ],
}  # fmt: skip


def other_keys(language, problem):
    for name, target, more in OTHER_KEYS.get(problem, []):
        if name in CALLS[language]:
            for how in HOWS[language][:3]:
                yield call(language, name, target, how, {"problem": problem, "view": "function", **more})


def callee_calls(language, problem):
    """The calls of functions that fail so: uncaught, and three of the other ways in turn, so that all are met."""
    for number, (callee, diagnosis) in enumerate(CALLEES.items()):
        if diagnosis["problem"] == problem:
            others = HOWS[language][1:]
            first = number % len(others)
            count = min(3, len(others))
            for how in ["uncaught", *islice(cycle(others), first, first + count)]:
                yield call(language, "lambda", callee, how, {"view": "caller", **diagnosis})


def callee_cases(language):
    """One case for each failure of a called function that is not one of its key."""
    problems = dict.fromkeys(diagnosis["problem"] for diagnosis in CALLEES.values())
    for problem in problems:
        if problem not in KEYS:
            yield Case(problem, language, "callee", list(callee_calls(language, problem)), **formats(language))
    if language == "rust":
        # Each line of it is a record.
        pretty = {"problem": "efs-mount-timeout", "view": "caller"}
        yield Case("efs-mount-timeout", language, "pretty", [call(language, "lambda", "archive", "stdout-pretty", pretty)], formats=("text",))
        pretty = key_diagnosis("kms-disabled", "kms", faults.DISABLED, {})
        yield Case("kms-disabled", language, "pretty", [call(language, "kms", faults.DISABLED, "stdout-pretty", pretty)], formats=("text",))


def silent_cases(language):
    """Errors that are none of the problems, and problems that are none."""
    def silent(name, calls, **more):
        return Case("healthy", language, name, [Call(event) for event in calls], **more)

    hows = HOWS[language]
    yield silent("missing-function", [{"call": "lambda", "target": "missing", "how": how} for how in hows])
    others = [("s3", "missing.csv"), ("sqs", "missing")]
    others += [(name, "orders" if name == "dynamodb" else "missing") for name in ("dynamodb", "secretsmanager") if name in CALLS[language]]
    yield silent("other-errors", [
        {"call": name, "target": target, "how": how} for how, (name, target) in zip(hows, cycle(others))
    ])  # fmt: skip
    quiet = {"python": "logging-info", "node": "console-log", "rust": "tracing-info"}[language]
    mentions = [("kms", faults.DISABLED), ("kms", faults.FORBIDDEN), ("lambda", "catalog"), ("lambda", "pricing"), ("lambda", "payments")]
    yield silent("information", [{"call": name, "target": target, "how": quiet} for name, target in mentions])
    env = {"AWS_MAX_ATTEMPTS": "3"}
    yield silent("retried", [{"call": "kms-encrypt", "target": faults.BUSY_ONCE}], env=env)
    if language == "python":
        debug = {"target": faults.BUSY_ONCE, "debug": True}
        yield silent("debug-log", [{"call": "kms-encrypt", **debug}], formats=("text",), ordered=True)
    if language == "rust":
        # All that Display says of an SdkError is "service error".
        yield silent("display", [
            {"call": "kms", "target": faults.DISABLED, "how": "tracing-display"},
            {"call": "lambda", "target": "catalog", "how": "tracing-display"},
        ])  # fmt: skip


def cases(language):
    if language not in CALLS:
        return
    yield from key_cases(language)
    if language == "ruby":
        return
    yield from callee_cases(language)
    if language != "go":
        yield from silent_cases(language)
