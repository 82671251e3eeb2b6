"""Failures that explain themselves: `%APUS_FAILURE%` in logs and replies, `x-apus-failure` for internal callers."""

import json
import pathlib
import socket
import tempfile
import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import Client, get
from harness.config import http_listener, route, virtual_host
from harness.example import example
from harness.origin import free_port

pytestmark = pytest.mark.apus_only

INTERNAL = {
    "use_remote_address": True,
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}


class Setup:
    def __init__(self, make, *ports, hcm=None, cluster=None, made=None, runtime=None, **action):
        self.log = pathlib.Path(make.directory) / "access.log"
        log = config.file_log(self.log, "%RESPONSE_CODE%|%APUS_FAILURE%\n")
        listener = http_listener(virtual_host(route(**action)), hcm={**INTERNAL, "access_log": [log], **(hcm or {})})
        upstream = made or config.cluster("origin", *ports, **(cluster or {}))
        layers = {"layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]}} if runtime else {}
        self.proxy = make.proxy(
            config.bootstrap([listener], [upstream], **layers), arguments=["--file-flush-interval-msec", "20"]
        )

    def fails(self, status=503, headers=(), **options):
        """The sentence of one request, which is in its answer and in the log."""
        response = get(self.proxy.port(), "/", headers=headers, **options)
        said = response.get("x-apus-failure")
        assert response.status == status, (response.status, response.body, said)
        line = f"{status}|{said or '-'}"
        # Lines of requests before may be there already.
        wait.until(lambda: self.log.read_text().splitlines()[-1:] == [line], f"the log ends with {line}")
        return said


def matches(said, *parts):
    """The parts, in their order; what lies between are times."""
    at = 0
    for part in parts:
        found = said.find(part, at)
        assert found >= 0, f"{part!r} is not in {said!r}"
        at = found + len(part)
    return True


def silent(connection, request):
    time.sleep(3)


def test_connection_refused(make):
    port = free_port()
    said = Setup(make, port).fails()
    matches(said, f"no connection to 127.0.0.1:{port} (cluster origin): connection refused (ECONNREFUSED) after ", " ms while connecting")


def test_connection_timeout(make):
    """A listener whose queue is full answers nobody."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            held.append(one)
        said = Setup(make, port, cluster={"connect_timeout": "0.2s"}).fails()
        assert said == f"no connection to 127.0.0.1:{port} (cluster origin): no answer in 200 ms; decided by connect_timeout 200 ms"
        for one in held:
            one.close()


def test_tls_certificate(make, ca, server):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.chain, server.key)
    port = make.origin(tls=context).port
    rules = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "other.example"}}]}
    said = Setup(make, made=config.tls_cluster("origin", port, trusts=ca, validation=rules)).fails()
    matches(
        said, f"TLS with 127.0.0.1:{port} (cluster origin): CERTIFICATE_VERIFY_FAILED", "server.example", " in the handshake",
        "; decided by match_typed_subject_alt_names",
    )  # fmt: skip


def test_tls_with_one_who_does_not_speak_it(make, ca):
    port = make.origin(lambda connection, request: None, raw=lambda connection: connection.send(b"HTTP/1.1 400 Bad\r\n\r\n")).port
    said = Setup(make, made=config.tls_cluster("origin", port, trusts=ca)).fails()
    matches(said, f"TLS with 127.0.0.1:{port} (cluster origin): ", "the host does not speak TLS", " in the handshake")


def test_closed_before_a_response(make):
    port = make.origin(lambda connection, request: False).port
    said = Setup(make, port).fails()
    matches(said, f"reset: 127.0.0.1:{port} (cluster origin) closed the connection ", "ms after the request went there, before a response")


def test_reset_before_a_response(make):
    def reset(connection, request):
        connection.reset()
        return False

    port = make.origin(reset).port
    said = Setup(make, port).fails()
    matches(said, f"reset: 127.0.0.1:{port} (cluster origin) broke the connection, connection reset by peer (ECONNRESET), ")


def test_protocol_error(make):
    port = make.origin(raw=lambda connection: connection.request() and connection.send(b"What?\r\n\r\n")).port
    said = Setup(make, port).fails(502)
    matches(said, f"protocol error: 127.0.0.1:{port} (cluster origin) sent what is no response (", ") ", "before a response")


def test_broken_in_the_response(make):
    def half(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        return False

    setup = Setup(make, make.origin(half).port)
    with Client(setup.proxy.port()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.stream.head()
        assert client.stream.exactly(4) == b"half"
        assert client.is_closed()
    line = wait.until(lambda: setup.log.read_text(), "a line in the log")
    matches(line, "200|reset: 127.0.0.1:", " closed the connection ", "in the response")


@pytest.mark.parametrize("action, headers, decided", [
    ({"timeout": "0.3s"}, (), "route timeout 300 ms"),
    ({}, [("x-envoy-upstream-rq-timeout-ms", "200")], "x-envoy-upstream-rq-timeout-ms 200 ms"),
    ({"retry_policy": {"per_try_timeout": "0.3s"}}, (), "per_try_timeout 300 ms"),
    ({"retry_policy": {"per_try_idle_timeout": "0.3s"}}, (), "per_try_idle_timeout 300 ms"),
    ({"idle_timeout": "0.3s"}, (), "idle_timeout of the route 300 ms"),
    ({"max_stream_duration": {"max_stream_duration": "0.3s"}}, (), "max_stream_duration or grpc-timeout 300 ms"),
])  # fmt: skip
def test_timeouts(make, action, headers, decided):
    port = make.origin(silent).port
    said = Setup(make, port, **action).fails(504, headers=headers)
    time_of = decided.split()[-2] + " " + decided.split()[-1]
    matches(said, f"timeout: 127.0.0.1:{port} (cluster origin) sent no response in {time_of}; decided by {decided}", "the request went there ", " ms ago")


def test_the_default_timeout_is_called_so(make):
    port = make.origin(silent).port
    setup = Setup(make, port, hcm={"stream_idle_timeout": "0.3s"})
    matches(setup.fails(504), "; decided by stream_idle_timeout 300 ms")


def test_waiting_for_a_connection(make):
    gate = threading.Event()
    origin = make.origin(lambda connection, request: gate.wait(20) and connection.reply())
    setup = Setup(make, origin.port, timeout="0.4s", cluster={"circuit_breakers": {"thresholds": [{"max_connections": 1}]}})
    first = Client(setup.proxy.port(), timeout=20)
    first.send(b"GET /first HTTP/1.1\r\nHost: a\r\nx-envoy-upstream-rq-timeout-ms: 20000\r\n\r\n")
    wait.until(lambda: origin.requests_total == 1, "the first is at the host")
    said = setup.fails(504)
    assert said == f"timeout: no connection to 127.0.0.1:{origin.port} (cluster origin) was free in 400 ms; decided by route timeout 400 ms"
    gate.set()
    first.close()


@pytest.mark.parametrize("thresholds, want", [
    ({"max_pending_requests": 0}, "0 requests waiting; decided by circuit_breakers max_pending_requests 0, priority DEFAULT"),
    ({"max_requests": 0}, "0 requests at its hosts; decided by circuit_breakers max_requests 0, priority DEFAULT"),
    ({"max_connection_pools": 0}, "0 connection pools; decided by circuit_breakers max_connection_pools 0, priority DEFAULT"),
])  # fmt: skip
def test_limits(make, thresholds, want):
    port = make.origin().port
    setup = Setup(make, port, cluster={"circuit_breakers": {"thresholds": [thresholds]}})
    assert setup.fails() == f"overflow: cluster origin has {want}"


def test_maintenance(make):
    setup = Setup(make, make.origin().port, runtime={"upstream.maintenance_mode.origin": 100})
    want = "refused: cluster origin answers 100 % of requests without a host; decided by runtime key upstream.maintenance_mode"
    assert setup.fails() == want


def test_no_hosts(make):
    assert Setup(make).fails() == "no host: cluster origin has no hosts"


def test_hosts_that_failed_checks(make):
    origin = make.origin(lambda connection, request: connection.reply(status="500 Ill"))
    check = {
        "timeout": "1s", "interval": "60s", "unhealthy_threshold": 1, "healthy_threshold": 1,
        "http_health_check": {"path": "/health"},
    }  # fmt: skip
    common = {"healthy_panic_threshold": {"value": 0}}
    setup = Setup(make, origin.port, cluster={"health_checks": [check], "common_lb_config": common})
    assert setup.fails() == (
        "no host: cluster origin has 1 host: 1 failed checks (last: 500); healthy_panic_threshold 0 forbids to try them"
    )


def test_hosts_that_are_ejected(make):
    origin = make.origin(lambda connection, request: connection.reply(status="500 Ill"))
    detection = {"consecutive_5xx": 1, "max_ejection_percent": 100, "base_ejection_time": "60s"}
    common = {"healthy_panic_threshold": {"value": 0}}
    setup = Setup(make, origin.port, cluster={"outlier_detection": detection, "common_lb_config": common})
    assert get(setup.proxy.port(), "/").status == 500
    wait.until(lambda: setup.proxy.stat("cluster.origin.outlier_detection.ejections_active") == 1, "the ejection")
    wait.until(lambda: get(setup.proxy.port(), "/").status == 503, "workers know")
    matches(
        setup.fails(), "no host: cluster origin has 1 host: 1 ejected (consecutive_5xx, ", " s left)",
        "; healthy_panic_threshold 0 forbids to try them",
    )  # fmt: skip


def test_no_cluster(make):
    listener = http_listener(
        virtual_host({"name": "shop", "match": {"prefix": "/"}, "route": {"cluster_header": "x-where"}}), hcm=INTERNAL
    )
    proxy = make.proxy(config.bootstrap([listener], []))
    response = get(proxy.port(), "/", headers=[("x-where", "nowhere")])
    assert response.status == 503
    assert response.get("x-apus-failure") == "no cluster: route shop of virtual host all leads to a cluster that there is not"


# Repeats


RETRY = {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.001s"}}


def test_attempts_and_what_was_before(make):
    steps = iter(["503 Busy", None])

    def script(connection, request):
        status = next(steps)
        return connection.reply(status=status) if status else False

    port = make.origin(script).port
    # With a body, so that nothing but the policy repeats it.
    said = Setup(make, port, retry_policy=RETRY).fails(method="POST", body=b"order")
    matches(
        said, f"reset: 127.0.0.1:{port} (cluster origin) closed the connection ", "; attempt 2 of 2",
        f"; host 127.0.0.1:{port} before: answer 503; num_retries is used up",
    )  # fmt: skip


def test_an_answer_that_is_passed_on(make):
    """The host's own answer goes to the client; the log says why no other attempt came."""
    port = make.origin(lambda connection, request: connection.reply(status="503 Busy")).port
    setup = Setup(make, port, retry_policy=RETRY)
    response = get(setup.proxy.port(), "/")
    assert (response.status, response.get("x-apus-failure")) == (503, None)
    line = wait.until(lambda: setup.log.read_text(), "a line in the log").splitlines()[0]
    matches(line, f"503|answer: 127.0.0.1:{port} (cluster origin) answered 503; attempt 2 of 2", "num_retries is used up")


def test_a_limit_of_repeats(make):
    port = make.origin(lambda connection, request: False).port
    setup = Setup(make, port, retry_policy=RETRY, cluster={"circuit_breakers": {"thresholds": [{"max_retries": 0}]}})
    matches(setup.fails(), "before a response; max_retries 0 of the cluster is used up")


# Who is told


def test_outsiders_are_told_nothing(make):
    setup = Setup(make, free_port(), hcm={"use_remote_address": True, "internal_address_config": {}})
    response = get(setup.proxy.port(), "/")
    assert response.status == 503
    assert response.get("x-apus-failure") is None
    assert b"refused" not in response.body
    # The log is ours.
    matches(wait.until(lambda: setup.log.read_text(), "a line in the log"), "no connection to 127.0.0.1:")


def test_nothing_is_said_where_envoy_headers_are_suppressed(make):
    router = config.http_filters()[-1]
    router = {**router, "typed_config": {**router["typed_config"], "suppress_envoy_headers": True}}
    setup = Setup(make, free_port(), hcm={"http_filters": [router]})
    assert get(setup.proxy.port(), "/").get("x-apus-failure") is None


@pytest.mark.parametrize("is_internal", [True, False])
def test_what_a_proxy_behind_says_stays_inside(make, is_internal):
    def script(connection, request):
        assert request.get("x-apus-failure") == (None if not is_internal else "mine")
        connection.reply(headers=[("x-apus-failure", "no connection to 10.0.0.1:80")])

    setup = Setup(make, make.origin(script).port, hcm={} if is_internal else {"internal_address_config": {}})
    response = get(setup.proxy.port(), "/", headers=[("x-apus-failure", "mine")])
    assert response.status == 200
    assert response.get("x-apus-failure") == ("no connection to 10.0.0.1:80" if is_internal else None)


def test_replies_may_say_it(make):
    reply = {"body_format": {"text_format_source": {"inline_string": "sorry: %APUS_FAILURE%"}}}
    setup = Setup(make, hcm={"local_reply_config": reply, "internal_address_config": {}})
    assert get(setup.proxy.port(), "/").body == b"sorry: no host: cluster origin has no hosts"


def test_over_http2(make):
    setup = Setup(make)
    with http2.Client(setup.proxy.port()) as client:
        response = client.get("/")
    assert (response.status, response.get("x-apus-failure")) == (503, "no host: cluster origin has no hosts")


def test_hosts_of_http2(make):
    origin = make.origin(raw=lambda connection: connection.sock.recv(10))
    setup = Setup(make, origin.port, cluster={"typed_extension_protocol_options": config.http2_options()})
    matches(setup.fails(), f"reset: 127.0.0.1:{origin.port} (cluster origin) ", " the connection", "before a response")


def test_requests_that_go_well_say_nothing(make):
    setup = Setup(make, make.origin().port)
    response = get(setup.proxy.port(), "/")
    assert (response.status, response.get("x-apus-failure")) == (200, None)
    assert wait.until(lambda: setup.log.read_text(), "a line in the log") == "200|-\n"


def test_nobody_in_the_subset(make):
    origin = make.origin()
    upstream = config.cluster("origin", origin.port, lb_subset_config={"subset_selectors": [{"keys": ["version"]}]})
    setup = Setup(make, made=upstream, metadata_match={"filter_metadata": {"envoy.lb": {"version": "2"}}})
    assert setup.fails() == (
        "no host: cluster origin has 1 host; no subset of them has one for what metadata_match wants; decided by lb_subset_config"
    )


# TCP


class Session:
    """The sentence of one session of tcp_proxy."""

    def __init__(self, make, *ports, cluster=None, tcp=None):
        log = pathlib.Path(tempfile.mkdtemp(dir=make.directory)) / "tcp.log"
        fields = {"access_log": [config.file_log(log, "%RESPONSE_FLAGS%|%APUS_FAILURE%\n")], **(tcp or {})}
        upstream = config.cluster("origin", *ports, **(cluster or {}))
        proxy = make.proxy(
            config.bootstrap([config.tcp_listener(**fields)], [upstream]), arguments=["--file-flush-interval-msec", "20"]
        )
        with socket.create_connection(("127.0.0.1", proxy.port("tcp"))) as client:
            client.settimeout(10)
            client.recv(1)
        self.line = wait.until(lambda: log.read_text().splitlines(), "a line in the log")[0]


def test_a_session_that_is_refused(make):
    port = free_port()
    line = Session(make, port).line
    matches(line, f"UF,URX|no connection to 127.0.0.1:{port} (cluster origin): connection refused (ECONNREFUSED) after ", " ms while connecting")
    assert "attempt" not in line
    line = Session(make, port, tcp={"max_connect_attempts": 3}).line
    assert line.endswith("; attempt 3 of 3")


def test_a_session_without_a_host(make):
    assert Session(make).line == "UH|no host: cluster origin has no hosts"


def test_a_session_over_the_limit(make):
    """One is there; the second is one too many."""
    origin = make.origin()
    log = pathlib.Path(make.directory) / "tcp.log"
    limits = {"circuit_breakers": {"thresholds": [{"max_connections": 1}]}}
    listener = config.tcp_listener(access_log=[config.file_log(log, "%RESPONSE_FLAGS%|%APUS_FAILURE%\n")])
    proxy = make.proxy(
        config.bootstrap([listener], [config.cluster("origin", origin.port, **limits)]), arguments=["--file-flush-interval-msec", "20"]
    )
    with socket.create_connection(("127.0.0.1", proxy.port("tcp"))):
        wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 1, "the first is there")
        with socket.create_connection(("127.0.0.1", proxy.port("tcp"))) as second:
            second.settimeout(10)
            assert second.recv(1) == b""
        line = wait.until(lambda: log.read_text().splitlines(), "a line in the log")[0]
    assert line == "UO|overflow: cluster origin has 1 connections; decided by circuit_breakers max_connections 1, priority DEFAULT"


# The example


def test_the_example(make):
    release, gone = threading.Event(), free_port()

    def host(connection, request):
        if request.target == "/slow":
            release.wait(20)
            return False
        connection.reply(b"its own", status="500 Broken")

    slow = make.origin(host).port
    proxy = example(make, "failures", {9000: slow, 9001: gone}, arguments=["--file-flush-interval-msec", "20"])

    def fails(path, status):
        response = get(proxy.port(), path)
        assert (response.status, response.get("content-type")) == (status, "application/json")
        said = json.loads(response.body)
        assert said["status"] == status and said["request"]
        assert response.get("retry-after") == ("5" if path.startswith("/empty") else None)
        return said["flags"], said["details"], said["why"]

    flags, details, why = fails("/gone", 503)
    assert flags == "UF" and details.startswith("upstream_reset_before_response_started{")
    matches(why, f"no connection to 127.0.0.1:{gone} (cluster gone): connection refused (ECONNREFUSED) after ")
    flags, details, why = fails("/slow", 504)
    release.set()
    assert (flags, details) == ("UT", "response_timeout")
    matches(why, f"timeout: 127.0.0.1:{slow} (cluster shop) sent no response in 2 s; decided by route timeout 2 s")
    assert fails("/empty", 503) == ("UH", "no_healthy_upstream", "no host: cluster empty has no hosts")
    response = get(proxy.port(), "/")
    assert (response.status, response.body) == (500, b"its own")

    log = make.directory / "apus-failures.log"
    assert fails("/empty/again", 503)[0] == "UH"
    wait.until(lambda: log.exists() and "/empty/again" in log.read_text(), "the last line of the log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["path"], line["status"], line["flags"]) for line in lines] == [
        ("/gone", 503, "UF"), ("/slow", 504, "UT"), ("/empty", 503, "UH"), ("/empty/again", 503, "UH"),
    ]  # fmt: skip
    assert lines[1]["why"] == why
