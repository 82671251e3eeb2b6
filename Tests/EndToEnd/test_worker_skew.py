"""Each worker chooses hosts by itself; a few requests over many workers must reach many hosts all the same."""

import collections

import pytest
from harness import config

WORKERS = 8
HOSTS = 16


def spread(make, kind):
    """How many of so many requests, one for each host and each on a connection of its own, each host has."""
    counts = collections.Counter()

    def script(number):
        def answer(connection, request):
            counts[number] += 1
            connection.reply(b"")

        return answer

    origins = [make.origin(script(number)) for number in range(HOSTS)]
    cluster = config.cluster("origin", *(origin.port for origin in origins))
    listener = config.http_listener(config.virtual_host(config.route()))
    proxy = make.proxy(config.bootstrap([listener], [cluster]), concurrency=WORKERS, kind=kind)
    clients = [proxy.connect() for _ in range(HOSTS)]
    for client in clients:
        assert client.get().status == 200
    for client in clients:
        client.close()
    proxy.stop()
    return [counts[number] for number in range(HOSTS)]


@pytest.mark.needs_envoy
def test_skew_beside_envoy(make):
    """Workers of Apus have the same number of connections and begin evenly apart, so that each host has one request.

    Envoy's begin by chance: it gives all sixteen hosts their one request in about two of 10^5 runs."""
    ours = spread(make, "apus")
    theirs = [spread(make, "envoy") for _ in range(3)]
    print(f"busiest of {HOSTS} hosts: Apus {max(ours)}, Envoy {[max(counts) for counts in theirs]}")
    assert ours == [1] * HOSTS
    assert any(counts != [1] * HOSTS for counts in theirs)
