"""Values of `layered_runtime`'s static layers in the place of fields. Runs on Envoy too."""

import collections

import pytest
from harness import config, wait
from harness.client import Client, get


def origins(make, *names):
    def named(name):
        return lambda connection, request: connection.reply(name.encode())

    return [config.cluster(name, make.origin(named(name)).port) for name in names]


def bootstrap(routes, clusters, *layers, hcm=None):
    listener = config.http_listener(config.virtual_host(*routes), hcm=hcm)
    named = [{"name": f"layer {number}", "static_layer": layer} for number, layer in enumerate(layers)]
    return config.bootstrap([listener], clusters, layered_runtime={"layers": named})


def counted(proxy, count):
    with Client(proxy.port()) as client:
        return collections.Counter(client.get("/").body.decode() for _ in range(count))


SOME = {"runtime_fraction": {"default_value": {"numerator": 50}, "runtime_key": "shop.beta"}}
TWO = [config.route("/", "beta", {"match": {"prefix": "/", **SOME}}), config.route("/", "stable")]


@pytest.mark.parametrize("layers, beta", [
    ([{"shop.beta": 0}], 0),
    ([{"shop": {"beta": 100}}], 100),
    ([{"shop.beta": 5}, {"shop": {"beta": {"numerator": 10_000, "denominator": "TEN_THOUSAND"}}}], 100),
    ([{"shop.beta": 200}], 100),
    ([{"shop": {"alpha": 0}}], None),
])  # fmt: skip
def test_share_of_a_route(make, layers, beta):
    counts = counted(make.proxy(bootstrap(TWO, origins(make, "beta", "stable"), *layers)), 100)
    if beta is None:
        assert 10 < counts["beta"] < 90  # eight standard deviations
    else:
        assert counts["beta"] == beta


def test_weights(make):
    weighted = {"runtime_key_prefix": "w", "clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 99}]}
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": weighted}}
    proxy = make.proxy(bootstrap([route], origins(make, "a", "b"), {"w": {"b": 0}}))
    assert counted(proxy, 30) == {"a": 30}


def test_share_of_copies(make):
    policy = {"cluster": "copies", "runtime_fraction": {"default_value": {"numerator": 0}, "runtime_key": "copies"}}
    proxy = make.proxy(
        bootstrap([config.route("/", "origin", request_mirror_policies=[policy])], origins(make, "origin", "copies"), {"copies": 100})
    )
    assert counted(proxy, 5) == {"origin": 5}
    wait.until(lambda: proxy.stat("cluster.copies.upstream_rq_total") == 5, "the copies")


@pytest.mark.parametrize("layer, attempts", [({"upstream.use_retry": 0}, 1), ({"upstream": {"use_retry": 100}}, 4)])
def test_retries_turned_off(make, layer, attempts):
    seen = []

    def script(connection, request):
        seen.append(request)
        connection.reply(b"", status="503 No")

    policy = {"retry_on": "5xx", "num_retries": 3, "retry_back_off": {"base_interval": "0.001s"}}
    proxy = make.proxy(
        bootstrap([config.route(retry_policy=policy)], [config.cluster("origin", make.origin(script).port)], layer)
    )
    assert get(proxy.port()).status == 503
    assert len(seen) == attempts
    assert proxy.stat("cluster.origin.upstream_rq_retry") == attempts - 1
    assert proxy.stat("cluster.origin.upstream_rq_retry_overflow") == 0


def test_callers_wait_too(make):
    """Repeats that no policy asks for: the first wait is anything below the value."""
    seen = []

    def script(connection, request):
        seen.append(request)
        connection.reply(b"", status="503 No")

    internal = {"use_remote_address": True, "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}}
    clusters = [config.cluster("origin", make.origin(script).port)]
    proxy = make.proxy(bootstrap([config.route(timeout="0.5s")], clusters, {"upstream.base_retry_backoff_ms": 10**9}, hcm=internal))
    assert get(proxy.port(), headers=[("x-envoy-retry-on", "5xx")]).status == 504
    assert len(seen) == 1
    assert proxy.stat("cluster.origin.upstream_rq_retry_backoff_exponential") == 1


@pytest.mark.apus_only
@pytest.mark.parametrize("layer", [
    {"outlier_detection.base_ejection_time_ms": str(2**64 - 1)}, {"outlier_detection.max_ejection_time_jitter_ms": str(2**64 - 1)},
    {"outlier_detection.interval_ms": str(2**64 - 1)}, {"outlier_detection.max_ejection_time_ms": str(2**64 - 1)},
    {"outlier_detection.base_ejection_time_ms": 8e15, "outlier_detection.max_ejection_time_ms": 8e15},
])  # fmt: skip
def test_times_without_end(make, layer):
    outliers = {"consecutive_5xx": 1, "always_eject_one_host": True, "max_ejection_percent": 100, "base_ejection_time": "30s"}
    origin = make.origin(lambda connection, request: connection.reply(b"", status="500 No"))
    proxy = make.proxy(bootstrap([config.route()], [config.cluster("origin", origin.port, outlier_detection=outliers)], layer))
    assert get(proxy.port()).status == 500
    wait.until(lambda: proxy.stat("cluster.origin.outlier_detection.ejections_active") == 1, "the ejection")
    assert b"origin::" in proxy.admin("/clusters").body
    assert get(proxy.port()).status == 500  # in panic


@pytest.mark.apus_only
def test_intervals_of_checks_change_with_a_reload(make):
    checks = []

    def script(connection, request):
        checks.append(request)
        connection.reply(b"fine")

    check = {"timeout": "1s", "interval": "0.02s", "no_traffic_interval": "0.02s", "healthy_threshold": 1, "unhealthy_threshold": 1}
    health = {"health_checks": [{**check, "http_health_check": {"path": "/"}}]}
    clusters = [config.cluster("origin", make.origin(script).port, **health)]
    proxy = make.proxy(bootstrap([config.route()], clusters, {"health_check.min_interval": 3_600_000}))
    wait.until(lambda: proxy.stat("cluster.origin.membership_healthy") == 1, "the first check")
    proxy.write_config(bootstrap([config.route()], clusters, {"health_check.min_interval": 1}))
    wait.until(lambda: len(checks) > 5, "the checks of another interval")


@pytest.mark.apus_only
def test_values_change_with_a_reload(make):
    """And connections stay open."""
    clusters = origins(make, "beta", "stable")
    proxy = make.proxy(bootstrap(TWO, clusters, {"shop.beta": 0}))
    with Client(proxy.port()) as client:
        assert client.get("/").body == b"stable"
        proxy.write_config(bootstrap(TWO, clusters, {"shop.beta": 100}))
        wait.until(lambda: client.get("/").body == b"beta", "the new value")
        assert proxy.stat("http.ingress.downstream_cx_total") == 1


@pytest.mark.apus_only
def test_keys_that_nothing_reads(make):
    proxy = make.proxy(bootstrap(TWO, origins(make, "beta", "stable"), {"shop": {"beta": 1, "betta": 2}}))
    assert 'the runtime key "shop.betta" has no effect' in proxy.log()
    assert '"shop.beta"' not in proxy.log()


@pytest.mark.apus_only
@pytest.mark.parametrize("layer, words", [
    ({"upstream.use_retry": "30%"}, 'the value of the runtime key "upstream.use_retry" is no whole number'),
    ({"upstream": {"healthy_panic_threshold": "many"}}, 'of the runtime key "upstream.healthy_panic_threshold" is no whole number'),
    ({"circuit_breakers.beta.default.max_retries": -1}, '"circuit_breakers.beta.default.max_retries" is no whole number of at least 0'),
    ({"circuit_breakers.beta.default.max_conections": 5}, '"circuit_breakers.beta.default.max_conections" has no effect'),
    ({"circuit_breakers.nobody.default.max_retries": 5}, '"circuit_breakers.nobody.default.max_retries" has no effect'),
    ({"circuit_breakers.beta.high.retry_budget.budget_percent": "half"}, 'budget_percent" is no number of at least 0'),
    ({"outlier_detection.interval_ms": "5s"}, '"outlier_detection.interval_ms" is no whole number of milliseconds'),
    ({"outlier_detection.interval": 5}, '"outlier_detection.interval" has no effect'),
    ({"outlier_detection.successful_active_health_check_uneject_host": "yes"}, 'uneject_host" is no "true" or "false"'),
    ({"shop.beta": "x"}, 'the value of the runtime key "shop.beta" is no share'),
])  # fmt: skip
def test_values_of_no_use(make, layer, words):
    beta, stable = origins(make, "beta", "stable")
    proxy = make.proxy(bootstrap(TWO, [{**beta, "outlier_detection": {}}, stable], {"upstream.use_retry": 90}, layer))
    [line] = [line for line in proxy.log().splitlines() if words in line]
    assert "layered_runtime.layers[1].static_layer" in line, line


@pytest.mark.apus_only
def test_the_last_layer_counts(make):
    """What it makes good is not warned of."""
    proxy = make.proxy(bootstrap(TWO, origins(make, "beta", "stable"), {"shop.beta": "x"}, {"shop": {"beta": 100}}))
    assert "shop.beta" not in proxy.log()
    assert counted(proxy, 20) == {"beta": 20}
