"""Clients and hosts that do anything at any time, by a seed: in the end nothing is left, and the next client is served."""

import random
import socket
import threading

import pytest

from harness import config, http2, wait
from harness.http2 import INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS
from test_h2_upstream import http2_options

pytestmark = pytest.mark.apus_only
CLIENTS, STEPS = 12, 120


class Forgotten(list):
    """What becomes of these hosts' scripts is nobody's affair."""

    def append(self, error):
        pass


class Host1:
    """HTTP/1: answers slowly, in pieces, too early, too long, or not at all."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, connection, request):
        choice = self.random.randrange(12)
        body = b"b" * self.random.choice([0, 1, 100, 20_000, 300_000])
        if choice == 0:
            return False
        if choice == 1:
            connection.reset()
            return False
        if choice == 2:
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart")
            return False
        if choice == 3:
            connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            return self.random.random() < 0.5
        if choice == 4:
            connection.send(b"nonsense\r\n\r\n")
            return False
        if choice == 5:
            wait.time.sleep(0.02)
        if choice == 6:
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            return False
        if choice == 7:
            connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n")
            return True
        connection.reply(body)


class Host2:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, server, request):
        stream, choice = request.stream, self.random.randrange(16)
        body = b"b" * self.random.choice([0, 1, 100, 20_000])
        if choice == 0:
            return False
        if choice == 1:
            server.reset()
            return False
        if choice == 2:
            server.send(http2.rst_stream(stream, self.random.randrange(14)))
        elif choice == 3:
            server.send(http2.head(stream, server.encode([(":status", 200)])), http2.data(stream, b"part"))
        elif choice == 4:
            server.send(http2.head(stream, server.encode([(":status", 200)])), http2.rst_stream(stream, 2))
        elif choice == 5:
            server.send(http2.goaway(self.random.choice([0, stream - 2 if stream > 1 else 0, stream, http2.WINDOW_MAX])))
            server.reply(stream, body)
        elif choice == 6:
            server.send(http2.settings({INITIAL_WINDOW_SIZE: self.random.choice([0, 1, 65535, 1 << 20])}))
            server.reply(stream, body)
        elif choice == 7:
            server.send(http2.settings({MAX_CONCURRENT_STREAMS: self.random.choice([1, 3, 100])}))
            server.reply(stream, body)
        elif choice == 8:
            server.send(http2.frame(self.random.randrange(12), self.random.randrange(256), stream, b"xxxx"))
        elif choice == 9:
            wait.time.sleep(0.02)
            server.reply(stream, body, trailers=[("x-t", "1")])
        elif choice == 10:
            server.send(http2.head(stream, server.encode([(":status", 103)])))
            server.reply(stream, body)
        elif choice == 11:
            server.reply(stream, body)
            server.send(http2.rst_stream(stream, 0))
        else:
            server.reply(stream, body)


def client(port, seed):
    """One connection of random steps; whatever the proxy does to it is right."""
    chance = random.Random(seed)
    window = chance.choice([0, 1, 1000, 65535, 1 << 30])
    peer = http2.Client(port, {INITIAL_WINDOW_SIZE: window}, window=1 << 30, timeout=1)
    opened = []
    try:
        for _ in range(STEPS):
            step = chance.randrange(14)
            stream = chance.choice(opened) if opened else 1
            if step < 4 or not opened:
                ends = chance.random() < 0.6
                extra = [("content-length", chance.choice([3, 10]))] if not ends and chance.random() < 0.3 else []
                opened.append(peer.open(chance.choice(["GET", "POST", "HEAD"]), "/", extra, ends=ends))
            elif step == 4:
                peer.send(http2.rst_stream(stream, chance.randrange(14)))
                opened.remove(stream)
            elif step == 5:
                peer.send(http2.data(stream, b"d" * chance.choice([1, 3, 10_000]), chance.random() < 0.4))
            elif step == 6:
                peer.send(http2.window_update(chance.choice([0, stream]), chance.choice([1, 10_000, 1 << 20])))
            elif step == 7:
                peer.send(http2.settings({INITIAL_WINDOW_SIZE: chance.choice([0, 1, 65535, 1 << 20])}))
            elif step == 8:
                peer.send(http2.ping())
            elif step == 9 and chance.random() < 0.1:
                peer.send(http2.goaway(0))
            elif step == 10 and chance.random() < 0.1:
                peer.send(http2.head(stream, http2.literals([("x-t", "1")]), ends=True))
            elif step == 11:
                peer.sock.settimeout(0.01)
                try:
                    for _ in range(chance.randrange(20)):
                        peer.pump()
                except TimeoutError:
                    pass
                peer.sock.settimeout(1)
        if chance.random() < 0.3:
            peer.finish()
    except Exception:
        pass
    if chance.random() < 0.5:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


@pytest.mark.parametrize("host", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left(make, host, seed):
    if host == 1:
        origin, options = make.origin(Host1(seed)), {}
    else:
        origin, options = make.origin(raw=http2.serving(Host2(seed))), http2_options(max_concurrent_streams=20)
    origin.failures = Forgotten()
    hcm = {
        "stream_idle_timeout": "1s",
        "drain_timeout": "0.2s",
        "http2_protocol_options": {"override_stream_error_on_invalid_http_message": seed % 2 == 1},
    }
    listener = config.http_listener(config.virtual_host(config.route(timeout="1s")), hcm=hcm)
    proxy = make.proxy(
        config.bootstrap([listener], [config.cluster("origin", origin.port, per_connection_buffer_limit_bytes=32768, **options)]),
        concurrency=2,
    )
    port = proxy.port()
    threads = [threading.Thread(target=client, args=(port, seed * 1000 + number), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    names = ["http.ingress.downstream_rq_active", "http.ingress.downstream_cx_active", "http2.streams_active",
             "http2.pending_send_bytes", "http2.outbound_frames_active", "http2.outbound_control_frames_active",
             "cluster.origin.upstream_rq_active", "cluster.origin.upstream_rq_pending_active"]  # fmt: skip
    if host == 2:
        names += ["cluster.origin.http2.streams_active", "cluster.origin.http2.pending_send_bytes"]
    wait.until(lambda: not any(proxy.stat(name) for name in names), f"all of {names} are zero")
    with http2.Client(port) as after:
        assert after.get().is_over
    assert proxy.process.poll() is None
    assert proxy.stop() == 0
