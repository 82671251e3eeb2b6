"""A raw-socket HTTP/1.1 client: sends exactly the bytes it is told to."""

import errno
import socket

from .http import Closed, Stream

TIMEOUT_SECONDS = 10


def head_bytes(method, path, headers, host="test.example"):
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Client:
    """One connection. A context manager; every read has a deadline."""

    def __init__(
        self, port, host="127.0.0.1", receive_buffer_bytes=None, timeout=TIMEOUT_SECONDS, tls=None,
        server_name="server.example", session=None,
    ):  # fmt: skip
        """With `tls`, an `ssl.SSLContext`, the connection speaks TLS to `server_name`."""
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(
                self.sock, server_hostname=server_name, session=session, suppress_ragged_eofs=False
            )
        self.stream = Stream(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def end(self):
        """FIN; nothing when the peer has reset the connection already. What it said before can still be read."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def request(self, method="GET", path="/", headers=(), body=None):
        """Sends one request (Content-Length framing when there is a body) and reads its response."""
        headers = list(headers)
        if body is not None:
            headers.append(("Content-Length", str(len(body))))
        self.send(head_bytes(method, path, headers) + (body or b""))
        return self.response(to_head=method == "HEAD")

    def get(self, path="/", headers=()):
        return self.request("GET", path, headers)

    def response(self, to_head=False):
        return self.stream.response(to_head)

    def is_closed(self):
        """Waits for the peer's FIN or RST: true; false when bytes come or the deadline passes."""
        if self.stream.buffer:
            return False
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def stays_open(self, seconds=0.3):
        """True when neither bytes nor an end arrive for `seconds`."""
        self.sock.settimeout(seconds)
        try:
            self.sock.recv(1, socket.MSG_PEEK)
            return False
        except socket.timeout:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.sock.settimeout(TIMEOUT_SECONDS)


class KeepAlive:
    """One connection for many requests, made anew only after the proxy announced its end."""

    def __init__(self, port):
        self.port, self.client = port, Client(port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.client.close()

    def reconnect(self):
        self.client.close()
        self.client = Client(self.port)

    def get(self, path="/"):
        response = self.client.get(path)
        if response.get("connection") == "close":
            self.reconnect()
        return response


def get(port, path="/", headers=(), method="GET", body=None, **options):
    """One request on a connection of its own."""
    with Client(port, **options) as client:
        return client.request(method, path, headers, body)


def refused(port):
    """True when nothing listens on the port (or nobody accepts any more)."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return False
    except OSError:
        return True


__all__ = ["Client", "Closed", "KeepAlive", "get", "head_bytes", "refused"]
