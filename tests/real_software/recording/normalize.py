"""Makes what a sandbox delivered a fixture: the same on every machine and at every hour.

Ids, times, durations and addresses become fixed ones, in order; a path of this machine becomes
the one the file has on Lambda. What the SDK, the runtime client or the logger wrote is else kept.
"""

import json
import re
import socket
from datetime import datetime, timedelta, timezone

BEGIN = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
TIMEOUT_MS = 30_000
# Between two invocations, so that a file holds no storm.
PAUSE = timedelta(seconds=10)

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# Pattern and what it becomes; {time} is the record's own.
VOLATILE = [
    (r"(?<!\d)20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d{3,9})?(Z|[+-]00:?00)?", "{time}"),
    (r"\b20\d\d/\d\d/\d\d \d\d:\d\d:\d\d\b", "2026/03/01 12:00:00"),
    (r'("time\\*":)1[78]\d{11}\b', r"\g<1>1772366400000"),
    (r"\[1[78]\d{11}\]", "[1772366400000]"),
    (r"\b20\d{6}T\d{6}Z", "20260301T120000Z"),
    (r"\b20\d{6}/eu-west-1/", "20260301/eu-west-1/"),
    (r'(\b(?:pid|processId)\\*":)\d+', r"\g<1>8"),
    (r'(\bhostname\\*":\\*")' + re.escape(socket.gethostname()), r"\g<1>169.254.10.1"),
    (r"(thread 'main' )\(\d+\)", r"\g<1>(8)"),
    (r"#\d+\]", "#8]"),
    (r"\[\d+\.\d{3}s\]", "[0.500s]"),
    (r" on [\d.]+:53\b", " on 169.254.169.253:53"),
    # What V8 says of its last collections, but for the numbers.
    (r"\[\d+:0x[0-9a-f]+\] +\d+ ms: [^\"]*", "[8:0x5f00]      900 ms: Mark-Compact 48.0 (50.0) -> 47.5 (50.0) MB, 50.00 / 0.00 ms  (average mu = 0.250, current mu = 0.100) allocation failure; GC in old space requested"),
    (r"0x[0-9a-f]{5,16}\b", "0x7f0000000000"),
    (r"\b1-[0-9a-f]{8}-[0-9a-f]{24}\b", "1-69a42ac0-{trace}"),
    (r"Parent=[0-9a-f]{16}", "Parent=0000000000000001"),
    (r"(totalRetryDelay\\*['\"]?: ?)[1-9]\d*", r"\g<1>100"),
    (r"([Ss]ignature=)[0-9a-f]{64}", r"\g<1>" + "0" * 64),
    (r"(amz-sdk-invocation-id[\"']?: ?b?[\"']?)" + UUID, r"\g<1>00000000-0000-4000-8000-000000000000"),
]


class Normalizer:
    def __init__(self, paths):
        # The longest first, so that none hides another.
        self.paths = sorted(paths, key=lambda pair: -len(pair[0]))
        self.requests = {}
        self.lines = []
        # A sandbox is initialized before its first invocation begins.
        self.now = BEGIN - timedelta(seconds=1)
        self.reports = []
        self.last_status = "success"

    def request_id(self, found):
        number = len(self.requests) + 1
        return self.requests.setdefault(found, f"79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a{number:02x}")

    def time(self):
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def trace(self):
        """The last part of the Root of this invocation."""
        return f"{len(self.requests):024x}"

    def tick(self):
        self.now += timedelta(milliseconds=1)

    def text(self, text):
        for found, replacement in self.paths:
            text = text.replace(found, replacement)
        for found, replacement in self.requests.items():
            text = text.replace(found, replacement)
        for pattern, replacement in VOLATILE:
            text = re.sub(pattern, replacement.replace("{time}", self.time()).replace("{trace}", self.trace()), text)
        return text

    def record(self, record):
        """Takes one record of a sandbox, in order."""
        kind, content = record["type"], record["record"]
        if self.requests and kind.startswith("platform.init") and content.get("phase") == "init":
            # The sandbox of the other log format goes on as this one.
            return
        if kind == "platform.start":
            self.next_invoke(content)
        self.tick()
        if kind.startswith("platform."):
            self.measure(kind, content)
        text = self.text(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
        line = f'{{"time":"{self.time()}","type":"{kind}","record":{text}}}'
        if kind == "platform.report":
            # As on Lambda it comes with the next invocation, or at the end.
            self.reports.append(line)
        else:
            self.lines.append(line)

    def next_event(self, event):
        self.lines.append(json.dumps({"at": self.time(), "next": event}, separators=(",", ":")))
        self.lines += self.reports
        self.reports.clear()

    def next_invoke(self, start):
        self.now = BEGIN + PAUSE * len(self.requests)
        identifier = self.request_id(start["requestId"])
        tracing = json.loads(self.text(json.dumps(start.get("tracing", {}))))
        tracing.pop("spanId", None)
        self.next_event({
            "eventType": "INVOKE",
            "deadlineMs": int(self.now.timestamp() * 1000) + TIMEOUT_MS,
            "requestId": identifier,
            "invokedFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
            "tracing": tracing,
        })  # fmt: skip

    def measure(self, kind, content):
        if kind in ("platform.runtimeDone", "platform.report", "platform.initRuntimeDone"):
            failed_init = kind == "platform.initRuntimeDone" and content["status"] != "success"
            self.last_status = "failure" if failed_init else content["status"]
        metrics = content.get("metrics", {})
        for name in ("durationMs", "billedDurationMs", "initDurationMs", "initialDurationMs"):
            if name in metrics and content.get("status") != "timeout":
                metrics[name] = {"durationMs": 50.2, "billedDurationMs": 51}.get(name, 100.5)
        size = metrics.get("memorySizeMB", 0)
        used = metrics.get("maxMemoryUsedMB", size)
        if used < size:
            metrics["maxMemoryUsedMB"] = size // 2 if used < size * 3 // 4 else size * 15 // 16
        # Nothing is told from these, and they are long.
        for name in ("instanceId", "spans", "tracing"):
            content.pop(name, None)

    def end(self):
        """What follows the last record of a sandbox."""
        reason = {"timeout": "timeout", "failure": "failure"}.get(self.last_status, "spindown")
        self.now += timedelta(seconds=1)
        deadline = int(self.now.timestamp() * 1000) + 2000
        self.next_event({"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline})
        return "".join(f"{line}\n" for line in self.lines)
