"""Rows of what was measured, and how a command is timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.cluster.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the median of ``runs``, and what it may be at most."""

    what: str
    measured: float
    budget: float
    unit: str
    """Of both numbers."""
    runs: int = 1

    @property
    def is_over(self) -> bool:
        """Whether the budget does not hold."""
        return self.measured > self.budget


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    width = max(len(row.what) for row in rows)
    print(f"{'what':<{width}}  {'measured':>8}  {'budget':>7}  {'unit':<14}  runs")
    for row in rows:
        mark = "  over budget" if row.is_over else ""
        budget = f"<= {row.budget:g}"
        print(
            f"{row.what:<{width}}  {row.measured:>8.2f}  {budget:>7}  {row.unit:<14}  "
            f"{row.runs:>4}{mark}"
        )


def timed(cluster: Cluster, line: str, timeout_s: float = 60) -> float:
    """The seconds that a shell line takes on the laptop."""
    began = time.monotonic()
    cluster.laptop.run(["bash", "-c", line], timeout_s=timeout_s, check=True)
    return time.monotonic() - began
