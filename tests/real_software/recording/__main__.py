"""Plays every case, and keeps what the functions printed as fixtures, or checks the diagnoses."""

import argparse
import json
import logging
import os
import shutil
import sys

import boto3
from moto.server import ThreadedMotoServer

from recording import live, processes, sandbox, services
from recording.normalize import Normalizer
from recording.proxy import Proxy

LANGUAGES = ["python", "node", "rust", "go", "ruby", "java"]


def main():
    arguments = parse()
    left_out = {language: reason for language in arguments.languages if (reason := missing(language))}
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        proxy = Proxy("http://{}:{}".format(*moto.get_host_and_port()))
        prepare(proxy.url)
        failed = play_all(arguments, [name for name in arguments.languages if name not in left_out], proxy)
    finally:
        moto.stop()
    for language, reason in left_out.items():
        print(f"left out: {language}, since {reason}")
    for folder, reason in failed:
        print(f"failed: {folder}: {reason}")
    return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(prog="record", description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", default=LANGUAGES, help=f"of {', '.join(LANGUAGES)} [default: all]")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose folder has this in its name")
    parser.add_argument("--check", action="store_true", help="attach the extension and compare what it prints with what is expected; write nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.languages) - set(LANGUAGES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return arguments


def missing(language):
    """Why a language cannot be run; None if it can."""
    program = sandbox.commands("app.handler")[language][0]
    found = shutil.which(str(program))
    return None if found else f"{os.path.relpath(program, sandbox.REPOSITORY) if os.sep in str(program) else program} is not there"


def prepare(endpoint):
    """What is there: a bucket without the objects asked for, and a key behind an alias."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "preparing", "AWS_SECRET_ACCESS_KEY": "preparing", "AWS_DEFAULT_REGION": "eu-west-1"}
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="orders")
    kms = boto3.client("kms", endpoint_url=endpoint)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)


def play_all(arguments, languages, proxy):
    failed = []
    paths = [*sandbox.paths(), (proxy.url, "https://amazonaws.invalid"), (proxy.url.removeprefix("http://"), "amazonaws.invalid")]
    for language in languages:
        for case in [*services.cases(language), *processes.cases(language)]:
            if arguments.only not in case.folder:
                continue
            try:
                reason = live.check(case, proxy) if arguments.check else keep(case, proxy, paths)
            except Exception as error:  # The other cases are still worth playing.
                reason = f"{type(error).__name__}: {error}"
            print(f"{'FAILED' if reason else 'ok'} {case.folder}", flush=True)
            if reason:
                failed.append((case.folder, reason))
    return failed


def keep(case, proxy, paths):
    """Plays a case in each log format and writes its fixture."""
    normalizer = Normalizer(paths)
    for log_format in case.formats:
        proxy.begin()
        for record in sandbox.play(case, log_format, proxy.url)[0]:
            normalizer.record(record)
    folder = sandbox.FIXTURES / case.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "telemetry.ndjson").write_text(normalizer.end())
    calls = [call for log_format in case.formats for call in case.calls_in(log_format)]
    expected = case.expected(calls, list(normalizer.requests.values()))
    (folder / "expected.json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")
    given = folder / "given.json"
    if case.ordered:
        given.write_text(json.dumps({"ordered": True}) + "\n")
    else:
        given.unlink(missing_ok=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
