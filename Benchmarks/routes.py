"""10,000 routes in each proxy's own language, all to the same origin.

*paths*: one host, told apart by the beginning of the path, `/service-N/`. *hosts*: told apart by the Host header,
`sN.example.com`. Both as the proxy's manual shows them for many routes; nothing catches what none of them takes.
"""

COUNT = 10_000
KINDS = ("paths", "hosts")


def path(number):
    return f"/service-{number}/"


def host(number):
    return f"s{number}.example.com"


def fillers(kind, directory, origin_port):
    """What the templates in peers/ get: placeholder -> text. `kind` is one of KINDS, or None for a single route."""
    return {
        "VIRTUAL_HOSTS": virtual_hosts(kind),
        "HAPROXY_ROUTES": haproxy(kind, directory),
        "NGINX_SERVERS": nginx(kind),
        "NGHTTPX_BACKENDS": nghttpx(kind, origin_port),
    }


def virtual_hosts(kind):
    """Envoy and apus: paths are routes of one virtual host, hosts are virtual hosts of one route."""
    action = "route: {cluster: origin}"
    if kind == "paths":
        routes = [f"              - {{match: {{prefix: {path(n)}}}, {action}}}" for n in range(COUNT)]
        return "\n".join(['            - name: all\n              domains: ["*"]\n              routes:', *routes])
    if kind == "hosts":
        line = "            - {{name: v{n}, domains: [{host}], routes: [{{match: {{prefix: /}}, {action}}}]}}"
        return "\n".join(line.format(n=n, host=host(n), action=action) for n in range(COUNT))
    return f'            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, {action}}}]}}'


def haproxy(kind, directory):
    """A map file: a prefix tree for paths, a hash-like tree of strings for hosts."""
    if not kind:
        return "  default_backend http_origin"
    key, sample = (path, "path,map_beg") if kind == "paths" else (host, "req.hdr(host),lower,map_str")
    file = directory / f"{kind}.map"
    file.write_text("".join(f"{key(n)} http_origin\n" for n in range(COUNT)))
    return f"  use_backend %[{sample}({file})]"


def nginx(kind):
    """Paths are locations of one server, hosts are servers."""
    if kind == "paths":
        locations = "\n".join(f"    location {path(n)} {{ proxy_pass http://origin; }}" for n in range(COUNT))
        return f"  server {{\n    listen 127.0.0.1:@HTTP_PORT@ backlog=8192;\n{locations}\n  }}"
    if kind == "hosts":
        server = "  server {{ listen 127.0.0.1:@HTTP_PORT@{}; server_name {}; location / {{ proxy_pass http://origin; }} }}"
        return "\n".join(server.format(" backlog=8192" if n == 0 else "", host(n)) for n in range(COUNT))
    return "  server { listen 127.0.0.1:@HTTP_PORT@ backlog=8192; location / { proxy_pass http://origin; } }"


def nghttpx(kind, origin_port):
    """A pattern each, of the form HOST/PATH. It must have one that catches the rest."""
    backend = f"backend=127.0.0.1,{origin_port}"
    if kind == "paths":
        return "\n".join([f"{backend};{path(n)}" for n in range(COUNT)] + [backend])
    if kind == "hosts":
        return "\n".join([f"{backend};{host(n)}/" for n in range(COUNT)] + [backend])
    return backend
