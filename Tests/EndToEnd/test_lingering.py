"""The end of a connection with bytes still to send: a slow reader gets them all, one that reads nothing is let go."""

import hashlib
import time

import pytest

from harness import config, wait
from harness.client import head_bytes

BODY = bytes(range(256)) * (12 << 10)  # 3 MiB: more than the kernel holds for a client with a small buffer
READ_BYTES = 192 << 10
PAUSE_SECONDS = 0.16
DELAYED_CLOSE_SECONDS = 0.8
LARGE = 3 * BODY  # more than the kernel takes for a client that does not read

# Each ends the connection after the answer in a way of its own: the client said so, or it has not sent its whole body.
REQUESTS = {
    "client closes": head_bytes("GET", "/", [("Connection", "close")]),
    "early answer": head_bytes("POST", "/", [("Content-Length", "10")]) + b"half",
}


def answer(connection, request):
    connection.reply(BODY)


def answer_in_chunks(connection, request):
    # In chunks it does not go through a pipe: the proxy reads all of it and the answer is complete.
    connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE))


def http_proxy(make, answer):
    """Takes the whole body at once, so that it waits in the proxy and not in the origin."""
    origin = make.origin(answer, read_body=False)
    listener = config.http_listener(
        config.virtual_host(config.route()),
        hcm={"delayed_close_timeout": f"{DELAYED_CLOSE_SECONDS}s"},
        listener={"per_connection_buffer_limit_bytes": 2 * len(LARGE)},
    )
    return make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))


def destroyed(proxy):
    """Downstream connections that are gone, of the only listener."""
    (value,) = [
        value
        for name, value in proxy.stats().items()
        if name.startswith("listener.127.0.0.1") and name.endswith(".downstream_cx_destroy")
    ]
    return value


def read_slowly(client):
    sha, left = hashlib.sha256(client.stream.buffer), len(BODY) - len(client.stream.buffer)
    began = time.monotonic()
    while left:
        data = client.sock.recv(min(left, READ_BYTES))
        assert data, f"closed with {left} bytes missing"
        sha.update(data)
        left -= len(data)
        time.sleep(PAUSE_SECONDS)  # the pace of this client
    client.stream.buffer = b""
    assert time.monotonic() - began > 3 * DELAYED_CLOSE_SECONDS, "too fast to show anything"
    assert sha.digest() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_slow_reader_gets_everything(make, request_bytes):
    proxy = http_proxy(make, answer)
    with proxy.connect(receive_buffer_bytes=65536) as client:
        client.send(request_bytes)
        assert client.stream.head().status == 200
        read_slowly(client)
        assert client.is_closed()
    wait.until(lambda: destroyed(proxy) == 1, "the connection is gone")


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_reader_that_stops_does_not_hold_the_connection(make, request_bytes):
    proxy = http_proxy(make, answer_in_chunks)
    with proxy.connect(receive_buffer_bytes=65536) as client:
        client.send(request_bytes)
        assert client.stream.head().status == 200
        # It reads no more and does not close.
        wait.until(lambda: destroyed(proxy) == 1, "the connection is gone")
    assert proxy.stat("http.ingress.downstream_cx_delayed_close_timeout") == 1


def test_tcp_reader_that_stops_does_not_hold_the_connection(make):
    def send_and_reset(connection):
        connection.send(BODY)
        connection.reset()

    listener = config.tcp_listener(
        idle_timeout="0.5s", listener={"per_connection_buffer_limit_bytes": 2 * len(BODY)}
    )
    origin = make.origin(raw=send_and_reset)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))
    with proxy.connect("tcp", receive_buffer_bytes=65536) as client:
        client.send(b"hello")
        assert client.sock.recv(1)
        wait.until(lambda: destroyed(proxy) == 1, "the connection is gone")
