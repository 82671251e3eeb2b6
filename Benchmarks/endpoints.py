"""What the storms add to the configuration of Envoy and apus: 10,000 endpoints of the cluster with the traffic, checked or not,
or 1,000 clusters.

The first endpoint is the origin. The others have a lower priority, so they get no traffic while it is there, and the load
measures what publishing costs, not what failing hosts do.
"""

import json
import os
import pathlib

COUNT = 10_000
CLUSTERS = 1_000
CHANGING_PORT = "65432"


def ip(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def cluster(name, number):
    return (f"  - {{name: {name}, type: STATIC, load_assignment: {{cluster_name: {name}, endpoints: [{{lb_endpoints: "
            f"[{{endpoint: {{address: {{socket_address: {{address: {ip(number)}, port_value: 80}}}}}}}}]}}]}}}}")  # fmt: skip


def fillers(kind, name, directory, origin_port, hosts_port):
    """Placeholder -> text. `kind`: "reload", "flapping", "scrape" or None; `name`: the proxy."""
    hosts = f"[{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {origin_port}}}}}}}}}]}}]"
    source = f"    type: STATIC\n    load_assignment: {{cluster_name: origin, endpoints: {hosts}}}"
    if kind == "reload" and name == "envoy":
        # EDS from a file: all that Envoy reads again is the endpoints.
        path = f"{{path: {eds_path(directory)}}}"
        source = ("    type: EDS\n    eds_cluster_config: {eds_config: {resource_api_version: V3, "
                  f"path_config_source: {path}}}}}")  # fmt: skip
    elif kind == "reload":
        source = "    type: STATIC\n    load_assignment: @ASSIGNMENT@"
    elif kind == "flapping":
        source = f"    type: STATIC\n    health_checks: [{json.dumps(CHECK)}]\n    load_assignment: {json.dumps(checked(origin_port, hosts_port))}"
    extra = "\n".join(cluster(f"idle-{n}", n) for n in range(1, CLUSTERS)) if kind == "scrape" else ""
    return {"ORIGIN_ENDPOINTS": source, "MORE_CLUSTERS": extra}


def eds_path(directory):
    return pathlib.Path(directory) / "endpoints.json"


class PublishedFile:
    """A file that is moved into place again and again: one text with a port that changes, so that making it costs next to
    nothing on the load's core."""

    def __init__(self, path, text):
        self.path = pathlib.Path(path)
        self.head, self.tail = (piece.encode() for piece in text.split(CHANGING_PORT))
        self.write(0)

    def write(self, number):
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(self.head + str(1000 + number % 1000).encode() + self.tail)
        os.rename(fresh, self.path)


def published(name, path, directory, origin_port):
    """Envoy's endpoints, or the whole file of apus at `path`."""
    if name != "envoy":
        return PublishedFile(path, pathlib.Path(path).read_text().replace("@ASSIGNMENT@", json.dumps(assignment(origin_port))))
    resource = {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", **assignment(origin_port)}
    return PublishedFile(eds_path(directory), json.dumps({"resources": [resource]}))


CHECK = {
    "timeout": "2s", "interval": "5s", "no_traffic_interval": "5s", "initial_jitter": "5s", "healthy_threshold": 1,
    "unhealthy_threshold": 1, "http_health_check": {"path": "/health"},
}  # fmt: skip


def endpoint(host, port, **fields):
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}, **fields}}


def checked(origin_port, hosts_port):
    """Hosts that are checked, behind the origin, which is not (Benchmarks/hosts)."""
    origin = endpoint("127.0.0.1", origin_port, health_check_config={"disable_active_health_check": True})
    others = [endpoint(f"127.1.{n >> 8}.{n & 255}", hosts_port) for n in range(1, COUNT)]
    return {
        "cluster_name": "origin",
        "endpoints": [{"priority": 0, "lb_endpoints": [origin]}, {"priority": 1, "lb_endpoints": others}],
    }


def assignment(origin_port):
    others = [endpoint(ip(n), 80) for n in range(1, COUNT - 1)] + [endpoint("10.255.0.1", int(CHANGING_PORT))]
    return {
        "cluster_name": "origin",
        "endpoints": [
            {"priority": 0, "lb_endpoints": [endpoint("127.0.0.1", origin_port)]},
            {"priority": 1, "lb_endpoints": others},
        ],
    }
