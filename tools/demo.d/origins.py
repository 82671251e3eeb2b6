"""Three small origins that say their names, and can be taken away."""

import asyncio


class Origin:
    def __init__(self, name):
        self.name, self.port, self.server, self.open = name, 0, None, set()

    async def start(self):
        """Listens on the port it had before, or a free one the first time."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        """Goes away as a killed process does: no new connections, and the open ones end."""
        self.server.close()
        for writer in list(self.open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def serve(self, reader, writer):
        body = f"hello from {self.name}\n".encode()
        answer = b"HTTP/1.1 200 OK\r\nx-origin: %b\r\ncontent-length: %d\r\n\r\n%b" % (self.name.encode(), len(body), body)
        self.open.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()
