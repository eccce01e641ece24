"""What leaves for a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from kubectl_nodeport.printable import one_line as one_line
from kubectl_nodeport.printable import safe as safe
from kubectl_nodeport.printable import short as short


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
