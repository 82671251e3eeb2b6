"""Nothing becomes dearer unnoticed: instructions, allocations and retains against Benchmarks/Micro/thresholds.json."""

import pathlib
import sys

import pytest

from harness.proxy import apus_binary

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Benchmarks"))

import operations  # noqa: E402
import request_cost  # noqa: E402
import thresholds  # noqa: E402

pytestmark = pytest.mark.apus_only


def test_operations_cost_no_more_than_allowed():
    excesses = thresholds.excesses("operations", operations.measure())
    assert not excesses, "\n".join(excesses)


def test_requests_cost_no_more_than_allowed():
    excesses = thresholds.excesses("requests", request_cost.measure(apus_binary()))
    assert not excesses, "\n".join(excesses)


def test_a_dearer_operation_is_named():
    allowed = {name: thresholds.Cost(**limits) for name, limits in thresholds.read()["operations"].items()}
    assert thresholds.excesses("operations", allowed) == []
    allowed["counter-add"].instructions += 1
    allowed["timer-move"].allocations += 1
    del allowed["timer-fire"]
    sentences = thresholds.excesses("operations", allowed)
    assert [sentence.split()[0] for sentence in sentences[:3]] == ["counter-add", "timer-fire", "timer-move"]
