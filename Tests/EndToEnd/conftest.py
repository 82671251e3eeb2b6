"""Fixtures. `APUS_PROXY=envoy` drives the real Envoy with the same tests, to check the tests themselves."""

import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.certificates import Authority  # noqa: E402
from harness.origin import Origin  # noqa: E402
from harness.proxy import Proxy  # noqa: E402
from harness.statsd import Statsd  # noqa: E402

TEST_SECONDS_MAX = 120
KIND = os.environ.get("APUS_PROXY", "apus")


def pytest_configure(config):
    config.addinivalue_line("markers", "apus_only: behaviour that only apus has; left out with APUS_PROXY=envoy")
    config.addinivalue_line("markers", "needs_envoy: compares with Envoy; left out only with APUS_NO_ENVOY=1")


def pytest_collection_modifyitems(config, items):
    left_out = set()
    if KIND == "envoy":
        left_out.add("apus_only")
    if os.environ.get("APUS_NO_ENVOY") == "1":
        left_out.add("needs_envoy")
    deselected = [item for item in items if any(item.get_closest_marker(mark) for mark in left_out)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def too_long(*_):
    raise AssertionError(f"the test took longer than {TEST_SECONDS_MAX} s")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Every wait has its own deadline; this one is for what nobody thought of."""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS_MAX)
    yield
    signal.alarm(0)


class Things:
    """Makes origins, proxies and statsd daemons, and stops them in the end."""

    def __init__(self, directory):
        self.directory = directory
        self.made = []

    def origin(self, script=None, **options):
        origin = Origin(script, **options) if script else Origin(**options)
        self.made.append(origin)
        return origin

    def statsd(self):
        self.made.append(Statsd())
        return self.made[-1]

    def proxy(self, config, kind=KIND, **options):
        directory = self.directory / f"proxy-{len(self.made)}"
        self.made.append(Proxy(config, directory, kind=kind, **options))
        return self.made[-1]

    def finish(self):
        failures = []
        for thing in reversed(self.made):
            if isinstance(thing, Proxy):
                died = thing.process.poll()
                if died not in (None, 0):
                    failures.append(f"{thing.kind} died with {died}:\n{thing.log()[-4000:]}")
                thing.kill()
            else:
                thing.stop()
                failures += [f"origin script: {error!r}" for error in getattr(thing, "failures", [])]
        assert not failures, "\n".join(failures)


class Certificates:
    """Authorities and certificates that the tests share; each is made once, when it is first asked for."""

    def __init__(self, directory):
        self.directory, self.authorities, self.issued = directory, {}, {}

    def authority(self, name="Test CA"):
        if name not in self.authorities:
            self.authorities[name] = Authority(self.directory / name.replace(" ", "-"), name)
        return self.authorities[name]

    def issue(self, name="server.example", by="Test CA", **options):
        key = (name, by, repr(sorted(options.items())))
        if key not in self.issued:
            self.issued[key] = self.authority(by).issue(name, **options)
        return self.issued[key]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def ca(certificates):
    return certificates.authority()


@pytest.fixture(scope="session")
def server(certificates):
    """server.example, ECDSA."""
    return certificates.issue()


@pytest.fixture
def make(tmp_path):
    """Things of one test."""
    things = Things(tmp_path)
    yield things
    things.finish()


@pytest.fixture(scope="module")
def make_shared(tmp_path_factory):
    """Things that all tests of a file share."""
    things = Things(tmp_path_factory.mktemp("shared"))
    yield things
    things.finish()
