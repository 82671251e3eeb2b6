"""One request through the proxy: what changes on the way there and back, and what does not."""

import json
import re
from email.utils import parsedate_to_datetime

import pytest

from harness import config
from harness.client import Client, get

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[49ab][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def seen_by_origin(response):
    """The header fields that the echoing origin received, by lower-case name."""
    fields = {}
    for name, value in json.loads(response.body)["fields"]:
        fields.setdefault(name.lower(), []).append(value)
    return fields


@pytest.fixture(scope="module")
def edge(make_shared):
    """use_remote_address: an edge proxy."""
    return make_shared.proxy(config.simple(make_shared.origin().port, use_remote_address=True))


@pytest.fixture(scope="module")
def inner(make_shared):
    """Defaults: a proxy behind another one."""
    return make_shared.proxy(config.simple(make_shared.origin().port))


def test_target_method_and_body_arrive_unchanged(inner):
    response = get(inner.port(), "/a%20b/c?d=e&f", method="PUT", body=b"hello \x00\xff")
    assert response.status == 200
    arrived = json.loads(response.body)
    assert (arrived["method"], arrived["target"], arrived["body"]) == ("PUT", "/a%20b/c?d=e&f", "hello \x00\xff")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_methods(inner, method):
    assert json.loads(get(inner.port(), "/", method=method).body)["method"] == method


def test_host_and_plain_fields_are_kept(inner):
    seen = seen_by_origin(get(inner.port(), headers=[("X-One", "1"), ("x-two", "a"), ("X-Two", "b")]))
    assert seen["host"] == ["test.example"]
    assert seen["x-one"] == ["1"]
    assert ",".join(seen["x-two"]).replace(" ", "") == "a,b"


def test_response_gets_server_date_and_service_time(inner):
    response = get(inner.port())
    assert response.get("server") in ("envoy", "apus")
    assert response.get("date").endswith(" GMT") and parsedate_to_datetime(response.get("date"))
    assert response.get("x-envoy-upstream-service-time").isdigit()
    assert response.get("content-type") == "application/json"
    assert "connection" not in response and "transfer-encoding" not in response


def test_origins_server_is_overwritten_and_its_date_kept(make):
    origin = make.origin(
        lambda connection, _: connection.reply(
            b"x", headers=[("Server", "theirs"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")]
        )
    )
    response = get(make.proxy(config.simple(origin.port, server_name="ours")).port())
    assert response.get("server") == "ours"
    assert response.get("date") == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_request_id_is_made_when_absent(inner):
    ids = {seen_by_origin(get(inner.port()))["x-request-id"][0] for _ in range(3)}
    assert len(ids) == 3 and all(UUID4.fullmatch(one) for one in ids)


def test_request_id_is_kept_inside_and_replaced_at_the_edge(inner, edge):
    sent = [("X-Request-Id", "11111111-2222-4333-8444-555555555555")]
    assert seen_by_origin(get(inner.port(), headers=sent))["x-request-id"] == [sent[0][1]]
    at_edge = seen_by_origin(get(edge.port(), headers=sent))["x-request-id"][0]
    assert at_edge != sent[0][1] and UUID4.fullmatch(at_edge)


def test_request_id_is_returned_when_asked_for(make):
    proxy = make.proxy(config.simple(make.origin().port, always_set_request_id_in_response=True))
    response = get(proxy.port())
    assert response.get("x-request-id") == seen_by_origin(response)["x-request-id"][0]


def test_forwarded_fields_at_the_edge(edge):
    seen = seen_by_origin(get(edge.port(), headers=[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https")]))
    assert seen["x-forwarded-for"][0].replace(" ", "").startswith("1.2.3.4,")
    assert seen["x-forwarded-proto"] == ["http"]


def test_forwarded_fields_inside(inner):
    seen = seen_by_origin(get(inner.port(), headers=[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https")]))
    assert seen["x-forwarded-for"] == ["1.2.3.4"]
    assert seen["x-forwarded-proto"] == ["https"]


@pytest.mark.parametrize(
    "name", ["x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-upstream-rq-timeout-ms", "x-envoy-internal"]
)
def test_edge_removes_what_only_internal_callers_may_say(edge, name):
    assert name not in seen_by_origin(get(edge.port(), headers=[(name, "1")]))


def test_hop_by_hop_request_fields_end_here(inner):
    sent = [("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "gzip")]
    seen = seen_by_origin(get(inner.port(), headers=sent))
    assert not {"connection", "keep-alive", "proxy-connection", "te"} & seen.keys()


def test_hop_by_hop_response_fields_end_here(make):
    origin = make.origin(
        lambda connection, _: connection.reply(
            b"x", headers=[("Keep-Alive", "timeout=5"), ("Connection", "keep-alive"), ("Proxy-Connection", "x")]
        )
    )
    with make.proxy(config.simple(origin.port)).connect() as client:
        response = client.get()
        assert not {"keep-alive", "connection", "proxy-connection"} & {name.lower() for name, _ in response.fields}
        assert client.get().status == 200


def test_absolute_target_replaces_host(inner):
    with Client(inner.port()) as client:
        client.send(b"GET http://other.example/p?q HTTP/1.1\r\nHost: ignored.example\r\n\r\n")
        response = client.response()
    assert seen_by_origin(response)["host"] == ["other.example"]
    assert json.loads(response.body)["target"] == "/p?q"


def test_round_robin_over_three_origins(make):
    origins = [make.origin(name=f"o{index}") for index in range(3)]
    proxy = make.proxy(
        config.bootstrap(
            [config.http_listener(config.virtual_host(config.route()))],
            [config.cluster("origin", *(origin.port for origin in origins))],
        )
    )
    with proxy.connect() as client:
        names = [json.loads(client.get().body)["origin"] for _ in range(30)]
    assert {name: names.count(name) for name in names} == {"o0": 10, "o1": 10, "o2": 10}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_every_worker_serves(make, concurrency):
    proxy = make.proxy(config.simple(make.origin().port), concurrency=concurrency)
    port = proxy.port()
    assert all(get(port).status == 200 for _ in range(40))
    assert proxy.stat("http.ingress.downstream_rq_2xx") == 40
