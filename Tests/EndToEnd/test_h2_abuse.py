"""Hostile HTTP/2 clients: each is told to go away and counted, others are served meanwhile, memory stays bounded."""

import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import Closed
from harness.http2 import (
    CANCEL, ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, REFUSED_STREAM,
)  # fmt: skip

pytestmark = pytest.mark.apus_only
GROWTH_KIB_MAX = 16 << 10
MIB = bytes(1 << 20)


class Bystander(threading.Thread):
    """A client that behaves, all the while: it is served, and in time."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client, self.stopping = http2.Client(port), threading.Event()
        self.served, self.slowest, self.error = 0, 0, None
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                assert self.client.get("/direct").status == 200
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.served += 1
        except BaseException as error:
            self.error = error

    def finish(self):
        count = self.served
        wait.until(lambda: self.error or self.served > count, "the bystander is served")
        self.stopping.set()
        self.join(10)
        self.client.close()
        assert self.error is None, self.error
        assert self.served > 0 and self.slowest < 3, self.slowest


class Scene:
    def __init__(self, make, **hcm):
        self.release = threading.Event()

        def script(connection, request):
            if request.target == "/wait":
                self.release.wait(30)
            connection.reply({"/mib": MIB, "/big": MIB * 8}.get(request.target, b"ok"))

        self.origin = make.origin(script)
        breakers = {"circuit_breakers": {"thresholds": [{"max_connections": 4000, "max_pending_requests": 4000, "max_requests": 4000}]}}
        # The bystander measures the proxy, not an origin in Python.
        direct = {"match": {"path": "/direct"}, "direct_response": {"status": 200}}
        listener = config.http_listener(config.virtual_host(direct, config.route(timeout="0s")), hcm=hcm)
        self.proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", self.origin.port, **breakers)]))
        self.port = self.proxy.port()
        assert http2.get(self.port).status == 200
        self.before_kib = self.proxy.resident_kib()
        self.bystander = Bystander(self.port)

    def finish(self):
        self.bystander.finish()
        self.release.set()
        # Sampled at its end: whatever was held for the attacker counts until it is given back.
        assert self.proxy.resident_kib() - self.before_kib < GROWTH_KIB_MAX
        for gauge in ("http.ingress.downstream_rq_active", "http2.streams_active"):
            wait.until(lambda: self.proxy.stat(gauge) == 0, f"{gauge} is 0")

    def until_stuck(self):
        """What waits for a client that does not read grows no more."""
        wait.until(lambda: self.proxy.stat("http2.pending_send_bytes") > 0, "something waits")
        wait.until_steady(lambda: self.proxy.stat("http2.pending_send_bytes"), "what waits", steady_seconds=0.3)


@pytest.fixture
def scene(make):
    made = []

    def build(**hcm):
        made.append(Scene(make, **hcm))
        return made[-1]

    yield build
    for scene in made:
        scene.release.set()


def flood(client, pieces, reads=True):
    """Sends until the proxy has had enough; returns its GOAWAY (None: it only closed)."""
    sent = 0
    client.acks_settings = client.acks_pings = False
    reader = threading.Thread(target=drain, args=(client,), daemon=True)
    if reads:
        reader.start()
    try:
        for piece in pieces:
            client.send(piece)
            sent += 1
    except OSError:
        pass
    if not reads:
        reader.start()
    reader.join(10)
    assert not reader.is_alive(), f"still open after {sent} pieces"
    return client.goaways[-1] if client.goaways else None


def drain(client):
    try:
        client.finish()
    except OSError:
        pass


def repeat(piece, count, batch=100):
    return (piece * batch for _ in range(count // batch))


def heads(count, first=1, behind=lambda stream: b"", path="/quick", ends=True):
    """HEADERS of so many streams, each with something behind it, as pieces of a hundred."""
    block = http2.literals(http2.request_fields(path=path))
    streams = range(first, first + 2 * count, 2)
    for start in range(0, count, 100):
        yield b"".join(http2.headers(s, block, ends) + behind(s) for s in streams[start : start + 100])


def check(scene, goaway, statistic, detail):
    assert goaway is not None and goaway.code == ENHANCE_YOUR_CALM, goaway
    assert goaway.text == detail
    assert scene.proxy.stat(statistic) == 1, {k: v for k, v in scene.proxy.stats().items() if v and "http2" in k}
    assert scene.proxy.stat("http.ingress.downstream_cx_protocol_error") >= 1
    scene.finish()


# Floods that are read, and floods that are not


CONTROL = {
    "SETTINGS": http2.settings({INITIAL_WINDOW_SIZE: 65535}),
    "empty SETTINGS": http2.settings(),
    "PING": http2.ping(),
    "PING acknowledgements": http2.ping(ack=True),
    "unknown types": http2.frame(0x42, 0, 0, b"x"),
    "unknown types without payload": http2.frame(0xFE, 0xFF, 5, b""),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
@pytest.mark.parametrize("name", CONTROL)
def test_control_frames(scene, name, reads):
    scene = scene()
    with http2.Client(scene.port) as client:
        goaway = flood(client, repeat(CONTROL[name], 100_000), reads)
    # A client that is slow to read the answers meets the limit of what waits for it first.
    is_outbound = goaway is not None and goaway.text == "http2.outbound_control_frames_flood"
    if is_outbound and name in ("SETTINGS", "empty SETTINGS", "PING"):
        check(scene, goaway, "http2.outbound_control_flood", "http2.outbound_control_frames_flood")
    else:
        check(scene, goaway, "http2.inbound_control_frames_flood", "http2.inbound_control_frames_flood")


def test_acknowledgements_that_are_not_read(scene):
    """The limit of what waits unsent, with the one for what comes in out of the way: two connections' worth of PINGs, slowly
    enough for the budget of control frames, into a socket that nobody reads."""
    scene = scene(http2_protocol_options={"max_outbound_control_frames": 100})
    with http2.Client(scene.port, receive_buffer_bytes=4096) as client:
        # Fills the socket first, so that nothing leaves.
        client.handshake()
        for _ in range(4):
            client.open(path="/mib")
        scene.until_stuck()
        goaway = flood(client, (http2.ping() for _ in range(900)), reads=False)
    check(scene, goaway, "http2.outbound_control_flood", "http2.outbound_control_frames_flood")


def test_answers_that_are_not_read(scene):
    """More frames than may wait: the answers of a client that never reads."""
    scene = scene(http2_protocol_options={"max_outbound_frames": 40})
    with http2.Client(scene.port, receive_buffer_bytes=4096) as client:
        client.handshake()
        for _ in range(4):
            client.open(path="/big")
        scene.until_stuck()
        goaway = flood(client, heads(200, first=9, path="/quick"), reads=False)
    check(scene, goaway, "http2.outbound_flood", "http2.outbound_frames_flood")


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_priority(scene, reads):
    scene = scene()
    with http2.Client(scene.port) as client:
        goaway = flood(client, repeat(http2.priority(1), 10_000), reads)
    check(scene, goaway, "http2.inbound_priority_frames_flood", "http2.inbound_priority_frames_flood")


def test_priority_update(scene):
    scene = scene()
    with http2.Client(scene.port) as client:
        goaway = flood(client, repeat(http2.frame(0x10, 0, 0, b"\0\0\0\1u=1"), 10_000))
    check(scene, goaway, "http2.inbound_priority_frames_flood", "http2.inbound_priority_frames_flood")


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
@pytest.mark.parametrize("stream", [0, 1])
def test_window_update(scene, stream, reads):
    scene = scene()
    with http2.Client(scene.port) as client:
        opened = client.open(path="/wait")
        goaway = flood(client, repeat(http2.window_update(opened * stream, 1), 10_000), reads)
    check(scene, goaway, "http2.inbound_window_update_frames_flood", "http2.inbound_window_update_frames_flood")


def test_empty_data(scene):
    scene = scene()
    with http2.Client(scene.port) as client:
        stream = client.open("POST", "/wait", ends=False)
        goaway = flood(client, repeat(http2.data(stream), 10_000))
    check(scene, goaway, "http2.inbound_empty_frames_flood", "http2.inbound_empty_frames_flood")


def test_padding_is_not_a_way_around(scene):
    """DATA that is nothing but padding carries no more than empty DATA."""
    scene = scene()
    with http2.Client(scene.port) as client:
        stream = client.open("POST", "/wait", ends=False)
        goaway = flood(client, repeat(http2.data(stream, b"", padding=0), 200_000))
    assert goaway is not None and goaway.code == ENHANCE_YOUR_CALM
    scene.finish()


# Streams that come and go


@pytest.mark.parametrize("path", ["/quick", "/wait"])
def test_rapid_reset(scene, path):
    scene = scene()
    with http2.Client(scene.port) as client:
        goaway = flood(client, heads(100_000, behind=lambda stream: http2.rst_stream(stream, CANCEL), path=path))
    assert goaway is not None and goaway.code == ENHANCE_YOUR_CALM
    assert goaway.text in ("too_many_premature_resets", "http2.inbound_reset_frames_flood")
    stats = scene.proxy.stats()
    assert stats["http.ingress.downstream_rq_too_many_premature_resets"] + stats["http2.inbound_reset_frames_flood"] == 1
    assert stats["http.ingress.downstream_rq_total"] < 20_000
    scene.finish()


def test_making_the_proxy_reset(scene):
    """Stream errors that the client causes cost as much as its own resets."""
    scene = scene(http2_protocol_options={"override_stream_error_on_invalid_http_message": True})
    with http2.Client(scene.port) as client:
        # A window above its maximum is a stream error.
        too_much = lambda stream: http2.window_update(stream, http2.WINDOW_MAX)  # noqa: E731
        goaway = flood(client, heads(100_000, behind=too_much, path="/wait"))
    assert goaway is not None and goaway.code == ENHANCE_YOUR_CALM, goaway
    assert scene.proxy.stat("http.ingress.downstream_rq_total") < 20_000
    scene.finish()


def test_making_the_proxy_reset_with_bad_requests(scene):
    scene = scene(http2_protocol_options={"override_stream_error_on_invalid_http_message": True})
    bad = http2.literals(http2.request_fields(extra=[("X-Capitals", "1")]))
    pieces = (b"".join(http2.headers(s, bad, True) for s in range(n, n + 200, 2)) for n in range(1, 200_001, 200))
    with http2.Client(scene.port) as client:
        goaway = flood(client, pieces)
    assert goaway is not None and goaway.code == ENHANCE_YOUR_CALM, goaway
    assert goaway.text == "http2.inbound_reset_frames_flood"
    scene.finish()


def test_more_streams_than_allowed(scene):
    """They are refused, one by one; who goes on nevertheless is sent away."""
    scene = scene(http2_protocol_options={"max_concurrent_streams": 10})
    with http2.Client(scene.port) as client:
        # The limit holds for everybody from the first frame on; before the SETTINGS are acknowledged it is a stream error.
        client.acks_settings = False
        for _ in range(20):
            client.open(path="/wait")
        client.pump_until(lambda: sum(m.reset == REFUSED_STREAM for m in client.messages.values()) == 10)
        assert client.is_alive()
        assert scene.proxy.stat("http2.stream_refused_errors") == 10
        scene.release.set()
        client.pump_until(lambda: sum(m.ended for m in client.messages.values()) == 10)
        goaway = flood(client, heads(100_000, first=101, path="/quick"))
    assert goaway is None or goaway.code in (ENHANCE_YOUR_CALM, http2.PROTOCOL_ERROR)
    scene.finish()


def test_stream_churn(scene):
    """Many honest requests on one connection cost nothing that stays."""
    scene = scene()
    with http2.Client(scene.port) as client:
        client.handshake()
        for _ in range(60):
            streams = [client.open(path="/quick") for _ in range(50)]
            assert all(client.response(stream).status == 200 for stream in streams)
            client.messages.clear()
    scene.finish()


# Heads


def test_continuation_without_end(scene):
    scene = scene()
    field = http2.literal("x", "y")
    with http2.Client(scene.port) as client:
        client.send(http2.headers(1, http2.literals(http2.request_fields()), ends_headers=False))
        goaway = flood(client, repeat(http2.continuation(1, field, ends_headers=False), 10_000, batch=10))
    check(scene, goaway, "http2.inbound_continuation_frames_flood", "http2.inbound_continuation_frames_flood")


def test_empty_continuation(scene):
    scene = scene()
    with http2.Client(scene.port) as client:
        client.send(http2.headers(1, http2.literals(http2.request_fields()), ends_headers=False))
        goaway = flood(client, repeat(http2.continuation(1, b"", ends_headers=False), 10_000, batch=10))
    check(scene, goaway, "http2.inbound_empty_frames_flood", "http2.inbound_empty_frames_flood")


def test_large_continuation(scene):
    scene = scene()
    field = http2.literal("x", "y" * 16000)
    with http2.Client(scene.port) as client:
        client.send(http2.headers(1, http2.literals(http2.request_fields()), ends_headers=False))
        goaway = flood(client, repeat(http2.continuation(1, field, ends_headers=False), 1000, batch=1))
    check(scene, goaway, "http2.header_overflow", "http2.header_list_size_too_large")


def test_hpack_bomb(scene):
    """One large field in the table, then one byte for each time it is said again."""
    scene = scene()
    bomb = http2.literals(http2.request_fields()) + http2.literal("x", "y" * 3000, 0x40) + b"\xbe" * 16000
    with http2.Client(scene.port) as client:
        goaway = flood(client, [http2.head(1, bomb, ends=True)])
    check(scene, goaway, "http2.header_overflow", "http2.too_many_headers")


def test_head_too_large(scene):
    """431, for the stream alone."""
    scene = scene()
    fields = http2.request_fields(extra=[(f"x-{number}", "y" * 15000) for number in range(5)])
    block = http2.literals(fields)
    with http2.Client(scene.port) as client:
        client.send(http2.head(1, block, ends=True))
        assert client.response(1).status == 431
        client.next_stream = 3
        assert client.get("/quick").status == 200
    assert scene.proxy.stat("http2.header_overflow") == 1
    assert scene.proxy.stat("http.ingress.downstream_rq_too_large") == 1
    scene.finish()


@pytest.mark.parametrize("name", ["x-many", "cookie"])
def test_too_many_fields(scene, name):
    scene = scene()
    with http2.Client(scene.port) as client:
        assert client.get("/quick", [(name, "a=b")] * 90).status == 200
        assert client.get("/quick", [(name, "a=b")] * 150).status == 431
        assert client.get("/quick").status == 200
    assert scene.proxy.stat("http2.header_overflow") == 1
    scene.finish()


def test_cookie_crumbs_without_end(scene):
    scene = scene()
    block = http2.literals(http2.request_fields() + [("cookie", "a")] * 4096)
    with http2.Client(scene.port) as client:
        goaway = flood(client, [http2.head(1, block, ends=True)])
    check(scene, goaway, "http2.header_overflow", "http2.too_many_headers")


def test_a_head_that_never_ends(scene):
    scene = scene(request_headers_timeout="0.3s")
    with http2.Client(scene.port) as client:
        client.acks_settings = False  # nothing may come between the pieces of a head
        client.send(http2.headers(1, http2.literals(http2.request_fields()), ends_headers=False))
        assert client.finish().text == "request_header_timeout"
    assert scene.proxy.stat("http.ingress.downstream_rq_header_timeout") == 1
    scene.finish()


# Answers that are not taken


def test_zero_windows(scene):
    """Half a GiB of answers that the client does not take: each stream holds what its origin's connection may bring at once
    (the kernel completes up to 32 receives of 16 KiB in one turn), and all end by the flush timeout."""
    scene = scene(stream_idle_timeout="1.5s")
    count = 32
    with http2.Client(scene.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        client.handshake()
        for piece in heads(count, path="/big"):
            client.send(piece)
        client.pump_until(lambda: sum(m.has_head for m in client.messages.values()) == count)
        held = scene.proxy.resident_kib() - scene.before_kib
        assert held < GROWTH_KIB_MAX + count * 768, held
        client.pump_until(lambda: all(m.reset is not None for m in client.messages.values()))
        assert client.is_alive()
    scene.bystander.finish()
    assert scene.proxy.stat("http2.pending_send_bytes") == 0


def test_small_answers_behind_zero_windows(scene):
    scene = scene(stream_idle_timeout="1s")
    with http2.Client(scene.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        streams = [client.open(path="/quick") for _ in range(100)]
        client.pump_until(lambda: sum(m.reset == CANCEL for m in client.messages.values()) == len(streams))
        assert client.is_alive()
    stats = scene.proxy.stats()
    assert stats["http2.tx_flush_timeout"] == 100 and stats["http2.pending_send_bytes"] == 0
    scene.finish()


def test_window_of_one_byte(scene):
    """One WINDOW_UPDATE for every byte is more than it is worth."""
    scene = scene()
    with http2.Client(scene.port, {INITIAL_WINDOW_SIZE: 1}) as client:
        stream = client.open(path="/mib")
        client.head(stream)
        for _ in range(200):
            count = len(client.message(stream).body)
            client.pump_until(lambda: len(client.message(stream).body) > count)
            client.send(http2.window_update(stream, 1))
        assert len(client.message(stream).body) >= 200
        client.send(http2.window_update(stream, 1 << 21))
        assert client.response(stream).body == MIB
    scene.finish()


def test_uploads_beyond_the_window(scene):
    scene = scene(http2_protocol_options={"initial_stream_window_size": 65535, "initial_connection_window_size": 65535})
    with http2.Client(scene.port) as client:
        stream = client.open("POST", "/wait", ends=False)
        goaway = flood(client, repeat(http2.data(stream, bytes(16384)), 1000, batch=1))
    assert goaway is not None and goaway.code == http2.FLOW_CONTROL_ERROR
    scene.finish()


def test_slow_preface(scene):
    """Connections that say nothing at all hold next to nothing."""
    scene = scene()
    clients = [http2.Client(scene.port) for _ in range(300)]
    for client in clients:
        client.handshake()
    scene.finish()
    for client in clients:
        client.close()
