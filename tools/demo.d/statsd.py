"""A small statsd daemon: adds counters up, and notices when the kernel had to drop datagrams.

A process of its own, so that bursts are read at once however busy the demonstration is. Prints its port first; when its
standard input ends it prints {"counters": {...}, "dropped": n}.
"""

import asyncio
import json
import pathlib
import select
import socket
import sys
from collections import Counter

RECEIVE_BUFFER_BYTES = 32 << 20
SO_RCVBUFFORCE = 33  # Linux: beyond net.core.rmem_max, for the privileged


def bound_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def dropped(port):
    """Datagrams for the port that found its buffer full: the last column of /proc/net/udp."""
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        columns = line.split()
        if int(columns[1].rsplit(":", 1)[1], 16) == port:
            return int(columns[-1])
    return 0


def take(data, counters):
    for line in data.decode("latin-1").splitlines():
        name, _, rest = line.rpartition(":")
        value, _, kind = rest.partition("|")
        if kind == "c":
            counters[name] += int(value)


def serve():
    sock, counters, waiting, open_input = bound_socket(), Counter(), [], True
    port = sock.getsockname()[1]
    print(port, flush=True)
    while True:
        try:
            while True:  # empty the socket first: parsing can wait, the kernel's buffer cannot
                waiting.append(sock.recv(65536))
        except BlockingIOError:
            pass
        for data in waiting:
            take(data, counters)
        if not waiting and not open_input:
            break
        waiting.clear()
        ready = select.select([sock, sys.stdin] if open_input else [sock], [], [], None if open_input else 0)[0]
        if sys.stdin in ready:
            open_input = False
    print(json.dumps({"counters": counters, "dropped": dropped(port)}), flush=True)


class Statsd:
    """Starts the daemon and, in the end, asks what it counted."""

    async def start(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(sys.executable, __file__, stdin=pipe, stdout=pipe, limit=1 << 24)
        self.port = int(await self.process.stdout.readline())

    async def finish(self):
        """(counters, datagrams dropped by the kernel)"""
        self.process.stdin.close()
        said = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 20))
        await self.process.wait()
        return Counter(said["counters"]), said["dropped"]

    async def stop(self):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


if __name__ == "__main__":
    serve()
