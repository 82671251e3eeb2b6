"""apus-load through apus to apus-load, every protocol on either side; gRPC's own library; what a request allocates."""

import json
import os
import re
import subprocess

import pytest

from harness import config, http2, wait
from harness.load import LoadOrigin, Report, binary
from harness.rpc import SERVICE, Server


@pytest.fixture
def load_origin(make):
    def start(*flags):
        make.made.append(LoadOrigin(*flags))
        return make.made[-1]

    return start


def edge(make, origin_port, server, is_http2):
    """A proxy that takes TLS with either version of HTTP, in front of an origin of one."""
    fields = {"typed_extension_protocol_options": config.http2_options()} if is_http2 else {}
    http = config.http_listener(config.virtual_host(config.route()))
    listener = config.with_tls(http, server, alpn=["h2", "http/1.1"])
    return make.proxy(config.bootstrap([listener], [config.cluster("origin", origin_port, **fields)]))


@pytest.mark.parametrize("origin_http2", [False, True], ids=["to HTTP/1.1", "to HTTP/2"])
@pytest.mark.parametrize(
    "flags", [["--http1"], ["--streams", 8], ["--http2", "--new-connection-per-request", "--resume"]],
    ids=["HTTP/1.1", "HTTP/2", "handshakes"],
)  # fmt: skip
def test_through_the_proxy(make, load_origin, ca, server, tmp_path, flags, origin_http2):
    origin = load_origin("--size", "10k")
    proxy = edge(make, origin.port, server, is_http2=origin_http2)
    count = 200 if "--resume" in flags else 4000
    report = Report(
        tmp_path, f"https://127.0.0.1:{proxy.port()}/{{n}}", "--ca-file", ca.pem, "--server-name", "server.example",
        *flags, "-c", 4, "-n", count, "--body-size", "0..20k", "--expect-body-size", "10k",
    )  # fmt: skip
    assert report.status == 0 and report.totals["successes"] == count, report.process.stderr
    assert report.json["protocol"] == ("HTTP/1.1" if flags == ["--http1"] else "HTTP/2")
    tls = report.json["tls"]
    assert tls["handshakes"] == report.totals["connections_opened"] == (count if "--resume" in flags else 4)
    assert tls["resumed"] >= count - 8 if "--resume" in flags else tls["resumed"] == 0
    assert origin.finish() == f"served {count} requests\n"


def test_calls_through_the_proxy(make, load_origin, ca, server, tmp_path):
    proxy = edge(make, load_origin("--grpc", "--size", "300").port, server, is_http2=True)
    url = f"https://127.0.0.1:{proxy.port()}"
    arguments = ["--ca-file", ca.pem, "--server-name", "server.example", "--grpc", "--streams", 8, "-c", 2]
    report = Report(tmp_path, f"{url}/a.B/C", *arguments, "-n", 2000, "--body-size", "100", "--expect-body-size", 300)
    assert report.status == 0 and report.json["grpc_statuses"] == {"0": 2000}
    report = Report(tmp_path, f"{url}/status/8", *arguments, "-n", 100)
    assert report.status == 1 and report.json["grpc_statuses"] == {"8": 100}


@pytest.mark.apus_only
def test_reloads_are_no_errors(make, load_origin, tmp_path):
    """Listeners that change send their connections away gracefully: new ones take their place, nothing is lost."""
    port = load_origin().port

    def document(generation):
        """The listener changes, not just its routes: its connections have to go."""
        settings = config.simple(port, drain_timeout="0.2s", stream_idle_timeout=f"{100 + generation}s")
        return config.with_generation(settings, generation)

    proxy = make.proxy(document(0), concurrency=2, arguments=["--drain-time-s", "1"])
    path = tmp_path / "report.json"
    command = [binary(), f"http://127.0.0.1:{proxy.port()}/", "--http2", "--streams", 16, "-c", 4]
    command += ["--rate", 500, "-d", "3s", "--quiet", "--json", path]
    process = subprocess.Popen([str(word) for word in command])
    wait.until(lambda: proxy.stat("http.ingress.downstream_rq_2xx") > 100, "the load runs")
    for number in range(1, 4):
        proxy.write_config(document(number))
        wait.until(lambda: http2.get(proxy.port()).get("x-generation") == str(number), f"generation {number} serves")
    assert process.wait(timeout=30) == 0
    report = json.loads(path.read_text())
    assert report["totals"]["successes"] == 1500 and report["totals"]["connections_opened"] > 4


# gRPC's own library


@pytest.mark.apus_only
def test_grpcs_own_server(make, tmp_path):
    server = Server()
    make.made.append(server)
    url = f"http://127.0.0.1:{server.port}/{SERVICE}"
    arguments = ["--grpc", "--streams", 4, "-c", 2, "-n", 400, "--body", "hello", "--expect-body", "hello"]
    report = Report(tmp_path, f"{url}/Unary", *arguments)
    assert report.status == 0 and report.json["grpc_statuses"] == {"0": 400} and server.calls >= 400
    report = Report(tmp_path, f"{url}/Fail", "--grpc", "-c", 1, "-n", 20, "-H", "code: 9")
    assert report.status == 1 and report.json["grpc_statuses"] == {"9": 20}
    report = Report(tmp_path, f"{url}/NoSuchMethod", "--grpc", "-c", 1, "-n", 20)
    assert report.json["grpc_statuses"] == {"12": 20}


# Cost

COUNTER = """
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
static atomic_long count;
void *malloc(size_t size) { count++; return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count++; return __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { count++; return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count++; return __libc_memalign(alignment, size); }
int posix_memalign(void **to, size_t alignment, size_t size) {
  count++;
  return (*to = __libc_memalign(alignment, size)) ? 0 : 12;
}
__attribute__((destructor)) static void report(void) { fprintf(stderr, "allocations: %ld\\n", count); }
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A library that counts a program's allocations when it is loaded before others."""
    directory = tmp_path_factory.mktemp("counter")
    (directory / "counter.c").write_text(COUNTER)
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", directory / "counter.so", directory / "counter.c"]
    subprocess.run(command, check=True)
    return directory / "counter.so"


CASES = {
    "HTTP/1.1": ([], []),
    "HTTP/2": ([], ["--http2", "--streams", 8]),
    "HTTP/2, bodies": ([], ["--http2", "--streams", 8, "--body-size", "10..20k"]),
    "TLS": (["--tls"], ["--insecure", "--http1"]),
    "TLS, HTTP/2": (["--tls"], ["--insecure", "--streams", 8]),
    "gRPC": (["--grpc"], ["--grpc", "--streams", 8, "--body-size", "100"]),
}


@pytest.mark.apus_only
@pytest.mark.parametrize("case", CASES)
def test_a_request_allocates_nothing(load_origin, counter, case):
    """Many requests more cost no more allocations, but for what is reported of every slice of time."""
    of_origin, flags = CASES[case]
    origin = load_origin(*of_origin)
    scheme = "https" if "--tls" in of_origin else "http"

    def allocations(count):
        command = [binary(), f"{scheme}://127.0.0.1:{origin.port}/{{n}}", *flags, "-c", 2, "-n", count, "--quiet"]
        environment = {**os.environ, "LD_PRELOAD": str(counter)}
        command = [str(word) for word in command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return int(re.search(r"allocations: (\d+)", done.stderr)[1])

    allocations(2000)
    more = allocations(42_000) - allocations(2000)
    assert more < 4000, f"{more} allocations for 40,000 requests more"
