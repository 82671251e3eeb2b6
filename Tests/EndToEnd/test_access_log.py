"""Access logs: the default line, text and JSON formats, filters, reopening."""

import json
import os
import re
import signal

import pytest

from harness import config, wait
from harness.client import get
from harness.origin import free_port

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
    # The file is there a moment before lines go to it; whoever answers here has done both.
    assert proxy.admin("/ready").status == 200
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


CONNECTION = "%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %PROTOCOL% %UPSTREAM_CLUSTER% %FILTER_CHAIN_NAME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %ACCESS_LOG_TYPE%\n"


def echo(connection):
    while data := connection.sock.recv(65536):
        connection.send(data)


def listener_log(make, tmp_path, listener, client, *ports, count=1):
    """What a listener's own log says of its connections, once `client` has done its part."""
    log = tmp_path / "log"
    listener["access_log"] = [config.file_log(log, CONNECTION)]
    listener["stat_prefix"] = "seen"
    listener["filter_chains"][0]["name"] = "chain"
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", *ports)]), arguments=FLUSH)
    client(proxy)
    found = lines(log, count)
    wait.until(lambda: proxy.stat("listener.seen.downstream_cx_active") == 0, "all have gone")
    assert proxy.stop() == 0
    assert log.read_text().splitlines() == found and len(found) == count, "one record a connection"
    return found


def requests(proxy):
    with proxy.connect() as client:
        for _ in range(3):
            client.get("/a")


def test_listener_log_of_http(make, tmp_path):
    """One record a connection, whatever it asks; bytes are those of the connection."""
    http = config.http_listener(config.virtual_host(config.route()))
    (line,) = listener_log(make, tmp_path, http, requests, make.origin().port)
    flags, code, details, received, sent, *rest = line.split()
    assert (flags, code, details) == ("-", "0", "-")
    assert int(received) > 3 * len("GET /a HTTP/1.1\r\n\r\n") and int(sent) > 3 * len("HTTP/1.1 200 OK\r\n\r\nok")
    assert rest == ["HTTP/1.1", "-", "chain", "127.0.0.1", "NotSet"]


def test_listener_log_of_a_client_that_says_nothing(make, tmp_path):
    def silent(proxy):
        proxy.connect().close()

    http = config.http_listener(config.virtual_host(config.route()))
    assert listener_log(make, tmp_path, http, silent) == ["- 0 - 0 0 - - chain 127.0.0.1 NotSet"]


def test_listener_log_of_a_broken_request(make, tmp_path):
    def broken(proxy):
        with proxy.connect() as client:
            client.send(b"nonsense\r\n\r\n")
            client.stream.to_end()

    http = config.http_listener(config.virtual_host(config.route()))
    (line,) = listener_log(make, tmp_path, http, broken)
    flags, _, _, received, sent, *rest = line.split()
    assert (flags, received) == ("DPE", "12") and int(sent) > 50
    assert rest == ["-", "-", "chain", "127.0.0.1", "NotSet"]


def echoed(proxy):
    with proxy.connect("tcp") as client:
        client.send(b"hello")
        assert client.stream.exactly(5) == b"hello"


def ended(proxy):
    with proxy.connect("tcp") as client:
        assert client.is_closed()


def test_listener_log_of_tcp(make, tmp_path):
    port = make.origin(raw=echo).port
    assert listener_log(make, tmp_path, config.tcp_listener(), echoed, port) == [
        "- 0 - 5 5 - origin chain 127.0.0.1 NotSet"
    ]


def test_listener_log_of_a_refused_host(make, tmp_path):
    assert listener_log(make, tmp_path, config.tcp_listener(), ended, free_port()) == [
        "UF,URX 0 - 0 0 - origin chain 127.0.0.1 NotSet"
    ]


def test_listener_log_without_a_chain(make, tmp_path):
    tcp = config.tcp_listener()
    nobody = {"source_prefix_ranges": [{"address_prefix": "192.0.2.1", "prefix_len": 32}]}
    tcp["filter_chains"][0]["filter_chain_match"] = nobody
    assert listener_log(make, tmp_path, tcp, ended) == ["NR 0 filter_chain_not_found 0 0 - - - 127.0.0.1 NotSet"]


def test_listener_log_of_a_direct_response(make, tmp_path):
    def told(proxy):
        with proxy.connect("tcp") as client:
            assert client.stream.to_end() == b"bye"

    tcp = config.tcp_listener()
    typed = {"@type": config.TYPE + "extensions.filters.network.direct_response.v3.Config", "response": {"inline_string": "bye"}}
    tcp["filter_chains"][0]["filters"] = [{"name": "direct", "typed_config": typed}]
    assert listener_log(make, tmp_path, tcp, told) == ["- 0 direct_response 0 3 - - chain 127.0.0.1 NotSet"]


def test_listener_log_behind_the_proxy_protocol(make, tmp_path):
    def named(proxy):
        with proxy.connect("tcp") as client:
            client.send(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n")
            client.send(b"hello")
            assert client.stream.exactly(5) == b"hello"

    port = make.origin(raw=echo).port
    tcp = config.tcp_listener(listener_filters=[config.proxy_protocol()])
    (line,) = listener_log(make, tmp_path, tcp, named, port)
    flags, _, _, received, sent, *rest = line.split()
    assert (flags, received, sent, rest) == ("-", "5", "5", ["-", "origin", "chain", "192.0.2.7", "NotSet"])


def nonsense(proxy):
    with proxy.connect("tcp") as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.is_closed()


def leaves(proxy):
    proxy.connect("tcp").close()


@pytest.mark.parametrize("client", [nonsense, leaves, ended])
def test_listener_log_of_who_gets_no_chain_for_want_of_a_header(make, tmp_path, client):
    """Refused, gone, or too late for the listener filters' time-out."""
    fields = {"listener_filters_timeout": "0.3s"}
    tcp = config.tcp_listener(listener_filters=[config.proxy_protocol()], listener=fields)
    assert listener_log(make, tmp_path, tcp, client) == ["- 0 - 0 0 - - - 127.0.0.1 NotSet"]
