"""Raw HTTP/2: a client and an origin that send exactly the frames they are told to. HPACK is the `hpack` package's."""

import json
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from .http import Closed

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _packages():
    command = [ROOT / "tools/fetch-wheels", ROOT / "Tests/EndToEnd/requirements.txt"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, f"tools/fetch-wheels failed: {found.stderr}"
    return found.stdout.strip()


sys.path.insert(0, _packages())
import hpack  # noqa: E402

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_SECONDS = 10
FRAME_BYTES_MAX = 16384
WINDOW_MAX = (1 << 31) - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
TYPES = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR = range(7)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY = range(7, 13)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 8, 9


# Frames to send, as bytes


def frame(type, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([type, flags]) + struct.pack(">I", stream) + payload


def settings(values=(), ack=False):
    pairs = values.items() if isinstance(values, dict) else values
    return frame(SETTINGS, ACK if ack else 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(payload=b"\0" * 8, ack=False):
    return frame(PING, ACK if ack else 0, 0, payload)


def goaway(last=0, code=NO_ERROR, text=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + text)


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream, count):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count))


def priority(stream, depends_on=0, weight=255, exclusive=False):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends_on | (1 << 31 if exclusive else 0), weight))


def data(stream, payload=b"", ends=False, padding=None):
    flags = END_STREAM if ends else 0
    if padding is not None:
        flags, payload = flags | PADDED, bytes([padding]) + payload + b"\0" * padding
    return frame(DATA, flags, stream, payload)


def headers(stream, block, ends=False, ends_headers=True):
    return frame(HEADERS, (END_STREAM if ends else 0) | (END_HEADERS if ends_headers else 0), stream, block)


def head(stream, block, ends=False):
    """HEADERS, and as many CONTINUATIONs as it takes."""
    pieces = [block[at : at + FRAME_BYTES_MAX] for at in range(0, len(block), FRAME_BYTES_MAX)] or [b""]
    first = headers(stream, pieces[0], ends, ends_headers=len(pieces) == 1)
    return first + b"".join(continuation(stream, piece, piece is pieces[-1]) for piece in pieces[1:])


def continuation(stream, block, ends_headers=True):
    return frame(CONTINUATION, END_HEADERS if ends_headers else 0, stream, block)


# HPACK without state: every field a literal that is not indexed


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    result, value = [first | limit], value - limit
    while value >= 128:
        result.append(0x80 | (value & 0x7F))
        value >>= 7
    return bytes(result + [value])


def literal(name, value, first=0):
    """`first`: 0 not indexed, 0x10 never indexed, 0x40 goes into the dynamic table."""
    name, value = as_bytes(name), as_bytes(value)
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def literals(fields):
    return b"".join(literal(name, value) for name, value in fields)


def request_fields(method="GET", path="/", extra=(), authority="test.example", scheme="http"):
    fields = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
    return [pair for pair in fields if pair[1] is not None] + list(extra)


# What arrives


@dataclass
class Frame:
    type: int
    flags: int
    stream: int
    payload: bytes

    def has(self, flag):
        return bool(self.flags & flag)

    @property
    def code(self):
        """The error code of RST_STREAM and GOAWAY."""
        return struct.unpack_from(">I", self.payload, 4 if self.type == GOAWAY else 0)[0]

    @property
    def last(self):
        return struct.unpack_from(">I", self.payload)[0]

    @property
    def text(self):
        """Debug data of a GOAWAY."""
        return self.payload[8:].decode()

    def __repr__(self):
        name = TYPES[self.type] if self.type < len(TYPES) else f"type {self.type}"
        return f"<{name} flags={self.flags:#x} stream={self.stream} {self.payload[:40]!r}>"


@dataclass
class Message:
    """A request or a response: fields in order with the pseudo-headers among them."""

    stream: int
    fields: list = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # field lists of the 1xx before it
    has_head: bool = False
    ended: bool = False
    reset: int = None  # the code of the peer's RST_STREAM
    data_frames: int = 0

    def values(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name, default=None):
        values = self.values(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else default

    def __contains__(self, name):
        return bool(self.values(name))

    @property
    def status(self):
        return int(self.get(":status"))

    @property
    def method(self):
        return self.get(":method")

    @property
    def path(self):
        return self.get(":path")

    @property
    def regular(self):
        return [pair for pair in self.fields if not pair[0].startswith(":")]

    @property
    def is_over(self):
        return self.ended or self.reset is not None


class Peer:
    """One side of a connection. `pump` takes the next frame and answers what must be answered."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 20)
        self.messages = {}
        self.frames = []  # everything that came, DATA without its payload
        self.peer_settings = {}
        self.settings_acks = 0
        self.goaways, self.pongs = [], []
        self.connection_window, self.windows = 65535, {}
        self.block = None
        self.lock = threading.Lock()
        self.acks_settings = self.acks_pings = True

    # Sending

    def send(self, *pieces):
        with self.lock:
            self.sock.sendall(b"".join(pieces))

    def encode(self, fields):
        """With the dynamic table: what is encoded must be sent, in this order."""
        return self.encoder.encode([(as_bytes(name), as_bytes(value)) for name, value in fields])

    def send_body(self, stream, body, ends=True, trailers=None):
        """DATA within the peer's windows; takes frames while it waits for them."""
        at = 0
        while at < len(body):
            window = min(self.connection_window, self.window(stream), FRAME_BYTES_MAX)
            if window <= 0:
                self.pump()
                continue
            piece = body[at : at + window]
            at += len(piece)
            self.connection_window -= len(piece)
            self.windows[stream] = self.window(stream) - len(piece)
            self.send(data(stream, piece, ends=ends and at == len(body) and trailers is None))
        if trailers is not None:
            self.send(head(stream, self.encode(trailers), ends=True))
        elif ends and not body:
            self.send(data(stream, b"", ends=True))

    def window(self, stream):
        return self.windows.get(stream, self.peer_settings.get(INITIAL_WINDOW_SIZE, 65535))

    # Receiving

    def read(self, count):
        while len(self.buffer) < count:
            try:
                chunk = self.sock.recv(262144)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise Closed(bytes(self.buffer))
            self.buffer += chunk
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def frame(self):
        head = self.read(9)
        length = int.from_bytes(head[:3], "big")
        stream = int.from_bytes(head[5:], "big") & WINDOW_MAX
        return Frame(head[3], head[4], stream, self.read(length))

    def message(self, stream):
        if stream not in self.messages:
            self.messages[stream] = Message(stream)
        return self.messages[stream]

    def pump(self):
        """Takes one frame; raises Closed at the end of the connection."""
        taken = self.frame()
        self.frames.append(taken if taken.type != DATA else Frame(DATA, taken.flags, taken.stream, b""))
        assert self.block is None or taken.type == CONTINUATION, f"{taken} inside a header block"
        if taken.type == SETTINGS:
            self._settings(taken)
        elif taken.type == PING:
            self._ping(taken)
        elif taken.type == GOAWAY:
            self.goaways.append(taken)
        elif taken.type == RST_STREAM:
            self.message(taken.stream).reset = taken.code
        elif taken.type == WINDOW_UPDATE:
            count = struct.unpack(">I", taken.payload)[0]
            if taken.stream:
                self.windows[taken.stream] = self.window(taken.stream) + count
            else:
                self.connection_window += count
        elif taken.type == DATA:
            self._data(taken)
        elif taken.type == HEADERS:
            payload = taken.payload
            if taken.has(PADDED):
                payload = payload[1 : len(payload) - payload[0]]
            if taken.has(WITH_PRIORITY):
                payload = payload[5:]
            self.block = (taken.stream, taken.has(END_STREAM), payload)
            self._block_piece(taken.has(END_HEADERS))
        elif taken.type == CONTINUATION:
            stream, ends, block = self.block
            assert stream == taken.stream
            self.block = (stream, ends, block + taken.payload)
            self._block_piece(taken.has(END_HEADERS))
        return taken

    def _settings(self, taken):
        if taken.has(ACK):
            self.settings_acks += 1
            return
        for at in range(0, len(taken.payload), 6):
            key, value = struct.unpack_from(">HI", taken.payload, at)
            if key == INITIAL_WINDOW_SIZE:
                change = value - self.peer_settings.get(INITIAL_WINDOW_SIZE, 65535)
                self.windows = {stream: window + change for stream, window in self.windows.items()}
            if key == HEADER_TABLE_SIZE:
                self.encoder.header_table_size = min(value, 4096)
            self.peer_settings[key] = value
        if self.acks_settings:
            self._answer(settings(ack=True))

    def _ping(self, taken):
        if taken.has(ACK):
            self.pongs.append(taken.payload)
        elif self.acks_pings:
            self._answer(ping(taken.payload, ack=True))

    def _answer(self, frame):
        """Who does not hear it any more may have said more before: reading goes on to the end."""
        try:
            self.send(frame)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass

    def _data(self, taken):
        message, payload = self.message(taken.stream), taken.payload
        if taken.has(PADDED):
            payload = payload[1 : len(payload) - payload[0]]
        assert not message.is_over or message.reset is not None, f"{taken} after the end of its stream"
        message.body += payload
        message.data_frames += 1
        message.ended |= taken.has(END_STREAM)

    def _block_piece(self, ends_headers):
        if not ends_headers:
            return
        stream, ends, block = self.block
        self.block = None
        decoded = self.decoder.decode(block, raw=True)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in decoded]
        message = self.message(stream)
        assert not message.ended, f"HEADERS after the end of stream {stream}"
        status = dict(fields).get(":status")
        if message.has_head:
            assert ends, "trailers without END_STREAM"
            message.trailers = fields
        elif status and status.startswith("1"):
            assert not ends
            message.interim.append(fields)
        else:
            message.fields, message.has_head = fields, True
        message.ended |= ends

    def pump_until(self, condition):
        """Takes frames until `condition()`; the socket's timeout is the deadline of each."""
        while not condition():
            self.pump()
        return condition()

    def finish(self):
        """Takes frames to the end of the connection; returns the last GOAWAY, or None."""
        try:
            while True:
                self.pump()
        except Closed:
            return self.goaways[-1] if self.goaways else None

    def close(self):
        self.sock.close()


class Client(Peer):
    """A connection with prior knowledge. By default its windows are so large that it never has to open them."""

    def __init__(self, port, values=None, window=1 << 30, receive_buffer_bytes=None, start=True, timeout=TIMEOUT_SECONDS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)
        self.next_stream = 1
        if start:
            opening = [PREFACE, settings({INITIAL_WINDOW_SIZE: window, ENABLE_PUSH: 0, **(values or {})})]
            if window > 65535:
                opening.append(window_update(0, window - 65535))
            self.send(*opening)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def handshake(self):
        """Until both have seen the other's SETTINGS."""
        self.pump_until(lambda: self.peer_settings and self.settings_acks)
        return self

    def new_stream(self):
        self.next_stream += 2
        return self.next_stream - 2

    def open(self, method="GET", path="/", extra=(), ends=True, **named):
        """Sends a head; returns the stream's number."""
        stream = self.new_stream()
        self.send(head(stream, self.encode(request_fields(method, path, extra, **named)), ends=ends))
        return stream

    def open_raw(self, fields, ends=True):
        """The same with these very fields, each a literal."""
        stream = self.new_stream()
        self.send(head(stream, literals(fields), ends=ends))
        return stream

    def request(self, method="GET", path="/", extra=(), body=None, trailers=None, **named):
        has_body = body is not None or trailers is not None
        stream = self.open(method, path, extra, ends=not has_body, **named)
        if has_body:
            self.send_body(stream, body or b"", trailers=trailers)
        return self.response(stream)

    def get(self, path="/", extra=(), **named):
        return self.request("GET", path, extra, **named)

    def response(self, stream):
        """Waits for the end of the stream, or its reset."""
        message = self.message(stream)
        self.pump_until(lambda: message.is_over)
        return message

    def head(self, stream):
        message = self.message(stream)
        self.pump_until(lambda: message.has_head or message.is_over)
        return message

    def is_alive(self):
        """A PING comes back."""
        count = len(self.pongs)
        self.send(ping(b"is alive"))
        self.pump_until(lambda: len(self.pongs) > count)
        return True


def get(port, path="/", extra=(), **named):
    """One request on a connection of its own."""
    with Client(port) as client:
        return client.get(path, extra, **named)


class Server(Peer):
    """The origin's side of a connection, as scripts see it."""

    def __init__(self, connection, values):
        super().__init__(connection.sock)
        self.connection, self.number, self.origin = connection, connection.number, connection.origin
        self.buffer += connection.buffer
        self.values = values
        self.requests = 0

    def start(self):
        preface = self.read(len(PREFACE))
        assert preface == PREFACE, preface
        self.send(settings({INITIAL_WINDOW_SIZE: 1 << 30, **dict(self.values)}), window_update(0, 1 << 30))

    def reply(self, stream, body=b"", status=200, fields=(), trailers=None, length=True):
        fields = [(":status", status), *fields]
        if length and trailers is None:
            fields.append(("content-length", len(body)))
        with_body = bool(body) or trailers is not None
        self.send(head(stream, self.encode(fields), ends=not with_body))
        if with_body:
            self.send_body(stream, body, trailers=trailers)

    def reset(self):
        """Ends the connection with RST."""
        self.connection.reset()


def echo(server, request):
    """Answers with what arrived, as JSON."""
    body = json.dumps(
        {
            "origin": server.origin.name,
            "connection": server.number,
            "method": request.method,
            "target": request.path,
            "fields": [[name, value] for name, value in request.fields],
            "body": request.body.decode("latin-1"),
            "trailers": [[name, value] for name, value in request.trailers],
        }
    ).encode()
    server.reply(request.stream, b"" if request.method == "HEAD" else body, fields=[("content-type", "application/json")])


def serving(script=echo, values=(), at_head=False):
    """For `Origin(raw=...)`: `script(server, request)` is called for every whole request (or, `at_head`, for every head).

    Returning False closes the connection.
    """

    def raw(connection):
        server = Server(connection, values)
        server.start()
        while True:
            taken = server.pump()
            request = server.messages.get(taken.stream)
            if request is None or taken.type not in (HEADERS, CONTINUATION, DATA) or getattr(request, "taken", False):
                continue
            if (at_head and request.has_head) or request.ended:
                request.taken = True
                server.requests += 1
                with connection.origin._lock:
                    connection.origin.requests_total += 1
                if script(server, request) is False:
                    return

    return raw
