"""`apus check` of TLS: each sentence, where it points to, and what is only a warning."""

import base64
import os
import re
import subprocess

import pytest

from harness import config
from harness.certificates import Identity, make_key, openssl
from harness.proxy import apus_binary

pytestmark = pytest.mark.apus_only


class Check:
    def __init__(self, directory, document):
        path = directory / "apus.yaml"
        path.write_text(config.text(document))
        done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
        self.status, self.output = done.returncode, done.stdout + done.stderr

    def is_error(self, *texts):
        assert self.status != 0, self.output
        self.says(*texts)

    def is_warning(self, *texts):
        assert self.status == 0, self.output
        self.says(*texts)

    def is_good(self):
        assert self.status == 0, self.output
        assert "warning" not in self.output, self.output

    def says(self, *texts):
        for text in texts:
            assert re.search(text, self.output), f"{text!r} is not in:\n{self.output}"


@pytest.fixture
def check(tmp_path):
    """Checks a listener with these certificates and fields, or a whole document."""

    def check(*identities, context=None, document=None, **common):
        if document is None:
            listener = config.http_listener(config.virtual_host(config.route()))
            config.with_tls(listener, *identities, context=context, **common)
            document = config.bootstrap([listener], [config.cluster("origin", 1)])
        return Check(tmp_path, document)

    return check


@pytest.fixture
def check_cluster(tmp_path):
    def check_cluster(**options):
        listener = config.http_listener(config.virtual_host(config.route()))
        return Check(tmp_path, config.bootstrap([listener], [config.tls_cluster("origin", 1, **options)]))

    return check_cluster


PLACE = r"apus\.yaml:\d+:\d+.*"
LISTENER = r"static_resources\.listeners\[0\]\.filter_chains\[0\]\.transport_socket"
COMMON = PLACE + LISTENER + r"\.typed_config\.common_tls_context"


def test_good(check, ca, server):
    check(server, trusts=ca, alpn=["h2", "http/1.1"]).is_good()


def test_good_cluster(check_cluster, ca):
    check_cluster(trusts=ca).is_good()


# Files


@pytest.mark.parametrize("field", ["certificate_chain", "private_key"])
def test_missing_file(check, server, field):
    broken = config.certificate(server, **{field: {"filename": "/no/such/file"}})
    check(broken).is_error(COMMON + rf"\.tls_certificates\[0\]\.{field}.*cannot read \"/no/such/file\": No such file")


def test_directory_instead_of_a_file(check, server):
    check(config.certificate(server, private_key={"filename": "/tmp"})).is_error(r"private_key.*\"/tmp\"")


@pytest.mark.parametrize("field", ["certificate_chain", "private_key"])
def test_absent(check, server, field):
    broken = config.certificate(server)
    del broken[field]
    check(broken).is_error(COMMON + rf"\.tls_certificates\[0\]\.{field}: is required")


def test_key_where_the_certificate_should_be(check, server):
    check(config.certificate(server, certificate_chain={"filename": str(server.key)})).is_error(
        rf"certificate_chain.*\"{re.escape(str(server.key))}\" holds no PEM certificate "
        r"\(it begins with \"-----BEGIN PRIVATE KEY"
    )


def test_certificate_where_the_key_should_be(check, server):
    check(config.certificate(server, private_key={"filename": str(server.chain)})).is_error(
        rf"private_key.*\"{re.escape(str(server.chain))}\" holds no PEM private key "
        r"\(it begins with \"-----BEGIN CERTIFICATE"
    )


@pytest.mark.parametrize("content", ["", "no PEM at all\n", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n", "\0\1\2\xff"])
def test_broken_certificate(check, server, tmp_path, content):
    path = tmp_path / "broken.pem"
    path.write_bytes(content.encode("latin-1"))
    check(config.certificate(server, certificate_chain={"filename": str(path)})).is_error(r"certificate_chain.*broken\.pem")


def test_certificate_with_a_flipped_byte(check, server, tmp_path):
    der = bytearray(server.der)
    der[10] ^= 0xFF
    path = tmp_path / "broken.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der).decode() + "-----END CERTIFICATE-----\n")
    check(config.certificate(server, certificate_chain={"filename": str(path)})).is_error("certificate_chain.*certificate 1")


def test_inline(check, server, ca):
    inline = {
        "certificate_chain": {"inline_string": server.chain.read_text()},
        "private_key": {"inline_string": server.key.read_text()},
    }
    check(inline).is_good()
    inline["private_key"] = {"inline_string": "nothing"}
    check(inline).is_error("private_key.*the inline text holds no PEM private key")


# Pairs


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_wrong_key(check, certificates, server, kind):
    other = certificates.issue("other.example", kind=kind)
    check(Identity(server.chain, other.key)).is_error(
        COMMON + r"\.tls_certificates\[0\].*the private key does not belong to the certificate \(CN=server\.example\)"
    )


def test_second_pair_is_named(check, certificates, server):
    check(server, Identity(server.chain, certificates.issue("other.example").key)).is_error(r"tls_certificates\[1\]")


def test_chain_in_the_wrong_order(check, certificates, ca, server, tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_text(server.chain.read_text() + certificates.issue("other.example").chain.read_text())
    check(Identity(chain, server.key)).is_warning(
        r"certificate 2 of the chain \(CN=other\.example\) did not issue certificate 1 \(CN=server\.example\)"
    )
    chain.write_text(server.chain.read_text() + ca.pem.read_text())
    check(Identity(chain, server.key)).is_good()
    chain.write_text(ca.pem.read_text() + server.chain.read_text())
    check(Identity(chain, server.key)).is_error("does not belong to the certificate")


# Dates


def test_expired(check, certificates):
    identity = certificates.issue(days=-5)
    ended = identity.ends.strftime("%Y-%m-%d at %H:%M:%S UTC")
    check(identity).is_warning(f"the certificate of CN=server.example expired on {ended}")


def test_not_yet_valid(check, certificates):
    check(certificates.issue(starts_in_days=3)).is_warning(r"is not valid before \d{4}-\d\d-\d\d at \d\d:\d\d:\d\d UTC")


def test_expires_soon(check, certificates):
    identity = certificates.issue(days=6.5)
    ends = identity.ends.strftime("%Y-%m-%d at %H:%M:%S UTC")
    check(identity).is_warning(f"the certificate of CN=server.example expires on {ends}, in 6 days")
    check(certificates.issue(days=1.5)).is_warning("in 1 day$")
    check(certificates.issue(days=15)).is_good()


# Keys


def test_weak_key(check, certificates):
    check(certificates.issue(kind="rsa1024")).is_error("the RSA key has 1024 bits; at least 2048 are needed")


def test_curve(check, certificates):
    check(certificates.issue(kind="secp256k1")).is_error("curve.*is not supported; P-256, P-384 and P-521 are")
    for curve in ("P-384", "P-521"):
        check(certificates.issue(kind=curve)).is_good()


def test_encrypted_key(check, certificates, tmp_path):
    identity = certificates.issue("secret.example", password="open sesame")
    check(identity).is_error(r"private_key: the key in .* is encrypted and no password is given")
    check(config.certificate(identity, password={"inline_string": "wrong"})).is_error(r"password: does not open the key in")
    check(config.certificate(identity, password={"inline_string": "open sesame"})).is_good()
    path = tmp_path / "password"
    path.write_text("open sesame\n")
    check(config.certificate(identity, password={"filename": str(path)})).is_good()


def test_forms_of_keys(check, server, tmp_path):
    key = tmp_path / "sec1.key"
    openssl("ec", "-in", server.key, "-out", key)
    assert "BEGIN EC PRIVATE KEY" in key.read_text()
    check(Identity(server.chain, key)).is_good()


# Trust


def test_bad_authority(check, server, tmp_path):
    class Broken:
        pem = tmp_path / "ca.pem"

    check(server, trusts=Broken).is_error(r"trusted_ca.*ca\.pem")
    Broken.pem.write_text("hello")
    check(server, trusts=Broken).is_error(r"validation_context\.trusted_ca.*holds no PEM certificate")
    Broken.pem.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    check(server, trusts=Broken).is_error(r"validation_context\.trusted_ca.*ca\.pem")


def test_revocation_list(check, server, ca):
    check(server, trusts=ca, validation={"crl": {"filename": str(ca.pem)}}).is_error("crl.*holds no certificate revocation list")
    check(server, validation={"crl": {"filename": str(ca.pem)}}).is_error("crl.*needs trusted_ca")


@pytest.mark.parametrize("text", ["df6ff7" + "0" * 58 + "!" + "00", "zz" * 32, "0" * 64 + "00", "0" * 63 + "g"])
def test_bad_hash(check, server, ca, text):
    check(server, trusts=ca, validation={"verify_certificate_hash": [text]}).is_error(r"verify_certificate_hash\[0\]")


def test_bad_hash_says_what_it_should_be(check, server, ca):
    check(server, trusts=ca, validation={"verify_certificate_hash": ["z" * 64]}).is_error(
        r"is not 64 hexadecimal digits, with or without colons"
    )


def test_bad_spki(check, server, ca):
    check(server, trusts=ca, validation={"verify_certificate_spki": ["A" * 44]}).is_error(
        r"verify_certificate_spki\[0\].*is not the base64 of a SHA-256 digest"
    )


def test_good_pins(check, server, ca):
    digest = server.digest
    colons = ":".join(digest[i : i + 2] for i in range(0, 64, 2))
    pins = {"verify_certificate_hash": [digest, colons, digest.upper()], "verify_certificate_spki": [server.spki]}
    check(server, trusts=ca, validation=pins).is_good()


def test_names_without_authority(check, server):
    rules = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "a.example"}}]}
    check(server, validation=rules).is_warning(
        "match_typed_subject_alt_names.*without trusted_ca anybody can present these names"
    )


def test_deprecated_names(check, server, ca):
    check(server, trusts=ca, validation={"match_subject_alt_names": [{"exact": "a"}]}).is_error(
        "match_subject_alt_names.*use match_typed_subject_alt_names"
    )


def test_bad_regular_expression(check, server, ca):
    rules = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"safe_regex": {"regex": "("}}}]}
    check(server, trusts=ca, validation=rules).is_error(r"match_typed_subject_alt_names\[0\]")


def test_certificate_required_of_nobody(check, server):
    check(server, context={"require_client_certificate": True}).is_error(
        "require_client_certificate.*needs a validation_context"
    )


# Parameters


@pytest.mark.parametrize("version", ["TLSv1_0", "TLSv1_1"])
@pytest.mark.parametrize("which", ["minimum", "maximum"])
def test_old_versions(check, server, version, which):
    check(server, tls_params={f"tls_{which}_protocol_version": version}).is_error(
        COMMON + rf"\.tls_params\.tls_{which}_protocol_version: TLS 1\.0 and 1\.1 are not supported; the least is TLSv1_2"
    )


def test_versions_the_wrong_way_round(check, server):
    check(server, versions=("TLSv1_3", "TLSv1_2")).is_error("tls_params: the minimum version is above the maximum")


def test_ciphers(check, server):
    def of(*names):
        return check(server, tls_params={"cipher_suites": list(names)})

    of("ECDHE-RSA-AES128-GCM-SHA265").is_error(r"cipher_suites\[0\].*\"ECDHE-RSA-AES128-GCM-SHA265\" is not a cipher suite")
    of("ECDHE-ECDSA-AES128-GCM-SHA256", "NULL-MD5").is_error(r"cipher_suites\[1\]")
    of("TLS_AES_128_GCM_SHA256").is_error(r"the suites of TLS 1\.3 cannot be chosen")
    of("-ALL", "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]").is_good()
    of("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256").is_good()


def test_curves(check, server):
    check(server, tls_params={"ecdh_curves": ["X25519", "P-192"]}).is_error(r"ecdh_curves\[1\].*\"P-192\" is not supported")
    check(server, tls_params={"ecdh_curves": ["P-256", "P-384", "P-521", "X25519"]}).is_good()


def test_unknown_signature_algorithm(check, server):
    check(server, tls_params={"signature_algorithms": ["no_such_algorithm"]}).is_error(r"signature_algorithms")


def test_empty_protocol_name(check, server):
    check(server, alpn=[""]).is_error("alpn_protocols")


def test_ticket_keys(check, server, tmp_path):
    key = tmp_path / "key"

    def of(*sizes):
        sources = []
        for number, size in enumerate(sizes):
            (tmp_path / f"key{number}").write_bytes(os.urandom(size))
            sources.append({"filename": str(tmp_path / f"key{number}")})
        return check(server, context={"session_ticket_keys": {"keys": sources}})

    of(80, 48).is_error(r"session_ticket_keys\.keys\[1\]: has 48 bytes; a ticket key has exactly 80 \(openssl rand 80\)")
    of(80, 80).is_good()
    of().is_error("session_ticket_keys")


# Structure


def test_no_certificate(check):
    check(trusts=None, alpn=["h2"]).is_error(COMMON + ": a listener needs at least one certificate")


def test_wrong_socket_for_a_listener(check, server):
    listener = config.http_listener(config.virtual_host(config.route()))
    listener["filter_chains"][0]["transport_socket"] = config.tls_socket("Upstream", config.tls_common(server))
    check(document=config.bootstrap([listener], [config.cluster("origin", 1)])).is_error(
        LISTENER + r"\.typed_config.*UpstreamTlsContext\" is for clusters; a listener needs DownstreamTlsContext"
    )


def test_wrong_socket_for_a_cluster(check, server):
    listener = config.http_listener(config.virtual_host(config.route()))
    cluster = config.cluster("origin", 1)
    cluster["transport_socket"] = config.tls_socket("Downstream", config.tls_common(server))
    check(document=config.bootstrap([listener], [cluster])).is_error(
        r"clusters\[0\]\.transport_socket\.typed_config.*DownstreamTlsContext\" is for listeners; a cluster needs UpstreamTlsContext"
    )


def test_something_else_as_a_socket(check):
    listener = config.http_listener(config.virtual_host(config.route()))
    listener["filter_chains"][0]["transport_socket"] = {"name": "x", "typed_config": {"@type": config.ROUTER}}
    check(document=config.bootstrap([listener], [config.cluster("origin", 1)])).is_error(LISTENER + ".*is not a transport socket")


def test_unverified_hosts(check_cluster):
    check_cluster().is_warning(r"clusters\[0\]\.transport_socket.*hosts are not verified: no trusted_ca")


def test_two_certificates_of_a_cluster(check, certificates, server, ca):
    cluster = config.tls_cluster("origin", 1, trusts=ca)
    common = cluster["transport_socket"]["typed_config"]["common_tls_context"]
    common["tls_certificates"] = [config.certificate(server)] * 2
    listener = config.http_listener(config.virtual_host(config.route()))
    check(document=config.bootstrap([listener], [cluster])).is_error("tls_certificates.*a cluster presents one certificate")


def test_expected_names_without_authority(check_cluster):
    check_cluster(context={"auto_sni_san_validation": True, "sni": "a.example"}).is_error("needs a validation_context with trusted_ca")


def test_refused_fields(check, check_cluster, server, ca):
    check(server, context={"require_sni": True}).is_error("require_sni")
    check_cluster(trusts=ca, context={"allow_renegotiation": True}).is_error("allow_renegotiation")


@pytest.mark.parametrize("name", ["*w.example.com", "*", "a.*.example", "a..example"])
def test_bad_server_names(check, server, name):
    listener = config.http_listener(config.virtual_host(config.route()))
    config.with_tls(listener, server)
    listener["filter_chains"][0]["filter_chain_match"] = {"server_names": [name]}
    check(document=config.bootstrap([listener], [config.cluster("origin", 1)])).is_error(r"server_names\[0\]")


def test_inspector_is_added(check, server):
    listener = config.http_listener(config.virtual_host(config.route()))
    config.with_tls(listener, server)
    listener["filter_chains"][0]["filter_chain_match"] = {"server_names": ["a.example"]}
    check(document=config.bootstrap([listener], [config.cluster("origin", 1)])).is_warning(
        r"listeners\[0\].*filter_chains\[0\] matches server_names; tls_inspector is added"
    )


def test_h2_offered_by_a_manager_that_speaks_http1(check, server):
    listener = config.http_listener(config.virtual_host(config.route()), hcm={"codec_type": "HTTP1"})
    config.with_tls(listener, server, alpn=["h2", "http/1.1"])
    check(document=config.bootstrap([listener], [config.cluster("origin", 1)])).is_error(
        r"alpn_protocols\[0\].*\"h2\" is offered, but the chain's connection manager speaks HTTP1 only \(codec_type\)"
    )


def test_several_mistakes_at_once(check, server):
    """All are told in one run."""
    check(
        config.certificate(server, private_key={"filename": "/no/key"}),
        tls_params={"cipher_suites": ["NOTHING"], "tls_minimum_protocol_version": "TLSv1_0"},
    ).is_error("/no/key", "NOTHING", "TLS 1.0 and 1.1")


def test_secrets_are_not_shown(check, tmp_path):
    """A key in the wrong place is not printed."""
    key = tmp_path / "key.pem"
    make_key(key)
    text = key.read_text()
    result = check({"certificate_chain": {"inline_string": text}, "private_key": {"inline_string": "x" + text}})
    result.is_error()
    secret = text.splitlines()[1]
    assert secret not in result.output
    assert secret[:40] not in result.output
