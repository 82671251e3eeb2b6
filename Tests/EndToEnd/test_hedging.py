"""Hedged requests: an attempt that is late goes on beside the next one, and the first good answer wins. Runs on Envoy too."""

import collections
import contextlib
import itertools
import pathlib
import socket
import threading
import time
from random import Random

import pytest

from harness import config, http2, wait
from harness.client import head_bytes
from harness.example import example

HOLDS_SECONDS = 30
COUNTS = ("upstream_rq_retry", "upstream_rq_retry_success", "upstream_rq_retry_limit_exceeded", "upstream_rq_total")


class Attempt:
    """A request as its host has it; the test answers it when it likes."""

    def __init__(self, request, peer):
        self.request, self.peer, self.over = request, peer, threading.Event()

    def get(self, name):
        return self.request.get(name)


class Attempt1(Attempt):
    def reply(self, status=200, body=b"", fields=()):
        self.peer.reply(body, status=f"{status} Status", headers=list(fields))
        self.over.set()

    def begin(self, body, length):
        self.peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length + body)

    def end(self, body=b""):
        self.peer.send(body)
        self.over.set()

    def fail(self):
        self.peer.sock.shutdown(socket.SHUT_RDWR)
        self.over.set()


class Attempt2(Attempt):
    def reply(self, status=200, body=b"", fields=(), trailers=None):
        self.peer.reply(self.request.stream, body, status=status, fields=list(fields), trailers=trailers)

    def begin(self, body, length):
        stream = self.request.stream
        self.peer.send(http2.head(stream, self.peer.encode([(":status", 200), ("content-length", length)])), http2.data(stream, body))

    def end(self, body=b""):
        self.peer.send(http2.data(self.request.stream, body, ends=True))

    def fail(self):
        self.peer.send(http2.rst_stream(self.request.stream, http2.INTERNAL_ERROR))


class Hosts:
    """One host of HTTP/1 or HTTP/2 whose attempts the test sees in the order in which they come."""

    def __init__(self, make, kind):
        self.kind, self.attempts, self.lock = kind, [], threading.Lock()
        self.origin = make.origin(raw=http2.serving(self._second)) if kind == "http2" else make.origin(self._first)

    def _add(self, attempt):
        with self.lock:
            self.attempts.append(attempt)
        return attempt

    def _first(self, connection, request):
        self._add(Attempt1(request, connection)).over.wait(HOLDS_SECONDS)

    def _second(self, server, request):
        self._add(Attempt2(request, server))

    def __getitem__(self, index):
        """Waits for the attempt."""
        wait.until(lambda: len(self.attempts) > index, f"attempt {index + 1}")
        return self.attempts[index]


class Call1:
    """A client's request over HTTP/1."""

    def __init__(self, proxy, method="GET", path="/", headers=(), body=None):
        self.client = proxy.connect()
        fields = list(headers) + ([("content-length", len(body))] if body is not None else [])
        self.client.send(head_bytes(method, path, fields) + (body or b""))

    def response(self):
        return self.client.response()

    def leave(self):
        self.client.close()

    def is_cut(self):
        try:
            self.client.response()
        except Exception:
            return True
        return False


class Call2:
    """The same over HTTP/2."""

    def __init__(self, proxy, method="GET", path="/", headers=(), body=None):
        self.client = http2.Client(proxy.port())
        self.stream = self.client.open(method, path, list(headers), ends=body is None)
        if body is not None:
            self.client.send_body(self.stream, body)

    def response(self):
        return self.client.response(self.stream)

    def leave(self):
        self.client.send(http2.rst_stream(self.stream))

    def is_cut(self):
        return self.client.response(self.stream).reset is not None


class Setup:
    def __init__(
        self, make, kind="http1", downstream="http1", hcm=None, cluster=None, retry=None, hedge=True, fields=None,
        routes=(), clusters=(), ports=(), **action,
    ):  # fmt: skip
        self.hosts, self.downstream = Hosts(make, kind), downstream
        self.log = pathlib.Path(make.directory) / "access.log"
        text = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_HOST%\n"
        backoff = {"base_interval": "0.001s", "max_interval": "0.002s"}
        # Long enough that a test sees an attempt and answers it before that one is late too.
        policy = {"retry_on": "5xx", "per_try_timeout": "0.5s", "retry_back_off": backoff, **(retry or {})}
        action = {"timeout": "20s", "retry_policy": policy, **action}
        if hedge:
            action.setdefault("hedge_policy", {"hedge_on_per_try_timeout": True})
        host = {"include_request_attempt_count": True, "include_attempt_count_in_response": True, **(fields or {})}
        listener = config.http_listener(
            config.virtual_host(*routes, config.route(**action), **host),
            hcm={"access_log": [config.file_log(self.log, text)], **(hcm or {})},
        )
        options = {"typed_extension_protocol_options": config.http2_options()} if kind == "http2" else {}
        self.proxy = make.proxy(
            config.bootstrap(
                [listener],
                [config.cluster("origin", *(ports or [self.hosts.origin.port]), **options, **(cluster or {})), *clusters],
            ),
            arguments=["--file-flush-interval-msec", "20"],
        )

    def call(self, *args, **named):
        return (Call2 if self.downstream == "http2" else Call1)(self.proxy, *args, **named)

    def stats(self, *names):
        return [self.proxy.stat(f"cluster.origin.{name}") for name in names or COUNTS]

    def resets(self):
        """Attempts that were given up: HTTP/1 has no word for it, and a connection's end shows it on every proxy."""
        if self.hosts.kind == "http2":
            return self.stats("upstream_rq_tx_reset")[0]
        return self.stats("upstream_cx_destroy_local_with_active_rq")[0]

    def logged(self, index=0):
        return wait.until(
            lambda: self.log.exists() and self.log.read_text().count("\n") > index and self.log.read_text(), "a log line"
        ).splitlines()[index]

    def settles(self):
        """Nothing is left of any attempt."""
        gauges = ("upstream_rq_active", "upstream_rq_pending_active")
        wait.until(lambda: self.stats(*gauges) == [0, 0], "no attempt is under way")
        wait.until(lambda: self.proxy.stat("http.http.downstream_rq_active") == 0, "no request is under way")
        names = ("rq_retry_open", "rq_open", "rq_pending_open")
        assert [self.proxy.stat(f"cluster.origin.circuit_breakers.default.{name}") for name in names] == [0, 0, 0]


KINDS = pytest.mark.parametrize("downstream, kind", [("http1", "http1"), ("http1", "http2"), ("http2", "http1"), ("http2", "http2")])


@KINDS
def test_the_second_wins(make, downstream, kind):
    setup = Setup(make, kind, downstream)
    call = setup.call()
    first, second = setup.hosts[0], setup.hosts[1]
    assert setup.stats() == [1, 0, 0, 2]
    second.reply(200, b"second", [("x-from", "second")])
    response = call.response()
    assert (response.status, response.body, response.get("x-from")) == (200, b"second", "second")
    assert response.get("x-envoy-attempt-count") == "2"
    assert (first.get("x-envoy-attempt-count"), second.get("x-envoy-attempt-count")) == ("1", "2")
    setup.settles()
    assert setup.stats() == [1, 1, 0, 2]
    assert setup.stats("upstream_rq_per_try_timeout", "upstream_rq_timeout") == [0, 0]
    assert setup.resets() == 1
    assert setup.stats("upstream_rq_completed", "upstream_rq_200") == [1, 1]
    assert setup.logged() == f"200 - via_upstream 2 127.0.0.1:{setup.hosts.origin.port}"


@KINDS
def test_the_first_wins(make, downstream, kind):
    setup = Setup(make, kind, downstream)
    call = setup.call()
    first = setup.hosts[0]
    assert setup.hosts[1]
    first.reply(200, b"first")
    response = call.response()
    assert (response.status, response.body) == (200, b"first")
    assert response.get("x-envoy-attempt-count") == "2"
    setup.settles()
    assert setup.stats() == [1, 0, 0, 2]
    assert setup.resets() == setup.stats("upstream_rq_completed")[0] == 1
    assert setup.logged().startswith("200 - via_upstream 2 ")


@KINDS
@pytest.mark.parametrize("size", [10, 40_000])
def test_bodies_go_to_both(make, downstream, kind, size):
    setup = Setup(make, kind, downstream)
    call = setup.call("POST", body=b"b" * size)
    first, second = setup.hosts[0], setup.hosts[1]
    second.reply(200, b"r" * 3_000_000)
    assert len(call.response().body) == 3_000_000
    assert [len(attempt.request.body) for attempt in (first, second)] == [size, size]
    setup.settles()


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_each_attempt_may_be_late(make, kind):
    setup = Setup(make, kind, retry={"num_retries": 2})
    call = setup.call()
    for index in range(3):
        assert setup.hosts[index].get("x-envoy-attempt-count") == str(index + 1)
    setup.hosts[1].reply(200, b"second")
    response = call.response()
    assert (response.status, response.body, response.get("x-envoy-attempt-count")) == (200, b"second", "3")
    setup.settles()
    assert setup.stats() == [2, 0, 0, 3]
    assert setup.resets() == 2


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_num_retries_is_used_up(make, kind):
    """The latest attempt is late, and may not be repeated: all are waited for."""
    setup = Setup(make, kind)
    call = setup.call()
    first = setup.hosts[0]
    assert setup.hosts[1]
    wait.until(lambda: setup.stats("upstream_rq_retry_limit_exceeded") == [1], "the second is late")
    first.reply(200, b"first")
    assert call.response().body == b"first"
    setup.settles()
    assert setup.stats() == [1, 0, 1, 2]
    assert setup.logged().startswith("200 URX via_upstream 2 ")


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_bad_answer_of_the_second(make, kind):
    """It might be repeated no more: the first one is waited for."""
    setup = Setup(make, kind)
    call = setup.call()
    first = setup.hosts[0]
    setup.hosts[1].reply(503, b"busy")
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "the second is dropped")
    first.reply(200, b"first")
    response = call.response()
    assert (response.status, response.body) == (200, b"first")
    setup.settles()
    assert setup.stats() == [1, 0, 1, 2]
    assert setup.stats("retry.upstream_rq_503", "upstream_rq_503", "upstream_rq_200") == [0, 0, 1]
    assert setup.logged().startswith("200 URX via_upstream 2 ")


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_bad_answer_of_the_second_is_repeated(make, kind):
    setup = Setup(make, kind, retry={"num_retries": 2})
    call = setup.call()
    assert setup.hosts[0]
    setup.hosts[1].reply(503, b"busy")
    setup.hosts[2].reply(200, b"third")
    response = call.response()
    assert (response.status, response.body, response.get("x-envoy-attempt-count")) == (200, b"third", "3")
    setup.settles()
    assert setup.stats() == [2, 1, 0, 3]
    assert setup.stats("retry.upstream_rq_503", "upstream_rq_503") == [1, 0]


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_bad_answer_of_the_first(make, kind):
    setup = Setup(make, kind)
    call = setup.call()
    first, second = setup.hosts[0], setup.hosts[1]
    first.reply(503, b"busy")
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "the first is dropped")
    second.reply(200, b"second")
    response = call.response()
    assert (response.status, response.body) == (200, b"second")
    setup.settles()
    assert setup.stats() == [1, 1, 0, 2]
    assert setup.stats("retry.upstream_rq_503", "upstream_rq_503") == [0, 0]


@pytest.mark.parametrize("kind", ["http1", "http2"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_bad_answers_of_all(make, kind, order):
    """The last one is the client's."""
    setup = Setup(make, kind)
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    attempts[order[0]].reply(503, b"busy")
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "it is dropped")
    attempts[order[1]].reply(502, b"last")
    response = call.response()
    assert (response.status, response.body) == (502, b"last")
    setup.settles()
    assert setup.stats() == [1, 0, 1, 2]
    assert setup.stats("upstream_rq_503", "upstream_rq_502", "upstream_rq_completed") == [0, 1, 1]
    assert setup.logged().startswith("502 URX via_upstream 2 ")


@pytest.mark.parametrize("kind", ["http1", "http2"])
@pytest.mark.parametrize("failing", [0, 1])
def test_one_fails(make, kind, failing):
    setup = Setup(make, kind)
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    attempts[failing].fail()
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "it has failed")
    attempts[1 - failing].reply(200, b"other")
    response = call.response()
    assert (response.status, response.body) == (200, b"other")
    setup.settles()
    assert setup.stats() == [1, 1 - failing, failing, 2]
    # What fails beside others is an answer that nobody gets.
    assert setup.stats("upstream_rq_503", "upstream_rq_200", "upstream_rq_completed") == [1, 1, 2]


@pytest.mark.parametrize("kind, flag", [("http1", "UC"), ("http2", "UR")])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_all_fail(make, kind, flag, order):
    setup = Setup(make, kind)
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    attempts[order[0]].fail()
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "it has failed")
    attempts[order[1]].fail()
    response = call.response()
    assert response.status == 503
    setup.settles()
    assert setup.stats("upstream_rq_503", "upstream_rq_completed", "upstream_rq_retry_success") == [2, 2, 0]
    log = setup.logged().split()
    assert log[0] == "503" and set(log[1].split(",")) == {"URX", flag}


@pytest.mark.parametrize("kind", ["http1", "http2"])
@pytest.mark.parametrize("gone", [None, 0, 1])
def test_the_route_timeout_ends_all(make, kind, gone):
    setup = Setup(make, kind, timeout="2s")
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    if gone is not None:
        attempts[gone].reply(503, b"busy")
    assert call.response().status == 504
    setup.settles()
    left = 2 if gone is None else 1
    assert setup.stats("upstream_rq_timeout", "upstream_rq_504") == [left, left]
    log = setup.logged().split()
    assert log[0] == "504" and log[2:4] == ["response_timeout", "2"] and "UT" in log[1].split(",")


@KINDS
def test_the_client_leaves(make, downstream, kind):
    setup = Setup(make, kind, downstream)
    call = setup.call()
    assert setup.hosts[0] and setup.hosts[1]
    call.leave()
    setup.settles()
    assert setup.resets() == 2
    assert setup.stats("upstream_rq_completed") == [0]


@KINDS
@pytest.mark.parametrize("winner", [0, 1])
def test_the_winner_breaks_off(make, downstream, kind, winner):
    setup = Setup(make, kind, downstream)
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    attempts[winner].begin(b"half", 8)
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "the other is dropped")
    attempts[winner].fail()
    assert call.is_cut()
    setup.settles()
    assert setup.stats("upstream_rq_retry") == [1]


@pytest.mark.parametrize("kind", ["http1", "http2"])
@pytest.mark.parametrize("winner", [0, 1])
def test_the_winner_is_slow(make, kind, winner):
    """With its head there are no more timeouts of an attempt."""
    setup = Setup(make, kind, retry={"num_retries": 5})
    call = setup.call()
    attempts = [setup.hosts[0], setup.hosts[1]]
    attempts[winner].begin(b"half", 8)
    wait.until(lambda: setup.stats("upstream_rq_active") == [1], "the other is dropped")
    count = len(setup.hosts.attempts)
    threading.Event().wait(0.8)  # longer than an attempt may take: what must not happen has no sign
    attempts[winner].end(b"half")
    assert call.response().body == b"halfhalf"
    assert len(setup.hosts.attempts) == count
    setup.settles()


@pytest.mark.parametrize("retry", [{"retry_on": ""}, {"num_retries": 0}])
def test_without_retries_nothing_is_hedged(make, retry):
    setup = Setup(make, retry=retry)
    call = setup.call()
    first = setup.hosts[0]
    threading.Event().wait(0.8)
    assert len(setup.hosts.attempts) == 1
    first.reply(200, b"late")
    assert call.response().body == b"late"
    assert setup.stats("upstream_rq_retry", "upstream_rq_per_try_timeout") == [0, 0]


def test_whatever_the_conditions_are(make):
    """No condition names timeouts: that there are conditions is enough."""
    setup = Setup(make, retry={"retry_on": "connect-failure"})
    call = setup.call()
    assert setup.hosts[0]
    setup.hosts[1].reply(200, b"second")
    assert call.response().body == b"second"


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_the_budget_holds(make, kind):
    setup = Setup(make, kind, cluster={"circuit_breakers": {"thresholds": [{"max_retries": 0}]}})
    call = setup.call()
    first = setup.hosts[0]
    wait.until(lambda: setup.stats("upstream_rq_retry_overflow") == [1], "no hedge")
    first.reply(200, b"first")
    assert call.response().status == 200
    assert len(setup.hosts.attempts) == 1
    assert setup.logged().startswith("200 UO via_upstream 1 ")


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_the_limit_of_requests_holds(make, kind):
    setup = Setup(make, kind, cluster={"circuit_breakers": {"thresholds": [{"max_requests": 1}]}})
    call = setup.call()
    first = setup.hosts[0]
    wait.until(lambda: setup.stats("upstream_rq_retry") == [1], "a hedge")
    wait.until(lambda: sum(setup.stats("upstream_rq_pending_overflow", "upstream_rq_active_overflow")) >= 1, "it is refused")
    first.reply(200, b"first")
    assert call.response().body == b"first"
    assert len(setup.hosts.attempts) == 1


INTERNAL = {"use_remote_address": True, "internal_address_config": {"cidr_ranges": [
    {"address_prefix": "127.0.0.0", "prefix_len": 8}]}}  # fmt: skip


@pytest.mark.parametrize("is_configured, header, attempts", [
    (False, "true", 2), (True, "false", 1), (False, "nonsense", 1), (True, "nonsense", 2),
])  # fmt: skip
def test_internal_callers_ask(make, is_configured, header, attempts):
    setup = Setup(make, hcm=INTERNAL, hedge=is_configured)
    call = setup.call(headers=[("x-envoy-hedge-on-per-try-timeout", header)])
    first = setup.hosts[0]
    assert first.get("x-envoy-hedge-on-per-try-timeout") is None
    # Without a hedge the attempt that is late ends, and the next one is alone.
    assert setup.hosts[1]
    wait.until(lambda: setup.stats("upstream_rq_active") == [attempts], "attempts under way")
    call.leave()


def test_what_hosts_are_told(make):
    setup = Setup(make, fields={"include_is_timeout_retry_header": True})
    began = time.monotonic()
    call = setup.call()
    first, second = setup.hosts[0], setup.hosts[1]
    second.reply(200)
    assert call.response().status == 200
    assert (first.get("x-envoy-is-timeout-retry"), second.get("x-envoy-is-timeout-retry")) == (None, "true")
    assert first.get("x-envoy-expected-rq-timeout-ms") == "20000"
    assert 19_990 - (time.monotonic() - began) * 1000 < int(second.get("x-envoy-expected-rq-timeout-ms")) < 19_600


@pytest.mark.parametrize("of_host, of_route, is_hedged", [(True, None, True), (True, False, False), (False, True, True)])
def test_a_routes_policy_takes_the_place_of_its_hosts(make, of_host, of_route, is_hedged):
    action = {} if of_route is None else {"hedge_policy": {"hedge_on_per_try_timeout": of_route}}
    setup = Setup(make, hedge=False, fields={"hedge_policy": {"hedge_on_per_try_timeout": of_host}}, **action)
    call = setup.call()
    assert setup.hosts[1]
    wait.until(lambda: setup.stats("upstream_rq_active") == [1 + is_hedged], "attempts under way")
    call.leave()


@pytest.mark.parametrize("status", ["0", "14"])
def test_grpc(make, status):
    setup = Setup(make, "http2", "http2")
    fields = [("content-type", "application/grpc")]
    call = setup.call("POST", "/a.B/C", headers=fields + [("te", "trailers")], body=b"\0\0\0\0\0")
    first, second = setup.hosts[0], setup.hosts[1]
    second.reply(200, b"\0\0\0\0\1a", fields, trailers=[("grpc-status", status)])
    response = call.response()
    assert response.body == b"\0\0\0\0\1a"
    assert dict(response.trailers)["grpc-status"] == status
    assert first.request.body == second.request.body == b"\0\0\0\0\0"
    setup.settles()


def test_redirect_after_a_hedge(make):
    redirect = {"internal_redirect_policy": {"max_internal_redirects": 1}}
    setup = Setup(make, **redirect)
    call = setup.call()
    assert setup.hosts[0]
    setup.hosts[1].reply(302, b"", [("location", "http://test.example/else")])
    third = setup.hosts[2]
    assert third.request.target == "/else"
    third.reply(200, b"else")
    assert call.response().body == b"else"
    setup.settles()
    assert setup.stats("upstream_internal_redirect_succeeded_total", "upstream_rq_total") == [1, 3]


def test_mirrored_and_hedged(make):
    copies = []
    mirror = make.origin(lambda connection, request: (copies.append(request), connection.reply(b"copy")))
    setup = Setup(
        make, clusters=[config.cluster("copies", mirror.port)], request_mirror_policies=[{"cluster": "copies"}]
    )
    call = setup.call("POST", body=b"body")
    assert setup.hosts[0]
    setup.hosts[1].reply(200, b"second")
    assert call.response().body == b"second"
    wait.until(lambda: len(copies) == 1, "the copy")
    assert copies[0].body == b"body"
    setup.settles()


def silent_port(make):
    """Nobody accepts, and the queue is full: connecting takes for ever."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener, fillers


@pytest.mark.parametrize("ends", ["answer", "leave"])
def test_the_second_still_connects(make, ends):
    listener, fillers = silent_port(make)
    hosts = Hosts(make, "http1")
    setup = Setup(make, ports=[hosts.origin.port, listener.getsockname()[1]], cluster={"connect_timeout": "10s"}, retry={"num_retries": 8, "per_try_timeout": "1s"})
    # Round robin begins anywhere: a request that goes to the silent host first waits for its connection, and is given up.
    for number in itertools.count():
        call = setup.call(headers=[("x-call", str(number))])
        attempts = lambda: [attempt for attempt in hosts.attempts if attempt.get("x-call") == str(number)]  # noqa: E731
        wait.until(lambda: attempts() or setup.stats("upstream_rq_pending_active") == [1], "an attempt")
        # One that waits for the other host's connection gets there in a moment.
        with contextlib.suppress(AssertionError):
            wait.until(attempts, "the host that answers", 0.5)
        if attempts():
            break
        call.leave()
        wait.until(lambda: setup.stats("upstream_rq_pending_active") == [0], "the end of it")
    wait.until(lambda: setup.stats("upstream_rq_pending_active") == [1], "the second waits for a connection")
    assert len(attempts()) == 1
    if ends == "answer":
        attempts()[0].reply(200, b"first")
        assert call.response().body == b"first"
    else:
        call.leave()
    setup.settles()
    assert setup.stats("upstream_rq_cancelled")[0] >= 1
    for filler in fillers:
        filler.close()
    listener.close()


def test_both_heads_at_once(make):
    """One client's answer is one attempt's, however close they come."""
    setup = Setup(make, cluster={"circuit_breakers": {"thresholds": [{"max_retries": 100}]}})
    calls = [setup.call() for _ in range(20)]
    wait.until(lambda: len(setup.hosts.attempts) == 40, "all attempts")
    with setup.hosts.lock:
        attempts = list(setup.hosts.attempts)
    for number, attempt in enumerate(attempts):
        threading.Thread(target=attempt.reply, args=(200, b"%07d" % number * 1000), daemon=True).start()
    for call in calls:
        response = call.response()
        assert response.status == 200
        assert response.body == response.body[:7] * 1000
    setup.settles()
    assert setup.stats("upstream_rq_retry", "upstream_rq_200") == [20, 20]


@KINDS
def test_whatever_happens(make, downstream, kind):
    """Answers, failures and departures in any order, about when attempts are late: each answer is whole, nothing is left."""
    setup = Setup(
        make, kind, downstream, retry={"num_retries": 3, "per_try_timeout": "0.02s"},
        cluster={"circuit_breakers": {"thresholds": [{"max_retries": 1000}]}},
    )  # fmt: skip
    answered, stop, random = 0, threading.Event(), Random(f"{downstream} {kind}")
    lock = threading.Lock()

    def answer():
        nonlocal answered
        while not stop.is_set():
            with lock:
                attempt = setup.hosts.attempts[answered] if answered < len(setup.hosts.attempts) else None
                answered += attempt is not None
                draw, patience = random.random(), random.random() * 0.05
            if attempt is None:
                stop.wait(0.001)
                continue
            stop.wait(patience)
            try:
                if draw < 0.15:
                    attempt.fail()
                elif draw < 0.3:
                    attempt.reply(503, b"busy")
                else:
                    attempt.reply(200, (attempt.request.get("x-number") or "").encode() * 1000)
            except (OSError, http2.Closed):
                attempt.over.set()  # it has lost

    threads = [threading.Thread(target=answer, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    statuses = collections.Counter()
    for start in range(0, 200, 10):
        calls = {number: setup.call("POST", headers=[("x-number", f"{number:04}")], body=b"b" * 20) for number in range(start, start + 10)}
        calls.pop(start + 3).leave()
        for number, call in calls.items():
            response = call.response()
            statuses[response.status] += 1
            if response.status == 200:
                assert response.body == f"{number:04}".encode() * 1000
            call.client.close()
    setup.settles()
    stop.set()
    assert statuses[200] > 150 and set(statuses) <= {200, 503}
    assert setup.stats("upstream_rq_retry")[0] > 20


def test_body_over_the_limit_is_not_hedged(make):
    setup = Setup(make, fields={"request_body_buffer_limit": 1000})
    call = setup.call("POST", body=b"b" * 5000)
    first = setup.hosts[0]
    threading.Event().wait(0.8)
    assert len(setup.hosts.attempts) == 1
    first.reply(200, b"first")
    assert call.response().body == b"first"


@pytest.mark.apus_only
def test_example(make):
    held = Hosts(make, "http1")
    quick = make.origin(lambda connection, request: connection.reply(b"quick"))
    proxy = example(make, "hedging", {9000: held.origin.port, 9001: quick.port})
    for _ in range(4):
        with proxy.connect() as client:
            response = client.get("/search")
            assert (response.status, response.body) == (200, b"quick")
    assert proxy.stat("cluster.search.upstream_rq_retry") >= 1
    assert proxy.stat("cluster.search.upstream_rq_per_try_timeout") == 0
