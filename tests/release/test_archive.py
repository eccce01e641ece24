"""The archive: the same bytes from the same files, and nothing that krew would refuse."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from release.archive import ArchiveError, pack

MTIME = 1_700_000_000


def bundle(folder: Path, order: tuple[str, ...] = ("a", "b")) -> Path:
    for name in order:
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "deep" / "file").write_text(name)
        (folder / name / "deep").chmod(0o700)
    program = folder / "program"
    program.write_text("x")
    program.chmod(0o755)
    return folder


def test_same_files_make_the_same_archive(tmp_path: Path) -> None:
    one = bundle(tmp_path / "one")
    two = bundle(tmp_path / "another", ("b", "a"))
    os.utime(two / "program", (1, 1))
    (two / "program").chmod(0o744)
    pack(one, tmp_path / "1.tar.gz", MTIME)
    pack(two, tmp_path / "2.tar.gz", MTIME)
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()


@pytest.mark.posix
def test_what_is_in_it(tmp_path: Path) -> None:
    pack(bundle(tmp_path / "bundle"), tmp_path / "a.tar.gz", MTIME)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        found = {one.name: one for one in archive}
    assert list(found) == ["a/deep/file", "b/deep/file", "program"]
    assert [oct(one.mode) for one in found.values()] == ["0o644", "0o644", "0o755"]
    assert {one.type for one in found.values()} == {tarfile.REGTYPE}, "krew takes nothing else"
    assert {(one.uid, one.gid, one.uname, one.mtime) for one in found.values()} == {
        (0, 0, "", MTIME)
    }


def test_link_is_refused(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle")
    (folder / "link").symlink_to("program")
    with pytest.raises(ArchiveError, match="link is one"):
        pack(folder, tmp_path / "a.tar.gz", MTIME)
    assert not (tmp_path / "a.tar.gz").exists()
