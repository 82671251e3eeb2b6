"""HTTP/2 connections end in two steps (RFC 9113 section 6.8): whoever is told loses nothing."""

import signal
import subprocess
import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import Closed, refused
from harness.http2 import CANCEL, NO_ERROR, WINDOW_MAX

pytestmark = pytest.mark.apus_only


def holding(make):
    """An origin that answers /wait only when released."""
    release = threading.Event()

    def script(connection, request):
        if request.target == "/wait":
            assert release.wait(20)
        connection.reply(b"answer")

    return release, make.origin(script)


def goaways(client):
    return [(frame.last, frame.code) for frame in client.goaways]


def two_steps(client, last):
    """Both GOAWAYs, then the end."""
    client.finish()
    assert goaways(client) == [(WINDOW_MAX, NO_ERROR), (last, NO_ERROR)], client.frames


def counted(proxy):
    stats = proxy.stats()
    return stats["http2.goaway_graceful_sent"], stats["http2.goaway_sent"], stats["http.ingress.downstream_cx_drain_close"]


# One connection's end


def test_idle(make):
    proxy = make.proxy(
        config.simple(make.origin().port, common_http_protocol_options={"idle_timeout": "0.5s"}, drain_timeout="0.2s"))
    with http2.Client(proxy.port()) as client:
        assert client.get().status == 200
        two_steps(client, 1)
    assert counted(proxy) == (1, 1, 1) and proxy.stat("http.ingress.downstream_cx_idle_timeout") == 1


def test_idle_from_the_beginning(make):
    proxy = make.proxy(
        config.simple(make.origin().port, common_http_protocol_options={"idle_timeout": "0.2s"}, drain_timeout="0.1s"))
    with http2.Client(proxy.port()) as client:
        two_steps(client, 0)


def test_a_stream_between_the_two_steps_is_served(make):
    proxy = make.proxy(
        config.simple(make.origin().port, common_http_protocol_options={"idle_timeout": "0.2s"}, drain_timeout="2s"))
    with http2.Client(proxy.port()) as client:
        client.pump_until(lambda: client.goaways)
        assert client.get().status == 200 and client.get().status == 200
        two_steps(client, 3)


def test_a_stream_is_not_idle(make):
    """The idle timeout runs from the end of the last stream."""
    release, origin = holding(make)
    proxy = make.proxy(
        config.simple(origin.port, common_http_protocol_options={"idle_timeout": "0.5s"}, drain_timeout="0.1s"))
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/wait")
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            assert client.is_alive()
            time.sleep(0.02)
        assert not client.goaways
        release.set()
        assert client.response(stream).body == b"answer"
        two_steps(client, 1)


def test_max_connection_duration(make):
    release, origin = holding(make)
    proxy = make.proxy(
        config.simple(origin.port, common_http_protocol_options={"max_connection_duration": "0.3s"}, drain_timeout="0.2s"))
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/wait")
        client.pump_until(lambda: len(client.goaways) == 2)
        # Both said, and what runs still runs.
        assert client.is_alive()
        release.set()
        assert client.response(stream).body == b"answer"
        two_steps(client, 1)
    assert proxy.stat("http.ingress.downstream_cx_max_duration_reached") == 1


def test_streams_after_the_second_step_are_ignored(make):
    release, origin = holding(make)
    proxy = make.proxy(
        config.simple(origin.port, common_http_protocol_options={"max_connection_duration": "0.2s"}, drain_timeout="0.1s"))
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/wait")
        client.pump_until(lambda: len(client.goaways) == 2)
        late = client.open(path="/late")
        assert client.is_alive()
        release.set()
        assert client.response(stream).body == b"answer"
        client.finish()
        assert not client.message(late).has_head
    assert origin.requests_total == 1


def test_max_requests_per_connection(make):
    proxy = make.proxy(
        config.simple(make.origin().port, common_http_protocol_options={"max_requests_per_connection": 3}, drain_timeout="0.2s"))
    with http2.Client(proxy.port()) as client:
        assert [client.get().status for _ in range(3)] == [200] * 3
        two_steps(client, 5)
    assert proxy.stat("http.ingress.downstream_cx_max_requests_reached") == 1


def test_the_clients_goaway(make):
    """It opens no more streams: closed when its last one is over."""
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port))
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/wait")
        client.send(http2.goaway(0))
        assert client.is_alive()
        release.set()
        assert client.response(stream).body == b"answer"
        client.finish()
    with http2.Client(proxy.port()) as client:
        client.handshake()
        client.send(http2.goaway(0))
        client.finish()


KEEPALIVE = {"connection_keepalive": {"interval": "0.1s", "timeout": "1s"}}


def test_keepalive(make):
    proxy = make.proxy(config.simple(make.origin().port, http2_protocol_options=KEEPALIVE))
    with http2.Client(proxy.port()) as client:
        # For longer than an answer may take.
        client.pump_until(lambda: sum(frame.type == http2.PING for frame in client.frames) == 15)
        assert client.get().status == 200
    with http2.Client(proxy.port()) as client:
        client.acks_pings = False
        assert client.finish() is not None
    assert proxy.stat("http2.keepalive_timeout") == 1


def test_failing_health_checks_drain(make):
    proxy = make.proxy(config.simple(make.origin().port, drain_timeout="0.2s"))
    with http2.Client(proxy.port()) as client:
        assert client.get().status == 200 and not client.goaways
        proxy.admin("/healthcheck/fail", "POST")
        assert client.get().status == 200
        two_steps(client, 3)


# The process ends


def test_sigterm(make):
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port, drain_timeout="2s"), arguments=["--drain-time-s", "5"])
    port = proxy.port()
    with http2.Client(port) as busy, http2.Client(port) as idle:
        assert idle.get().status == 200
        stream = busy.open(path="/wait")
        wait.until(lambda: origin.requests_total == 2, "the request is upstream")
        proxy.signal(signal.SIGTERM)
        wait.until(lambda: refused(port), "new connections are refused")
        two_steps(idle, 1)
        busy.pump_until(lambda: busy.goaways)
        assert busy.goaways[0].last == WINDOW_MAX
        # Opened before the client knew.
        another = busy.open(path="/")
        assert busy.response(another).body == b"answer"
        release.set()
        assert busy.response(stream).body == b"answer"
        busy.finish()
        assert busy.goaways[-1].last == another
        assert proxy.wait(6) == 0


def test_sigterm_at_its_deadline(make):
    release, origin = holding(make)
    proxy = make.proxy(config.simple(origin.port), arguments=["--drain-time-s", "1"])
    with http2.Client(proxy.port()) as client:
        stream = client.open(path="/wait")
        wait.until(lambda: origin.requests_total == 1, "the request is upstream")
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        client.finish()
        assert client.message(stream).reset == CANCEL
        assert goaways(client)[-1][1] == NO_ERROR
        assert proxy.wait(6) == 0
        assert 0.8 < time.monotonic() - began < 5
    release.set()


def test_an_idle_connection_does_not_hold_up_the_end(make):
    proxy = make.proxy(config.simple(make.origin().port), arguments=["--drain-time-s", "60"], concurrency=2)
    with http2.Client(proxy.port()) as client:
        assert client.get().status == 200
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        client.finish()
        assert proxy.wait(10) == 0
        assert time.monotonic() - began < 5


# New configuration


class Load(threading.Thread):
    """Requests, several at once, on one connection after the other; nothing may fail that the rules say is served."""

    STREAMS = 8

    def __init__(self, port, stop):
        super().__init__(daemon=True)
        self.port, self.stopping = port, stop
        self.answered, self.connections, self.failures = 0, 0, []

    def run(self):
        try:
            while not self.stopping.is_set():
                self.connections += 1
                with http2.Client(self.port) as client:
                    self.use(client)
        except BaseException as error:
            self.failures.append(error)

    def use(self, client):
        # After the first GOAWAY: no more, what is open is answered.
        while not self.stopping.is_set() and not client.goaways:
            streams = [client.open() for _ in range(self.STREAMS)]
            for stream in streams:
                message = client.response(stream)
                if message.status == 200 and message.reset is None:
                    self.answered += 1
                else:
                    self.failures.append(message)
            client.messages.clear()


def test_reloads_lose_nothing(make):
    document = config.simple(make.origin(lambda connection, request: connection.reply(b"x")).port, drain_timeout="0.2s")
    proxy = make.proxy(document, concurrency=2)
    port, stop = proxy.port(), threading.Event()
    loads = [Load(port, stop) for _ in range(2)]
    for load in loads:
        load.start()
    for number in range(15):
        proxy.write_config(config.with_generation(document, number))
        wait.until(lambda: http2.get(port).get("x-generation") == str(number), f"generation {number} serves")
    stop.set()
    for load in loads:
        load.join(10)
    assert [failure for load in loads for failure in load.failures] == []
    assert all(load.answered > 10 for load in loads)


def test_a_listener_that_changes_drains_its_connections(make):
    """Connections of the configuration that went are told to go, in two steps, and closed."""
    release, origin = holding(make)
    document = config.simple(origin.port, drain_timeout="0.3s")
    proxy = make.proxy(document, arguments=["--drain-time-s", "2"])
    with http2.Client(proxy.port()) as client:
        assert client.get().status == 200
        waiting = client.open(path="/wait")
        proxy.write_config(config.with_generation(document, 1))
        wait.until(lambda: http2.get(proxy.port()).get("x-generation") == "1", "the new configuration serves")
        # Whether told at once or with the next answer: the connection goes on until then.
        late = client.response(client.open())
        assert late.status == 200
        release.set()
        assert client.response(waiting).body == b"answer"
        if late.get("x-generation") is None:
            client.finish()
            assert goaways(client)[0] == (WINDOW_MAX, NO_ERROR) and goaways(client)[-1][1] == NO_ERROR


def test_h2load_through_a_reload(make):
    """h2load opens no stream after a GOAWAY and counts what it could not send; nothing else may fail."""
    document = config.simple(make.origin(lambda connection, request: connection.reply(b"x")).port, drain_timeout="0.5s")
    proxy = make.proxy(document, concurrency=2)
    port = proxy.port()
    process = subprocess.Popen(
        ["h2load", "-D", "2", "-c", "4", "-m", "8", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True)
    wait.until(lambda: proxy.stat("http.ingress.downstream_rq_2xx") > 100, "the load runs")
    for number in range(3):
        proxy.write_config(config.with_generation(document, number))
        wait.until(lambda: http2.get(port).get("x-generation") == str(number), f"generation {number} serves")
    text = process.communicate(timeout=20)[0]
    assert "0 failed" in text and "0 errored" in text and "0 timeout" in text, text
    stats = proxy.stats()
    assert stats["http.ingress.downstream_rq_5xx"] == 0
    assert stats["http.ingress.downstream_rq_tx_reset"] == 0


def test_closed_is_closed(make):
    """After the drain nothing of the connection is left."""
    proxy = make.proxy(
        config.simple(make.origin().port, common_http_protocol_options={"idle_timeout": "0.1s"}, drain_timeout="0.1s"))
    clients = [http2.Client(proxy.port()) for _ in range(20)]
    for client in clients:
        with client:
            try:
                client.finish()
            except Closed:
                pass
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "no connection is open")
    wait.until(lambda: proxy.stat("http2.outbound_frames_active") == 0, "no frame is left")
