"""Limits of a cluster (circuit breakers): what each of them holds, over all workers, and how it shows. Runs on Envoy too."""

import select
import socket
import threading

import pytest

from harness import config, http2, wait
from harness.client import Client, get
from harness.config import http_listener, route, virtual_host
from harness.example import answering, example
from harness.origin import free_port

OVERFLOW = b"upstream connect error or disconnect/reset before headers. reset reason: overflow"


class Gate:
    """An origin's script that answers when it is let, and knows how many requests were there at a time."""

    def __init__(self):
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.now, self.most, self.targets = 0, 0, []

    def __call__(self, connection, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.targets.append(request.target)
        self.open.wait(60)
        with self.lock:
            self.now -= 1
        connection.reply(b"gate")


class Limits:
    """A proxy with two routes, of both priorities, to hosts behind a gate."""

    cluster = "origin"

    def __init__(self, make, thresholds, *, hosts=1, cluster=None, per_host=None, concurrency=1, runtime=None, script=None, **action):
        self.gate = script or Gate()
        self.origins = [make.origin(self.gate) for _ in range(hosts)]
        breakers = {"thresholds": thresholds}
        if per_host:
            breakers["per_host_thresholds"] = per_host
        upstream = config.cluster(
            "origin", *[origin.port for origin in self.origins], circuit_breakers=breakers, **(cluster or {})
        )
        routes = [route("/high", priority="HIGH", timeout="60s", **action), route("/", timeout="60s", **action)]
        layers = {"layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]}} if runtime else {}
        self.proxy = make.proxy(
            config.bootstrap([http_listener(virtual_host(*routes))], [upstream], **layers), concurrency=concurrency
        )
        self.clients = []

    def begin(self, path="/", count=1):
        """Requests whose answers nobody waits for yet."""
        begun = []
        for _ in range(count):
            client = Client(self.proxy.port(), timeout=60)
            client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            begun.append(client)
        self.clients += begun
        return begun

    def finish(self):
        self.gate.open.set()
        return [client.response().status for client in self.clients]

    def get(self, path="/", **options):
        return get(self.proxy.port(), path, **options)

    def stat(self, name):
        return self.proxy.stat(f"cluster.{self.cluster}.{name}")

    def until(self, name, value):
        wait.until(lambda: self.stat(name) == value, f"{name} is {value} (now {self.stat(name)})")

    def breaker(self, name):
        return self.stat(f"circuit_breakers.{name}")


def assert_overflow(response):
    assert (response.status, response.body) == (503, OVERFLOW)
    assert response.get("x-envoy-overloaded") == "true"


def test_priorities_have_connections_of_their_own(make):
    setup = Limits(make, [{"max_connections": 1}, {"priority": "HIGH", "max_connections": 1}])
    setup.begin("/")
    setup.begin("/high")
    wait.until(lambda: setup.gate.now == 2, "both are at the host")
    assert setup.stat("upstream_cx_active") == 2
    setup.begin("/")
    setup.begin("/high")
    setup.until("upstream_rq_pending_active", 2)
    assert setup.stat("upstream_cx_overflow") == 2
    assert setup.finish() == [200] * 4
    assert setup.gate.most == 2


def test_an_idle_connection_of_one_priority_is_not_the_others(make):
    setup = Limits(make, [])
    setup.gate.open.set()
    for path in ("/", "/high", "/", "/high"):
        assert setup.get(path).status == 200
    assert setup.stat("upstream_cx_total") == 2


@pytest.mark.parametrize("priority, path", [("default", "/"), ("high", "/high")])
def test_gauges_say_which_limit_is_reached(make, priority, path):
    limits = {"max_connections": 1, "max_pending_requests": 1, "max_requests": 3, "track_remaining": True}
    setup = Limits(make, [{**limits, "priority": priority.upper()}])
    other = "high" if priority == "default" else "default"
    assert [setup.breaker(f"{priority}.{name}") for name in ("cx_open", "rq_open", "rq_pending_open")] == [0, 0, 0]
    setup.begin(path)
    wait.until(lambda: setup.gate.now == 1, "the request is at the host")
    assert setup.breaker(f"{priority}.cx_open") == 1
    assert setup.breaker(f"{priority}.rq_pending_open") == 0
    assert setup.breaker(f"{priority}.remaining_cx") == 0
    assert setup.breaker(f"{priority}.remaining_rq") == 2
    assert setup.breaker(f"{priority}.remaining_pending") == 1
    setup.begin(path)
    setup.until(f"circuit_breakers.{priority}.rq_pending_open", 1)
    assert setup.breaker(f"{priority}.remaining_pending") == 0
    assert setup.breaker(f"{priority}.rq_open") == 0
    assert_overflow(setup.get(path))
    assert [setup.breaker(f"{other}.{name}") for name in ("cx_open", "rq_open", "rq_pending_open")] == [0, 0, 0]
    assert f"cluster.origin.circuit_breakers.{other}.remaining_cx" not in setup.proxy.stats()
    setup.finish()
    setup.until(f"circuit_breakers.{priority}.remaining_rq", 3)
    assert setup.breaker(f"{priority}.rq_pending_open") == 0


def test_requests_of_a_host_wait_for_its_own_limit(make):
    setup = Limits(make, [], hosts=2, per_host=[{"max_connections": 1}])
    setup.begin(count=4)
    wait.until(lambda: setup.gate.now == 2, "one request at each host")
    setup.until("upstream_rq_pending_active", 2)
    assert setup.stat("upstream_cx_active") == 2
    assert setup.stat("upstream_cx_overflow") >= 2
    assert setup.finish() == [200] * 4


@pytest.mark.apus_only
@pytest.mark.parametrize("limit, want", [(1, 1), (3, 3)])
def test_a_host_has_so_many_connections_over_all_workers(make, limit, want):
    setup = Limits(make, [{"max_connections": 1000}], per_host=[{"max_connections": limit}], concurrency=2)
    setup.begin(count=30)
    wait.until(lambda: setup.gate.now >= want, "requests at the host")

    def arrived():
        stats = setup.proxy.stats()
        return sum(stats[f"cluster.origin.upstream_rq_{name}"] for name in ("pending_active", "active")) == 30

    wait.until(arrived, "each request has a connection or waits for one")
    # A worker without any connection may have one.
    assert setup.stat("upstream_cx_active") <= max(limit, 2)
    assert setup.finish() == [200] * 30
    assert setup.gate.most <= max(limit, 2)


@pytest.mark.apus_only
@pytest.mark.parametrize("limit", [1, 7])
def test_requests_are_limited_exactly_over_all_workers(make, limit):
    """Envoy may be over its limits for moments."""
    setup = Limits(make, [{"max_requests": limit, "max_pending_requests": 1000, "max_connections": 1000}], concurrency=4)
    done, statuses = threading.Event(), []

    def ask():
        while not done.is_set():
            statuses.append(setup.get().status)

    def let():
        setup.gate.open.set()
        wait.until(lambda: len(statuses) > 2000, "many answers", seconds=60)
        done.set()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    let()
    for thread in threads:
        thread.join()
    assert setup.gate.most <= limit
    assert statuses.count(200) + statuses.count(503) == len(statuses)
    assert statuses.count(503) == setup.stat("upstream_rq_active_overflow") > 0
    assert setup.stat("upstream_rq_active") == 0
    assert setup.breaker("default.rq_open") == 0


def test_pools_are_limited(make):
    """A pool a host and priority: a second one is too many while the first one works."""
    setup = Limits(make, [{"max_connection_pools": 1, "track_remaining": True}], hosts=1)
    setup.begin("/")
    wait.until(lambda: setup.gate.now == 1, "the request is at the host")
    assert setup.breaker("default.cx_pool_open") == 1
    assert setup.breaker("default.remaining_cx_pools") == 0
    # The other priority has pools of its own.
    setup.begin("/high")
    wait.until(lambda: setup.gate.now == 2, "both are at the host")
    assert setup.stat("upstream_cx_pool_overflow") == 0
    assert setup.finish() == [200, 200]


@pytest.mark.apus_only
def test_too_many_pools_for_hosts(make):
    """Envoy says that there is no host."""
    setup = Limits(make, [{"max_connection_pools": 1}], hosts=2)
    setup.begin("/")
    wait.until(lambda: setup.gate.now == 1, "the request is at a host")
    # Round robin: the next one is for the other host.
    assert_overflow(setup.get("/"))
    assert setup.stat("upstream_cx_pool_overflow") == 1
    assert setup.finish() == [200]


@pytest.mark.apus_only
def test_a_pool_that_rests_makes_room(make):
    """Two kinds of pools of one host: HTTP/1 and HTTP/2 by the client's version. Envoy keeps them in one."""

    def either(connection):
        while not connection.sock.recv(3, socket.MSG_PEEK) == b"PRI":
            connection.request()
            connection.reply(b"one")

    options = {
        "@type": config.HTTP_OPTIONS,
        "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}},
    }
    upstream = config.cluster(
        "origin", make.origin(raw=either).port, circuit_breakers={"thresholds": [{"max_connection_pools": 1}]},
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    )  # fmt: skip
    proxy = make.proxy(config.bootstrap([http_listener(virtual_host(route()))], [upstream]))
    assert get(proxy.port(), "/").status == 200
    assert proxy.stat("cluster.origin.upstream_cx_active") == 1
    with http2.Client(proxy.port()) as client:
        assert client.get("/").status == 503
    assert proxy.stat("cluster.origin.upstream_cx_pool_overflow") == 0
    assert proxy.stat("cluster.origin.upstream_cx_http2_total") == 1
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "both connections are gone")
    assert get(proxy.port(), "/").status == 200


class Failing:
    """Answers 503; requests to /hold stay."""

    def __init__(self):
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.now = 0

    def __call__(self, connection, request):
        with self.lock:
            self.now += 1
        if request.target.startswith("/hold"):
            self.open.wait(60)
        with self.lock:
            self.now -= 1
        connection.reply(b"failing", status="200 OK" if request.target == "/fine" else "503 Service Unavailable")


def retrying(make, budget, **options):
    """Requests to /hold stay at the host; others fail and are repeated after hours."""
    script = Failing()
    policy = {
        "retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "36000s", "max_interval": "36000s"},
    }  # fmt: skip
    setup = Limits(make, [budget], script=script, retry_policy=policy, **options)
    return setup, script


@pytest.mark.parametrize("budget, held, want", [
    ({"retry_budget": {}}, 2, 3),
    ({"retry_budget": {"budget_percent": {"value": 50}, "min_retry_concurrency": 0}}, 8, 4),
    ({"retry_budget": {"budget_percent": {"value": 100}, "min_retry_concurrency": 6}}, 2, 6),
    ({"max_retries": 4}, 3, 4),
])  # fmt: skip
def test_repeats_are_limited(make, budget, held, want):
    setup, script = retrying(make, budget)
    # One by one: a request that is being judged is still active.
    setup.begin("/hold", held)
    wait.until(lambda: script.now == held, "requests at the host")
    for number in range(want):
        setup.begin("/fails")
        setup.until("retry.upstream_rq_503", number + 1)
    refused = setup.get("/fails")
    assert (refused.status, refused.body) == (503, b"failing")
    assert setup.stat("upstream_rq_retry_overflow") == 1
    setup.until("circuit_breakers.default.rq_retry_open", 1)


@pytest.mark.apus_only
def test_a_budget_may_look_back(make):
    """Of what is under way, a tenth is nothing; of what the last hour has brought, it is five and more."""
    budget = {"budget_percent": {"value": 10}, "min_retry_concurrency": 0, "budget_interval": "3600s"}
    setup, _ = retrying(make, {"retry_budget": budget})
    for _ in range(50):
        assert setup.get("/fine").status == 200

    def repeats():
        setup.begin("/fails")
        return setup.stat("upstream_rq_retry") >= 5

    wait.until(repeats, "five wait to be repeated")
    assert setup.stat("upstream_rq_total") < 2000


def test_maintenance(make):
    setup = Limits(make, [], runtime={"upstream": {"maintenance_mode": {"origin": 100}}})
    response = setup.get()
    assert (response.status, response.body) == (503, b"maintenance mode")
    assert response.get("x-envoy-overloaded") == "true"
    assert setup.stat("upstream_rq_maintenance_mode") == 1
    assert setup.stat("upstream_rq_503") == 1
    assert setup.gate.targets == []


def test_maintenance_of_others(make):
    setup = Limits(make, [], runtime={"upstream": {"maintenance_mode": {"another": 100}}})
    setup.gate.open.set()
    assert setup.get().status == 200


def test_the_runtime_stands_for_limits(make):
    runtime = {"circuit_breakers": {"origin": {"default": {"max_requests": 1}, "high": {"max_requests": 2}}}}
    setup = Limits(make, [{"max_requests": 1000}], runtime=runtime)
    setup.begin("/")
    setup.begin("/high", 2)
    wait.until(lambda: setup.gate.now == 3, "all are at the host")
    assert_overflow(setup.get("/"))
    assert_overflow(setup.get("/high"))
    assert setup.stat("upstream_rq_active_overflow") == 2
    assert setup.finish() == [200] * 3


@pytest.mark.apus_only
def test_the_log_names_a_limit_once(make):
    setup = Limits(make, [{"max_pending_requests": 0}])
    for _ in range(3):
        assert_overflow(setup.get())
    sentence = (
        'cluster "origin": circuit_breakers.thresholds[DEFAULT].max_pending_requests (0) is reached: '
        "requests now fail with 503 UO; logged once"
    )
    wait.until(lambda: sentence in setup.proxy.log(), "the log has it")
    assert_overflow(setup.get())
    lines = [line for line in setup.proxy.log().splitlines() if sentence in line]
    assert len(lines) == 1 and "warning" in lines[0]


@pytest.mark.apus_only
def test_other_limits_are_told_anew(make):
    def document(port, limit):
        upstream = config.cluster("origin", port, circuit_breakers={"thresholds": [{"max_requests": limit}]})
        return config.bootstrap([http_listener(virtual_host(route()))], [upstream])

    gate = Gate()
    origin = make.origin(gate)
    proxy = make.proxy(document(origin.port, 0))
    assert get(proxy.port(), "/").status == 503
    wait.until(lambda: "max_requests (0) is reached" in proxy.log(), "the log has it")
    proxy.write_config(document(origin.port, 1))
    wait.until(lambda: proxy.stat("server.config_reload_success") == 1, "the reload")
    held = Client(proxy.port(), timeout=60)

    def at_the_host():
        """Main has read the file; until the worker has it too, the old limit counts."""
        held.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait.until(lambda: gate.now == 1 or select.select([held.sock], [], [], 0)[0], "the request is at the host or refused")
        return gate.now == 1 or held.response().status != 503

    wait.until(at_the_host, "a request is at the host")
    assert get(proxy.port(), "/").status == 503
    wait.until(lambda: "max_requests (1) is reached" in proxy.log(), "the log has the new one")
    gate.open.set()
    assert held.response().status == 200


def test_every_unit_comes_back(make):
    """Whatever becomes of requests: answers, failures, timeouts, clients that leave, repeats, refusals, dead connections."""
    lock, count = threading.Lock(), [0]

    def script(connection, request):
        with lock:
            count[0] += 1
            kind = count[0] % 6
        if kind == 0:
            return False
        if kind == 1:
            connection.reset()
            return False
        if kind == 2:
            threading.Event().wait(0.15)
        if kind == 3:
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            return False
        connection.reply(status="503 Busy" if kind == 4 else "200 OK")

    limits = {
        "max_connections": 6, "max_pending_requests": 4, "max_requests": 5, "max_retries": 3, "max_connection_pools": 3,
        "track_remaining": True,
    }  # fmt: skip
    retry = {"retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"}}
    gone = free_port()
    upstream = config.cluster(
        "origin", make.origin(script).port, make.origin(script).port, gone,
        circuit_breakers={
            "thresholds": [limits, {**limits, "priority": "HIGH"}], "per_host_thresholds": [{"max_connections": 4}],
        },
    )  # fmt: skip
    routes = [route("/high", priority="HIGH", timeout="0.1s", retry_policy=retry), route("/", timeout="0.1s", retry_policy=retry)]
    proxy = make.proxy(config.bootstrap([http_listener(virtual_host(*routes))], [upstream]), concurrency=2)
    names = ("cx", "pending", "rq", "retries", "cx_pools")

    def left():
        stats = proxy.stats()
        return [stats[f"cluster.origin.circuit_breakers.{priority}.remaining_{name}"] for priority in ("default", "high") for name in names]

    assert left() == [6, 4, 5, 3, 3] * 2

    def ask(number):
        for turn in range(40):
            with Client(proxy.port(), timeout=20) as client:
                path = "/high" if (number + turn) % 3 == 0 else "/"
                body = "hello" if turn % 4 == 0 else ""
                client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
                if turn % 5 == 0:
                    client.reset()
                    continue
                try:
                    client.response()
                except Exception:  # a response may break off
                    pass

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for thing in make.made:
        if hasattr(thing, "close_connections"):
            thing.close_connections()
    wait.until(lambda: left() == [6, 4, 5, 3, 3] * 2, f"all units are back, not {left()}", seconds=20)
    assert proxy.stat("cluster.origin.upstream_rq_retry") > 0


# The example


class Shop(Limits):
    """The example, its hosts behind a gate."""

    cluster = "shop"

    def __init__(self, make, gate=None, **other):
        self.gate, self.clients = gate or Gate(), []
        self.origins = [make.origin(self.gate) for _ in range(2)]
        ports = {9000 + index: origin.port for index, origin in enumerate(self.origins)}
        self.proxy = example(make, "circuit-breakers", {**ports, **other.get("ports", {})})


def test_the_example_refuses_a_rush(make):
    """A hundred at once: forty at the hosts, twenty that wait, and forty that know at once."""
    setup = Shop(make)
    for count in 20, 40:
        setup.begin(count=20)
        wait.until(lambda: setup.gate.now == count, f"{count} requests at the hosts")
    setup.begin(count=20)
    setup.until("upstream_rq_pending_active", 20)
    for _ in range(40):
        assert_overflow(setup.get())
    assert setup.stat("upstream_rq_pending_overflow") == 40
    assert [setup.breaker(f"default.remaining_{name}") for name in ("cx", "rq", "pending")] == [0, 0, 0]
    # Payments do not notice.
    setup.begin("/pay", 20)
    wait.until(lambda: setup.gate.now == 60, "payments at the hosts")
    assert [origin.connections_active for origin in setup.origins] == [30, 30]
    assert setup.finish() == [200] * 80
    setup.until("circuit_breakers.default.remaining_rq", 40)


class Failing20(Gate):
    """Twenty requests fail, when the gate is opened; what comes later waits for the second gate."""

    def __init__(self):
        super().__init__()
        self.second, self.repeats = threading.Event(), 0

    def __call__(self, connection, request):
        with self.lock:
            self.now += 1
            is_repeat = self.now > 20
            self.repeats += is_repeat
        (self.second if is_repeat else self.open).wait(60)
        connection.reply(status="200 OK" if is_repeat else "503 Busy")


def test_the_example_repeats_a_tenth(make):
    setup = Shop(make, Failing20())
    setup.begin(count=20)
    wait.until(lambda: setup.gate.now == 20, "all are at the hosts")
    setup.gate.open.set()
    setup.until("upstream_rq_retry_overflow", 18)
    wait.until(lambda: setup.gate.repeats == 2, "repeats at the hosts")
    setup.gate.second.set()
    assert sorted(setup.finish()) == [200] * 2 + [503] * 18
    assert [setup.stat(name) for name in ("upstream_rq_retry", "upstream_rq_retry_success")] == [2, 2]
    assert setup.gate.now == 22


def test_the_example_does_not_crowd_the_host_that_is_left(make):
    setup = Shop(make, ports={9001: free_port()})
    key = f"shop::127.0.0.1:{setup.origins[0].port}::cx_active::"

    def connections():
        lines = setup.proxy.admin("/clusters").body.decode().splitlines()
        return int(next(line for line in lines if line.startswith(key)).removeprefix(key))

    def is_full():
        setup.begin(count=2)
        count = connections()
        assert count <= 30
        return count == 30 and setup.stat("upstream_rq_pending_active")

    wait.until(is_full, "the host has thirty connections, and others wait", 30)
    assert setup.stat("upstream_cx_overflow") > 0
    assert connections() == 30
    statuses = setup.finish()
    assert set(statuses) <= {200, 503} and statuses.count(200) >= 30


def test_the_example_drops_a_fifth_of_the_reviews(make):
    setup = Shop(make, ports=answering(make, 9002))
    dropped = 0
    with Client(setup.proxy.port()) as client:
        for _ in range(1600):
            response = client.get("/reviews")
            assert response.status == (503 if "x-envoy-drop-overload" in response else 200)
            dropped += response.status == 503
    # Five standard deviations.
    assert abs(dropped - 320) <= 80
    assert setup.proxy.stat("cluster.reviews.upstream_rq_503") == dropped
    assert setup.proxy.stat("cluster.reviews.upstream_rq_200") == 1600 - dropped
