"""Hash policies: what a request's hash is made of, and the cookies that they make. Runs on Envoy too.

The hash shows in the cluster that a weighted route chooses by it.
"""

import re

import pytest

from harness import config, http2
from harness.client import Client, get
from harness.hashing import chained, combined, xxh64
from harness.origin import free_port

# A prime's multiple, so that all bits of a hash take part.
CLUSTERS, WEIGHT = 10, 10007


def header(name, **fields):
    return {"header": {"header_name": name, **fields}}


def cookie(name, **fields):
    return {"cookie": {"name": name, **fields}}


SOURCE_IP = {"connection_properties": {"source_ip": True}}
REWRITE = {"pattern": {"regex": "^([a-z]+)-.*$"}, "substitution": "\\1"}
QUERY = {"query_parameter": {"name": "k"}}


def terminal(policy):
    return {**policy, "terminal": True}


# Name: policies, what is asked, and the hashes that are combined (none: a random number counts).
ROWS = {
    "header": ([header("x-key")], "", [("x-key", "abc")], [xxh64("abc")]),
    "name-in-upper-case": ([header("X-KEY")], "", [("x-Key", "abc")], [xxh64("abc")]),
    "empty-header": ([header("x-key")], "", [("x-key", "")], [xxh64("")]),
    "long-header": ([header("x-key")], "", [("x-key", "long " * 40)], [xxh64(("long " * 40).strip())]),
    "no-header": ([header("x-key")], "", [("x-keys", "abc")], []),
    "values": ([header("x-key")], "", [("x-key", "b"), ("x-key", "a"), ("x-key", "ab")], [chained(["a", "ab", "b"])]),
    "values-in-order": ([header("x-key")], "", [("x-key", "a"), ("x-key", "ab"), ("x-key", "b")], [chained(["a", "ab", "b"])]),
    "equal-values": ([header("x-key")], "", [("x-key", "a"), ("x-key", "a")], [chained(["a", "a"])]),
    "list": ([header("x-key")], "", [("x-key", "b, a")], [xxh64("b, a")]),
    "host": ([header("host")], "", [("Host", "shop.example:80")], [xxh64("shop.example:80")]),
    "authority": ([header(":authority")], "", [("Host", "shop.example")], [xxh64("shop.example")]),
    "method": ([header(":method")], "", [], [xxh64("GET")]),
    "rewrite": ([header("x-key", regex_rewrite=REWRITE)], "", [("x-key", "user-42")], [xxh64("user")]),
    "rewrite-does-not-match": ([header("x-key", regex_rewrite=REWRITE)], "", [("x-key", "42")], [xxh64("42")]),
    "cookie": ([cookie("c")], "", [("Cookie", "b=1; c=2; d=3")], [xxh64("2")]),
    "cookie-in-quotes": ([cookie("c")], "", [("Cookie", 'c="2"')], [xxh64("2")]),
    "cookie-with-spaces": ([cookie("c")], "", [("Cookie", "c= 2 ; d=1")], [xxh64(" 2 ")]),
    "cookie-twice": ([cookie("c")], "", [("Cookie", "c=1; c=2")], [xxh64("1")]),
    "cookie-fields": ([cookie("c")], "", [("Cookie", "b=0"), ("Cookie", "c=1"), ("Cookie", "c=2")], [xxh64("1")]),
    "cookie-with-equals": ([cookie("c")], "", [("Cookie", "c=a=b")], [xxh64("a=b")]),
    "cookie-of-other-name": ([cookie("c")], "", [("Cookie", "cc=1; C=2; x=c=3; c")], []),
    "empty-cookie": ([cookie("c")], "", [("Cookie", "c=")], []),
    "cookie-is-there": ([cookie("c", ttl="9s")], "", [("Cookie", "c=1")], [xxh64("1")]),
    "source-ip": ([SOURCE_IP], "", [], [xxh64("127.0.0.1")]),
    "forwarded": ([SOURCE_IP], "", [("X-Forwarded-For", "203.0.113.9")], [xxh64("203.0.113.9")]),
    "forwarded-ipv6": ([SOURCE_IP], "", [("X-Forwarded-For", "2001:DB8:0:0::1")], [xxh64("2001:db8::1")]),
    "query": ([QUERY], "?a=1&k=2&k=3", [], [xxh64("2")]),
    "empty-query": ([QUERY], "?k=", [], [xxh64("")]),
    "query-without-value": ([QUERY], "?a&k&b", [], [xxh64("")]),
    "query-is-not-decoded": ([QUERY], "?k=%31+1", [], [xxh64("%31+1")]),
    "no-query": ([QUERY], "?kk=1&K=2&a=k", [], []),
    "several": ([header("a"), header("b"), QUERY], "?k=3", [("b", "2"), ("a", "1")], [xxh64("1"), xxh64("2"), xxh64("3")]),
    "absent-ones": ([header("x"), header("a"), header("x"), header("b")], "", [("a", "1"), ("b", "2")], [xxh64("1"), xxh64("2")]),
    "the-same-twice": ([header("a"), header("a")], "", [("a", "1")], [xxh64("1"), xxh64("1")]),
    "terminal": ([terminal(header("a")), header("b")], "", [("a", "1"), ("b", "2")], [xxh64("1")]),
    "terminal-without-value": ([terminal(header("a")), header("b")], "", [("b", "2")], [xxh64("2")]),
    "terminal-after-a-value": ([header("b"), terminal(header("x")), header("a")], "", [("a", "1"), ("b", "2")], [xxh64("2")]),
}  # fmt: skip


def name_of(cluster):
    return lambda connection, request: connection.reply(cluster.encode())


def weighted(prefix, policies, **fields):
    clusters = {"clusters": [{"name": f"c{i}", "weight": WEIGHT} for i in range(CLUSTERS)], "use_hash_policy": True}
    return {"match": {"prefix": prefix}, "route": {"weighted_clusters": clusters, "hash_policy": policies}, **fields}


def weighted_proxy(make, *routes, script=name_of, host=None, **hcm):
    origins = [make.origin(script(f"c{i}")) for i in range(CLUSTERS)]
    listener = config.http_listener(config.virtual_host(*routes, **(host or {})), hcm=hcm)
    clusters = [config.cluster(f"c{i}", origin.port) for i, origin in enumerate(origins)]
    return make.proxy(config.bootstrap([listener], clusters))


def cluster_of(hashes):
    return f"c{combined(hashes) % (CLUSTERS * WEIGHT) // WEIGHT}".encode()


@pytest.fixture(scope="module")
def proxy(make_shared):
    return weighted_proxy(make_shared, *(weighted(f"/{name}/", row[0]) for name, row in ROWS.items()))


@pytest.mark.parametrize("name", ROWS)
def test_value(proxy, name):
    _, query, headers, hashes = ROWS[name]
    got = {get(proxy.port(), f"/{name}/{query}", headers).body for _ in range(3 if hashes else 40)}
    if hashes:
        assert got == {cluster_of(hashes)}
    else:
        assert len(got) > 3, "random numbers name more than one cluster"


def test_many_keys(proxy):
    with Client(proxy.port()) as client:
        for key in range(300):
            assert client.get("/header/", [("x-key", str(key))]).body == cluster_of([xxh64(str(key))])


def test_http2_cookie_crumbs(make):
    proxy = weighted_proxy(make, weighted("/", [cookie("c")]), codec_type="HTTP2")
    with http2.Client(proxy.port()) as client:
        response = client.get("/", [("cookie", "a=1"), ("cookie", "c=2"), ("cookie", "c=3")])
    assert bytes(response.body) == cluster_of([xxh64("2")])


# Cookies that the proxy makes. Envoy makes none for the choice of a cluster.

MADE = r'c="([0-9a-f]{16})"'


@pytest.mark.apus_only
@pytest.mark.parametrize("fields, tail", [
    ({"ttl": "10.9s", "path": "/p", "attributes": [{"name": "Secure"}, {"name": "SameSite", "value": "Lax"}]},
     "; Max-Age=10; Path=/p; Secure; SameSite=Lax; HttpOnly"),
    ({"ttl": "0s"}, "; HttpOnly"),
    ({"ttl": "3600s"}, "; Max-Age=3600; HttpOnly"),
])  # fmt: skip
def test_cookie_is_made(make, fields, tail):
    proxy = weighted_proxy(make, weighted("/", [cookie("c", **fields)]))
    with Client(proxy.port()) as client:
        first = client.get("/")
        found = re.fullmatch(MADE + re.escape(tail), first.get("set-cookie"))
        assert found, first.get("set-cookie")
        assert first.body == cluster_of([xxh64(found[1])])
        # Of the connection: whoever has not got it yet gets the same.
        assert client.get("/").get("set-cookie") == first.get("set-cookie")
    # Another connection: the session stays.
    second = get(proxy.port(), headers=[("Cookie", f'x=1; c="{found[1]}"')])
    assert second.body == first.body
    assert second.get("set-cookie") is None
    others = {get(proxy.port()).get("set-cookie") for _ in range(5)}
    assert len(others) == 5, "connections have cookies of their own"


@pytest.mark.apus_only
def test_cookie_that_nobody_wants(make):
    policies = [terminal(header("x-key")), cookie("c", ttl="9s")]
    proxy = weighted_proxy(make, weighted("/", policies))
    assert get(proxy.port(), headers=[("x-key", "1")]).get("set-cookie") is None
    assert get(proxy.port()).get("set-cookie") is not None


@pytest.mark.apus_only
def test_two_cookies(make):
    proxy = weighted_proxy(make, weighted("/", [cookie("a", ttl="1s"), cookie("b", ttl="2s")]))
    made = get(proxy.port()).values("set-cookie")
    assert [re.sub('"[0-9a-f]{16}"', "V", value) for value in made] == ["a=V; Max-Age=1; HttpOnly", "b=V; Max-Age=2; HttpOnly"]


@pytest.mark.apus_only
def test_cookie_beside_those_of_the_host(make):
    def script(name):
        return lambda connection, request: connection.reply(b"", headers=[("set-cookie", "own=1"), ("set-cookie", "own=2")])

    proxy = weighted_proxy(make, weighted("/", [cookie("c", ttl="0s")]), script=script)
    made = get(proxy.port()).values("set-cookie")
    assert [value.split("=")[0] for value in made] == ["own", "own", "c"]


@pytest.mark.apus_only
def test_cookie_is_set_once_when_attempts_repeat(make):
    def script(name):
        seen = []

        def answer(connection, request):
            seen.append(request)
            connection.reply(name.encode(), status="200 OK" if len(seen) == 3 else "503 Busy")

        return answer

    route = weighted("/", [cookie("c", ttl="0s")])
    route["route"]["retry_policy"] = {"retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s"}}
    proxy = weighted_proxy(make, route, script=script)
    response = get(proxy.port())
    assert response.status == 200
    assert re.fullmatch(MADE + "; HttpOnly", response.get("set-cookie"))


@pytest.mark.apus_only
def test_cookie_is_removed_by_the_route(make):
    proxy = weighted_proxy(make, weighted("/", [cookie("c", ttl="0s")], response_headers_to_remove=["set-cookie"]))
    assert get(proxy.port()).get("set-cookie") is None


@pytest.mark.apus_only
def test_replies_of_the_proxy_have_no_cookie(make):
    route = {"match": {"prefix": "/"}, "route": {
        "weighted_clusters": {"clusters": [{"name": "gone", "weight": 1}], "use_hash_policy": True},
        "hash_policy": [cookie("c", ttl="9s")],
    }}  # fmt: skip
    listener = config.http_listener(config.virtual_host(route))
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("gone", free_port())]))
    response = get(proxy.port())
    assert response.status == 503
    assert response.get("set-cookie") is None
