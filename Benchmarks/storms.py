"""Storms: something busy happens beside a steady open-loop load, and what matters is the load's tail.

Latency counts from when a request was due (apus-load --rate), so a proxy that stands still for a moment pays for every
request that it kept waiting. Each round has a calm half and a stormy half on the same process.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass

import endpoints
import measure
from peers import LOAD_CORE, PUBLISHER, pinned
from loads import LOAD_SCRIPT

RATE = 5000  # requests a second: no proxy here is near its limit
PUBLICATIONS = 20  # a second
SCRAPERS = 4


@dataclass
class Storm:
    name: str
    title: str
    kind: str  # of endpoints.py
    unit: str
    without: tuple = ()
    body_bytes: int = 1024


# HAProxy, nginx and nghttpx take a new configuration by starting new processes (HAProxy's runtime interface changes
# single servers), and have no page of this kind: other things, so they are left out.
OTHERS = ("floor", "haproxy", "nginx", "nghttpx")
STORMS = [
    Storm("reload", f"{endpoints.COUNT:,} endpoints published {PUBLICATIONS} times a second, one of them different",
          "reload", "publications/s", without=OTHERS),  # fmt: skip
    Storm("scrape", f"{SCRAPERS} clients read the statistics of {endpoints.CLUSTERS:,} clusters without a pause",
          "scrape", "pages/s", without=(*OTHERS, PUBLISHER)),  # fmt: skip
    Storm("flapping", f"of {endpoints.COUNT:,} hosts with active checks every 5 s, 1 % fail each second and as many come back; main on the load's core",
          "flapping", "failed checks/s", without=(*OTHERS, PUBLISHER)),  # fmt: skip
]


@dataclass
class StormRound:
    calm: dict  # "50", "99", "99.9" -> milliseconds
    storm: dict
    lost: int  # requests without a right answer
    events_per_second: float
    # The main thread's, in percent of a core.
    calm_main: float
    storm_main: float


def load(binary, port, seconds):
    """Percentiles in milliseconds, and how many requests got no right answer."""
    with tempfile.NamedTemporaryFile() as file:
        command = [binary, "-t1", "-c32", "--rate", RATE, f"-d{seconds}s", "--warm-up", "1s", "--quiet", "--json", file.name]
        subprocess.run(pinned(LOAD_CORE, *command, f"http://127.0.0.1:{port}/"), stdout=subprocess.DEVNULL)
        report = json.load(file)
    if not report["latency"]["count"]:
        raise SystemExit(f"no right answer on port {port}: {report['errors']}")
    percentiles = {which: ns / 1e6 for which, ns in report["latency"]["percentiles_ns"].items()}
    return percentiles, sum(report["errors"].values())


def wait_until_served(server, seconds=60):
    """A port may be bound long before it is served: Envoy waits for its endpoints."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/", timeout=seconds).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{server.name} does not answer on port {server.http_port}")


def place_main(storm, server):
    """What main does for hosts is not to be counted as the worker's: its thread, the process's first, gets the other core."""
    if storm.kind == "flapping":
        os.sched_setaffinity(server.pid, {LOAD_CORE})


def one_round(storm, server, hosts, seconds, apus_load):
    (calm, lost_before), calm_main = with_main(server, lambda: load(apus_load, server.http_port, seconds))
    kinds = {"reload": publisher, "scrape": Scraper, "flapping": lambda server: Flapping(server, hosts)}
    with kinds[storm.kind](server) as events:
        (stormy, lost), storm_main = with_main(server, lambda: load(apus_load, server.http_port, seconds))
    return StormRound(calm, stormy, lost_before + lost, events.per_second, calm_main, storm_main)


def with_main(server, body):
    """What `body` gives, and the share of a core that the proxy's main thread used meanwhile, in percent."""
    before, began = measure.main_nanoseconds(server.pid), time.monotonic_ns()
    result = body()
    return result, 100 * (measure.main_nanoseconds(server.pid) - before) / (time.monotonic_ns() - began)


def counter(server, name):
    url = f"http://127.0.0.1:{server.ports['admin']}/stats?filter=^{name.replace('.', '[.]')}$"
    return int(re.search(rf"{name}: (\d+)", urllib.request.urlopen(url, timeout=30).read().decode())[1])


class Flapping:
    """Hosts that fail and come back, until all are well again."""

    def __init__(self, server, hosts):
        self.server, self.hosts = server, hosts

    def wait(self, healthy):
        deadline = time.monotonic() + 60
        while counter(self.server, "cluster.origin.membership_healthy") < healthy:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.server.name}: hosts do not become healthy")
            time.sleep(0.1)

    def __enter__(self):
        self.wait(endpoints.COUNT)
        self.hosts.process.send_signal(signal.SIGUSR1)
        time.sleep(5)  # until each host was asked once
        self.before, self.began = counter(self.server, "cluster.origin.health_check.failure"), time.monotonic()
        return self

    def __exit__(self, *_):
        failures = counter(self.server, "cluster.origin.health_check.failure") - self.before
        self.per_second = failures / (time.monotonic() - self.began)
        self.hosts.process.send_signal(signal.SIGUSR2)
        self.wait(endpoints.COUNT)


def publisher(server):
    return PipePublisher(server) if server.name == PUBLISHER else FilePublisher(server)


class FilePublisher:
    """Moves a new file into place; the proxy's own counter says how many it took into use."""

    def __init__(self, server):
        self.server, self.ended = server, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def taken(self):
        name = "cluster.origin.update_success" if self.server.name == "envoy" else "server.config_reload_success"
        return counter(self.server, name)

    def run(self):
        due = time.monotonic()
        number = 0
        while not self.ended.wait(max(0, due - time.monotonic())):
            number += 1
            self.server.published.write(number)
            due = max(due + 1 / PUBLICATIONS, time.monotonic())

    def __enter__(self):
        self.before, self.began = self.taken(), time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.per_second = (self.taken() - self.before) / (time.monotonic() - self.began)


class PipePublisher:
    """Tells Benchmarks/Publish to."""

    def __init__(self, server):
        self.process = server.process

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def taken(self):
        self.say("stop\n")
        return int(self.process.stdout.readline().split()[1])

    def __enter__(self):
        self.before, self.began = self.taken(), time.monotonic()
        self.say(f"publish {PUBLICATIONS}\n")
        return self

    def __exit__(self, *_):
        self.per_second = (self.taken() - self.before) / (time.monotonic() - self.began)


class Scraper:
    """wrk on the admin page, on idle time only: it shares a core with the load."""

    def __init__(self, server):
        url = f"http://127.0.0.1:{server.ports['admin']}/"
        self.command = pinned(LOAD_CORE, "chrt", "--idle", 0, "wrk", "-t1", f"-c{SCRAPERS}", "-d3600s", "--timeout", "60s",
                              "-s", LOAD_SCRIPT, url, "--", "scrape")  # fmt: skip

    def __enter__(self):
        self.began = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.send_signal(2)
        output, _ = self.process.communicate()
        self.per_second = int(re.search(r"(\d+) requests in", output)[1]) / (time.monotonic() - self.began)
