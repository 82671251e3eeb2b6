"""Tunnels: upgrades and CONNECT over all pairs of versions, with raw peers at both ends."""

import hashlib
import json
import os
import select
import threading
import time

import pytest

from harness import config, http2, wait
from harness.client import Closed, head_bytes
from harness.origin import free_port
from harness.tunnels import OPENINGS, Host, Opening1, Opening2, Reset

FLUSH = ["--file-flush-interval-msec", "20"]
IS_ENVOY = os.environ.get("APUS_PROXY") == "envoy"
FORMAT = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n"
UPGRADES = [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]
BOTH_VERSIONS = pytest.mark.parametrize("client", [1, 2], ids=["from-h1", "from-h2"])

# Client's version, host's version, what is asked for.
BRIDGES = {
    **{f"{kind}-h{client}-h{host}": (client, host, kind) for kind in ("websocket", "CONNECT") for client in (1, 2) for host in (1, 2)},
    "CONNECT-h1-tcp": (1, "tcp", "CONNECT"),
    "CONNECT-h2-tcp": (2, "tcp", "CONNECT"),
}


def connect_route(to="origin", **action):
    return {"match": {"connect_matcher": {}}, "route": {"cluster": to, **action}}


def terminated(to="origin", **connect):
    return connect_route(to, upgrade_configs=[{"upgrade_type": "CONNECT", "connect_config": connect}])


def cluster(host, name="origin", **fields):
    if host.version == 2:
        fields["typed_extension_protocol_options"] = config.http2_options(allow_connect=True)
    return config.cluster(name, host.port, **fields)


def manager(log=None, **fields):
    made = {"upgrade_configs": UPGRADES, "http2_protocol_options": {"allow_connect": True}, **fields}
    if log:
        made["access_log"] = [config.file_log(log, FORMAT)]
    return made


def serve(make, host, log=None, action=None, hcm=None, arguments=(), listener=None, **fields):
    """A proxy whose every request and CONNECT goes to the host."""
    connects = terminated(**(action or {})) if host.version == "tcp" else connect_route(**(action or {}))
    routes = [connects, config.route(**(action or {}))]
    made = config.http_listener(config.virtual_host(*routes), hcm=manager(log, **(hcm or {})), listener=listener)
    return make.proxy(config.bootstrap([made], [cluster(host, **fields)]), arguments=[*FLUSH, *arguments])


def open_tunnel(proxy, bridge, **options):
    client, _, kind = bridge
    return OPENINGS[client](proxy, "host.example:443" if kind == "CONNECT" else "/chat?room=1", kind=kind, **options)


def arrive(host, behind=b""):
    """The host's end, accepted."""
    arrival = host.next()
    if host.version != "tcp":
        return arrival.accept(behind)
    if behind:
        arrival.send(behind)
    return arrival


def lines(path, count):
    return wait.until(
        lambda: (found := path.read_text().splitlines() if path.exists() else []) and len(found) >= count and found,
        f"{count} lines in the access log",
    )


def is_idle(proxy):
    """Nothing of a tunnel is left."""
    gauges = proxy.sum(r"(http\.ingress|cluster\.[^.]*)\..*(rq_active|rq_pending_active|upgrades_active|streams_active)")
    return gauges == 0


def settle(proxy):
    wait.until(lambda: is_idle(proxy), "all gauges of streams are 0")


@pytest.fixture(params=BRIDGES, scope="module")
def bridge(request):
    return BRIDGES[request.param]


@pytest.fixture(scope="module")
def shared(bridge, make_shared, tmp_path_factory):
    """A proxy for all tests that leave it as it was."""
    host = Host(make_shared, bridge[1])
    log = tmp_path_factory.mktemp("log") / "access"
    return serve(make_shared, host, log), host, log


# Bytes both ways


def test_bytes_both_ways(shared, bridge):
    proxy, host, log = shared
    before = len(log.read_text().splitlines()) if log.exists() else 0
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        for number in range(20):
            here.send(b"ping %d" % number)
            assert there.receive(len(b"ping %d" % number)) == b"ping %d" % number
            there.send(b"pong %d" % number)
            assert here.receive(len(b"pong %d" % number)) == b"pong %d" % number
        assert proxy.stat("http.ingress.downstream_cx_upgrades_active") == 1
        assert proxy.stat("cluster.origin.upstream_rq_active") == 1
        if IS_ENVOY:
            return  # which takes the end of one direction for the end of both
        there.end()
        assert here.rest() == b""
        here.end()
        assert there.rest() == b""
    sent = received = sum(len("ping %d" % number) for number in range(20))
    method, path, code = ("CONNECT", "-", 200) if bridge[2] == "CONNECT" else ("GET", "/chat?room=1", 101)
    assert lines(log, before + 1)[before] == f"{method} {path} {code} - via_upstream {received} {sent}"
    settle(proxy)


def test_bytes_with_and_right_behind_the_heads(shared, bridge):
    proxy, host, _ = shared
    with open_tunnel(proxy, bridge, early=b"early") as opening:
        there = arrive(host, behind=b"hello")
        assert there.receive(5) == b"early"
        assert opening.accepted().receive(5) == b"hello"


def test_every_byte_value(shared, bridge):
    """Nothing of a tunnel is looked at."""
    proxy, host, _ = shared
    evil = bytes(range(256)) + b"\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n" + b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
    with open_tunnel(proxy, bridge, early=evil) as opening:
        there = arrive(host, behind=evil)
        here = opening.accepted()
        there.send(evil)
        here.send(evil)
        assert here.receive(2 * len(evil)) == there.receive(2 * len(evil)) == evil + evil
    assert not host.has_more()


# Ends


@pytest.mark.apus_only
def test_host_ends_first(shared, bridge):
    proxy, host, _ = shared
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        there.send(b"bye")
        there.end()
        assert here.rest() == b"bye"
        here.send(b"still talking")
        assert there.receive(13) == b"still talking"
        here.end()
        assert there.rest() == b""
    settle(proxy)


@pytest.mark.apus_only
def test_client_ends_first(shared, bridge):
    proxy, host, _ = shared
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        here.send(b"that is all")
        here.end()
        assert there.rest() == b"that is all"
        there.send(b"an answer")
        there.end()
        assert here.rest() == b"an answer"
    settle(proxy)


@pytest.mark.apus_only
def test_client_ends_before_the_answer(shared, bridge):
    """Over HTTP/2 a request may end early; over HTTP/1 that is a client that has gone."""
    proxy, host, _ = shared
    client, version, _ = bridge
    if client == 1 or version == "tcp":
        pytest.skip("needs a head that waits and a client that can end its direction")
    with open_tunnel(proxy, bridge, early=b"all") as opening:
        opening.tunnel.end()
        there = host.next().accept(b"hello")
        assert there.rest() == b"all"
        there.end()
        opening.answer()
        assert opening.tunnel.rest() == b"hello"
    settle(proxy)


def test_host_breaks(shared, bridge):
    proxy, host, _ = shared
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        here.send(b"x")
        there.receive(1)
        there.abort()
        try:
            assert here.rest() == b"" and bridge[0] == 1
        except Reset as reset:
            if not IS_ENVOY:
                assert reset.code in (None, http2.CONNECT_ERROR)
    settle(proxy)


def test_client_breaks(shared, bridge):
    proxy, host, _ = shared
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        there.send(b"x")
        here.receive(1)
        here.abort()
        try:
            assert there.rest() == b"" and bridge[1] != 2
        except Reset:
            pass
        settle(proxy)


@pytest.mark.apus_only
def test_what_a_client_said_before_it_broke_arrives(shared, bridge):
    proxy, host, _ = shared
    if bridge[1] == 2:
        pytest.skip("a stream that is reset loses what waits")
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        here.send(b"famous last words")
        assert there.receive(6) == b"famous"
        here.abort()
        assert there.rest() == b" last words"
    settle(proxy)


# Pieces


SPLIT_HEAD = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def arrives(proxy, name, piece, send):
    """Sends a piece and waits until the proxy has it."""
    before = proxy.stat(name)
    send(piece)
    wait.until(lambda: proxy.stat(name) >= before + len(piece), "the piece is there", interval_seconds=0.0005)


@pytest.mark.parametrize("version", [1, 2])
def test_every_split_of_a_clients_head_and_first_bytes(make, version):
    host = Host(make, version)
    proxy = serve(make, host)
    text = SPLIT_HEAD + b"first"
    for at in range(1, len(text)):
        with proxy.connect() as client:
            arrives(proxy, "http.ingress.downstream_cx_rx_bytes_total", text[:at], client.send)
            client.send(text[at:])
            there = host.next().accept(b"hello")
            assert there.receive(5) == b"first", at
            assert client.stream.head().status == 101
            assert client.stream.exactly(5) == b"hello", at
            there.end()
            assert client.is_closed() or not IS_ENVOY


@BOTH_VERSIONS
def test_every_split_of_a_hosts_head_and_first_bytes(make, client):
    host = Host(make, 1)
    proxy = serve(make, host)
    text = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-O: 1\r\n\r\nfirst"
    for at in range(1, len(text)):
        with OPENINGS[client](proxy, "/chat", early=b"early") as opening:
            arrival = host.next()
            arrives(proxy, "cluster.origin.upstream_cx_rx_bytes_total", text[:at], arrival.raw)
            arrival.raw(text[at:])
            assert opening.accepted().receive(5) == b"first", at
            assert arrival.tunnel.receive(5) == b"early", at


# Waiting for the answer


@pytest.mark.apus_only
@pytest.mark.parametrize("version", [1, 2])
@BOTH_VERSIONS
def test_bytes_before_the_answer_are_held_within_limits(make, client, version):
    """The client is stopped; when the host has accepted, everything arrives in order."""
    host = Host(make, version)
    limit = 65536
    proxy = serve(make, host, listener={"per_connection_buffer_limit_bytes": limit})
    body = os.urandom(8 << 20)
    opening = OPENINGS[client](proxy, "/chat")
    arrival = host.next()
    sender = threading.Thread(target=opening.tunnel.send, args=(body,), daemon=True)
    sender.start()
    received, sent = "http.ingress.downstream_cx_rx_bytes_total", "cluster.origin.upstream_cx_tx_bytes_total"
    wait.until(lambda: proxy.stat("http.ingress.downstream_flow_control_paused_reading_total") == 1, "the client is stopped")
    held = wait.until_steady(lambda: proxy.stat(received), "bytes taken from the client")
    # HTTP/2: what its window allows still comes.
    assert held < (24 << 20 if client == 2 else 1 << 20)
    assert proxy.stat(sent) < 1000, "nothing but the head has gone to the host"
    there = arrival.accept()
    got = there.receive(len(body))
    sender.join(10)
    assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
    assert opening.accepted()
    opening.close()
    settle(proxy)


def test_route_timeout_is_for_the_answer_alone(make, tmp_path):
    host = Host(make, 1)
    log = tmp_path / "log"
    proxy = serve(make, host, log, action={"timeout": "1s"})
    with Opening1(proxy, "/silent") as opening:
        host.next()
        assert opening.refused().status == 504
    with Opening1(proxy, "/chat") as opening:
        there = arrive(host)
        here = opening.accepted()
        end = time.monotonic() + 1.6
        while time.monotonic() < end:
            here.send(b".")
            assert there.receive(1) == b"."
            time.sleep(0.05)  # the tunnel's own pace
    assert lines(log, 1)[0].split()[:4] == ["GET", "/silent", "504", "UT"]


@pytest.mark.parametrize("speaker", ["client", "host"])
@pytest.mark.parametrize("name", ["websocket-h1-h1", "websocket-h2-h2", "CONNECT-h1-tcp", "websocket-h2-h1"])
def test_idle_timeout_counts_from_the_last_byte_of_either_side(make, tmp_path, name, speaker):
    bridge = BRIDGES[name]
    host, log = Host(make, bridge[1]), tmp_path / "log"
    proxy = serve(make, host, log, hcm={"stream_idle_timeout": "0.8s"})
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        start = time.monotonic()
        while time.monotonic() < start + 1.7:
            source, target = (here, there) if speaker == "client" else (there, here)
            last = time.monotonic()
            source.send(b".")
            assert target.receive(1) == b"."
            time.sleep(0.1)  # the tunnel's own pace
        try:
            here.rest()
        except Reset:
            pass
        assert 0.75 < time.monotonic() - last < 3.4
    assert lines(log, 1)[0].split()[3] == "SI"
    assert proxy.stat("http.ingress.downstream_rq_idle_timeout") == 1
    settle(proxy)


# Slow readers, much to read


def flood(send, total, progress):
    piece = bytes(range(256)) * 256
    try:
        while progress["sent"] < total:
            send(piece)
            progress["sent"] += len(piece)
    except (Closed, Reset, OSError):
        pass


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("name", ["websocket-h1-h1", "websocket-h1-h2", "websocket-h2-h1", "websocket-h2-h2", "CONNECT-h1-tcp", "CONNECT-h2-tcp"])
def test_slow_reader_stops_the_other_side(make, name, direction):
    bridge = BRIDGES[name]
    client, version, _ = bridge
    if direction == "up" and version == 2:
        pytest.skip("this host takes frames as they come")
    host = Host(make, version)
    small = {"initial_stream_window_size": 65535, "initial_connection_window_size": 65535}
    options = {"allow_connect": True, **small}
    listener = {"per_connection_buffer_limit_bytes": 262144}
    routes = [terminated() if version == "tcp" else connect_route(), config.route()]
    made = config.http_listener(
        config.virtual_host(*routes), hcm=manager(http2_protocol_options=options), listener=listener)
    fields = {"per_connection_buffer_limit_bytes": 262144}
    if version == 2:
        fields["typed_extension_protocol_options"] = config.http2_options(**options)
    proxy = make.proxy(config.bootstrap([made], [config.cluster("origin", host.port, **fields)]))
    total = 48 << 20
    opening = open_tunnel(proxy, bridge, **({"window": 65535} if client == 2 else {"receive_buffer_bytes": 65536}))
    there = arrive(host)
    here = opening.accepted()
    resident, progress = proxy.resident_kib(), {"sent": 0}
    source = there if direction == "down" else here
    thread = threading.Thread(target=flood, args=(source.send, total, progress), daemon=True)
    thread.start()
    wait.until(lambda: progress["sent"], "the first bytes")
    passed = wait.until_steady(lambda: progress["sent"], "bytes sent into the stalled tunnel")
    assert 0 < passed < total
    assert proxy.resident_kib() - resident < 12 << 10
    taken, piece = 0, 16384
    while taken < total:
        taken += len((there if direction == "up" else here).receive(piece))
        if direction == "down" and client == 2:
            opening.peer.send(http2.window_update(0, piece), http2.window_update(opening.stream, piece))
    thread.join(10)
    assert progress["sent"] == taken == total
    opening.close()
    settle(proxy)


def test_much_both_ways(shared, bridge):
    proxy, host, _ = shared
    up, down = os.urandom(6 << 20), os.urandom(6 << 20)
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        failures = []

        def answer():
            try:
                there.send(down)
            except Exception as error:
                failures.append(error)

        def listen(result):
            try:
                result.append(there.receive(len(up)))
            except Exception as error:
                failures.append(error)

        got = []
        threads = [threading.Thread(target=answer), threading.Thread(target=listen, args=(got,))]
        if bridge[0] == 1:
            threads.append(threading.Thread(target=here.send, args=(up,)))
        for thread in threads:
            thread.start()
        if bridge[0] == 2:
            here.send(up)
        assert here.receive(len(down)) == down
        for thread in threads:
            thread.join(20)
        assert not failures and got == [up]
    settle(proxy)


# Refused, by the host and by the proxy


@BOTH_VERSIONS
@pytest.mark.parametrize("version", [1, 2])
def test_refused_by_the_host(make, client, version):
    """An ordinary answer; bytes that came behind the request are nobody's, least of all a request."""
    host = Host(make, version)
    proxy = serve(make, host)
    evil = head_bytes("GET", "/evil", [])
    with OPENINGS[client](proxy, "/chat", early=evil) as opening:
        arrival = host.next()
        arrival.refuse(401, b"who are you?", [("www-authenticate", "Basic")])
        answer = opening.refused()
        assert (answer.status, answer.body, answer.get("www-authenticate")) == (401, b"who are you?", "Basic")
        arrival.close()
        if client == 1:
            assert answer.get("connection") == "close"
            assert opening.client.is_closed()
        else:
            assert opening.peer.is_alive()
    settle(proxy)
    assert not host.has_more()
    # And the next request is served.
    with proxy.connect() as other:
        other.send(head_bytes("GET", "/next", []))
        arrival = host.next()
        assert arrival.target == "/next"
        arrival.refuse(200, b"here")
        assert other.response().body == b"here"


def test_a_refused_upgrade_with_a_body_is_not_followed_by_a_request(make):
    host = Host(make, 1)
    proxy = serve(make, host)
    for framing, body in [("Content-Length: 5", b"12345"), ("Transfer-Encoding: chunked", b"5\r\n12345\r\n0\r\n\r\n")]:
        fields = [tuple(framing.split(": "))]
        with Opening1(proxy, "/chat", fields=fields, early=body + head_bytes("GET", "/evil", [])) as opening:
            arrival = host.next()
            if not IS_ENVOY:
                assert arrival.get("content-length") is None and arrival.get("transfer-encoding") is None
            arrival.refuse()
            assert opening.refused().status == 404
            assert opening.client.is_closed()
    assert not host.has_more()


@pytest.mark.apus_only
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\n12345",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
@BOTH_VERSIONS
def test_half_an_acceptance_is_none(make, client, answer):
    host = Host(make, 1)
    proxy = serve(make, host)
    with OPENINGS[client](proxy, "/chat", early=b"secret") as opening:
        arrival = host.next()
        arrival.raw(answer)
        assert opening.refused().status == 502
        try:
            assert arrival.tunnel.rest() == b""
        except Reset:
            pass
    assert proxy.stat("cluster.origin.upstream_cx_protocol_error") == 1
    settle(proxy)


@pytest.mark.apus_only
@BOTH_VERSIONS
def test_switching_without_being_asked(make, client):
    host = Host(make, 1)
    proxy = serve(make, host)
    text = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    if client == 1:
        with proxy.connect() as asking:
            asking.send(head_bytes("GET", "/", []))
            host.next().raw(text)
            assert asking.response().status == 502
    else:
        with http2.Client(proxy.port()) as asking:
            stream = asking.open()
            host.next().raw(text)
            assert asking.response(stream).status == 502


@pytest.mark.apus_only
def test_switching_in_answer_to_connect(make):
    host = Host(make, 1)
    proxy = serve(make, host)
    with Opening1(proxy, "a:1", kind="CONNECT") as opening:
        host.next().raw(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert opening.refused().status == 502


@BOTH_VERSIONS
def test_refused_by_the_proxy(make, client, tmp_path):
    host, log = Host(make, 1), tmp_path / "log"
    routes = [
        config.route("/off", upgrade_configs=[{"upgrade_type": "WebSocket", "enabled": False}]),
        config.route("/own", upgrade_configs=[{"upgrade_type": "own"}]),
        connect_route(upgrade_configs=[{"upgrade_type": "connect", "enabled": False}]),
        config.route(),
    ]
    made = config.http_listener(config.virtual_host(*routes), hcm=manager(log))
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]), arguments=FLUSH)
    evil = head_bytes("GET", "/evil", [])
    for target, kind in [("/off", "websocket"), ("/", "own"), ("/", "websocket, own"), ("a:1", "CONNECT")]:
        with OPENINGS[client](proxy, target, kind=kind, early=evil) as opening:
            answer = opening.refused()
            assert (answer.status, answer.body) == (403, b"")
            if client == 1:
                assert answer.get("connection") == "close" and opening.client.is_closed()
    with OPENINGS[client](proxy, "/own", kind="OWN") as opening:
        assert host.next().get("upgrade") == "OWN"
    assert not host.has_more()
    assert proxy.stat("http.ingress.downstream_rq_ws_on_non_ws_route") == 4
    assert [line.split()[2:5] for line in lines(log, 4)[:4]] == [["403", "-", "upgrade_failed"]] * 4
    settle(proxy)


def test_two_upgrade_fields_are_one_that_nobody_knows(make):
    host = Host(make, 1)
    proxy = serve(make, host)
    with Opening1(proxy, "/", fields=[("Upgrade", "websocket")]) as opening:
        assert opening.refused().status == 403


def test_connect_that_no_route_takes(make, tmp_path):
    host = Host(make, 1)
    made = config.http_listener(config.virtual_host(config.route()), hcm=manager())
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]))
    for client in (1, 2):
        with OPENINGS[client](proxy, "a:1", kind="CONNECT", early=head_bytes("GET", "/evil", [])) as opening:
            assert opening.refused().status == 404
    assert proxy.stat("http.ingress.no_route") == 2
    assert not host.has_more()


# Hosts of HTTP/2 have a say


@pytest.mark.apus_only
@BOTH_VERSIONS
def test_host_without_extended_connect(make, client, tmp_path):
    host, log = Host(make, 2, settings={}), tmp_path / "log"
    proxy = serve(make, host, log)
    for _ in range(2):
        with OPENINGS[client](proxy, "/chat") as opening:
            assert opening.refused().status == 503
    assert [line.split()[2:5] for line in lines(log, 2)] == [["503", "UPE", "upstream_no_extended_connect"]] * 2
    assert proxy.stat("cluster.origin.upstream_cx_active") == 1, "the connection is good for other requests"
    with OPENINGS[client](proxy, "a:1", kind="CONNECT") as opening:
        assert arrive(host) and opening.accepted()
    settle(proxy)


@pytest.mark.apus_only
@BOTH_VERSIONS
def test_extended_connect_waits_for_the_settings(make, client):
    allowed = threading.Event()
    host = Host(make, 2, late_settings=allowed)
    proxy = serve(make, host)
    with proxy.connect() as plain:
        plain.send(head_bytes("GET", "/first", []))
        first = host.next()
        with OPENINGS[client](proxy, "/chat", early=b"early") as opening:
            wait.until(lambda: proxy.stat("cluster.origin.upstream_rq_active") == 2, "it is on its way")
            assert not host.has_more()
            allowed.set()
            there = host.next().accept()
            assert there.receive(5) == b"early"
            assert opening.accepted()
        first.refuse(200)
        assert plain.response().status == 200
    settle(proxy)


@pytest.mark.apus_only
def test_client_leaves_while_extended_connect_waits(make):
    allowed = threading.Event()
    host = Host(make, 2, late_settings=allowed)
    proxy = serve(make, host)
    opening = Opening1(proxy, "/chat", early=b"early")
    wait.until(lambda: proxy.stat("cluster.origin.upstream_rq_active") == 1, "it is on its way")
    opening.close()
    settle(proxy)
    allowed.set()
    with Opening1(proxy, "/chat") as opening:
        arrival = host.next()
        assert arrival.accept() and opening.accepted()


def test_protocol_without_leave_is_malformed(make):
    host = Host(make, 1)
    made = config.http_listener(
        config.virtual_host(config.route()),
        hcm=manager(http2_protocol_options={"override_stream_error_on_invalid_http_message": True}))
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]))
    with http2.Client(proxy.port()) as client:
        client.handshake()
        assert client.peer_settings.get(http2.ENABLE_CONNECT_PROTOCOL, 0) == 0
        with Opening2(proxy, "/chat", peer=client) as opening:
            assert opening.refused().reset == http2.PROTOCOL_ERROR
        assert client.is_alive()
    assert not host.has_more()


@pytest.mark.parametrize(
    "fields",
    [
        [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/"), (":scheme", "http")],
        [(":method", "CONNECT")],
        [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a"), (":scheme", "http")],
        [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a"), (":path", "/")],
        [(":method", "GET"), (":protocol", "websocket"), (":authority", "a"), (":path", "/"), (":scheme", "http")],
        [(":method", "CONNECT"), (":protocol", "web\r\nsocket"), (":authority", "a"), (":path", "/"), (":scheme", "http")],
    ],
)  # fmt: skip
def test_malformed_connect(make, fields):
    host = Host(make, 1)
    proxy = serve(make, host)
    with http2.Client(proxy.port()) as client:
        stream = client.open_raw(fields, ends=False)
        try:
            message = client.response(stream)
            assert message.reset == http2.PROTOCOL_ERROR or message.status in (400, 403)
        except Closed:
            assert IS_ENVOY or client.goaways[-1].code == http2.PROTOCOL_ERROR
    assert not host.has_more()


@pytest.mark.apus_only
def test_only_data_on_a_tunnel(make):
    """Trailers of either side break it (RFC 9113 section 8.5)."""
    host = Host(make, 2)
    proxy = serve(make, host)
    with Opening2(proxy, "/chat") as opening:
        there = arrive(host)
        opening.accepted()
        opening.peer.send(http2.head(opening.stream, http2.literals([("x", "1")]), ends=True))
        opening.peer.finish()
        with pytest.raises(Reset):
            there.rest()
    with Opening2(proxy, "/chat") as opening:
        there = arrive(host)
        here = opening.accepted()
        there.server.send(http2.head(there.stream, http2.literals([("x", "1")]), ends=True))
        with pytest.raises(Reset):
            here.rest()
    settle(proxy)


# WebSocket keys


KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.apus_only
def test_a_host_of_http1_gets_a_key(make):
    host = Host(make, 1)
    proxy = serve(make, host)
    keys = set()
    for _ in range(3):
        with Opening2(proxy, "/chat", fields=[("sec-websocket-version", "13")]) as opening:
            arrival = host.next()
            assert (arrival.method, arrival.get("upgrade"), arrival.get("connection")) == ("GET", "websocket", "upgrade")
            keys.add(arrival.get("sec-websocket-key"))
            arrival.accept(fields=[("Sec-WebSocket-Accept", "whatever")])
            assert "sec-websocket-accept" not in opening.answer()
    assert len(keys) == 3 and all(len(key) == 24 for key in keys)
    with Opening2(proxy, "/chat", fields=[("sec-websocket-key", KEY)]) as opening:
        arrival = host.next()
        assert arrival.get("sec-websocket-key") == KEY
        arrival.accept(fields=[("Sec-WebSocket-Accept", ACCEPT)])
        assert opening.answer().get("sec-websocket-accept") == ACCEPT


@pytest.mark.apus_only
def test_a_client_of_http1_gets_its_answer(make):
    host = Host(make, 2)
    proxy = serve(make, host)
    with Opening1(proxy, "/chat", fields=[("Sec-WebSocket-Key", KEY)]) as opening:
        arrival = host.next()
        assert (arrival.method, arrival.get(":protocol"), arrival.target) == ("CONNECT", "websocket", "/chat")
        arrival.accept()
        assert opening.answer().get("sec-websocket-accept") == ACCEPT
        assert opening.message.get("upgrade") == "websocket"
    with Opening1(proxy, "/chat", fields=[("Sec-WebSocket-Key", KEY)]) as opening:
        host.next().accept(fields=[("sec-websocket-accept", "its-own")])
        assert opening.answer().get("sec-websocket-accept") == "its-own"
    with Opening1(proxy, "/chat", kind="other", fields=[("Sec-WebSocket-Key", KEY)]) as opening:
        assert opening.refused().status == 403


# CONNECT that ends here


@pytest.mark.parametrize("version", ["V1", "V2"])
@BOTH_VERSIONS
def test_proxy_protocol_comes_first(make, client, version):
    host = Host(make, "tcp")
    proxy = serve(make, host, action=None)
    routes = [terminated(proxy_protocol_config={"version": version})]
    made = config.http_listener(config.virtual_host(*routes), hcm=manager())
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]))
    with OPENINGS[client](proxy, "a:1", kind="CONNECT", early=b"early") as opening:
        there = host.next()
        sock = opening.client.sock if client == 1 else opening.peer.sock
        port, to = sock.getsockname()[1], proxy.port()
        if version == "V1":
            header = b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (port, to)
        else:
            header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([127, 0, 0, 1] * 2) + port.to_bytes(2, "big") + to.to_bytes(2, "big")
        assert there.receive(len(header) + 5) == header + b"early"
        assert opening.accepted()


@BOTH_VERSIONS
def test_host_that_refuses_connections(make, client, tmp_path):
    log = tmp_path / "log"
    made = config.http_listener(config.virtual_host(terminated()), hcm=manager(log))
    proxy = make.proxy(config.bootstrap([made], [config.cluster("origin", free_port())]), arguments=FLUSH)
    with OPENINGS[client](proxy, "a:1", kind="CONNECT", early=b"early") as opening:
        answer = opening.refused()
        assert answer.status == 503 and answer.body.endswith(b"remote connection failure")
    assert lines(log, 1)[0].split()[:4] == ["CONNECT", "-", "503", "UF"]
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_cx_connect_fail"] == 1
    assert stats["cluster.origin.upstream_rq_pending_failure_eject"] == 1
    settle(proxy)


@BOTH_VERSIONS
def test_client_leaves_while_the_host_is_dialled(make, client):
    """192.0.2.0/24 is for documents: nobody answers there."""
    made = config.http_listener(config.virtual_host(terminated()), hcm=manager())
    silent = config.cluster("origin", 1, connect_timeout="30s")
    silent["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = config.address(9, "192.0.2.1")
    proxy = make.proxy(config.bootstrap([made], [silent]))
    opening = OPENINGS[client](proxy, "a:1", kind="CONNECT", early=b"early")
    state = wait.until(
        lambda: (stats := proxy.stats())["cluster.origin.upstream_rq_pending_active"] == 1
        or stats["cluster.origin.upstream_cx_connect_fail"] == 1 and "unreachable", "it is dialled")
    opening.close()
    settle(proxy)
    if state is True:
        wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "the connection is gone")


@pytest.mark.parametrize("client", [1, 2])
def test_connect_timeout(make, client, tmp_path):
    """A listener whose queue is full takes no more connections."""
    import socket

    log = tmp_path / "log"
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
        waiting.append(sock)
    made = config.http_listener(config.virtual_host(terminated()), hcm=manager(log))
    slow = config.cluster("origin", full.getsockname()[1], connect_timeout="0.3s")
    proxy = make.proxy(config.bootstrap([made], [slow]), arguments=FLUSH)
    with OPENINGS[client](proxy, "a:1", kind="CONNECT") as opening:
        answer = opening.refused()
        assert answer.status == 503 and answer.body.endswith(b"connection timeout")
    assert lines(log, 1)[0].split()[2:4] == ["503", "UF"]
    assert proxy.stat("cluster.origin.upstream_cx_connect_timeout") == 1
    for sock in [full, *waiting]:
        sock.close()
    settle(proxy)


@pytest.mark.apus_only
@pytest.mark.parametrize("limit", ["max_requests", "max_connections"])
def test_circuit_breakers_count_tunnels(make, limit):
    host = Host(make, "tcp")
    breakers = {"thresholds": [{limit: 1, "max_pending_requests": 1}]}
    made = config.http_listener(config.virtual_host(terminated()), hcm=manager())
    proxy = make.proxy(config.bootstrap([made], [cluster(host, circuit_breakers=breakers)]))
    with Opening1(proxy, "a:1", kind="CONNECT") as first:
        arrive(host)
        assert first.accepted()
        with Opening1(proxy, "a:1", kind="CONNECT") as second:
            answer = second.refused()
            assert answer.status == 503 and answer.body.endswith(b"overflow"), answer
    settle(proxy)
    wait.until(lambda: proxy.stat("cluster.origin.upstream_cx_active") == 0, "its connection is gone too")
    with Opening1(proxy, "a:1", kind="CONNECT") as third:
        assert third.accepted()


def test_post_in_place_of_connect(make, tmp_path):
    host, log = Host(make, "tcp"), tmp_path / "log"
    configured = [{"upgrade_type": "CONNECT", "connect_config": {"allow_post": True}}]
    direct = {"match": {"prefix": "/direct"}, "direct_response": {"status": 204}}
    routes = config.virtual_host(direct, config.route("/", upgrade_configs=configured))
    made = config.http_listener(routes, hcm=manager(log))
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]), arguments=FLUSH)
    with proxy.connect() as client:
        client.send(head_bytes("POST", "/", [("Content-Length", "11")]) + b"hello")
        there = host.next()
        assert there.receive(5) == b"hello"
        client.send(b" world")
        assert there.rest() == b" world"
        there.send(b"answer")
        there.end()
        response = client.response()
        assert (response.status, response.body, response.get("transfer-encoding")) == (200, b"answer", "chunked")
    with proxy.connect() as client:
        client.send(head_bytes("POST", "/", [("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n")
        there = host.next()
        assert there.receive(3) == b"abc"
        client.send(b"0\r\n\r\n")
        assert there.rest() == b""
        there.end()
        assert client.response().status == 200
        if not IS_ENVOY:
            # The connection goes on as HTTP.
            client.send(head_bytes("GET", "/direct", []))
            assert client.response().status == 204
    with http2.Client(proxy.port()) as client:
        stream = client.open("POST", "/", ends=False)
        client.send(http2.data(stream, b"abc"))
        there = host.next()
        assert there.receive(3) == b"abc"
        there.send(b"de")
        message = client.head(stream)
        assert message.status == 200
        client.send(http2.data(stream, b"", ends=True))
        assert there.rest() == b""
        there.end()
        assert client.response(stream).body == b"de"
    wanted = [["POST", "/", "200"]] * 3
    assert [found for line in lines(log, 3) if (found := line.split()[:3])[0] == "POST"] == wanted
    settle(proxy)


# Filters


BUFFER = "envoy.filters.http.buffer", "buffer.v3.Buffer", {"max_request_bytes": 1000}


def mutation(name, value):
    added = {"append": {"header": {"key": "x-chain", "value": value}}}
    mutations = {"request_mutations": [added], "response_mutations": [added]}
    return name, "header_mutation.v3.HeaderMutation", {"mutations": mutations}


@BOTH_VERSIONS
def test_a_chain_of_its_own(make, client):
    """Of the type's filters, with settings of routes for them; other types and plain requests pass the listener's."""
    host = Host(make, 1)
    chain = config.http_filters(mutation("own", "own"), mutation("second", "second"))
    types = [{"upgrade_type": "websocket", "filters": chain}, {"upgrade_type": "other"}, {"upgrade_type": "CONNECT"}]
    disabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    off = {"typed_per_filter_config": {"second": disabled}}
    routes = [connect_route(), config.route("/off", route_fields=off), config.route()]
    made = config.http_listener(
        config.virtual_host(*routes), hcm=manager(upgrade_configs=types, http_filters=config.http_filters(mutation("main", "main"))))
    proxy = make.proxy(config.bootstrap([made], [cluster(host)]))
    for target, kind, wanted in [
        ("/", "websocket", ["own", "second"]), ("/off", "websocket", ["own"]), ("/", "other", ["main"]), ("a:1", "CONNECT", ["main"]),
    ]:  # fmt: skip
        with OPENINGS[client](proxy, target, kind=kind, early=b"early") as opening:
            arrival = host.next()
            assert arrival.head.values("x-chain") == wanted
            there = arrival.accept(b"hello")
            assert sorted(opening.answer().values("x-chain")) == sorted(wanted)
            assert there.receive(5) == b"early" and opening.tunnel.receive(5) == b"hello"
    with proxy.connect() as plain:
        plain.send(head_bytes("GET", "/off", []))
        arrival = host.next()
        assert arrival.head.values("x-chain") == ["main"]
        arrival.refuse(200)
        assert plain.response().get("x-chain") == "main"
    settle(proxy)


@pytest.mark.apus_only
@BOTH_VERSIONS
def test_the_buffer_filter_lets_upgrades_pass(make, client):
    host = Host(make, 1)
    proxy = serve(make, host, hcm={"http_filters": config.http_filters(BUFFER)})
    for target, kind in [("/", "websocket"), ("a:1", "CONNECT")]:
        with OPENINGS[client](proxy, target, kind=kind, early=b"e" * 5000) as opening:
            there = arrive(host)
            assert there.receive(5000) == b"e" * 5000
            assert opening.accepted()
    settle(proxy)


def is_served(proxy, host):
    """Whether /new is answered by the proxy rather than by the host."""
    with proxy.connect() as client:
        client.send(head_bytes("GET", "/new", []))
        wait.until(lambda: host.has_more() or select.select([client.sock], [], [], 0)[0], "it is here or at the host")
        if host.has_more():
            host.next()
            return False
        return client.response().status == 204


@pytest.mark.apus_only
def test_a_reload_of_routes_keeps_the_chains_numbers(make):
    """Settings of routes find their filters when the table alone has changed."""
    host = Host(make, 1)
    types = [{"upgrade_type": "websocket", "filters": config.http_filters(mutation("own", "own"))}]
    made = config.http_listener(
        config.virtual_host(config.route()), hcm=manager(upgrade_configs=types, http_filters=config.http_filters(mutation("main", "main"))))
    document = config.bootstrap([made], [cluster(host)])
    proxy = make.proxy(document)
    disabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    changed = json.loads(json.dumps(document))
    found = changed["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]
    found["virtual_hosts"][0]["routes"][0]["typed_per_filter_config"] = {"own": disabled}
    found["virtual_hosts"][0]["routes"].insert(0, {"match": {"prefix": "/new"}, "direct_response": {"status": 204}})
    proxy.write_config(changed)

    wait.until(lambda: "/new" in json.dumps(proxy.config_dump()), "the new table is there")
    wait.until(lambda: is_served(proxy, host), "the new table serves")
    for _ in range(2):
        with Opening1(proxy, "/") as opening:
            arrival = host.next()
            assert arrival.head.values("x-chain") == []
            arrival.accept()
            assert opening.accepted()


# Second attempts


def test_upgrade_on_a_connection_that_has_gone_stale(make):
    """Nothing of a tunnel was sent, so the request may go once more."""
    host = Host(make, 1)
    proxy = serve(make, host)
    with proxy.connect() as client:
        client.send(head_bytes("GET", "/first", []))
        first = host.next()
        first.refuse(200)
        assert client.response().status == 200
        # The host takes the next request and dies without a word.
        opening = Opening1(proxy, "/chat", early=b"early")
        first.close()
        second = host.next()
        assert second.target == "/chat"
        second.tunnel.abort()
        if IS_ENVOY:
            return
        there = host.next().accept()
        assert there.receive(5) == b"early"
        assert opening.accepted()
        opening.close()


def test_no_second_attempt_once_accepted(make):
    for version in (1, 2):
        host = Host(make, version)
        proxy = serve(make, host)
        with Opening1(proxy, "/chat", early=b"early") as opening:
            there = arrive(host)
            assert there.receive(5) == b"early"
            opening.accepted()
            if version == 1:
                there.abort()
            else:
                there.server.send(http2.rst_stream(there.stream, http2.REFUSED_STREAM))
            try:
                opening.tunnel.rest()
            except Reset:
                pass
        settle(proxy)
        assert not host.has_more() and proxy.stat("cluster.origin.upstream_rq_retry") == 0


# Leaving and changing


@pytest.mark.apus_only
@pytest.mark.parametrize("name", ["websocket-h1-h1", "websocket-h2-h2", "CONNECT-h1-tcp"])
def test_tunnels_live_until_the_drain_is_over(make, name):
    bridge = BRIDGES[name]
    host = Host(make, bridge[1])
    proxy = serve(make, host, arguments=["--drain-time-s", "2"])
    with open_tunnel(proxy, bridge) as opening:
        there = arrive(host)
        here = opening.accepted()
        proxy.signal(15)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            here.send(b".")
            assert there.receive(1) == b"."
            time.sleep(0.05)  # the tunnel's own pace
        try:
            here.rest()
        except Reset:
            pass
        assert proxy.wait() == 0


@pytest.mark.apus_only
def test_the_end_of_the_last_tunnel_ends_the_drain(make):
    host = Host(make, 1)
    proxy = serve(make, host, arguments=["--drain-time-s", "60"])
    with Opening1(proxy, "/chat") as opening:
        there = arrive(host)
        here = opening.accepted()
        proxy.signal(15)
        here.end()
        assert there.rest() == b""
        there.end()
        assert here.rest() == b""
        assert proxy.wait(10) == 0


@pytest.mark.apus_only
def test_a_reload_leaves_tunnels_alone(make):
    host, other = Host(make, 1), make.origin()
    proxy = serve(make, host)
    with Opening1(proxy, "/chat") as opening:
        there = arrive(host)
        here = opening.accepted()
        document = json.loads(proxy.path.read_text())
        document["static_resources"]["clusters"] = [config.cluster("origin", other.port)]
        proxy.write_config(document)
        wait.until(lambda: f"127.0.0.1:{other.port}::" in proxy.admin("/clusters").body.decode(), "the new host is known")
        here.send(b"ping")
        assert there.receive(4) == b"ping"
        there.send(b"pong")
        assert here.receive(4) == b"pong"
    settle(proxy)


# TLS


def test_over_tls_both_ways(make, ca, server):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.chain, server.key)
    host = Host(make, 1)
    host.origin.tls = context
    made = config.with_tls(config.http_listener(config.virtual_host(config.route()), hcm=manager()), server)
    trusted = config.tls_cluster("origin", host.port, trusts=ca)
    proxy = make.proxy(config.bootstrap([made], [trusted]))
    mine = ssl.create_default_context(cafile=str(ca.pem))
    body = os.urandom(1 << 20)
    with Opening1(proxy, "/chat", early=b"early", tls=mine) as opening:
        there = arrive(host, behind=b"hello")
        here = opening.accepted()
        assert there.receive(5) == b"early" and here.receive(5) == b"hello"
        sender = threading.Thread(target=here.send, args=(body,))
        sender.start()
        assert there.receive(len(body)) == body
        sender.join(10)
        there.send(body)
        assert here.receive(len(body)) == body
        # close_notify ends one direction.
        there.sock.unwrap() if IS_ENVOY else there.sock.shutdown(1)
        try:
            here.rest()
        except (Reset, OSError):
            pass
    settle(proxy)
