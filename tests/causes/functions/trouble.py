"""A function that waits for what its event says until its time is over.

On AWS's runtime client its handler is trouble.handler; `python trouble.py EVENT` is the same without
Lambda. What there is to wait for, by the event's "trouble", stands in TROUBLES.
"""

import asyncio
import fcntl
import itertools
import json
import mmap
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

EVER_MS = 3_600_000
# What lives on until the process ends.
kept = []


def handler(event, context=None):
    try:
        return handle(event)
    except TimeoutError:
        # What an event gave a time and did not come: the invocation ends well all the same.
        return None


def handle(event):
    beside = event.get("beside")
    for _ in range(beside["count"] if beside else 0):
        kept.append(answered(beside))
    if event.get("stream"):
        # A thread that waits for news which never come, as clients of feature flags and queues do.
        threading.Thread(target=greeting, args=(event["stream"],), daemon=True).start()
    if event.get("background"):
        # What the handler does not wait for.
        threading.Thread(target=handle, args=(event["background"],), daemon=True).start()
    if event.get("helper"):
        # A process that runs beside and that nobody waits for, as a browser or a proxy might.
        kept.append(subprocess.Popen(["sleep", str(EVER_MS / 1000)]))
    where = event.get("on", "main")
    time.sleep(event.get("delay_ms", 0) / 1000)
    if where == "child":
        alone = {"beside": None, "stream": None, "background": None, "helper": None}
        inner = {**event, **alone, "on": "main", "delay_ms": 0}
        subprocess.run([sys.executable, __file__, json.dumps(inner)], check=True)
        return None
    trouble = TROUBLES[event["trouble"]]
    if where == "thread":
        thread = threading.Thread(target=trouble, args=(event,), daemon=True)
        thread.start()
        thread.join()
        return None
    return trouble(event)


def answered(peer):
    """A connection on which a request was answered, and that is kept open."""
    connection = open_to(peer)
    connection.sendall(request_for({}))
    connection.recv(4096)
    return connection


def request_for(event):
    """One that is answered after so many milliseconds, if ever."""
    return f"GET /{event.get('after_ms', 0)} HTTP/1.1\r\nHost: orders\r\n\r\n".encode()


def open_to(event):
    return socket.create_connection((event["address"], event["port"]), time_out(event))


def time_out(event):
    """In seconds. With one, as clients of services have, Python waits in poll and not in the call itself."""
    return event["timeout_ms"] / 1000 if "timeout_ms" in event else None


def healthy(event):
    return event


def connect(event):
    if event.get("style") == "async":
        asyncio.run(asyncio.open_connection(event["address"], event["port"]))
    kept.append(open_to(event))


def connects(event):
    """One new connection after another."""
    while True:
        open_to(event).close()


def refused(event):
    for _ in range(event["times"]) if "times" in event else itertools.count():
        try:
            kept.append(open_to(event))
        except ConnectionRefusedError:
            time.sleep(event["pause_ms"] / 1000)


def request(event):
    if event.get("style") == "async":
        asyncio.run(request_async(event))
    connection = open_to(event)
    connection.sendall(request_for(event))
    connection.recv(4096)


async def request_async(event):
    reader, writer = await asyncio.open_connection(event["address"], event["port"])
    writer.write(request_for(event))
    await reader.readline()


def calls(event):
    """One short call after another on one connection, with a pause between them."""
    connection = open_to(event)
    while True:
        connection.sendall(request_for(event))
        connection.recv(4096)
        time.sleep(event.get("pause_ms", 0) / 1000)


def greeting(event):
    open_to(event).recv(4096)


def listen(event):
    """Waits for what is sent to those who subscribed, as by a message broker."""
    answered(event).recv(4096)


def ship(event):
    """Sends lines to a collector of logs, which never answers."""
    if event.get("style") == "async":
        asyncio.run(ship_async(event))
    connection = open_to(event)
    kept.append(connection)
    for _ in range(event.get("times", 1)):
        connection.sendall(b"<14>an order was taken\n")
        time.sleep(0.02)


async def ship_async(event):
    """The same, and then nothing that could come."""
    reader, writer = await asyncio.open_connection(event["address"], event["port"])
    for _ in range(event.get("times", 1)):
        writer.write(b"<14>an order was taken\n")
        await asyncio.sleep(0.02)
    await asyncio.Event().wait()


def serve(event):
    """As behind an adapter that calls it over loopback: it has answered in part, and more is to come."""
    listener = socket.create_server((event["address"], event["port"]))
    connection, _ = listener.accept()
    kept.extend([listener, connection])
    connection.recv(4096)
    connection.sendall(b"a part of the answer")
    TROUBLES[event["then"]["trouble"]](event["then"])


def push(event):
    connection = open_to(event)
    while True:
        connection.sendall(bytes(1 << 20))


def resolve(event):
    # The resolver tries again and again before it fails.
    while True:
        try:
            socket.getaddrinfo(event["name"], 443)
        except socket.gaierror:
            pass


def query(event):
    """A resolver of its own, as DNS libraries are."""
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.settimeout(time_out(event))
    asked.connect((event["address"], 53))
    while True:
        asked.send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06orders\x07example\0\0\x01\0\x01")
        try:
            asked.recv(512)
        except TimeoutError:
            pass


def spin(event):
    for _ in range(event.get("threads", 1) - 1):
        threading.Thread(target=spin, args=({},), daemon=True).start()
    number = 0
    while True:
        number = (number * 31 + 7) % 1_000_003


def thrash(event):
    """Reads a file and memory of its own that together are more than there may be."""
    own = bytearray(event["own_mb"] << 20)
    own[::4096] = b"x" * len(own[::4096])
    with open(event["path"], "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        # As code is read that was thrown out: page by page.
        mapped.madvise(mmap.MADV_RANDOM)
        while True:
            sum(mapped[::4096])


def write(event):
    with open(event["path"], "wb") as file:
        while True:
            file.seek(0)
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())


def read(event):
    with open(event["path"], "rb") as file:
        file.read(1)


def child(event):
    style = event.get("style", "run")
    sleep_for = ["sleep", str(event.get("for_ms", EVER_MS) / 1000)]
    if style == "vfork":
        # Held until the child becomes another program, before which it opens what nobody writes to.
        os.mkfifo(event["path"])
        opens = (os.POSIX_SPAWN_OPEN, 0, event["path"], os.O_RDONLY, 0)
        os.posix_spawnp("true", ["true"], {}, file_actions=[opens])
    else:
        command = ["sh", "-c", " ".join(sleep_for) + "; true"] if style == "shell" else sleep_for
        subprocess.run(command, capture_output=style == "pipe", check=True)


def sleep(event):
    style = event.get("style", "sleep")
    if style == "event":
        threading.Event().wait()
    elif style == "queue":
        queue.Queue().get()
    elif style == "lock":
        lock = threading.Lock()
        with lock, lock:
            pass
    elif style == "async":
        asyncio.run(asyncio.Event().wait())
    else:
        time.sleep(event.get("for_ms", EVER_MS) / 1000)


def stop(event):
    os.kill(os.getpid(), signal.SIGSTOP)


def lock_file(event):
    """Waits for a lock that it has itself, by another descriptor."""
    with open(event["path"], "w") as one, open(event["path"], "w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)


def local_socket(event):
    """Waits for a daemon on this machine, which has no address and port."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as connection:
        listener.bind(event["path"])
        listener.listen()
        connection.connect(event["path"])
        connection.sendall(b"hello")
        connection.recv(1)


def busy(event):
    """Works until its time is over."""
    end = time.monotonic() + event["for_ms"] / 1000
    while time.monotonic() < end:
        pass


def half_busy(event):
    """Works as long as it rests."""
    while True:
        busy({"for_ms": 15})
        time.sleep(0.015)


def exit(event):
    os._exit(1)


TROUBLES = {
    trouble.__name__: trouble
    for trouble in (
        healthy, connect, connects, refused, request, greeting, listen, ship, serve, push, resolve, query,
        spin, thrash, write, read, child, sleep, stop, lock_file, local_socket, busy, half_busy, calls, exit,
    )
}  # fmt: skip

if __name__ == "__main__":
    handler(json.loads(sys.argv[1]))
elif "TROUBLE_INIT" in os.environ:
    handler(json.loads(os.environ["TROUBLE_INIT"]))
