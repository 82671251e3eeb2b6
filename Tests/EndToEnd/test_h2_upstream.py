"""HTTP/2 towards hosts: one connection for many requests, what is tried again, and hosts that break the rules."""

import pathlib
import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import Client, get, head_bytes
from harness.http2 import (
    CANCEL, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, INTERNAL_ERROR, MAX_CONCURRENT_STREAMS, NO_ERROR,
    REFUSED_STREAM,
)  # fmt: skip
from harness.origin import echo as echo1

FORMAT = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_PROTOCOL%\n"


def http2_options(common=None, downstream=False, **fields):
    kind = "use_downstream_protocol_config" if downstream else "explicit_http_config"
    typed = {"@type": config.HTTP_OPTIONS, kind: {"http2_protocol_options": fields}}
    if common:
        typed["common_http_protocol_options"] = common
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed}}


class Setup:
    def __init__(self, make, raw, options=None, hcm=None, cluster=None, **action):
        self.log = pathlib.Path(make.directory) / "access.log"
        self.origin = make.origin(raw=raw)
        action.setdefault("timeout", "5s")
        listener = config.http_listener(
            config.virtual_host(config.route(**action)), hcm={"access_log": [config.file_log(self.log, FORMAT)], **(hcm or {})}
        )
        upstream = config.cluster("origin", self.origin.port, **(options or http2_options()), **(cluster or {}))
        self.proxy = make.proxy(config.bootstrap([listener], [upstream]), arguments=["--file-flush-interval-msec", "20"])
        self.port = self.proxy.port()

    def stat(self, name):
        return self.proxy.stat("cluster.origin." + name)

    def logged(self, count=1):
        text = wait.until(lambda: (t := self.log.read_text()).count("\n") >= count and t, f"{count} lines of access log")
        return text.splitlines()[count - 1]


def setup(make, script, values=(), at_head=False, **named):
    return Setup(make, http2.serving(script, values, at_head), **named)


def ok(server, request):
    server.reply(request.stream, b"ok %d" % server.number)


def together(port, count, path="/"):
    """So many requests at once on one HTTP/2 connection; the responses in order."""
    with http2.Client(port) as client:
        streams = [client.open(path=path) for _ in range(count)]
        return [client.response(stream) for stream in streams]


# The pool


def test_one_connection_for_all(make):
    scene = setup(make, ok)
    assert all(r.body == b"ok 1" for r in together(scene.port, 200))
    clients = [Client(scene.port) for _ in range(20)]
    for client in clients:
        client.send(head_bytes("GET", "/", []))
    assert all(client.response().body == b"ok 1" for client in clients)
    assert scene.origin.connections_total == 1
    assert scene.stat("upstream_cx_http2_total") == 1 and scene.stat("upstream_cx_total") == 1
    assert scene.stat("upstream_rq_total") == 220 and scene.stat("http2.streams_active") == 0
    for client in clients:
        client.close()
    assert scene.logged().endswith("via_upstream HTTP/2")


def test_the_preface_and_settings(make):
    """Exactly once, first, with push switched off."""
    seen = []

    def script(server, request):
        seen.append(dict(server.peer_settings))
        ok(server, request)

    scene = setup(make, script, options=http2_options(initial_stream_window_size=100_000, initial_connection_window_size=200_000))
    assert get(scene.port).status == 200
    assert seen[0][http2.ENABLE_PUSH] == 0 and seen[0][INITIAL_WINDOW_SIZE] == 100_000


def holding():
    release = threading.Event()

    def raw_for(values):
        def script(server, request):
            assert release.wait(20)
            ok(server, request)

        return http2.serving(script, values)

    return release, raw_for


def test_a_limit_of_our_own(make):
    """One request a connection: as many connections as requests."""
    together_at_origin = threading.Barrier(5, timeout=10)

    def script(server, request):
        together_at_origin.wait()
        ok(server, request)

    scene = setup(make, script, options=http2_options(max_concurrent_streams=1))
    assert all(r.status == 200 for r in together(scene.port, 5))
    assert scene.origin.connections_total == 5


def test_the_hosts_limit(make):
    """Once the host has said that it takes one request at a time, it gets no more."""
    active, most = [0], [0]
    lock = threading.Lock()

    def raw(connection):
        server = http2.Server(connection, {MAX_CONCURRENT_STREAMS: 1})
        server.start()
        open_streams = set()
        while True:
            frame = server.pump()
            request = server.messages.get(frame.stream)
            if frame.type != http2.HEADERS:
                continue
            if open_streams and server.settings_acks:
                most[0] = max(most[0], len(open_streams) + 1)
            if open_streams:
                server.send(http2.rst_stream(frame.stream, REFUSED_STREAM))
                continue
            open_streams.add(frame.stream)
            wait.time.sleep(0.01)
            server.reply(request.stream, b"ok")
            open_streams.discard(frame.stream)

    scene = Setup(make, raw)
    assert get(scene.port).status == 200
    responses = together(scene.port, 20)
    assert [r.status for r in responses] == [200] * 20, [r.body for r in responses if r.status != 200]
    assert most[0] <= 1
    assert scene.stat("upstream_rq_pending_active") == 0


def test_a_limit_of_zero_until_further_notice(make):
    servers = []

    def raw(connection):
        server = http2.Server(connection, {MAX_CONCURRENT_STREAMS: 0})
        servers.append(server)
        server.start()
        while True:
            frame = server.pump()
            if frame.type == http2.HEADERS:
                server.reply(frame.stream, b"ok")

    scene = Setup(make, raw, cluster={"connect_timeout": "5s"})
    with http2.Client(scene.port) as client:
        first = client.open()
        try:
            wait.until(lambda: servers and servers[0].settings_acks, "the SETTINGS are acknowledged")
        except AssertionError:
            raise AssertionError(f"{servers and servers[0].frames}") from None
        second = client.open()
        assert client.is_alive()
        servers[0].send(http2.settings({MAX_CONCURRENT_STREAMS: 10}))
        assert client.response(first).status == 200 and client.response(second).status == 200


def test_max_requests_per_connection(make):
    scene = setup(make, ok, options=http2_options({"max_requests_per_connection": 3}))
    with http2.Client(scene.port) as client:
        bodies = [client.get().body for _ in range(7)]
    assert bodies == [b"ok 1"] * 3 + [b"ok 2"] * 3 + [b"ok 3"]
    assert scene.stat("upstream_cx_max_requests") == 2
    wait.until(lambda: scene.origin.connections_active == 1, "the used ones are closed")


def test_max_connection_duration(make):
    scene = setup(make, ok, options=http2_options({"max_connection_duration": "0.3s"}))
    with http2.Client(scene.port) as client:
        assert client.get().body == b"ok 1"
        wait.until(lambda: client.get().body == b"ok 2", "a second connection serves")
    assert scene.stat("upstream_cx_max_duration_reached") >= 1


@pytest.mark.apus_only
def test_a_host_that_goes_with_a_reload(make):
    """What runs there is finished; what is new goes to the new host; the old connection ends with GOAWAY."""
    release = threading.Event()
    servers = []

    def old(server, request):
        servers.append(server)
        if request.path != "/wait":
            return server.reply(request.stream, b"old")

        def later():
            release.wait(20)
            server.reply(request.stream, b"old")

        threading.Thread(target=later, daemon=True).start()

    origin_new = make.origin(raw=http2.serving(lambda server, request: server.reply(request.stream, b"new")))
    origin_old = make.origin(raw=http2.serving(old))

    def document(port):
        listener = config.http_listener(config.virtual_host(config.route()), hcm={"drain_timeout": "0.2s"})
        return config.bootstrap([listener], [config.cluster("origin", port, **http2_options())])

    proxy = make.proxy(document(origin_old.port))
    port = proxy.port()
    with http2.Client(port) as client:
        stream = client.open(path="/wait")
        wait.until(lambda: servers, "the request is at the old host")
        proxy.write_config(document(origin_new.port))
        wait.until(lambda: get(port).body == b"new", "the new host serves")
        release.set()
        assert client.response(stream).body == b"old"
    wait.until(lambda: origin_old.connections_active == 0, "the old connection is closed")
    assert servers[0].goaways and servers[0].goaways[-1].code == NO_ERROR


def test_an_idle_connection_leaves_with_goaway(make):
    servers = []

    def raw(connection):
        server = http2.Server(connection, ())
        servers.append(server)
        server.start()
        server.pump_until(lambda: server.messages)
        server.reply(1, b"ok")
        server.finish()

    scene = Setup(make, raw, options=http2_options({"idle_timeout": "0.2s"}))
    assert get(scene.port).status == 200
    wait.until(lambda: scene.origin.connections_active == 0, "the idle connection is closed")
    assert [frame.code for frame in servers[0].goaways] == [NO_ERROR]
    assert scene.stat("upstream_cx_idle_timeout") == 1


def test_circuit_breaker(make):
    release, raw_for = holding()
    scene = Setup(make, raw_for(()), cluster={"circuit_breakers": {"thresholds": [{"max_requests": 3}]}})
    with http2.Client(scene.port) as client:
        streams = [client.open() for _ in range(5)]
        refused = [client.response(stream) for stream in streams[3:]]
        assert [r.status for r in refused] == [503, 503]
        release.set()
        assert all(client.response(stream).status == 200 for stream in streams[:3])


@pytest.mark.parametrize("client", [1, 2])
def test_the_clients_protocol_upstream(make, client):
    """`use_downstream_protocol_config`: the same host gets what the client speaks."""
    seen = []

    def raw(connection):
        first = connection.sock.recv(3, 2)  # MSG_PEEK
        seen.append("h2" if first == b"PRI" else "h1")
        if first == b"PRI":
            http2.serving(ok)(connection)
        while True:
            echo1(connection, connection.request())

    scene = Setup(make, raw, options=http2_options(downstream=True))
    for _ in range(3):
        status = http2.get(scene.port).status if client == 2 else get(scene.port).status
        assert status == 200
    assert seen == ["h2" if client == 2 else "h1"]
    other = get(scene.port).status if client == 2 else http2.get(scene.port).status
    assert other == 200 and sorted(seen) == ["h1", "h2"]


def test_the_older_way_to_say_http2(make):
    scene = setup(make, ok, options={"http2_protocol_options": {}})
    assert get(scene.port).body == b"ok 1"


def test_a_header_table_of_zero(make):
    scene = setup(make, ok, values={HEADER_TABLE_SIZE: 0})
    assert all(r.status == 200 for r in together(scene.port, 50))


# Tried again


def refusing(times, then=ok):
    """Refuses the first requests."""
    count = [0]

    def script(server, request):
        count[0] += 1
        if count[0] <= times:
            server.send(http2.rst_stream(request.stream, REFUSED_STREAM))
        else:
            then(server, request)

    script.count = count
    return script


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_refused_stream_is_tried_again(make, method):
    script = refusing(1)
    scene = setup(make, script)
    assert get(scene.port, method=method).status == 200
    assert script.count[0] == 2 and scene.stat("upstream_rq_retry") == 1
    assert scene.origin.connections_total == 1


def test_refused_for_good(make):
    script = refusing(100)
    scene = setup(make, script)
    response = get(scene.port)
    assert response.status == 503
    assert response.body.endswith(b"reset reason: remote refused stream reset")
    assert scene.logged().startswith("503 UR upstream_reset_before_response_started{remote_refused_stream_reset}")
    assert script.count[0] == 2


def test_a_body_that_is_gone_is_not_sent_again(make):
    """The upload has begun: only the client can send it again."""
    seen = []

    def script(server, request):
        seen.append(request)
        server.pump_until(lambda: request.body)
        server.send(http2.rst_stream(request.stream, REFUSED_STREAM))

    scene = setup(make, script, at_head=True)
    with http2.Client(scene.port) as client:
        stream = client.open("POST", ends=False)
        client.send(http2.data(stream, b"x" * 1000))
        assert client.response(stream).status == 503
    assert len(seen) == 1


def test_a_body_that_has_not_left_is_sent_again(make):
    """Its stream had no window: all of it is still here."""
    count = [0]

    def script(server, request):
        count[0] += 1
        if count[0] == 1:
            server.send(http2.settings({INITIAL_WINDOW_SIZE: 0}))
            server.pump_until(lambda: server.settings_acks >= 2)
            return ok(server, request)
        if count[0] == 2:
            return server.send(http2.rst_stream(request.stream, REFUSED_STREAM))
        server.send(http2.window_update(request.stream, 1000))
        server.pump_until(lambda: request.ended)
        server.reply(request.stream, request.body)

    scene = setup(make, script, at_head=True)
    assert get(scene.port).status == 200
    assert get(scene.port, method="POST", body=b"x" * 500).body == b"x" * 500
    assert count[0] == 3 and scene.stat("upstream_rq_retry") == 1


def test_a_host_that_takes_one_request_and_leaves(make):
    """One stream at a time, one request a connection: everybody is served."""

    def raw(connection):
        server = http2.Server(connection, {MAX_CONCURRENT_STREAMS: 1})
        server.start()
        server.pump_until(lambda: server.messages)
        first = min(server.messages)
        server.send(http2.goaway(first))
        server.reply(first, b"ok")
        server.finish()

    scene = Setup(make, raw)
    # Above the first GOAWAY's id a request is tried once more, and that is all: not all can have luck when they come at once.
    with http2.Client(scene.port) as client:
        assert [client.get().status for _ in range(20)] == [200] * 20
    assert {r.status for r in together(scene.port, 10)} <= {200, 503}
    assert scene.stat("upstream_rq_active") == 0 and scene.stat("upstream_rq_pending_active") == 0
    wait.until(lambda: scene.stat("upstream_cx_active") == 0, "all connections are over")


def test_goaway_says_which_requests_are_not_processed(make):
    """Of five the host takes two; the other three go to a new connection."""

    def raw(connection):
        server = http2.Server(connection, ())
        server.start()
        if server.number > 1:
            return serve(server)
        server.pump_until(lambda: len(server.messages) == 5)
        server.send(http2.goaway(3))
        for stream in (1, 3):
            server.reply(stream, b"old")
        server.finish()

    def serve(server):
        while True:
            frame = server.pump()
            if frame.type == http2.HEADERS:
                server.reply(frame.stream, b"new")

    scene = Setup(make, raw)
    bodies = [r.body for r in together(scene.port, 5)]
    assert sorted(bodies) == [b"new"] * 3 + [b"old"] * 2
    assert scene.stat("upstream_cx_close_notify") == 1 and scene.stat("upstream_rq_retry") == 3
    assert scene.origin.connections_total == 2
    wait.until(lambda: scene.origin.connections_active == 1, "the old connection is closed")


def test_a_graceful_goaway(make):
    """What runs is finished; what is new goes elsewhere; the connection closes after its last request."""
    release = threading.Event()

    def script(server, request):
        if server.number == 1:
            server.send(http2.goaway(http2.WINDOW_MAX))
            assert release.wait(20)
        ok(server, request)

    scene = setup(make, script)
    with http2.Client(scene.port) as client:
        first = client.open()
        wait.until(lambda: scene.stat("upstream_cx_close_notify") == 1, "the GOAWAY has come")
        assert client.get().body == b"ok 2"
        release.set()
        assert client.response(first).body == b"ok 1"
    wait.until(lambda: scene.origin.connections_active == 1, "the old connection is closed")


def test_goaway_then_close(make):
    """GOAWAY(0) and the end at once, before any request was looked at: nobody notices."""

    def raw(connection):
        server = http2.Server(connection, ())
        server.start()
        if server.number == 1:
            server.pump_until(lambda: server.messages)
            server.send(http2.goaway(0))
            return
        while True:
            frame = server.pump()
            if frame.type == http2.HEADERS:
                server.reply(frame.stream, b"new")

    scene = Setup(make, raw)
    assert get(scene.port, method="POST").body == b"new"


def test_an_idle_connection_that_died(make):
    """The host closes after each answer without a word; the next request meets the corpse or a new connection."""

    def script(server, request):
        ok(server, request)
        return False

    scene = setup(make, script)
    with http2.Client(scene.port) as client:
        assert [client.get().status for _ in range(20)] == [200] * 20


# Hosts that fail


def test_reset_before_the_answer(make):
    scene = setup(make, lambda server, request: server.send(http2.rst_stream(request.stream, INTERNAL_ERROR)))
    response = get(scene.port)
    assert response.status == 503 and response.body.endswith(b"reset reason: remote reset")
    assert scene.logged().startswith("503 UR upstream_reset_before_response_started{remote_reset}")
    assert scene.stat("upstream_rq_rx_reset") == 1 and scene.stat("http2.rx_reset") == 1
    assert get(scene.port).status == 503 and scene.origin.connections_total == 1, "the connection goes on"


def test_an_answer_before_the_request_is_out(make):
    """What the host's window has held back goes with its request, and the connection serves the next."""
    messages = []

    def script(server, request):
        messages.append(request)
        server.reply(request.stream, b"early")
        if request.method == "POST":
            server.send(http2.window_update(request.stream, 10_000))

    made = setup(make, script, {INITIAL_WINDOW_SIZE: 10}, at_head=True)
    with Client(made.port) as client:
        client.get("/")  # the host's SETTINGS are known after that
        for _ in range(3):
            answer = client.request("POST", "/", body=b"x" * 1000)
            assert (answer.status, answer.body) == (200, b"early")
            assert client.get("/").body == b"early"
    assert made.origin.connections_total == 1 and not made.origin.failures
    posts = [message for message in messages if message.method == "POST"]
    wait.until(lambda: all(message.reset == CANCEL for message in posts), "each is taken back")
    assert all(len(message.body) <= 10 for message in posts)


def test_reset_with_no_error_after_the_answer(make):
    def script(server, request):
        server.reply(request.stream, b"ok")
        server.send(http2.rst_stream(request.stream, NO_ERROR))

    scene = setup(make, script)
    assert [get(scene.port).body for _ in range(3)] == [b"ok"] * 3
    assert scene.origin.connections_total == 1


def test_connection_lost_before_the_answers(make):
    def raw(connection):
        server = http2.Server(connection, ())
        server.start()
        # Apus sends some of them once more.
        server.pump_until(lambda: len(server.messages) == (10 if connection.number == 1 else 1))
        server.reset()

    scene = Setup(make, raw)
    responses = together(scene.port, 10)
    assert [r.status for r in responses] == [503] * 10
    assert responses[0].body.endswith(b"reset reason: connection termination")
    assert scene.logged().startswith("503 UC upstream_reset_before_response_started{connection_termination")
    assert scene.stat("upstream_cx_active") == 0 and scene.stat("upstream_rq_active") == 0


def test_connection_lost_within_the_answers(make):
    def raw(connection):
        server = http2.Server(connection, ())
        server.start()
        server.pump_until(lambda: len(server.messages) == 10)
        for stream in list(server.messages):
            server.send(http2.headers(stream, server.encode([(":status", 200)])), http2.data(stream, b"part"))
        wait.time.sleep(0.05)

    scene = Setup(make, raw)
    responses = together(scene.port, 10)
    assert all((r.reset, r.ended) == (INTERNAL_ERROR, False) for r in responses)


BAD = {
    "HTTP/1": lambda server: server.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
    "garbage": lambda server: server.send(bytes(range(200))),
    "HEADERS of stream 0": lambda server: server.send(http2.headers(0, http2.literals([(":status", "200")]), ends=True)),
    "DATA before HEADERS": lambda server: server.send(http2.data(1, b"evil", ends=True)),
    "DATA of an idle stream": lambda server: server.send(http2.data(99, b"evil", ends=True)),
    "HEADERS of an idle stream": lambda server: server.send(http2.headers(99, http2.literals([(":status", "200")]), ends=True)),
    "HEADERS of an even stream": lambda server: server.send(http2.headers(2, http2.literals([(":status", "200")]), ends=True)),
    "a push": lambda server: server.send(
        http2.frame(http2.PUSH_PROMISE, 4, 1, b"\0\0\0\2" + http2.literals(http2.request_fields()))),
    "a bad block": lambda server: server.send(http2.headers(1, b"\x80", ends=True)),
    "too large a window": lambda server: server.send(http2.window_update(0, http2.WINDOW_MAX), http2.window_update(0, http2.WINDOW_MAX)),
    "a window update of zero": lambda server: server.send(http2.window_update(0, 0)),
    "a frame too large": lambda server: server.send(http2.data(1, b"x" * 16385)),
    "SETTINGS of a stream": lambda server: server.send(http2.frame(http2.SETTINGS, 0, 1)),
    "push switched on": lambda server: server.send(http2.settings({http2.ENABLE_PUSH: 1})),
    "CONTINUATION without HEADERS": lambda server: server.send(http2.continuation(1, b"")),
    "CONTINUATIONs without end": lambda server: server.send(
        http2.headers(1, http2.literals([(":status", "200")]), ends_headers=False),
        *[http2.continuation(1, http2.literal("x", "y"), ends_headers=False)] * 200),
    "PINGs without end": lambda server: server.send(*[http2.ping()] * 20_000),
    "SETTINGS without end": lambda server: server.send(*[http2.settings()] * 20_000),
    "empty DATA without end": lambda server: server.send(
        http2.headers(1, http2.literals([(":status", "200")])), *[http2.data(1)] * 1000),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_protocol_errors(make, name):
    """The requests on it fail, the host is told, the connection closes, and the next request gets a new one."""
    goaways = []

    def raw(connection):
        server = http2.Server(connection, ())
        if server.number > 1:
            return http2.serving(ok)(connection)
        server.acks_pings = server.acks_settings = False
        if name in ("HTTP/1", "garbage"):
            server.read(len(http2.PREFACE))
        else:
            server.start()
        server.pump_until(lambda: len(server.messages) == 2)
        try:
            BAD[name](server)
        except OSError:
            pass
        goaways.append(server.finish())

    scene = Setup(make, raw)
    responses = together(scene.port, 2)
    for response in responses:
        assert response.reset is not None or response.status in (502, 503)
        assert b"evil" not in response.body
    assert get(scene.port).body == b"ok 2"
    wait.until(lambda: goaways, "the bad connection is over")
    assert goaways[0] is not None and goaways[0].code != NO_ERROR
    assert scene.proxy.process.poll() is None


def test_too_large_a_head(make):
    """502, for the request alone."""

    def script(server, request):
        if request.path == "/large":
            block = http2.literals([(":status", "200")] + [(f"x-{n}", "y" * 15000) for n in range(6)])
            server.send(http2.head(request.stream, block, ends=True))
        else:
            ok(server, request)

    scene = setup(make, script)
    assert get(scene.port, "/large").status == 502
    assert get(scene.port).body == b"ok 1"


# Time


def test_a_timeout_cancels_only_its_stream(make):
    servers = []
    release = threading.Event()

    def script(server, request):
        servers.append(server)
        if request.path != "/slow":
            ok(server, request)

    scene = setup(make, script, timeout="1s")
    response = get(scene.port, "/slow")
    assert (response.status, response.body) == (504, b"upstream request timeout")
    wait.until(lambda: servers[0].messages[1].reset == CANCEL, "RST_STREAM(CANCEL)")
    assert get(scene.port).body == b"ok 1" and scene.origin.connections_total == 1
    release.set()


def test_a_client_that_leaves_cancels_only_its_stream(make):
    servers = []

    def script(server, request):
        servers.append(server)
        if request.path != "/slow":
            ok(server, request)

    scene = setup(make, script)
    with Client(scene.port) as client:
        client.send(head_bytes("GET", "/slow", []))
        wait.until(lambda: scene.origin.requests_total == 1, "the request is upstream")
    wait.until(lambda: servers and servers[0].messages[1].reset == CANCEL, "RST_STREAM(CANCEL)")
    assert get(scene.port).body == b"ok 1" and scene.origin.connections_total == 1


KEEPALIVE = {"connection_keepalive": {"interval": "0.1s", "timeout": "1s"}}


def test_keepalive_answered(make):
    servers = []

    def script(server, request):
        servers.append(server)
        ok(server, request)

    scene = setup(make, script, options=http2_options(**KEEPALIVE))
    assert get(scene.port).status == 200
    pings = lambda: sum(f.type == http2.PING for f in servers[0].frames)  # noqa: E731
    wait.until(lambda: pings() >= 15, "PINGs for longer than an answer may take")
    assert get(scene.port).body == b"ok 1" and scene.stat("http2.keepalive_timeout") == 0


def test_keepalive_not_answered(make):
    goaways = []

    def raw(connection):
        server = http2.Server(connection, ())
        if server.number > 1:
            return http2.serving(ok)(connection)
        server.acks_pings = False
        server.start()
        goaways.append(server.finish())

    scene = Setup(make, raw, options=http2_options(**KEEPALIVE))
    began = time.monotonic()
    assert get(scene.port).status == 503
    assert time.monotonic() - began < 3
    assert scene.stat("http2.keepalive_timeout") == 1
    assert get(scene.port).body == b"ok 2"
    wait.until(lambda: goaways, "the connection is over")


def test_a_ping_after_a_rest(make):
    """`connection_idle_interval`: the first request after a rest brings a PING."""
    servers = []

    def script(server, request):
        servers.append(server)
        ok(server, request)

    keepalive = {"connection_keepalive": {"timeout": "1s", "connection_idle_interval": "0.1s"}}
    scene = setup(make, script, options=http2_options(**keepalive))
    assert get(scene.port).status == 200
    assert not any(f.type == http2.PING for f in servers[0].frames)
    wait.time.sleep(0.3)
    assert get(scene.port).body == b"ok 1"
    wait.until(lambda: any(f.type == http2.PING for f in servers[0].frames), "a PING")


# Windows


def test_an_upload_waits_for_the_hosts_windows(make):
    """Memory holds a little; the client is stopped; when the windows open, every byte arrives."""
    body = bytes(range(256)) * (64 << 10)  # 16 MiB
    go_on = threading.Event()
    got = []

    def raw(connection):
        server = http2.Server(connection, {INITIAL_WINDOW_SIZE: 65535})
        preface = server.read(len(http2.PREFACE))
        assert preface == http2.PREFACE
        server.send(http2.settings({INITIAL_WINDOW_SIZE: 65535}))
        server.pump_until(lambda: server.messages)
        assert go_on.wait(30)
        server.send(http2.window_update(0, 1 << 30), http2.window_update(1, 1 << 30))
        server.pump_until(lambda: server.messages[1].ended)
        got.append(server.messages[1].body)
        server.reply(1, b"done")
        server.finish()

    scene = Setup(make, raw, timeout="0s")
    before = scene.proxy.resident_kib()
    with Client(scene.port) as client:
        sender = threading.Thread(
            target=client.send, args=(head_bytes("POST", "/", [("Content-Length", str(len(body)))]) + body,), daemon=True)
        sender.start()
        wait.until_steady(lambda: scene.proxy.stat("http.ingress.downstream_cx_rx_bytes_total"), "bytes of the upload", 0.3)
        assert scene.proxy.resident_kib() - before < 12 << 10
        go_on.set()
        assert client.response().body == b"done"
        sender.join(10)
    assert got == [body]


def test_a_download_waits_for_the_client(make):
    """The client does not read: the host is stopped by its windows, and another client is served by the same connection."""
    sent = [0]
    size = 64 << 20

    def script(server, request):
        if request.path != "/big":
            return ok(server, request)
        server.send(http2.headers(request.stream, server.encode([(":status", 200), ("content-length", size)])))

        def feed():
            # The server's own loop goes on taking WINDOW_UPDATEs and requests: it alone writes the windows.
            while sent[0] < size:
                granted = min(server.connection_window, server.window(request.stream))
                room = min(granted - sent[0], 16384, size - sent[0])
                if room <= 0:
                    time.sleep(0.002)
                    continue
                sent[0] += room
                server.send(http2.data(request.stream, bytes(room), ends=sent[0] == size))

        threading.Thread(target=feed, daemon=True).start()

    windows = {"initial_stream_window_size": 1 << 20, "initial_connection_window_size": 4 << 20}
    scene = setup(make, script, options=http2_options(**windows), timeout="0s")
    before = scene.proxy.resident_kib()
    with Client(scene.port, receive_buffer_bytes=65536) as stalled:
        stalled.send(head_bytes("GET", "/big", []))
        wait.until(lambda: sent[0], "the first bytes")
        wait.until_steady(lambda: sent[0], "bytes sent", 0.3)
        assert 0 < sent[0] < 24 << 20
        assert scene.proxy.resident_kib() - before < 16 << 10
        assert [get(scene.port).status for _ in range(10)] == [200] * 10
        assert len(stalled.response().body) == size
    assert scene.origin.connections_total == 1


def test_an_abandoned_download_gives_its_window_back(make):
    """Bytes of streams that nobody wants must not use up the connection's window."""

    def script(server, request):
        server.send(http2.headers(request.stream, server.encode([(":status", 200)])))
        # The stream's whole window, and no end.
        left = server.window(request.stream)
        while left:
            server.pump_until(lambda: server.connection_window >= min(left, 16384))
            piece = min(left, 16384)
            server.connection_window -= piece
            left -= piece
            server.send(http2.data(request.stream, bytes(piece)))

    windows = {"initial_stream_window_size": 65535, "initial_connection_window_size": 65535}
    scene = setup(make, script, options=http2_options(**windows))
    for _ in range(10):
        with http2.Client(scene.port) as client:
            stream = client.open()
            client.head(stream)
            client.pump_until(lambda: len(client.message(stream).body) > 30000)
            client.send(http2.rst_stream(stream))
            assert client.is_alive()
    assert scene.origin.connections_total == 1


def test_statistics_after_all(make):
    script = refusing(1)
    scene = setup(make, script)
    with http2.Client(scene.port) as client:
        for _ in range(5):
            client.request("POST", body=b"x" * 1000)
    for name in ("streams_active", "pending_send_bytes", "outbound_frames_active", "outbound_control_frames_active"):
        wait.until(lambda: scene.stat(f"http2.{name}") == 0, f"{name} is 0")
    assert scene.stat("upstream_rq_active") == 0




@pytest.mark.parametrize("field", ["per_try_timeout", "per_try_idle_timeout"])
def test_an_attempt_that_is_late_is_cancelled(make, field):
    """A request without a body has been sent as a whole: the host would go on with it."""
    servers = []

    def script(server, request):
        servers.append(server)
        if len(servers) > 1:
            ok(server, request)

    scene = setup(make, script, timeout="20s", retry_policy={"retry_on": "5xx", field: "1s"})
    assert get(scene.port).status == 200
    wait.until(lambda: servers[0].messages[1].reset == CANCEL, "RST_STREAM(CANCEL)")
    assert scene.origin.connections_total == 1 and scene.stat("upstream_rq_tx_reset") == 1


def test_an_attempt_beyond_its_duration_is_cancelled(make):
    servers = []

    def script(server, request):
        servers.append(server)
        if len(servers) > 1:
            ok(server, request)

    scene = setup(
        make, script, options=http2_options({"max_stream_duration": "1s"}), timeout="20s", retry_policy={"retry_on": "5xx"}
    )
    assert get(scene.port).status == 200
    wait.until(lambda: servers[0].messages[1].reset == CANCEL, "RST_STREAM(CANCEL)")


def test_a_response_that_is_dropped_is_cancelled(make):
    """Its head is a reason to repeat, and nobody wants the rest."""
    servers = []

    def script(server, request):
        servers.append(server)
        if len(servers) > 1:
            return ok(server, request)
        server.send(http2.head(request.stream, server.encode([(":status", 503)])), http2.data(request.stream, b"a part"))

    scene = setup(make, script, retry_policy={"retry_on": "5xx"})
    assert get(scene.port).status == 200
    wait.until(lambda: servers[0].messages[1].reset == CANCEL, "RST_STREAM(CANCEL)")
    assert scene.origin.connections_total == 1 and scene.stat("upstream_rq_tx_reset") == 1
