"""TLS of clients: versions, certificates, protocols, resumption, bodies, ends, and clients' certificates."""

import hashlib
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading

import pytest

from harness import config, tls, wait
from harness.client import Client, get, head_bytes
from harness.tls import MemoryTLS, Truncated

GET = head_bytes("GET", "/", [])
FLUSH = ["--file-flush-interval-msec", "20"]


def http(*identities, hcm=None, listener=None, **common):
    made = config.http_listener(config.virtual_host(config.route()), hcm=hcm, listener=listener)
    return config.with_tls(made, *identities, **common)


def start(make, listener, origin=None, **options):
    origin = origin or make.origin()
    return make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]), **options)


@pytest.fixture(scope="module")
def plain(make_shared, server):
    """One ECDSA certificate, HTTP behind it."""
    return start(make_shared, http(server, alpn=["h2", "http/1.1"]), concurrency=2)


def s_client(proxy, *arguments, data=b"", port=None):
    """What openssl s_client says."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port or proxy.port()}", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=20)
    return (done.stdout + done.stderr).decode(errors="replace")


def curl(proxy, *arguments, path="/", listener="http"):
    target = f"https://server.example:{proxy.port(listener)}{path}"
    resolve = f"server.example:{proxy.port(listener)}:127.0.0.1"
    command = ["curl", "-sS", "--max-time", "20", "--resolve", resolve, *map(str, arguments), target]
    done = subprocess.run(command, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


# Versions, keys, protocols


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ec", "rsa", "P-384"])
def test_versions_and_keys(make, ca, certificates, version, kind):
    proxy = start(make, http(certificates.issue(kind=kind)))
    with Client(proxy.port(), tls=tls.client_context(ca, version)) as client:
        assert client.sock.version() == f"TLSv{version}"
        for _ in range(3):
            assert client.get().status == 200
    assert proxy.listener_stat("ssl.handshake") == 1
    assert proxy.listener_stat(f"ssl.versions.TLSv{version}") == 1
    assert proxy.listener_stat("ssl.no_certificate") == 1
    assert proxy.listener_stat("ssl.connection_error") == 0


@pytest.mark.parametrize(
    "cipher", [f"ECDHE-{kind}-{name}" for kind in ("ECDSA", "RSA") for name in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")]
)  # fmt: skip
def test_suites_with_both_kinds_of_key(make_shared, ca, certificates, cipher):
    proxy = both_keys(make_shared, certificates)
    with Client(proxy.port(), tls=tls.client_context(ca, "1.2", ciphers=cipher)) as client:
        assert client.sock.cipher()[0] == cipher
        assert [client.get().status for _ in range(2)] == [200, 200]


_both = {}


def both_keys(make_shared, certificates):
    if id(make_shared) not in _both:
        listener = http(certificates.issue(), certificates.issue(kind="rsa"))
        _both[id(make_shared)] = start(make_shared, listener)
    return _both[id(make_shared)]


@pytest.mark.apus_only
def test_cipher_that_has_to_stay_in_the_library(make, ca, certificates):
    """CBC: records are not ours. Everything else is the same."""
    listener = http(certificates.issue(), tls_params={"cipher_suites": ["ECDHE-ECDSA-AES128-SHA"]}, versions=None)
    script = lambda connection, request: connection.reply(bytes(200_000))  # noqa: E731
    proxy = start(make, listener, make.origin(script))
    with Client(proxy.port(), tls=tls.client_context(ca, "1.2", ciphers="ECDHE-ECDSA-AES128-SHA")) as client:
        for _ in range(3):
            assert client.request("POST", "/", body=bytes(100_000)).body == bytes(200_000)
        client.send(GET + GET)
        assert [len(client.response().body) for _ in range(2)] == [200_000] * 2


def test_certificates_by_name(make, ca, certificates):
    names = {
        "a.example": ("DNS:a.example",), "b.example": ("DNS:b.example", "DNS:also-b.example"), "wild": ("DNS:*.w.example",),
    }  # fmt: skip
    issued = {name: certificates.issue(name, sans=sans) for name, sans in names.items()}
    listener = http(*issued.values())
    listener["listener_filters"] = [config.tls_inspector()]
    proxy = start(make, listener)

    def shown(server_name):
        with Client(proxy.port(), tls=tls.client_context(), server_name=server_name) as client:
            assert client.get().status == 200
            return next(name for name, one in issued.items() if one.der == client.sock.getpeercert(True))

    assert shown("a.example") == "a.example"
    if proxy.kind == "apus":  # names have no case (RFC 6066 section 3); Envoy takes them as they are
        assert shown("B.Example") == "b.example"
    assert shown("also-b.example") == "b.example"
    assert shown("x.w.example") == "wild"
    assert shown("x.y.w.example") == "a.example", "a wildcard is one label; without a match the first certificate"
    assert shown("unknown.example") == "a.example"
    assert shown(None) == "a.example"


def test_key_kind_by_what_the_client_can(make_shared, certificates):
    proxy = both_keys(make_shared, certificates)

    def kind(*arguments):
        return re.search(r"Peer signature type: (\S+)", s_client(proxy, *arguments)).group(1)

    assert kind("-tls1_3") == "ECDSA"
    assert kind("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256:rsa_pkcs1_sha256").startswith("RSA")
    assert kind("-tls1_2") == "ECDSA"
    assert kind("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256").startswith("RSA")


@pytest.mark.parametrize("version", ["--tls-max 1.2", "--tlsv1.3"])
@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_curl(plain, ca, version, protocol):
    written = "%{http_version} %{ssl_verify_result}"
    said = curl(plain, *version.split(), protocol, "--cacert", ca.pem, "-o", os.devnull, "-w", written)
    assert said == (b"2 0" if protocol == "--http2" else b"1.1 0")


def test_application_protocols(plain, ca):
    def agreed(*offered):
        with Client(plain.port(), tls=tls.client_context(ca, alpn=offered)) as client:
            return client.sock.selected_alpn_protocol()

    assert agreed("h2", "http/1.1") == "h2"
    assert agreed("http/1.1", "h2") == "h2", "the listener's order counts"
    assert agreed("http/1.1") == "http/1.1"
    assert agreed("something") is None
    assert agreed() is None
    with Client(plain.port(), tls=tls.client_context(ca, alpn=["something"])) as client:
        assert client.get().status == 200


def test_scheme_is_told(plain, ca):
    body = get(plain.port(), tls=tls.client_context(ca)).body.decode()
    assert '["x-forwarded-proto", "https"]' in body


def test_http2_many_requests(make, ca, server):
    """One connection, many large responses at once."""
    payload = os.urandom(1 << 20)
    proxy = start(make, http(server, alpn=["h2"]), make.origin(lambda c, r: c.reply(payload)))
    files = [make.directory / f"out-{i}" for i in range(8)]
    command = ["curl", "-sS", "--max-time", "30", "--http2", "--parallel", "--cacert", str(ca.pem)]
    command += ["--resolve", f"server.example:{proxy.port()}:127.0.0.1"]
    for file in files:
        command += ["-o", str(file), f"https://server.example:{proxy.port()}/"]
    done = subprocess.run(command, capture_output=True, timeout=40)
    assert done.returncode == 0, done.stderr
    assert all(file.read_bytes() == payload for file in files)


# Resumption


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_session_resumption_across_workers(plain, ca, version):
    context = tls.client_context(ca, version)
    before = plain.listener_stat("ssl.session_reused")
    session, resumed = None, []
    for _ in range(12):
        with Client(plain.port(), tls=context, session=session) as client:
            assert client.get().status == 200
            resumed.append(client.sock.session_reused)
            session = client.sock.session
    assert resumed == [False] + [True] * 11
    assert plain.listener_stat("ssl.session_reused") == before + 11


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_resumes(plain, version, tmp_path):
    session = tmp_path / "session"
    # s_client ends at the end of its input: the request makes sure that the ticket has come.
    request = head_bytes("GET", "/", [("connection", "close")])
    arguments = [version, "-servername", "server.example", "-ign_eof"]
    assert "New, TLS" in s_client(plain, *arguments, "-sess_out", session, data=request)
    assert "Reused, TLS" in s_client(plain, *arguments, "-sess_in", session, data=request)


def test_s_client_reconnects(plain):
    said = s_client(plain, "-tls1_2", "-reconnect")
    assert said.count("Reused, TLS") == 5


@pytest.mark.apus_only
def test_resumption_across_reloads(make, ca, server):
    origin = make.origin()
    document = config.bootstrap([http(server)], [config.cluster("origin", origin.port)])
    proxy = make.proxy(document)
    context = tls.client_context(ca, "1.3")
    with Client(proxy.port(), tls=context) as client:
        client.get()
        session = client.sock.session
    proxy.write_config(config.with_generation(document, 2))
    wait.until(lambda: get(proxy.port(), tls=tls.client_context(ca)).get("x-generation") == "2", "the reload")
    with Client(proxy.port(), tls=context, session=session) as client:
        client.get()
        assert client.sock.session_reused


def test_no_resumption_when_switched_off(make, ca, server):
    context = {"disable_stateless_session_resumption": True, "disable_stateful_session_resumption": True}
    proxy = start(make, http(server, context=context))
    for version in ("1.2", "1.3"):
        client_context, session = tls.client_context(ca, version), None
        for _ in range(2):
            with Client(proxy.port(), tls=client_context, session=session) as client:
                client.get()
                assert not client.sock.session_reused
                session = client.sock.session


def test_ticket_keys_from_files_serve_another_proxy(make, ca, server, tmp_path):
    key = tmp_path / "ticket.key"
    key.write_bytes(os.urandom(80))
    context = {"session_ticket_keys": {"keys": [{"filename": str(key)}]}}
    first, second = (start(make, http(server, context=context)) for _ in range(2))
    client_context = tls.client_context(ca, "1.3")
    with Client(first.port(), tls=client_context) as client:
        client.get()
        session = client.sock.session
    with Client(second.port(), tls=client_context, session=session) as client:
        client.get()
        assert client.sock.session_reused


# Records


@pytest.mark.parametrize("asks", ["K", "k"])
def test_key_update(plain, asks):
    """`K` asks for the proxy's new keys too, `k` only changes the client's."""
    said = interactive_key_updates(plain, asks)
    assert said.count("HTTP/1.1 200") == 3, said
    assert said.count("KEYUPDATE") == 3, said


def interactive_key_updates(proxy, letter):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port()}", "-tls1_3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        os.set_blocking(client.stdout.fileno(), False)
        said = b""

        def until(text, count):
            def look():
                nonlocal said
                said += client.stdout.read() or b""
                return said.count(text) >= count

            wait.until(look, f"{count} times {text!r} in {said[-300:]!r}")

        until(b"SSL handshake has read", 1)
        for number in range(1, 4):
            client.stdin.write(letter.encode() + b"\n")
            client.stdin.flush()
            until(b"KEYUPDATE", number)
            client.stdin.write(GET)
            client.stdin.flush()
            until(b"HTTP/1.1 200", number)
        client.kill()
    return said.decode(errors="replace")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_pipelined_requests_in_records_of_their_own(plain, ca, version):
    """The second waits as a record until the first is answered."""
    with MemoryTLS(plain.port(), tls.client_context(ca, version)) as client:
        client.handshake()
        client.sock.sendall(b"".join(client.seal(head_bytes("GET", f"/{i}", [])) for i in range(5)))
        bodies = [client.stream.response().body for _ in range(5)]
        assert [f'"/{i}"'.encode() in body for i, body in enumerate(bodies)] == [True] * 5


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_data_glued_to_the_end_of_the_handshake(plain, ca, version):
    with MemoryTLS(plain.port(), tls.client_context(ca, version)) as client:
        client.handshake(holds_last=True)
        # TLS 1.2 ends with the server's Finished: there the request is the first flight after it.
        client.sock.sendall(client.taken() + client.seal(GET) + client.seal(GET))
        assert [client.stream.response().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_records_byte_by_byte(plain, ca, version):
    relay = tls.Relay(plain.port(), size=1)
    try:
        with Client(relay.port, tls=tls.client_context(ca, version)) as client:
            for _ in range(3):
                assert client.request("POST", "/", body=b"x" * 300).status == 200
    finally:
        relay.stop()


@pytest.mark.parametrize("size", [2, 3, 5, 7, 13, 1448, 16384])
def test_records_in_pieces(plain, ca, size):
    relay = tls.Relay(plain.port(), size=size, backward_size=size)
    body = os.urandom(40_000 if size > 10 else 1000)
    try:
        with Client(relay.port, tls=tls.client_context(ca)) as client:
            answer = client.request("POST", "/", body=body)
            assert answer.status == 200 and len(answer.body) > len(body)
    finally:
        relay.stop()


def test_every_cut_of_two_records(plain, ca):
    """Two requests, cut once at each byte; both halves reach the proxy in segments of their own."""
    with MemoryTLS(plain.port(), tls.client_context(ca)) as client:
        client.handshake()
        for cut in range(1, 2 * (len(GET) + 22), 3):
            data = client.seal(GET) + client.seal(GET)
            client.sock.sendall(data[:cut])
            client.sock.sendall(data[cut:])
            assert [client.stream.response().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_damaged_record(make, ca, server, version, tmp_path):
    log = tmp_path / "listener.log"
    text = "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"
    proxy = start(make, http(server, listener={"access_log": [config.file_log(log, text)]}), arguments=FLUSH)
    with MemoryTLS(proxy.port(), tls.client_context(ca, version)) as client:
        client.handshake()
        client.sendall(GET)
        assert client.stream.response().status == 200
        data = bytearray(client.seal(GET))
        data[-1] ^= 1
        client.sock.sendall(data)
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC|bad record mac"):
            client.recv(1)
    # Envoy counts what it finds twice.
    assert proxy.listener_stat("ssl.connection_error") == (1 if proxy.kind == "apus" else 2)
    line = wait.until(lambda: log.exists() and log.read_text(), "the listener's log")
    assert "DECRYPTION_FAILED_OR_BAD_RECORD_MAC" in line
    assert get(proxy.port(), tls=tls.client_context(ca)).status == 200


# Bodies


def pattern(count):
    return hashlib.shake_128(b"body").digest(count)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_large_bodies(make, ca, server, version):
    body = pattern(12 << 20)

    def script(connection, request):
        assert hashlib.sha256(request.body).digest() == hashlib.sha256(body).digest()
        connection.reply(request.body)

    proxy = start(make, http(server), make.origin(script))
    with Client(proxy.port(), tls=tls.client_context(ca, version), timeout=30) as client:
        # One thread: Python's TLS objects may not be read and written at once.
        answer = client.request("POST", "/", body=body)
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()


def test_slow_reader_is_bounded(make, ca, server):
    """A client that does not read holds up the origin, not the proxy's memory."""
    sent = [0]

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
        for _ in range(1024):
            connection.send(bytes(65536))
            sent[0] += 65536

    proxy = start(make, http(server), make.origin(script))
    with Client(proxy.port(), tls=tls.client_context(ca), receive_buffer_bytes=65536, timeout=30) as client:
        before = proxy.resident_kib()
        client.send(GET)
        wait.until(lambda: sent[0], "the first bytes")
        held = wait.until_steady(lambda: sent[0], "the origin is held up")
        assert 0 < held < 48 << 20
        assert proxy.resident_kib() - before < 8 << 10
        answer = client.response()
        assert answer.body == bytes(64 << 20)


def test_slow_origin_is_bounded(make, ca, server):
    """The origin does not read: the client is held up with few bytes in the proxy."""
    goes_on = threading.Event()

    def script(connection, request):
        goes_on.wait(20)
        connection.request_body(request)
        assert request.body == bytes(32 << 20)
        connection.reply(b"done")

    origin = make.origin(script, read_body=False)
    origin.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    proxy = start(make, http(server), origin)
    with Client(proxy.port(), tls=tls.client_context(ca), timeout=30) as client:
        before = proxy.resident_kib()
        sent = [0]

        def send():
            client.send(head_bytes("POST", "/", [("content-length", str(32 << 20))]))
            for _ in range(512):
                client.send(bytes(65536))
                sent[0] += 65536

        sender = threading.Thread(target=send)
        sender.start()
        wait.until(lambda: sent[0], "the first bytes")
        assert 0 < wait.until_steady(lambda: sent[0], "the client is held up") < 24 << 20
        assert proxy.resident_kib() - before < 8 << 10
        goes_on.set()
        sender.join()
        assert client.response().body == b"done"


# Ends


def tcp(make, server, raw, **fields):
    origin = make.origin(raw=raw)
    listener = config.with_tls(config.tcp_listener(**fields), server)
    proxy = make.proxy(config.bootstrap([listener], [config.cluster("origin", origin.port)]))
    return proxy, origin


def echo_until_end(connection):
    data = connection.to_end()
    connection.send(b"got " + data)
    connection.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tcp_echo(make, ca, server, version):
    def raw(connection):
        while data := connection.sock.recv(65536):
            connection.send(data)

    proxy, _ = tcp(make, server, raw)
    body = pattern(2 << 20)
    with Client(proxy.port("tcp"), tls=tls.client_context(ca, version), timeout=20) as client:
        for at in range(0, len(body), 65536):
            client.send(body[at : at + 65536])
            assert client.stream.exactly(65536) == body[at : at + 65536]


def test_half_close_of_the_client(make, ca, server):
    """close_notify is passed on as the end of the client's direction alone."""
    proxy, _ = tcp(make, server, echo_until_end)
    with MemoryTLS(proxy.port("tcp"), tls.client_context(ca, "1.3")) as client:
        client.handshake()
        client.sendall(b"hello")
        client.say_close()
        assert client.stream.to_end() == b"got hello"
        assert client.recv(1) == b"", "close_notify of the proxy"


def test_half_close_of_the_host(make, ca, server):
    """The host's FIN becomes a close_notify; the client may still send."""
    got = []

    def raw(connection):
        connection.send(b"bye")
        connection.sock.shutdown(socket.SHUT_WR)
        got.append(connection.to_end())

    proxy, _ = tcp(make, server, raw)
    with MemoryTLS(proxy.port("tcp"), tls.client_context(ca, "1.3")) as client:
        client.handshake()
        assert client.recv(10) == b"bye"
        assert client.recv(10) == b""
        client.sendall(b"still here")
        client.say_close()
        wait.until(lambda: got == [b"still here"], "the client's last words")


def test_end_without_close_notify_is_an_end(make, ca, server):
    proxy, _ = tcp(make, server, echo_until_end)
    with MemoryTLS(proxy.port("tcp"), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(b"hello")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.stream.to_end() == b"got hello"


def test_half_close_with_much_on_its_way(make, ca, server):
    """Nothing is lost that was sent before close_notify, however slowly the host reads."""
    size, digests = 6 << 20, []

    def raw(connection):
        digest, count = hashlib.sha256(), 0
        while data := connection.sock.recv(30_000):
            digest.update(data)
            count += len(data)
        digests.append((count, digest.digest()))

    proxy, _ = tcp(make, server, raw)
    body = pattern(size)
    with MemoryTLS(proxy.port("tcp"), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(body)
        client.say_close()
        client.sock.shutdown(socket.SHUT_WR)
        wait.until(lambda: digests, "the host has read to the end", 20)
    assert digests == [(size, hashlib.sha256(body).digest())]


def test_close_notify_after_the_last_response(plain, ca):
    with MemoryTLS(plain.port(), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(head_bytes("GET", "/", [("connection", "close")]))
        assert client.stream.response().status == 200
        assert client.recv(1) == b"", "close_notify, then FIN"
        with pytest.raises(Truncated):
            client.fill()


def test_close_notify_of_an_idle_timeout(make, ca, server):
    proxy = start(make, http(server, hcm={"common_http_protocol_options": {"idle_timeout": "1s"}}))
    with MemoryTLS(proxy.port(), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(GET)
        assert client.stream.response().status == 200
        assert client.recv(1) == b"", "close_notify"


def test_client_says_goodbye(plain, ca):
    """close_notify on an idle connection: the proxy closes too."""
    with MemoryTLS(plain.port(), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(GET)
        assert client.stream.response().status == 200
        client.say_close()
        try:
            while True:
                client.fill()
        except (Truncated, ConnectionResetError):
            pass


def test_request_and_close_notify_in_one_segment(make, ca, server):
    """HTTP/1 clients that leave before the answer have given it up, as on plaintext."""
    proxy = start(make, http(server))
    with MemoryTLS(proxy.port(), tls.client_context(ca)) as client:
        client.handshake()
        data = client.seal(GET)
        try:
            client.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        client.sock.sendall(data + client.taken())
        client.sock.shutdown(socket.SHUT_WR)
        try:
            while True:
                client.fill()
        except (Truncated, ConnectionResetError):
            pass
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "the connection is over")
    assert proxy.stat("http.ingress.downstream_rq_active") == 0


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_everything_in_one_segment(make, ca, server, says_goodbye):
    """The end of the handshake, a request, close_notify and FIN: nothing stays open."""
    proxy = start(make, http(server))
    for _ in range(5):
        with MemoryTLS(proxy.port(), tls.client_context(ca, "1.3")) as client:
            client.handshake(holds_last=True)
            data = client.taken() + client.seal(GET)
            if says_goodbye:
                with pytest.raises(ssl.SSLWantReadError):
                    client.tls.unwrap()
                data += client.taken()
            client.sock.sendall(data)
            client.sock.shutdown(socket.SHUT_WR)
            try:
                while True:
                    client.fill()
            except (Truncated, ConnectionResetError):
                pass
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "the connections are over")
    assert proxy.listener_stat("ssl.handshake") == 5
    assert proxy.stat("http.ingress.downstream_rq_active") == 0


def test_ends_in_the_handshake(make, ca, server):
    """Clients that leave at every point of a handshake are no TLS errors and leave nothing behind."""
    proxy = start(make, http(server))
    context = tls.client_context(ca)
    hello = MemoryTLS(proxy.port(), context)
    with pytest.raises(ssl.SSLWantReadError):
        hello.tls.do_handshake()
    data = hello.taken()
    for cut in [0, 1, 5, 6, 100, len(data)]:
        with socket.create_connection(("127.0.0.1", proxy.port())) as client:
            client.sendall(data[:cut])
            if cut == len(data):
                assert client.recv(1), "the server's flight"
            if cut % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    hello.close()
    wait.until(lambda: proxy.listener_stat("downstream_cx_active") == 0, "all are over")
    assert proxy.listener_stat("ssl.connection_error") == 0
    assert proxy.listener_stat("ssl.handshake") == 0
    if proxy.kind == "apus":
        assert proxy.sum(r".*tls_handshakes_(active|waiting)") == 0


@pytest.mark.apus_only
def test_handshake_has_a_deadline(make, ca, server, tmp_path):
    log = tmp_path / "log"
    listener = http(server, listener={"access_log": [config.file_log(log, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n")]})
    listener["filter_chains"][0]["transport_socket_connect_timeout"] = "0.3s"
    proxy = start(make, listener, arguments=FLUSH)
    with socket.create_connection(("127.0.0.1", proxy.port()), timeout=5) as client:
        client.sendall(b"\x16\x03\x01")
        assert client.recv(1) == b""
    assert proxy.listener_stat("downstream_cx_transport_socket_connect_timeout") == 1
    assert wait.until(log.read_text, "the log").startswith("handshake_timed_out_after_3")


# Mistakes


def test_plaintext_on_a_tls_port(make, ca, server, tmp_path):
    log = tmp_path / "log"
    listener = http(server, listener={"access_log": [config.file_log(log, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n")]})
    proxy = start(make, listener, arguments=FLUSH)
    for data, reason in (
        (GET, "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST"),
        (b"\0\1\2\3\4\5\6\7\10\11\12\13", "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
    ):
        with socket.create_connection(("127.0.0.1", proxy.port()), timeout=5) as client:
            client.sendall(data)
            try:
                while client.recv(100):
                    pass
            except ConnectionResetError:
                pass
        line = wait.until(lambda: log.exists() and log.read_text(), "the listener's log")
        assert line.startswith(reason), line
        os.truncate(log, 0)
    assert proxy.listener_stat("ssl.connection_error") == 2


@pytest.mark.apus_only
def test_tls_on_a_plaintext_port(make, tmp_path):
    log = tmp_path / "log"
    proxy = make.proxy(
        config.simple(make.origin().port, access_log=[config.file_log(log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")]),
        arguments=FLUSH,
    )
    with pytest.raises(ssl.SSLError):
        Client(proxy.port(), tls=tls.client_context())
    line = wait.until(lambda: log.exists() and log.read_text(), "the log")
    assert line.startswith("400 http1.codec_error")


@pytest.mark.parametrize("least", ["TLSv1_2", "TLSv1_3"])
def test_too_old_a_client(make, server, tmp_path, least):
    log = tmp_path / "log"
    listener = http(
        server, versions=(least, "TLSv1_3"),
        listener={"access_log": [config.file_log(log, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n")]},
    )  # fmt: skip
    proxy = start(make, listener, arguments=FLUSH)
    version = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"] if least == "TLSv1_2" else ["-tls1_2"]
    assert "alert protocol version" in s_client(proxy, *version)
    assert "UNSUPPORTED_PROTOCOL" in wait.until(lambda: log.exists() and log.read_text(), "the log")
    assert proxy.listener_stat("ssl.connection_error") == 1


@pytest.mark.apus_only
def test_client_that_does_not_trust_us(make, certificates, server, tmp_path):
    log = tmp_path / "log"
    listener = http(server, listener={"access_log": [config.file_log(log, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n")]})
    proxy = start(make, listener, arguments=FLUSH)
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(proxy.port(), tls=tls.client_context(certificates.authority("Other CA")))
    line = wait.until(lambda: log.exists() and log.read_text(), "the log")
    assert line.startswith("TLS_error:|268436504:SSL_routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA"), line
    assert proxy.listener_stat("ssl.connection_error") == 1


# Certificates of clients


class Mutual:
    """A listener that asks for certificates, and what it says of those that come."""

    def __init__(self, make, server, required=True, **rules):
        self.log = pathlib.Path(make.directory) / "listener.log"
        text = "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"
        listener = http(
            server, context={"require_client_certificate": required},
            listener={"access_log": [config.file_log(self.log, text)]}, **rules,
        )  # fmt: skip
        self.proxy = start(make, listener, arguments=FLUSH)

    def accepts(self, ca, identity, version=None):
        return get(self.proxy.port(), tls=tls.client_context(ca, version, identity=identity)).status == 200

    def refuses(self, ca, identity, counter, alert, reason, version=None):
        before = self.proxy.listener_stat(f"ssl.{counter}")
        errors = self.proxy.listener_stat("ssl.connection_error")
        if self.log.exists():
            os.truncate(self.log, 0)
        with pytest.raises(ssl.SSLError) as found:
            get(self.proxy.port(), tls=tls.client_context(ca, version, identity=identity))
        # Envoy closes with a reset, which may overtake the alert; for pins it has another one.
        if self.proxy.kind == "apus":
            assert alert in str(found.value).lower().replace("_", " "), found.value
        assert self.proxy.listener_stat(f"ssl.{counter}") == before + 1
        assert self.proxy.listener_stat("ssl.connection_error") == errors
        wait.until(lambda: self.log.exists() and reason in self.log.read_text(), f"{reason} in the listener's log", 3)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_certificate_required(make, ca, certificates, server, version):
    mutual = Mutual(make, server, trusts=ca)
    assert mutual.accepts(ca, certificates.issue("client"), version)
    none = "certificate required" if version == "1.3" else "handshake failure"
    mutual.refuses(ca, None, "fail_verify_no_cert", none, "PEER_DID_NOT_RETURN_A_CERTIFICATE", version)
    stranger = certificates.issue("client", by="Other CA")
    mutual.refuses(ca, stranger, "fail_verify_error", "unknown ca", "CERTIFICATE_VERIFY_FAILED", version)
    expired = certificates.issue("client", days=-2)
    mutual.refuses(ca, expired, "fail_verify_error", "certificate expired", "certificate_has_expired", version)
    assert mutual.accepts(ca, certificates.issue("client"), version)


def test_client_certificate_optional(make, ca, certificates, server):
    mutual = Mutual(make, server, required=False, trusts=ca)
    assert mutual.accepts(ca, None)
    assert mutual.accepts(ca, certificates.issue("client"))
    assert mutual.proxy.listener_stat("ssl.no_certificate") == 1
    stranger = certificates.issue("client", by="Other CA")
    mutual.refuses(ca, stranger, "fail_verify_error", "unknown ca", "CERTIFICATE_VERIFY_FAILED")


def test_client_names(make, ca, certificates, server):
    matchers = [
        {"san_type": "DNS", "matcher": {"suffix": ".clients.example"}},
        {"san_type": "URI", "matcher": {"exact": "spiffe://td/one"}},
    ]
    mutual = Mutual(make, server, trusts=ca, validation={"match_typed_subject_alt_names": matchers})
    assert mutual.accepts(ca, certificates.issue("c", sans=("DNS:a.clients.example",)))
    assert mutual.accepts(ca, certificates.issue("c", sans=("DNS:x.example", "URI:spiffe://td/one")))
    wrong = certificates.issue("c", sans=("DNS:x.example", "URI:spiffe://td/two"))
    mutual.refuses(ca, wrong, "fail_verify_san", "certificate unknown", "SAN_matcher")
    assert "spiffe://td/two" in mutual.log.read_text() or mutual.proxy.kind == "envoy"


@pytest.mark.parametrize("pin", ["hash", "colons", "spki"])
def test_pinned_clients(make, ca, certificates, server, pin):
    good, bad = certificates.issue("pinned"), certificates.issue("not pinned")
    if pin == "spki":
        rules = {"verify_certificate_spki": [good.spki]}
    else:
        digest = good.digest
        if pin == "colons":
            digest = ":".join(digest[i : i + 2] for i in range(0, 64, 2)).upper()
        rules = {"verify_certificate_hash": [digest]}
    mutual = Mutual(make, server, trusts=ca, validation=rules)
    assert mutual.accepts(ca, good)
    mutual.refuses(ca, bad, "fail_verify_cert_hash", "certificate unknown", "cert_hash_and_spki")


def test_resumed_clients_are_still_known(make, ca, certificates, server):
    mutual = Mutual(make, server, trusts=ca)
    for version in ("1.2", "1.3"):
        context, session = tls.client_context(ca, version, identity=certificates.issue("client")), None
        for number in range(2):
            with Client(mutual.proxy.port(), tls=context, session=session) as client:
                assert client.get().status == 200
                assert client.sock.session_reused == (number > 0)
                session = client.sock.session
