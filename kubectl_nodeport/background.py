"""Work in threads that no exit waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[], T]) -> Callable[..., T]:
    """Start ``work`` in a daemon thread.

    :returns: a function that waits for the end and returns the result, or raises what ``work``
        raised. With ``timeout`` (seconds) it raises :class:`TimeoutError` after that; the thread
        then goes on by itself, until the program ends.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as err:
            future.set_exception(err)

    threading.Thread(target=run, daemon=True).start()

    def result(timeout: float | None = None) -> T:
        wait([future], timeout)
        if not future.done():
            raise TimeoutError(f"no end within {timeout} s")
        return future.result()

    return result
