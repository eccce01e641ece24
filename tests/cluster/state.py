"""What is written down of a running cluster, so that another process can use or end it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cache import cache_root
from tests.cluster.families import Name
from tests.cluster.process import ClusterError, ProcessId


@dataclass(frozen=True, slots=True)
class State:
    """What another process has to know to use or end a cluster; the file state.json."""

    node: ProcessId
    laptop: ProcessId
    kubectl: str
    sshd_image: str = ""
    """The archive of the image that its pods run."""
    node_name: str = "docker-desktop"
    ip_families: Sequence[Name] = ("IPv4",)
    profile: str = "lan"
    forwarder: ProcessId | None = None
    detached: bool = False

    @classmethod
    def read(cls, folder: Path) -> State | None:
        """The state in a cluster's folder; None if there is none, or none of a live cluster."""
        try:
            fields: dict[str, Any] = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return None
        for key in ("node", "laptop", "forwarder"):
            fields[key] = ProcessId(**fields[key]) if fields[key] else None
        state = cls(**fields)
        return state if state.node.alive() and state.laptop.alive() else None

    def write(self, folder: Path) -> None:
        """Write the file whole or not at all."""
        temporary = folder / "state.json.new"
        temporary.write_text(json.dumps(asdict(self)))
        temporary.rename(folder / "state.json")


def folder_of(name: str) -> Path:
    """Where a cluster keeps its state; raises ClusterError for a name that cannot be one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise ClusterError(f"a cluster cannot be named {name!r}")
    parent = cache_root() / "clusters"
    parent.mkdir(mode=0o700, exist_ok=True)
    return parent / name


def names() -> list[str]:
    """The clusters that are up."""
    folders = sorted(path for path in (cache_root() / "clusters").glob("*") if path.is_dir())
    return [path.name for path in folders if State.read(path)]
