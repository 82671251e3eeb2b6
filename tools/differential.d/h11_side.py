"""What h11 sees in the bytes of one connection, in the form that http1-events prints."""

import ast
import re

import h11

HEAD_BYTES_MAX = 60 * 1024  # as in HTTP1Limits
QUOTED = re.compile(r"(illegal [a-z ]+): (?:bytearray\()?(b(['\"]).*\3)\)?", re.DOTALL)


def events(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
    requests = []
    current = None
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                idle = current is None and not connection.trailing_data[0]
                return {"requests": requests, "ending": "idle" if idle else "need more"}
            if isinstance(event, h11.Request):
                current = {
                    "method": event.method, "target": event.target, "version": event.http_version, "body": b"",
                    "fields": fields(event.headers), "trailers": [], "end": None,
                }
                requests.append(current)
            elif isinstance(event, h11.Data):
                current["body"] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                current["end"] = len(data) - len(connection.trailing_data[0])
                current["trailers"] = fields(event.headers)
                current = None
                answer(connection)
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return {"requests": requests, "ending": "closed"}
                connection.start_next_cycle()
            else:
                return {"requests": requests, "ending": "closed"}
    except h11.RemoteProtocolError as error:
        quoted = QUOTED.fullmatch(str(error))
        return {
            "requests": requests, "ending": f"failed: {error}",
            "words": quoted[1] if quoted else str(error), "line": ast.literal_eval(quoted[2]) if quoted else None,
        }


def fields(headers):
    return [(bytes(name), bytes(value)) for name, value in headers]


def answer(connection):
    """Ends the exchange, so that the next request is read. A tunnel is granted, an upgrade declined."""
    connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
    if connection.our_state is not h11.SWITCHED_PROTOCOL:
        connection.send(h11.EndOfMessage())
