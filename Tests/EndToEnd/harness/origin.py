"""A scriptable origin server: what an upstream does well or badly is a short function."""

import json
import socket
import threading

from .http import Closed, Stream


class Connection(Stream):
    """The origin's side of one connection, as scripts see it."""

    def __init__(self, sock, origin, number):
        super().__init__(sock)
        self.origin = origin
        self.number = number  # 1 for the first connection the origin accepted
        self.requests = 0

    def send(self, data):
        self.sock.sendall(data)

    def reply(self, body=b"", status="200 OK", headers=()):
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


def echo(connection, request):
    """Answers with what arrived, as JSON."""
    body = json.dumps(
        {
            "origin": connection.origin.name,
            "connection": connection.number,
            "method": request.method,
            "target": request.target,
            "fields": [[name, value] for name, value in request.fields],
            "body": request.body.decode("latin-1"),
            "trailers": [[name, value] for name, value in request.trailers],
        }
    ).encode()
    connection.reply(b"" if request.method == "HEAD" else body, headers=[("content-type", "application/json")])


class Origin:
    """Listens on 127.0.0.1 (port 0 unless given), one thread a connection.

    With `address="0.0.0.0"` it is as many hosts as there are addresses in 127.0.0.0/8.

    `script(connection, request)` is called for every request; returning False closes the connection.
    With `read_body=False` the script gets the head only and reads the body when it likes.
    With `raw` set, `raw(connection)` has the whole connection, HTTP or not.
    With `tls`, an `ssl.SSLContext`, it speaks TLS; `tls_failures` has what became of handshakes that failed.
    """

    def __init__(self, script=echo, name="origin", raw=None, read_body=True, port=0, tls=None, address="127.0.0.1"):
        self.script, self.name, self.raw, self.read_body = script, name, raw, read_body
        self.tls, self.tls_failures, self.tls_resumed = tls, [], 0
        self.connections_total = 0
        self.connections_active = 0
        self.requests_total = 0
        self.failures = []
        self._lock = threading.Lock()
        self._open = set()
        self._stopping = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._stopping:
                    sock.close()
                    continue
                self.connections_total += 1
                self.connections_active += 1
                self._open.add(sock)
                number = self.connections_total
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _secure(self, sock):
        """The socket with TLS; None when the handshake fails."""
        try:
            secured = self.tls.wrap_socket(sock, server_side=True)
        except OSError as error:  # ssl.SSLError is one
            self.tls_failures.append(str(error))
            return None
        with self._lock:
            self._open.discard(sock)
            self._open.add(secured)
            self.tls_resumed += bool(secured.session_reused)
        return secured

    def _serve(self, sock, number):
        if self.tls:
            secured = self._secure(sock)
            if secured is None:
                sock.close()
                with self._lock:
                    self._open.discard(sock)
                    self.connections_active -= 1
                return
            sock = secured
        connection = Connection(sock, self, number)
        try:
            if self.raw:
                self.raw(connection)
                return
            while True:
                request = connection.request() if self.read_body else connection.head()
                connection.requests += 1
                with self._lock:
                    self.requests_total += 1
                if self.script(connection, request) is False:
                    return
        except (Closed, OSError):
            pass
        except Exception as error:  # a test reads `failures`: threads have nobody else to tell
            self.failures.append(error)
        finally:
            sock.close()
            with self._lock:
                self._open.discard(sock)
                self.connections_active -= 1

    def close_connections(self):
        """Ends every open connection from the origin's side."""
        with self._lock:
            open_now = list(self._open)
        for sock in open_now:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        with self._lock:
            self._stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.close_connections()


_kept = []  # sockets of `free_port`, to the end of the process


def free_port():
    """A port nobody listens on, for upstreams that refuse. Nobody is given it either: its socket stays bound.

    Who asks for this very port and sets SO_REUSEADDR, as servers do, may listen there.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    _kept.append(sock)
    return sock.getsockname()[1]
