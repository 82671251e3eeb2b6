"""The ClientHello chooses: names, transport and protocols; passed through, terminated, bridged."""

import os
import pathlib
import socket
import ssl
import struct

import pytest

from harness import config, tls, wait
from harness.client import Client, get, head_bytes
from harness.tls import MemoryTLS

GET = head_bytes("GET", "/", [])
FLUSH = ["--file-flush-interval-msec", "20"]


def http_chain(match=None, says="terminated", identity=None, alpn=()):
    """A chain that answers by itself."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": says}}}
    chain = config.http_listener(config.virtual_host(route))["filter_chains"][0]
    if match:
        chain["filter_chain_match"] = match
    if identity:
        chain["transport_socket"] = config.tls_socket("Downstream", config.tls_common(identity, alpn=alpn))
    return chain


def tcp_chain(match, to, identity=None):
    chain = config.tcp_listener(to)["filter_chains"][0]
    chain["filter_chain_match"] = match
    if identity:
        chain["transport_socket"] = config.tls_socket("Downstream", config.tls_common(identity))
    return chain


def listener(*chains, inspector=None, **fields):
    return {
        "name": "edge", "address": config.address(), "listener_filters": [config.tls_inspector(**(inspector or {}))],
        "filter_chains": list(chains), **fields,
    }  # fmt: skip


class Setup:
    def __init__(self, make, *chains, clusters=(), **fields):
        self.log = pathlib.Path(make.directory) / "listener.log"
        text = "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"
        fields.setdefault("access_log", [config.file_log(self.log, text)])
        self.proxy = make.proxy(config.bootstrap([listener(*chains, **fields)], clusters), arguments=FLUSH)
        self.port = self.proxy.port("edge")

    def inspected(self, name):
        return self.proxy.sum(r"tls_inspector\." + name)

    def logged(self):
        return wait.until(lambda: self.log.exists() and self.log.read_text(), "the listener's log").splitlines()


def says(port, name, ca=None, **options):
    return get(port, tls=tls.client_context(ca, **options), server_name=name).body.decode()


def test_pass_through_terminate_bridge(make, ca, certificates):
    """Three names, three ways, one port; and plaintext beside them."""
    behind = make.origin(
        lambda c, r: c.reply(b"passed through"), tls=tls.server_context(certificates.issue("through.example"))
    )
    bridged = make.origin(lambda c, r: c.reply(b"bridged"), tls=tls.server_context(certificates.issue("inner.example")))
    setup = Setup(
        make,
        tcp_chain({"server_names": ["through.example", "*.through.example"]}, "behind"),
        http_chain({"server_names": ["here.example"]}, "terminated", certificates.issue("here.example")),
        tcp_chain({"server_names": ["bridge.example"]}, "inner", certificates.issue("bridge.example")),
        http_chain({"transport_protocol": "raw_buffer"}, "plain"),
        clusters=[
            config.cluster("behind", behind.port),
            config.tls_cluster("inner", bridged.port, trusts=ca, context={"sni": "inner.example"}),
        ],
    )
    for _ in range(3):
        assert says(setup.port, "through.example", ca) == "passed through"
        assert says(setup.port, "here.example", ca) == "terminated"
        assert says(setup.port, "HERE.example") == "terminated"
        assert says(setup.port, "bridge.example", ca) == "bridged"
        assert says(setup.port, "a.b.through.example") == "passed through"
        assert get(setup.port).body == b"plain"
    assert setup.inspected("tls_found") == 15
    assert setup.inspected("sni_found") == 15
    assert setup.inspected("tls_not_found") == 3
    assert setup.proxy.listener_stat("ssl.handshake") == 9


def test_large_bytes_pass_through(make, ca, certificates):
    body = os.urandom(4 << 20)
    behind = make.origin(
        lambda c, r: c.reply(r.body), tls=tls.server_context(certificates.issue("through.example"))
    )
    setup = Setup(
        make, tcp_chain({"server_names": ["through.example"]}, "behind"), clusters=[config.cluster("behind", behind.port)]
    )
    with Client(setup.port, tls=tls.client_context(ca), server_name="through.example", timeout=20) as client:
        assert client.request("POST", "/", body=body).body == body


def test_names_exact_wildcard_none(make, certificates, server):
    setup = Setup(
        make,
        http_chain({"server_names": ["a.example"]}, "exact", server),
        http_chain({"server_names": ["*.a.example"]}, "one suffix", server),
        http_chain({"server_names": ["*.b.a.example"]}, "longer suffix", server),
        http_chain({"transport_protocol": "tls"}, "any name", server),
    )
    names = {
        "a.example": "exact", "x.a.example": "one suffix", "x.y.a.example": "one suffix", "b.a.example": "one suffix",
        "x.b.a.example": "longer suffix", "other.example": "any name", None: "any name",
    }  # fmt: skip
    assert {name: says(setup.port, name) for name in names} == names


def test_protocols(make, server):
    setup = Setup(
        make,
        http_chain({"transport_protocol": "tls", "application_protocols": ["acme-tls/1"]}, "acme", server, alpn=["acme-tls/1"]),
        http_chain({"transport_protocol": "tls", "application_protocols": ["http/1.1"]}, "http/1.1", server, alpn=["http/1.1"]),
        http_chain({"transport_protocol": "tls"}, "other", server),
        http_chain(None, "plain"),
    )
    assert says(setup.port, "server.example", alpn=["acme-tls/1"]) == "acme"
    assert says(setup.port, "server.example", alpn=["http/1.1"]) == "http/1.1"
    assert says(setup.port, "server.example", alpn=["what", "acme-tls/1"]) == "acme"
    assert says(setup.port, "server.example") == "other"
    assert get(setup.port).body == b"plain"
    assert setup.inspected("alpn_found") == 3 and setup.inspected("alpn_not_found") == 1


def test_no_chain(make, server):
    setup = Setup(make, http_chain({"server_names": ["a.example"]}, "here", server))
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        says(setup.port, "b.example")
    assert setup.logged() == ["NR filter_chain_not_found -"] if setup.proxy.kind == "apus" else True
    assert setup.proxy.listener_stat("no_filter_chain_match") == 1
    assert says(setup.port, "a.example") == "here"


def hello_bytes(name="server.example", pad=0):
    context = tls.client_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        side.do_handshake()
    return outgoing.read()


def is_over(sock):
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_slow_hello_times_out(make, server):
    setup = Setup(make, http_chain(None, "here", server), listener_filters_timeout="0.3s")
    for data in (b"", hello_bytes()[:40]):
        with socket.create_connection(("127.0.0.1", setup.port), timeout=5) as client:
            client.sendall(data)
            assert is_over(client)
    assert setup.proxy.listener_stat("downstream_pre_cx_timeout") == 2
    assert says(setup.port, "server.example") == "here"


def test_hello_byte_by_byte(make, ca, server):
    """Every byte in a segment of its own, through inspector and handshake."""
    setup = Setup(make, http_chain({"server_names": ["server.example"]}, "here", server))
    relay = tls.Relay(setup.port, size=1)
    try:
        assert says(relay.port, "server.example", ca) == "here"
    finally:
        relay.stop()


@pytest.mark.parametrize("inspected", [True, False])
def test_hello_cut_at_every_byte(make, ca, server, inspected):
    chain = http_chain({"server_names": ["server.example"]} if inspected else None, "here", server)
    fields = {} if inspected else {"listener_filters": []}
    setup = Setup(make, chain, **fields)
    for cut in range(1, len(hello_bytes()), 9 if inspected else 17):
        with MemoryTLS(setup.port, tls.client_context(ca)) as client:
            with pytest.raises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            data = client.taken()
            client.sock.sendall(data[:cut])
            client.sock.sendall(data[cut:])
            client.handshake()
            client.sendall(GET)
            assert client.stream.response().body == b"here"


def test_hello_cut_and_left(make, server):
    """Clients that leave in the middle of a hello: nothing stays."""
    setup = Setup(make, http_chain({"server_names": ["server.example"]}, "here", server))
    data = hello_bytes()
    for cut in range(0, len(data), 7):
        with socket.create_connection(("127.0.0.1", setup.port)) as client:
            client.sendall(data[:cut])
    wait.until(lambda: setup.proxy.listener_stat("downstream_cx_active") == 0, "all are over")
    assert setup.proxy.listener_stat("downstream_pre_cx_active") == 0


def test_hello_over_several_records(make, ca, server):
    """A hello may come in records of any size."""
    setup = Setup(make, http_chain({"server_names": ["server.example"]}, "here", server))
    for size in (1, 50, 200):
        with MemoryTLS(setup.port, tls.client_context(ca)) as client:
            with pytest.raises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            data = client.taken()
            body = data[5:]
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            client.sock.sendall(b"".join(data[:3] + struct.pack("!H", len(piece)) + piece for piece in pieces))
            client.handshake()
            client.sendall(GET)
            assert client.stream.response().body == b"here"


GARBAGE = {
    "zeros": bytes(600),
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "record without a hello": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    "hello that says too much": b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + bytes(32) + b"\xff" + bytes(8),
    "empty record": b"\x16\x03\x01\x00\x00" * 20,
    "long record": b"\x16\x03\x01\xff\xff" + bytes(100),
    "long hello": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16400),
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
}


@pytest.mark.parametrize("inspected", [True, False])
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage(make_shared, server, what, inspected):
    setup = garbage_setup(make_shared, server, inspected)
    with socket.create_connection(("127.0.0.1", setup.port), timeout=5) as client:
        client.sendall(GARBAGE[what])
        try:
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert is_over(client)
    assert says(setup.port, "server.example") == "here"
    wait.until(lambda: setup.proxy.listener_stat("downstream_cx_active") == 0, "all are over")


_garbage = {}


def garbage_setup(make_shared, server, inspected):
    if (id(make_shared), inspected) not in _garbage:
        fields = {} if inspected else {"listener_filters": []}
        setup = Setup(make_shared, http_chain(None, "here", server), access_log=[], **fields)
        _garbage[id(make_shared), inspected] = setup
    return _garbage[id(make_shared), inspected]


def test_hello_that_is_too_large(make, server):
    setup = Setup(make, http_chain(None, "here", server), inspector={"max_client_hello_size": 512})
    alpn = ["x" * 200, "y" * 200, "z" * 200]
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        says(setup.port, "server.example", alpn=alpn)
    assert setup.inspected("client_hello_too_large") == 1


@pytest.mark.apus_only
def test_inspector_is_added(make, server):
    """A chain that needs the name gets the inspector by itself."""
    chains = [http_chain({"server_names": ["a.example"]}, "a", server), http_chain(None, "other", server)]
    setup = Setup(make, *chains, listener_filters=[])
    assert says(setup.port, "a.example") == "a"
    assert says(setup.port, "b.example") == "other"


def test_proxy_protocol_before_the_hello(make, ca, server):
    chain = http_chain({"server_names": ["server.example"]}, "here", server)
    setup = Setup(make, chain, listener_filters=[config.proxy_protocol(), config.tls_inspector()])
    sock = socket.create_connection(("127.0.0.1", setup.port), timeout=5)
    sock.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 2000\r\n")
    with MemoryTLS(0, tls.client_context(ca), sock=sock) as client:
        client.handshake()
        client.sendall(GET)
        assert client.stream.response().body == b"here"


def test_many_names(make, certificates, server):
    """Three hundred chains; the right one is found."""
    chains = [http_chain({"server_names": [f"h{i}.example"]}, f"host {i}", server) for i in range(300)]
    setup = Setup(make, *chains)
    for i in (0, 7, 150, 299):
        assert says(setup.port, f"h{i}.example") == f"host {i}"
