"""Counts instructions and calls with valgrind's callgrind: the same on a busy machine as on an idle one."""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile

# Names under which memory is asked for. Swift's own allocation functions end in one of these.
ALLOCATIONS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}
RETAINS = {"swift_retain", "swift_retain_n", "swift_bridgeObjectRetain", "swift_bridgeObjectRetain_n"}


class Profile:
    """One dump: instructions executed, and how often each function called another."""

    def __init__(self, instructions=0, calls=()):
        self.instructions = instructions
        self.calls = collections.Counter(calls)  # (caller, callee) -> times

    def __sub__(self, other):
        return Profile(self.instructions - other.instructions, self.calls - other.calls)

    @classmethod
    def read(cls, path):
        self = cls()
        names, caller, callee = {}, None, None
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("calls="):
                self.calls[names[caller], names[callee]] += int(line[6:].split()[0])
            elif line.startswith("totals:"):
                self.instructions = int(line.split()[1])
            elif found := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line):
                if found[3]:
                    # glibc's names carry their version; a quote tells the levels of a recursion apart.
                    names[found[2]] = found[3].split("@@")[0].split("'")[0].strip()
                if found[1]:
                    callee = found[2]
                else:
                    caller = found[2]
        return self

    def callers(self, functions):
        """Who called one of `functions`, and how often. Calls within the set (calloc by malloc) count once."""
        found = collections.Counter()
        for (caller, callee), times in self.calls.items():
            if callee in functions and caller not in functions:
                found[caller] += times
        return found

    @property
    def allocations(self):
        return self.callers(ALLOCATIONS).total()

    @property
    def retains(self):
        return self.callers(RETAINS).total()

    def culprits(self, operations):
        """A line for each function that allocates or retains in every second operation or more."""
        for what, functions in (("allocation", ALLOCATIONS), ("retain", RETAINS)):
            for caller, times in self.callers(functions).most_common():
                if times * 2 >= operations:
                    yield f"{times / operations:.2f} {what}s by {demangled(caller)}"


def demangled(name):
    return subprocess.run(["swift", "demangle", "--compact", name], capture_output=True, text=True).stdout.strip()


class Counted:
    """A program that can be run under callgrind. A context manager: removes its files."""

    def __init__(self, binary):
        for tool in ("valgrind", "strip"):
            if not shutil.which(tool):
                raise SystemExit(f"{tool} not found: run tools/setup")
        if not pathlib.Path(binary).exists():
            raise SystemExit(f"{binary} not found: build it first (see BUILDING.md)")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-callgrind-"))
        # Debian 12's valgrind does not read the compiler's DWARF 5; function names are all that is needed.
        self.binary = self.directory / pathlib.Path(binary).name
        subprocess.run(["strip", "--strip-debug", "-o", self.binary, binary], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, *arguments, options=()):
        return [
            "env", "SWIFT_DETERMINISTIC_HASHING=1", "valgrind", "--tool=callgrind",
            f"--callgrind-out-file={self.directory}/out", *options, str(self.binary), *map(str, arguments),
        ]  # fmt: skip

    def symbol(self, name):
        """The one symbol that holds `name`: callgrind takes no pattern for where to dump."""
        listed = subprocess.run(["nm", self.binary], capture_output=True, text=True, check=True).stdout
        found = [line.split()[-1] for line in listed.splitlines() if name in line]
        if len(found) != 1:
            raise SystemExit(f"{self.binary.name} has {len(found)} symbols with {name} in them, not one")
        return found[0]

    def dumps(self):
        """The dumps written so far, as part -> thread -> profile."""
        parts = {}
        for path in self.directory.glob("out.*"):
            part, _, thread = path.name.removeprefix("out.").partition("-")
            parts.setdefault(int(part), {})[int(thread or 0)] = Profile.read(path)
        return parts

    def clear(self):
        """Forgets the dumps."""
        for path in self.directory.glob("out*"):
            path.unlink()


def loops(program, function, arguments, seconds=110):
    """Runs `program` and returns its output and a profile of each call of `function`."""
    symbol = program.symbol(function)
    options = [f"--toggle-collect={symbol}", f"--dump-after={symbol}"]
    ran = subprocess.run(
        program.command(*arguments, options=options), capture_output=True, text=True, timeout=seconds
    )
    if ran.returncode:
        raise SystemExit(f"{program.binary.name} {' '.join(map(str, arguments))} failed:\n{ran.stdout}{ran.stderr[-2000:]}")
    parts = program.dumps()
    return ran.stdout, [parts[number][0] for number in sorted(parts)]
