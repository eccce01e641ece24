"""A copy of the user's file from before the day's first change."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from pathlib import Path

from kubectl_nodeport.ssh import whole_file
from kubectl_nodeport.ssh.whole_file import Snapshot

KEPT = 7
"""How many copies stay; the oldest go first."""


def path_for(file: Path, day: datetime.date) -> Path:
    """Where the copy of a day lies: beside the file, hidden from a user's ``Include *``."""
    return file.with_name(f".{file.name}.kubectl-nodeport-{day.isoformat()}.bak")


def keep(before: Snapshot, day: datetime.date) -> None:
    """Copy a file before it is changed, unless this was done that day; copies are never rewritten.

    Nothing is copied of a file without text: what another program emptied shall not, day by day,
    take the place of the copies that hold something. The caller holds the file's lock.

    :raises NodeportError: when the copy cannot be made; the file must not be changed then.
    """
    copy = path_for(before.path, day)
    if not (before.data or b"").strip() or os.path.lexists(copy):
        return
    absent = Snapshot(copy, None, 0o600, before.owner)
    with whole_file.staged(absent, before.data or b"") as staged:
        staged.commit()
    with contextlib.suppress(OSError):
        _drop_old(before.path)


def _drop_old(file: Path) -> None:
    pattern = re.escape(f".{file.name}.kubectl-nodeport-") + r"\d{4}-\d\d-\d\d\.bak"
    found = [path for path in file.parent.iterdir() if re.fullmatch(pattern, path.name)]
    for old in sorted(found, key=lambda path: path.name)[:-KEPT]:
        old.unlink()
