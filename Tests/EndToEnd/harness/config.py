"""Bootstrap configurations as Python values. Written to files as JSON, which is YAML too."""

import json

TYPE = "type.googleapis.com/envoy."
HCM = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = TYPE + "extensions.filters.http.router.v3.Router"
TCP_PROXY = TYPE + "extensions.filters.network.tcp_proxy.v3.TcpProxy"
PROXY_PROTOCOL = TYPE + "extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
FILE_LOG = TYPE + "extensions.access_loggers.file.v3.FileAccessLog"
HTTP_OPTIONS = TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions"
STATSD = TYPE + "config.metrics.v3.StatsdSink"
TLS = TYPE + "extensions.transport_sockets.tls.v3."
TLS_INSPECTOR = TYPE + "extensions.filters.listener.tls_inspector.v3.TlsInspector"


def address(port=0, host="127.0.0.1"):
    return {"socket_address": {"address": host, "port_value": port}}


def cluster(name, *ports, **fields):
    """A STATIC round-robin cluster of hosts on 127.0.0.1."""
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **fields,
    }


def http_options(**common):
    """Typed protocol options of a cluster: explicit HTTP/1.1 with the common options given."""
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": HTTP_OPTIONS,
            "common_http_protocol_options": common,
            "explicit_http_config": {"http_protocol_options": {}},
        }
    }


def http2_options(**options):
    """Typed protocol options of a cluster: explicit HTTP/2 with the options given."""
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": HTTP_OPTIONS,
            "explicit_http_config": {"http2_protocol_options": options},
        }
    }


def route(prefix="/", to="origin", route_fields=None, **action):
    """A prefix route to a cluster; `action` fields go to the RouteAction, `route_fields` to the Route."""
    return {"match": {"prefix": prefix}, "route": {"cluster": to, **action}, **(route_fields or {})}


def virtual_host(*routes, name="all", domains=("*",), **fields):
    return {"name": name, "domains": list(domains), "routes": list(routes), **fields}


def http_listener(*virtual_hosts, name="http", hcm=None, routes=None, listener=None, listener_filters=None):
    """A listener with an HTTP connection manager; stats are under `http.ingress.`."""
    manager = {
        "@type": HCM,
        "stat_prefix": "ingress",
        "route_config": {"name": "local", "virtual_hosts": list(virtual_hosts), **(routes or {})},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
        **(hcm or {}),
    }
    result = {
        "name": name,
        "address": address(),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
        **(listener or {}),
    }
    if listener_filters:
        result["listener_filters"] = listener_filters
    return result


def tcp_listener(to="origin", name="tcp", listener=None, listener_filters=None, **fields):
    proxy = {"@type": TCP_PROXY, "stat_prefix": "tcp", "cluster": to, **fields}
    result = {
        "name": name,
        "address": address(),
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
        **(listener or {}),
    }
    if listener_filters:
        result["listener_filters"] = listener_filters
    return result


def certificate(identity, **fields):
    return {
        "certificate_chain": {"filename": str(identity.chain)},
        "private_key": {"filename": str(identity.key)},
        **fields,
    }


def tls_common(*identities, trusts=None, alpn=(), versions=None, validation=None, **fields):
    """A CommonTlsContext; identities are `Identity`s or certificates of `certificate`."""
    common = {**fields}
    if identities:
        common["tls_certificates"] = [one if isinstance(one, dict) else certificate(one) for one in identities]
    rules = dict(validation or {})
    if trusts:
        rules["trusted_ca"] = {"filename": str(trusts.pem)}
    if rules:
        common["validation_context"] = rules
    if alpn:
        common["alpn_protocols"] = list(alpn)
    if versions:
        common.setdefault("tls_params", {}).update(
            tls_minimum_protocol_version=versions[0], tls_maximum_protocol_version=versions[1]
        )
    return common


def tls_socket(kind, common, **fields):
    """A transport socket; `kind` is Downstream or Upstream."""
    typed = {"@type": f"{TLS}{kind}TlsContext", "common_tls_context": common, **fields}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}


def with_tls(listener, *identities, context=None, **common):
    """The listener with TLS in front of each of its chains. `context`: fields of the DownstreamTlsContext."""
    for chain in listener["filter_chains"]:
        chain["transport_socket"] = tls_socket("Downstream", tls_common(*identities, **common), **(context or {}))
    return listener


def tls_cluster(name, *ports, identity=None, context=None, fields=None, **common):
    """A cluster that speaks TLS to its hosts; by default up to TLS 1.3."""
    identities = [identity] if identity else []
    common.setdefault("versions", ("TLSv1_2", "TLSv1_3"))
    made = cluster(name, *ports, **(fields or {}))
    made["transport_socket"] = tls_socket("Upstream", tls_common(*identities, **common), **(context or {}))
    return made


def tls_inspector(**fields):
    return {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": TLS_INSPECTOR, **fields}}


def proxy_protocol(**fields):
    return {
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": PROXY_PROTOCOL, **fields},
    }


def file_log(path, text=None, fields=None, only=None):
    """An access log to a file: default format, a text format, or a JSON format of `fields`."""
    typed = {"@type": FILE_LOG, "path": str(path)}
    if text is not None:
        typed["log_format"] = {"text_format_source": {"inline_string": text}}
    if fields is not None:
        typed["log_format"] = {"json_format": fields}
    log = {"name": "envoy.access_loggers.file", "typed_config": typed}
    if only:
        log["filter"] = only
    return log


def statsd_sink(port, **fields):
    return {
        "name": "envoy.stat_sinks.statsd",
        "typed_config": {"@type": STATSD, "address": address(port), **fields},
    }


def bootstrap(listeners, clusters, **fields):
    return {
        "admin": {"address": address()},
        "static_resources": {"listeners": list(listeners), "clusters": list(clusters)},
        **fields,
    }


def simple(origin_port, **hcm):
    """Everything to one origin."""
    return bootstrap([http_listener(virtual_host(route()), hcm=hcm)], [cluster("origin", origin_port)])


def with_generation(document, generation):
    """A copy whose first listener marks its responses with `x-generation`."""
    copied = json.loads(json.dumps(document))
    manager = copied["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    mark = {"header": {"key": "x-generation", "value": str(generation)}}
    manager["route_config"]["response_headers_to_add"] = [mark]
    return copied


def text(config):
    return config if isinstance(config, str) else json.dumps(config, indent=1)


def http_filters(*filters):
    """`http_filters` of the manager: (name, type, fields) each, and the router behind them."""
    made = [
        {"name": name, "typed_config": {"@type": TYPE + "extensions.filters.http." + kind, **fields}}
        for name, kind, fields in filters
    ]
    return [*made, {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}]
