"""A statsd daemon that remembers: counter totals, last gauges, timer samples."""

import socket
import threading
from collections import defaultdict

RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33  # Linux: beyond net.core.rmem_max, for the privileged


class Statsd:
    def __init__(self):
        self.counters = defaultdict(int)
        self.gauges = {}
        self.timers = defaultdict(list)
        self.malformed = []
        self.datagram_bytes_max = 0
        self._lock = threading.Lock()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            with self._lock:
                self.datagram_bytes_max = max(self.datagram_bytes_max, len(data))
                for line in data.decode("latin-1").splitlines():
                    self._take(line)

    def _take(self, line):
        try:
            name, rest = line.rsplit(":", 1)
            value, kind = rest.split("|")[:2]
            if kind == "c":
                self.counters[name] += int(value)
            elif kind == "g":
                self.gauges[name] = float(value)
            elif kind in ("ms", "h"):
                self.timers[name].append(float(value))
            else:
                raise ValueError(kind)
        except ValueError:
            self.malformed.append(line)

    def counter(self, name):
        with self._lock:
            return self.counters.get(name, 0)

    def timer_count(self, name):
        with self._lock:
            return len(self.timers.get(name, ()))

    def stop(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
