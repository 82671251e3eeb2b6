"""Values of `layered_runtime`'s static layers in the place of fields. Runs on Envoy too."""

import collections

import pytest
from harness import config, wait
from harness.client import Client, get


def origins(make, *names):
    def named(name):
        return lambda connection, request: connection.reply(name.encode())

    return [config.cluster(name, make.origin(named(name)).port) for name in names]


def bootstrap(routes, clusters, *layers):
    listener = config.http_listener(config.virtual_host(*routes))
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
