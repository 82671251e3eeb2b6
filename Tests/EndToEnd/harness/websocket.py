"""WebSockets by the real library (`websockets`): a server whose paths do what tests need, clients, and bare frames."""

import pathlib
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _packages():
    command = [ROOT / "tools/fetch-wheels", ROOT / "Tests/EndToEnd/requirements-websocket.txt"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, f"tools/fetch-wheels failed: {found.stderr}"
    return found.stdout.strip()


sys.path.insert(0, _packages())
import websockets.exceptions  # noqa: E402
import websockets.frames  # noqa: E402
import websockets.protocol  # noqa: E402
import websockets.sync.client  # noqa: E402
import websockets.sync.server  # noqa: E402

BYTES_MAX = 32 << 20
Gone = websockets.exceptions.ConnectionClosed
Refused = websockets.exceptions.InvalidStatus
Frame, Opcode = websockets.frames.Frame, websockets.frames.Opcode


class Server:
    """On 127.0.0.1; `stop()` ends it.

    /echo     sends each message back, in the same pieces as kind
    /close/N  closes with the code N and a reason after the first message
    /push     sends 1,000 messages and closes
    /refuse   answers the handshake with 401
    """

    def __init__(self):
        self.requests, self.closes, self.failures = [], [], []
        self._server = websockets.sync.server.serve(
            self._serve, "127.0.0.1", 0, process_request=self._request, max_size=BYTES_MAX,
            select_subprotocol=lambda connection, offered: "a.example" if "a.example" in offered else None)
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _request(self, connection, request):
        self.requests.append(request)
        if request.path == "/refuse":
            return connection.respond(401, "not you\n")
        return None

    def _serve(self, connection):
        path = connection.request.path
        try:
            if path.startswith("/close/"):
                connection.recv()
                connection.close(int(path.rsplit("/", 1)[1]), "because")
            elif path == "/push":
                for number in range(1000):
                    connection.send(f"message {number}")
            else:
                for message in connection:
                    connection.send(message)
        except Gone:
            pass
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()
            self.closes.append((connection.close_code, connection.close_reason))

    def stop(self):
        self._server.shutdown()


def connect(port, path="/echo", **options):
    return websockets.sync.client.connect(
        f"ws://127.0.0.1:{port}{path}", max_size=BYTES_MAX, open_timeout=10, close_timeout=10, proxy=None, **options)


class Bare:
    """A client's frames without a handshake, over any end of a tunnel."""

    def __init__(self, tunnel):
        self.tunnel = tunnel
        self.protocol = websockets.protocol.Protocol(
            websockets.protocol.CLIENT, state=websockets.protocol.OPEN, max_size=BYTES_MAX)
        self.events = []

    def flush(self):
        for data in self.protocol.data_to_send():
            if data:
                self.tunnel.send(data)

    def receive(self):
        """The next frame."""
        while not self.events:
            self.protocol.receive_data(self.tunnel.receive(1))
            self.flush()
            self.events += self.protocol.events_received()
        return self.events.pop(0)


__all__ = ["Bare", "Frame", "Gone", "Opcode", "Refused", "Server", "connect"]
