"""The same file and the same HTTP/2 frames through Envoy 1.40 and apus: the answers must be the same.

As in test_comparison.py, differences that are meant are listed with their reasons.
"""

import json

import pytest

from harness import http2
from harness.client import Closed
from harness.origin import free_port
from test_comparison import HEADERS, VOLATILE, document, script

pytestmark = pytest.mark.needs_envoy


def request(method="GET", path="/", extra=(), body=(), trailers=None, ends=None, **named):
    """Frames of one request on stream 1."""
    fields = http2.request_fields(method, path, extra, **named)
    frames = [http2.head(1, http2.literals(fields), ends=not body and trailers is None if ends is None else ends)]
    for number, piece in enumerate(body):
        frames.append(http2.data(1, piece, ends=number == len(body) - 1 and trailers is None))
    if trailers is not None:
        frames.append(http2.headers(1, http2.literals(trailers), ends=True))
    return b"".join(frames)


def with_field(name, value, **named):
    return request(extra=[(name, value)], **named)


CASES = {
    "plain": request(),
    "fields": request(extra=[("x-a", "1"), ("x-a", "2"), ("accept", "*/*")]),
    "cookie crumbs": request(extra=[("cookie", "a=1"), ("x", "1"), ("cookie", "b=2"), ("cookie", "c=3")]),
    "host and authority": with_field("host", "other.example"),
    "host alone": request(authority=None, extra=[("host", "test.example")]),
    "neither": request(authority=None),
    "scheme https": request(scheme="https"),
    "scheme in capitals": request(scheme="HTTP"),
    "odd scheme": request(scheme="gopher"),
    "te trailers": with_field("te", "trailers"),
    "te gzip": with_field("te", "gzip"),
    "connection": with_field("connection", "close"),
    "transfer-encoding": with_field("transfer-encoding", "chunked"),
    "upgrade": with_field("upgrade", "websocket"),
    "keep-alive": with_field("keep-alive", "1"),
    "capitals": with_field("X-A", "1"),
    "CR in a value": with_field("x", b"a\rb"),
    "LF in a value": with_field("x", b"a\nb"),
    "NUL in a value": with_field("x", b"a\0b"),
    "space before a value": with_field("x", b" a"),
    "high bytes": with_field("x", b"\xc3\xa4\xff"),
    "DEL in a value": with_field("x", b"a\x7fb"),
    "control in a value": with_field("x", b"a\x01b"),
    "empty value": with_field("x", ""),
    "colon in a name": with_field(b"x:y", "1"),
    "space in a name": with_field(b"x y", "1"),
    "underscores": with_field("a_b", "1"),
    "unknown pseudo-header": with_field(":x", "1"),
    "two paths": with_field(":path", "/"),
    "late pseudo-header": b"".join([http2.headers(1, http2.literals(
        [(":method", "GET"), ("x", "1"), (":scheme", "http"), (":path", "/"), (":authority", "a")]), ends=True)]),
    "no path": request(path=None),
    "no method": request(method=None),
    "empty path": request(path=""),
    "relative path": request(path="a"),
    "fragment": request(path="/a#b"),
    "path with space": request(path="/a b"),
    "path with 0x80": request(path=b"/\x80"),
    "absolute path": request(path="http://test.example/"),
    "userinfo": request(authority="u@test.example"),
    "bad port": request(authority="test.example:99999"),
    "length body": request("POST", "/x", [("content-length", "4")], [b"body"]),
    "body": request("POST", "/x", (), [b"bo", b"dy"]),
    "empty body": request("POST", "/x", (), [b""]),
    "no body": request("POST", "/x"),
    "get with body": request("GET", "/", (), [b"hi"]),
    "short body": request("POST", "/x", [("content-length", "5")], [b"body"]),
    "long body": request("POST", "/x", [("content-length", "3")], [b"body"]),
    "length without body": request("POST", "/x", [("content-length", "3")]),
    "two lengths": request("POST", "/x", [("content-length", "4"), ("content-length", "4")], [b"body"]),
    "bad length": request("POST", "/x", [("content-length", "x")], [b"body"]),
    "trailers": request("POST", "/x", (), [b"body"], [("x-t", "1")]),
    "pseudo-header in trailers": request("POST", "/x", (), [b"body"], [(":path", "/")]),
    "expect": request("POST", "/x", [("expect", "100-continue")], [b"hi"]),
    "head": request("HEAD"),
    "head direct": request("HEAD", "/direct"),
    "options": request("OPTIONS"),
    "unknown method": request("BREW"),
    "connect": http2.headers(1, http2.literals([(":method", "CONNECT"), (":authority", "a:1")])),
    "direct": request(path="/direct"),
    "redirect": request(path="/redirect/a?b=c"),
    "moved": request(path="/moved?x=y"),
    "rewrite": request(path="/rewrite/a//b/?c"),
    "regex": request(path="/re/abc"),
    "host rewrite": request(path="/host"),
    "method route": request("POST", "/post"),
    "query": request(path="/q?k=v"),
    "capital host": request(path="/direct", authority="TEST.example"),
    "unknown host": request(authority="nobody.net"),
    "no route": request(path="/nothing", authority="other.net"),
    "dot segments": request(path="/a/./b/../c"),
    "escaped slash": request(path="/a%2Fb"),
    "forwarded": request(extra=[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")]),
    "internal fields": request(extra=[("x-envoy-internal", "true"), ("x-envoy-retry-on", "5xx")]),
    "dead upstream": request(path="/dead"),
    "upstream dies": request(path="/die"),
    "upstream garbage": request(path="/garbage"),
    "upstream chunked": request(path="/chunked"),
    "upstream until close": request(path="/until-close"),
    "upstream 204": request(path="/204"),
    "upstream 304": request(path="/304"),
    "upstream interim": request(path="/interim"),
    "upstream close": request(path="/close"),
    "timeout": request(path="/slow"),
    "large head": request(extra=[(f"x-{number}", "a" * 15000) for number in range(5)]),
    "many fields": request(extra=[(f"x{number}", "1") for number in range(120)]),
    "many crumbs": request(extra=[("cookie", "a=1")] * 120),
    "PRIORITY of itself": http2.priority(1, 1) + request(),
    "even stream": http2.headers(2, http2.literals(http2.request_fields()), ends=True),
    "DATA of stream 0": http2.data(0, b"x"),
    "window update of zero": http2.window_update(0, 0),
}  # fmt: skip

GONE = {"status": None, "closed": True, "goaway": 1}

# Case name: (what apus answers instead, why).
ENVOY_DIFFERENCES = {
    "te trailers": ({"body_has": '["connection", "te"]'}, "RFC 9110 section 10.1.4: who sends TE names it in Connection"),
    "space before a value": (GONE, "RFC 9113 section 8.2.1: such a field is malformed"),
    "fragment": (GONE, "RFC 9113 section 8.3.1: a path has no fragment; as in HTTP/1, but HTTP/2 has no 400 for what is malformed"),
    "path with 0x80": (GONE, "RFC 3986: a path is ASCII; encoding it would make another path of it"),
    "bad port": (GONE, "RFC 3986 section 3.2.3: not a port"),
    "PRIORITY of itself": (GONE, "RFC 7540 section 5.3.1: an error, whatever becomes of priorities"),
    "large head": ({"status": 431, "reset": None, "closed": False}, "RFC 6585: the client is told, not only reset"),
    "many fields": ({"status": 431, "reset": None, "closed": False}, "RFC 6585: the client is told, not only reset"),
    "many crumbs": ({"status": 431, "reset": None, "closed": False}, "RFC 6585: the client is told, not only reset"),
}


@pytest.fixture(scope="module")
def both(make_shared):
    text = document(make_shared.origin(script).port, free_port())
    manager = text["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["delayed_close_timeout"] = "0.05s"  # Envoy waits that long after errors
    from conftest import KIND

    return make_shared.proxy(text, kind="envoy"), make_shared.proxy(text, kind=KIND)


def answer(proxy, frames):
    with http2.Client(proxy.port()) as client:
        client.handshake()
        closed = False
        client.send(frames)
        client.next_stream = 5
        try:
            message = client.message(1)
            client.pump_until(lambda: message.is_over or client.goaways)
            client.is_alive()
        except (Closed, OSError):
            closed = True
        message = client.message(1)
        body = message.body.decode("latin-1")
        if message.get("content-type") == "application/json" and body:
            arrived = json.loads(body)
            arrived["fields"] = sorted([name.lower(), value] for name, value in arrived["fields"])
            body = json.dumps(arrived)
        names = [name for name in HEADERS if name not in ("connection", "transfer-encoding")]
        return {
            "status": message.status if message.has_head else None,
            "reset": message.reset,
            "goaway": client.goaways[-1].code if client.goaways else None,
            "closed": closed,
            "interim": [dict(fields)[":status"] for fields in message.interim],
            "headers": {name: message.values(name) for name in names},
            "body": VOLATILE.sub("*", body),
            "trailers": message.trailers,
        }


@pytest.mark.parametrize("name", CASES)
def test_same_answer(both, name):
    envoy, apus = both
    theirs, ours = answer(envoy, CASES[name]), answer(apus, CASES[name])
    if name in ENVOY_DIFFERENCES and apus.kind != "envoy":
        expected, why = ENVOY_DIFFERENCES[name]
        for side in (theirs, ours):
            side["body_has"] = expected["body_has"] if expected.get("body_has", "\0") in side["body"] else None
        assert {key: ours[key] for key in expected} == expected, why
        assert any(theirs[key] != expected[key] for key in expected), "Envoy does the same now: delete the entry"
        return
    if ours["closed"] and theirs["closed"]:
        # Envoy closes without a word where RFC 9113 section 5.4.1 asks for GOAWAY.
        assert ours["goaway"] or not theirs["goaway"]
        for side in (theirs, ours):
            side.pop("goaway")
    if theirs["body"].startswith("{"):
        for side in (theirs, ours):
            side["headers"].pop("content-length")
    assert ours == theirs


def test_differences_name_cases():
    assert ENVOY_DIFFERENCES.keys() <= CASES.keys()
    assert all(why for _, why in ENVOY_DIFFERENCES.values())
