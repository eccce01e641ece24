"""The archive that krew unpacks: the same bytes from the same files, whoever packs them.

krew takes regular files and folders alone:
https://github.com/kubernetes-sigs/krew/blob/v0.4.5/internal/download/downloader.go
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


class ArchiveError(Exception):
    """What cannot go into an archive, in one line."""


def pack(folder: Path, into: Path, mtime: int) -> None:
    """Write what is in a folder as a .tar.gz; raises ArchiveError.

    :param mtime: of every file, in seconds since the epoch.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise ArchiveError(f"krew unpacks no links, and {path} is one")
            if path.is_file():
                _add(tar, path, path.relative_to(folder).as_posix(), mtime)
    # The header of gzip would tell the time and the name.
    into.write_bytes(gzip.compress(packed.getvalue(), compresslevel=9, mtime=0))


def _add(tar: tarfile.TarFile, path: Path, name: str, mtime: int) -> None:
    content = path.read_bytes()
    header = tarfile.TarInfo(name)
    header.size = len(content)
    header.mtime = mtime
    header.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    tar.addfile(header, io.BytesIO(content))
