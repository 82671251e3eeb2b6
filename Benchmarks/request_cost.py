"""What one request costs the worker, in the very binary that is released: instructions, allocations, retains."""

import http.client
import pathlib
import signal
import socket
import subprocess
import threading
import time

import callgrind
from thresholds import Cost

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / ".build/release/apus"
WARM_UP, COUNT = 300, 1000
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1024\r\n\r\n" + b"x" * 1024
UPLOAD = b"u" * 16_384

MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


class Origin:
    """Answers every request on every connection with the same 1 KiB; reads bodies by their Content-Length."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                if not line:
                    return
                stream.read(length)
                connection.sendall(ANSWER)

    def stop(self):
        self.listener.close()


def http_filter(kind, message, settings=""):
    return f'{{name: {kind}, typed_config: {{"@type": {FILTERS}.{message}{settings}}}}}'


ROUTER = http_filter("router", "router.v3.Router")
# Access log, filters that look at every request, headers added and removed: what an edge has.
DRESSED_FILTERS = ", ".join([
    http_filter("cors", "cors.v3.Cors"),
    http_filter("health", "health_check.v3.HealthCheck",
                ', pass_through_mode: false, headers: [{name: ":path", string_match: {exact: /health}}]'),
    http_filter("mutate", "header_mutation.v3.HeaderMutation",
                ", mutations: {request_mutations: [{append: {header: {key: x-edge, value: a}}}]}"),
    http_filter("fault", "fault.v3.HTTPFault"),
    ROUTER,
])  # fmt: skip
DRESSED_LOG = """
          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null"""
DRESSED_HEADERS = """
              request_headers_to_add: [{header: {key: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}]
              response_headers_to_remove: [x-internal]"""


def http_listener(filters, log="", headers=""):
    return f"""
        "@type": {MANAGER}
        stat_prefix: ingress{log.replace('          ', '        ')}
        http_filters: [{filters}]
        route_config:
          name: local
          virtual_hosts:
          - name: all
            domains: ["*"]{headers.replace('              ', '            ')}
            routes: [{{match: {{prefix: /}}, route: {{cluster: origin}}}}]"""


# Case -> (the listener's filter, what is sent with each request).
CASES = {
    "http": (http_listener(ROUTER), b""),
    "http-logged-and-filtered": (http_listener(DRESSED_FILTERS, DRESSED_LOG, DRESSED_HEADERS), b""),
    "http-upload-16-KiB": (http_listener(ROUTER), UPLOAD),
    "tcp": (f'\n        "@type": {TCP_PROXY}\n        stat_prefix: tcp\n        cluster: origin', b""),
}


def configuration(network_filter, port, origin_port):
    return f"""static_resources:
  listeners:
  - name: web
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: network
        typed_config:{network_filter.replace(chr(10), chr(10) + '  ')}
  clusters:
  - name: origin
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {origin_port}}}}}}}}}]
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def connected(port, process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"apus ended under callgrind:\n{log.read_text()[-3000:]}")
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            client.connect()
            return client
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"apus does not listen under callgrind:\n{log.read_text()[-3000:]}")


def send(client, body, count):
    """One request after the other, each in one piece: in two, how many the proxy receives would be by chance."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"Host: 127.0.0.1:{client.port}\r\nAccept-Encoding: identity\r\n{length}User-Agent: request-cost\r\n\r\n"
    method = "POST" if body else "GET"
    request = f"{method} / HTTP/1.1\r\n{head}".encode() + body
    for _ in range(count):
        client.sock.sendall(request)
        answer = http.client.HTTPResponse(client.sock, method=method)
        answer.begin()
        if answer.status != 200 or len(answer.read()) != 1024:
            raise SystemExit(f"a wrong answer: {answer.status}")


def dump(process):
    subprocess.run(["vgdb", f"--pid={process.pid}", "dump"], check=True, capture_output=True, timeout=30)


def measure_case(program, name):
    network_filter, body = CASES[name]
    origin, port = Origin(), free_port()
    config, log = program.directory / f"{name}.yaml", program.directory / f"{name}.log"
    config.write_text(configuration(network_filter, port, origin.port))
    command = program.command("run", "-l", "error", "--concurrency", 1, "-c", config, options=["--separate-threads=yes"])
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        client = connected(port, process, log)
        send(client, body, WARM_UP)
        dump(process)
        send(client, body, COUNT)
        dump(process)
        client.close()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        origin.stop()
    # The second part is what was counted; the worker is the thread that did most of it.
    worker = max(program.dumps()[2].values(), key=lambda profile: profile.instructions)
    program.clear()
    return Cost.of(worker, COUNT)


def measure(binary=BINARY, cases=CASES):
    """Case -> cost of one request on a keep-alive connection, one at a time: the dearest way to serve it."""
    with callgrind.Counted(binary) as program:
        return {name: measure_case(program, name) for name in cases}
