"""WebSockets of a real library through the proxy: from HTTP/1, from HTTP/2, and over HTTP/2 between two proxies."""

import contextlib
import os

import pytest

from harness import config, http2, wait
from harness.tunnels import Opening1, Opening2
from harness.websocket import Bare, Gone, Opcode, Refused, Server, connect

UPGRADES = {"upgrade_configs": [{"upgrade_type": "websocket"}], "http2_protocol_options": {"allow_connect": True}}


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()
    assert not server.failures


@pytest.fixture(scope="module")
def inner(make_shared, server):
    """HTTP/1 and HTTP/2 to a server of HTTP/1."""
    return make_shared.proxy(config.simple(server.port, **UPGRADES))


@pytest.fixture(scope="module")
def outer(make_shared, inner):
    """HTTP/1 to the other proxy by HTTP/2."""
    options = {"typed_extension_protocol_options": config.http2_options(allow_connect=True)}
    listener = config.http_listener(config.virtual_host(config.route()), hcm=UPGRADES)
    return make_shared.proxy(config.bootstrap([listener], [config.cluster("origin", inner.port(), **options)]))


@pytest.fixture(params=["one proxy", "two proxies"])
def proxy(request):
    """For clients of HTTP/1."""
    # Envoy forwards neither key nor answer in a form that both ends take: see the differences in ARCHITECTURE.md.
    return request.getfixturevalue("inner" if request.param == "one proxy" else "outer")


SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20]


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_all_sizes(proxy, compression):
    with connect(proxy.port(), compression=compression) as client:
        for size in SIZES:
            text, data = "é" * size, os.urandom(size)
            client.send(text)
            assert client.recv() == text
            client.send(data)
            assert client.recv() == data


def test_a_very_large_message(proxy):
    data = os.urandom(16 << 20)
    with connect(proxy.port(), compression=None) as client:
        client.send(data)
        assert client.recv(timeout=30) == data


def test_messages_in_fragments(proxy):
    with connect(proxy.port()) as client:
        client.send(f"piece {number}, " for number in range(100))
        assert client.recv() == "".join(f"piece {number}, " for number in range(100))
        client.send([b"", b"a", b"", b"b"])
        assert client.recv() == b"ab"


def test_pings(proxy):
    with connect(proxy.port()) as client:
        for payload in (b"", b"x", b"p" * 125):
            assert client.ping(payload).wait(10)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 3000, 4999])
def test_server_closes(proxy, code):
    with connect(proxy.port(), f"/close/{code}") as client:
        client.send("go")
        with pytest.raises(Gone) as gone:
            client.recv()
        assert (gone.value.rcvd.code, gone.value.rcvd.reason) == (code, "because")


def test_client_closes(proxy, server):
    before = len(server.closes)
    with connect(proxy.port()) as client:
        client.close(4000, "enough")
    # Connections of other tests may end meanwhile.
    wait.until(lambda: (4000, "enough") in server.closes[before:], "the server knows")


def test_a_burst_and_the_close_behind_it(proxy):
    with connect(proxy.port(), "/push") as client:
        assert list(client) == [f"message {number}" for number in range(1000)]


def test_handshake_fields_pass(proxy, server):
    with connect(
        proxy.port(), subprotocols=["a.example"], origin="http://page.example", additional_headers={"X-Token": "secret"}
    ) as client:
        assert client.subprotocol == "a.example"
    request = server.requests[-1]
    assert request.headers["Origin"] == "http://page.example" and request.headers["X-Token"] == "secret"


def test_server_refuses(proxy):
    with pytest.raises(Refused) as refused:
        connect(proxy.port(), "/refuse")
    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"not you\n"


def test_many_at_once(proxy):
    with contextlib.ExitStack() as open_now:
        clients = [open_now.enter_context(connect(proxy.port())) for _ in range(60)]
        for number, client in enumerate(clients):
            client.send(f"I am {number}")
        for number, client in enumerate(clients):
            assert client.recv() == f"I am {number}"
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_upgrades_active") == 0, "all are closed")


# Frame by frame: what a suite of conformance sends, from both versions


def bare(client, proxy):
    if client == 1:
        key = [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
        opening = Opening1(proxy, "/echo", fields=key)
    else:
        opening = Opening2(proxy, "/echo", fields=[("sec-websocket-version", "13")])
    return opening, Bare(opening.accepted())


@pytest.fixture(params=[1, 2], ids=["from-h1", "from-h2"])
def frames(request, inner):
    opening, made = bare(request.param, inner)
    yield made
    opening.close()


@pytest.mark.parametrize("size", SIZES[:-1])
def test_one_frame(frames, size):
    data = os.urandom(size)
    frames.protocol.send_binary(data)
    frames.flush()
    got = frames.receive()
    assert (got.opcode, got.data) == (Opcode.BINARY, data)


@pytest.mark.parametrize("size", [1, 7, 126])
def test_a_message_in_chops(frames, size):
    """Each byte by itself: no piece of a frame is lost or late."""
    frames.protocol.send_text(b"*" * size)
    for data in frames.protocol.data_to_send():
        for at in range(len(data)):
            frames.tunnel.send(data[at : at + 1])
    assert frames.receive().data == b"*" * size


def test_control_frames_between_fragments(frames):
    frames.protocol.send_text(b"one ", fin=False)
    frames.protocol.send_ping(b"alive?")
    frames.protocol.send_continuation(b"two", fin=True)
    frames.flush()
    got = [frames.receive(), frames.receive()]
    assert {(frame.opcode, bytes(frame.data)) for frame in got} == {(Opcode.PONG, b"alive?"), (Opcode.TEXT, b"one two")}


@pytest.mark.parametrize(
    "wire, code",
    [
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # a reserved opcode
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"p" * 126, 1002),  # a ping that is too long
        (b"\x81\x82\0\0\0\0\xc3\x28", 1007),  # not UTF-8
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
    ],
)
def test_what_the_server_refuses(frames, wire, code):
    frames.tunnel.send(wire)
    got = frames.receive()
    assert got.opcode == Opcode.CLOSE and int.from_bytes(got.data[:2], "big") == code


def test_close_is_answered(frames):
    frames.protocol.send_close(1000, "bye")
    frames.flush()
    got = frames.receive()
    assert got.opcode == Opcode.CLOSE and got.data == b"\x03\xe8bye"


def test_streams_of_one_connection(inner):
    """Many WebSockets on one HTTP/2 connection, and plain requests between them."""
    with http2.Client(inner.port()) as peer:
        peer.handshake()
        openings = [Opening2(inner, "/echo", peer=peer, fields=[("sec-websocket-version", "13")]) for _ in range(20)]
        tunnels = [Bare(opening.accepted()) for opening in openings]
        for number, one in enumerate(tunnels):
            one.protocol.send_text(b"%d" % number)
            one.flush()
        assert peer.get("/nothing").status in (404, 426)
        for number, one in enumerate(tunnels):
            assert one.receive().data == b"%d" % number
        for one in tunnels:
            one.protocol.send_close(1000)
            one.flush()
        for one in tunnels:
            assert one.receive().opcode == Opcode.CLOSE
            assert one.tunnel.rest() == b""
            one.tunnel.end()
    wait.until(lambda: inner.stat("http.ingress.downstream_cx_upgrades_active") == 0, "all are closed")

