"""The same bytes that ask for tunnels through Envoy 1.40 and apus: answers, what hosts see and what is counted must be the same.

As in test_comparison.py, differences that are meant are listed with their reasons.
"""

import socket

import pytest

from harness import config, http2
from harness.client import Closed
from harness.origin import free_port

pytestmark = pytest.mark.needs_envoy

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
HEADERS = ["connection", "upgrade", "content-length", "transfer-encoding", "x-o", "sec-websocket-accept"]
SEEN = {"upgrade", "content-length", "transfer-encoding", "sec-websocket-key", "te", "expect", ":protocol", ":method", ":path", ":authority"}
QUIET_SECONDS = 0.4  # without a byte for so long a peer has said everything


# Hosts


def converse(send, receive, first):
    send(first)
    while data := receive():
        send(b"<" + data + b">")


def script1(connection):
    origin = connection.origin
    while True:
        head = connection.head()
        fields = sorted([name.lower(), value.lower()] for name, value in head.fields if name.lower() in SEEN)
        names = [value for name, value in head.fields if name.lower() == "connection"]
        origin.seen.append([head.start, fields, [name.lower() for name in names]])

        def receive():
            data, connection.buffer = connection.buffer, b""
            return data or connection.sock.recv(65536)

        target = head.target
        if "accept" in target:
            upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            return converse(connection.send, receive, upgrade + b"Sec-WebSocket-Accept: its-own\r\nx-o: 1\r\n\r\nhello")
        if head.method == "CONNECT":
            return converse(connection.send, receive, b"HTTP/1.1 200 OK\r\nx-o: 1\r\n\r\nhello")
        if "refuse" in target:
            connection.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nx-o: 1\r\n\r\nno")
        elif "chunked" in target:
            connection.send(b"HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n")
        elif "bare101" in target:
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
        elif "die" in target:
            return
        elif "slow" in target:
            connection.sock.recv(1)
        else:
            connection.reply(b"plain")


def script2(connection):
    server = http2.Server(connection, {http2.ENABLE_CONNECT_PROTOCOL: 1})
    server.start()
    answered = set()
    while True:
        frame = server.pump()
        message = server.messages.get(frame.stream)
        if message is None or not message.has_head or message.is_over and frame.stream in answered:
            continue
        if frame.stream not in answered:
            answered.add(frame.stream)
            fields = sorted([name, value.lower()] for name, value in message.fields if name in SEEN)
            connection.origin.seen.append(["HTTP/2", fields])
            if "refuse" in (message.path or ""):
                server.reply(frame.stream, b"no", status=404, fields=[("x-o", "1")])
            else:
                server.send(http2.head(frame.stream, server.encode([(":status", 200), ("x-o", "1")])))
                server.send(http2.data(frame.stream, b"hello"))
        if message.body:
            data = bytes(message.body)
            message.body.clear()
            server.send(http2.data(frame.stream, b"<" + data + b">"))


def script_tcp(connection):
    connection.origin.seen.append(["TCP"])
    converse(connection.send, lambda: connection.sock.recv(65536), b"hi")


# The configuration


def connect(authority, to, **action):
    named = [{"name": ":authority", "string_match": {"prefix": authority}}]
    return {"match": {"connect_matcher": {}, "headers": named}, "route": {"cluster": to, **action}}


def ending(**fields):
    return [{"upgrade_type": "CONNECT", "connect_config": fields}]


def document(hosts):
    routes = [
        config.route("/h2/", "two"),
        config.route("/dead", "dead"),
        config.route("/off", "one", upgrade_configs=[{"upgrade_type": "websocket", "enabled": False}]),
        config.route("/on-accept", "one", upgrade_configs=[{"upgrade_type": "off"}, {"upgrade_type": "new"}]),
        config.route("/slow", "one", timeout="0.2s"),
        connect("one", "one"),
        connect("two", "two"),
        connect("tcp", "tcp", upgrade_configs=ending()),
        connect("dead", "dead", upgrade_configs=ending()),
        connect("off", "one", upgrade_configs=[{"upgrade_type": "CONNECT", "enabled": False}]),
        config.route("/post", "tcp", upgrade_configs=ending(allow_post=True)),
        {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "direct"}}},
        config.route("/", "one"),
    ]
    types = [{"upgrade_type": "websocket"}, {"upgrade_type": "off", "enabled": False}, {"upgrade_type": "CONNECT"}]
    fields = {"delayed_close_timeout": "0.05s"}  # Envoy waits that long after errors
    full = config.http_listener(
        config.virtual_host(*routes),
        hcm={"upgrade_configs": types, "http2_protocol_options": {"allow_connect": True}, **fields})
    none = config.http_listener(
        config.virtual_host(config.route("/", "one")), name="none", hcm={"stat_prefix": "none", **fields})
    clusters = [
        config.cluster("one", hosts["one"].port),
        config.cluster("two", hosts["two"].port, typed_extension_protocol_options=config.http2_options(allow_connect=True)),
        config.cluster("tcp", hosts["tcp"].port),
        config.cluster("dead", free_port()),
    ]
    return config.bootstrap([full, none], clusters)


# Cases: (listener, bytes) over HTTP/1, (listener, fields, bytes, END_STREAM with the head) over HTTP/2


def upgrade(target, kind="websocket", fields=KEY, behind="", method="GET", version="1.1", listener="http", connection="Upgrade"):
    head = f"{method} {target} HTTP/{version}\r\nHost: h.example\r\nConnection: {connection}\r\nUpgrade: {kind}\r\n{fields}\r\n"
    return listener, (head + behind).encode()


def by_connect(authority, fields="", behind="early", listener="http"):
    return listener, f"CONNECT {authority}:80 HTTP/1.1\r\nHost: {authority}:80\r\n{fields}\r\n{behind}".encode()


def extended(target, kind="websocket", extra=(), behind=b"early", listener="http", method="CONNECT", ends=False):
    fields = [(":method", method), (":protocol", kind), (":scheme", "http"), (":path", target), (":authority", "h.example")]
    return listener, [*fields, *extra], behind, ends


def stream(authority, extra=(), behind=b"early", listener="http", ends=False):
    return listener, [(":method", "CONNECT"), (":authority", authority), *extra], behind, ends


KEY2 = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")]
CASES = {
    "accepted": upgrade("/accept"),
    "accepted with early bytes": upgrade("/accept", behind="early"),
    "type in capitals": upgrade("/accept", "WebSocket"),
    "unknown type": upgrade("/accept", "unknown"),
    "type that is off": upgrade("/accept", "off"),
    "list of types": upgrade("/accept", "websocket, off"),
    "two types": upgrade("/accept", fields="Upgrade: websocket\r\n" + KEY),
    "off by the route": upgrade("/off"),
    "on by the route": upgrade("/on-accept", "off"),
    "new by the route": upgrade("/on-accept", "new"),
    "not configured": upgrade("/accept", listener="none"),
    "not configured, with a body": upgrade("/accept", fields="Content-Length: 5\r\n", behind="12345", listener="none"),
    "h2c": upgrade("/x", "h2c", "HTTP2-Settings: AAMAAABk\r\n", connection="Upgrade, HTTP2-Settings"),
    "h2c not configured": upgrade("/x", "h2c", "HTTP2-Settings: AAMAAABk\r\n", connection="Upgrade, HTTP2-Settings", listener="none"),
    "Upgrade without Connection": ("http", b"GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"),
    "Connection without Upgrade": ("http", b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n"),
    "HTTP/1.0": upgrade("/accept", version="1.0"),
    "HEAD": upgrade("/accept", method="HEAD"),
    "POST": upgrade("/accept", method="POST"),
    "expect": upgrade("/accept", fields="Expect: 100-continue\r\n"),
    "with a length": upgrade("/accept", fields="Content-Length: 5\r\n", behind="12345"),
    "with a length of 0": upgrade("/accept", fields="Content-Length: 0\r\n", behind="x"),
    "with chunks": upgrade("/accept", fields="Transfer-Encoding: chunked\r\n", behind="1\r\nx\r\n0\r\n\r\n"),
    "refused": upgrade("/refuse"),
    "refused in chunks": upgrade("/chunked"),
    "101 without Upgrade": upgrade("/bare101"),
    "101 that nobody asked for": ("http", b"GET /bare101 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "direct": upgrade("/direct"),
    "dead host": upgrade("/dead"),
    "host dies": upgrade("/die"),
    "timeout": upgrade("/slow"),
    "to HTTP/2": upgrade("/h2/accept", behind="early"),
    "refused by HTTP/2": upgrade("/h2/refuse"),
    "CONNECT without a route": by_connect("nobody"),
    "CONNECT not configured": by_connect("nobody", listener="none"),
    "CONNECT to HTTP/1": by_connect("one"),
    "CONNECT to HTTP/2": by_connect("two"),
    "CONNECT to TCP": by_connect("tcp"),
    "CONNECT to a dead host": by_connect("dead"),
    "CONNECT that is off": by_connect("off"),
    "CONNECT with a length of 0": by_connect("tcp", "Content-Length: 0\r\n"),
    "CONNECT with a length": by_connect("tcp", "Content-Length: 5\r\n"),
    "CONNECT with Upgrade": by_connect("tcp", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "CONNECT without a port": ("http", b"CONNECT tcp HTTP/1.1\r\nHost: tcp\r\n\r\n"),
    "CONNECT with a path": ("http", b"CONNECT /tcp HTTP/1.1\r\nHost: tcp\r\n\r\n"),
    "POST as CONNECT": ("http", b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"),
    "GET is not CONNECT": ("http", b"GET /post HTTP/1.1\r\nHost: a\r\n\r\n"),
    "h2 accepted": extended("/accept", extra=KEY2),
    "h2 accepted without a key": extended("/accept"),
    "h2 to h2": extended("/h2/accept"),
    "h2 unknown type": extended("/accept", "unknown"),
    "h2 off by the route": extended("/off"),
    "h2 refused": extended("/refuse", extra=KEY2),
    "h2 refused in chunks": extended("/chunked", extra=KEY2),
    "h2 refused by h2": extended("/h2/refuse"),
    "h2 bare 101": extended("/bare101"),
    "h2 dead host": extended("/dead"),
    "h2 not allowed": extended("/accept", listener="none"),
    "h2 GET with :protocol": extended("/accept", method="GET"),
    "h2 with a length": extended("/accept", extra=[*KEY2, ("content-length", "5")]),
    "h2 CONNECT to HTTP/1": stream("one:80"),
    "h2 CONNECT to HTTP/2": stream("two:80"),
    "h2 CONNECT to TCP": stream("tcp:80"),
    "h2 CONNECT to a dead host": stream("dead:80"),
    "h2 CONNECT without a route": stream("nobody:80"),
    "h2 CONNECT not configured": stream("nobody:80", listener="none"),
    "h2 CONNECT that is off": stream("off:80"),
    "h2 CONNECT with a path": stream("tcp:80", [(":path", "/"), (":scheme", "http")]),
    "h2 CONNECT with a length": stream("tcp:80", [("content-length", "3")]),
    "h2 POST as CONNECT": ("http", http2.request_fields("POST", "/post"), b"early", False),
}  # fmt: skip

UPE = {"status": 502}
# Case name: (what apus answers instead, why).
ENVOY_DIFFERENCES = {
    "with a length": ({"seen_has": "content-length", "seen_count": 0}, "what follows is no body: no length of it is passed on"),
    "with a length of 0": ({"seen_has": "content-length", "seen_count": 0}, "the same"),
    "h2 with a length": ({"seen_has": "content-length", "seen_count": 0}, "the same"),
    "101 without Upgrade": (UPE, "RFC 9110 section 7.8: the server must say to what it switches"),
    "101 that nobody asked for": (UPE, "RFC 9110 section 15.2.2: nobody asked"),
    "h2 bare 101": (UPE, "RFC 9110 section 7.8"),
    "to HTTP/2": ({"accept": ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]}, "RFC 8441 section 5: the host has no key to answer, the client waits for one"),
    "h2 accepted without a key": ({"accept": [], "seen_has": "sec-websocket-key", "seen_count": 1}, "RFC 8441 section 5: a host of HTTP/1 needs a key, a client of HTTP/2 has none"),
    "h2 unknown type": ({"goaway": None}, "only the stream is refused"),
    "h2 off by the route": ({"goaway": None}, "only the stream is refused"),
    "h2 CONNECT that is off": ({"goaway": None}, "only the stream is refused"),
}  # fmt: skip


class Pair:
    """One proxy with hosts of its own, so that what they see is its doing."""

    def __init__(self, make, kind):
        self.hosts = {
            name: make.origin(raw=raw, name=name) for name, raw in [("one", script1), ("two", script2), ("tcp", script_tcp)]
        }
        for host in self.hosts.values():
            host.seen = []
        self.proxy = make.proxy(document(self.hosts), kind=kind)

    def answer(self, case):
        for host in self.hosts.values():
            host.seen.clear()
        result = self._answer1(*case) if len(case) == 2 else self._answer2(*case)
        seen = [entry for name in sorted(self.hosts) for entry in self.hosts[name].seen]
        return {**result, "seen": seen}

    def _answer1(self, listener, data):
        with self.proxy.connect(listener) as client:
            client.send(data)
            client.sock.settimeout(QUIET_SECONDS)
            taken, closed = b"", False
            try:
                while chunk := client.sock.recv(65536):
                    taken += chunk
                closed = True
            except (socket.timeout, ConnectionResetError) as error:
                closed = isinstance(error, ConnectionResetError)
        if taken.startswith(b"HTTP/1.1 100 "):
            taken = taken.partition(b"\r\n\r\n")[2]
        head, _, body = taken.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:]]
        values = {name: [value.lower() for key, value in pairs if key.lower() == name] for name in HEADERS}
        if values["transfer-encoding"]:
            # Where chunks begin is chance.
            body = b"".join(body.split(b"\r\n")[1::2])
        values["sec-websocket-accept"] = [value for key, value in pairs if key.lower() == "sec-websocket-accept"]
        return {"status": int(lines[0].split()[1]) if lines[0] else None, "headers": values,
                "accept": values.pop("sec-websocket-accept"), "body": body, "closed": closed}  # fmt: skip

    def _answer2(self, listener, fields, behind, ends):
        with http2.Client(self.proxy.port(listener)) as client:
            client.handshake()
            number, closed = client.new_stream(), False
            client.sock.settimeout(QUIET_SECONDS)
            message = client.message(number)
            try:
                client.send(http2.head(number, http2.literals(fields), ends=ends))
                if behind:
                    client.send(http2.data(number, behind))
                while True:
                    client.pump()
            except (Closed, OSError) as error:
                closed = not isinstance(error, socket.timeout)
            values = {name: message.values(name) for name in HEADERS}
            return {
                "status": message.status if message.has_head else None, "headers": values,
                "accept": values.pop("sec-websocket-accept"), "body": bytes(message.body), "closed": closed,
                "ended": message.ended, "goaway": client.goaways[-1].code if client.goaways and not closed else None,
            }  # fmt: skip


@pytest.fixture(scope="module")
def both(make_shared):
    from conftest import KIND

    return Pair(make_shared, "envoy"), Pair(make_shared, KIND)


@pytest.mark.parametrize("name", CASES)
def test_same_answer(both, name):
    envoy, apus = both
    theirs, ours = envoy.answer(CASES[name]), apus.answer(CASES[name])
    if name in ENVOY_DIFFERENCES and apus.proxy.kind != "envoy":
        expected, why = ENVOY_DIFFERENCES[name]
        for side in (theirs, ours):
            side["seen_has"] = expected.get("seen_has")
            side["seen_count"] = str(side["seen"]).count(f"'{expected.get('seen_has')}'")
        assert {key: ours[key] for key in expected} == expected, why
        assert any(theirs[key] != expected[key] for key in expected), "Envoy does the same now: delete the entry"
        return
    assert ours == theirs


def test_differences_name_cases():
    assert ENVOY_DIFFERENCES.keys() <= CASES.keys()
    assert all(why for _, why in ENVOY_DIFFERENCES.values())
