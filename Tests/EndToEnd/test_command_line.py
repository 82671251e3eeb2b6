"""The commands: `apus check`, `apus version`, `apus run` with files, flags, and one line."""

import json
import re
import signal
import subprocess

import pytest

from harness import config, wait
from harness.client import Client, get, refused
from harness.origin import free_port
from harness.proxy import Proxy, apus_binary

pytestmark = pytest.mark.apus_only


def apus(*arguments):
    return subprocess.run([apus_binary(), *map(str, arguments)], capture_output=True, text=True, timeout=30)


def test_version():
    result = apus("version")
    assert result.returncode == 0 and re.search(r"\d+\.\d+", result.stdout)


LISTENER = """\
static_resources:
  listeners:
  - name: one
    address:
      socket_address: {address: 127.0.0.1, port_value: 0}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                route: {cluster: origin}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: origin
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {address: 127.0.0.1, port_value: 9000}
"""

# name, text to replace, replacement, what the output must say (regular expressions)
ERRORS = [
    ("misspelt field", "prefix: ", "prefx: ", [r":17:\d+: .*routes\[0\]\.match.*prefx", r"did you mean .prefix.\?"]),
    ("unknown top level", "static_resources:", "sttaic_resources:", [r":1:1: .*sttaic_resources"]),
    ("wrong type", "port_value: 9000", "port_value: many", [r":33:\d+: .*port_value"]),
    ("port out of range", "port_value: 9000", "port_value: 99999", [r":33:\d+: .*port_value"]),
    ("bad duration", "connect_timeout: 1s", "connect_timeout: 1x", [r":26:\d+: .*connect_timeout"]),
    ("unknown enum value", "type: STATIC", "type: STATIK", [r":25:\d+: .*STATIK"]),
    ("unknown cluster", "cluster: origin}", "cluster: origins}", [r":18:\d+: .*origins"]),
    ("unknown @type", "router.v3.Router", "router.v3.Roter", [r":2[012]:\d+: .*Roter"]),
    ("bad address", "address: 127.0.0.1, port_value: 0", "address: nowhere, port_value: 0", [r":5:\d+: .*nowhere"]),
    ("missing stat_prefix", "          stat_prefix: ingress\n", "", [r"stat_prefix"]),
    ("bad regex", 'prefix: "/"', 'safe_regex: {regex: "("}', [r":17:\d+: .*regex"]),
    ("tab in YAML", "    type: STATIC", "\ttype: STATIC", [r":25:\d+: "]),
    ("two errors", "prefix: \"/\"}\n                route: {cluster: origin}", "prefx: \"/\"}\n                rout: {cluster: origin}",
     [r":17:\d+: .*prefx", r":18:\d+: .*rout"]),
]


@pytest.mark.parametrize("name, old, new, said", ERRORS, ids=[row[0] for row in ERRORS])
def test_check_names_the_place(tmp_path, name, old, new, said):
    assert old in LISTENER
    path = tmp_path / "edge.yaml"
    path.write_text(LISTENER.replace(old, new))
    result = apus("check", "-c", path)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    for pattern in said:
        assert re.search(r"edge\.yaml.*" + pattern if pattern.startswith(":") else pattern, output), output


def test_check_of_a_good_file(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(LISTENER)
    assert apus("check", "-c", path).returncode == 0


def test_check_of_no_file(tmp_path):
    result = apus("check", "-c", tmp_path / "none.yaml")
    assert result.returncode == 1 and "none.yaml" in result.stdout + result.stderr


def test_run_refuses_a_bad_file(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(LISTENER.replace("prefix: ", "prefx: "))
    result = apus("run", "-c", path)
    assert result.returncode == 1 and "edge.yaml:17:" in result.stdout + result.stderr


def test_run_says_which_address_is_taken(make, tmp_path):
    origin = make.origin()
    path = tmp_path / "edge.yaml"
    path.write_text(LISTENER.replace("port_value: 0", f"port_value: {origin.port}"))
    result = apus("run", "-c", path)
    assert result.returncode != 0 and f"127.0.0.1:{origin.port}" in result.stdout + result.stderr


def test_one_line(make):
    origins, port = [make.origin(name=name) for name in ("a", "b")], free_port()
    upstream = ",".join(f"127.0.0.1:{origin.port}" for origin in origins)
    process = subprocess.Popen([apus_binary(), "run", "--listen", f"127.0.0.1:{port}", "--upstream", upstream])
    try:
        wait.until(lambda: not refused(port), "it listens")
        with Client(port) as client:
            names = {json.loads(client.get().body)["origin"] for _ in range(8)}
        assert names == {"a", "b"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_config_yaml_overrides_the_file(make, tmp_path):
    document = config.simple(make.origin().port)
    proxy = make.proxy(document, arguments=["--config-yaml", "node: {id: over, cluster: ridden}"])
    assert "ridden" in json.dumps(proxy.config_dump())


def test_node_flags(make):
    flags = ["--service-cluster", "shop", "--service-node", "shop-1", "--service-zone", "z1"]
    proxy: Proxy = make.proxy(config.simple(make.origin().port), arguments=flags)
    node = json.loads(proxy.admin("/server_info").body)["node"]
    assert (node["id"], node["cluster"], node["locality"]["zone"]) == ("shop-1", "shop", "z1")
    assert get(proxy.port()).status == 200
