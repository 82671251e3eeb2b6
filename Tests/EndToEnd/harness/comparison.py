"""One file and one script of origins through two proxies at once: what can be seen of each, and where they differ.

A `Case` is a cluster, a route to it on a listener of its own, what its hosts do, and which requests come. `Pair` puts
all cases into one bootstrap a proxy; ports of hosts and paths of logs are all that is not the same in both files.
"""

import concurrent.futures
import dataclasses
import fnmatch
import json
import re
import socket
import threading
import time

from . import config, http2
from .client import Client, Closed

SIDES = ("envoy", "apus")
SETTLE_SECONDS = 10.0
LOG_FORMAT = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% "
    "host=%UPSTREAM_HOST% failure=%UPSTREAM_TRANSPORT_FAILURE_REASON% cluster=%UPSTREAM_CLUSTER% "
    "received=%BYTES_RECEIVED% sent=%BYTES_SENT% grpc=%GRPC_STATUS_NUMBER%\n"
)
CHECK_SINK = config.TYPE + "extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink"

# Not compared: bytes (ids and ports have lengths), gauges of limits. Kinds of requests have cases of their own.
LEFT_OUT = ("*_bytes_*", "*_open")
COMPARED = (
    "upstream_*", "retry*", "outlier_detection.*", "health_check.*", "circuit_breakers.*", "membership_*", "lb_*",
    "canary.*",
)  # fmt: skip
VOLATILE_FIELDS = ("x-request-id", "date", "x-envoy-upstream-service-time", "server")


# Hosts: each is made once for each proxy


class Answers:
    """Answers each request by the next step: a status, (status, fields), or a function; the last step stays."""

    def __init__(self, *steps, check="200 OK", **options):
        self.steps, self.check, self.options = steps, check, options

    def begin(self, make):
        return Running(make, self.steps, self.check, **self.options)


class Running:
    """What `Answers` is at one proxy."""

    def __init__(self, make, steps, check, **options):
        self.steps, self.at = list(steps), 0
        self.requests, self.lock = [], threading.Lock()
        self.check = check  # what health checks get, as a step
        self.origin = make.origin(self, **options)
        self.port = self.origin.port

    def follow(self, *steps):
        with self.lock:
            self.steps, self.at = list(steps), 0

    def __call__(self, connection, request):
        with self.lock:
            if request.target == "/health":
                step = self.check
            else:
                self.requests.append(request)
                step = self.steps[min(self.at, len(self.steps) - 1)]
                self.at += 1
        if callable(step):
            return step(connection, request)
        status, fields = (step, ()) if isinstance(step, str) else step
        connection.reply(b"body of " + status.encode(), status=status, headers=fields)
        return None

    def stop(self):
        self.origin.stop()


class HTTP2Answers:
    """The same over HTTP/2; steps are statuses as numbers, (status, fields), or functions. `settings` are the host's."""

    def __init__(self, *steps, settings=()):
        self.steps, self.settings = steps, settings

    def begin(self, make):
        return RunningHTTP2(make, self.steps, self.settings)


class RunningHTTP2:
    def __init__(self, make, steps, settings):
        self.steps, self.requests, self.lock = list(steps), [], threading.Lock()
        self.origin = make.origin(raw=http2.serving(self, settings))
        self.port = self.origin.port

    def __call__(self, server, request):
        with self.lock:
            self.requests.append(request)
            step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        if callable(step):
            return step(server, request)
        status, fields = (step, ()) if isinstance(step, int) else step
        server.reply(request.stream, b"" if fields else b"body", status=status, fields=fields, length=not fields)
        return None


class Refuses:
    """A port that is taken, where nobody listens: connections are refused, and no other origin gets it."""

    def begin(self, make):
        made = Refuses()
        made.sock = socket.socket()
        made.sock.bind(("127.0.0.1", 0))
        made.port = made.sock.getsockname()[1]
        make.made.append(made)
        return made

    def stop(self):
        self.sock.close()


class Silent:
    """A port whose queue is full: connecting neither succeeds nor fails."""

    def begin(self, make):
        made = Silent()
        made.sockets = [socket.socket() for _ in range(4)]
        listener, *clients = made.sockets
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        made.port = listener.getsockname()[1]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        make.made.append(made)
        return made

    def stop(self):
        for sock in self.sockets:
            sock.close()


class Raw:
    """Whatever `start(make)` gives: it has a `port`."""

    def __init__(self, start):
        self.start = start

    def begin(self, make):
        return self.start(make)


# Cases


def once(side):
    side.get()


@dataclasses.dataclass
class Case:
    """`differs` says where the two are meant to differ: {place: reason}.

    Places are those of `differences`, `*` in them stands for anything. `some` are places whose numbers depend on the
    machine: only whether they are 0 is compared. `loose` are places that are not compared at all, each with its reason.
    """

    name: str
    hosts: list
    sends: object = once
    policy: dict = None
    action: dict = None
    route: dict = None
    host: dict = None
    hcm: dict = None
    cluster: dict = None
    check: dict = None
    listener: object = None
    endpoints: object = None
    others: dict = None
    differs: dict = dataclasses.field(default_factory=dict)
    some: tuple = ()
    loose: dict = dataclasses.field(default_factory=dict)

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    # Its part of the file

    def clusters(self, side):
        ports = [host.port for host in side.hosts]
        made = config.cluster(self.slug, *ports)
        if self.endpoints:
            made["load_assignment"] = {"cluster_name": self.slug, **self.endpoints(ports)}
        made["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}
        if self.check:
            sink = {"name": "file", "typed_config": {"@type": CHECK_SINK, "event_log_path": str(side.checks_path)}}
            times = {"timeout": "2s", "interval": "0.05s", "no_traffic_interval": "0.05s"}
            made["health_checks"] = [{**times, "healthy_threshold": 2, "unhealthy_threshold": 2, "event_logger": [sink], **self.check}]
        made.update(self.cluster or {})
        others = [
            {**config.cluster(f"{self.slug}-{name}", *[host.port for host in side.others[name]]), **fields}
            for name, (_, fields) in (self.others or {}).items()
        ]
        return [made, *others]

    def listeners(self, side):
        if self.listener:
            return self.listener(self, side)
        action = json.loads(json.dumps(self.action or {}).replace("SELF", self.slug))
        if self.policy is not None:
            quick = {"retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"}}
            action["retry_policy"] = {**quick, **self.policy}
        route = config.route(to=self.slug, route_fields=self.route, **action)
        if "cluster_header" in action:
            del route["route"]["cluster"]
        host = config.virtual_host(
            route, name=self.slug, include_request_attempt_count=True, include_is_timeout_retry_header=True,
            virtual_clusters=[{"name": "all", "headers": [{"name": ":path", "string_match": {"prefix": "/"}}]}],
            **(self.host or {}),
        )  # fmt: skip
        manager = {"stat_prefix": self.slug, "access_log": [side.access_log()], "delayed_close_timeout": "0.05s", **(self.hcm or {})}
        return [config.http_listener(host, name=self.slug, hcm=manager)]


class Side:
    """One case at one proxy: sends its requests, and remembers what came of them."""

    def __init__(self, case, make, name, directory):
        self.case, self.name = case, name
        self.log_path = directory / f"{case.slug}.access.log"
        self.checks_path = directory / f"{case.slug}.checks.log"
        self.outliers_path = directory / "outliers.log"
        self.hosts = [host.begin(make) for host in case.hosts]
        self.others = {name: [host.begin(make) for host in hosts] for name, (hosts, _) in (case.others or {}).items()}
        self.answers, self.notes, self.proxy, self.sent = [], {}, None, 0

    def access_log(self):
        return config.file_log(self.log_path, LOG_FORMAT)

    @property
    def port(self):
        return self.ports[self.case.slug]

    # What a case does

    def get(self, times=1, path="/", headers=(), method="GET", body=None):
        """Requests one after the other, each on a connection of its own; returns the statuses."""
        statuses = []
        for _ in range(times):
            with Client(self.port) as client:
                self.sent += 1
                try:
                    response = client.request(method, path, [*headers, ("user-agent", "test")], body)
                    self.note(response)
                    statuses.append(response.status)
                except (Closed, ConnectionResetError) as error:
                    partial = getattr(error, "partial", b"")
                    self.answers.append(f"reset after {self.plain(partial[:15].decode('latin-1'))!r}")
                    statuses.append(None)
        return statuses

    def note(self, response):
        fields = sorted((name.lower(), value) for name, value in response.fields if name.lower() not in VOLATILE_FIELDS)
        interim = f"{response.interim} " if response.interim else ""
        self.answers.append(self.plain(f"{interim}{response.start} {fields} {response.body!r}"))

    def overlapping(self, *waits, path="/"):
        """Requests that overlap: after each, until (statistic, value) of `waits`; all others come one by one at last."""
        clients = []
        before = len(self.answers)
        for name, value in waits:
            clients.append(Client(self.port))
            self.sent += 1
            clients[-1].send(f"GET {path} HTTP/1.1\r\nhost: test.example\r\nuser-agent: test\r\n\r\n".encode())
            self.until(name, value)
        self.get(path=path)
        for client in clients:
            self.note(client.response())
            client.close()
        self.answers[before:] = sorted(self.answers[before:])

    def http2(self, method="GET", path="/", extra=(), body=None):
        with http2.Client(self.port) as client:
            self.sent += 1
            message = client.request(method, path, [*extra, ("user-agent", "test")], body)
            fields = sorted(str(field) for field in message.fields if field[0] not in VOLATILE_FIELDS)
            self.answers.append(self.plain(f"{fields} {message.body!r} reset={message.reset}"))

    def stats(self, pattern):
        lines = self.proxy.admin(f"/stats?filter={pattern}").body.decode().splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if ": " in line)
        return {name: int(value) for name, value in pairs if value.lstrip("-").isdigit()}

    def stat(self, name):
        return self.stats(f"^cluster\\.{self.case.slug}\\.{re.escape(name)}$").get(f"cluster.{self.case.slug}.{name}", 0)

    def until(self, name, value, seconds=10):
        """Until the cluster's statistic has the value, or holds for a function."""
        holds = value if callable(value) else lambda found: found == value
        deadline = time.monotonic() + seconds
        while not holds(found := self.stat(name)):
            assert time.monotonic() < deadline, f"{self.name}: {name} is {found} after {seconds} s"
            time.sleep(0.01)

    # What can be seen

    def plain(self, text):
        """Without ports: hosts by their place."""
        names = {host.port: f"host{number}" for number, host in enumerate(self.hosts)}
        for name, hosts in self.others.items():
            names |= {host.port: f"{name}{number}" for number, host in enumerate(hosts)}
        text = re.sub(r"(?:127\.\d+\.\d+\.\d+):(\d+)", lambda match: names.get(int(match[1]), "client"), text)
        return text

    def requests(self, host):
        """What a host was asked, in order; nothing for hosts of other kinds."""
        if not isinstance(host, (Running, RunningHTTP2)):
            return []
        seen, first = [], None
        for request in list(host.requests):
            fields = []
            for name, value in request.fields:
                name = name.lower()
                if name in VOLATILE_FIELDS or name.startswith(":"):
                    continue
                if name == "x-envoy-expected-rq-timeout-ms":
                    # What is left at repeats depends on the machine: timeouts of cases are 0.5 s, waits a second.
                    first = first or int(value)
                    if request.get("x-envoy-attempt-count") != "1":
                        value = f"{first} - {min((first - int(value) + 50) // 500, 2)} * 500"
                fields.append(f"{name}={value}")
            seen.append(f"{request.method} {getattr(request, 'path', None) or request.target} {sorted(fields)} {len(request.body)}")
        return seen

    def lines(self, path):
        return path.read_text().splitlines() if path.exists() else []

    def event(self, line):
        event = json.loads(line)
        for name in ("timestamp", "secs_since_last_action"):
            if name in event:
                event[name] = type(event[name]).__name__
        if isinstance(event.get("host"), dict):
            address = event["host"]["socket_address"]
            address["address"], address["port_value"] = self.plain(f"{address['address']}:{address['port_value']}"), 0
        return json.loads(self.plain(json.dumps(event)))

    def seen(self):
        """Everything by its place: `answers`, `log`, `requests`, `outliers`, `checks`, `cluster.*`, `http.*`, `vhost.*`."""
        slug = self.case.slug
        lines = [self.plain(line).split(" ", 2) for line in self.lines(self.log_path)]
        seen = {
            # Which host comes first is random in Envoy.
            "answers": sorted(self.answers) if len(self.hosts) > 1 else list(self.answers),
            "log": sorted(f"{status} {','.join(sorted(flags.split(',')))} {rest}" for status, flags, rest in lines),
            "flags": sorted(flags for _, flags, _ in lines),
        }
        if len(self.hosts) == 1:
            seen["requests"] = self.requests(self.hosts[0])
        else:
            seen["requests"] = sorted(sum((self.requests(host) for host in self.hosts), []))
        for name, hosts in self.others.items():
            seen[f"requests.{name}"] = sorted(sum((self.requests(host) for host in hosts), []))
        seen["outliers"] = [
            self.event(line) for line in self.lines(self.outliers_path) if json.loads(line)["cluster_name"] == slug
        ]
        seen["checks"] = [self.event(line) for line in self.lines(self.checks_path)]
        for kind in ("outliers", "checks"):
            seen[f"{kind}.fields"] = [list(event) for event in seen[kind]]
        for name, value in self.notes.items():
            seen[f"notes.{name}"] = value
        names = "|".join([slug, *(f"{slug}-{name}" for name in self.others)])
        for name, value in self.stats(f"^(cluster|http|vhost|tcp)\\.({names})\\.").items():
            scope, whose, rest = name.split(".", 2)
            if scope == "cluster" and not any(fnmatch.fnmatchcase(rest, pattern) for pattern in COMPARED):
                continue
            if scope == "http" and not rest.startswith(("downstream_rq_", "downstream_cx_")):
                continue
            if any(fnmatch.fnmatchcase(rest, pattern) for pattern in LEFT_OUT):
                continue
            seen[f"{scope}{whose[len(slug):]}.{rest}"] = value
        return seen


def matches(place, patterns):
    return any(fnmatch.fnmatchcase(place, pattern) for pattern in patterns)


def differences(case, seen):
    """Places where the two differ: {place: (Envoy's, ours)}. Statistics of the cluster that only one of them has are 0 in the other."""
    theirs, ours = (seen[name] for name in SIDES)
    found = {}
    for place in sorted(theirs.keys() | ours.keys()):
        if matches(place, case.loose):
            continue
        if place.startswith(("http.", "vhost.")) and (place not in theirs or place not in ours):
            continue
        pair = (theirs.get(place, 0), ours.get(place, 0))
        if matches(place, case.some):
            pair = tuple(min(value, 1) if isinstance(value, int) else bool(value) for value in pair)
        if pair[0] != pair[1]:
            found[place] = pair
    return found


class Pair:
    """Both proxies with all cases. Each case is run once, at both at the same time."""

    def __init__(self, make, cases, kind):
        """`kind` is what takes the place of apus: another Envoy shows that a comparison compares what is not random."""
        self.make, self.kind, self.ran, self.sides = make, kind, {}, {}
        # One after the other: `make` is not for two threads.
        for side in SIDES:
            self.begin(side, cases)

    def begin(self, name, cases):
        directory = self.make.directory / name
        directory.mkdir()
        sides = [Side(case, self.make, name, directory) for case in cases]
        listeners = [listener for side in sides for listener in side.case.listeners(side)]
        clusters = [cluster for side in sides for cluster in side.case.clusters(side)]
        manager = {"outlier_detection": {"event_log_path": str(directory / "outliers.log")}}
        runtime = {"layers": [{"name": "static", "static_layer": {"upstream": {"maintenance_mode": {"maintenance": 100}}}}]}
        text = config.bootstrap(listeners, clusters, cluster_manager=manager, layered_runtime=runtime)
        proxy = self.make.proxy(text, kind=self.kind if name == "apus" else "envoy", arguments=["--file-flush-interval-msec", "20"])
        ports = dict(self.ports(proxy))
        for side in sides:
            side.proxy, side.ports = proxy, ports
            self.sides[side.case.name, name] = side

    @staticmethod
    def ports(proxy):
        for line in proxy.admin("/listeners").body.decode().splitlines():
            name, _, bound = line.partition("::")
            yield name, int(bound.rsplit(":", 1)[1])

    def run(self, case):
        """What differs: as soon as it is what is expected to, or when it has had the time to be."""
        if case.name in self.ran:
            return self.ran[case.name]
        sides = [self.sides[case.name, name] for name in SIDES]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(case.sends, side) for side in sides]:
                done.result()
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = differences(case, {side.name: side.seen() for side in sides})
            whole = all(len(side.lines(side.log_path)) >= side.sent for side in sides)
            if (whole and not any(self.surprises(case, found))) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        lines = {side.name: len(side.lines(side.log_path)) for side in sides if side.sent}
        assert whole, f"access logs have {lines} lines of {sides[0].sent}"
        self.ran[case.name] = found
        return found

    def surprises(self, case, found):
        """Differences that are not expected, and expected ones that there are none of."""
        expected = case.differs if self.kind == "apus" else {}
        new = {place: pair for place, pair in found.items() if not matches(place, expected)}
        gone = [pattern for pattern in expected if not fnmatch.filter(found, pattern)]
        return new, gone
