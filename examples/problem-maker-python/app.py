"""A Lambda function that causes a named problem on request: {"problem": "timeout"}.

An event without a known name is answered with an error that lists the names. It needs no AWS SDK:
errors of AWS services are raised with the types and texts that boto3 gives them.
"""

import json
import os
import socket
import sys
import time

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"

# Problem: operation, error code, message.
SERVICE_ERRORS = {
    "kms-access-denied": (
        "Decrypt",
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to"
        f" perform: kms:Decrypt on resource: {KEY} because no identity-based policy allows the"
        " kms:Decrypt action",
    ),
    "kms-disabled": ("Decrypt", "DisabledException", f"{KEY} is disabled."),
    "kms-invalid-state": ("Decrypt", "KMSInvalidStateException", f"{KEY} is pending deletion."),
    "kms-not-found": ("Decrypt", "NotFoundException", f"Key '{KEY}' does not exist"),
    "efs-mount-failure": (
        "Invoke",
        "EFSMountFailureException",
        f"The function could not mount the EFS file system with access point {ACCESS_POINT}.",
    ),
    "efs-mount-connectivity": (
        "Invoke",
        "EFSMountConnectivityException",
        "The function couldn't connect to the Amazon EFS file system with access point"
        f" {ACCESS_POINT}. Check your network configuration and try again.",
    ),
    "efs-mount-timeout": (
        "Invoke",
        "EFSMountTimeoutException",
        "The function could not mount the EFS file system with access point"
        f" {{{ACCESS_POINT}}} due to mount time out",
    ),
    "efs-io": (
        "Invoke",
        "EFSIOException",
        "This function instance was stopped because Lambda detected an IO process that was taking"
        " too long.",
    ),
}

# Errors that the service's model does not hold: boto3 raises a plain ClientError for them.
NOT_MODELED = {"AccessDeniedException"}


def service_error(problem):
    """The exception that boto3 would raise."""
    operation, code, message = SERVICE_ERRORS[problem]
    kind = "ClientError" if code in NOT_MODELED else code
    module = "botocore.exceptions" if code in NOT_MODELED else "botocore.errorfactory"
    return type(kind, (Exception,), {"__module__": module})(
        f"An error occurred ({code}) when calling the {operation} operation: {message}"
    )


def fail_as_boto3(event, problem):
    error = service_error(problem)
    if not event.get("caught"):
        raise error
    print(f"{type(error).__module__}.{type(error).__name__}: {error}")
    return {"caught": type(error).__name__}


def timeout(_event, context):
    # As a client without a time-out of its own does, of a server that takes connections and never answers.
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(b"GET /orders HTTP/1.1\r\nhost: localhost\r\n\r\n")
            client.settimeout(context.get_remaining_time_in_millis() / 1000 + 60)
            client.recv(1)
    raise RuntimeError("nothing stopped this function at its deadline")


def near_timeout(event, context):
    remaining_ms = context.get_remaining_time_in_millis()
    slept_ms = remaining_ms * min(event.get("percent", 94), 100) // 100
    time.sleep(slept_ms / 1000)
    return {"slept_ms": slept_ms, "remaining_ms": remaining_ms}


def exhaust_memory(_event, context):
    limit_mb = int(context.memory_limit_in_mb) + 64
    blocks = [b"x" * (16 << 20) for _ in range(limit_mb // 16)]
    raise RuntimeError(f"still running with {16 * len(blocks)} MB in use")


def flood_log(event, _context):
    lines = event.get("lines", 10_000)
    for line in range(1, lines + 1):
        print(f"INFO order {line} of {lines} has been stored")
    return {"lines": lines}


def log_json(_event, _context):
    text = str(service_error("kms-disabled"))
    print(json.dumps({"level": "ERROR", "message": text, "logger": "root"}))
    return {"caught": text}


def raise_exception(_event, _context):
    raise RuntimeError("the event asked for an exception")


PROBLEMS = {
    "healthy": lambda _event, _context: {"problem": None},
    "timeout": timeout,
    "near-timeout": near_timeout,
    "crash": lambda _event, _context: os.abort(),
    "exit": lambda _event, _context: sys.exit(1),
    "panic": raise_exception,
    "out-of-memory": exhaust_memory,
    "response-too-large": lambda _event, _context: {"filler": "x" * (7 << 20)},
    "log-flood": flood_log,
    "json-log": log_json,
}


def handler(event, context):
    problem = event.get("problem")
    if problem in SERVICE_ERRORS:
        return fail_as_boto3(event, problem)
    if problem in PROBLEMS:
        return PROBLEMS[problem](event, context)
    names = ", ".join([*PROBLEMS, *SERVICE_ERRORS])
    raise ValueError(f"there is no problem {problem!r}; the names: {names}")
