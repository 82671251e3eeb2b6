"""The statsd sink: what it receives in total is exactly what happened."""

import threading

import pytest

from harness import config, wait
from harness.client import Client, KeepAlive, get

RQ = "envoy.http.ingress.downstream_rq_2xx"


def setup(make, concurrency=1, flush="0.1s", arguments=(), **sink):
    daemon = make.statsd()
    origin = make.origin()
    document = config.simple(origin.port)
    document.update(stats_sinks=[config.statsd_sink(daemon.port, **sink)], stats_flush_interval=flush)
    return daemon, document, make.proxy(document, concurrency=concurrency, arguments=arguments)


def test_counters_add_up(make):
    daemon, _, proxy = setup(make, concurrency=2)
    port, threads = proxy.port(), []

    def requests():
        with Client(port) as client:
            for _ in range(250):
                assert client.get().status == 200

    for _ in range(4):
        threads.append(threading.Thread(target=requests))
        threads[-1].start()
    for thread in threads:
        thread.join(30)
    wait.until(lambda: daemon.counter(RQ) >= 1000, "1000 requests at statsd")
    assert proxy.stop() == 0
    counts = {RQ: 1000, "envoy.http.ingress.downstream_rq_total": 1000, "envoy.cluster.origin.upstream_rq_200": 1000}
    counts["envoy.http.ingress.downstream_cx_total"] = 4
    # The last datagrams have been sent; the daemon may still have to read them.
    for name, count in counts.items():
        wait.until(lambda: daemon.counter(name) >= count, f"{count} of {name} at statsd")
    assert {name: daemon.counter(name) for name in counts} == counts
    assert daemon.malformed == []


def test_the_last_flush_comes_at_the_end(make):
    daemon, _, proxy = setup(make, flush="60s")
    for _ in range(7):
        get(proxy.port())
    assert proxy.stop() == 0
    wait.until(lambda: daemon.counter(RQ) == 7, "the seven requests at statsd")


@pytest.mark.apus_only
def test_timers_may_come_one_by_one(make):
    daemon, _, proxy = setup(make, arguments=["--statsd-timers", "100"])
    for _ in range(5):
        get(proxy.port())
    for name in ("envoy.http.ingress.downstream_rq_time", "envoy.cluster.origin.upstream_rq_time"):
        wait.until(lambda: daemon.timer_count(name) == 5, f"five samples of {name}")


def test_gauges(make):
    daemon, _, proxy = setup(make)
    with proxy.connect() as client:
        client.get()
        wait.until(lambda: daemon.gauges.get("envoy.http.ingress.downstream_cx_active") == 1, "one active connection")
    wait.until(lambda: daemon.gauges.get("envoy.http.ingress.downstream_cx_active") == 0, "none active")
    assert daemon.gauges["envoy.cluster.origin.membership_total"] == 1


def test_prefix(make):
    daemon, _, proxy = setup(make, prefix="ours")
    get(proxy.port())
    wait.until(lambda: daemon.counter("ours.http.ingress.downstream_rq_2xx") == 1, "the prefixed counter")


def test_datagrams_fit_the_network(make):
    daemon, _, proxy = setup(make)
    get(proxy.port())
    wait.until(lambda: daemon.counter(RQ) == 1, "a flush")
    assert daemon.datagram_bytes_max <= 1432


@pytest.mark.apus_only
def test_counters_add_up_across_reloads(make):
    """Counters survive reloads: none is lost with the old configuration or counted twice with the new."""
    daemon, document, proxy = setup(make, flush="0.05s")
    sent = 0
    with KeepAlive(proxy.port()) as client:
        for generation in range(30):
            proxy.write_config(config.with_generation(document, generation))
            serving = None
            deadline = wait.Deadline(f"generation {generation} serves")
            while serving != str(generation):
                deadline.check()
                serving = client.get().get("x-generation")
                sent += 1
    assert proxy.stop() == 0
    wait.until(lambda: daemon.counter(RQ) == sent, f"{sent} requests at statsd")


@pytest.mark.apus_only
def test_a_change_of_the_sinks_counts_nothing_twice(make):
    daemon, document, proxy = setup(make)
    for _ in range(5):
        get(proxy.port())
    wait.until(lambda: daemon.counter(RQ) == 5, "the first requests")
    document["stats_flush_interval"] = "0.2s"
    proxy.write_config(document)
    wait.until(lambda: proxy.stat("server.config_reload_success") == 1, "the reload")
    for _ in range(3):
        get(proxy.port())
    assert proxy.stop() == 0
    wait.until(lambda: daemon.counter(RQ) == 8, "five and three requests")
