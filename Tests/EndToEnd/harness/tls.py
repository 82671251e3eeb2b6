"""TLS on memory: a peer whose records a test may cut, glue, hold back or damage."""

import socket
import ssl
import threading

from . import wait
from .http import Closed, Stream

TIMEOUT_SECONDS = 10


class Truncated(Closed):
    """The socket ended without close_notify."""


def client_context(authority=None, version=None, alpn=(), identity=None, ciphers=None):
    """Trusts `authority` (checks nothing without); `version` is "1.2" or "1.3" for that one alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(str(authority.pem))
    limit(context, version)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity:
        context.load_cert_chain(str(identity.chain), str(identity.key))
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def server_context(identity, version=None, alpn=(), client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity.chain), str(identity.key))
    limit(context, version)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(client_authority.pem))
    return context


def limit(context, version):
    if version:
        chosen = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = chosen


class MemoryTLS:
    """One side of a TLS connection. What it wants to send is `taken()`; nothing is sent unless a test says so."""

    def __init__(self, port, context, server_name="server.example", session=None, sock=None, server_side=False):
        self.sock = sock or socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server_side,
            server_hostname=None if server_side else server_name, session=session,
        )  # fmt: skip
        self.stream = Stream(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # Bytes of the socket

    def taken(self):
        return self.outgoing.read()

    def flush(self):
        data = self.taken()
        if data:
            self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            self.incoming.write_eof()
            raise Truncated()
        self.incoming.write(data)

    # TLS

    def handshake(self, holds_last=False):
        """With `holds_last` the flight that ends the handshake is not sent: `taken()` has it."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLError:
                self.flush()
                raise
        if not holds_last:
            self.flush()
        return self

    def seal(self, data):
        """Records of `data`, not sent."""
        self.tls.write(data)
        return self.taken()

    def sendall(self, data):
        view = memoryview(data)
        while view:
            done = self.tls.write(view[:65536])
            view = view[done:]
            self.flush()

    send = sendall

    def recv(self, count):
        """b"" after close_notify; `Truncated` after an end without."""
        while True:
            try:
                data = self.tls.read(count)
                self.flush()
                return data
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLZeroReturnError:
                return b""

    def say_close(self):
        """close_notify, without waiting for the peer's."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            # What the peer has sent meanwhile is still to be read.
            assert "APPLICATION_DATA_AFTER_CLOSE_NOTIFY" in str(error), error
        self.flush()

    def socket_ends(self):
        """True when the peer's FIN comes (nothing else may)."""
        wait.until(lambda: self.sock.recv(65536) == b"", "the peer's FIN")
        return True


class Relay:
    """Forwards to a port in pieces of `size` bytes, each in a segment of its own."""

    def __init__(self, port, size=1, backward_size=None):
        self.target, self.size, self.backward_size = port, size, backward_size or 65536
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, to, size in ((client, server, self.size), (server, client, self.backward_size)):
                threading.Thread(target=self._copy, args=(source, to, size), daemon=True).start()

    def _copy(self, source, to, size):
        try:
            while data := source.recv(65536):
                for at in range(0, len(data), size):
                    to.sendall(data[at : at + size])
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()
