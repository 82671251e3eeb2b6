"""Waiting for conditions, each with a deadline. Tests never sleep for a guessed time."""

import time

DEADLINE_SECONDS = 10.0


def until(condition, what, seconds=DEADLINE_SECONDS, interval_seconds=0.005):
    """Returns the first truthy value of `condition()`; fails naming `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what} (last value: {value!r})")
        time.sleep(interval_seconds)


class Deadline:
    """For loops that count something while they wait: `check()` fails when the time is over."""

    def __init__(self, what, seconds=DEADLINE_SECONDS):
        self.what, self.end = what, time.monotonic() + seconds

    def check(self):
        assert time.monotonic() < self.end, f"not in time: {self.what}"


def until_steady(read, what, steady_seconds=0.5, seconds=20.0):
    """Returns `read()` once it has kept one value for `steady_seconds`."""
    deadline = time.monotonic() + seconds
    value, since = read(), time.monotonic()
    while time.monotonic() - since < steady_seconds:
        if time.monotonic() > deadline:
            raise AssertionError(f"still changing after {seconds:g} s: {what} (now {value!r})")
        time.sleep(0.02)
        now = read()
        if now != value:
            value, since = now, time.monotonic()
    return value
