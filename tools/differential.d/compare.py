"""Judges what the two parsers saw in one connection.

equal     the same requests, and the same end
stricter  the codec refuses what h11 accepts: allowed, counted by reason
looser    the codec goes on where h11 stops: only what LOOSER lists
FINDING   anything else: other requests, other bodies, or accepted without a reason
"""

import re

EXTENSION = rb"[ \t]*;[\t\x20-\x7e\x80-\xff]*"
# What the codec accepts and h11 does not: where (in a head or behind it), what h11 says (whole), the line that it says so
# about (whole; None when it quotes none), how the rest of the connection begins, and why the codec is right.
LOOSER = [
    ("head", r"no request line received", None, rb"\r\n(?!\n|\r\n)",
     "one empty line before a request line is skipped (RFC 9112 section 2.2)"),
    ("head", r"illegal request line", None, rb"\r\Z",
     "the CR of an empty line before a request line, whose LF may come (RFC 9112 section 2.2)"),
    ("body", r"illegal chunk header", rb"[0-9A-Fa-f]{1,20}[ \t]" + EXTENSION + rb"\r\n", rb"",
     "white space before a chunk extension is in the grammar (RFC 9112 section 7.1.1, BWS)"),
    ("body", r"illegal chunk header", rb"(?=[0-9A-Fa-f]{21})0+[0-9A-Fa-f]{1,16}(" + EXTENSION + rb"|[ \t]*)\r\n", rb"",
     "a chunk size may begin with any number of zeros (RFC 9112 section 7.1, 1*HEXDIG); h11 stops at 20 digits"),
    ("body", r"Only Transfer-Encoding: chunked is supported|multiple Transfer-Encoding headers", None, rb"",
     "a Transfer-Encoding in the trailers says nothing and is not passed on (RFC 9110 section 6.5.1)"),
    ("body", r"bad Content-Length|conflicting Content-Length headers", None, rb"",
     "a Content-Length in the trailers says nothing and is not passed on (RFC 9110 section 6.5.1)"),
]


def judge(data, apus, h11):
    """Returns (class, reason)."""
    start = 0
    for number in range(max(len(apus["requests"]), len(h11["requests"])) + 1):
        ours = nth(apus["requests"], number)
        theirs = nth(h11["requests"], number)
        if ours and theirs:
            for part in ("method", "target", "fields"):
                if ours[part] != theirs[part]:
                    return "FINDING", f"request {number}: {part}"
            if ours["end"] is not None and theirs["end"] is not None:
                for part in ("body", "end", "trailers"):
                    if ours[part] != theirs[part]:
                        return "FINDING", f"request {number}: {part}"
                start = ours["end"]
                continue
            shorter = min(len(ours["body"]), len(theirs["body"]))
            if ours["body"][:shorter] != theirs["body"][:shorter]:
                return "FINDING", f"request {number}: beginning of the body"
        return stopped(data, number, start, apus, h11)


def nth(requests, number):
    return requests[number] if number < len(requests) else None


def stopped(data, number, start, apus, h11):
    """At least one of the two did not get to the end of request `number`, which begins at `start`."""
    ours, theirs = apus["ending"], h11["ending"]
    our_head = nth(apus["requests"], number) is not None
    their_head = nth(h11["requests"], number) is not None
    if theirs.startswith("failed") and (our_head > their_head or not ours.startswith("failed")):
        reason = allowed("body" if their_head else "head", data[start:], h11)
        return ("looser", reason) if reason else ("FINDING", f"request {number}: {ours}; h11 {theirs}")
    if ours.startswith("failed"):
        return ("equal", "both refuse") if theirs.startswith("failed") else ("stricter", ours)
    if ours == theirs and progress(apus, number) == progress(h11, number):
        return "equal", ours
    if theirs == "closed" and number and number == len(h11["requests"]) and keeps_http10(h11["requests"][-1]):
        return "looser", ("HTTP/1.0 with keep-alive goes on, as a gateway is the origin server to its client "
                          "(RFC 9112 section 9.3, RFC 9110 section 3.7); h11 always closes")
    return "FINDING", f"request {number}: {ours}; h11 {theirs}"


def progress(side, number):
    request = nth(side["requests"], number)
    return None if request is None else request["end"] is not None


def allowed(where, rest, h11):
    for place, words, line, before, reason in LOOSER:
        if (place == where and re.fullmatch(words, h11["words"]) and re.match(before, rest)
                and (h11["line"] is None if line is None else re.fullmatch(line, h11["line"] or b""))):
            return reason
    return None


def keeps_http10(request):
    options = [option.strip().lower() for name, value in request["fields"] if name == b"connection"
               for option in value.split(b",")]
    return request["version"] == b"1.0" and b"keep-alive" in options and b"close" not in options
