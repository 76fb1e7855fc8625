"""What can go wrong in a Python process of itself: each function is one way.

What is used up has a bound, should the limit that it is to meet be missing.
"""

import ctypes
import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request


def healthy(_target):
    return "ok"


def abort(_target):
    os.abort()


def segfault(_target):
    ctypes.string_at(0)


def kill(_target):
    os.kill(os.getpid(), signal.SIGKILL)


def exit_process(_target):
    sys.exit(1)


def exit_at_once(_target):
    os._exit(3)


def key_error(_target):
    return {}["order"]


def memory(_target):
    """Takes memory until the limit."""
    blocks = []
    for _ in range(128):
        blocks.append(bytearray(16 << 20))


def too_large(_target):
    return "x" * (7 << 20)


def fill_tmp(_target):
    with open("/tmp/report.csv", "wb", buffering=0) as file:
        for _ in range(1024):
            file.write(b"x" * (64 << 10))


def copy_to_tmp(_target):
    with tempfile.TemporaryFile(dir="/dev/shm") as source:
        source.truncate(64 << 20)
        shutil.copyfile(f"/proc/self/fd/{source.fileno()}", "/tmp/model.bin")


def fill_inodes(_target):
    for number in range(2000):
        open(f"/tmp/part-{number}", "w").close()


def open_files(_target):
    kept = []
    for _ in range(2000):
        kept.append(open("/etc/hostname"))


def open_sockets(_target):
    kept = []
    for _ in range(2000):
        kept.append(socket.socket())


def call_without_descriptors(target):
    """What the SDK says when no descriptor is left for its connection."""
    import app

    kept = []
    client = app.client("lambda")
    try:
        for _ in range(2000):
            kept.append(os.open("/etc/hostname", os.O_RDONLY))
    except OSError:
        return client.invoke(FunctionName=target)


def start_threads(_target):
    stop = threading.Event()
    try:
        for _ in range(200):
            threading.Thread(target=stop.wait, daemon=True).start()
    finally:
        stop.set()
        time.sleep(0.1)


def resolve(target):
    return str(socket.getaddrinfo(target, 443))


def fetch(target):
    return urllib.request.urlopen(f"https://{target}/", timeout=3).read().decode()


def connect_sdk(_target):
    import boto3

    return boto3.client("sqs", endpoint_url="https://sqs.eu-west-1.amazonaws.invalid").list_queues()


def open_path(target):
    return open(target).read()


def write_path(target):
    with open(target, "w") as file:
        file.write("order")
    return "ok"


def os_error(target):
    """An error of the file system that this machine does not have: `ESTALE /mnt/data/x`."""
    name, path = target.split(" ")
    code = getattr(errno, name)
    raise OSError(code, os.strerror(code), path)
