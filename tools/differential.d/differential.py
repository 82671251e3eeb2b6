"""Runs many inputs through both parsers; see tools/fuzz-differential."""

import argparse
import collections
import json
import struct
import subprocess
import sys

import compare
import generate
import h11_side

BATCH = 2000


def apus_events(program, inputs):
    """What http1-events prints for each input. A crash is a finding of the input it stopped at."""
    data = b"".join(struct.pack(">I", len(i)) + i for i in inputs)
    done = subprocess.run([program], input=data, stdout=subprocess.PIPE, timeout=600)
    lines = done.stdout.decode().splitlines()
    return [parsed(line) for line in lines], done.returncode


def parsed(line):
    seen = json.loads(line)
    for request in seen["requests"]:
        for part in ("method", "target", "body"):
            request[part] = bytes.fromhex(request[part])
        for part in ("fields", "trailers"):
            request[part] = as_h11([(bytes.fromhex(name), bytes.fromhex(value)) for name, value in request[part]])
    return seen


def as_h11(fields):
    """h11 shows the name of a transfer coding in lower case, and a length given twice once."""
    shown = []
    lengths = set()
    for name, value in fields:
        if name == b"transfer-encoding":
            value = value.lower()
        if name == b"content-length":
            value = value.split(b",")[0].strip()
            if value in lengths:
                continue
            lengths.add(value)
        shown.append((name, value))
    return shown


def replay(arguments, number):
    return f"tools/fuzz-differential --seed {arguments.seed} --only {number}"


def show(data, apus, h11):
    print(f"input: {data!r}")
    for name, seen in (("apus", apus), ("h11", h11)):
        print(f"{name}: {seen['ending']}")
        for request in seen["requests"]:
            print(f"  {request}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", required=True, help="the program http1-events")
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this input alone, with what both saw")
    arguments = parser.parse_args()
    numbers = range(arguments.inputs) if arguments.only is None else [arguments.only]
    counts = collections.Counter()
    reasons = collections.defaultdict(collections.Counter)
    requests = 0
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start:start + BATCH]
        inputs = [generate.stream(arguments.seed, number) for number in batch]
        results, status = apus_events(arguments.events, inputs)
        for number, data, apus in zip(batch, inputs, results):
            h11 = h11_side.events(data)
            kind, reason = compare.judge(data, apus, h11)
            counts[kind] += 1
            reasons[kind][reason] += 1
            requests += sum(r["end"] is not None for r in apus["requests"])
            if kind == "FINDING" and counts[kind] <= 10 or arguments.only is not None:
                print(f"{kind}: {reason}: {replay(arguments, number)}")
            if arguments.only is not None:
                show(data, apus, h11)
        if status != 0 or len(results) != len(inputs):
            counts["FINDING"] += 1
            print(f"FINDING: http1-events ended with {status}: {replay(arguments, batch[len(results)])}")
            break
    print(f"{sum(counts.values())} inputs with seed {arguments.seed}, {requests} requests accepted")
    for kind in ("equal", "stricter", "looser", "FINDING"):
        print(f"{kind}: {counts[kind]}")
        for reason, count in reasons[kind].most_common(40):
            print(f"  {count:6} {reason}")
    return 1 if counts["FINDING"] else 0


if __name__ == "__main__":
    sys.exit(main())
