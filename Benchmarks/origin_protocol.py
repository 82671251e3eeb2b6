"""What each proxy is told when its origin speaks HTTP/2 (cleartext, known beforehand). nginx has no such thing."""

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
HTTP2 = {
    "envoy": f"    typed_extension_protocol_options: {{{OPTIONS}: "
    f'{{"@type": type.googleapis.com/{OPTIONS}, explicit_http_config: {{http2_protocol_options: {{}}}}}}}}',
    "haproxy": "proto h2",
    "nghttpx": ";;proto=h2",
}


def text(name, http2):
    if not http2:
        return ""
    return HTTP2["envoy" if name.startswith("apus") else name]
