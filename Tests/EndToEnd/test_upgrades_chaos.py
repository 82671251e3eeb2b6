"""Tunnels whose both ends do anything at any time, by a seed: in the end nothing is left, and the next client is served."""

import contextlib
import random
import socket
import threading

import pytest

from harness import config, http2, wait
from harness.origin import free_port
from harness.tunnels import OPENINGS, Host
from test_upgrades import UPGRADES, arrive, cluster, connect_route, settle, terminated

pytestmark = pytest.mark.apus_only
CLIENTS, TUNNELS = 10, 25
SIZES = [0, 1, 100, 20_000, 300_000]


def party(tunnel, chance):
    """Talks, listens, ends, breaks."""
    for _ in range(chance.randrange(1, 8)):
        step = chance.randrange(10)
        if step < 4:
            tunnel.send(b"d" * chance.choice(SIZES))
        elif step < 7:
            tunnel.receive(chance.choice([1, 50]))
        elif step == 7:
            tunnel.end()
        elif step == 8 and chance.random() < 0.5:
            tunnel.abort()
            return
        elif step == 9 and chance.random() < 0.3:
            tunnel.rest()


def impatient(tunnel):
    if hasattr(tunnel, "sock"):
        tunnel.sock.settimeout(0.1)


def client(proxy, seed):
    chance = random.Random(seed)
    shared = None
    for _ in range(TUNNELS):
        with contextlib.suppress(Exception):
            version, kind = chance.choice([1, 2]), chance.choice(["websocket", "CONNECT"])
            options = {}
            if version == 2:
                if shared is None or chance.random() < 0.3:
                    shared = http2.Client(
                        proxy.port(), window=chance.choice([1000, 65535, 1 << 30]), timeout=0.5).handshake()
                options["peer"] = shared
            early = b"e" * chance.choice(SIZES[:4]) if chance.random() < 0.3 else b""
            target = chance.choice(["a:1", "b:1", "dead:1"]) if kind == "CONNECT" else chance.choice(["/one", "/two", "/dead"])
            opening = OPENINGS[version](proxy, target, kind=kind, early=early, **options)
            impatient(opening.tunnel)
            if chance.random() < 0.1:
                opening.close()
                continue
            head = opening.answer()
            if head.status in (101, 200):
                party(opening.tunnel, chance)
            if chance.random() < 0.7 or version == 1:
                with contextlib.suppress(OSError):
                    opening.tunnel.abort() if chance.random() < 0.5 else opening.tunnel.close()
                if version == 2:
                    shared = None if shared.sock.fileno() < 0 else shared
    if shared:
        with contextlib.suppress(OSError):
            shared.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            shared.close()


def host(place, seed, stop):
    chance = random.Random(seed)
    while not stop.is_set():
        with contextlib.suppress(Exception):
            arrival = place.next(0.2)

            def serve(arrival=arrival, chance=random.Random(chance.random())):
                with contextlib.suppress(Exception):
                    if place.version != "tcp" and chance.random() < 0.15:
                        arrival.refuse(chance.choice([404, 500]), b"n" * chance.choice(SIZES[:4]))
                        return
                    if place.version != "tcp" and chance.random() < 0.1:
                        arrival.tunnel.abort()
                        return
                    tunnel = arrival if place.version == "tcp" else arrival.accept(b"h" * chance.choice(SIZES[:3]))
                    impatient(tunnel)
                    party(tunnel, chance)
                with contextlib.suppress(Exception):
                    tunnel = arrival if place.version == "tcp" else arrival.tunnel
                    tunnel.abort() if chance.random() < 0.5 or place.version == 2 else tunnel.close()

            threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left(make, seed):
    places = {"one": Host(make, 1), "two": Host(make, 2), "tcp": Host(make, "tcp")}
    named = [{"name": ":authority", "string_match": {"prefix": "a"}}]
    dead = [{"name": ":authority", "string_match": {"prefix": "dead"}}]
    routes = [
        {**terminated("dead"), "match": {"connect_matcher": {}, "headers": dead}},
        {**connect_route("two"), "match": {"connect_matcher": {}, "headers": named}},
        terminated("tcp"),
        config.route("/two", "two"),
        config.route("/dead", "dead"),
        config.route("/direct", "one"),
        config.route("/", "one"),
    ]
    limits = {"per_connection_buffer_limit_bytes": 65536}
    listener = config.http_listener(
        config.virtual_host(*routes),
        hcm={"upgrade_configs": UPGRADES, "http2_protocol_options": {"allow_connect": True}, "stream_idle_timeout": "2s"},
        listener=limits)
    clusters = [cluster(place, name, **limits) for name, place in places.items()]
    proxy = make.proxy(config.bootstrap([listener], [*clusters, config.cluster("dead", free_port())]))
    stop = threading.Event()
    hosts = [threading.Thread(target=host, args=(place, seed * 10 + n, stop)) for n, place in enumerate(places.values())]
    clients = [threading.Thread(target=client, args=(proxy, seed * 100 + number)) for number in range(CLIENTS)]
    for thread in hosts + clients:
        thread.start()
    for thread in clients:
        thread.join(60)
        assert not thread.is_alive()
    stop.set()
    for thread in hosts:
        thread.join(10)
    settle(proxy)
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "no client is left")
    assert proxy.stat("http.ingress.downstream_cx_upgrades_total") > 50
    gauges = r"(cluster\.\w+\.)?http2\.(pending_send_bytes|outbound_frames_active|outbound_control_frames_active)"
    wait.until(lambda: proxy.sum(gauges) == 0, "no frame waits")
    for version, target in [(1, "/one"), (2, "/two"), (1, "/two")]:
        place = places[target[1:]]
        while place.has_more():
            place.next()
        with OPENINGS[version](proxy, target) as opening:
            there = arrive(place)
            here = opening.accepted()
            here.send(b"ping")
            assert there.receive(4) == b"ping"
    settle(proxy)


def test_many_tunnels_give_their_memory_back(make):
    place = Host(make, 1)
    listener = config.http_listener(config.virtual_host(config.route("/", "one")), hcm={"upgrade_configs": UPGRADES})
    breakers = {"thresholds": [{"max_connections": 2000, "max_requests": 2000, "max_pending_requests": 2000}]}
    proxy = make.proxy(config.bootstrap([listener], [cluster(place, "one", circuit_breakers=breakers)]), descriptors=8192)

    def wave(count):
        openings = [OPENINGS[1](proxy, "/", early=b"e" * 5000) for _ in range(count)]
        tunnels = [arrive(place) for _ in openings]
        for opening in openings:
            opening.accepted().send(b"x" * 5000)
        for tunnel in tunnels:
            tunnel.send(b"y" * 5000)
        for opening in openings:
            opening.tunnel.receive(5000)
        assert proxy.stat("http.ingress.downstream_cx_upgrades_active") == count
        for opening, tunnel in zip(openings, tunnels):
            opening.close()
            tunnel.close()
        settle(proxy)

    wave(300)
    before = proxy.resident_kib()
    for _ in range(3):
        wave(300)
    assert proxy.resident_kib() - before < 4096
    wait.until(lambda: proxy.descriptors() < 100, "the descriptors are closed")
