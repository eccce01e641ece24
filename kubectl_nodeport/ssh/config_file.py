"""The ssh config on disk, with its entries of ours and their known_hosts files.

Every write is: lock, read, new text, temporary file, ssh's own opinion on it, host keys, rename.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, effect, known_hosts, reader, whole_file
from kubectl_nodeport.ssh.edit import Change, Edit
from kubectl_nodeport.ssh.effect import Trial
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.reader import ConfigRefusedError
from kubectl_nodeport.ssh.whole_file import ChangedMeanwhileError, ReadOnlyError, Snapshot

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

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        """The host keys that stand in the alias' known_hosts file now; none where there is none.

        :raises NodeportError: when the file cannot be read.
        """
        lines = reader.split_lines(_text(whole_file.read(self._keys_file(alias))))
        ours = (line.removeprefix(f"{alias} ") for line in lines if line.startswith(f"{alias} "))
        return known_hosts.parse_public_keys("".join(ours))

    def put(self, entry: HostEntry, keys: Iterable[HostKey]) -> Change:
        """Write an entry and its host keys, both or neither; see :meth:`apply`."""
        return self.apply(Edit(((entry, tuple(keys)),)))[entry.alias]

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        """Write and remove entries with their host keys: all of the edit or nothing.

        :returns: what became of each alias; one of ``gone`` that was not there is left out.
        :raises NodeportError: when the file cannot be written, is damaged, or would not make ssh
            go where an entry says; nothing was changed then.
        :raises ValueError: for an entry that was made for another config.
        """
        keys = self._keys_texts(edit)
        with self._naming():
            if self._is_in_place(edit, keys):
                return {entry.alias: "unchanged" for entry, _ in edit.wanted}
            try:
                return self._retried(lambda: self._apply(edit, keys))
            except ReadOnlyError as error:
                raise self._by_hand(edit, keys, error) from error

    def preview(self, edit: Edit) -> str:
        """What :meth:`apply` would change, as a unified diff; empty when nothing.

        :raises NodeportError: as :meth:`apply`, but for what only writing can find out.
        """
        keys = self._keys_texts(edit)
        with self._naming():
            before = self.read()
            text = _diff(self.path, _text(before), self._settle(before, edit).text)
        for alias in (*keys, *edit.gone):
            file = self._keys_file(alias)
            text += _diff(file, _text(whole_file.read(file)), keys.get(alias, ""))
        return text

    def _keys_texts(self, edit: Edit) -> dict[str, str]:
        for entry, _ in edit.wanted:
            if entry.known_hosts_file != self.known_hosts_path(entry.alias):
                raise ValueError(f"{entry.known_hosts_file} is not where host keys are written")
        return {entry.alias: known_hosts.render(entry.alias, keys) for entry, keys in edit.wanted}

    def _apply(self, edit: Edit, keys: Mapping[str, str]) -> dict[str, Change]:
        with self._locked():
            before = self.read()
            old = {entry.alias: entry for entry in block.entries(_text(before))}
            self._refuse_foreign(old, edit)
            version, cancelled = self._version(before, edit), set[str]()
            while True:
                with whole_file.staged(before, _bytes(version.text)) as staged:
                    proxied = self._proxied(before, version, staged.path)
                    if not proxied:
                        with self._keys_written(keys) as changed:
                            if version.text != _text(before):
                                staged.commit()
                        break
                cancelled.update(proxied)
                version = self._version(before, edit, cancelled)
            for alias in edit.gone:
                whole_file.remove(self._keys_file(alias))
        return _changes(edit, old, version, changed)

    def _refuse_foreign(self, old: Mapping[str, HostEntry], edit: Edit) -> None:
        """Under the lock: another run may have taken the alias since the caller chose it."""
        for entry, _ in edit.wanted:
            now = old.get(entry.alias)
            taken = now is not None and now.origin.identity != entry.origin.identity
            if taken or (now is None and self.declares(entry.alias)):
                raise NodeportError(
                    f"the Host {entry.alias} was written by someone else in this moment",
                    hint="run it again, with another name: --host",
                )

    def _is_in_place(self, edit: Edit, keys: Mapping[str, str]) -> bool:
        """Whether nothing is to be written; no lock is needed to see that."""
        before = self.read()
        for alias in (*keys, *edit.gone):
            if _text(whole_file.read(self._keys_file(alias))) != keys.get(alias, ""):
                return False
        version = self._version(before, edit)
        if version.text != _text(before):
            return False
        return not self._proxied(before, version, before.path)

    def _version(self, before: Snapshot, edit: Edit, proxied: Collection[str] = ()) -> _Version:
        """The entries with an inherited proxy cancelled where one is; once cancelled it stays so.

        A tunnel's own ProxyCommand stands in the place of what would be inherited.

        :param proxied: aliases that are known to inherit one.
        """
        text = _text(before)
        cancelled = {old.alias for old in block.entries(text) if old.cancel_proxy} | set(proxied)
        wanted = tuple(
            entry
            if entry.is_tunnel
            else dataclasses.replace(entry, cancel_proxy=entry.alias in cancelled)
            for entry, _ in edit.wanted
        )
        return _Version(wanted, block.edit(text, wanted, edit.gone))

    def _proxied(self, before: Snapshot, version: _Version, candidate: Path) -> list[str]:
        """Aliases that inherit a proxy which is not cancelled yet; the others take effect.

        :param candidate: a file that holds the version's text.
        :raises NodeportError: when one does not take effect and cannot.
        """
        trial = self._trial(before, version.text, candidate)
        if not version.wanted:
            effect.require_same(trial)
        proxied = []
        for wanted in version.wanted:
            found = effect.examine(trial, wanted)
            is_proxied = any(option.keyword in ("proxycommand", "proxyjump") for option in found)
            if is_proxied and not (wanted.cancel_proxy or wanted.is_tunnel):
                proxied.append(wanted.alias)
            else:
                effect.require(found, trial, self.path, self._warn)
            # The other hosts were compared with the first entry already.
            trial = dataclasses.replace(trial, current=candidate)
        return proxied

    def _settle(self, before: Snapshot, edit: Edit) -> _Version:
        """What :meth:`apply` would write, tried out far from the config."""
        version, cancelled = self._version(before, edit), set[str]()
        with tempfile.TemporaryDirectory(prefix="kubectl-nodeport-") as folder:
            candidate = Path(folder, "config")
            while True:
                candidate.write_bytes(_bytes(version.text))
                proxied = self._proxied(before, version, candidate)
                if not proxied:
                    return version
                cancelled.update(proxied)
                version = self._version(before, edit, cancelled)

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
    def _keys_written(self, keys: Mapping[str, str]) -> Iterator[list[str]]:
        """The known_hosts files are in place while the body runs, and afterwards if it succeeds.

        :returns: the aliases whose file was written.
        """
        if keys:
            whole_file.make_folder(self.path.parent / _FOLDER)
        changed = []
        with contextlib.ExitStack() as undo:
            for alias, text in keys.items():
                before = whole_file.read(self._keys_file(alias))
                if _text(before) != text:
                    undo.callback(_put_back, before)
                    _replace(before, _bytes(text))
                    changed.append(alias)
            yield changed
            undo.pop_all()

    def _keys_file(self, alias: str) -> Path:
        return self.path.parent / _FOLDER / f"{alias}.known_hosts"

    def _retried(self, write: Callable[[], dict[str, Change]]) -> dict[str, Change]:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(ChangedMeanwhileError):
                return write()
        return write()

    def _by_hand(self, edit: Edit, keys: Mapping[str, str], error: ReadOnlyError) -> NodeportError:
        version = self._settle(self.read(), edit)
        files = [str(self._keys_file(alias)) for alias in keys]
        add = f"add these lines to {self.path} (before its first Host or Match line) and "
        blocks = "".join(block.render_block(wanted) for wanted in version.wanted)
        return NodeportError(
            error.message,
            hint=f"{add}to {', '.join(files)} by hand, or use --ssh-config FILE"
            if files
            else f"delete the entries of {', '.join(edit.gone)} from {self.path} by hand",
            detail="\n".join([blocks, *keys.values()]) if files else "",
        )

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Refusals of the text, which say a line, also say the file."""
        try:
            yield
        except ConfigRefusedError as error:
            message = f"{self.path}, {error.message}"
            raise NodeportError(message, hint=error.hint, detail=error.detail) from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Version:
    """A text that may be written, and the entries in it that are asked for."""

    wanted: tuple[HostEntry, ...]
    text: str


def _changes(
    edit: Edit, old: Mapping[str, HostEntry], version: _Version, new_keys: Collection[str]
) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for entry in version.wanted:
        alias = entry.alias
        is_same = old.get(alias) == entry and alias not in new_keys
        changes[alias] = "created" if alias not in old else "unchanged" if is_same else "updated"
    changes.update((alias, "removed") for alias in edit.gone if alias in old)
    return changes


def _put_back(before: Snapshot) -> None:
    if before.data is None:
        whole_file.remove(before.path)
    else:
        _replace(whole_file.read(before.path), before.data)


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
