"""TLS to hosts: who they are, what is told to them, what happens when they are not whom we want."""

import hashlib
import json
import pathlib
import socket
import subprocess
import threading

import pytest

from harness import config, tls, wait
from harness.client import Client, Closed, get
from harness.tls import MemoryTLS

FLUSH = ["--file-flush-interval-msec", "20"]
AUTO = {"auto_sni": True, "auto_san_validation": True}


def options(upstream=None, **protocol):
    """HttpProtocolOptions: explicit HTTP/1.1 unless `protocol` says otherwise."""
    made = {"@type": config.HTTP_OPTIONS, **(protocol or {"explicit_http_config": {"http_protocol_options": {}}})}
    if upstream:
        made["upstream_http_protocol_options"] = upstream
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": made}}


class Setup:
    """A proxy in front of one cluster, with a log of what became of the requests."""

    def __init__(self, make, cluster, **options):
        self.log = pathlib.Path(make.directory) / "access.log"
        text = "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n"
        listener = config.http_listener(
            config.virtual_host(config.route()), hcm={"access_log": [config.file_log(self.log, text)]}
        )
        tcp = config.tcp_listener(
            access_log=[config.file_log(self.log, "tcp %RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n")]
        )
        self.proxy = make.proxy(config.bootstrap([listener, tcp], [cluster]), arguments=FLUSH, **options)

    def get(self, host="server.example", **options):
        return get(self.proxy.port(), headers=[("host", host)], **options)

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")

    def logged(self):
        return wait.until(lambda: self.log.exists() and self.log.read_text(), "the access log").splitlines()[0]

    def fails(self, reason, counter, host="server.example"):
        before = self.stat(counter) if counter else 0
        answer = self.get(host)
        assert answer.status == 503
        assert answer.body.startswith(b"upstream connect error or disconnect/reset before headers"), answer.body
        lines = wait.until(
            lambda: self.log.exists() and [line for line in self.log.read_text().splitlines() if line[:3] == "503"],
            "the access log",
        )
        assert lines[0].startswith("503 UF "), lines
        assert reason in lines[0], lines
        if counter:
            assert self.stat(counter) == before + 1, self.proxy.stats()
        return answer


def origin(make, identity, script=None, version=None, alpn=(), client_authority=None, **options):
    return make.origin(script, tls=tls.server_context(identity, version, alpn, client_authority), **options)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_verified_host(make, ca, certificates, version, kind):
    host = origin(make, certificates.issue(kind=kind), version=version)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=options(AUTO)))
    with Client(setup.proxy.port()) as client:
        for number in range(5):
            answer = client.request("POST", "/", [("host", "server.example")], b"x" * 5000)
            assert answer.status == 200 and json.loads(answer.body)["body"] == "x" * 5000
    assert host.connections_total == 1
    assert setup.stat("ssl.handshake") == 1
    assert setup.stat(f"ssl.versions.TLSv{version}") == 1
    assert setup.stat("ssl.connection_error") == 0


def test_default_is_tls12(make, server):
    host = origin(make, server)
    setup = Setup(make, config.tls_cluster("origin", host.port, versions=None))
    assert setup.get().status == 200
    assert setup.stat("ssl.versions.TLSv1.2") == 1


def sni_origin(make, certificates, names):
    """Shows the certificate of the name asked for; `seen` has the names."""
    seen = []
    contexts = {name: tls.server_context(certificates.issue(name)) for name in names}
    first = contexts[names[0]]

    def chosen(sock, name, context):
        seen.append(name)
        if name in contexts:
            sock.context = contexts[name]

    first.sni_callback = chosen
    return make.origin(tls=first), seen


def test_names_from_the_request(make, ca, certificates):
    host, seen = sni_origin(make, certificates, ["a.example", "b.example"])
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=options(AUTO)))
    assert setup.get("a.example").status == 200
    assert setup.get("b.example:8443").status == 200
    assert setup.get("A.Example").status == 200
    assert set(seen) == {"a.example", "b.example"}
    assert host.connections_total <= 3
    setup.fails("CERTIFICATE_VERIFY_FAILED", "ssl.fail_verify_san", host="c.example")


POOLS_MAX = 1000


@pytest.mark.apus_only
def test_more_names_than_pools(make, ca, certificates):
    """Clients choose the names: what is not in use makes room, and no name is ever answered by another's connection."""
    seen = []
    context = tls.server_context(certificates.issue("*.example"))
    context.sni_callback = lambda sock, name, context: seen.append(name)
    host = make.origin(tls=context)
    one_request = {"common_http_protocol_options": {"max_requests_per_connection": 1}}
    fields = options(AUTO, explicit_http_config={"http_protocol_options": {}}, **one_request)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=fields))
    names = [f"n{number}.example" for number in range(POOLS_MAX + 5)] + ["n0.example"]
    with Client(setup.proxy.port()) as client:
        for name in names:
            assert client.request("GET", "/", [("host", name)]).status == 200
    assert seen == names
    assert setup.stat("upstream_cx_pool_overflow") == 0


@pytest.mark.apus_only
def test_pools_that_are_all_in_use(make, ca):
    with socket.create_server(("127.0.0.1", 0), backlog=POOLS_MAX + 10) as silent:
        fields = {**options(AUTO), "connect_timeout": "60s"}
        setup = Setup(make, config.tls_cluster("origin", silent.getsockname()[1], trusts=ca, fields=fields))
        waiting = [Client(setup.proxy.port()) for _ in range(POOLS_MAX)]
        for number, client in enumerate(waiting):
            client.send(b"GET / HTTP/1.1\r\nhost: n%d.example\r\n\r\n" % number)
        wait.until(lambda: setup.stat("upstream_rq_pending_active") == POOLS_MAX, "every request waits")
        answer = setup.get("one-more.example")
        assert answer.status == 503 and answer.get("x-envoy-overloaded") == "true"
        assert setup.logged() == "503 UO -"
        assert setup.stat("upstream_cx_pool_overflow") == 1
        for client in waiting:
            client.close()
        wait.until(lambda: setup.stat("upstream_rq_pending_active") == 0, "nobody waits")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8443", "[::1]:8443", "x" * 300 + ".example"])
def test_addresses_and_long_names_are_verified_too(make, ca, certificates, host):
    """The certificate is for a name: a request for an address, or for what no certificate can have, must not get there."""
    server = origin(make, certificates.issue())
    setup = Setup(make, config.tls_cluster("origin", server.port, trusts=ca, fields=options(AUTO)))
    setup.fails("", None, host=host)
    assert server.requests_total == 0


def test_certificate_of_an_address(make, ca, certificates):
    seen = []
    context = tls.server_context(certificates.issue("address", sans=("IP:127.0.0.1",)))
    context.sni_callback = lambda sock, name, context: seen.append(name)
    server = make.origin(tls=context)
    setup = Setup(make, config.tls_cluster("origin", server.port, trusts=ca, fields=options(AUTO)))
    assert setup.get("127.0.0.1:8443").status == 200
    assert seen == [None], "addresses are not asked for"


def test_fixed_name(make, ca, certificates):
    host, seen = sni_origin(make, certificates, ["a.example"])
    matcher = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "a.example"}}]}
    setup = Setup(
        make, config.tls_cluster("origin", host.port, trusts=ca, validation=matcher, context={"sni": "a.example"})
    )
    assert setup.get("whatever.example").status == 200
    assert seen == ["a.example"]


def test_client_certificate(make, ca, certificates, server):
    host = origin(make, server, client_authority=ca)
    identity = certificates.issue("proxy")
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, identity=identity))
    assert setup.get().status == 200


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_host_wants_a_certificate(make, ca, server, version):
    """TLS 1.2 refuses in the handshake; in TLS 1.3 the client's handshake is over before."""
    host = origin(make, server, client_authority=ca, version=version)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    answer = setup.get()
    assert answer.status == 503
    line = setup.logged()
    if version == "1.2":
        assert line.startswith("503 UF TLS_error:|268436496:SSL_routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE"), line
    else:
        assert line.startswith("503 U"), line
    assert setup.stat("ssl.connection_error") == 1


# Hosts that are not whom we want


def test_untrusted_host(make, ca, certificates):
    host = origin(make, certificates.issue(by="Other CA"))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    setup.fails("TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED", "ssl.fail_verify_error")
    assert setup.stat("upstream_cx_connect_fail") == 1
    assert setup.stat("ssl.connection_error") == 0
    # The host learns why.
    wait.until(lambda: host.tls_failures, "the host's failure")
    assert "UNKNOWN_CA" in host.tls_failures[0].upper().replace(" ", "_"), host.tls_failures


def test_expired_host(make, ca, certificates):
    host = origin(make, certificates.issue(days=-3))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    setup.fails("certificate_has_expired", "ssl.fail_verify_error")


def test_expired_is_allowed(make, ca, certificates):
    host = origin(make, certificates.issue(days=-3))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, validation={"allow_expired_certificate": True}))
    assert setup.get().status == 200


def test_wrong_name(make, ca, certificates):
    host = origin(make, certificates.issue("other.example"))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=options(AUTO)))
    setup.fails("CERTIFICATE_VERIFY_FAILED", "ssl.fail_verify_san")


def test_wrong_pin(make, ca, certificates, server):
    host = origin(make, server)
    pin = certificates.issue("other.example").digest
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, validation={"verify_certificate_hash": [pin]}))
    setup.fails("cert_hash_and_spki", "ssl.fail_verify_cert_hash")


def test_plaintext_host(make, ca):
    def raw(connection):
        connection.sock.recv(1000)
        connection.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    host = make.origin(raw=raw)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    setup.fails("TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "ssl.connection_error")


@pytest.mark.apus_only
def test_tls_host_without_transport_socket(make, server):
    host = origin(make, server)
    log = pathlib.Path(make.directory) / "log"
    document = config.simple(host.port, access_log=[config.file_log(log, "%RESPONSE_CODE% %RESPONSE_FLAGS%\n")])
    proxy = make.proxy(document, arguments=FLUSH)
    assert get(proxy.port()).status in (502, 503)


def test_alert_of_the_host(make, ca, server):
    host = origin(make, server, version="1.3")
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, versions=("TLSv1_2", "TLSv1_2")))
    setup.fails("TLS_error:|268436526:SSL_routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION", "ssl.connection_error")


def test_host_leaves_in_the_handshake(make, ca):
    host = make.origin(raw=lambda connection: connection.sock.recv(1000))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    setup.fails("", None)
    assert setup.stat("upstream_cx_connect_fail") == 1
    assert setup.stat("ssl.connection_error") == 0


def test_host_resets_in_the_handshake(make, ca):
    def raw(connection):
        connection.sock.recv(10)
        connection.reset()

    host = make.origin(raw=raw)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    setup.fails("Connection_reset_by_peer", None)
    assert setup.stat("upstream_cx_connect_fail") == 1
    assert setup.stat("upstream_cx_active") == 0
    assert setup.stat("upstream_rq_pending_active") == 0


@pytest.mark.parametrize("http2", [False, True])
def test_host_that_says_nothing(make, ca, http2):
    release = threading.Event()
    host = make.origin(raw=lambda connection: release.wait(10))
    protocol = {"explicit_http_config": {"http2_protocol_options": {}}} if http2 else {}
    fields = {**options(**protocol), "connect_timeout": "0.3s"}
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=fields))
    answer = setup.get()
    assert answer.status == 503
    assert setup.logged() == "503 UF -"
    assert setup.stat("upstream_cx_connect_timeout") == 1
    assert setup.stat("upstream_cx_active") == 0
    if setup.proxy.kind == "apus":
        assert setup.proxy.sum(r".*tls_handshakes_(active|waiting)") == 0
    release.set()


def test_other_hosts_serve(make, ca, certificates, server):
    """A host that cannot be trusted is like one that cannot be reached: every other request finds the good one."""
    bad, good = origin(make, certificates.issue(by="Other CA")), origin(make, server)
    # Else apus asks the other one.
    options = {"metadata": {"filter_metadata": {"apus": {"retry_connect_failures": False}}}}
    setup = Setup(make, config.tls_cluster("origin", bad.port, good.port, trusts=ca, fields=options))
    assert sorted(setup.get().status for _ in range(6)) == [200] * 3 + [503] * 3


# Protocols


def h2_origin(make, server, *arguments):
    """An HTTP/2 host: a second proxy with TLS, whose own answers tell the protocol."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "from h2"}}}
    log = pathlib.Path(make.directory) / f"host-{len(make.made)}.log"
    listener = config.http_listener(
        config.virtual_host(route), hcm={"access_log": [config.file_log(log, "%PROTOCOL%\n")]}
    )
    proxy = make.proxy(config.bootstrap([config.with_tls(listener, server, alpn=arguments)], []), arguments=FLUSH)
    return proxy, log


AUTO_CONFIG = {"auto_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}


@pytest.mark.parametrize("offered, spoken", [(["h2", "http/1.1"], "HTTP/2"), (["http/1.1"], "HTTP/1.1"), ([], "HTTP/1.1")])
def test_protocol_is_agreed_on(make, ca, server, offered, spoken):
    host, log = h2_origin(make, server, *offered)
    cluster = config.tls_cluster("origin", host.port(), trusts=ca, fields=options(AUTO, **AUTO_CONFIG))
    setup = Setup(make, cluster)
    for _ in range(3):
        assert setup.get().body == b"from h2"
    lines = wait.until(lambda: log.exists() and len(found := log.read_text().split()) == 3 and found, "the host's log")
    assert lines == [spoken] * 3
    # Envoy opens a second one before it knows what the first has agreed on.
    assert setup.stat("upstream_cx_total") == (1 if setup.proxy.kind == "apus" else 2)


def test_protocol_is_agreed_on_by_many_at_once(make, ca, server):
    """Requests that wait while nobody knows the protocol yet."""
    host, _ = h2_origin(make, server, "h2", "http/1.1")
    setup = Setup(make, config.tls_cluster("origin", host.port(), trusts=ca, fields=options(AUTO, **AUTO_CONFIG)))
    clients = [Client(setup.proxy.port()) for _ in range(20)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nhost: server.example\r\n\r\n")
    assert [client.response().body for client in clients] == [b"from h2"] * 20
    for client in clients:
        client.close()
    assert setup.stat("upstream_rq_pending_active") == 0
    assert setup.stat("upstream_rq_active") == 0


def test_host_changes_its_mind(make, ca, server):
    """HTTP/2 first, then a host that knows HTTP/1.1 alone, then HTTP/2 again."""
    host, _ = h2_origin(make, server, "h2", "http/1.1")
    port = host.port()
    setup = Setup(make, config.tls_cluster("origin", port, trusts=ca, fields=options(AUTO, **AUTO_CONFIG)))
    assert setup.get().body == b"from h2"
    host.stop()
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "the old connection is over")
    other = origin(make, server, lambda c, r: c.reply(b"from h1"), alpn=["http/1.1"], port=port)
    for _ in range(3):
        assert setup.get().body == b"from h1"
    assert other.connections_total == 1
    assert setup.stat("upstream_cx_http1_total") == 1
    assert setup.stat("upstream_cx_http2_total") >= 1


@pytest.mark.parametrize("client, spoken", [("--http1.1", "HTTP/1.1"), ("--http2-prior-knowledge", "HTTP/2")])
def test_protocol_of_the_client(make, ca, server, client, spoken):
    host, log = h2_origin(make, server, "h2", "http/1.1")
    protocol = {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}
    setup = Setup(make, config.tls_cluster("origin", host.port(), trusts=ca, fields=options(AUTO, **protocol)))
    command = ["curl", "-sS", client, "-H", "host: server.example", f"http://127.0.0.1:{setup.proxy.port()}/"]
    assert subprocess.run(command, capture_output=True, timeout=20).stdout == b"from h2"
    assert wait.until(lambda: log.exists() and log.read_text(), "the host's log") == spoken + "\n"


def test_http2_host_is_asked_for_h2(make, ca, server):
    host, log = h2_origin(make, server, "h2")
    fields = options(AUTO, explicit_http_config={"http2_protocol_options": {}})
    setup = Setup(make, config.tls_cluster("origin", host.port(), trusts=ca, fields=fields))
    assert setup.get().body == b"from h2"
    assert wait.until(lambda: log.exists() and log.read_text(), "the host's log") == "HTTP/2\n"


def test_http1_host_is_asked_for_http1(make, ca, server):
    agreed = []
    host = origin(make, server, alpn=["h2", "http/1.1"], script=lambda c, r: (agreed.append(c.sock.selected_alpn_protocol()), c.reply(b""))[1])
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    assert setup.get().status == 200
    assert agreed == ["http/1.1"]


def test_http2_through_tls_on_both_sides(make, ca, server):
    """Eight large responses on one connection each way."""
    payload = hashlib.shake_128(b"x").digest(700_000)
    last = origin(make, server, script=lambda c, r: c.reply(payload))
    middle = make.proxy(
        config.bootstrap(
            [config.with_tls(config.http_listener(config.virtual_host(config.route())), server, alpn=["h2"])],
            [config.tls_cluster("origin", last.port, trusts=ca)],
        )
    )
    edge = make.proxy(
        config.bootstrap(
            [config.with_tls(config.http_listener(config.virtual_host(config.route())), server, alpn=["h2"])],
            [config.tls_cluster("origin", middle.port(), trusts=ca, fields=options(AUTO, explicit_http_config={"http2_protocol_options": {}}))],
        )
    )  # fmt: skip
    files = [make.directory / f"out-{i}" for i in range(8)]
    command = ["curl", "-sS", "--max-time", "30", "--http2", "--parallel", "--cacert", str(ca.pem)]
    command += ["--resolve", f"server.example:{edge.port()}:127.0.0.1"]
    for file in files:
        command += ["-o", str(file), f"https://server.example:{edge.port()}/"]
    done = subprocess.run(command, capture_output=True, timeout=40)
    assert done.returncode == 0, done.stderr
    assert all(file.read_bytes() == payload for file in files)
    assert edge.stat("cluster.origin.upstream_cx_total") == 1


# Resumption


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption(make, ca, server, version):
    def script(connection, request):
        connection.reply(b"x", headers=[("connection", "close")])
        return False

    host = origin(make, server, script, version=version)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, fields=options(AUTO)))
    for _ in range(6):
        assert setup.get().status == 200
    assert host.connections_total == 6
    assert setup.stat("ssl.session_reused") == 5
    assert host.tls_resumed == 5


def test_no_resumption_when_switched_off(make, ca, server):
    def script(connection, request):
        connection.reply(b"x", headers=[("connection", "close")])
        return False

    host = origin(make, server, script)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, context={"max_session_keys": 0}))
    for _ in range(3):
        assert setup.get().status == 200
    assert setup.stat("ssl.session_reused") == 0


# Bodies and ends


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_large_bodies(make, ca, server, version):
    body = hashlib.shake_128(b"up").digest(8 << 20)
    host = origin(make, server, lambda c, r: c.reply(r.body), version=version)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    with Client(setup.proxy.port(), timeout=30) as client:
        sent = threading.Thread(
            target=client.send, args=(f"POST / HTTP/1.1\r\nhost: server.example\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body,)
        )  # fmt: skip
        sent.start()
        answer = client.response()
        sent.join()
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize("ticket", [True, False])
def test_slow_client_is_bounded(make, ca, server, ticket):
    """The first response of a connection that waits for its ticket, then records of our own."""
    sent = [0]

    def script(connection, request):
        if request.target == "/warm":
            connection.reply(bytes(8 << 20), headers=[("connection", "close")])
            return
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 33554432\r\n\r\n")
        for _ in range(512):
            connection.send(bytes(65536))
            sent[0] += 65536

    host = origin(make, server, script)
    context = {} if ticket else {"max_session_keys": 0}
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca, context=context))
    # What the worker keeps from then on is no part of what the slow client costs.
    assert len(get(setup.proxy.port(), "/warm", [("host", "server.example")]).body) == 8 << 20
    with Client(setup.proxy.port(), receive_buffer_bytes=65536, timeout=30) as client:
        before = setup.proxy.resident_kib()
        client.send(b"GET / HTTP/1.1\r\nhost: server.example\r\n\r\n")
        wait.until(lambda: sent[0], "the first bytes")
        assert 0 < wait.until_steady(lambda: sent[0], "the host is held up") < 24 << 20
        assert setup.proxy.resident_kib() - before < 4 << 10
        assert client.response().body == bytes(32 << 20)


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_body_that_ends_with_the_connection(make, ca, server, says_goodbye):
    """Without close_notify nobody knows whether the body is whole."""

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if says_goodbye:
            try:
                connection.sock.settimeout(5)
                connection.sock.unwrap()
            except OSError:
                pass
        return False

    host = origin(make, server, script)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    with Client(setup.proxy.port()) as client:
        client.send(b"GET / HTTP/1.1\r\nhost: server.example\r\n\r\n")
        if says_goodbye or setup.proxy.kind == "envoy":
            assert client.response().body == b"hello"
        else:
            with pytest.raises((Closed, ConnectionResetError, AssertionError)):
                answer = client.response()
                assert answer.body != b"hello", "taken for whole"


def test_idle_host_leaves(make, ca, server):
    """close_notify and FIN on a pooled connection: the next request gets another one."""
    host = origin(make, server)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    assert setup.get().status == 200
    host.close_connections()
    wait.until(lambda: setup.stat("upstream_cx_active") == 0, "the proxy has noticed")
    assert setup.get().status == 200
    assert host.connections_total == 2


# tcp_proxy


def test_tcp_half_close(make, ca, server):
    def raw(connection):
        data = b""
        while not data.endswith(b"end"):
            data += connection.sock.recv(65536)
        connection.send(b"got " + data)
        try:
            connection.sock.settimeout(5)
            connection.sock.unwrap()
        except OSError:
            pass

    host = origin(make, server, raw=raw)
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    with Client(setup.proxy.port("tcp")) as client:
        client.send(b"hello end")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.stream.to_end() == b"got hello end"


@pytest.mark.apus_only
def test_tcp_client_ends_before_the_handshake_of_the_host(make, ca, server):
    """What was sent and the end wait until the host can be spoken to."""
    may_go_on = threading.Event()
    got = []
    context = tls.server_context(server)

    def raw(connection):
        may_go_on.wait(5)
        with MemoryTLS(0, context, sock=connection.sock, server_side=True) as host:
            host.handshake()
            got.append(host.stream.to_end())
            host.sendall(b"thanks")
            host.say_close()

    host = make.origin(raw=raw)
    cluster = config.tls_cluster("origin", host.port, trusts=ca)
    # With a listener filter the proxy reads before it connects.
    listener = config.with_tls(config.tcp_listener(), server)
    proxy = make.proxy(config.bootstrap([listener], [cluster]))
    with MemoryTLS(proxy.port("tcp"), tls.client_context(ca)) as client:
        client.handshake()
        client.sendall(b"early")
        client.say_close()
        client.sock.shutdown(socket.SHUT_WR)
        wait.until(lambda: host.connections_total == 1, "the host is reached")
        may_go_on.set()
        assert client.stream.to_end() == b"thanks"
    assert got == [b"early"]


def test_tcp_failure(make, ca, certificates):
    host = origin(make, certificates.issue(by="Other CA"))
    setup = Setup(make, config.tls_cluster("origin", host.port, trusts=ca))
    with Client(setup.proxy.port("tcp")) as client:
        client.send(b"hello")
        assert client.is_closed()
    line = setup.logged()
    assert line.startswith("tcp UF,URX TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"), line


def test_bridge(make, ca, server):
    """TLS in, TLS out."""
    body = hashlib.shake_128(b"bridge").digest(5 << 20)

    def raw(connection):
        while data := connection.sock.recv(65536):
            connection.send(data)

    host = origin(make, server, raw=raw)
    listener = config.with_tls(config.tcp_listener(), server)
    proxy = make.proxy(config.bootstrap([listener], [config.tls_cluster("origin", host.port, trusts=ca)]))
    with Client(proxy.port("tcp"), tls=tls.client_context(ca), timeout=20) as client:
        for at in range(0, len(body), 65536):
            client.send(body[at : at + 65536])
            assert client.stream.exactly(65536) == body[at : at + 65536]
