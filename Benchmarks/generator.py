#!/usr/bin/env python3
"""CPU per request of apus-load and of others on the same work: closed loop, one thread, 1 KiB answers.

  Benchmarks/generator.py             wrk over HTTP/1.1, 64 connections: five interleaved rounds of three seconds each
  Benchmarks/generator.py --http2     h2load over HTTP/2, 8 connections with 32 streams
  Benchmarks/generator.py --rate      and how well apus-load holds 20,000 requests/s on one core

The generator runs on core 1, the origin on core 0. CPU is what the kernel charged the process until it ended.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORIGIN_CORE, LOAD_CORE = 0, 1


def pinned(core, command, **options):
    return subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], text=True, **options)


def start_http2_origin(binary):
    process = pinned(ORIGIN_CORE, [binary, "--origin", "127.0.0.1:0"], stdout=subprocess.PIPE)
    return process, int(process.stdout.readline().rsplit(":", 1)[1])


def start_origin(directory):
    binary = pathlib.Path(directory) / "origin"
    subprocess.run(["gcc", "-O2", "-o", binary, ROOT / "Benchmarks/origin/origin.c"], check=True)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = pinned(ORIGIN_CORE, [binary, port, 1024])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except ConnectionRefusedError:
            time.sleep(0.01)


def run(command):
    """Standard output and CPU nanoseconds of a command on the load's core."""
    process = pinned(LOAD_CORE, command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, output
    return output, (usage.ru_utime + usage.ru_stime) * 1e9


def wrk(port, seconds):
    output, cpu = run(["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}/"])
    return int(re.search(r"(\d+) requests in", output)[1]), cpu


def h2load(port, seconds):
    output, cpu = run(["h2load", "-t1", "-c8", "-m32", "-D", seconds, f"http://127.0.0.1:{port}/"])
    return int(re.search(r"(\d+) done", output)[1]), cpu


def apus_load(binary, port, seconds, *flags):
    with tempfile.NamedTemporaryFile() as file:
        _, cpu = run(
            [binary, "-t1", *flags, f"-d{seconds}s", "--quiet", "--json", file.name, f"http://127.0.0.1:{port}/"])
        return requests_in(json.loads(pathlib.Path(file.name).read_text())), cpu


def requests_in(report):
    return report["totals"]["responses"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("--apus-load", default=ROOT / ".build/release/apus-load")
    chosen = parser.parse_args()
    binary = chosen.apus_load
    with tempfile.TemporaryDirectory() as directory:
        origin, port = start_http2_origin(binary) if chosen.http2 else start_origin(directory)
        peer, peer_run = ("h2load", h2load) if chosen.http2 else ("wrk", wrk)
        flags = ["--http2", "-c8", "--streams", 32] if chosen.http2 else ["-c64"]
        try:
            found = {peer: [], "apus-load": []}
            for _ in range(chosen.rounds):
                for name in found:
                    work = peer_run if name == peer else lambda p, s: apus_load(binary, p, s, *flags)
                    requests, cpu = work(port, chosen.seconds)
                    found[name].append(cpu / 1000 / requests)
                    print(f"  {name:10} {requests / chosen.seconds:9.0f} requests/s {found[name][-1]:6.2f} µs of CPU a request")
            medians = {name: statistics.median(values) for name, values in found.items()}
            print(f"median: {peer} {medians[peer]:.2f} µs, apus-load {medians['apus-load']:.2f} µs, "
                  f"ratio {medians['apus-load'] / medians[peer]:.2f}")  # fmt: skip
            if chosen.rate:
                print(run([binary, *flags, "--rate", "20k", "-d5s", "--warm-up", "1s", "--quiet", f"http://127.0.0.1:{port}/"])[0])
        finally:
            origin.kill()
            origin.wait()


if __name__ == "__main__":
    main()
