"""Mirrors: what a copy is, where it goes, and that nobody notices what becomes of it. Runs on Envoy too."""

import subprocess
import threading

import pytest

from harness import config, http2, wait
from harness.client import Client, get
from harness.example import example
from harness.origin import free_port
from harness.proxy import apus_binary


class Seen:
    """Answers each request with the same, and remembers them."""

    def __init__(self, body=b"main", status="200 OK", headers=()):
        self.answer, self.requests, self.lock = (body, status, headers), [], threading.Lock()

    def __call__(self, connection, request):
        with self.lock:
            self.requests.append(request)
        body, status, headers = self.answer
        connection.reply(body, status=status, headers=headers)

    def until(self, count):
        wait.until(lambda: len(self.requests) >= count, f"{count} requests")
        assert len(self.requests) == count
        return self.requests


class HTTP2Seen(Seen):
    def __call__(self, server, request):
        with self.lock:
            self.requests.append(request)
        server.reply(request.stream, b"copy", status=200)


class Setup:
    """A route to `main`, and copies to `copy`."""

    def __init__(self, make, *policies, copy=None, main=None, hcm=None, host=None, table=None, mirror=None, action=None, ports=None):
        self.main, self.copy = main or Seen(), copy or Seen(b"copy" * 1000, "500 Bad")
        action = {**(action or {}), **({"request_mirror_policies": list(policies)} if policies else {})}
        hcm = dict(hcm or {})
        if table:
            hosts = config.virtual_host(config.route(**action), **(host or {}))
            hcm["route_config"] = {"name": "routes", "virtual_hosts": [hosts], **table}
        listener = config.http_listener(config.virtual_host(config.route(**action), **(host or {})), hcm=hcm)
        clusters = [
            config.cluster("origin", make.origin(self.main).port),
            config.cluster("copies", *(ports or [make.origin(self.copy).port]), **(mirror or {})),
        ]
        self.proxy = make.proxy(config.bootstrap([listener], clusters))

    def get(self, path="/", **options):
        return get(self.proxy.port(), path, **options)

    def stats(self, *names, cluster="copies"):
        return [self.proxy.stat(f"cluster.{cluster}.{name}") for name in names]

    def until_stats(self, **values):
        wait.until(lambda: self.stats(*values) == list(values.values()), f"{values}")

    def settled(self):
        """Nothing of a copy is left."""
        self.until_stats(upstream_rq_active=0, upstream_rq_pending_active=0)


# What a copy is


def test_a_copy_goes_elsewhere(make):
    setup = Setup(make, {"cluster": "copies"})
    response = setup.get("/a?b=c", headers=[("x-a", "1"), ("x-a", "2")])
    assert (response.status, response.body) == (200, b"main")
    [original], [copy] = setup.main.until(1), setup.copy.until(1)
    assert copy.start == original.start == "GET /a?b=c HTTP/1.1"
    assert copy.values("x-a") == original.values("x-a")
    assert copy.get("x-request-id") == original.get("x-request-id")
    assert copy.get("host") == "test.example-shadow"
    assert (copy.get("x-envoy-internal"), original.get("x-envoy-internal")) == ("true", None)
    assert copy.get("x-envoy-expected-rq-timeout-ms") == "15000"
    # The proxy is one hop more, and not this machine's loopback address.
    assert original.get("x-forwarded-for") is None
    assert copy.get("x-forwarded-for") and not copy.get("x-forwarded-for").startswith("127.")
    setup.until_stats(upstream_rq_500=1)
    assert setup.stats("upstream_rq_total", "upstream_rq_5xx", "upstream_rq_completed", "upstream_cx_total") == [1, 1, 1, 1]
    assert setup.stats("upstream_rq_total", "upstream_rq_200", "upstream_rq_5xx", cluster="origin") == [1, 1, 0]
    assert setup.proxy.stat("http.ingress.downstream_rq_2xx") == 1
    setup.settled()


@pytest.mark.parametrize("host, copy", [
    ("a.example", "a.example-shadow"), ("a.example:81", "a.example-shadow:81"), ("[::1]", "[::1]-shadow"),
    ("[::1]:81", "[::1]-shadow:81"), ("10.0.0.1:1", "10.0.0.1-shadow:1"),
])  # fmt: skip
def test_the_host_says_so(make, host, copy):
    setup = Setup(make, {"cluster": "copies"})
    setup.get(headers=[("Host", host)])
    assert setup.copy.until(1)[0].get("host") == copy
    assert setup.main.until(1)[0].get("host") == host


@pytest.mark.parametrize("fields, host", [
    ({"disable_shadow_host_suffix_append": True}, "test.example"),
    ({"host_rewrite_literal": "copy.example:90"}, "copy.example:90"),
    ({"host_rewrite_literal": "copy.example", "disable_shadow_host_suffix_append": True}, "copy.example"),
])  # fmt: skip
def test_another_host(make, fields, host):
    setup = Setup(make, {"cluster": "copies", **fields})
    setup.get()
    assert setup.copy.until(1)[0].get("host") == host
    assert setup.main.until(1)[0].get("host") == "test.example"


def test_headers_of_the_copy(make):
    def append(name, value, action="APPEND_IF_EXISTS_OR_ADD"):
        return {"append": {"header": {"key": name, "value": value}, "append_action": action}}

    mutations = [
        append("x-copy", "%REQ(x-a)% of %REQ(:authority)%"), {"remove": "x-a"}, append("x-b", "new", "OVERWRITE_IF_EXISTS_OR_ADD"),
        append("x-absent", "%REQ(x-a)%"), {"remove": "x-envoy-internal"}, {"remove": "x-envoy-expected-rq-timeout-ms"},
        append("x-forwarded-for", "192.0.2.77"),
    ]  # fmt: skip
    setup = Setup(make, {"cluster": "copies", "request_headers_mutations": mutations})
    setup.get(headers=[("x-a", "1"), ("x-b", "2"), ("x-forwarded-for", "192.0.2.1")])
    [copy], [original] = setup.copy.until(1), setup.main.until(1)
    assert copy.get("x-copy") == "1 of test.example"
    assert (copy.get("x-a"), copy.get("x-b"), copy.get("x-absent")) == (None, "new", None)
    # The proxy's own headers come after the changes.
    assert (copy.get("x-envoy-internal"), copy.get("x-envoy-expected-rq-timeout-ms")) == ("true", "15000")
    hops = [hop.strip() for value in copy.values("x-forwarded-for") for hop in value.split(",")]
    assert hops[:2] == ["192.0.2.1", "192.0.2.77"] and len(hops) == 3
    assert (original.get("x-a"), original.get("x-b"), original.get("x-copy")) == ("1", "2", None)
    assert original.get("x-forwarded-for") == "192.0.2.1"


def test_the_copy_is_what_the_host_gets(make):
    """The route's changes are in it; an attempt's own time is not."""
    policy = {"retry_on": "5xx", "per_try_timeout": "2s"}
    action = {"prefix_rewrite": "/new", "host_rewrite_literal": "new.example", "timeout": "7s", "retry_policy": policy}
    host = {"include_request_attempt_count": True}
    setup = Setup(make, {"cluster": "copies"}, action=action, host=host)
    setup.get("/old", headers=[("x-envoy-retry-on", "5xx")])
    [copy], [original] = setup.copy.until(1), setup.main.until(1)
    assert copy.target == original.target == "/newold"
    assert (copy.get("host"), original.get("host")) == ("new.example-shadow", "new.example")
    assert copy.get("x-envoy-original-path") == "/old"
    assert copy.get("x-envoy-attempt-count") == "1"
    assert copy.get("x-envoy-retry-on") is None
    assert (copy.get("x-envoy-expected-rq-timeout-ms"), original.get("x-envoy-expected-rq-timeout-ms")) == ("7000", "2000")


@pytest.mark.parametrize("method, body", [("HEAD", None), ("DELETE", None), ("POST", b""), ("PUT", b"x" * 10)])
def test_methods(make, method, body):
    setup = Setup(make, {"cluster": "copies"}, copy=Seen(b"" if method == "HEAD" else b"copy"))
    for count in 1, 2:
        setup.get(method=method, body=body)
        [*_, copy] = setup.copy.until(count)
        assert (copy.method, copy.body) == (method, body or b"")
        setup.until_stats(upstream_rq_200=count)
    setup.settled()


# Where copies go


def test_many_copies(make):
    setup = Setup(make, {"cluster": "copies"}, {"cluster": "origin", "host_rewrite_literal": "again"}, {"cluster": "copies"})
    assert setup.get(method="POST", body=b"abc").status == 200
    assert [request.body for request in setup.copy.until(2)] == [b"abc"] * 2
    assert sorted(request.get("host") for request in setup.main.until(2)) == ["again", "test.example"]


def test_a_header_names_the_cluster(make):
    setup = Setup(make, {"cluster_header": "x-mirror"})
    for value in ["copies", "nobody", ""]:
        assert setup.get(headers=[("x-mirror", value)]).status == 200
    assert setup.get().status == 200
    assert setup.copy.until(1)[0].get("x-mirror") == "copies"
    setup.main.until(4)


@pytest.mark.parametrize("route, host, table, counts", [
    (None, "copies", None, (1, 1)), (None, None, "copies", (1, 1)), (None, "copies", "origin", (1, 1)),
    ("copies", "origin", "origin", (1, 1)), ("origin", "copies", "copies", (2, 0)),
])  # fmt: skip
def test_levels(make, route, host, table, counts):
    """What is nearest to the request counts, and only that."""

    def fields(cluster):
        return {"request_mirror_policies": [{"cluster": cluster}]} if cluster else {}

    setup = Setup(make, *fields(route).get("request_mirror_policies", []), host=fields(host), table=fields(table) or {"name": "routes"})
    setup.get()
    setup.main.until(counts[0])
    setup.copy.until(counts[1])


def test_weighted_clusters_are_mirrored(make):
    clusters = {"clusters": [{"name": "origin", "weight": 50}, {"name": "origin", "weight": 50}]}
    main, copy = Seen(), Seen()
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": clusters, "request_mirror_policies": [{"cluster": "copies"}]}}
    listener = config.http_listener(config.virtual_host(route))
    proxy = make.proxy(config.bootstrap([listener], [
        config.cluster("origin", make.origin(main).port), config.cluster("copies", make.origin(copy).port),
    ]))  # fmt: skip
    for _ in range(6):
        assert get(proxy.port()).status == 200
    main.until(6)
    copy.until(6)


@pytest.mark.parametrize("fraction, least, most", [
    ({"numerator": 0}, 0, 0), ({"numerator": 100}, 200, 200), ({"numerator": 50}, 60, 140),
    ({"numerator": 5000, "denominator": "TEN_THOUSAND"}, 60, 140), ({"numerator": 1000000, "denominator": "MILLION"}, 200, 200),
])  # fmt: skip
def test_a_share_is_mirrored(make, fraction, least, most):
    policy = {"cluster": "copies", "runtime_fraction": {"default_value": fraction, "runtime_key": "mirror.share"}}
    setup = Setup(make, policy)
    with Client(setup.proxy.port()) as client:
        for _ in range(200):
            client.get()
    # Every copy was begun before the answer to its request.
    setup.settled()
    [count] = setup.stats("upstream_rq_total")
    assert least <= count <= most
    setup.copy.until(count)
    setup.main.until(200)


# Bodies


@pytest.mark.parametrize("size", [1, 5_000, 200_000, 900_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies(make, size, chunked):
    setup = Setup(make, {"cluster": "copies"})
    body = bytes(i * 31 % 251 for i in range(size))
    if chunked:
        with Client(setup.proxy.port()) as client:
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            for at in range(0, size, 50_000):
                piece = body[at : at + 50_000]
                client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            client.send(b"0\r\n\r\n")
            assert client.response().status == 200
    else:
        assert setup.get(method="POST", body=body).status == 200
    [copy], [original] = setup.copy.until(1), setup.main.until(1)
    assert copy.body == original.body == body
    assert copy.get("transfer-encoding") == ("chunked" if chunked else None)
    assert setup.stats("retry_or_shadow_abandoned", cluster="origin") == [0]
    setup.settled()


def test_a_body_is_copied_as_it_comes(make):
    """The copy's host has the beginning while the client still sends."""
    heads = []
    copies = make.origin(lambda connection, head: heads.append((head, connection.exactly(3))), read_body=False)
    setup = Setup(make, {"cluster": "copies"}, ports=[copies.port])
    with Client(setup.proxy.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc")
        wait.until(lambda: heads, "the beginning of the copy")
        assert heads[0][1] == b"abc"
        client.send(b"def")
        assert client.response().status == 200
    [original] = setup.main.until(1)
    assert original.body == b"abcdef"


def trailers_allowed():
    options = config.http_options()
    key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options[key]["explicit_http_config"] = {"http_protocol_options": {"enable_trailers": True}}
    return {"typed_extension_protocol_options": options}


@pytest.mark.parametrize("over_http2", [False, True])
def test_trailers(make, over_http2):
    if over_http2:
        copy = HTTP2Seen()
        ports = [make.origin(raw=http2.serving(copy)).port]
        mirror = {"typed_extension_protocol_options": config.http2_options()}
    else:
        copy, ports, mirror = Seen(), None, trailers_allowed()
    hcm = {"http_protocol_options": {"enable_trailers": True}}
    setup = Setup(make, {"cluster": "copies"}, copy=copy, ports=ports, mirror=mirror, hcm=hcm)
    with Client(setup.proxy.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n")
        assert client.response().status == 200
    [request] = copy.until(1)
    assert request.body == b"abc"
    assert [(name.lower(), value) for name, value in request.trailers] == [("x-t", "1")]


@pytest.mark.parametrize("size", [0, 100, 300_000])
def test_http2(make, size):
    """From a client of HTTP/2, to a host of HTTP/2."""
    copy = HTTP2Seen()
    port = make.origin(raw=http2.serving(copy)).port
    setup = Setup(
        make, {"cluster": "copies"}, copy=copy, ports=[port], mirror={"typed_extension_protocol_options": config.http2_options()}
    )
    with http2.Client(setup.proxy.port()) as client:
        for count in 1, 2:
            response = client.request("POST", "/", body=b"z" * size)
            assert response.status == 200
            [*_, request] = copy.until(count)
            assert len(request.body) == size
            assert request.get(":authority") == "test.example-shadow"
            setup.until_stats(upstream_rq_200=count)
    assert setup.stats("upstream_cx_total") == [1]
    setup.settled()


# Nobody notices


def silent(connection, request):
    connection.exactly(1)


def closes(connection, request):
    return False


def resets(connection, request):
    connection.reset()
    return False


def garbage(connection, request):
    connection.send(b"nonsense\r\n\r\n")


def half(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
    return False


def early(connection, request):
    connection.reply(b"early")


@pytest.mark.parametrize("copy", [silent, closes, resets, garbage, half, early])
@pytest.mark.parametrize("size", [0, 100_000])
def test_bad_hosts(make, copy, size):
    origin = make.origin(copy, read_body=copy is not early)
    setup = Setup(make, {"cluster": "copies"}, ports=[origin.port])
    for _ in range(3):
        response = setup.get(method="POST", body=b"q" * size)
        assert (response.status, response.body) == (200, b"main")
    assert [len(request.body) for request in setup.main.until(3)] == [size] * 3
    wait.until(lambda: setup.stats("upstream_rq_total") == [3], "three copies")
    origin.stop()
    setup.settled()


def test_nobody_there(make):
    setup = Setup(make, {"cluster": "copies"}, ports=[free_port()])
    assert setup.get(method="POST", body=b"x").status == 200
    setup.until_stats(upstream_cx_connect_fail=1, upstream_rq_503=1)
    setup.settled()


@pytest.mark.parametrize("limits, names", [
    ({"max_requests": 0}, {"upstream_rq_503": 3}),
    ({"max_pending_requests": 0, "max_connections": 0}, {"upstream_rq_pending_overflow": 3, "upstream_rq_503": 3}),
])  # fmt: skip
def test_limits_are_the_copies_own(make, limits, names):
    setup = Setup(make, {"cluster": "copies"}, mirror={"circuit_breakers": {"thresholds": [limits]}})
    for _ in range(3):
        assert setup.get().status == 200
    setup.until_stats(**names)
    setup.copy.until(0)
    setup.main.until(3)
    setup.settled()


def test_a_copy_has_the_routes_time(make):
    origin = make.origin(silent)
    setup = Setup(make, {"cluster": "copies"}, ports=[origin.port], action={"timeout": "1s"})
    assert setup.get().status == 200
    setup.until_stats(upstream_rq_timeout=1, upstream_rq_504=1, upstream_rq_active=0)
    assert setup.stats("upstream_rq_timeout", cluster="origin") == [0]


def test_a_copy_lives_on_without_its_client(make):
    """Once it is whole, it needs nobody."""
    release = threading.Event()

    def late(connection, request):
        release.wait(10)
        connection.reply(b"late")

    setup = Setup(make, {"cluster": "copies"}, ports=[make.origin(late).port])
    assert setup.get(method="POST", body=b"abc").status == 200
    setup.until_stats(upstream_rq_active=1)
    release.set()
    setup.until_stats(upstream_rq_200=1, upstream_rq_active=0)


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("over_http2", [False, True])
def test_a_client_that_leaves_takes_its_copy_along(make, leave, over_http2):
    heads = []
    copies = make.origin(lambda connection, head: (heads.append(head), connection.exactly(1000)), read_body=False)
    setup = Setup(make, {"cluster": "copies"}, ports=[copies.port])
    if over_http2:
        with http2.Client(setup.proxy.port()) as client:
            stream = client.open("POST", "/", ends=False)
            client.send_body(stream, b"abc", ends=False)
            wait.until(lambda: heads, "the head of the copy")
            if leave == "reset":
                client.send(http2.rst_stream(stream))
            else:
                client.close()
            setup.until_stats(upstream_rq_total=1, upstream_rq_active=0)
    else:
        with Client(setup.proxy.port()) as client:
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc")
            wait.until(lambda: heads, "the head of the copy")
            client.reset() if leave == "reset" else client.close()
            setup.until_stats(upstream_rq_total=1, upstream_rq_active=0)
    setup.until_stats(upstream_cx_active=0)


def test_a_request_that_no_host_takes_is_not_mirrored(make):
    copy = Seen()
    listener = config.http_listener(config.virtual_host(config.route(request_mirror_policies=[{"cluster": "copies"}])))
    empty = config.cluster("origin")
    proxy = make.proxy(config.bootstrap([listener], [empty, config.cluster("copies", make.origin(copy).port)]))
    assert get(proxy.port()).status == 503
    assert proxy.stat("cluster.copies.upstream_rq_total") == 0


def test_a_repeated_request_is_mirrored_once(make):
    class Once(Seen):
        def __call__(self, connection, request):
            self.answer = (b"", "503 Busy" if not self.requests else "200 OK", ())
            super().__call__(connection, request)

    setup = Setup(make, {"cluster": "copies"}, main=Once(), action={"retry_policy": {"retry_on": "5xx"}})
    assert setup.get(method="POST", body=b"abc").status == 200
    setup.main.until(2)
    [copy] = setup.copy.until(1)
    assert copy.body == b"abc"


@pytest.mark.apus_only
def test_a_slow_host_is_given_up(make):
    """Envoy makes the client wait for the copy instead."""
    release = threading.Event()
    stuck = make.origin(lambda connection, head: release.wait(30) and False, read_body=False)
    setup = Setup(make, {"cluster": "copies"}, ports=[stuck.port], host={"request_body_buffer_limit": 100_000})
    size = 20_000_000
    with Client(setup.proxy.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size)
        setup.until_stats(upstream_rq_active=1)
        client.send(b"s" * size)
        assert client.response().status == 200
    assert len(setup.main.until(1)[0].body) == size
    setup.until_stats(upstream_rq_active=0, upstream_rq_tx_reset=1)
    assert setup.stats("retry_or_shadow_abandoned", cluster="origin") == [1]
    assert setup.proxy.resident_kib() < 100_000
    release.set()


@pytest.mark.apus_only
def test_upgrades_are_not_mirrored(make):
    """Envoy sends what a client of a tunnel says to the copy's host too."""
    setup = Setup(make, {"cluster": "copies"}, hcm={"upgrade_configs": [{"upgrade_type": "websocket"}]})
    setup.main.answer = (b"", "403 No", ())
    with Client(setup.proxy.port()) as client:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert client.response().status == 403
    setup.get()
    [copy] = setup.copy.until(1)
    assert copy.get("upgrade") is None


# Reloads


@pytest.mark.apus_only
def test_reload_while_copies_run(make):
    """A reload that takes the copies' cluster away lets those under way end."""
    release, answered = threading.Event(), []

    def late(connection, request):
        release.wait(10)
        connection.reply(b"late")
        answered.append(request)

    copies = make.origin(late)
    setup = Setup(make, {"cluster": "copies"}, ports=[copies.port])
    assert setup.get().status == 200
    setup.until_stats(upstream_rq_active=1)
    listener = config.http_listener(config.virtual_host(config.route()))
    setup.proxy.write_config(config.bootstrap([listener], [config.cluster("origin", make.origin(setup.main).port)]))
    wait.until(lambda: "copies::" not in setup.proxy.admin("/clusters").body.decode(), "the new configuration")
    assert setup.get().status == 200
    assert copies.connections_active == 1
    release.set()
    wait.until(lambda: answered and copies.connections_active == 0, "the copy and its connection to end")
    assert copies.requests_total == 1


# Mistakes


MISTAKES = [
    ({}, "request_mirror_policies[0]: cluster or cluster_header is required"),
    ({"cluster": "origin", "cluster_header": "x"}, "request_mirror_policies[0].cluster_header: cluster and cluster_header exclude each other"),
    ({"cluster": "orign"}, 'request_mirror_policies[0].cluster: unknown cluster "orign", did you mean "origin"?'),
    ({"cluster": "origin", "request_headers_mutations": [{"remove": ":path"}]}, "request_headers_mutations[0].remove:"),
    ({"cluster": "origin", "host_rewrite_literal": "a\r\nb"}, "host_rewrite_literal"),
]  # fmt: skip


def check(directory, policy):
    path = directory / "apus.yaml"
    listener = config.http_listener(config.virtual_host(config.route(request_mirror_policies=[policy])))
    path.write_text(config.text(config.bootstrap([listener], [config.cluster("origin", 1)])))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.apus_only
@pytest.mark.parametrize("policy, sentence", MISTAKES)
def test_mistakes_are_named(tmp_path, policy, sentence):
    code, said = check(tmp_path, policy)
    assert code != 0 and sentence in said, said


@pytest.mark.apus_only
@pytest.mark.parametrize("policy, sentence", [
    ({"cluster": "origin", "trace_sampled": False}, "request_mirror_policies[0].trace_sampled: has no effect: nothing is traced yet"),
    ({"cluster": "origin", "host_rewrite_literal": "a", "disable_shadow_host_suffix_append": True},
     "disable_shadow_host_suffix_append: has no effect beside host_rewrite_literal"),
])  # fmt: skip
def test_what_has_no_effect_is_named(tmp_path, policy, sentence):
    code, said = check(tmp_path, policy)
    assert code == 0 and sentence in said, said


# The example


class Shop:
    """The example: a service, and its next version on a port."""

    def __init__(self, make, port):
        self.main = Seen()
        self.proxy = example(make, "mirror", {9000: make.origin(self.main).port, 9001: port})

    def get(self, times, method="GET", **options):
        """No client notices anything."""
        with Client(self.proxy.port()) as client:
            for _ in range(times):
                response = client.request(method, "/", **options)
                assert (response.status, response.body) == (200, b"main")

    def stat(self, name):
        return self.proxy.stat(f"cluster.next.{name}")

    def until_settled(self):
        gauges = ("upstream_rq_active", "upstream_rq_pending_active")
        wait.until(lambda: not any(self.stat(name) for name in gauges), "answers to all copies")


def test_example(make):
    copies = Seen(b"new", "500 Bad")
    setup = Shop(make, make.origin(copies).port)
    setup.get(1600, headers=[("cookie", "secret")])
    setup.until_settled()
    count = setup.stat("upstream_rq_500")
    assert len(copies.requests) == count
    # Five standard deviations of a tenth. A next version that is slow for a moment does not get all.
    assert abs(count + setup.stat("upstream_rq_503") - 160) <= 60
    known = {request.get("x-request-id") for request in setup.main.requests}
    for copy in copies.requests:
        assert copy.get("x-copy-of") == copy.get("x-request-id") in known
        assert "cookie" not in copy
    assert {request.get("cookie") for request in setup.main.requests} == {"secret"}
    # Nothing that changes anything is copied: of a hundred there would be ten.
    setup.get(100, method="POST", body=b"order")
    setup.get(100, method="DELETE")
    setup.until_settled()
    assert len(copies.requests) == count


def test_example_without_the_next_version(make):
    setup = Shop(make, free_port())
    setup.get(200)
    wait.until(lambda: setup.stat("upstream_cx_connect_fail"), "copies that failed")
    setup.until_settled()
    assert len(setup.main.requests) == 200


def test_example_with_a_next_version_that_hangs(make):
    """It has twenty copies, and gets no more."""
    release, lock, heads = threading.Event(), threading.Lock(), []

    def hang(connection, request):
        with lock:
            heads.append(request)
        release.wait(30)
        return False

    setup = Shop(make, make.origin(hang).port)

    def is_full():
        setup.get(50)
        assert setup.stat("upstream_rq_active") <= 20
        return setup.stat("upstream_rq_503") > 20

    wait.until(is_full, "copies that are not sent", 30)
    wait.until(lambda: len(heads) == setup.stat("upstream_rq_active") == 20, "twenty copies at the next version")
    release.set()
