"""The admin pages, as operators and scripts read them."""

import json
import re

import pytest

from harness import config, wait
from harness.client import get, head_bytes


@pytest.fixture(scope="module")
def proxy(make_shared):
    origin = make_shared.origin()
    document = config.simple(origin.port)
    running = make_shared.proxy({**document, "stats_flush_interval": "0.1s"})
    running.origin = origin
    for _ in range(3):
        get(running.port())
    merged = b"cluster.origin.upstream_rq_time: P0("
    wait.until(lambda: merged in running.admin("/stats").body, "the histograms are merged (at a flush)")
    return running


def test_ready(proxy):
    response = proxy.admin("/ready")
    assert (response.status, response.body.strip()) == (200, b"LIVE")


def test_listeners(proxy):
    assert proxy.admin("/listeners").body.decode().strip() == f"http::127.0.0.1:{proxy.port()}"


def test_listeners_json(proxy):
    statuses = json.loads(proxy.admin("/listeners?format=json").body)["listener_statuses"]
    assert statuses[0]["name"] == "http"
    assert statuses[0]["local_address"]["socket_address"] == {"address": "127.0.0.1", "port_value": proxy.port()}


def test_clusters(proxy):
    text = proxy.admin("/clusters").body.decode()
    host = f"origin::127.0.0.1:{proxy.origin.port}"
    for line in (
        "origin::default_priority::max_connections::1024",
        "origin::default_priority::max_retries::3",
        f"{host}::rq_total::3",
        f"{host}::rq_success::3",
        f"{host}::cx_total::1",
        f"{host}::health_flags::healthy",
        f"{host}::weight::1",
    ):
        assert line in text.splitlines(), line


def test_clusters_json(proxy):
    statuses = json.loads(proxy.admin("/clusters?format=json").body)["cluster_statuses"]
    assert [status["name"] for status in statuses] == ["origin"]
    assert statuses[0]["host_statuses"][0]["address"]["socket_address"]["port_value"] == proxy.origin.port


def test_stats_text(proxy):
    text = proxy.admin("/stats").body.decode()
    assert "cluster.origin.upstream_rq_200: 3\n" in text
    assert re.search(r"^cluster\.origin\.upstream_rq_time: P0\(", text, re.MULTILINE)
    names = [line.split(": ")[0] for line in text.splitlines()]
    assert len(names) == len(set(names))


def test_stats_filter_and_usedonly(proxy):
    filtered = proxy.admin("/stats?filter=upstream_rq_2").body.decode().splitlines()
    assert {"cluster.origin.upstream_rq_200: 3", "cluster.origin.upstream_rq_2xx: 3"} <= set(filtered)
    assert all("upstream_rq_2" in line for line in filtered)
    used = proxy.admin("/stats?usedonly").body.decode()
    assert "upstream_rq_200" in used and "upstream_rq_timeout" not in used


def test_stats_json(proxy):
    stats = json.loads(proxy.admin("/stats?format=json").body)["stats"]
    values = {stat["name"]: stat["value"] for stat in stats if "name" in stat}
    assert values["http.ingress.downstream_rq_2xx"] == 3


def test_prometheus(proxy):
    response = proxy.admin("/stats/prometheus")
    assert response.get("content-type").startswith("text/plain")
    text = response.body.decode()
    assert '# TYPE envoy_cluster_upstream_rq counter' in text
    assert 'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="origin"} 3' in text
    assert 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="origin",le="+Inf"} 3' in text
    assert 'envoy_cluster_upstream_rq_time_count{envoy_cluster_name="origin"} 3' in text
    families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(families) == len(set(families))
    for line in text.splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r'[a-z_0-9A-Z:]+(\{.*\})? -?[0-9.e+]+|.* NaN', line), line


def test_server_info(proxy):
    info = json.loads(proxy.admin("/server_info").body)
    assert info["state"] == "LIVE" and info["version"]


def test_config_dump(proxy):
    dump = proxy.config_dump()
    kinds = {part["@type"].rsplit(".", 1)[1] for part in dump["configs"]}
    assert {"BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump"} <= kinds
    assert "ingress" in json.dumps(dump)


@pytest.mark.parametrize("path", ["/", "/help", "/memory", "/certs", "/runtime"])
def test_other_pages(proxy, path):
    assert proxy.admin(path).status == 200


def test_unknown_page(proxy):
    assert proxy.admin("/nothing").status == 404


@pytest.mark.parametrize("path", ["/healthcheck/fail", "/quitquitquit", "/reset_counters", "/logging", "/drain_listeners"])
def test_changes_want_post(proxy, path):
    assert proxy.admin(path).status == 405


def test_healthcheck_fail_and_ok(make):
    proxy = make.proxy(config.simple(make.origin().port))
    assert proxy.admin("/healthcheck/fail", "POST").status == 200
    assert proxy.admin("/ready").status == 503
    assert get(proxy.port()).get("connection") == "close"
    assert proxy.admin("/healthcheck/ok", "POST").status == 200
    assert proxy.admin("/ready").status == 200


def test_reset_counters(make):
    proxy = make.proxy(config.simple(make.origin().port))
    get(proxy.port())
    assert proxy.admin("/reset_counters", "POST").status == 200
    assert proxy.stat("cluster.origin.upstream_rq_total") == 0
    get(proxy.port())
    assert proxy.stat("cluster.origin.upstream_rq_total") == 1


def test_quit(make):
    proxy = make.proxy(config.simple(make.origin().port))
    assert proxy.admin("/quitquitquit", "POST").status == 200
    assert proxy.wait() == 0


def test_logging(proxy):
    assert proxy.admin("/logging?level=info", "POST").status == 200


def test_hostile_requests_do_no_harm(proxy):
    for data in (b"\0" * 100, b"GET /stats?filter=((( HTTP/1.1\r\nHost: a\r\n\r\n", head_bytes("GET", "/" + "a" * 50_000, [])):
        with proxy.connect_admin() as client:
            client.send(data + b"\r\n\r\n")
            client.end()
            client.stream.to_end()
    assert proxy.admin("/ready").status == 200
