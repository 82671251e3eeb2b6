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
    """One dump: instructions executed, and how often each function was called."""

    def __init__(self, path):
        self.instructions = 0
        self.calls = collections.Counter()
        names, callee = {}, None
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("calls="):
                self.calls[names[callee]] += int(line[6:].split()[0])
            elif line.startswith("totals:"):
                self.instructions = int(line.split()[1])
            elif found := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line):
                if found[3]:
                    # glibc's names carry their version; callgrind tells recursive cycles apart with a quote.
                    names[found[2]] = found[3].split("@@")[0].split("'")[0].strip()
                if found[1] == "cfn":
                    callee = found[2]

    @property
    def allocations(self):
        return sum(self.calls[name] for name in ALLOCATIONS)

    @property
    def retains(self):
        return sum(self.calls[name] for name in RETAINS)


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
            parts.setdefault(int(part), {})[int(thread or 0)] = Profile(path)
        return parts


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
