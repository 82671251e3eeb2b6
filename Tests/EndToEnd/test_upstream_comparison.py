"""The same file, hosts that do the same, and the same requests through Envoy 1.40 and apus: what can be seen is the same.

Compared are answers, access logs (flags, details, attempts), what hosts were asked, event logs field by field, and the
statistics of cluster, virtual host and listener. Differences that are meant are listed at their case with the reason, and the
test fails when one is gone.
"""

import math
import threading
import time

import pytest

from conftest import KIND
from harness import config, http2, wait
from harness.client import Client, Closed
from harness.comparison import Answers, Case, HTTP2Answers, Pair, Raw, Refuses, Silent, matches
from test_health_checks import Health, talk
from test_priorities import level
from test_retries import PREVIOUS_HOSTS, break_off, close, half_a_head, late, refuse, reset

pytestmark = pytest.mark.needs_envoy

BUSY, BAD, OK = "503 Busy", "500 Bad", "200 OK"
HTTP2 = {"typed_extension_protocol_options": config.http2_options()}
GRPC = [("content-type", "application/grpc")]
HTTP_CHECK = {"http_health_check": {"path": "/health"}}


# Differences that are meant


def everywhere(why, *places):
    return {place: why for place in places}


TELLS_WHY = everywhere("the log has the reason in the system's words; Envoy has a prefix, or nothing where a connection ended", "log")
NAMES_THE_FULL = everywhere("the log names the host whose queue is full", "log")
KEPT = everywhere(
    "docs/retries.md: an answer that is here as a whole is dropped and its connection kept; Envoy closes it",
    "cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_local", "cluster.upstream_cx_destroy_local_with_active_rq",
    "cluster.upstream_cx_destroy_with_active_rq", "cluster.upstream_cx_http1_total", "cluster.upstream_cx_total",
    "cluster.upstream_rq_pending_total",
)  # fmt: skip
COUNTED = everywhere("Envoy counts it in its load reports only", "cluster.upstream_rq_drop_overload")
RECEIVED = everywhere("Envoy counts HTTP/2 resets only; its documents say requests", "cluster.upstream_rq_rx_reset")
SENT = everywhere("Envoy counts HTTP/2 resets only; its documents say requests", "cluster.upstream_rq_tx_reset")
NOT_RECEIVED = everywhere("Envoy counts a reset of its own as one that came", "http.downstream_rq_rx_reset")
CLOSED_AT_ONCE = NOT_RECEIVED | everywhere(
    "a client whose answer breaks off learns so at once; in Envoy after delayed_close_timeout", "http.downstream_cx_delayed_close_timeout"
)
ENDED_IN_BODY = everywhere(
    "a connection that ends is UC, its documents say; Envoy names each end within a body a protocol error, a reset too",
    "flags", "log", "cluster.upstream_cx_protocol_error",
)  # fmt: skip
COMPLETED_TWICE = everywhere(
    "a request is completed once; in Envoy with each interim answer too",
    "cluster.upstream_rq_completed", "vhost.vcluster.all.upstream_rq_completed",
)  # fmt: skip
TO_CLIENTS_TWICE = everywhere("a request is completed once; in Envoy with each interim answer too", "http.downstream_rq_completed")
LASTS_TOO_LONG = everywhere("DT says what happened: the request exceeded its duration; Envoy sets no flag", "flags", "log")
REPEATED_SILENTLY = everywhere(
    "docs/retries.md: a request that provably reached nobody is sent once more without a policy",
    "answers", "flags", "log", "requests", "cluster.upstream_rq_*", "http.downstream_rq_*", "vhost.vcluster.all.*",
)  # fmt: skip

# Ours alone: a refused connection is tried on another host. Envoy ignores the namespace.
TRIED_ONCE = {"metadata": {"filter_metadata": {"apus": {"retry_connect_failures": False}}}}

INTERIM_STARTED = everywhere(
    "Envoy takes an interim answer for the beginning of the response, and does not count what ends the request then",
    "cluster.upstream_rq_503", "cluster.upstream_rq_5xx", "cluster.upstream_rq_rx_reset", "log",
)  # fmt: skip


# What hosts do


def garbage(connection, request):
    connection.send(b"garbage\r\n\r\n")
    connection.to_end()


def reset_in_the_body(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
    time.sleep(0.1)
    connection.reset()
    return False


def close_in_the_body(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
    return False


def stall_in_the_body(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
    time.sleep(1)
    return False


def closes_after(connection, request):
    connection.reply(b"last", headers=[("connection", "close")])
    return False


def interim_and_reset(connection, request):
    connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    time.sleep(0.1)
    connection.reset()
    return False


def interim_and_close(connection, request):
    connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    return False


def http2_interim_and_reset(server, request):
    server.send(http2.head(request.stream, server.encode([(":status", "103"), ("link", "</a>")])))
    time.sleep(0.1)
    break_off(server, request)


def interim_and_whole(connection, request):
    connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    connection.reply(b"whole")


def headless(status):
    return lambda connection, request: connection.send(f"HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n".encode())


def whole_body(connection, request):
    connection.request_body(request)
    connection.reply(b"after the whole")


def http2_nonsense(server, request):
    server.send(http2.head(request.stream, server.encode([(":status", "nonsense")]), ends=True))


def http2_reset_in_the_body(server, request):
    server.send(http2.head(request.stream, server.encode([(":status", "200"), ("content-length", "100")])))
    server.send(http2.data(request.stream, b"begun"))
    time.sleep(0.1)
    break_off(server, request)


def http2_after(seconds):
    """An answer that takes a while; the connection is read meanwhile."""
    return lambda server, request: threading.Timer(seconds, server.reply, (request.stream, b"after a while")).start()


def after(seconds, status=OK):
    """An answer that takes a while."""

    def answer(connection, request):
        time.sleep(seconds)
        connection.reply(b"after a while", status=status)

    return answer


def go_away(server, request):
    server.send(http2.goaway(0, http2.NO_ERROR))


def answer_and_go_away(server, request):
    """In one piece: who asks again after the answer has seen both."""
    head = http2.head(request.stream, server.encode([(":status", "200"), ("content-length", "4")]))
    server.send(head, http2.data(request.stream, b"last", ends=True), http2.goaway(request.stream, http2.NO_ERROR))


def leave(server, request):
    """The connection ends while a stream waits."""
    server.reset()
    return False


# What is sent


def times(count, **options):
    return lambda side: side.get(count, **options)


def overlapping(*waits):
    return lambda side: side.overlapping(*waits)


def leaves(*waits):
    """Requests in flight, each until (statistic, value); then their clients go, the last one first."""

    def sends(side):
        clients = []
        for name, value in waits:
            clients.append(Client(side.port))
            side.sent += 1
            clients[-1].send(b"GET / HTTP/1.1\r\nhost: test.example\r\nuser-agent: test\r\n\r\n")
            side.until(name, value)
        for client in reversed(clients):
            client.close()
            logged = len(clients) - clients.index(client)
            wait.until(lambda: len(side.lines(side.log_path)) >= logged, "its line in the log")

    return sends


PAUSING = b"POST / HTTP/1.1\r\nhost: test.example\r\nuser-agent: test\r\ncontent-length: 10\r\n\r\nfirst"


def waits_for_another_attempt(side):
    """A request whose body ends when its second attempt is at the host."""
    with Client(side.port) as client:
        side.sent += 1
        client.send(PAUSING)
        wait.until(lambda: len(side.hosts[0].requests) == 2, "another attempt")
        client.send(b"later")
        side.note(client.response())


def waits_for_an_answer(side):
    with Client(side.port) as client:
        side.sent += 1
        client.send(PAUSING)
        side.note(client.response())
        client.send(b"later")


def grpc_call(side):
    side.http2("POST", "/a.B/C", GRPC, b"\0\0\0\0\0")


def kinds(**arguments):
    """A request, and what is counted of its kind: `external.`, `internal.`, `canary.`."""

    def sends(side):
        side.get(**arguments)
        side.until("upstream_rq_200", 1)
        counted = side.stats(f"^cluster\\.{side.case.slug}\\.(external|internal|canary|zone)\\.").items()
        side.notes["kinds"] = {name: value for name, value in counted if value}

    return sends


def watched(*statistics, requests=1):
    """Requests over and over until each statistic has its value."""

    def sends(side):
        for name, value in statistics:
            deadline = time.monotonic() + 15
            while side.stat(name) != value:
                assert time.monotonic() < deadline, f"{side.name}: {name} is {side.stat(name)}"
                side.get(requests)

    return sends


COUNTS_VARY = {place: "how many requests it takes depends on the machine" for place in (
    "requests", "answers", "log", "flags", "cluster.upstream_*", "cluster.retry.*", "http.*", "vhost.*")}  # fmt: skip
CHECKS_VARY = ("cluster.health_check.attempt", "cluster.health_check.success", "cluster.health_check.failure",
               "cluster.health_check.network_failure")  # fmt: skip
ORDER_VARIES = {place: "which host is first is random in Envoy" for place in ("requests", "log", "flags")}


def outliers(**fields):
    detection = {"interval": "0.1s", "base_ejection_time": "60s", "max_ejection_percent": 100, **fields}
    return {"outlier_detection": detection}


def ejected_and_back(side):
    side.get(6)
    side.until("membership_healthy", 1)
    side.get(4)
    side.hosts[0].follow(OK)
    side.until("membership_healthy", 2)
    side.get(4)


def ejected(type, count=1, then=4):
    """`count` requests to each host, then some more when one is out."""

    def sends(side):
        side.get(count * len(side.hosts))
        side.until(f"outlier_detection.ejections_enforced_{type}", 1)
        side.until("membership_healthy", len(side.hosts) - 1)
        side.get(then)

    return sends


def capped(side):
    watched(("membership_healthy", 2))(side)
    while side.stat("outlier_detection.ejections_overflow") == 0:
        side.get()

    def enforced():
        return [{**event, "upstream_url": ""} for event in side.seen()["outliers"] if event["enforced"]]

    wait.until(lambda: len(enforced()) >= 2, "two ejections")
    side.notes["enforced"] = enforced()


def nobody_left(side):
    watched(("membership_healthy", 0))(side)
    side.answers.clear()
    side.get()


# Health checks


def comes_up(side):
    side.until("health_check.failure", lambda count: count >= 2)
    side.get()
    side.hosts[0].check = OK
    side.until("membership_healthy", 1)
    side.get()


def goes_down(check):
    """A healthy host whose checks then get `check`; None: it is stopped."""

    def sends(side):
        side.until("membership_healthy", 1)
        side.get()
        if check is None:
            side.hosts[0].stop()
        else:
            side.hosts[0].check = check
        side.until("membership_healthy", 0)
        side.get()

    return sends


def answers_no_check(side):
    goes_down(lambda connection, request: time.sleep(2) or False)(side)

    def ejections():
        return [event for event in side.seen()["checks"] if "eject_unhealthy_event" in event]

    side.notes["ejection"] = wait.until(ejections, "an event")[-1]


def goes_and_comes_back(down):
    def sends(side):
        side.until("membership_healthy", 1)
        side.hosts[0].check = down
        side.until("membership_healthy", 0)
        side.hosts[0].check = OK
        side.until("membership_healthy", 1)
        side.get()

    return sends


def fails_itself(side):
    side.until("membership_healthy", 1)
    side.get()
    side.until("health_check.passive_failure", 1)
    side.until("membership_healthy", 0)
    side.until("membership_healthy", 1)
    side.get()


def degrades(side):
    side.until("membership_healthy", 1)
    side.hosts[0].check = (OK, [("x-envoy-degraded", "1")])
    side.until("membership_degraded", 1)
    side.get()
    side.hosts[0].check = OK
    side.until("membership_degraded", 0)
    side.get()


def grpc_health(side):
    side.until("membership_healthy", 1)
    side.hosts[0].status = b"\x08\x02"
    side.until("membership_healthy", 0)
    side.hosts[0].status = b"\x08\x01"
    side.until("membership_healthy", 1)
    side.hosts[0].stop()
    side.until("membership_healthy", 0)


def health_server(make):
    made = Health()
    make.made.append(made)
    return made


# Shares

REQUESTS = 1000


def levels(*groups):
    """Hosts of level p are 127.0.<p + 1>.1, .2 and so on: one origin answers for all."""

    def endpoints(ports):
        return {"endpoints": [
            {"priority": priority, "lb_endpoints": [
                {"health_status": state, "endpoint": {"address": config.address(ports[0], f"127.0.{priority + 1}.{index + 1}")}}
                for index, state in enumerate(states)]}
            for priority, states in enumerate(groups)]}  # fmt: skip

    return endpoints


def dropping(share):
    def endpoints(ports):
        host = {"endpoint": {"address": config.address(ports[0])}}
        return {"endpoints": [{"lb_endpoints": [host]}], "policy": {"drop_overloads": [{"category": "lb", "drop_percentage": share}]}}

    return endpoints


def shares(*percent, key):
    """Of many requests, `percent` go where `key` of the answer says 0, 1, and so on: at both within three standard deviations."""

    def within(counts):
        expected = [REQUESTS * share / 100 for share in percent]
        return all(
            abs(count - mean) <= 3 * math.sqrt(mean * (1 - mean / REQUESTS)) for count, mean in zip(counts, expected)
        )

    def sends(side):
        samples = []
        with Client(side.port) as client:
            # One sample in a hundred is outside by chance; three in a row are not.
            while not samples or (not within(samples[-1]) and len(samples) < 3):
                samples.append([0] * len(percent))
                for _ in range(REQUESTS):
                    samples[-1][key(client.get())] += 1
        assert within(samples[-1]), f"{side.name}: {samples} of {REQUESTS}, expected {percent} %"

    return sends


def by_level(response):
    return int(response.get("x-host").split(".")[2]) - 1


def by_host(response):
    """Of a level: up hosts come first."""
    return int(response.get("x-host").split(":")[0].split(".")[3]) - 1


def by_status(response):
    return {200: 0, 503: 1}[response.status]


NAMES_HOST = {"response_headers_to_add": [{"header": {"key": "x-host", "value": "%UPSTREAM_HOST%"}}]}
SHARES_VARY = {place: "shares are random" for place in ("requests", "answers", "log", "flags", "cluster.upstream_cx_*",
                                                        "cluster.upstream_rq_*", "http.*", "vhost.*")}  # fmt: skip
HALF = {"common_lb_config": {"healthy_panic_threshold": {"value": 50}}}


# TCP


def tcp(**fields):
    def listeners(case, side):
        log = side.access_log()
        return [config.tcp_listener(
            case.slug, name=case.slug, stat_prefix=case.slug, access_log=[log], max_connect_attempts=2, **fields
        )]  # fmt: skip

    return listeners


def session(side, client):
    try:
        side.note(client.response())
    except (Closed, ConnectionResetError) as error:
        side.answers.append(f"{getattr(error, 'partial', b'')}")


def connects(data=b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", count=1):
    def sends(side):
        for _ in range(count):
            with Client(side.port) as client:
                side.sent += 1
                client.send(data)
                session(side, client)

    return sends


def two_sessions(side):
    with Client(side.port) as first, Client(side.port) as second:
        side.sent += 2
        first.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        side.until("upstream_cx_active", 1)
        second.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        session(side, second)
        session(side, first)


CASES = [
    # Connections that fail
    Case("connect refused", [Refuses()], differs=TELLS_WHY),
    Case("connect timeout", [Silent()], cluster={"connect_timeout": "0.2s"}),
    Case("reset before the head", [Answers(reset)], differs={**TELLS_WHY, **RECEIVED}),
    Case("close before the head", [Answers(close)], differs=RECEIVED),
    Case("half a head", [Answers(half_a_head)], differs=TELLS_WHY),
    Case("garbage instead of a head", [Answers(garbage)], differs=TELLS_WHY),
    Case("reset in the body", [Answers(reset_in_the_body)], differs={**ENDED_IN_BODY, **RECEIVED, **CLOSED_AT_ONCE}),
    Case("close in the body", [Answers(close_in_the_body)], differs={**ENDED_IN_BODY, **RECEIVED, **CLOSED_AT_ONCE}),
    # What is repeated
    Case("5xx repeats a 500", [Answers(BAD, OK)], policy={"retry_on": "5xx"}, differs=KEPT),
    Case("5xx repeats a reset", [Answers(reset, OK)], policy={"retry_on": "5xx"}, differs=RECEIVED),
    Case("gateway-error repeats a 502", [Answers("502 Bad", OK)], policy={"retry_on": "gateway-error"}, differs=KEPT),
    Case("gateway-error repeats no 500", [Answers(BAD, OK)], policy={"retry_on": "gateway-error"}),
    Case("reset repeats a close", [Answers(close, OK)], policy={"retry_on": "reset"}, differs=RECEIVED),
    Case("reset repeats no 503", [Answers(BUSY, OK)], policy={"retry_on": "reset"}),
    Case("connect-failure repeats no reset", [Answers(reset, OK)], policy={"retry_on": "connect-failure"},
         differs={**TELLS_WHY, **RECEIVED}),
    Case("connect-failure repeats a refusal", [Refuses()], policy={"retry_on": "connect-failure", "num_retries": 2},
         differs=TELLS_WHY),
    Case("reset-before-request repeats a refusal", [Refuses()], policy={"retry_on": "reset-before-request"},
         differs=TELLS_WHY),
    Case("reset-before-request repeats no reset", [Answers(reset, OK)], policy={"retry_on": "reset-before-request"},
         differs={**TELLS_WHY, **RECEIVED}),
    Case("another host after a refusal", [Refuses(), Answers(OK)], times(6), policy={
        "retry_on": "connect-failure", "retry_host_predicate": [PREVIOUS_HOSTS], "host_selection_retry_max_attempts": 5},
         some=("cluster.upstream_*", "vhost.*"), loose=ORDER_VARIES),
    Case("retriable-4xx", [Answers("409 Conflict", OK)], policy={"retry_on": "retriable-4xx"}, differs=KEPT),
    Case("retriable-4xx is 409 alone", [Answers("404 Gone", OK)], policy={"retry_on": "retriable-4xx"}),
    Case("retriable status codes", [Answers("418 Teapot", OK)], policy={
        "retry_on": "retriable-status-codes", "retriable_status_codes": [418]}, differs=KEPT),
    Case("retriable headers", [Answers(("200 OK", [("x-again", "yes")]), OK)], policy={
        "retry_on": "retriable-headers", "retriable_headers": [{"name": "x-again", "string_match": {"exact": "yes"}}]}, differs=KEPT),
    Case("retriable request headers", [Answers(BUSY, BUSY, OK)], lambda side: (side.get(method="DELETE"), side.get()), policy={
        "retry_on": "5xx", "retriable_request_headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
         differs=KEPT),
    Case("rate limited is not 5xx", [Answers((BUSY, [("x-envoy-ratelimited", "true")]), OK)], policy={"retry_on": "5xx"}),
    Case("rate limited", [Answers((BUSY, [("x-envoy-ratelimited", "true")]), OK)], policy={"retry_on": "envoy-ratelimited"}, differs=KEPT),
    Case("the host says when", [Answers((BUSY, [("retry-after", "1")]), OK)], policy={
        "retry_on": "5xx", "rate_limited_retry_back_off": {"reset_headers": [{"name": "Retry-After", "format": "SECONDS"}]}}, differs=KEPT),
    Case("the host says much later", [Answers((BUSY, [("retry-after", "100")]), OK)], policy={
        "retry_on": "5xx", "rate_limited_retry_back_off": {
            "reset_headers": [{"name": "Retry-After", "format": "SECONDS"}], "max_interval": "2s"}}, differs=KEPT),
    Case("retry limit exceeded", [Answers(BUSY)], policy={"retry_on": "5xx", "num_retries": 3}, differs=KEPT),
    Case("no retries left for a reset", [Answers(reset)], policy={"retry_on": "5xx", "num_retries": 2},
         differs={**TELLS_WHY, **RECEIVED}),
    Case("num_retries 0", [Answers(BUSY)], policy={"retry_on": "5xx", "num_retries": 0}),
    Case("a body is sent again", [Answers(BUSY, reset, OK)], times(1, method="POST", body=b"x" * 20_000), policy={
        "retry_on": "5xx", "num_retries": 3}, differs={**KEPT, **RECEIVED}),
    Case("a body over the limit", [Answers(BUSY, OK)], times(1, method="POST", body=b"x" * 50_000), policy={"retry_on": "5xx"},
         host={"per_request_buffer_limit_bytes": 10_000}),
    Case("HEAD is repeated", [Answers(headless(BUSY), headless(OK))], times(1, method="HEAD"), policy={"retry_on": "5xx"}),
    Case("an answer before the whole request", [Answers(BUSY, whole_body, read_body=False)], waits_for_another_attempt, policy={"retry_on": "5xx"}),
    Case("an answer before the whole request, the last", [Answers(BUSY, read_body=False)], waits_for_an_answer,
         differs={"answers": "the rest of the request is read and the connection goes on; Envoy closes it", **NOT_RECEIVED}),
    Case("internal callers ask", [Answers(BUSY, BUSY, OK)], times(1, headers=[
        ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "2"), ("x-envoy-upstream-rq-timeout-ms", "5000")]),
        hcm={"use_remote_address": True, "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}},
         differs=KEPT),
    Case("internal callers set times", [Answers(late(1), OK)], times(1, headers=[
        ("x-envoy-retry-on", "5xx"), ("x-envoy-upstream-rq-timeout-ms", "5000"), ("x-envoy-upstream-rq-per-try-timeout-ms", "500")]),
        hcm={"use_remote_address": True, "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}},
         differs=SENT),
    Case("counters of a route", [Answers(BUSY, OK)], policy={"retry_on": "5xx"}, route={"stat_prefix": "shop"}, differs=KEPT),
    # Timeouts
    Case("route timeout", [Answers(late(1))], action={"timeout": "0.2s"}, differs=SENT),
    Case("route timeout, another answer", [Answers(late(1))], times(1, headers=[
        ("x-envoy-upstream-rq-timeout-alt-response", "1")]), action={"timeout": "0.2s"}, differs=SENT),
    Case("route timeout in the body", [Answers(stall_in_the_body)], action={"timeout": "0.5s"},
         differs={**SENT, **CLOSED_AT_ONCE}),
    Case("per-try timeout", [Answers(late(1))], policy={"per_try_timeout": "0.2s"}, differs=SENT),
    Case("per-try timeout, then an answer", [Answers(late(1), OK)], policy={"retry_on": "5xx", "per_try_timeout": "0.5s"},
         differs=SENT),
    Case("per-try timeouts to the end", [Answers(late(1))], policy={"retry_on": "gateway-error", "per_try_timeout": "0.15s"},
         differs=SENT),
    Case("per-try timeout above the route's", [Answers(late(1), OK)], policy={"retry_on": "5xx", "per_try_timeout": "0.4s"},
         action={"timeout": "0.2s"}, differs=SENT),
    Case("both timeouts", [Answers(late(1))], policy={"retry_on": "5xx", "per_try_timeout": "0.5s", "num_retries": 50},
         action={"timeout": "1.25s"}, differs=SENT),
    Case("per-try idle timeout", [Answers(late(1), OK)], policy={"retry_on": "5xx", "per_try_idle_timeout": "0.5s"},
         differs=SENT),
    Case("per-try idle timeout in the body", [Answers(stall_in_the_body)], policy={"retry_on": "5xx", "per_try_idle_timeout": "0.5s"},
         differs={**SENT, **CLOSED_AT_ONCE}),
    Case("timeout before there is a connection", [Silent()], action={"timeout": "0.2s"}, cluster={"connect_timeout": "2s"}),
    Case("per-try timeout before there is a connection", [Silent()], cluster={"connect_timeout": "0.4s"},
         policy={"retry_on": "gateway-error", "num_retries": 1, "per_try_timeout": "0.1s"}),
    Case("max_stream_duration before there is a connection", [Silent()], cluster={"connect_timeout": "2s"},
         action={"max_stream_duration": {"max_stream_duration": "0.2s"}}, differs=LASTS_TOO_LONG),
    Case("stream idle timeout before there is a connection", [Silent()], cluster={"connect_timeout": "2s"},
         hcm={"stream_idle_timeout": "0.2s"}),
    Case("stream idle timeout", [Answers(late(1))], hcm={"stream_idle_timeout": "0.2s"}, differs=SENT),
    Case("idle timeout of a route", [Answers(stall_in_the_body)], action={"idle_timeout": "0.5s"},
         differs={**SENT, **CLOSED_AT_ONCE}),
    Case("max_stream_duration of a route", [Answers(late(1))], action={"max_stream_duration": {"max_stream_duration": "0.2s"}},
         differs={**SENT, **LASTS_TOO_LONG}),
    Case("grpc-timeout", [HTTP2Answers(lambda server, request: None)], lambda side: side.http2(
        "POST", "/a.B/C", [*GRPC, ("grpc-timeout", "200m")], b"\0\0\0\0\0"), cluster=HTTP2,
        action={"max_stream_duration": {"grpc_timeout_header_max": "5s"}}, differs=LASTS_TOO_LONG),
    # Limits
    Case("pending overflow", [Answers(after(1))], overlapping(("upstream_rq_active", 1), ("upstream_rq_pending_active", 1)), cluster={
        "circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1}]}}, differs=NAMES_THE_FULL),
    Case("request overflow", [Answers(after(1))], overlapping(("upstream_rq_active", 1)), cluster={
        "circuit_breakers": {"thresholds": [{"max_requests": 1}]}}),
    Case("retry overflow", [Answers(BUSY)], policy={"retry_on": "5xx"}, cluster={
        "circuit_breakers": {"thresholds": [{"max_retries": 0}]}}),
    Case("connections are scarce", [Answers(after(0.6))], overlapping(("upstream_rq_active", 1), ("upstream_rq_pending_active", 1)),
         cluster={
        "circuit_breakers": {"thresholds": [{"max_connections": 1}]}}, some=("cluster.upstream_cx_overflow",)),
    Case("maintenance", [Answers(OK)]),
    Case("no cluster", [Answers(OK)], times(1, headers=[("x-cluster", "nowhere")]), action={"cluster_header": "x-cluster"}),
    Case("no request may wait", [Answers(OK)], cluster={"circuit_breakers": {"thresholds": [{"max_pending_requests": 0}]}},
         differs=NAMES_THE_FULL),
    Case("no connection is allowed", [Answers(OK)], cluster={"circuit_breakers": {"thresholds": [{"max_connections": 0}]}}),
    Case("limits of high priority", [Answers(OK)], action={"priority": "HIGH"}, cluster={
        "circuit_breakers": {"thresholds": [{"priority": "HIGH", "max_requests": 0}]}}),
    # The life of connections
    Case("one request a connection", [Answers(OK)], times(2), cluster={
        "typed_extension_protocol_options": config.http_options(max_requests_per_connection=1)},
         differs={"requests": "RFC 9112 section 9.6: who closes says so; Envoy does not"}),
    Case("idle connections end", [Answers(OK)], lambda side: (side.get(), side.until("upstream_cx_idle_timeout", 1)), cluster={
        "typed_extension_protocol_options": config.http_options(idle_timeout="0.2s")}),
    Case("connections end at their age", [Answers(OK)], lambda side: (side.get(), side.until("upstream_cx_max_duration_reached", 1),
        side.get()), cluster={"typed_extension_protocol_options": config.http_options(max_connection_duration="0.4s")}),
    Case("the host closes after its answer", [Answers(closes_after)], times(2)),
    Case("the host closes an idle connection", [Answers(OK)], lambda side: (
        side.get(), side.hosts[0].origin.close_connections(), side.until("upstream_cx_active", 0), side.get())),
    Case("an interim answer, then a reset", [Answers(interim_and_reset, OK)], policy={"retry_on": "reset"},
         hcm={"proxy_100_continue": True}, differs={**INTERIM_STARTED, **TO_CLIENTS_TWICE}),
    Case("an interim answer, then a close", [Answers(interim_and_close)], hcm={"proxy_100_continue": True},
         differs={**INTERIM_STARTED, **TO_CLIENTS_TWICE}),
    Case("an interim answer, then a whole one", [Answers(interim_and_whole)], hcm={"proxy_100_continue": True},
         differs=COMPLETED_TWICE | TO_CLIENTS_TWICE),
    Case("an interim answer that is not for the client", [Answers(interim_and_whole)], differs=COMPLETED_TWICE),
    Case("an interim answer over HTTP/2, then a reset", [HTTP2Answers(http2_interim_and_reset, 200)], cluster=HTTP2,
         policy={"retry_on": "reset"}, hcm={"proxy_100_continue": True},
         differs={**{place: why for place, why in INTERIM_STARTED.items() if not place.endswith("rx_reset")}, **TO_CLIENTS_TWICE}),
    Case("the client waits for 100 (Continue)", [Answers(OK)], times(1, method="POST", body=b"x", headers=[("expect", "100-continue")]),
         differs=TO_CLIENTS_TWICE),
    Case("a head that is too large", [Answers((OK, [("x-large", "a" * 100_000)]))], differs=TELLS_WHY),
    # Clients
    Case("the client leaves", [Answers(after(1))], leaves(("upstream_rq_active", 1)), differs=SENT),
    Case("the client leaves while it waits", [Answers(after(1))], leaves(("upstream_rq_active", 1), ("upstream_rq_pending_active", 1)),
         cluster={"circuit_breakers": {"thresholds": [{"max_connections": 1}]}}, differs=SENT),
    Case("an HTTP/2 client, a reset", [Answers(reset)], lambda side: side.http2(), differs={**TELLS_WHY, **RECEIVED}),
    Case("an HTTP/2 client, a reset in the body", [Answers(reset_in_the_body)], lambda side: side.http2(),
         differs={**ENDED_IN_BODY, **RECEIVED, **NOT_RECEIVED}),
    Case("an HTTP/2 client, a timeout", [Answers(late(1))], lambda side: side.http2(), action={"timeout": "0.2s"},
         differs=SENT),
    # HTTP/2
    Case("HTTP/2 reset", [HTTP2Answers(break_off)], cluster=HTTP2),
    Case("HTTP/2 reset, repeated", [HTTP2Answers(break_off, 200)], cluster=HTTP2, policy={"retry_on": "reset"}),
    Case("HTTP/2 nonsense for a status", [HTTP2Answers(http2_nonsense)], cluster=HTTP2,
         differs=TELLS_WHY),
    Case("HTTP/2 hosts that take one request at a time", [HTTP2Answers(http2_after(0.7), settings=[(http2.MAX_CONCURRENT_STREAMS, 1)])], overlapping(
        ("upstream_rq_active", 1), ("upstream_rq_active", 2)), cluster=HTTP2),
    Case("HTTP/2 reset in the body", [HTTP2Answers(http2_reset_in_the_body)], cluster=HTTP2, differs=CLOSED_AT_ONCE),
    Case("HTTP/2 timeout", [HTTP2Answers(lambda server, request: None)], cluster=HTTP2, action={"timeout": "0.2s"}),
    Case("HTTP/2 connection ends", [HTTP2Answers(leave)], cluster=HTTP2, differs=TELLS_WHY),
    Case("HTTP/2 connection ends, repeated", [HTTP2Answers(leave, 200)], cluster=HTTP2, policy={"retry_on": "reset"}),
    Case("HTTP/2 refusal", [HTTP2Answers(refuse, 200)], cluster=HTTP2, differs=REPEATED_SILENTLY),
    Case("HTTP/2 refusal, repeated", [HTTP2Answers(refuse, 200)], cluster=HTTP2, policy={"retry_on": "refused-stream"},
         differs={"cluster.upstream_rq_retry_backoff_exponential": "docs/retries.md: a repeat that needs no policy does not wait"}),
    Case("HTTP/2 refusal, repeats are limited", [HTTP2Answers(refuse, 200)], cluster={
        **HTTP2, "circuit_breakers": {"thresholds": [{"max_retries": 0}]}}, differs=everywhere(
        "a repeat that there is no room for is counted, and so is the reset", "cluster.upstream_rq_retry_overflow",
        "cluster.upstream_rq_rx_reset")),
    Case("GOAWAY below the stream", [HTTP2Answers(go_away, 200)], cluster=HTTP2, policy={"retry_on": "5xx"},
         differs={"cluster.upstream_rq_retry_backoff_exponential": "docs/retries.md: a repeat that needs no policy does not wait"}),
    Case("GOAWAY after an answer", [HTTP2Answers(answer_and_go_away, 200)], times(2), cluster=HTTP2),
    Case("grpc-status is repeated", [HTTP2Answers((200, [*GRPC, ("grpc-status", "14")]), (200, [*GRPC, ("grpc-status", "0")]))],
         grpc_call, cluster=HTTP2, policy={"retry_on": "unavailable"}),
    Case("grpc-status is not repeated", [HTTP2Answers((200, [*GRPC, ("grpc-status", "5")]))],
         grpc_call, cluster=HTTP2, policy={"retry_on": "unavailable,internal"}),
    Case("gRPC client, host refuses", [Refuses()], lambda side: side.http2("POST", "/a.B/C", GRPC), cluster=HTTP2, differs=TELLS_WHY),
    # Without a policy
    Case("a connection dies when it is used again", [Answers(OK, close, OK)], times(2),
         differs={**REPEATED_SILENTLY, "cluster.upstream_cx_*": "as above"}),
    Case("one of two hosts refuses", [Refuses(), Answers(OK)], times(6), cluster=TRIED_ONCE, differs=TELLS_WHY),
    # What is shown
    Case("attempts in an answer", [Answers(BUSY, OK)], policy={"retry_on": "5xx"}, host={"include_attempt_count_in_response": True},
         differs=KEPT),
    Case("attempts in a reply of the proxy", [Refuses()], host={"include_attempt_count_in_response": True},
         differs=TELLS_WHY),
    Case("who asks is counted apart", [Answers(OK)], kinds()),
    Case("internal callers are counted apart", [Answers(OK)], kinds(headers=[("x-forwarded-for", "10.0.0.1")]),
         hcm={"internal_address_config": {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}}),
    Case("a canary says so", [Answers((OK, [("x-envoy-upstream-canary", "true")]))], kinds()),
    # Mirrors
    Case("mirror", [Answers(OK)], times(1, method="POST", body=b"copied"), action={
        "request_mirror_policies": [{"cluster": "SELF-copy"}]}, others={"copy": ([Answers(BAD)], {})}),
    Case("mirror to nobody", [Answers(OK)], action={"request_mirror_policies": [{"cluster": "SELF-copy"}]},
         others={"copy": ([Refuses()], {})}),
    # Levels, panic, overload
    Case("no healthy host", [Answers(OK)], endpoints=levels(level(down=2))),
    Case("no healthy host, repeated", [Answers(OK)], endpoints=levels(level(down=1)), policy={"retry_on": "5xx"}),
    Case("states of hosts", [Answers(OK)], lambda side: None, endpoints=levels(
        level(up=3, down=1), level(draining=1, degraded=1))),
    Case("panic", [Answers(OK, address="0.0.0.0")], times(8), endpoints=levels(level(up=1, down=3)), cluster=HALF,
         loose={"log": "hosts are not named by port"}),
    Case("no panic", [Answers(OK)], endpoints=levels(level(up=1, down=3)), cluster={"common_lb_config": {
        "zone_aware_lb_config": {"fail_traffic_on_panic": True}}}),
    Case("the next level", [Answers(OK, address="0.0.0.0")], shares(70, 30, key=by_level), host=NAMES_HOST,
         endpoints=levels(level(up=5, down=5), level(up=10)), loose=SHARES_VARY),
    Case("three levels", [Answers(OK, address="0.0.0.0")], shares(35, 35, 30, key=by_level), host=NAMES_HOST,
         endpoints=levels(level(up=1, down=3), level(up=1, down=3), level(up=3)), loose=SHARES_VARY),
    Case("degraded hosts", [Answers(OK, address="0.0.0.0")], shares(70, 30, key=by_host), host=NAMES_HOST,
         endpoints=levels(level(up=1, degraded=1)), loose=SHARES_VARY),
    Case("all are dropped", [Answers(OK)], endpoints=dropping({"numerator": 100}), differs=COUNTED),
    Case("nearly all are dropped", [Answers(OK)], endpoints=dropping({"numerator": 999999, "denominator": "MILLION"}), differs=COUNTED),
    Case("some are dropped", [Answers(OK)], shares(80, 20, key=by_status), endpoints=dropping({"numerator": 20}),
         loose=SHARES_VARY),
    # Outliers
    Case("consecutive 5xx, and back", [Answers(BAD), Answers(OK)], ejected_and_back, cluster=outliers(
        consecutive_5xx=3, base_ejection_time="2s")),
    Case("consecutive gateway failures", [Answers(BUSY), Answers(OK)], ejected("consecutive_gateway_failure", 2), cluster=outliers(
        consecutive_5xx=0, consecutive_gateway_failure=2, enforcing_consecutive_gateway_failure=100)),
    Case("refusals are 5xx", [Refuses(), Answers(OK)], ejected("consecutive_5xx", 2),
         cluster=TRIED_ONCE | outliers(consecutive_5xx=2), differs=TELLS_WHY),
    Case("refusals are local", [Refuses(), Answers(OK)], ejected("consecutive_local_origin_failure", 2), cluster=TRIED_ONCE | outliers(
        split_external_local_origin_errors=True, consecutive_local_origin_failure=2, consecutive_5xx=2), differs=TELLS_WHY),
    Case("resets are no local failures", [Answers(reset), Answers(OK)], times(8), cluster=outliers(
        split_external_local_origin_errors=True, consecutive_local_origin_failure=2, consecutive_5xx=0), differs={**TELLS_WHY, **RECEIVED}),
    Case("timeouts are 5xx", [Answers(late(1)), Answers(OK)], ejected("consecutive_5xx", 2), cluster=outliers(consecutive_5xx=2),
         action={"timeout": "0.5s"}, differs=SENT),
    Case("gRPC failures are 5xx", [HTTP2Answers((200, [*GRPC, ("grpc-status", "14")])), HTTP2Answers((200, [*GRPC, ("grpc-status", "0")]))],
         lambda side: ([grpc_call(side) for _ in range(4)], side.until("membership_healthy", 1), grpc_call(side)),
         cluster={**HTTP2, **outliers(consecutive_5xx=2)}),
    Case("repeated answers are 5xx", [Answers(BUSY), Answers(OK)], ejected("consecutive_5xx", 1), cluster=outliers(consecutive_5xx=1),
         policy={"retry_on": "5xx"}, loose=COUNTS_VARY),
    Case("a success ends the row", [Answers(BAD, BAD, OK, BAD, BAD, OK)], times(6), cluster=outliers(consecutive_5xx=3)),
    Case("a 500 ends the gateway row", [Answers(BUSY, BAD, BUSY, BAD)], times(4), cluster=outliers(
        consecutive_5xx=0, consecutive_gateway_failure=2, enforcing_consecutive_gateway_failure=100)),
    Case("success rate", [Answers(BAD), *[Answers(OK)] * 4], watched(
        ("outlier_detection.ejections_enforced_success_rate", 1), requests=25), cluster=outliers(
        consecutive_5xx=0, success_rate_minimum_hosts=5, success_rate_request_volume=4, interval="0.5s", success_rate_stdev_factor=1500,
        failure_percentage_request_volume=1_000_000),
        loose=COUNTS_VARY),
    Case("failure percentage", [Answers(BAD), Answers(OK), Answers(OK)], watched(
        ("outlier_detection.ejections_enforced_failure_percentage", 1), requests=15), cluster=outliers(
        consecutive_5xx=0, failure_percentage_minimum_hosts=3, failure_percentage_request_volume=4, failure_percentage_threshold=60,
        enforcing_failure_percentage=100, interval="0.5s", enforcing_success_rate=0), loose=COUNTS_VARY),
    Case("detected, not enforced", [Answers(BUSY), Answers(OK)], times(4),
         cluster=outliers(consecutive_5xx=2, enforcing_consecutive_5xx=0)),
    Case("half may be ejected", [Answers(BAD)] * 4, capped, cluster=outliers(consecutive_5xx=2, max_ejection_percent=50),
         loose={**COUNTS_VARY, "outliers*": "which hosts are first is random", "cluster.outlier_detection.ejections_detected*": "as above"},
         some=("cluster.outlier_detection.ejections_overflow",)),
    Case("one may always be ejected", [Answers(BAD), Answers(OK)], ejected("consecutive_5xx", 2), cluster=outliers(
        consecutive_5xx=2, max_ejection_percent=0, always_eject_one_host=True)),
    Case("all are ejected", [Answers(BAD), Answers(BAD)], nobody_left, cluster=outliers(consecutive_5xx=1),
         loose={**{place: why for place, why in COUNTS_VARY.items() if place != "answers"}, "outliers*": "which host is first is random"}),
    # Health checks
    Case("checks find it down, then up", [Answers(OK, check=BUSY)], comes_up, check=HTTP_CHECK, some=CHECKS_VARY),
    Case("checks get a wrong status", [Answers(OK)], goes_down(BAD), check=HTTP_CHECK, some=CHECKS_VARY),
    Case("checks get a status that may be tried again", [Answers(OK)], goes_down(BAD), some=CHECKS_VARY, check={
        "unhealthy_threshold": 3, "http_health_check": {"path": "/health", "retriable_statuses": [{"start": 500, "end": 600}]}}),
    Case("checks get no answer", [Answers(OK)], answers_no_check, some=CHECKS_VARY,
         check={**HTTP_CHECK, "timeout": "1s", "unhealthy_threshold": 1}, loose={"checks*": "a first check may be late too"}),
    Case("checks are reset", [Answers(OK)], goes_down(reset), check=HTTP_CHECK, some=CHECKS_VARY),
    Case("checks are refused", [Answers(OK)], goes_down(None), check=HTTP_CHECK, some=CHECKS_VARY),
    Case("down and up again", [Answers(OK)], goes_and_comes_back(BAD), check=HTTP_CHECK, some=CHECKS_VARY),
    Case("the wrong service", [Answers(OK, check=(OK, [("x-envoy-upstream-healthchecked-cluster", "cart")]))],
         lambda side: (side.until("health_check.verify_cluster", lambda count: count > 1), side.get()), some=(*CHECKS_VARY,
         "cluster.health_check.verify_cluster"),
         check={"http_health_check": {"path": "/health", "service_name_matcher": {"prefix": "shop"}}}),
    Case("unhealthy hosts in panic", [Answers(OK, check=BUSY)], lambda side: (side.until(
        "health_check.failure", lambda count: count > 1), side.get(2)), check=HTTP_CHECK, cluster=HALF, some=CHECKS_VARY),
    Case("a host fails itself", [Answers((OK, [("x-envoy-immediate-health-check-fail", "true")]), OK)], fails_itself,
         check={**HTTP_CHECK, "interval": "0.3s", "no_traffic_interval": "0.3s"}, some=CHECKS_VARY),
    Case("checks find it degraded", [Answers(OK)], degrades, check=HTTP_CHECK, some=CHECKS_VARY,
         differs={"cluster.health_check.degraded": "Envoy counts hosts that become degraded, never those that no longer are"}),
    Case("every check is logged", [Answers(OK, check=BUSY)], comes_up, some=CHECKS_VARY, check={
        **HTTP_CHECK, "always_log_health_check_failures": True}, loose={"checks*": "their number is the machine's"}),
    Case("TCP checks", [Raw(lambda make: make.origin(raw=talk(lambda data: b"pong")))], lambda side: (
        side.until("membership_healthy", 1), side.hosts[0].stop(), side.until("membership_healthy", 0)), some=CHECKS_VARY,
        check={"tcp_health_check": {"send": {"text": b"ping".hex()}, "receive": [{"text": b"pong".hex()}]}}),
    Case("TCP checks, connecting is enough", [Refuses()], lambda side: side.until(
        "health_check.network_failure", lambda count: count > 1), check={"tcp_health_check": {}}, some=CHECKS_VARY),
    Case("gRPC checks", [Raw(health_server)], grpc_health, cluster=HTTP2, check={"grpc_health_check": {"service_name": "shop"}},
         some=CHECKS_VARY),
    Case("a check brings an ejected host back", [Answers(BAD)], lambda side: (side.until("membership_healthy", 1), side.get(2), side.until(
        "outlier_detection.ejections_enforced_total", 1), side.until("membership_healthy", 1)), cluster=outliers(consecutive_5xx=2),
        check={**HTTP_CHECK, "interval": "0.3s", "no_traffic_interval": "0.3s"}, some=CHECKS_VARY),
    # TCP
    Case("TCP, refused", [Refuses()], connects(), listener=tcp(), differs=TELLS_WHY),
    Case("TCP, connect timeout", [Silent()], connects(), listener=tcp(), cluster={"connect_timeout": "0.2s"}),
    Case("TCP, no healthy host", [Answers(OK)], connects(), listener=tcp(), endpoints=levels(level(down=1))),
    Case("TCP, idle", [Answers(OK)], connects(b"G"), listener=tcp(idle_timeout="0.2s"),
         differs={"flags": "SI says why the session ended; Envoy says nothing", "log": "as above"}),
    Case("TCP, the host resets", [Answers(reset)], connects(), listener=tcp(), differs=TELLS_WHY),
    Case("TCP, too many", [Answers(after(1))], two_sessions, listener=tcp(), cluster={
        "circuit_breakers": {"thresholds": [{"max_connections": 1}]}}),
    Case("TCP, nobody may wait", [Answers(OK)], connects(), listener=tcp(), cluster={
        "circuit_breakers": {"thresholds": [{"max_pending_requests": 0}]}},
         differs=everywhere("UO says what happened; Envoy tries again at once, and says that its attempts are used up",
                            "flags", "log", "cluster.upstream_cx_connect_attempts_exceeded", "cluster.upstream_rq_pending_overflow")),
    Case("TCP, refusals eject", [Refuses(), Answers(OK)], lambda side: (connects(count=4)(side), side.until("membership_healthy", 1)),
         listener=tcp(), cluster=outliers(consecutive_5xx=2), some=("cluster.upstream_*",), loose=ORDER_VARIES),
]  # fmt: skip


@pytest.fixture(scope="module")
def pair(make_shared):
    return Pair(make_shared, CASES, KIND)


def show(found):
    return "".join(f"\n{place}\n  Envoy: {theirs}\n  apus:  {ours}" for place, (theirs, ours) in found.items())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same(pair, case):
    new, gone = pair.surprises(case, pair.run(case))
    assert not new, show(new)
    assert not gone, f"no longer different, delete the entry: {gone}"
