"""gRPC-Web: binary and text, over HTTP/1 and through to a real gRPC server."""

import base64
import struct

import pytest

from harness import config
from harness.client import Client, head_bytes
from harness.rpc import FAILURE, Server, path

HTTP2 = {"typed_extension_protocol_options": config.http2_options()}
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
ENCODED = FAILURE.encode().replace(b"%", b"%25").replace("é".encode(), b"%C3%A9")


def frame(message, flags=0):
    return struct.pack(">BI", flags, len(message)) + message


def frames(body):
    found = []
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        assert len(body) >= 5 + size
        found.append((flags, body[5 : 5 + size]))
        body = body[5 + size :]
    return found


def untext(text):
    """Texts that follow each other, each with its own padding."""
    found = b""
    for at in range(0, len(text), 4):
        found += base64.b64decode(text[at : at + 4], validate=True)
    return found


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


def web(connection, request):
    """An HTTP/1 origin that knows nothing of gRPC, or something of gRPC-Web."""
    if request.target == "/long":
        connection.reply(b"long" * 10_000, "403 Forbidden", [("content-type", "text/html")])
    elif request.target == "/short":
        connection.reply("50% é\n".encode(), "404 Not Found", [("content-type", "text/html")])
    elif request.target == "/none":
        connection.reply(b"", "503 Service Unavailable")
    elif request.target == "/web":
        connection.reply(frame(b"x") + frame(b"grpc-status:0\r\n", 0x80), headers=[("content-type", BINARY)])
    elif request.target == "/silent":
        connection.to_end()
    else:
        seen = ", ".join(f"{name}={value}" for name, value in sorted(request.fields) if "x-" not in name and name != "host")
        connection.reply(f"{seen}: {request.body!r}".encode(), headers=[("content-type", "application/grpc")])


@pytest.fixture(scope="module")
def proxy(make_shared, server):
    routes = [
        config.route(path(""), "grpc", timeout="0s"),
        config.route("/silent", "web", timeout="0.2s"),
        config.route("/limited", "web", max_grpc_timeout="5s", timeout="20s"),
        config.route("/", "web"),
    ]
    hcm = {"http_filters": config.http_filters(("web", "grpc_web.v3.GrpcWeb", {}))}
    listener = config.http_listener(config.virtual_host(*routes), hcm=hcm)
    clusters = [config.cluster("grpc", server.port, **HTTP2), config.cluster("web", make_shared.origin(web).port)]
    return make_shared.proxy(config.bootstrap([listener], clusters))


def post(proxy, target, body, kind=BINARY, fields=()):
    with Client(proxy.port()) as client:
        return client.request("POST", target, [("content-type", kind), *fields], body)


@pytest.mark.parametrize("kind", ["application/grpc-web", BINARY])
@pytest.mark.parametrize("size", [0, 1, 1000, 300_000])
def test_binary(proxy, kind, size):
    message = bytes(i % 251 for i in range(size))
    response = post(proxy, path("Unary"), frame(message), kind)
    assert response.status == 200
    assert response.get("content-type") == BINARY
    assert frames(response.body) == [(0, message), (0x80, b"grpc-status:0\r\n")] or frames(response.body) == [
        (0, message),
        (0x80, b"grpc-status:0\r\ngrpc-message:\r\n"),
    ]
    assert response.trailers == []
    assert "grpc-status" not in response


def test_server_stream(proxy):
    found = frames(post(proxy, path("Count"), frame(b"500")).body)
    assert found[:-1] == [(0, b"%d" % number) for number in range(500)]
    assert found[-1][0] == 0x80 and found[-1][1].startswith(b"grpc-status:0\r\n")


@pytest.mark.parametrize("accept", ["application/grpc-web-text", TEXT])
@pytest.mark.parametrize("kind", ["application/grpc-web-text", TEXT])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 300_001])
def test_text(proxy, kind, accept, size):
    message = bytes(i % 251 for i in range(size))
    response = post(proxy, path("Unary"), base64.b64encode(frame(message)), kind, [("accept", accept)])
    assert response.get("content-type") == TEXT
    assert frames(untext(response.body))[0] == (0, message)
    # Each frame is a text of its own.
    assert response.body.startswith(base64.b64encode(frame(message)))


def test_text_stream(proxy):
    response = post(proxy, path("Count"), base64.b64encode(frame(b"500")), TEXT, [("accept", TEXT)])
    expected = b"".join(base64.b64encode(frame(b"%d" % number)) for number in range(500))
    assert response.body.startswith(expected)
    assert frames(untext(response.body[len(expected) :]))[0][0] == 0x80


def test_text_in_and_bytes_out(proxy):
    response = post(proxy, path("Unary"), base64.b64encode(frame(b"abc")), TEXT)
    assert response.get("content-type") == BINARY
    assert frames(response.body)[0] == (0, b"abc")


def test_text_in_pieces(proxy):
    """Every cut of a text gives the same bytes."""
    text = base64.b64encode(frame(b"hello, world"))
    for cut in range(1, len(text)):
        with Client(proxy.port()) as client:
            fields = [("content-type", TEXT), ("transfer-encoding", "chunked")]
            client.send(head_bytes("POST", path("Unary"), fields) + b"%x\r\n%s\r\n" % (cut, text[:cut]))
            client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text) - cut, text[cut:]))
            assert frames(client.response().body)[0] == (0, b"hello, world")


@pytest.mark.parametrize("text", [b"AAA", b"AAAAA", b"A!AA", b"AAAA====", b"=AAA"])
def test_text_that_is_none(proxy, text):
    response = post(proxy, "/seen", text, TEXT)
    assert response.status == 400
    assert response.get("grpc-status") == "13"
    assert response.get("grpc-message") == "Bad gRPC-web request, invalid base64 data."
    assert response.body == b""


@pytest.mark.parametrize("code", [5, 14])
def test_failure_behind_a_message(proxy, code):
    found = frames(post(proxy, path("FailLate"), frame(b"x"), fields=[("code", str(code))]).body)
    assert found[0] == (0, b"x")
    lines = found[1][1].split(b"\r\n")
    assert found[1][0] == 0x80 and lines.pop() == b""
    assert {b"grpc-status:%d" % code, b"grpc-message:" + ENCODED, b"x-why:because"} <= set(lines)


def test_failure_of_trailers_only(proxy):
    response = post(proxy, path("Fail"), frame(b"x"), fields=[("code", "5")])
    assert (response.status, response.body) == (200, b"")
    assert (response.get("grpc-status"), response.get("grpc-message")) == ("5", ENCODED.decode())
    assert response.get("content-type") == BINARY


@pytest.mark.parametrize(
    "target, status, code, message",
    [
        ("/short", 404, "12", "50%25 %C3%A9%0A"),
        ("/long", 403, "7", ("long" * 10_000)[:16384]),
        pytest.param("/none", 503, "14", None, marks=pytest.mark.apus_only),
        ("/silent", 504, "14", "upstream request timeout"),
    ],
)
def test_answers_that_are_not_grpc(proxy, target, status, code, message):
    response = post(proxy, target, frame(b"x"))
    assert (response.status, response.body) == (status, b"")
    assert (response.get("grpc-status"), response.get("content-length")) == (code, "0")
    assert response.get("grpc-message") == message


def test_answers_that_are_web_already(proxy):
    found = frames(post(proxy, "/web", frame(b"x")).body)
    assert found == [(0, b"x"), (0x80, b"grpc-status:0\r\n")]


def test_what_the_upstream_sees(proxy):
    seen = post(proxy, "/seen", frame(b"x")).body.decode()
    for field in ("content-type=application/grpc", "te=trailers", "grpc-accept-encoding=identity", "transfer-encoding=chunked"):
        assert field in seen
    assert "content-length" not in seen
    assert "grpc-accept-encoding=gzip" in post(proxy, "/seen", frame(b"x"), fields=[("grpc-accept-encoding", "gzip")]).body.decode()


@pytest.mark.parametrize("kind", ["application/grpc-web;x", "application/grpc-web+json", "application/grpc", "text/plain"])
def test_others_are_left_alone(proxy, kind):
    seen = post(proxy, "/seen", b"body", kind).body.decode()
    assert f"content-type={kind}" in seen and "te=trailers" not in seen


@pytest.mark.parametrize("kind, sent, shown", [(BINARY, "3S", "3000m"), (TEXT, "10S", "5000m"), (BINARY, None, "5000m"), ("text/plain", "3S", "3S")])
def test_max_grpc_timeout(proxy, kind, sent, shown):
    """What the filter has made of it is a call like others."""
    response = post(proxy, "/limited", b"", kind, [("grpc-timeout", sent)] if sent else [])
    assert f"grpc-timeout={shown}".encode() in response.body
