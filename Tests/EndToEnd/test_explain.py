"""`apus explain` and `/explain`: the way a request would take, compared with the way it takes."""

import json
import subprocess
import urllib.parse

import pytest

from harness import config, wait
from harness.client import get
from harness.proxy import ROOT, apus_binary

pytestmark = pytest.mark.apus_only


def explain(path, *arguments, code=0):
    done = subprocess.run([apus_binary(), "explain", "-c", str(path), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code != 1 else done.stderr


def document(path, *arguments, code=0):
    return json.loads(explain(path, "--format", "json", *arguments, code=code))


def step(explanation, name):
    return next(one for one in explanation["steps"] if one["step"] == name)


def facts(explanation, name):
    return {fact.get("name", ""): fact["value"] for fact in step(explanation, name).get("facts", [])}


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text((ROOT / "Tests/EndToEnd/data/explain.yaml").read_text())
    return path


def test_the_text_reads_from_top_to_bottom(shop):
    text = explain(shop, "GET", "http://shop.example:8080/cart/1?x=1", "--source", "192.0.2.7")
    lines = text.splitlines()
    assert lines[0] == "GET http://shop.example:8080/cart/1?x=1  from 192.0.2.7"
    for part in (
        "listener   edge (0.0.0.0:8080)",
        "not: admin-only (127.0.0.1:9090): port 9090",
        'chain      filter_chains[0] "plain"',
        'host       virtual host "shop", domains *.example',
        'not: virtual host "api": domains api.example',
        'route      routes[2] "cart" prefix /cart',
        "not: routes[0]: path /health is not /cart/1",
        'not: routes[1]: header x-canary is missing, wanted: "yes"',
        "cluster    cart-v1",
        "weighted cart-v1 95 %, cart-v2 5 %; shown: cart-v1 (--random 0)",
        "priority 0 takes 93 %: 2 of 3 hosts are healthy (x 1.4)",
        "policy ROUND_ROBIN over 3 hosts: 10.1.1.1:80 10.1.1.2:80 10.2.1.1:80",
        "out 10.1.1.3:80: /failed_eds_health",
        "timeout 15 s (the default)",
        "retries 2 on 5xx, per try 2 s (virtual host)",
        "wait below 25 ms at first, then below the double each time, at most 250 ms",
        "hedges an attempt that is late goes on beside the next one (virtual host)",
        "priority DEFAULT connections 1024, pending 1024, requests 7, retries 3",
        "path /v1/cart/1?x=1",
        "host unchanged",
        "10 % to cart-shadow",
        "A host takes it. Hosts are as configured: a running proxy may know better.",
    ):
        assert any(part in line for line in lines), f"{part!r} is missing:\n{text}"
    # Places are lines of the file.
    source = shop.read_text().splitlines()
    place = next(line for line in lines if line.startswith("route ")).split()[-1]
    name, number = place.rsplit(":", 1)
    assert name.endswith("edge.yaml") and "name: cart" in source[int(number) - 1]


def test_what_decides_can_be_changed(shop):
    canary = document(shop, "-H", "x-canary: yes", "GET", "http://shop.example:8080/cart")
    assert step(canary, "route")["taken"]["what"].startswith("routes[1]")
    assert step(canary, "cluster")["taken"]["what"] == "cart-v2"
    other = document(shop, "--random", "97", "GET", "http://shop.example:8080/cart")
    assert step(other, "cluster")["taken"]["what"] == "cart-v2"
    admin = document(shop, "--listener", "admin-only", "GET", "http://anything/")
    assert step(admin, "listener")["taken"]["what"].startswith("admin-only")
    assert admin["outcome"] == "answered" and "200" in admin["reason"]
    # Without a port the first listener with HTTP is shown, and it is said.
    plain = document(shop, "GET", "http://shop.example/cart")
    assert "no listener has port 80" in facts(plain, "listener")[""]


@pytest.mark.parametrize("arguments, reason", [
    (["GET", "http://shop.example:1/"], "no listener has port 1: the connection is refused"),
    (["GET", "http://nobody.test:8080/"], "404: no virtual host has the domain nobody.test:8080"),
    (["GET", "http://shop.example:8080/none"], "404: no route of the virtual host matches"),
    (["GET", "http://api.example:8080/gone"], '404: there is no cluster "not-there"'),
    (["GET", "http://api.example:8080/down"], "503 UH: no host is up, and healthy_panic_threshold 0 forbids the rest"),
    (["GET", "http://api.example:8080/empty"], "503 UH: the cluster has no hosts"),
    (["GET", "https://shop.example:8080/cart"], "this chain speaks plain HTTP, and the client TLS: 400 or a closed connection"),
    (["GET", "http://api.example:8080/named"], "503: the request has no header x-cluster, which names the cluster"),
    (["GET", "http://api.example:8080/%00"], "400: the path cannot be normalized"),
    (["--listener", "nobody", "GET", "http://api.example/"], 'there is no listener "nobody"'),
])  # fmt: skip
def test_what_nobody_takes(shop, arguments, reason):
    explanation = document(shop, *arguments, code=2)
    assert explanation["outcome"] == "failed"
    assert explanation["reason"] == reason


@pytest.mark.parametrize("path, reason", [
    ("/old/x", "301, location: http://api.example:8080/new/x"),
    ("/here", "status 201 (direct_response)"),
])  # fmt: skip
def test_what_the_proxy_answers(shop, path, reason):
    explanation = document(shop, "GET", f"http://api.example:8080{path}")
    assert (explanation["outcome"], explanation["reason"]) == ("answered", reason)


@pytest.mark.parametrize("arguments, sentence", [
    (["GET", "shop.example/cart"], '"shop.example/cart" is not a URL: expected http://HOST[:PORT]/PATH or https://...'),
    (["GET", "ftp://x/"], '"ftp" is not a scheme that can be explained: http and https are'),
    (["GET", "http:///x"], '"http:///x" has no host'),
    (["GET", "http://x:99999/"], '"99999" is not a port'),
    (["G T", "http://x/"], '"G T" is not a method'),
    (["GET", "http://x/a b"], "the URL's path has spaces or control characters: write them as %20"),
    (["-H", "nothing", "GET", "http://x/"], '"nothing" is not a header: expected NAME: VALUE'),
    (["--source", "here", "GET", "http://x/"], '"here" is not an IP address'),
])  # fmt: skip
def test_what_cannot_be_asked(shop, arguments, sentence):
    assert sentence in explain(shop, *arguments, code=1)


def test_a_bad_configuration_is_told(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("static_resources: { clusters: [{ name: a, lb_policy: NONE }] }\n")
    assert f"{path}:1:" in explain(path, "GET", "http://x/", code=1)


LIMITS = """
layered_runtime: {layers: [{name: s, static_layer: {beta: 30, w: {b: 9}, upstream.use_retry: 40}}]}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: x
          use_remote_address: true
          internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}
          route_config:
            request_mirror_policies: [{cluster: b, runtime_fraction: {default_value: {numerator: 1}, runtime_key: beta}}]
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /all}
                route:
                  cluster: a
                  priority: HIGH
                  max_grpc_timeout: 3s
                  internal_redirect_policy: {max_internal_redirects: 4}
                  retry_policy:
                    retry_on: "reset,5xx"
                    num_retries: 3
                    per_try_timeout: 0.5s
                    per_try_idle_timeout: 0.25s
                    retry_back_off: {base_interval: 0.002s, max_interval: 1s}
                    host_selection_retry_max_attempts: 5
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}
              - match: {prefix: /weighted}
                route:
                  weighted_clusters: {runtime_key_prefix: w, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}
              - match: {prefix: /}
                route: {cluster: a, max_stream_duration: {grpc_timeout_header_max: 2s}}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: a
    lb_policy: MAGLEV
    load_balancing_policy:
      policies:
      - typed_extension_config:
          name: envoy.load_balancing_policies.maglev
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev
            consistent_hashing_lb_config: {hash_policy: [{header: {header_name: x-k}}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: {max_stream_duration: 7s}
        explicit_http_config: {http_protocol_options: {}}
    circuit_breakers:
      thresholds: [{priority: HIGH, max_connection_pools: 2, retry_budget: {budget_percent: {value: 12.5}}}]
      per_host_thresholds: [{priority: HIGH, max_connections: 6}]
    load_assignment:
      cluster_name: a
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 10.1.1.1, port_value: 80}}}
        - endpoint: {address: {socket_address: {address: 10.1.1.2, port_value: 80}}}
  - name: b
    load_assignment: {cluster_name: b}
"""
GRPC_CALL = ("-H", "content-type: application/grpc", "-H", "grpc-timeout: 1S")
FROM_INSIDE = ("--source", "10.0.0.1")


@pytest.mark.parametrize("arguments, path, shown", [
    ([], "/all", {
        "timeout": "15 s (the default)",
        "retries": "3 on 5xx,reset, per try 500 ms, idle per try 250 ms",
        "wait": "below 2 ms at first, then below the double each time, at most 1 s",
        "other hosts": "not hosts that were tried, as far as 5 more picks go",
        "redirects": "at most 4 in a row are followed here",
        "longest attempt": "7 s (max_stream_duration of the cluster)",
        "priority HIGH": "connections 1024, pending 1024, requests 1024, pools 2, connections of a host 6, "
                         "retries 12.5 % of the requests, at least 3",
        "upstream.use_retry": "40 % of the repeats that are due",
    }),
    ([*GRPC_CALL], "/all", {"timeout": "1 s (grpc-timeout)"}),
    (["-H", "content-type: application/grpc"], "/all", {"timeout": "3 s (max_grpc_timeout)"}),
    ([*GRPC_CALL], "/", {"timeout": "none", "max_stream_duration": "1 s (grpc-timeout)",
                         "retries": "none; once on another host when there is no connection"}),
    # Who asks for something else must be inside.
    (["-H", "x-envoy-upstream-rq-timeout-ms: 700", *FROM_INSIDE], "/all", {"timeout": "700 ms (x-envoy-upstream-rq-timeout-ms)"}),
    (["-H", "x-envoy-upstream-rq-timeout-ms: 700"], "/all", {"timeout": "15 s (the default)"}),
    (["-H", "x-envoy-retry-on: gateway-error", "-H", "x-envoy-max-retries: 9", "-H", "x-envoy-upstream-rq-per-try-timeout-ms: 40",
      *FROM_INSIDE], "/", {"retries": "9 on gateway-error, per try 40 ms (x-envoy-retry-on)"}),
    (["-H", "x-envoy-retry-on: gateway-error"], "/", {"retries": "none; once on another host when there is no connection"}),
])  # fmt: skip
def test_limits(tmp_path, arguments, path, shown):
    file = tmp_path / "limits.yaml"
    file.write_text(LIMITS)
    told = facts(document(file, *arguments, "GET", f"http://x:8080{path}"), "limits")
    assert {name: told.get(name) for name in shown} == shown


def test_mirrors_of_the_table_and_weights_of_the_runtime(tmp_path):
    file = tmp_path / "limits.yaml"
    file.write_text(LIMITS)
    explanation = document(file, "GET", "http://x:8080/weighted")
    assert facts(explanation, "mirrors") == {"": "30 % to b"}
    assert facts(explanation, "cluster")["weighted"] == "a 10 %, b 90 %; shown: a (--random 0)"


def test_the_hash_of_a_cluster_comes_first(make):
    """The very host, by the cluster's own policies: also when the route has some."""
    origins = [make.origin(lambda connection, request, name=name: connection.reply(name.encode())) for name in "ab"]
    maglev = {"@type": config.TYPE + "extensions.load_balancing_policies.maglev.v3.Maglev",
              "consistent_hashing_lb_config": {"hash_policy": [{"header": {"header_name": "x-k"}}]}}
    policy = {"policies": [{"typed_extension_config": {"name": "envoy.load_balancing_policies.maglev", "typed_config": maglev}}]}
    cluster = config.cluster("origin", *(origin.port for origin in origins), load_balancing_policy=policy)
    route = config.route(hash_policy=[{"header": {"header_name": "x-other"}}])
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(route))], [cluster]))
    names = {f"127.0.0.1:{origin.port}": name for origin, name in zip(origins, "ab")}
    for key in range(8):
        headers = [("x-k", str(key)), ("x-other", str(key + 1))]
        taken = get(proxy.port(), "/", headers=headers).body.decode()
        said = json.loads(live(proxy, url="http://x/", format="json", header=[f"{name}: {value}" for name, value in headers]))
        policy = facts(said, "hosts")["policy"]
        assert names[policy.rsplit(" ", 1)[1]] == taken, policy


CHAINS = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 7000}}
    filter_chains:
    - name: shop
      filter_chain_match: {server_names: [shop.example]}
      filters: &to_a [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: a}}]
    - name: inside
      filter_chain_match: {source_prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}
      filters: *to_a
    default_filter_chain:
      filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 3}]}}}]
    listener_filters: [{name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}]
  clusters:
  - {name: a, load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 1}}}}]}]}}
  - {name: b, lb_policy: MAGLEV, load_assignment: {cluster_name: b, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 1}}}}]}]}}
"""


def test_chains(tmp_path):
    path = tmp_path / "chains.yaml"
    path.write_text(CHAINS)
    named = document(path, "GET", "https://shop.example:7000/")
    assert step(named, "chain")["taken"]["what"] == 'filter_chains[0] "shop"'
    assert step(named, "chain")["rejected"][0]["why"] == "source_prefix_ranges: 10.0.0.0/8"
    inside = document(path, "--source", "10.1.1.1", "--sni", "other.example", "GET", "https://shop.example:7000/")
    assert step(inside, "chain")["taken"]["what"] == 'filter_chains[1] "inside"'
    assert step(inside, "chain")["rejected"][0]["why"] == "server_names: shop.example"
    rest = document(path, "GET", "http://x:7000/")
    assert step(rest, "chain")["taken"]["what"] == "default_filter_chain"
    assert facts(rest, "tcp_proxy")["weighted"] == "a 25 %, b 75 %; shown: b"


def test_subsets_and_zones_are_told():
    chosen = document(ROOT / "examples/subsets.yaml", "-H", "x-tenant: acme", "GET", "http://x/")
    assert facts(chosen, "hosts")["subset"] == "the one that is wanted (wanted: tenant acme, version stable)"
    assert facts(chosen, "hosts")["policy"] == "ROUND_ROBIN over 1 host: 127.0.0.1:9002"
    text = explain(ROOT / "examples/zones.yaml", "GET", "http://x/api")
    assert "zone own eu/eu-1, mode residual, stay_percent 75" in text
    assert "locality eu/eu-2: cross_percent 25" in text
    assert "locality eu/eu-1: weight 90, load_percent 90" in explain(ROOT / "examples/zones.yaml", "GET", "http://x/files")


@pytest.mark.parametrize("policy", ["RING_HASH", "MAGLEV"])
def test_the_host_of_a_hash_is_the_one_that_answers(make, policy):
    origins = [make.origin(lambda connection, request: connection.reply(b"ok")) for _ in range(5)]
    cluster = config.cluster("origin", lb_policy=policy)
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": config.address(o.port)}} for o in origins]}]
    shown = [{"header": {"key": "x-host", "value": "%UPSTREAM_HOST%"}}]
    route = config.route(hash_policy=[{"header": {"header_name": "x-key"}}])
    listener = config.http_listener(config.virtual_host(route, response_headers_to_add=shown))
    proxy = make.proxy(config.bootstrap([listener], [cluster]))
    for key in range(20):
        said = json.loads(live(proxy, url=f"http://x:{proxy.port()}/", header=f"x-key: k{key}", format="json"))
        host = get(proxy.port(), "/", [("x-key", f"k{key}")]).get("x-host")
        assert facts(said, "hosts")["policy"] == f"{policy}: its hash leads to {host}"


def live(proxy, status=200, **parameters):
    query = urllib.parse.urlencode(parameters, doseq=True, quote_via=urllib.parse.quote)
    response = proxy.admin(f"/explain?{query}")
    assert response.status == status, response.body
    return response.body.decode()


def test_a_running_proxy_knows_its_hosts(make):
    """A host that is ejected is out, and it is said why."""
    good = make.origin(lambda connection, request: connection.reply(b"ok"))
    bad = make.origin(lambda connection, request: connection.reply(b"no", status=500))
    detection = {"consecutive_5xx": 2, "max_ejection_percent": 100, "base_ejection_time": "60s"}
    cluster = config.cluster("origin", outlier_detection=detection)
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": config.address(o.port)}} for o in (good, bad)]}]
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [cluster]))
    url = f"http://x:{proxy.port()}/"
    before = json.loads(live(proxy, url=url, format="json"))
    assert before["live"] and "out" not in facts(before, "hosts")
    for _ in range(6):
        get(proxy.port())
    # Main learns of it by a message, and by a look each second should that get lost.
    wait.until(lambda: proxy.stat("cluster.origin.outlier_detection.ejections_active") == 1, "the ejection")
    text = wait.until(lambda: "out 127.0.0.1:" in (told := live(proxy, url=url)) and told, "the host is out")
    assert f"out 127.0.0.1:{bad.port}: /failed_outlier_check, ejected by consecutive_5xx, " in text
    assert f"over 1 host: 127.0.0.1:{good.port}" in text
    assert text.endswith("A host takes it.\n")


def test_spaces_as_forms_send_them(make):
    """curl's --data-urlencode does, too."""
    canary = {"match": {"prefix": "/", "headers": [{"name": "x-canary", "string_match": {"exact": "yes + no"}}]}, "direct_response": {"status": 201}}
    listener = config.http_listener(config.virtual_host(canary, config.route()))
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin().port)]))
    query = urllib.parse.urlencode({"url": f"http://x:{proxy.port()}/", "header": "x-canary: yes + no", "format": "json"})
    assert "x-canary%3A+yes+%2B+no" in query
    said = json.loads(proxy.admin(f"/explain?{query}").body)
    assert said["reason"] == "status 201 (direct_response)"


INTERNAL = {"use_remote_address": True, "internal_address_config": {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}}


@pytest.mark.parametrize("source, sent, status", [("10.0.0.1", [], 201), ("10.0.0.1", ["-H", "x-envoy-internal: false"], 201),
                                                  ("8.8.8.8", [], 202), ("8.8.8.8", ["-H", "x-envoy-internal: true"], 202)])  # fmt: skip
def test_who_is_internal(tmp_path, source, sent, status):
    """`x-envoy-internal` is the proxy's own word."""
    inside = {"match": {"prefix": "/", "headers": [{"name": "x-envoy-internal", "string_match": {"exact": "true"}}]}, "direct_response": {"status": 201}}
    outside = {"match": {"prefix": "/"}, "direct_response": {"status": 202}}
    listener = config.http_listener(config.virtual_host(inside, outside), hcm=INTERNAL)
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(config.bootstrap([listener], [])))
    assert document(path, "GET", "http://x/", "--source", source, *sent)["reason"] == f"status {status} (direct_response)"


@pytest.mark.parametrize("arguments, retries, hedged", [
    ([], "none: no header is one of retriable_request_headers", False),
    (["-H", "x-again: 1"], "3 on 5xx", True),
    (["-H", "x-again: 1", "--source", "10.0.0.1", "-H", "x-envoy-retry-grpc-on: unavailable"], "3 on 5xx,unavailable (x-envoy-retry-grpc-on)", True),
    (["-H", "x-again: 1", "-H", "connection: upgrade", "-H", "upgrade: websocket"], "3 on 5xx", False),
])  # fmt: skip
def test_what_may_be_repeated(tmp_path, arguments, retries, hedged):
    policy = {"retry_on": "5xx", "num_retries": 3, "per_try_timeout": "1s", "retriable_request_headers": [{"name": "x-again", "present_match": True}]}
    route = config.route(retry_policy=policy, hedge_policy={"hedge_on_per_try_timeout": True})
    hcm = {**INTERNAL, "upgrade_configs": [{"upgrade_type": "websocket"}]}
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(config.bootstrap([config.http_listener(config.virtual_host(route), hcm=hcm)], [config.cluster("origin", 1)])))
    limits = facts(document(path, *arguments, "GET", "http://x/"), "limits")
    assert limits["retries"].replace(", per try 1 s", "") == retries
    assert ("hedges" in limits) == hedged


def test_what_the_page_refuses(make):
    proxy = make.proxy(config.simple(make.origin().port))
    assert live(proxy, 400) == "url is required: /explain?url=http://shop.example/cart\n"
    assert "is not a URL" in live(proxy, 400, url="nothing")
    assert "is not a number" in live(proxy, 400, url="http://x/", random="many")
    assert "is not an IP address" in live(proxy, 400, url="http://x/", source="x")
    assert "no listener has port 1" in live(proxy, url="http://x:1/")
