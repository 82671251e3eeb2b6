"""tcp_proxy: bytes both ways, half close, limits, failures."""

import os
import pathlib
import socket
import threading

import pytest

from harness import config, wait
from harness.client import Client, Closed
from harness.origin import free_port


def tcp(make, raw, **fields):
    origin = make.origin(raw=raw)
    listener = config.tcp_listener(**fields)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))
    return origin, proxy


def echo(connection):
    while data := connection.sock.recv(65536):
        connection.send(data)


def test_bytes_come_back(make):
    _, proxy = tcp(make, echo)
    data = os.urandom(3_000_000)
    with proxy.connect("tcp") as client:
        threading.Thread(target=client.send, args=(data,), daemon=True).start()
        assert client.stream.exactly(len(data)) == data


def test_origin_may_speak_first(make):
    def greet(connection):
        connection.send(b"220 hello\r\n")
        connection.sock.recv(1)

    _, proxy = tcp(make, greet)
    with proxy.connect("tcp") as client:
        assert client.stream.until(b"\r\n") == b"220 hello"


def test_half_close_by_the_client(make):
    """The client's FIN reaches the origin; what the origin then says still reaches the client."""

    def after_end(connection):
        data = connection.to_end()
        connection.send(b"got %d" % len(data))

    _, proxy = tcp(make, after_end)
    with proxy.connect("tcp") as client:
        client.send(b"x" * 100_000)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.stream.to_end() == b"got 100000"


def test_half_close_by_the_origin(make):
    got = []

    def end_first(connection):
        connection.send(b"that is all")
        connection.sock.shutdown(socket.SHUT_WR)
        got.append(connection.to_end())

    _, proxy = tcp(make, end_first)
    with proxy.connect("tcp") as client:
        assert client.stream.to_end() == b"that is all"
        client.send(b"but I go on")
        client.sock.shutdown(socket.SHUT_WR)
        wait.until(lambda: got == [b"but I go on"], "the origin has what came after its end")


def test_reset_is_passed_on(make):
    ended = threading.Event()

    def until_end(connection):
        connection.to_end()
        ended.set()

    _, proxy = tcp(make, until_end)
    client = proxy.connect("tcp")
    client.send(b"x")
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 1, "it is connected upstream")
    client.reset()
    assert ended.wait(10)
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "both sides are closed")


def test_refused_upstream_closes_the_client(make):
    proxy = make.proxy(config.bootstrap([config.tcp_listener()], [config.cluster("origin", free_port())]))
    with proxy.connect("tcp") as client:
        assert client.is_closed()
    assert proxy.stat("cluster.origin.upstream_cx_connect_fail") == 1


def test_another_host_is_tried(make):
    alive = make.origin(raw=echo)
    listener = config.tcp_listener(max_connect_attempts=2)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", free_port(), alive.port)]))
    for _ in range(6):
        with proxy.connect("tcp") as client:
            client.send(b"hi")
            assert client.stream.exactly(2) == b"hi"


def test_idle_timeout(make):
    _, proxy = tcp(make, echo, idle_timeout="1s")
    with proxy.connect("tcp") as client:
        client.send(b"hi")
        assert client.stream.exactly(2) == b"hi"
        assert client.is_closed()
    assert proxy.stat("tcp.tcp.idle_timeout") == 1


def test_max_duration(make):
    _, proxy = tcp(make, echo, max_downstream_connection_duration="0.3s")
    with proxy.connect("tcp") as client:
        assert client.is_closed()
    assert proxy.stat("tcp.tcp.max_downstream_connection_duration") == 1


def test_max_connections_refuses_more(make):
    origin = make.origin(raw=echo)
    breakers = {"thresholds": [{"max_connections": 1}]}
    upstream = config.cluster("origin", origin.port, circuit_breakers=breakers)
    proxy = make.proxy(config.bootstrap([config.tcp_listener()], [upstream]))
    with proxy.connect("tcp") as first:
        first.send(b"hi")
        assert first.stream.exactly(2) == b"hi"
        with proxy.connect("tcp") as second:
            assert second.is_closed()
        assert proxy.stat("cluster.origin.upstream_cx_overflow") == 1


def test_weighted_clusters(make):
    origins = {name: make.origin(name=name, raw=lambda c: c.send(c.origin.name.encode())) for name in ("a", "b")}
    weighted = {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]}
    listener = config.tcp_listener(weighted_clusters=weighted)
    del listener["filter_chains"][0]["filters"][0]["typed_config"]["cluster"]
    clusters = [config.cluster(name, origin.port) for name, origin in origins.items()]
    port = make.proxy(config.bootstrap([listener], clusters)).port("tcp")
    names = set()
    for _ in range(40):
        with Client(port) as client:
            names.add(client.stream.to_end())
    assert names == {b"a", b"b"}


def test_counted(make):
    _, proxy = tcp(make, echo)
    with proxy.connect("tcp") as client:
        client.send(b"12345")
        assert client.stream.exactly(5) == b"12345"
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "it is over")
    stats = proxy.stats()
    assert stats["tcp.tcp.downstream_cx_total"] == 1
    assert stats["tcp.tcp.downstream_cx_rx_bytes_total"] == 5
    assert stats["tcp.tcp.downstream_cx_tx_bytes_total"] == 5
    assert stats["cluster.origin.upstream_cx_total"] == 1


FAILURE = "%RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n"


def logged_failures(make, *ports, lines=1, cluster=None, **fields):
    """What the log says of clients that connect one after the other; one that is served says `hi`."""
    log = pathlib.Path(make.directory) / "failures.log"
    listener = config.tcp_listener(access_log=[config.file_log(log, FAILURE)], **fields)
    clusters = [config.cluster("origin", *ports, **(cluster or {}))]
    proxy = make.proxy(config.bootstrap([listener], clusters), arguments=["--file-flush-interval-msec", "20"])
    for _ in range(lines):
        with proxy.connect("tcp") as client:
            try:
                client.send(b"hi")
                client.stream.exactly(2)
            except (Closed, OSError):
                pass
    return proxy, wait.until(
        lambda: (found := log.read_text().splitlines() if log.exists() else []) and len(found) >= lines and found,
        f"{lines} lines in the access log",
    )


@pytest.mark.parametrize("attempts", [1, 3])
def test_refused_upstream_is_logged(make, attempts):
    proxy, (line,) = logged_failures(make, free_port(), max_connect_attempts=attempts)
    flags, reason, count = line.split()
    assert (flags, count) == ("UF,URX", str(attempts))
    assert reason.endswith("Connection_refused")
    assert proxy.stat("cluster.origin.upstream_cx_connect_attempts_exceeded") == 1
    assert proxy.stat("cluster.origin.upstream_cx_connect_fail") == attempts


def test_a_host_that_failed_is_logged_though_another_serves(make):
    alive = [make.origin(raw=echo).port for _ in range(2)]
    _, lines = logged_failures(make, free_port(), *alive, lines=4, max_connect_attempts=2)
    seen = {(flags, reason.endswith("Connection_refused"), count) for flags, reason, count in map(str.split, lines)}
    assert seen == {("-", False, "1"), ("UF", True, "2")}


@pytest.mark.parametrize("attempts", [1, 2])
def test_connect_timeout_is_logged(make, attempts):
    with FullListener() as full:
        proxy, lines = logged_failures(
            make, full.port, cluster={"connect_timeout": "0.3s"}, max_connect_attempts=attempts
        )
    assert lines == [f"UF,URX - {attempts}"]
    assert proxy.stat("cluster.origin.upstream_cx_connect_timeout") == attempts


class FullListener:
    """A port whose queue is full: connecting neither succeeds nor fails."""

    def __enter__(self):
        self.sockets = [socket.socket() for _ in range(4)]
        listener, *clients = self.sockets
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self.port = listener.getsockname()[1]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()
