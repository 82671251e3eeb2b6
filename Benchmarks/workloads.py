"""The workloads: what is sent, to which proxies it applies, and what one round of each measures."""

import socket
import ssl
from dataclasses import dataclass
from typing import Callable

import measure
from loads import Load, h2load, resumptions, wrk

IDLE_CONNECTIONS = 5000


@dataclass
class Workload:
    name: str
    title: str
    body_bytes: int = 1024
    connections: int = 64
    streams: int = 1  # of HTTP/2, on each connection
    generator: Callable = wrk
    port: str = "http"  # of Server.ports
    http2_origin: bool = False
    headers: tuple = ()
    sends: str = ""  # a kind of load.lua
    routing: str = None  # a kind of routes.py
    without: tuple = ()  # proxies that it does not apply to


def http2(name, what, without=("floor",), **options):
    title = f"{what}: 8 connections with 32 streams each, 1 KiB"
    return Workload(name, title, connections=8, streams=32, generator=h2load, without=without, **options)


WORKLOADS = [
    Workload("h1", "HTTP/1.1 keep-alive, 64 connections, 1 KiB"),
    Workload("tcp", "TCP proxy, the same traffic", port="tcp", without=("nghttpx",)),
    Workload("large", "1 MiB answers, 8 connections", body_bytes=1 << 20, connections=8),
    Workload("upload", "64 KiB request bodies, 16 connections", connections=16, sends="upload"),
    # Envoy looks through the routes of a virtual host one by one; apus gets the very same file.
    Workload("paths", "10,000 routes told apart by path prefix", sends="paths", routing="paths"),
    Workload("hosts", "10,000 virtual hosts", sends="hosts", routing="hosts"),
    # The floor passes the end of a connection on without announcing it, which wrk takes for an error.
    Workload("churn", "a new connection per request", headers=("Connection: close",), without=("floor",)),
    http2("h2c", "HTTP/2 cleartext in, HTTP/1.1 out", port="h2c"),
    http2("h2h2", "HTTP/2 cleartext in and out", port="h2c", http2_origin=True, without=("floor", "nginx")),
    http2("h2tls", "HTTP/2 over TLS in, HTTP/1.1 out", port="https"),
    Workload("h1tls", "HTTP/1.1 keep-alive over TLS, 64 connections, 1 KiB", port="https", without=("floor",)),
    Workload("handshakes", "a new TLS 1.3 connection per request, none resumed", port="https", headers=("Connection: close",),
             without=("floor",)),  # fmt: skip
    Workload("resumption", "a new TLS 1.2 connection without a request, one after the other, all resumed", port="https",
             generator=resumptions, without=("floor",)),  # fmt: skip
]
IDLES = [
    Workload("idle", f"{IDLE_CONNECTIONS} idle HTTP/1.1 connections, one request each before", without=("floor",)),
    Workload("idletls", f"{IDLE_CONNECTIONS} idle HTTP/1.1 connections over TLS 1.3, one request each before", port="https",
             without=("floor",)),  # fmt: skip
]


@dataclass
class Round:
    load: Load
    cpu_microseconds: float  # the proxy's, per request
    pss_mib: float


def one_round(workload, server, seconds, warm_up_seconds=1):
    workload.generator(workload, server, warm_up_seconds)
    before = measure.cpu_nanoseconds(server.pid)
    load = workload.generator(workload, server, seconds)
    used = measure.cpu_nanoseconds(server.pid) - before
    if not load.requests:
        raise SystemExit(f"{server.name} answered nothing in workload {workload.name}")
    return Round(load, used / 1000 / load.requests, measure.pss_kib(server.pid) / 1024)


def idle_kib(workload, server):
    """Memory that one idle connection costs the proxy, in KiB."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def opened(count):
        sockets = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", server.ports[workload.port]), timeout=10)
            if workload.port == "https":
                sock = context.wrap_socket(sock)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < 1024:
                piece = sock.recv(65536)
                if not piece:
                    raise SystemExit(f"{server.name} closed a connection")
                data += piece
            sockets.append(sock)
        return sockets

    warm = opened(2000)  # fills what the process had allocated and freed before
    before = measure.own_kib(server.pid)
    sockets = opened(IDLE_CONNECTIONS)
    grown = measure.own_kib(server.pid) - before
    for sock in warm + sockets:
        sock.close()
    return grown / IDLE_CONNECTIONS
