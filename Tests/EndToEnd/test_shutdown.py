"""Leaving: SIGTERM drains, descriptors run out without harm."""

import signal
import threading
import time

import pytest

from harness import config, wait
from harness.client import Client, get, head_bytes, refused

DRAIN = ["--drain-time-s", "5"]


def holding(make):
    """An origin that answers /wait only when released."""
    release = threading.Event()

    def script(connection, request):
        if request.target == "/wait":
            assert release.wait(20)
        connection.reply(b"answer")

    return release, make.origin(script)


@pytest.mark.apus_only
def test_requests_in_flight_are_answered(make):
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port), arguments=DRAIN)
    port = proxy.port()
    with Client(port) as busy, Client(port) as idle:
        assert idle.get().status == 200
        busy.send(head_bytes("GET", "/wait", []))
        wait.until(lambda: origin.requests_total == 2, "the request is upstream")
        proxy.signal(signal.SIGTERM)
        wait.until(lambda: refused(port), "new connections are refused")
        assert idle.is_closed()
        release.set()
        response = busy.response()
        assert (response.body, response.get("connection")) == (b"answer", "close")
        assert busy.is_closed()
        assert proxy.wait(4) == 0


@pytest.mark.apus_only
def test_draining_ends_at_its_deadline(make):
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port), arguments=["--drain-time-s", "1"])
    with proxy.connect() as busy:
        busy.send(head_bytes("GET", "/wait", []))
        wait.until(lambda: origin.requests_total == 1, "the request is upstream")
        started = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(6) == 0
        assert 0.8 < time.monotonic() - started < 5
    release.set()


@pytest.mark.apus_only
def test_a_second_sigterm_ends_at_once(make):
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port), arguments=["--drain-time-s", "60"])
    port = proxy.port()
    with Client(port) as busy:
        busy.send(head_bytes("GET", "/wait", []))
        wait.until(lambda: origin.requests_total == 1, "the request is upstream")
        proxy.signal(signal.SIGTERM)
        wait.until(lambda: refused(port), "it drains")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(5) == 0
    release.set()


@pytest.mark.apus_only
def test_idle_process_leaves_quickly(make):
    proxy = make.proxy(config.simple(make.origin().port), arguments=["--drain-time-s", "60"], concurrency=4)
    with proxy.connect() as client:
        assert client.get().status == 200
        started = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - started < 5


@pytest.mark.apus_only
def test_tcp_connections_drain_too(make):
    origin = make.origin(raw=lambda connection: connection.send(connection.exactly(4)))
    proxy = make.proxy(
        config.bootstrap([config.tcp_listener()], [config.cluster("origin", origin.port)]), arguments=DRAIN
    )
    port = proxy.port("tcp")
    with Client(port) as client:
        client.send(b"pi")
        wait.until(lambda: origin.connections_total == 1, "it is connected upstream")
        proxy.signal(signal.SIGTERM)
        wait.until(lambda: refused(port), "new connections are refused")
        client.send(b"ng")
        assert client.stream.to_end() == b"ping"
        assert proxy.wait(5) == 0


@pytest.mark.apus_only
def test_out_of_descriptors(make):
    """With none left, connections that exist go on; when some are free again, new ones are accepted."""
    proxy = make.proxy(config.simple(make.origin().port), descriptors=120)
    port = proxy.port()
    old = [Client(port) for _ in range(4)]
    for client in old:
        assert client.get().status == 200
    crowd = [Client(port) for _ in range(300)]  # the kernel completes the handshakes that nobody accepts
    for _ in range(20):
        assert [client.get().status for client in old] == [200] * 4
    assert proxy.process.poll() is None
    for client in crowd:
        client.close()

    def served():
        try:
            return get(port).status == 200
        except OSError:
            return False

    wait.until(served, "a new connection is served")
    for client in old:
        assert client.get().status == 200
        client.close()


def test_sigterm_without_traffic(make):
    assert make.proxy(config.simple(make.origin().port)).stop() == 0
