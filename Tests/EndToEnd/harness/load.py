"""Runs `apus-load`: as the generator, and as the origin of a test."""

import json
import os
import pathlib
import signal
import subprocess

from .proxy import ROOT

RUN_SECONDS_MAX = 60


def binary():
    """`APUS_LOAD_BINARY`, or the release build."""
    path = pathlib.Path(os.environ.get("APUS_LOAD_BINARY", ROOT / ".build/release/apus-load"))
    assert path.exists(), f"{path} is missing: build it with `swift build -c release --product apus-load`"
    return str(path)


def run(*arguments, **options):
    """The finished process of one command."""
    command = [binary(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, **options)


class Report:
    """What a run wrote to `--json`, with its exit status and output."""

    def __init__(self, directory, *arguments):
        path = pathlib.Path(directory) / "report.json"
        self.process = run(*arguments, "--quiet", "--json", path)
        assert self.process.returncode in (0, 1), self.process.stderr
        self.status = self.process.returncode
        self.json = json.loads(path.read_text())

    @property
    def totals(self):
        return self.json["totals"]

    @property
    def errors(self):
        """Only the kinds that occurred."""
        return {kind: count for kind, count in self.json["errors"].items() if count}

    def milliseconds(self, percentile, of="latency"):
        return self.json[of]["percentiles_ns"][percentile] / 1e6


class LoadOrigin:
    """`apus-load --origin` on a free port."""

    def __init__(self, *flags):
        command = [binary(), "--origin", "127.0.0.1:0", *map(str, flags)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line + self.process.stderr.read()
        self.port = int(line.rsplit(":", 1)[1])

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def finish(self):
        """Ends it with SIGTERM; returns its last words."""
        self.process.send_signal(signal.SIGTERM)
        output, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0 and errors == "", errors
        return output

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
