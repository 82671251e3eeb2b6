"""Bodies in both directions: framing, streaming, trailers, 100-continue, and answers without a body."""

import hashlib
import threading

import pytest

from harness import config
from harness.client import Client, get, head_bytes
from harness.origin import Origin

MIB = 1 << 20


def digest(connection, request):
    """Answers with the body's length and hash."""
    connection.reply(f"{len(request.body)} {hashlib.sha256(request.body).hexdigest()}".encode())


def described(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()


def pattern(count):
    return (bytes(range(251)) * (count // 251 + 1))[:count]


def chunked(data, size):
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.fixture(scope="module")
def hashing(make_shared):
    return make_shared.proxy(config.simple(make_shared.origin(digest).port))


@pytest.mark.parametrize("count", [0, 1, 16_383, 65_536, 1_000_003, 32 * MIB])
def test_upload_with_length(hashing, count):
    data = pattern(count)
    with Client(hashing.port()) as client:
        assert client.request("POST", "/", body=data).body == described(data)
        assert client.get().status == 200


@pytest.mark.parametrize("size", [1, 7, 1024, 100_000])
def test_upload_chunked(hashing, size):
    data = pattern(min(size * 300, 3 * MIB))
    with Client(hashing.port()) as client:
        client.send(head_bytes("POST", "/", [("Transfer-Encoding", "chunked")]) + chunked(data, size))
        assert client.response().body == described(data)
        assert client.get().status == 200


def test_upload_byte_by_byte(hashing):
    data = head_bytes("POST", "/", [("Transfer-Encoding", "chunked")]) + chunked(b"hello world", 3)
    with Client(hashing.port()) as client:
        for at in range(len(data)):
            client.send(data[at : at + 1])
        assert client.response().body == described(b"hello world")


@pytest.mark.parametrize("count", [0, 1, 65_536, 1_000_003, 32 * MIB])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_download(make, framing, count):
    data = pattern(count)

    def script(connection, request):
        if framing == "length":
            connection.reply(data)
            return True
        if framing == "chunked":
            connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(data, 50_000))
            return True
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + data)
        return False

    proxy = make.proxy(config.simple(make.origin(script).port))
    with proxy.connect() as client:
        for _ in range(2):  # the downstream connection survives, whatever the upstream's framing
            response = client.get()
            assert response.body == data
        assert ("content-length" in response) == (framing == "length")


def test_parts_are_forwarded_as_they_come(make):
    go_on = threading.Event()

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert go_on.wait(10)
        connection.send(b"6\r\nsecond\r\n0\r\n\r\n")

    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        client.send(head_bytes("GET", "/", []))
        assert "200" in client.stream.head().start
        assert client.stream.until(b"\r\n") == b"5" and client.stream.exactly(7) == b"first\r\n"
        go_on.set()
        assert client.stream.until(b"0\r\n\r\n") == b"6\r\nsecond\r\n"


def test_request_parts_are_forwarded_as_they_come(make):
    first_part = threading.Event()

    def script(connection, request):
        assert connection.exactly(5) == b"first"
        first_part.set()
        assert connection.exactly(6) == b"second"
        connection.reply(b"done")

    with make.proxy(config.simple(make.origin(script, read_body=False).port)).connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "11")]) + b"first")
        assert first_part.wait(10)
        client.send(b"second")
        assert client.response().body == b"done"


def test_trailers_are_dropped_by_default(make):
    script = lambda connection, request: connection.send(  # noqa: E731
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
    )
    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        response = client.get()
        assert (response.body, response.trailers) == (b"ok", [])
        assert client.get().body == b"ok"


def test_expect_100_continue_is_answered_by_the_proxy(make):
    origin = make.origin()
    with make.proxy(config.simple(origin.port)).connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "4"), ("Expect", "100-continue")]))
        assert client.stream.head().status == 100
        client.send(b"body")
        response = client.response()
        assert response.status == 200 and b'"body": "body"' in response.body
        assert b'"expect"' not in response.body.lower()


def test_interim_responses_are_not_forwarded(make):
    def script(connection, request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        connection.reply(b"final")

    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        for _ in range(2):
            response = client.get()
            assert (response.interim, response.body) == ([], b"final")


def test_head_keeps_the_length_and_has_no_body(make):
    script = lambda connection, request: connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")  # noqa: E731
    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        for _ in range(3):
            response = client.request("HEAD")
            assert (response.status, response.get("content-length")) == (200, "1000")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body(make, status):
    script = lambda connection, request: connection.send(f"HTTP/1.1 {status}\r\netag: x\r\n\r\n".encode())  # noqa: E731
    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        for _ in range(3):
            response = client.get()
            assert (response.status, response.get("etag")) == (int(status[:3]), "x")
            assert "transfer-encoding" not in response


def test_early_answer_to_an_unfinished_request(make):
    """The origin answers before the body is there: the client gets the answer, the connection ends."""
    script = lambda connection, request: connection.reply(b"early", status="413 Too Large")  # noqa: E731
    origin = make.origin(script, read_body=False)
    with make.proxy(config.simple(origin.port)).connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "1000000")]) + b"part")
        response = client.response()
        assert (response.status, response.body) == (413, b"early")
        assert client.is_closed()


def test_http_1_0_is_refused_unless_allowed(make):
    origin = Origin()
    try:
        refusing = make.proxy(config.simple(origin.port))
        with refusing.connect() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            assert client.response().status == 426
            assert client.is_closed()
        options = {"accept_http_10": True, "default_host_for_http_10": "default.example"}
        accepting = make.proxy(config.simple(origin.port, http_protocol_options=options))
        with accepting.connect() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            response = client.response()
            assert response.status == 200 and b"default.example" in response.body
            assert "transfer-encoding" not in response and client.is_closed()
    finally:
        origin.stop()


def test_many_sizes_on_one_connection(make):
    sizes = [0, 1, 2, 100, 4095, 4096, 4097, 16_384, 70_000, 5]
    script = lambda connection, request: connection.reply(pattern(int(request.target[1:])))  # noqa: E731
    with make.proxy(config.simple(make.origin(script).port)).connect() as client:
        for size in sizes * 3:
            assert client.get(f"/{size}").body == pattern(size)


def test_bytes_are_counted(make):
    proxy = make.proxy(config.simple(make.origin(digest).port))
    get(proxy.port(), method="POST", body=pattern(100_000))
    stats = proxy.stats()
    assert 100_000 < stats["cluster.origin.upstream_cx_tx_bytes_total"] < 101_500
    assert 100_000 < stats["http.ingress.downstream_cx_rx_bytes_total"] < 101_500
