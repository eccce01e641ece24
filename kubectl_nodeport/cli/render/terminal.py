"""What leaves for a terminal: nothing from outside may move its cursor or forge a line."""

from __future__ import annotations

import sys
from typing import TextIO

_LONGEST_LINE = 2000


def safe(text: str, *, keep: str = "") -> str:
    """The text with everything that is not printable replaced by ``?``.

    :param keep: characters that pass all the same, such as a newline.
    """
    return "".join(c if c.isprintable() or c in keep else "?" for c in text)


def one_line(text: str) -> str:
    """The text in one line: white space is folded, the rest made safe."""
    return safe(" ".join(text.split()))


def short(text: str) -> str:
    """One safe line; a cluster's word for a failure may be megabytes."""
    line = one_line(text[: 2 * _LONGEST_LINE])
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


class Status:
    """A line on a terminal's stderr that says what is being waited for; nothing elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream = stream or sys.stderr
        self._shown = False
        self._on_terminal = stream.isatty()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._on_terminal:
            self._stream.write(f"\r\x1b[K{one_line(text)[:120]}")
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
