"""The ssh config on disk, with its entries of ours and their known_hosts files.

Every write is: lock, read, new text, temporary file, ssh's own opinion on it, host keys, rename.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, effect, known_hosts, reader, whole_file
from kubectl_nodeport.ssh.effect import Trial
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.reader import ConfigRefusedError
from kubectl_nodeport.ssh.whole_file import ChangedMeanwhileError, ReadOnlyError, Snapshot

Change = Literal["created", "updated", "unchanged"]

_FOLDER = "kubectl-nodeport"
# An editor that saves just then costs one more try; something that always does is an error.
_TRIES = 5


def user_config_path() -> Path:
    """``~/.ssh/config`` of the passwd entry, as ssh finds it; $HOME does not count there."""
    if os.name == "posix":
        import pwd

        home = pwd.getpwuid(os.getuid()).pw_dir
    else:
        home = os.environ["USERPROFILE"]
    return Path(home, ".ssh", "config")


class ConfigFile:
    """An ssh config that holds, or shall hold, entries of ours.

    :param path: the file; it need not exist, its folder must unless it is the user's ``~/.ssh``.
    :param warn: told of options of little weight that the user's own lines overrule.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] = lambda _: None) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        self._default = self.path == user_config_path()
        self._warn = warn

    def entries(self) -> tuple[HostEntry, ...]:
        """Our entries, in the order of the file.

        :raises NodeportError: when the file cannot be read or our block is damaged.
        """
        with self._naming():
            return block.entries(_text(self.read()))

    def declares(self, alias: str) -> bool:
        """Whether a Host line of the user's own, outside of our block, has this very name.

        :raises NodeportError: as :meth:`entries`.
        """
        with self._naming():
            return alias in reader.literal_hosts(block.outside(_text(self.read())))

    def known_hosts_path(self, alias: str) -> str:
        """Where the alias' host keys live, as its entry must say it."""
        if self._default:
            return f"~/.ssh/{_FOLDER}/{alias}.known_hosts"
        return self._keys_file(alias).as_posix()

    def read(self) -> Snapshot:
        """The file as it is.

        :raises NodeportError: for every failure but "not found".
        """
        return whole_file.read(self.path)

    def put(self, entry: HostEntry, keys: Iterable[HostKey]) -> Change:
        """Write an entry and its host keys, both or neither.

        :raises NodeportError: when the file cannot be written, is damaged, or would not make ssh
            go where the entry says; nothing was changed then.
        :raises ValueError: for an entry that was made for another config.
        """
        if entry.known_hosts_file != self.known_hosts_path(entry.alias):
            raise ValueError(f"{entry.known_hosts_file} is not where host keys are written")
        keys_text = known_hosts.render(entry.alias, keys)
        with self._naming():
            if self._is_in_place(entry, keys_text):
                return "unchanged"
            try:
                return self._retried(lambda: self._put(entry, keys_text))
            except ReadOnlyError as error:
                raise self._by_hand(entry, keys_text, error) from error

    def preview(self, entry: HostEntry, keys: Iterable[HostKey]) -> str:
        """What :meth:`put` would change, as a unified diff; empty when nothing.

        :raises NodeportError: as :meth:`put`, but for what only writing can find out.
        """
        keys_text = known_hosts.render(entry.alias, keys)
        keys_file = self._keys_file(entry.alias)
        with self._naming():
            before = self.read()
            new = self._settle(before, entry)[1]
            old_keys = _text(whole_file.read(keys_file))
        return _diff(self.path, _text(before), new) + _diff(keys_file, old_keys, keys_text)

    def _put(self, entry: HostEntry, keys_text: str) -> Change:
        with self._locked():
            before = self.read()
            old = next((e for e in block.entries(_text(before)) if e.alias == entry.alias), None)
            self._refuse_foreign(old, entry)
            for wanted, new in self._versions(before, entry):
                with whole_file.staged(before, _bytes(new)) as staged:
                    if not self._takes_effect(wanted, self._trial(before, new, staged.path)):
                        continue
                    with self._keys_written(entry.alias, keys_text):
                        if new != _text(before):
                            staged.commit()
                break
        return "updated" if old else "created"

    def _refuse_foreign(self, old: HostEntry | None, entry: HostEntry) -> None:
        """Under the lock: another run may have taken the alias since the caller chose it."""
        taken = old is not None and old.origin.identity != entry.origin.identity
        if taken or (old is None and self.declares(entry.alias)):
            raise NodeportError(
                f"the Host {entry.alias} was written by someone else in this moment",
                hint="run it again, with another name: --host",
            )

    def _is_in_place(self, entry: HostEntry, keys_text: str) -> bool:
        """Whether nothing is to be written; no lock is needed to see that."""
        before = self.read()
        if before.data is None or _text(whole_file.read(self._keys_file(entry.alias))) != keys_text:
            return False
        wanted, new = next(self._versions(before, entry))
        if new != _text(before):
            return False
        return self._takes_effect(wanted, self._trial(before, new, before.path))

    def _versions(self, before: Snapshot, entry: HostEntry) -> Iterator[tuple[HostEntry, str]]:
        """The entry plain, then with an inherited proxy cancelled; once cancelled it stays so.

        A tunnel's own ProxyCommand stands in the place of what would be inherited.
        """
        text = _text(before)
        if entry.is_tunnel:
            yield entry, block.put(text, entry)
            return
        cancelled = any(
            old.alias == entry.alias and old.cancel_proxy for old in block.entries(text)
        )
        for cancel_proxy in (True,) if cancelled else (False, True):
            wanted = dataclasses.replace(entry, cancel_proxy=cancel_proxy)
            yield wanted, block.put(text, wanted)

    def _takes_effect(self, wanted: HostEntry, trial: Trial) -> bool:
        """True when it does, False when it would with its proxy cancelled.

        :raises NodeportError: when it does not and cannot.
        """
        found = effect.examine(trial, wanted)
        is_proxied = any(option.keyword in ("proxycommand", "proxyjump") for option in found)
        if is_proxied and not (wanted.cancel_proxy or wanted.is_tunnel):
            return False
        effect.require(found, trial, self.path, self._warn)
        return True

    def _settle(self, before: Snapshot, entry: HostEntry) -> tuple[HostEntry, str]:
        """The entry and the text that :meth:`put` would write, tried out far from the config."""
        versions = list(self._versions(before, entry))
        with tempfile.TemporaryDirectory(prefix="kubectl-nodeport-") as folder:
            candidate = Path(folder, "config")
            for wanted, new in versions:
                candidate.write_bytes(_bytes(new))
                if self._takes_effect(wanted, self._trial(before, new, candidate)):
                    return wanted, new
        return versions[-1]

    def _trial(self, before: Snapshot, text: str, candidate: Path) -> Trial:
        current = None if before.data is None else before.path
        tunnels = frozenset(old.alias for old in block.entries(_text(before)) if old.is_tunnel)
        return Trial(current, text, candidate, self._default, tunnels)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._default:
            whole_file.make_folder(self.path.parent)
        target = whole_file.follow_links(self.path)
        if not target.parent.is_dir():
            raise NodeportError(
                f"there is no folder {target.parent}", hint=f"mkdir -m 700 {target.parent}"
            )
        with whole_file.locked(target):
            yield

    @contextlib.contextmanager
    def _keys_written(self, alias: str, text: str) -> Iterator[None]:
        """The known_hosts file is in place while the body runs, and afterwards if it succeeds."""
        path = self._keys_file(alias)
        whole_file.make_folder(path.parent)
        before = whole_file.read(path)
        if _text(before) != text:
            _replace(before, _bytes(text))
        try:
            yield
        except BaseException:
            if before.data is None:
                path.unlink(missing_ok=True)
            elif _text(before) != text:
                _replace(whole_file.read(path), before.data)
            raise

    def _keys_file(self, alias: str) -> Path:
        return self.path.parent / _FOLDER / f"{alias}.known_hosts"

    def _retried(self, write: Callable[[], Change]) -> Change:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(ChangedMeanwhileError):
                return write()
        return write()

    def _by_hand(self, entry: HostEntry, keys_text: str, error: ReadOnlyError) -> NodeportError:
        wanted, _ = self._settle(self.read(), entry)
        return NodeportError(
            error.message,
            hint=f"add these lines to {self.path} (before its first Host or Match line) and "
            f"to {self._keys_file(entry.alias)} by hand, or use --ssh-config FILE",
            detail=f"{block.render_block(wanted)}\n{keys_text}",
        )

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Refusals of the text, which say a line, also say the file."""
        try:
            yield
        except ConfigRefusedError as error:
            message = f"{self.path}, {error.message}"
            raise NodeportError(message, hint=error.hint, detail=error.detail) from error


def _replace(before: Snapshot, data: bytes) -> None:
    with whole_file.staged(before, data) as staged:
        staged.commit()


def _text(snapshot: Snapshot) -> str:
    return (snapshot.data or b"").decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _diff(path: Path, old: str, new: str) -> str:
    if old == new:
        return ""
    lines = difflib.unified_diff(
        [line.rstrip("\r\n") for line in reader.split_lines(old)],
        [line.rstrip("\r\n") for line in reader.split_lines(new)],
        str(path),
        str(path),
        lineterm="",
    )
    return _bytes("".join(f"{line}\n" for line in lines)).decode("utf-8", "replace")
