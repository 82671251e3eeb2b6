"""Retry policies: what is sent again, how often, with which body, what the client gets in the end. Runs on Envoy too."""

import pathlib
import subprocess
import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import get
from harness.example import example
from harness.origin import free_port
from harness.proxy import apus_binary

STATS = (
    "upstream_rq_retry", "upstream_rq_retry_success", "upstream_rq_retry_limit_exceeded", "upstream_rq_retry_overflow",
)  # fmt: skip
PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
}


class Script:
    """Answers each request by the next step: a status, or a function; the last step stays."""

    def __init__(self, *steps):
        self.steps, self.requests, self.lock = list(steps), [], threading.Lock()

    def __call__(self, connection, request):
        with self.lock:
            self.requests.append(request)
            step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        if callable(step):
            return step(connection, request)
        status, headers = (step, ()) if isinstance(step, str) else step
        connection.reply(b"body of " + status.encode(), status=status, headers=headers)

    @property
    def attempts(self):
        return [request.get("x-envoy-attempt-count") for request in self.requests]


def close(connection, request):
    return False


def reset(connection, request):
    connection.reset()
    return False


def half_a_head(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    return False


def late(seconds):
    def answer(connection, request):
        time.sleep(seconds)
        connection.reply(b"late")

    return answer


class Setup:
    def __init__(self, make, script, policy=None, hcm=None, cluster=None, hosts=(), host_fields=None, **action):
        self.script = script
        self.log = pathlib.Path(make.directory) / "access.log"
        log = config.file_log(self.log, "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n")
        if policy is not None:
            action["retry_policy"] = {"retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"}, **policy}
        fields = {"include_request_attempt_count": True, "include_attempt_count_in_response": True, **(host_fields or {})}
        listener = config.http_listener(
            config.virtual_host(config.route(**action), **fields), hcm={"access_log": [log], **(hcm or {})}
        )
        ports = hosts or [make.origin(script).port]
        self.proxy = make.proxy(
            config.bootstrap([listener], [config.cluster("origin", *ports, **(cluster or {}))]),
            arguments=["--file-flush-interval-msec", "20"],
        )

    def get(self, **options):
        return get(self.proxy.port(), **options)

    def stats(self, *names):
        return [self.proxy.stat(f"cluster.origin.{name}") for name in names or STATS]

    def logged(self):
        return wait.until(lambda: self.log.read_text(), "an access log line").splitlines()[0]


@pytest.mark.parametrize("retry_on, status", [
    ("5xx", "500 Internal Server Error"), ("5xx", "503 Service Unavailable"), ("gateway-error", "502 Bad Gateway"),
    ("gateway-error", "504 Gateway Timeout"), ("retriable-4xx", "409 Conflict"), ("retriable-status-codes", "418 Teapot"),
    ("reset,5xx", "599 Odd"),
])  # fmt: skip
def test_status_is_retried(make, retry_on, status):
    setup = Setup(make, Script(status, "200 OK"), {"retry_on": retry_on, "retriable_status_codes": [418]})
    response = setup.get()
    assert (response.status, response.body) == (200, b"body of 200 OK")
    assert setup.script.attempts == ["1", "2"]
    assert response.get("x-envoy-attempt-count") == "2"
    assert setup.stats() == [1, 1, 0, 0]
    assert setup.stats("retry.upstream_rq_completed", "upstream_rq_completed", "upstream_rq_total") == [1, 1, 2]
    assert setup.stats(f"retry.upstream_rq_{status[:3]}", "upstream_rq_200", "upstream_rq_2xx") == [1, 1, 1]
    assert setup.logged() == "200 - via_upstream 2"


@pytest.mark.parametrize("retry_on, status", [
    ("gateway-error", "500 Internal Server Error"), ("connect-failure", "503 Service Unavailable"),
    ("retriable-4xx", "404 Not Found"), ("retriable-status-codes", "500 Internal Server Error"), ("reset", "503 Busy"),
])  # fmt: skip
def test_status_is_not_retried(make, retry_on, status):
    setup = Setup(make, Script(status, "200 OK"), {"retry_on": retry_on, "retriable_status_codes": [418]})
    assert setup.get().status == int(status[:3])
    assert setup.script.attempts == ["1"]
    assert setup.stats() == [0, 0, 0, 0]


@pytest.mark.parametrize("retries", [None, 0, 1, 3])
def test_the_last_answer_is_passed_on(make, retries):
    policy = {"retry_on": "5xx"} | ({} if retries is None else {"num_retries": retries})
    setup = Setup(make, Script("503 Service Unavailable"), policy)
    response = setup.get()
    count = 1 if retries is None else retries
    assert (response.status, response.body) == (503, b"body of 503 Service Unavailable")
    assert len(setup.script.requests) == 1 + count
    assert setup.stats() == [count, 0, 1, 0]
    assert setup.logged() == f"503 URX via_upstream {1 + count}"


@pytest.mark.parametrize("failure", [close, reset, half_a_head])
@pytest.mark.parametrize("retry_on", ["5xx", "gateway-error", "reset"])
def test_failure_is_retried(make, failure, retry_on):
    setup = Setup(make, Script(failure, "200 OK"), {"retry_on": retry_on})
    assert setup.get().status == 200
    assert setup.script.attempts == ["1", "2"]
    assert setup.stats() == [1, 1, 0, 0]


def test_failures_to_the_end(make):
    setup = Setup(make, Script(reset), {"retry_on": "reset", "num_retries": 2})
    response = setup.get()
    assert response.status == 503
    assert response.body.startswith(
        b"upstream connect error or disconnect/reset before headers. retried and the latest reset reason: "
    )
    assert setup.script.attempts == ["1", "2", "3"]
    assert setup.stats() == [2, 0, 1, 0]
    code, flags, details, attempts = setup.logged().split()
    assert (code, set(flags.split(",")), attempts) == ("503", {"URX", "UC"}, "3")
    assert details.startswith("upstream_reset_before_response_started{connection_termination")


@pytest.mark.parametrize("retry_on, attempts", [("connect-failure", 2), ("reset", 2), ("5xx", 2), ("refused-stream", 1)])
def test_no_connection(make, retry_on, attempts):
    """A host that refuses connections, then one that answers."""
    script = Script("200 OK")
    setup = Setup(
        make, script, {"retry_on": retry_on, "retry_host_predicate": [PREVIOUS_HOSTS], "host_selection_retry_max_attempts": 5},
        hosts=[free_port(), make.origin(script).port],
        # Else apus goes to the other host without being asked.
        cluster={"metadata": {"filter_metadata": {"apus": {"retry_connect_failures": False}}}},
    )  # fmt: skip
    answers = [setup.get() for _ in range(6)]
    if attempts == 2:
        assert [answer.status for answer in answers] == [200] * 6
        assert "2" in {answer.get("x-envoy-attempt-count") for answer in answers} <= {"1", "2"}
        assert setup.stats()[0] >= 2
    else:
        assert {answer.status for answer in answers} == {200, 503}
        assert setup.stats()[0] == 0


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 5000, 200_000])
def test_body_is_sent_again(make, size, framing):
    setup = Setup(make, Script("503 Busy", reset, "503 Busy", "200 OK"), {"retry_on": "5xx", "num_retries": 5})
    body = bytes(i % 251 for i in range(size))
    with setup.proxy.connect() as client:
        if framing == "length":
            response = client.request("POST", "/", body=body)
        else:
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            for start in range(0, size, 70_000):
                part = body[start : start + 70_000]
                client.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            client.send(b"0\r\nx-sum: 1\r\n\r\n")
            response = client.response()
    assert response.status == 200
    assert [request.body for request in setup.script.requests] == [body] * 4
    assert setup.script.attempts == ["1", "2", "3", "4"]


def test_body_that_is_still_coming(make):
    """The host fails while the client sends: the next attempt gets the body whole."""
    first = threading.Event()

    def at_head(connection, request):
        if connection.number == 1:
            connection.exactly(1000)
            first.set()
            return reset(connection, request)
        body = connection.request_body(request) or request.body
        connection.reply(str(len(request.body or body)).encode())

    origin = make.origin(at_head, read_body=False)
    setup = Setup(make, None, {"retry_on": "reset"}, hosts=[origin.port])
    with setup.proxy.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000\r\n\r\n" + b"a" * 1000)
        assert first.wait(10)
        client.send(b"b" * 2000)
        response = client.response()
    assert (response.status, response.body) == (200, b"3000")


def test_body_over_the_limit_is_not_sent_again(make):
    setup = Setup(
        make, Script("503 Busy", "200 OK"), {"retry_on": "5xx"}, host_fields={"per_request_buffer_limit_bytes": 10_000}
    )
    response = setup.get(method="POST", body=b"x" * 50_000)
    assert response.status == 503
    assert len(setup.script.requests) == 1
    assert setup.stats("retry_or_shadow_abandoned") == [1]


def test_per_try_timeout(make):
    setup = Setup(
        make, Script(late(4), "200 OK"), {"retry_on": "5xx", "per_try_timeout": "1s"},
        host_fields={"include_is_timeout_retry_header": True}, timeout="5s",
    )  # fmt: skip
    assert setup.get().status == 200
    assert setup.stats("upstream_rq_per_try_timeout", "upstream_rq_timeout", "upstream_rq_retry") == [1, 0, 1]
    first, second = setup.script.requests
    assert (first.get("x-envoy-is-timeout-retry"), second.get("x-envoy-is-timeout-retry")) == (None, "true")
    assert first.get("x-envoy-expected-rq-timeout-ms") == "1000"


def test_per_try_timeout_without_retries(make):
    setup = Setup(make, Script(late(2)), {"per_try_timeout": "0.2s"}, timeout="5s")
    response = setup.get()
    assert (response.status, response.body) == (504, b"upstream request timeout")
    assert setup.logged() == "504 UT upstream_per_try_timeout 1"


def test_per_try_idle_timeout(make):
    setup = Setup(make, Script(late(4), "200 OK"), {"retry_on": "5xx", "per_try_idle_timeout": "1s"}, timeout="5s")
    assert setup.get().status == 200
    assert setup.stats("upstream_rq_per_try_idle_timeout", "upstream_rq_retry") == [1, 1]


def test_the_route_timeout_ends_all(make):
    setup = Setup(make, Script(late(3)), {"retry_on": "5xx", "per_try_timeout": "0.5s", "num_retries": 50}, timeout="2.2s")
    started = time.monotonic()
    assert setup.get().status == 504
    assert 2.1 < time.monotonic() - started < 5
    assert 3 <= len(setup.script.requests) <= 5
    assert setup.logged().startswith("504 UT response_timeout ")


def test_timeout_while_waiting(make):
    backoff = {"retry_back_off": {"base_interval": "10s", "max_interval": "10s"}}
    setup = Setup(make, Script("503 Busy"), {"retry_on": "5xx", **backoff}, timeout="0.5s")
    started = time.monotonic()
    response = setup.get()
    # The wait is random, up to 10 s: now and then it is over first. The timeout holds anyway.
    assert response.status in (503, 504)
    assert time.monotonic() - started < 3
    assert setup.proxy.stat("cluster.origin.upstream_rq_active") == 0


@pytest.mark.apus_only
def test_client_that_leaves_while_waiting(make):
    backoff = {"retry_back_off": {"base_interval": "30s", "max_interval": "30s"}}
    setup = Setup(make, Script("503 Busy"), {"retry_on": "5xx", **backoff})
    with setup.proxy.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        wait.until(lambda: setup.stats("upstream_rq_retry") == [1], "a wait")
    wait.until(lambda: setup.proxy.stat("http.http.downstream_cx_active") == 0, "the connection's end")
    assert setup.logged().split()[1] in ("DC", "URX")
    assert setup.proxy.stat("cluster.origin.upstream_rq_active") == 0


HEADERS = [
    ({"x-envoy-retry-on": "5xx"}, 2),
    ({"x-envoy-retry-on": "gateway-error,5xx , nonsense", "x-envoy-max-retries": "3"}, 4),
    ({"x-envoy-retry-on": "retriable-status-codes", "x-envoy-retriable-status-codes": "500,503"}, 2),
    ({"x-envoy-retry-on": "retriable-headers", "x-envoy-retriable-header-names": "x-a,X-Again"}, 2),
    ({"x-envoy-retry-grpc-on": "unavailable"}, 2),
    ({"x-envoy-retry-on": "nonsense"}, 1),
    ({"x-envoy-max-retries": "3"}, 1),
    ({"x-envoy-retriable-status-codes": "503", "x-envoy-retriable-header-names": "x-again"}, 1),
    ({"x-envoy-hedge-on-per-try-timeout": "true"}, 1),
]


@pytest.mark.parametrize("headers, attempts", HEADERS)
def test_internal_callers_ask(make, headers, attempts):
    """No policy: the caller's own headers, which go no further."""
    answer = ("503 Busy", [("x-again", "1"), ("grpc-status", "14")])
    setup = Setup(make, Script(answer), hcm={"use_remote_address": True, "internal_address_config": {"cidr_ranges": [
        {"address_prefix": "127.0.0.0", "prefix_len": 8}]}})  # fmt: skip
    assert setup.get(headers=list(headers.items())).status == 503
    assert len(setup.script.requests) == attempts
    for request in setup.script.requests:
        assert not any(name.startswith(("x-envoy-retr", "x-envoy-max", "x-envoy-hedge")) for name, _ in request.fields)


def test_external_callers_do_not(make):
    setup = Setup(make, Script("503 Busy"), hcm={"use_remote_address": True, "internal_address_config": {"cidr_ranges": [
        {"address_prefix": "10.0.0.0", "prefix_len": 8}]}})  # fmt: skip
    assert setup.get(headers=[("x-envoy-retry-on", "5xx")]).status == 503
    assert len(setup.script.requests) == 1


@pytest.mark.parametrize("retry_on, attempts", [("envoy-ratelimited", 2), ("5xx", 1)])
def test_rate_limited(make, retry_on, attempts):
    setup = Setup(make, Script(("503 Busy", [("x-envoy-ratelimited", "true")]), "200 OK"), {"retry_on": retry_on})
    setup.get()
    assert len(setup.script.requests) == attempts


def test_the_host_says_when(make):
    policy = {"retry_on": "5xx", "rate_limited_retry_back_off": {"reset_headers": [{"name": "Retry-After", "format": "SECONDS"}]}}
    setup = Setup(make, Script(("503 Busy", [("retry-after", "1")]), "200 OK"), policy)
    started = time.monotonic()
    assert setup.get().status == 200
    assert 1 <= time.monotonic() - started < 3
    assert setup.stats("upstream_rq_retry_backoff_ratelimited", "upstream_rq_retry_backoff_exponential") == [1, 0]


def test_response_headers_decide(make):
    policy = {"retry_on": "retriable-headers", "retriable_headers": [{"name": "x-again", "string_match": {"exact": "yes"}}]}
    setup = Setup(make, Script(("200 OK", [("x-again", "yes")]), ("200 OK", [("x-again", "no")])), policy)
    assert setup.get().status == 200
    assert len(setup.script.requests) == 2


def test_request_headers_decide(make):
    policy = {"retry_on": "5xx", "retriable_request_headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
    setup = Setup(make, Script("503 Busy"), policy)
    setup.get(method="DELETE")
    assert len(setup.script.requests) == 1
    setup.get()
    assert len(setup.script.requests) == 3


def test_virtual_hosts_policy_and_a_routes_own(make):
    script = Script("503 Busy")
    setup = Setup(make, script, host_fields={"retry_policy": {"retry_on": "5xx", "num_retries": 2}})
    setup.get()
    assert len(script.requests) == 3
    script = Script("503 Busy")
    setup = Setup(make, script, {"retry_on": "connect-failure"}, host_fields={"retry_policy": {"retry_on": "5xx", "num_retries": 2}})
    setup.get()
    assert len(script.requests) == 1


def test_max_retries(make):
    """More requests than the breaker lets repeat: the others get the answer that they have."""
    limits = {"circuit_breakers": {"thresholds": [{"max_retries": 1}]}}
    backoff = {"retry_back_off": {"base_interval": "1s", "max_interval": "1s"}}
    setup = Setup(make, Script("503 Busy"), {"retry_on": "5xx", "num_retries": 1, **backoff}, cluster=limits)
    clients = [setup.proxy.connect() for _ in range(8)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert [client.response().status for client in clients] == [503] * 8
    retries, _, exceeded, overflown = setup.stats()
    assert retries == exceeded and retries >= 1 and retries + overflown == 8 and overflown >= 1
    for client in clients:
        client.close()
    assert setup.get().status == 503  # every unit has come back


@pytest.mark.apus_only  # Envoy closes it
def test_small_answers_keep_their_connection(make):
    origin = make.origin(Script("503 Busy", "503 Busy", "200 OK"))
    setup = Setup(make, None, {"retry_on": "5xx", "num_retries": 2}, hosts=[origin.port])
    assert setup.get().status == 200
    assert origin.connections_total == 1


def test_large_answers_are_not_waited_for(make):
    def large(connection, request):
        connection.send(b"HTTP/1.1 503 Busy\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 100)

    setup = Setup(make, Script(large, "200 OK"), {"retry_on": "5xx"})
    assert setup.get().status == 200


class HTTP2Origin:
    """Answers each request by the next step: a status, or what to do with the stream."""

    def __init__(self, *steps):
        self.steps, self.requests, self.lock = list(steps), [], threading.Lock()

    def __call__(self, server, request):
        with self.lock:
            self.requests.append(request)
            step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        if callable(step):
            step(server, request)
        else:
            server.reply(request.stream, b"body", status=step)


def refuse(server, request):
    server.send(http2.rst_stream(request.stream, http2.REFUSED_STREAM))


def break_off(server, request):
    server.send(http2.rst_stream(request.stream, http2.INTERNAL_ERROR))


@pytest.mark.parametrize("retry_on, first, attempts", [
    ("5xx", 503, 2), ("gateway-error", 500, 1), ("reset", break_off, 2), ("connect-failure", break_off, 1),
])  # fmt: skip
@pytest.mark.parametrize("size", [0, 100, 300_000])
def test_http2_hosts(make, retry_on, first, attempts, size):
    script = HTTP2Origin(first, 200)
    port = make.origin(raw=http2.serving(script)).port
    setup = Setup(
        make, None, {"retry_on": retry_on}, hosts=[port], cluster={"typed_extension_protocol_options": config.http2_options()}
    )
    response = setup.get(method="POST", body=b"z" * size)
    assert response.status == (200 if attempts == 2 else 503 if first is break_off else first)
    assert len(script.requests) == attempts
    assert [len(request.body) for request in script.requests] == [size] * attempts


@pytest.mark.parametrize("size", [0, 100, 300_000])
def test_http2_clients(make, size):
    setup = Setup(make, Script("503 Busy", reset, "200 OK"), {"retry_on": "5xx", "num_retries": 3})
    with http2.Client(setup.proxy.port()) as client:
        response = client.request("POST", "/", body=b"y" * size)
        assert response.status == 200
        assert response.get("x-envoy-attempt-count") == "3"
    assert [len(request.body) for request in setup.script.requests] == [size] * 3


def test_grpc_status_in_headers(make):
    failed = lambda server, request: server.reply(  # noqa: E731
        request.stream, status=200, fields=[("content-type", "application/grpc"), ("grpc-status", "14")], length=False)  # fmt: skip
    script = HTTP2Origin(failed, failed, 200)
    port = make.origin(raw=http2.serving(script)).port
    setup = Setup(
        make, None, {"retry_on": "unavailable", "num_retries": 5}, hosts=[port],
        cluster={"typed_extension_protocol_options": config.http2_options()},
    )  # fmt: skip
    with http2.Client(setup.proxy.port()) as client:
        client.request("POST", "/a.B/C", extra=[("content-type", "application/grpc")], body=b"\0\0\0\0\0")
    assert len(script.requests) == 3


# Which host


def typed_predicate(kind, name, **fields):
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.retry.host.{kind}", **fields}}


OMIT_CANARIES = typed_predicate("omit_canary_hosts.v3.OmitCanaryHostsPredicate", "envoy.retry_host_predicates.omit_canary_hosts")


def omit(**labels):
    return typed_predicate(
        "omit_host_metadata.v3.OmitHostMetadataConfig", "envoy.retry_host_predicates.omit_host_metadata",
        metadata_match={"filter_metadata": {"envoy.lb": labels}},
    )  # fmt: skip


@pytest.mark.parametrize("predicate, avoided, kept", [
    (OMIT_CANARIES, {"canary": True}, {"canary": False}), (OMIT_CANARIES, {"canary": True}, {}),
    (omit(stage="test"), {"stage": "test"}, {"stage": "live"}),
    (omit(stage="test", zone=1), {"stage": ["x", "test"], "zone": 1}, {"stage": "test"}),
])  # fmt: skip
def test_hosts_that_repeats_leave_out(make, predicate, avoided, kept):
    """First attempts go anywhere; repeats to the one host of three that may have them."""
    lock, seen = threading.Lock(), []

    def script(name):
        def answer(connection, request):
            with lock:
                seen.append((name, request.get("x-envoy-attempt-count")))
            connection.reply(status="503 Busy" if request.get("x-envoy-attempt-count") == "1" else "200 OK")

        return answer

    origins = [make.origin(script(name)) for name in ("avoided", "avoided", "kept")]
    policy = {"retry_on": "5xx", "retry_host_predicate": [predicate], "host_selection_retry_max_attempts": 10}
    upstream = config.cluster("origin", *[origin.port for origin in origins])
    for endpoint, labels in zip(upstream["load_assignment"]["endpoints"][0]["lb_endpoints"], (avoided, avoided, kept)):
        endpoint["metadata"] = {"filter_metadata": {"envoy.lb": labels}}
    setup = Setup(make, None, policy, hosts=[1], cluster={"load_assignment": upstream["load_assignment"]})
    for _ in range(6):
        assert setup.get().status == 200
    assert "avoided" in {name for name, attempt in seen if attempt == "1"}
    assert {name for name, attempt in seen if attempt == "2"} == {"kept"}


def in_trailers(status, body=b""):
    """A gRPC response whose status comes last: at once, or after a message."""

    def answer(server, request):
        fields = [(":status", 200), ("content-type", "application/grpc")]
        server.send(http2.head(request.stream, server.encode(fields)))
        if body:
            server.send(http2.data(request.stream, body))
        server.send(http2.head(request.stream, server.encode([("grpc-status", status)]), ends=True))

    return answer


def judging_trailers(make, *steps, options=({"apus": {"retry_grpc_trailers": True}}), **policy):
    script = HTTP2Origin(*steps)
    setup = Setup(
        make, None, {"retry_on": "unavailable", "num_retries": 2, **policy},
        hosts=[make.origin(raw=http2.serving(script)).port], route_fields={"metadata": {"filter_metadata": options}},
        cluster={"typed_extension_protocol_options": config.http2_options()},
    )  # fmt: skip
    with http2.Client(setup.proxy.port()) as client:
        answer = client.request("POST", "/a.B/C", extra=[("content-type", "application/grpc")], body=b"\0\0\0\0\0")
    return setup, script, answer


@pytest.mark.apus_only
def test_grpc_status_in_trailers(make):
    setup, script, answer = judging_trailers(make, in_trailers(14), in_trailers(14), in_trailers(0, b"\0\0\0\0\1m"))
    assert script.requests[2].get("x-envoy-attempt-count") == "3"
    assert (answer.status, answer.body, dict(answer.trailers)) == (200, b"\0\0\0\0\1m", {"grpc-status": "0"})
    assert setup.stats() == [2, 1, 0, 0]
    assert setup.stats("retry.upstream_rq_200", "upstream_rq_200") == [2, 1]


@pytest.mark.apus_only
def test_the_last_grpc_status_in_trailers_is_passed_on(make):
    setup, script, answer = judging_trailers(make, in_trailers(14))
    assert len(script.requests) == 3
    assert (answer.status, dict(answer.trailers)) == (200, {"grpc-status": "14"})
    assert setup.stats() == [2, 0, 1, 0]
    assert setup.logged() == "200 URX via_upstream 3"


@pytest.mark.apus_only
@pytest.mark.parametrize("step, status", [(in_trailers(3), "3"), (in_trailers(14, b"\0\0\0\0\1m"), "14")])
def test_other_grpc_trailers_go_on(make, step, status):
    """Another status, or one behind a message that the client has seen."""
    setup, script, answer = judging_trailers(make, step)
    assert len(script.requests) == 1
    assert (answer.status, dict(answer.trailers)) == (200, {"grpc-status": status})


@pytest.mark.apus_only
def test_a_held_head_that_breaks_off_is_a_reset(make):
    def half(server, request):
        server.send(http2.head(request.stream, server.encode([(":status", 200), ("content-type", "application/grpc")])))
        server.send(http2.rst_stream(request.stream, http2.INTERNAL_ERROR))

    setup, script, answer = judging_trailers(make, half, in_trailers(0, b"\0\0\0\0\1m"), retry_on="reset")
    assert (len(script.requests), answer.status) == (2, 200)


def test_grpc_trailers_are_not_judged_unasked(make):
    setup, script, answer = judging_trailers(make, in_trailers(14), options={})
    assert len(script.requests) == 1
    assert dict(answer.trailers) == {"grpc-status": "14"}


OWN_MISTAKES = [
    ({"retry_grpc_trailer": True}, 'unknown field "retry_grpc_trailer", did you mean "retry_grpc_trailers"?'),
    ({"retry_grpc_trailers": "x"}, "retry_grpc_trailers: expected"),
]


@pytest.mark.apus_only
@pytest.mark.parametrize("options, message", OWN_MISTAKES)
def test_mistakes_in_our_own_options(tmp_path, options, message):
    path = tmp_path / "apus.yaml"
    fields = {"metadata": {"filter_metadata": {"apus": options, "envoy.lb": {"retry_grpc_trailer": True}}}}
    listener = config.http_listener(config.virtual_host(config.route(route_fields=fields)))
    path.write_text(config.text(config.bootstrap([listener], [config.cluster("origin", 1)])))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("retry_grpc_trailer") and message in done.stdout + done.stderr
    assert 'routes[0].metadata.filter_metadata["apus"]' in done.stdout + done.stderr


MISTAKES = [
    ({"retry_on": "gateway-eror"}, 'retry_on: "gateway-eror" is not a condition, did you mean "gateway-error"?'),
    ({"retry_on": "5xx", "retriable_status_codes": [99]}, "retriable_status_codes[0]: must be 100 to 599, got 99"),
    ({"retry_on": "5xx", "retry_back_off": {"base_interval": "1s", "max_interval": "0.5s"}},
     "retry_back_off.max_interval: must not be less than base_interval"),
    ({"retry_on": "5xx", "retry_priority": {"name": "x"}}, "retry_priority: needs typed_config with a PreviousPrioritiesConfig"),
    ({"retry_on": "5xx", "retry_host_predicate": [{"name": "omit"}]},
     "retry_host_predicate[0]: needs typed_config with a PreviousHostsPredicate, an OmitCanaryHostsPredicate or an "
     "OmitHostMetadataConfig"),
]  # fmt: skip


def check(directory, policy):
    path = directory / "apus.yaml"
    listener = config.http_listener(config.virtual_host(config.route(retry_policy=policy)))
    path.write_text(config.text(config.bootstrap([listener], [config.cluster("origin", 1)])))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.apus_only
@pytest.mark.parametrize("policy, message", MISTAKES)
def test_mistakes(tmp_path, policy, message):
    status, text = check(tmp_path, policy)
    assert status != 0 and message in text, text


@pytest.mark.apus_only
def test_warnings(tmp_path):
    status, text = check(tmp_path, {"retry_on": "5xx", "per_try_timeout": "20s", "retriable_status_codes": [418]})
    assert status == 0
    assert "retry_policy.per_try_timeout: has no effect: the route's timeout is 15000 ms (the default)" in text, text
    assert 'retriable_status_codes: has no effect without "retriable-status-codes" in retry_on' in text, text


# The example


class Shop:
    """The example; `scripts` of the two hosts and the canary, None for one that is not there."""

    def __init__(self, make, *scripts):
        self.seen, self.lock = [], threading.Lock()
        ports = [make.origin(self.host(index, script)).port if script else free_port() for index, script in enumerate(scripts)]
        self.proxy = example(make, "retries", {9000 + index: port for index, port in enumerate(ports)})

    def host(self, index, script):
        def answer(connection, request):
            with self.lock:
                self.seen.append((index, request.get("x-envoy-attempt-count")))
            return script(connection, request)

        return answer

    def get(self, path="/", **options):
        return get(self.proxy.port(), path, **options)

    def stat(self, name):
        return self.proxy.stat(f"cluster.shop.{name}")


def fine(connection, request):
    connection.reply(b"fine")


def busy(connection, request):
    connection.reply(b"busy", status="503 Busy")


@pytest.mark.parametrize("failing", [None, busy])
def test_example(make, failing):
    """One host is gone or fails: no client notices, and the canary is no way out."""
    setup = Shop(make, failing, fine, fine)
    answers = [setup.get() for _ in range(30)]
    assert [answer.status for answer in answers] == [200] * 30
    counts = [answer.get("x-envoy-attempt-count") for answer in answers]
    assert set(counts) == {"1", "2"}
    assert {host for host, attempt in setup.seen if attempt == "2"} == {1}
    assert 2 in {host for host, attempt in setup.seen if attempt == "1"}
    assert setup.stat("upstream_rq_retry") == setup.stat("upstream_rq_retry_success") == counts.count("2")


def test_example_orders(make):
    setup = Shop(make, busy, busy, busy)
    assert setup.get("/orders", method="POST", body=b"order").status == 503
    assert len(setup.seen) == 1
    # Nobody had these.
    setup = Shop(make, None, fine, fine)
    assert [setup.get("/orders", method="POST", body=b"order").status for _ in range(12)] == [200] * 12
    assert len(setup.seen) == 12
    assert setup.stat("upstream_rq_retry") >= 4


def test_example_of_a_slow_host(make):
    """An attempt has two seconds."""
    release = threading.Event()
    setup = Shop(make, lambda connection, request: release.wait(30) and False, fine, fine)
    while 0 not in {host for host, _ in setup.seen}:
        answer = setup.get()
        assert answer.status == 200
    release.set()
    assert answer.get("x-envoy-attempt-count") == "2"
    assert setup.stat("upstream_rq_per_try_timeout") == 1


def test_example_when_everything_fails(make):
    """Five at a time are repeated, whatever comes."""
    lock, done, now, most = threading.Lock(), threading.Event(), [0], [0]

    def fails(connection, request):
        with lock:
            now[0] += int(request.get("x-envoy-attempt-count")) > 1
            most[0] = max(most[0], now[0])
        # So that they meet.
        done.wait(0.02)
        with lock:
            now[0] -= int(request.get("x-envoy-attempt-count")) > 1
        busy(connection, request)

    setup = Shop(make, fails, fails, fails)

    def ask():
        while not done.is_set():
            assert setup.get().status == 503

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    wait.until(lambda: setup.stat("upstream_rq_retry_overflow") > 100, "repeats that may not be", 30)
    done.set()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= 5


def test_example_reports(make):
    """Hosts say that it is too early, by status or in a header, and when to come back."""
    script = Script(("429 Too Many Requests", [("retry-after", "1")]), ("200 OK", [("x-report-state", "pending")]), "200 OK")
    setup = Shop(make, script, script, script)
    started = time.monotonic()
    response = setup.get("/reports")
    assert (response.status, response.body, response.get("x-envoy-attempt-count")) == (200, b"body of 200 OK", "3")
    assert time.monotonic() - started >= 1
    assert "x-report-state" not in response
    assert setup.stat("upstream_rq_retry_backoff_ratelimited") == setup.stat("upstream_rq_retry_backoff_exponential") == 1


def test_example_of_a_report_that_comes_slowly(make):
    """Longer than the pause that it may make, and nobody minds."""

    def slow(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(0.5)
            connection.send(b".")

    def silent(connection, request):
        connection.exactly(1)

    setup = Shop(make, slow, slow, slow)
    assert setup.get("/reports").body == b"......"
    assert setup.stat("upstream_rq_per_try_idle_timeout") == 0
    setup = Shop(make, silent, silent, silent)
    assert setup.get("/reports").status == 504
    assert len(setup.seen) == 1
    assert setup.stat("upstream_rq_per_try_idle_timeout") == 1
