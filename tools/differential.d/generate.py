"""Streams of requests, most of them nearly right: what two parsers are likely to read differently."""

import random

METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"M-SEARCH", b"get"]
TARGETS = [b"/", b"/a?b=c", b"*", b"http://h/p", b"http://h:80?q", b"//x", b"/%00", b"h:443", b"/a b", b"/\xc3\xa9",
           b"/#f", b"", b"/\t", b"/a;b"]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/11", b""]
LENGTHS = [b"%d", b"0%d", b"+%d", b"-%d", b" %d ", b"%d,%d", b"%d, %d", b"0x%x", b"%d ", b"\t%d", b"%d\x0b", b"%d;a",
           b"%d.0", b"", b"18446744073709551616", b"9223372036854775808", b"1e1", b"%d %d", b"\x0c%d"]
CODINGS = [b"chunked"] * 6 + [b"Chunked", b"chunked ", b"\tchunked", b"chunked, identity", b"identity", b"gzip, chunked",
                              b"chunked,chunked", b"xchunked", b"chunked;q=1", b"\"chunked\"", b"chunked\x0b", b"",
                              b" chunked", b"chunked,", b",chunked"]
NAMES = [b"X-A", b"Connection", b"Cookie", b"Content_Length",
         b"Trailer", b"Expect", b"Upgrade", b"TE"]
VALUES = [b"x", b"", b"close", b"keep-alive", b"100-continue", b"a\tb", b"\xe9", b"trailers", b"close, x-a", b"websocket",
          b"keep-alive, close", b"\"a, close\"", b"upgrade"]
NOISE = [b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\r\n", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff",
         b":", b";", b",", b"0", b"\"", b"_", b"\x85", b"\xa0"]
SEPARATORS = [b": "] * 12 + [b":", b":  ", b":\t", b" : ", b"\t:", b": \t ", b" :", b"::", b" ", b":\r\n ", b":\x0b"]
ENDS = [b"\r\n"] * 40 + [b"\n", b"\r", b"\r\r\n", b"\n\n", b"\r\n ", b"\r\n\t", b" \r\n", b"\t\r\n", b"\x00\r\n"]


def chance(r, one_in):
    return r.randrange(one_in) == 0


def odd(r, one_in):
    """Chance of a fault: some connections have many, most a few or none, so that what is behind them is read too."""
    return chance(r, one_in * r.care)


def strange(r, usual, others, one_in=12):
    return r.choice(others) if odd(r, one_in) else usual


def field(r, name, value):
    if odd(r, 25):
        name = r.choice([name.lower(), name.upper(), name + b" ", b" " + name, name[:-1], name + b"\0", b"\t" + name])
    return name + strange(r, b": ", SEPARATORS, 4) + value + strange(r, b"\r\n", ENDS, 4)


def length_value(r, length):
    shape = strange(r, b"%d", LENGTHS, 8)
    count = shape.count(b"%")
    return shape % ((length,) * count) if count else shape


def chunk(r, data):
    size = strange(r, b"%x" % len(data), [b"%X" % len(data), b"0%x" % len(data), b"0x%x" % len(data), b"%x " % len(data),
                                         b" %x" % len(data), b"+%x" % len(data), b"%x\t" % len(data), b"-%x" % len(data),
                                         b"%d_0" % len(data), b"%x\x0b" % len(data), b"%016x" % len(data),
                                         b"%024x" % len(data), b"1%016x" % len(data)])
    extension = strange(r, b"", [b";a", b";a=b", b" ;a", b"; a = \"b;c\"", b";", b";\n", b";a\rb", b";\x00", b";a\nb",
                                 b"\t;x", b";" + b"y" * 300], 8)
    end = strange(r, b"\r\n", [b"\n", b"\r", b"", b"\r\n\r\n", b"\n\r\n", b"XX", b"\r\r\n"], 25)
    return size + extension + strange(r, b"\r\n", ENDS, 25) + data + end


def chunks(r, content):
    out = b""
    while content:
        take = r.randint(1, len(content))
        out += chunk(r, content[:take])
        content = content[take:]
    out += strange(r, b"0", [b"00", b"0;x", b"0 ", b"000000000000000000000", b"", b"-0"], 15)
    out += strange(r, b"\r\n", ENDS, 25)
    if chance(r, 4):
        for _ in range(r.randint(1, 2)):
            name = strange(r, b"X-Sum", [b"Content-Length", b"Transfer-Encoding", b"Host"], 3)
            out += field(r, name, r.choice([b"1", b"chunked", b"a b"]))
    return out + strange(r, b"\r\n", [b"\n", b"", b"\r", b"\r\r\n", b" \r\n"], 25)


def content(r):
    if chance(r, 3):
        return b"GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n"
    return bytes(r.choice(b"ab01\r\n;: \0") for _ in range(r.randint(0, 30)))


def request(r):
    method = strange(r, r.choice(METHODS[:5]), METHODS + [b"G(T", b"", b"A" * 40])
    target = strange(r, r.choice(TARGETS[:2]), TARGETS, 6)
    if odd(r, 30):
        method, target = b"CONNECT", b"h:443"
    line = method + strange(r, b" ", [b"  ", b"\t", b"", b" \t"], 30) + target + strange(r, b" ", [b"  ", b"\t", b"", b"\x0b"], 30)
    stays = chance(r, 60)  # HTTP/1.0 that asks for more requests on its connection
    line += b"HTTP/1.0" if stays else strange(r, b"HTTP/1.1", VERSIONS, 8)
    out = strange(r, b"", [b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r", b"\0"], 15) + line + strange(r, b"\r\n", ENDS, 20)
    fields = [] if odd(r, 25) else [(b"Host", strange(r, b"h", [b"", b"h:80", b"a b", b"a,b", b"[::1]", b"u@h", b"h/"]))]
    if odd(r, 40):
        fields.append((b"Host", b"other"))
    body = b""
    kind = r.randrange(6)
    if kind <= 1:
        data = content(r)
        fields.append((b"Content-Length", length_value(r, len(data))))
        if odd(r, 8):
            fields.append((b"Content-Length", length_value(r, r.choice([len(data), 0, 3]))))
        body = data
    elif kind <= 3:
        data = content(r)
        fields.append((b"Transfer-Encoding", strange(r, b"chunked", CODINGS, 4)))
        if odd(r, 8):
            fields.append((b"Transfer-Encoding", r.choice(CODINGS)))
        if odd(r, 6):
            fields.append((b"Content-Length", length_value(r, r.choice([len(data), 0, 5]))))
        body = chunks(r, data)
    for _ in range(r.choice([0, 0, 1, 2])):
        value = strange(r, r.choice(VALUES), [b"a\0b", b"a\x0bb", b"a\x7fb", b"a\rb", b"host", b"content-length"])
        fields.append((r.choice(NAMES), value))
    if stays:
        fields.append((b"Connection", b"Keep-Alive"))
    r.shuffle(fields)
    out += b"".join(field(r, name, value) for name, value in fields)
    return out + strange(r, b"\r\n", [b"\n", b"", b"\r", b"\r\r\n", b" \r\n"], 25) + body


def mutated(r, data):
    for _ in range(r.choice([0, 0, 1, 1, 2])):
        at = r.randint(0, len(data))
        what = r.randrange(4)
        if what == 0:
            data = data[:at] + r.choice(NOISE) + data[at:]
        elif what == 1:
            data = data[:at] + data[at + r.randint(1, 3):]
        elif what == 2:
            end = min(len(data), at + r.randint(1, 30))
            data = data[:end] + data[at:end] + data[end:]
        elif at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << r.randrange(8)]) + data[at + 1:]
    return data


def stream(seed, number):
    """The bytes of one connection; the same for the same seed and number."""
    r = random.Random(f"{seed}:{number}")
    r.care = r.choice([1, 3, 10, 30])
    data = b"".join(request(r) for _ in range(r.choice([1, 1, 2, 2, 3])))
    return mutated(r, data) if odd(r, 1) else data
