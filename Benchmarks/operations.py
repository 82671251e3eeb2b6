"""Runs apus-micro under callgrind: each case twice, and the difference is what an operation costs."""

import pathlib

import callgrind
from thresholds import Cost

BINARY = pathlib.Path(__file__).resolve().parent.parent / ".build/release/apus-micro"
# What a case does before and after its loop is in both, and drops out.
FEW, MANY = 500, 2500


def measure(binary=BINARY, case="all"):
    """Case -> cost of one operation."""
    with callgrind.Counted(binary) as program:
        output, profiles = callgrind.loops(program, "countedLoop", [case, FEW, FEW, MANY])
    names = [line.split()[0] for line in output.splitlines()]
    if len(names) != len(profiles):
        raise SystemExit(f"apus-micro ran {len(names)} loops, callgrind saw {len(profiles)}")
    costs = {}
    # The first of three runs is for what happens once.
    for index in range(0, len(names), 3):
        costs[names[index]] = Cost.of(profiles[index + 2] - profiles[index + 1], MANY - FEW)
    return costs
