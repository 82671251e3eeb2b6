"""apus-load over TLS: handshakes, resumption, certificates of both sides, and what goes wrong with them."""

import socket
import ssl
import subprocess
import threading

import pytest

from harness.certificates import Authority
from harness.load import LoadOrigin, Report, run

pytestmark = pytest.mark.apus_only


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("localhost", ["DNS:origin.example", "IP:127.0.0.1"])


@pytest.fixture
def load_origin(make):
    def start(*flags):
        make.made.append(LoadOrigin(*flags))
        return make.made[-1]

    return start


@pytest.fixture
def secured(load_origin, server):
    return load_origin("--tls-cert", server.chain, "--tls-key", server.key)


def https(origin, path="/"):
    return f"https://127.0.0.1:{origin.port}{path}"


class PythonServer:
    """One context of Python's ssl module, so that the other side is not ours: answers every request with `ok`."""

    def __init__(self, identity, **settings):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.chain, identity.key)
        for name, value in settings.items():
            if callable(value):
                value(self.context)
            else:
                setattr(self.context, name, value)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peers = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            with self.context.wrap_socket(sock, server_side=True) as tls:
                self.peers.append(tls.getpeercert())
                while tls.recv(65536):
                    tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (OSError, ssl.SSLError):
            sock.close()

    def stop(self):
        self.listener.close()


@pytest.fixture
def python_server(make, server):
    def start(**settings):
        make.made.append(PythonServer(server, **settings))
        return make.made[-1]

    return start


# Right


def test_the_authority_is_believed(secured, authority, tmp_path):
    report = Report(tmp_path, https(secured), "--ca-file", authority.pem, "-n", 2000, "-c", 4, "-t", 2)
    assert report.status == 0 and report.totals["successes"] == 2000
    tls = report.json["tls"]
    assert tls["handshakes"] == 4 and tls["resumed"] == 0 and list(tls["agreed"].values()) == [4]
    assert next(iter(tls["agreed"])).startswith("TLSv1.3 TLS_")
    assert tls["handshake_time"]["count"] == 4 and 1e4 < tls["handshake_time"]["min_ns"] < 1e9
    text = report.process.stdout
    assert "4 handshakes" in text and "TLSv1.3 TLS_" in text and "handshake    p50" in text
    assert secured.finish() == "served 2000 requests\n"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_versions(secured, tmp_path, version):
    versions = ["--tls-min", version, "--tls-max", version]
    report = Report(tmp_path, https(secured), "--insecure", *versions, "-n", 100, "-c", 2)
    assert report.status == 0 and next(iter(report.json["tls"]["agreed"])).startswith(f"TLSv{version} ")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption(secured, tmp_path, version):
    arguments = [https(secured), "--insecure", "--tls-max", version, "--new-connection-per-request", "-n", 300, "-c", 4]
    full = Report(tmp_path, *arguments)
    assert full.json["tls"]["handshakes"] == 300 and full.json["tls"]["resumed"] == 0
    resumed = Report(tmp_path, *arguments, "--resume")
    # Only the first on each place of a connection has no ticket.
    assert resumed.json["tls"]["handshakes"] == 300 and 292 <= resumed.json["tls"]["resumed"] <= 299
    assert full.status == resumed.status == 0


def test_a_certificate_made_at_start(load_origin, tmp_path):
    assert Report(tmp_path, https(load_origin("--tls")), "--insecure", "-n", 10).status == 0


def test_a_server_that_is_not_ours(python_server, authority, tmp_path):
    for settings in {}, {"maximum_version": ssl.TLSVersion.TLSv1_2}:
        origin = python_server(**settings)
        arguments = ["--ca-file", authority.pem, "--expect-body", "ok", "-c", 3]
        assert Report(tmp_path, https(origin), *arguments, "-n", 300).status == 0
        # Its connections do not end, so we end them.
        report = Report(tmp_path, https(origin), *arguments, "-n", 30, "--new-connection-per-request", "--resume")
        assert report.status == 0 and report.json["tls"]["resumed"] >= 20, report.json


def test_ciphers_that_stay_with_the_library(python_server, tmp_path):
    origin = python_server(
        maximum_version=ssl.TLSVersion.TLSv1_2, ciphers=lambda context: context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    )
    report = Report(tmp_path, https(origin), "--insecure", "-n", 300, "-c", 3, "--expect-body", "ok")
    assert report.status == 0 and report.json["tls"]["agreed"] == {"TLSv1.2 ECDHE-ECDSA-AES128-SHA256": 3}


def test_the_name_is_asked_for_and_expected(python_server, authority, tmp_path):
    asked = []

    def note(context):
        context.sni_callback = lambda tls, name, _: asked.append(name)

    origin = python_server(sni=note)
    Report(tmp_path, https(origin), "--ca-file", authority.pem, "-n", 1, "-c", 1)
    Report(tmp_path, https(origin), "--ca-file", authority.pem, "-n", 1, "-c", 1, "--server-name", "origin.example")
    assert asked == [None, "origin.example"], "addresses are not asked for"


def test_client_certificates(python_server, authority, tmp_path):
    client = authority.issue("load.example")
    origin = python_server(
        verify_mode=ssl.CERT_REQUIRED, authorities=lambda context: context.load_verify_locations(authority.pem)
    )
    arguments = [https(origin), "--ca-file", authority.pem, "-n", 10, "-c", 1]
    assert Report(tmp_path, *arguments, "--cert", client.chain, "--key", client.key).status == 0
    assert dict(field[0] for field in origin.peers[0]["subject"])["commonName"] == "load.example"
    refused = run(*arguments)
    assert refused.returncode == 1 and "certificate required" in refused.stderr, refused.stderr


def test_echo_over_tls(load_origin, tmp_path):
    origin = load_origin("--tls", "--echo")
    report = Report(tmp_path, f"tls://127.0.0.1:{origin.port}", "--insecure", "--tcp-echo", "100k", "-n", 50, "-c", 3)
    assert report.status == 0 and report.totals["successes"] == 50


def test_the_origin_for_other_clients(secured, authority):
    command = ["curl", "-s", "--cacert", authority.pem, f"https://127.0.0.1:{secured.port}/size/200000"]
    assert len(subprocess.run(command, capture_output=True, check=True).stdout) == 200_000


# Wrong


def test_what_is_wrong_with_a_certificate_is_one_sentence(load_origin, authority, secured, tmp_path):
    other = Authority(tmp_path / "other", "Other CA")
    expired = authority.issue("old", ["IP:127.0.0.1"], days=-1)
    old = load_origin("--tls-cert", expired.chain, "--tls-key", expired.key)
    right = ["--ca-file", authority.pem]
    for origin, arguments, said in [
        (secured, ["--ca-file", other.pem], "not trusted (unable to get local issuer certificate)"),
        (secured, [], "not trusted"),
        (secured, [*right, "--server-name", "x.example"], "not for x.example"),
        (old, right, "not trusted (certificate has expired)"),
    ]:
        result = run(https(origin), *arguments)
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and result.stdout == ""
        sentence = f"apus-load: no TLS with 127.0.0.1:{origin.port}: the peer's certificate is {said}"
        assert result.stderr.startswith(sentence), result.stderr


def test_the_other_side_speaks_no_tls_or_another_version(load_origin, python_server):
    plain = load_origin()
    result = run(https(plain), "--insecure")
    assert result.returncode == 1 and "the peer does not speak TLS" in result.stderr
    old = python_server(maximum_version=ssl.TLSVersion.TLSv1_2)
    result = run(https(old), "--insecure", "--tls-min", "1.3")
    assert result.returncode == 1 and "alert 'protocol version'" in result.stderr, result.stderr


def test_a_server_that_says_nothing(make):
    silence = threading.Event()
    origin = make.origin(raw=lambda connection: silence.wait(20))
    result = run(https(origin), "--insecure", "--connect-timeout", "200ms")
    silence.set()
    assert result.returncode == 1 and "in time (the TLS handshake takes too long)" in result.stderr


def test_broken_records_are_counted(make, server, tmp_path):
    """A relay that flips a byte in the answer."""
    inner = PythonServer(server)

    def relay(connection):
        with socket.create_connection(("127.0.0.1", inner.port)) as upstream:

            def back():
                pieces = 0
                try:
                    while data := bytearray(upstream.recv(65536)):
                        pieces += 1
                        if b"\x17\x03\x03" == data[:3] and pieces > 3:
                            data[-1] ^= 1
                        connection.sock.sendall(data)
                except OSError:
                    pass  # one of the two has closed

            threading.Thread(target=back, daemon=True).start()
            while data := connection.sock.recv(65536):
                upstream.sendall(data)

    origin = make.origin(raw=relay)
    report = Report(tmp_path, https(origin), "--insecure", "-n", 20, "-c", 1, "-d", "5s")
    inner.stop()
    assert report.status == 1 and report.errors.get("tls_failed", 0) > 0, report.json["errors"]
    assert "first tls_failed: a record is not authentic" in report.process.stderr


def test_a_body_that_ends_without_close_notify_is_cut_off(make, server, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.chain, server.key)

    def serve(connection, says_goodbye):
        tls = context.wrap_socket(connection.sock, server_side=True)
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        if says_goodbye:
            tls.unwrap()
        tls.close()

    good = Report(tmp_path, https(make.origin(raw=lambda c: serve(c, True))), "--insecure", "-n", 5, "-c", 1)
    assert good.status == 0 and good.totals["successes"] == 5
    cut = Report(tmp_path, https(make.origin(raw=lambda c: serve(c, False))), "--insecure", "-n", 5, "-c", 1)
    assert cut.errors == {"closed_early": 5}


U = "https://127.0.0.1:9/"
USAGE = [
    (["http://127.0.0.1:9/", "--insecure"], "--insecure needs an https://"),
    ([U, "--tls-min", "1.1"], "--tls-min 1.1: expected 1.2 or 1.3"),
    ([U, "--ca-file", "/no/such/file"], "--ca-file /no/such/file: cannot read"),
    ([U, "--ca-file", __file__], "no PEM certificate in the file"),
    ([U, "--insecure", "--cert", __file__], "--cert needs --key"),
    ([U, "--tls"], "--tls goes with --origin"),
    (["--origin", "127.0.0.1:0", "--tls-cert", __file__], "--tls-cert needs --tls-key"),
    (["--origin", "127.0.0.1:0", "--tls-cert", __file__, "--tls-key", __file__], "no PEM certificate in the file"),
]


@pytest.mark.parametrize("arguments,said", USAGE, ids=[" ".join(row[0])[-60:] for row in USAGE])
def test_a_mistake_is_one_sentence(arguments, said):
    result = run(*arguments)
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1, result.stderr
    assert said in result.stderr


def test_a_key_of_another_certificate(authority, server):
    other = authority.issue("other")
    result = run("--origin", "127.0.0.1:0", "--tls-cert", server.chain, "--tls-key", other.key)
    assert result.returncode == 2 and "the key is not that of the certificate" in result.stderr
    locked = authority.issue("locked", password="x")
    result = run(U, "--insecure", "--cert", locked.chain, "--key", locked.key)
    assert result.returncode == 2 and "the key is encrypted; give one without a password" in result.stderr


def test_the_origin_outlives_clients_that_do_not_finish(secured, tmp_path):
    for piece in [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\xff\xff" + bytes(70_000)]:
        with socket.create_connection(("127.0.0.1", secured.port)) as sock:
            sock.settimeout(5)
            try:
                sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            except TimeoutError:
                raise
            except OSError:
                pass  # it may close before it has read all, and before this side says that it is done
    assert Report(tmp_path, https(secured), "--insecure", "-n", 100).status == 0
