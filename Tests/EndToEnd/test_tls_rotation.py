"""Certificates that are replaced while the proxy serves."""

import contextlib
import os
import pathlib
import signal
import ssl
import subprocess

import pytest

from harness import config, tls, wait
from harness.client import Client, get

pytestmark = pytest.mark.apus_only
OPEN = 200


def shown(port, name="server.example"):
    """The certificate that a new connection is shown."""
    with Client(port, tls=tls.client_context(), server_name=name) as client:
        return client.sock.getpeercert(True)


class Setup:
    """A proxy whose certificate lies in files with fixed names."""

    def __init__(self, make, identity, tcp=False, trusts=None, chain=None, context=None):
        self.directory = pathlib.Path(make.directory) / "tls"
        self.files = identity.copy_to(self.directory)
        self.origin = make.origin()
        listener = config.http_listener(config.virtual_host(config.route()))
        config.with_tls(listener, self.files, trusts=trusts, context=context)
        self.document = config.bootstrap([listener], [config.cluster("origin", self.origin.port)])
        self.proxy = make.proxy(self.document, concurrency=2)
        self.port = self.proxy.port()



def test_new_handshakes_see_the_new_certificate(make, ca, certificates):
    old, new = certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)
    setup = Setup(make, old)
    assert shown(setup.port) == old.der
    with contextlib.ExitStack() as stack:
        open_ones = [
            stack.enter_context(Client(setup.port, tls=tls.client_context(ca))) for _ in range(OPEN)
        ]
        for client in open_ones:
            assert client.get().status == 200
        new.copy_to(setup.directory)
        setup.proxy.signal(signal.SIGHUP)
        wait.until(lambda: shown(setup.port) == new.der, "the new certificate")
        # On every worker.
        assert {shown(setup.port) for _ in range(20)} == {new.der}
        for client in open_ones:
            answer = client.get()
            assert answer.status == 200 and answer.get("connection") != "close"
    assert setup.proxy.listener_stat("downstream_cx_total") >= OPEN
    assert setup.port == setup.proxy.port(), "the listener is the same"


def test_back_and_forth(make, certificates):
    first, second = certificates.issue("server.example", days=50), certificates.issue("server.example", kind="rsa")
    setup = Setup(make, first)
    for number in range(6):
        wanted = (second, first)[number % 2]
        wanted.copy_to(setup.directory)
        setup.proxy.signal(signal.SIGHUP)
        wait.until(lambda: shown(setup.port) == wanted.der, f"certificate {number}")


def test_certificate_and_routes_at_once(make, ca, certificates):
    """One reload that changes both; the listener and its connections stay."""
    old, new = certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)
    setup = Setup(make, old)
    with Client(setup.port, tls=tls.client_context(ca)) as client:
        assert client.get().status == 200
        new.copy_to(setup.directory)
        setup.proxy.write_config(config.with_generation(setup.document, 2))
        wait.until(lambda: get(setup.port, tls=tls.client_context()).get("x-generation") == "2", "the new routes")
        wait.until(lambda: shown(setup.port) == new.der, "the new certificate", 3)
        assert client.get().get("x-generation") == "2"


def test_half_replaced_pair_keeps_the_old_one(make, certificates):
    old, new = certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)
    setup = Setup(make, old)
    new.copy_to(setup.directory, key=False)
    setup.proxy.signal(signal.SIGHUP)
    wait.until(lambda: "the private key does not belong to the certificate" in setup.proxy.log(), "the error")
    line = next(line for line in setup.proxy.log().splitlines() if "does not belong" in line)
    assert "tls_certificates[0]" in line, line
    assert str(setup.files.chain) in line and str(setup.files.key) in line, line
    assert {shown(setup.port) for _ in range(6)} == {old.der}
    new.copy_to(setup.directory)
    setup.proxy.signal(signal.SIGHUP)
    wait.until(lambda: shown(setup.port) == new.der, "the new certificate")


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
def test_broken_file_keeps_the_old_one(make, certificates, content):
    identity = certificates.issue("server.example", days=50)
    setup = Setup(make, identity)
    if content is None:
        setup.files.key.unlink()
    else:
        setup.files.key.write_bytes(content)
    setup.proxy.signal(signal.SIGHUP)
    wait.until(lambda: "tls.key" in setup.proxy.log() or "private_key" in setup.proxy.log(), "the error")
    assert {shown(setup.port) for _ in range(4)} == {identity.der}
    assert get(setup.port, tls=tls.client_context()).status == 200


def test_chain_alone_is_replaced(make, ca, certificates, server):
    """The same certificate with an intermediate behind it: clients get it."""
    setup = Setup(make, server)

    def length():
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{setup.port}", "-showcerts"]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=20)
        return done.stdout.count(b"-----BEGIN CERTIFICATE-----")

    assert length() == 1
    setup.files.chain.write_text(server.chain.read_text() + ca.pem.read_text())
    setup.proxy.signal(signal.SIGHUP)
    wait.until(lambda: length() == 2, "the longer chain")


def test_ticket_keys_are_replaced(make, ca, server, tmp_path):
    key = tmp_path / "ticket.key"
    key.write_bytes(os.urandom(80))
    setup = Setup(make, server, context={"session_ticket_keys": {"keys": [{"filename": str(key)}]}})
    context = tls.client_context(ca, "1.3")

    def session():
        with Client(setup.port, tls=context) as client:
            client.get()
            return client.sock.session

    old = session()

    def resumes(one):
        with Client(setup.port, tls=context, session=one) as client:
            client.get()
            return client.sock.session_reused

    assert resumes(old)
    key.write_bytes(os.urandom(80))
    setup.proxy.signal(signal.SIGHUP)
    wait.until(lambda: not resumes(old), "tickets of the old key are refused")
    assert resumes(session())


def test_authority_is_replaced(make, ca, certificates, server, tmp_path):
    """A new CA is in force with the next handshake; tickets of those whom the old one vouched for do not help."""

    class Trusted:
        pem = tmp_path / "trusted.pem"

    other = certificates.authority("Other CA")
    Trusted.pem.write_text(ca.pem.read_text())
    setup = Setup(make, server, trusts=Trusted, context={"require_client_certificate": True})
    context = tls.client_context(ca, "1.3", identity=certificates.issue("client"))
    with Client(setup.port, tls=context) as client:
        assert client.get().status == 200
        session = client.sock.session
        Trusted.pem.write_text(other.pem.read_text())
        setup.proxy.signal(signal.SIGHUP)

        def is_refused(session=None):
            try:
                with Client(setup.port, tls=context, session=session) as another:
                    another.get()
                return False
            except (ssl.SSLError, ConnectionError, EOFError):
                return True

        wait.until(is_refused, "clients of the old CA are refused")
        assert is_refused(session)
        assert client.get().status == 200, "the open connection goes on"
    stranger = tls.client_context(ca, identity=certificates.issue("client", by="Other CA"))
    assert get(setup.port, tls=stranger).status == 200


def test_upstream_authority_is_replaced(make, ca, certificates, tmp_path):
    class Trusted:
        pem = tmp_path / "trusted.pem"

    def script(connection, request):
        connection.reply(b"x", headers=[("connection", "close")])
        return False

    Trusted.pem.write_text(ca.pem.read_text())
    host = make.origin(script, tls=tls.server_context(certificates.issue(by="Other CA")))
    listener = config.http_listener(config.virtual_host(config.route()))
    proxy = make.proxy(config.bootstrap([listener], [config.tls_cluster("origin", host.port, trusts=Trusted)]))
    assert get(proxy.port()).status == 503
    Trusted.pem.write_text(certificates.authority("Other CA").pem.read_text())
    proxy.signal(signal.SIGHUP)
    wait.until(lambda: get(proxy.port()).status == 200, "the new CA is in force")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tickets_of_hosts_do_not_outlive_trust(make, ca, certificates, tmp_path, version):
    """A host whose CA is no longer trusted cannot be resumed; one that still is can be reached."""

    class Trusted:
        pem = tmp_path / "trusted.pem"

    def script(connection, request):
        connection.reply(b"x", headers=[("connection", "close")])
        return False

    other = certificates.authority("Other CA").pem.read_text()
    both = other + ca.pem.read_text()
    Trusted.pem.write_text(other)
    host = make.origin(script, tls=tls.server_context(certificates.issue(by="Other CA"), version))
    listener = config.http_listener(config.virtual_host(config.route()))
    document = config.bootstrap([listener], [config.tls_cluster("origin", host.port, trusts=Trusted)])
    proxy = make.proxy(document)

    def reload(trusted, number):
        Trusted.pem.write_text(trusted)
        # The mark tells that the reload is over.
        proxy.write_config(config.with_generation(document, number))
        marked = lambda: get(proxy.port(), "/").get("x-generation") == str(number)  # noqa: E731
        wait.until(marked, "the reload")

    assert [get(proxy.port()).status for _ in range(3)] == [200] * 3
    assert proxy.stat("cluster.origin.ssl.session_reused") == 2
    reload(both, 2)
    assert [get(proxy.port()).status for _ in range(3)] == [200] * 3, "old tickets do no harm"
    assert proxy.stat("cluster.origin.ssl.connection_error") == 0
    assert proxy.stat("cluster.origin.ssl.session_reused") > 3
    reload(ca.pem.read_text(), 3)
    assert [get(proxy.port()).status for _ in range(2)] == [503] * 2


def test_rotation_leaves_no_memory_behind(make, ca, certificates):
    """Contexts of old certificates go; the process stays as large as it is."""
    pair = [certificates.issue("server.example", days=50), certificates.issue("server.example", days=60)]
    setup = Setup(make, pair[0])

    def rotate(times):
        for number in range(times):
            wanted = pair[number % 2]
            wanted.copy_to(setup.directory)
            setup.proxy.signal(signal.SIGHUP)
            wait.until(lambda: shown(setup.port) == wanted.der, "the rotation")

    rotate(20)
    before = setup.proxy.resident_kib()
    rotate(40)
    assert setup.proxy.resident_kib() - before < 2048
