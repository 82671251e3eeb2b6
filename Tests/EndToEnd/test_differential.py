"""The judge of tools/fuzz-differential: what must be a finding is one."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "differential.d"))
import compare
import generate


def request(end=20, body=b"", target=b"/", fields=((b"host", b"h"),), version=b"1.1"):
    return {"method": b"GET", "target": target, "fields": list(fields), "body": body, "trailers": [], "end": end,
            "version": version}


def seen(*requests, ending="idle", words="", line=None):
    return {"requests": list(requests), "ending": ending, "words": words, "line": line}


def refused(*requests, words, line=None):
    return seen(*requests, ending=f"failed: {words}", words=words, line=line)


@pytest.mark.parametrize("apus, h11", [
    (seen(request(), request(40)), seen(request(40))),
    (seen(request(40)), seen(request(), request(40))),
    (seen(request(), ending="need more"), seen(request())),
    (seen(request()), seen(request(), ending="closed")),
    (seen(request(), ending="closed"), seen(request(), request(40))),
    (seen(request(), ending="closed"), seen(request())),
    (seen(request(body=b"a")), seen(request(body=b"b"))),
    (seen(request(target=b"/a")), seen(request())),
    (seen(request(fields=[])), seen(request())),
    (seen(request(None, b"ab"), ending="need more"), seen(request(None, b"ac"), ending="need more")),
    (seen(request(None), ending="need more"), seen(ending="need more")),
    (seen(request()), refused(words="illegal header line", line=b"a : b")),
    (seen(request()), refused(words="no request line received")),
    (seen(request(None), ending="failed: badChunkSize"), refused(words="Missing mandatory Host: header")),
    (seen(request()), refused(words="Only Transfer-Encoding: chunked is supported")),
    (seen(request()), refused(request(None), words="illegal chunk header", line=b"1 x\r\n")),
    (seen(request()), refused(request(None), words="illegal chunk header", line=b"1" * 21 + b"\r\n")),
])
def test_a_finding(apus, h11):
    assert compare.judge(b"GET / HTTP/1.1\r\n\r\n", apus, h11)[0] == "FINDING"


@pytest.mark.parametrize("data, apus, h11, kind", [
    (b"", seen(request()), seen(request()), "equal"),
    (b"", refused(words="badHost"), refused(words="anything"), "equal"),
    (b"", refused(request(), words="badHost"), seen(request(), request(40)), "stricter"),
    (b"\r\nGET", seen(request()), refused(words="no request line received"), "looser"),
    (b"\r\n\r\n", seen(request()), refused(words="no request line received"), "FINDING"),
    (b"", seen(request()), refused(request(None), words="illegal chunk header", line=b"1 ;x\r\n"), "looser"),
    (b"", seen(request()), refused(request(None), words="illegal chunk header", line=b"0" * 20 + b"1\r\n"), "looser"),
    (b"", seen(request(fields=[(b"connection", b"keep-alive")])),
     seen(request(fields=[(b"connection", b"keep-alive")], version=b"1.0"), ending="closed"), "looser"),
])
def test_no_finding(data, apus, h11, kind):
    assert compare.judge(data, apus, h11)[0] == kind


def test_streams_are_the_same_for_the_same_seed():
    assert generate.stream(1, 7) == generate.stream(1, 7)
    assert len({generate.stream(seed, number) for seed in (1, 2) for number in range(50)}) > 90
