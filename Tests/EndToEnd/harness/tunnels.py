"""Both ends of tunnels, driven by the test itself: clients and hosts of HTTP/1, HTTP/2 and TCP with one interface."""

import queue
import socket
import struct
import threading

from . import http2
from .client import Client
from .http import Closed, Stream

SECONDS = 10


class Reset(Exception):
    """The tunnel ended in the middle: RST, RST_STREAM (`code`) or a connection that went."""

    def __init__(self, code=None):
        super().__init__(code)
        self.code = code


class Plain:
    """An end of a tunnel with a socket of its own."""

    def __init__(self, stream):
        self.stream, self.sock = stream, stream.sock

    def send(self, data):
        self.sock.sendall(data)

    def receive(self, count):
        return self.stream.exactly(count)

    def rest(self):
        """What comes until the other side ends its direction."""
        taken, self.stream.buffer = self.stream.buffer, b""
        while True:
            try:
                chunk = self.sock.recv(262144)
            except ConnectionResetError:
                raise Reset() from None
            if not chunk:
                return taken
            taken += chunk

    def end(self):
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Framed:
    """A client's end of a tunnel on a stream of HTTP/2."""

    def __init__(self, peer, stream):
        self.peer, self.stream, self.message = peer, stream, peer.message(stream)

    def _take(self, count):
        taken = bytes(self.message.body[:count])
        del self.message.body[:count]
        return taken

    def send(self, data):
        self.peer.send_body(self.stream, data, ends=False)

    def receive(self, count):
        self.peer.pump_until(lambda: len(self.message.body) >= count or self.message.is_over)
        if len(self.message.body) < count:
            raise Closed(bytes(self.message.body))
        return self._take(count)

    def rest(self):
        try:
            self.peer.pump_until(lambda: self.message.is_over)
        except Closed:
            raise Reset() from None
        if self.message.reset is not None and not self.message.ended:
            raise Reset(self.message.reset)
        return self._take(len(self.message.body))

    def end(self):
        self.peer.send(http2.data(self.stream, ends=True))

    def abort(self):
        self.peer.send(http2.rst_stream(self.stream))

    def close(self):
        self.peer.close()


# Clients


class Opening1:
    """A request over HTTP/1 that asks for a tunnel; `early` goes out with its head."""

    def __init__(
        self, proxy, target, early=b"", kind="websocket", fields=(), method="GET", host="test.example", **options
    ):
        self.client = proxy.connect(**options)
        connect = kind == "CONNECT"
        lines = [f"{'CONNECT' if connect else method} {target} HTTP/1.1", f"Host: {target if connect else host}"]
        if not connect:
            lines += ["Connection: Upgrade", f"Upgrade: {kind}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + early)
        self.tunnel = Plain(self.client.stream)

    def answer(self):
        """The head; `status` and `get(name)`."""
        self.message = self.client.stream.head()
        return self.message

    def accepted(self):
        head = self.answer()
        assert head.status in (101, 200), head
        return self.tunnel

    def refused(self):
        """The whole answer."""
        return self.client.response()

    def close(self):
        """With RST: after a FIN alone the other direction of the tunnel would go on."""
        try:
            self.tunnel.abort()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Opening2:
    """The same over HTTP/2: extended CONNECT, or CONNECT."""

    def __init__(
        self, proxy, target, early=b"", kind="websocket", fields=(), host="test.example", peer=None, **options
    ):
        self.own = peer is None
        self.peer = peer or http2.Client(proxy.port(), **options).handshake()
        if kind == "CONNECT":
            pseudo = [(":method", "CONNECT"), (":authority", target)]
        else:
            pseudo = [(":method", "CONNECT"), (":protocol", kind), (":scheme", "http")]
            pseudo += [(":path", target), (":authority", host)]
        self.stream = self.peer.new_stream()
        self.peer.send(http2.head(self.stream, self.peer.encode([*pseudo, *fields])))
        if early:
            self.peer.send_body(self.stream, early, ends=False)
        self.tunnel = Framed(self.peer, self.stream)

    def answer(self):
        return self.peer.head(self.stream)

    def accepted(self):
        head = self.answer()
        assert head.has_head and head.status == 200, head
        return self.tunnel

    def refused(self):
        return self.peer.response(self.stream)

    def close(self):
        if self.own:
            self.peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


OPENINGS = {1: Opening1, 2: Opening2}


# Hosts


class Arrival1:
    """A request that a host of HTTP/1 got, and its end of the tunnel."""

    def __init__(self, connection, head):
        self.connection, self.head = connection, head
        self.method, self.target = head.method, head.target
        self.done = threading.Event()
        self.tunnel = Plain(connection)

    def get(self, name):
        return self.head.get(name)

    def raw(self, data):
        self.connection.send(data)

    def accept(self, behind=b"", fields=()):
        """`behind`: bytes of the tunnel in one piece with the head."""
        if self.method == "CONNECT":
            lines = ["HTTP/1.1 200 OK"]
        else:
            lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {self.get('upgrade')}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + behind)
        return self.tunnel

    def refuse(self, status=404, body=b"no", fields=()):
        self.connection.reply(body, f"{status} No", fields)

    def close(self):
        self.done.set()


class Arrival2:
    """The same on a host of HTTP/2, whose frames a thread takes."""

    def __init__(self, server, message, condition):
        self.server, self.message, self.condition, self.stream = server, message, condition, message.stream
        self.method, self.target = message.method, message.path or message.get(":authority")
        self.tunnel = self

    def get(self, name):
        return self.message.get(name)

    def accept(self, behind=b"", fields=()):
        head = http2.head(self.stream, self.server.encode([(":status", 200), *fields]))
        self.server.send(head + (http2.data(self.stream, behind) if behind else b""))
        return self

    def refuse(self, status=404, body=b"no", fields=()):
        head = self.server.encode([(":status", status), ("content-length", len(body)), *fields])
        self.server.send(http2.head(self.stream, head, ends=not body))
        if body:
            self.server.send(http2.data(self.stream, body, ends=True))

    # The tunnel

    def _wait(self, condition):
        with self.condition:
            assert self.condition.wait_for(condition, SECONDS), "nothing came"

    def _take(self, count):
        taken = bytes(self.message.body[:count])
        del self.message.body[:count]
        return taken

    def send(self, data):
        at = 0
        while at < len(data):
            self._wait(lambda: min(self.server.connection_window, self.server.window(self.stream)) > 0 or self.is_gone)
            if self.is_gone:
                raise Reset()
            with self.condition:
                size = min(self.server.connection_window, self.server.window(self.stream), http2.FRAME_BYTES_MAX)
                piece = data[at : at + size]
                self.server.connection_window -= len(piece)
                self.server.windows[self.stream] = self.server.window(self.stream) - len(piece)
            at += len(piece)
            self.server.send(http2.data(self.stream, piece))

    @property
    def is_gone(self):
        return self.message.reset is not None or self.server.gone

    def receive(self, count):
        self._wait(lambda: len(self.message.body) >= count or self.message.is_over or self.is_gone)
        with self.condition:
            if len(self.message.body) < count:
                raise Closed(bytes(self.message.body))
            return self._take(count)

    def rest(self):
        self._wait(lambda: self.message.is_over or self.is_gone)
        if not self.message.ended:
            raise Reset(self.message.reset)
        return self._take(len(self.message.body))

    def end(self):
        self.server.send(http2.data(self.stream, ends=True))

    def abort(self):
        self.server.send(http2.rst_stream(self.stream, http2.CONNECT_ERROR))

    def close(self):
        pass


class Host:
    """Where tunnels lead. `next()` is the request that came; the test says what becomes of it."""

    def __init__(self, make, version, settings=None, late_settings=None, name="origin"):
        """`version`: 1, 2 or "tcp". `late_settings`: an event before which a host of HTTP/2 sends no SETTINGS."""
        self.version, self.arrivals, self.name = version, queue.Queue(), name
        usual = {http2.ENABLE_CONNECT_PROTOCOL: 1, http2.INITIAL_WINDOW_SIZE: 1 << 30}
        self.settings = usual if settings is None else settings
        self.late_settings = late_settings
        self.origin = make.origin(raw={1: self._http1, 2: self._http2, "tcp": self._tcp}[version])
        self.port = self.origin.port

    def next(self, seconds=SECONDS):
        return self.arrivals.get(timeout=seconds)

    def has_more(self):
        return not self.arrivals.empty()

    def _http1(self, connection):
        arrival = None
        while arrival is None or arrival.done.is_set():
            connection.sock.settimeout(None)
            arrival = Arrival1(connection, connection.head())
            connection.sock.settimeout(SECONDS)
            self.arrivals.put(arrival)
            # `next_request` of the test lets this connection go on; else it is the tunnel's for good.
            arrival.done.wait()

    def _tcp(self, connection):
        connection.sock.settimeout(SECONDS)
        tunnel = Plain(connection)
        tunnel.done = threading.Event()
        self.arrivals.put(tunnel)
        tunnel.done.wait()

    def _http2(self, connection):
        server = http2.Server(connection, self.settings)
        server.gone = False
        condition = threading.Condition()
        if self.late_settings:
            assert server.read(len(http2.PREFACE)) == http2.PREFACE
            server.acks_settings = False  # SETTINGS of its own are first
            threading.Thread(target=self._settings_later, args=(server,), daemon=True).start()
        else:
            server.start()
        known = set()
        try:
            while True:
                frame = server.frame()
                with condition:
                    self._put_back(server, frame)
                    server.pump()
                    message = server.messages.get(frame.stream)
                    if message and message.has_head and frame.stream not in known:
                        known.add(frame.stream)
                        self.arrivals.put(Arrival2(server, message, condition))
                    if frame.type == http2.DATA and frame.payload:
                        update = http2.window_update(0, len(frame.payload))
                        server.send(update + http2.window_update(frame.stream, len(frame.payload)))
                    condition.notify_all()
        finally:
            with condition:
                server.gone = True
                condition.notify_all()

    @staticmethod
    def _put_back(server, frame):
        """So that `pump` may take it under the lock."""
        server.buffer[:0] = http2.frame(frame.type, frame.flags, frame.stream, frame.payload)

    def _settings_later(self, server):
        if self.late_settings.wait(SECONDS):
            server.send(http2.settings(self.settings), http2.settings(ack=True), http2.window_update(0, 1 << 30))


__all__ = ["Closed", "Host", "OPENINGS", "Opening1", "Opening2", "Plain", "Reset", "Client", "Stream"]
