"""Runs real functions in the project's local Lambda."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCES = REPOSITORY / "tests/real_software"
FIXTURES = REPOSITORY / "tests/fixtures"
BUILT = REPOSITORY / "target/real-software"
LOCAL_LAMBDA = REPOSITORY / "target/debug/lambda-sandbox"
EXTENSION = REPOSITORY / "target/debug/lambda-triage"
PYTHON = BUILT / "python/bin/python"


def commands(handler):
    """The process that serves the Runtime API, by language."""
    task = BUILT / "task"
    return {
        "python": [PYTHON, "-m", "awslambdaric", handler],
        "node": [BUILT / "node/node_modules/.bin/aws-lambda-ric", handler],
        "rust": [BUILT / "rust/debug/real-software"],
        "go": [BUILT / "go/bootstrap"],
        "ruby": ["ruby", task / "ruby/app.rb"],
        "java": ["java", "-XX:+UseSerialGC", "-Xmx64m", "-cp", BUILT / "java", "App"],
    }


def task_root(language):
    return BUILT / "node" if language == "node" else BUILT / "task" / language


def paths():
    """Where files of this machine are on Lambda."""
    library = json.loads(
        subprocess.check_output(
            [PYTHON, "-c", "import json,sysconfig as s;print(json.dumps([s.get_path(\"purelib\"),s.get_path(\"stdlib\")]))"]
        )
    )
    found = [
        (library[0] + "/awslambdaric", "/var/lang/lib/python3.11/site-packages/awslambdaric"),
        (library[0], "/var/task"),
        (library[1], "/var/lang/lib/python3.11"),
        ("/usr/lib/python3.11", "/var/lang/lib/python3.11"),
        (str(PYTHON), "/var/lang/bin/python3.11"),
        (str(BUILT / "node/node_modules/aws-lambda-ric"), "/var/runtime/node_modules/aws-lambda-ric"),
        (str(BUILT / "node"), "/var/task"),
        (os.path.expanduser("~/.cargo/registry/src"), "/cargo/registry/src"),
    ]
    for language in commands("app.handler"):
        found += [(str(BUILT / "task" / language), "/var/task")]
        found += [(str(SOURCES / language), "/var/task")]
    return found + [(inside(of), on) for of, on in found if of.startswith(str(REPOSITORY))]


def inside(text):
    """The same path in the namespace that `OWN_TMP` makes."""
    return text.replace(str(REPOSITORY), "/mnt/repository")


# Wrappers of the function's process: `sh -c SCRIPT sh COMMAND…`.
LIMIT_FILES = 'ulimit -n 40; exec "$@"'
LIMIT_MEMORY = 'ulimit -v 1500000; exec "$@"'
# As a user that is not root, as on Lambda: root may start any number of threads, and open anything.
LIMIT_THREADS = 'exec prlimit --nproc=30 setpriv --reuid 994 --regid 990 --clear-groups "$@"'
# A /tmp of 2 MB and 200 inodes. The repository may itself be below /tmp: it gets another name.
OWN_TMP = f"""
mount -t tmpfs tmpfs /mnt && mkdir /mnt/repository && mount --bind {REPOSITORY} /mnt/repository
mount -t tmpfs -o size=2m,nr_inodes=200 tmpfs /tmp
cd "/mnt/repository${{PWD#{REPOSITORY}}}" && LAMBDA_TASK_ROOT=$PWD exec "$@"
"""
# A file below /mnt that the function's user may not read, and a directory it may not write.
OWN_MNT = """
mount -t tmpfs tmpfs /mnt && mkdir /mnt/data /mnt/data/locked && echo order > /mnt/data/orders.csv
chmod 600 /mnt/data/orders.csv; chmod 755 /mnt/data/locked
mount -t tmpfs -o ro tmpfs /mnt/data/locked
exec setpriv --reuid 993 --regid 990 --clear-groups "$@"
"""
NAMESPACE = ["unshare", "--mount", "--propagation", "private"]


def wrap(command, script):
    """The command below a wrapper, in a mount namespace if the wrapper mounts something."""
    if script is None:
        return command
    if script == OWN_TMP:
        command = [inside(part) for part in command]
    shell = ["sh", "-c", script, "sh", *command]
    return [*NAMESPACE, *shell] if "mount " in script else shell


def play(case, log_format, endpoint, extension=None):
    """Runs the calls of a case in one sandbox: the telemetry, and what the sandbox printed."""
    command = wrap([str(part) for part in commands(case.handler)[case.language]], case.wrapper)
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_MAX_ATTEMPTS": "2",
        "AWS_RETRY_MODE": "standard",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The SDK would tell in every sandbox that a later version needs a later Node.
        "NODE_NO_WARNINGS": "1",
        "POWERTOOLS_SERVICE_NAME": "orders",
        **case.env,
    }
    with tempfile.TemporaryDirectory() as scratch:
        telemetry = Path(scratch) / "telemetry"
        arguments = [
            LOCAL_LAMBDA, "--name", "orders", "--handler", case.handler, "--timeout", "30",
            "--memory", str(case.memory), "--log-format", log_format, "--task-root", task_root(case.language),
            "--telemetry", telemetry,
        ]  # fmt: skip
        for name, value in variables.items():
            arguments += ["--env", f"{name}={value}"]
        for call in case.calls_in(log_format):
            arguments += ["--invoke", json.dumps(call.event)]
        if extension:
            arguments += ["--extension", extension]
        done = subprocess.run([*arguments, "--", *command], capture_output=True, text=True, timeout=170)
        if done.returncode != 0:
            raise RuntimeError(f"the local Lambda failed: {done.stderr[-500:]}")
        return [json.loads(line) for line in telemetry.read_text().splitlines()], done.stdout
