"""Putting new texts in place: temporary files, backup, host keys, renames.

Of two files that change, the one comes first without which the other would lose an entry.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import backup, whole_file
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.layout import Files, Place
from kubectl_nodeport.ssh.location import Location, State
from kubectl_nodeport.ssh.whole_file import ReadOnlyError, Snapshot, StagedFile, as_bytes

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Version:
    """Texts that may be written.

    :param before: the files that they were made from.
    :param wanted: the entries in them that are asked for.
    """

    before: State
    place: Place
    wanted: tuple[HostEntry, ...]
    files: Files

    @property
    def changes_config(self) -> bool:
        """Whether the user's config is not as it shall be."""
        return self.files.text != self.before.config.text

    @property
    def changes_own(self) -> bool:
        """Whether the file of our own is not as it shall be."""
        had = None if self.before.own.data is None else self.before.own.text
        return self.files.own != had


def commit(
    location: Location,
    version: Version,
    keys: Mapping[str, str],
    check: Callable[[], None],
    warn: Warn,
) -> list[str]:
    """Put a version in place, with its host keys. The caller holds the lock.

    :param keys: known_hosts texts by alias.
    :param check: raises when our file is not included; asked once it is in place, where it is a
        line of the user's own that includes it.
    :returns: the aliases whose known_hosts file was written.
    :raises NodeportError: when that fails; everything is as it was then.
    """
    before, files = version.before, version.files
    with contextlib.ExitStack() as staging:
        config, own = _stage_texts(staging, location, version, warn)
        if config is not None:
            backup.keep(before.config, datetime.date.today())
        known = _stage_keys(staging, location, before, keys)
        if config is None:
            last, first = own, [*known.values()]
        else:
            last, first = config, [*known.values(), *([own] if own is not None else [])]
        with _all_or_nothing(first, last):
            for file in first:
                file.commit()
            if last is not None:
                last.commit()
            if own is not None and version.place.line is None:
                _require(check, own)
    if files.own is None and before.own.data is not None:
        let_go(before.own.path, warn)
    return list(known)


def let_go(path: Path, warn: Warn) -> None:
    """Remove a file that nothing needs any more; the next write would try again."""
    try:
        whole_file.remove(path)
    except NodeportError as error:
        warn(error.message)


def _stage_texts(
    staging: contextlib.ExitStack, location: Location, version: Version, warn: Warn
) -> tuple[StagedFile | None, StagedFile | None]:
    """The new config and the new file of our own, None for what does not change.

    A config that only lacks the Include line and is read-only is left to the user.
    """
    before, files, line = version.before, version.files, version.place.line
    config = own = None
    if version.changes_own and files.own is not None:
        whole_file.make_folder(location.folder, before.config.owner)
        new = whole_file.staged(_owned(before.own, before), as_bytes(files.own))
        own = staging.enter_context(new)
    if version.changes_config:
        try:
            config = staging.enter_context(whole_file.staged(before.config, as_bytes(files.text)))
        except ReadOnlyError as error:
            if line is None:
                raise
            if files.own:
                warn(
                    f"{error.message}: add this line by hand as its first, and ssh and editors "
                    f"will find the host: {line}"
                )
    return config, own


def _stage_keys(
    staging: contextlib.ExitStack, location: Location, before: State, keys: Mapping[str, str]
) -> dict[str, StagedFile]:
    """The known_hosts files that change, by their aliases."""
    if keys:
        whole_file.make_folder(location.folder, before.config.owner)
    changed = {}
    for alias, text in keys.items():
        file = location.read_keys(alias)
        if file.text != text:
            new = whole_file.staged(_owned(file, before), as_bytes(text))
            changed[alias] = staging.enter_context(new)
    return changed


def _owned(file: Snapshot, before: State) -> Snapshot:
    """A new file of root's belongs to the config's owner: ssh refuses one of anybody else."""
    is_root = os.name == "posix" and os.geteuid() == 0
    if file.data is not None or not is_root:
        return file
    return replace(file, owner=before.config.owner)


@contextlib.contextmanager
def _all_or_nothing(first: Iterable[StagedFile], last: StagedFile | None) -> Iterator[None]:
    """When the body fails before the last file is in place, the first ones are taken back.

    An interrupt may come between the last file's rename and the body's end: then all stay.
    """
    try:
        yield
    except BaseException:
        if last is None or not last.is_in_place():
            for file in first:
                file.take_back()
        raise


def _require(check: Callable[[], None], own: StagedFile) -> None:
    try:
        check()
    except BaseException:
        own.take_back()
        raise
