"""The PROXY protocol in front of HTTP and TCP listeners, versions 1 and 2."""

import json
import socket
import struct

import pytest

from harness import config
from harness.client import Client, head_bytes

PEER = {"header": {"key": "x-peer", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command=1, family=0x11, source="10.1.2.3", target="10.4.5.6", extra=b""):
    kind = socket.AF_INET if family == 0x11 else socket.AF_INET6
    addresses = socket.inet_pton(kind, source) + socket.inet_pton(kind, target) + struct.pack("!HH", 5678, 80) + extra
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(addresses)) + addresses


GOOD = [
    ("v1 IPv4", b"PROXY TCP4 10.1.2.3 10.4.5.6 5678 80\r\n", "10.1.2.3"),
    ("v1 IPv6", b"PROXY TCP6 2001:db8::1 2001:db8::2 5678 80\r\n", "2001:db8::1"),
    ("v1 unknown", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ("v2 IPv4", v2(), "10.1.2.3"),
    ("v2 IPv6", v2(family=0x21, source="2001:db8::1", target="2001:db8::2"), "2001:db8::1"),
    ("v2 local", v2(command=0), "127.0.0.1"),
    ("v2 with extras", v2(extra=b"\x04\0\x03abc"), "10.1.2.3"),
]
BAD = [
    ("nothing", b""),
    ("v1 nonsense", b"PROXY TCP4 300.1.2.3 10.4.5.6 5678 80\r\n"),
    ("v1 too long", b"PROXY TCP4 " + b"1" * 200),
    ("v2 bad version", SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12),
    ("v2 too short", SIGNATURE + b"\x21\x11\0\x04" + b"\0" * 4),
]


@pytest.fixture(scope="module")
def proxy(make_shared):
    filters = [config.proxy_protocol()]
    listener = config.http_listener(
        config.virtual_host(config.route(), request_headers_to_add=[PEER]), listener_filters=filters
    )
    tcp = config.tcp_listener("sink", listener_filters=filters)
    sink = make_shared.origin(raw=lambda connection: connection.send(connection.exactly(4)))
    clusters = [config.cluster("origin", make_shared.origin().port), config.cluster("sink", sink.port)]
    return make_shared.proxy(config.bootstrap([listener, tcp], clusters))


def client_address(response):
    fields = {name.lower(): value for name, value in json.loads(response.body)["fields"]}
    return fields["x-peer"]


@pytest.mark.parametrize("name, header, address", GOOD, ids=[row[0] for row in GOOD])
@pytest.mark.parametrize("piece", [1, 1000])
def test_address_is_taken_over(proxy, name, header, address, piece):
    data = header + head_bytes("GET", "/", [])
    with Client(proxy.port()) as client:
        for at in range(0, len(data), piece):
            client.send(data[at : at + piece])
        assert client_address(client.response()) == address


@pytest.mark.parametrize("name, header, address", GOOD, ids=[row[0] for row in GOOD])
def test_header_is_not_forwarded_as_bytes(proxy, name, header, address):
    with Client(proxy.port("tcp")) as client:
        client.send(header + b"ping")
        assert client.stream.to_end() == b"ping"


@pytest.mark.parametrize("name, header", BAD, ids=[row[0] for row in BAD])
def test_refused(proxy, name, header):
    with Client(proxy.port()) as client:
        client.send(header + head_bytes("GET", "/", []))
        assert client.is_closed()


def test_may_be_optional(make):
    filters = [config.proxy_protocol(allow_requests_without_proxy_protocol=True)]
    listener = config.http_listener(
        config.virtual_host(config.route(), request_headers_to_add=[PEER]), listener_filters=filters
    )
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin().port)]))
    for header, address in ((b"", "127.0.0.1"), (GOOD[0][1], "10.1.2.3")):
        with proxy.connect() as client:
            client.send(header + head_bytes("GET", "/", []))
            assert client_address(client.response()) == address


def test_waiting_for_the_header_is_bounded(make):
    listener = config.http_listener(
        config.virtual_host(config.route()),
        listener={"listener_filters_timeout": "0.3s"},
        listener_filters=[config.proxy_protocol()],
    )
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin().port)]))
    with proxy.connect() as client:
        client.send(b"PROXY TC")
        assert client.is_closed()
