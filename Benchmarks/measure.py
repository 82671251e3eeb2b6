"""What a process used: CPU from the scheduler's own accounting, memory as its proportional share."""

import os
import pathlib
import re
import subprocess


def cpu_nanoseconds(pid):
    """CPU time of all threads and all child processes' threads, in nanoseconds."""
    total = 0
    for process in [pid, *children(pid)]:
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return total


def main_nanoseconds(pid):
    """CPU time of the process's first thread, which is the main thread of Envoy and of apus."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


def children(pid):
    found = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *children(int(child))]
    return found


def pss_kib(pid, kinds=("Pss",)):
    """Proportional set size of the process and its children, in KiB."""
    total = 0
    for process in [pid, *children(pid)]:
        for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            kind, _, value = line.partition(":")
            if kind in kinds:
                total += int(value.split()[0])
    return total


def own_kib(pid):
    """The part of it that is not from files: that is shared with whoever has them in use, and so changes by itself."""
    return pss_kib(pid, ("Pss_Anon", "Pss_Shmem"))


def machine():
    """One line about where this was measured."""
    model = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} CPUs, Linux {os.uname().release}"


def versions(commands):
    """`commands`: name -> how to ask it for its version."""
    found = []
    for name, command in commands.items():
        asked = subprocess.run(command, capture_output=True, text=True)
        number = re.search(r"\d+\.\d+(?:\.\d+)?", asked.stdout + asked.stderr)
        found.append(f"{name} {number[0] if number else '?'}")
    return ", ".join(found)
