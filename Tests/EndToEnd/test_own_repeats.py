"""What the proxy sends once more though no policy asks: requests that provably reached nobody. Envoy does not."""

import threading

import pytest

from harness import config, http2, wait
from harness.client import Client, get
from harness.config import http_listener, route, virtual_host
from harness.origin import free_port

pytestmark = pytest.mark.apus_only


class Setup:
    def __init__(self, make, *ports, cluster=None, action=None, **bootstrap):
        listener = http_listener(virtual_host(route(**(action or {})), include_request_attempt_count=True))
        upstream = config.cluster("origin", *ports, **(cluster or {}))
        self.proxy = make.proxy(config.bootstrap([listener], [upstream], **bootstrap))

    def get(self, **options):
        return get(self.proxy.port(), "/", **options)

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")


# No connection


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_takes_what_found_no_connection(make, method):
    origin = make.origin()
    setup = Setup(make, free_port(), origin.port)
    for _ in range(4):
        response = setup.get(method=method, body=b"body" if method == "POST" else None)
        assert response.status == 200
    # Every repeat is a pick of its own, so how many met the host that is not there is up to where the turns begin.
    assert setup.stat("upstream_rq_retry") == setup.stat("upstream_cx_connect_fail") >= 2
    assert setup.stat("upstream_rq_200") == 4
    assert setup.stat("circuit_breakers.default.rq_retry_open") == 0


def test_a_body_that_is_still_coming_goes_along(make):
    origin = make.origin()
    setup = Setup(make, free_port(), origin.port)
    for _ in range(2):
        with Client(setup.proxy.port()) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 10\r\n\r\nhello")
            client.send(b"world")
            assert b'"body": "helloworld"' in client.response().body


def test_once_only(make):
    setup = Setup(make, free_port(), free_port(), free_port())
    assert setup.get().status == 503
    assert setup.stat("upstream_rq_retry") == 1
    assert setup.stat("upstream_cx_connect_fail") == 2


def test_the_same_host_is_not_asked_again(make):
    setup = Setup(make, free_port())
    assert setup.get().status == 503
    assert setup.stat("upstream_rq_retry") == 0
    assert setup.stat("upstream_cx_connect_fail") == 1


def test_it_can_be_switched_off(make):
    origin = make.origin()
    metadata = {"filter_metadata": {"apus": {"retry_connect_failures": False}}}
    setup = Setup(make, free_port(), origin.port, cluster={"metadata": metadata})
    assert sorted(setup.get().status for _ in range(2)) == [200, 503]
    assert setup.stat("upstream_rq_retry") == 0


def test_it_takes_a_unit_of_repeats(make):
    origin = make.origin()
    breakers = {"thresholds": [{"max_retries": 0}]}
    setup = Setup(make, free_port(), origin.port, cluster={"circuit_breakers": breakers})
    assert sorted(setup.get().status for _ in range(2)) == [200, 503]
    assert setup.stat("upstream_rq_retry") == 0
    assert setup.stat("upstream_rq_retry_overflow") == 1


def test_a_policy_about_it_decides(make):
    """Both hosts are away: what the policy allows is all there is."""
    policy = {"retry_on": "connect-failure", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s"}}
    setup = Setup(make, free_port(), free_port(), action={"retry_policy": policy})
    assert setup.get().status == 503
    assert setup.stat("upstream_rq_retry") == 2
    assert setup.stat("upstream_cx_connect_fail") == 3


def test_a_policy_that_is_turned_down_has_decided(make):
    policy = {"retry_on": "connect-failure", "num_retries": 2}
    runtime = {"layers": [{"name": "calm", "static_layer": {"upstream.use_retry": 0}}]}
    setup = Setup(make, free_port(), free_port(), action={"retry_policy": policy}, layered_runtime=runtime)
    assert setup.get().status == 503
    assert setup.stat("upstream_rq_retry") == 0
    assert setup.stat("upstream_cx_connect_fail") == 1


def test_a_policy_about_other_things_does_not_forbid_it(make):
    origin = make.origin()
    policy = {"retry_on": "retriable-4xx"}
    setup = Setup(make, free_port(), origin.port, action={"retry_policy": policy})
    assert [setup.get().status for _ in range(2)] == [200, 200]


# Connections that were dead


class Restarting:
    """An origin whose kept connections end at the next request, as after a restart that nobody has noticed yet."""

    def __init__(self):
        self.dead, self.lock, self.seen = 0, threading.Lock(), []
        self.gate = threading.Event()

    def __call__(self, connection, request):
        with self.lock:
            self.seen.append((connection.number, request.get("x-envoy-attempt-count")))
        if request.target == "/hold":
            self.gate.wait(20)
        if connection.number <= self.dead:
            return False
        connection.reply(b"alive")


def test_a_dead_connection_takes_its_elders_with_it(make):
    script = Restarting()
    origin = make.origin(script)
    setup = Setup(make, origin.port)
    clients = [Client(setup.proxy.port()) for _ in range(5)]
    for client in clients:
        client.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    wait.until(lambda: len(script.seen) == 5, "five connections")
    script.gate.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    wait.until(lambda: setup.stat("upstream_rq_active") == 0, "all are idle")
    assert setup.stat("upstream_cx_active") == 5
    script.dead = 5
    assert setup.get().status == 200
    # The one that died, the new one, and none of the old ones.
    assert [attempt for _, attempt in script.seen[5:]] == ["1", "2"]
    assert setup.stat("upstream_cx_active") == 1
    assert origin.connections_total == 6
    assert setup.stat("upstream_rq_retry") == 1


def test_what_may_not_be_repeated_closes_them_too(make):
    script = Restarting()
    origin = make.origin(script)
    setup = Setup(make, origin.port)
    clients = [Client(setup.proxy.port()) for _ in range(3)]
    for client in clients:
        client.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    wait.until(lambda: len(script.seen) == 3, "three connections")
    script.gate.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    wait.until(lambda: setup.stat("upstream_rq_active") == 0, "all are idle")
    script.dead = 3
    assert setup.get(method="POST", body=b"order").status == 503
    assert setup.stat("upstream_cx_active") == 0
    assert setup.get(method="POST", body=b"order").status == 200
    assert setup.stat("upstream_rq_retry") == 0


class Late:
    """Its first connection is kept, and ends under the second request; the answers to others come when the test wants."""

    def __init__(self):
        self.ends, self.answers, self.seen = threading.Event(), threading.Event(), []

    def __call__(self, connection, request):
        self.seen.append(request)
        if len(self.seen) == 2:
            self.ends.wait(20)
            return False
        if len(self.seen) == 3:
            self.answers.wait(20)
        connection.reply(b"alive")


def test_the_second_attempt_has_a_time_of_its_own(make):
    script = Late()
    policy = {"retry_on": "retriable-4xx", "per_try_timeout": "4s"}
    setup = Setup(make, make.origin(script).port, action={"retry_policy": policy})
    assert setup.get().status == 200
    # After the first attempt's time would be over, and before the second's is.
    timers = [threading.Timer(2, script.ends.set), threading.Timer(5, script.answers.set)]
    for timer in timers:
        timer.start()
    assert setup.get().status == 200
    assert [request.get("x-envoy-attempt-count") for request in script.seen] == ["1", "1", "2"]
    assert setup.stat("upstream_rq_per_try_timeout") == 0


def test_the_second_attempt_is_told_what_is_left(make):
    script = Late()
    setup = Setup(make, make.origin(script).port, action={"timeout": "20s"})
    assert setup.get().status == 200
    threading.Timer(0.5, script.ends.set).start()
    script.answers.set()
    assert setup.get().status == 200
    told = [int(request.get("x-envoy-expected-rq-timeout-ms")) for request in script.seen]
    assert told[:2] == [20_000, 20_000]
    assert 0 < told[2] < 19_900


def test_hosts_that_are_late_one_after_the_other_count_both(make):
    script = Late()
    policy = {"retry_on": "retriable-4xx", "num_retries": 0, "per_try_timeout": "1s"}
    action = {"retry_policy": policy, "hedge_policy": {"hedge_on_per_try_timeout": True}}
    detection = {"consecutive_5xx": 1, "enforcing_consecutive_5xx": 0, "consecutive_gateway_failure": 2, "enforcing_consecutive_gateway_failure": 0}
    outliers = {"outlier_detection": detection}
    setup = Setup(make, make.origin(script).port, action=action, cluster=outliers)
    assert setup.get().status == 200
    responses = []
    client = threading.Thread(target=lambda: responses.append(setup.get().status))
    client.start()
    detected = "outlier_detection.ejections_detected_consecutive_"
    wait.until(lambda: setup.stat(detected + "5xx") == 1, "the first is late")
    script.ends.set()
    wait.until(lambda: setup.stat(detected + "gateway_failure") == 1, "so is the second, and that makes two in a row")
    script.answers.set()
    client.join()
    assert responses == [200]


def test_a_refused_stream_stays_on_its_connection(make):
    seen = []

    def script(server, request):
        seen.append(request)
        if len(seen) == 1:
            server.send(http2.rst_stream(request.stream, http2.REFUSED_STREAM))
        else:
            server.reply(request.stream, b"done")

    origin = make.origin(raw=http2.serving(script))
    setup = Setup(make, origin.port, cluster={"typed_extension_protocol_options": config.http2_options()})
    assert setup.get(method="POST").status == 200
    assert origin.connections_total == 1
    assert setup.stat("upstream_rq_retry") == 1
