"""Upstreams that fail: which answer the client gets, which flag is logged, what is retried."""

import pathlib
import threading
import time

import pytest

from harness import config, wait
from harness.client import Closed, get, head_bytes
from harness.origin import free_port


def setup(make, script=None, raw=None, ports=None, cluster_fields=None, hcm=None, read_body=True, **action):
    """A proxy in front of one scripted origin, with the response flags in an access log."""
    log = pathlib.Path(make.directory) / "access.log"
    if ports is None:
        ports = [make.origin(script, raw=raw, read_body=read_body).port]
    format = "%RESPONSE_CODE% %RESPONSE_FLAGS%\n"
    listener = config.http_listener(
        config.virtual_host(config.route(**action)), hcm={"access_log": [config.file_log(log, format)], **(hcm or {})}
    )
    proxy = make.proxy(
        config.bootstrap([listener], [config.cluster("origin", *ports, **(cluster_fields or {}))]),
        arguments=["--file-flush-interval-msec", "20"],
    )
    proxy.access_log = log
    return proxy


def logged(proxy):
    return wait.until(lambda: proxy.access_log.read_text(), "an access log line").splitlines()[0]


def close_without_answer(connection, request):
    return False


def reset_without_answer(connection, request):
    connection.reset()
    return False


def say(data):
    def script(connection, request):
        connection.send(data)
        return False

    return script


def test_refused(make):
    proxy = setup(make, ports=[free_port()])
    response = get(proxy.port())
    assert response.status == 503
    assert response.body.startswith(b"upstream connect error or disconnect/reset before headers. reset reason: remote connection failure")
    assert logged(proxy) == "503 UF"
    assert proxy.stat("cluster.origin.upstream_cx_connect_fail") == 1


def test_no_host_at_all(make):
    proxy = setup(make, ports=[])
    response = get(proxy.port())
    assert (response.status, response.body) == (503, b"no healthy upstream")
    assert logged(proxy) == "503 UH"
    assert proxy.stat("cluster.origin.upstream_cx_none_healthy") == 1


def test_unknown_route(make):
    proxy = setup(make)
    response = get(proxy.port(), "relative")
    assert response.status in (400, 404)


@pytest.mark.parametrize("script", [close_without_answer, reset_without_answer])
def test_death_before_the_answer(make, script):
    proxy = setup(make, script)
    response = get(proxy.port())
    assert response.status == 503
    assert response.body == (
        b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    )
    assert logged(proxy) == "503 UC"


GARBAGE = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "bad status": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "cut head": b"HTTP/1.1 200 OK\r\nx: ",
    "NUL in value": b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_protocol_error(make, name):
    proxy = setup(make, say(GARBAGE[name]))
    assert get(proxy.port()).status == 502
    assert logged(proxy) == "502 UPE"
    assert proxy.stat("cluster.origin.upstream_cx_protocol_error") == 1


def test_too_large_response_head(make):
    proxy = setup(make, say(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n"))
    assert get(proxy.port()).status == 502


@pytest.mark.parametrize(
    "partial",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n",
    ],
    ids=["length", "chunked", "bad chunk"],
)
def test_death_within_the_answer_ends_the_downstream_connection(make, partial):
    """Whoever counts bytes must see that some are missing."""

    def script(connection, request):
        connection.send(partial)
        return False

    proxy = setup(make, script)
    with proxy.connect() as client:
        with pytest.raises((Closed, ConnectionResetError)):
            client.get()
    assert proxy.stat("http.ingress.downstream_rq_tx_reset") == 1
    assert logged(proxy).startswith("200 ")
    assert get(proxy.admin_port, "/ready").status == 200


def test_bytes_after_the_answer_are_never_another_answer(make):
    """An origin that says more than it announced must not poison the next request."""

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngoodHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        return True

    proxy = setup(make, script)
    with proxy.connect() as client:
        for _ in range(5):
            assert client.get().body == b"good"


def test_death_while_uploading(make):
    def script(connection, request):
        connection.exactly(10)
        connection.reset()
        return False

    proxy = setup(make, script, read_body=False)
    with proxy.connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "1000000")]) + b"x" * 100)
        assert client.response().status == 503


def test_route_timeout(make):
    release = threading.Event()
    proxy = setup(make, lambda connection, request: release.wait(10), timeout="0.2s")
    started = time.monotonic()
    with proxy.connect() as client:
        response = client.get()
        assert (response.status, response.body) == (504, b"upstream request timeout")
        assert 0.15 < time.monotonic() - started < 5
        assert logged(proxy) == "504 UT"
        assert proxy.stat("cluster.origin.upstream_rq_timeout") == 1
    release.set()


def test_route_timeout_within_the_answer_resets(make):
    release = threading.Event()

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        release.wait(10)
        return False

    proxy = setup(make, script, timeout="1s")
    with proxy.connect() as client:
        with pytest.raises((Closed, ConnectionResetError)):
            client.get()
    release.set()


def test_stream_idle_timeout(make):
    release = threading.Event()
    proxy = setup(make, lambda connection, request: release.wait(10), hcm={"stream_idle_timeout": "0.2s"}, timeout="0s")
    with proxy.connect() as client:
        response = client.get()
        assert response.status in (408, 504)
    assert logged(proxy).endswith("SI")
    release.set()


def test_request_headers_timeout(make):
    proxy = setup(make, hcm={"request_headers_timeout": "0.2s"})
    with proxy.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a")
        assert client.response().status == 408
        assert client.is_closed()


def test_request_timeout(make):
    proxy = setup(make, hcm={"request_timeout": "0.2s"})
    with proxy.connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "100")]) + b"part")
        assert client.response().status == 408
        assert client.is_closed()
