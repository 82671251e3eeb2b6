"""The load generators: what each is asked for, and what its output says."""

import re
import subprocess
import tempfile
from dataclasses import dataclass

from peers import HERE, LOAD_CORE, pinned

LOAD_SCRIPT = HERE / "load.lua"


@dataclass
class Load:
    """What one run brought. Latencies in milliseconds; NaN when the generator does not tell."""

    requests: int
    errors: int
    p50: float = float("nan")
    p99: float = float("nan")
    p999: float = float("nan")


def run(*command):
    done = subprocess.run(pinned(LOAD_CORE, *command), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def url(workload, server):
    return f"{'https' if workload.port == 'https' else 'http'}://127.0.0.1:{server.ports[workload.port]}/"


def wrk(workload, server, seconds):
    """HTTP/1.1. Never resumes a TLS session."""
    command = ["wrk", "-t1", f"-c{workload.connections}", f"-d{seconds}s", "-s", LOAD_SCRIPT]
    for header in workload.headers:
        command += ["-H", header]
    output = run(*command, url(workload, server), "--", workload.sends)
    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", output))
    errors += sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))

    def percentile(which):
        found = re.search(rf"^percentile {which} (\d+) us$", output, re.MULTILINE)
        return int(found[1]) / 1000 if found else float("nan")

    requests = int(re.search(r"(\d+) requests in", output)[1])
    return Load(requests, errors, percentile(50), percentile(99), percentile(99.9))


def h2load(workload, server, seconds):
    """HTTP/2. Its own summary has no percentiles, so it logs every request: when it began, status, microseconds."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as log:
        output = run(
            "h2load", "-t1", f"-c{workload.connections}", f"-m{workload.streams}", f"-D{seconds}", f"--log-file={log.name}",
            url(workload, server),
        )  # fmt: skip
        times, wrong = [], 0
        for line in log:
            _, status, microseconds = line.split()
            times.append(int(microseconds))
            wrong += not 200 <= int(status) < 400
    failed, errored, timed_out = map(int, re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", output).groups())
    # What is under way when the time is up is not done, and not wrong either.
    requests = int(re.search(r"(\d+) succeeded", output)[1])
    times.sort()
    of = [times[min(len(times) - 1, int(len(times) * part))] / 1000 if times else float("nan") for part in (0.5, 0.99, 0.999)]
    return Load(requests, wrong + failed + errored + timed_out, *of)


def resumptions(workload, server, seconds):
    """TLS 1.2 connections one after the other, all but the first with the session of the first; no request."""
    output = run("openssl", "s_time", "-connect", f"127.0.0.1:{server.ports['https']}", "-reuse", "-tls1_2", "-time", seconds)
    return Load(int(re.search(r"(\d+) connections in \d+ real seconds", output)[1]), 0)
