"""Which level of a cluster takes how much: health, degraded hosts, panic. Runs on Envoy too."""

import collections
import json
import math

import pytest

from conftest import KIND
from harness import config, wait
from harness.client import get
from harness.example import answering, example

REQUESTS = 3000
UP, DOWN, DRAINING, DEGRADED = "HEALTHY", "UNHEALTHY", "DRAINING", "DEGRADED"


def level(**counts):
    """Hosts of one level: level(up=5, down=5)."""
    words = {"up": UP, "down": DOWN, "draining": DRAINING, "degraded": DEGRADED}
    return [words[name] for name, count in counts.items() for _ in range(count)]


def threshold(percent):
    return {"common_lb_config": {"healthy_panic_threshold": {"value": percent}}}


class Setup:
    """Hosts of level p are 127.0.<p + 1>.1, .2 and so on: one origin answers for all of them."""

    def __init__(self, make, *levels, policy=None, weight=None, cluster=None):
        port = make.origin(lambda connection, request: connection.reply(b"ok"), address="0.0.0.0").port
        self.levels = levels
        groups = []
        for priority, states in enumerate(levels):
            hosts = []
            for index, state in enumerate(states):
                address = config.address(port, f"127.0.{priority + 1}.{index + 1}")
                hosts.append({"health_status": state, "endpoint": {"address": address}})
                if weight:
                    hosts[-1]["load_balancing_weight"] = weight(state)
            groups.append({"priority": priority, "lb_endpoints": hosts})
        assignment = {"cluster_name": "origin", "endpoints": groups, **({"policy": policy} if policy else {})}
        shown = [{"header": {"key": "x-host", "value": "%UPSTREAM_HOST%"}}]
        listener = config.http_listener(config.virtual_host(config.route(), response_headers_to_add=shown))
        self.proxy = make.proxy(
            config.bootstrap([listener], [config.cluster("origin") | {"load_assignment": assignment} | (cluster or {})])
        )

    def count(self, requests=REQUESTS):
        """Answers by level and host, as (priority, index); None for those that no host gave."""
        counts = collections.Counter()
        with self.proxy.connect() as client:
            for _ in range(requests):
                response = client.request("GET", "/")
                host = response.get("x-host")
                if response.status == 200:
                    _, _, number, index = host.split(":")[0].split(".")
                    counts[int(number) - 1, int(index) - 1] += 1
                else:
                    assert (response.status, response.body) == (503, b"no healthy upstream")
                    counts[None] += 1
        return counts

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")


def by_level(counts):
    result = collections.Counter()
    for host, count in counts.items():
        result[host[0]] += count
    return result


def states(setup, counts):
    """The states of the hosts that were chosen."""
    return {setup.levels[priority][index] for priority, index in counts}


def check(count, percent, requests=REQUESTS):
    """A share of independent choices is within five standard deviations; small shares have a longer tail."""
    share = percent / 100
    deviation = math.sqrt(requests * share * (1 - share))
    assert abs(count - requests * share) <= 5 * deviation + 3 * (0 < share < 0.05 or 0.95 < share < 1), f"{count} of {requests}, expected {percent} %"


@pytest.mark.parametrize("levels, shares", [
    ([level(up=25), level(up=25)], [100, 0]),
    ([level(up=18, down=7), level(up=10)], [100, 0]),
    ([level(up=71, down=29), level(up=10)], [99, 1]),
    ([level(up=5, down=5), level(up=10)], [70, 30]),
    ([level(up=1, down=3), level(up=4)], [35, 65]),
    ([level(down=4), level(up=4)], [0, 100]),
    ([level(up=1, down=3), level(up=1, down=3), level(up=3)], [35, 35, 30]),
    ([level(up=5, draining=5), level(up=10)], [100, 0]),
])  # fmt: skip
def test_load_goes_down_the_levels(make, levels, shares):
    setup = Setup(make, *levels)
    counts = setup.count()
    assert states(setup, counts) == {UP}
    for priority, percent in enumerate(shares):
        check(by_level(counts)[priority], percent)
    hosts = [state for states in levels for state in states]
    assert setup.stat("membership_total") == len(hosts)
    assert setup.stat("membership_healthy") == hosts.count(UP)
    assert setup.stat("membership_excluded") == hosts.count(DRAINING)
    assert setup.stat("membership_change") == len(levels)
    assert setup.stat("lb_healthy_panic") == 0


def test_hosts_of_a_level_share_alike(make):
    counts = Setup(make, level(up=4, down=1), level(up=1)).count(400)
    assert sorted(counts.values()) == [100, 100, 100, 100]


@pytest.mark.parametrize("factor, shares", [(100, [50, 50]), (200, [100, 0]), (4294967295, [100, 0])])
def test_overprovisioning(make, factor, shares):
    counts = Setup(make, level(up=5, down=5), level(up=10), policy={"overprovisioning_factor": factor}).count()
    for priority, percent in enumerate(shares):
        check(by_level(counts)[priority], percent)


def test_weights_may_decide_health(make):
    def weight(state):
        return 1 if state == UP else 9

    levels = [level(up=5, down=5), level(up=10)]
    by_hosts = Setup(make, *levels, weight=weight).count()
    check(by_level(by_hosts)[0], 70)
    by_weights = Setup(make, *levels, weight=weight, policy={"weighted_priority_health": True}).count()
    check(by_level(by_weights)[0], 14)


def test_degraded_hosts_take_what_is_left(make):
    # 28 % healthy, 42 % degraded: 70 in all, so 40 and 60 of a hundred.
    setup = Setup(make, level(up=2, degraded=3, down=5), cluster=threshold(10))
    counts = setup.count()
    check(sum(count for host, count in counts.items() if host[1] < 2), 40)
    assert states(setup, counts) == {UP, DEGRADED}
    assert setup.stat("membership_degraded") == 3


def test_healthy_hosts_below_come_before_degraded_ones(make):
    setup = Setup(make, level(up=1, degraded=1), level(up=2))
    counts = setup.count()
    assert states(setup, counts) == {UP}
    check(by_level(counts)[0], 70)


def test_only_degraded_hosts(make):
    setup = Setup(make, level(degraded=2, down=1))
    assert states(setup, setup.count(60)) == {DEGRADED}


def test_panic(make):
    # 14 % each: load goes by the number of hosts, and everybody is tried.
    setup = Setup(make, level(up=1, down=9), level(up=1, down=9), level())
    counts = setup.count()
    check(by_level(counts)[0], 50)
    assert len(counts) == 20
    for priority in (0, 1):
        ours = [count for host, count in counts.items() if host[0] == priority]
        assert max(ours) - min(ours) <= 1
    assert setup.stat("lb_healthy_panic") == REQUESTS


def test_one_level_in_panic(make):
    # 70 % and 28 %: 98 in all. The first has half of its hosts up, the second a fifth.
    setup = Setup(make, level(up=5, down=5), level(up=2, down=8), cluster=threshold(30.9))
    counts = setup.count()
    check(by_level(counts)[0], 72)
    assert len({host for host in counts if host[0] == 0}) == 5
    assert len({host for host in counts if host[0] == 1}) == 10
    assert setup.stat("lb_healthy_panic") == by_level(counts)[1]


def test_no_panic_while_a_level_below_is_well(make):
    setup = Setup(make, level(up=1, down=19), level(up=3))
    counts = setup.count()
    assert states(setup, counts) == {UP}
    check(by_level(counts)[0], 7)
    assert setup.stat("lb_healthy_panic") == 0


def test_threshold_zero_never_panics(make):
    setup = Setup(make, level(up=1, down=9), level(down=3), cluster=threshold(0))
    assert states(setup, setup.count(60)) == {UP}
    nobody = Setup(make, level(down=3), cluster={"common_lb_config": {"healthy_panic_threshold": {}}})
    assert nobody.count(20) == {None: 20}
    assert nobody.stat("upstream_cx_none_healthy") == 20


def test_traffic_may_fail_in_panic(make):
    fails = {"common_lb_config": {"zone_aware_lb_config": {"fail_traffic_on_panic": True}}}
    setup = Setup(make, level(up=1, down=9), cluster=fails)
    assert setup.count(20) == {None: 20}
    assert setup.stat("lb_healthy_panic") == 20
    assert setup.stat("upstream_cx_none_healthy") == 20


def test_the_example_fails_over(make):
    ports = answering(make, *range(9000, 9004), *range(9010, 9013))
    counts = collections.Counter()
    with example(make, "failover", ports).connect() as client:
        for _ in range(REQUESTS):
            counts[client.request("GET", "/").get("x-host")] += 1
    hosts = {port: counts[f"127.0.0.1:{real}"] for port, real in ports.items()}
    check(hosts[9000] + hosts[9001], 70)
    assert abs(hosts[9010] - hosts[9011]) <= 1
    assert [hosts[port] for port in (9002, 9003, 9012)] == [0, 0, 0]


def test_admin_shows_states(make):
    setup = Setup(make, [UP, DOWN, DRAINING, "TIMEOUT", DEGRADED, "UNKNOWN"], [DOWN])
    lines = setup.proxy.admin("/clusters").body.decode().splitlines()
    shown = [line.split("::")[3] for line in lines if "::health_flags::" in line]
    assert shown == [
        "healthy", "/failed_eds_health", "/eds_status_draining", "/failed_eds_health", "/degraded_eds_health", "healthy",
        "/failed_eds_health",
    ]  # fmt: skip
    assert [line.split("::")[3] for line in lines if "::priority::" in line] == ["0"] * 6 + ["1"]
    clusters = json.loads(setup.proxy.admin("/clusters?format=json").body)["cluster_statuses"]
    hosts = next(one for one in clusters if one["name"] == "origin")["host_statuses"]
    assert [host["health_status"] for host in hosts] == [
        {"eds_health_status": state} for state in (UP, DOWN, DRAINING, DOWN, DEGRADED, UP, DOWN)
    ]
    assert [host.get("priority", 0) for host in hosts] == [0] * 6 + [1]


def test_health_of_clusters_is_told(make):
    """The health_check filter counts healthy and degraded hosts."""
    check_filter = {
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": config.TYPE + "extensions.filters.http.health_check.v3.HealthCheck",
            "pass_through_mode": False,
            "headers": [{"name": ":path", "string_match": {"exact": "/healthz"}}],
            "cluster_min_healthy_percentages": {"origin": {"value": 50}},
        },
    }
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": config.ROUTER}}
    for states_, status in (([UP, DEGRADED, DOWN, DOWN], 200), ([UP, DOWN, DOWN], 503)):
        hosts = [
            {"health_status": state, "endpoint": {"address": config.address(1, f"127.0.0.{index + 1}")}}
            for index, state in enumerate(states_)
        ]
        cluster = config.cluster("origin")
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": hosts}]
        listener = config.http_listener(config.virtual_host(config.route()), hcm={"http_filters": [check_filter, router]})
        proxy = make.proxy(config.bootstrap([listener], [cluster]))
        assert get(proxy.port(), "/healthz").status == status


@pytest.mark.parametrize("share, body, flag, details", [
    ({"numerator": 100}, b"unconditional drop overload", "UDO", "unconditional_drop_overload"),
    ({"numerator": 999999, "denominator": "MILLION"}, b"drop overload", "DO", "drop_overload"),
])  # fmt: skip
def test_overload_is_dropped(make, share, body, flag, details):
    log = make.directory / "access.log"
    cluster = config.cluster("origin", make.origin().port)
    cluster["load_assignment"]["policy"] = {"drop_overloads": [{"category": "lb", "drop_percentage": share}]}
    entry = config.file_log(log, "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%\n")
    listener = config.http_listener(
        config.virtual_host(config.route(retry_policy={"retry_on": "5xx"})), hcm={"access_log": [entry]}
    )
    proxy = make.proxy(config.bootstrap([listener], [cluster]), arguments=["--file-flush-interval-msec", "20"])
    response = get(proxy.port())
    assert (response.status, response.body) == (503, body)
    assert response.get(f"x-envoy-{details.replace('_', '-')}") == "true"
    assert wait.until(log.read_text, "an access log line") == f"503 {flag} {details} origin\n"
    assert proxy.stat("cluster.origin.upstream_rq_503") == 1
    assert proxy.stat("cluster.origin.upstream_rq_total") == 0
    # Envoy counts it for reports to a control plane only.
    assert proxy.stat("cluster.origin.upstream_rq_drop_overload") == (0 if KIND == "envoy" else 1)


def test_a_share_is_dropped(make):
    cluster = config.cluster("origin", make.origin().port)
    cluster["load_assignment"]["policy"] = {"drop_overloads": [{"category": "lb", "drop_percentage": {"numerator": 20}}]}
    listener = config.http_listener(config.virtual_host(config.route()))
    proxy = make.proxy(config.bootstrap([listener], [cluster]))
    with proxy.connect() as client:
        dropped = sum(client.request("GET", "/").status == 503 for _ in range(REQUESTS))
    check(dropped, 20)
