"""Active health checks: who is asked what, what counts, when a host is in service. Runs on Envoy too."""

import json
import pathlib
import socket
import subprocess
import threading
import time
from concurrent import futures

import pytest

from harness import config, http2, tls, wait
from harness.client import get
from harness.example import example
from harness.origin import free_port
from harness.rpc import Calls, grpc

CHECK = {"timeout": "1s", "interval": "0.05s", "no_traffic_interval": "0.05s", "healthy_threshold": 2, "unhealthy_threshold": 3}
SINK = config.TYPE + "extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink"
REDIS = config.TYPE + "extensions.health_checkers.redis.v3.Redis"


class Host:
    """Answers checks (`/health`, in the example `/healthz`) and other requests differently."""

    def __init__(self, make, health="200 OK", headers=(), body=b"healthy", **options):
        self.health, self.headers, self.body = health, list(headers), body
        self.checks, self.requests, self.answer_headers, self.lock = [], 0, [], threading.Lock()
        self.origin = make.origin(self, **options)

    def __call__(self, connection, request):
        if request.target not in ("/health", "/healthz"):
            with self.lock:
                self.requests += 1
            connection.reply(b"page", headers=self.answer_headers)
            return None
        with self.lock:
            self.checks.append((connection.number, request))
            health = self.health
        if callable(health):
            return health(connection, request)
        connection.reply(self.body, status=health, headers=self.headers)

    @property
    def port(self):
        return self.origin.port

    def wait_for_check(self, count=1):
        """A check that begins from now on."""
        seen = len(self.checks) + count
        wait.until(lambda: len(self.checks) > seen, "a check")


def http(**fields):
    return {"http_health_check": {"path": "/health", **fields}}


class Setup:
    def __init__(self, make, hosts, check=None, cluster=None, checks=None, listeners=None, bootstrap=None, **checker):
        self.events_path = pathlib.Path(make.directory) / "health.log"
        logger = [{"name": "file", "typed_config": {"@type": SINK, "event_log_path": str(self.events_path)}}]
        checks = checks or [{**CHECK, **(check or {}), **(checker or http()), "event_logger": logger}]
        fields = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}, **(cluster or {})}
        ports = [host if isinstance(host, int) else host.port for host in hosts]
        listeners = listeners or [config.http_listener(config.virtual_host(config.route()))]
        whole = config.bootstrap(listeners, [config.cluster("origin", *ports, health_checks=checks, **fields)])
        self.proxy = make.proxy({**whole, **(bootstrap or {})}, arguments=["--file-flush-interval-msec", "20"])

    def get(self, times=1):
        return [get(self.proxy.port()).status for _ in range(times)]

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")

    def until_healthy(self, count):
        wait.until(lambda: self.stat("membership_healthy") == count, f"{count} healthy hosts")

    def flags(self, host):
        port = host if isinstance(host, int) else host.port
        for line in self.proxy.admin("/clusters").body.decode().splitlines():
            if line.startswith(f"origin::127.0.0.1:{port}::health_flags::"):
                return line.rsplit("::", 1)[1]
        return None

    def events(self, count=1):
        def lines():
            found = self.events_path.read_text().splitlines() if self.events_path.exists() else []
            return found if len(found) >= count else None

        return [json.loads(line) for line in wait.until(lines, f"{count} events")]


def test_requests_go_to_hosts_that_pass(make):
    good, bad = Host(make), Host(make, "500 Internal Server Error")
    setup = Setup(make, [good, bad])
    setup.until_healthy(1)
    assert setup.get(6) == [200] * 6
    assert (good.requests, bad.requests) == (6, 0)
    assert setup.flags(good) == "healthy"
    assert setup.flags(bad) == "/failed_active_hc"
    assert setup.stat("health_check.healthy") == 1
    assert setup.stat("health_check.success") > 0
    assert setup.stat("health_check.failure") > 0
    assert setup.stat("health_check.attempt") >= setup.stat("health_check.success")
    assert setup.stat("membership_total") == 2


@pytest.mark.apus_only
def test_results_are_shown(make):
    good, bad = Host(make), Host(make, "503 Bad")
    setup = Setup(make, [good, bad, free_port()])
    setup.until_healthy(1)

    def shown():
        [status] = json.loads(setup.proxy.admin("/clusters?format=json").body)["cluster_statuses"]
        checks = [host["apus"]["health_checks"] for host in status["host_statuses"]]
        return checks if all(len(check) == 1 and "result" in check[0] for check in checks) else None

    checks = [check[0] for check in wait.until(shown, "a result of each")]
    assert [check["type"] for check in checks] == ["HTTP"] * 3
    assert [check["passed"] for check in checks] == [True, False, False]
    assert checks[1]["result"] == "503, expected 200"
    assert all(check["seconds_ago"] >= 0 and check["took_ms"] >= 0 for check in checks)
    line = f"origin::127.0.0.1:{bad.port}::last_check::503, expected 200, "
    assert any(found.startswith(line) for found in setup.proxy.admin("/clusters").body.decode().splitlines())


@pytest.mark.apus_only
def test_checks_under_way_are_counted(make):
    held = threading.Event()
    setup = Setup(make, [Host(make, lambda *_: held.wait(10) and False)], check={"timeout": "10s"}, cluster={"wait_for_warm_on_init": False})
    wait.until(lambda: setup.proxy.stat("apus.hosts.checks_active") == 1, "a check under way")
    assert setup.proxy.stat("apus.hosts.checks_queued") == 0
    held.set()
    wait.until(lambda: setup.stat("health_check.failure") > 0, "its end")


def test_the_request_of_a_check(make):
    host = Host(make)
    add = [{"header": {"key": "x-check", "value": "yes"}}]
    Setup(make, [host], **http(request_headers_to_add=add, request_headers_to_remove=["user-agent"])).until_healthy(1)
    plain = Host(make)
    Setup(make, [plain]).until_healthy(1)
    named = Host(make)
    Setup(make, [named], **http(host="checks.example", method="HEAD")).until_healthy(1)
    request = host.checks[0][1]
    assert (request.method, request.target) == ("GET", "/health")
    assert request.get("x-check") == "yes"
    assert request.get("user-agent") is None
    assert plain.checks[0][1].get("user-agent") == "Envoy/HC"
    assert plain.checks[0][1].get("host") == "origin"
    assert named.checks[0][1].get("host") == "checks.example"
    assert named.checks[0][1].method == "HEAD"


def test_a_check_with_a_body(make):
    host = Host(make)
    Setup(make, [host], **http(method="POST", send={"text": "68656c6c6f"})).until_healthy(1)
    assert host.checks[0][1].body == b"hello"


def test_the_endpoint_decides_name_and_port(make):
    traffic, checks = Host(make), Host(make)
    endpoint = {
        "address": config.address(traffic.port),
        "health_check_config": {"port_value": checks.port, "hostname": "endpoint.example"},
    }
    assignment = {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}
    setup = Setup(make, [], cluster={"load_assignment": assignment})
    setup.until_healthy(1)
    assert setup.get() == [200]
    assert (len(traffic.checks), checks.requests) == (0, 0)
    assert checks.checks[0][1].get("host") == "endpoint.example"


def test_checks_may_be_disabled_for_an_endpoint(make):
    host = Host(make, "500 Bad")
    endpoint = {"address": config.address(host.port), "health_check_config": {"disable_active_health_check": True}}
    assignment = {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}
    setup = Setup(make, [], cluster={"load_assignment": assignment})
    setup.until_healthy(1)
    assert setup.get() == [200]
    assert host.checks == []


def test_a_host_comes_back_after_enough_passes(make):
    host = Host(make, "503 Service Unavailable")
    setup = Setup(make, [host], {"healthy_threshold": 3})
    wait.until(lambda: setup.stat("health_check.failure") >= 2, "failures")
    assert setup.get() == [503]
    before = setup.stat("health_check.success")
    host.health = "200 OK"
    setup.until_healthy(1)
    assert setup.stat("health_check.success") - before >= 3
    assert setup.get() == [200]


def test_a_wrong_status_counts_at_once(make):
    host = Host(make)
    setup = Setup(make, [host], {"unhealthy_threshold": 50})
    setup.until_healthy(1)
    host.health = "500 Bad"
    setup.until_healthy(0)
    assert setup.stat("health_check.failure") < 50


def test_a_retriable_status_counts_when_it_repeats(make):
    host = Host(make)
    setup = Setup(make, [host], {"unhealthy_threshold": 4}, **http(retriable_statuses=[{"start": 500, "end": 600}]))
    setup.until_healthy(1)
    host.health = "500 Bad"
    setup.until_healthy(0)
    assert setup.stat("health_check.failure") >= 4


@pytest.mark.parametrize("failure", ["refused", "reset", "closed", "silent"])
def test_network_failures_count_when_they_repeat(make, failure):
    host = Host(make)
    setup = Setup(make, [host], {"unhealthy_threshold": 3, "timeout": "0.2s"})
    setup.until_healthy(1)
    if failure == "refused":
        host.origin.stop()
    else:
        host.health = {
            "reset": lambda connection, request: connection.reset() or False,
            "closed": lambda connection, request: False,
            "silent": lambda connection, request: time.sleep(0.5) or False,
        }[failure]
    setup.until_healthy(0)
    assert setup.stat("health_check.network_failure") >= 3
    assert setup.flags(host) == ("/failed_active_hc/active_hc_timeout" if failure == "silent" else "/failed_active_hc")


def test_expected_statuses(make):
    odd, even = Host(make, "418 Teapot"), Host(make, "200 OK")
    setup = Setup(make, [odd, even], **http(expected_statuses=[{"start": 400, "end": 419}]))
    setup.until_healthy(1)
    assert setup.flags(odd) == "healthy"
    wait.until(lambda: len(even.checks) > 1, "checks")
    assert setup.flags(even) == "/failed_active_hc"


@pytest.mark.parametrize("blocks, healthy", [
    (["6865616c", "746879"], 1), (["746879", "6865616c"], 0), (["7a"], 0), (["6865616c746879"], 1),
])  # fmt: skip
def test_the_body_of_the_answer(make, blocks, healthy):
    host = Host(make)
    setup = Setup(make, [host], **http(receive=[{"text": block} for block in blocks]))
    wait.until(lambda: len(host.checks) > 3, "checks")
    setup.until_healthy(healthy)


@pytest.mark.parametrize("size, healthy", [(None, 0), (3000, 1), (0, 1)])
def test_only_the_beginning_of_the_body_is_looked_at(make, size, healthy):
    host = Host(make, body=b"x" * 2000 + b"healthy")
    fields = {"receive": [{"text": b"healthy".hex()}]} | ({} if size is None else {"response_buffer_size": size})
    setup = Setup(make, [host], **http(**fields))
    wait.until(lambda: len(host.checks) > 3, "checks")
    setup.until_healthy(healthy)


def test_the_service_that_answers(make):
    right = Host(make, headers=[("x-envoy-upstream-healthchecked-cluster", "shop-7")])
    wrong = Host(make, headers=[("x-envoy-upstream-healthchecked-cluster", "cart")])
    none = Host(make)
    setup = Setup(make, [right, wrong, none], **http(service_name_matcher={"prefix": "shop"}))
    setup.until_healthy(1)
    wait.until(lambda: len(wrong.checks) > 1 and len(none.checks) > 1, "checks")
    assert [setup.flags(host) for host in (right, wrong, none)] == ["healthy", "/failed_active_hc", "/failed_active_hc"]
    assert setup.stat("health_check.verify_cluster") >= 3


def test_degraded_hosts_stand_back(make):
    host, degraded = Host(make), Host(make, headers=[("x-envoy-degraded", "1")])
    setup = Setup(make, [host, degraded])
    wait.until(lambda: setup.stat("membership_degraded") == 1, "a degraded host")
    setup.until_healthy(1)
    assert setup.flags(degraded) == "/degraded_active_hc"
    # Of two hosts one is healthy: 70 % stay with it. Five standard deviations.
    setup.get(200)
    assert abs(degraded.requests - 60) <= 33
    degraded.headers = []
    setup.until_healthy(2)


def test_connections_are_reused(make):
    host = Host(make)
    Setup(make, [host]).until_healthy(1)
    host.wait_for_check(3)
    assert {number for number, _ in host.checks} == {1}


def test_connections_are_not_reused(make):
    host = Host(make)
    Setup(make, [host], {"reuse_connection": False}).until_healthy(1)
    host.wait_for_check(3)
    numbers = [number for number, _ in host.checks]
    assert numbers == sorted(set(numbers))


def test_a_response_may_say_that_the_host_fails(make):
    host, other = Host(make), Host(make)
    setup = Setup(make, [host, other], {"interval": "1s", "no_traffic_interval": "1s"})
    setup.until_healthy(2)
    host.answer_headers = [("x-envoy-immediate-health-check-fail", "true")]
    wait.until(lambda: setup.get() and host.requests, "its answer")
    setup.until_healthy(1)
    assert setup.stat("health_check.passive_failure") == 1
    assert setup.flags(host) == "/failed_active_hc/excluded_via_immediate_hc_fail"
    assert setup.stat("membership_excluded") == 1
    host.answer_headers = []
    setup.until_healthy(2)
    assert setup.stat("membership_excluded") == 0


def test_a_failed_check_may_exclude_the_host(make):
    host = Host(make, "503 Bad", headers=[("x-envoy-immediate-health-check-fail", "true")])
    setup = Setup(make, [host])
    wait.until(lambda: setup.flags(host) == "/failed_active_hc/excluded_via_immediate_hc_fail", "flags")


EVENT_FIELDS = ["health_checker_type", "host", "cluster_name", "timestamp"]


def test_the_event_log(make):
    host = Host(make, "503 Bad")
    setup = Setup(make, [host])
    wait.until(lambda: len(host.checks) > 1, "checks")
    host.health = "200 OK"
    setup.until_healthy(1)
    host.headers = [("x-envoy-degraded", "1")]
    wait.until(lambda: setup.stat("membership_degraded") == 1, "degraded")
    host.headers = []
    setup.until_healthy(1)
    host.health = "500 Bad"
    setup.until_healthy(0)
    events = setup.events(5)
    kinds = [next(key for key in event if key.endswith(("_event", "_host", "_degraded", "_host"))) for event in events[:5]]
    assert kinds == [
        "health_check_failure_event", "add_healthy_event", "degraded_healthy_host", "no_longer_degraded_host",
        "eject_unhealthy_event",
    ]  # fmt: skip
    first = events[0]
    assert list(first) == EVENT_FIELDS + ["health_check_failure_event", "locality"]
    assert first["health_checker_type"] == "HTTP"
    assert first["cluster_name"] == "origin"
    assert first["host"]["socket_address"] == {
        "protocol": "TCP", "address": "127.0.0.1", "port_value": host.port, "resolver_name": "", "ipv4_compat": False,
        "network_namespace_filepath": "",
    }  # fmt: skip
    assert first["health_check_failure_event"] == {"failure_type": "ACTIVE", "first_check": True, "http_status_code": 503}
    assert events[1]["add_healthy_event"] == {"first_check": False}
    assert events[2]["degraded_healthy_host"] == {}
    assert events[4]["eject_unhealthy_event"] == {"failure_type": "ACTIVE", "http_status_code": 500}


def test_all_results_may_be_logged(make):
    host = Host(make)
    setup = Setup(make, [host], {"always_log_health_check_success": True, "always_log_health_check_failures": True})
    setup.until_healthy(1)
    assert any("successful_health_check_event" in event for event in setup.events(4))
    host.health = "500 Bad"
    setup.until_healthy(0)
    wait.until(lambda: sum("health_check_failure_event" in event for event in setup.events()) > 2, "failures")


# Other protocols


def test_http2(make):
    seen = []

    def answer(server, request):
        seen.append((server.number, request))
        server.reply(request.stream, b"healthy")

    host = make.origin(raw=http2.serving(answer, ()))
    setup = Setup(make, [host], cluster={"typed_extension_protocol_options": config.http2_options()}, **http(codec_client_type="HTTP2"))
    setup.until_healthy(1)
    wait.until(lambda: len(seen) > 3, "checks")
    assert (seen[0][1].method, seen[0][1].path) == ("GET", "/health")
    assert {number for number, _ in seen} == {1}
    assert setup.get() == [200]


def test_a_host_of_http2_that_hangs_is_asked_on_a_new_connection(make):
    hangs, recovers, seen = threading.Event(), threading.Event(), []

    def answer(server, request):
        seen.append(server.number)
        if not hangs.is_set() or (server.number > 1 and recovers.is_set()):
            server.reply(request.stream, b"healthy")

    host = make.origin(raw=http2.serving(answer, ()))
    setup = Setup(
        make, [host], {"timeout": "0.2s", "unhealthy_threshold": 1, "healthy_threshold": 1},
        {"typed_extension_protocol_options": config.http2_options()}, **http(codec_client_type="HTTP2"),
    )  # fmt: skip
    setup.until_healthy(1)
    hangs.set()
    setup.until_healthy(0)
    recovers.set()
    setup.until_healthy(1)
    assert max(seen) > 1


class Health:
    """The health service of a gRPC server."""

    def __init__(self):
        self.status, self.code, self.requests = b"\x08\x01", None, []
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        check = grpc.unary_unary_rpc_method_handler(self._check)
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def _check(self, message, context):
        self.requests.append((message, dict(context.invocation_metadata())))
        if self.code is not None:
            context.abort(self.code, "no")
        return self.status

    def stop(self):
        self.server.stop(None).wait(5)


@pytest.fixture
def health():
    service = Health()
    yield service
    service.stop()


def test_grpc(make, health):
    options = {"typed_extension_protocol_options": config.http2_options()}
    metadata = [{"header": {"key": "x-check", "value": "yes"}}]
    check = {"grpc_health_check": {"service_name": "shop", "initial_metadata": metadata}}
    setup = Setup(make, [health.port], cluster=options, **check)
    setup.until_healthy(1)
    message, sent = health.requests[0]
    assert message == b"\x0a\x04shop"
    assert sent["x-check"] == "yes"
    for status, code in [(b"\x08\x02", None), (b"", None), (b"\xff", None), (None, grpc.StatusCode.UNIMPLEMENTED)]:
        health.status, health.code = status, code
        setup.until_healthy(0)
        health.status, health.code = b"\x08\x01", None
        setup.until_healthy(1)
    health.stop()
    setup.until_healthy(0)
    assert setup.stat("health_check.network_failure") > 0


def test_tls(make, ca):
    host = Host(make, tls=tls.server_context(ca.issue("server.example")))
    plain = Host(make)
    transport = config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="server.example")
    setup = Setup(make, [host, plain], cluster={"transport_socket": transport})
    setup.until_healthy(1)
    assert setup.flags(host) == "healthy"
    assert setup.get(3) == [200] * 3


def test_tls_offers_what_the_check_speaks(make, ca):
    """Requests would be HTTP/2, the check is HTTP/1: a host that can do both must not be promised the other."""
    agreed = []

    def answer(connection, request):
        agreed.append(connection.sock.selected_alpn_protocol())
        connection.reply(b"healthy")

    context = tls.server_context(ca.issue("server.example"), alpn=["h2", "http/1.1"])
    host = Host(make, health=answer, tls=context)
    transport = config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="server.example")
    options = {"transport_socket": transport, "typed_extension_protocol_options": config.http2_options()}
    setup = Setup(make, [host], cluster=options)
    setup.until_healthy(1)
    # Envoy offers nothing.
    assert set(agreed) <= {"http/1.1", None}


def test_tls_offers_what_it_is_told(make, ca):
    """`tls_options`: hosts may tell checks from requests by it."""
    agreed = []

    def answer(connection, request):
        agreed.append(connection.sock.selected_alpn_protocol())
        connection.reply(b"healthy")

    context = tls.server_context(ca.issue("server.example"), alpn=["probe/1", "h2", "http/1.1"])
    host = Host(make, health=answer, tls=context)
    transport = config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="server.example")
    setup = Setup(make, [host], {"tls_options": {"alpn_protocols": ["probe/1", "probe/2"]}}, {"transport_socket": transport})
    setup.until_healthy(1)
    assert set(agreed) == {"probe/1"}
    assert setup.get(1) == [200]


def talk(script):
    """A raw origin: `script(data)` says what to answer, None waits for more, False closes."""

    def serve(connection):
        buffer = b""
        while True:
            data = connection.sock.recv(4096)
            if not data:
                return
            buffer += data
            answer = script(buffer)
            if answer is False:
                return
            if answer is not None:
                buffer = b""
                connection.send(answer)

    return serve


def test_tcp_connecting_is_enough(make):
    host = make.origin(raw=talk(lambda data: None))
    setup = Setup(make, [host, free_port()], tcp_health_check={})
    setup.until_healthy(1)
    assert setup.flags(host) == "healthy"


@pytest.mark.parametrize("answer, healthy", [(b"--pong--", 1), (b"po", 0), (b"nope", 0)])
def test_tcp_send_and_receive(make, answer, healthy):
    seen = []
    host = make.origin(raw=talk(lambda data: seen.append(data) or answer))
    checker = {"send": {"text": b"ping".hex()}, "receive": [{"text": b"po".hex()}, {"text": b"ng".hex()}]}
    setup = Setup(make, [host], {"timeout": "0.2s"}, tcp_health_check=checker)
    wait.until(lambda: len(seen) > 3, "checks")
    setup.until_healthy(healthy)
    assert seen[0] == b"ping"


def test_tcp_a_kept_connection_that_ends_counts(make):
    host = make.origin(raw=talk(lambda data: b"pong"))
    checker = {"send": {"text": b"ping".hex()}, "receive": [{"text": b"pong".hex()}]}
    setup = Setup(make, [host], {"interval": "30s", "no_traffic_interval": "30s", "unhealthy_threshold": 1}, tcp_health_check=checker)
    setup.until_healthy(1)
    host.stop()
    setup.until_healthy(0)
    assert setup.stat("health_check.network_failure") >= 1


@pytest.mark.parametrize("version, header", [("V1", b"PROXY "), ("V2", b"\r\n\r\n\0\r\nQUIT\n \0\0\0")])
def test_tcp_with_proxy_protocol(make, version, header):
    seen = []
    host = make.origin(raw=talk(lambda data: seen.append(data) or (b"pong" if data.endswith(b"ping") else None)))
    checker = {
        "send": {"text": b"ping".hex()}, "receive": [{"text": b"pong".hex()}], "proxy_protocol_config": {"version": version},
    }  # fmt: skip
    setup = Setup(make, [host], tcp_health_check=checker)
    setup.until_healthy(1)
    assert b"".join(seen[:1]).startswith(header)


# Reloads


def reload(setup, change):
    whole = json.loads(setup.proxy.path.read_text())
    change(whole["static_resources"]["clusters"][0])
    setup.proxy.write_config(whole)


def speaks(version):
    """A host of one version: who speaks the other one is left at once."""
    serve = {
        "HTTP1": talk(lambda data: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        "HTTP2": http2.serving(lambda server, request: server.reply(request.stream, b"fine")),
    }

    def raw(connection):
        begins = connection.sock.recv(4, socket.MSG_PEEK)
        if begins and (begins == b"PRI ") == (version == "HTTP2"):
            serve[version](connection)

    return raw


@pytest.mark.apus_only
@pytest.mark.parametrize("version", ["HTTP1", "HTTP2"])
def test_a_reload_changes_the_protocol_of_checks(make, version):
    """The hosts of one version are asked in the other one first."""
    host = make.origin(raw=speaks(version))
    other = "HTTP2" if version == "HTTP1" else "HTTP1"
    setup = Setup(make, [host], {"timeout": "0.5s"}, **http(codec_client_type=other))
    wait.until(lambda: setup.stat("health_check.failure") > 1, "checks that nobody understands")
    reload(setup, lambda cluster: cluster["health_checks"][0]["http_health_check"].update(codec_client_type=version))
    setup.until_healthy(1)
    reload(setup, lambda cluster: cluster["health_checks"][0]["http_health_check"].update(codec_client_type=other))
    setup.until_healthy(0)
    # A check makes a connection, not as many as there is time for.
    connections, attempts = host.connections_total, setup.stat("health_check.attempt")
    wait.until(lambda: setup.stat("health_check.attempt") > attempts + 3, "more checks")
    assert host.connections_total - connections <= 2 * (setup.stat("health_check.attempt") - attempts)


@pytest.mark.apus_only
def test_a_reload_changes_where_hosts_are_asked(make):
    """By checks that keep their connections, too."""
    hosts = [make.origin(raw=talk(lambda data: b"pong")) for _ in range(3)]
    checker = {"send": {"text": b"ping".hex()}, "receive": [{"text": b"pong".hex()}]}
    setup = Setup(make, hosts[:1], tcp_health_check=checker)
    setup.until_healthy(1)
    for host in hosts[1:]:

        def change(cluster, port=host.port):
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["health_check_config"] = {"port_value": port}

        reload(setup, change)
        wait.until(lambda host=host: host.connections_total == 1, "the new place is asked")
    setup.until_healthy(1)


def redis_check(key=""):
    return {"custom_health_check": {"name": "envoy.health_checkers.redis", "typed_config": {"@type": REDIS, "key": key}}}


def test_redis(make):
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(make.directory)]
    server = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
    try:
        setup = Setup(make, [port], **redis_check())
        setup.until_healthy(1)
        absent = Setup(make, [port], **redis_check("maintenance"))
        absent.until_healthy(1)
        subprocess.run(["redis-cli", "-p", str(port), "set", "maintenance", "1"], check=True, stdout=subprocess.DEVNULL)
        absent.until_healthy(0)
        assert setup.stat("membership_healthy") == 1
        server.terminate()
        server.wait()
        setup.until_healthy(0)
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("answer, healthy", [(b"+PONG\r\n", 1), (b"-LOADING\r\n", 0), (b":1\r\n", 0)])
def test_redis_answers(make, answer, healthy):
    seen = []
    host = make.origin(raw=talk(lambda data: seen.append(data) or answer))
    setup = Setup(make, [host], **redis_check())
    wait.until(lambda: len(seen) > 2, "checks")
    setup.until_healthy(healthy)
    assert seen[0] == b"*1\r\n$4\r\nPING\r\n"


# Hosts that a reload brings


NO_PANIC = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}


def test_hosts_are_in_service_when_the_listener_is(make):
    """Whatever `update_merge_window` says (1 s): the first checks wait for nothing else."""
    assert Setup(make, [Host(make)], cluster=NO_PANIC).get() == [200]


@pytest.mark.apus_only
def test_hosts_of_a_reload_are_in_service_at_once(make):
    host, setup, seen = Host(make), Reload(make), []
    setup.to("new", host, **NO_PANIC)
    wait.until(lambda: seen.append(get(setup.proxy.port()).status) or host.requests, "new host")
    assert set(seen) == {200}


class Reload:
    """A proxy that serves with an unchecked cluster, `old`, and can be given files that send everything to checked ones."""

    def __init__(self, make, clusters=()):
        self.old = Host(make)
        self.clusters = [config.cluster("old", self.old.port), *clusters]
        self.proxy = make.proxy(self.file("old"), arguments=["--file-flush-interval-msec", "20"])

    def file(self, target, *clusters):
        return config.bootstrap([config.http_listener(config.virtual_host(config.route(to=target)))], [*self.clusters, *clusters])

    def to(self, name, *hosts, **fields):
        """Reloads, and waits until main has read the file."""
        before = self.proxy.stat("server.config_reload_success")
        self.proxy.write_config(self.file(name, checked(name, *hosts, **fields)))
        wait.until(lambda: self.proxy.stat("server.config_reload_success") == before + 1, "the file was read")

    def warming(self):
        return self.proxy.stat("cluster_manager.warming_clusters")


def checked(name, *hosts, **fields):
    return config.cluster(name, *[host if isinstance(host, int) else host.port for host in hosts], health_checks=[{**CHECK, "timeout": "10s", **http()}], **fields)


def held(release):
    """Checks pass, once they may."""

    def health(connection, request):
        assert release.wait(20)
        connection.reply(b"healthy")

    return health


@pytest.mark.apus_only
def test_a_reload_waits_for_hosts_of_new_clusters(make):
    release = threading.Event()
    quick, slow = Host(make), Host(make, held(release))
    setup = Reload(make)
    setup.to("new", quick, slow)
    wait.until(lambda: len(quick.checks) > 1 and slow.checks, "checks have begun")
    assert setup.warming() == 1
    assert [get(setup.proxy.port()).status for _ in range(4)] == [200] * 4
    assert (setup.old.requests, quick.requests, slow.requests) == (4, 0, 0)
    release.set()
    wait.until(lambda: setup.warming() == 0, "the new file is in force")
    wait.until(lambda: get(setup.proxy.port()).status == 200 and quick.requests + slow.requests, "the new hosts serve")
    wait.until(lambda: setup.proxy.stat("server.snapshots_live") == 2, "the old snapshot is gone")


@pytest.mark.apus_only
def test_a_new_cluster_whose_hosts_all_fail_is_in_force_with_them(make):
    setup = Reload(make)
    setup.to("new", free_port(), common_lb_config={"healthy_panic_threshold": {"value": 0}})
    wait.until(lambda: get(setup.proxy.port()).status == 503, "the new cluster has nobody")
    assert setup.warming() == 0


@pytest.mark.apus_only
def test_a_reload_does_not_wait_when_it_need_not(make):
    never = threading.Event()
    slow = Host(make, held(never))
    setup = Reload(make)
    setup.to("new", slow, wait_for_warm_on_init=False)
    assert setup.warming() == 0
    wait.until(lambda: get(setup.proxy.port()).status == 200 and slow.requests, "a host that nobody has heard of, in panic")
    never.set()


@pytest.mark.apus_only
def test_a_newer_reload_ends_the_wait(make):
    """Sockets of the file between are workers' to close."""
    never = threading.Event()
    slow, good = Host(make, held(never)), Host(make)
    setup = Reload(make)
    before = setup.proxy.descriptors()
    for number in range(3):
        extra = config.tcp_listener("old", f"extra-{number}")
        whole = setup.file("slow", checked("slow", slow))
        whole["static_resources"]["listeners"].append(extra)
        seen = setup.proxy.stat("server.config_reload_success")
        setup.proxy.write_config(whole)
        wait.until(lambda: setup.proxy.stat("server.config_reload_success") == seen + 1, "the file was read")
        setup.to("good", good)
        wait.until(lambda: get(setup.proxy.port()).status == 200 and good.requests > number, "the newest file is in force")
        assert setup.warming() == 0
    wait.until(lambda: setup.proxy.stat("server.snapshots_live") == 2, "the files between are gone")
    wait.until(lambda: setup.proxy.descriptors() <= before + 6, "their sockets are closed")
    never.set()


@pytest.mark.apus_only
def test_workers_hear_of_hosts_while_a_reload_waits(make):
    release = threading.Event()
    one, other, slow = Host(make), Host(make), Host(make, held(release))
    known = config.cluster("known", one.port, other.port, health_checks=[{**CHECK, **http()}])
    setup = Reload(make, [known])
    setup.proxy.write_config(setup.file("known"))
    wait.until(lambda: get(setup.proxy.port()).status == 200 and one.requests + other.requests, "the known cluster serves")
    setup.to("slow", slow)
    assert setup.warming() == 1
    one.health = "500 Internal Server Error"
    wait.until(lambda: setup.proxy.stat("cluster.known.membership_healthy") == 1, "a host has failed")

    def spared():
        before = one.requests
        return [get(setup.proxy.port()).status for _ in range(4)] == [200] * 4 and one.requests == before

    wait.until(spared, "workers know it")
    assert setup.warming() == 1
    release.set()
    wait.until(lambda: get(setup.proxy.port()).status == 200 and slow.requests, "the new file is in force")
    assert setup.proxy.stat("cluster.known.membership_healthy") == 1


@pytest.mark.apus_only
def test_a_listener_that_takes_an_address_over_does_not_wait(make):
    """The kernel gives its socket connections from now on."""
    never = threading.Event()
    slow = Host(make, held(never))
    setup = Reload(make)
    port = free_port()

    def file(target, backlog, *clusters):
        whole = setup.file(target, *clusters)
        listener = whole["static_resources"]["listeners"][0]
        listener["address"]["socket_address"]["port_value"] = port
        listener["tcp_backlog_size"] = backlog
        return whole

    setup.proxy.write_config(file("old", 100))
    wait.until(lambda: setup.proxy.stat("server.config_reload_success") == 1, "the first file was read")
    setup.proxy.write_config(file("new", 200, checked("new", slow)))
    wait.until(lambda: setup.proxy.stat("server.config_reload_success") == 2, "the second file was read")
    assert setup.warming() == 0
    wait.until(lambda: get(port).status == 200 and slow.requests, "a host that nobody has heard of, in panic")
    never.set()


@pytest.mark.apus_only
def test_an_outage_is_in_the_process_log_once(make):
    hosts = [Host(make), Host(make)]
    setup = Setup(make, hosts)
    setup.until_healthy(2)
    for host in hosts:
        host.health = "500 Internal Server Error"
    setup.until_healthy(0)
    text = 'cluster "origin": no host for a request, which fails with 503 UH: of 2 hosts 2 failed checks'

    def said():
        assert setup.get() == [503]
        return setup.proxy.log().count(text)

    wait.until(said, "a line in the log")
    before = setup.stat("upstream_cx_none_healthy")
    wait.until(lambda: said() and setup.stat("upstream_cx_none_healthy") > before + 20, "more of them")
    assert said() == 1


# Examples


class Example:
    """A proxy of an example, and what it knows of hosts."""

    def __init__(self, make, name, ports, cluster="shop", **options):
        self.proxy, self.cluster = example(make, name, ports, **options), cluster

    def get(self, path="/", times=1):
        return [get(self.proxy.port(), path).status for _ in range(times)]

    def until_healthy(self, count):
        wait.until(lambda: self.proxy.stat(f"cluster.{self.cluster}.membership_healthy") == count, f"{count} healthy hosts", 30)

    def flags(self, *ports, cluster=None):
        lines = self.proxy.admin("/clusters").body.decode().splitlines()
        found = dict(line.split("::health_flags::") for line in lines if "::health_flags::" in line)
        return [found[f"{cluster or self.cluster}::127.0.0.1:{port}"] for port in ports]

    def until_flags(self, ports, *flags):
        """Flags of all of them; a host of several checks may have more."""

        def hold():
            return all(shown.startswith(flag) for shown, flag in zip(self.flags(*ports), flags))

        wait.until(hold, f"flags {flags}", 30)

    def until_only(self, used, spared):
        """Workers learn of a change after the main thread has."""

        def only():
            before = used.requests, spared.requests
            assert self.get(times=4) == [200] * 4
            return (used.requests, spared.requests) == (before[0] + 4, before[1])

        wait.until(only, "requests go to one host only")


FAILED = "/failed_active_hc"


def test_example(make):
    hosts = [Host(make), Host(make)]
    answers = [b"+PONG\r\n", b"-LOADING\r\n"]
    sessions = [make.origin(raw=talk(lambda data, index=index: answers[index])).port for index in range(2)]
    ports = [host.port for host in hosts]
    setup = Example(make, "health-checks", {9000: ports[0], 9001: ports[1], 6379: sessions[0], 6380: sessions[1]})
    setup.until_healthy(2)
    assert setup.get(times=4) == [200] * 4
    assert [host.requests for host in hosts] == [2, 2]
    assert setup.flags(*ports) == ["healthy"] * 2
    assert setup.flags(*sessions, cluster="sessions") == ["healthy", FAILED]
    assert (hosts[0].checks[0][1].method, hosts[0].checks[0][1].target) == ("GET", "/healthz")
    answers[1] = answers[0]

    # A host that is only busy: three times in a row it counts.
    seen = len(hosts[0].checks)
    hosts[0].health = "429 Too Many Requests"
    setup.until_flags(ports, FAILED, "healthy")
    assert len(hosts[0].checks) >= seen + 3
    setup.until_only(hosts[1], hosts[0])
    wait.until(lambda: setup.flags(*sessions, cluster="sessions") == ["healthy"] * 2, "the sessions are loaded", 30)

    # One comes back; of the other the page is fine, but nobody gets in any more.
    hosts[0].health = "200 OK"
    hosts[1].origin.listener.shutdown(socket.SHUT_RDWR)
    hosts[1].origin.listener.close()
    setup.until_flags(ports, "healthy", FAILED)
    hosts[1].wait_for_check()
    assert setup.flags(*ports) == ["healthy", FAILED]

    # What is neither good nor busy counts at once.
    seen = len(hosts[0].checks)
    hosts[0].health = "500 Internal Server Error"
    setup.until_healthy(0)
    assert len(hosts[0].checks) <= seen + 2


def test_example_grpc(make):
    hosts = [Health(), Health()]
    make.made += hosts
    setup = Example(make, "grpc-health-check", {50051: hosts[0].port, 50052: hosts[1].port})
    setup.until_healthy(2)
    serving, not_serving = b"\x08\x01", b"\x08\x02"

    with Calls(setup.proxy.port()) as calls:
        call = calls.channel.unary_unary("/grpc.health.v1.Health/Check")

        def counts():
            return [sum("x-asked-by" not in sent for _, sent in host.requests) for host in hosts]

        def called(times=4):
            """How many of these calls each host had."""
            before = counts()
            for _ in range(times):
                call(b"", timeout=10)
            return [now - then for now, then in zip(counts(), before)]

        assert called() == [2, 2]
        message, sent = next((message, sent) for message, sent in hosts[0].requests if "x-asked-by" in sent)
        assert message == b"\x0a\x0cshop.v1.Shop" and sent["x-asked-by"] == "health-check"
        hosts[0].status = not_serving
        setup.until_healthy(1)
        wait.until(lambda: called() == [0, 4], "calls to the other host only")
        hosts[0].status = serving
        setup.until_healthy(2)
        wait.until(lambda: called() == [2, 2], "calls to both again")
        for host in hosts:
            host.status = not_serving
        setup.until_healthy(0)
        wait.until(lambda: code_of(call) == grpc.StatusCode.UNAVAILABLE, "nobody is called")
        hosts[0].status = serving
        hosts[1].stop()
        setup.until_healthy(1)
        wait.until(lambda: code_of(call) is None, "calls go on")
        assert called() == [4, 0]


def code_of(call):
    """The code of the error that a call ends with."""
    try:
        call(b"", timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_example_of_the_filter(make):
    hosts = [Host(make) for _ in range(4)]
    setup = Example(
        make, "health-check-filter", {9000 + index: host.port for index, host in enumerate(hosts)},
        arguments=["--file-flush-interval-msec", "20"],
    )  # fmt: skip
    stat = lambda name: setup.proxy.stat(f"http.ingress.health_check.{name}")  # noqa: E731
    setup.until_healthy(4)
    assert setup.get("/healthz", 3) == [200] * 3
    assert [host.requests for host in hosts] == [0] * 4
    assert stat("ok") == 3

    # One answer of a host stands for ten seconds.
    started = time.monotonic()
    assert setup.get("/page/healthz", 20) == [200] * 20
    asked = sum(host.requests for host in hosts)
    assert 1 <= asked <= 1 + (time.monotonic() - started) / 10
    assert stat("cached_response") == 20 - asked

    # Half of the hosts are enough, fewer are not.
    for host in hosts[:2]:
        host.origin.stop()
    setup.until_healthy(2)
    assert setup.get("/healthz") == [200]
    hosts[2].origin.stop()
    wait.until(lambda: setup.get("/healthz") == [503], "the proxy says that it is not well")
    assert stat("failed_cluster_unhealthy") >= 1
    assert setup.proxy.stat("cluster.shop.membership_healthy") == 1
    for host in hosts[:3]:
        Host(make, port=host.port)
    wait.until(lambda: setup.get("/healthz") == [200], "hosts are back")

    # Somebody wants to take the proxy out.
    setup.proxy.admin("/healthcheck/fail", method="POST")

    def fails():
        response = get(setup.proxy.port(), "/healthz")
        return response.status == 503 and response.get("x-envoy-immediate-health-check-fail") == "true"

    wait.until(fails, "the proxy says no")
    setup.proxy.admin("/healthcheck/ok", method="POST")
    wait.until(lambda: setup.get("/healthz") == [200], "the proxy is in service again")

    assert setup.get("/plain") == [200]
    log = make.directory / "apus-access.log"
    lines = wait.until(lambda: log.exists() and log.read_text().splitlines(), "a line in the log")
    assert len(lines) == 1 and '"GET /plain HTTP/1.1" 200' in lines[0]
