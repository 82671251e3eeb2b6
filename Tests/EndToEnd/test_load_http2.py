"""apus-load over HTTP/2: what it sends, good and hostile servers, calls of gRPC, its origin for others."""

import collections
import socket
import subprocess
import time

import pytest

from harness import http2
from harness.http2 import DATA, HEADERS, RST_STREAM, Client, serving
from harness.load import LoadOrigin, Report, run

pytestmark = pytest.mark.apus_only


@pytest.fixture
def load_origin(make):
    def start(*flags):
        make.made.append(LoadOrigin(*flags))
        return make.made[-1]

    return start


def url(origin, path="/"):
    return f"http://127.0.0.1:{origin.port}{path}"


def ok(server, request):
    server.reply(request.stream, b"ok")


def h2(make, script=ok, **named):
    return make.origin(raw=serving(script, **named))


# What reaches the server


def test_requests(make, tmp_path):
    seen = []

    def note(server, request):
        seen.append((server.number, request))
        server.reply(request.stream, b"ok")

    urls = tmp_path / "urls.txt"
    urls.write_text("3 /a/{n}\n1 /b?id={uuid}\n")
    arguments = ["--http2", "--streams", 4, "--urls", urls, "-n", 400, "-c", 2, "-m", "PUT"]
    fields = ["-H", "X-One: 1", "-H", "Host: a.example", "-H", "Connection: keep-alive"]
    report = Report(tmp_path, url(h2(make, note)), *arguments, *fields, "--body-size", "10..20", "--expect-body", "ok")
    assert report.status == 0 and len(seen) == 400
    assert report.json["protocol"] == "HTTP/2" and report.json["streams"] == 4
    assert len({number for number, _ in seen}) == 2
    for _, request in seen:
        fields = dict(request.fields)
        assert list(fields)[:4] == [":method", ":scheme", ":authority", ":path"]
        assert fields[":method"] == "PUT" and fields[":scheme"] == "http" and fields[":authority"] == "a.example"
        assert fields["x-one"] == "1" and "connection" not in fields and "host" not in fields
        assert int(fields["content-length"]) == len(request.body) and 10 <= len(request.body) <= 20
        assert request.body == b"abcdefghijklmnopqrst"[: len(request.body)]
    numbers = [int(request.path[3:]) for _, request in seen if request.path.startswith("/a/")]
    assert abs(len(numbers) - 300) < 44 and len(set(numbers)) == len(numbers) and set(numbers) <= set(range(400))


def test_so_many_streams_at_once_and_no_more_than_the_server_takes(make, tmp_path):
    most = collections.Counter()

    def held(limit):
        """Answers when `limit` requests are there, all of them."""
        waiting = []

        def script(server, request):
            waiting.append(request.stream)
            most[limit] = max(most[limit], len(waiting))
            if len(waiting) == limit:
                for stream in waiting:
                    server.reply(stream, b"ok")
                waiting.clear()

        return script

    report = Report(tmp_path, url(h2(make, held(8))), "--http2", "--streams", 8, "-c", 1, "-n", 80)
    assert report.status == 0 and most[8] == 8
    few = h2(make, held(3), values={http2.MAX_CONCURRENT_STREAMS: 3}.items())
    report = Report(tmp_path, url(few), "--http2", "--streams", 3, "-c", 1, "-n", 60)
    assert report.status == 0 and most[3] == 3


def test_a_server_that_takes_fewer_is_obeyed(make, tmp_path):
    """Before its SETTINGS come all may go; afterwards never more than it says."""
    open_at_once, most = set(), []

    def script(server, request):
        started = {stream for stream, message in server.messages.items() if message.has_head}
        open_at_once.update(started)
        answered = getattr(server, "answered", set())
        if server.requests > 20:
            most.append(len(started - answered))
        answered.add(request.stream)
        server.answered = answered
        server.reply(request.stream, b"ok")

    origin = h2(make, script, values={http2.MAX_CONCURRENT_STREAMS: 2}.items())
    report = Report(tmp_path, url(origin), "--http2", "--streams", 10, "-c", 1, "-n", 300)
    assert report.status == 0 and report.totals["connections_opened"] == 1
    assert max(most) <= 2


def test_bodies_wait_for_windows(make, tmp_path):
    sizes = []

    def script(server, request):
        sizes.append(len(request.body))
        server.reply(request.stream, b"ok")

    def opens_slowly(connection):
        server = http2.Server(connection, {})
        assert server.read(len(http2.PREFACE)) == http2.PREFACE
        server.send(http2.settings({http2.INITIAL_WINDOW_SIZE: 1000}))
        while True:
            taken = server.pump()
            request = server.messages.get(taken.stream)
            if taken.type == DATA and taken.stream and not request.ended:
                server.send(http2.window_update(taken.stream, 1000), http2.window_update(0, 1000))
            if request is not None and request.ended and taken.type in (DATA, HEADERS):
                script(server, request)

    arguments = ["--http2", "--streams", 3, "-c", 1, "-n", 12, "--body-size", "20k"]
    assert Report(tmp_path, url(make.origin(raw=opens_slowly)), *arguments).status == 0
    assert sizes == [20 * 1024] * 12


def test_good_answers_in_odd_pieces(make, tmp_path):
    def script(server, request):
        interim = server.encode([(":status", 103), ("link", "</x>")])
        block = server.encode([(":status", 200), ("content-length", 3)])
        frames = http2.head(request.stream, interim)
        frames += http2.headers(request.stream, block[:1], ends_headers=False)
        frames += http2.continuation(request.stream, block[1:])
        frames += http2.data(request.stream, b"") + http2.data(request.stream, b"ab", padding=7)
        frames += http2.data(request.stream, b"c", ends=True) + http2.ping(b"01234567") + http2.frame(0x42, 0, 0, b"?")
        for at in range(len(frames)):
            server.send(frames[at : at + 1])

    report = Report(tmp_path, url(h2(make, script)), "--http2", "-c", 1, "-n", 5, "--expect-body", "abc")
    assert report.status == 0, report.process.stderr


# What goes wrong


def replies(status=200, body=b"ok", **named):
    return lambda server, request: server.reply(request.stream, body, status=status, **named)


def frames(make_frames):
    return lambda server, request: server.send(make_frames(server, request))


def ends(server, *last_words):
    """Sends no more. What still comes is read, or the end would be a reset."""
    server.send(*last_words)
    server.sock.shutdown(socket.SHUT_WR)


def resets(code):
    return frames(lambda server, request: http2.rst_stream(request.stream, code))


def resets_in_the_middle(server, request):
    opening = http2.head(request.stream, server.encode([(":status", 200)])) + http2.data(request.stream, b"a")
    server.send(opening, http2.rst_stream(request.stream, 99))


def heads(*fields, then=None):
    """A response's head, each field a literal, and DATA that ends it."""

    def script(server, request):
        head = http2.head(request.stream, http2.literals(fields), ends=then is None)
        server.send(head, b"" if then is None else http2.data(request.stream, then, ends=True))

    return script


HTTP1 = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
ERRORS = [
    ("reset", resets(http2.INTERNAL_ERROR), "stream_reset", "RST_STREAM with INTERNAL_ERROR"),
    ("refused", resets(http2.REFUSED_STREAM), "stream_reset", "REFUSED_STREAM"),
    ("reset in the middle", resets_in_the_middle, "stream_reset", "code 99"),
    ("GOAWAY with an error", lambda s, r: ends(s, http2.goaway(r.stream, 11)), "goaway", "ENHANCE_YOUR_CALM"),
    ("not looked at", lambda s, r: s.send(http2.goaway(0)), "goaway", "before the request was looked at"),
    ("closed", lambda s, r: ends(s), "closed_early", None),
    ("connection reset", lambda s, r: s.reset() or False, "reset", None),
    ("status", replies(503), "unexpected_status", None),
    ("no status", heads(("a", "b")), "protocol_error", None),
    ("upper case", heads((":status", "200"), ("A", "b")), "protocol_error", None),
    ("too little", heads((":status", "200"), ("content-length", "9"), then=b"a"), "protocol_error", None),
    ("data first", frames(lambda s, r: http2.data(r.stream, b"x", ends=True)), "protocol_error", None),
    ("a long frame", frames(lambda s, r: http2.frame(DATA, 0, r.stream, b"x" * 20_000)), "protocol_error", None),
    ("bad compression", frames(lambda s, r: http2.headers(r.stream, b"\xff" * 7)), "protocol_error", None),
    ("HTTP/1", frames(lambda s, r: HTTP1 * 9), "protocol_error", None),
    ("silence", lambda s, r: None, "request_timeout", None),
    ("a large head", lambda s, r: s.send(b"".join(big_head(s, r.stream))), "protocol_error", None),
]


def big_head(server, stream):
    block = server.encode([(":status", 200)] + [(f"x-{i}", "y" * 1000) for i in range(80)])
    pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
    yield http2.headers(stream, pieces[0], ends=True, ends_headers=False)
    for piece in pieces[1:]:
        yield http2.continuation(stream, piece, ends_headers=piece is pieces[-1])


@pytest.mark.parametrize("name,script,kind,note", ERRORS, ids=[row[0] for row in ERRORS])
def test_errors(make, tmp_path, name, script, kind, note):
    origin = h2(make, script)
    timeout = "300ms" if kind == "request_timeout" else "10s"
    report = Report(tmp_path, url(origin), "--http2", "-c", 1, "-n", 3, "--timeout", timeout, "-d", "20s")
    assert report.status == 1 and report.errors == {kind: 3}, report.process.stderr
    assert report.totals["requests_sent"] == 3
    if note:
        assert f"first {kind}: " in report.process.stderr and note in report.process.stderr


def test_a_server_that_speaks_http1(load_origin, make, tmp_path):
    plain = make.origin(lambda connection, request: connection.reply(b"x"))
    report = Report(tmp_path, url(plain), "--http2", "-n", 2, "-c", 1)
    assert report.status == 1 and report.totals["successes"] == 0 and sum(report.errors.values()) == 2
    assert "the server may not speak HTTP/2" in report.process.stderr


def test_a_graceful_goaway_is_no_error(make, tmp_path):
    """Every tenth answer comes with GOAWAY: what is on its way is answered, later requests go on another connection."""

    def script(server, request):
        if server.requests == 10:
            server.send(http2.goaway((1 << 31) - 1))
        server.reply(request.stream, b"ok")

    report = Report(tmp_path, url(h2(make, script)), "--http2", "--streams", 3, "-c", 2, "-n", 300)
    assert report.status == 0 and report.totals["successes"] == 300 and report.errors == {}
    # Ten requests a connection, and those on their way at the GOAWAY.
    assert 300 / 13 - 2 <= report.totals["connections_opened"] <= 32


def test_a_timeout_cancels_one_stream(make, tmp_path):
    resets = []

    def script(server, request):
        resets.extend(frame for frame in server.frames if frame.type == RST_STREAM and frame not in resets)
        if request.path != "/never":
            time.sleep(0.02)  # so that the run lasts longer than the time limit
            server.reply(request.stream, b"ok")

    urls = tmp_path / "urls.txt"
    urls.write_text("9 /\n1 /never\n")
    origin = h2(make, script)
    report = Report(
        tmp_path, url(origin), "--urls", urls, "--http2", "--streams", 5, "-c", 1, "-n", 60, "--timeout", "400ms"
    )
    assert report.totals["connections_opened"] == 1 and set(report.errors) == {"request_timeout"}
    assert report.totals["successes"] + report.errors["request_timeout"] == 60
    assert resets and all(frame.code == http2.CANCEL for frame in resets)


def test_an_early_answer_stops_the_request(make, tmp_path):
    """The answer comes before the body: the rest of it is not sent."""
    bodies = {}

    def script(server, request):
        server.send(http2.head(request.stream, server.encode([(":status", 200)]), ends=True))
        bodies[request.stream] = request

    # A small window: the body cannot be out already.
    origin = h2(make, script, at_head=True, values={http2.INITIAL_WINDOW_SIZE: 1000}.items())
    report = Report(tmp_path, url(origin), "--http2", "-c", 1, "-n", 5, "--body-size", "100k")
    assert report.status == 0 and len(bodies) == 5
    assert all(len(request.body) <= 1000 and not request.ended for request in bodies.values())


# gRPC


def message(payload):
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def test_calls(make, tmp_path):
    seen = []

    def script(server, request):
        seen.append(request)
        server.reply(
            request.stream, message(b"answer"), fields=[("content-type", "application/grpc")],
            trailers=[("grpc-status", 0), ("grpc-message", "")],
        )  # fmt: skip

    arguments = ["--grpc", "--streams", 3, "-c", 1, "-n", 30, "--body-size", "1..300", "--expect-body", "answer"]
    report = Report(tmp_path, url(h2(make, script), "/pkg.Service/Method"), *arguments)
    assert report.status == 0 and report.json["grpc_statuses"] == {"0": 30} and report.json["protocol"] == "gRPC"
    for request in seen:
        assert request.method == "POST" and request.path == "/pkg.Service/Method" and request.get("te") == "trailers"
        assert request.get("content-type") == "application/grpc" and "content-length" not in request
        assert request.body[0] == 0 and int.from_bytes(request.body[1:5], "big") == len(request.body) - 5
    assert len({len(request.body) for request in seen}) > 3 and "0 OK" in report.process.stdout


def grpc_ends(**named):
    return lambda server, request: server.reply(request.stream, **named)


CALLS = [
    ("trailers-only", grpc_ends(fields=[("grpc-status", 14)], length=False), {"14": 2}, "unexpected_status"),
    ("trailers-only and fine", grpc_ends(fields=[("grpc-status", 0)], length=False), {"0": 2}, None),
    ("in trailers", grpc_ends(body=message(b""), trailers=[("grpc-status", 8)]), {"8": 2}, "unexpected_status"),
    ("no status", grpc_ends(body=message(b"x"), trailers=[("x", "y")]), {"2": 2}, "unexpected_status"),
    ("not a status", grpc_ends(body=message(b"x"), trailers=[("grpc-status", 17)]), {"2": 2}, "unexpected_status"),
    ("HTTP says it", grpc_ends(status=503, length=False), {"14": 2}, "unexpected_status"),
    ("half a message", grpc_ends(body=b"\0\0\0\0\5abc", trailers=[("grpc-status", 0)]), {}, "protocol_error"),
    ("two messages", grpc_ends(body=message(b"a") * 2, trailers=[("grpc-status", 0)]), {}, "protocol_error"),
    ("compressed", grpc_ends(body=b"\1\0\0\0\1a", trailers=[("grpc-status", 0)]), {}, "protocol_error"),
]


@pytest.mark.parametrize("name,script,statuses,kind", CALLS, ids=[row[0] for row in CALLS])
def test_how_calls_end(make, tmp_path, name, script, statuses, kind):
    report = Report(tmp_path, url(h2(make, script)), "--grpc", "-c", 1, "-n", 2)
    assert report.json.get("grpc_statuses", {}) == statuses
    assert report.errors == ({kind: 2} if kind else {}) and report.status == (1 if kind else 0)


# The origin for others


def test_the_origin_for_other_clients(load_origin, tmp_path):
    origin = load_origin("--size", "10")
    found = subprocess.run(["nghttp", "-v", url(origin)], capture_output=True, text=True, check=True).stdout
    assert ":status: 200" in found and "content-length: 10" in found and "abcdefghij" in found
    command = ["h2load", "-n", "1000", "-c", "2", "-m", "10", url(origin)]
    load = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1000 succeeded, 0 failed" in load.stdout
    command = ["curl", "-s", "--http2-prior-knowledge", "-d", "x" * 100_000, "-w", "%{http_code}"]
    command.append(url(origin, "/status/404/size/3"))
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "abc404"
    with Client(origin.port) as client:
        assert client.request("HEAD").body == b""
        assert client.get("/size/200000").body == b"abcdefghijklmnopqrstuvwxyz" * 7692 + b"abcdefgh"
        assert client.get("/status/204").status == 204
        stream = client.open("POST", extra=[("expect", "100-continue")], ends=False)
        client.pump_until(lambda: client.message(stream).interim)
        client.send(http2.data(stream, b"x", ends=True))
        assert client.response(stream).status == 200


def test_the_origin_and_its_plan(load_origin):
    with Client(load_origin("--chunked").port) as client:
        answer = client.get()
        assert "content-length" not in answer and len(answer.body) == 1024
    with Client(load_origin("--errors", "100%:reset").port) as client:
        assert client.get().reset == http2.INTERNAL_ERROR and client.is_alive()
    with Client(load_origin("--delay", "150ms").port) as client:
        began = time.monotonic()
        streams = [client.open() for _ in range(5)]
        for stream in streams:
            assert client.response(stream).status == 200
        assert 0.14 < time.monotonic() - began < 0.74, "together, not one after the other"
    with Client(load_origin("--grpc", "--size", "4").port) as client:
        answer = client.request("POST", "/a.B/C", body=message(b"x"))
        assert answer.body == message(b"abcd") and dict(answer.trailers) == {"grpc-status": "0"}
        assert answer.get("content-type") == "application/grpc"
        refused = client.request("POST", "/status/503", body=message(b"x"))
        assert refused.get("grpc-status") == "14" and refused.status == 200 and refused.body == b""


def test_a_preface_in_pieces(load_origin):
    origin = load_origin()
    client = Client(origin.port, start=False)
    opening = http2.PREFACE + http2.settings({}) + http2.head(1, client.encode(http2.request_fields()), ends=True)
    for at in range(len(opening)):
        client.send(opening[at : at + 1])
    assert client.response(1).status == 200


def test_the_origin_outlives_hostile_clients(load_origin, tmp_path):
    origin = load_origin("--size", "100k")
    with Client(origin.port) as client:  # cancels everything
        for _ in range(300):
            stream = client.open()
            client.send(http2.rst_stream(stream))
        assert client.is_alive()
    with Client(origin.port, start=False) as client:  # neither HTTP/2 nor HTTP/1
        client.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        client.finish()
    with Client(origin.port) as client:
        client.handshake()
        client.send(http2.headers(1, b"\xff\xff\xff\xff\xff\xff"))
        assert client.finish().code == http2.COMPRESSION_ERROR
    with Client(origin.port) as client:  # PING without end, and nothing read
        client.handshake()
        try:
            for _ in range(200):
                client.send(http2.ping() * 100)
        except OSError:
            pass
    slow = Client(origin.port, receive_buffer_bytes=4096)  # asks and does not read
    for _ in range(90):
        slow.open()
    assert Report(tmp_path, url(origin), "--http2", "--streams", 4, "-n", 100).status == 0
    slow.pump_until(lambda: sum(message.ended for message in slow.messages.values()) == 90)
    slow.close()
    with Client(origin.port) as client:
        client.open("POST", ends=False)  # and goes
    assert Report(tmp_path, url(origin), "-n", 100).status == 0


USAGE = [
    (["http://127.0.0.1:9/", "--streams", 2], "say --http2"),
    (["http://127.0.0.1:9/", "--http2", "--http1"], "exclude each other"),
    (["http://127.0.0.1:9/", "--http2", "--pipeline", 2], "say --streams"),
    (["http://127.0.0.1:9/", "--grpc", "-m", "GET"], "leave it out"),
    (["--origin", "127.0.0.1:0", "--echo", "--grpc"], "--grpc has no meaning with --echo"),
    (["http://127.0.0.1:9/", "--http2", "-H", "X: " + "y" * 20_000], "larger than 16000 bytes"),
]


@pytest.mark.parametrize("arguments,said", USAGE, ids=[" ".join(map(str, row[0]))[:50] for row in USAGE])
def test_a_mistake_is_one_sentence(arguments, said):
    result = run(*arguments)
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1, result.stderr
    assert said in result.stderr
