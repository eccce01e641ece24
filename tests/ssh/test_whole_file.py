from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.whole_file import (
    ChangedMeanwhileError,
    ReadOnlyError,
    follow_links,
    locked,
    read,
    staged,
)
from tests.posix import IS_ROOT
from tests.ssh.make import beside


def write(path: Path, data: bytes) -> None:
    with staged(read(path), data) as file:
        file.commit()


def test_a_new_file_is_private(tmp_path: Path) -> None:
    write(tmp_path / "new", b"x")
    assert (tmp_path / "new").read_bytes() == b"x"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o700])
def test_the_mode_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 65534, 65533)
    write(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_a_chain_of_links_stays_and_its_end_is_written(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "dotfiles" / "config").write_bytes(b"old")
    (tmp_path / "home" / "two").symlink_to("../dotfiles/config")
    (tmp_path / "home" / "one").symlink_to(tmp_path / "home" / "two")
    write(tmp_path / "home" / "one", b"new")
    assert (tmp_path / "dotfiles" / "config").read_bytes() == b"new"
    assert (tmp_path / "home" / "one").is_symlink()
    assert (tmp_path / "home" / "two").is_symlink()
    assert beside(tmp_path / "home" / "one") == {"one", "two"}


def test_a_dangling_link_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    assert read(tmp_path / "link").data is None
    write(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(NodeportError, match="loop of symbolic links"):
        follow_links(tmp_path / "a")


@pytest.mark.posix
def test_only_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(NodeportError, match=r"not a regular file|cannot be read"):
            read(path)


def test_a_file_as_folder_is_an_error_not_an_absence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NodeportError, match="Not a directory"):
        read(tmp_path / "file" / "config")


def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(ReadOnlyError, match="is read-only"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert beside(path) == {"file"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, NodeportError("x", hint="y")])
def test_a_failure_leaves_no_temporary_file(
    tmp_path: Path, error: type[BaseException] | NodeportError
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises((KeyboardInterrupt, OSError, NodeportError)), staged(read(path), b"new"):
        raise error
    assert beside(path) == {"file"}
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("now", [b"theirs", b"", None])
def test_a_change_by_others_is_seen(tmp_path: Path, now: bytes | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with staged(read(path), b"new") as file:
        if now is None:
            path.unlink()
        else:
            path.write_bytes(now)
        with pytest.raises(ChangedMeanwhileError):
            file.commit()
    assert (path.read_bytes() if path.exists() else None) == now


def test_leftovers_of_killed_runs_go(tmp_path: Path) -> None:
    path = tmp_path / "a[b]"
    for name in (".a[b].kubectl-nodeport-x.tmp", ".other.kubectl-nodeport-x.tmp"):
        (tmp_path / name).write_bytes(b"left")
    write(path, b"new")
    assert beside(path) == {"a[b]", ".other.kubectl-nodeport-x.tmp"}


def test_the_lock_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with locked(path):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(path):
        thread.start()
        assert started.wait(5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    lock = tmp_path / ".file.kubectl-nodeport.lock"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_lock_that_is_held_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubectl_nodeport.ssh.whole_file._LOCK_TIMEOUT_S", 0.1)
    path = tmp_path / "file"
    with locked(path):
        thread_error: list[NodeportError] = []

        def other() -> None:
            try:
                with locked(path):
                    pass
            except NodeportError as error:
                thread_error.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert str(tmp_path / ".file.kubectl-nodeport.lock") in thread_error[0].message
