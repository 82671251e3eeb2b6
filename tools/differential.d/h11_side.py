"""What h11 sees in the bytes of one connection, in the form that http1-events prints."""

import h11

HEAD_BYTES_MAX = 60 * 1024  # as in HTTP1Limits


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
                    "method": event.method, "target": event.target, "body": b"", "end": None,
                    "fields": [(bytes(name), bytes(value)) for name, value in event.headers],
                }
                requests.append(current)
            elif isinstance(event, h11.Data):
                current["body"] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                current["end"] = len(data) - len(connection.trailing_data[0])
                current = None
                answer(connection)
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return {"requests": requests, "ending": "closed"}
                connection.start_next_cycle()
            else:
                return {"requests": requests, "ending": "closed"}
    except h11.RemoteProtocolError as error:
        return {"requests": requests, "ending": f"failed: {error}"}


def answer(connection):
    """Ends the exchange, so that the next request is read; an upgrade is declined."""
    connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
    connection.send(h11.EndOfMessage())
