"""Benchmarks/Micro/thresholds.json: what each case may cost at most."""

import json
import pathlib
import re
import subprocess
from dataclasses import dataclass

FILE = pathlib.Path(__file__).resolve().parent / "Micro/thresholds.json"
HEADROOM = 1.06
MEASURES = ("instructions", "allocations", "retains")


@dataclass
class Cost:
    """Of one operation, or of one request."""

    instructions: float
    allocations: float
    retains: float
    # Who allocates and who retains, a line each.
    culprits: tuple = ()

    @classmethod
    def of(cls, profile, operations):
        return cls(
            profile.instructions / operations, profile.allocations / operations, profile.retains / operations,
            tuple(profile.culprits(operations)),
        )  # fmt: skip


def swift_version():
    shown = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"Swift version (\S+)", shown)
    return found[1] if found else "unknown"


def read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def excesses(section, costs):
    """A sentence for everything in `costs` (name -> Cost) that costs more than allowed, or has no threshold."""
    kept = read()
    allowed, sentences = kept[section], []
    for name in sorted(costs.keys() | allowed.keys()):
        if name not in allowed:
            sentences.append(f"{name} has no threshold: run Benchmarks/{tool(section)} --update")
        elif name not in costs:
            sentences.append(f"{name} has a threshold but is not measured: run Benchmarks/{tool(section)} --update")
        else:
            for measure in MEASURES:
                cost, limit = getattr(costs[name], measure), allowed[name][measure]
                if cost > limit:
                    who = "; ".join(line for line in costs[name].culprits if measure[:-1] in line)
                    sentences.append(
                        f"{name} takes {cost:.2f} {measure}, at most {limit} are allowed{f' ({who})' if who else ''}"
                    )
    if sentences and swift_version() != kept["swift"]:
        sentences.append(
            f"The thresholds are for Swift {kept['swift']}, this is {swift_version()}: when the code is not to blame, "
            "Benchmarks/micro --update and Benchmarks/request-cost --update write new ones."
        )
    return sentences


def update(section, costs):
    """Writes thresholds a little above `costs`, and forgets cases that are no more."""
    kept = read()
    kept["swift"] = swift_version()
    kept[section] = {
        name: {
            "instructions": round(cost.instructions * HEADROOM + 1),
            # A growing table may allocate now and then; a real one a time is at least 1.
            "allocations": ceiling(cost.allocations),
            "retains": ceiling(cost.retains),
        }
        for name, cost in sorted(costs.items())
    }
    FILE.write_text(json.dumps(kept, indent=2) + "\n")


def ceiling(count):
    return round(count + 0.05, 2)


def tool(section):
    return {"operations": "micro", "requests": "request-cost"}[section]


def table(costs, section):
    """The costs next to what is allowed, as Markdown."""
    allowed = read().get(section, {})
    width = max(map(len, costs))
    lines = [f"| {'case':{width}} | instructions | allowed | allocations | retains |",
             f"| {'-' * width} | -----------: | ------: | ----------: | ------: |"]  # fmt: skip
    for name, cost in costs.items():
        limit = allowed.get(name, {}).get("instructions", "")
        lines.append(
            f"| {name:{width}} | {cost.instructions:12.1f} | {limit:>7} | {cost.allocations:11.3f} | {cost.retains:7.3f} |"
        )
        lines += [f"| - {line}" for line in cost.culprits]
    return "\n".join(lines)
