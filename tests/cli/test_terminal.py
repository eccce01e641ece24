from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.cli.render.terminal import Status, one_line, safe


@pytest.mark.parametrize(
    ("text", "keep", "printed"),
    [
        ("plain é 漢", "", "plain é 漢"),
        ("\x1b[31mred", "", "?[31mred"),
        ("a\nb\tc", "", "a?b?c"),
        ("a\nb\tc\r", "\n\t", "a\nb\tc?"),
        ("\u202eabc\u2028\x9b\x00\x7f\ud800", "", "?abc?????"),
        ("", "", ""),
    ],
)
def test_safe(text: str, keep: str, printed: str) -> None:
    assert safe(text, keep=keep) == printed


@settings(deadline=None)
@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()


def test_one_line_folds_white_space() -> None:
    assert one_line(" a\n\n b\t c\r\n") == "a b c"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_status_on_a_terminal() -> None:
    stream = Terminal()
    status = Status(stream)
    status.show("waiting\x1b[2J\nfor it")
    status.show("x" * 500)
    status.clear()
    status.clear()
    assert stream.getvalue() == f"\r\x1b[Kwaiting?[2J for it\r\x1b[K{'x' * 120}\r\x1b[K"


def test_status_elsewhere_is_silent() -> None:
    stream = io.StringIO()
    status = Status(stream)
    status.show("waiting")
    status.clear()
    assert stream.getvalue() == ""
