"""gRPC by the real library (`grpcio`), without generated code: methods take bytes and give bytes."""

import os
import pathlib
import subprocess
import sys
import threading
from concurrent import futures

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _packages():
    command = [ROOT / "tools/fetch-wheels", ROOT / "Tests/EndToEnd/requirements-grpc.txt"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, f"tools/fetch-wheels failed: {found.stderr}"
    return found.stdout.strip()


sys.path.insert(0, _packages())
# Proxies are started by fork and exec: the library has nothing to save for the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
import grpc  # noqa: E402

SERVICE = "test.v1.Echo"
FAILURE = "it's 50% é"
NO_LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def path(method):
    return f"/{SERVICE}/{method}"


class Server:
    """A gRPC server on 127.0.0.1 whose methods do what tests need; `stop()` ends it.

    Unary      answers the message itself
    Count      a stream of as many messages as the message says
    Join       a stream of messages to one
    Both       answers each message of a stream as it comes
    Fail       ends with the status in the metadata `code` and the text FAILURE
    FailLate   the same after one message
    Metadata   answers `name=value` of what came, sends metadata before and after
    Wait       until the call is cancelled or `release` is set
    """

    def __init__(self, streams_max=16):
        self.cancelled = threading.Event()
        self.release = threading.Event()
        self.waiting = threading.Event()
        self.deadlines = []
        self.calls = 0
        self._server = grpc.server(futures.ThreadPoolExecutor(streams_max), options=NO_LIMITS)
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        handlers = {
            "Unary": one(self._unary),
            "Count": many(self._count),
            "Join": grpc.stream_unary_rpc_method_handler(self._join),
            "Both": grpc.stream_stream_rpc_method_handler(self._both),
            "Fail": one(self._fail),
            "FailLate": many(self._fail_late),
            "Metadata": one(self._metadata),
            "Wait": one(self._wait),
        }
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self):
        self.release.set()
        self._server.stop(None).wait(5)

    def _note(self, context):
        self.calls += 1
        self.deadlines.append(context.time_remaining())

    def _unary(self, message, context):
        self._note(context)
        return message

    def _count(self, message, context):
        self._note(context)
        for number in range(int(message)):
            yield b"%d" % number

    def _join(self, messages, context):
        self._note(context)
        return b"".join(messages)

    def _both(self, messages, context):
        self._note(context)
        for message in messages:
            yield message

    def _end(self, context):
        sent = dict(context.invocation_metadata())
        context.set_trailing_metadata([("x-why", "because"), ("x-data-bin", b"\0\1\xff")])
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[int(sent["code"])], FAILURE)

    def _fail(self, message, context):
        self._note(context)
        self._end(context)

    def _fail_late(self, message, context):
        self._note(context)
        yield message
        self._end(context)

    def _metadata(self, message, context):
        self._note(context)
        context.send_initial_metadata([("x-first", "1"), ("x-first", "2"), ("x-blob-bin", bytes(range(256)))])
        context.set_trailing_metadata([("x-last", "3"), ("x-last-bin", b"\xfe\xff")])
        came = [f"{name}={value if isinstance(value, str) else value.hex()}" for name, value in context.invocation_metadata()]
        return "\n".join(came).encode()

    def _wait(self, message, context):
        self._note(context)
        context.add_callback(self.cancelled.set)
        self.waiting.set()
        self.release.wait(30)
        return message


class Calls:
    """A channel to a port, and the methods on it as functions."""

    def __init__(self, port, **options):
        settings = NO_LIMITS + [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
        # Else a channel goes on with the connection of one that was closed a moment ago.
        settings += [("grpc.use_local_subchannel_pool", 1)]
        settings += [(f"grpc.{name}", value) for name, value in options.items()]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def unary(self, method="Unary"):
        return self.channel.unary_unary(path(method))

    def server_stream(self, method="Count"):
        return self.channel.unary_stream(path(method))

    def client_stream(self, method="Join"):
        return self.channel.stream_unary(path(method))

    def both(self, method="Both"):
        return self.channel.stream_stream(path(method))


def fails(call, *arguments, **options):
    """Makes a call that must fail; returns the error, which knows `code()`, `details()` and both kinds of metadata."""
    options.setdefault("timeout", 10)
    try:
        result = call(*arguments, **options)
        if not isinstance(result, bytes):
            list(result)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")
