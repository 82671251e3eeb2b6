"""Starts the origin and each proxy, pinned: proxies to core 0, origin (and load) to core 1."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import endpoints
import origin_protocol
import routes

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROXY_CORE, LOAD_CORE = 0, 1
PUBLISHER = "apus-publish"  # a worker of apus that gets snapshots without files in between


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pinned(core, *command):
    return ["taskset", "-c", str(core), *map(str, command)]


def wait_for(port, process, name, log):
    deadline = time.monotonic() + 60  # 10,000 clusters take their time
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise SystemExit(f"{name} exited with {process.returncode}:\n{log.read().decode(errors='replace')}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{name} does not listen on port {port}")


class Server:
    """A running process and the ports it serves on: "http" and, where it has them, "tcp", "h2c", "https", "admin".

    `published`: what a storm moves into place, see endpoints.py.
    """

    def __init__(self, name, command, ports, core=PROXY_CORE, published=None):
        self.name, self.ports, self.published = name, ports, published
        log = tempfile.TemporaryFile()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} if name == PUBLISHER else {"stdout": log}
        self.process = subprocess.Popen(pinned(core, *command), stderr=log, **pipes)
        try:
            wait_for(self.http_port, self.process, name, log)
        except BaseException:
            self.stop()
            raise

    @property
    def http_port(self):
        return self.ports["http"]

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Peers:
    """Knows how each proxy is built, configured and started. A context manager: removes its files."""

    def __init__(self, apus, envoy):
        self.apus, self.envoy = apus, envoy
        self.publisher = pathlib.Path(apus).parent / PUBLISHER
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-bench-"))

    def __enter__(self):
        for name, libraries in (("floor", ["-luring"]), ("origin", []), ("hosts", [])):
            source = HERE / name / f"{name}.c"
            subprocess.run(["gcc", "-O2", "-o", self.directory / name, source, *libraries], check=True)
        self.make_certificate()
        return self

    def make_certificate(self):
        """P-256, signed by itself: nobody here verifies it. HAProxy wants both in one file."""
        key, certificate = self.directory / "server.key", self.directory / "server.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=bench.example", "-keyout", key, "-out", certificate], check=True, capture_output=True,
        )  # fmt: skip
        (self.directory / "server.pem").write_text(certificate.read_text() + key.read_text())

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def available(self):
        """(name, None) or (name, why it is missing), in the order of the result table."""
        programs = {"envoy": self.envoy, "haproxy": "haproxy", "nginx": "nginx", "nghttpx": "nghttpx", "apus": self.apus,
                    PUBLISHER: self.publisher}  # fmt: skip
        yield "floor", None
        for name, program in programs.items():
            yield name, None if program and shutil.which(program) else f"{program or name} not found"

    def commands(self):
        """How each proxy that is there tells its version."""
        asked = {"envoy": [self.envoy, "--version"], "haproxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"],
                 "nghttpx": ["nghttpx", "--version"], "apus": [self.apus, "--version"]}  # fmt: skip
        return {name: asked[name] for name, missing in self.available() if not missing and name in asked}

    def origin(self, body_bytes, http2=False):
        port = free_port()
        if not http2:
            return Server("origin", [self.directory / "origin", port, body_bytes], {"http": port}, core=LOAD_CORE)
        served = self.directory / "served"
        served.mkdir(exist_ok=True)
        (served / "index.html").write_bytes(b"x" * body_bytes)
        command = ["nghttpd", "--no-tls", "--address=127.0.0.1", "-d", served, port]
        return Server("nghttpd", command, {"http": port}, core=LOAD_CORE)

    def hosts(self):
        """Hosts that are asked how they are, and nothing else."""
        port = free_port()
        return Server("hosts", [self.directory / "hosts", port], {"http": port}, core=LOAD_CORE)

    def start(self, name, origin_port, routing=None, storm=None, http2_origin=False, hosts_port=0):
        """`routing`: one of routes.KINDS, or None for a single route. `storm`: a kind of endpoints.py."""
        ports = {kind: free_port() for kind in ("http", "tcp", "h2c", "https", "admin")}
        names = {
            **routes.fillers(routing, self.directory, origin_port),
            **endpoints.fillers(storm, name, self.directory, origin_port, hosts_port),
            **{f"{kind.upper()}_PORT": port for kind, port in ports.items()},
            "ORIGIN_PORT": origin_port, "ORIGIN_PROTOCOL": origin_protocol.text(name, http2_origin),
        }  # fmt: skip
        if name == "floor":
            ports = {"http": ports["http"], "tcp": ports["http"]}
            return Server(name, [self.directory / "floor", ports["http"], origin_port], ports)
        if name == "haproxy":
            return Server(name, ["haproxy", "-q", "-f", self.fill("haproxy.cfg", names)], ports)
        if name == "nginx":
            path = self.fill("nginx.conf", {**names, **self.nginx_stream(ports["tcp"], origin_port)})
            return Server(name, ["nginx", "-c", path, "-p", self.directory], ports)
        ports["h2c"] = ports["http"]  # these look at a connection's first bytes
        if name == "nghttpx":
            return Server(name, ["nghttpx", f"--conf={self.fill('nghttpx.conf', names)}"], ports)
        path = self.fill("envoy.yaml", names)
        published = endpoints.published(name, path, self.directory, origin_port) if storm == "reload" else None
        if name == PUBLISHER:
            return Server(name, [self.publisher, path, "origin"], ports)
        if name == "envoy":
            command = [self.envoy, "--disable-hot-restart", "-l", "error", "--service-node", "bench", "--service-cluster", "bench"]
        else:
            command = [self.apus, "run", "-l", "error"]
        command += ["--concurrency", "1", "-c", path]
        return Server(name, command, ports, published=published)

    def nginx_stream(self, tcp_port, origin_port):
        """nginx's TCP side is a module of its own in Debian (libnginx-mod-stream)."""
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        if not module.exists():
            raise SystemExit("nginx has no stream module: run tools/setup --bench")
        stream = f"stream {{ server {{ listen 127.0.0.1:{tcp_port} backlog=8192; proxy_pass 127.0.0.1:{origin_port}; }} }}"
        return {"STREAM_MODULE": f"load_module {module};", "STREAM": stream}

    def fill(self, template, names):
        text = (HERE / "peers" / template).read_text()
        for name, value in {**names, "DIRECTORY": self.directory}.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.directory / f"{names['HTTP_PORT']}-{template}"
        path.write_text(text)
        return path
