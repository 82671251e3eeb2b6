"""Between versions: HTTP/1 and HTTP/2 clients before HTTP/1 and HTTP/2 origins, with raw bytes on both sides.

What one version can say and the other would read differently must never get through.
"""

import dataclasses
import subprocess

import pytest

from harness import config, http2
from harness.client import Client, Closed, head_bytes
from harness.http2 import NO_ERROR

HTTP2_OPTIONS = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": config.HTTP_OPTIONS,
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}
HTTP1_TRAILERS = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": config.HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
    }
}


def options(version, trailers=False):
    if version == 2:
        return {"typed_extension_protocol_options": HTTP2_OPTIONS}
    return {"typed_extension_protocol_options": HTTP1_TRAILERS} if trailers else {}


def document(port, version, trailers=False, **hcm):
    if trailers:
        hcm["http_protocol_options"] = {"enable_trailers": True}
    listener = config.http_listener(config.virtual_host(config.route(timeout="5s")), hcm=hcm)
    return config.bootstrap([listener], [config.cluster("origin", port, **options(version, trailers))])


# Raw origins: what arrives is recorded byte by byte (HTTP/1) or message by message (HTTP/2).


def requests_in(data):
    """Reads HTTP/1 requests strictly: (request line, fields, body) of each that is whole, and what is behind them."""
    found = []
    while True:
        head, mark, rest = data.partition(b"\r\n\r\n")
        if not mark:
            return found, data
        line, *fields = head.split(b"\r\n")
        fields = [tuple(part.strip() for part in field.split(b":", 1)) for field in fields]
        named, body = dict(fields), b""
        if b"transfer-encoding" in named:
            assert named[b"transfer-encoding"] == b"chunked" and b"content-length" not in named, head
            count = None
            while count != 0:
                size, mark, rest = rest.partition(b"\r\n")
                count = int(size, 16) if mark else 0
                if not mark or len(rest) < count + 2:
                    return found, data
                assert rest[count : count + 2] == b"\r\n", rest
                body, rest = body + rest[:count], rest[count + 2 :]
        elif b"content-length" in named:
            count = int(named[b"content-length"])
            if len(rest) < count:
                return found, data
            body, rest = rest[:count], rest[count:]
        found.append((line, fields, body))
        data = rest


class Recorder:
    """An HTTP/1 origin that keeps every byte and answers each whole request with 200."""

    def __init__(self):
        self.connections = []

    def raw(self, connection):
        seen, answered = bytearray(), 0
        self.connections.append(seen)
        while data := connection.sock.recv(65536):
            seen += data
            requests, _ = requests_in(bytes(seen))
            while answered < len(requests):
                answered += 1
                connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def since(self, before):
        """What came on each connection since `before` (lengths)."""
        now = [bytes(seen) for seen in self.connections]
        return [seen[before[number] if number < len(before) else 0 :] for number, seen in enumerate(now)]

    @property
    def lengths(self):
        return [len(seen) for seen in self.connections]


@pytest.fixture(scope="module")
def recorded(make_shared):
    """A proxy for HTTP/2 clients before a recording HTTP/1 origin."""
    recorder = Recorder()
    proxy = make_shared.proxy(document(make_shared.origin(raw=recorder.raw).port, 1))
    proxy.http_port, proxy.recorder = proxy.port(), recorder
    return proxy


@dataclasses.dataclass
class Heard:
    method: str
    path: str
    authority: str
    fields: list
    body: bytes
    trailers: list
    raw: object = None


def origin_of(make, version, answer=None, heard=None):
    """An origin that notes what it hears and gives `answer(reply, request)`; one form for both versions."""

    def note(request):
        if heard is not None:
            heard.append(request)

    def script1(connection, request):
        fields = [(name.lower(), value) for name, value in request.fields]
        note(Heard(request.method, request.target, dict(fields).get("host"), fields, request.body, request.trailers, request))
        if answer:
            return answer(connection, request)
        connection.reply(b"ok")

    def script2(server, request):
        note(Heard(request.method, request.path, request.get(":authority"), request.regular, request.body, request.trailers, request))
        if answer:
            return answer(server, request)
        server.reply(request.stream, b"ok")

    return make.origin(script1) if version == 1 else make.origin(raw=http2.serving(script2))


@dataclasses.dataclass
class Got:
    status: int
    fields: list
    body: bytes
    trailers: list

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name]


def ask(port, version, method="GET", path="/", fields=(), body=None, trailers=None):
    if version == 2:
        with http2.Client(port) as client:
            extra = [(name.lower(), value) for name, value in fields]
            if body is not None and trailers is None:
                extra.append(("content-length", len(body)))
            response = client.request(method, path, extra, body, trailers)
            assert response.reset is None, response
            return Got(response.status, response.regular, response.body, response.trailers)
    with Client(port) as client:
        if trailers is None:
            response = client.request(method, path, fields, body)
        else:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            tail = b"".join(b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in trailers)
            client.send(head_bytes(method, path, [("Transfer-Encoding", "chunked"), *fields]) + chunk + b"0\r\n" + tail + b"\r\n")
            response = client.response()
        return Got(response.status, response.fields, response.body, response.trailers)


ALL_FOUR = pytest.mark.parametrize("client, server", [(1, 1), (1, 2), (2, 1), (2, 2)])


# All four ways


@pytest.fixture(scope="module")
def four(make_shared):
    """(client, server) -> a proxy's port and what its origin hears."""
    made = {}
    for server in (1, 2):
        heard = []
        origin = origin_of(make_shared, server, heard=heard)
        made[server] = (make_shared.proxy(document(origin.port, server, trailers=True)).port(), heard)
    return lambda server: made[server]


@ALL_FOUR
def test_request(four, client, server):
    port, heard = four(server)
    heard.clear()
    fields = [("X-A", "1"), ("X-B", "with spaces, and: signs"), ("Accept", "*/*"), ("Cookie", "a=1; b=2")]
    got = ask(port, client, "GET", "/path?query=1", fields)
    assert (got.status, got.body) == (200, b"ok")
    request = heard[0]
    assert (request.method, request.path, request.authority) == ("GET", "/path?query=1", "test.example")
    for name, value in fields:
        assert (name.lower(), value) in request.fields
    names = [name for name, _ in request.fields]
    assert not {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"} & set(names)
    assert names.count("host") == (1 if server == 1 else 0)
    if server == 2:
        assert request.raw.get(":scheme") == "http"
        pseudo = [name for name, _ in request.raw.fields if name.startswith(":")]
        assert [name for name, _ in request.raw.fields][: len(pseudo)] == pseudo and len(pseudo) == 4


@ALL_FOUR
@pytest.mark.parametrize("size", [0, 1, 70000])
def test_body_with_a_length(four, client, server, size):
    port, heard = four(server)
    heard.clear()
    body = b"\r\n\0x" * (size // 4) + b"y" * (size % 4)
    assert ask(port, client, "POST", "/", [], body).status == 200
    assert heard[0].body == body
    assert ("content-length", str(size)) in heard[0].fields
    assert "transfer-encoding" not in dict(heard[0].fields)


@ALL_FOUR
def test_body_without_a_length_and_trailers(four, client, server):
    port, heard = four(server)
    heard.clear()
    assert ask(port, client, "POST", "/", [], b"12345", [("x-t", "1"), ("x-u", "two words")]).status == 200
    assert heard[0].body == b"12345"
    assert [(name.lower(), value) for name, value in heard[0].trailers] == [("x-t", "1"), ("x-u", "two words")]
    assert "content-length" not in dict(heard[0].fields)
    assert ("transfer-encoding" in dict(heard[0].fields)) == (server == 1)


@ALL_FOUR
def test_trailers_without_a_body(make, client, server):
    heard = []

    def answer(peer, request):
        if server == 1:
            peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-t: 1\r\n\r\n")
        else:
            peer.reply(request.stream, b"", 200, trailers=[("x-t", "1")])

    proxy = make.proxy(document(origin_of(make, server, answer, heard).port, server, trailers=True))
    got = ask(proxy.port(), client, "POST", "/", [], b"", [("x-t", "1")])
    assert (got.status, got.body, [(name.lower(), value) for name, value in got.trailers]) == (200, b"", [("x-t", "1")])
    assert heard[0].body == b"" and [(name.lower(), value) for name, value in heard[0].trailers] == [("x-t", "1")]


@ALL_FOUR
@pytest.mark.parametrize("status", [204, 205, 304])
def test_statuses_without_content(make, client, server, status):
    def answer(peer, request):
        length = 77 if status == 304 else 0
        if server == 1:
            peer.send(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nx-a: 1\r\n\r\n" % (status, length))
        else:
            peer.reply(request.stream, b"", status, [("content-length", length), ("x-a", "1")], length=False)

    proxy = make.proxy(document(origin_of(make, server, answer).port, server))
    port = proxy.port()
    for _ in range(2):
        got = ask(port, client)
        assert (got.status, got.body, got.values("x-a")) == (status, b"", ["1"])


def test_two_proxies_in_a_row(make):
    """What one writes the other reads: HTTP/2 between them, many requests at once."""
    origin = make.origin(lambda connection, request: connection.reply(request.body + b"x" * 100))
    second = make.proxy(document(origin.port, 1))
    first = make.proxy(document(second.port(), 2), concurrency=2)
    port = first.port()
    command = ["h2load", "-n", "3000", "-c", "10", "-m", "20", f"http://127.0.0.1:{port}/"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert "3000 succeeded, 0 failed" in text, text
    body = bytes(range(256)) * 4000
    assert ask(port, 2, "POST", "/", [], body).body == body + b"x" * 100
    assert ask(port, 1, "POST", "/", [], body).body == body + b"x" * 100
    stats = second.stats()
    assert stats["http.ingress.downstream_cx_http2_total"] <= 2 and stats["http.ingress.downstream_cx_http1_total"] == 0
    assert first.stat("cluster.origin.http2.streams_active") == 0 and stats["http2.streams_active"] == 0


@ALL_FOUR
def test_answers(make, client, server):
    def answer(peer, request):
        path = getattr(request, "target", None) or request.path
        fields = [("x-mixed", "Value"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
        if server == 1:
            if path == "/chunked":
                peer.send(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX-Mixed: Value\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
            elif path == "/204":
                peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            elif request.method == "HEAD":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            else:
                peer.reply(b"sized", status="404 Nope", headers=fields)
        elif path == "/chunked":
            peer.reply(request.stream, b"abc", 200, [("x-mixed", "Value")], trailers=[("x-t", "1")])
        elif path == "/204":
            peer.reply(request.stream, b"", 204, length=False)
        elif request.method == "HEAD":
            peer.reply(request.stream, b"", 200, [("content-length", 5)], length=False)
        else:
            peer.reply(request.stream, b"sized", 404, fields)

    proxy = make.proxy(document(origin_of(make, server, answer).port, server, trailers=True))
    port = proxy.port()
    chunked = ask(port, client, path="/chunked")
    assert (chunked.status, chunked.body) == (200, b"abc")
    assert [(name.lower(), value) for name, value in chunked.trailers] == [("x-t", "1")]
    assert chunked.values("x-mixed") == ["Value"] and chunked.values("content-length") == []
    assert chunked.values("transfer-encoding") == (["chunked"] if client == 1 else [])
    none = ask(port, client, path="/204")
    assert (none.status, none.body, none.values("content-length"), none.values("transfer-encoding")) == (204, b"", [], [])
    head = ask(port, client, "HEAD")
    assert (head.status, head.body, head.values("content-length")) == (200, b"", ["5"])
    sized = ask(port, client)
    assert (sized.status, sized.body, sized.values("content-length")) == (404, b"sized", ["5"])
    assert sized.values("set-cookie") == ["a=1", "b=2"]


@ALL_FOUR
def test_an_answer_cut_in_the_middle(make, client, server):
    """Who counts must see that some is missing; who does not must see no end."""

    def answer(peer, request):
        if server == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
            return False
        peer.send(http2.headers(request.stream, peer.encode([(":status", 200)])), http2.data(request.stream, b"part"))
        peer.send(http2.rst_stream(request.stream, http2.INTERNAL_ERROR))

    proxy = make.proxy(document(origin_of(make, server, answer).port, server))
    if client == 2:
        with http2.Client(proxy.port()) as h2_client:
            response = h2_client.get()
            assert (response.ended, response.reset) == (False, http2.INTERNAL_ERROR)
            assert h2_client.is_alive()
    else:
        with Client(proxy.port()) as h1_client:
            with pytest.raises((Closed, ConnectionResetError)):
                h1_client.get()


@ALL_FOUR
def test_an_early_answer(make, client, server):
    """The answer arrives whole though the upload is not over."""
    heads = []

    def raw1(connection):
        heads.append(connection.head())
        connection.reply(b"early")
        connection.to_end()

    def script2(peer, request):
        peer.reply(request.stream, b"early")
        peer.send(http2.rst_stream(request.stream, NO_ERROR))

    raw = raw1 if server == 1 else http2.serving(script2, at_head=True)
    proxy = make.proxy(document(make.origin(raw=raw).port, server))
    if client == 2:
        with http2.Client(proxy.port()) as h2_client:
            stream = h2_client.open("POST", "/", ends=False)
            h2_client.send(http2.data(stream, b"x" * 1000))
            message = h2_client.message(stream)
            h2_client.pump_until(lambda: message.reset is not None)
            assert (message.status, message.body, message.ended, message.reset) == (200, b"early", True, NO_ERROR)
            assert h2_client.is_alive()
    else:
        with Client(proxy.port()) as h1_client:
            h1_client.send(head_bytes("POST", "/", [("Content-Length", "100000")]) + b"x" * 1000)
            response = h1_client.response()
            assert (response.status, response.body) == (200, b"early")
            assert h1_client.is_closed()


@ALL_FOUR
def test_big_bodies_both_ways(make, client, server):
    body = bytes(range(256)) * (3 << 12)

    def answer(peer, request):
        if server == 1:
            peer.reply(request.body)
        else:
            peer.reply(request.stream, request.body)

    proxy = make.proxy(document(origin_of(make, server, answer).port, server))
    assert ask(proxy.port(), client, "POST", "/", [], body).body == body


@ALL_FOUR
def test_expect_continue_is_answered_here(make, client, server):
    heard = []
    proxy = make.proxy(document(origin_of(make, server, heard=heard).port, server))
    if client == 2:
        with http2.Client(proxy.port()) as h2_client:
            stream = h2_client.open("POST", "/", [("expect", "100-continue"), ("content-length", "2")], ends=False)
            h2_client.pump_until(lambda: h2_client.message(stream).interim)
            h2_client.send_body(stream, b"hi")
            assert h2_client.response(stream).status == 200
    else:
        with Client(proxy.port()) as h1_client:
            h1_client.send(head_bytes("POST", "/", [("Expect", "100-continue"), ("Content-Length", "2")]))
            assert h1_client.stream.head().status == 100
            h1_client.send(b"hi")
            assert h1_client.response().status == 200
    assert heard[0].body == b"hi" and "expect" not in dict(heard[0].fields)


@ALL_FOUR
def test_interim_answers_with_proxy_100_continue(make, client, server):
    def answer(peer, request):
        if server == 1:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        else:
            peer.send(http2.headers(request.stream, peer.encode([(":status", 103), ("link", "</a>")])))
            peer.reply(request.stream, b"ok")

    proxy = make.proxy(document(origin_of(make, server, answer).port, server, proxy_100_continue=True))
    if client == 2:
        response = http2.get(proxy.port())
        interim = [dict(fields) for fields in response.interim]
        assert [fields[":status"] for fields in interim] == ["103"] and interim[0]["link"] == "</a>"
    else:
        with Client(proxy.port()) as h1_client:
            response = h1_client.get()
            assert response.interim == [103]
    assert (response.status, response.body) == (200, b"ok")


@pytest.mark.parametrize("server", [1, 2])
def test_cookie_crumbs_are_joined_in_order(four, server):
    port, heard = four(server)
    heard.clear()
    with http2.Client(port) as client:
        crumbs = [("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2;"), ("cookie", "c=3")]
        assert client.get(extra=crumbs).status == 200
    assert [value for name, value in heard[0].fields if name == "cookie"] == ["a=1; b=2;; c=3"]


@ALL_FOUR
def test_large_heads(make, client, server):
    """More than a frame of HTTP/2, both ways."""
    heard = []
    fields = [(f"x-large-{number}", chr(97 + number) * 9000) for number in range(5)]

    def answer(peer, request):
        if server == 1:
            peer.reply(b"ok", headers=fields)
        else:
            peer.reply(request.stream, b"ok", 200, fields)

    proxy = make.proxy(document(origin_of(make, server, answer, heard).port, server))
    got = ask(proxy.port(), client, fields=fields)
    assert got.status == 200
    for name, value in fields:
        assert (name, value) in heard[0].fields and got.values(name) == [value]


@ALL_FOUR
def test_bytes_above_ascii(four, client, server):
    port, heard = four(server)
    heard.clear()
    value = "caf\u00e9 \u00ff\u0080"
    assert ask(port, client, fields=[("x-high", value)]).status == 200
    assert ("x-high", value) in heard[0].fields


@pytest.mark.parametrize("server", [1, 2])
def test_scheme_of_the_client(four, server):
    port, heard = four(server)
    heard.clear()
    assert http2.get(port, scheme="https").status == 200
    if server == 2:
        assert heard[0].raw.get(":scheme") == "https"


@pytest.mark.parametrize("client, server", [(1, 2), (2, 2), (2, 1)])
def test_expect_passes_with_proxy_100_continue(make, client, server):
    heard = []

    def script2(peer, request):
        heard.append(request)
        peer.send(http2.headers(request.stream, peer.encode([(":status", 100)])))
        peer.pump_until(lambda: request.ended)
        peer.reply(request.stream, request.body)

    def script1(peer, request):
        heard.append(request)
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.reply(peer.exactly(2))

    origin = make.origin(script1, read_body=False) if server == 1 else make.origin(raw=http2.serving(script2, at_head=True))
    proxy = make.proxy(document(origin.port, server, proxy_100_continue=True))
    if client == 2:
        with http2.Client(proxy.port()) as h2_client:
            stream = h2_client.open("POST", "/", [("expect", "100-continue"), ("content-length", "2")], ends=False)
            h2_client.pump_until(lambda: h2_client.message(stream).interim)
            h2_client.send_body(stream, b"hi")
            assert h2_client.response(stream).body == b"hi"
    else:
        with Client(proxy.port()) as h1_client:
            h1_client.send(head_bytes("POST", "/", [("Expect", "100-continue"), ("Content-Length", "2")]))
            assert h1_client.stream.head().status == 100
            h1_client.send(b"hi")
            assert h1_client.response().body == b"hi"
    assert [value for name, value in heard[0].fields if name.lower() == "expect"] == ["100-continue"]


@pytest.mark.parametrize("server", [1, 2])
def test_te_trailers(four, server):
    port, heard = four(server)
    heard.clear()
    assert ask(port, 2, fields=[("te", "trailers")]).status == 200
    assert dict(heard[0].fields).get("te") == "trailers"


def test_pipelined_requests_to_http2(four):
    port, heard = four(2)
    heard.clear()
    with Client(port) as client:
        client.send(b"".join(head_bytes("GET", f"/{number}", []) for number in range(10)))
        assert [client.response().body for _ in range(10)] == [b"ok"] * 10
    assert [request.path for request in heard] == [f"/{number}" for number in range(10)]


def test_http_1_0_client_before_an_http2_origin(make):
    def answer(peer, request):
        peer.reply(request.stream, b"body", length=False)

    proxy = make.proxy(document(origin_of(make, 2, answer).port, 2, http_protocol_options={"accept_http_10": True}))
    with Client(proxy.port()) as client:
        client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        head = client.stream.head()
        assert head.status == 200 and "transfer-encoding" not in head
        assert client.stream.to_end() == b"body"


@pytest.mark.parametrize("server", [1, 2])
def test_bodies_that_answers_may_not_have(make, server):
    """HEAD: whatever the origin sends behind the head never reaches the next exchange."""

    def answer(peer, request):
        if server == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        else:
            peer.send(http2.headers(request.stream, peer.encode([(":status", 200), ("content-length", 4)])))
            peer.send(http2.data(request.stream, b"evil", ends=True))

    proxy = make.proxy(document(origin_of(make, server, answer).port, server))
    with Client(proxy.port()) as client:
        head = client.request("HEAD", "/")
        assert head.status in (200, 502) and head.body == b""
        if head.get("connection") != "close":
            try:
                assert client.request("GET", "/").status in (200, 502, 503)
            except (Closed, ConnectionResetError):
                pass


# Nothing but one request


def wire(proxy, fields, body=()):
    """Sends these very fields as one request and whole frames behind it; returns what the client saw, and what reached the
    origin on each connection."""
    before = proxy.recorder.lengths
    with http2.Client(proxy.http_port) as client:
        # In one piece: an origin that answers in between would make another exchange of it.
        stream = client.new_stream()
        client.send(http2.headers(stream, http2.literals(fields), ends=not body), *body)
        try:
            client.response(stream)
        except (Closed, OSError):
            pass
        outcome = client.messages.get(stream)
        goaway = client.goaways[-1] if client.goaways else None
    # A good request behind it: whatever the bad one left in the proxy is out by then.
    assert http2.get(proxy.http_port, "/marker").status == 200
    return outcome, goaway, [seen for seen in proxy.recorder.since(before) if seen]


def good(name=None, value=None, **pseudo):
    fields = http2.request_fields(**pseudo)
    return fields + ([(name, value)] if name is not None else [])


def replaced(name, value):
    return [(key, value if key == name else old) for key, old in http2.request_fields()]


CONTROLS = [bytes([code]) for code in [*range(0x20), 0x7F] if code != 9]

# Everything that must be refused before it reaches anybody.
INJECTIONS = {
    **{f"value with {c!r}": good("x-evil", b"a" + c + b"b") for c in CONTROLS if c in (b"\r", b"\n", b"\0")},
    "value with CRLF and a request": good("x-evil", b"a\r\n\r\nGET /evil HTTP/1.1\r\nhost: e\r\n\r\n"),
    "value that ends in CR": good("x-evil", b"evil\r"),
    "value that begins with SP": good("x-evil", b" evil"),
    "value that ends in SP": good("x-evil", b"evil "),
    "value that begins with TAB": good("x-evil", b"\tevil"),
    "value that ends in TAB": good("x-evil", b"evil\t"),
    "name with SP": good(b"x evil", b"1"),
    "name with colon": good(b"x:evil", b"1"),
    "name with CR": good(b"x\revil", b"1"),
    "name with CRLF": good(b"x\r\nevil", b"1"),
    "name with NUL": good(b"x\0evil", b"1"),
    "name in capitals": good(b"X-Evil", b"1"),
    "empty name": good(b"", b"evil"),
    "name with 0x80": good(b"x\x80evil", b"1"),
    "name with TAB": good(b"x\tevil", b"1"),
    "name that ends in a colon": good(b"host:", b"evil"),
    "path with SP": replaced(":path", b"/evil HTTP/1.1"),
    "path with CRLF": replaced(":path", b"/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /evil"),
    "path with TAB": replaced(":path", b"/\tevil"),
    "path with fragment": replaced(":path", b"/#evil"),
    "path with NUL": replaced(":path", b"/\0evil"),
    "path with 0x80": replaced(":path", b"/\x80evil"),
    "path with DEL": replaced(":path", b"/\x7fevil"),
    "empty path": replaced(":path", b""),
    "path star with GET": replaced(":path", b"*"),
    "path in absolute form": replaced(":path", b"http://evil/"),
    "path without slash": replaced(":path", b"evil"),
    "authority with SP": replaced(":authority", b"evil x"),
    "authority with CR": replaced(":authority", b"evil\rx"),
    "authority with CRLF": replaced(":authority", b"evil\r\nx: y"),
    "authority with userinfo": replaced(":authority", b"user@evil"),
    "authority with slash": replaced(":authority", b"evil/x"),
    "empty authority": replaced(":authority", b""),
    "authority with a bad port": replaced(":authority", b"evil:99999"),
    "method with SP": replaced(":method", b"GET /evil"),
    "method with CR": replaced(":method", b"GET\r"),
    "method with CRLF": replaced(":method", b"GET / HTTP/1.1\r\n\r\nGET"),
    "method with NUL": replaced(":method", b"G\0T"),
    "empty method": replaced(":method", b""),
    "scheme with CRLF": replaced(":scheme", b"http\r\nevil: 1"),
    "scheme with SP": replaced(":scheme", b"http evil"),
    "empty scheme": replaced(":scheme", b""),
    "unknown pseudo-header": good(":evil", b"1"),
    "status in a request": good(":status", b"200"),
    "second path": good(":path", b"/evil"),
    "second method": good(":method", b"POST"),
    "second authority": good(":authority", b"evil"),
    "second scheme": good(":scheme", b"https"),
    "late pseudo-header": [(":method", "GET"), (":scheme", "http"), ("x-evil", "1"), (":path", "/"), (":authority", "a")],
    "no method": http2.request_fields(method=None),
    "no path": http2.request_fields(path=None),
    "no scheme": http2.request_fields(scheme=None),
    "no authority and no host": http2.request_fields(authority=None),
    "two hosts": http2.request_fields(authority=None, extra=[("host", "a"), ("host", "evil")]),
    "host with CRLF": http2.request_fields(authority=None, extra=[("host", b"a\r\nx-evil: 1")]),
    "transfer-encoding": good("transfer-encoding", "chunked"),
    "connection": good("connection", "x-evil"),
    "keep-alive": good("keep-alive", "evil"),
    "proxy-connection": good("proxy-connection", "evil"),
    "upgrade": good("upgrade", "evil"),
    "te": good("te", "chunked"),
    "http2-settings and upgrade": good("upgrade", "h2c") + [("http2-settings", "AAMAAABkAAQAAP__")],
    "content-length twice": good("content-length", "0") + [("content-length", "1")],
    "content-length in a list": good("content-length", "0, 0"),
    "content-length with plus": good("content-length", "+0"),
    "content-length with minus": good("content-length", "-1"),
    "content-length with SP": good("content-length", b" 0"),
    "content-length of hex": good("content-length", "0x0"),
    "content-length empty": good("content-length", ""),
    "content-length beyond 2^63": good("content-length", str(1 << 63)),
    "content-length beyond 2^64": good("content-length", str(1 << 64)),
    "content-length without a body": good("content-length", "5", method="POST"),
}  # fmt: skip


@pytest.mark.parametrize("name", INJECTIONS)
def test_refused(recorded, name):
    outcome, goaway, reached = wire(recorded, INJECTIONS[name])
    assert goaway is not None or (outcome is not None and (outcome.reset is not None or outcome.status >= 400)), outcome
    everything = b"".join(reached)
    assert b"evil" not in everything and everything.count(b"HTTP/1.1\r\n") == 1, reached
    assert recorded.process.poll() is None


@pytest.mark.parametrize("first", [0x00, 0x10, 0x40], ids=["literal", "never indexed", "indexed"])
@pytest.mark.parametrize("value", [b"a\r\nevil: 1", b"a\0evil", b"a\nevil", b"evil "])
def test_refused_in_every_representation(recorded, first, value):
    """In the table the value could come back as one byte: it must be refused each time."""
    before = recorded.recorder.lengths
    with http2.Client(recorded.http_port) as client:
        block = http2.literals(http2.request_fields()) + http2.literal("x-evil", value, first)
        client.send(http2.headers(1, block, ends=True))
        if first == 0x40:
            client.send(http2.headers(3, http2.literals(http2.request_fields()) + b"\xbe", ends=True))
        assert client.finish().code == http2.PROTOCOL_ERROR
    assert http2.get(recorded.http_port, "/marker").status == 200
    assert b"evil" not in b"".join(recorded.recorder.since(before))


# Legal, and each exactly one request at the origin with the body as it was sent.
BODIES = {
    "chunk syntax": b"0\r\n\r\nGET /evil HTTP/1.1\r\nhost: e\r\n\r\n",
    "a request": b"GET /evil HTTP/1.1\r\nhost: e\r\n\r\n",
    "a chunk": b"5\r\nhello\r\n0\r\n\r\n",
    "an end": b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("length", [True, False], ids=["length", "unknown length"])
@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_only_bodies(recorded, name, length, method):
    body = BODIES[name]
    fields = good("content-length", len(body), method=method) if length else good(method=method)
    outcome, goaway, reached = wire(recorded, fields, [http2.data(1, body[:3]), http2.data(1, body[3:], ends=True)])
    assert goaway is None and outcome.status == 200
    assert len(reached) == 1, "both on one connection"
    seen, rest = requests_in(reached[0])
    assert [request[0].split()[1] for request in seen] == [b"/", b"/marker"] and seen[0][2] == body and rest == b""


LENGTHS = {
    "too short": (good("content-length", "10", method="POST"), [http2.data(1, b"evil", ends=True)]),
    "too long": (good("content-length", "2", method="POST"), [http2.data(1, b"okevil", ends=True)]),
    "too long in a later frame": (good("content-length", "2", method="POST"), [http2.data(1, b"ok"), http2.data(1, b"evil", ends=True)]),
    "zero and a body": (good("content-length", "0", method="POST"), [http2.data(1, b"evil", ends=True)]),
    "trailers instead of bytes": (
        good("content-length", "10", method="POST"),
        [http2.data(1, b"evil"), http2.headers(1, http2.literals([("x-t", "1")]), ends=True)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LENGTHS)
def test_wrong_lengths(recorded, name):
    """Of a body that is not as long as announced the origin gets at most so much, and then the connection's end."""
    fields, frames = LENGTHS[name]
    outcome, goaway, reached = wire(recorded, fields, frames)
    assert goaway is not None or outcome.reset is not None or outcome.status >= 400
    announced = int(dict(fields)["content-length"])
    for seen in reached:
        requests, rest = requests_in(seen)
        if b"POST" in seen:
            # Nothing behind the request that was cut: its connection is closed.
            assert [request[0][:4] for request in requests] in ([], [b"POST"]), seen
            assert len(seen.partition(b"\r\n\r\n")[2]) <= announced
        else:
            assert len(requests) == 1 and rest == b"" and b"evil" not in seen


TRAILERS = {
    "CRLF": [("x-t", b"a\r\nevil: 1")],
    "pseudo-header": [(":path", "/evil")],
    "transfer-encoding": [("transfer-encoding", "evil")],
    "connection": [("connection", "evil")],
    "capitals": [("X-Evil", "1")],
    "content-length": [("content-length", "666")],
    "host": [("host", "evil")],
}  # fmt: skip


@pytest.mark.parametrize("server", [1, 2])
@pytest.mark.parametrize("name", TRAILERS)
def test_trailers_that_must_not_pass(four, name, server):
    port, heard = four(server)
    heard.clear()
    with http2.Client(port) as client:
        stream = client.open_raw(good(method="POST"), ends=False)
        client.send(http2.data(stream, b"x"), http2.headers(stream, http2.literals(TRAILERS[name]), ends=True))
        try:
            client.response(stream)
        except Closed:
            pass
    assert ask(port, 2, path="/marker").status == 200
    for request in heard:
        assert "evil" not in str(request.trailers) and "666" not in str(request.trailers), request


# Hostile answers of an HTTP/2 origin


ANSWERS = {
    "CRLF in a value": [(":status", "200"), ("x-evil", b"a\r\nevil: 1")],
    "CR in a value": [(":status", "200"), ("x-evil", b"a\revil")],
    "LF in a value": [(":status", "200"), ("x-evil", b"a\nevil")],
    "NUL in a value": [(":status", "200"), ("x-evil", b"a\0evil")],
    "CRLF in a name": [(":status", "200"), (b"x\r\nevil", "1")],
    "SP in a name": [(":status", "200"), (b"x evil", "1")],
    "colon in a name": [(":status", "200"), (b"x:evil", "1")],
    "capitals in a name": [(":status", "200"), ("X-Evil", "1")],
    "empty name": [(":status", "200"), ("", "evil")],
    "no status": [("x-evil", "1")],
    "two statuses": [(":status", "200"), (":status", "404"), ("x-evil", "1")],
    "a status of letters": [(":status", "evil")],
    "a status of two digits": [(":status", "20"), ("x-evil", "1")],
    "a status of four digits": [(":status", "2000"), ("x-evil", "1")],
    "status with CRLF": [(":status", b"200 OK\r\nevil: 1")],
    "a request's pseudo-header": [(":status", "200"), (":path", "/evil")],
    "late status": [("x-evil", "1"), (":status", "200")],
    "transfer-encoding": [(":status", "200"), ("transfer-encoding", "chunked"), ("x-evil", "1")],
    "connection": [(":status", "200"), ("connection", "evil")],
    "content-length of letters": [(":status", "200"), ("content-length", "evil")],
    "two content-lengths": [(":status", "200"), ("content-length", "1"), ("content-length", "2"), ("x-evil", "1")],
    "switching protocols": [(":status", "101"), ("x-evil", "1")],
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(make_shared):
    def script(server, request):
        name = request.path[1:].replace("_", " ")
        server.send(http2.headers(request.stream, http2.literals(ANSWERS[name]), ends=True))

    origin = make_shared.origin(raw=http2.serving(script))
    return make_shared.proxy(document(origin.port, 2)).port()


@pytest.mark.parametrize("client", [1, 2])
@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answers(hostile, name, client):
    got = ask(hostile, client, path="/" + name.replace(" ", "_"))
    assert got.status in (502, 503), got
    assert "evil" not in str(got.fields) + got.body.decode("latin-1").lower()


WRONG_ANSWER_LENGTHS = {
    "short": ([("content-length", "10")], [(b"four", True)]),
    "long": ([("content-length", "2")], [(b"okevil", True)]),
    "long in a later frame": ([("content-length", "2")], [(b"ok", False), (b"evil", True)]),
}


@pytest.mark.parametrize("client", [1, 2])
@pytest.mark.parametrize("name", WRONG_ANSWER_LENGTHS)
def test_wrong_lengths_of_answers(make, name, client):
    """An HTTP/1 client must not take what is too long for the beginning of the next answer."""
    fields, frames = WRONG_ANSWER_LENGTHS[name]

    def script(server, request):
        server.send(http2.headers(request.stream, server.encode([(":status", 200), *fields])))
        for payload, ends in frames:
            server.send(http2.data(request.stream, payload, ends))

    proxy = make.proxy(document(make.origin(raw=http2.serving(script)).port, 2))
    if client == 2:
        with http2.Client(proxy.port()) as h2_client:
            response = h2_client.get()
            assert response.reset is not None or response.status == 502
            assert not response.ended or response.status == 502
            assert b"evil" not in response.body
    else:
        with Client(proxy.port()) as h1_client:
            h1_client.send(head_bytes("GET", "/", []))
            everything = h1_client.stream.to_end() if name == "short" else read_answer(h1_client)
            assert b"evil" not in everything


def read_answer(client):
    """Everything that comes until the proxy closes or is silent."""
    client.sock.settimeout(1)
    parts = []
    try:
        while data := client.sock.recv(65536):
            parts.append(data)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(parts)
