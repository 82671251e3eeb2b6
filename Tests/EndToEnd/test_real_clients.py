"""Clients that people use, against a running proxy: what they count is what the proxy counted."""

import http.client
import json
import re
import subprocess

import pytest

from harness import config, wait


@pytest.fixture
def proxy(make):
    return make.proxy(config.simple(make.origin().port), concurrency=2)


def run(*command, seconds=60):
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def answered(proxy):
    return proxy.stat("http.ingress.downstream_rq_2xx")


def test_curl(proxy, tmp_path):
    url = f"http://127.0.0.1:{proxy.port()}"
    (tmp_path / "body").write_bytes(b"x" * 300_000)
    arrived = json.loads(run("curl", "-sS", "--data-binary", f"@{tmp_path}/body", f"{url}/upload?x=1"))
    assert (arrived["method"], arrived["target"], len(arrived["body"])) == ("POST", "/upload?x=1", 300_000)
    chunked = run("curl", "-sS", "-H", "Transfer-Encoding: chunked", "-d", "hello", f"{url}/")
    assert json.loads(chunked)["body"] == "hello"
    two = run("curl", "-sS", "-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null", f"{url}/a", "-o", "/dev/null", f"{url}/b")
    assert two.split() == ["200", "1", "200", "0"], "the second request uses the connection of the first"
    assert "200 OK" in run("curl", "-sS", "-I", f"{url}/")
    assert answered(proxy) == 5


def test_http_client_of_python(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port(), timeout=10)
    for number in range(50):
        connection.request("PUT", f"/{number}", body=b"y" * number * 100)
        response = connection.getresponse()
        arrived = json.loads(response.read())
        assert (response.status, arrived["target"], len(arrived["body"])) == (200, f"/{number}", number * 100)
    connection.close()
    assert answered(proxy) == 50


def test_wrk(proxy):
    text = run("wrk", "-t2", "-c32", "-d2s", f"http://127.0.0.1:{proxy.port()}/")
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    # wrk stops in the middle of its last requests: the proxy has seen those too.
    count = int(re.search(r"(\d+) requests in", text).group(1))
    assert count > 100
    wait.until(lambda: proxy.stat("http.ingress.downstream_cx_active") == 0, "all connections are gone")
    assert count <= proxy.stat("http.ingress.downstream_rq_total") <= count + 64


def test_h2load_in_http1_mode(proxy):
    text = run("h2load", "--h1", "-n", "2000", "-c", "20", f"http://127.0.0.1:{proxy.port()}/")
    assert "2000 succeeded, 0 failed" in text, text
    assert answered(proxy) == 2000
