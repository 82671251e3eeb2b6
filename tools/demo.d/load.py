"""Closed-loop load: each connection sends its next request when the last is answered."""

import asyncio
import time
from collections import Counter

REQUEST = b"GET /api/demo HTTP/1.1\r\nHost: demo.example\r\nUser-Agent: apus-demo\r\n\r\n"


class Load:
    def __init__(self, port, connections):
        self.port, self.connections = port, connections
        self.sent = 0
        self.statuses, self.origins = Counter(), Counter()
        self.broken = 0
        self.seconds = []
        self.stopping = False

    async def run(self):
        await asyncio.gather(*(self.connection() for _ in range(self.connections)))

    async def connection(self):
        while not self.stopping:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                while not self.stopping:
                    await self.request(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.broken += 1
            finally:
                writer.close()

    async def request(self, reader, writer):
        started = time.perf_counter()
        self.sent += 1
        writer.write(REQUEST)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        self.seconds.append(time.perf_counter() - started)
        self.statuses[int(lines[0].split(" ")[1])] += 1
        self.origins[fields.get("x-origin", "(apus itself)")] += 1

    def percentile_milliseconds(self, which):
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * which / 100))]
