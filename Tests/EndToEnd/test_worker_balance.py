"""Accepted connections go to the worker with the least to do."""

import pytest
from harness import config, wait

ANSWER = b"x" * 1000


def distribution(proxy, workers=2):
    name = "listener.127.0.0.1_0.worker_%d.downstream_cx_active"
    return [proxy.stat(name % worker) for worker in range(workers)]


def start(make, workers=2, **options):
    origin = make.origin(lambda connection, request: connection.reply(ANSWER))
    return make.proxy(config.simple(origin.port), concurrency=workers, **options)


def connected(proxy, count):
    clients = [proxy.connect() for _ in range(count)]
    for client in clients:
        assert client.get().body == ANSWER
    return clients


@pytest.mark.parametrize("workers", [2, 4])
def test_connections_are_spread_evenly(make, workers):
    proxy = start(make, workers)
    clients = connected(proxy, 8 * workers)
    assert distribution(proxy, workers) == [8] * workers
    given = sum(proxy.stat(f"worker_{worker}.connections_handed_over") for worker in range(workers))
    taken = sum(proxy.stat(f"worker_{worker}.connections_taken_over") for worker in range(workers))
    assert given == taken
    for client in clients:
        client.close()
    wait.until(lambda: distribution(proxy, workers) == [0] * workers, "the connections to end")
    for client in connected(proxy, 2 * workers):  # the counts have come back
        client.close()


def test_connections_work_after_the_way(make):
    proxy = start(make)
    clients = connected(proxy, 16)
    for _ in range(3):
        for client in clients:
            assert client.get().body == ANSWER
    assert proxy.stat("http.ingress.downstream_cx_total") == 16
    assert proxy.stat("http.ingress.downstream_rq_2xx") == 64


def test_the_kernel_alone_when_asked(make):
    proxy = start(make, arguments=["--connection-balance", "kernel"])
    clients = connected(proxy, 32)
    assert sum(distribution(proxy)) == 32
    assert proxy.stat("worker_0.connections_handed_over") == proxy.stat("worker_1.connections_handed_over") == 0
    for client in clients:
        client.close()


def test_reload_and_drain_with_connections_on_the_way(make):
    origin = make.origin(lambda connection, request: connection.reply(ANSWER))
    document = config.simple(origin.port)
    document["static_resources"]["listeners"][0]["address"] = config.address(0)
    proxy = make.proxy(document, concurrency=2)
    for generation in range(10):
        proxy.write_config(config.with_generation(document, generation))
        for client in connected(proxy, 8):
            client.close()
    wait.until(lambda: distribution(proxy) == [0, 0], "the connections to end")
    proxy.stop()
