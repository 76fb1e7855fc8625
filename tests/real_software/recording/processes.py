"""The cases of a process that goes wrong by itself, and of what the system refuses it."""

from recording import sandbox
from recording.case import Call, Case
from recording.services import formats

FUNCTION = {"view": "function"}


def calls(problem, *events, **diagnosis):
    return [Call(event, {"problem": problem, **diagnosis}) for event in events]


def each(problem, language, events, **more):
    """A case of its own for each call that ends the process: a sandbox of the extension ends with it."""
    for event in events:
        yield Case(problem, language, event["call"], calls(problem, event, stage="confirmed", **FUNCTION), formats=("text",), **more)


def crashes(language):
    names = {
        "python": ["abort", "segfault", "exit-process", "exit-at-once"],
        "node": ["abort", "exit-process", "unhandled-rejection", "uncaught-exception"],
        "rust": ["abort", "exit-process"],
    }[language]
    yield from each("runtime-crash", language, [{"call": name} for name in names])


def inits(language):
    handlers = {
        "python": ["import_error.handler", "syntax_error.handler", "raises_on_import.handler", "exits_on_import.handler", "app.missing", "nothing.handler"],
        "node": ["import_error.handler", "syntax_error.handler", "raises_on_import.handler", "app.missing", "nothing.handler"],
    }.get(language, [])  # fmt: skip
    for handler in handlers:
        name = handler.replace("_", "-").replace(".handler", "").replace(".", "-")
        # Lambda tries again, in a new sandbox, as a part of the invocation.
        diagnosis = {"problem": "init-failure", "stage": "confirmed", **FUNCTION}
        expected = [Call({"call": "healthy"}, diagnosis, lines=2)]
        for log_format in ("text", "json") if handler.startswith(("import", "app")) else ("text",):
            suffix = "" if log_format == "text" else "-json"
            yield Case("init-failure", language, name + suffix, expected, handler=handler, formats=(log_format,), has_request=False)


def memory(language):
    if language == "python":
        events = [{"call": "memory"}, {"call": "memory", "how": "logging-exception"}]
        yield Case("out-of-memory", language, "memory-error", calls("out-of-memory", *events, **FUNCTION), wrapper=sandbox.LIMIT_MEMORY, memory=1536)
    if language == "node":
        env = {"NODE_OPTIONS": "--max-old-space-size=48"}
        heap = calls("out-of-memory", {"call": "heap"}, **FUNCTION)
        yield Case("out-of-memory", language, "heap", heap, formats=("text",), env=env)
    if language == "java":
        heap = calls("out-of-memory", {"call": "memory"}, {"call": "memory", "how": "full-message"}, **FUNCTION)
        yield Case("out-of-memory", language, "heap", heap, formats=("text",))


# What the system refuses, by what is used up: the calls, and the wrapper that sets the limit.
RESOURCES = {
    "tmp-full": (
        {"python": ["fill-tmp", "copy-to-tmp"], "node": ["fill-tmp", "write-tmp"], "rust": ["fill-tmp"]},
        sandbox.OWN_TMP,
    ),
    "descriptors-exhausted": (
        {"python": ["open-files", "open-sockets"], "node": ["open-files"], "rust": ["open-files"], "java": ["open-files"]},
        sandbox.LIMIT_FILES,
    ),
    "threads-exhausted": (
        {"python": ["start-threads"], "node": ["start-threads"], "rust": ["start-threads"], "java": ["start-threads"]},
        sandbox.LIMIT_THREADS,
    ),
    "dns-failure": (
        {"python": ["resolve", "fetch"], "node": ["resolve", "connect-sdk"], "rust": ["resolve"], "go": ["resolve"], "java": ["resolve"]},
        None,
    ),
}
CAUGHT = {"python": "logging-exception", "node": "console-error", "rust": "tracing-debug", "go": "log", "java": "full-message"}


def resources(language):
    """Uncaught and caught."""
    def both(problem, name, calls_of, wrapper):
        # In Rust thread::spawn panics; the error of its Builder is but EAGAIN, which may be anything.
        caught = problem != "threads-exhausted" or language != "rust"
        hows = [{}, {"how": CAUGHT[language]}] if caught else [{}]
        events = [{"call": call, "target": "db.orders.invalid", **how} for call in calls_of for how in hows]
        # Java prints its traces line by line.
        more = {"ordered": language == "java"}
        return Case(problem, language, name, calls(problem, *events, **FUNCTION), wrapper=wrapper, **more, **(formats(language) if caught else {"formats": ("text",)}))

    for problem, (of_language, wrapper) in RESOURCES.items():
        if language in of_language:
            yield both(problem, "used-up" if wrapper else "lookup", of_language[language], wrapper)
    if language in ("python", "node"):
        # A path tells that it is /tmp.
        yield both("tmp-full", "paths", ["fill-inodes"], sandbox.OWN_TMP)
    if language == "node":
        # Uncaught, and in the JSON log format, it is but "fetch failed", without the cause.
        fetch = calls("dns-failure", {"call": "fetch-page", "target": "db.orders.invalid", "how": "console-error"}, **FUNCTION)
        yield Case("dns-failure", language, "fetch", fetch, formats=("text",))
    if language == "python":
        # The SDK does not say why it could not connect: nothing else can. But opening its own files says so.
        events = [{"call": "call-without-descriptors", "target": "missing"}, {"call": "connect-sdk"}]
        silent, told = Call(events[0]), Call(events[1], {"problem": "descriptors-exhausted", "stage": "confirmed", **FUNCTION})
        yield Case("descriptors-exhausted", language, "sdk", [silent, told], wrapper=sandbox.LIMIT_FILES)


def mounts(language):
    """Without a mount in sight: but suspected."""
    def below_mount(name, events):
        expected = calls("efs-access", *events, stage="suspected", **FUNCTION)
        return Case("efs-access", language, name, expected, wrapper=sandbox.OWN_MNT, **formats(language))

    caught = CAUGHT[language]
    denied = {"call": "open-path", "target": "/mnt/data/orders.csv"}
    if language == "rust":
        # Rust's io::Error names no path: nothing tells a mount from any other place.
        silent = [Call(denied), Call({**denied, "how": caught})]
        yield Case("healthy", language, "error-without-path", silent, wrapper=sandbox.OWN_MNT)
        return
    yield below_mount("denied", [denied, {**denied, "how": caught}])
    if language == "python":
        names = ["ESTALE", "EIO", "ETIMEDOUT", "ENOTCONN", "EDQUOT"]
        yield below_mount("errors", [{"call": "os-error", "target": f"{name} /mnt/data/orders.csv"} for name in names])


def responses(language):
    yield from each("response-too-large", language, [{"call": "too-large"}])


def healthy(language):
    """Exceptions of the function's own are nobody's problem but its author's; nor is any of these."""
    events = {
        "python": [{"call": "healthy"}, {"call": "key-error"}, {"call": "key-error", "how": "logging-exception"}, {"call": "open-path", "target": "/var/task/missing.json", "how": "logging-exception"}],
        "node": [{"call": "healthy"}, {"call": "type-error-of-handler"}, {"call": "type-error-of-handler", "how": "console-error"}, {"call": "open-path", "target": "/var/task/missing.json", "how": "console-error"}],
        "rust": [{"call": "healthy"}, {"call": "panic"}],
    }[language]  # fmt: skip
    yield Case("healthy", language, "own-exceptions", [Call(event) for event in events])


def cases(language):
    if language == "ruby":
        return
    for group in (memory, resources, mounts):
        yield from group(language)
    if language in ("python", "node", "rust"):
        for group in (crashes, inits, responses, healthy):
            yield from group(language)
