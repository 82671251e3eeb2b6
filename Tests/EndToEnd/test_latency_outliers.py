"""Hosts that are ejected because they are slower than the others: nothing like it is in Envoy."""

import contextlib
import json
import socket
import threading
import time
from concurrent import futures

import pytest

from harness import config, http2, wait
from harness.client import Client
from harness.example import example
from test_outliers import Setup as Outliers

pytestmark = pytest.mark.apus_only

SLOW_SECONDS = 0.25


class Host:
    """An origin that takes its time when it is told to."""

    def __init__(self, make, **options):
        self.is_slow, self.count, self.lock = False, 0, threading.Lock()
        self.origin = make.origin(self, **options)

    def wait(self):
        with self.lock:
            self.count += 1
        if self.is_slow:
            time.sleep(SLOW_SECONDS)

    def __call__(self, connection, request):
        self.wait()
        connection.reply(b"body")

    @property
    def port(self):
        return self.origin.port


class HTTP2Host(Host):
    def __init__(self, make):
        def answer(server, request):
            # Requests of a connection do not wait for each other.
            threading.Thread(target=self.reply, args=(server, request)).start()

        super().__init__(make)
        self.origin = make.origin(raw=http2.serving(answer, ()))


    def reply(self, server, request):
        self.wait()
        with self.lock:
            server.reply(request.stream, b"body")


class Setup(Outliers):
    def active(self, host):
        """Requests under way at a host."""
        return int(clusters(self)[f"127.0.0.1:{host.port}::rq_active"])


class Load:
    """Requests over and over, from several clients at a time, until it is left."""

    def __init__(self, proxy, clients=6, **options):
        self.port, self.options, self.stops, self.statuses = proxy.port(), options, threading.Event(), []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        with Client(self.port) as client:
            while not self.stops.is_set():
                self.statuses.append(client.request("GET", "/", **self.options).status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stops.set()
        for thread in self.threads:
            thread.join(20)


def looks(outlier=None, cluster=None, **latency):
    """A cluster that looks for slow hosts; nothing else can eject one."""
    options = {"request_volume": 3, "minimum_hosts": 3, "minimum_latency": "0.15s", "quantile": "P50", **latency}
    return {
        "outlier": {"interval": "0.5s", "base_ejection_time": "60s", "consecutive_5xx": 0, "enforcing_success_rate": 0, **(outlier or {})},
        "cluster": {"metadata": {"filter_metadata": {"apus": {"latency_outlier": options}}}, **(cluster or {})},
    }


def clusters(setup):
    lines = [line.split("::", 1)[1] for line in setup.proxy.admin("/clusters").body.decode().splitlines() if line.startswith("origin::")]
    return dict(line.rsplit("::", 1) for line in lines)


@pytest.mark.parametrize("kind", [Host, HTTP2Host])
def test_a_slow_host_is_ejected(make, kind):
    hosts = [kind(make) for _ in range(4)]
    fields = {"typed_extension_protocol_options": config.http2_options()} if kind is HTTP2Host else {}
    setup = Setup(make, [host.port for host in hosts], **looks(cluster=fields))
    hosts[2].is_slow = True
    with Load(setup.proxy):
        setup.until("ejections_enforced_latency", 1)
        wait.until(lambda: setup.healthy() == 3, "three healthy hosts")
        [event] = setup.events()
        shown = clusters(setup)
        _, told = setup.status()
        wait.until(lambda: setup.active(hosts[2]) == 0, "those under way come to an end")
        count = hosts[2].count
        before = hosts[0].count
        wait.until(lambda: hosts[0].count > before + 20, "requests go on")
        assert hosts[2].count == count
    assert (event["type"], event["action"], event["enforced"], event["upstream_url"]) == ("LATENCY", "EJECT", True, f"127.0.0.1:{hosts[2].port}")
    numbers = event["eject_latency_event"]
    assert numbers["host_ms"] >= 196 > 98 >= numbers["cluster_median_ms"]
    assert numbers["host_ms"] >= numbers["threshold_ms"] >= 150
    assert shown[f"127.0.0.1:{hosts[2].port}::health_flags"] == "/failed_outlier_check"
    assert shown[f"127.0.0.1:{hosts[2].port}::ejection"].startswith("latency, time 1, ends in ")
    assert shown[f"127.0.0.1:{hosts[2].port}::ejection_reason"].startswith("P50 ")
    assert "outlier::latency_ejection_threshold_ms" in shown
    assert told[hosts[2].port]["apus"]["outlier_detection"]["detector"] == "latency"
    assert told[hosts[2].port]["apus"]["outlier_detection"]["reason"] == shown[f"127.0.0.1:{hosts[2].port}::ejection_reason"]
    log = setup.proxy.log()
    assert f"127.0.0.1:{hosts[2].port} is ejected for 60 s: latency, P50 " in log and "ms; median of all hosts " in log


def test_latencies_are_shown(make):
    hosts = [Host(make) for _ in range(3)]
    setup = Setup(make, [host.port for host in hosts], **looks(outlier={"interval": "1s"}))
    with Load(setup.proxy):

        def shown():
            status, told = setup.status()
            cluster, host = (part["apus"]["outlier_detection"] for part in (status, told[hosts[0].port]))
            return (cluster, host) if "latency_median_ms" in cluster and "latency_ms" in host else None

        cluster, host = wait.until(shown, "latencies")
    assert 0 < cluster["latency_median_ms"] < cluster["latency_ejection_threshold_ms"] >= 150
    assert host["latency_ms"] > 0 and not host["ejected"]


def test_a_slow_host_comes_back(make):
    hosts = [Host(make) for _ in range(4)]
    setup = Setup(make, [host.port for host in hosts], **looks({"base_ejection_time": "1s"}))
    hosts[1].is_slow = True
    with Load(setup.proxy):
        setup.until("ejections_enforced_latency", 1)
        hosts[1].is_slow = False
        wait.until(lambda: setup.healthy() == 4, "all hosts are back")
        count = hosts[1].count
        wait.until(lambda: hosts[1].count > count + 10, "it serves again")
    assert [event["action"] for event in setup.events(2)] == ["EJECT", "UNEJECT"]


def test_a_host_that_hangs_does_not_look_fast(make):
    hosts = [Host(make) for _ in range(4)]
    setup = Setup(make, [host.port for host in hosts], route={"timeout": "0.2s"}, **looks())
    hosts[3].is_slow = True
    with Load(setup.proxy) as load:
        setup.until("ejections_enforced_latency", 1)
        wait.until(lambda: setup.healthy() == 3, "three healthy hosts")
    assert 504 in load.statuses
    assert setup.events()[0]["upstream_url"] == f"127.0.0.1:{hosts[3].port}"


def test_hosts_that_are_all_slow_stay(make):
    hosts = [Host(make) for _ in range(3)]
    setup = Setup(make, [host.port for host in hosts], **looks())
    for host in hosts:
        host.is_slow = True
    with Load(setup.proxy):
        # Two looks at all of them.
        wait.until(lambda: float(clusters(setup).get("outlier::latency_median_ms", -1)) > 200, "a median", 20)
        assert setup.stat("ejections_detected_latency") == 0
    assert setup.healthy() == 3


def test_it_is_off_unless_asked_for(make):
    hosts = [Host(make) for _ in range(4)]
    quiet = looks({"failure_percentage_request_volume": 1, "failure_percentage_minimum_hosts": 1})
    del quiet["cluster"]["metadata"]
    setup = Setup(make, [host.port for host in hosts], **quiet)
    hosts[0].is_slow = True
    rates = lambda: [value for name, value in clusters(setup).items() if name.endswith("::success_rate") and value == "100"]
    with Load(setup.proxy):
        # All hosts have been looked at with what the slow one did.
        wait.until(lambda: hosts[0].count > 10 and len(rates()) == 4, "a look at all hosts", 20)
        count = hosts[0].count
        wait.until(lambda: hosts[0].count > count + 6, "the slow host is used")
        assert setup.stat("ejections_detected_latency") == 0
    assert "outlier::latency_median_ms" not in clusters(setup)


def test_a_host_that_hangs_is_found_though_clients_give_up(make):
    """They leave after a moment, and before the host answers: the route has no timeout that would count."""
    hosts = [Host(make) for _ in range(4)]
    setup = Setup(make, [host.port for host in hosts], route={"timeout": "0s"}, **looks(minimum_latency="0.04s"))
    hosts[1].is_slow = True

    def impatient():
        with socket.create_connection(("127.0.0.1", setup.proxy.port())) as client:
            client.settimeout(0.1)
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            with contextlib.suppress(TimeoutError):
                client.recv(100)

    with futures.ThreadPoolExecutor(6) as pool:
        wait.until(lambda: [each.result() for each in [pool.submit(impatient) for _ in range(6)]] and setup.stat("ejections_enforced_latency"), "the ejection", 20)
    assert setup.events()[0]["upstream_url"] == f"127.0.0.1:{hosts[1].port}"


def test_a_reload_turns_it_on_and_off(make):
    hosts = [Host(make) for _ in range(4)]
    setup = Setup(make, [host.port for host in hosts], **looks())
    on = json.loads(setup.proxy.path.read_text())
    off = json.loads(json.dumps(on))
    del off["static_resources"]["clusters"][0]["metadata"]
    shows = lambda: "outlier::latency_median_ms" in clusters(setup)
    assert shows()
    setup.proxy.write_config(off)
    wait.until(lambda: not shows(), "it is off")
    hosts[0].is_slow = True
    with Load(setup.proxy):
        wait.until(lambda: hosts[0].count > 6, "the slow host is used")
        assert setup.stat("ejections_detected_latency") == 0
        setup.proxy.write_config(on)
        setup.until("ejections_enforced_latency", 1)


def test_example(make):
    hosts = [Host(make) for _ in range(5)]
    proxy = example(make, "latency-outliers", {9000 + index: host.port for index, host in enumerate(hosts)})
    with Client(proxy.port()) as client:
        assert [client.get("/").status for _ in range(5)] == [200] * 5
    assert [host.count for host in hosts] == [1] * 5
    lines = proxy.admin("/clusters").body.decode().splitlines()
    assert "shop::outlier::latency_median_ms::-1" in lines
    hosts[2].is_slow = True
    with Load(proxy) as load:
        # Two intervals, and some time.
        wait.until(lambda: proxy.stat("cluster.shop.outlier_detection.ejections_enforced_latency") == 1, "the ejection", 60)

        def spared():
            before = hosts[2].count, hosts[3].count
            wait.until(lambda: hosts[3].count > before[1] + 10, "others are used")
            return hosts[2].count == before[0]

        wait.until(spared, "no more requests to the slow host")
    assert set(load.statuses) == {200}
    assert proxy.stat("cluster.shop.outlier_detection.ejections_active") == 1
    event = json.loads(wait.until((make.directory / "ejections.log").read_text, "a line in the log", 20).splitlines()[0])
    assert (event["type"], event["upstream_url"]) == ("LATENCY", f"127.0.0.1:{hosts[2].port}")
