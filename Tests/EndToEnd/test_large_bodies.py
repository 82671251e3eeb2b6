"""Large bodies take a way of their own, from socket to socket inside the kernel: every byte, every end, every count."""

import hashlib
import random
import socket
import threading

import pytest
from harness import config, wait
from harness.client import head_bytes

MIB = 1 << 20


def body_of(count, seed=1):
    return random.Random(seed).randbytes(count)


def serve(make, body, head=None, then=None, **cluster):
    """An origin that answers with `body`; `then(connection)` runs after it."""

    def script(connection, request):
        connection.send((head or b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)) + body)
        return then(connection) if then else None

    origin = make.origin(script)
    listener = config.http_listener(config.virtual_host(config.route()))
    return origin, make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port, **cluster)]))


def spliced(proxy):
    return proxy.stat("worker_0.spliced_bytes")


# Around the size from which it is worth it, and around a pipe's capacity.
@pytest.mark.parametrize("count", [96 * 1024 - 1, 96 * 1024, 200_001, MIB - 1, MIB + 1, 5 * MIB + 12345])
def test_every_byte_arrives_and_the_connections_live_on(make, count):
    body = body_of(count)
    origin, proxy = serve(make, body)
    with proxy.connect() as client:
        for _ in range(4):
            assert client.get().body == body
    assert origin.connections_total == 1
    assert proxy.stat("http.ingress.downstream_cx_total") == 1
    wait.until(
        lambda: proxy.stat("http.ingress.downstream_cx_tx_bytes_total") > 4 * count, "the bytes to be counted as sent"
    )
    assert proxy.stat("cluster.origin.upstream_cx_rx_bytes_total") > 4 * count
    if count > 1.5 * MIB:
        assert spliced(proxy) > 4 * count / 2


def test_log_counts_what_passed(make, tmp_path):
    body, log = body_of(3 * MIB), tmp_path / "log"
    origin = make.origin(lambda connection, request: connection.reply(body))
    text = "%BYTES_SENT% %RESPONSE_CODE% %RESPONSE_FLAGS%\n"
    proxy = make.proxy(config.simple(origin.port, access_log=[config.file_log(log, text)]), arguments=["--file-flush-interval-msec", "50"])
    with proxy.connect() as client:
        assert client.get().body == body
    wait.until(lambda: log.exists() and log.read_text(), "the record")
    assert log.read_text() == f"{len(body)} 200 -\n"


def test_pipelined_requests_are_answered_in_order(make):
    bodies = {f"/{n}": body_of(300_000 + n, seed=n) for n in range(6)}
    origin = make.origin(lambda connection, request: connection.reply(bodies[request.target]))
    proxy = make.proxy(config.simple(origin.port))
    with proxy.connect() as client:
        client.send(b"".join(head_bytes("GET", target, []) for target in bodies))
        for body in bodies.values():
            assert client.response().body == body


def test_body_that_ends_with_the_connection(make):
    body = body_of(4 * MIB)

    def script(connection, request):
        connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        return False

    proxy = make.proxy(config.simple(make.origin(script).port, http_protocol_options={"accept_http_10": True}))
    with proxy.connect() as client:
        # An HTTP/1.0 client is told the end the same way.
        client.send(b"GET / HTTP/1.0\r\nhost: a\r\n\r\n")
        answer = client.stream.to_end()
        assert answer.partition(b"\r\n\r\n")[2] == body


def test_slow_client_gets_everything_and_is_counted(make):
    body = body_of(16 * MIB)
    _, proxy = serve(make, body)
    with proxy.connect(receive_buffer_bytes=65536) as client:
        client.send(head_bytes("GET", "/", []))
        wait.until(
            lambda: proxy.stat("cluster.origin.upstream_flow_control_paused_reading_total") > 0, "the origin to be paused"
        )
        assert client.response().body == body
        assert client.get().body == body

    def paused():
        stats = proxy.stats()
        names = ("paused_reading_total", "resumed_reading_total")
        paused, resumed = (stats[f"cluster.origin.upstream_flow_control_{name}"] for name in names)
        return paused - resumed

    # The client may have the last bytes before the worker hears that they are out.
    wait.until(lambda: paused() == 0, "the origin is read again")


@pytest.mark.parametrize("end", ["close", "reset"])
def test_origin_that_breaks_off_ends_the_clients_connection(make, end):
    body = body_of(4 * MIB)

    def break_off(connection):
        if end == "reset":
            connection.reset()
        return False

    _, proxy = serve(make, body, head=b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * len(body)), then=break_off)
    with proxy.connect() as client:
        client.send(head_bytes("GET", "/", []))
        assert client.stream.head().status == 200
        got = client.stream.to_end()
        assert len(got) <= len(body) and body.startswith(got)
    check_nothing_is_left(proxy)
    with proxy.connect() as client:  # a pipe with the lost answer's bytes is not used again
        client.send(head_bytes("GET", "/", []))
        client.stream.head()
        assert body.startswith(client.stream.to_end())


def test_client_that_leaves_midway_leaves_nothing(make):
    body = body_of(16 * MIB)
    _, proxy = serve(make, body)
    for number in range(8):
        with proxy.connect(receive_buffer_bytes=65536) as client:
            client.send(head_bytes("GET", "/", []))
            assert client.stream.head().status == 200
            client.stream.exactly(200_000 * number)
            if number % 2:
                client.reset()
    check_nothing_is_left(proxy)
    with proxy.connect() as client:
        assert client.get().body == body


def check_nothing_is_left(proxy):
    for gauge in ("http.ingress.downstream_cx_active", "http.ingress.downstream_rq_active", "cluster.origin.upstream_rq_active"):
        wait.until(lambda: proxy.stat(gauge) == 0, f"{gauge} to be 0")


def test_pipes_are_used_again(make):
    body = body_of(2 * MIB)
    _, proxy = serve(make, body)
    with proxy.connect() as client:
        client.get()
        before = proxy.descriptors()
        for _ in range(20):
            client.get()
        assert proxy.descriptors() <= before


def test_more_bodies_at_once_than_there_are_pipes(make):
    body = body_of(2 * MIB)
    _, proxy = serve(make, body)
    clients = [proxy.connect(receive_buffer_bytes=65536) for _ in range(100)]
    try:
        for client in clients:
            client.send(head_bytes("GET", "/", []))
        for client in clients:
            assert client.response().body == body
    finally:
        for client in clients:
            client.close()
    check_nothing_is_left(proxy)


def test_tcp_both_ways_at_once_and_half_closes(make):
    up, down = body_of(12 * MIB, seed=2), body_of(9 * MIB, seed=3)
    got = []

    def raw(connection):
        sender = threading.Thread(target=lambda: (connection.send(down), connection.sock.shutdown(socket.SHUT_WR)))
        sender.start()
        got.append(hashlib.sha256(connection.to_end()).digest())
        sender.join()

    origin = make.origin(raw=raw)
    proxy = make.proxy(config.bootstrap([config.tcp_listener()], [config.cluster("origin", origin.port)]))
    with proxy.connect("tcp") as client:
        sender = threading.Thread(target=lambda: (client.send(up), client.sock.shutdown(socket.SHUT_WR)))
        sender.start()
        assert client.stream.to_end() == down
        sender.join()
    wait.until(lambda: got, "the origin to see the end")
    assert got == [hashlib.sha256(up).digest()]
    assert spliced(proxy) > MIB
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "the session to end")


def test_tcp_bulk_then_talk_then_bulk(make):
    """A session that was bulk goes back to small messages, and none waits."""

    def raw(connection):
        while data := connection.sock.recv(65536):
            connection.send(data)

    origin = make.origin(raw=raw)
    proxy = make.proxy(config.bootstrap([config.tcp_listener()], [config.cluster("origin", origin.port)]))
    with proxy.connect("tcp") as client:
        for _ in range(2):
            bulk = body_of(3 * MIB)
            threading.Thread(target=client.send, args=(bulk,), daemon=True).start()
            assert client.stream.exactly(len(bulk)) == bulk
            for number in range(30):
                word = b"word %d\n" % number
                client.send(word)
                assert client.stream.exactly(len(word)) == word
