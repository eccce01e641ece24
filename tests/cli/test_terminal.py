from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.cli.render.terminal import one_line, safe


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
