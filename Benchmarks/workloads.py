"""The workloads: what is sent, to which proxies it applies, and what one round of each measures."""

import re
import socket
import subprocess
from dataclasses import dataclass

import measure
from peers import HERE, LOAD_CORE, pinned

LOAD_SCRIPT = HERE / "load.lua"
IDLE_CONNECTIONS = 5000


@dataclass
class Workload:
    name: str
    title: str
    body_bytes: int = 1024
    connections: int = 64
    tcp: bool = False
    headers: tuple = ()
    sends: str = ""  # a kind of load.lua
    routing: str = None  # a kind of routes.py
    without: tuple = ()  # proxies that it does not apply to


WORKLOADS = [
    Workload("h1", "HTTP/1.1 keep-alive, 64 connections, 1 KiB"),
    Workload("tcp", "TCP proxy, the same traffic", tcp=True, without=("nghttpx",)),
    Workload("large", "1 MiB answers, 8 connections", body_bytes=1 << 20, connections=8),
    Workload("upload", "64 KiB request bodies, 16 connections", connections=16, sends="upload"),
    # Envoy looks through the routes of a virtual host one by one; apus gets the very same file.
    Workload("paths", "10,000 routes told apart by path prefix", sends="paths", routing="paths"),
    Workload("hosts", "10,000 virtual hosts", sends="hosts", routing="hosts"),
    # The floor passes the end of a connection on without announcing it, which wrk takes for an error.
    Workload("churn", "a new connection per request", headers=("Connection: close",), without=("floor",)),
]
IDLE = Workload("idle", f"{IDLE_CONNECTIONS} idle HTTP/1.1 connections, one request each before", without=("floor",))


@dataclass
class Round:
    requests: int
    cpu_microseconds: float  # the proxy's, per request
    p50_milliseconds: float
    p99_milliseconds: float
    p999_milliseconds: float
    pss_mib: float
    errors: int


def wrk(workload, port, seconds):
    command = ["wrk", "-t1", f"-c{workload.connections}", f"-d{seconds}s", "-s", LOAD_SCRIPT]
    for header in workload.headers:
        command += ["-H", header]
    command += [f"http://127.0.0.1:{port}/", "--", workload.sends]
    return subprocess.run(pinned(LOAD_CORE, *command), capture_output=True, text=True, check=True).stdout


def percentile(output, which):
    """Milliseconds."""
    found = re.search(rf"^percentile {which} (\d+) us$", output, re.MULTILINE)
    return int(found[1]) / 1000 if found else float("nan")


def one_round(workload, server, seconds, warm_up_seconds=1):
    port = server.tcp_port if workload.tcp else server.http_port
    wrk(workload, port, warm_up_seconds)
    before = measure.cpu_nanoseconds(server.pid)
    output = wrk(workload, port, seconds)
    used = measure.cpu_nanoseconds(server.pid) - before
    requests = int(re.search(r"(\d+) requests in", output)[1])
    if not requests:
        raise SystemExit(f"{server.name} answered nothing in workload {workload.name}:\n{output}")
    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", output))
    errors += sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    return Round(
        requests,
        used / 1000 / requests,
        percentile(output, 50),
        percentile(output, 99),
        percentile(output, 99.9),
        measure.pss_kib(server.pid) / 1024,
        errors,
    )


def idle_kib(server):
    """Memory that one idle connection costs the proxy, in KiB of PSS."""

    def opened(count):
        sockets = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", server.http_port), timeout=10)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < 1024:
                piece = sock.recv(65536)
                if not piece:
                    raise SystemExit(f"{server.name} closed a connection")
                data += piece
            sockets.append(sock)
        return sockets

    warm = opened(50)
    before = measure.pss_kib(server.pid)
    sockets = opened(IDLE_CONNECTIONS)
    grown = measure.pss_kib(server.pid) - before
    for sock in warm + sockets:
        sock.close()
    return grown / IDLE_CONNECTIONS
