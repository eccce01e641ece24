"""What a write shall change in an ssh config, what it did change, and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey

Change = Literal["created", "updated", "unchanged", "removed"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One write of the file: all of it or nothing.

    :param wanted: entries to be written, with their host keys.
    :param gone: aliases of ours to be removed, known_hosts files with them.
    :raises ValueError: when an alias is named twice.
    """

    wanted: tuple[tuple[HostEntry, tuple[HostKey, ...]], ...] = ()
    gone: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        aliases = [*(entry.alias for entry, _ in self.wanted), *self.gone]
        if len(set(aliases)) != len(aliases):
            raise ValueError(f"an alias is named twice: {sorted(aliases)}")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The file in which entries stand, or will.

    :ivar own: the file of our own, as a user would name it; "" where it is the config itself.
    :ivar missing: the line by which the config would include it and does not; "" where it does.
    """

    own: str = ""
    missing: str = ""
