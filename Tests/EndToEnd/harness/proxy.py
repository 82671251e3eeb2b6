"""Runs the proxy under test (apus, or Envoy to check the harness) as a process of its own.

`APUS_TLS_ATTACHED=1` leaves TLS records to the library: the same tests without the record layer of our own.
"""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess

from . import client, config as configs, wait

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS = 20


def envoy_binary():
    """The comparison Envoy; downloads it the first time."""
    found = subprocess.run([ROOT / "tools/fetch-envoy"], capture_output=True, text=True)
    assert found.returncode == 0, f"tools/fetch-envoy failed: {found.stderr}\n(APUS_NO_ENVOY=1 leaves these tests out)"
    return found.stdout.strip()


def apus_binary():
    """`APUS_BINARY`, or the release build."""
    path = pathlib.Path(os.environ.get("APUS_BINARY", ROOT / ".build/release/apus"))
    assert path.exists(), f"{path} is missing: build it with `swift build -c release` or set APUS_BINARY"
    return str(path)


class Proxy:
    """A running proxy. Ports and the admin address are its own choice (port 0)."""

    def __init__(self, config, directory, kind="apus", concurrency=1, arguments=(), descriptors=None):
        self.kind = kind
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = self.directory / "proxy.yaml"
        self.log_path = self.directory / "proxy.log"
        admin_path = self.directory / "admin-address"
        self.path.write_text(configs.text(config))
        if kind == "envoy":
            command = [envoy_binary(), "--disable-hot-restart", "-l", "warning"]
        else:
            command = [apus_binary(), "run", "-l", "info"]
        command += ["-c", str(self.path), "--concurrency", str(concurrency)]
        command += ["--admin-address-path", str(admin_path), *arguments]
        if kind == "apus" and os.environ.get("APUS_TLS_ATTACHED") == "1":
            command.append("--tls-attached")

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with open(self.log_path, "ab") as log:
            # Python between fork and exec may wait forever for a lock that another thread had at the fork: only where it must run.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=limit if descriptors else None)
        try:
            self._until(lambda: admin_path.exists() and ":" in admin_path.read_text(), "the admin address file")
            self.admin_port = int(admin_path.read_text().strip().rsplit(":", 1)[1])
            self._until(self._ready, "/ready says LIVE")
        except BaseException:
            self.kill()
            raise

    def _ready(self):
        try:
            return self.admin("/ready").status == 200
        except OSError:
            return False

    def _until(self, condition, what):
        def checked():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.kind} exited with {self.process.returncode}:\n{self.log()}")
            return condition()

        wait.until(checked, f"{self.kind}: {what}", START_SECONDS)

    # What it says

    def log(self):
        return self.log_path.read_text(errors="replace")

    def admin(self, path, method="GET"):
        return client.get(self.admin_port, path, method=method, headers=[("Connection", "close")])

    def stats(self):
        """Counters and gauges by name (`/stats`, text)."""
        lines = self.admin("/stats").body.decode().splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if ": " in line)
        return {pair[0]: int(pair[1]) for pair in pairs if pair[1].lstrip("-").isdigit()}

    def stat(self, name):
        return self.stats().get(name, 0)

    def sum(self, pattern):
        """What the statistics add up to whose names match the regular expression as a whole."""
        return sum(value for name, value in self.stats().items() if re.fullmatch(pattern, name))

    def listener_stat(self, name):
        """The sum over listeners: their addresses are part of the names."""
        return self.sum(r"listener\.[^.]*\.[^.]*\.[^.]*\.[^.]*?_\d+\." + re.escape(name))

    def port(self, listener="http"):
        for line in self.admin("/listeners").body.decode().splitlines():
            name, _, bound = line.partition("::")
            if name == listener:
                return int(bound.rsplit(":", 1)[1])
        raise AssertionError(f"no listener {listener!r} in /listeners")

    def config_dump(self):
        return json.loads(self.admin("/config_dump").body)

    # What it uses

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # What is done to it

    def connect(self, listener="http", **options):
        return client.Client(self.port(listener), **options)

    def connect_admin(self):
        return client.Client(self.admin_port)

    def write_config(self, config):
        """Puts the new file in place by rename, as deployment tools do."""
        new = self.path.with_suffix(".new")
        new.write_text(configs.text(config))
        os.replace(new, self.path)

    def overwrite_config(self, config):
        """Rewrites the file where it is: no reload until SIGHUP."""
        self.path.write_text(configs.text(config))

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=15):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.kind} still runs after {seconds} s:\n{self.log()}") from None

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
