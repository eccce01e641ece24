"""What may be shown: nothing from outside moves a terminal's cursor or forges a line. Pure."""

from __future__ import annotations

import shlex
from pathlib import PurePath

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


def typed(path: PurePath) -> str:
    """A path as it is typed in a shell, for a hint that somebody pastes."""
    return shlex.quote(str(path))
