"""Subsets of hosts by their metadata: which subset a route gets, and what takes its place. Runs on Envoy too."""

import collections
import json

import pytest

from harness import config, wait
from harness.client import Client
from harness.example import answering, example
from test_balancing import policy

UP, DOWN = "HEALTHY", "UNHEALTHY"


def match(**values):
    return {"metadata_match": {"filter_metadata": {"envoy.lb": values}}}


def subsets(*selectors, **fields):
    """Selectors are lists of keys, or whole messages."""
    made = [{"keys": list(keys)} if isinstance(keys, (list, tuple)) else keys for keys in selectors]
    return {"lb_subset_config": {"subset_selectors": made, **fields}}


class Hosts:
    """The i-th host is 127.0.0.<i + 1>; a host is its metadata, or (metadata, state)."""

    def __init__(self, make, hosts, cluster, *routes, weighted=None, tcp=None, localities=None):
        port = make.origin(lambda connection, request: connection.reply(b"ok"), address="0.0.0.0").port
        endpoints = []
        for index, host in enumerate(hosts):
            metadata, state = host if isinstance(host, tuple) else (host, UP)
            endpoints.append(
                {
                    "endpoint": {"address": config.address(port, f"127.0.0.{index + 1}")},
                    "health_status": state,
                    "metadata": {"filter_metadata": {"envoy.lb": metadata}},
                }
            )
        groups = [{"lb_endpoints": endpoints}] if localities is None else localities(endpoints)
        made = config.cluster("origin") | {"load_assignment": {"cluster_name": "origin", "endpoints": groups}} | cluster
        shown = [{"header": {"key": "x-host", "value": "%UPSTREAM_HOST%"}}]
        routed = [config.route(f"/{index}/", **route) for index, route in enumerate(routes)]
        for one in routed:
            if "weighted_clusters" in one["route"]:
                del one["route"]["cluster"]
        listeners = [config.http_listener(config.virtual_host(*routed, config.route(), response_headers_to_add=shown))]
        if tcp is not None:
            listeners.append(config.tcp_listener(**tcp))
        self.document = config.bootstrap(listeners, [made])
        self.proxy = make.proxy(self.document)

    def count(self, path="/", requests=60, headers=()):
        """Answers by host; None where nobody was there."""
        counts = collections.Counter()
        with Client(self.proxy.port()) as client:
            for _ in range(requests):
                response = client.get(path, headers)
                host = response.get("x-host")
                if response.status == 200:
                    counts[int(host.split(":")[0].split(".")[3]) - 1] += 1
                else:
                    assert (response.status, response.body) == (503, b"no healthy upstream")
                    counts[None] += 1
        return counts

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")


VERSIONS = [{"version": "1", "stage": "prod"}, {"version": "1", "stage": "dev"}, {"version": "2", "stage": "prod"}]


def test_a_route_gets_its_subset(make):
    setup = Hosts(
        make, VERSIONS, subsets(["version"], ["stage", "version"]),
        match(version="1"), match(version="2"), match(version="1", stage="dev"), match(stage="prod"), match(version="3"),
    )  # fmt: skip
    assert setup.count("/0/") == {0: 30, 1: 30}
    assert setup.count("/1/") == {2: 60}
    assert setup.count("/2/") == {1: 60}
    assert setup.stat("lb_subsets_selected") == 180
    # No selector has these keys alone; no host has this version; and nothing is asked for: all without a fallback.
    assert setup.count("/3/", 5) == setup.count("/4/", 5) == setup.count("/", 5) == {None: 5}
    assert setup.stat("lb_subsets_selected") == 180
    assert setup.stat("upstream_cx_none_healthy") == 15


def test_any_endpoint(make):
    setup = Hosts(make, VERSIONS, subsets(["version"], fallback_policy="ANY_ENDPOINT"), match(version="3"))
    assert setup.count("/0/") == setup.count("/") == {0: 20, 1: 20, 2: 20}
    assert setup.stat("lb_subsets_fallback") == 120
    assert setup.stat("lb_subsets_selected") == 0


def test_the_default_subset(make):
    chosen = subsets(["version"], fallback_policy="DEFAULT_SUBSET", default_subset={"stage": "prod"})
    setup = Hosts(make, VERSIONS, chosen, match(version="3"))
    assert setup.count("/0/") == setup.count("/") == {0: 30, 2: 30}
    assert setup.stat("lb_subsets_fallback") == 120


def test_a_default_subset_without_hosts(make):
    fields = {"fallback_policy": "DEFAULT_SUBSET", "default_subset": {"stage": "test"}}
    nobody = Hosts(make, VERSIONS, subsets(["version"], **fields))
    assert nobody.count("/", 5) == {None: 5}
    everybody = Hosts(make, VERSIONS, subsets(["version"], **fields, panic_mode_any=True))
    assert everybody.count("/") == {0: 20, 1: 20, 2: 20}
    assert everybody.stat("lb_subsets_fallback_panic") == 60
    assert everybody.stat("lb_subsets_fallback") == 0


def test_a_subset_that_is_down_is_down(make):
    """It exists: nothing takes its place. In panic all of its hosts are tried, and no others."""
    hosts = [({"version": "1"}, DOWN), ({"version": "1"}, DOWN), {"version": "2"}]
    setup = Hosts(make, hosts, subsets(["version"], fallback_policy="ANY_ENDPOINT"), match(version="1"))
    assert setup.count("/0/") == {0: 30, 1: 30}
    assert setup.stat("lb_healthy_panic") == 60
    calm = {"common_lb_config": {"healthy_panic_threshold": {}}}
    setup = Hosts(make, hosts, subsets(["version"], fallback_policy="ANY_ENDPOINT") | calm, match(version="1"))
    assert setup.count("/0/", 5) == {None: 5}
    assert setup.stat("lb_subsets_selected") == 5


@pytest.mark.parametrize("fallback, expected", [
    ("NO_FALLBACK", {None: 6}),
    ("ANY_ENDPOINT", {0: 2, 1: 2, 2: 2}),
    ("DEFAULT_SUBSET", {0: 3, 2: 3}),
])  # fmt: skip
def test_fallbacks_of_a_selector(make, fallback, expected):
    selector = {"keys": ["version"], "fallback_policy": fallback}
    fields = {"fallback_policy": "DEFAULT_SUBSET", "default_subset": {"stage": "prod"}}
    setup = Hosts(make, VERSIONS, subsets(selector, **fields), match(version="3"))
    assert setup.count("/0/", 6) == expected
    assert setup.stat("lb_subsets_fallback") == 0


def test_fewer_keys(make):
    selectors = [
        {"keys": ["version", "stage"], "fallback_policy": "KEYS_SUBSET", "fallback_keys_subset": ["version"]},
        {"keys": ["version"], "fallback_policy": "NO_FALLBACK"},
    ]
    setup = Hosts(
        make, VERSIONS, subsets(*selectors, fallback_policy="ANY_ENDPOINT"), match(version="2", stage="dev"),
        match(version="3", stage="dev"), match(version="1", stage="dev"),
    )  # fmt: skip
    assert setup.count("/0/", 6) == {2: 6}
    assert setup.count("/1/", 6) == {None: 6}
    assert setup.count("/2/", 6) == {1: 6}


def test_weighted_clusters_over_their_route(make):
    route = {
        "weighted_clusters": {
            "clusters": [
                {"name": "origin", "weight": 75, **match(version="1")},
                {"name": "origin", "weight": 25, **match(version="2", stage="prod")},
            ]
        },
        **match(stage="dev"),
    }
    setup = Hosts(make, VERSIONS, subsets(["version", "stage"]), route)
    counts = setup.count("/0/", 800)
    assert set(counts) == {1, 2} and 540 <= counts[1] <= 660


@pytest.mark.parametrize("value, others", [
    (1, ["1", 1.5, True, [1], {"a": 1}]),
    (True, ["true", 1, False]),
    ([1, "a"], [["a", 1], [1], "a"]),
    ({"a": 1, "b": {"c": "d"}}, [{"a": 1}, {"a": 1, "b": {"c": "e"}}]),
    ("", [" ", "0"]),
])  # fmt: skip
def test_values_are_compared_with_their_types(make, value, others):
    hosts = [{"key": value}, *({"key": other} for other in others)]
    setup = Hosts(make, hosts, subsets(["key"]), match(key=value), match(key=others[0]))
    assert setup.count("/0/", 10) == {0: 10}
    assert setup.count("/1/", 10) == {1: 10}


def test_a_list_may_be_any_of_its_values(make):
    hosts = [{"version": ["1", "2"]}, {"version": ["2", "3"]}, {"version": "3"}]
    setup = Hosts(make, hosts, subsets(["version"], list_as_any=True), match(version="2"), match(version="1"), match(version="3"))
    assert setup.count("/0/") == {0: 30, 1: 30}
    assert setup.count("/1/") == {0: 60}
    assert setup.count("/2/") == {1: 30, 2: 30}
    whole = Hosts(make, hosts, subsets(["version"]), match(version="2"), match(version=["2", "3"]))
    assert whole.count("/0/", 5) == {None: 5}
    assert whole.count("/1/", 5) == {1: 5}


def test_one_host_a_subset(make):
    hosts = [{"host": "a"}, {"host": "b"}, {"host": "b"}]
    setup = Hosts(make, hosts, subsets({"keys": ["host"], "single_host_per_subset": True}), match(host="b"), match(host="a"))
    assert setup.count("/0/", 10) == {1: 10}
    assert setup.count("/1/", 10) == {0: 10}
    assert setup.stat("lb_subsets_single_host_per_subset_duplicate") >= 1


def test_lists_of_other_matches(make):
    wanted = match(stage="prod", fallback_list=[{"version": "9"}, {"version": "2"}, {"version": "1"}])
    nobody = match(stage="prod", fallback_list=[{"version": "9"}, {"version": "8"}])
    setup = Hosts(
        make, VERSIONS, subsets(["version", "stage"], metadata_fallback_policy="FALLBACK_LIST"), wanted, nobody,
        match(version="1", stage="dev"),
    )  # fmt: skip
    assert setup.count("/0/", 10) == {2: 10}
    assert setup.count("/1/", 5) == {None: 5}
    assert setup.count("/2/", 5) == {1: 5}


def test_the_next_of_a_list_when_one_is_down(make):
    hosts = [({"version": "1"}, DOWN), {"version": "2"}]
    calm = {"common_lb_config": {"healthy_panic_threshold": {}}}
    wanted = match(fallback_list=[{"version": "1"}, {"version": "2"}])
    setup = Hosts(make, hosts, subsets(["version"], metadata_fallback_policy="FALLBACK_LIST") | calm, wanted)
    assert setup.count("/0/", 10) == {1: 10}


def test_the_extension_form(make):
    inner = policy("random", "Random")["load_balancing_policy"]
    fields = {"subset_selectors": [{"keys": ["version"]}, {"keys": ["stage", "version"]}], "allow_redundant_keys": True}
    setup = Hosts(
        make, VERSIONS, policy("subset", "Subset", subset_lb_policy=inner, **fields), match(version="1", other="x"),
        match(version="1", stage="dev", other="x"), match(other="x"),
    )  # fmt: skip
    assert set(setup.count("/0/")) == {0, 1}
    assert setup.count("/1/") == {1: 60}
    assert setup.count("/2/", 5) == {None: 5}


@pytest.mark.parametrize("lb_policy", ["RING_HASH", "MAGLEV"])
def test_keys_within_a_subset(make, lb_policy):
    hosts = [{"version": str(index % 2)} for index in range(8)]
    hashed = {"hash_policy": [{"header": {"header_name": "x-key"}}]}
    setup = Hosts(make, hosts, subsets(["version"]) | {"lb_policy": lb_policy}, match(version="1") | hashed)
    seen = set()
    for key in range(30):
        chosen = setup.count("/0/", 3, [("x-key", str(key))])
        assert len(chosen) == 1
        seen |= set(chosen)
    assert seen == {1, 3, 5, 7}


def test_levels_within_a_subset(make):
    """Each subset has levels of its own: where the first has nobody, the second takes all."""
    hosts = [{"version": "1"}, ({"version": "2"}, DOWN), {"version": "2"}]

    def levels(endpoints):
        return [{"lb_endpoints": endpoints[:2]}, {"priority": 1, "lb_endpoints": endpoints[2:]}]

    setup = Hosts(make, hosts, subsets(["version"]), match(version="1"), match(version="2"), localities=levels)
    assert setup.count("/0/", 10) == {0: 10}
    assert setup.count("/1/", 10) == {2: 10}


@pytest.mark.parametrize("fields, shares", [
    ({}, (20, 20, 20)),
    ({"locality_weight_aware": True}, (30, 15, 15)),
    # Of one locality half of the hosts are in the subset, of the other all.
    ({"locality_weight_aware": True, "scale_locality_weight": True}, (20, 20, 20)),
])  # fmt: skip
def test_locality_weights_in_subsets(make, fields, shares):
    def localities(endpoints):
        return [
            {"locality": {"zone": "a"}, "load_balancing_weight": 100, "lb_endpoints": [endpoints[0], endpoints[3]]},
            {"locality": {"zone": "b"}, "load_balancing_weight": 100, "lb_endpoints": endpoints[1:3]},
        ]

    hosts = [{"version": "1"}, {"version": "1"}, {"version": "1"}, {"version": "2"}]
    weighted = {"common_lb_config": {"locality_weighted_lb_config": {}}}
    setup = Hosts(make, hosts, subsets(["version"], **fields) | weighted, match(version="1"), localities=localities)
    counts = setup.count("/0/")
    assert all(abs(counts[index] - share) <= 2 for index, share in enumerate(shares)), counts


def test_connections_have_matches_too(make):
    setup = Hosts(make, VERSIONS, subsets(["version"]), tcp=match(version="2") | {"name": "tcp"})
    for _ in range(3):
        with Client(setup.proxy.port("tcp")) as client:
            assert client.get("/").body == b"ok"
    assert setup.stat("lb_subsets_selected") == 3
    lines = setup.proxy.admin("/clusters").body.decode().splitlines()
    totals = [int(line.rsplit("::", 1)[1]) for line in lines if line.startswith("origin::127") and "::cx_total::" in line]
    assert totals == [0, 0, 3]


def test_retries_stay_in_the_subset(make):
    hosts = [{"version": "1"}, {"version": "2"}, {"version": "2"}]
    retried = {"retry_policy": {"retry_on": "5xx", "num_retries": 1}}
    setup = Hosts(make, hosts, subsets(["version"]), match(version="2") | retried)
    assert set(setup.count("/0/", 20)) == {1, 2}


def test_the_example(make):
    ports = answering(make, *range(9000, 9004))
    names = {f"127.0.0.1:{real}": port for port, real in ports.items()}
    proxy = example(make, "subsets", ports)
    with Client(proxy.port()) as client:

        def count(requests, *headers):
            return collections.Counter(names[client.get("/", headers).get("x-host")] for _ in range(requests))

        assert count(5, ("x-version", "canary")) == {9003: 5}
        assert count(5, ("x-tenant", "acme")) == {9002: 5}
        counts = count(1600)
    # A tenth: five standard deviations.
    assert abs(counts[9003] - 160) <= 60
    assert all(abs(counts[port] - (1600 - counts[9003]) / 3) <= 2 for port in (9000, 9001, 9002))


# Ours alone


@pytest.mark.apus_only
def test_statistics_and_clusters(make):
    setup = Hosts(make, VERSIONS, subsets(["version"], ["stage"]))
    assert setup.stat("lb_subsets_active") == setup.stat("lb_subsets_created") == 4
    assert "origin::lb::subsets::4\n" in setup.proxy.admin("/clusters").body.decode()
    clusters = json.loads(setup.proxy.admin("/clusters?format=json").body)["cluster_statuses"]
    assert next(one for one in clusters if one["name"] == "origin")["apus"]["balancing"]["subsets"] == 4


@pytest.mark.apus_only
def test_turns_of_a_subset_go_on_when_another_changes(make):
    """A reload that adds a host to one subset leaves the other's turns where they were."""
    hosts = [{"version": "1"}, {"version": "1"}, {"version": "2"}]
    setup = Hosts(make, hosts, subsets(["version"]), match(version="1"), match(version="2"))
    document = json.loads(json.dumps(setup.document))
    first = setup.count("/0/", 1)
    group = document["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    added = json.loads(json.dumps(group[2]))
    added["endpoint"]["address"]["socket_address"]["address"] = "127.0.0.4"
    group.append(added)
    setup.proxy.write_config(document)
    wait.until(lambda: setup.stat("membership_total") == 4, "the new host is there")
    assert setup.count("/0/", 1) == {1 - next(iter(first)): 1}
    assert setup.count("/1/", 10) == {2: 5, 3: 5}
    assert setup.stat("lb_subsets_created") == 2 and setup.stat("lb_subsets_removed") == 0
