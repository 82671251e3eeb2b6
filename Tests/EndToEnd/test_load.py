"""apus-load: the generator against good and hostile servers, its origin against hostile clients, files, exit statuses."""

import csv
import json
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import threading
import time
from html.parser import HTMLParser

import pytest

from harness import wait
from harness.load import LoadOrigin, Report, binary, run
from harness.origin import free_port
from harness.proxy import ROOT

pytestmark = pytest.mark.apus_only

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def load_origin(make):
    def start(*flags):
        make.made.append(LoadOrigin(*flags))
        return make.made[-1]

    return start


def url(origin, path="/"):
    return f"http://127.0.0.1:{origin.port}{path}"


# Right answers


def test_every_request_is_answered_once(load_origin, tmp_path):
    origin = load_origin()
    report = Report(tmp_path, origin.url(), "-n", 20_000, "-c", 8, "-t", 2)
    assert report.status == 0 and report.errors == {}
    assert report.totals["requests_sent"] == report.totals["successes"] == 20_000
    assert report.totals["connections_opened"] == 8
    assert report.json["statuses"] == {"200": 20_000}
    assert origin.finish() == "served 20000 requests\n"


def test_what_reaches_the_server(make, tmp_path):
    seen = []

    def note(connection, request):
        seen.append(request)
        connection.reply(b"ok")

    origin = make.origin(note)
    urls = tmp_path / "urls.txt"
    urls.write_text("# two\n3 /a/{n}\n1 /b/{rand:5-7}?id={uuid}\n")
    arguments = ["--urls", urls, "-n", 400, "-c", 2, "-m", "PUT", "-H", "X-One: 1", "-H", "Host: a.example"]
    report = Report(tmp_path, url(origin), *arguments, "--body-size", "10..20", "--expect-body", "ok")
    assert report.status == 0 and len(seen) == 400
    assert all(request.method == "PUT" and 10 <= len(request.body) <= 20 for request in seen)
    assert {dict(request.fields)["X-One"] for request in seen} == {"1"}
    assert [name for name, _ in seen[0].fields].count("Host") == 1 and dict(seen[0].fields)["Host"] == "a.example"
    assert len({len(request.body) for request in seen}) == 11
    numbers = [int(request.target[3:]) for request in seen if request.target.startswith("/a/")]
    others = [request.target for request in seen if request.target.startswith("/b/")]
    # Three of four, give or take five standard deviations.
    assert abs(len(numbers) - 300) < 44 and len(numbers) + len(others) == 400
    assert len(set(numbers)) == len(numbers) and set(numbers) <= set(range(400))
    pattern = r"/b/[567]\?id=[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(pattern, target) for target in others) and len(set(others)) == len(others)


def test_a_connection_for_each_request(load_origin, tmp_path):
    report = Report(tmp_path, load_origin().url(), "-n", 500, "-c", 4, "--new-connection-per-request")
    assert report.status == 0 and report.totals["connections_opened"] == 500


def test_pipelining(load_origin, tmp_path):
    report = Report(tmp_path, load_origin().url(), "-n", 5000, "-c", 2, "--pipeline", 16)
    assert report.status == 0 and report.totals["successes"] == 5000 and report.json["pipelining"] == 16


def test_echo(load_origin, tmp_path):
    origin = load_origin("--echo")
    report = Report(tmp_path, f"tcp://127.0.0.1:{origin.port}", "--tcp-echo", "100k", "-n", 50, "-c", 3)
    assert report.status == 0 and report.totals["successes"] == 50
    assert origin.finish() == f"echoed {50 * 100 * 1024} bytes\n"


def test_the_origins_answers(load_origin, tmp_path):
    for flags in ["--size", "100k"], ["--size", "100k", "--chunked"], ["--size", "100k", "--body-rate", "10m"]:
        report = Report(tmp_path, load_origin(*flags).url(), "-n", 40, "-c", 2, "--expect-body-size", "100k")
        assert report.status == 0, flags
    delayed = Report(tmp_path, load_origin("--delay", "uniform:20ms-40ms").url(), "-n", 100, "-c", 10)
    assert delayed.json["latency"]["min_ns"] >= 20e6 and 25 < delayed.milliseconds("50") < 45
    faulty = load_origin("--errors", "10%:503,5%:reset,5%:close")
    report = Report(tmp_path, faulty.url(), "-n", 2000, "-c", 8)
    assert report.status == 1 and set(report.errors) == {"unexpected_status", "reset", "closed_early"}
    assert abs(report.errors["unexpected_status"] - 200) < 70 and abs(report.errors["reset"] - 100) < 50
    path = Report(tmp_path, load_origin().url("/status/404/size/5"), "-n", 5, "--expect-status", 404, "--expect-body", "abcde")
    assert path.status == 0


# Open loop


def test_a_stall_shows_in_open_loop_and_hides_in_closed_loop(make, tmp_path):
    """One second of silence in three: the closed loop sends nothing meanwhile and never learns of it."""

    def stalls():
        began = time.monotonic()

        def serve(connection):
            connection.sock.settimeout(10)
            while True:
                connection.head()
                since = time.monotonic() - began
                if 1 <= since < 2:
                    time.sleep(2 - since)  # the stall itself, not a wait
                connection.send(OK)

        return make.origin(raw=serve)

    closed = Report(tmp_path, url(stalls()), "-c", 1, "-d", "3s")
    opened = Report(tmp_path, url(stalls()), "-c", 1, "-d", "3s", "--rate", 500)
    assert closed.status == opened.status == 0
    assert closed.milliseconds("99") < 50 and closed.json["latency"]["max_ns"] > 0.7e9
    assert opened.milliseconds("75") > 100 and opened.milliseconds("99") > 700
    assert opened.milliseconds("99", "service_time") < 100, "the wait for the connection is not service time"
    assert opened.totals["requests_sent"] + opened.totals["requests_unsent"] == 1500
    assert opened.totals["waited_for_connection"] > 300
    assert "connections_busy" in [warning["code"] for warning in opened.json["warnings"]]


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_the_rate_is_kept_and_its_error_reported(load_origin, tmp_path, arrivals):
    # So many connections that what is due when the end comes finds one, though a thread was kept from it for a while.
    arguments = ["--rate", "2k", "-d", "2s", "--warm-up", "300ms", "-t", 2, "-c", 400, "--arrivals", arrivals]
    report = Report(tmp_path, load_origin().url(), *arguments)
    sent = report.totals["requests_sent"]
    assert report.status == 0 and report.json["mode"] == {"arrivals": arrivals, "first_rate": 2000, "kind": "open", "last_rate": 2000}
    # Poisson: five standard deviations.
    assert sent == 4000 if arrivals == "constant" else abs(sent - 4000) < 320
    assert report.json["schedule_error"]["count"] == sent
    assert report.milliseconds("50", "schedule_error") < 5
    assert "sent late" in report.process.stdout or "schedule" in report.process.stdout


def test_a_ramp_finds_the_knee(load_origin, tmp_path):
    # Four connections and 40 ms an answer: 100 a second at most, and 75 though each takes 13 ms more.
    origin = load_origin("--delay", "40ms")
    # A step that is sustained lacks one request in a hundred at most: of a long one, the last 30 ms.
    report = Report(tmp_path, origin.url(), "-c", 4, "--rate", "25..175", "--steps", 4, "--step", "2s")
    steps = report.json["steps"]
    assert [step["intended_rate"] for step in steps] == [25, 75, 125, 175]
    assert [step["sustained"] for step in steps] == [True, True, False, False]
    assert report.json["knee_rate"] == 75 and "knee" in report.process.stdout


def test_a_target_that_cannot_keep_up_is_reported(load_origin, tmp_path):
    report = Report(tmp_path, load_origin("--delay", "50ms").url(), "-c", 2, "--rate", 1000, "-d", "1s")
    codes = [warning["code"] for warning in report.json["warnings"]]
    assert {"rate_missed", "unsent", "connections_busy"} <= set(codes)
    assert report.totals["requests_sent"] + report.totals["requests_unsent"] == 1000
    assert "WARNING" in report.process.stdout


# Hostile servers


def sends(answer, then_close=True):
    """A server that sends these bytes for each request, whatever they are."""

    def serve(connection):
        connection.head()
        connection.send(answer)
        if not then_close:
            connection.sock.recv(1)

    return serve


def resets(connection):
    connection.head()
    connection.reset()


def is_silent(connection):
    connection.head()
    connection.sock.recv(1)


def drips(connection):
    connection.head()
    connection.sock.settimeout(0.02)
    for _ in range(1000):
        connection.send(b"x")
        try:
            if not connection.sock.recv(1):
                return
        except TimeoutError:
            pass


HEAD = b"HTTP/1.1 200 OK\r\n"
HOSTILE = [
    ("bad chunk size", sends(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), "protocol_error"),
    ("chunk without its end", sends(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nabXY0\r\n\r\n"), "protocol_error"),
    ("chunked body cut off", sends(HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nab"), "closed_early"),
    ("short body", sends(HEAD + b"content-length: 10\r\n\r\nabc"), "closed_early"),
    ("two lengths", sends(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab"), "protocol_error"),
    ("negative length", sends(HEAD + b"content-length: -1\r\n\r\n"), "protocol_error"),
    ("not HTTP", sends(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "protocol_error"),
    ("binary", sends(bytes(range(256)) * 20), "protocol_error"),
    ("half a head", sends(b"HTTP/1.1 200 OK\r\ncontent-le"), "closed_early"),
    ("endless head", sends(HEAD + b"x-filler: y\r\n" * 20_000), "protocol_error"),
    ("switched protocols", sends(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"), "protocol_error"),
    ("wrong status", sends(b"HTTP/1.1 500 Oh\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"), "unexpected_status"),
    ("closed at once", lambda connection: connection.head(), "closed_early"),
    ("reset", resets, "reset"),
    ("silence", is_silent, "request_timeout"),
    ("a byte at a time, for ever", drips, "protocol_error"),
    ("interim answers only", sends(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10, then_close=False), "request_timeout"),
    ("body for ever", sends(HEAD + b"content-length: 100000\r\n\r\nab", then_close=False), "request_timeout"),
]


@pytest.mark.parametrize("name,serve,kind", HOSTILE, ids=[row[0] for row in HOSTILE])
def test_hostile_servers(make, tmp_path, name, serve, kind):
    origin = make.origin(raw=serve)
    # Who is not silent has the time that a busy machine needs.
    timeout = "500ms" if kind == "request_timeout" else "10s"
    report = Report(tmp_path, url(origin), "-n", 6, "-c", 2, "--timeout", timeout)
    assert report.status == 1
    assert report.errors == {kind: 6} and report.totals["successes"] == 0
    assert kind in report.process.stdout


def test_an_answer_nobody_asked_for(make, tmp_path):
    def twice(connection):
        while True:
            connection.head()
            connection.send(OK + OK)

    report = Report(tmp_path, url(make.origin(raw=twice)), "-n", 20, "-c", 1)
    assert report.status == 1 and set(report.errors) == {"protocol_error"} and report.totals["responses"] == 20


def test_good_answers_in_odd_pieces(make, tmp_path):
    answer = HEAD + b"X: y\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n001\r\nk\r\n0\r\nt: u\r\n\r\n"

    def piecewise(connection):
        while True:
            connection.head()
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            for byte in answer:
                connection.send(bytes([byte]))

    def until_close(connection):
        connection.head()
        connection.send(b"HTTP/1.0 200 OK\r\n\r\no")
        connection.send(b"k")

    for serve in piecewise, until_close:
        report = Report(tmp_path, url(make.origin(raw=serve)), "-n", 20, "-c", 2, "--expect-body-text", "ok")
        assert report.status == 0, report.process.stdout


def test_wrong_bodies(load_origin, tmp_path):
    address = load_origin().url("/size/5")
    checks = [
        (["--expect-body-size", 6], {"length_mismatch": 10}),
        (["--expect-body", "abcdf"], {"body_mismatch": 10}),
        (["--expect-body", "abcd"], {"body_mismatch": 10}),
        (["--expect-body-hash", "0123456789abcdef"], {"body_mismatch": 10}),
        # xxh64sum of "abcde"
        (["--expect-body-hash", "07e3670c0c8dc7eb"], {}),
        (["--expect-body", "abcde", "--expect-body-size", 5], {}),
    ]
    for flags, errors in checks:
        report = Report(tmp_path, address, "-n", 10, *flags)
        assert report.errors == errors and report.status == bool(errors), flags


def test_an_echo_that_lies(make, tmp_path):
    def lie(connection):
        data = bytearray(connection.exactly(1000))
        data[500] ^= 1
        connection.send(bytes(data))
        connection.sock.recv(1)

    origin = make.origin(raw=lie)
    report = Report(tmp_path, f"tcp://127.0.0.1:{origin.port}", "--tcp-echo", 1000, "-n", 4, "-c", 1)
    assert report.status == 1 and report.errors == {"body_mismatch": 4}


def test_a_server_that_goes_and_comes_back(load_origin, tmp_path):
    first = load_origin()
    command = [binary(), first.url(), "-c", "4", "-d", "4s", "--rate", "200", "--json", tmp_path / "r.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = iter(process.stderr.readline, "")
    next(lines)
    first.stop()
    next(lines)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", first.port))
    second = subprocess.Popen([binary(), "--origin", f"127.0.0.1:{first.port}"], stdout=subprocess.PIPE, text=True)
    process.communicate(timeout=30)
    second.send_signal(signal.SIGTERM)
    served = int(second.communicate(timeout=20)[0].split()[-2])
    report = json.loads((tmp_path / "r.json").read_text())
    assert process.returncode == 1 and served > 100
    assert report["errors"]["connect_failed"] > 0 and report["totals"]["successes"] > served


# Ends and exit statuses


def test_nothing_listens():
    port = free_port()
    began = time.monotonic()
    result = run(f"http://127.0.0.1:{port}/", "-d", "30s")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == f"apus-load: nothing listens at 127.0.0.1:{port} (connection refused)\n"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reports_what_was_done(load_origin, tmp_path, number):
    path = tmp_path / "r.json"
    command = [binary(), load_origin().url(), "-d", "60s", "--json", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    assert re.search(r"/s  p99 .*no errors", first), first
    process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and "interrupted" in errors and "throughput" in output
    report = json.loads(path.read_text())
    assert report["totals"]["responses"] > 0 and report["duration_ns"] < 20e9


def test_a_signal_while_nothing_is_answered(make):
    origin = make.origin(raw=is_silent)
    process = subprocess.Popen([binary(), url(origin), "-d", "60s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait.until(lambda: origin.connections_active == 64, "connected")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 1 and "Not one request was answered" in output


U = "http://127.0.0.1:9/"
USAGE = [
    ([], "no URL"),
    (["ftp://127.0.0.1/"], "unknown scheme"),
    ([U, "--rate", "fast"], "--rate fast"),
    ([U, "--rate", "nan"], "--rate nan"),
    ([U, "--rate", "-1"], "rate"),
    ([U, "--connections", "many"], "many"),
    ([U, "--connections", "99999999999999999999"], "99999999999999999999"),
    ([U, "--threads", "-2"], "threads"),
    ([U, "--no-such-option"], "--no-such-option"),
    ([U, "extra"], "extra"),
    ([U, "--body", "x", "--body-size", "1"], "exclude each other"),
    ([U, "-H", "a\r\nb: c"], "a\\r\\nb"),
    ([U, "-H", "Content-Length: 3"], "leave the header out"),
    ([U, "-m", "GET /"], "not a method"),
    (["http://127.0.0.1:9/{x}"], "{x}: unknown"),
    (["http://127.0.0.1:9/a b"], "a space"),
    (["http://127.0.0.1:99999/"], "no port"),
    (["http://no.such.host.invalid/"], "no.such.host.invalid"),
    ([U, "--duration", "0"], "--duration 0"),
    ([U, "--duration", "9999999999999h"], "--duration"),
    ([U, "--urls", "/no/such/file"], "/no/such/file"),
    ([U, "--urls", "/"], "--urls /"),
    ([U, "--body-file", "/"], "--body-file /"),
    ([U, "--json", "/no/such/directory/x"], "no such file or directory"),
    ([U, "--html", "/"], "is a directory"),
    ([U, "--size", "1k"], "--origin"),
    ([U, "--echo"], "--origin"),
    (["--origin", "nowhere"], "expected an address"),
    (["--origin", "127.0.0.1:0", "--delay", "long"], "--delay long"),
    (["--origin", "127.0.0.1:0", "--errors", "200%:503"], "200%"),
    (["--origin", "127.0.0.1:0", "--echo", "--size", "1"], "no meaning"),
    (["--origin", "127.0.0.1:0", U], "does not go with"),
    (["--compare", "/no/such/file", "--html", "/dev/null"], "/no/such/file: cannot read: no such file or directory"),
    (["--compare", __file__, "--html", "/dev/null"], "not a JSON document"),
    (["--compare", "a.json"], "--html"),
]


@pytest.mark.parametrize("arguments,said", USAGE, ids=[" ".join(row[0])[:60] or "nothing" for row in USAGE])
def test_a_mistake_is_one_sentence(arguments, said):
    result = run(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("apus-load: ") and result.stderr.count("\n") == 1, result.stderr
    assert said in result.stderr


def test_more_connections_than_open_files():
    result = run(U, "-c", 100, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    assert result.returncode == 2 and "more than the 64 open files allowed" in result.stderr


def test_help_and_an_address_in_use(load_origin):
    result = run("--help")
    assert result.returncode == 0 and "--arrivals" in result.stdout and result.stderr == ""
    origin = load_origin()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        result = run("--origin", f"127.0.0.1:{port}")
        assert result.returncode == 1 and f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr
    assert origin.process.poll() is None


# Hostile clients of the origin


def test_the_origin_outlives_hostile_clients(load_origin, tmp_path):
    origin = load_origin("--delay", "1ms")
    attacks = [
        b"\0" * 100_000, b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 200_000, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfff\r\nab",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2000, b"GET /delay/x/size/99999999999999/status/1 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /size/1g HTTP/1.1\r\nhost: a\r\n\r\n" * 3, bytes(os.urandom(50_000)),
    ]  # fmt: skip
    for attack in attacks:
        for how in "close", "reset", "half":
            with socket.create_connection(("127.0.0.1", origin.port)) as sock:
                sock.settimeout(5)
                try:
                    sock.sendall(attack)
                    if how == "half":
                        sock.shutdown(socket.SHUT_WR)
                        sock.recv(65536)
                except OSError:
                    pass  # it may close before it has read all
                if how == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    report = Report(tmp_path, origin.url(), "-n", 200, "-c", 4)
    assert report.status == 0 and origin.process.poll() is None
    assert "served" in origin.finish()


# Reports


class Tags(HTMLParser):
    """What a page refers to, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.names, self.references = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "data", "action")]


def test_report_files(load_origin, tmp_path):
    files = {kind: tmp_path / f"run.{kind}" for kind in ("json", "csv", "hdr", "html")}
    flags = [word for kind, path in files.items() for word in (f"--{kind}", path)]
    label = '<script>alert("1")</script>, =2'
    result = run(load_origin("--errors", "5%:503").url(), "-d", "1s", "--rate", "1k..2k", "--steps", 2, "--label", label, *flags)
    assert result.returncode == 1
    report = json.loads(files["json"].read_text())
    assert report["label"] == label and report["format"] == "apus-load/1"
    assert sum(count for _, count in report["latency"]["buckets"]) == report["latency"]["count"] == report["totals"]["responses"]

    rows = list(csv.DictReader(files["csv"].open(newline="")))
    assert {row["record"] for row in rows} == {"interval", "step", "total", "status", "error"}
    assert {row["run"] for row in rows} == {label}
    total = next(row for row in rows if row["record"] == "total")
    assert int(total["requests"]) == report["totals"]["responses"]
    in_steps, in_intervals = (sum(int(row["requests"]) for row in rows if row["record"] == kind) for kind in ("step", "interval"))
    assert in_steps == in_intervals
    # Answers that came after the end are in the whole only.
    assert 0 <= report["totals"]["responses"] - in_steps <= report["connections"]

    lines = files["hdr"].read_text().splitlines()
    points = [line.split() for line in lines[2:] if line and not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert float(points[-1][1]) == 1 and int(points[-1][2]) == report["latency"]["count"]
    assert [float(point[0]) for point in points] == sorted(float(point[0]) for point in points)

    for page in files["html"].read_text(), compared(files["json"], tmp_path):
        tags = Tags(page)
        assert "script" not in tags.names and "svg" in tags.names and tags.references == []
        assert "alert(&quot;1&quot;)" in page or "alert(&#34;1&#34;)" in page


def compared(path, directory):
    output = directory / "compared.html"
    result = run("--compare", path, path, "--html", output)
    assert result.returncode == 0, result.stderr
    return output.read_text()


def test_progress_is_lines_when_piped_and_one_line_on_a_terminal(load_origin):
    origin = load_origin()
    piped = run(origin.url(), "-d", "2s", "-c", 2)
    assert re.match(r"0:01, 0:0[01] left  .*/s  p99 .*  no errors\n", piped.stderr), piped.stderr
    assert "\r" not in piped.stderr and "\r" not in piped.stdout
    quiet = run(origin.url(), "-d", "1s", "-c", 2, "--quiet")
    assert quiet.stderr == "" and "throughput" in quiet.stdout
    ours, theirs = os.openpty()
    process = subprocess.Popen([binary(), origin.url(), "-d", "1s", "-c", "2"], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # the other end is gone
    os.close(ours)
    assert process.wait(timeout=10) == 0
    assert shown.count(b"\r") > 3 and shown.endswith(b"\r\x1b[K") and b"\n" not in shown


# The examples of the documentation

DOCUMENT = ROOT / "docs/load-generator.md"
SHORTER = [(r"(-d|--duration) \S+", r"\1 300ms"), (r"--warm-up \S+", "--warm-up 50ms"), (r"--step \S+", "--step 50ms"),
           (r"--rate 20k", "--rate 2k")]  # fmt: skip


def examples():
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.S):
        yield from (line for line in block.splitlines() if line.startswith("apus-load "))


def test_the_examples_of_the_documentation_work(load_origin, tmp_path):
    (tmp_path / "urls.txt").write_text(re.search(r"```\n(# weight.*?)```", DOCUMENT.read_text(), re.S)[1])
    http, echo, tls = load_origin(), load_origin("--echo"), load_origin("--tls")
    grpc = load_origin("--grpc")
    lines = list(examples())
    assert len(lines) > 12
    for line in lines:
        line = line.replace("127.0.0.1:8080", f"127.0.0.1:{http.port}").replace("127.0.0.1:9000", f"127.0.0.1:{echo.port}")
        line = line.replace("127.0.0.1:8443", f"127.0.0.1:{tls.port}")
        line = line.replace("127.0.0.1:8081", f"127.0.0.1:{grpc.port}")
        words = shlex.split(line)[1:]
        if words[0] == "--origin":
            LoadOrigin(*words[2:]).stop()
            continue
        for pattern, shorter in SHORTER:
            line = re.sub(pattern, shorter, line)
        words = shlex.split(line)[1:]
        if "-d" not in words and "--duration" not in words and "..50k" not in line and "--requests" not in words and words[0] != "--compare":
            words += ["-d", "300ms"]
        result = run(*words, cwd=tmp_path)
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
