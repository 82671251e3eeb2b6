"""Balancing policies: which host takes a request. Runs on Envoy too; hosts of hashing policies are compared with its."""

import collections
import contextlib
import socket
import threading
import time

import pytest

from harness import config, wait
from harness.client import Client, get
from harness.example import example

POLICIES = config.TYPE + "extensions.load_balancing_policies."


def endpoint(port, weight=None, key=None, hostname=None, health=None):
    fields = {"address": config.address(port), **({"hostname": hostname} if hostname else {})}
    made = {"endpoint": fields}
    if weight:
        made["load_balancing_weight"] = weight
    if key:
        made["metadata"] = {"filter_metadata": {"envoy.lb": {"hash_key": key}}}
    if health:
        made["health_status"] = health
    return made


def cluster(endpoints, name="origin", **fields):
    made = config.cluster(name, **fields)
    made["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    return made


def policy(name, typed, **fields):
    """The extension form of a policy."""
    extension = {"name": f"envoy.load_balancing_policies.{name}", "typed_config": {"@type": f"{POLICIES}{name}.v3.{typed}", **fields}}
    return {"load_balancing_policy": {"policies": [{"typed_extension_config": extension}]}}


def names(make, count, script=None):
    """Origins that say who they are."""

    def named(name):
        return script(name) if script else lambda connection, request: connection.reply(name.encode())

    return [make.origin(named(f"o{i}"), name=f"o{i}") for i in range(count)]


HASH = [{"header": {"header_name": "x-key"}}]


def proxy_of(make, made, concurrency=1, kind=None, hcm=None, **action):
    listener = config.http_listener(config.virtual_host(config.route(**action)), hcm=hcm)
    options = {"kind": kind} if kind else {}
    return make.proxy(config.bootstrap([listener], [made]), concurrency=concurrency, **options)


def counted(proxy, count, headers=()):
    with Client(proxy.port()) as client:
        return collections.Counter(client.get("/", headers).body.decode() for _ in range(count))


class Held:
    """Origins whose answers wait; each knows how many requests it has."""

    def __init__(self, make, count):
        self.go = threading.Event()
        self.active = collections.Counter()
        self.lock = threading.Lock()
        self.origins = names(make, count, self.script)

    def script(self, name):
        def answer(connection, request):
            if request.target == "/now":
                return connection.reply(name.encode())
            with self.lock:
                self.active[name] += 1
            assert self.go.wait(30)
            connection.reply(name.encode())

        return answer

    @contextlib.contextmanager
    def requests(self, proxy, count, headers=(), path="/"):
        """So many requests at a time, each begun when the ones before are at their hosts."""
        clients = [Client(proxy.port(), timeout=40) for _ in range(count)]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        try:
            for number, client in enumerate(clients):
                client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
                wait.until(lambda: sum(self.active.values()) == number + 1, "the request is at a host")
            yield
        finally:
            self.go.set()
            for client in clients:
                client.response()
                client.close()


# Round robin, least request, random


def test_round_robin_by_weight(make):
    origins = names(make, 3)
    proxy = proxy_of(make, cluster([endpoint(o.port, weight) for o, weight in zip(origins, (1, 2, 5))]))
    assert counted(proxy, 400) == {"o0": 50, "o1": 100, "o2": 250}


@pytest.mark.parametrize("fields", [
    {"lb_policy": "LEAST_REQUEST"},
    {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 5}},
    policy("least_request", "LeastRequest", choice_count=3),
])  # fmt: skip
def test_least_request_without_load_is_random(make, fields):
    origins = names(make, 4)
    counts = counted(proxy_of(make, cluster([endpoint(o.port) for o in origins], **fields)), 800)
    # Six standard deviations (12.2) of a binomial distribution.
    assert len(counts) == 4 and all(abs(count - 200) < 74 for count in counts.values()), counts


def test_full_scan_levels_requests(make):
    held = Held(make, 5)
    fields = policy("least_request", "LeastRequest", selection_method="FULL_SCAN")
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in held.origins], **fields))
    with held.requests(proxy, 10):
        assert held.active == {f"o{i}": 2 for i in range(5)}


def test_least_request_avoids_the_busy(make):
    held = Held(make, 2)
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in held.origins], lb_policy="LEAST_REQUEST"))
    with held.requests(proxy, 1):
        busy = next(iter(held.active))
        with Client(proxy.port()) as client:
            counts = collections.Counter(client.get("/now").body.decode() for _ in range(400))
    # Chosen only when both samples are the busy one: a quarter. Six standard deviations are 52.
    assert 48 < counts[busy] < 152, counts


def test_least_request_by_weight(make):
    origins = names(make, 3)
    weights = [endpoint(o.port, weight) for o, weight in zip(origins, (1, 2, 5))]
    counts = counted(proxy_of(make, cluster(weights, lb_policy="LEAST_REQUEST")), 400)
    assert all(abs(counts[f"o{i}"] - 50 * weight) <= 2 for i, weight in enumerate((1, 2, 5))), counts


@pytest.mark.parametrize("bias, share", [(1.0, 100), (0.0, 200), (2.0, 50)])
def test_least_request_by_weight_and_load(make, bias, share):
    """Two hosts of different weights, of which one has a request: its weight is halved, or not, or halved twice."""
    held = Held(make, 2)
    weights = [endpoint(o.port, weight) for o, weight in zip(held.origins, (2, 1))]
    fields = {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"active_request_bias": {"default_value": bias, "runtime_key": "a"}}}
    proxy = proxy_of(make, cluster(weights, **fields))
    with Client(proxy.port()) as client:
        # Until it is the turn of the heavy one.
        while client.get("/now").body != b"o1":
            pass
        with held.requests(proxy, 1):
            assert held.active == {"o0": 1}
            counts = collections.Counter(client.get("/now").body.decode() for _ in range(300))
    weight = share / 100
    assert abs(counts["o0"] - 300 * weight / (weight + 1)) <= 3, counts


@pytest.mark.parametrize("fields", [{"lb_policy": "RANDOM"}, policy("random", "Random")])
def test_random_takes_no_account_of_weights(make, fields):
    origins = names(make, 2)
    weights = [endpoint(o.port, weight) for o, weight in zip(origins, (1, 100))]
    counts = counted(proxy_of(make, cluster(weights, **fields)), 400)
    assert all(abs(count - 200) < 60 for count in counts.values()), counts


def test_extension_form_of_round_robin(make):
    origins = names(make, 2)
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in origins], **policy("round_robin", "RoundRobin")))
    assert counted(proxy, 10) == {"o0": 5, "o1": 5}


def test_the_policy_wins_over_lb_policy(make):
    origins = names(make, 2)
    fields = {"lb_policy": "RANDOM", **policy("round_robin", "RoundRobin")}
    assert counted(proxy_of(make, cluster([endpoint(o.port) for o in origins], **fields)), 20) == {"o0": 10, "o1": 10}


# Slow start: a host that comes while the proxy runs.


@pytest.mark.apus_only
@pytest.mark.parametrize("name", ["round_robin", "least_request"])
@pytest.mark.parametrize("percent", [10, 50])
def test_slow_start(make, name, percent):
    """Aggression of 0.05 keeps a new host at its minimum for most of the window."""
    origins = names(make, 6)
    slow = {
        "slow_start_window": "4s", "min_weight_percent": {"value": percent},
        "aggression": {"default_value": 0.05, "runtime_key": "a"},
    }  # fmt: skip

    def bootstrap(count):
        made = cluster([endpoint(o.port) for o in origins[:count]], lb_policy=name.upper(), **{f"{name}_lb_config": {"slow_start_config": slow}})
        return config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [made])

    proxy = make.proxy(bootstrap(3))
    begun = time.monotonic()
    # All are as new as each other: none has less.
    assert min(counted(proxy, 300).values()) > 60
    for known in range(3, 6):
        wait.until(lambda: time.monotonic() - begun > 4.1, "the hosts before are not new any more")
        begun = time.monotonic()
        proxy.write_config(bootstrap(known + 1))
        wait.until(lambda: proxy.stat("cluster.origin.membership_total") == known + 1, "the host is there")
        counts = counted(proxy, 620)
        if time.monotonic() - begun < 3.5:
            break
        # A machine that is busy elsewhere: the host was at its minimum for a part of them only. Another one comes.
    new = f"o{known}"
    assert abs(counts[new] - 620 * percent / (100 * known + percent)) <= 3, counts
    # Turns are exact; two random choices have a standard deviation of 11.
    tolerance = 3 if name == "round_robin" else 66
    wait.until(lambda: abs(counted(proxy, 620)[new] - 620 / (known + 1)) < tolerance, "it has its share", seconds=30)


# Hashing

KEYS = [f"key-{i}" for i in range(1000)]


def hosts_of(proxy, keys=KEYS):
    with Client(proxy.port()) as client:
        return [client.get("/", [("x-key", key)]).body.decode() for key in keys]


def ring(**fields):
    return {"lb_policy": "RING_HASH", **({"ring_hash_lb_config": fields} if fields else {})}


def maglev(**fields):
    return {"lb_policy": "MAGLEV", **({"maglev_lb_config": fields} if fields else {})}


# Envoy takes it for static clusters in this form only.
HOSTNAMES_RING, HOSTNAMES_MAGLEV = (
    policy(*kind, consistent_hashing_lb_config={"use_hostname_for_hashing": True}) for kind in (("ring_hash", "RingHash"), ("maglev", "Maglev"))
)
STATS = {
    "ring": ["size", "min_hashes_per_host", "max_hashes_per_host"],
    "maglev": ["min_entries_per_host", "max_entries_per_host"],
}  # fmt: skip

# Name: the policy's fields and what endpoints have beside their ports.
SAME = {
    "ring": (ring(), {}),
    "ring-small": (ring(minimum_ring_size=50, maximum_ring_size=60), {}),
    "ring-large": (ring(minimum_ring_size=100000), {}),
    "ring-smaller-than-hosts": (ring(minimum_ring_size=1, maximum_ring_size=5), {}),
    "ring-murmur": (ring(hash_function="MURMUR_HASH_2"), {}),
    "ring-weights": (ring(), {"weight": lambda i: i * i % 7 + 1}),
    "ring-hash-keys": (ring(), {"key": lambda i: f"shard-{i}"}),
    "ring-unhealthy": (ring(), {"health": lambda i: "UNHEALTHY" if i % 3 == 0 else None}),
    "ring-extension": (policy("ring_hash", "RingHash", hash_function="MURMUR_HASH_2", minimum_ring_size=512, maximum_ring_size=2048), {}),
    "ring-hostnames": (HOSTNAMES_RING, {"hostname": lambda i: f"h{i}.example"}),
    "ring-keys-before-hostnames": (HOSTNAMES_RING, {"hostname": lambda i: f"h{i}", "key": lambda i: f"k{9 - i}" if i % 2 else None}),
    "maglev": (maglev(), {}),
    "maglev-small": (maglev(table_size=101), {}),
    "maglev-smaller-than-hosts": (maglev(table_size=5), {}),
    "maglev-weights": (maglev(), {"weight": lambda i: i * i % 7 + 1}),
    "maglev-hash-keys": (maglev(), {"key": lambda i: f"shard-{i}"}),
    "maglev-hostnames": (HOSTNAMES_MAGLEV, {"hostname": lambda i: f"h{i}.example"}),
    "maglev-unhealthy": (maglev(), {"health": lambda i: "UNHEALTHY" if i % 3 == 0 else None}),
    "maglev-extension": (policy("maglev", "Maglev", table_size=65539), {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def ten(make_shared):
    return names(make_shared, 10)


@pytest.mark.needs_envoy
@pytest.mark.parametrize("name", SAME)
def test_same_host_as_envoy(make, ten, name):
    fields, beside = SAME[name]
    endpoints = [endpoint(o.port, **{key: value(i) for key, value in beside.items()}) for i, o in enumerate(ten)]
    made = cluster(endpoints, **fields)
    proxies = [proxy_of(make, made, kind=kind, hash_policy=HASH) for kind in ("envoy", "apus")]
    envoy, apus = (hosts_of(proxy) for proxy in proxies)
    assert [key for key, a, b in zip(KEYS, envoy, apus) if a != b] == []
    kind = name.partition("-")[0]
    scope = "ring_hash_lb" if kind == "ring" else "maglev_lb"
    counts = [[proxy.stats().get(f"cluster.origin.{scope}.{stat}") for stat in STATS[kind]] for proxy in proxies]
    assert counts[0] == counts[1]


@pytest.mark.apus_only
@pytest.mark.parametrize("older, fields", [(ring(), HOSTNAMES_RING), (maglev(), HOSTNAMES_MAGLEV)])
def test_hostnames_in_the_older_form(make, ten, older, fields):
    common = {"common_lb_config": {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}}
    endpoints = [endpoint(o.port, hostname=f"h{i}.example") for i, o in enumerate(ten)]
    proxies = [proxy_of(make, cluster(endpoints, **form), hash_policy=HASH) for form in ({**older, **common}, fields)]
    assert hosts_of(proxies[0], KEYS[:100]) == hosts_of(proxies[1], KEYS[:100])


@pytest.mark.parametrize("fields", [ring(), maglev()])
def test_without_a_hash_hosts_are_random(make, ten, fields):
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in ten], **fields), hash_policy=HASH)
    assert len(counted(proxy, 200)) == 10


@pytest.mark.parametrize("fields", [ring(), maglev()])
def test_all_workers_agree(make, ten, fields):
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in ten], **fields), concurrency=3, hash_policy=HASH)
    for key in KEYS[:5]:
        assert len({get(proxy.port(), headers=[("x-key", key)]).body for _ in range(12)}) == 1


@pytest.mark.parametrize("fields", [ring(), maglev()])
def test_sticky_session(make, ten, fields):
    cookie = [{"cookie": {"name": "session", "ttl": "0s", "path": "/"}}]
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in ten], **fields), hash_policy=cookie)
    seen = set()
    for _ in range(20):
        first = get(proxy.port())
        made = first.get("set-cookie")
        assert made.endswith("; Path=/; HttpOnly")
        for _ in range(3):
            again = get(proxy.port(), headers=[("Cookie", made.partition(";")[0])])
            assert (again.body, again.get("set-cookie")) == (first.body, None)
        seen.add(first.body)
    assert len(seen) > 3


def test_cookie_is_not_made_where_nobody_hashes(make, ten):
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in ten]), hash_policy=[{"cookie": {"name": "c", "ttl": "9s"}}])
    assert get(proxy.port()).get("set-cookie") is None


def test_policy_of_the_cluster_takes_the_place_of_the_route_s(make, ten):
    fields = policy("ring_hash", "RingHash", consistent_hashing_lb_config={"hash_policy": [{"header": {"header_name": "x-own"}}]})
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in ten], **fields), hash_policy=HASH)
    assert len(set(hosts_of(proxy, KEYS[:50]))) > 5, "the route's policy does not count"
    for key in KEYS[:5]:
        got = {get(proxy.port(), headers=[("x-own", key), ("x-key", str(i))]).body for i in range(10)}
        assert len(got) == 1


PREVIOUS_HOSTS = [{
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": config.TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
}]  # fmt: skip


@pytest.mark.needs_envoy
@pytest.mark.parametrize("fields", [ring(), maglev()])
@pytest.mark.parametrize("attempts_max", [1, 3])
def test_repeats_go_where_envoy_s_go(make, fields, attempts_max):
    """Every host fails the first three attempts of a key: the hosts that are tried are the same."""
    tried = collections.defaultdict(list)

    def script(name):
        def answer(connection, request):
            key = (request.get("x-proxy"), request.get("x-key"))
            tried[key].append(name)
            connection.reply(b"", status="503 Busy" if len(tried[key]) < 4 else "200 OK")

        return answer

    made = cluster([endpoint(o.port) for o in names(make, 10, script)], **fields)
    retry = {
        "retry_on": "5xx", "num_retries": 3, "retry_back_off": {"base_interval": "0.001s"},
        "retry_host_predicate": PREVIOUS_HOSTS, "host_selection_retry_max_attempts": attempts_max,
    }  # fmt: skip
    for kind in ("envoy", "apus"):
        proxy = proxy_of(make, made, kind=kind, hash_policy=HASH, retry_policy=retry)
        with Client(proxy.port()) as client:
            for key in KEYS[:60]:
                assert client.get("/", [("x-key", key), ("x-proxy", kind)]).status == 200
    for key in KEYS[:60]:
        assert tried["envoy", key] == tried["apus", key]


@pytest.mark.parametrize("fields", [
    {**ring(), "common_lb_config": {"consistent_hashing_lb_config": {"hash_balance_factor": 100}}},
    {**maglev(), "common_lb_config": {"consistent_hashing_lb_config": {"hash_balance_factor": 100}}},
    policy("maglev", "Maglev", consistent_hashing_lb_config={"hash_balance_factor": 100}),
])  # fmt: skip
def test_bounded_load(make, fields):
    """One key has all requests: its host takes its share of what is under way and one more."""
    held = Held(make, 4)
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in held.origins], **fields), hash_policy=HASH)
    with held.requests(proxy, 20, [("x-key", "hot")]):
        assert sum(held.active.values()) == 20
        assert max(held.active.values()) <= 20 / 4 + 2, held.active
        first = hosts_of_now(proxy, "hot")
    assert first in held.active


def hosts_of_now(proxy, key):
    with Client(proxy.port()) as client:
        return client.get("/now", [("x-key", key)]).body.decode()


def test_unbounded_load(make):
    held = Held(make, 4)
    proxy = proxy_of(make, cluster([endpoint(o.port) for o in held.origins], **ring()), hash_policy=HASH)
    with held.requests(proxy, 12, [("x-key", "hot")]):
        assert list(held.active.values()) == [12]


# TCP


def tcp_hosts(proxy, sources):
    found = []
    for source in sources:
        with socket.create_connection(("127.0.0.1", proxy.port("tcp")), timeout=10, source_address=(source, 0)) as sock:
            found.append(sock.recv(16).decode())
    return found


def tcp_proxy_of(make, made, kind=None, **fields):
    options = {"kind": kind} if kind else {}
    return make.proxy(config.bootstrap([config.tcp_listener(**fields)], [made]), **options)


def say_name(connection):
    connection.send(connection.origin.name.encode())
    connection.sock.recv(1)


@pytest.mark.needs_envoy
@pytest.mark.parametrize("fields", [ring(), maglev()])
def test_tcp_source_ip(make, fields):
    origins = [make.origin(raw=say_name, name=f"o{i}") for i in range(10)]
    made = cluster([endpoint(o.port) for o in origins], **fields)
    sources = [f"127.0.{i % 3}.{i + 1}" for i in range(60)]
    found = [tcp_hosts(tcp_proxy_of(make, made, kind, hash_policy=[{"source_ip": {}}]), sources) for kind in ("envoy", "apus")]
    assert found[0] == found[1]
    assert len(set(found[0])) > 5


@pytest.mark.parametrize("fields", [ring(), maglev()])
def test_tcp_without_a_policy_is_random(make, fields):
    origins = [make.origin(raw=say_name, name=f"o{i}") for i in range(5)]
    proxy = tcp_proxy_of(make, cluster([endpoint(o.port) for o in origins], **fields))
    # Five hosts, of which one is never chosen once in 1e11 runs.
    assert len(set(tcp_hosts(proxy, ["127.0.0.1"] * 120))) == 5


# Examples


def test_example_balancing(make):
    held = Held(make, 3)
    proxy = example(make, "balancing", {9000 + i: origin.port for i, origin in enumerate(held.origins)})
    with Client(proxy.port()) as client:
        held.go.set()
        counts = collections.Counter(client.get("/files").body.decode() for _ in range(80))
        assert counts == {"o0": 50, "o1": 20, "o2": 10}
        assert len({client.get("/").body for _ in range(60)}) == 3
    held.go.clear()
    held.active.clear()
    with held.requests(proxy, 6, path="/reports"):
        assert held.active == {"o0": 2, "o1": 2, "o2": 2}


def test_example_sticky(make):
    origins = names(make, 3)
    proxy = example(make, "sticky", {9000 + i: origin.port for i, origin in enumerate(origins)})
    seen = set()
    # So many that each of the three hosts is among them, however the ring has been shared out: a quarter is little.
    for _ in range(100):
        first = get(proxy.port())
        made = first.get("set-cookie")
        assert made.endswith("; Path=/; SameSite=Lax; HttpOnly")
        assert get(proxy.port(), headers=[("Cookie", made.partition(";")[0])]).body == first.body
        seen.add(first.body)
    assert len(seen) == 3
    for tenant in range(10):
        assert len({get(proxy.port(), "/api", [("x-tenant", str(tenant))]).body for _ in range(4)}) == 1
    with Client(proxy.port("tcp")) as client:
        first = client.get("/").body
    with Client(proxy.port("tcp")) as client:
        assert client.get("/").body == first
