"""Work in the background: its result, its failure, and how long it is waited for."""

from __future__ import annotations

import threading

import pytest

from kubectl_nodeport import background


def test_result() -> None:
    assert background.start(lambda: 7)() == 7


def test_failure_is_raised_where_the_result_is_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        background.start(lambda: 1 // 0)()


def test_timeout() -> None:
    hold = threading.Event()
    result = background.start(hold.wait)
    with pytest.raises(TimeoutError):
        result(timeout=0.05)
    hold.set()
    assert result(timeout=10) is True
