"""How long attempts may take, and what hosts and clients are told of it. Runs on Envoy too."""

import pathlib
import threading
import time

import pytest

from harness import config, wait
from harness.client import Client, get
from harness.config import http_listener, route, virtual_host

RETRY = {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"}}


class Setup:
    def __init__(self, make, script, cluster=None, hcm=None, **action):
        self.log = pathlib.Path(make.directory) / "access.log"
        log = config.file_log(self.log, "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n")
        listener = http_listener(virtual_host(route(**action)), hcm={"access_log": [log], **(hcm or {})})
        upstream = config.cluster("origin", make.origin(script).port, **(cluster or {}))
        self.proxy = make.proxy(
            config.bootstrap([listener], [upstream]), arguments=["--file-flush-interval-msec", "20"]
        )

    def stat(self, name):
        return self.proxy.stat(f"cluster.origin.{name}")

    def logged(self):
        return wait.until(lambda: self.log.read_text(), "an access log line").splitlines()[0]


def limited(seconds):
    return {"typed_extension_protocol_options": config.http_options(max_stream_duration=f"{seconds}s")}


def silent(connection, request):
    time.sleep(5)


def test_an_attempt_that_takes_too_long(make):
    setup = Setup(make, silent, limited(0.3))
    response = get(setup.proxy.port(), "/")
    assert (response.status, response.body) == (504, b"upstream max stream duration reached")
    assert setup.stat("upstream_rq_max_duration_reached") == 1
    assert setup.logged() == "504 UMSDR upstream_max_stream_duration_reached"


def test_a_request_that_takes_too_long(make):
    """It is the client who has not sent all of it."""
    setup = Setup(make, silent, limited(0.3))
    with Client(setup.proxy.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 10\r\n\r\nhalf")
        assert client.response().status == 408


def test_a_response_that_takes_too_long(make):
    def slow(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        time.sleep(5)

    setup = Setup(make, slow, limited(1))
    with Client(setup.proxy.port()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.stream.head()
        assert client.stream.exactly(4) == b"half"
        assert client.is_closed()
    assert setup.stat("upstream_rq_max_duration_reached") == 1


def test_it_is_of_each_attempt(make):
    lock, seen = threading.Lock(), []

    def first_is_slow(connection, request):
        with lock:
            seen.append(request)
            number = len(seen)
        if number == 1:
            time.sleep(5)
        connection.reply(b"second")

    setup = Setup(make, first_is_slow, limited(1), retry_policy=RETRY)
    assert get(setup.proxy.port(), "/").body == b"second"
    assert setup.stat("upstream_rq_retry") == 1


def test_responses_in_time_are_left_alone(make):
    setup = Setup(make, lambda connection, request: connection.reply(), limited(5))
    for _ in range(3):
        assert get(setup.proxy.port(), "/").status == 200
    assert setup.stat("upstream_rq_max_duration_reached") == 0


@pytest.mark.parametrize("suppressed", [False, True])
def test_the_time_that_is_left_of_a_call(make, suppressed):
    """`max_grpc_timeout`: each attempt is told what is left."""
    seen = []

    def script(connection, request):
        seen.append(int(request.get("grpc-timeout").removesuffix("m")))
        if len(seen) == 1:
            time.sleep(0.3)
        connection.reply(status="503 Busy" if len(seen) == 1 else "200 OK")

    [router] = config.http_filters()
    router["typed_config"]["suppress_envoy_headers"] = suppressed
    hcm = {"http_filters": [router]}
    setup = Setup(make, script, hcm=hcm, max_grpc_timeout="20s", retry_policy=RETRY)
    headers = [("content-type", "application/grpc"), ("grpc-timeout", "5S")]
    assert get(setup.proxy.port(), "/", headers, method="POST").status == 200
    assert seen[0] == 5000
    assert 0 < seen[1] <= 4700


# x-envoy-upstream-service-time


def test_service_time_is_from_the_end_of_the_request(make):
    """Attempts and the waits between them are part of it."""
    lock, seen = threading.Lock(), []

    def script(connection, request):
        with lock:
            seen.append(request)
            number = len(seen)
        time.sleep(0.2)
        connection.reply(status="503 Busy" if number == 1 else "200 OK")

    setup = Setup(make, script, retry_policy=RETRY)
    port = setup.proxy.port()
    begin = time.monotonic()
    response = get(port, "/")
    took = time.monotonic() - begin
    assert response.status == 200
    assert 400 <= int(response.get("x-envoy-upstream-service-time")) <= took * 1000 + 1


def test_a_request_that_still_comes_has_none(make):
    def early(connection, request):
        connection.reply(b"early")

    origin = make.origin(early, read_body=False)
    upstream = config.cluster("origin", origin.port)
    proxy = make.proxy(config.bootstrap([http_listener(virtual_host(route()))], [upstream]))
    with Client(proxy.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 10\r\n\r\nhalf")
        response = client.response()
    assert (response.status, response.get("x-envoy-upstream-service-time")) == (200, None)


# respect_expected_rq_timeout


def router(**fields):
    filters = config.http_filters()
    filters[-1]["typed_config"] = {**filters[-1]["typed_config"], **fields}
    return {"http_filters": filters, **INTERNAL}


INTERNAL = {
    "use_remote_address": True,
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}


@pytest.mark.parametrize("respects, timeout", [(True, 30), (False, 1)])
def test_the_expected_timeout_of_the_proxy_before(make, respects, timeout):
    setup = Setup(make, silent, hcm=router(respect_expected_rq_timeout=respects), timeout=f"{timeout}s")
    port = setup.proxy.port()
    begin = time.monotonic()
    response = get(port, "/", headers=[("x-envoy-expected-rq-timeout-ms", "300")], timeout=60)
    took = time.monotonic() - begin
    assert response.status == 504
    # Envoy's timer may be a millisecond early.
    assert took < timeout if respects else took > 0.9 * timeout
