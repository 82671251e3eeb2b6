"""What the proxy tells of certificates: `x-forwarded-client-cert`, operators of access logs, route conditions.

`APUS_PROXY=envoy` runs all of it: the texts are Envoy's to the byte.
"""

import json
import pathlib
import re
import ssl
import urllib.parse

import pytest

from harness import config, tls, wait
from harness.certificates import openssl
from harness.client import Client

FLUSH = ["--file-flush-interval-msec", "20"]
MODES = ["SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"]
ALL = {"subject": True, "cert": True, "chain": True, "dns": True, "uri": True}
GIVEN = 'By=http://somebody;Hash=00;Subject="/C=US/CN=Forged"'


@pytest.fixture(scope="session")
def edge(certificates):
    return certificates.issue(
        "server.example",
        sans=["DNS:server.example", "URI:spiffe://td/edge", "URI:spiffe://second", "IP:127.0.0.1", "email:a@b.c"],
    )


@pytest.fixture(scope="session")
def client(certificates):
    return certificates.issue(
        'client "q", one',
        sans=["URI:spiffe://td/client;x", "URI:http://second.example/x", "DNS:client.example", "DNS:two.example",
              "IP:10.0.0.1", "email:c@d.example"],
    )  # fmt: skip


@pytest.fixture(scope="session")
def bare(certificates):
    """No alternative names at all."""
    return certificates.issue("bare", sans=[])


def echo(connection, request):
    connection.reply(json.dumps(request.values("x-forwarded-client-cert")).encode())


def proxy(make, *identities, origin=None, hcm=None, context=None, routes=None, cluster=None, **common):
    origin = origin or make.origin(echo)
    listener = config.http_listener(*(routes or [config.virtual_host(config.route())]), hcm=hcm)
    if identities:
        config.with_tls(listener, *identities, context=context, **common)
    return make.proxy(config.bootstrap([listener], [cluster or config.cluster("origin", origin.port)]), arguments=FLUSH)


def forwarded(port, context, *given, path="/"):
    """Values of the header that the host got."""
    with Client(port, tls=context) as opened:
        answer = opened.get(path, headers=[("x-forwarded-client-cert", value) for value in given])
    assert answer.status == 200
    return json.loads(answer.body)


def escaped(pem):
    return pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def pem(identity):
    return identity.chain.read_text()


# x-forwarded-client-cert


@pytest.mark.parametrize("mode", MODES)
def test_modes(make, ca, edge, client, mode):
    port = proxy(make, edge, trusts=ca, hcm={"forward_client_cert_details": mode}).port()
    known = tls.client_context(ca, identity=client)
    unknown = tls.client_context(ca)
    element = f"By=spiffe://td/edge;By=spiffe://second;Hash={client.digest}"
    wanted = {
        "SANITIZE": [],
        "FORWARD_ONLY": [GIVEN],
        "APPEND_FORWARD": [f"{GIVEN},{element}"],
        "SANITIZE_SET": [element],
        "ALWAYS_FORWARD_ONLY": [GIVEN],
    }[mode]
    assert forwarded(port, known, GIVEN) == wanted
    assert forwarded(port, unknown, GIVEN) == ([GIVEN] if mode == "ALWAYS_FORWARD_ONLY" else [])
    set_anyhow = [element] if mode in ("APPEND_FORWARD", "SANITIZE_SET") else []
    assert forwarded(port, known) == set_anyhow
    assert forwarded(port, unknown) == []


@pytest.mark.parametrize("mode", MODES)
def test_modes_on_a_plaintext_listener(make, mode):
    port = proxy(make, hcm={"forward_client_cert_details": mode}).port()
    assert forwarded(port, None, GIVEN) == ([GIVEN] if mode == "ALWAYS_FORWARD_ONLY" else [])


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_all_details(make, ca, edge, client, version):
    hcm = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": ALL}
    port = proxy(make, edge, trusts=ca, hcm=hcm).port()
    (value,) = forwarded(port, tls.client_context(ca, version, identity=client))
    # The library sends the authority along.
    chain = escaped(pem(client) + ca.pem.read_text())
    assert value == ";".join([
        "By=spiffe://td/edge", "By=spiffe://second", f"Hash={client.digest}", f'Cert="{escaped(pem(client))}"',
        f'Chain="{chain}"', 'Subject="CN=client \\"q\\"\\, one"', "URI=spiffe://td/client;x",
        "URI=http://second.example/x", "DNS=client.example", "DNS=two.example",
    ])  # fmt: skip
    found = urllib.parse.unquote(re.search('Cert="([^"]*)"', value)[1])
    assert ssl.PEM_cert_to_DER_cert(found) == client.der


@pytest.mark.parametrize("detail", ["subject", "cert", "chain", "dns", "uri"])
def test_each_detail(make, ca, server, bare, detail):
    """A server and a client without names: no `By`, but an empty `URI`."""
    hcm = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {detail: True}}
    port = proxy(make, server, trusts=ca, hcm=hcm).port()
    chain = escaped(pem(bare) + ca.pem.read_text())
    wanted = {
        "subject": ';Subject="CN=bare"', "cert": f';Cert="{escaped(pem(bare))}"', "chain": f';Chain="{chain}"',
        "dns": "", "uri": ";URI=",
    }[detail]  # fmt: skip
    assert forwarded(port, tls.client_context(ca, identity=bare)) == [f"Hash={bare.digest}{wanted}"]


def test_resumed_connection_forwards_the_same(make, ca, edge, client):
    details = {"subject": True, "uri": True}
    hcm = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": details}
    port = proxy(make, edge, trusts=ca, hcm=hcm).port()
    context = tls.client_context(ca, "1.3", identity=client)
    with Client(port, tls=context) as opened:
        first = json.loads(opened.get().body)
        session = opened.sock.session
    with Client(port, tls=context, session=session) as opened:
        answer = json.loads(opened.get().body)
        assert opened.sock.session_reused
    assert answer == first and first


def test_several_headers_are_one_after_appending(make, ca, edge, client):
    port = proxy(make, edge, trusts=ca, hcm={"forward_client_cert_details": "APPEND_FORWARD"}).port()
    (value,) = forwarded(port, tls.client_context(ca, identity=client), "Hash=01", "Hash=02")
    assert value.startswith("Hash=01,Hash=02,By=spiffe://td/edge;")


def test_names_of_a_stranger_are_told_as_such(make, ca, edge, certificates):
    """Accepted without a known authority."""
    hcm = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {"dns": True}}
    validation = {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
    port = proxy(make, edge, trusts=ca, validation=validation, hcm=hcm).port()
    stranger = certificates.issue("stranger", by="Other CA")
    (value,) = forwarded(port, tls.client_context(ca, identity=stranger))
    assert value.endswith(f"Hash={stranger.digest};DNS=stranger")


@pytest.mark.apus_only
def test_control_characters_in_names_write_no_header(make, ca, edge, certificates):
    """A name is what its owner wrote: a line break in it must not begin another header."""
    names = [b"http://x/\r\nx-admin: 1", b"http://good/"]
    inner = b"".join(b"\x86" + bytes([len(name)]) + name for name in names)
    encoded = b"\x30" + bytes([len(inner)]) + inner
    evil = certificates.issue("evil", sans=[], extra=f"subjectAltName = DER:{encoded.hex()}")
    hcm = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {"uri": True}}
    port = proxy(make, edge, trusts=ca, hcm=hcm).port()
    (value,) = forwarded(port, tls.client_context(ca, identity=evil))
    assert value.endswith(f"Hash={evil.digest};URI=http://good/")


# Operators

DOWNSTREAM = [
    "TLS_VERSION", "TLS_CIPHER", "PEER_SUBJECT", "PEER_ISSUER", "PEER_SERIAL", "PEER_CHAIN_SERIALS",
    "PEER_FINGERPRINT_256", "PEER_FINGERPRINT_1", "PEER_CHAIN_FINGERPRINTS_256", "PEER_CHAIN_FINGERPRINTS_1",
    "PEER_URI_SAN", "PEER_DNS_SAN", "PEER_IP_SAN", "PEER_EMAIL_SAN", "PEER_OTHERNAME_SAN", "LOCAL_SUBJECT",
    "LOCAL_URI_SAN", "LOCAL_DNS_SAN", "LOCAL_IP_SAN", "LOCAL_EMAIL_SAN", "LOCAL_OTHERNAME_SAN", "PEER_CERT",
    "PEER_CERT_V_START", "PEER_CERT_V_END", "PEER_CERT_V_START(%s)", "PEER_CERT_V_END(%Y/%m)",
]  # fmt: skip
UPSTREAM = [
    "TLS_VERSION", "TLS_CIPHER", "PEER_SUBJECT", "PEER_ISSUER", "PEER_CERT", "PEER_CERT_V_START", "PEER_CERT_V_END",
    "PEER_CERT_V_END(%s)", "PEER_URI_SAN", "PEER_DNS_SAN", "PEER_IP_SAN", "LOCAL_URI_SAN", "LOCAL_DNS_SAN",
    "LOCAL_IP_SAN",
]  # fmt: skip


def lines(path, count):
    wait.until(lambda: path.exists() and path.read_text().count("\n") >= count, "the log")
    return [json.loads(line) for line in path.read_text().splitlines()]


def facts(identity):
    def field(*arguments):
        return openssl("x509", "-in", identity.chain, "-noout", *arguments).decode().strip().split("=", 1)[1]

    return {
        "serial": field("-serial").lower(),
        "sha1": field("-fingerprint", "-sha1").replace(":", "").lower(),
        "sha256": field("-fingerprint", "-sha256").replace(":", "").lower(),
        "start": field("-startdate", "-dateopt", "iso_8601").replace(" ", "T").replace("Z", ".000Z"),
        "end": field("-enddate", "-dateopt", "iso_8601").replace(" ", "T").replace("Z", ".000Z"),
    }


def fields(names, side):
    return {name: f"%{side}_{name}%" for name in names}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_downstream_operators(make, ca, edge, client, version):
    log = pathlib.Path(make.directory) / "access.log"
    port = proxy(
        make, edge, trusts=ca, hcm={"access_log": [config.file_log(log, fields=fields(DOWNSTREAM, "DOWNSTREAM"))]}
    ).port()
    forwarded(port, tls.client_context(ca, version, identity=client))
    (line,) = lines(log, 1)
    known, authority = facts(client), facts(type("Root", (), {"chain": ca.pem}))
    assert line.pop("TLS_VERSION") == f"TLSv{version}"
    assert "AES" in line.pop("TLS_CIPHER")
    seconds = line.pop("PEER_CERT_V_START(%s)")
    assert abs(int(seconds) - client.ends.timestamp()) < 92 * 86400 and seconds.isdigit()
    assert line == {
        "PEER_SUBJECT": 'CN=client \\"q\\"\\, one', "PEER_ISSUER": "CN=Test CA", "PEER_SERIAL": known["serial"],
        "PEER_CHAIN_SERIALS": f"{known['serial']},{authority['serial']}",
        "PEER_FINGERPRINT_256": known["sha256"], "PEER_FINGERPRINT_1": known["sha1"],
        "PEER_CHAIN_FINGERPRINTS_256": f"{known['sha256']},{authority['sha256']}",
        "PEER_CHAIN_FINGERPRINTS_1": f"{known['sha1']},{authority['sha1']}",
        "PEER_URI_SAN": "spiffe://td/client;x,http://second.example/x", "PEER_DNS_SAN": "client.example,two.example",
        "PEER_IP_SAN": "10.0.0.1", "PEER_EMAIL_SAN": "c@d.example", "PEER_OTHERNAME_SAN": None,
        "LOCAL_SUBJECT": "CN=server.example", "LOCAL_URI_SAN": "spiffe://td/edge,spiffe://second",
        "LOCAL_DNS_SAN": "server.example", "LOCAL_IP_SAN": "127.0.0.1", "LOCAL_EMAIL_SAN": "a@b.c",
        "LOCAL_OTHERNAME_SAN": None, "PEER_CERT": escaped(pem(client)), "PEER_CERT_V_START": known["start"],
        "PEER_CERT_V_END": known["end"], "PEER_CERT_V_END(%Y/%m)": client.ends.strftime("%Y/%m"),
    }  # fmt: skip


def test_downstream_operators_without_a_client_certificate(make, ca, edge):
    log = pathlib.Path(make.directory) / "access.log"
    port = proxy(
        make, edge, trusts=ca, hcm={"access_log": [config.file_log(log, fields=fields(DOWNSTREAM, "DOWNSTREAM"))]}
    ).port()
    forwarded(port, tls.client_context(ca))
    (line,) = lines(log, 1)
    there = {name for name, value in line.items() if value is not None}
    assert there == {
        "TLS_VERSION", "TLS_CIPHER", "LOCAL_SUBJECT", "LOCAL_URI_SAN", "LOCAL_DNS_SAN", "LOCAL_IP_SAN",
        "LOCAL_EMAIL_SAN",
    }  # fmt: skip


@pytest.fixture(scope="session")
def host(certificates):
    return certificates.issue("host.example", sans=["DNS:host.example", "URI:spiffe://td/host", "IP:127.0.0.1"])


def upstream_is(line, host):
    known = facts(host)
    assert line.pop("TLS_VERSION") == "TLSv1.3"
    assert "AES" in line.pop("TLS_CIPHER")
    assert abs(int(line.pop("PEER_CERT_V_END(%s)")) - host.ends.timestamp()) < 2
    assert line == {
        "PEER_SUBJECT": "CN=host.example", "PEER_ISSUER": "CN=Test CA", "PEER_CERT": escaped(pem(host)),
        "PEER_CERT_V_START": known["start"], "PEER_CERT_V_END": known["end"], "PEER_URI_SAN": "spiffe://td/host",
        "PEER_DNS_SAN": "host.example", "PEER_IP_SAN": "127.0.0.1",
        "LOCAL_URI_SAN": "spiffe://td/client;x,http://second.example/x", "LOCAL_DNS_SAN": "client.example,two.example",
        "LOCAL_IP_SAN": "10.0.0.1",
    }  # fmt: skip


def test_upstream_operators(make, ca, host, client):
    """Also on a connection that is used again, and on one that is gone when the log is written."""
    log = pathlib.Path(make.directory) / "access.log"

    def script(connection, request):
        closes = request.target == "/last"
        connection.reply(b"x" * 100_000, headers=[("connection", "close")] if closes else [])
        return not closes

    origin = make.origin(script, tls=tls.server_context(host, client_authority=ca))
    cluster = config.tls_cluster("origin", origin.port, identity=client, trusts=ca)
    hcm = {"access_log": [config.file_log(log, fields=fields(UPSTREAM, "UPSTREAM"))]}
    port = proxy(make, origin=origin, hcm=hcm, cluster=cluster).port()
    with Client(port) as opened:
        for path in ("/", "/again", "/last"):
            assert opened.get(path).status == 200
    for line in lines(log, 3):
        upstream_is(line, host)


def test_upstream_operators_on_plaintext(make):
    log = pathlib.Path(make.directory) / "access.log"
    hcm = {"access_log": [config.file_log(log, fields=fields(UPSTREAM, "UPSTREAM"))]}
    forwarded(proxy(make, hcm=hcm).port(), None)
    (line,) = lines(log, 1)
    assert set(line.values()) == {None}


def test_upstream_operators_of_tcp(make, ca, host, client):
    log = pathlib.Path(make.directory) / "access.log"
    origin = make.origin(tls=tls.server_context(host, client_authority=ca))
    cluster = config.tls_cluster("origin", origin.port, identity=client, trusts=ca)
    listener = config.tcp_listener(access_log=[config.file_log(log, fields=fields(UPSTREAM, "UPSTREAM"))])
    made = make.proxy(config.bootstrap([listener], [cluster]), arguments=FLUSH)
    with Client(made.port("tcp")) as opened:
        assert opened.get().status == 200
    (line,) = lines(log, 1)
    upstream_is(line, host)


def test_operators_in_headers(make, ca, edge, client):
    """A header of a route asks for the certificate: it is kept though no log does."""
    value = "%DOWNSTREAM_PEER_SUBJECT%|%DOWNSTREAM_LOCAL_SUBJECT%|%DOWNSTREAM_PEER_CERT%"
    mark = {"header": {"key": "x-subject", "value": value}}
    host = config.virtual_host(config.route(route_fields={"response_headers_to_add": [mark]}))
    port = proxy(make, edge, trusts=ca, routes=[host]).port()
    with Client(port, tls=tls.client_context(ca, identity=client)) as opened:
        value = opened.get().get("x-subject")
    assert value == f'CN=client \\"q\\"\\, one|CN=server.example|{escaped(pem(client))}'


@pytest.mark.apus_only
def test_a_route_that_begins_to_ask(make, ca, edge, client):
    """Connections keep what is asked for when they begin; a reload that asks for more is one for the listener."""
    made = proxy(make, edge, trusts=ca)
    document = json.loads(made.path.read_text())
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    mark = {"header": {"key": "x-names", "value": "%DOWNSTREAM_LOCAL_DNS_SAN%"}}
    manager["route_config"]["response_headers_to_add"] = [mark]
    made.write_config(document)
    context = tls.client_context(ca, identity=client)

    def names():
        with Client(made.port(), tls=context) as opened:
            return opened.get().get("x-names")

    wait.until(lambda: names() == "server.example", "the name")


def test_a_certificate_that_never_ends(make, ca, edge, certificates):
    log = pathlib.Path(make.directory) / "access.log"
    hcm = {"access_log": [config.file_log(log, "%DOWNSTREAM_PEER_CERT_V_END(%Y)%\n")]}
    port = proxy(make, edge, trusts=ca, hcm=hcm).port()
    forwarded(port, tls.client_context(ca, identity=certificates.issue("eternal", days=365 * 300)))
    wait.until(lambda: log.exists() and log.read_text(), "the log")
    assert int(log.read_text()) >= 2320


# Routes


def condition(name, **match):
    answer = {"status": 200, "body": {"inline_string": name}}
    return {"match": {"prefix": "/", "tls_context": match}, "direct_response": answer}


def chosen(port, context, session=None):
    with Client(port, tls=context, session=session) as opened:
        answer = opened.get()
        return answer.body.decode(), opened.sock.session if context else None


def test_routes_by_certificate(make, ca, edge, client, certificates):
    host = config.virtual_host(
        condition("valid", presented=True, validated=True), condition("strange", presented=True, validated=False),
        condition("none", presented=False), condition("never"),
    )  # fmt: skip
    validation = {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
    port = proxy(make, edge, trusts=ca, validation=validation, routes=[host]).port()
    assert chosen(port, tls.client_context(ca, identity=client))[0] == "valid"
    stranger = certificates.issue("stranger", by="Other CA")
    assert chosen(port, tls.client_context(ca, identity=stranger))[0] == "strange"
    assert chosen(port, tls.client_context(ca))[0] == "none"


@pytest.mark.parametrize("presented", [True, False])
def test_routes_by_certificate_on_plaintext(make, presented):
    host = config.virtual_host(condition("tls", presented=presented), condition("else"))
    port = proxy(make, routes=[host]).port()
    assert chosen(port, None)[0] == ("else" if presented else "tls")


@pytest.mark.apus_only
def test_resumed_certificates_stay_valid(make, ca, edge, client):
    """A ticket is for those whom the rules have accepted. (On Envoy a resumed one is not validated.)"""
    host = config.virtual_host(condition("valid", validated=True), condition("else"))
    port = proxy(make, edge, trusts=ca, routes=[host]).port()
    context = tls.client_context(ca, "1.3", identity=client)
    body, session = chosen(port, context)
    assert body == "valid"
    assert chosen(port, context, session)[0] == "valid"


def test_digest_pins_validate(make, ca, edge, certificates):
    stranger = certificates.issue("pinned", by="Other CA")
    host = config.virtual_host(condition("valid", validated=True), condition("else"))
    port = proxy(make, edge, validation={"verify_certificate_hash": [stranger.digest]}, routes=[host]).port()
    assert chosen(port, tls.client_context(ca, identity=stranger))[0] == "valid"
