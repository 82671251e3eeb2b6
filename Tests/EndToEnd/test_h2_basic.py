"""HTTP/2 from clients: what people use, every kind of message, and how the protocol is found out."""

import json
import pathlib
import re
import subprocess
import threading

import pytest

from harness import config, http2, wait
from harness.client import Client, Closed, head_bytes
from harness.client import get as http1_get
from harness.http2 import (
    CANCEL, ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, NO_ERROR, NO_RFC7540_PRIORITIES, PREFACE,
    PROTOCOL_ERROR,
)  # fmt: skip
from harness.origin import echo

MIB = bytes(range(256)) * 4096


def answers(connection, request):
    """The origin of most tests: the path says what to do."""
    path = request.target.split("?")[0]
    if path == "/chunked":
        connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-t: 1\r\n\r\n")
    elif path == "/until-close":
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nuntil close")
        return False
    elif path == "/204":
        connection.send(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
    elif path == "/304":
        connection.send(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\netag: x\r\n\r\n")
    elif path == "/head":
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n")
    elif path == "/interim":
        connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    elif path == "/fields":
        connection.reply(b"x", headers=[("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "1"), ("X-Mixed-Case", "Value"),
                                        ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])  # fmt: skip
    elif path == "/mib":
        connection.reply(MIB)
    elif path == "/cut":
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        return False
    elif path == "/cut-chunk":
        connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
        return False
    else:
        return echo(connection, request)


@pytest.fixture(scope="module")
def proxy(make_shared):
    proxy = make_shared.proxy(config.simple(make_shared.origin(answers).port))
    proxy.http_port = proxy.port()
    return proxy


@pytest.fixture
def client(proxy):
    with http2.Client(proxy.http_port) as client:
        yield client


def arrived(response):
    assert response.status == 200, response
    return json.loads(response.body)


# Programs that people use


def run(*command, seconds=60):
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    return result.stdout


def test_curl(proxy, tmp_path):
    url = f"http://127.0.0.1:{proxy.http_port}"
    (tmp_path / "body").write_bytes(MIB)
    curl = ["curl", "-sS", "--http2-prior-knowledge"]
    got = json.loads(run(*curl, "--data-binary", f"@{tmp_path}/body", f"{url}/upload?x=1"))
    assert (got["method"], got["target"], len(got["body"])) == ("POST", "/upload?x=1", len(MIB))
    assert "HTTP/2 200" in run(*curl, "-I", f"{url}/")
    run(*curl, "-o", tmp_path / "got", f"{url}/mib")
    assert (tmp_path / "got").read_bytes() == MIB


def test_curl_asks_for_an_upgrade_and_gets_http1(proxy):
    """`Upgrade: h2c` is ignored (RFC 9113 section 3.1 took it away)."""
    assert "HTTP/1.1 200" in run("curl", "-sS", "--http2", "-i", f"http://127.0.0.1:{proxy.http_port}/")


def test_h2load(make):
    proxy = make.proxy(config.simple(make.origin(lambda connection, request: connection.reply(b"x" * 100)).port), concurrency=2)
    text = run("h2load", "-n", "5000", "-c", "10", "-m", "32", f"http://127.0.0.1:{proxy.port()}/")
    assert "5000 succeeded, 0 failed" in text, text
    assert proxy.stat("http.ingress.downstream_rq_2xx") == 5000
    assert proxy.stat("http.ingress.downstream_cx_http2_total") == 10


def test_nghttp(proxy):
    url = f"http://127.0.0.1:{proxy.http_port}"
    text = run("nghttp", "-v", "-m", "3", f"{url}/mib", f"{url}/chunked", f"{url}/204")
    assert text.count("END_STREAM") >= 3 and "GOAWAY" in text and "error_code=NO_ERROR" in text, text[-3000:]


# Messages


def test_request_arrives(client):
    got = arrived(client.get("/a?b=c", [("x-a", "1"), ("x-a", "2"), ("accept", "*/*")]))
    fields = got["fields"]
    assert (got["method"], got["target"]) == ("GET", "/a?b=c")
    assert ["host", "test.example"] in fields and ["x-a", "1"] in fields and ["x-a", "2"] in fields
    assert ["x-forwarded-proto", "http"] in fields
    assert not [name for name, _ in fields if name in ("transfer-encoding", "content-length", "connection")]


def test_response_fields(client):
    response = client.get("/fields")
    assert response.get("x-mixed-case") == "Value" and response.get("content-length") == "1"
    assert response.values("set-cookie") == ["a=1", "b=2"]
    assert not {"connection", "keep-alive", "x-hop", "transfer-encoding"} & {name for name, _ in response.fields}
    assert response.get("server") == "envoy" and "x-envoy-upstream-service-time" in response


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 65535, 65536, 1 << 20])
@pytest.mark.parametrize("length", [True, False], ids=["length", "unknown length"])
def test_upload(client, size, length):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    extra = [("content-length", size)] if length else []
    got = arrived(client.request("POST", "/", extra, body))
    assert got["body"].encode() == body
    names = [name for name, _ in got["fields"]]
    assert ("content-length" in names) == length and ("transfer-encoding" in names) == (not length)


def test_upload_in_many_frames_with_padding(client):
    stream = client.open("POST", "/", ends=False)
    for number in range(200):
        client.send(http2.data(stream, b"%03d." % number, padding=number))
    client.send(http2.data(stream, ends=True))
    assert arrived(client.response(stream))["body"] == "".join("%03d." % number for number in range(200))


def test_bodies(client):
    assert client.get("/mib").body == MIB
    assert client.get("/chunked").body == b"abcdefg"
    assert client.get("/until-close").body == b"until close"


def test_download_within_small_windows(proxy):
    with http2.Client(proxy.http_port, window=1000) as client:
        stream = client.open(path="/mib")
        message = client.message(stream)
        while not message.is_over:
            client.pump()
            if client.frames[-1].type == http2.DATA:
                # Of both windows exactly what came: whole again.
                spent = len(message.body) - getattr(message, "credited", 0)
                message.credited = len(message.body)
                client.send(http2.window_update(0, spent), http2.window_update(stream, spent))
        assert message.body == MIB


def test_answers_without_content(client):
    head = client.request("HEAD", "/head")
    assert (head.status, head.get("content-length"), head.body, head.data_frames) == (200, "1234", b"", 0)
    no_content = client.get("/204")
    assert (no_content.status, no_content.body, no_content.data_frames) == (204, b"", 0) and "content-length" not in no_content
    not_modified = client.get("/304")
    assert (not_modified.status, not_modified.get("etag"), not_modified.data_frames) == (304, "x", 0)
    assert client.get("/chunked").body == b"abcdefg", "the connections go on"


def test_trailers_are_dropped_without_enable_trailers(client):
    assert client.get("/chunked").trailers == []
    got = arrived(client.request("POST", "/", body=b"x", trailers=[("x-t", "1")]))
    assert (got["body"], got["trailers"]) == ("x", [])


def test_connect_is_not_for_everybody(client):
    """CONNECT has no route here; extended CONNECT was not offered."""
    stream = client.open_raw([(":method", "CONNECT"), (":authority", "a.example:443")], ends=False)
    assert client.response(stream).status == 404
    assert client.get("/204").status == 204
    stream = client.open_raw([*http2.request_fields("CONNECT"), (":protocol", "websocket")], ends=False)
    try:
        response = client.response(stream)
        assert response.reset is not None or response.status in (403, 404)
    except Closed:
        assert client.goaways[-1].code == PROTOCOL_ERROR


def test_expect_continue(client):
    stream = client.open("POST", "/", [("expect", "100-continue"), ("content-length", 2)], ends=False)
    message = client.message(stream)
    client.pump_until(lambda: message.interim)
    assert message.interim == [[(":status", "100")]]
    client.send_body(stream, b"hi")
    got = arrived(client.response(stream))
    assert got["body"] == "hi" and "expect" not in [name for name, _ in got["fields"]]


def test_interim_responses_are_dropped(client):
    response = client.get("/interim")
    assert (response.interim, response.status, response.body) == ([], 200, b"ok")


def test_interim_responses_pass_with_proxy_100_continue(make):
    proxy = make.proxy(config.simple(make.origin(answers).port, proxy_100_continue=True))
    response = http2.get(proxy.port(), "/interim")
    assert [dict(fields)[":status"] for fields in response.interim] == ["103"]
    assert (response.status, response.body) == (200, b"ok")


def test_an_answer_before_the_end_of_the_request(make):
    """END_STREAM first, then RST_STREAM(NO_ERROR): RFC 9113 section 8.1."""
    origin = make.origin(lambda connection, request: connection.reply(b"early") or False, read_body=False)
    proxy = make.proxy(config.simple(origin.port))
    with http2.Client(proxy.port()) as client:
        stream = client.open("POST", "/", ends=False)
        client.send(http2.data(stream, b"x" * 1000))
        message = client.message(stream)
        client.pump_until(lambda: message.reset is not None)
        assert (message.status, message.body, message.ended, message.reset) == (200, b"early", True, NO_ERROR)
        client.send(http2.data(stream, b"x" * 1000), http2.data(stream, ends=True))
        assert client.is_alive(), "what was on its way is ignored"
        assert client.get().body == b"early"
    assert proxy.stat("http.ingress.downstream_rq_response_before_rq_complete") >= 1


@pytest.mark.parametrize("path", ["/cut", "/cut-chunk"])
def test_a_cut_answer_never_looks_whole(client, path):
    response = client.get(path)
    assert (response.ended, response.reset) == (False, http2.INTERNAL_ERROR)
    # Of an answer that begins and breaks in one turn the client sees only the reset.
    assert not response.has_head or response.status == 200
    assert response.body in (b"", b"part")
    assert client.get("/204").status == 204


def test_local_replies(make):
    listener = config.http_listener(config.virtual_host(config.route("/dead", "dead"), {
        "match": {"path": "/direct"}, "direct_response": {"status": 403, "body": {"inline_string": "no"}}}))  # fmt: skip
    from harness.origin import free_port

    proxy = make.proxy(config.bootstrap([listener], [config.cluster("dead", free_port())]))
    with http2.Client(proxy.port()) as client:
        direct = client.get("/direct")
        assert (direct.status, direct.body, direct.get("content-length")) == (403, b"no", "2")
        assert client.get("/none").status == 404
        assert client.request("POST", "/none", body=b"x").status == 404
        dead = client.get("/dead")
        assert dead.status == 503 and dead.body.startswith(b"upstream connect error")
        head = client.request("HEAD", "/direct")
        assert (head.status, head.body, head.get("content-length")) == (403, b"", "2")


# Streams side by side


def test_streams_are_independent(make):
    release = threading.Event()

    def script(connection, request):
        if request.target == "/wait":
            assert release.wait(20)
        connection.reply(request.target.encode())

    origin = make.origin(script)
    proxy = make.proxy(config.simple(origin.port))
    with http2.Client(proxy.port()) as client:
        slow = [client.open(path="/wait") for _ in range(20)]
        quick = [client.open(path=f"/{number}") for number in range(100)]
        for number, stream in enumerate(quick):
            assert client.response(stream).body == b"/%d" % number
        assert not any(client.message(stream).has_head for stream in slow)
        release.set()
        assert all(client.response(stream).body == b"/wait" for stream in slow)


def test_big_answers_take_turns(make):
    proxy = make.proxy(config.simple(make.origin(lambda connection, request: connection.reply(MIB)).port))
    with http2.Client(proxy.port(), window=65535, receive_buffer_bytes=32768) as client:
        # No room in the connection: all four have something to say when there is some.
        messages = [client.message(client.open(path="/")) for _ in range(4)]
        client.pump_until(lambda: sum(len(message.body) for message in messages) == 65535)
        wait.until(lambda: proxy.stat("http2.pending_send_bytes") > 0, "something waits")
        wait.until_steady(lambda: proxy.stat("http2.pending_send_bytes"), "what waits", 0.2)
        credit = [http2.window_update(message.stream, len(MIB)) for message in messages]
        client.send(*credit, http2.window_update(0, 1 << 24))
        client.pump_until(lambda: any(message.ended for message in messages))
        assert min(len(message.body) for message in messages) > len(MIB) // 4
        client.pump_until(lambda: all(message.ended for message in messages))
        assert all(message.body == MIB for message in messages)


def test_a_stream_without_windows_does_not_stop_its_neighbours(make):
    proxy = make.proxy(config.simple(make.origin(answers).port))
    with http2.Client(proxy.port(), {INITIAL_WINDOW_SIZE: 0}) as client:
        stalled = [client.open(path="/mib") for _ in range(8)]
        for stream in stalled:
            client.head(stream)
        for _ in range(20):
            stream = client.open(path="/mib")
            client.send(http2.window_update(stream, len(MIB)))
            assert client.response(stream).body == MIB
        for stream in stalled:
            client.send(http2.window_update(stream, len(MIB)))
        assert all(client.response(stream).body == MIB for stream in stalled)


def test_a_reset_ends_the_exchange_upstream_only_for_its_stream(make):
    began = []

    def script(connection, request):
        if request.target == "/endless":
            began.append(connection)
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.send(b"x" * 1000)
                wait.time.sleep(0.01)
        connection.reply(b"fine")

    origin = make.origin(script)
    proxy = make.proxy(config.simple(origin.port))
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/endless")
        client.head(stream)
        client.send(http2.rst_stream(stream, CANCEL))
        wait.until(lambda: origin.connections_active == 0, "the origin's connection is closed")
        assert client.get().body == b"fine"
    stats = proxy.stats()
    assert stats["http.ingress.downstream_rq_rx_reset"] == 1 and stats["http2.rx_reset"] == 1


def test_a_disconnect_ends_all_exchanges(make):
    release = threading.Event()
    origin = make.origin(lambda connection, request: release.wait(20))
    proxy = make.proxy(config.simple(origin.port))
    client = http2.Client(proxy.port())
    for _ in range(10):
        client.open()
    wait.until(lambda: origin.requests_total == 10, "ten requests are upstream")
    client.close()
    wait.until(lambda: proxy.stat("http.ingress.downstream_rq_active") == 0, "no request is active")
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "no connection is open")
    release.set()
    wait.until(lambda: proxy.stat("http2.streams_active") == 0, "no stream is open")


# Time


def stuck(make, **hcm):
    """A proxy before an origin that never ends what it begins."""
    release = threading.Event()

    def script(connection, request):
        if request.target == "/half":
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        if request.target != "/":
            release.wait(20)
        connection.reply(b"ok")

    action = hcm.pop("action", {"timeout": "0s"})
    listener = config.http_listener(config.virtual_host(config.route(**action)), hcm=hcm)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin(script).port)]))
    return proxy, release


@pytest.mark.parametrize(
    "options, status",
    [({"action": {"timeout": "1s"}}, 504), ({"stream_idle_timeout": "1s"}, 504),
     ({"common_http_protocol_options": {"max_stream_duration": "1s"}}, 504)],
    ids=["route timeout", "idle timeout", "duration"],
)  # fmt: skip
def test_timeouts_before_and_within_an_answer(make, options, status):
    """Before it: an answer. Within it: RST_STREAM, for the stream alone. The origin begins long before the time is over."""
    proxy, release = stuck(make, **options)
    with http2.Client(proxy.port()) as client:
        late, half = client.open(path="/late"), client.open(path="/half")
        assert client.response(late).status in (status, 408)
        assert (client.response(half).status, client.response(half).ended) == (200, False)
        assert client.response(half).reset == CANCEL
        assert client.get().status == 200
    release.set()


def test_request_timeout(make):
    proxy, release = stuck(make, request_timeout="0.2s")
    with http2.Client(proxy.port()) as client:
        stream = client.open("POST", "/", ends=False)
        assert client.response(stream).status == 408
        message = client.message(stream)
        client.pump_until(lambda: message.reset is not None)
        assert message.reset == NO_ERROR
        assert client.get().status == 200
    release.set()


# Memory


def test_a_client_that_reads_nothing_stops_the_origin(make):
    size, sent = 64 << 20, [0]

    def script(connection, request):
        if request.target == "/quick":
            return connection.reply(b"ok")
        connection.sock.settimeout(60)
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent[0] < size:
            sent[0] += connection.sock.send(MIB[: size - sent[0]])

    listener = config.http_listener(config.virtual_host(config.route(timeout="0s")))
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", make.origin(script).port)]))
    with http2.Client(proxy.port(), receive_buffer_bytes=65536) as stalled, http2.Client(proxy.port()) as client:
        assert client.get("/quick").status == 200
        before = proxy.resident_kib()
        stream = stalled.open(path="/big")
        wait.until(lambda: sent[0], "the first bytes")
        wait.until_steady(lambda: sent[0], "bytes sent into the stalled connection")
        assert 0 < sent[0] < 48 << 20 and proxy.resident_kib() - before < 12 << 10
        assert client.get("/quick").status == 200
        assert len(stalled.response(stream).body) == size
        assert proxy.resident_kib() - before < 12 << 10


def test_an_origin_that_reads_nothing_stops_the_client(make):
    """Windows are not given back, and the connection's other streams go on."""
    go_on, got = threading.Event(), []
    size = 8 << 20

    def script(connection, request):
        if request.target == "/quick":
            return connection.reply(b"ok")
        go_on.wait(30)
        got.append(len(connection.exactly(size)))
        connection.reply(b"done")

    options = {"initial_stream_window_size": 1 << 20, "initial_connection_window_size": 4 << 20}
    origin = make.origin(script, read_body=False)
    proxy = make.proxy(config.simple(origin.port, http2_protocol_options=options, stream_idle_timeout="0s"))
    with http2.Client(proxy.port()) as client:
        assert client.get("/quick").status == 200
        before = proxy.resident_kib()
        stream = client.open("POST", "/", [("content-length", size)], ends=False)
        sender = threading.Thread(target=client.send_body, args=(stream, bytes(size)), daemon=True)
        sender.start()
        wait.until_steady(lambda: proxy.stat("http.ingress.downstream_cx_rx_bytes_total"), "bytes of the upload", 0.3)
        assert proxy.resident_kib() - before < 8 << 10
        with http2.Client(proxy.port()) as other:
            assert other.get("/quick").status == 200
        go_on.set()
        sender.join(20)
        assert client.response(stream).body == b"done"
    assert got == [size]


# Which protocol


def test_settings_say_what_the_configuration_says(make):
    options = {"max_concurrent_streams": 77, "initial_stream_window_size": 70000, "initial_connection_window_size": 100000}
    proxy = make.proxy(config.simple(make.origin().port, http2_protocol_options=options))
    with http2.Client(proxy.port()) as client:
        client.handshake()
        assert client.peer_settings[MAX_CONCURRENT_STREAMS] == 77
        assert client.peer_settings[INITIAL_WINDOW_SIZE] == 70000
        assert client.peer_settings.get(ENABLE_CONNECT_PROTOCOL, 0) == 0
        assert client.peer_settings[NO_RFC7540_PRIORITIES] == 1
        client.is_alive()
        assert client.connection_window == 100000


@pytest.mark.parametrize("codec", ["AUTO", "HTTP1", "HTTP2"])
def test_codec_type(make, codec):
    proxy = make.proxy(config.simple(make.origin().port, codec_type=codec))
    port = proxy.port()
    if codec == "HTTP1":
        with Client(port) as client:
            client.send(PREFACE)
            assert client.response().status in (400, 505)
            assert client.is_closed()
    else:
        assert http2.get(port).status == 200
    if codec == "HTTP2":
        with http2.Client(port, start=False) as client:
            client.send(head_bytes("GET", "/", []))
            assert client.finish().code == PROTOCOL_ERROR
    else:
        assert http1_get(port).status == 200


def test_the_preface_cut_anywhere(proxy):
    opening = PREFACE + http2.settings() + http2.headers(1, http2.literals(http2.request_fields()), ends=True)
    for cut in range(1, len(PREFACE) + 9):
        with http2.Client(proxy.http_port, start=False) as client:
            client.send(opening[:cut])
            # An answer on another connection says that the first piece has been looked at.
            assert http1_get(proxy.http_port, "/204").status == 204
            client.send(opening[cut:])
            assert client.response(1).status == 200


def test_the_preface_byte_by_byte(proxy):
    opening = PREFACE + http2.settings() + http2.headers(1, http2.literals(http2.request_fields()), ends=True)
    with http2.Client(proxy.http_port, start=False) as client:
        for byte in opening:
            client.send(bytes([byte]))
        assert client.response(1).status == 200


@pytest.mark.parametrize("start", ["P", "PO", "PR", "PRI", "PRI ", "PRI * HTTP/2.0\r\n"])
def test_what_only_begins_like_the_preface_is_http1(proxy, start):
    with Client(proxy.http_port) as client:
        client.send(start.encode())
        assert http1_get(proxy.http_port, "/204").status == 204
        if start == "P":
            client.send(b"OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
            assert client.response().status == 200
        elif start == "PO":
            client.send(b"ST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
            assert client.response().status == 200
        else:
            client.send(b"X\r\n\r\n" if start.endswith("\n") else b"X / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert client.response().status in (200, 400, 505)


def test_half_a_preface_is_timed(make):
    proxy = make.proxy(config.simple(make.origin().port, request_headers_timeout="0.2s"))
    with Client(proxy.port()) as client:
        client.send(PREFACE[:10])
        try:
            assert client.response().status == 408
        except Closed:
            pass
        assert client.is_closed()


# What is counted and logged


def test_statistics(make):
    proxy = make.proxy(config.simple(make.origin().port))
    with http2.Client(proxy.port()) as client:
        for _ in range(3):
            client.get()
        stats = proxy.stats()
        assert stats["http.ingress.downstream_cx_http2_total"] == stats["http.ingress.downstream_cx_http2_active"] == 1
        assert stats["http.ingress.downstream_rq_http2_total"] == stats["http.ingress.downstream_rq_total"] == 3
        assert stats["http.ingress.downstream_cx_http1_total"] == 0
        assert stats["http.ingress.downstream_rq_2xx"] == 3
        # The client may have the last frames before the worker hears that they are out.
        for name in ("streams_active", "pending_send_bytes", "outbound_frames_active", "outbound_control_frames_active"):
            wait.until(lambda: proxy.stat(f"http2.{name}") == 0, f"{name} is 0")
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_http2_active") == 0, "the connection is gone")


def test_access_log(make, tmp_path):
    log = pathlib.Path(tmp_path) / "log"
    format = "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %PROTOCOL% %UPSTREAM_PROTOCOL% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"
    release = threading.Event()

    def script(connection, request):
        if request.target == "/wait":
            release.wait(20)
        connection.reply(b"four")

    document = config.simple(make.origin(script).port, access_log=[config.file_log(log, format)])
    proxy = make.proxy(document, arguments=["--file-flush-interval-msec", "20"])
    with http2.Client(proxy.port()) as client:
        client.request("POST", "/a", body=b"12345")
        stream = client.open(path="/wait")
        wait.until(lambda: proxy.stat("cluster.origin.upstream_rq_active") == 1, "the request is upstream")
        client.send(http2.rst_stream(stream))
        assert client.get("/b").status == 200
    release.set()
    lines = wait.until(lambda: (text := log.read_text()).count("\n") == 3 and text.splitlines(), "three lines")
    assert lines[0] == "POST /a test.example HTTP/2 HTTP/1.1 200 5 4 - via_upstream"
    assert re.fullmatch(r"GET /wait test\.example HTTP/2 \S+ 0 0 0 DR http2\.remote_reset", lines[1]), lines[1]
    assert lines[2] == "GET /b test.example HTTP/2 HTTP/1.1 200 0 4 - via_upstream"
