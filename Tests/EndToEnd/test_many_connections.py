"""Connections come and go by the ten thousand and leave nothing behind."""

import socket

import pytest

from harness import config, wait

pytestmark = pytest.mark.apus_only
ROUNDS, AT_ONCE = 25, 2000
REQUEST = b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n"
GAUGES = (
    "http.ingress.downstream_cx_active", "http.ingress.downstream_rq_active", "cluster.origin.upstream_rq_active",
    "cluster.origin.upstream_rq_pending_active",
)  # fmt: skip


def round_trip(port):
    """Opens connections, has one request answered on every tenth, closes them in three ways."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(AT_ONCE)]
    for client in clients[::10]:
        client.sendall(REQUEST)
    for client in clients[::10]:
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    for number, client in enumerate(clients):
        if number % 3 == 1:
            client.sendall(b"GET / HT")  # half a request
        if number % 3 == 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        client.close()


def test_fifty_thousand_connections(make):
    proxy = make.proxy(config.simple(make.origin().port), concurrency=2)
    port = proxy.port()

    def settled():
        return proxy.stat("http.ingress.downstream_cx_active") == 0

    round_trip(port)
    wait.until(settled, "the first round is over")

    def descriptors():
        """Those that are not kept for the next request to the origin."""
        return proxy.descriptors() - proxy.stat("cluster.origin.upstream_cx_active")

    before, memory = descriptors(), proxy.resident_kib()
    for _ in range(ROUNDS - 1):
        round_trip(port)
    wait.until(settled, "all rounds are over")
    assert [proxy.stat(name) for name in GAUGES] == [0] * len(GAUGES)
    assert proxy.stat("http.ingress.downstream_cx_total") == ROUNDS * AT_ONCE
    wait.until(lambda: descriptors() <= before + 4, "their descriptors are closed")
    assert proxy.resident_kib() <= memory + 2048
