#!/usr/bin/env python3
"""Checks lines against the embedded metric format: its schema, and that what a directive refers to is there.

    cargo run --quiet --package triage-diagnosis --example lines | tests/emf/check.py

Needs jsonschema (PyPI). It is a second opinion: the local Lambda's own extraction is written in Rust
(tests/sandbox/src/emf.rs). Lines without metrics are only counted. First it checks itself, on lines that
are wrong.
"""

import copy
import json
import pathlib
import sys

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).parent / "schema.json").read_text())
jsonschema.Draft7Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

GOOD = {
    "FunctionName": "orders", "Timeouts": [1, 2], "Problems": 1,
    "_aws": {"Timestamp": 1772366400000, "CloudWatchMetrics": [{
        "Namespace": "LambdaTriage", "Dimensions": [["FunctionName"], []],
        "Metrics": [{"Name": "Timeouts", "Unit": "Count"}, {"Name": "Problems"}]}]},
}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 2**360


def problems(line):
    """A sentence for each thing that is wrong with a line that has metrics."""
    found = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in VALIDATOR.iter_errors(line)]
    if found:
        return found
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for name in sum(directive["Dimensions"], []):
            value = line.get(name)
            if not isinstance(value, str) or not 1 <= len(value) <= 1024 or not value.isascii():
                found.append(f"the dimension {name} is {value!r}")
        for metric in directive["Metrics"]:
            value = line.get(metric["Name"])
            values = value if isinstance(value, list) else [value]
            if not 1 <= len(values) <= 100 or not all(map(is_number, values)):
                found.append(f"the metric {metric['Name']} is {value!r}")
    return found


def changed(path, value):
    line = copy.deepcopy(GOOD)
    place = line
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return line


def check_itself():
    directive = ["_aws", "CloudWatchMetrics", 0]
    assert problems(GOOD) == [], problems(GOOD)
    for path, value in [
        (["_aws", "Timestamp"], "now"), (["_aws", "Timestamp"], 1.5), (["_aws", "CloudWatchMetrics"], {}),
        ([*directive, "Namespace"], ""), ([*directive, "Namespace"], "AWS/Lambda"),
        ([*directive, "Namespace"], "a*b"), ([*directive, "Namespace"], ":a"),
        ([*directive, "Dimensions"], []), ([*directive, "Dimensions"], ["FunctionName"]),
        ([*directive, "Dimensions"], [["d"] * 31]), ([*directive, "Dimensions"], [["Nobody"]]),
        ([*directive, "Metrics", 0, "Unit"], "Problems"), ([*directive, "Metrics", 0, "Name"], ""),
        ([*directive, "Metrics", 0, "StorageResolution"], 5), ([*directive, "Metrics"], [{"Name": "a"}] * 101),
        (["FunctionName"], ""), (["FunctionName"], 1), (["FunctionName"], "ü"), (["Timeouts"], "1"),
        (["Timeouts"], []), (["Timeouts"], [1] * 101), (["Timeouts"], float("nan")), (["Timeouts"], True),
    ]:
        assert problems(changed(path, value)), f"{path} = {value!r} passed"


def main():
    check_itself()
    counts = {True: 0, False: 0}
    wrong = 0
    for text in sys.stdin:
        line = json.loads(text)
        counts["_aws" in line] += 1
        for problem in problems(line) if "_aws" in line else []:
            wrong += 1
            print(f"{problem}\n  {text.strip()}")
    print(f"{counts[True]} lines with metrics, {counts[False]} without, {wrong} problems")
    sys.exit(1 if wrong or not counts[True] else 0)


if __name__ == "__main__":
    main()
