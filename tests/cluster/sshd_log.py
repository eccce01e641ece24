"""Who knocked at an sshd, read from the log it writes at LogLevel VERBOSE."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")
_CAME = re.compile(r"Connection from (\S+) port (\d+) on ")
_LET_IN = re.compile(r"Accepted \S+ for \S+ from (\S+) port (\d+)")
_TURNED_AWAY = re.compile(r"drop connection \S+ from \[(\S+)\]:(\d+) on ")


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection to an sshd."""

    peer: str
    port: int
    """The peer's port."""
    came_s: float | None
    """When, in seconds since the epoch; None where the log has no times."""
    outcome: Literal["unauthenticated", "authenticated", "dropped"]
    """Dropped: turned away before a banner, by PerSourcePenalties or MaxStartups."""


def connections(log: str) -> list[Connection]:
    """The connections in an sshd's log, in order; each line may begin with an RFC 3339 time."""
    found: list[Connection] = []
    at: dict[tuple[str, str], int] = {}
    for line in log.splitlines():
        if came := _CAME.search(line):
            at[came[1], came[2]] = len(found)
            found.append(Connection(came[1], int(came[2]), _time_s(line), "unauthenticated"))
        elif away := _TURNED_AWAY.search(line):
            found.append(Connection(away[1], int(away[2]), _time_s(line), "dropped"))
        elif (let_in := _LET_IN.search(line)) and (let_in[1], let_in[2]) in at:
            index = at[let_in[1], let_in[2]]
            found[index] = replace(found[index], outcome="authenticated")
    return found


def unauthenticated_s(log: str) -> list[float]:
    """When those came that nobody logged in by, in seconds since the epoch, in order.

    They are what PerSourcePenalties counts against their source. The log has to have times.
    """
    found = [each for each in connections(log) if each.outcome == "unauthenticated"]
    return sorted(each.came_s for each in found if each.came_s is not None)


def most_within(times_s: Sequence[float], window_s: float) -> int:
    """The most of these moments, in order, that lie in any one window so long."""
    return max((bisect_left(times_s, t + window_s) - i for i, t in enumerate(times_s)), default=0)


def _time_s(line: str) -> float | None:
    stamp = _STAMP.match(line)
    if stamp is None:
        return None
    zone = "+00:00" if stamp[3] == "Z" else stamp[3]
    return datetime.fromisoformat(stamp[1] + zone).timestamp() + float(stamp[2] or 0)
