"""Where colours are wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO


def takes_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """On a terminal, unless NO_COLOR (https://no-color.org) is set or the terminal has none."""
    plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return stream.isatty() and not plain
