"""A cgroup of our own in each hierarchy of this machine, version 1, 2 or both."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tests.cluster.process import ClusterError


def make(name: str) -> None:
    """Make the top folder in every hierarchy; the kubelet puts its pods below it."""
    for folder in _folders(name):
        enabled = folder.parent / "cgroup.subtree_control"  # version 2 only
        if enabled.exists():
            for controller in (folder.parent / "cgroup.controllers").read_text().split():
                with suppress(OSError):  # some cannot be had, and the kubelet says which it needs
                    enabled.write_text(f"+{controller}")
        folder.mkdir(exist_ok=True)


def remove(name: str, timeout_s: float = 10) -> None:
    """Remove the folders and those below, once their processes have gone."""
    deadline = time.monotonic() + timeout_s
    for top in _folders(name):
        while top.exists():
            try:
                for path, _, _ in os.walk(top, topdown=False):
                    Path(path).rmdir()
            except OSError as error:  # a process in it is just ending
                if time.monotonic() > deadline:
                    raise ClusterError(f"cannot remove cgroup {top}: {error}") from error
                time.sleep(0.02)


def _folders(name: str) -> list[Path]:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(row[1], name) for row in mounts if row[2] in ("cgroup", "cgroup2")]
