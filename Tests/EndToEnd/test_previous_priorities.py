"""Repeats on other priority levels than those before (`retry_priority`). Runs on Envoy too."""

import collections
import subprocess
import threading

import pytest

from harness import config
from harness.proxy import apus_binary
from test_priorities import DEGRADED, UP, level, threshold

KIND = "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"


def priorities(frequency):
    return {"name": "envoy.retry_priorities.previous_priorities", "typed_config": {"@type": KIND, "update_frequency": frequency}}


class Setup:
    """Hosts of level p are 127.0.<p + 1>.1, .2 and so on; all answer 503, and the log of requests says which host did."""

    def __init__(self, make, *levels, frequency=1, retries=1, cluster=None, retry=None, answers=None, **action):
        self.answers = answers or (lambda priority: "503 Busy")
        self.requests, self.lock = collections.defaultdict(list), threading.Lock()
        port = make.origin(self._answer, address="0.0.0.0").port
        groups = []
        for priority, states in enumerate(levels):
            hosts = [
                {"health_status": state, "endpoint": {"address": config.address(port, f"127.0.{priority + 1}.{index + 1}")}}
                for index, state in enumerate(states)
            ]
            groups.append({"priority": priority, "lb_endpoints": hosts})
        policy = {
            "retry_on": "5xx", "num_retries": retries, "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
            "retry_priority": priorities(frequency), **(retry or {}),
        }  # fmt: skip
        listener = config.http_listener(config.virtual_host(config.route(retry_policy=policy, timeout="20s", **action)))
        assignment = {"cluster_name": "origin", "endpoints": groups}
        self.proxy = make.proxy(
            config.bootstrap([listener], [config.cluster("origin") | {"load_assignment": assignment} | (cluster or {})])
        )

    def _answer(self, connection, request):
        priority = int(connection.sock.getsockname()[0].split(".")[2]) - 1
        with self.lock:
            self.requests[request.target].append(priority)
        connection.reply(b"", status=self.answers(priority))

    def paths(self, count=1):
        """The levels that each of `count` requests went to, in order."""
        with self.proxy.connect() as client:
            for number in range(count):
                client.get(f"/{number}")
        return [tuple(self.requests[f"/{number}"]) for number in range(count)]


UP1 = [UP, UP]


@pytest.mark.parametrize("frequency, retries, path", [
    (1, 1, (0, 1)),
    (1, 2, (0, 1, 2)),
    # All tried: from the start.
    (1, 5, (0, 1, 2, 0, 1, 2)),
    (2, 5, (0, 0, 1, 1, 2, 2)),
    (2, 7, (0, 0, 1, 1, 2, 2, 0, 0)),
    (3, 3, (0, 0, 0, 1)),
    (5, 3, (0, 0, 0, 0)),
])  # fmt: skip
def test_levels_take_turns(make, frequency, retries, path):
    setup = Setup(make, UP1, UP1, UP1, frequency=frequency, retries=retries)
    assert setup.paths(5) == [path] * 5


def test_one_level(make):
    setup = Setup(make, UP1, retries=3)
    assert setup.paths() == [(0, 0, 0, 0)]


def test_levels_without_hosts_are_left_out(make):
    setup = Setup(make, UP1, level(down=2), UP1, retries=2)
    assert setup.paths(3) == [(0, 2, 0)] * 3


def test_degraded_hosts_are_there_too(make):
    setup = Setup(make, UP1, [DEGRADED, DEGRADED], retries=1)
    assert setup.paths(3) == [(0, 1)] * 3


def test_the_next_requests_begin_anew(make):
    setup = Setup(make, UP1, UP1, answers=lambda priority: "200 OK" if priority else "503 Busy")
    assert setup.paths(3) == [(0, 1)] * 3


def test_what_is_left_is_shared_by_health(make):
    """Level 1 has half of its hosts up, which is 70 of 100; level 2 all, which is the other 30 once level 0 is out."""
    setup = Setup(make, UP1, level(up=5, down=5), level(up=10))
    shares = collections.Counter(path[1] for path in setup.paths(1000))
    # Source: 70 and 100 of health, of at most 100 in all: the first takes 70. Five standard deviations are 72.
    assert sorted(shares) == [1, 2]
    assert abs(shares[1] - 700) <= 72


@pytest.mark.parametrize("policy", ["RING_HASH", "MAGLEV"])
def test_who_hashes_stays_on_its_level(make, policy):
    setup = Setup(make, UP1, UP1, UP1, retries=2, cluster={"lb_policy": policy})
    assert setup.paths(3) == [(0, 0, 0)] * 3


@pytest.mark.parametrize("policy", ["LEAST_REQUEST", "RANDOM"])
def test_any_policy(make, policy):
    setup = Setup(make, UP1, UP1, retries=1, cluster={"lb_policy": policy})
    assert setup.paths(3) == [(0, 1)] * 3


def test_beside_host_predicates(make):
    hosts = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    predicate = [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": hosts}}]
    setup = Setup(
        make, UP1, UP1, frequency=2, retries=3,
        retry={"retry_host_predicate": predicate, "host_selection_retry_max_attempts": 5},
    )  # fmt: skip
    assert setup.paths(3) == [(0, 0, 1, 1)] * 3


def test_panic_of_the_level_before(make):
    setup = Setup(make, level(up=1, down=9), level(up=1, down=9), retries=1, cluster=threshold(0))
    for first, second in setup.paths(40):
        assert {first, second} == {0, 1}


@pytest.mark.apus_only
@pytest.mark.parametrize("fields, sentence", [
    ({"name": "x"}, "retry_priority: needs typed_config with a PreviousPrioritiesConfig"),
    ({"name": "x", "typed_config": {"@type": KIND}}, 'retry_priority.typed_config: "update_frequency" is required'),
])  # fmt: skip
def test_sentences(tmp_path, fields, sentence):
    policy = {"retry_on": "5xx", "retry_priority": fields}
    listener = config.http_listener(config.virtual_host(config.route(retry_policy=policy)))
    path = tmp_path / "apus.yaml"
    path.write_text(config.text(config.bootstrap([listener], [config.cluster("origin", 1)])))
    done = subprocess.run([apus_binary(), "check", "-c", path], capture_output=True, text=True)
    assert done.returncode != 0
    assert sentence in done.stderr + done.stdout
