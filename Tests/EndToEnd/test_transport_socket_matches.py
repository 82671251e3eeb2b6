"""`transport_socket_matches`: hosts of one cluster that are spoken to in different ways. Runs on Envoy too."""

import json
import pathlib
import subprocess

import pytest

from harness import config, tls, wait
from harness.client import get
from harness.example import example
from harness.proxy import apus_binary

KEY = "envoy.transport_socket_match"
RAW = {
    "name": "raw",
    "typed_config": {"@type": config.TYPE + "extensions.transport_sockets.raw_buffer.v3.RawBuffer"},
}
CHECK = {"timeout": "1s", "interval": "0.05s", "no_traffic_interval": "0.05s", "healthy_threshold": 1, "unhealthy_threshold": 1}


def named(name):
    """A host that answers with its name."""
    return lambda connection, request: connection.reply(name.encode())


def match(name, wanted=None, socket=RAW):
    return {"name": name, **({} if wanted is None else {"match": wanted}), "transport_socket": socket}


def endpoint(port, labels=None, **fields):
    made = {"endpoint": {"address": config.address(port)}, **fields}
    if labels is not None:
        made["metadata"] = {"filter_metadata": {KEY: labels}}
    return made


def group(*endpoints, labels=None, zone=""):
    made = {"lb_endpoints": list(endpoints), "locality": {"zone": zone}}
    if labels is not None:
        made["metadata"] = {"filter_metadata": {KEY: labels}}
    return made


def cluster(matches, *groups, socket=None, **fields):
    made = config.cluster("origin", transport_socket_matches=matches, **fields)
    made["load_assignment"]["endpoints"] = list(groups)
    if socket:
        made["transport_socket"] = socket
    return made


class Setup:
    def __init__(self, make, cluster, log="%RESPONSE_CODE% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n", **options):
        self.log = pathlib.Path(make.directory) / "access.log"
        self.hcm = {"access_log": [config.file_log(self.log, log)]}
        self.proxy = make.proxy(
            self.document(cluster), arguments=["--file-flush-interval-msec", "20", *options.pop("arguments", [])], **options
        )

    def document(self, cluster):
        return config.bootstrap([config.http_listener(config.virtual_host(config.route()), hcm=self.hcm)], [cluster])

    def get(self, **options):
        return get(self.proxy.port(), headers=[("host", "server.example")], **options)

    def answers(self, count=12):
        """Who answers how often."""
        found = {}
        for _ in range(count):
            answer = self.get()
            who = answer.body.decode() if answer.status == 200 else "failed"
            found[who] = found.get(who, 0) + 1
        return found

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")


@pytest.fixture
def plain(make):
    return make.origin(named("plain"))


@pytest.fixture
def secure(make, server):
    return make.origin(named("secure"), tls=tls.server_context(server))


@pytest.fixture
def upstream(ca):
    """TLS that believes in our authority."""
    return config.tls_socket("Upstream", config.tls_common(trusts=ca, versions=("TLSv1_2", "TLSv1_3")), sni="server.example")


def test_hosts_of_one_cluster(make, plain, secure, upstream):
    matches = [match("tls", {"tls": True}, upstream)]
    setup = Setup(make, cluster(matches, group(endpoint(plain.port), endpoint(secure.port, {"tls": True}))))
    assert setup.answers() == {"plain": 6, "secure": 6}
    assert (plain.connections_total, secure.connections_total) == (1, 1)
    assert setup.stat("ssl.handshake") == 1
    assert setup.stat("ssl.connection_error") == 0
    assert setup.stat("tls.total_match_count") == 1
    assert setup.stat("default.total_match_count") == 1


def test_the_clusters_own_socket_is_for_the_rest(make, plain, secure, upstream):
    matches = [match("plain", {"tls": False}, RAW)]
    hosts = group(endpoint(plain.port, {"tls": False}), endpoint(secure.port))
    setup = Setup(make, cluster(matches, hosts, socket=upstream))
    assert setup.answers() == {"plain": 6, "secure": 6}
    assert setup.stat("plain.total_match_count") == 1
    assert setup.stat("default.total_match_count") == 1


LABELS = [
    # Everything that is wanted must be there and equal; more may be.
    ({"a": "x"}, {"a": "x", "b": "y"}, True),
    ({"a": "x", "b": "y"}, {"a": "x"}, False),
    ({"a": "x"}, {"a": "X"}, False),
    ({"a": "x"}, {}, False),
    ({"a": True}, {"a": "true"}, False),
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1}, {"a": "1"}, False),
    ({"a": None}, {"a": None}, True),
    ({"a": None}, {}, False),
    # A list is one value, unlike in subsets.
    ({"a": "x"}, {"a": ["x", "y"]}, False),
    ({"a": ["x", "y"]}, {"a": ["x", "y"]}, True),
    ({"a": ["x", "y"]}, {"a": ["y", "x"]}, False),
    ({"a": {"b": [1, {"c": "d"}]}}, {"a": {"b": [1, {"c": "d"}]}}, True),
    ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False),
    ({}, {"a": "x"}, True),
    ({}, None, True),
    (None, None, True),
]


@pytest.mark.parametrize("wanted, labels, fits", LABELS)
def test_labels(make, secure, upstream, wanted, labels, fits):
    """A host that speaks TLS answers only when the match is its own."""
    setup = Setup(make, cluster([match("tls", wanted, upstream)], group(endpoint(secure.port, labels))))
    assert setup.get().status == (200 if fits else 503)
    assert setup.stat("tls.total_match_count") == (1 if fits else 0)
    assert setup.stat("default.total_match_count") == (0 if fits else 1)


def test_the_first_that_fits_counts(make, plain, secure, upstream):
    matches = [match("a", {"a": 1}), match("tls", {"b": 1}, upstream), match("all", {})]
    hosts = group(endpoint(plain.port, {"a": 1, "b": 1}), endpoint(secure.port, {"b": 1}))
    setup = Setup(make, cluster(matches, hosts))
    assert setup.answers() == {"plain": 6, "secure": 6}
    assert [setup.stat(f"{name}.total_match_count") for name in ("a", "tls", "all", "default")] == [1, 1, 0, 0]


def test_metadata_of_localities(make, server, plain, upstream):
    """They count for endpoints whose own metadata no match fits."""
    origins = {name: make.origin(named(name), tls=tls.server_context(server)) for name in ("a", "b", "c")}
    matches = [match("tls", {"tls": True}, upstream), match("plain", {"tls": False}, RAW)]
    groups = [
        group(endpoint(origins["a"].port), endpoint(plain.port, {"tls": False}), labels={"tls": True}, zone="1"),
        group(endpoint(origins["b"].port, {"other": 1}), labels={"tls": True}, zone="2"),
        group(endpoint(origins["c"].port, {"tls": True}), labels={"tls": False}, zone="3"),
    ]
    setup = Setup(make, cluster(matches, *groups))
    assert setup.answers(16) == {"a": 4, "plain": 4, "b": 4, "c": 4}


def test_two_sets_of_rules(make, server, ca):
    """Each match has its own, and no host is spoken to by another's."""
    good = make.origin(named("good"), tls=tls.server_context(server))
    other = make.origin(named("other"), tls=tls.server_context(server))
    common = config.tls_common(trusts=ca)
    matches = [
        match("named", {"site": "a"}, config.tls_socket("Upstream", common, sni="server.example")),
        match(
            "picky",
            {"site": "b"},
            config.tls_socket(
                "Upstream",
                config.tls_common(
                    trusts=ca,
                    validation={"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "else.example"}}]},
                ),
            ),
        ),
    ]
    hosts = group(endpoint(good.port, {"site": "a"}), endpoint(other.port, {"site": "b"}))
    setup = Setup(make, cluster(matches, hosts, metadata={"filter_metadata": {"apus": {"retry_connect_failures": False}}}))
    assert setup.answers(10) == {"good": 5, "failed": 5}
    assert setup.stat("ssl.fail_verify_san") >= 5
    assert other.requests_total == 0
    lines = wait.until(
        lambda: setup.log.exists() and [line for line in setup.log.read_text().splitlines() if line[:3] == "503"], "the log"
    )
    assert "CERTIFICATE_VERIFY_FAILED" in lines[0]


def test_certificate_for_some_hosts(make, ca, certificates, server):
    """mTLS for those who ask for it, TLS without a certificate for the others."""
    strict = make.origin(named("strict"), tls=tls.server_context(server, client_authority=ca))
    lax = make.origin(named("lax"), tls=tls.server_context(server))
    identity = certificates.issue("client.example")
    matches = [
        match("mtls", {"mtls": True}, config.tls_socket("Upstream", config.tls_common(identity, trusts=ca))),
        match("tls", {"tls": True}, config.tls_socket("Upstream", config.tls_common(trusts=ca))),
    ]
    hosts = group(endpoint(strict.port, {"mtls": True}), endpoint(lax.port, {"tls": True}))
    setup = Setup(make, cluster(matches, hosts))
    assert setup.answers() == {"strict": 6, "lax": 6}


AUTO_SNI = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": config.HTTP_OPTIONS,
            "upstream_http_protocol_options": {"auto_sni": True, "auto_san_validation": True},
            "explicit_http_config": {"http_protocol_options": {}},
        }
    }
}


def test_names_from_requests_go_to_hosts_with_tls(make, plain, certificates, ca):
    """`auto_sni` makes a pool a name; a host in plain text has one."""
    seen = []
    context = tls.server_context(certificates.issue("*.example"))
    context.sni_callback = lambda sock, name, context: seen.append(name)
    secure = make.origin(named("secure"), tls=context)
    matches = [match("tls", {"tls": True}, config.tls_socket("Upstream", config.tls_common(trusts=ca)))]
    setup = Setup(make, cluster(matches, group(endpoint(plain.port), endpoint(secure.port, {"tls": True})), **AUTO_SNI))
    for number in range(8):
        assert get(setup.proxy.port(), headers=[("host", f"n{number % 4}.example")]).status == 200
    assert set(seen) <= {f"n{number}.example" for number in range(4)} and seen
    assert len(seen) == secure.connections_total


@pytest.mark.apus_only
def test_a_host_in_plain_text_has_one_pool(make, plain, ca):
    matches = [match("tls", {"tls": True}, config.tls_socket("Upstream", config.tls_common(trusts=ca)))]
    setup = Setup(make, cluster(matches, group(endpoint(plain.port)), **AUTO_SNI))
    for number in range(8):
        assert get(setup.proxy.port(), headers=[("host", f"n{number}.example")]).status == 200
    assert plain.connections_total == 1


def test_tcp(make, plain, secure, upstream):
    listeners = [config.tcp_listener()]
    matches = [match("tls", {"tls": True}, upstream)]
    document = config.bootstrap(
        listeners, [cluster(matches, group(endpoint(plain.port), endpoint(secure.port, {"tls": True})))]
    )
    proxy = make.proxy(document)
    bodies = [get(proxy.port("tcp")).body for _ in range(6)]
    assert sorted(bodies) == [b"plain"] * 3 + [b"secure"] * 3


# Protocols

AUTO_CONFIG = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": config.HTTP_OPTIONS, "auto_config": {}}
    }
}


def test_auto_config_with_tls_everywhere(make, secure, server, upstream, ca):
    other = make.origin(named("other"), tls=tls.server_context(server))
    matches = [match("other", {"other": True}, config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="other"))]
    hosts = group(endpoint(secure.port), endpoint(other.port, {"other": True}))
    setup = Setup(make, cluster(matches, hosts, socket=upstream, **AUTO_CONFIG))
    assert setup.answers() == {"secure": 6, "other": 6}


# Health checks


def checked(*hosts, matches, criteria=None, **fields):
    check = {**CHECK, "http_health_check": {"path": "/health"}}
    if criteria is not None:
        check["transport_socket_match_criteria"] = criteria
    panic = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}}
    return cluster(matches, group(*hosts), health_checks=[check], **panic, **fields)


def until_healthy(setup, count):
    wait.until(lambda: setup.stat("membership_healthy") == count, f"{count} healthy hosts")


def test_checks_go_the_way_of_requests(make, plain, secure, upstream):
    matches = [match("tls", {"tls": True}, upstream)]
    hosts = [endpoint(plain.port), endpoint(secure.port, {"tls": True})]
    setup = Setup(make, checked(*hosts, matches=matches))
    until_healthy(setup, 2)
    assert setup.answers() == {"plain": 6, "secure": 6}


def test_criteria_of_checks(make, plain, secure, upstream):
    """The host speaks TLS at its port and plain HTTP where it is asked how it is."""
    matches = [match("tls", {"tls": True}, upstream), match("checks", {"plain": True}, RAW)]
    host = endpoint(secure.port, {"tls": True})
    host["endpoint"]["health_check_config"] = {"port_value": plain.port}
    setup = Setup(make, checked(host, matches=matches, criteria={"plain": True}))
    until_healthy(setup, 1)
    assert setup.answers(4) == {"secure": 4}
    assert plain.requests_total > 0 and secure.tls_failures == []
    assert setup.stat("checks.total_match_count") >= 1
    # The checks' connections are no matter of the host's own match.
    assert setup.stat("tls.total_match_count") == 1


def test_criteria_that_nothing_fits(make, plain, secure, upstream):
    """Then it is the cluster's own socket, and not that of the endpoint's metadata."""
    matches = [match("tls", {"tls": True}, upstream)]
    host = endpoint(secure.port, {"tls": True})
    host["endpoint"]["health_check_config"] = {"port_value": plain.port}
    setup = Setup(make, checked(host, matches=matches, criteria={"nobody": True}))
    until_healthy(setup, 1)
    assert setup.answers(4) == {"secure": 4}


def test_empty_criteria(make, plain, secure, upstream):
    matches = [match("tls", {"tls": True}, upstream)]
    host = endpoint(secure.port, {"tls": True})
    host["endpoint"]["health_check_config"] = {"port_value": plain.port}
    setup = Setup(make, checked(host, matches=matches, criteria={}))
    until_healthy(setup, 1)
    assert setup.answers(4) == {"secure": 4}


# Secrets


def test_secrets_of_matches(make, ca, certificates, server):
    """A certificate from a file is shown as soon as it is there, by those alone whose match names it."""
    seen = []

    def answer(connection, request):
        der = connection.sock.getpeercert(True)
        seen.append(der)
        connection.reply(b"ok")

    context = tls.server_context(server, client_authority=ca)
    host = make.origin(answer, tls=context)
    old, new = certificates.issue("old.example", days=50), certificates.issue("new.example", days=60)
    path = pathlib.Path(make.directory) / "secret.json"

    def write(identity, version):
        secret = {"@type": config.TLS + "Secret", "name": "own", "tls_certificate": config.certificate(identity)}
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"version_info": version, "resources": [secret]}))
        fresh.replace(path)

    write(old, "1")
    source = {"name": "own", "sds_config": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}}
    common = {**config.tls_common(trusts=ca), "tls_certificate_sds_secret_configs": [source]}
    once = {"typed_extension_protocol_options": config.http_options(max_requests_per_connection=1)}
    matches = [match("mtls", {"mtls": True}, config.tls_socket("Upstream", common))]
    node = {"node": {"id": "n", "cluster": "c"}}
    setup_cluster = cluster(matches, group(endpoint(host.port, {"mtls": True})), **once)
    log = config.http_listener(config.virtual_host(config.route()))
    proxy = make.proxy(config.bootstrap([log], [setup_cluster], **node))
    assert get(proxy.port()).status == 200
    assert seen[-1] == old.der
    before = proxy.stat("cluster.origin.client_ssl_socket_factory.ssl_context_update_by_sds")
    write(new, "2")

    def shown():
        assert get(proxy.port()).status == 200
        return seen[-1] == new.der

    wait.until(shown, "the new certificate")
    assert proxy.stat("cluster.origin.client_ssl_socket_factory.ssl_context_update_by_sds") == before + 1


# Reload


@pytest.mark.apus_only
def test_reload_changes_a_host_by_its_metadata(make, server, plain, secure, upstream):
    """Whose socket is another one gets new connections, who keeps his keeps them."""
    matches = [match("tls", {"tls": True}, upstream), match("plain", {"tls": False})]
    other = make.origin(named("other"))

    def hosts(labels):
        return cluster(matches, group(endpoint(secure.port, labels), endpoint(other.port, {"tls": False})))

    setup = Setup(make, hosts({"tls": False}))
    assert setup.answers() == {"failed": 6, "other": 6}
    assert setup.stat("ssl.handshake") == 0
    setup.proxy.write_config(setup.document(hosts({"tls": True})))
    wait.until(lambda: "failed" not in setup.answers(4), "the new socket")
    assert setup.answers() == {"secure": 6, "other": 6}
    assert other.connections_total == 1
    assert setup.stat("tls.total_match_count") == 1
    assert setup.stat("plain.total_match_count") == 2


@pytest.mark.apus_only
def test_reload_of_matches_leaves_the_others_alone(make, server, plain, secure, upstream, ca):
    """Matches come, go and change places; connections stay with the hosts whose socket is the same."""
    tls_match = match("tls", {"tls": True}, upstream)
    hosts = group(endpoint(plain.port), endpoint(secure.port, {"tls": True}))
    setup = Setup(make, cluster([tls_match], hosts))
    assert setup.answers() == {"plain": 6, "secure": 6}
    extra = match("extra", {"extra": 1}, config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="extra"))
    renamed = {**tls_match, "name": "renamed"}
    for matches in ([extra, tls_match], [tls_match], [tls_match, extra], [renamed, extra]):
        updated = setup.proxy.stat("cluster_manager.cluster_modified")
        setup.proxy.write_config(setup.document(cluster(matches, hosts)))
        wait.until(lambda: setup.proxy.stat("cluster_manager.cluster_modified") > updated, "the reload")
        assert setup.answers() == {"plain": 6, "secure": 6}
    assert (plain.connections_total, secure.connections_total) == (1, 1)
    assert setup.stat("renamed.total_match_count") == 1
    # Another TLS is another connection.
    changed = match("tls", {"tls": True}, config.tls_socket("Upstream", config.tls_common(trusts=ca), sni="other.example"))
    setup.proxy.write_config(setup.document(cluster([changed], hosts)))
    wait.until(lambda: setup.answers(4) and secure.connections_total == 2, "a new connection")
    assert plain.connections_total == 1
    wait.until(lambda: secure.connections_active == 1, "the end of the old connection")


@pytest.mark.apus_only
def test_reload_changes_the_socket_of_checks(make, plain, secure, upstream):
    matches = [match("tls", {"tls": True}, upstream), match("plain", {"tls": False}, RAW)]
    host = endpoint(secure.port, {"tls": True})
    host["endpoint"]["health_check_config"] = {"port_value": plain.port}
    setup = Setup(make, checked(host, matches=matches, criteria={"tls": True}))
    wait.until(lambda: setup.stat("health_check.failure") > 0, "a failed check")
    assert setup.stat("membership_healthy") == 0
    setup.proxy.write_config(setup.document(checked(host, matches=matches, criteria={"tls": False})))
    until_healthy(setup, 1)
    assert setup.answers(4) == {"secure": 4}


# What is said


def check(tmp_path, cluster):
    path = tmp_path / "checked.yaml"
    path.write_text(config.text(config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [cluster])))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.apus_only
def test_warnings(tmp_path, upstream):
    matches = [match("tls", {"tls": True}, upstream), match("all"), match("never", {"a": 1})]
    status, said = check(tmp_path, cluster(matches, group(endpoint(80, {"tls": "true"}))))
    assert status == 0
    assert "transport_socket_matches[2]: is for nobody: transport_socket_matches[1] asks for nothing" in said, said
    status, said = check(tmp_path, cluster(matches[:1], group(endpoint(80, {"tls": "true"}), endpoint(81, {"tls": 1}))))
    assert status == 0
    assert "no transport_socket_matches fits the metadata of 127.0.0.1:80 (nor 1 more): plain text is spoken there" in said
    status, said = check(tmp_path, cluster([match("a", {"a": 1}), match("a", {"a": 2})], group(endpoint(80))))
    assert status == 0
    assert "transport_socket_matches[1].name: transport_socket_matches[0] has it too: both are counted as one" in said, said
    status, said = check(tmp_path, checked(endpoint(80, {"tls": True}), matches=matches[:1], criteria={"x": 1}))
    assert "health_checks[0].transport_socket_match_criteria: no transport_socket_matches fits" in said, said


BAD = [
    ([{"transport_socket": RAW}], 'transport_socket_matches[0]: "name" is required'),
    ([match("a", socket={"name": "t", "typed_config": {"@type": config.TYPE + "extensions.nothing.v3.Nothing"}})], "v3.Nothing"),
    ([match("a"), match("b", {"c": 1}, {"name": "t"})], "transport_socket_matches[1].transport_socket.typed_config: is required"),
]


@pytest.mark.apus_only
@pytest.mark.parametrize("matches, says", BAD)
def test_errors(tmp_path, matches, says):
    status, said = check(tmp_path, cluster(matches, group(endpoint(80))))
    assert status == 1
    assert says in said and "static_resources.clusters[0].transport_socket_matches" in said, said


@pytest.mark.apus_only
def test_what_the_admin_page_and_explain_show(make, plain, secure, upstream):
    matches = [match("tls", {"tls": True}, upstream)]
    setup = Setup(make, cluster(matches, group(endpoint(plain.port), endpoint(secure.port, {"tls": True}))))
    lines = setup.proxy.admin("/clusters").body.decode().splitlines()
    assert f"origin::127.0.0.1:{plain.port}::transport_socket_match::default" in lines
    assert f"origin::127.0.0.1:{secure.port}::transport_socket_match::tls" in lines
    [status] = json.loads(setup.proxy.admin("/clusters?format=json").body)["cluster_statuses"]
    assert [host["apus"]["transport_socket_match"] for host in status["host_statuses"]] == ["default", "tls"]
    port = setup.proxy.port()
    said = setup.proxy.admin(f"/explain?url=http://server.example:{port}/&listener=http").body.decode()
    assert f"default (plain): 127.0.0.1:{plain.port}" in said, said
    assert f"tls (TLS): 127.0.0.1:{secure.port}" in said


@pytest.mark.apus_only
def test_failures_name_the_match(make, plain, upstream):
    matches = [match("tls", {"tls": True}, upstream)]
    setup = Setup(make, cluster(matches, group(endpoint(plain.port, {"tls": True}))), log="%APUS_FAILURE%\n")
    assert setup.get().status == 503
    line = wait.until(lambda: setup.log.exists() and setup.log.read_text(), "the log").splitlines()[0]
    assert line.startswith(f"TLS with 127.0.0.1:{plain.port} (cluster origin): "), line
    assert "; by the transport socket tls" in line


# The example


def test_example(make, server):
    """From plain text to TLS, host by host."""
    plain = make.origin(named("plain"))
    secure = make.origin(named("secure"), tls=tls.server_context(server))
    proxy = example(make, "transport-socket-matches", {9001: plain.port, 9002: secure.port})
    wait.until(lambda: proxy.stat("cluster.app.membership_healthy") == 2, "two healthy hosts")
    found = {get(proxy.port()).body for _ in range(8)}
    assert found == {b"plain", b"secure"}
