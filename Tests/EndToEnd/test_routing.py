"""Which route takes a request, and where it leads."""

import json

import pytest

from harness import config
from harness.client import get


def to(name, match, **action):
    return {"match": match, "direct_response": {"status": 200, "body": {"inline_string": name}}, **action}


def contains(name, value):
    return {"name": name, "string_match": {"contains": value}}


ROUTES = [
    to("exact path", {"path": "/exact"}),
    to("prefix with slash", {"path_separated_prefix": "/sep"}),
    to("regex", {"safe_regex": {"regex": "/user/[0-9]+"}}),
    to("no case", {"prefix": "/NoCase", "case_sensitive": False}),
    to("header exact", {"prefix": "/h", "headers": [{"name": "x-kind", "string_match": {"exact": "a"}}]}),
    to("header prefix", {"prefix": "/h", "headers": [{"name": "x-kind", "string_match": {"prefix": "pre"}}]}),
    to("header range", {"prefix": "/h", "headers": [{"name": "x-number", "range_match": {"start": 1, "end": 10}}]}),
    to("header regex", {"prefix": "/h", "headers": [{"name": "x-re", "string_match": {"safe_regex": {"regex": "a+b"}}}]}),
    to("header contains", {"prefix": "/h", "headers": [contains("x-list", "needle")]}),
    to("method", {"prefix": "/h", "headers": [{"name": ":method", "string_match": {"exact": "DELETE"}}]}),
    to("header present", {"prefix": "/h", "headers": [{"name": "x-here", "present_match": True}]}),
    to("header not", {"prefix": "/h", "headers": [{"name": "x-not", "string_match": {"exact": "a"}, "invert_match": True}]}),
    to("header absent", {"prefix": "/h", "headers": [{"name": "x-absent", "present_match": False}]}),
    to("query exact", {"prefix": "/q", "query_parameters": [{"name": "k", "string_match": {"exact": "v"}}]}),
    to("query present", {"prefix": "/q", "query_parameters": [{"name": "there", "present_match": True}]}),
    to("first of two", {"prefix": "/order/longer"}),
    to("second of two", {"prefix": "/order"}),
]


@pytest.fixture(scope="module")
def table(make_shared):
    hosts = [
        config.virtual_host(*ROUTES, name="routes", domains=["routes.example"]),
        config.virtual_host(to("host exact", {"prefix": "/"}), name="a", domains=["www.foo.com", "with-port.com:8080"]),
        config.virtual_host(to("suffix long", {"prefix": "/"}), name="b", domains=["*.bar.foo.com"]),
        config.virtual_host(to("suffix short", {"prefix": "/"}), name="c", domains=["*.foo.com", "*-x.foo.com"]),
        config.virtual_host(to("prefix host", {"prefix": "/"}), name="d", domains=["foo.*"]),
    ]
    return make_shared.proxy(config.bootstrap([config.http_listener(*hosts)], []))


PATHS = [
    ("/exact", "exact path"),
    ("/exact?query=1", "exact path"),
    ("/exact/", None),
    ("/Exact", None),
    ("/sep", "prefix with slash"),
    ("/sep/x", "prefix with slash"),
    ("/sep?x", "prefix with slash"),
    ("/separate", None),
    ("/user/17", "regex"),
    ("/user/17?q=a", "regex"),
    ("/user/17/x", None),
    ("/nocase/1", "no case"),
    ("/q?k=v", "query exact"),
    ("/q?k=w&k=v", None),
    ("/q?a=b&k=v", "query exact"),
    ("/q?there", "query present"),
    ("/q?there=", "query present"),
    ("/q?k=w", None),
    ("/order/longer", "first of two"),
    ("/order/short", "second of two"),
    ("/nothing", None),
]


@pytest.mark.parametrize("path, want", PATHS)
def test_path_and_query(table, path, want):
    check(get(table.port(), path, [("Host", "routes.example")]), want)


HEADERS = [
    ([("x-kind", "a")], "header exact"),
    ([("X-Kind", "a")], "header exact"),
    ([("x-kind", "prefix")], "header prefix"),
    ([("x-number", "1")], "header range"),
    ([("x-number", "9"), ("x-absent", "")], "header range"),
    ([("x-number", "10"), ("x-absent", "")], None),
    ([("x-number", "nine"), ("x-absent", "")], None),
    ([("x-re", "aaab")], "header regex"),
    ([("x-re", "aaabc"), ("x-absent", "")], None),
    ([("x-list", "hay"), ("x-list", "needle")], "header contains"),
    ([("x-here", "")], "header present"),
    ([("x-not", "b")], "header not"),
    ([("x-not", "a"), ("x-absent", "1")], None),
    ([], "header absent"),
]


@pytest.mark.parametrize("headers, want", HEADERS, ids=str)
def test_headers(table, headers, want):
    check(get(table.port(), "/h", [("Host", "routes.example"), *headers]), want)


def test_method(table):
    check(get(table.port(), "/h", [("Host", "routes.example")], method="DELETE"), "method")


HOSTS = [
    ("www.foo.com", "host exact"),
    ("WWW.Foo.COM", "host exact"),
    ("www.foo.com:80", None),
    ("with-port.com:8080", "host exact"),
    ("with-port.com", None),
    ("a.bar.foo.com", "suffix long"),
    ("a.foo.com", "suffix short"),
    ("a-x.foo.com", "suffix short"),
    (".foo.com", None),
    ("foo.org", "prefix host"),
    ("foo.", None),
    ("elsewhere.net", None),
]


@pytest.mark.parametrize("host, want", HOSTS)
def test_virtual_host(table, host, want):
    check(get(table.port(), "/", [("Host", host)]), want)


def check(response, want):
    if want is None:
        assert (response.status, response.body) == (404, b"")
    else:
        assert (response.status, response.body.decode()) == (200, want)


def test_port_can_be_ignored(make):
    host = config.virtual_host(to("yes", {"prefix": "/"}), domains=["a.example"])
    listener = config.http_listener(host, routes={"ignore_port_in_host_matching": True})
    port = make.proxy(config.bootstrap([listener], [])).port()
    check(get(port, "/", [("Host", "a.example:81")]), "yes")


def test_rewrites_reach_the_origin(make):
    routes = [
        config.route("/prefix", prefix_rewrite="/new"),
        config.route("/host", host_rewrite_literal="new.example"),
        config.route("/from-header", host_rewrite_header="x-host"),
        config.route("/regex", regex_rewrite={"pattern": {"regex": "^/regex/(.*)/(.*)$"}, "substitution": "/\\2/\\1"}),
    ]
    origin = make.origin()
    listener = config.http_listener(config.virtual_host(*routes))
    port = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)])).port()

    def arrived(path, headers=()):
        seen = json.loads(get(port, path, headers).body)
        return seen["target"], {name.lower(): value for name, value in seen["fields"]}

    target, fields = arrived("/prefix/x?y=z")
    assert target == "/new/x?y=z" and fields["x-envoy-original-path"] == "/prefix/x?y=z"
    assert arrived("/host")[1]["host"] == "new.example"
    assert arrived("/from-header", [("X-Host", "theirs.example")])[1]["host"] == "theirs.example"
    assert arrived("/regex/one/two?q")[0] == "/two/one?q"


def test_weighted_clusters_share_by_weight(make):
    names = ("heavy", "light", "none")
    origins = {name: make.origin(name=name) for name in names}
    weights = [{"name": name, "weight": weight} for name, weight in zip(names, (80, 20, 0))]
    split = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weights}}}
    proxy = make.proxy(
        config.bootstrap(
            [config.http_listener(config.virtual_host(split))],
            [config.cluster(name, origins[name].port) for name in names],
        )
    )
    with proxy.connect() as client:
        for _ in range(600):
            assert client.get().status == 200
    assert origins["none"].requests_total == 0
    assert 420 < origins["heavy"].requests_total < 540  # 480 expected, six standard deviations either way
    assert origins["heavy"].requests_total + origins["light"].requests_total == 600


def test_cluster_header(make):
    origin = make.origin()
    by_header = {"match": {"prefix": "/"}, "route": {"cluster_header": "x-cluster"}}
    listener = config.http_listener(config.virtual_host(by_header))
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))
    assert get(proxy.port(), headers=[("x-cluster", "origin")]).status == 200
    assert get(proxy.port(), headers=[("x-cluster", "unknown")]).status == 503
    assert get(proxy.port()).status == 503
    assert proxy.stat("http.ingress.no_cluster") == 2


def test_a_disabled_filter_is_off_without_a_route(make):
    """`disabled: true` holds where no route says otherwise: also for requests that no route takes."""
    abort = {"abort": {"http_status": 418, "percentage": {"numerator": 100}}}
    filters = config.http_filters(("abort", "fault.v3.HTTPFault", abort))
    filters[0]["disabled"] = True
    switched_on = {"abort": {"@type": config.TYPE + "extensions.filters.http.fault.v3.HTTPFault", **abort}}
    hosts = [
        config.virtual_host(config.route("/on", route_fields={"typed_per_filter_config": switched_on}), config.route("/off"), domains=["a"]),
        config.virtual_host(config.route(), name="secure", domains=["b"], require_tls="ALL"),
    ]
    listener = config.http_listener(*hosts, hcm={"http_filters": filters})
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin().port)]))

    def status(host, path):
        return get(proxy.port(), path, headers=[("Host", host)]).status

    assert [status("a", path) for path in ("/on", "/off", "/none")] == [418, 200, 404]
    assert [status("nobody", "/on"), status("b", "/on")] == [404, 301]
