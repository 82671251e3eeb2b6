"""Judges what the two parsers saw."""

import re

# What the codec accepts although h11 does not: h11's words, what is seen then, and why that is right.
LOOSER = [
    (r"illegal chunk header", r"[0-9A-Fa-f][ \t]+;",
     "white space before a chunk extension is part of the grammar (RFC 9112 section 7.1.1, BWS)"),
    (r"illegal chunk header", r"[0-9A-Fa-f]{21,}",
     "leading zeros of a chunk size do not change it; h11 stops at 20 digits"),
    (r"illegal chunk header", r"[0-9A-Fa-f][ \t]*;[^\r\n]*[\x80-\xff]",
     "bytes from 0x80 on may stand in a quoted extension value (RFC 9110 section 5.6.4), and extensions are skipped"),
    (r"illegal request line", r"[^ ]* [^ ]*[\x80-\xff]",
     "bytes from 0x80 on in a target go through unchanged, as in Envoy; every byte up to the space is the target"),
    (r"illegal header line", r":[^\r\n]*",
     "h11 refuses what its pattern for values leaves out"),
    (r"unsupported transfer encoding|Transfer-Encoding", r"", "h11 words"),
]


def fields_of(request):
    """Fields in a form that both sides agree on: h11 writes the coding's name in lower case."""
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in request["fields"]]


def judge(data, apus, h11):
    """Returns (class, reason): equal, stricter, looser, waits, closes or FINDING."""
    for number in range(max(len(apus["requests"]), len(h11["requests"])) + 1):
        ours = apus["requests"][number] if number < len(apus["requests"]) else None
        theirs = h11["requests"][number] if number < len(h11["requests"]) else None
        we_end = ours is not None and ours["end"] is not None
        they_end = theirs is not None and theirs["end"] is not None
        if we_end and they_end:
            for part in ("method", "target", "body", "end"):
                if ours[part] != theirs[part]:
                    return "FINDING", f"request {number}: {part} differs"
            if fields_of(ours) != fields_of(theirs):
                return "FINDING", f"request {number}: fields differ"
            continue
        if we_end or they_end:
            return one_sided(data, number, we_end, apus["ending"], h11["ending"], ours, theirs)
        return both_stop(number, apus["ending"], h11["ending"])


def one_sided(data, number, we_end, ours, theirs, our_request, their_request):
    if we_end:
        if theirs.startswith("failed"):
            start = 0
            for words, shape, reason in LOOSER:
                if re.search(words, theirs) and re.search(shape.encode("latin-1"), data):
                    return "looser", reason
            return "FINDING", f"request {number} is accepted; h11: {theirs}"
        return "FINDING", f"request {number} is complete; h11: {theirs}"
    if ours.startswith("failed"):
        return "stricter", ours
    if ours == "closed":
        return "closes", "closes earlier than h11"
    return "FINDING", f"request {number}: {ours}, where h11 sees it whole"


def both_stop(number, ours, theirs):
    if ours == theirs or ours.startswith("failed") and theirs.startswith("failed"):
        return "equal", ours.split(":")[0]
    if ours.startswith("failed"):
        return "stricter", ours
    if theirs.startswith("failed"):
        return "waits", f"h11 refuses earlier: {theirs}"
    return "equal", f"{ours} / {theirs}"
