"""The same file and the same bytes through Envoy 1.40 and apus: the answers must be the same.

Differences we want are listed in ENVOY_DIFFERENCES with their reasons; everything else is a failure.
"""

import json
import re

import pytest

from harness import config
from harness.client import Client, Closed, head_bytes

pytestmark = pytest.mark.needs_envoy

# Case name: (what apus answers instead, why). "status" and "closed" may differ; the body then is not compared.
ENVOY_DIFFERENCES = {
    "two spaces": ({"status": 400}, "RFC 9112 §3: one space; lenient readers disagree about the target"),
    "folded field": ({"status": 400}, "RFC 9112 §5.2 demands refusal or replacement; refusing is unambiguous"),
    "bare CR in a value": ({"status": 400}, "RFC 9112 §2.2: a bare CR is invalid"),
    "bare LF": ({"status": 400}, "line ends are CRLF and nothing else: recipients that accept LF disagree with those that do not"),
    "empty lines before": ({"status": 400}, "RFC 9112 §2.2 asks for one ignored empty line, not for any number"),
    "empty host": ({"status": 400}, "RFC 9112 §3.2: a target without authority needs a host to be routed by"),
    "two hosts": ({"status": 400}, "RFC 9112 §3.2: more than one Host is refused"),
    "unknown method": ({"status": 200}, "RFC 9110 §9.1: a method is any token; the origin decides what it knows"),
    "hop by hop": ({"body_has": '["connection", "te"]'}, "RFC 9110 §10.1.4: who sends TE names it in Connection"),
}

# Compared on every response. Date, server, ids and times cannot be equal.
HEADERS = [
    "connection", "content-length", "transfer-encoding", "content-type", "location", "vary", "allow", "retry-after",
    "x-envoy-overloaded", "x-level", "trailer", "upgrade",
]  # fmt: skip
VOLATILE = re.compile(r'("x-request-id", ")[^"]*|("x-forwarded-for", ")[^"]*|("connection": )\d+|127\.0\.0\.1:\d+')


def add(key, value):
    return {"header": {"key": key, "value": value}}


def document(port, dead_port):
    direct = {"match": {"path": "/direct"}, "direct_response": {"status": 403, "body": {"inline_string": "no"}}}
    routes = [
        direct,
        {"match": {"prefix": "/redirect"}, "redirect": {"https_redirect": True}},
        {"match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/new", "response_code": "FOUND"}},
        {"match": {"safe_regex": {"regex": "/re/[a-z]+"}}, "route": {"cluster": "origin", "prefix_rewrite": "/regex"}},
        config.route("/dead", "dead"),
        config.route("/rewrite/", prefix_rewrite="/"),
        config.route("/host", host_rewrite_literal="rewritten.example"),
        config.route("/slow", timeout="0.2s"),
        {"match": {"prefix": "/post", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
         "route": {"cluster": "origin"}, "request_headers_to_add": [add("x-route", "post")]},
        {"match": {"prefix": "/q", "query_parameters": [{"name": "k", "string_match": {"exact": "v"}}]},
         "direct_response": {"status": 200, "body": {"inline_string": "query"}}},
        config.route(
            "/",
            route_fields={"response_headers_to_add": [add("x-level", "route")], "request_headers_to_remove": ["x-secret"]},
        ),
    ]  # fmt: skip
    hosts = [
        config.virtual_host(*routes, name="main", domains=["test.example", "*.test.example", "a"]),
        config.virtual_host(direct, name="other", domains=["other.*"]),
    ]
    listener = config.http_listener(
        *hosts, hcm={"use_remote_address": True, "normalize_path": True, "merge_slashes": True}
    )
    return config.bootstrap([listener], [config.cluster("origin", port), config.cluster("dead", dead_port)])


def script(connection, request):
    from harness.origin import echo

    path = request.target.split("?")[0]
    if path == "/slow":
        connection.to_end()
    elif path == "/die":
        return False
    elif path == "/garbage":
        connection.send(b"garbage\r\n\r\n")
    elif path == "/chunked":
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
    elif path == "/until-close":
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nuntil close")
        return False
    elif path == "/204":
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/304":
        connection.send(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")
    elif path == "/interim":
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    elif path == "/reason":
        connection.reply(b"x", status="299 Odd Reason")
    elif path == "/close":
        connection.reply(b"x", headers=[("Connection", "close")])
        return False
    else:
        return echo(connection, request)


H = b"Host: a\r\n"
POST = b"POST /x HTTP/1.1\r\n" + H


def get(path, *headers, method="GET", body=b""):
    return head_bytes(method, path, headers) + body


CASES = {
    "plain": get("/"),
    "fields": get("/", ("X-A", "1"), ("x-a", "2"), ("Accept", "*/*"), ("Cookie", "a=b"), ("Cookie", "c=d")),
    "spaces around values": b"GET / HTTP/1.1\r\nHost:a\r\nX-A:   b c  \t\r\nX-Empty:\r\n\r\n",
    "hop by hop": get("/", ("Connection", "keep-alive, x-hop"), ("X-Hop", "1"), ("Keep-Alive", "1"), ("TE", "trailers")),
    "upgrade": get("/", ("Connection", "Upgrade"), ("Upgrade", "websocket")),
    "h2c upgrade": get("/", ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")),
    "forwarded": get("/", ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "f")),
    "internal fields": get("/", ("x-envoy-internal", "true"), ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "9"),
                           ("x-envoy-external-address", "1.1.1.1"), ("x-envoy-original-path", "/o")),
    "removed": get("/", ("X-Secret", "1")),
    "close": get("/", ("Connection", "close")),
    "head": get("/", method="HEAD"),
    "head direct": get("/direct", method="HEAD"),
    "options": get("/", method="OPTIONS"),
    "options star": b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n",
    "unknown method": get("/", method="BREW"),
    "trace": get("/", method="TRACE"),
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "length body": POST + b"Content-Length: 4\r\n\r\nbody",
    "chunked body": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "chunked in capitals": POST + b"Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "empty length body": POST + b"Content-Length: 0\r\n\r\n",
    "post without length": POST + b"\r\n",
    "get with body": b"GET / HTTP/1.1\r\n" + H + b"Content-Length: 2\r\n\r\nhi",
    "expect": POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi",
    "direct": get("/direct"),
    "redirect": get("/redirect/a?b=c"),
    "redirect with port": get("/redirect", ("Host", "test.example:80")),
    "moved": get("/moved?x=y"),
    "rewrite": get("/rewrite/a//b/?c"),
    "regex": get("/re/abc"),
    "regex miss": get("/re/ABC"),
    "host rewrite": get("/host"),
    "method route": get("/post", ("Content-Length", "0"), method="POST"),
    "query": get("/q?k=v"),
    "query miss": get("/q?k=w"),
    "suffix host": get("/direct", ("Host", "deep.test.example")),
    "capital host": get("/direct", ("Host", "TEST.example")),
    "prefix host": get("/direct", ("Host", "other.net")),
    "unknown host": get("/", ("Host", "nobody.net")),
    "no route": get("/nothing", ("Host", "other.net")),
    "absolute": b"GET http://test.example/abs?q HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "absolute without path": b"GET http://test.example HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "dot segments": get("/a/./b/../c"),
    "above root": get("/../../x"),
    "escaped dots": get("/a/%2e%2e/b"),
    "bad escape": get("/a%zz"),
    "escaped slash": get("/a%2Fb"),
    "slashes": get("//a///b"),
    "backslash": get("/a\\b"),
    "dead upstream": get("/dead"),
    "upstream dies": get("/die"),
    "upstream garbage": get("/garbage"),
    "upstream chunked": get("/chunked"),
    "upstream until close": get("/until-close"),
    "upstream 204": get("/204"),
    "upstream 304": get("/304"),
    "upstream interim": get("/interim"),
    "upstream odd reason": get("/reason"),
    "upstream close": get("/close"),
    "timeout": get("/slow"),
    "empty lines before": b"\r\n\r\n" + get("/"),
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n" + H + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + H + b"\r\n",
    "folded field": b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n",
    "bare CR in a value": b"GET / HTTP/1.1\r\n" + H + b"X: a\rb\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + H + b"X : a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + H + b"X\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\n" + H + b"X: \0\r\n\r\n",
    "high bytes": b"GET / HTTP/1.1\r\n" + H + b"X: \xc3\xa4\xff\r\n\r\n",
    "fragment": get("/a#b"),
    "relative": get("a"),
    "length and chunked": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "bad length": POST + b"Content-Length: x\r\n\r\n",
    "unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "large head": get("/", ("X", "a" * 70_000)),
    "many fields": get("/", *((f"x{index}", "1") for index in range(120))),
    "underscores": get("/", ("a_b", "1")),
}  # fmt: skip


@pytest.fixture(scope="module")
def both(make_shared):
    from harness.origin import free_port

    origin = make_shared.origin(script)
    text = document(origin.port, free_port())
    from conftest import KIND

    return make_shared.proxy(text, kind="envoy"), make_shared.proxy(text, kind=KIND)


def answer(proxy, data):
    """What a client can tell apart: status, selected fields, body, and whether the connection goes on."""
    with Client(proxy.port()) as client:
        client.send(data)
        try:
            response = client.response(to_head=data.startswith(b"HEAD"))
        except (Closed, ConnectionResetError):
            return {"status": None}
        closed = response.get("connection") == "close" or not client.stays_open(0.15)
        body = response.body.decode("latin-1")
        if response.get("content-type") == "application/json" and body:
            arrived = json.loads(body)
            arrived["fields"] = sorted([name.lower(), value] for name, value in arrived["fields"])
            body = json.dumps(arrived)
        return {
            "status": response.status,
            "reason": response.start.split(" ", 2)[2],
            "interim": response.interim,
            "headers": {name: response.values(name) for name in HEADERS},
            "body": VOLATILE.sub("*", body),
            "closed": closed,
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
    else:
        # Lengths of echoed bodies vary with request ids and ports; the bodies themselves are compared.
        if theirs.get("body", "").startswith("{"):
            for side in (theirs, ours):
                side.get("headers", {}).pop("content-length", None)
        assert ours == theirs


def test_differences_name_cases():
    assert ENVOY_DIFFERENCES.keys() <= CASES.keys()
    assert all(why for _, why in ENVOY_DIFFERENCES.values())
