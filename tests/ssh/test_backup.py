from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import backup, whole_file
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from tests.posix import IS_ROOT
from tests.ssh.make import ALIAS, entry_for, key

DAY = datetime.date(2026, 11, 25)
USERS = b"# M\xfcller\r\nHost a\r\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_bytes(USERS)
    path.chmod(0o644)
    return path


def copies(config: Path) -> list[str]:
    return sorted(path.name for path in config.parent.iterdir() if path.suffix == ".bak")


def test_the_first_change_of_a_day_leaves_a_private_copy(config: Path) -> None:
    store = ConfigFile(config)
    store.put(entry_for(store), [key()])
    (name,) = copies(config)
    assert name == f".config.kubectl-nodeport-{datetime.date.today().isoformat()}.bak"
    copy = config.with_name(name)
    assert copy.read_bytes() == USERS
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    store.put(entry_for(store, port=7), [key()])
    store.apply(Edit(gone=(ALIAS,)))
    assert copies(config) == [name]
    assert copy.read_bytes() == USERS
    # A user's `Include *` reads no hidden file.
    assert name not in {path.name for path in config.parent.glob("*") if path.name[0] != "."}


def test_what_writes_nothing_copies_nothing(config: Path) -> None:
    store = ConfigFile(config)
    store.preview(Edit(((entry_for(store), (key(),)),)))
    store.apply(Edit(gone=("nobody",)))
    config.write_text("User me\n")
    with pytest.raises(NodeportError):
        store.put(entry_for(store), [key()])
    assert copies(config) == []


def test_a_file_of_our_own_is_not_copied(config: Path) -> None:
    store = ConfigFile(config, include=True)
    store.put(entry_for(store), [key()])
    config.with_name(copies(config)[0]).unlink()
    store.put(entry_for(store, port=7), [key()])
    assert copies(config) == copies(config.parent / "kubectl-nodeport" / "config") == []


@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_nothing_is_kept_of_an_empty_file(config: Path, text: bytes) -> None:
    """What another program emptied does not push the good copies out."""
    config.write_bytes(text)
    backup.keep(whole_file.read(config), DAY)
    assert copies(config) == []


def test_a_few_days_are_kept(config: Path) -> None:
    others = [".config.kubectl-nodeport-mine.bak", ".other.kubectl-nodeport-2020-01-01.bak"]
    for name in others:
        config.with_name(name).write_bytes(b"")
    for day in range(10):
        config.write_text(f"# {day}\n")
        backup.keep(whole_file.read(config), DAY + datetime.timedelta(days=day))
    found = [name for name in copies(config) if name not in others]
    assert len(found) == backup.KEPT
    assert set(others) <= set(copies(config))
    texts = [config.with_name(name).read_text() for name in found]
    assert texts == [f"# {day}\n" for day in range(3, 10)]


@pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
def test_a_copy_is_never_written_over(config: Path, what: str) -> None:
    copy = backup.path_for(config, DAY)
    if what == "file":
        copy.write_bytes(b"precious")
    elif what == "folder":
        copy.mkdir()
    else:
        copy.symlink_to("nowhere")
    before = copy.lstat()
    backup.keep(whole_file.read(config), DAY)
    assert copy.lstat() == before


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_a_copy_belongs_to_the_files_owner(config: Path) -> None:
    os.chown(config, 65534, 65533)
    backup.keep(whole_file.read(config), DAY)
    status = backup.path_for(config, DAY).stat()
    assert (status.st_uid, status.st_gid) == (65534, 65533)


def test_a_link_has_its_copy_beside_the_file(config: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "config"
    link.symlink_to(config)
    store = ConfigFile(link)
    store.put(entry_for(store), [key()])
    assert len(copies(config)) == 1
    assert copies(link) == []
