"""request_headers_to_add and friends, at every level, with format operators."""

import json

import pytest

from harness import config
from harness.client import get


def add(key, value, action=None):
    entry = {"header": {"key": key, "value": value}}
    if action:
        entry["append_action"] = action
    return entry


def level(name, **fields):
    """The same mutations at one level: an appended, an overwritten and an if-absent field."""
    entries = [
        add("x-append", name),
        add("x-overwrite", name, "OVERWRITE_IF_EXISTS_OR_ADD"),
        add("x-absent", name, "ADD_IF_ABSENT"),
    ]
    return {"request_headers_to_add": entries, "response_headers_to_add": entries, **fields}


@pytest.fixture(scope="module")
def proxy(make_shared):
    origin = make_shared.origin(
        lambda connection, request: connection.reply(
            json.dumps(request.fields).encode(), headers=[("x-remove-me", "1"), ("x-from-origin", "2")]
        )
    )
    operators = {
        "request_headers_to_add": [
            add("x-method", "%REQ(:METHOD)%"),
            add("x-path", "%REQ(:PATH)%"),
            add("x-percent", "100%%"),
            add("x-agent", "%REQ(X-NONE?USER-AGENT)%"),
            add("x-protocol", "%PROTOCOL%"),
            add("x-peer", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
            add("x-long", "%REQ(X-LONG-ONE):3%"),
        ],
        "response_headers_to_add": [add("x-cluster", "%UPSTREAM_CLUSTER%"), add("x-code", "%RESPONSE_CODE%")],
    }
    routes = [
        config.route("/levels", route_fields=level("route")),
        config.route("/operators", route_fields=operators),
        config.route("/remove", route_fields={"request_headers_to_remove": ["x-secret"], "response_headers_to_remove": ["x-remove-me"]}),
    ]
    listener = config.http_listener(config.virtual_host(*routes, **level("host")), routes=level("table"))
    return make_shared.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))


def request_fields(response):
    fields = {}
    for name, value in json.loads(response.body):
        fields.setdefault(name.lower(), []).append(value)
    return fields


def test_levels_apply_from_the_inside_out(proxy):
    response = get(proxy.port(), "/levels")
    seen = request_fields(response)
    assert seen["x-append"] == ["route", "host", "table"]
    assert seen["x-overwrite"] == ["table"]
    assert seen["x-absent"] == ["route"]
    assert response.values("x-append") == ["route", "host", "table"]
    assert response.values("x-overwrite") == ["table"]
    assert response.values("x-absent") == ["route"]


def test_existing_fields(proxy):
    seen = request_fields(get(proxy.port(), "/levels", [("X-Append", "sent"), ("X-Overwrite", "sent"), ("X-Absent", "sent")]))
    assert seen["x-append"] == ["sent", "route", "host", "table"]
    assert seen["x-overwrite"] == ["table"]
    assert seen["x-absent"] == ["sent"]


def test_operators(proxy):
    response = get(proxy.port(), "/operators?a", [("User-Agent", "tester"), ("X-Long-One", "abcdef")])
    seen = request_fields(response)
    assert seen["x-method"] == ["GET"]
    assert seen["x-path"] == ["/operators?a"]
    assert seen["x-percent"] == ["100%"]
    assert seen["x-agent"] == ["tester"]
    assert seen["x-protocol"] == ["HTTP/1.1"]
    assert seen["x-peer"] == ["127.0.0.1"]
    assert seen["x-long"] == ["abc"]
    assert (response.get("x-cluster"), response.get("x-code")) == ("origin", "200")


def test_removal(proxy):
    response = get(proxy.port(), "/remove", [("X-Secret", "1"), ("x-SECRET", "2"), ("X-Public", "3")])
    seen = request_fields(response)
    assert "x-secret" not in seen and seen["x-public"] == ["3"]
    assert "x-remove-me" not in response and response.get("x-from-origin") == "2"


def test_most_specific_wins(make):
    origin = make.origin(lambda connection, request: connection.reply(json.dumps(request.fields).encode()))
    listener = config.http_listener(
        config.virtual_host(config.route(route_fields=level("route")), **level("host")),
        routes=level("table", most_specific_header_mutations_wins=True),
    )
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))
    seen = request_fields(get(proxy.port()))
    assert seen["x-append"] == ["table", "host", "route"]
    assert seen["x-overwrite"] == ["route"]
