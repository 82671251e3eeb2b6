"""Secrets from files (SDS) and from `static_resources.secrets`, and what happens when they change."""

import contextlib
import json
import os
import pathlib
import signal
import ssl
import subprocess

import pytest

from harness import config, tls, wait
from harness.client import Client, get
from harness.proxy import apus_binary

SECRET = config.TLS + "Secret"
NODE = {"id": "node", "cluster": "cluster"}


def place(path, text):
    """By rename, as deployment tools do."""
    path = pathlib.Path(path)
    new = path.with_suffix(".new")
    new.write_text(text if isinstance(text, str) else json.dumps(text))
    os.replace(new, path)
    return path


def response(*secrets, version="1"):
    return {"version_info": version, "resources": [{"@type": SECRET, **secret} for secret in secrets]}


def from_file(name, path, **source):
    return {
        "name": name,
        "sds_config": {"path_config_source": {"path": str(path), **source}, "resource_api_version": "V3"},
    }


def shown(port, name="server.example"):
    """The certificate that a new connection is shown."""
    with Client(port, tls=tls.client_context(), server_name=name) as client:
        return client.sock.getpeercert(True)


def listener(common, **context):
    made = config.http_listener(config.virtual_host(config.route()))
    made["filter_chains"][0]["transport_socket"] = config.tls_socket("Downstream", common, **context)
    return made


def is_refused(port, context, session=None):
    try:
        with Client(port, tls=context, session=session) as client:
            client.get()
        return False
    except (ssl.SSLError, ConnectionError, EOFError):
        return True


class Edge:
    """A listener whose certificate is the secret "edge" in a file."""

    def __init__(self, make, certificate, common=None, secrets=(), fields=None, source=None, context=None):
        self.directory = pathlib.Path(make.directory)
        self.origin = make.origin()
        self.path = place(self.directory / "edge.json", response({"name": "edge", "tls_certificate": certificate}))
        own = [from_file("edge", self.path, **(source or {}))]
        made = listener({"tls_certificate_sds_secret_configs": own, **(common or {})}, **(context or {}))
        self.document = config.bootstrap(
            [made], [config.cluster("origin", self.origin.port)], node=NODE, **(fields or {})
        )
        self.proxy = make.proxy(self.document, concurrency=2)
        self.port = self.proxy.port()

    def stat(self, name):
        return self.proxy.stat(f"sds.edge.{name}")


@pytest.fixture
def pair(certificates):
    return certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)


def test_certificate_from_a_file(make, ca, server):
    edge = Edge(make, config.certificate(server))
    assert shown(edge.port) == server.der
    assert get(edge.port, tls=tls.client_context(ca)).status == 200
    assert (edge.stat("update_attempt"), edge.stat("update_success")) == (1, 1)
    assert edge.stat("update_failure") == edge.stat("update_rejected") == edge.stat("key_rotation_failed") == 0
    assert edge.stat("update_time") > 1.7e12
    # XXH64 of "1"; a gauge of Apus has 62 bits.
    assert edge.stat("version") % 2**62 == 13237225503670494420 % 2**62
    assert edge.proxy.listener_stat("server_ssl_socket_factory.ssl_context_update_by_sds") == 1


def test_replaced_files_serve_new_handshakes_and_end_no_connection(make, ca, pair):
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    edge = Edge(make, config.certificate(files))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(edge.port, tls=tls.client_context(ca))) for _ in range(50)]
        for client in clients:
            assert client.get().status == 200
        pair[1].copy_to(files.chain.parent)
        wait.until(lambda: {shown(edge.port) for _ in range(8)} == {pair[1].der}, "the new certificate on every worker")
        for client in clients:
            answer = client.get()
            assert answer.status == 200 and answer.get("connection") != "close"
    assert edge.proxy.listener_stat("server_ssl_socket_factory.ssl_context_update_by_sds") == 2
    # Files are no update of the secret.
    assert edge.stat("update_attempt") == 1


def test_half_of_a_pair_waits_for_the_other(make, pair):
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    edge = Edge(make, config.certificate(files))
    pair[1].copy_to(files.chain.parent, key=False)
    wait.until(lambda: edge.stat("key_rotation_failed") > 0, "the failed rotation")
    assert {shown(edge.port) for _ in range(6)} == {pair[0].der}
    assert edge.proxy.listener_stat("server_ssl_socket_factory.ssl_context_update_by_sds") == 1
    pair[1].copy_to(files.chain.parent, chain=False)
    wait.until(lambda: {shown(edge.port) for _ in range(8)} == {pair[1].der}, "the whole pair")


@pytest.mark.apus_only
def test_the_log_says_what_happens(make, pair):
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    edge = Edge(make, config.certificate(files))
    pair[1].copy_to(files.chain.parent, key=False)
    wait.until(lambda: "the old one stays in force" in edge.proxy.log(), "the warning")
    line = next(line for line in edge.proxy.log().splitlines() if "does not belong" in line)
    assert str(edge.path) + ":1:" in line and "resources[0].tls_certificate" in line
    assert str(files.chain) in line and str(files.key) in line
    pair[1].copy_to(files.chain.parent, chain=False)
    wait.until(
        lambda: 'secret "edge": the certificate of CN=server.example, valid until ' in edge.proxy.log(), "the news"
    )


def swap_data(directory, number, identity):
    """The way of Kubernetes: names are links through `..data`, which is replaced as a whole."""
    version = directory / f"..{number}"
    version.mkdir(parents=True)
    (version / "tls.crt").write_bytes(identity.chain.read_bytes())
    (version / "tls.key").write_bytes(identity.key.read_bytes())
    link = directory / "..data_tmp"
    link.symlink_to(version.name)
    os.replace(link, directory / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")


@pytest.mark.parametrize("watched", [False, True])
def test_kubernetes_swaps_data(make, pair, watched):
    directory = pathlib.Path(make.directory) / "mounted"
    swap_data(directory, 0, pair[0])
    certificate = {
        "certificate_chain": {"filename": str(directory / "tls.crt")},
        "private_key": {"filename": str(directory / "tls.key")},
    }
    if watched:
        certificate["watched_directory"] = {"path": str(directory)}
    edge = Edge(make, certificate)
    for number in range(1, 5):
        swap_data(directory, number, pair[number % 2])
        wait.until(lambda: {shown(edge.port) for _ in range(4)} == {pair[number % 2].der}, f"swap {number}")
    assert edge.stat("key_rotation_failed") == 0


def test_secret_file_is_replaced(make, pair):
    edge = Edge(make, config.certificate(pair[0]))
    secret = {"name": "edge", "tls_certificate": config.certificate(pair[1])}
    place(edge.path, response(secret, version="2"))
    wait.until(lambda: {shown(edge.port) for _ in range(8)} == {pair[1].der}, "the new secret")
    wait.until(lambda: edge.stat("update_success") == 2, "the count")
    assert edge.stat("update_attempt") == 2
    # The same again is an update that changes nothing.
    place(edge.path, response(secret, version="3"))
    wait.until(lambda: edge.stat("update_success") == 3, "the third update")
    assert edge.proxy.listener_stat("server_ssl_socket_factory.ssl_context_update_by_sds") == 2


def test_secret_file_in_a_watched_directory(make, pair):
    """The file is written where it is; what is moved into the directory says that it has changed."""
    directory = pathlib.Path(make.directory) / "watched"
    directory.mkdir()
    edge = Edge(make, config.certificate(pair[0]), source={"watched_directory": {"path": str(directory)}})
    edge.path.write_text(json.dumps(response({"name": "edge", "tls_certificate": config.certificate(pair[1])})))
    place(directory / "mark", "x")
    wait.until(lambda: {shown(edge.port) for _ in range(8)} == {pair[1].der}, "the new secret")


def test_secret_file_written_in_place_waits_for_a_move(make, pair):
    """Only moves are whole: a file that is being written is not looked at."""
    edge = Edge(make, config.certificate(pair[0]))
    text = json.dumps(response({"name": "edge", "tls_certificate": config.certificate(pair[1])}))
    edge.path.write_text(text)
    # Another secret's move shows that an earlier event would have been seen by now.
    place(edge.directory / "other.json", "{}")
    assert edge.stat("update_attempt") == 1
    assert shown(edge.port) == pair[0].der
    place(edge.path, text)
    wait.until(lambda: shown(edge.port) == pair[1].der, "the new secret")


BAD = {
    "no text": ("update_failure", "{ nothing"),
    "another secret": ("update_rejected", lambda good: response({**good, "name": "other"})),
    "no secret": ("update_rejected", lambda good: response()),
    "unknown field": ("update_rejected", '{"unknown": 1}'),
    "no such file": (
        "update_rejected",
        lambda good: response({"name": "edge", "tls_certificate": {
            "certificate_chain": {"filename": "/nowhere"}, "private_key": {"filename": "/nowhere"}}}),
    ),  # fmt: skip
    "another kind": (
        "update_rejected",
        lambda good: response({"name": "edge", "session_ticket_keys": {"keys": [{"inline_string": "x"}]}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_update_keeps_the_old_secret(make, pair, kind):
    edge = Edge(make, config.certificate(pair[0]))
    counter, made = BAD[kind]
    good = {"name": "edge", "tls_certificate": config.certificate(pair[1])}
    place(edge.path, made if isinstance(made, str) else made(good))
    wait.until(lambda: edge.stat(counter) == 1, "the count")
    assert edge.stat("update_attempt") == 2 and edge.stat("update_success") == 1
    assert {shown(edge.port) for _ in range(4)} == {pair[0].der}
    place(edge.path, response(good))
    wait.until(lambda: {shown(edge.port) for _ in range(4)} == {pair[1].der}, "the good one")


@pytest.mark.apus_only
def test_files_of_a_refused_secret_may_follow(make, pair):
    """First the secret names new files, then the files come: they are watched already."""
    edge = Edge(make, config.certificate(pair[0]))
    directory = edge.directory / "later"
    directory.mkdir()
    names = {
        "certificate_chain": {"filename": f"{directory}/tls.crt"},
        "private_key": {"filename": f"{directory}/tls.key"},
    }
    place(edge.path, response({"name": "edge", "tls_certificate": names}))
    wait.until(lambda: edge.stat("update_rejected") == 1, "the refusal")
    pair[1].copy_to(directory)
    wait.until(lambda: {shown(edge.port) for _ in range(4)} == {pair[1].der}, "the files")


# Validation contexts


def test_authority_from_a_file(make, ca, certificates, server):
    path = pathlib.Path(make.directory) / "ca.json"
    other = certificates.authority("Other CA")

    def trusts(authority):
        return response({"name": "ca", "validation_context": {"trusted_ca": {"filename": str(authority.pem)}}})

    place(path, trusts(ca))
    common = {"validation_context_sds_secret_config": from_file("ca", path)}
    edge = Edge(make, config.certificate(server), common=common, context={"require_client_certificate": True})
    client = tls.client_context(ca, "1.3", identity=certificates.issue("client"))
    with Client(edge.port, tls=client) as opened:
        assert opened.get().status == 200
        session = opened.sock.session
        place(path, trusts(other))
        wait.until(lambda: is_refused(edge.port, client), "clients of the old CA are refused")
        assert is_refused(edge.port, client, session), "their tickets do not help"
        assert opened.get().status == 200, "the open connection goes on"
    stranger = tls.client_context(ca, identity=certificates.issue("client", by="Other CA"))
    assert get(edge.port, tls=stranger).status == 200


def test_combined_validation_context(make, ca, certificates, server):
    """Names from the context, the authority from the secret."""
    path = pathlib.Path(make.directory) / "ca.json"
    place(path, response({"name": "ca", "validation_context": {"trusted_ca": {"filename": str(ca.pem)}}}))
    names = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "good"}}]}
    combined = {
        "default_validation_context": names,
        "validation_context_sds_secret_config": from_file("ca", path),
    }
    edge = Edge(
        make, config.certificate(server), common={"combined_validation_context": combined},
        context={"require_client_certificate": True},
    )  # fmt: skip
    assert get(edge.port, tls=tls.client_context(ca, identity=certificates.issue("good"))).status == 200
    assert is_refused(edge.port, tls.client_context(ca, "1.2", identity=certificates.issue("bad")))
    assert edge.proxy.listener_stat("ssl.fail_verify_san") == 1
    foreign = certificates.issue("good", by="Other CA")
    assert is_refused(edge.port, tls.client_context(ca, "1.2", identity=foreign))
    assert edge.proxy.listener_stat("ssl.fail_verify_error") == 1


def test_ticket_keys_from_a_file(make, ca, server):
    directory = pathlib.Path(make.directory)
    keys = [directory / "ticket.0", directory / "ticket.1"]
    for key in keys:
        key.write_bytes(os.urandom(80))

    def uses(*chosen):
        sources = [{"filename": str(key)} for key in chosen]
        return response({"name": "tickets", "session_ticket_keys": {"keys": sources}})

    path = place(directory / "tickets.json", uses(keys[0]))
    context = {"session_ticket_keys_sds_secret_config": from_file("tickets", path)}
    edge = Edge(make, config.certificate(server), context=context)
    client = tls.client_context(ca, "1.3")

    def session():
        with Client(edge.port, tls=client) as opened:
            opened.get()
            return opened.sock.session

    def resumes(one):
        with Client(edge.port, tls=client, session=one) as opened:
            opened.get()
            return opened.sock.session_reused

    old = session()
    assert resumes(old)
    place(path, uses(keys[1], keys[0]))
    wait.until(lambda: edge.proxy.stat("sds.tickets.update_success") == 2, "the new keys")
    assert resumes(old), "the old key still opens"
    new = session()
    place(path, uses(keys[1]))
    wait.until(lambda: not resumes(old), "the old key is gone")
    assert resumes(new)


def test_tickets_outlive_a_renewed_certificate(make, ca, pair):
    """The same names and issuer: who has been there need not start again."""
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    edge = Edge(make, config.certificate(files))
    client = tls.client_context(ca, "1.3")
    with Client(edge.port, tls=client) as opened:
        opened.get()
        session = opened.sock.session
    pair[1].copy_to(files.chain.parent)
    wait.until(lambda: {shown(edge.port) for _ in range(4)} == {pair[1].der}, "the new certificate")
    # Envoy makes new ticket keys with each certificate unless keys are configured.
    if edge.proxy.kind == "apus":
        with Client(edge.port, tls=client, session=session) as opened:
            assert opened.get().status == 200
            assert opened.sock.session_reused


# Clusters


def test_cluster_with_secrets(make, ca, certificates):
    """Certificate and authority of a cluster from one file."""
    directory = pathlib.Path(make.directory)
    host = make.origin(tls=tls.server_context(certificates.issue(), client_authority=ca))
    good, expired = certificates.issue("proxy"), certificates.issue("proxy", by="Other CA")

    def secrets(identity):
        return [
            response({"name": "client", "tls_certificate": config.certificate(identity)}),
            response({"name": "roots", "validation_context": {"trusted_ca": {"filename": str(ca.pem)}}}),
        ]

    paths = [place(directory / f"{i}.json", text) for i, text in enumerate(secrets(expired))]
    common = {
        "tls_certificate_sds_secret_configs": [from_file("client", paths[0])],
        "validation_context_sds_secret_config": from_file("roots", paths[1]),
    }
    cluster = config.cluster("origin", host.port)
    cluster["transport_socket"] = config.tls_socket("Upstream", common)
    document = config.bootstrap([config.http_listener(config.virtual_host(config.route()))], [cluster], node=NODE)
    proxy = make.proxy(document)
    assert get(proxy.port()).status == 503
    place(paths[0], secrets(good)[0])
    wait.until(lambda: get(proxy.port()).status == 200, "the good certificate")
    assert proxy.stat("cluster.origin.client_ssl_socket_factory.ssl_context_update_by_sds") == 3


# In the configuration


def test_static_secrets(make, ca, certificates, server):
    secrets = [
        {"name": "edge", "tls_certificate": config.certificate(server)},
        {"name": "ca", "validation_context": {"trusted_ca": {"filename": str(ca.pem)}}},
    ]
    common = {
        "tls_certificate_sds_secret_configs": [{"name": "edge"}],
        "validation_context_sds_secret_config": {"name": "ca"},
    }
    origin = make.origin()
    document = config.bootstrap(
        [listener(common, require_client_certificate=True)], [config.cluster("origin", origin.port)]
    )
    document["static_resources"]["secrets"] = secrets
    proxy = make.proxy(document)
    assert get(proxy.port(), tls=tls.client_context(ca, identity=certificates.issue("client"))).status == 200
    assert is_refused(proxy.port(), tls.client_context(ca))


@pytest.mark.apus_only
def test_static_secret_changes_with_a_reload(make, ca, pair):
    document = config.bootstrap(
        [listener({"tls_certificate_sds_secret_configs": [{"name": "edge"}]})],
        [config.cluster("origin", make.origin().port)],
    )
    document["static_resources"]["secrets"] = [{"name": "edge", "tls_certificate": config.certificate(pair[0])}]
    proxy = make.proxy(document)
    with Client(proxy.port(), tls=tls.client_context(ca)) as client:
        assert client.get().status == 200
        document["static_resources"]["secrets"][0]["tls_certificate"] = config.certificate(pair[1])
        proxy.write_config(document)
        wait.until(lambda: shown(proxy.port()) == pair[1].der, "the new secret")
        answer = client.get()
        assert answer.status == 200 and answer.get("connection") != "close"


@pytest.mark.apus_only
def test_watched_directory_of_a_static_certificate(make, pair):
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    certificate = config.certificate(files, watched_directory={"path": str(files.chain.parent)})
    document = config.bootstrap(
        [listener({"tls_certificates": [certificate]})], [config.cluster("origin", make.origin().port)]
    )
    proxy = make.proxy(document)
    pair[1].copy_to(files.chain.parent, key=False)
    wait.until(lambda: "watched files: what has changed is refused" in proxy.log(), "the half pair")
    assert shown(proxy.port()) == pair[0].der
    pair[1].copy_to(files.chain.parent, chain=False)
    wait.until(lambda: shown(proxy.port()) == pair[1].der, "the new certificate")


# Reloads


def watch_count(proxy):
    count = 0
    for name in os.listdir(f"/proc/{proxy.process.pid}/fd"):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{proxy.process.pid}/fdinfo/{name}").read_text()
            count += sum(line.startswith("inotify wd:") for line in text.splitlines())
    return count


@pytest.mark.apus_only
def test_reloads_leave_no_watch_behind(make, pair):
    """The watches of a configuration go with it; those of the new one work."""
    directory = pathlib.Path(make.directory)
    edge = Edge(make, config.certificate(pair[0].copy_to(directory / "tls")))
    before = watch_count(edge.proxy)
    for number in range(2, 12):
        files = pair[number % 2].copy_to(directory / f"tls-{number}")
        path = directory / f"secret-{number}" / "edge.json"
        path.parent.mkdir()
        place(path, response({"name": "edge", "tls_certificate": config.certificate(files)}))
        common = {"tls_certificate_sds_secret_configs": [from_file("edge", path)]}
        edge.document["static_resources"]["listeners"] = [listener(common)]
        marked = config.with_generation(edge.document, number)
        edge.proxy.write_config(marked)
        seen = lambda: get(edge.proxy.port(), tls=tls.client_context()).get("x-generation") == str(number)  # noqa: E731
        wait.until(seen, f"reload {number}")
    # One directory more: the first secret lay beside the configuration's own directory.
    assert watch_count(edge.proxy) <= before + 1
    pair[0].copy_to(directory / "tls-11")
    wait.until(lambda: {shown(edge.proxy.port()) for _ in range(4)} == {pair[0].der}, "a change of the last one")
    names = [name for name in edge.proxy.stats() if name.startswith("sds.")]
    assert len(names) == len(set(names)) and all(name.startswith("sds.edge.") for name in names)


@pytest.mark.apus_only
def test_sighup_reads_secrets_that_are_not_watched(make, pair):
    edge = Edge(make, config.certificate(pair[0]))
    edge.path.write_text(json.dumps(response({"name": "edge", "tls_certificate": config.certificate(pair[1])})))
    assert shown(edge.port) == pair[0].der
    edge.proxy.signal(signal.SIGHUP)
    wait.until(lambda: shown(edge.port) == pair[1].der, "the new secret")


@pytest.mark.apus_only
def test_reload_with_a_broken_secret_is_refused(make, pair):
    edge = Edge(make, config.certificate(pair[0]))
    edge.path.write_text("{")
    edge.proxy.signal(signal.SIGHUP)
    wait.until(lambda: "the new configuration is refused" in edge.proxy.log(), "the refusal")
    assert shown(edge.port) == pair[0].der


@pytest.mark.apus_only
def test_secrets_leave_no_memory_behind(make, pair):
    files = pair[0].copy_to(pathlib.Path(make.directory) / "tls")
    edge = Edge(make, config.certificate(files))

    def rotate(times):
        for number in range(times):
            wanted = pair[number % 2]
            wanted.copy_to(files.chain.parent)
            wait.until(lambda: shown(edge.port) == wanted.der, "the rotation")

    rotate(40)
    before = edge.proxy.resident_kib(), edge.proxy.descriptors()
    rotate(60)
    assert edge.proxy.resident_kib() - before[0] < 2048
    wait.until(lambda: edge.proxy.descriptors() <= before[1] + 2, "connections are closed")


# What `apus check` says


def check(tmp_path, common, secrets=(), **context):
    document = config.bootstrap([listener(common, **context)], [config.cluster("origin", 1)])
    document["static_resources"]["secrets"] = list(secrets)
    path = tmp_path / "apus.yaml"
    path.write_text(config.text(document))
    done = subprocess.run([apus_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.apus_only
def test_check_says_what_is_wrong_with_secrets(tmp_path, server):
    good = {"name": "edge-cert", "tls_certificate": config.certificate(server)}

    def says(sentence, common, **options):
        code, text = check(tmp_path, common, **options)
        assert code == 1 and sentence in text, text

    def one(name, path=None):
        return {"tls_certificate_sds_secret_configs": [from_file(name, path) if path else {"name": name}]}

    says('no secret "edge-crt" in static_resources.secrets; did you mean "edge-cert"?', one("edge-crt"), secrets=[good])
    kind = {"name": "edge-cert", "session_ticket_keys": {"keys": [{"inline_string": "x" * 80}]}}
    says('"edge-cert" holds session_ticket_keys, tls_certificate is needed here', one("edge-cert"), secrets=[kind])
    says("is already used by another secret", one("edge-cert"), secrets=[good, good])
    says("cannot read /nowhere/edge.json", one("edge", "/nowhere/edge.json"))
    path = place(tmp_path / "edge.json", response({**good, "name": "other"}))
    says(f'there is no secret "edge" in {path}, but "other"', one("edge", path))
    place(path, response({"name": "edge", "tls_certificate": {"certificate_chain": {"filename": "/nowhere.pem"}}}))
    says(f"{path}:1:", one("edge", path))
    says("resources[0].tls_certificate.private_key: is required", one("edge", path))
    text = {"name": "edge", "tls_certificate": config.certificate(server, pkcs12={})}
    place(path, response(text))
    says('resources[0].tls_certificate: field "pkcs12" is not supported', one("edge", path))
    both = {**one("edge-cert"), "tls_certificates": [config.certificate(server)]}
    says("one of the two is needed", both, secrets=[good])
    ads = {"tls_certificate_sds_secret_configs": [{"name": "edge", "sds_config": {"ads": {}}}]}
    says('field "ads" is not supported', ads)
    # A secret that nobody uses is looked at all the same.
    bad = {"name": "unused", "tls_certificate": {}}
    missing = "static_resources.secrets[1].tls_certificate.certificate_chain: is required"
    says(missing, one("edge-cert"), secrets=[good, bad])


@pytest.mark.apus_only
def test_secrets_are_not_printed(make, server):
    certificate = {
        "certificate_chain": {"inline_string": server.chain.read_text()},
        "private_key": {"inline_string": server.key.read_text()},
    }
    document = config.bootstrap(
        [listener({"tls_certificate_sds_secret_configs": [{"name": "edge"}]})],
        [config.cluster("origin", make.origin().port)],
    )
    document["static_resources"]["secrets"] = [{"name": "edge", "tls_certificate": certificate}]
    proxy = make.proxy(document)
    dump = proxy.admin("/config_dump").body.decode()
    assert "PRIVATE KEY" not in dump and "[redacted]" in dump
