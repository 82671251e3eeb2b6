"""Filters around gRPC: bridges to and from HTTP/1, statistics of calls."""

import struct

import pytest

from harness import config, wait
from harness.client import Client
from harness.rpc import FAILURE, SERVICE, Calls, Server, fails, grpc, path

Code = grpc.StatusCode
HTTP2 = {"typed_extension_protocol_options": config.http2_options()}


def frame(message, flags=0):
    return struct.pack(">BI", flags, len(message)) + message


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


def proxy_with(make, filters, clusters, routes=None, **virtual_host):
    hcm = {"http_filters": config.http_filters(*filters)}
    routes = routes or [config.route("/", timeout="0s")]
    listener = config.http_listener(config.virtual_host(*routes, **virtual_host), hcm=hcm)
    return make.proxy(config.bootstrap([listener], clusters))


# grpc_http1_bridge


@pytest.fixture(scope="module")
def bridge(make_shared, server):
    fields = {"upgrade_protobuf_to_grpc": True, "ignore_query_parameters": True}
    filters = [("bridge", "grpc_http1_bridge.v3.Config", fields)]
    return proxy_with(make_shared, filters, [config.cluster("origin", server.port, **HTTP2)])


def post(proxy, target, body, kind="application/grpc", fields=()):
    with Client(proxy.port()) as client:
        return client.request("POST", target, [("content-type", kind), ("te", "trailers"), *fields], body)


@pytest.mark.parametrize("size", [0, 1, 5, 1000, 300_000])
def test_bridge(bridge, size):
    message = bytes(i % 251 for i in range(size))
    response = post(bridge, path("Unary"), frame(message))
    assert (response.status, response.body) == (200, frame(message))
    assert response.get("grpc-status") == "0"
    assert response.get("content-length") == str(size + 5)
    assert response.get("content-type") == "application/grpc"
    assert response.trailers == []


def test_bridge_ignores_the_query(bridge):
    assert post(bridge, path("Unary") + "?a=b", frame(b"x")).body == frame(b"x")


@pytest.mark.parametrize("code", [1, 5, 13, 16])
def test_bridge_status_behind_a_message(bridge, code):
    response = post(bridge, path("FailLate"), frame(b"x"), fields=[("code", str(code))])
    assert (response.status, response.body) == (503, frame(b"x"))
    assert response.get("grpc-status") == str(code)
    assert response.get("grpc-message") == FAILURE.encode().replace(b"%", b"%25").replace("é".encode(), b"%C3%A9").decode()
    assert response.get("content-length") == "6"


def test_bridge_answer_of_trailers_only(bridge):
    response = post(bridge, path("Fail"), frame(b"x"), fields=[("code", "5")])
    assert (response.status, response.body, response.get("grpc-status")) == (200, b"", "5")


BARE = "application/x-protobuf"


@pytest.mark.parametrize("size", [1, 1000, 300_000])
def test_bridge_for_bare_messages(bridge, size):
    message = bytes(i % 251 for i in range(size))
    response = post(bridge, path("Unary"), message, BARE)
    assert (response.status, response.body, response.get("grpc-status")) == (200, message, "0")
    assert response.get("content-length") == str(size)
    assert response.get("content-type") == "application/grpc"


@pytest.mark.apus_only
def test_bridge_for_a_bare_message_of_no_bytes(bridge):
    response = post(bridge, path("Unary"), b"", BARE)
    assert (response.status, response.body, response.get("grpc-status")) == (200, b"", "0")


@pytest.mark.apus_only  # Envoy's does not add `te: trailers`, which servers want.
def test_bridge_for_bare_messages_in_chunks(bridge):
    with Client(bridge.port()) as client:
        head = f"POST {path('Unary')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n"
        client.send(head.encode() + b"2\r\nab\r\n")
        client.send(b"1\r\nc\r\n0\r\n\r\n")
        assert client.response().body == b"abc"


def test_bridge_bare_failure(bridge):
    response = post(bridge, path("FailLate"), b"x", "application/x-protobuf", [("code", "5")])
    assert (response.status, response.body, response.get("grpc-status")) == (503, b"x", "5")


def test_bridge_leaves_http2_alone(bridge):
    with Calls(bridge.port()) as calls:
        assert calls.unary()(b"x", timeout=10) == b"x"
        assert [int(message) for message in calls.server_stream()(b"10", timeout=10)] == list(range(10))
        assert fails(calls.unary("Fail"), b"", metadata=[("code", "5")]).code() == Code.NOT_FOUND


# grpc_http1_reverse_bridge


def answer(connection, request):
    """What the path says; else the body back, in capitals."""
    if request.target.endswith("Fail"):
        connection.reply(b"no such thing", "404 Not Found", [("content-type", "application/x-protobuf")])
    elif request.target.endswith("Html"):
        connection.reply(b"<p>", "500 Internal Server Error", [("content-type", "text/html")])
    elif request.target.endswith("Bare"):
        connection.reply(b"x")
    elif request.target.endswith("Empty"):
        connection.reply(b"", headers=[("content-type", "application/x-protobuf")])
    elif request.target.endswith("Sized"):
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\nx-size: 6\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.send(head + b"2\r\nab\r\n")
        connection.send(b"4\r\ncdef\r\n0\r\n\r\n")
    elif request.target.endswith("WrongSize"):
        connection.reply(b"abc", headers=[("content-type", "application/x-protobuf"), ("x-size", "4")])
    else:
        seen = f"{request.get('content-type')} {request.get('accept')} {request.get('content-length')} ".encode()
        connection.reply(seen + request.body, headers=[("content-type", "application/x-protobuf")])


@pytest.fixture(scope="module")
def reverse(make_shared, server):
    def proxy(**fields):
        fields = {"content_type": "application/x-protobuf", **fields}
        filters = [("reverse", "grpc_http1_reverse_bridge.v3.FilterConfig", fields)]
        kind = config.TYPE + "extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfigPerRoute"
        off = {"typed_per_filter_config": {"reverse": {"@type": kind, "disabled": True}}}
        routes = [config.route("/" + SERVICE, "real", off), config.route("/")]
        clusters = [config.cluster("origin", make_shared.origin(answer).port), config.cluster("real", server.port, **HTTP2)]
        return proxy_with(make_shared, filters, clusters, routes)

    made = {}

    def get(name):
        if name not in made:
            made[name] = {
                "plain": lambda: proxy(),
                "withhold": lambda: proxy(withhold_grpc_frames=True),
                "sized": lambda: proxy(withhold_grpc_frames=True, response_size_header="X-Size"),
            }[name]()
        return made[name]

    return get


def call(proxy, target, message=b"abc", **options):
    with Calls(proxy.port()) as calls:
        return calls.channel.unary_unary(target)(message, timeout=10, **options)


def error(proxy, target, message=b"abc"):
    with Calls(proxy.port()) as calls:
        failure = fails(calls.channel.unary_unary(target), message)
        return failure.code(), failure.details()


@pytest.mark.parametrize("size", [0, 1, 1000, 200_000])
def test_reverse_bridge(reverse, size):
    message = bytes(i % 251 for i in range(size))
    came = call(reverse("withhold"), "/s/m", message)
    kind, accept, _, body = came.split(b" ", 3)
    assert (kind, accept, body) == (b"application/x-protobuf", b"application/x-protobuf", message)


def test_reverse_bridge_status(reverse):
    assert error(reverse("withhold"), "/s/Fail")[0] == Code.UNIMPLEMENTED


def test_reverse_bridge_wrong_type(reverse):
    for name in ("plain", "withhold"):
        assert error(reverse(name), "/s/Html") == (
            Code.UNKNOWN,
            "envoy reverse bridge: upstream responded with unsupported content-type text/html, status code 500",
        )
        assert error(reverse(name), "/s/Bare") == (
            Code.UNKNOWN,
            "envoy reverse bridge: upstream responded with no content-type header, status code 200",
        )


def test_reverse_bridge_empty_answer(reverse):
    assert call(reverse("withhold"), "/s/Empty") == b""


def test_reverse_bridge_with_announced_size(reverse):
    assert call(reverse("sized"), "/s/Sized") == b"abcdef"
    assert error(reverse("sized"), "/s/m") == (Code.INTERNAL, "envoy reverse bridge: upstream did not set content length")
    assert error(reverse("sized"), "/s/WrongSize")[0] in (Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED)


def test_reverse_bridge_with_frames(reverse):
    """Without `withhold_grpc_frames` the service speaks frames itself."""
    response = post(reverse("plain"), "/s/m", frame(b"abc"))
    assert response.status == 200
    assert response.get("content-type") == "application/grpc"
    assert response.body.endswith(frame(b"abc"))


@pytest.mark.apus_only  # Envoy takes its own answer for the upstream's.
def test_reverse_bridge_message_without_a_frame(reverse):
    response = post(reverse("withhold"), "/s/m", b"abc")
    assert (response.status, response.get("grpc-status"), response.get("grpc-message")) == (200, "2", "invalid request body")


def test_reverse_bridge_off_for_a_route(reverse):
    assert call(reverse("withhold"), path("Unary")) == b"abc"


def test_reverse_bridge_leaves_others_alone(reverse):
    assert post(reverse("withhold"), "/s/m", b"abc", "text/plain").body == b"text/plain None 3 abc"


# grpc_stats


def stats_of(proxy, prefix):
    return {name[len(prefix) :]: value for name, value in proxy.stats().items() if name.startswith(prefix) and value}


def counted(make, server, **fields):
    filters = [("stats", "grpc_stats.v3.FilterConfig", fields)]
    return proxy_with(make, filters, [config.cluster("origin", server.port, **HTTP2)])


def some_calls(proxy):
    with Calls(proxy.port()) as calls:
        assert calls.unary()(b"x" * 100_000, timeout=10)
        assert calls.unary()(b"", timeout=10) == b""
        assert len(list(calls.both()(iter([b"a", b"b" * 50_000, b""]), timeout=10))) == 3
        fails(calls.unary("Fail"), b"", metadata=[("code", "5")])
        fails(calls.server_stream("FailLate"), b"", metadata=[("code", "13")])


def test_stats_of_all_methods(make, server):
    proxy = counted(make, server, stats_for_all_methods=True, enable_upstream_stats=True)
    some_calls(proxy)
    prefix = f"cluster.origin.grpc.{SERVICE}."
    assert stats_of(proxy, prefix) == {
        "Unary.0": 2, "Unary.success": 2, "Unary.total": 2,
        "Unary.request_message_count": 2, "Unary.response_message_count": 2,
        "Both.0": 1, "Both.success": 1, "Both.total": 1,
        "Both.request_message_count": 3, "Both.response_message_count": 3,
        "Fail.5": 1, "Fail.failure": 1, "Fail.total": 1, "Fail.request_message_count": 1,
        "FailLate.13": 1, "FailLate.failure": 1, "FailLate.total": 1,
        "FailLate.request_message_count": 1, "FailLate.response_message_count": 1,
    }  # fmt: skip
    # The time is a histogram.
    assert f"{prefix}Unary.upstream_rq_time" in proxy.admin("/stats").body.decode()


def test_stats_together(make, server):
    proxy = counted(make, server)
    some_calls(proxy)
    assert stats_of(proxy, "cluster.origin.grpc.") == {
        "0": 3, "5": 1, "13": 1, "success": 3, "failure": 2, "total": 5, "request_message_count": 7, "response_message_count": 6,
    }  # fmt: skip


def test_stats_of_listed_methods(make, server):
    services = {"services": [{"name": SERVICE, "method_names": ["Both", "Nothing"]}]}
    proxy = counted(make, server, individual_method_stats_allowlist=services)
    some_calls(proxy)
    found = stats_of(proxy, "cluster.origin.grpc.")
    assert found[f"{SERVICE}.Both.request_message_count"] == 3
    assert found["total"] == 4
    assert not any("Unary" in name for name in found)


def test_stats_with_names_without_dots(make, server):
    proxy = counted(make, server, stats_for_all_methods=True, replace_dots_in_grpc_service_name=True)
    some_calls(proxy)
    assert stats_of(proxy, f"cluster.origin.grpc.{SERVICE.replace('.', '_')}.")["Unary.total"] == 2


@pytest.mark.parametrize("target", ["/one", "/a/b/c", "//b", "/a/", "/"])
def test_stats_of_what_is_no_method(make, server, target):
    proxy = counted(make, server, stats_for_all_methods=True)
    post(proxy, target, frame(b""))
    assert stats_of(proxy, "cluster.origin.grpc.") == {}


@pytest.mark.apus_only
def test_stats_have_a_bound(make, server):
    """Clients cannot make statistics without end."""
    proxy = counted(make, server, stats_for_all_methods=True)
    with Client(proxy.port()) as client:
        for number in range(1100):
            fields = [("content-type", "application/grpc"), ("te", "trailers")]
            client.request("POST", f"/service/method{number}", fields, frame(b""))
    found = stats_of(proxy, "cluster.origin.grpc.")
    assert sum(name.startswith("service.method") and name.endswith(".total") for name in found) == 1000
    assert found["total"] == 100
    assert found["12"] == 100


@pytest.mark.apus_only
def test_stats_live_through_a_reload(make, server):
    proxy = counted(make, server, stats_for_all_methods=True)
    with Calls(proxy.port()) as calls:
        assert calls.unary()(b"x", timeout=10) == b"x"
    before = proxy.stat("listener_manager.lds.update_success")
    filters = config.http_filters(("stats", "grpc_stats.v3.FilterConfig", {"stats_for_all_methods": True}))
    listener = config.http_listener(
        config.virtual_host(config.route("/", timeout="0s")), hcm={"http_filters": filters, "generate_request_id": False})
    proxy.write_config(config.bootstrap([listener], [config.cluster("origin", server.port, **HTTP2)]))
    name = f"cluster.origin.grpc.{SERVICE}.Unary.total"

    def counts_two():
        with Calls(proxy.port()) as calls:
            assert calls.unary()(b"x", timeout=10) == b"x"
        return "listener" in proxy.log() and proxy.stat(name)

    wait.until(lambda: proxy.stats().get("listener_manager.listener_modified", 0) or before is None, "the new listener")
    assert counts_two() == 2
