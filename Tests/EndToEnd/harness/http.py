"""Reading HTTP/1.1 messages from a byte stream, strictly enough to notice wrong framing."""

from dataclasses import dataclass, field


class Closed(Exception):
    """The peer closed before the message was complete; `partial` holds what had come."""

    def __init__(self, partial=b""):
        super().__init__(f"connection closed after {partial[:200]!r}")
        self.partial = partial


@dataclass
class Message:
    """A request or response: the start line, ordered header fields, and its body."""

    start: str
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # statuses of the 1xx responses before this one

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        """The field's value; the test fails when it came more than once."""
        values = self.values(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else default

    def __contains__(self, name):
        return bool(self.values(name))


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        assert colon, f"header line without a colon: {line!r}"
        fields.append((name, value.strip(" \t")))
    return fields


class Stream:
    """Buffered reads from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        chunk = self.sock.recv(262144)
        if not chunk:
            raise Closed(self.buffer)
        self.buffer += chunk

    def until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            self.fill()
        taken, self.buffer = self.buffer[:at], self.buffer[at + len(mark) :]
        return taken

    def exactly(self, count):
        parts, have = [self.buffer[:count]], min(count, len(self.buffer))
        self.buffer = self.buffer[count:]
        while have < count:
            chunk = self.sock.recv(min(262144, count - have))
            if not chunk:
                raise Closed(b"".join(parts))
            parts.append(chunk)
            have += len(chunk)
        return b"".join(parts)

    def to_end(self):
        try:
            while True:
                self.fill()
        except (Closed, ConnectionResetError):
            taken, self.buffer = self.buffer, b""
            return taken

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return Message(lines[0], parse_fields(lines[1:]))

    def chunks(self, message):
        parts = []
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            parts.append(self.exactly(size))
            assert self.exactly(2) == b"\r\n", "chunk data not followed by CRLF"
        message.body = b"".join(parts)
        trailers = []
        while line := self.until(b"\r\n"):
            trailers.append(line.decode("latin-1"))
        message.trailers = parse_fields(trailers)

    def request(self):
        message = self.head()
        self.request_body(message)
        return message

    def request_body(self, message):
        if "chunked" in message.get("transfer-encoding", ""):
            self.chunks(message)
        else:
            message.body = self.exactly(int(message.get("content-length", "0")))

    def response(self, to_head=False):
        interim = []
        while True:
            message = self.head()
            if message.status >= 200 or message.status == 101:
                break
            interim.append(message.status)
        message.interim = interim
        if to_head or message.status in (101, 204, 304):
            return message
        if "chunked" in message.get("transfer-encoding", ""):
            self.chunks(message)
        elif "content-length" in message:
            message.body = self.exactly(int(message.get("content-length")))
        else:
            message.body = self.to_end()
        return message
