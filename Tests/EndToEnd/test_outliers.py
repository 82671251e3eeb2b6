"""Outlier detection: which hosts are ejected, for how long, what is counted and logged. Runs on Envoy too."""

import datetime
import json
import pathlib
import threading
import time

import pytest

from conftest import KIND
from harness import config, wait
from harness.client import get
from harness.example import example
from harness.origin import free_port


class Host:
    """An origin that answers with a status that can be changed."""

    def __init__(self, make, status="200 OK", headers=()):
        self.status, self.headers, self.count, self.lock = status, list(headers), 0, threading.Lock()
        self.origin = make.origin(self)

    def __call__(self, connection, request):
        with self.lock:
            self.count += 1
        if callable(self.status):
            return self.status(connection, request)
        connection.reply(b"body", status=self.status, headers=self.headers)

    @property
    def port(self):
        return self.origin.port


class Setup:
    def __init__(self, make, hosts, outlier=None, cluster=None, bootstrap=None, route=None):
        self.hosts = hosts
        self.events_path = pathlib.Path(make.directory) / "events.log"
        self.log = pathlib.Path(make.directory) / "access.log"
        log = config.file_log(self.log, "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_HOST%\n")
        listener = config.http_listener(config.virtual_host(config.route(**(route or {}))), hcm={"access_log": [log]})
        detection = {"interval": "0.1s", "base_ejection_time": "0.4s", "max_ejection_percent": 100, **(outlier or {})}
        fields = {"outlier_detection": detection, "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}}
        ports = [host.port if isinstance(host, Host) else host for host in hosts]
        whole = config.bootstrap([listener], [config.cluster("origin", *ports, **{**fields, **(cluster or {})})])
        whole["cluster_manager"] = {"outlier_detection": {"event_log_path": str(self.events_path)}}
        self.proxy = make.proxy({**whole, **(bootstrap or {})}, arguments=["--file-flush-interval-msec", "20"])

    def get(self, times=1, **options):
        return [get(self.proxy.port(), **options).status for _ in range(times)]

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.outlier_detection.{name}")

    def healthy(self):
        return self.proxy.stat("cluster.origin.membership_healthy")

    def lines(self):
        """What `/clusters` says of the cluster, by name; of hosts behind their addresses."""
        lines = self.proxy.admin("/clusters").body.decode().splitlines()
        return dict(line.removeprefix("origin::").rsplit("::", 1) for line in lines if line.startswith("origin::"))

    def status(self):
        """The same as JSON, and that of its hosts by port."""
        [status] = json.loads(self.proxy.admin("/clusters?format=json").body)["cluster_statuses"]
        return status, {host["address"]["socket_address"]["port_value"]: host for host in status["host_statuses"]}

    def until(self, name, value):
        wait.until(lambda: self.stat(name) == value, f"{name} = {value}")

    def events(self, count=1):
        def lines():
            found = self.events_path.read_text().splitlines() if self.events_path.exists() else []
            return found if len(found) >= count else None

        return [json.loads(line) for line in wait.until(lines, f"{count} events")]


@pytest.mark.apus_only
def test_a_reload_turns_it_on(make):
    """For hosts that workers have used already; and again, when it was off."""
    hosts = [Host(make), Host(make)]
    setup = Setup(make, hosts, {"consecutive_5xx": 2})
    on = json.loads(setup.proxy.path.read_text())
    off = json.loads(json.dumps(on))
    del off["static_resources"]["clusters"][0]["outlier_detection"]
    shows = lambda: any(name.startswith("outlier::") for name in setup.lines())
    for count in 1, 2:
        setup.proxy.write_config(off)
        wait.until(lambda: not shows(), "it is off")
        hosts[0].status = "200 OK"
        assert setup.get(4) == [200] * 4
        setup.proxy.write_config(on)
        wait.until(shows, "it is on")
        hosts[0].status = "500 Internal Server Error"
        wait.until(lambda count=count: setup.get() and setup.stat("ejections_enforced_consecutive_5xx") == count, "the ejection")


@pytest.mark.apus_only
def test_a_reload_renames_a_host(make):
    """Requests that take their host's name from the endpoint have the new one."""
    host = make.origin(lambda connection, request: connection.reply(request.get("host").encode()))
    setup = Setup(make, [host.port], route={"auto_host_rewrite": True})
    whole = json.loads(setup.proxy.path.read_text())
    for name in "one.example", "two.example":
        whole["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["hostname"] = name
        setup.proxy.write_config(whole)
        wait.until(lambda name=name: get(setup.proxy.port()).body == name.encode(), f"the name {name}")


def reset(connection, request):
    connection.reset()
    return False


def test_a_host_that_fails_in_a_row_is_ejected_and_comes_back(make):
    bad, good = Host(make, "500 Internal Server Error"), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 3, "base_ejection_time": "2s"})
    wait.until(lambda: setup.get() and bad.count == 3, "3 failures")
    setup.until("ejections_active", 1)
    wait.until(lambda: setup.healthy() == 1, "one healthy host")
    wait.until(lambda: setup.get(4) == [200] * 4, "only good answers")
    count = bad.count
    assert setup.get(6) == [200] * 6
    assert bad.count == count
    assert setup.stat("ejections_enforced_total") == 1
    assert setup.stat("ejections_detected_consecutive_5xx") == 1
    assert setup.stat("ejections_enforced_consecutive_5xx") == 1
    assert setup.stat("ejections_total") == 1
    assert setup.stat("ejections_consecutive_5xx") == 1
    bad.status = "200 OK"
    setup.until("ejections_active", 0)
    assert setup.healthy() == 2
    wait.until(lambda: setup.get() and bad.count > count, "the host is used again")
    eject, uneject = setup.events(2)
    assert {key: eject[key] for key in ("type", "cluster_name", "upstream_url", "action", "num_ejections", "enforced")} == {
        "type": "CONSECUTIVE_5XX", "cluster_name": "origin", "upstream_url": f"127.0.0.1:{bad.port}", "action": "EJECT",
        "num_ejections": 1, "enforced": True,
    }  # fmt: skip
    assert eject["eject_consecutive_event"] == {}
    assert "secs_since_last_action" not in eject
    assert (uneject["action"], uneject["num_ejections"], uneject["enforced"]) == ("UNEJECT", 1, False)
    assert uneject["secs_since_last_action"] == "2"
    assert list(eject) == [key for key in FIELDS if key in eject]
    assert list(uneject) == [key for key in FIELDS if key in uneject]


FIELDS = (
    "type", "timestamp", "secs_since_last_action", "cluster_name", "upstream_url", "action", "num_ejections", "enforced",
    "eject_success_rate_event", "eject_consecutive_event", "eject_failure_percentage_event",
)  # fmt: skip


def test_success_between_failures_starts_anew(make):
    host, other = Host(make), Host(make)
    setup = Setup(make, [host, other], {"consecutive_5xx": 3})
    for _ in range(3):
        for status in ("500 Bad", "500 Bad", "200 OK"):
            host.status, count = status, host.count
            wait.until(lambda: setup.get() and host.count > count, "a request to it")
    assert setup.stat("ejections_detected_consecutive_5xx") == 0
    assert setup.healthy() == 2


@pytest.mark.parametrize("status, detected", [("502 Bad", 1), ("503 Bad", 1), ("504 Bad", 1), ("500 Bad", 0), ("404 Bad", 0)])
def test_gateway_failures(make, status, detected):
    host, other = Host(make, status), Host(make)
    outlier = {
        "consecutive_5xx": 0, "consecutive_gateway_failure": 2, "enforcing_consecutive_gateway_failure": 100,
        "base_ejection_time": "60s",
    }  # fmt: skip
    setup = Setup(make, [host, other], outlier)
    setup.get(8)
    if detected:
        setup.until("ejections_enforced_consecutive_gateway_failure", 1)
        assert setup.events()[0]["type"] == "CONSECUTIVE_GATEWAY_FAILURE"
    else:
        assert setup.stat("ejections_detected_consecutive_gateway_failure") == 0
    assert setup.stat("ejections_enforced_total") == detected


def test_what_is_not_enforced_is_counted_and_logged(make):
    host, other = Host(make, "503 Bad"), Host(make)
    setup = Setup(make, [host, other], {"consecutive_5xx": 2, "enforcing_consecutive_5xx": 0})
    setup.get(4)
    setup.until("ejections_detected_consecutive_5xx", 1)
    event = setup.events()[0]
    assert (event["action"], event["enforced"], event["num_ejections"]) == ("EJECT", False, 0)
    assert setup.healthy() == 2
    assert [setup.stat(f"ejections_{name}") for name in ("active", "enforced_total", "overflow")] == [0, 0, 0]


def test_the_cap_holds(make):
    hosts = [Host(make, "500 Bad") for _ in range(4)]
    setup = Setup(make, hosts, {"consecutive_5xx": 2, "max_ejection_percent": 50, "base_ejection_time": "60s"})
    wait.until(lambda: setup.get() and setup.stat("ejections_overflow") >= 1, "an overflow")
    assert setup.stat("ejections_active") == 2
    wait.until(lambda: setup.healthy() == 2, "two healthy hosts")


def test_one_host_may_always_be_ejected(make):
    hosts = [Host(make, "500 Bad"), Host(make)]
    outlier = {"consecutive_5xx": 2, "max_ejection_percent": 0, "always_eject_one_host": True, "base_ejection_time": "60s"}
    setup = Setup(make, hosts, outlier)
    setup.get(4)
    setup.until("ejections_active", 1)
    hosts[1].status = "500 Bad"
    setup.get(4)
    wait.until(lambda: setup.get() and setup.stat("ejections_overflow") > 0, "an overflow")
    wait.until(lambda: setup.healthy() == 1, "one healthy host")


def test_all_hosts_ejected_is_no_host(make):
    hosts = [Host(make, "500 Bad"), Host(make, "500 Bad")]
    setup = Setup(make, hosts, {"consecutive_5xx": 1, "base_ejection_time": "60s"})
    wait.until(lambda: setup.get() and setup.healthy() == 0, "nobody left")
    wait.until(lambda: setup.get() == [503], "no host for a request")
    assert wait.until(lambda: "503 UH -" in setup.log.read_text(), "the log")


@pytest.mark.parametrize("failure", [reset, "refused"])
@pytest.mark.parametrize("split", [False, True])
def test_local_origin_failures(make, failure, split):
    bad = free_port() if failure == "refused" else Host(make, failure)
    outlier = {
        "consecutive_5xx": 2, "consecutive_local_origin_failure": 2, "split_external_local_origin_errors": split,
        "base_ejection_time": "60s",
    }  # fmt: skip
    setup = Setup(make, [bad, Host(make)], outlier)
    if split and failure == reset:
        # The connection that came about before each reset ends the row.
        setup.get(8)
        assert setup.stat("ejections_detected_consecutive_local_origin_failure") == 0
        return
    setup.get(4)
    kind = "consecutive_local_origin_failure" if split else "consecutive_5xx"
    setup.until(f"ejections_enforced_{kind}", 1)
    assert setup.stat("ejections_enforced_total") == 1
    wait.until(lambda: setup.get(4) == [200] * 4, "only good answers")
    assert setup.events()[0]["type"] == kind.upper()


def test_timeouts_count(make):
    def hang(connection, request):
        time.sleep(3)
        return False

    setup = Setup(make, [Host(make, hang), Host(make)], {"consecutive_5xx": 2, "base_ejection_time": "60s"}, route={"timeout": "0.5s"})
    assert sorted(setup.get(4)) == [200, 200, 504, 504]
    setup.until("ejections_enforced_consecutive_5xx", 1)
    wait.until(lambda: setup.get(4) == [200] * 4, "only good answers")


def test_success_rate(make):
    hosts = [Host(make) for _ in range(5)]
    outlier = {
        "consecutive_5xx": 0, "success_rate_minimum_hosts": 5, "success_rate_request_volume": 4, "interval": "1s",
        "base_ejection_time": "60s", "success_rate_stdev_factor": 1500,
    }  # fmt: skip
    setup = Setup(make, hosts, outlier)
    hosts[2].status = "500 Bad"
    wait.until(lambda: setup.get(25) and setup.stat("ejections_enforced_success_rate") == 1, "an ejection")
    assert setup.stat("ejections_enforced_total") == 1
    event = setup.events()[0]
    assert (event["type"], event["upstream_url"]) == ("SUCCESS_RATE", f"127.0.0.1:{hosts[2].port}")
    details = event["eject_success_rate_event"]
    assert set(details) == {"host_success_rate", "cluster_average_success_rate", "cluster_success_rate_ejection_threshold"}
    # The first sweeps may have seen it well; never better than 80 on average.
    assert details["host_success_rate"] < details["cluster_success_rate_ejection_threshold"] < 100


def test_failure_percentage(make):
    hosts = [Host(make) for _ in range(3)]
    outlier = {
        "consecutive_5xx": 0, "failure_percentage_minimum_hosts": 3, "failure_percentage_request_volume": 4,
        "failure_percentage_threshold": 60, "enforcing_failure_percentage": 100, "interval": "0.5s", "base_ejection_time": "60s",
        "enforcing_success_rate": 0,
    }  # fmt: skip
    setup = Setup(make, hosts, outlier)
    hosts[1].status = "500 Bad"
    wait.until(lambda: setup.get(15) and setup.stat("ejections_enforced_failure_percentage") == 1, "an ejection")
    event = [event for event in setup.events() if event["enforced"]][0]
    assert (event["type"], event["upstream_url"]) == ("FAILURE_PERCENTAGE", f"127.0.0.1:{hosts[1].port}")
    assert set(event["eject_failure_percentage_event"]) == {"host_success_rate"}


def seconds(event):
    return datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()


def test_ejections_grow_longer(make):
    bad, good = Host(make, "500 Bad"), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 1, "base_ejection_time": "0.6s", "interval": "0.3s"})
    for number in (1, 2, 3):
        wait.until(lambda: setup.get() and setup.stat("ejections_enforced_total") == number, "an ejection")
    first, first_end, second, second_end, _ = setup.events(5)[:5]
    assert [event["action"] for event in (first, first_end, second, second_end)] == ["EJECT", "UNEJECT"] * 2
    assert [event["num_ejections"] for event in (first_end, second_end)] == [1, 2]
    lasted = [seconds(end) - seconds(begin) for begin, end in ((first, first_end), (second, second_end))]
    # Up to an interval longer than it is meant to be, and what the machine takes.
    assert 0.59 < lasted[0] < 1.19 < lasted[1], lasted
    for end, length in zip((first_end, second_end), lasted):
        assert abs(int(end["secs_since_last_action"]) + 0.5 - length) < 0.6


def test_grpc_statuses_count(make):
    headers = [("content-type", "application/grpc"), ("grpc-status", "14")]
    bad, good = Host(make, headers=headers), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 2, "base_ejection_time": "60s"})
    get_grpc = lambda: get(setup.proxy.port(), headers=[("content-type", "application/grpc")]).status  # noqa: E731
    wait.until(lambda: get_grpc() and setup.stat("ejections_enforced_consecutive_5xx") == 1, "an ejection")


def test_tcp_proxy_counts_connections(make):
    closed = free_port()
    listener = config.tcp_listener("origin", max_connect_attempts=2)
    cluster = config.cluster(
        "origin", closed, make.origin().port,
        outlier_detection={"consecutive_5xx": 2, "interval": "0.1s", "max_ejection_percent": 100, "base_ejection_time": "60s"},
        common_lb_config={"healthy_panic_threshold": {"value": 0}},
    )  # fmt: skip
    proxy = make.proxy(config.bootstrap([listener], [cluster]))
    for _ in range(5):
        assert get(proxy.port("tcp")).status == 200
    wait.until(
        lambda: proxy.stat("cluster.origin.outlier_detection.ejections_enforced_consecutive_5xx") == 1, "an ejection"
    )

    def fails():
        before = proxy.stat("cluster.origin.upstream_cx_connect_fail")
        assert [get(proxy.port("tcp")).status for _ in range(5)] == [200] * 5
        return proxy.stat("cluster.origin.upstream_cx_connect_fail") != before

    wait.until(lambda: not fails(), "no more failed connections")


def test_runtime_keys_stand_for_fields(make):
    runtime = {"layers": [{"name": "static", "static_layer": {"outlier_detection": {"consecutive_5xx": 2}}}]}
    bad, good = Host(make, "500 Bad"), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 50, "base_ejection_time": "60s"}, bootstrap={"layered_runtime": runtime})
    setup.get(4)
    setup.until("ejections_enforced_consecutive_5xx", 1)
    assert bad.count == 2


# What /clusters says

RATES = tuple(
    f"outlier::{origin}success_rate_{name}" for origin in ("", "local_origin_") for name in ("average", "ejection_threshold")
)


def percent(message, name):
    """A field of type Percent: 0 is left out of it. None: there is no such field."""
    return message[name].get("value", 0) if name in message else None


def rates(setup, ports):
    """What both pages say: the cluster's lines, then text and JSON of its hosts and thresholds."""
    lines, (status, hosts) = setup.lines(), setup.status()
    shown = {name.removeprefix("outlier::"): lines[name] for name in RATES}
    shown["thresholds"] = [percent(status, f"{origin}success_rate_ejection_threshold") for origin in ("", "local_origin_")]
    for origin in ("", "local_origin_"):
        shown[f"{origin}lines"] = [lines[f"127.0.0.1:{port}::{origin}success_rate"] for port in ports]
        shown[f"{origin}hosts"] = [percent(hosts[port], f"{origin}success_rate") for port in ports]
    return shown


def until_shown(setup, ports, expected):
    """Requests go on until a sweep has seen enough of them; each host always answers the same, so its rate is known."""
    last = {}

    def is_shown():
        setup.get(5 * len(ports))
        last.update(rates(setup, ports))
        return last == expected

    try:
        wait.until(is_shown, "rates")
    except AssertionError:
        assert last == expected
        raise


SHOWN = {
    "interval": "1s", "consecutive_5xx": 0, "success_rate_request_volume": 2, "success_rate_stdev_factor": 1000,
    "enforcing_success_rate": 0, "enforcing_local_origin_success_rate": 0, "enforcing_consecutive_local_origin_failure": 0,
}  # fmt: skip
NOTHING = {
    "success_rate_average": "-1", "success_rate_ejection_threshold": "-1", "local_origin_success_rate_average": "-1",
    "local_origin_success_rate_ejection_threshold": "-1", "thresholds": [None, None], "lines": ["-1"] * 3, "hosts": [None] * 3,
    "local_origin_lines": ["-1"] * 3, "local_origin_hosts": [None] * 3,
}  # fmt: skip
# Rates of 100, 100 and 0: mean 66.67, deviation 47.14.
TWO_THIRDS, DEVIATION = 200 / 3, (20000 / 9) ** 0.5


@pytest.mark.parametrize("factor, threshold", [(1000, "19.5262"), (2000, "-27.6142")])
def test_success_rates_are_shown(make, factor, threshold):
    hosts = [Host(make), Host(make, "500 Bad"), Host(make)]
    setup = Setup(make, hosts, {**SHOWN, "success_rate_minimum_hosts": 3, "success_rate_stdev_factor": factor})
    ports = [host.port for host in hosts]
    assert rates(setup, ports) == NOTHING
    exact = TWO_THIRDS - factor / 1000 * DEVIATION
    until_shown(setup, ports, {
        **NOTHING, "success_rate_average": "66.6667", "success_rate_ejection_threshold": threshold, "lines": ["100", "0", "100"],
        "hosts": [100, 0, 100], "thresholds": [pytest.approx(exact) if exact > 0 else None, None],
    })  # fmt: skip
    assert setup.stat("ejections_enforced_total") == 0


def test_rates_of_the_local_origin_are_shown(make):
    refused, hosts = free_port(), [Host(make), Host(make)]
    setup = Setup(make, [refused, *hosts], {**SHOWN, "success_rate_minimum_hosts": 2, "split_external_local_origin_errors": True})
    until_shown(setup, [refused, *(host.port for host in hosts)], {
        "success_rate_average": "100", "success_rate_ejection_threshold": "100", "lines": ["-1", "100", "100"],
        "hosts": [None, 100, 100], "local_origin_success_rate_average": "66.6667",
        "local_origin_success_rate_ejection_threshold": "19.5262", "local_origin_lines": ["0", "100", "100"],
        "local_origin_hosts": [0, 100, 100], "thresholds": [100, pytest.approx(TWO_THIRDS - DEVIATION)],
    })  # fmt: skip


def test_pages_without_detection(make):
    cluster = config.cluster("origin", make.origin().port)
    proxy = make.proxy(config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [cluster]))
    assert "outlier::" not in proxy.admin("/clusters").body.decode()
    assert "success_rate" not in proxy.admin("/clusters?format=json").body.decode()


def test_lines_have_the_order_of_envoy(make):
    setup = Setup(make, [Host(make)])
    names = [name for name in setup.lines() if not name.startswith(("lb::", "127."))]
    assert [name for name in names if "latency" not in name] == [
        "observability_name", *RATES,
        *(f"{priority}_priority::max_{name}" for priority in ("default", "high") for name in ("connections", "pending_requests", "requests", "retries")),
        "added_via_api",
    ]  # fmt: skip


def test_an_ejection_is_shown(make):
    bad, good = Host(make, "500 Bad"), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 3, "base_ejection_time": "60s"})
    wait.until(lambda: setup.get() and setup.stat("ejections_active") == 1, "an ejection")
    wait.until(lambda: setup.healthy() == 1, "one healthy host")
    lines, (_, hosts) = setup.lines(), setup.status()
    assert lines[f"127.0.0.1:{bad.port}::health_flags"] == "/failed_outlier_check"
    assert lines[f"127.0.0.1:{good.port}::health_flags"] == "healthy"
    assert hosts[bad.port]["health_status"] == {"failed_outlier_check": True, "eds_health_status": "HEALTHY"}
    assert hosts[good.port]["health_status"] == {"eds_health_status": "HEALTHY"}
    if KIND == "envoy":
        return
    assert lines[f"127.0.0.1:{bad.port}::ejection"].startswith("consecutive_5xx, time 1, ends in ")
    assert lines[f"127.0.0.1:{bad.port}::ejection_reason"] == "3 failures in a row"
    assert f"127.0.0.1:{good.port}::ejection" not in lines
    told = hosts[bad.port]["apus"]["outlier_detection"]
    since, left = told.pop("ejected_seconds_ago"), told.pop("ends_in_seconds")
    assert told == {"ejected": True, "ejections": 1, "detector": "consecutive_5xx", "reason": "3 failures in a row"}
    assert since >= 0 and 59.7 <= since + left <= 60
    assert hosts[good.port]["apus"]["outlier_detection"] == {"ejected": False, "ejections": 0}
    assert f"127.0.0.1:{bad.port} is ejected for 60 s: consecutive_5xx, 3 failures in a row (1 of 2 hosts are)" in setup.proxy.log()


@pytest.mark.apus_only
def test_an_ejection_that_is_over_is_shown(make):
    bad, good = Host(make, "500 Bad"), Host(make)
    setup = Setup(make, [bad, good], {"consecutive_5xx": 1})
    wait.until(lambda: setup.get() and setup.stat("ejections_enforced_total") == 1, "an ejection")
    bad.status = "200 OK"
    told = lambda: setup.status()[1][bad.port]["apus"]["outlier_detection"]  # noqa: E731
    wait.until(lambda: not told()["ejected"], "its end")
    over = told()
    assert (over["ejections"], over["detector"], over["reason"]) == (1, "consecutive_5xx", "1 failure")
    assert over["ejected_seconds_ago"] > over["ended_seconds_ago"] >= 0
    assert "ends_in_seconds" not in over


@pytest.mark.apus_only
def test_a_rate_is_the_reason(make):
    hosts = [Host(make), Host(make, "500 Bad"), Host(make)]
    outlier = {**SHOWN, "success_rate_minimum_hosts": 3, "enforcing_success_rate": 100, "base_ejection_time": "60s"}
    setup = Setup(make, hosts, outlier)
    wait.until(lambda: setup.get(15) and setup.stat("ejections_active") == 1, "an ejection")
    told = setup.status()[1][hosts[1].port]["apus"]["outlier_detection"]
    assert (told["detector"], told["reason"]) == (
        "success_rate", "success rate 0 %; mean of all hosts 66.7 %, threshold 19.5 %"
    )  # fmt: skip


# The example


class Shop:
    """The example, with these hosts."""

    def __init__(self, make, *hosts):
        ports = [host.port if isinstance(host, Host) else host for host in hosts]
        self.proxy = example(
            make, "outliers", {9000: ports[0], 9001: ports[1]}, arguments=["--file-flush-interval-msec", "20"]
        )
        self.log = make.directory / "ejections.log"

    def get(self, times=1):
        return [get(self.proxy.port()).status for _ in range(times)]

    def stat(self, name):
        return self.proxy.stat(f"cluster.shop.outlier_detection.{name}")

    def events(self, count):
        def lines():
            found = self.log.read_text().splitlines() if self.log.exists() else []
            return found if len(found) >= count else None

        return [json.loads(line) for line in wait.until(lines, f"{count} events")]

    def until_ejected(self, kind):
        """Until then no client notices."""

        def ejected():
            assert self.get() == [200]
            return self.stat(f"ejections_enforced_{kind}") == 1

        wait.until(ejected, f"an ejection for {kind}")


def test_example(make):
    bad, good = Host(make, "503 Busy"), Host(make)
    setup = Shop(make, bad, good)
    setup.until_ejected("consecutive_5xx")
    assert bad.count >= 3

    def spared():
        count = bad.count
        assert setup.get(4) == [200] * 4
        return bad.count == count

    wait.until(spared, "no more requests to it")
    count = bad.count

    # Of two hosts one may be out: the other stays, whatever it answers.
    good.status = "503 Busy"
    wait.until(lambda: setup.get() and setup.stat("ejections_overflow"), "one too many")
    assert setup.get(4) == [503] * 4
    assert setup.proxy.stat("cluster.shop.membership_healthy") == setup.stat("ejections_active") == 1
    good.status = bad.status = "200 OK"

    # Ten seconds, and what is left of the interval.
    wait.until(lambda: setup.get() == [200] and bad.count > count, "it is used again", 40, 0.1)
    eject, uneject = setup.events(2)
    assert (eject["type"], eject["action"], eject["upstream_url"]) == ("CONSECUTIVE_5XX", "EJECT", f"127.0.0.1:{bad.port}")
    assert (uneject["action"], uneject["num_ejections"]) == ("UNEJECT", 1)
    assert int(uneject["secs_since_last_action"]) >= 10
    assert setup.stat("ejections_active") == 0


def test_example_without_connections(make):
    gone = free_port()
    setup = Shop(make, gone, Host(make))
    setup.until_ejected("consecutive_local_origin_failure")
    assert setup.stat("ejections_enforced_total") == 1
    [event] = setup.events(1)
    assert (event["type"], event["upstream_url"]) == ("CONSECUTIVE_LOCAL_ORIGIN_FAILURE", f"127.0.0.1:{gone}")
