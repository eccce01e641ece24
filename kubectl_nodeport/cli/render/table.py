"""Tables in kubectl's layout. Pure.

Its columns are as wide as their longest cell and three blanks, and at least six characters; a row
that is printed later keeps the widths of those before it, and widens them where it must:
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/cli-runtime/pkg/printers/tabwriter.go
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from kubectl_nodeport.cli.render.terminal import one_line

NONE = "<none>"
UNKNOWN = "<unknown>"

_NARROWEST, _BETWEEN = 6, 3
# As long as the longest name in Kubernetes.
_LONGEST_CELL = 253


def cell(text: str) -> str:
    """A cell's text in one safe line, ``<none>`` for an empty one."""
    line = one_line(text[: 2 * _LONGEST_CELL]) or NONE
    return line if len(line) <= _LONGEST_CELL else f"{line[: _LONGEST_CELL - 1]}…"


def widths(rows: Sequence[Sequence[str]], before: Sequence[int] = ()) -> tuple[int, ...]:
    """How wide each column has to be, never narrower than before; the last one has no width."""
    wanted = [[max(len(text) + _BETWEEN, _NARROWEST) for text in row[:-1]] for row in rows]
    return tuple(max(column) for column in zip_longest(before, *wanted, fillvalue=0))


def lines(rows: Sequence[Sequence[str]], columns: Sequence[int]) -> list[str]:
    """The rows as lines, with columns of these widths; nothing follows the last cell."""
    return [
        "".join([*(text.ljust(width) for text, width in zip(row, columns, strict=False)), row[-1]])
        for row in rows
    ]


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows, the headings first among them, as one text."""
    return "\n".join(lines(rows, widths(rows)))


def age(created: datetime | None, now: datetime) -> str:
    """How long ago that was, as kubectl says it: ``5s``, ``3m12s``, ``41m``, ``2d15h``.

    https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/util/duration/duration.go
    """
    if created is None:
        return UNKNOWN
    seconds = int((now - created).total_seconds())
    if seconds < -1:  # the two clocks may differ by a little
        return "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    for ends, number, unit, rest, smaller in (
        (120, max(seconds, 0), "s", 0, ""),
        (10 * 60, minutes, "m", seconds % 60, "s"),
        (3 * 3600, minutes, "m", 0, ""),
        (8 * 3600, hours, "h", minutes % 60, "m"),
        (48 * 3600, hours, "h", 0, ""),
        (8 * 86400, days, "d", hours % 24, "h"),
        (2 * 365 * 86400, days, "d", 0, ""),
        (8 * 365 * 86400, days // 365, "y", days % 365, "d"),
    ):
        if seconds < ends:
            return f"{number}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{days // 365}y"
