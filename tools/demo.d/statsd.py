"""A statsd daemon of thirty lines: adds counters up."""

import asyncio
import socket
from collections import Counter


class Statsd(asyncio.DatagramProtocol):
    def __init__(self):
        self.counters, self.datagrams, self.port = Counter(), 0, 0

    async def start(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def datagram_received(self, data, address):
        self.datagrams += 1
        for line in data.decode("latin-1").splitlines():
            name, _, rest = line.rpartition(":")
            value, _, kind = rest.partition("|")
            if kind == "c":
                self.counters[name] += int(value)

    def stop(self):
        self.transport.close()
