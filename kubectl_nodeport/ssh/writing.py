"""Writing entries: lock, read, new texts, ssh's opinion on copies of them, temporary files, backup,
host keys, renames.

Of two files that change, the one comes first without which the other would lose an entry.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import (
    block,
    effect,
    include,
    known_hosts,
    layout,
    reader,
    scratch,
    shadow,
)
from kubectl_nodeport.ssh.commit import Version, commit, let_go
from kubectl_nodeport.ssh.edit import Change, Edit
from kubectl_nodeport.ssh.effect import Trial
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.layout import Files, Place
from kubectl_nodeport.ssh.location import Location, State
from kubectl_nodeport.ssh.placing import locked, place_of
from kubectl_nodeport.ssh.whole_file import (
    ChangedMeanwhileError,
    ReadOnlyError,
    as_bytes,
)

# An editor that saves just then costs one more try; something that always does is an error.
_TRIES = 5


class Writer:
    """Writes the entries of one config; see :class:`~kubectl_nodeport.ssh.config_file.ConfigFile`.

    :param chosen: whether in a file of our own; None for what was chosen before.
    """

    def __init__(
        self, location: Location, warn: Callable[[str], None], chosen: bool | None
    ) -> None:
        self._location = location
        self._warn = warn
        self._chosen = chosen

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        """All of the edit or nothing.

        :raises NodeportError: as ConfigFile.apply.
        """
        keys = self._keys_texts(edit)
        if self._is_in_place(edit, keys):
            return {entry.alias: "unchanged" for entry, _ in edit.wanted}
        try:
            return self._retried(lambda: self._apply(edit, keys))
        except ReadOnlyError as error:
            raise self._by_hand(edit, keys, error) from error

    def preview(self, edit: Edit) -> str:
        """The change as a unified diff.

        :raises NodeportError: as ConfigFile.preview.
        """
        keys = self._keys_texts(edit)
        before = self._location.read()
        files = self._settled(before, edit).files
        text = _diff(self._location.config, before.config.text, files.text)
        text += _diff(self._location.own, before.own.text, files.own or "")
        for alias in (*keys, *edit.gone):
            file = self._location.read_keys(alias)
            text += _diff(self._location.keys_file(alias), file.text, keys.get(alias, ""))
        return text

    def _apply(self, edit: Edit, keys: Mapping[str, str]) -> dict[str, Change]:
        with locked(self._location, self._chosen):
            before = self._location.read()
            files = self._location.files(before)
            old = {entry.alias: entry for entry in layout.entries(files)}
            _refuse_foreign(files, old, edit)
            version = self._settled(before, edit)
            new_keys = commit(
                self._location, version, keys, lambda: self._require(version), self._warn
            )
            for alias in edit.gone:
                let_go(self._location.keys_file(alias), self._warn)
                let_go(self._location.seed_file(alias), self._warn)
        is_moved = version.place.include != (layout.chosen(files) is True)
        touched = old if is_moved else {*new_keys, *layout.outdated(files)}
        return _changes(edit, old, version, touched)

    # Trying it out

    def _version(
        self,
        before: State,
        edit: Edit,
        place: Place,
        better: Mapping[str, HostEntry] = MappingProxyType({}),
    ) -> Version:
        """The entries with what they are known to inherit taken back; once it is, it stays so.

        :param better: entries by their alias that were found to need more than that.
        """
        files = self._location.files(before)
        old = {entry.alias: entry for entry in layout.entries(files)}
        wanted = tuple(
            better.get(entry.alias) or _in_place_of(old.get(entry.alias), entry)
            for entry, _ in edit.wanted
        )
        return Version(before, place, wanted, layout.changed(files, wanted, edit.gone, place))

    def _is_in_place(self, edit: Edit, keys: Mapping[str, str]) -> bool:
        """Whether nothing is to be written; no lock is needed to see that."""
        for alias in (*keys, *edit.gone):
            if self._location.read_keys(alias).text != keys.get(alias, ""):
                return False
        before = self._location.read()
        version = self._version(before, edit, place_of(self._location, before, self._chosen))
        if version.changes_config or version.changes_own:
            return False
        return not self._remedied(version, before.config.path)

    def _settled(self, before: State, edit: Edit) -> Version:
        """What is to be written, tried out with copies far from the config."""
        place = place_of(self._location, before, self._chosen)
        better: dict[str, HostEntry] = {}
        version = self._version(before, edit, place)
        _refuse_stray(version)
        with scratch.folder() as folder:
            while remedied := self._remedied(version, _copy(folder, version)):
                better.update(remedied)
                version = self._version(before, edit, place, better)
        return version

    def _remedied(self, version: Version, candidate: Path) -> dict[str, HostEntry]:
        """Entries that inherit what is not taken back yet, with it taken back, by their alias;
        the others take effect.

        :param candidate: a file that holds the version's text.
        :raises NodeportError: when one does not take effect and cannot.
        """
        trial = self._trial(version, candidate)
        if not version.wanted:
            effect.require_same(trial)
        remedied = {}
        for wanted in version.wanted:
            found = effect.examine(trial, wanted)
            better = shadow.remedied(wanted, found)
            if better is None:
                effect.require(found, trial, self._location.config, self._warn)
            else:
                remedied[wanted.alias] = better
            # The other hosts were compared with the first entry already.
            trial = dataclasses.replace(trial, current=candidate)
        return remedied

    def _trial(self, version: Version, candidate: Path) -> Trial:
        config = version.before.config
        old = layout.entries(self._location.files(version.before))
        return Trial(
            None if config.data is None else config.path,
            version.files.text,
            candidate,
            self._location.is_default,
            frozenset(entry.alias for entry in old if entry.is_tunnel),
        )

    def _require(self, version: Version) -> None:
        """Where a line of the user's own includes our file, only the files in place can show it."""
        if self._remedied(version, version.before.config.path):
            raise NodeportError(
                f"{self._location.own} is not included where ssh would heed it",
                hint=f"move its Include line to the top of {self._location.config}",
            )

    def _retried(self, write: Callable[[], dict[str, Change]]) -> dict[str, Change]:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(ChangedMeanwhileError):
                return write()
        return write()

    def _by_hand(self, edit: Edit, keys: Mapping[str, str], error: ReadOnlyError) -> NodeportError:
        """What to do where the config is read-only and no file of our own is included."""
        config = self._location.config
        before = self._location.read()
        if place_of(self._location, before, self._chosen).include:
            return error
        if not edit.wanted:
            return NodeportError(
                error.message,
                hint=f"delete the lines of {', '.join(edit.gone)} from {config} by hand",
            )
        version = self._settled(before, edit)
        line = include.line(self._location.own_words[0])
        files = ", ".join(str(self._location.keys_file(alias)) for alias in keys)
        return NodeportError(
            error.message,
            hint=f"add the line `{line}` at the top of {config} by hand and run this again, or add "
            f"the lines above before its first Host or Match line and to {files}",
            detail="\n".join([*map(block.render_block, version.wanted), *keys.values()]),
        )

    def _keys_texts(self, edit: Edit) -> dict[str, str]:
        for entry, _ in edit.wanted:
            if entry.known_hosts_file != self._location.known_hosts_path(entry.alias):
                raise ValueError(f"{entry.known_hosts_file} is not where host keys are written")
        return {entry.alias: known_hosts.render(entry.alias, keys) for entry, keys in edit.wanted}


def _refuse_foreign(files: Files, old: Mapping[str, HostEntry], edit: Edit) -> None:
    """Under the lock: another run may have taken the alias since the caller chose it."""
    for entry, _ in edit.wanted:
        now = old.get(entry.alias)
        taken = now is not None and now.origin.identity != entry.origin.identity
        if taken or (now is None and layout.declares(files, entry.alias)):
            raise NodeportError(
                f"the Host {entry.alias} was written by someone else in this moment",
                hint="run it again, with another name: --host",
            )


def _refuse_stray(version: Version) -> None:
    """Lines that count for our last entry would come to count for the section above our block, or
    for every host; which one that is no sample of hosts shows for certain.
    """
    old = version.before.config
    line = block.stray_line(old.text)
    if line is not None and not block.has_entries(version.files.text):
        raise NodeportError(
            f"{old.path}, line {line}, below our block, counts for our last entry; without the "
            "block it would change what ssh does for other hosts",
            hint="move it, and what follows up to the next Host or Match line, above our block",
        )


def _copy(folder: Path, version: Version) -> Path:
    """The version as files in a folder for trials; the config's copy."""
    text = version.files.text
    own_text = version.files.own or ""
    if version.place.include and layout.is_needed(text, own_text):
        own = scratch.draft(folder, "own", as_bytes(own_text))
        text = block.with_include(text, include.line(own.as_posix()))
    return scratch.draft(folder, "config", as_bytes(text))


def _in_place_of(old: HostEntry | None, entry: HostEntry) -> HostEntry:
    if old is None:
        return entry
    origin = entry.origin.in_place_of(old.origin)
    return shadow.kept(dataclasses.replace(entry, origin=origin), old)


# ``touched``: aliases that changed in something else than their entry.
def _changes(
    edit: Edit, old: Mapping[str, HostEntry], version: Version, touched: Collection[str]
) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for entry in version.wanted:
        alias = entry.alias
        is_same = old.get(alias) == entry and alias not in touched
        changes[alias] = "created" if alias not in old else "unchanged" if is_same else "updated"
    changes.update((alias, "removed") for alias in edit.gone if alias in old)
    return changes


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
    return as_bytes("".join(f"{line}\n" for line in lines)).decode("utf-8", "replace")
