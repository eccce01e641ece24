"""A line on a terminal that changes and goes away, drawn by rich."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from kubectl_nodeport.printable import short

_REFRESHED_HZ = 8


class Line:
    """The line, with something before it that moves. NO_COLOR counts, as rich reads it."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        spins = "dots" if (stream.encoding or "").lower().startswith("utf") else "line"
        self._spinner = Spinner(spins, style="cyan")
        self._live: Live | None = None

    def show(self, text: str) -> None:
        """Show a text in its place, cut to the terminal's width."""
        words = Text(short(text))
        words.truncate(max(self._console.width - 3, 1), overflow="ellipsis")
        self._spinner.update(text=words)
        if self._live is None:
            # stdout is for results, and what else is printed asks for the line to be taken away.
            self._live = Live(
                self._spinner,
                console=self._console,
                refresh_per_second=_REFRESHED_HZ,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def clear(self) -> None:
        """Take it away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
