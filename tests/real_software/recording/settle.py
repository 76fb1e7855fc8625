"""Moves recordings that the detectors match by now to the fixtures, and says which still wait."""

import subprocess

from recording import sandbox

FIXTURES = sandbox.REPOSITORY / "tests/fixtures"
RECORDED = sandbox.SOURCES / "recorded"


def settle():
    command = ["cargo", "test", "--quiet", "--package", "triage-diagnosis", "--test", "whole", "--"]
    command += ["--ignored", "--nocapture", "recordings_that_wait"]
    told = subprocess.run(command, cwd=sandbox.REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = told.stdout.splitlines()
    for line in lines:
        if line.startswith("holds "):
            move(line.removeprefix("holds "))
        elif " fails: " in line:
            print(f"waits: {line}")
    return told.returncode


def move(folder):
    target = FIXTURES / folder
    target.parent.mkdir(exist_ok=True)
    (RECORDED / folder).rename(target)
    print(f"moved: {folder}")
