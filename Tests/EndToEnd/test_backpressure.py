"""A stalled peer stops the other side: memory does not grow with the size of a body."""

import hashlib
import threading

from harness import config, wait
from harness.client import head_bytes

BODY_BYTES = 96 << 20
# Kernel socket buffers on loopback hold some MiB on each side; the rest must wait at its source.
PASSED_BYTES_MAX = 48 << 20
GROWTH_KIB_MAX = 12 << 10
PIECE = bytes(range(256)) * 256


class Progress:
    sent = 0


def send_body(sock, progress):
    while progress.sent < BODY_BYTES:
        progress.sent += sock.send(PIECE[: BODY_BYTES - progress.sent])


def expected():
    return hashlib.sha256(PIECE * (BODY_BYTES // len(PIECE))).digest()


def hash_of(stream):
    """Reads the body piece by piece: holding it would measure the test."""
    sha, left = hashlib.sha256(stream.buffer), BODY_BYTES - len(stream.buffer)
    stream.buffer = b""
    while left:
        data = stream.sock.recv(min(left, 1 << 20))
        assert data, f"closed with {left} bytes missing"
        sha.update(data)
        left -= len(data)
    return sha.digest()


def check_stalled(proxy, progress, resident_before_kib):
    wait.until(lambda: progress.sent, "the first bytes")
    passed = wait.until_steady(lambda: progress.sent, "bytes sent into the stalled connection")
    assert 0 < passed < PASSED_BYTES_MAX
    assert proxy.resident_kib() - resident_before_kib < GROWTH_KIB_MAX


def test_download_through_a_client_that_does_not_read(make):
    progress = Progress()

    def script(connection, request):
        if request.target == "/warm":
            connection.reply(b"")
            return
        connection.sock.settimeout(60)
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES)
        send_body(connection.sock, progress)

    proxy = make.proxy(config.simple(make.origin(script).port))
    with proxy.connect(receive_buffer_bytes=65536) as client:
        client.get("/warm")
        before = proxy.resident_kib()
        client.send(head_bytes("GET", "/", []))
        check_stalled(proxy, progress, before)
        assert client.stream.head().status == 200
        assert hash_of(client.stream) == expected()
    assert proxy.resident_kib() - before < GROWTH_KIB_MAX


def test_upload_to_an_origin_that_does_not_read(make):
    go_on, result = threading.Event(), []

    def script(connection, request):
        if request.target == "/warm":
            connection.reply(b"")
            return
        assert go_on.wait(60)
        result.append(hash_of(connection))
        connection.reply(b"done")

    proxy = make.proxy(config.simple(make.origin(script, read_body=False).port))
    progress = Progress()
    with proxy.connect(timeout=60) as client:
        client.get("/warm")
        before = proxy.resident_kib()
        client.send(head_bytes("POST", "/", [("Content-Length", str(BODY_BYTES))]))
        sender = threading.Thread(target=send_body, args=(client.sock, progress), daemon=True)
        sender.start()
        check_stalled(proxy, progress, before)
        go_on.set()
        assert client.response().body == b"done"
        sender.join(10)
    assert result == [expected()]
    assert proxy.resident_kib() - before < GROWTH_KIB_MAX


def test_tcp_through_a_client_that_does_not_read(make):
    progress = Progress()

    def raw(connection):
        connection.sock.recv(1)
        send_body(connection.sock, progress)

    upstream = config.cluster("origin", make.origin(raw=raw).port)
    proxy = make.proxy(config.bootstrap([config.tcp_listener()], [upstream]))
    with proxy.connect("tcp", receive_buffer_bytes=65536) as client:
        before = proxy.resident_kib()
        client.send(b"x")
        check_stalled(proxy, progress, before)
        assert hash_of(client.stream) == expected()


def test_a_stalled_client_does_not_stall_others(make):
    progress = Progress()

    def script(connection, request):
        if request.target == "/big":
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES)
            send_body(connection.sock, progress)
        else:
            connection.reply(b"quick")

    proxy = make.proxy(config.simple(make.origin(script).port))
    with proxy.connect(receive_buffer_bytes=65536) as stalled, proxy.connect() as client:
        stalled.send(head_bytes("GET", "/big", []))
        wait.until_steady(lambda: progress.sent, "bytes sent into the stalled connection")
        assert [client.get().body for _ in range(200)] == [b"quick"] * 200
