"""Localities: weights of theirs, and zone-aware routing. Runs on Envoy too."""

import collections
import json

import pytest

from harness import config
from harness.client import Client
from harness.example import answering, example
from test_balancing import policy
from test_priorities import check

REQUESTS = 4500
UP, DOWN, DEGRADED = "HEALTHY", "UNHEALTHY", "DEGRADED"


def endpoint(port, address, state=UP, weight=None):
    made = {"endpoint": {"address": config.address(port, address)}, "health_status": state}
    return made | ({"load_balancing_weight": weight} if weight else {})


def locality(zone):
    return {"region": "r", "zone": zone}


class Zones:
    """Hosts of the i-th group are 127.0.<i + 1>.1, .2 and so on: one origin answers for all of them.

    A group is (zone, states) or (zone, states, fields of the group).
    """

    def __init__(self, make, *groups, own=(), here="a", cluster=None, hash=False, runtime=None, concurrency=1):
        port = make.origin(lambda connection, request: connection.reply(b"ok"), address="0.0.0.0").port
        self.groups = [group if len(group) == 3 else (*group, {}) for group in groups]
        endpoints = [
            {
                "locality": locality(zone),
                "lb_endpoints": [
                    endpoint(port, f"127.0.{group + 1}.{index + 1}", *(state if isinstance(state, tuple) else (state,)))
                    for index, state in enumerate(states)
                ],
                **fields,
            }
            for group, (zone, states, fields) in enumerate(self.groups)
        ]
        target = config.cluster("origin") | {"load_assignment": {"cluster_name": "origin", "endpoints": endpoints}}
        clusters = [target | (cluster or {})]
        if own:
            members = [
                {
                    "locality": locality(zone),
                    "lb_endpoints": [endpoint(9, f"127.1.{group + 1}.{index + 1}", state) for index, state in enumerate(states)],
                }
                for group, (zone, states) in enumerate(own)
            ]
            clusters.append(config.cluster("self") | {"load_assignment": {"cluster_name": "self", "endpoints": members}})
        shown = [{"header": {"key": "x-host", "value": "%UPSTREAM_HOST%"}}]
        action = {"hash_policy": [{"header": {"header_name": "x-key"}}]} if hash else {}
        listener = config.http_listener(config.virtual_host(config.route(**action), response_headers_to_add=shown))
        made = config.bootstrap([listener], clusters)
        made["node"] = {"id": "n", "cluster": "c", "locality": locality(here)}
        if own:
            made["cluster_manager"] = {"local_cluster_name": "self"}
        if runtime:
            made["layered_runtime"] = {"layers": [{"name": "static", "static_layer": runtime}]}
        self.proxy = make.proxy(made, concurrency=concurrency)

    def hosts(self, requests=REQUESTS, headers=lambda index: ()):
        """Answers by (group, index); None where nobody was there."""
        counts = collections.Counter()
        with Client(self.proxy.port()) as client:
            for index in range(requests):
                response = client.get("/", headers(index))
                if response.status == 200:
                    _, _, group, host = response.get("x-host").split(":")[0].split(".")
                    counts[int(group) - 1, int(host) - 1] += 1
                else:
                    assert (response.status, response.body) == (503, b"no healthy upstream")
                    counts[None] += 1
        return counts

    def count(self, requests=REQUESTS):
        """Answers by group."""
        result = collections.Counter()
        for host, count in self.hosts(requests).items():
            result[host and host[0]] += count
        return result

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")


WEIGHTED = {"common_lb_config": {"locality_weighted_lb_config": {}}}


def weighted(zone, weight, states, **fields):
    return (zone, states, {"load_balancing_weight": weight, **fields})


def exactly(counts, shares, requests=1000, slack=4):
    """Turns by deadline are even: what is left is where they began."""
    for group, percent in enumerate(shares):
        expected = requests * percent / 100
        assert abs(counts[group] - expected) <= slack, f"{dict(counts)}, expected {shares}"


@pytest.mark.parametrize("groups, shares", [
    # The rows of Envoy's documents: a third of the weight, and fewer and fewer hosts.
    ([weighted("x", 1, [UP] * 10), weighted("y", 2, [UP] * 10)], [33.33, 66.67]),
    ([weighted("x", 1, [UP] * 7 + [DOWN] * 3), weighted("y", 2, [UP] * 10)], [32.9, 67.1]),
    ([weighted("x", 1, [UP] * 5 + [DOWN] * 5), weighted("y", 2, [UP] * 10)], [25.93, 74.07]),
    ([weighted("x", 1, [UP] * 2 + [DOWN] * 8), weighted("y", 2, [UP] * 10)], [12.28, 87.72]),
    ([weighted("x", 1, [DOWN] * 10), weighted("y", 2, [UP] * 10)], [0, 100]),
    # However many hosts there are.
    ([weighted("x", 3, [UP]), weighted("y", 1, [UP] * 9)], [75, 25]),
    # Without a weight there is no traffic.
    ([("x", [UP] * 3), weighted("y", 1, [UP])], [0, 100]),
])  # fmt: skip
def test_locality_weights(make, groups, shares):
    setup = Zones(make, *groups, cluster=WEIGHTED)
    exactly(setup.count(1000), shares)
    assert setup.stat("lb_healthy_panic") == 0


def test_hosts_of_a_locality_share_alike(make):
    hosts = Zones(make, weighted("x", 1, [UP] * 2), weighted("y", 1, [UP] * 4), cluster=WEIGHTED).hosts(800)
    assert all(abs(count - (200 if group == 0 else 100)) <= 2 for (group, _), count in hosts.items())
    assert len(hosts) == 6


@pytest.mark.parametrize("name, typed", [("round_robin", "RoundRobin"), ("least_request", "LeastRequest"), ("random", "Random")])
def test_locality_weights_with_each_policy(make, name, typed):
    made = policy(name, typed, locality_lb_config={"locality_weighted_lb_config": {}})
    setup = Zones(make, weighted("x", 3, [UP] * 2), weighted("y", 1, [UP] * 5), cluster=made)
    exactly(setup.count(1000), [75, 25])


def test_weights_of_hosts_within_a_weighted_locality(make):
    groups = [weighted("x", 1, [(UP, 3), (UP, 1)]), weighted("y", 1, [UP])]
    hosts = Zones(make, *groups, cluster=WEIGHTED).hosts(800)
    assert abs(hosts[0, 0] - 300) <= 4 and abs(hosts[0, 1] - 100) <= 4 and abs(hosts[1, 0] - 400) <= 4


def test_locality_weights_by_level(make):
    """Each level has its own; the second one's count when the first is down."""
    groups = [weighted("x", 9, [DOWN] * 2), weighted("y", 1, [UP], priority=1), weighted("x", 3, [UP], priority=1)]
    setup = Zones(make, *groups, cluster=WEIGHTED)
    exactly(setup.count(800), [0, 25, 75], requests=800)


def test_without_locality_weights_their_numbers_do_not_count(make):
    counts = Zones(make, weighted("x", 9, [UP]), weighted("y", 1, [UP])).count(800)
    assert abs(counts[0] - 400) <= 2


def test_panic_forgets_localities(make):
    setup = Zones(make, weighted("x", 1, [DOWN] * 3 + [UP]), weighted("y", 5, [DOWN] * 4), cluster=WEIGHTED)
    counts = setup.hosts(800)
    assert len(counts) == 8 and all(abs(count - 100) <= 2 for count in counts.values())
    assert setup.stat("lb_healthy_panic") == 800


@pytest.mark.parametrize("name", ["RING_HASH", "MAGLEV"])
def test_keys_go_by_locality_weights(make, name):
    # A locality of weight 0 owns no key, and each of the others its part.
    groups = [weighted("x", 3, [UP] * 2), weighted("y", 1, [UP] * 6), ("z", [UP])]
    common = {"common_lb_config": {"locality_weighted_lb_config": {}}, "lb_policy": name}
    setup = Zones(make, *groups, cluster=common, hash=True)
    counts = collections.Counter()
    for host, count in setup.hosts(2000, lambda index: [("x-key", f"k{index}")]).items():
        counts[host[0]] += count
    assert counts[2] == 0
    assert 0.65 < counts[0] / 2000 < 0.85


# Zone-aware routing


def zones(**counts):
    return [(zone, [UP] * count) for zone, count in counts.items()]


def test_everything_stays_where_there_is_capacity(make):
    setup = Zones(make, *zones(a=3, b=3), own=zones(a=2, b=2))
    assert setup.count(300) == {0: 300}
    assert setup.stat("lb_zone_routing_all_directly") == 300
    assert setup.stat("lb_recalculate_zone_structures") >= 1
    assert setup.stat("lb_zone_routing_cross_zone") == setup.stat("lb_zone_routing_sampled") == 0


def test_what_does_not_fit_goes_where_capacity_is_left(make):
    """The documented example: 40/40/20 of own hosts over 25/50/25 of the target's: 62.5 % stay, the rest goes 2 to 1."""
    setup = Zones(make, *zones(a=2, b=4, c=2), own=zones(a=4, b=4, c=2))
    counts = setup.count()
    check(counts[0], 62.5, REQUESTS)
    check(counts[1], 25, REQUESTS)
    check(counts[2], 12.5, REQUESTS)
    assert setup.stat("lb_zone_routing_sampled") == counts[0]
    assert setup.stat("lb_zone_routing_cross_zone") == counts[1] + counts[2]
    assert setup.stat("lb_zone_no_capacity_left") == 0


def test_a_zone_that_is_not_there(make):
    """The target has nobody in the own zone: its localities share by what their own clients leave."""
    setup = Zones(make, *zones(b=4, c=4), own=zones(a=2, b=2, c=4))
    counts = setup.count()
    assert counts[0] + counts[1] == REQUESTS
    # b: 50 - 25 points are left, c: none.
    assert counts[1] == 0
    assert setup.stat("lb_zone_routing_cross_zone") == REQUESTS


@pytest.mark.parametrize("target, own, stat", [
    (zones(a=8), zones(a=2, b=2), None),
    (zones(a=4, b=4), zones(a=4), None),
    (zones(a=4, b=4), zones(b=2, c=2), "lb_local_cluster_not_ok"),
    (zones(a=2, b=3), zones(a=2, b=2), "lb_zone_cluster_too_small"),
])  # fmt: skip
def test_when_zones_do_not_count(make, target, own, stat):
    setup = Zones(make, *target, own=own)
    total = sum(len(states) for _, states in target)
    counts = setup.hosts(100 * total)
    assert len(counts) == total and all(abs(count - 100) <= 2 for count in counts.values())
    for name in ("lb_local_cluster_not_ok", "lb_zone_cluster_too_small"):
        assert (setup.stat(name) > 0) == (name == stat)
    assert setup.stat("lb_zone_routing_all_directly") == 0


def test_smaller_clusters_when_it_is_said(make):
    config = {"common_lb_config": {"zone_aware_lb_config": {"min_cluster_size": 2}}}
    assert Zones(make, *zones(a=1, b=1), own=zones(a=1, b=1), cluster=config).count(100) == {0: 100}


def test_runtime_values_of_zones(make):
    runtime = {"upstream": {"zone_routing": {"min_cluster_size": 2}}}
    assert Zones(make, *zones(a=1, b=1), own=zones(a=1, b=1), runtime=runtime).count(100) == {0: 100}
    runtime = {"upstream.zone_routing.enabled": 0}
    counts = Zones(make, *zones(a=4, b=4), own=zones(a=1, b=1), runtime=runtime).count(800)
    assert abs(counts[0] - 400) <= 2


def test_a_part_of_requests_looks_at_zones(make):
    config = {"common_lb_config": {"zone_aware_lb_config": {"routing_enabled": {"value": 40}}}}
    setup = Zones(make, *zones(a=3, b=3), own=zones(a=1, b=1), cluster=config)
    # 40 % stay, half of the others too.
    check(setup.count()[0], 70, REQUESTS)


def test_unhealthy_hosts_have_no_capacity(make):
    """a: 2 of 8 are up, b: 6. Half of the own hosts are here: half of what comes here stays."""
    target = [("a", [UP] * 2 + [DOWN] * 2), ("b", [UP] * 6)]
    setup = Zones(make, *target, own=zones(a=2, b=2))
    counts = setup.hosts()
    check(sum(count for (group, _), count in counts.items() if group == 0), 50, REQUESTS)
    assert set(counts) == {(0, 0), (0, 1), *((1, index) for index in range(6))}


def test_a_lost_zone(make):
    setup = Zones(make, ("a", [DOWN] * 3), ("b", [UP] * 6), own=zones(a=2, b=2))
    assert setup.count(300) == {1: 300}


def test_panic_of_the_own_cluster(make):
    own = [("a", [UP] + [DOWN] * 3), ("b", [DOWN] * 4)]
    setup = Zones(make, *zones(a=4, b=4), own=own)
    counts = setup.count(800)
    assert abs(counts[0] - 400) <= 2
    assert setup.stat("lb_local_cluster_not_ok") == 800
    failing = {"common_lb_config": {"zone_aware_lb_config": {"fail_traffic_on_panic": True}}}
    assert Zones(make, *zones(a=4, b=4), own=own, cluster=failing).count(50) == {None: 50}


def test_panic_looks_at_no_zones(make):
    setup = Zones(make, ("a", [DOWN] * 4), ("b", [UP] + [DOWN] * 3), own=zones(a=2, b=2))
    assert len(setup.hosts(800)) == 8
    assert setup.stat("lb_healthy_panic") == 800


def test_zones_are_of_the_first_level(make):
    target = [("a", [DOWN] * 4), ("a", [UP] * 4, {"priority": 1}), ("b", [UP] * 4, {"priority": 1})]
    counts = Zones(make, *target, own=zones(a=2, b=2)).count(800)
    assert abs(counts[1] - 400) <= 2 and abs(counts[2] - 400) <= 2


def test_locality_weights_exclude_zones(make):
    groups = [weighted("a", 1, [UP] * 4), weighted("b", 3, [UP] * 4)]
    setup = Zones(make, *groups, own=zones(a=2, b=2), cluster=WEIGHTED)
    exactly(setup.count(800), [25, 75], requests=800)


@pytest.mark.parametrize("name", ["RING_HASH", "MAGLEV"])
def test_hashes_look_at_no_zones(make, name):
    setup = Zones(make, *zones(a=4, b=4), own=zones(a=2, b=2), cluster={"lb_policy": name}, hash=True)
    hosts = setup.hosts(400, lambda index: [("x-key", f"k{index}")])
    assert {group for group, _ in hosts} == {0, 1}


@pytest.mark.parametrize("name, typed", [("least_request", "LeastRequest"), ("random", "Random")])
def test_zones_with_other_policies(make, name, typed):
    setup = Zones(make, *zones(a=3, b=3), own=zones(a=2, b=2), cluster=policy(name, typed))
    assert setup.count(200) == {0: 200}


def test_the_own_zone_is_always_enough_when_it_is_said(make):
    zone_aware = {"zone_aware_lb_config": {"force_local_zone": {"min_size": 1}}}
    fields = policy("round_robin", "RoundRobin", locality_lb_config=zone_aware)
    assert Zones(make, *zones(a=1, b=9), own=zones(a=9, b=1), cluster=fields).count(200) == {0: 200}
    # Also when nobody else is anywhere else.
    assert Zones(make, *zones(a=1, b=9), own=zones(a=1), cluster=fields).count(200) == {0: 200}
    zone_aware["zone_aware_lb_config"]["force_local_zone"]["min_size"] = 2
    fields = policy("round_robin", "RoundRobin", locality_lb_config=zone_aware)
    counts = Zones(make, *zones(a=1, b=9), own=zones(a=5, b=5), cluster=fields).count()
    check(counts[0], 20, REQUESTS)


def test_capacity_by_weight(make):
    zone_aware = {"zone_aware_lb_config": {"locality_basis": "HEALTHY_HOSTS_WEIGHT"}}
    fields = policy("round_robin", "RoundRobin", locality_lb_config=zone_aware)
    target = [("a", [(UP, 1)] * 3), ("b", [(UP, 3)] * 3)]
    # 25 points of capacity here, 50 of load: half stays.
    counts = Zones(make, *target, own=zones(a=2, b=2), cluster=fields).count()
    check(counts[0], 50, REQUESTS)


def test_the_example_keeps_what_it_can(make):
    ports = answering(make, *range(9000, 9006))
    proxy = example(make, "zones", ports)
    counts = collections.Counter()
    with Client(proxy.port()) as client:
        for index in range(REQUESTS):
            counts["api", client.get("/api").get("x-host")] += 1
            if index < 100:
                counts["files", client.get("/files").get("x-host")] += 1
    host = {port: f"127.0.0.1:{real}" for port, real in ports.items()}
    check(counts["api", host[9000]] + counts["api", host[9001]], 75, REQUESTS)
    assert abs(counts["files", host[9004]] - 90) <= 1 and abs(counts["files", host[9005]] - 10) <= 1


# Ours alone


@pytest.mark.apus_only
def test_clusters_show_zones_and_weights(make):
    setup = Zones(make, *zones(a=2, b=4, c=2), own=zones(a=4, b=4, c=2))
    text = setup.proxy.admin("/clusters").body.decode()
    for line in (
        "lb::policy::ROUND_ROBIN", "lb::priority_0::load_percent::100", "lb::priority_0::healthy::8",
        "lb::zone::own::r/a", "lb::zone::mode::residual", "lb::zone::stay_percent::62.5",
        "lb::zone::locality::r/b::cross_percent::25", "lb::zone::locality::r/c::cross_percent::12.5",
    ):  # fmt: skip
        assert f"origin::{line}\n" in text, line
    assert "self::lb::zone" not in text
    document = json.loads(setup.proxy.admin("/clusters?format=json").body)
    balancing = next(c for c in document["cluster_statuses"] if c["name"] == "origin")["apus"]["balancing"]
    assert balancing["zone"]["stay_percent"] == 62.5
    assert [part["locality"] for part in balancing["zone"]["localities"]] == ["r/a", "r/b", "r/c"]

    setup = Zones(make, weighted("x", 3, [UP]), weighted("y", 1, [UP] * 2 + [DOWN]), cluster=WEIGHTED)
    text = setup.proxy.admin("/clusters").body.decode()
    assert "origin::lb::priority_0::locality::r/y::load_percent::23.73\n" in text


@pytest.mark.apus_only
def test_degraded_hosts_of_a_zone_without_any(make):
    """Shares are those of healthy hosts: a zone that has no degraded one is not chosen for those."""
    target = [("a", [UP] * 4), ("b", [DEGRADED] * 4 + [DOWN] * 2)]
    config = {"common_lb_config": {"healthy_panic_threshold": {}}, "lb_policy": "ROUND_ROBIN"}
    setup = Zones(make, *target, own=zones(a=2, b=2), cluster=config)
    assert None not in setup.hosts(1000)
