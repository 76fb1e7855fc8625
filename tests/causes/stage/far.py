"""A way between this network namespace and that of a process, which takes long, as to another continent.

`python3 far.py PID` says "open" once packets pass: 10.0.5.10 is there, 10.0.5.7 here. Nothing is lost on it but
what does not fit.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import select
import struct
import subprocess
import sys
import time

ONE_WAY_S = 0.125
# What it carries within a second, each way.
BYTES_PER_S = 2_000_000
# What is under way at most, in packets.
ROOM = 400

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x1, 0x1000


def end(address):
    """One end of the way, in the namespace that this process is in."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"far0", IFF_TUN | IFF_NO_PI))
    for command in (f"address add {address}/24 dev far0", "link set far0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    return tun


def enter(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def carry(here, there):
    other = {here: there, there: here}
    under_way, turn, free_at = [], itertools.count(), {here: 0.0, there: 0.0}
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, to, packet = heapq.heappop(under_way)
            try:
                os.write(to, packet)
            except OSError:
                # Lost, as where it goes to is not there any more.
                pass
        wait_s = max(0, under_way[0][0] - now) if under_way else None
        for tun in select.select([here, there], [], [], wait_s)[0]:
            packet = os.read(tun, 65_536)
            if len(under_way) < ROOM:
                to = other[tun]
                free_at[to] = max(free_at[to], time.monotonic()) + len(packet) / BYTES_PER_S
                heapq.heappush(under_way, (free_at[to] + ONE_WAY_S, next(turn), to, packet))


if __name__ == "__main__":
    here = end("10.0.5.7")
    enter(sys.argv[1])
    there = end("10.0.5.10")
    print("open", flush=True)
    carry(here, there)
