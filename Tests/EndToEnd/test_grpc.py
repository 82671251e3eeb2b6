"""gRPC through the proxy: real client, real server, HTTP/2 on both sides; errors that the proxy makes itself."""

import itertools
import json
import os
import subprocess
import threading
import time

import pytest

from harness import config, wait
from harness.client import Client, head_bytes
from harness.origin import free_port
from harness.rpc import FAILURE, SERVICE, Calls, Server, fails, grpc, path

FAULT = config.TYPE + "extensions.filters.http.fault.v3.HTTPFault"
FLUSH = ["--file-flush-interval-msec", "20"]
Code = grpc.StatusCode
IS_ENVOY = os.environ.get("APUS_PROXY") == "envoy"


def with_limits(prefix, to="silent", **limits):
    return config.route(prefix, to, max_stream_duration=limits)


def faulty(prefix, **abort):
    percent = {"numerator": 100}
    fault = {"@type": FAULT, "abort": {"percentage": percent, **abort}}
    return config.route(prefix, route_fields={"typed_per_filter_config": {"fault": fault}})


ROUTES = [
    config.route(path("Wait"), timeout="0.2s"),
    config.route("/free", timeout="0s"),
    # To an origin that never answers:
    with_limits("/short", max_stream_duration="0.2s"),
    with_limits("/capped", grpc_timeout_header_max="0.2s", max_stream_duration="20s"),
    with_limits("/roomy", grpc_timeout_header_max="5s", max_stream_duration="20s"),
    with_limits("/uncapped", grpc_timeout_header_max="0s"),
    with_limits("/offset", grpc_timeout_header_max="0s", grpc_timeout_header_offset="9.8s"),
    with_limits("/unlimited"),
    # To one that shows what came:
    with_limits("/echo/capped", "echo", grpc_timeout_header_max="20s"),
    with_limits("/echo/offset", "echo", grpc_timeout_header_max="0s", grpc_timeout_header_offset="80s"),
    with_limits("/echo/short", "echo", max_stream_duration="50s"),
    with_limits("/echo/unlimited", "echo", max_stream_duration="0s"),
    config.route("/echo/plain", "echo"),
    # The fields that were before those:
    config.route("/old/capped", "silent", max_grpc_timeout="0.2s", timeout="20s"),
    config.route("/old/offset", "silent", max_grpc_timeout="0s", grpc_timeout_offset="9.8s"),
    config.route("/echo/old/capped", "echo", max_grpc_timeout="20s", timeout="40s"),
    config.route("/echo/old/uncapped", "echo", max_grpc_timeout="0s"),
    config.route("/echo/old/offset", "echo", max_grpc_timeout="200s", grpc_timeout_offset="10s"),
    config.route("/echo/old/attempts", "echo", max_grpc_timeout="200s", retry_policy={"per_try_timeout": "70s"}),
    config.route("/refused", "refused"),
    config.route("/empty", "empty"),
    faulty("/fault-grpc", grpc_status=8),
    faulty("/fault-http", http_status=403),
    faulty("/fault-header", header_abort={}),
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 429, "body": {"inline_string": "100% é\n"}}},
    {"match": {"prefix": "/gone"}, "direct_response": {"status": 404}},
    {"match": {"prefix": "/matched", "grpc": {}}, "direct_response": {"status": 401, "body": {"inline_string": "grpc"}}},
    {"match": {"prefix": "/matched"}, "direct_response": {"status": 200, "body": {"inline_string": "plain"}}},
    config.route("/" + SERVICE, timeout="0s"),
]


def rewritten(route):
    """The part before the service's name chooses the route and does not reach the origin."""
    prefix = route["match"]["prefix"]
    if "route" in route and route["route"]["cluster"] == "origin" and not prefix.startswith("/" + SERVICE):
        route = {**route, "route": {**route["route"], "regex_rewrite": {
            "pattern": {"regex": f"^/[^/]*(/{SERVICE}/.*)$"}, "substitution": "\\1"}}}
    return route


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "access"


@pytest.fixture(scope="module")
def proxy(make_shared, server, log):
    line = "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %GRPC_STATUS% %GRPC_STATUS_NUMBER% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"
    hcm = {
        "access_log": [config.file_log(log, line)],
        "http_filters": [
            {"name": "fault", "typed_config": {"@type": FAULT}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": config.ROUTER}},
        ],
    }
    listener = config.http_listener(config.virtual_host(*map(rewritten, ROUTES)), hcm=hcm)
    http2 = {"typed_extension_protocol_options": config.http2_options()}
    clusters = [
        config.cluster("origin", server.port, **http2),
        config.cluster("refused", free_port(), **http2),
        config.cluster("empty", **http2),
    ]
    silent = make_shared.origin(raw=lambda connection: connection.to_end())
    clusters += [config.cluster("silent", silent.port), config.cluster("echo", make_shared.origin().port)]
    return make_shared.proxy(config.bootstrap([listener], clusters), arguments=FLUSH)


@pytest.fixture
def calls(proxy):
    with Calls(proxy.port()) as calls:
        yield calls


# The four kinds


@pytest.mark.parametrize("size", [0, 1, 16379, 16380, 65535, 1 << 20, 5 << 20])
def test_unary(calls, size):
    message = bytes(itertools.islice(itertools.cycle(range(251)), size))
    assert calls.unary()(message, timeout=20) == message


def test_many_unary_calls_share_a_connection(proxy, calls):
    before = proxy.stat("http.ingress.downstream_cx_http2_total")
    futures = [calls.unary().future(b"%d" % number, timeout=10) for number in range(300)]
    assert [future.result() for future in futures] == [b"%d" % number for number in range(300)]
    assert proxy.stat("http.ingress.downstream_cx_http2_total") - before == 1
    assert proxy.stat("cluster.origin.upstream_cx_http2_total") <= 2


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_server_stream(calls, count):
    assert [int(message) for message in calls.server_stream()(b"%d" % count, timeout=20)] == list(range(count))


def test_client_stream(calls):
    parts = [b"%d," % number for number in range(2000)]
    assert calls.client_stream()(iter(parts), timeout=20) == b"".join(parts)


def test_both_streams_at_once(calls):
    """Each message is answered before the next one is sent: nothing on the way waits for more."""
    may_send = threading.Semaphore(1)

    def messages():
        for number in range(200):
            assert may_send.acquire(timeout=10)
            yield b"%d" % number

    came = []
    for message in calls.both()(messages(), timeout=20):
        came.append(int(message))
        may_send.release()
    assert came == list(range(200))


def test_large_messages_in_both_directions(calls):
    message = bytes(3 << 20)
    assert list(calls.both()(iter([message] * 4), timeout=30)) == [message] * 4


# Metadata and status of the server


def test_metadata(calls):
    sent = [("x-one", "1"), ("x-two", "a,b"), ("x-raw-bin", bytes(range(256))), ("x-one", "again")]
    body, call = calls.unary("Metadata").with_call(b"", metadata=sent, timeout=10)
    came = body.decode().split("\n")
    assert "x-raw-bin=" + bytes(range(256)).hex() in came
    assert [line for line in came if line.startswith(("x-one", "x-two"))] == ["x-one=1", "x-two=a,b", "x-one=again"]
    first = [(name, value) for name, value in call.initial_metadata() if name.startswith("x-") and "envoy" not in name]
    assert first == [("x-first", "1"), ("x-first", "2"), ("x-blob-bin", bytes(range(256)))]
    assert [tuple(pair) for pair in call.trailing_metadata()] == [("x-last", "3"), ("x-last-bin", b"\xfe\xff")]


@pytest.mark.parametrize("method", ["Fail", "FailLate"])
@pytest.mark.parametrize("code", [code for code in Code if code != Code.OK])
def test_status_of_the_server(calls, method, code):
    """In trailers behind a message, and in an answer of trailers only."""
    call = calls.unary(method) if method == "Fail" else calls.server_stream(method)
    error = fails(call, b"x", metadata=[("code", str(code.value[0]))])
    assert (error.code(), error.details()) == (code, FAILURE)
    own = [tuple(pair) for pair in error.trailing_metadata() if pair.key in ("x-why", "x-data-bin")]
    assert own == [("x-why", "because"), ("x-data-bin", b"\0\1\xff")]


def test_unknown_method(calls):
    assert fails(calls.unary("Nothing"), b"").code() == Code.UNIMPLEMENTED


# Ends


def test_cancellation_reaches_the_server(proxy, server):
    server.waiting.clear()
    server.cancelled.clear()
    with Calls(proxy.port()) as calls:
        future = calls.channel.unary_unary("/free" + path("Wait")).future(b"")
        assert server.waiting.wait(10)
        future.cancel()
        assert server.cancelled.wait(10), "the server did not hear of it"
        # The connection to the server goes on.
        assert calls.unary()(b"after", timeout=10) == b"after"


def test_deadline_of_the_client_is_its_own_affair_by_default(proxy, server):
    server.cancelled.clear()
    with Calls(proxy.port()) as calls:
        began = time.monotonic()
        error = fails(calls.channel.unary_unary("/free" + path("Wait")), b"", timeout=1)
        assert error.code() == Code.DEADLINE_EXCEEDED
        assert time.monotonic() - began < 5
    assert server.cancelled.wait(10)
    assert 0 < server.deadlines[-1] <= 1.01, "grpc-timeout did not reach the server"


def test_server_that_dies(make, proxy):
    server = Server()
    http2 = {"typed_extension_protocol_options": config.http2_options()}
    document = config.bootstrap(
        [config.http_listener(config.virtual_host(config.route()))], [config.cluster("origin", server.port, **http2)])
    other = make.proxy(document)
    with Calls(other.port()) as calls:
        assert calls.unary()(b"x", timeout=10) == b"x"
        server.stop()
        assert fails(calls.unary(), b"x").code() == Code.UNAVAILABLE


# Errors that the proxy makes


ERRORS = [
    # path, status, message, flags, details
    (path("Wait"), 14, "upstream request timeout", "UT", "response_timeout"),
    ("/short", 4, "downstream duration timeout", "-" if IS_ENVOY else "DT", "max_duration_timeout"),
    ("/nowhere", 12, "", "NR", "route_not_found"),
    (
        "/refused" + path("Unary"), 14,
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        "UF", None,
    ),
    ("/empty" + path("Unary"), 14, "no healthy upstream", "UH", "no_healthy_upstream"),
    ("/fault-grpc" + path("Unary"), 8, "fault filter abort", "FI", "fault_filter_abort"),
    ("/fault-http" + path("Unary"), 7, "fault filter abort", "FI", "fault_filter_abort"),
    ("/direct", 14, "100% é\n", "-", "direct_response"),
    ("/gone", 12, "", "-", "direct_response"),
    ("/matched", 16, "grpc", "-", "direct_response"),
]


@pytest.mark.parametrize("target, status, message, flags, details", ERRORS, ids=[row[0] for row in ERRORS])
def test_error_of_the_proxy(proxy, log, target, status, message, flags, details):
    with Calls(proxy.port()) as calls:
        error = fails(calls.channel.unary_unary(target), b"x")
    assert error.code().value[0] == status
    if "refused" in target:
        # Ours does not tell clients what the system said.
        assert error.details().startswith(message)
    else:
        assert error.details() == message
    lines = wait.until(
        lambda: [line for line in log.read_text().splitlines() if line.startswith(target + " ")], "a line in the log")
    columns = lines[-1].split(" ")
    name = error.code().name.title().replace("_", "")
    assert columns[1:5] == ["200", name, str(status), flags]
    assert details is None or columns[5] == details


@pytest.mark.parametrize("target, status, message, flags, details", ERRORS, ids=[row[0] for row in ERRORS])
def test_error_of_the_proxy_over_http1(proxy, target, status, message, flags, details):
    with Client(proxy.port()) as client:
        response = client.request("POST", target, [("content-type", "application/grpc"), ("te", "trailers")], b"\0\0\0\0\1x")
        assert (response.status, response.body) == (200, b"")
        assert response.get("content-type") == "application/grpc"
        assert response.get("content-length", "0") == "0"
        assert response.get("grpc-status") == str(status)
        encoded = message.encode().replace(b"%", b"%25").replace("é".encode(), b"%C3%A9").replace(b"\n", b"%0A").decode()
        assert response.get("grpc-message", "").startswith(encoded)
        assert ("grpc-message" in response) == bool(message)


def test_trailers_only_over_http2(proxy):
    """One HEADERS frame with everything in it, and no body."""
    address = f"http://127.0.0.1:{proxy.port()}/direct"
    command = ["nghttp", "-v", "-d", "-", "-H", "content-type: application/grpc", "-H", ":method: POST", address]
    output = subprocess.run(command, input="12345", capture_output=True, text=True, timeout=20).stdout
    received = output.split("recv (stream_id=")
    fields = dict(
        line.split(") ", 1)[1].split("\x1b[0m: ", 1) if "\x1b" in line else line.split(") ", 1)[1].lstrip(":").split(": ", 1)
        for line in received[1:]
        for line in [line.split("\n")[0]]
    )
    names = {name.strip("\x1b[;0123456789m:") for name in fields}
    assert {"status", "grpc-status", "grpc-message", "content-type"} <= names
    assert "content-length" not in names
    assert "recv DATA frame" not in output
    assert output.count("recv HEADERS frame") == 1


def test_head_gets_no_message(proxy):
    with Client(proxy.port()) as client:
        response = client.request("HEAD", "/direct", [("content-type", "application/grpc")])
        assert (response.status, response.get("grpc-status")) == (200, "14")
        assert "grpc-message" not in response


@pytest.mark.parametrize("kind", ["application/json", "application/grpc-web", "application/grpc;x", None])
def test_others_get_http_errors(proxy, kind):
    headers = [("content-type", kind)] if kind else []
    with Client(proxy.port()) as client:
        response = client.request("POST", "/direct", headers, b"")
        assert (response.status, response.body.decode()) == (429, "100% é\n")
        assert "grpc-status" not in response


@pytest.mark.parametrize(
    "kind, status", [("application/grpc", 401), ("application/grpc+proto", 401), ("application/grpc-web", 200)])
def test_route_for_grpc_only(proxy, kind, status):
    with Client(proxy.port()) as client:
        response = client.request("POST", "/matched", [("content-type", kind)], b"")
        assert (response.get("grpc-status"), response.body) == (("16", b"") if status == 401 else (None, b"plain"))


def test_fault_for_others(proxy):
    """A gRPC status says nothing to who does not speak gRPC: 200, as Envoy."""
    with Client(proxy.port()) as client:
        response = client.request("POST", "/fault-grpc" + path("Unary"), [], b"")
        assert (response.status, response.body) == (200, b"fault filter abort")


@pytest.mark.parametrize(
    "fields, status",
    [
        ([("x-envoy-fault-abort-grpc-request", "5")], 5),
        ([("x-envoy-fault-abort-request", "404")], 12),
        ([("x-envoy-fault-abort-request", "404"), ("x-envoy-fault-abort-grpc-request", "5")], 12),
        ([("x-envoy-fault-abort-grpc-request", "x")], None),
        ([], None),
    ],
)
def test_fault_that_the_client_asks_for(proxy, fields, status):
    with Calls(proxy.port()) as calls:
        call = calls.channel.unary_unary("/fault-header" + path("Unary"))
        if status is None:
            assert call(b"x", metadata=fields, timeout=10) == b"x"
        else:
            assert fails(call, b"x", metadata=fields).code().value[0] == status


# grpc-timeout

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@pytest.mark.parametrize(
    "target, timeout, least, most",
    [
        ("/capped", "10S", 0.2, 10),  # the route's bound
        ("/roomy", "100m", 0.1, 5),
        ("/roomy", "0m", 0, 5),
        ("/uncapped", "300m", 0.3, 5),
        ("/uncapped", "250000u", 0.25, 5),
        ("/offset", "10S", 0.2, 10),
        ("/offset", "9S", 0, 9),  # nothing is left
    ],
)
def test_grpc_timeout(proxy, target, timeout, least, most):
    """The client itself has no deadline."""
    with Client(proxy.port(), timeout=20) as client:
        began = time.monotonic()
        response = client.request("POST", target, [*GRPC, ("grpc-timeout", timeout)], b"\0\0\0\0\1x")
        spent = time.monotonic() - began
    assert (response.get("grpc-status"), response.get("grpc-message")) == ("4", "downstream duration timeout")
    assert least - 0.005 <= spent < most


@pytest.mark.parametrize(
    "target, timeout, least",
    [
        ("/old/capped", "10S", 0.2),
        ("/old/capped", "100m", 0.1),
        ("/old/capped", None, 0.2),
        ("/old/offset", "10S", 0.2),
        ("/old/offset", "300m", 0.3),  # nothing would be left: it is not taken off
    ],
)
def test_max_grpc_timeout(proxy, target, timeout, least):
    """The time to a response, as `timeout` is, which does not count."""
    with Client(proxy.port(), timeout=20) as client:
        began = time.monotonic()
        response = client.request("POST", target, [*GRPC, *([("grpc-timeout", timeout)] if timeout else [])], b"\0\0\0\0\1x")
        spent = time.monotonic() - began
    assert (response.get("grpc-status"), response.get("grpc-message")) == ("14", "upstream request timeout")
    assert least - 0.005 <= spent < 10


@pytest.mark.parametrize(
    "target, kind, sent, shown, expected",
    [
        ("/echo/old/capped", "application/grpc", "100S", "20000m", "20000"),
        ("/echo/old/capped", "application/grpc", "10000m", "10000m", "10000"),
        ("/echo/old/capped", "application/grpc", None, "20000m", "20000"),
        ("/echo/old/capped", "application/grpc", "x", "20000m", "20000"),
        ("/echo/old/capped", "text/plain", "100S", "100S", "40000"),
        ("/echo/old/uncapped", "application/grpc", "100S", "100000m", "100000"),
        ("/echo/old/uncapped", "application/grpc", None, None, None),
        ("/echo/old/offset", "application/grpc", "100S", "90000m", "90000"),
        ("/echo/old/offset", "application/grpc", "10S", "10000m", "10000"),
        ("/echo/old/attempts", "application/grpc", "100S", "70000m", "70000"),
    ],
)
def test_max_grpc_timeout_and_the_upstream(proxy, target, kind, sent, shown, expected):
    fields = [("content-type", kind)] + ([("grpc-timeout", sent)] if sent else [])
    with Client(proxy.port()) as client:
        came = dict(json.loads(client.request("POST", target, fields, b"").body)["fields"])
    assert (came.get("grpc-timeout"), came.get("x-envoy-expected-rq-timeout-ms")) == (shown, expected)


def test_grpc_timeout_ends_a_stream_that_has_begun(make, server):
    """An answer whose head is out cannot become an error: the stream is reset."""
    route = with_limits("/", "origin", grpc_timeout_header_max="1.5s")
    http2 = {"typed_extension_protocol_options": config.http2_options()}
    proxy = make.proxy(
        config.bootstrap([config.http_listener(config.virtual_host(route))], [config.cluster("origin", server.port, **http2)])
    )
    may_end = threading.Event()

    def messages():
        yield b"one"
        may_end.wait(20)

    with Calls(proxy.port()) as calls:
        call = calls.both()(messages(), timeout=15)
        assert next(call) == b"one"
        error = None
        began = time.monotonic()
        try:
            next(call)
        except grpc.RpcError as raised:
            error = raised
        may_end.set()
        assert time.monotonic() - began < 10
        # The stream's code: INTERNAL_ERROR (Envoy), CANCEL (ours).
        assert error.code() == (Code.INTERNAL if IS_ENVOY else Code.CANCELLED)


@pytest.mark.parametrize("target, timeout", [("/capped", None), ("/capped", "x"), ("/unlimited", "100m"), ("/uncapped", "123456789m")])
def test_grpc_timeout_that_does_not_count(proxy, target, timeout):
    fields = [*GRPC, ("grpc-timeout", timeout)] if timeout else GRPC
    with Client(proxy.port()) as client:
        client.send(head_bytes("POST", target, [*fields, ("content-length", "0")]))
        assert client.stays_open(0.5)


@pytest.mark.parametrize(
    "target, kind, sent, shown",
    [
        ("/echo/capped", "application/grpc", "100S", "20000m"),
        ("/echo/capped", "application/grpc", "10000m", "10000m"),
        ("/echo/capped", "application/grpc", None, None),
        ("/echo/capped", "application/grpc", "x", "x"),
        ("/echo/capped", "text/plain", "10S", "10S"),
        ("/echo/offset", "application/grpc", "100S", "20000m"),
        ("/echo/short", "application/grpc", "100S", "50000m"),
        ("/echo/short", "application/grpc", None, "50000m"),
        ("/echo/short", "text/plain", None, None),
        ("/echo/unlimited", "application/grpc", "10S", "10S"),
        ("/echo/plain", "application/grpc", "10S", "10S"),
    ],
)
def test_upstream_learns_how_much_time_it_has(proxy, target, kind, sent, shown):
    fields = [("content-type", kind)] + ([("grpc-timeout", sent)] if sent else [])
    with Client(proxy.port()) as client:
        came = dict(json.loads(client.request("POST", target, fields, b"").body)["fields"])
    assert came.get("grpc-timeout") == shown
    # Whoever limits the stream does not limit the time to its response.
    assert ("x-envoy-expected-rq-timeout-ms" in came) == (target == "/echo/plain")


@pytest.mark.parametrize("format, message", [
    ({"json_format": {"code": "%RESPONSE_CODE%", "body": "%LOCAL_REPLY_BODY%"}}, '{"body":"no","code":403}'),
    ({"text_format_source": {"inline_string": "%RESPONSE_CODE%: %LOCAL_REPLY_BODY%\n"}}, "403: no%0A"),
])
def test_local_reply_config(make, format, message):
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 403, "body": {"inline_string": "no"}}}
    hcm = {"local_reply_config": {"body_format": format}}
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(route), hcm=hcm)], []))
    with Client(proxy.port()) as client:
        response = client.request("POST", "/", GRPC, b"")
        assert (response.status, response.get("grpc-status"), response.get("grpc-message")) == (200, "7", message)
        assert response.get("content-type") == "application/grpc"


def test_local_reply_config_can_change_the_status(make):
    """The status that counts is the one after the mappers."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 403}}
    everything = {"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 403, "runtime_key": "x"}}}}
    hcm = {"local_reply_config": {"mappers": [{"filter": everything, "status_code": 401}]}}
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(route), hcm=hcm)], []))
    with Client(proxy.port()) as client:
        assert client.request("POST", "/", GRPC, b"").get("grpc-status") == "16"
