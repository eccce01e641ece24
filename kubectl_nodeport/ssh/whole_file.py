"""Files that are read whole and replaced whole, or not at all.

The order is lock, read, write a temporary file beside the target, fsync, compare, rename, fsync the
folder. Whatever ends the process in between, the target has its old or its new content.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed

# A write takes a third of a second; so many may wait for their turn at once.
_LOCK_TIMEOUT_S = 120.0
# As many as Linux follows in one path.
_MAX_LINKS = 40


class ReadOnlyError(NodeportError):
    """The file, or its folder, is not ours to write."""


class ChangedMeanwhileError(NodeportError):
    """Someone else wrote the file after it was read; starting over mends it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read.

    :param path: the file itself, all symbolic links followed.
    :param data: its content, None when there is no such file.
    :param mode: permission bits.
    :param owner: uid and gid, None for those of this process.
    """

    path: Path
    data: bytes | None
    mode: int = 0o600
    owner: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The content as text, "" when there is no file; :func:`as_bytes` gives it back."""
        return (self.data or b"").decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The reverse of :attr:`Snapshot.text`, byte for byte."""
    return text.encode("utf-8", "surrogateescape")


def follow_links(path: Path) -> Path:
    """The file that a path means, links followed to the end even where nothing is there yet.

    :raises NodeportError: for a loop or a folder that cannot be searched.
    """
    for _ in range(_MAX_LINKS):
        try:
            path = path.parent / path.readlink()
        except FileNotFoundError:
            return path
        except OSError as error:
            # readlink's word for "not a link"; Windows says it by a number of its own.
            if error.errno == errno.EINVAL or getattr(error, "winerror", None) == 4390:
                return path
            raise _unreadable(path, error) from error
    raise NodeportError(
        f"{path} is a loop of symbolic links",
        hint=f"look at the links with `ls -l {typed(path.parent)}`",
    )


def read(path: Path) -> Snapshot:
    """Read a file whole. Only "not found" counts as absent; every other failure is an error.

    :raises NodeportError: when it cannot be read or is no regular file.
    """
    target = follow_links(path)
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        handle = os.open(target, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return Snapshot(target, None)
    except OSError as error:
        raise _unreadable(target, error) from error
    try:
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise NodeportError(
                    f"{target} is not a regular file", hint="name a file with --ssh-config"
                )
            data = file.read()
    except OSError as error:
        raise _unreadable(target, error) from error
    return Snapshot(target, data, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def read_some(path: Path, limit: int) -> bytes | None:
    """A file's content if it has at most ``limit`` bytes, else None; no bytes for what is no file.

    :raises OSError: it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return b""
    with os.fdopen(handle, "rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Keep other runs of ours out while the body runs; the lock ends with the process.

    The lock file stays: removing it would let two processes hold "the" lock at once.

    :param target: with links already followed, so that every way to the file meets one lock.
    :raises NodeportError: when the lock is held for 120 s, or when there can be none.
    """
    from filelock import FileLock, Timeout

    # Hidden, as the temporary file is: a user's `Include config.d/*` must not read either.
    lock = target.with_name(f".{target.name}.kubectl-nodeport.lock")
    keeper = FileLock(lock, timeout=_LOCK_TIMEOUT_S, mode=0o600)
    try:
        keeper.acquire(poll_interval=0.01)
        if target.exists():
            _give(lock, (target.stat().st_uid, target.stat().st_gid))
    except Timeout as error:
        raise NodeportError(
            f"another kubectl-nodeport has held {lock} for {_LOCK_TIMEOUT_S:g} s",
            hint=f"see who holds it with `fuser {typed(lock)}`",
        ) from error
    except NotImplementedError as error:  # filelock before 3.30: no locks on that drive
        raise NodeportError(
            f"{lock} cannot be locked: its file system has no locks",
            hint="mount it with locks, or name a file elsewhere with --ssh-config",
        ) from error
    except OSError as error:
        raise _unwritable(lock, error) from error
    try:
        yield
    finally:
        # What cannot be let go ends with the process.
        with contextlib.suppress(OSError):
            keeper.release()


class StagedFile:
    """New content, safe on disk beside its target, not yet in its place."""

    def __init__(self, path: Path, before: Snapshot, data: bytes) -> None:
        self.path = path
        self._before = before
        self._data = data

    def commit(self) -> None:
        """Put the new content in the old one's place, in one step.

        :raises ChangedMeanwhileError: when the target is no longer what was read.
        :raises NodeportError: when the folder does not take it.
        """
        target = self._before.path
        if read(target).data != self._before.data:
            raise ChangedMeanwhileError(
                f"{target} was changed by someone else at the same time",
                hint="run the command again",
            )
        try:
            self.path.replace(target)
        except OSError as error:
            raise _unwritable(target, error) from error
        _sync_folder(target.parent)

    def is_in_place(self) -> bool:
        """Whether the target has the new content, however :meth:`commit` ended.

        :raises NodeportError: when it cannot be read.
        """
        return read(self._before.path).data == self._data

    def take_back(self) -> None:
        """Give the target its old content again, unless it is not the new one that it has.

        :raises NodeportError: when it cannot be written.
        """
        now = read(self._before.path)
        if now.data != self._data:
            return
        if self._before.data is None:
            remove(now.path)
        else:
            with staged(now, self._before.data) as old:
                old.commit()


@contextlib.contextmanager
def staged(before: Snapshot, data: bytes) -> Iterator[StagedFile]:
    """New content for a file, with the mode and the owner of the old one.

    What is not committed when the body ends is removed. The caller holds the lock: leftovers of
    runs that were killed are removed here too.

    :raises ReadOnlyError: when the file has no write permission, or its folder takes no new file.
    :raises NodeportError: for every other failure to write, such as a full disk.
    """
    import tempfile  # late, here and below: whoever only reads needs it not

    target = before.path
    prefix = f".{target.name}.kubectl-nodeport-"
    temporary: str | None = None
    try:
        _refuse_read_only(before)
        for leftover in target.parent.glob(f"{_glob_escaped(prefix)}*.tmp"):
            leftover.unlink(missing_ok=True)
        handle, temporary = tempfile.mkstemp(".tmp", prefix, target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            _keep_mode_and_owner(handle, before)
            file.flush()
            os.fsync(handle)
    except OSError as error:
        _discard(temporary)
        raise _unwritable(target, error) from error
    except BaseException:
        _discard(temporary)
        raise
    try:
        yield StagedFile(Path(temporary), before, data)
    finally:
        _discard(temporary)


def remove(path: Path) -> None:
    """Remove a file; nothing happens where there is none.

    :raises NodeportError: when its folder does not let it go.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def make_folder(folder: Path, owner: tuple[int, int] | None = None) -> None:
    """Make a folder that only its owner sees, unless there is one.

    :param owner: uid and gid, None for those of this process.
    :raises NodeportError: when it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700)
        if owner is not None:
            _give(folder, owner)
    except FileExistsError as error:
        if not folder.is_dir():
            raise _unwritable(folder, error) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    else:
        _sync_folder(folder.parent)


def _refuse_read_only(before: Snapshot) -> None:
    # The mode, not os.access: root may write everything, and the owner's wish still stands.
    if before.data is not None and not before.mode & stat.S_IWUSR:
        raise ReadOnlyError(
            f"{before.path} is read-only",
            hint=f"chmod u+w {typed(before.path)}, or --ssh-config FILE",
        )


def _give(path: Path, owner: tuple[int, int]) -> None:
    """Root that works on a user's files makes none that the user cannot use later."""
    status = path.stat()
    if os.name == "posix" and os.geteuid() == 0 and owner != (status.st_uid, status.st_gid):
        os.chown(path, *owner)


def _keep_mode_and_owner(handle: int, before: Snapshot) -> None:
    if before.owner is None or os.name != "posix":
        return
    status = os.fstat(handle)
    if before.owner != (status.st_uid, status.st_gid):
        os.fchown(handle, *before.owner)
    os.fchmod(handle, before.mode)


def _discard(path: str | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            Path(path).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # Some file systems cannot sync a folder; the rename itself has happened by now.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _glob_escaped(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


def _unreadable(path: Path, error: OSError) -> NodeportError:
    return NodeportError(
        f"{path} cannot be read: {error.strerror}", hint=f"look at it with `ls -l {typed(path)}`"
    )


def _unwritable(path: Path, error: OSError) -> NodeportError:
    message = f"{path} cannot be written: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnlyError(
            message, hint=f"look at `ls -ld {typed(path.parent)}`, or --ssh-config FILE"
        )
    return NodeportError(message, hint=f"look at `df {typed(path.parent)}`, or --ssh-config FILE")
