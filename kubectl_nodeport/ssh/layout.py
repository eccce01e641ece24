"""In which of two files our entries stand: in our block of the user's config, or in a file of our
own that the config includes. Pure.

At most one of them is meant. Both hold entries when a run was ended between its two writes; what
ssh uses counts then, and the next write puts the rest beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, reader
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.reader import ConfigRefusedError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Files:
    """The two files as texts.

    :param config: the path of the user's config, for errors.
    :param own_path: the path of the file of our own.
    :param own: None when there is no such file.
    """

    config: str
    text: str
    own_path: str
    own: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the entries shall stand.

    :param include: whether in the file of our own.
    :param line: the Include line that our block shall hold then; None when a line of the user's
        own does it.
    """

    include: bool
    line: str | None = None


def entries(files: Files) -> tuple[HostEntry, ...]:
    """Our entries; of two for one alias, the one that ssh takes.

    :raises NodeportError: for broken markers or an entry that cannot be read.
    """
    with _naming(files.config):
        in_block = block.entries(files.text)
    with _naming(files.own_path):
        in_own = block.entries(files.own or "")
    first, second = _by_rank(files, in_block, in_own)
    aliases = {entry.alias for entry in first}
    return first + tuple(entry for entry in second if entry.alias not in aliases)


def readable(files: Files) -> Readable:
    """The same, where an entry that cannot be read does not hide the others.

    :raises NodeportError: for broken markers.
    """
    with _naming(files.config):
        in_block = _named(block.readable(files.text), files.config)
    with _naming(files.own_path):
        in_own = _named(block.readable(files.own or ""), files.own_path)
    first, second = _by_rank(files, in_block, in_own)
    aliases = {*first.refused, *(entry.alias for entry in first.entries)}
    return Readable(
        first.entries + tuple(entry for entry in second.entries if entry.alias not in aliases),
        {**{k: v for k, v in second.refused.items() if k not in aliases}, **first.refused},
    )


def outdated(files: Files) -> frozenset[str]:
    """The aliases of entries that would be written in other words today.

    :raises NodeportError: for broken markers.
    """
    with _naming(files.config):
        in_block = block.outdated(files.text)
    with _naming(files.own_path):
        return in_block | block.outdated(files.own or "")


def _by_rank(files: Files, in_block: T, in_own: T) -> tuple[T, T]:
    """What ssh takes, and what it takes where the first has nothing of an alias."""
    is_included = block.include(files.text) is not None
    return (in_own, in_block) if is_included else (in_block, in_own)


def declares(files: Files, alias: str) -> bool:
    """Whether a Host line of the user's own has this very name.

    :raises NodeportError: for broken markers.
    """
    with _naming(files.config):
        texts = [block.outside(files.text)]
    with _naming(files.own_path):
        texts.append(block.outside(files.own or ""))
    # Most texts do not hold it at all, which is seen at once.
    return any(alias in text and alias in reader.literal_hosts(text) for text in texts)


def chosen(files: Files) -> bool | None:
    """Whether a file of our own was chosen earlier; None when nothing tells.

    :raises NodeportError: for broken markers.
    """
    with _naming(files.config):
        if block.include(files.text) is not None:
            return True
        if block.has_entries(files.text):
            return False
    return None if files.own is None else True


def include_line(files: Files, lines: Sequence[str]) -> str:
    """The Include line that our block shall hold: the one that it holds, else the first of these.

    :raises NodeportError: when it holds another one.
    """
    with _naming(files.config):
        found = block.include(files.text)
    if found is None or found in lines:
        return found or lines[0]
    raise NodeportError(
        f"our block in {files.config} has {found!a}, and not {lines[0]!a}",
        hint="give the config by the path that it was made with, or mend that line",
    )


def changed(
    files: Files, wanted: Collection[HostEntry], gone: Collection[str], place: Place
) -> Files:
    """The files with some entries written, some removed, and all of them in their place.

    :raises NodeportError: for broken markers, an entry that was edited by hand and is to be written
        anew, or lines of the user's own in a file that would not be included any more.
    """
    return (_in_own if place.include else _in_block)(files, wanted, gone, place.line)


def _in_block(
    files: Files, wanted: Collection[HostEntry], gone: Collection[str], _line: str | None
) -> Files:
    if files.own is not None:
        wanted = _with_moved(files, block.entries(files.text), wanted, gone)
        with _naming(files.own_path):
            _refuse_lines(block.outside(files.own))
    with _naming(files.config):
        text = files.text if block.include(files.text) is None else block.without(files.text)
        text = block.edit(text, wanted, gone)
    return Files(files.config, text, files.own_path, None)


def _in_own(
    files: Files, wanted: Collection[HostEntry], gone: Collection[str], line: str | None
) -> Files:
    with _naming(files.config):
        has_block = block.has_entries(files.text)
    if has_block:
        wanted = _with_moved(files, block.entries(files.own or ""), wanted, gone)
    with _naming(files.own_path):
        own = block.edit(files.own or "", wanted, gone)
    with _naming(files.config):
        if line is None or not own.strip() or not is_needed(files.text, own):
            text = block.without(files.text)
        else:
            text = block.with_include(files.text, line)
    # An empty one is kept: it tells that a file of our own was chosen.
    is_absent = not own and files.own is None
    return Files(files.config, text, files.own_path, None if is_absent else own)


def is_needed(text: str, own: str) -> bool:
    """Whether a config with this text includes such a file of our own, or shall begin to: not for
    lines of the user's own alone.
    """
    return block.has_entries(own) or block.include(text) is not None


def _with_moved(
    files: Files,
    here: Collection[HostEntry],
    wanted: Collection[HostEntry],
    gone: Collection[str],
) -> tuple[HostEntry, ...]:
    """What is wanted, and the entries of the other file as they take effect now, in their order."""
    known = {entry.alias: entry for entry in here}
    new = {entry.alias: entry for entry in wanted}
    moved = tuple(
        new.pop(entry.alias, entry)
        for entry in entries(files)
        if entry.alias in new or (entry.alias not in gone and known.get(entry.alias) != entry)
    )
    return moved + tuple(new.values())


def _refuse_lines(outside: str) -> None:
    if outside.strip():
        raise ConfigRefusedError(
            "line 1: lines that are not ours would not be included any more",
            hint="move them into your ssh config first",
        )


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Refusals of a text, which say a line, also say the file."""
    try:
        yield
    except ConfigRefusedError as error:
        raise _in_file(path, error) from error


def _named(found: Readable, path: str) -> Readable:
    refused = {alias: _in_file(path, error) for alias, error in found.refused.items()}
    return Readable(found.entries, refused)


def _in_file(path: str, error: NodeportError) -> NodeportError:
    return NodeportError(f"{path}, {error.message}", hint=error.hint, detail=error.detail)
