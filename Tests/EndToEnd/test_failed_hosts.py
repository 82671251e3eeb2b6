"""What becomes of connections to hosts that fail or leave: what is on them is finished, and nothing else begins there."""

import contextlib
import pathlib
import socket
import threading
from concurrent import futures

import pytest

from harness import config, http2, wait
from harness.client import get
from test_health_checks import CHECK, Host, http

NO_PANIC = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}}
REQUEST = b"GET /page HTTP/1.1\r\nhost: host.example\r\n\r\n"


class Held(Host):
    """Its pages come when they may."""

    def __init__(self, make, **options):
        self.may_answer = threading.Event()
        super().__init__(make, **options)

    def __call__(self, connection, request):
        if request.target != "/health":
            with self.lock:
                self.requests += 1
            assert self.may_answer.wait(20)
            connection.reply(b"page")
            return None
        return super().__call__(connection, request)


class Setup:
    def __init__(self, make, *hosts, listener=None, **fields):
        listener = listener or config.http_listener(config.virtual_host(config.route()))
        self.listener = listener
        self.fields = {"health_checks": [{**CHECK, **http()}], **NO_PANIC, **fields}
        self.proxy = make.proxy(self.file(*hosts), arguments=["--file-flush-interval-msec", "20"])
        self.healthy(len(hosts))

    def file(self, *hosts):
        return config.bootstrap([self.listener], [config.cluster("origin", *[host.port for host in hosts], **self.fields)])

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")

    def healthy(self, count):
        wait.until(lambda: self.stat("membership_healthy") == count, f"{count} healthy hosts")

    def fails(self, host):
        host.health = "500 Internal Server Error"
        self.healthy(0)


def log(make, format_):
    path = pathlib.Path(make.directory) / "failed.log"
    return path, [config.file_log(path, format_)]


@contextlib.contextmanager
def session(setup, name="tcp"):
    with socket.create_connection(("127.0.0.1", setup.proxy.port(name))) as client:
        client.settimeout(10)
        client.sendall(REQUEST)
        assert b"page" in client.recv(4096)
        yield client


def test_sessions_outlive_their_host(make):
    host = Host(make)
    setup = Setup(make, host, listener=config.tcp_listener())
    with session(setup) as client:
        setup.fails(host)
        client.sendall(REQUEST)
        assert b"page" in client.recv(4096)


def session_that_ends(make, format_):
    """A session whose host fails; what the log says of it."""
    host = Host(make)
    path, logs = log(make, format_)
    setup = Setup(make, host, listener=config.tcp_listener(access_log=logs), close_connections_on_host_health_failure=True)
    with session(setup) as client:
        host.health = "500 Internal Server Error"
        assert client.recv(100) == b""
    return setup, host, wait.until(lambda: path.exists() and path.read_text(), "a line in the log").strip()


def test_sessions_end_with_their_host(make):
    setup, _, line = session_that_ends(make, "%BYTES_RECEIVED%\n")
    assert line == str(len(REQUEST))
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "the host's side has ended too")
    assert setup.stat("upstream_cx_destroy_local_with_active_rq") == 1


@pytest.mark.apus_only
def test_a_session_that_ends_with_its_host_says_why(make):
    _, host, line = session_that_ends(make, "%RESPONSE_FLAGS%|%APUS_FAILURE%\n")
    assert line == (
        f"UC|closed: 127.0.0.1:{host.port} (cluster origin) has failed, and its connections end with it;"
        " decided by close_connections_on_host_health_failure"
    )


def test_only_sessions_of_the_failed_host_end(make):
    hosts = [Host(make), Host(make)]
    setup = Setup(make, *hosts, listener=config.tcp_listener(), close_connections_on_host_health_failure=True)
    with session(setup) as one, session(setup) as other:
        assert [host.requests for host in hosts] == [1, 1]
        hosts[0].health = "500 Internal Server Error"
        wait.until(lambda: setup.stat("upstream_cx_active") == 1, "one has ended")
        ended = []
        for client in (one, other):
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(REQUEST)
                if b"page" in client.recv(4096):
                    continue
            ended.append(client)
    assert len(ended) == 1 and hosts[1].requests == 2


def test_tunnels_end_with_their_host(make):
    host = Host(make)
    upgrade = {"upgrade_type": "CONNECT", "connect_config": {}}
    route = {"match": {"connect_matcher": {}}, "route": {"cluster": "origin", "upgrade_configs": [upgrade]}}
    listener = config.http_listener(config.virtual_host(route), hcm={"upgrade_configs": [{"upgrade_type": "CONNECT"}]})
    setup = Setup(make, host, listener=listener, close_connections_on_host_health_failure=True)
    with socket.create_connection(("127.0.0.1", setup.proxy.port())) as client:
        client.settimeout(10)
        client.sendall(b"CONNECT host.example:80 HTTP/1.1\r\nhost: host.example:80\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        client.sendall(REQUEST)
        assert b"page" in client.recv(4096)
        host.health = "500 Internal Server Error"
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "the host's side has ended too")


def test_a_busy_connection_ends_after_its_request(make):
    host = Held(make)
    setup = Setup(make, host)
    with futures.ThreadPoolExecutor(1) as pool:
        response = pool.submit(get, setup.proxy.port(), "/page")
        wait.until(lambda: host.requests == 1, "the request is there")
        setup.fails(host)
        host.may_answer.set()
        assert response.result(10).status == 200
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "its connection has ended")
    host.health = "200 OK"
    setup.healthy(1)
    assert get(setup.proxy.port(), "/page").status == 200
    assert setup.stat("upstream_cx_total") == 2


def test_a_connection_made_after_the_failure_is_kept(make):
    """In panic a failed host is used like any other."""
    host = Host(make)
    setup = Setup(make, host, common_lb_config={"update_merge_window": "0s"})
    assert get(setup.proxy.port(), "/page").status == 200
    setup.fails(host)
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "its idle connection has ended")
    assert [get(setup.proxy.port(), "/page").status for _ in range(3)] == [200] * 3
    assert setup.stat("upstream_cx_total") == 2


@pytest.mark.parametrize("streams", [1, 100], ids=["full", "with room"])
def test_a_busy_connection_of_http2_ends_after_its_request(make, streams):
    may_answer, state = threading.Event(), {"status": 200, "requests": 0}

    def answer(server, request):
        if request.path == "/health":
            server.reply(request.stream, b"", status=state["status"])
            return
        state["requests"] += 1
        assert may_answer.wait(20)
        server.reply(request.stream, b"page")

    host = make.origin(raw=http2.serving(answer, [(http2.MAX_CONCURRENT_STREAMS, streams)]))
    fields = {"typed_extension_protocol_options": config.http2_options(), "health_checks": [{**CHECK, **http(codec_client_type="HTTP2")}]}
    setup = Setup(make, host, **fields)
    with futures.ThreadPoolExecutor(1) as pool:
        response = pool.submit(get, setup.proxy.port(), "/page")
        wait.until(lambda: state["requests"] == 1, "the request is there")
        state["status"] = 500
        setup.healthy(0)
        may_answer.set()
        assert response.result(10).status == 200
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "its connection has ended")


@pytest.mark.apus_only
@pytest.mark.parametrize("drains", [False, True])
def test_connections_when_another_host_comes(make, drains):
    one, other = Host(make), Host(make)
    fields = {"common_lb_config": {**NO_PANIC["common_lb_config"], "close_connections_on_host_set_change": drains}}
    setup = Setup(make, one, **fields)
    assert get(setup.proxy.port(), "/page").status == 200
    assert setup.stat("upstream_cx_active") == 1
    setup.proxy.write_config(setup.file(one, other))
    setup.healthy(2)
    wait.until(lambda: setup.stat("upstream_cx_active") == (0 if drains else 1), "connections are as they are to be")
    assert setup.stat("upstream_cx_destroy_local") == (1 if drains else 0)
