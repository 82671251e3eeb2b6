"""Answers that the proxy makes itself: redirects and direct responses."""

import pytest

from harness import config
from harness.client import Client, get, head_bytes


def redirect(prefix, **action):
    return {"match": {"prefix": prefix}, "redirect": action}


def direct(prefix, status, text=None):
    action = {"status": status}
    if text is not None:
        action["body"] = {"inline_string": text}
    return {"match": {"prefix": prefix}, "direct_response": action}


ROUTES = [
    redirect("/https", https_redirect=True),
    redirect("/host", host_redirect="new.example"),
    redirect("/port", port_redirect=8443),
    redirect("/path", path_redirect="/elsewhere"),
    redirect("/withquery", path_redirect="/to?own=1"),
    redirect("/prefix", prefix_rewrite="/new"),
    redirect("/strip", path_redirect="/bare", strip_query=True),
    redirect("/302", path_redirect="/x", response_code="FOUND"),
    redirect("/303", path_redirect="/x", response_code="SEE_OTHER"),
    redirect("/307", path_redirect="/x", response_code="TEMPORARY_REDIRECT"),
    redirect("/308", path_redirect="/x", response_code="PERMANENT_REDIRECT"),
    direct("/200", 200, "hello"),
    direct("/204", 204),
    direct("/403", 403, "no\n"),
    direct("/empty", 500),
]


@pytest.fixture(scope="module")
def proxy(make_shared):
    return make_shared.proxy(config.bootstrap([config.http_listener(config.virtual_host(*ROUTES))], []))


LOCATIONS = [
    ("/https/a?b", "h.example", 301, "https://h.example/https/a?b"),
    ("/https", "h.example:80", 301, "https://h.example/https"),
    ("/https", "h.example:8080", 301, "https://h.example:8080/https"),
    ("/host/a?b", "h.example", 301, "http://new.example/host/a?b"),
    ("/port", "h.example:80", 301, "http://h.example:8443/port"),
    ("/path/more?q=1", "h.example", 301, "http://h.example/elsewhere?q=1"),
    ("/withquery?q=1", "h.example", 301, "http://h.example/to?own=1"),
    ("/prefix/a?q=1", "h.example", 301, "http://h.example/new/a?q=1"),
    ("/strip?q=1", "h.example", 301, "http://h.example/bare"),
    ("/302", "h.example", 302, "http://h.example/x"),
    ("/303", "h.example", 303, "http://h.example/x"),
    ("/307", "h.example", 307, "http://h.example/x"),
    ("/308", "h.example", 308, "http://h.example/x"),
]


@pytest.mark.parametrize("path, host, status, location", LOCATIONS)
def test_redirect(proxy, path, host, status, location):
    response = get(proxy.port(), path, [("Host", host)])
    assert (response.status, response.get("location"), response.body) == (status, location, b"")


BODIES = [("/200", 200, b"hello"), ("/204", 204, b""), ("/403", 403, b"no\n"), ("/empty", 500, b"")]


@pytest.mark.parametrize("path, status, body", BODIES)
def test_direct_response(proxy, path, status, body):
    response = get(proxy.port(), path)
    assert (response.status, response.body) == (status, body)
    assert response.get("content-type", "text/plain") == "text/plain"
    assert "date" in response and "server" in response


def test_head_gets_the_length_and_no_body(proxy):
    with Client(proxy.port()) as client:
        response = client.request("HEAD", "/200")
        assert (response.status, response.get("content-length")) == (200, "5")
        assert client.get("/200").body == b"hello"


def test_answer_before_the_request_is_complete_ends_the_connection(proxy):
    with Client(proxy.port()) as client:
        client.send(head_bytes("POST", "/200", [("Content-Length", "1000")]) + b"part")
        assert client.response().body == b"hello"
        assert client.is_closed()
    assert proxy.stat("http.ingress.downstream_rq_response_before_rq_complete") == 1


def test_counted(make):
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(*ROUTES))], []))
    for path in ("/302", "/200", "/nothing"):
        get(proxy.port(), path)
    stats = proxy.stats()
    # Measured on Envoy 1.40: a redirect counts as a direct response too.
    names = ("rq_direct_response", "no_route", "downstream_rq_2xx", "downstream_rq_3xx", "downstream_rq_4xx")
    assert [stats.get(f"http.ingress.{name}", 0) for name in names] == [2, 1, 1, 1, 1]


def test_local_reply_mapping(make):
    mapper = {
        "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 404, "runtime_key": "k"}}}},
        "status_code": 418,
        "body": {"inline_string": "nothing here"},
        "headers_to_add": [{"header": {"key": "x-mapped", "value": "yes"}}],
    }
    proxy = make.proxy(
        config.bootstrap([config.http_listener(config.virtual_host(), hcm={"local_reply_config": {"mappers": [mapper]}})], [])
    )
    response = get(proxy.port(), "/nothing")
    assert (response.status, response.body, response.get("x-mapped")) == (418, b"nothing here", "yes")
