"""What operators of the proxy see of its TLS: `/certs`, expiry in the statistics, key logs."""

import json
import os
import pathlib
import re
import stat
import subprocess
import time

import pytest

from harness import config, tls, wait
from harness.certificates import openssl
from harness.client import Client, get
from harness.proxy import apus_binary

FLUSH = ["--file-flush-interval-msec", "20"]


def listener(*identities, name="http", context=None, **common):
    made = config.http_listener(config.virtual_host(config.route()), name=name)
    return config.with_tls(made, *identities, context=context, **common)


def start(make, *listeners, cluster=None, secrets=(), **options):
    document = config.bootstrap(listeners, [cluster or config.cluster("origin", make.origin().port)])
    document["static_resources"]["secrets"] = list(secrets)
    return make.proxy(document, arguments=FLUSH, **options)


def iso(identity, field):
    text = openssl("x509", "-in", identity.chain, "-noout", f"-{field}", "-dateopt", "iso_8601").decode()
    return text.strip().split("=", 1)[1].replace(" ", "T")


def described(identity, names, days, path=None):
    serial = openssl("x509", "-in", identity.chain, "-noout", "-serial").decode().strip().split("=")[1].lower()
    return {
        "path": path or str(identity.chain), "serial_number": serial, "subject_alt_names": names,
        "days_until_expiration": str(days), "valid_from": iso(identity, "startdate"),
        "expiration_time": iso(identity, "enddate"),
    }  # fmt: skip


class Root:
    def __init__(self, authority):
        self.chain = authority.pem


def certs(proxy):
    answer = proxy.admin("/certs")
    assert answer.get("content-type") == "application/json"
    return json.loads(answer.body)["certificates"]


def about(days):
    """Whole days, which a test that runs over midnight sees one less of."""
    return (days - 1, days)


def test_certs(make, ca, certificates, server):
    names = ["DNS:a.example", "URI:spiffe://a", "IP:10.0.0.1", "IP:fd00::1", "email:a@b.c"]
    other = certificates.issue("a.example", sans=names, kind="rsa", days=20)
    cluster = config.tls_cluster("origin", make.origin().port, identity=other, trusts=ca)
    proxy = start(make, listener(server, other, trusts=ca), cluster=cluster)
    shown = sorted(certs(proxy), key=lambda one: len(one["cert_chain"]))
    days = [int(one["days_until_expiration"]) for entry in shown for one in entry["cert_chain"]]
    assert days[0] in about(20) and days[1] in about(90) and days[2] in about(20)
    (root,) = shown[0]["ca_cert"]
    left = int(root["days_until_expiration"])
    assert left in about(365)
    addresses = [{"ip_address": "10.0.0.1"}, {"ip_address": "fd00::1"}]
    full = described(other, [{"dns": "a.example"}, {"uri": "spiffe://a"}, *addresses], days[0])
    first = described(server, [{"dns": "server.example"}], days[1])
    authority = described(Root(ca), [], left)
    assert shown == [
        {"ca_cert": [authority], "cert_chain": [full]}, {"ca_cert": [authority], "cert_chain": [first, full]},
    ]  # fmt: skip


def test_no_certs(make):
    proxy = start(make, config.http_listener(config.virtual_host(config.route())))
    assert certs(proxy) == []
    assert proxy.stat("server.days_until_first_cert_expiring") == 4294967295
    assert proxy.stat("server.seconds_until_first_ocsp_response_expiring") == 0


def test_first_certificate_to_expire(make, certificates, server):
    soon = certificates.issue("server.example", kind="rsa", days=11)
    proxy = start(make, listener(server, soon))
    assert proxy.stat("server.days_until_first_cert_expiring") in about(11)


def test_expired_certificate(make, certificates):
    proxy = start(make, listener(certificates.issue("server.example", kind="rsa", days=-3)))
    assert proxy.stat("server.days_until_first_cert_expiring") == 0
    (entry,) = certs(proxy)
    assert entry["cert_chain"][0]["days_until_expiration"] == "0"


def test_expiry_of_a_secret(make, server):
    made = config.http_listener(config.virtual_host(config.route()))
    made["filter_chains"][0]["transport_socket"] = config.tls_socket(
        "Downstream", {"tls_certificate_sds_secret_configs": [{"name": "edge"}]}
    )
    proxy = start(make, made, secrets=[{"name": "edge", "tls_certificate": config.certificate(server)}])
    ends = proxy.listener_stat("ssl.certificate.edge.expiration_unix_time_seconds")
    assert abs(ends - server.ends.timestamp()) < 2


@pytest.mark.apus_only
def test_expiry_goes_with_the_certificate(make, ca, certificates):
    """(Envoy names all certificates of files alike.)"""
    old, new = certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)
    files = old.copy_to(pathlib.Path(make.directory) / "tls")
    certificate = config.certificate(files, watched_directory={"path": str(files.chain.parent)})
    proxy = start(make, listener(certificate, trusts=ca))

    def ends(name="tls_crt"):
        return proxy.listener_stat(f"ssl.certificate.{name}.expiration_unix_time_seconds")

    assert abs(ends() - old.ends.timestamp()) < 2
    assert ends("ca_pem") > time.time() + 300 * 86400
    new.copy_to(files.chain.parent)
    wait.until(lambda: abs(ends() - new.ends.timestamp()) < 2, "the new end")
    wait.until(lambda: proxy.stat("server.days_until_first_cert_expiring") in about(60), "the days")


# Key logs


def sorted_lines(path):
    return sorted(line for line in pathlib.Path(path).read_text().splitlines() if line and line[0] != "#")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_key_log_of_a_listener(make, ca, server, version, tmp_path):
    """The client writes the same lines."""
    log, own = tmp_path / "proxy.keys", tmp_path / "client.keys"
    proxy = start(make, listener(server, key_log={"path": str(log)}))
    context = tls.client_context(ca, version)
    context.keylog_filename = str(own)
    for _ in range(3):
        with Client(proxy.port(), tls=context) as client:
            assert client.get().status == 200
    wanted = {"1.2": ["CLIENT_RANDOM"], "1.3": [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"]}[version]  # fmt: skip
    lines = sorted_lines(own)
    assert sorted({line.split()[0] for line in lines}) == sorted(wanted)
    # BoringSSL does not tell of exporters in the same way.
    lines = [line for line in lines if not line.startswith("EXPORTER")]

    def written():
        return [line for line in sorted_lines(log) if not line.startswith("EXPORTER")] if log.exists() else []

    wait.until(lambda: written() == lines, "the same lines", 15)


def test_key_log_of_a_cluster(make, server, tmp_path):
    log, own = tmp_path / "proxy.keys", tmp_path / "host.keys"
    context = tls.server_context(server, "1.3")
    context.keylog_filename = str(own)
    cluster = config.tls_cluster("origin", make.origin(tls=context).port, key_log={"path": str(log)})
    proxy = start(make, config.http_listener(config.virtual_host(config.route())), cluster=cluster)
    assert get(proxy.port()).status == 200

    def secrets(path):
        return [line for line in sorted_lines(path) if "TRAFFIC_SECRET" in line] if path.exists() else []

    wait.until(lambda: secrets(log) and secrets(log) == secrets(own), "the same lines", 15)


@pytest.mark.parametrize(
    "ranges,written",
    [
        ({"local_address_range": "127.0.0.1/32"}, True), ({"remote_address_range": "127.0.0.0/8"}, True),
        ({"local_address_range": "127.0.0.1/32", "remote_address_range": "127.0.0.1/32"}, True),
        ({"local_address_range": "10.0.0.0/8"}, False), ({"remote_address_range": "10.0.0.0/8"}, False),
        ({"local_address_range": "127.0.0.1/32", "remote_address_range": "10.0.0.0/8"}, False),
    ],
)  # fmt: skip
def test_key_log_of_some_addresses(make, ca, server, ranges, written, tmp_path):
    log, all_of_them = tmp_path / "some.keys", tmp_path / "all.keys"
    made = {"path": str(log)}
    for name, text in ranges.items():
        prefix, length = text.split("/")
        made[name] = [{"address_prefix": prefix, "prefix_len": int(length)}]
    proxy = start(
        make, listener(server, key_log=made), listener(server, name="all", key_log={"path": str(all_of_them)})
    )
    for name in ("http", "all"):
        assert get(proxy.port(name), tls=tls.client_context(ca)).status == 200
    wait.until(lambda: all_of_them.exists() and all_of_them.read_text(), "the log of all", 15)
    assert bool(log.read_text()) == written


@pytest.mark.apus_only
def test_key_log_is_for_its_owner_alone(make, ca, server, tmp_path):
    log = tmp_path / "proxy.keys"
    proxy = start(make, listener(server, key_log={"path": str(log)}))
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o600
    assert "can read the traffic" in proxy.log()
    # Tools that rotate logs rename them.
    log.rename(tmp_path / "old.keys")
    proxy.admin("/reopen_logs", method="POST")
    get(proxy.port(), tls=tls.client_context(ca))
    wait.until(lambda: log.exists() and log.read_text(), "the new file")
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o600


@pytest.mark.apus_only
def test_key_log_that_cannot_be_written(tmp_path, server):
    document = config.bootstrap(
        [listener(server, key_log={"path": "/nowhere/keys"})], [config.cluster("origin", 1)]
    )
    path = tmp_path / "apus.yaml"
    path.write_text(config.text(document))
    done = subprocess.run([apus_binary(), "check", "-c", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert re.search(r"apus.yaml:\d+:\d+: .*key_log.path: cannot write /nowhere", done.stdout + done.stderr)


@pytest.mark.apus_only
def test_key_log_on_a_full_disk_holds_nobody(make, ca, server):
    proxy = start(make, listener(server, key_log={"path": "/dev/full"}))
    for _ in range(20):
        assert get(proxy.port(), tls=tls.client_context(ca)).status == 200


# Size


@pytest.mark.apus_only
def test_many_chains_with_one_certificate_start_at_once(make, ca, certificates):
    """A certificate is read and checked once, however many chains present it."""
    identity = certificates.issue("server.example", kind="rsa4096")
    made = listener(identity, trusts=ca)
    (chain,) = made["filter_chains"]
    made["filter_chains"] = [
        {**chain, "filter_chain_match": {"server_names": [f"{number}.example"]}} for number in range(400)
    ]
    began = time.monotonic()
    proxy = start(make, made)
    spent = time.monotonic() - began
    context = tls.client_context()
    with Client(proxy.port(), tls=context, server_name="399.example") as client:
        assert client.get().status == 200
    assert spent < 5
