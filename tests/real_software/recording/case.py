"""A case: calls of one function in one sandbox, and the diagnosis that each should get."""

from dataclasses import dataclass, field

METRICS = {
    "efs-": "EfsFailures",
    "s3-files-": "EfsFailures",
    "kms-": "KmsErrors",
    "init-": "InitFailures",
    "out-of-memory": "OutOfMemory",
    "runtime-crash": "Crashes",
    "invoke-access-denied": "AccessDenied",
    "function-pending": "StateConflicts",
    "throttled": "Throttles",
    "tmp-full": "ResourceExhaustion",
    "descriptors-exhausted": "ResourceExhaustion",
    "threads-exhausted": "ResourceExhaustion",
    "dns-failure": "ResourceExhaustion",
    "subnet-exhausted": "ResourceExhaustion",
    "response-too-large": "ResponseErrors",
    "recursion": "Recursions",
}


# What is printed without a level: in the JSON log format Lambda notes it at INFO, at which nothing is a failure.
PLAIN = {"print", "traceback", "stderr-debug", "stderr-context", "stdout-pretty", "log", "full-message"}


@dataclass(frozen=True)
class Call:
    """One invocation. `expected` is the diagnosis as far as it matters, None for silence."""

    event: dict
    expected: dict | None = None
    # In how many lines it is told: each sandbox that cannot be initialized tells of it.
    lines: int = 1


@dataclass
class Case:
    problem: str
    language: str
    name: str
    calls: list
    handler: str = "app.handler"
    formats: tuple = ("text", "json")
    wrapper: str | None = None
    env: dict = field(default_factory=dict)
    memory: int = 256
    # Whether the platform may tell of it outside of an invocation.
    has_request: bool = True
    # Whether the records mean something in their order alone, as the lines of a trace do.
    ordered: bool = False

    @property
    def folder(self):
        return f"{self.problem}/real-{self.language}-{self.name}"

    def calls_in(self, log_format):
        """The calls that make sense in a log format."""
        return [call for call in self.calls if log_format == "text" or call.event.get("how") not in PLAIN]

    def expected(self, calls, request_ids):
        """The lines that should come out, if the calls had these request ids."""
        lines = []
        for call, request_id in zip(calls, request_ids, strict=True):
            diagnosis = call.expected
            if diagnosis is None:
                continue
            line = {"diagnosis": diagnosis}
            if self.has_request:
                line["requestId"] = request_id
            stage = diagnosis.get("stage")
            if stage == "confirmed":
                line |= {metric(diagnosis["problem"]): 1, "Problems": 1}
            elif stage == "suspected":
                line["SuspectedProblems"] = 1
            lines += [line] * call.lines
        return lines


def metric(problem):
    return next(metric for prefix, metric in METRICS.items() if problem.startswith(prefix))
