"""What `apus explain` and `/explain` say about filters, compared with what filters do."""

import json
import re

import pytest

from harness.client import get
from harness.proxy import ROOT
from test_explain import document, explain, live, step

pytestmark = pytest.mark.apus_only

SOURCE = (ROOT / "Tests/EndToEnd/data/explain_filters.yaml").read_text()


@pytest.fixture
def edge(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(SOURCE)
    return path


def filters(explanation, name="filters"):
    return {one["name"]: one for one in step(explanation, name).get("filters", [])}


def says(explanation, name):
    return filters(explanation)[name].get("says")


def names(explanation, name="filters"):
    return [one["name"] for one in step(explanation, name).get("filters", [])]


URL = "http://a.example:8080"


def test_the_chain_is_a_line_per_filter(edge):
    text = explain(edge, "GET", f"{URL}/some", "-H", "origin: https://app.example")
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("filters    http_filters"))
    wanted = [
        'checks (health_check): no health check: the path is /some, wanted: prefix "/healthz"',
        'ready (health_check): no health check: the path is /some, wanted: "/ready"',
        "shadow (fault): disabled (disabled: true)",
        "mutate (header_mutation): settings of the route table; changes x-cluster, x-table",
        "cors: settings of the virtual host; allows origin https://app.example",
        "fault: settings of the route; holds 0.25 % of such requests 2 s, answers 30 % of such requests itself: 200 with grpc-status 14",
        "envoy.filters.http.buffer: disabled (virtual host)",
        "envoy.filters.http.router",
    ]
    found = [line.strip().rsplit("  ", 1)[0].strip() for line in lines[first + 1 : first + 1 + len(wanted)]]
    assert found == wanted, text
    # The step stands between what it depends on and what depends on it.
    starts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert starts[1:7] == ["listener", "chain", "host", "route", "filters", "cluster"]
    # Each line names its place.
    name, number = lines[first + 1].split()[-1].rsplit(":", 1)
    assert name.endswith("edge.yaml") and "name: checks" in SOURCE.splitlines()[int(number) - 1]
    assert text.splitlines()[-1].startswith("A host takes it.")


def test_what_programs_get(edge):
    some = filters(document(edge, "GET", f"{URL}/some"))
    assert some["checks"]["type"] == "envoy.extensions.filters.http.health_check.v3.HealthCheck"
    assert some["shadow"]["state"] == "disabled" and some["shadow"]["disabled_by"]["level"] == "disabled: true"
    buffer = some["envoy.filters.http.buffer"]
    assert (buffer["state"], buffer["disabled_by"]["level"]) == ("disabled", "virtual host")
    assert [level["level"] for level in some["fault"]["settings"]] == ["route"]
    for place, text in (
        (some["fault"]["settings"][0]["place"], "fault:"),
        (buffer["disabled_by"]["place"], "envoy.filters.http.buffer:"),
        (some["fault"]["place"], "name: fault"),
    ):
        line = int(place.rsplit(":", 1)[1])
        assert text in "".join(SOURCE.splitlines()[line - 2 : line]), (place, text)
    assert step(document(edge, "GET", f"{URL}/some"), "filters")["taken"]["what"] == "http_filters"


def test_levels(edge):
    broken = filters(document(edge, "GET", f"{URL}/broken"))
    assert [level["level"] for level in broken["fault"]["settings"]] == ["weighted cluster origin"]
    quiet = filters(document(edge, "GET", f"{URL}/quiet"))
    assert quiet["checks"]["disabled_by"]["level"] == "route"
    assert quiet["shadow"]["state"] == "on" and quiet["shadow"]["says"] == "answers itself: 410"


def test_changes_are_seen_behind(edge):
    """The cluster's name comes from a header that a filter adds."""
    named = document(edge, "-H", "x-old: 1", "GET", f"{URL}/named")
    assert named["outcome"] == "forwarded"
    assert step(named, "cluster")["taken"]["what"] == "origin"
    assert says(named, "mutate") == "changes x-cluster, x-old, x-table"


@pytest.mark.parametrize("arguments, code, outcome, reason, filter, words, behind", [
    (["GET", f"{URL}/healthz"], 0, "answered", "200 from the health_check filter because the path is /healthz", "checks",
     "answers itself: 200 because the path is /healthz", "ready"),
    # Where no route takes the request the filters see it all the same.
    (["GET", "http://nobody.test:8080/healthz"], 0, "answered", "200 from the health_check filter because the path is /healthz", "checks",
     "answers itself: 200 because the path is /healthz", "ready"),
    (["-H", "x-probe: 1", "GET", f"{URL}/ready"], 0, "answered",
     "503 from the health_check filter because 1 of 2 hosts of cluster half are healthy, wanted: 75 % (cluster_min_healthy_percentages)",
     "ready", None, "mutate"),
    (["-H", "x-break: yes", "GET", f"{URL}/broken"], 0, "answered", '418 from the fault filter because header x-break is "yes"', "fault",
     'holds it 10 ms, answers itself: 418 because header x-break is "yes"', "envoy.filters.http.router"),
    (["-H", "origin: https://app.example", "-H", "access-control-request-method: PUT", "OPTIONS", f"{URL}/x"], 0, "answered",
     "200 from the cors filter because it is a preflight of origin https://app.example", "cors", None, "fault"),
    (["-H", "origin: https://bad.example", "-H", "access-control-request-method: PUT", "OPTIONS", f"{URL}/x"], 0, "answered",
     "200 from the cors filter without permission because origin https://bad.example is not allowed", "cors", None, "fault"),
    (["-H", "content-length: 11", "POST", f"{URL}/body"], 2, "failed", "413 from the buffer filter because content-length 11 is over 10 bytes",
     "envoy.filters.http.buffer", "answers itself: 413 because content-length 11 is over 10 bytes", "envoy.filters.http.router"),
])  # fmt: skip
def test_what_a_filter_answers(edge, arguments, code, outcome, reason, filter, words, behind):
    explanation = document(edge, *arguments, code=code)
    assert (explanation["outcome"], explanation["reason"]) == (outcome, reason)
    if words:
        assert says(explanation, filter) == words
    assert filters(explanation)[behind]["state"] == "not_reached"
    # Nothing is said of what the request does not reach.
    assert explanation["steps"][-1]["step"] == "filters"


@pytest.mark.parametrize("arguments, filter, words", [
    (["GET", f"{URL}/slow"], "fault", "holds it 10 ms (while fewer than 50 faults are active)"),
    (["GET", f"{URL}/broken"], "fault", 'no fault: header x-break is missing, wanted: "yes"'),
    (["GET", f"{URL}/x"], "fault", "no fault"),
    (["GET", f"{URL}/ready"], "ready", "no health check: header x-probe is missing, wanted: present"),
    (["GET", f"{URL}/x"], "cors", "the request has no origin header"),
    (["-H", "origin: https://bad.example", "GET", f"{URL}/x"], "cors", "origin https://bad.example is not allowed: the answer gets no access-control headers"),
    (["GET", f"{URL}/moved"], "cors", "no policy counts: the route does not lead to a cluster"),
    (["POST", f"{URL}/body"], "envoy.filters.http.buffer", "holds it until all of its body is here; 413 over 10 bytes"),
    (["-H", "content-length: 10", "POST", f"{URL}/body"], "envoy.filters.http.buffer", "holds it until all of its body is here; 413 over 10 bytes"),
])  # fmt: skip
def test_what_a_filter_lets_pass(edge, arguments, filter, words):
    explanation = document(edge, *arguments)
    assert says(explanation, filter) == words
    assert all(one["state"] != "not_reached" for one in step(explanation, "filters")["filters"])


def test_upgrades(edge):
    def upgrade(kind, *more, code=0, path="/x"):
        return document(edge, "-H", f"Upgrade: {kind}", *more, "GET", f"{URL}{path}", code=code)

    websocket = upgrade("WebSocket")
    assert step(websocket, "upgrade")["taken"]["what"] == "WebSocket, which upgrade_configs[0] allows"
    assert step(websocket, "filters")["taken"]["what"] == "upgrade_configs[0].filters"
    assert names(websocket) == ["ws-fault", "envoy.filters.http.router"]
    assert websocket["outcome"] == "forwarded"
    refused = upgrade("websocket", "-H", "x-refuse: 1")
    assert refused["reason"] == '409 from the fault filter because header x-refuse is "1"'
    # A type of the route's own passes the common filters.
    ping = upgrade("ping", path="/body", code=2)
    assert ping["reason"] == "403: the upgrade to ping is not allowed: upgrade_configs of neither the route nor the connection manager has it"
    ping = upgrade("ping")
    assert step(ping, "upgrade")["taken"]["what"] == "ping, which the route allows"
    assert step(ping, "filters")["taken"]["what"] == "http_filters"
    assert upgrade("chat", code=2)["reason"] == "403: the upgrade to chat is not allowed: upgrade_configs[1] switches it off"
    assert upgrade("pong", code=2)["reason"] == "403: the upgrade to pong is not allowed: upgrade_configs of the route switches it off"
    # What is no upgrade.
    for more in (["-H", "Connection: close"], []):
        kind = "h2c" if not more else "websocket"
        assert all(one["step"] != "upgrade" for one in upgrade(kind, *more)["steps"])
    connect = document(edge, "CONNECT", URL)
    assert step(connect, "upgrade")["taken"]["what"] == "CONNECT, which the route allows"
    assert says(connect, "cors") == "the request has no origin header"
    text = explain(edge, "-H", "Upgrade: chat", "GET", f"{URL}/x", code=2)
    assert "upgrade    none" in text and "not: chat: upgrade_configs[1] switches it off" in text


def test_filters_of_connections(edge):
    front = document(edge, "GET", f"{URL}/x")
    assert names(front, "chain") == ["limit"]
    assert filters(front, "chain")["limit"]["says"] == "at most 100 connections: further ones are held 1 s and closed"
    assert names(front, "listener") == []
    text = explain(edge, "GET", f"{URL}/x")
    assert "filter limit (connection_limit): at most 100 connections: further ones are held 1 s and closed" in text
    inner = document(edge, "GET", "http://a.example:8081/")
    assert names(inner, "listener") == ["envoy.filters.listener.proxy_protocol", "tls_inspector", "inspect"]
    assert "ClientHello" in filters(inner, "listener")["tls_inspector"]["says"]
    assert all(one["step"] != "filters" for one in inner["steps"])


@pytest.fixture
def running(make):
    origin = make.origin(lambda connection, request: connection.reply(b"ok", status=299))
    ports = {8080: 0, 8081: 0, 9901: 0, 9009: origin.port}
    return make.proxy(re.sub(r"(?<=port_value: )\d+", lambda found: str(ports.get(int(found[0]), found[0])), SOURCE))


REQUESTS = [
    ("GET", "a.example", "/healthz", []),
    ("GET", "a.example", "/quiet/x", []),
    ("GET", "a.example", "/healthz/x", [("x-probe", "1")]),
    ("GET", "nobody.test", "/healthz", []),
    ("GET", "nobody.test", "/x", []),
    ("GET", "a.example", "/ready", [("x-probe", "1")]),
    ("GET", "a.example", "/ready", []),
    ("GET", "a.example", "/broken", [("x-break", "yes")]),
    ("GET", "a.example", "/broken", []),
    ("GET", "a.example", "/slow", []),
    ("GET", "a.example", "/named", []),
    ("GET", "a.example", "/moved", []),
    ("POST", "a.example", "/body", [("content-length", "11")]),
    ("POST", "a.example", "/body", [("content-length", "0")]),
    ("OPTIONS", "a.example", "/x", [("origin", "https://app.example"), ("access-control-request-method", "PUT")]),
    ("OPTIONS", "a.example", "/x", [("origin", "https://app.example")]),
    ("OPTIONS", "a.example", "/x", [("origin", "https://bad.example"), ("access-control-request-method", "PUT")]),
    ("GET", "a.example", "/x", [("upgrade", "websocket"), ("connection", "upgrade"), ("x-refuse", "1")]),
    ("GET", "a.example", "/x", [("upgrade", "chat"), ("connection", "upgrade")]),
    ("GET", "a.example", "/x", [("upgrade", "pong"), ("connection", "upgrade")]),
    ("GET", "a.example", "/x", [("upgrade", "ping"), ("connection", "upgrade")]),
]


def test_what_is_said_is_what_happens(running):
    port = running.port("edge")
    for method, host, path, headers in REQUESTS:
        asked = live(running, url=f"http://{host}:{port}{path}", method=method, format="json", header=[f"{n}: {v}" for n, v in headers])
        said = json.loads(asked)
        # As the origin answers, so that nobody mistakes it for the proxy.
        wanted = 299 if said["outcome"] == "forwarded" else int(said["reason"].split()[0].strip(":,"))
        answer = get(port, path, [("Host", f"{host}:{port}"), *headers], method=method)
        assert answer.status == wanted, (method, host, path, headers, said)


def test_failed_health_checks_are_known(running):
    port = running.port("edge")
    url = f"http://a.example:{port}/healthz"
    assert "answers itself: 200 because the path is /healthz" in live(running, url=url)
    assert running.admin("/healthcheck/fail", method="POST").status == 200
    text = live(running, url=url)
    assert "checks (health_check): answers itself: 503 because /healthcheck/fail was called" in text
    assert text.endswith("The proxy answers by itself: 503 from the health_check filter because /healthcheck/fail was called.\n")
