"""Connections: keep-alive, pipelining, reuse upstream, limits, idle timeouts."""

import json
import threading

import pytest

from harness import config, wait
from harness.client import Client, get, head_bytes, refused

GET = head_bytes("GET", "/", [])


def test_downstream_and_upstream_connections_are_reused(make):
    origin = make.origin()
    proxy = make.proxy(config.simple(origin.port))
    with proxy.connect() as client:
        for _ in range(50):
            assert client.get().status == 200
    assert get(proxy.port()).status == 200
    assert origin.connections_total == 1
    stats = proxy.stats()
    assert stats["http.ingress.downstream_cx_total"] == 2
    assert stats["cluster.origin.upstream_cx_total"] == 1
    assert stats["cluster.origin.upstream_rq_total"] == 51


def test_connection_close_ends_it(make):
    proxy = make.proxy(config.simple(make.origin().port))
    with proxy.connect() as client:
        assert client.get(headers=[("Connection", "close")]).get("connection") == "close"
        assert client.is_closed()


def test_pipelined_requests_are_answered_in_order(make):
    proxy = make.proxy(config.simple(make.origin().port))
    with proxy.connect() as client:
        client.send(b"".join(head_bytes("GET", f"/{index}", []) for index in range(40)))
        for index in range(40):
            assert json.loads(client.response().body)["target"] == f"/{index}"


def test_pipelined_requests_with_bodies_and_odd_cuts(make):
    proxy = make.proxy(config.simple(make.origin().port))
    one = head_bytes("POST", "/length", [("Content-Length", "5")]) + b"GET /"
    two = head_bytes("POST", "/chunked", [("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n"
    data = (one + two) * 5
    for size in (1, 3, 50, len(data)):
        with proxy.connect() as client:
            for at in range(0, len(data), size):
                client.send(data[at : at + size])
            for index in range(10):
                arrived = json.loads(client.response().body)
                assert (arrived["target"], arrived["body"]) == [("/length", "GET /"), ("/chunked", "abc")][index % 2]


def test_half_closed_client_still_gets_nothing_or_its_answer(make):
    """FIN right behind a pipelined pair of requests: no hang, no crash, the connection ends."""
    proxy = make.proxy(config.simple(make.origin().port))
    with proxy.connect() as client:
        client.send(GET + GET)
        client.sock.shutdown(1)
        client.stream.to_end()
    assert get(proxy.port()).status == 200
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "no connection is left")
    assert proxy.stat("http.ingress.downstream_rq_active") == 0


def test_client_abort_resets_the_upstream_request(make):
    ended = threading.Event()

    def script(connection, request):
        try:
            connection.exactly(1)
        finally:
            ended.set()

    proxy = make.proxy(config.simple(make.origin(script).port))
    client = proxy.connect()
    client.send(GET)
    wait.until(lambda: proxy.stat("cluster.origin.upstream_rq_active") == 1, "the request is upstream")
    client.reset()
    assert ended.wait(10)
    wait.until(lambda: proxy.stat("http.ingress.downstream_rq_rx_reset") == 1, "the abort is counted")
    assert proxy.stat("cluster.origin.upstream_rq_active") == 0


def test_upstream_connection_close_is_honoured(make):
    origin = make.origin(lambda connection, _: connection.reply(b"x", headers=[("connection", "close")]))
    proxy = make.proxy(config.simple(origin.port))
    with proxy.connect() as client:
        for _ in range(5):
            assert client.get().status == 200
    assert origin.connections_total == 5


def test_stale_upstream_connections_are_noticed(make):
    """The origin closes its idle connections: later requests use new ones and succeed."""
    origin = make.origin()
    proxy = make.proxy(config.simple(origin.port))
    with proxy.connect() as client:
        assert client.get().status == 200
        origin.close_connections()
        wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "the close is noticed")
        assert client.get().status == 200
    assert origin.connections_total == 2


def test_max_requests_per_upstream_connection(make):
    origin = make.origin()
    upstream = config.cluster(
        "origin", origin.port, typed_extension_protocol_options=config.http_options(max_requests_per_connection=2)
    )
    listener = config.http_listener(config.virtual_host(config.route()))
    with make.proxy(config.bootstrap([listener], [upstream])).connect() as client:
        for _ in range(6):
            assert client.get().status == 200
    assert origin.connections_total == 3


def test_idle_downstream_connection_is_closed(make):
    proxy = make.proxy(config.simple(make.origin().port, common_http_protocol_options={"idle_timeout": "1s"}))
    with proxy.connect() as client:
        assert client.get().status == 200
        assert client.is_closed()
    assert proxy.stat("http.ingress.downstream_cx_idle_timeout") == 1


def test_idle_upstream_connection_is_closed(make):
    origin = make.origin()
    upstream = config.cluster(
        "origin", origin.port, typed_extension_protocol_options=config.http_options(idle_timeout="0.3s")
    )
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [upstream]))
    assert get(proxy.port()).status == 200
    wait.until(lambda: origin.connections_active == 0, "the idle upstream connection is closed")
    assert proxy.stat("cluster.origin.upstream_cx_idle_timeout") == 1


def test_max_connection_duration(make):
    options = {"max_connection_duration": "1s"}
    proxy = make.proxy(config.simple(make.origin().port, common_http_protocol_options=options, drain_timeout="0.1s"))
    with proxy.connect() as client:
        assert client.get().status == 200
        wait.until(lambda: proxy.stat("http.ingress.downstream_cx_max_duration_reached") == 1, "the limit is reached")
        assert client.is_closed()


def test_max_requests_per_downstream_connection(make):
    options = {"max_requests_per_connection": 3}
    proxy = make.proxy(config.simple(make.origin().port, common_http_protocol_options=options))
    with proxy.connect() as client:
        closing = [client.get().get("connection") for _ in range(3)]
        assert closing == [None, None, "close"]
        assert client.is_closed()


def circuit(make, script=None, **thresholds):
    origin = make.origin(script)
    upstream = config.cluster("origin", origin.port, circuit_breakers={"thresholds": [thresholds]})
    listener = config.http_listener(config.virtual_host(config.route()))
    return origin, make.proxy(config.bootstrap([listener], [upstream]))


@pytest.mark.parametrize(
    "thresholds, counter",
    [
        ({"max_requests": 1}, "upstream_rq_active_overflow"),
        ({"max_connections": 1, "max_pending_requests": 0}, "upstream_rq_pending_overflow"),
    ],
    ids=["requests", "pending"],
)
def test_overflow_fails_at_once(make, thresholds, counter):
    go_on = threading.Event()

    def script(connection, request):
        if request.target == "/wait":
            assert go_on.wait(10)
        connection.reply(b"x")

    origin = make.origin(script)
    # The first connection must exist: with no pending requests allowed none could ever be made.
    first = {**thresholds, "max_pending_requests": 1}
    upstream = config.cluster("origin", origin.port, circuit_breakers={"thresholds": [first]})
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [upstream]))
    port = proxy.port()
    with Client(port) as waiting, Client(port) as queued:
        waiting.send(head_bytes("GET", "/wait", []))
        wait.until(lambda: origin.requests_total == 1, "the first request is upstream")
        if counter == "upstream_rq_pending_overflow":
            queued.send(GET)
            wait.until(lambda: proxy.stat("cluster.origin.upstream_rq_pending_active") == 1, "one request is queued")
        response = get(port)
        assert response.status == 503
        assert response.get("x-envoy-overloaded") == "true"
        assert b"overflow" in response.body
        assert proxy.stat(f"cluster.origin.{counter}") == 1
        go_on.set()
        assert waiting.response().status == 200
        if counter == "upstream_rq_pending_overflow":
            assert queued.response().status == 200
        assert get(port).status == 200


def test_max_connections_queues(make):
    """Reaching max_connections queues requests; all are served over the one connection."""
    origin, proxy = circuit(make, max_connections=1)
    port = proxy.port()
    clients = [Client(port) for _ in range(8)]
    for client in clients:
        client.send(GET)
    assert [client.response().status for client in clients] == [200] * 8
    for client in clients:
        client.close()
    assert origin.connections_total == 1


def test_listener_connection_limit(make):
    limit = {
        "name": "envoy.filters.network.connection_limit",
        "typed_config": {
            "@type": config.TYPE + "extensions.filters.network.connection_limit.v3.ConnectionLimit",
            "stat_prefix": "limit",
            "max_connections": 2,
        },
    }
    listener = config.http_listener(config.virtual_host(config.route()))
    listener["filter_chains"][0]["filters"].insert(0, limit)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin().port)]))
    port = proxy.port()
    first, second = Client(port), Client(port)
    assert first.get().status == second.get().status == 200
    with Client(port) as third:
        assert third.is_closed()
    assert proxy.stat("connection_limit.limit.limited_connections") == 1
    first.close()
    wait.until(lambda: proxy.stat("connection_limit.limit.active_connections") == 1, "the first has ended")
    assert get(port).status == 200
    second.close()


def test_a_thousand_connections(make):
    proxy = make.proxy(config.simple(make.origin().port))
    port = proxy.port()
    clients = [Client(port) for _ in range(1000)]
    for client in clients:
        assert client.get().status == 200
    assert proxy.stat("http.ingress.downstream_cx_active") == 1000
    for client in clients:
        client.close()
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "all have ended")


def test_nothing_listens_after_the_end(make):
    proxy = make.proxy(config.simple(make.origin().port))
    port = proxy.port()
    assert proxy.stop() == 0
    assert refused(port) and refused(proxy.admin_port)
