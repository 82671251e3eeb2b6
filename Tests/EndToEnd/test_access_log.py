"""Access logs: the default line, text and JSON formats, filters, reopening."""

import json
import os
import re
import signal

import pytest

from harness import config, wait
from harness.client import get

FLUSH = ["--file-flush-interval-msec", "20"]


def proxy_with(make, *logs, script=None):
    origin = make.origin(script)
    routes = [config.route("/other", "other"), config.route()]
    listener = config.http_listener(config.virtual_host(*routes), hcm={"access_log": list(logs)})
    clusters = [config.cluster("origin", origin.port), config.cluster("other")]
    return make.proxy(config.bootstrap([listener], clusters), arguments=FLUSH)


def lines(path, count):
    return wait.until(
        lambda: (found := path.read_text().splitlines() if path.exists() else []) and len(found) >= count and found,
        f"{count} lines in the access log",
    )


def test_default_line(make, tmp_path):
    log = tmp_path / "log"
    proxy = proxy_with(make, config.file_log(log))
    get(proxy.port(), "/a?b", [("User-Agent", "tester"), ("X-Forwarded-For", "1.2.3.4")], method="POST", body=b"12345")
    line = lines(log, 1)[0]
    assert re.fullmatch(
        r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "POST /a\?b HTTP/1\.1" 200 - 5 \d+ \d+ \d+ "1\.2\.3\.4" "tester"'
        r' "[0-9a-f-]{36}" "test\.example" "127\.0\.0\.1:\d+"',
        line,
    ), line


def test_text_operators(make, tmp_path):
    log = tmp_path / "log"
    wanted = {
        "%REQ(:METHOD)%": "GET",
        "%REQ(:PATH)%": "/x?y=1",
        "%REQ(X-MISSING)%": "-",
        "%REQ(X-MISSING?X-THERE)%": "value",
        "%REQ(X-THERE):3%": "val",
        "%RESP(X-ANSWER)%": "42",
        "%PROTOCOL%": "HTTP/1.1",
        "%RESPONSE_CODE%": "200",
        "%RESPONSE_CODE_DETAILS%": "via_upstream",
        "%RESPONSE_FLAGS%": "-",
        "%BYTES_RECEIVED%": "0",
        "%BYTES_SENT%": "2",
        "%UPSTREAM_CLUSTER%": "origin",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%": "127.0.0.1",
        "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%": "127.0.0.1",
        "%REQUESTED_SERVER_NAME%": "-",
        "100%%": "100%",
    }
    script = lambda connection, _: connection.reply(b"ok", headers=[("X-Answer", "42")])  # noqa: E731
    proxy = proxy_with(make, config.file_log(log, "|".join(wanted) + "\n"), script=script)
    get(proxy.port(), "/x?y=1", [("X-There", "value")])
    assert lines(log, 1)[0].split("|") == list(wanted.values())


def test_json(make, tmp_path):
    log = tmp_path / "log"
    fields = {
        "code": "%RESPONSE_CODE%",
        "text": "code %RESPONSE_CODE%",
        "path": "%REQ(:PATH)%",
        "none": "%REQ(X-MISSING)%",
        "inner": {"method": "%REQ(:METHOD)%"},
    }
    proxy = proxy_with(make, config.file_log(log, fields=fields))
    get(proxy.port(), '/a"b\\')
    assert json.loads(lines(log, 1)[0]) == {
        "code": 200,
        "text": "code 200",
        "path": '/a"b\\',
        "none": None,
        "inner": {"method": "GET"},
    }


def test_a_client_cannot_forge_lines(make, tmp_path):
    log = tmp_path / "log"
    proxy = proxy_with(make, config.file_log(log, fields={"agent": "%REQ(USER-AGENT)%"}))
    agent = 'a","forged":"\t\xe9'
    get(proxy.port(), headers=[("User-Agent", agent)])
    parsed = json.loads(lines(log, 1)[0])
    assert parsed.keys() == {"agent"} and parsed["agent"].startswith('a","forged":"')


def status_at_least(status):
    value = {"default_value": status, "runtime_key": "access_log.none"}
    return {"status_code_filter": {"comparison": {"op": "GE", "value": value}}}


def header(name):
    return {"header_filter": {"header": {"name": name, "present_match": True}}}


# name, filter, the paths of the three requests (see below) that are logged
FILTERS = [
    ("status", status_at_least(500), ["/other"]),
    ("header", header("x-log"), ["/marked"]),
    ("flag", {"response_flag_filter": {"flags": ["UH"]}}, ["/other"]),
    ("or", {"or_filter": {"filters": [status_at_least(500), header("x-log")]}}, ["/marked", "/other"]),
    ("and", {"and_filter": {"filters": [status_at_least(200), header("x-log")]}}, ["/marked"]),
    ("no health check", {"not_health_check_filter": {}}, ["/plain", "/marked", "/other"]),
]


@pytest.mark.parametrize("name, only, want", FILTERS, ids=[row[0] for row in FILTERS])
def test_filters(make, tmp_path, name, only, want):
    log, everything = tmp_path / "log", tmp_path / "everything"
    format = "%REQ(:PATH)%\n"
    proxy = proxy_with(make, config.file_log(log, format, only=only), config.file_log(everything, format))
    get(proxy.port(), "/plain")
    get(proxy.port(), "/marked", [("X-Log", "1")])
    get(proxy.port(), "/other")
    lines(everything, 3)
    assert lines(log, len(want)) == want


def test_reopened_on_sigusr1(make, tmp_path):
    log, rotated = tmp_path / "log", tmp_path / "log.1"
    proxy = proxy_with(make, config.file_log(log, "%REQ(:PATH)%\n"))
    get(proxy.port(), "/before")
    assert lines(log, 1) == ["/before"]
    os.rename(log, rotated)
    proxy.signal(signal.SIGUSR1)
    wait.until(log.exists, "the log is open under its name again")
    get(proxy.port(), "/after")
    assert lines(log, 1) == ["/after"]
    assert rotated.read_text() == "/before\n"


def test_nothing_is_lost_at_the_end(make, tmp_path):
    log = tmp_path / "log"
    origin = make.origin()
    proxy = make.proxy(config.simple(origin.port, access_log=[config.file_log(log, "%REQ(:PATH)%\n")]))
    with proxy.connect() as client:
        for index in range(500):
            client.get(f"/{index}")
    assert proxy.stop() == 0
    assert log.read_text().splitlines() == [f"/{index}" for index in range(500)]


def test_tcp_line(make, tmp_path):
    log = tmp_path / "log"
    origin = make.origin(raw=lambda connection: connection.send(connection.exactly(4) + b"!"))
    format = "%BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %RESPONSE_CODE%\n"
    listener = config.tcp_listener(access_log=[config.file_log(log, format)])
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]), arguments=FLUSH)
    with proxy.connect("tcp") as client:
        client.send(b"ping")
        assert client.stream.to_end() == b"ping!"
    assert lines(log, 1) == ["4 5 - origin 0"]
