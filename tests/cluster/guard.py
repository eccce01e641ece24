"""Noticing that a test run touched the real home."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

Snapshot = dict[Path, tuple[int, int, str]]


def snapshot() -> Snapshot:
    """Mode, time of change and hash of all that no test may touch: ~/.ssh and kubeconfigs."""
    roots = [home / name for home in _homes() for name in (".ssh", ".kube/config")]
    roots += [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    paths = {path for root in roots for path in (root, *root.rglob("*"))}
    return {path: _look(path) for path in paths if path.exists()}


def _homes() -> set[Path]:
    """By $HOME, and by the passwd entry where there is one."""
    if os.name != "posix":
        return {Path.home()}
    import pwd

    return {Path.home(), Path(pwd.getpwuid(os.getuid()).pw_dir)}


def changes(before: Snapshot) -> list[str]:
    """The paths that came, went or changed since, in words."""
    after = snapshot()
    return [
        f"{path} was {'changed' if path in before and path in after else 'made or removed'}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _look(path: Path) -> tuple[int, int, str]:
    facts = path.stat()
    content = path.read_bytes() if path.is_file() else b""
    return facts.st_mode, facts.st_mtime_ns, hashlib.sha256(content).hexdigest()
