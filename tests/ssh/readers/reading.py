"""What a program other than ssh makes of an ssh config, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Options = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One program's view of one file.

    :param error: why it takes nothing at all from the file, "" when it does.
    :param listed: the hosts that it would show, in its order; None where it has no such list.
    :param options: for each host asked about, values by lower-case keyword; None where the program
        leaves that to ssh.
    """

    error: str = ""
    listed: tuple[str, ...] | None = None
    options: Mapping[str, Options] | None = field(default=None)
