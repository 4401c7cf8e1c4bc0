"""Assertions that say what was expected and what came instead."""

import time

import grpc


def _short(value):
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:300]} ... {text[-200:]}"


def check(condition, message="condition does not hold"):
    if not condition:
        raise AssertionError(message)


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: expected {_short(expected)}\n     got {_short(got)}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"expected {_short(part)} in {_short(text)}")


def lacks(text, part):
    if part in text:
        raise AssertionError(f"did not expect {_short(part)} in {_short(text)}")


def fails(code, text, call, *args, **kwargs):
    """The call must end with this status, its details holding text. Returns the details."""
    try:
        answer = call(*args, **kwargs)
    except grpc.RpcError as error:
        details = error.details() or ""
        if error.code() is not code or text not in details:
            raise AssertionError(
                f"expected {code.name} with {_short(text)}\n"
                f"     got {error.code().name} with {_short(details)}") from None
        return details
    raise AssertionError(f"expected {code.name}, the call succeeded: {_short(answer)}")


def eventually(condition, seconds=10, what="the condition"):
    """Waits until condition() is true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {seconds} s")
        time.sleep(0.01)
