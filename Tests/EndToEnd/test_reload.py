"""New configuration while traffic runs: by SIGHUP, by moving a file into place; bad files change nothing."""

import signal
import threading

import pytest

from harness import config, wait
from harness.client import Closed, KeepAlive, get, refused

pytestmark = pytest.mark.apus_only
RELOADS = 500


def generation(client):
    return client.get().get("x-generation")


def by_rename(proxy, document):
    proxy.write_config(document)


def by_sighup(proxy, document):
    proxy.overwrite_config(document)
    proxy.signal(signal.SIGHUP)


class Load(threading.Thread):
    """Requests one after the other on one connection, until told to stop."""

    def __init__(self, port, stop):
        super().__init__(daemon=True)
        self.client, self.stopping = KeepAlive(port), stop
        self.answered, self.failures = 0, []

    def run(self):
        while not self.stopping.is_set():
            try:
                response = self.client.get()
                self.answered += 1
                if response.status != 200:
                    self.failures.append(response)
            except (Closed, OSError) as error:
                self.failures.append(error)
                self.client.reconnect()
        self.client.close()


def origin_port(document):
    cluster = document["static_resources"]["clusters"][0]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    return endpoint["address"]["socket_address"]["port_value"]


@pytest.mark.parametrize("change", [by_rename, by_sighup])
def test_no_request_is_lost(make, change):
    document = config.simple(make.origin().port)
    # Half of the generations have one more cluster, listener and host, so that these come and go too.
    extra = make.origin()
    larger = config.bootstrap(
        [*document["static_resources"]["listeners"], config.tcp_listener("extra")],
        [config.cluster("origin", origin_port(document), extra.port), config.cluster("extra", extra.port)],
    )
    proxy = make.proxy(document, concurrency=2)
    port, stop = proxy.port(), threading.Event()
    loads = [Load(port, stop) for _ in range(4)]
    for load in loads:
        load.start()
    with KeepAlive(port) as probe:
        for number in range(RELOADS):
            change(proxy, config.with_generation(larger if number % 2 else document, number))
            wait.until(lambda: generation(probe) == str(number), f"generation {number} serves")
    stop.set()
    for load in loads:
        load.join(10)
    assert [failure for load in loads for failure in load.failures] == []
    assert all(load.answered > 10 for load in loads)


def test_memory_and_descriptors_do_not_grow(make):
    document = config.simple(make.origin().port)
    proxy = make.proxy(document)
    with KeepAlive(proxy.port()) as probe:

        def reload_to(last, first):
            for number in range(first, last):
                proxy.write_config(config.with_generation(document, number))
                wait.until(lambda: generation(probe) == str(number), f"generation {number} serves")

        reload_to(50, 0)
        memory, descriptors = proxy.resident_kib(), proxy.descriptors()
        reload_to(250, 50)
        assert proxy.resident_kib() - memory < 4096
        assert proxy.descriptors() <= descriptors + 2
        # Main's own and the current one: every other generation is freed when its last stream is done.
        wait.until(lambda: proxy.stat("server.snapshots_live") == 2, "only two snapshots are in memory")


BAD = [
    ("not YAML", "static_resources: [", "proxy.yaml:1"),
    ("unknown field", "static_resources:\n  listenerz: []\n", "proxy.yaml:2:3"),
    ("wrong type", "static_resources:\n  clusters: 7\n", "proxy.yaml:2"),
    ("empty cluster name", "static_resources:\n  clusters:\n  - name: ''\n", "proxy.yaml:3"),
]


@pytest.mark.parametrize("change", [by_rename, by_sighup])
@pytest.mark.parametrize("name, text, place", BAD, ids=[row[0] for row in BAD])
def test_a_bad_file_changes_nothing(make, name, text, place, change):
    document = config.simple(make.origin().port)
    proxy = make.proxy(config.with_generation(document, 1))
    with KeepAlive(proxy.port()) as client:
        assert generation(client) == "1"
        change(proxy, text)
        wait.until(lambda: place in proxy.log(), f"the log names {place}")
        assert generation(client) == "1"
        assert get(proxy.port()).status == 200
        change(proxy, config.with_generation(document, 2))
        wait.until(lambda: generation(client) == "2", "the next good file serves")


def test_listeners_come_and_go(make):
    origin = make.origin()
    clusters = [config.cluster("origin", origin.port)]
    one = config.http_listener(config.virtual_host(config.route()), name="one")
    two = config.http_listener(config.virtual_host(config.route()), name="two")
    proxy = make.proxy(config.bootstrap([one], clusters))
    port = proxy.port("one")
    proxy.write_config(config.bootstrap([one, two], clusters))
    wait.until(lambda: b"two::" in proxy.admin("/listeners").body, "the second listener")
    second = proxy.port("two")
    assert get(second).status == 200 and proxy.port("one") == port
    proxy.write_config(config.bootstrap([one], clusters))
    wait.until(lambda: refused(second), "the second listener is gone")
    assert get(port).status == 200


def test_requests_in_flight_finish_with_the_configuration_they_began_with(make):
    release = threading.Event()

    def script(connection, request):
        assert release.wait(10)
        connection.reply(b"old origin")

    old, new = make.origin(script), make.origin(lambda connection, _: connection.reply(b"new origin"))
    listener = config.http_listener(config.virtual_host(config.route()))
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", old.port)]))
    port, answers = proxy.port(), []
    waiting = threading.Thread(target=lambda: answers.append(get(port).body))
    waiting.start()
    wait.until(lambda: old.requests_total == 1, "the request is upstream")
    proxy.write_config(config.bootstrap([listener], [config.cluster("origin", new.port)]))
    wait.until(lambda: str(new.port).encode() in proxy.admin("/clusters").body, "the new host is known")
    assert get(port).body == b"new origin"
    release.set()
    waiting.join(10)
    assert answers == [b"old origin"]


def test_sighup_with_an_unchanged_file(make):
    proxy = make.proxy(config.with_generation(config.simple(make.origin().port), 1))
    with KeepAlive(proxy.port()) as client:
        for _ in range(20):
            proxy.signal(signal.SIGHUP)
            assert generation(client) == "1"
    assert proxy.stop() == 0
