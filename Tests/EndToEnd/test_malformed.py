"""Requests that are wrong: the status they get, that the connection ends, that nothing reaches the origin."""

import pytest

from harness import config
from harness.client import Client, get

H = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\n" + H
POST = b"POST / HTTP/1.1\r\n" + H

# name, bytes, status (or the statuses that will do)
REQUESTS = [
    ("no version", b"GET /\r\n" + H + b"\r\n", (400, 426, 505)),
    ("HTTP/2.0 in a request line", b"GET / HTTP/2.0\r\n" + H + b"\r\n", (400, 426, 505)),
    ("empty method", b" / HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("method with a separator", b"GE(T / HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, 400),
    ("no host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("field without a colon", GET + b"broken\r\n\r\n", 400),
    ("space before the colon", GET + b"x : 1\r\n\r\n", 400),
    ("empty field name", GET + b": 1\r\n\r\n", 400),
    ("NUL in a value", GET + b"x: a\0b\r\n\r\n", 400),
    ("length and chunked", POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", 400),
    ("list of lengths", POST + b"Content-Length: 4, 5\r\n\r\nbody", 400),
    ("negative length", POST + b"Content-Length: -1\r\n\r\n", 400),
    ("signed length", POST + b"Content-Length: +4\r\n\r\nbody", 400),
    ("hexadecimal length", POST + b"Content-Length: 0x4\r\n\r\nbody", 400),
    ("length over 64 bits", POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    ("unknown coding", POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ("chunked not last", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 501),
    ("fragment in the target", b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("relative target", b"GET a HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("control character in the target", b"GET /a\x01b HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("head over 60 KiB", GET + b"x: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    ("101 fields", GET + b"".join(b"x%d: 1\r\n" % index for index in range(120)) + b"\r\n", 431),
    ("CONNECT without a route", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 404),
]

# Envoy lets these pass (measured on 1.40). Apus refuses them as RFC 9112 allows or demands:
# whoever reads them differently behind us would see another request.
STRICTER = [
    ("two spaces", b"GET  / HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("bare CR in a value", GET + b"x: a\rb\r\n\r\n", 400),
    ("folded field", b"GET / HTTP/1.1\r\n" + H + b"x: a\r\n b\r\n\r\n", 400),
]


@pytest.fixture(scope="module")
def served(make_shared):
    origin = make_shared.origin()
    return origin, make_shared.proxy(config.simple(origin.port))


@pytest.mark.parametrize("name, data, status", REQUESTS, ids=[row[0] for row in REQUESTS])
def test_refused(served, name, data, status):
    origin, proxy = served
    before = origin.requests_total
    with Client(proxy.port()) as client:
        client.send(data)
        assert client.response().status in (status if isinstance(status, tuple) else (status,))
        if status != 404:
            assert client.is_closed()
    assert origin.requests_total == before
    assert get(proxy.port()).status == 200


@pytest.mark.apus_only
@pytest.mark.parametrize("name, data, status", STRICTER, ids=[row[0] for row in STRICTER])
def test_refused_more_strictly(served, name, data, status):
    test_refused(served, name, data, status)


BAD_CHUNKS = [
    b"g\r\n",
    b"-1\r\n",
    b"0x5\r\nhello\r\n",
    b"ffffffffffffffffff\r\n",
    # Envoy waits for more here instead of answering.
    pytest.param(b"5\r\nhello!\r\n", marks=pytest.mark.apus_only),
    b"5\nhello\n",
    b" 5\r\nhello\r\n",
    b"\r\n",
]


@pytest.mark.parametrize("chunk", BAD_CHUNKS)
def test_bad_chunks_end_the_connection(served, chunk):
    """An unusable chunk: 400 when nothing was answered yet, and in any case the end of the connection."""
    _, proxy = served
    with Client(proxy.port()) as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        assert client.response().status == 400
        assert client.is_closed()
    assert get(proxy.port()).status == 200


def test_no_request_is_smuggled(served):
    """What follows a refused request is never taken for a request."""
    origin, proxy = served
    before = origin.requests_total
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    with Client(proxy.port()) as client:
        client.send(POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
        rest = client.stream.to_end()
    assert rest.count(b"HTTP/1.1 ") == 1
    assert origin.requests_total == before


def test_protocol_errors_are_counted(make):
    proxy = make.proxy(config.simple(make.origin().port))
    get(proxy.port(), "/a#b")
    with proxy.connect() as client:
        client.send(b"nonsense\r\n\r\n")
        client.stream.to_end()
    assert proxy.stat("http.ingress.downstream_cx_protocol_error") == 1
    assert proxy.stat("http.ingress.downstream_rq_4xx") >= 1


UNDERSCORES = [("ALLOW", 200, True), ("REJECT_REQUEST", 400, False), ("DROP_HEADER", 200, False)]


@pytest.mark.parametrize("action, status, arrives", UNDERSCORES)
def test_underscores(make, action, status, arrives):
    options = {"headers_with_underscores_action": action}
    proxy = make.proxy(config.simple(make.origin().port, common_http_protocol_options=options))
    response = get(proxy.port(), headers=[("a_b", "1")])
    assert response.status == status
    assert (b'"a_b"' in response.body) == arrives


PATHS = [
    ({"normalize_path": True}, "/a/../b/./c", 200, "/b/c"),
    ({"normalize_path": True}, "/a/%2e%2E/b", 200, "/b"),
    ({"normalize_path": True}, "/a\\b", 200, "/a/b"),
    ({"merge_slashes": True}, "/a//b///c", 200, "/a/b/c"),
    ({}, "/a//b/../c", 200, "/a//b/../c"),
    ({"path_with_escaped_slashes_action": "REJECT_REQUEST"}, "/a%2Fb", 400, None),
    ({"path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"}, "/a%2fb%5Cc", 200, "/a/b\\c"),
    ({"path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT"}, "/a%2Fb", 307, None),
]


@pytest.mark.parametrize("options, path, status, target", PATHS, ids=str)
def test_path_normalisation(make, options, path, status, target):
    proxy = make.proxy(config.simple(make.origin().port, **options))
    response = get(proxy.port(), path)
    assert response.status == status
    if target:
        assert f'"target": "{target}"'.replace("\\", "\\\\") in response.body.decode()
    if status == 307:
        assert response.get("location") == "/a/b"
