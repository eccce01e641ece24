"""Signals that wait until something is whole.

Between a create and the note that it was made, Ctrl-C would leave a Service that nobody knows of.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
]


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Hold Ctrl-C and polite kills back until the block is left; the first is delivered there.

    Everything inside has to end by itself, within a request's timeout. Outside the main thread,
    which alone gets signals, nothing is held back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[tuple[int, FrameType | None]] = []
    before = {n: signal.signal(n, lambda *at: arrived.append(at)) for n in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            number, frame = arrived[0]
            handler = before[number]
            if callable(handler):
                handler(number, frame)
