"""The cases of h2spec 2.6 (147: generic 44, http2 95, hpack 8), by its section numbers and names.

Where h2spec takes a closed connection for an error, here the GOAWAY or RST_STREAM that says so must come before it.
"""

import pytest

from harness import config
from harness import http2 as h2
from harness.client import Closed
from harness.http2 import (
    CANCEL, COMPRESSION_ERROR, DATA, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADER_TABLE_SIZE, HEADERS,
    INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PING, PRIORITY,
    PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
)  # fmt: skip

pytestmark = pytest.mark.apus_only  # Envoy closes where this wants GOAWAY first
BODY = b"an answer of forty bytes, no more no less"
MAX_STREAMS = 100

# Steps: functions of a connection. Those that send return bytes, those that check return None.


def block(method="GET", extra=(), without=(), before=(), path="/"):
    """A header block with the connection's dynamic table."""
    fields = [pair for pair in h2.request_fields(method, path) if pair[0] not in without]
    return lambda c: c.encode([*before, *fields, *extra])


def head(stream=1, ends=True, ends_headers=True, tail=b"", start=b"", **named):
    return lambda c: h2.headers(stream, start + block(**named)(c) + tail, ends, ends_headers)


def post(stream=1, ends=False, **named):
    return head(stream, ends, method="POST", **named)


def sent(made):
    return lambda c: made


def data(stream=1, payload=b"test", ends=True, padding=None):
    return sent(h2.data(stream, payload, ends, padding))


def trailers(fields, stream=1, ends=True):
    return lambda c: h2.headers(stream, c.encode(fields), ends)


def dummies(count):
    return [(f"x-dummy{number}", "x" * 4000) for number in range(count)]


def continuation(stream=1, ends_headers=True, fields=None):
    return lambda c: h2.continuation(stream, c.encode(dummies(1) if fields is None else fields), ends_headers)


def split_head(*cuts):
    """A GET whose block is cut at these places into HEADERS and CONTINUATIONs."""

    def step(c):
        whole = block()(c)
        pieces = [whole[a:b] for a, b in zip((0, *cuts), (*cuts, len(whole)))]
        frames = [h2.headers(1, pieces[0], ends=True, ends_headers=False)]
        return b"".join(frames + [h2.continuation(1, p, p is pieces[-1]) for p in pieces[1:]])

    return step


def priority(stream=1, on=0, weight=255, exclusive=False):
    return sent(h2.priority(stream, on, weight, exclusive))


def rst(stream=1, code=CANCEL):
    return sent(h2.rst_stream(stream, code))


def update(stream, count):
    return sent(h2.window_update(stream, count))


def settings(*pairs):
    return sent(h2.settings(pairs))


def raw(type, flags, stream, payload):
    return sent(h2.frame(type, flags, stream, payload))


def until(condition, what):
    """Takes frames until one fits: a frame, or None for the end of the connection."""

    def step(c):
        seen = []
        while True:
            try:
                frame = c.pump()
            except Closed:
                frame = None
            except TimeoutError:
                raise AssertionError(f"no {what}; came: {seen}") from None
            seen.append(frame)
            if condition(frame, c):
                return
            assert frame is not None, f"closed without {what}; came: {seen}"

    return step


def is_type(type, **has):
    return lambda frame, c: frame is not None and frame.type == type and all(getattr(frame, k) == v for k, v in has.items())


def any_of(*conditions):
    return lambda frame, c: any(condition(frame, c) for condition in conditions)


def closed(frame, c):
    return frame is None


def connection_error(*codes):
    def step(c):
        until(lambda frame, c: is_type(GOAWAY)(frame, c) and frame.code in codes, f"GOAWAY with {codes}")(c)
        until(closed, "end of the connection")(c)

    return step


def stream_error(*codes):
    wanted = lambda frame, c: frame is not None and frame.type in (GOAWAY, RST_STREAM) and frame.code in codes  # noqa: E731
    return until(wanted, f"GOAWAY or RST_STREAM with {codes}")


headers_of_1 = until(is_type(HEADERS, stream=1), "HEADERS of stream 1")
a_data_frame = until(is_type(DATA), "DATA")
settings_ack = until(is_type(SETTINGS, flags=1), "acknowledgement of the SETTINGS")
stream_ended = until(lambda frame, c: frame is not None and frame.type in (HEADERS, DATA) and frame.has(1), "END_STREAM")
data_of_one = until(lambda frame, c: frame is not None and frame.type == DATA and len(c.message(1).body) == 1, "one byte")


def ping(payload=b"h2spec\0\0", or_end=False):
    def step(c):
        try:
            c.send(h2.ping(payload))
        except OSError:
            assert or_end  # already closed, which is read below
        pong = is_type(PING, flags=1, payload=payload)
        until(any_of(pong, closed) if or_end else pong, f"PING back with {payload}")(c)

    return step


ping_or_end = ping(or_end=True)


def server_preface(c):
    frame = c.pump()
    assert frame.type == SETTINGS and not frame.has(1), frame


def too_many_streams(c):
    limit = c.peer_settings[MAX_CONCURRENT_STREAMS]
    assert limit == MAX_STREAMS
    for number in range(limit + 1):
        c.send(h2.headers(2 * number + 1, h2.literals(h2.request_fields()), ends=True))


def bad_padding(c):
    whole = block()(c)
    return h2.frame(HEADERS, 0x0D, 1, bytes([len(whole) + 2]) + whole)


def window_to(size, count=1):
    """SETTINGS with that stream window, acknowledged."""
    return [settings((INITIAL_WINDOW_SIZE, size)), settings_ack]


def table_size(c):
    c.encoder.header_table_size = 128


USER_AGENT = b"user-agent", b"h2spec"
HUFFMAN_USER_AGENT = b"\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4"
PLAIN_USER_AGENT = b"\x0auser-agent\x06h2spec"
PLAIN_TEST = b"\x06x-test\x06h2spec"
HUFFMAN_TEST = b"\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4"
PUSH = lambda c: h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, b"\0\0\0\3" + block()(c))  # noqa: E731
RAW_PING = bytes(8)
NO_START = object()  # the case sends its own preface

CASES = {
    "generic": {
        "1": {"Sends a client connection preface": [NO_START, sent(h2.PREFACE + h2.settings({4: 65535})), server_preface]},
        "2": {
            "Sends a PRIORITY frame on idle stream": [priority(), ping()],
            "Sends a WINDOW_UPDATE frame on half-closed (remote) stream": [
                settings((INITIAL_WINDOW_SIZE, 0)), head(), update(1, 1), a_data_frame],
            "Sends a PRIORITY frame on half-closed (remote) stream": [
                settings((INITIAL_WINDOW_SIZE, 0)), head(), priority(), update(1, 1), a_data_frame],
            "Sends a RST_STREAM frame on half-closed (remote) stream": [head(), rst(), ping_or_end],
            "Sends a PRIORITY frame on closed stream": [head(), stream_ended, priority(), ping()],
        },
        "3.1": {
            "Sends a DATA frame": [post(), data(), headers_of_1],
            "Sends multiple DATA frames": [post(), data(ends=False), data(), headers_of_1],
            "Sends a DATA frame with padding": [post(), data(padding=5), headers_of_1],
        },
        "3.2": {
            "Sends a HEADERS frame": [head(), headers_of_1],
            "Sends a HEADERS frame with padding": [
                lambda c: h2.frame(HEADERS, 0x0D, 1, b"\x08" + block()(c) + bytes(8)), headers_of_1],
            "Sends a HEADERS frame with priority": [
                lambda c: h2.frame(HEADERS, 0x25, 1, b"\0\0\0\0\xff" + block()(c)), headers_of_1],
        },
        "3.3": {
            "Sends a PRIORITY frame with priority 1": [priority(weight=0), head(), headers_of_1],
            "Sends a PRIORITY frame with priority 256": [priority(), head(), headers_of_1],
            "Sends a PRIORITY frame with stream dependency": [priority(3, on=1, weight=0), head(), headers_of_1],
            "Sends a PRIORITY frame with exclusive": [priority(weight=0, exclusive=True), head(), headers_of_1],
            "Sends a PRIORITY frame for an idle stream, then send a HEADER frame for a lower stream ID": [
                priority(3), head(), headers_of_1],
        },
        "3.4": {"Sends a RST_STREAM frame": [head(ends=False), rst(), ping_or_end]},
        "3.5": {"Sends a SETTINGS frame": [
            settings((HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100), (INITIAL_WINDOW_SIZE, 65535),
                     (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100)), settings_ack]},
        "3.7": {"Sends a PING frame": [ping()]},
        "3.8": {"Sends a GOAWAY frame": [sent(h2.goaway(0, NO_ERROR, b"h2spec")), ping_or_end]},
        "3.9": {
            "Sends a WINDOW_UPDATE frame with stream ID 0": [update(0, 1), ping()],
            "Sends a WINDOW_UPDATE frame with stream ID 1": [head(), update(1, 1), headers_of_1],
        },
        "3.10": {
            "Sends a CONTINUATION frame": [split_head(5), headers_of_1],
            "Sends multiple CONTINUATION frames": [split_head(5, 10), headers_of_1],
        },
        "4": {
            "Sends a GET request": [head(), headers_of_1],
            "Sends a HEAD request": [head(method="HEAD"), headers_of_1],
            "Sends a POST request": [post(), data(), headers_of_1],
            "Sends a POST request with trailers": [
                post(extra=[("trailer", "x-test")]), data(ends=False), trailers([("x-test", "ok")]), headers_of_1],
        },
        "5": {
            "Sends a indexed header field representation": [head(extra=[("x-indexed", "1")], tail=b"\xbe"), headers_of_1],
            "Sends a literal header field with incremental indexing - indexed name": [
                head(tail=b"\x7a\x06h2spec"), headers_of_1],
            "Sends a literal header field with incremental indexing - indexed name (with Huffman coding)": [
                head(tail=b"\x7a\x84\x9c\x48\xac\xa4"), headers_of_1],
            "Sends a literal header field with incremental indexing - new name": [
                head(tail=b"\x40" + PLAIN_TEST), headers_of_1],
            "Sends a literal header field with incremental indexing - new name (with Huffman coding)": [
                head(tail=b"\x40" + HUFFMAN_TEST), headers_of_1],
            "Sends a literal header field without indexing - indexed name": [
                head(tail=b"\x00" + PLAIN_USER_AGENT), headers_of_1],
            "Sends a literal header field without indexing - indexed name (with Huffman coding)": [
                head(tail=b"\x00" + HUFFMAN_USER_AGENT), headers_of_1],
            "Sends a literal header field without indexing - new name": [head(tail=b"\x00" + PLAIN_TEST), headers_of_1],
            "Sends a literal header field without indexing - new name (huffman encoded)": [
                head(tail=b"\x00" + HUFFMAN_TEST), headers_of_1],
            "Sends a literal header field never indexed - indexed name": [head(tail=b"\x10" + PLAIN_USER_AGENT), headers_of_1],
            "Sends a literal header field never indexed - indexed name (huffman encoded)": [
                head(tail=b"\x10" + HUFFMAN_USER_AGENT), headers_of_1],
            "Sends a literal header field never indexed - new name": [head(tail=b"\x10" + PLAIN_TEST), headers_of_1],
            "Sends a literal header field never indexed - new name (huffman encoded)": [
                head(tail=b"\x10" + HUFFMAN_TEST), headers_of_1],
            "Sends a dynamic table size update": [table_size, head(), headers_of_1],
            "Sends multiple dynamic table size update": [head(start=b"\x3f\x61\x3f\xe1\x1f"), headers_of_1],
        },
    },
    "http2": {
        "3.5": {
            "Sends client connection preface": [NO_START, sent(h2.PREFACE + h2.settings({4: 65535})), server_preface],
            "Sends invalid connection preface": [
                NO_START, sent(b"INVALID CONNECTION PREFACE\r\n\r\n"), connection_error(PROTOCOL_ERROR)],
        },
        "4.1": {
            "Sends a frame with unknown type": [raw(0x16, 0, 0, RAW_PING), ping()],
            "Sends a frame with undefined flag": [raw(PING, 0x16, 0, RAW_PING), until(is_type(PING, flags=1), "PING back")],
            "Sends a frame with reserved field bit": [
                raw(PING, 0x16, 1 << 31, RAW_PING), until(is_type(PING, flags=1), "PING back")],
        },
        "4.2": {
            "Sends a DATA frame with 2^14 octets in length": [post(), data(payload=b"x" * 16384), headers_of_1],
            "Sends a large size DATA frame that exceeds the SETTINGS_MAX_FRAME_SIZE": [
                post(), data(payload=b"x" * 16385), stream_error(FRAME_SIZE_ERROR)],
            "Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE": [
                lambda c: h2.headers(1, h2.literals(h2.request_fields(extra=dummies(5))), ends=True),
                connection_error(FRAME_SIZE_ERROR)],
        },
        "4.3": {
            "Sends invalid header block fragment": [raw(HEADERS, 5, 1, b"\x40"), connection_error(COMPRESSION_ERROR)],
            "Sends a PRIORITY frame while sending the header blocks": [
                head(ends=False, ends_headers=False), priority(), continuation(), connection_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame to another stream while sending the header blocks": [
                head(ends=False, ends_headers=False), head(3), continuation(), connection_error(PROTOCOL_ERROR)],
        },
        "5.1": {
            "idle: Sends a DATA frame": [data(), stream_error(PROTOCOL_ERROR, STREAM_CLOSED)],
            "idle: Sends a RST_STREAM frame": [rst(), connection_error(PROTOCOL_ERROR)],
            "idle: Sends a WINDOW_UPDATE frame": [update(1, 100), connection_error(PROTOCOL_ERROR)],
            "idle: Sends a CONTINUATION frame": [
                continuation(fields=h2.request_fields()), connection_error(PROTOCOL_ERROR)],
            "half closed (remote): Sends a DATA frame": [head(), data(), stream_error(STREAM_CLOSED)],
            "half closed (remote): Sends a HEADERS frame": [head(), head(), stream_error(STREAM_CLOSED)],
            "half closed (remote): Sends a CONTINUATION frame": [
                head(), continuation(fields=h2.request_fields()), stream_error(STREAM_CLOSED, PROTOCOL_ERROR)],
            "closed: Sends a DATA frame after sending RST_STREAM frame": [
                head(ends=False), rst(), data(), stream_error(STREAM_CLOSED)],
            "closed: Sends a HEADERS frame after sending RST_STREAM frame": [
                head(ends=False), rst(), head(), stream_error(STREAM_CLOSED)],
            "closed: Sends a CONTINUATION frame after sending RST_STREAM frame": [
                head(ends=False), rst(), continuation(), stream_error(STREAM_CLOSED, PROTOCOL_ERROR)],
            "closed: Sends a DATA frame": [head(), stream_ended, data(), stream_error(STREAM_CLOSED)],
            "closed: Sends a HEADERS frame": [head(), stream_ended, head(), connection_error(STREAM_CLOSED)],
            "closed: Sends a CONTINUATION frame": [
                head(), stream_ended, continuation(), connection_error(STREAM_CLOSED, PROTOCOL_ERROR)],
        },
        "5.1.1": {
            "Sends even-numbered stream identifier": [head(2), connection_error(PROTOCOL_ERROR)],
            "Sends stream identifier that is numerically smaller than previous": [
                head(5), head(3), connection_error(PROTOCOL_ERROR)],
        },
        "5.1.2": {
            "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded": [
                settings((INITIAL_WINDOW_SIZE, 0)), too_many_streams, stream_error(PROTOCOL_ERROR, REFUSED_STREAM)],
        },
        "5.3.1": {
            "Sends HEADERS frame that depends on itself": [
                lambda c: h2.frame(HEADERS, 0x25, 1, b"\0\0\0\1\xff" + block()(c)), stream_error(PROTOCOL_ERROR)],
            "Sends PRIORITY frame that depend on itself": [priority(on=1), stream_error(PROTOCOL_ERROR)],
        },
        "5.4.1": {
            "Sends an invalid PING frame for connection close": [raw(PING, 0, 3, RAW_PING), until(closed, "the end")],
            "Sends an invalid PING frame to receive GOAWAY frame": [raw(PING, 0, 3, RAW_PING), connection_error(PROTOCOL_ERROR)],
        },
        "5.5": {
            "Sends an unknown extension frame": [raw(0x16, 0, 0, RAW_PING), ping()],
            "Sends an unknown extension frame in the middle of a header block": [
                head(ends_headers=False), raw(0x16, 0, 0, RAW_PING), connection_error(PROTOCOL_ERROR)],
        },
        "6.1": {
            "Sends a DATA frame with 0x0 stream identifier": [data(0), connection_error(PROTOCOL_ERROR)],
            'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state': [
                post(ends=True), data(), stream_error(STREAM_CLOSED)],
            "Sends a DATA frame with invalid pad length": [
                post(extra=[("content-length", "4")]), raw(DATA, 9, 1, b"\x06\x54\x65\x73\x74"), connection_error(PROTOCOL_ERROR)],
        },
        "6.2": {
            "Sends a HEADERS frame without the END_HEADERS flag, and a PRIORITY frame": [
                head(ends=False, ends_headers=False), priority(), continuation(), connection_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame to another stream while sending a HEADERS frame": [
                head(ends=False, ends_headers=False), head(3), continuation(), connection_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame with 0x0 stream identifier": [head(0), connection_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame with invalid pad length": [bad_padding, stream_error(PROTOCOL_ERROR)],
        },
        "6.3": {
            "Sends a PRIORITY frame with 0x0 stream identifier": [priority(0), connection_error(PROTOCOL_ERROR)],
            "Sends a PRIORITY frame with a length other than 5 octets": [
                head(), raw(PRIORITY, 0, 1, b"\x80\x00\x00\x01"), stream_error(FRAME_SIZE_ERROR)],
        },
        "6.4": {
            "Sends a RST_STREAM frame with 0x0 stream identifier": [rst(0), connection_error(PROTOCOL_ERROR)],
            "Sends a RST_STREAM frame on a idle stream": [rst(), connection_error(PROTOCOL_ERROR)],
            "Sends a RST_STREAM frame with a length other than 4 octets": [
                head(), raw(RST_STREAM, 0, 1, bytes(3)), stream_error(FRAME_SIZE_ERROR)],
        },
        "6.5": {
            "Sends a SETTINGS frame with ACK flag and payload": [raw(SETTINGS, 1, 0, b"\0"), connection_error(FRAME_SIZE_ERROR)],
            "Sends a SETTINGS frame with a stream identifier other than 0x0": [
                raw(SETTINGS, 0, 1, b"\0\3\0\0\0\x64"), connection_error(PROTOCOL_ERROR)],
            "Sends a SETTINGS frame with a length other than a multiple of 6 octets": [
                raw(SETTINGS, 0, 0, b"\0\3\0"), connection_error(FRAME_SIZE_ERROR)],
        },
        "6.5.2": {
            "SETTINGS_ENABLE_PUSH (0x2): Sends the value other than 0 or 1": [
                settings((ENABLE_PUSH, 2)), connection_error(PROTOCOL_ERROR)],
            "SETTINGS_INITIAL_WINDOW_SIZE (0x4): Sends the value above the maximum flow control window size": [
                settings((INITIAL_WINDOW_SIZE, 1 << 31)), connection_error(FLOW_CONTROL_ERROR)],
            "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value below the initial value": [
                settings((MAX_FRAME_SIZE, 16383)), connection_error(PROTOCOL_ERROR)],
            "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value above the maximum allowed frame size": [
                settings((MAX_FRAME_SIZE, 1 << 24)), connection_error(PROTOCOL_ERROR)],
            "Sends a SETTINGS frame with unknown identifier": [settings((0xFF, 1)), ping()],
        },
        "6.5.3": {
            "Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE": [
                settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), settings_ack, head(), data_of_one, ping(),
                data_of_one_only := (lambda c: check_body(c, 1))],
            "Sends a SETTINGS frame without ACK flag": [settings((ENABLE_PUSH, 0)), settings_ack],
        },
        "6.7": {
            "Sends a PING frame": [ping()],
            "Sends a PING frame with ACK": [sent(h2.ping(b"invalid\0", ack=True)), ping()],
            "Sends a PING frame with a stream identifier field value other than 0x0": [
                raw(PING, 0, 1, RAW_PING), connection_error(PROTOCOL_ERROR)],
            "Sends a PING frame with a length field value other than 8": [
                raw(PING, 0, 0, bytes(6)), connection_error(FRAME_SIZE_ERROR)],
        },
        "6.8": {"Sends a GOAWAY frame with a stream identifier other than 0x0": [
            raw(GOAWAY, 0, 1, RAW_PING), connection_error(PROTOCOL_ERROR)]},
        "6.9": {
            "Sends a WINDOW_UPDATE frame with a flow control window increment of 0": [
                update(0, 0), connection_error(PROTOCOL_ERROR)],
            "Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream": [
                head(ends=False), update(1, 0), stream_error(PROTOCOL_ERROR)],
            "Sends a WINDOW_UPDATE frame with a length other than 4 octets": [
                raw(WINDOW_UPDATE, 0, 0, b"\0\0\1"), connection_error(FRAME_SIZE_ERROR)],
        },
        "6.9.1": {
            "Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame": [
                *window_to(1), head(), data_of_one, ping(), data_of_one_only],
            "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1": [
                update(0, h2.WINDOW_MAX), update(0, h2.WINDOW_MAX), connection_error(FLOW_CONTROL_ERROR)],
            "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream": [
                head(ends=False), update(1, h2.WINDOW_MAX), update(1, h2.WINDOW_MAX),
                until(is_type(RST_STREAM, stream=1, code=FLOW_CONTROL_ERROR), "RST_STREAM"), ping()],
        },
        "6.9.2": {
            "Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame": [
                *window_to(0), head(), settings((INITIAL_WINDOW_SIZE, 1)), data_of_one, ping(), data_of_one_only],
            "Sends a SETTINGS frame for window size to be negative": [
                *window_to(3), head(), a_data_frame, *window_to(2), update(1, 2), a_data_frame, ping(),
                lambda c: check_body(c, 4)],
            "Sends a SETTINGS_INITIAL_WINDOW_SIZE settings with an exceeded maximum window size value": [
                settings((INITIAL_WINDOW_SIZE, 1 << 31)), connection_error(FLOW_CONTROL_ERROR)],
        },
        "6.10": {
            "Sends multiple CONTINUATION frames preceded by a HEADERS frame": [
                head(ends_headers=False), continuation(ends_headers=False), continuation(), headers_of_1],
            "Sends a CONTINUATION frame followed by any frame other than CONTINUATION": [
                post(ends_headers=False), continuation(ends_headers=False), data(), connection_error(PROTOCOL_ERROR)],
            "Sends a CONTINUATION frame with 0x0 stream identifier": [
                head(ends_headers=False), continuation(0), connection_error(PROTOCOL_ERROR)],
            "Sends a CONTINUATION frame preceded by a HEADERS frame with END_HEADERS flag": [
                head(), continuation(), connection_error(PROTOCOL_ERROR)],
            "Sends a CONTINUATION frame preceded by a CONTINUATION frame with END_HEADERS flag": [
                head(ends_headers=False), continuation(), continuation(), connection_error(PROTOCOL_ERROR)],
            "Sends a CONTINUATION frame preceded by a DATA frame": [
                post(ends_headers=False), data(), continuation(ends_headers=False), continuation(0),
                connection_error(PROTOCOL_ERROR)],
        },
        "7": {
            "Sends a GOAWAY frame with unknown error code": [sent(h2.goaway(0, 0xFF)), ping_or_end],
            "Sends a RST_STREAM frame with unknown error code": [post(), rst(code=0xFF), ping_or_end],
        },
        "8.1": {"Sends a second HEADERS frame without the END_STREAM flag": [
            post(), data(ends=False), trailers([("x-test", "ok")], ends=False), stream_error(PROTOCOL_ERROR)]},
        "8.1.2": {"Sends a HEADERS frame that contains the header field name in uppercase letters": [
            head(extra=[("X-TEST", "ok")]), stream_error(PROTOCOL_ERROR)]},
        "8.1.2.1": {
            "Sends a HEADERS frame that contains a unknown pseudo-header field": [
                head(extra=[(":test", "ok")]), stream_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame that contains the pseudo-header field defined for response": [
                head(extra=[(":status", "200")]), stream_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame that contains a pseudo-header field as trailers": [
                post(), data(ends=False), trailers([(":method", "POST")], ends=False), stream_error(PROTOCOL_ERROR)],
            "Sends a HEADERS frame that contains a pseudo-header field that appears in a header block after a regular header field": [
                head(before=[("x-test", "ok")]), stream_error(PROTOCOL_ERROR)],
        },
        "8.1.2.2": {
            "Sends a HEADERS frame that contains the connection-specific header field": [
                head(extra=[("connection", "keep-alive")]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame that contains the TE header field with any value other than "trailers"': [
                head(extra=[("trailers", "test"), ("te", "trailers, deflate")]), stream_error(PROTOCOL_ERROR)],
        },
        "8.1.2.3": {
            'Sends a HEADERS frame with empty ":path" pseudo-header field': [head(path=""), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame that omits ":method" pseudo-header field': [
                head(without=[":method"]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame that omits ":scheme" pseudo-header field': [
                head(without=[":scheme"]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame that omits ":path" pseudo-header field': [
                head(without=[":path"]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame with duplicated ":method" pseudo-header field': [
                head(extra=[(":method", "GET")]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame with duplicated ":scheme" pseudo-header field': [
                head(extra=[(":scheme", "http")]), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame with duplicated ":path" pseudo-header field': [
                head(extra=[(":path", "/")]), stream_error(PROTOCOL_ERROR)],
        },
        "8.1.2.6": {
            'Sends a HEADERS frame with the "content-length" header field which does not equal the DATA frame payload length': [
                post(extra=[("content-length", "1")]), data(), stream_error(PROTOCOL_ERROR)],
            'Sends a HEADERS frame with the "content-length" header field which does not equal the sum of the multiple DATA frames payload length': [
                post(extra=[("content-length", "1")]), data(ends=False), data(), stream_error(PROTOCOL_ERROR)],
        },
        "8.2": {"Sends a PUSH_PROMISE frame": [PUSH, connection_error(PROTOCOL_ERROR)]},
    },
    "hpack": {
        "2.3.3": {
            "Sends a indexed header field representation with invalid index": [
                head(tail=b"\xc6"), connection_error(COMPRESSION_ERROR)],
            "Sends a literal header field representation with invalid index": [
                head(tail=b"\x7f\x07\x00"), connection_error(COMPRESSION_ERROR)],
        },
        "4.2": {"Sends a dynamic table size update at the end of header block": [
            head(tail=b"\x21"), connection_error(COMPRESSION_ERROR)]},
        "5.2": {
            "Sends a Huffman-encoded string literal representation with padding longer than 7 bits": [
                head(tail=b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"), connection_error(COMPRESSION_ERROR)],
            "Sends a Huffman-encoded string literal representation padded by zero": [
                head(tail=b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"), connection_error(COMPRESSION_ERROR)],
            "Sends a Huffman-encoded string literal representation containing the EOS symbol": [
                head(tail=b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"), connection_error(COMPRESSION_ERROR)],
        },
        "6.1": {"Sends a indexed header field representation with index 0": [
            head(tail=b"\x80"), connection_error(COMPRESSION_ERROR)]},
        "6.3": {"Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE": [
            head(start=h2.integer(4097, 5, 0x20)), connection_error(COMPRESSION_ERROR)]},
    },
}  # fmt: skip

ROWS = [
    pytest.param(steps, id=f"{group}/{section}/{number}")
    for group, sections in CASES.items()
    for section, names in sections.items()
    for number, steps in enumerate(names.values(), 1)
]


def check_body(c, count):
    assert len(c.message(1).body) == count, c.frames


@pytest.fixture(scope="module")
def proxy(make_shared):
    origin = make_shared.origin(lambda connection, request: connection.reply(BODY))
    options = {"codec_type": "HTTP2", "http2_protocol_options": {"max_concurrent_streams": MAX_STREAMS}}
    proxy = make_shared.proxy(config.simple(origin.port, **options))
    proxy.http_port = proxy.port()
    return proxy


@pytest.mark.parametrize("steps", ROWS)
def test_case(proxy, steps):
    own_start = steps[0] is NO_START
    with h2.Client(proxy.http_port, window=65535, start=not own_start, timeout=4) as client:
        if not own_start:
            client.handshake()
        for step in steps[own_start:]:
            made = step(client)
            if made:
                try:
                    client.send(made)
                except OSError:
                    pass  # already closed: what was said before it is still to be read
    assert proxy.process.poll() is None


def test_the_table_is_whole():
    assert {group: sum(map(len, sections.values())) for group, sections in CASES.items()} == {
        "generic": 44, "http2": 95, "hpack": 8,
    }  # fmt: skip


def test_the_proxy_serves_on(proxy):
    assert h2.get(proxy.http_port).body == BODY
