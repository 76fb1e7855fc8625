"""Plays a case with the real extension attached, and compares what it says."""

import json
import re

from recording import sandbox


def check(case, proxy):
    """Why the extension's lines are not those expected; None if they are."""
    for log_format in case.formats:
        proxy.begin()
        telemetry, printed = sandbox.play(case, log_format, proxy.url, sandbox.EXTENSION)
        requests = [record["record"]["requestId"] for record in telemetry if record["type"] == "platform.start"]
        lines = [json.loads(line) for line in re.findall(r"extension lambda-triage +(\{.*\})", printed)]
        lines = [line for line in lines if "diagnosis" in line]
        for expected in case.expected(case.calls_in(log_format), requests):
            found = next((line for line in lines if holds(line, expected)), None)
            if found is None:
                return f"in {log_format}, no {json.dumps(expected)} among {json.dumps(lines)[:2000]}"
            lines.remove(found)
        if lines:
            return f"in {log_format}, not expected: {json.dumps(lines)[:2000]}"
    return None


def holds(line, part):
    """Whether a line holds all that a part says."""
    if isinstance(part, dict):
        return isinstance(line, dict) and all(name in line and holds(line[name], value) for name, value in part.items())
    return line == part
