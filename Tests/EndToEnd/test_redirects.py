"""Redirects that the proxy follows itself (`internal_redirect_policy`). Runs on Envoy too."""

import pathlib
import subprocess
import threading

import pytest

from harness import config, http2, wait
from harness.client import get
from harness.config import http_listener, route, virtual_host
from harness.example import example
from harness.proxy import apus_binary

PREDICATES = "type.googleapis.com/envoy.extensions.internal_redirect."
CLUSTER_STATS = ("upstream_internal_redirect_succeeded_total", "upstream_internal_redirect_failed_total")
REASONS = ("bad_location", "unsafe_scheme", "too_many_redirects", "no_route", "predicate")


def predicate(kind, **fields):
    words = "".join(word.capitalize() for word in kind.split("_"))
    return {"name": kind, "typed_config": {"@type": f"{PREDICATES}{kind}.v3.{words}Config", **fields}}


class Hosts:
    """`/from...` redirects to what the test says; everything else answers."""

    def __init__(self, *locations, status="302 Found", headers=()):
        self.locations, self.status, self.headers = list(locations), status, list(headers)
        self.seen, self.lock = [], threading.Lock()

    def __call__(self, connection, request):
        with self.lock:
            self.seen.append(request)
            number = len(self.seen)
        if number <= len(self.locations):
            location = self.locations[number - 1]
            headers = [("location", location)] if location is not None else []
            return connection.reply(b"moved", status=self.status, headers=[*headers, *self.headers])
        return connection.reply(b"here")


class Setup:
    def __init__(self, make, script, *, policy=None, routes=None, hcm=None, origin=None, cluster=None, **action):
        self.script = script
        self.log = pathlib.Path(make.directory) / "access.log"
        log = config.file_log(self.log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %REQ(:PATH)%\n")
        port = (origin or make.origin(script)).port
        first = route("/from", internal_redirect_policy=policy or {}, route_fields={"name": "from"}, **action)
        others = routes or [route("/to", route_fields={"name": "to"})]
        listener = http_listener(
            virtual_host(first, *others, include_request_attempt_count=True), hcm={"access_log": [log], **(hcm or {})}
        )
        self.proxy = make.proxy(
            config.bootstrap([listener], [config.cluster("origin", port, **(cluster or {}))]),
            arguments=["--file-flush-interval-msec", "20"],
        )

    def get(self, path="/from", headers=(), **options):
        return get(self.proxy.port(), path, headers=[("host", "shop.example"), *headers], **options)

    def counts(self):
        return [self.proxy.stat(f"cluster.origin.{name}") for name in CLUSTER_STATS]

    def reasons(self):
        stats = self.proxy.stats()
        names = {reason: stats.get(f"http.ingress.passthrough_internal_redirect_{reason}", 0) for reason in REASONS}
        return {reason: count for reason, count in names.items() if count}

    def logged(self, count):
        return wait.until(
            lambda: (lines := self.log.read_text().splitlines()) and len(lines) >= count and lines, f"{count} log lines"
        )


def passed_on(setup, reason, status=302):
    response = setup.get()
    assert (response.status, response.body) == (status, b"moved")
    assert setup.counts() == [0, 1]
    assert setup.reasons() == ({reason: 1} if reason else {})
    assert len(setup.script.seen) == 1


def test_a_redirect_is_followed(make):
    setup = Setup(make, Hosts("http://other.example/to/x?y=1#part"))
    response = setup.get()
    assert (response.status, response.body) == (200, b"here")
    first, second = setup.script.seen
    assert (second.target, second.get("host")) == ("/to/x?y=1", "other.example")
    assert second.get("x-envoy-original-url") == "http://shop.example/from"
    assert first.get("x-envoy-original-url") is None
    assert second.get("x-envoy-attempt-count") == "1"
    assert setup.counts() == [1, 0]
    assert setup.reasons() == {}
    assert setup.logged(2)[1] == "200 via_upstream /to/x?y=1"
    assert setup.logged(2)[0] == "302 internal_redirect /to/x?y=1"


@pytest.mark.parametrize("location, path", [("http://o.example", "/"), ("HTTP://o.example/to", "/to")])
def test_targets(make, location, path):
    setup = Setup(make, Hosts(location), routes=[route("/")])
    assert setup.get().status == 200
    assert setup.script.seen[1].target == path


@pytest.mark.parametrize("location", ["/to", "to", "http:///to", "http://", ""])
def test_locations_that_are_not_followed(make, location):
    passed_on(Setup(make, Hosts(location)), "bad_location")


@pytest.mark.apus_only
@pytest.mark.parametrize("location", ["ftp://o.example/to", "http://me@o.example/to", "http://o.example/a b"])
def test_locations_that_are_no_urls_of_ours(make, location):
    passed_on(Setup(make, Hosts(location)), "bad_location")


@pytest.mark.apus_only
def test_a_query_without_a_path(make):
    """RFC 3986 section 6.2.3: the path of such a URL is "/"."""
    setup = Setup(make, Hosts("http://o.example?a"), routes=[route("/")])
    assert setup.get().status == 200
    assert setup.script.seen[1].target == "/?a"


def test_no_location(make):
    passed_on(Setup(make, Hosts(None)), None)


def test_without_a_policy(make):
    script = Hosts("http://o.example/to")
    setup = Setup(make, script, routes=[route("/plain"), route("/to")])
    assert setup.get("/plain").status == 302
    assert setup.counts() == [0, 0]


@pytest.mark.parametrize("codes, status, follows", [
    ([], 302, True), ([], 301, False), ([301, 308], 301, True), ([301, 308], 308, True), ([301, 308], 302, False),
    ([307], 307, True),
])  # fmt: skip
def test_codes(make, codes, status, follows):
    setup = Setup(make, Hosts("http://o.example/to", status=f"{status} Moved"), policy={"redirect_response_codes": codes})
    assert setup.get().status == (200 if follows else status)
    assert setup.counts() == ([1, 0] if follows else [0, 0])


@pytest.mark.parametrize("most, hops, status", [(None, 1, 200), (None, 2, 302), (3, 3, 200), (3, 4, 302), (0, 1, 302)])
def test_how_many(make, most, hops, status):
    policy = {} if most is None else {"max_internal_redirects": most}
    setup = Setup(make, Hosts(*["http://o.example/from/more"] * hops), policy=policy)
    assert setup.get().status == status
    want = hops if status == 200 else hops - 1
    assert setup.counts() == [want, 0 if status == 200 else 1]
    assert setup.reasons() == ({} if status == 200 else {"too_many_redirects": 1})


def test_the_first_url_is_kept(make):
    setup = Setup(make, Hosts("http://one.example/from/1", "http://two.example/to"), policy={"max_internal_redirects": 2})
    assert setup.get().status == 200
    assert setup.script.seen[1].get("x-envoy-original-url") == "http://shop.example/from"
    assert setup.script.seen[2].get("x-envoy-original-url") == "http://one.example/from/1"


def test_no_route(make):
    passed_on(Setup(make, Hosts("http://o.example/nowhere")), "no_route")


def test_a_target_that_the_proxy_answers_itself(make):
    direct = {"name": "gone", "match": {"prefix": "/gone"}, "direct_response": {"status": 410, "body": {"inline_string": "gone"}}}
    setup = Setup(make, Hosts("http://o.example/gone"), routes=[direct])
    response = setup.get()
    assert (response.status, response.body) == (410, b"gone")
    assert setup.counts() == [1, 0]


# Schemes


def test_another_scheme(make):
    passed_on(Setup(make, Hosts("https://o.example/to")), "unsafe_scheme")


def test_another_scheme_that_is_allowed(make):
    setup = Setup(make, Hosts("https://o.example/to"), policy={"allow_cross_scheme_redirect": True})
    assert setup.get().status == 200


def test_safe_cross_scheme(make):
    """Who came without TLS must not get what is behind it."""
    policy = {"allow_cross_scheme_redirect": True, "predicates": [predicate("safe_cross_scheme")]}
    passed_on(Setup(make, Hosts("https://o.example/to"), policy=policy), "predicate")


def test_the_same_scheme_is_safe(make):
    policy = {"allow_cross_scheme_redirect": True, "predicates": [predicate("safe_cross_scheme")]}
    setup = Setup(make, Hosts("http://o.example/to"), policy=policy)
    assert setup.get().status == 200


def test_a_second_redirect_from_another_scheme(make):
    """The client is as little on TLS as before, whatever the first redirect led to."""
    policy = {"allow_cross_scheme_redirect": True, "max_internal_redirects": 2}
    setup = Setup(make, Hosts("https://o.example/from/2", "http://o.example/to"), policy=policy)
    assert setup.get().status == 200
    assert setup.counts() == [2, 0]


# Other predicates


def test_routes_that_are_listed(make):
    policy = {"predicates": [predicate("allow_listed_routes", allowed_route_names=["to"])]}
    setup = Setup(make, Hosts("http://o.example/to"), policy=policy)
    assert setup.get().status == 200


def test_routes_that_are_not_listed(make):
    policy = {"predicates": [predicate("allow_listed_routes", allowed_route_names=["other"])]}
    passed_on(Setup(make, Hosts("http://o.example/to"), policy=policy), "predicate")


def test_previous_routes(make):
    """The same redirect again: from a route to a route where it has been."""
    policy = {"max_internal_redirects": 5, "predicates": [predicate("previous_routes")]}
    back = route("/to", internal_redirect_policy=policy, route_fields={"name": "to"})
    setup = Setup(
        make, Hosts("http://o.example/to", "http://o.example/from", "http://o.example/to"), policy=policy, routes=[back]
    )
    assert setup.get().status == 302
    assert len(setup.script.seen) == 3
    assert setup.counts() == [2, 1]
    assert setup.reasons() == {"predicate": 1}


# Requests


@pytest.mark.parametrize("size", [1, 1000, 60_000])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_bodies_go_along(make, size, status):
    policy = {"redirect_response_codes": [302, 307, 308]}
    setup = Setup(make, Hosts("http://o.example/to", status=f"{status} Moved"), policy=policy)
    response = setup.get(method="POST", body=b"x" * size)
    assert response.status == 200
    assert [(request.method, len(request.body)) for request in setup.script.seen] == [("POST", size)] * 2


@pytest.mark.parametrize("method, follows", [("POST", "GET"), ("PUT", "GET"), ("GET", "GET"), ("HEAD", "HEAD")])
def test_see_other(make, method, follows):
    setup = Setup(make, Hosts("http://o.example/to", status="303 See Other"), policy={"redirect_response_codes": [303]})
    body = b"order" if method in ("POST", "PUT") else None
    assert setup.get(method=method, body=body).status == 200
    second = setup.script.seen[1]
    assert (second.method, second.body) == (follows, b"")


def test_a_body_too_large_to_be_kept(make):
    setup = Setup(make, Hosts("http://o.example/to"))
    response = setup.get(method="POST", body=b"x" * 3_000_000)
    assert response.status == 302
    assert setup.counts() == [0, 1]


def test_headers_come_along(make):
    policy = {"response_headers_to_copy": ["x-token", "x-absent"]}
    setup = Setup(make, Hosts("http://o.example/to", headers=[("x-token", "secret"), ("x-other", "no")]), policy=policy)
    assert setup.get(headers=[("x-token", "mine"), ("x-absent", "mine")]).status == 200
    second = setup.script.seen[1]
    assert (second.get("x-token"), second.get("x-absent"), second.get("x-other")) == ("secret", None, None)


def test_retries_before_and_after(make):
    steps = iter(["503 Busy", "302 Found", "503 Busy", "200 OK"])
    seen = []

    def script(connection, request):
        seen.append(request)
        status = next(steps)
        headers = [("location", "http://o.example/to")] if status.startswith("302") else []
        connection.reply(status.encode(), status=status, headers=headers)

    retry = {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.001s"}}
    setup = Setup(make, script, routes=[route("/to", retry_policy=retry)], retry_policy=retry)
    response = setup.get(method="POST", body=b"body")
    assert response.body == b"200 OK"
    assert [(request.target, request.get("x-envoy-attempt-count"), request.body) for request in seen] == [
        ("/from", "1", b"body"), ("/from", "2", b"body"), ("/to", "1", b"body"), ("/to", "2", b"body"),
    ]  # fmt: skip


def test_filters_see_both_passes(make):
    mutation = {"mutations": {"request_mutations": [{"append": {
        "header": {"key": "x-pass", "value": "again"}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}}]}}  # fmt: skip
    filters = config.http_filters(("mutation", "http.header_mutation.v3.HeaderMutation".removeprefix("http."), mutation))
    setup = Setup(make, Hosts("http://o.example/to"), hcm={"http_filters": filters})
    assert setup.get().status == 200
    assert [[value for name, value in request.fields if name == "x-pass"] for request in setup.script.seen] == [
        ["again"], ["again", "again"],
    ]  # fmt: skip


def test_over_http2(make):
    seen = []

    def script(server, request):
        seen.append(request)
        if len(seen) == 1:
            server.reply(request.stream, b"moved", status=302, fields=[("location", "http://o.example/to")])
        else:
            server.reply(request.stream, b"here")

    origin = make.origin(raw=http2.serving(script))
    setup = Setup(make, None, origin=origin, cluster={"typed_extension_protocol_options": config.http2_options()})
    with http2.Client(setup.proxy.port()) as client:
        response = client.request("POST", "/from", body=b"z" * 5000)
    assert (response.status, response.body) == (200, b"here")
    assert [len(request.body) for request in seen] == [5000, 5000]


MISTAKES = [
    ({"redirect_response_codes": [200]}, "redirect_response_codes[0]: must be 301, 302, 303, 307 or 308, got 200"),
    ({"predicates": [{"name": "x", "typed_config": {"@type": config.ROUTER}}]},
     "predicates[0].typed_config: needs a PreviousRoutesConfig, a SafeCrossSchemeConfig or an AllowListedRoutesConfig"),
    ({"response_headers_to_copy": [":path"]}, "response_headers_to_copy[0]: \":path\" is no header"),
]  # fmt: skip


@pytest.mark.apus_only
@pytest.mark.parametrize("policy, message", MISTAKES)
def test_mistakes(tmp_path, policy, message):
    path = tmp_path / "apus.yaml"
    listener = http_listener(virtual_host(route(internal_redirect_policy=policy)))
    path.write_text(config.text(config.bootstrap([listener], [config.cluster("origin", 1)])))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and message in done.stdout + done.stderr, done.stdout + done.stderr


# The example


class Files:
    """The example: an index that answers with the redirects it is given, in turn, and a store."""

    def __init__(self, make, *answers):
        self.answers, self.asked, self.stored = iter(answers), [], []
        self.proxy = example(make, "redirects", {9000: make.origin(self.index).port, 9001: make.origin(self.keep).port})

    def index(self, connection, request):
        self.asked.append(request)
        status, headers = next(self.answers)
        connection.reply(b"moved", status=status, headers=headers)

    def keep(self, connection, request):
        self.stored.append(request)
        if request.target == "/moved":
            connection.reply(b"again", status="302 Found", headers=[("location", "http://store.internal/other")])
        else:
            connection.reply(b"a file")

    def get(self, path="/files/a", **options):
        response = get(self.proxy.port(), path, **options)
        return response.status, response.body

    def counts(self):
        names = ("upstream_internal_redirect_succeeded_total", "upstream_internal_redirect_failed_total")
        return [self.proxy.stat(f"cluster.{cluster}.{name}") for cluster in ("index", "store") for name in names]


def to_store(path="/blobs/7", status="302 Found", token="secret"):
    headers = [("location", f"http://store.internal{path}")]
    return status, headers + ([("x-store-token", token)] if token else [])


def test_example(make):
    setup = Files(make, to_store())
    assert setup.get(headers=[("x-store-token", "guessed")]) == (200, b"a file")
    [asked], [stored] = setup.asked, setup.stored
    assert (asked.target, asked.get("x-store-token")) == ("/files/a", "guessed")
    assert (stored.target, stored.get("host"), stored.get("x-store-token")) == ("/blobs/7", "store.internal", "secret")
    assert stored.get("x-envoy-original-url") == "http://test.example/files/a"
    assert setup.counts() == [1, 0, 0, 0]
    assert [setup.proxy.stat(f"cluster.{name}.upstream_rq_total") for name in ("index", "store")] == [1, 1]


def test_example_of_a_token_that_is_not_the_indexes(make):
    setup = Files(make, to_store(token=None))
    assert setup.get(headers=[("x-store-token", "guessed")]) == (200, b"a file")
    assert "x-store-token" not in setup.stored[0]


def test_example_of_a_body(make):
    setup = Files(make, to_store(status="307 Temporary Redirect"))
    assert setup.get(method="PUT", body=b"new file") == (200, b"a file")
    assert [(request.method, request.body) for request in setup.asked + setup.stored] == [("PUT", b"new file")] * 2


def test_example_of_what_is_not_followed(make):
    """Another place, another code: the client gets these as they are."""
    elsewhere = ("302 Found", [("location", "http://evil.example/files/b")])
    setup = Files(make, elsewhere, to_store(status="301 Moved"))
    assert setup.get() == (302, b"moved")
    assert setup.proxy.stat("http.ingress.passthrough_internal_redirect_predicate") == 1
    assert setup.get() == (301, b"moved")
    assert setup.stored == []
    assert setup.counts() == [0, 1, 0, 0]
    # Redirects of the store are the client's, and there is nothing outside of /files/.
    setup = Files(make, to_store("/moved"))
    assert setup.get() == (302, b"again")
    assert setup.get("/other")[0] == 404
    assert setup.counts() == [1, 0, 0, 0]
