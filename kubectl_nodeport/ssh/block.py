"""Our marked block in a user's ssh config: text in, text out. Pure.

What is outside of it is never changed; sshconf, which rewrites what it reads, only ever sees lines
of ours. How the config is taken apart: parts.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kubectl_nodeport.errors import UPGRADE, NodeportError
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.parts import BEGIN as BEGIN
from kubectl_nodeport.ssh.parts import END as END
from kubectl_nodeport.ssh.parts import Own, Parts, parse
from kubectl_nodeport.ssh.reader import ConfigRefusedError, options


@dataclass(frozen=True, slots=True)
class Readable:
    """Our entries, as far as they can be read.

    :ivar entries: in the order of the file.
    :ivar refused: of the others why, by alias: somebody edited them, or a newer version wrote them.
    """

    entries: tuple[HostEntry, ...]
    refused: Mapping[str, NodeportError]


def readable(text: str) -> Readable:
    """Our entries, and why those that cannot be read cannot.

    :raises ConfigRefusedError: for broken markers.
    """
    entries: list[HostEntry] = []
    refused: dict[str, NodeportError] = {}
    for own in parse(text).own:
        try:
            entries.append(_as_written(own, wanted=None))
        except ConfigRefusedError as error:
            refused[own.alias] = error
    return Readable(tuple(entries), refused)


def entries(text: str) -> tuple[HostEntry, ...]:
    """Our entries, in the order of the file.

    :raises ConfigRefusedError: for broken markers or an entry that cannot be read.
    """
    return tuple(_as_written(own, wanted=None) for own in parse(text).own)


def outdated(text: str) -> frozenset[str]:
    """The aliases of entries that would be written in other words today.

    :raises ConfigRefusedError: for broken markers.
    """
    return frozenset(
        own.alias
        for own in parse(text).own
        if isinstance(own.entry, HostEntry)
        and [line.strip() for line in own.lines] != [line.strip() for line in render(own.entry)]
    )


def outside(text: str) -> str:
    """Everything that is not ours, in its order.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = parse(text)
    return parts.before + parts.foreign + parts.foreign_below + parts.after


def edit(text: str, wanted: Iterable[HostEntry], gone: Collection[str] = ()) -> str:
    """The text with the wanted entries, each in its old place, else at the block's end, and without
    those of ``gone``.

    When no entry is left the block goes too, and the text is what it was without us.

    :raises ConfigRefusedError: for broken markers, or when one of these was edited by hand.
    """
    parts = parse(text)
    new = {entry.alias: entry for entry in wanted}
    blocks = []
    for own in parts.own:
        entry = new.pop(own.alias, None)
        if entry is not None or own.alias in gone:
            _as_written(own, wanted=entry)
        if own.alias not in gone:
            blocks.append(own.lines if entry is None else render(entry))
    blocks += [render(entry) for entry in new.values()]
    return _join(parts, blocks)


def has_entries(text: str) -> bool:
    """Whether entries stand in our block.

    :raises ConfigRefusedError: for broken markers.
    """
    return bool(parse(text).own)


def include(text: str) -> str | None:
    """The Include line in our block, None where there is none.

    :raises ConfigRefusedError: for broken markers.
    """
    return parse(text).include


def with_include(text: str, line: str) -> str:
    """The text with a block at its very top that holds this Include line and nothing else.

    Entries in the block are left out: they stand in the included file.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = parse(text)
    block = "".join(each + parts.newline for each in (BEGIN, line, END))
    return block + _join(parts, [])


def without(text: str) -> str:
    """The text as it was without us; lines of others inside the block stay.

    :raises ConfigRefusedError: for broken markers.
    """
    return _join(parse(text), [])


def render(entry: HostEntry) -> tuple[str, ...]:
    """The lines of one entry, without line ends."""
    from sshconf import SshConfigFile  # late: whoever only reads, such as proxy, needs it not

    config = SshConfigFile([])
    # Its key "#" makes comment lines, first in the entry so that they move with it.
    config.add(entry.alias, **{"#": list(entry.comments), **dict(entry.options)})
    return tuple(line for line in config.config().split("\n") if line)


def render_block(entry: HostEntry) -> str:
    """A block of this entry alone, as a person would paste it."""
    return "".join(f"{line}\n" for line in (BEGIN, *render(entry), END))


def stray_line(text: str) -> int | None:
    """Number of the first option below our block that counts for our last entry: no Host or Match
    line of its own is above it. Without the entry it would count for others.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = parse(text)
    first = next(options(parts.after), None)
    if not parts.own or parts.foreign_below or first is None or first.keyword in ("host", "match"):
        return None
    return text.count("\n") - parts.after.count("\n") + first.line


def _join(parts: Parts, blocks: list[tuple[str, ...]]) -> str:
    foreign, below = parts.foreign, parts.foreign_below
    if not blocks:
        # A line end that only our block needed goes with it.
        is_ours = parts.is_last and not (foreign or below)
        before = parts.before.removesuffix(parts.newline) if is_ours else parts.before
        return before + foreign + below + parts.after
    lines = [BEGIN, *(line for block in blocks for line in block), END]
    block = "".join(line + parts.newline for line in lines)
    if parts.is_last and not below:
        block = block.removesuffix(parts.newline)
    return parts.before + foreign + block + below + parts.after


def _as_written(own: Own, *, wanted: HostEntry | None) -> HostEntry:
    """The entry, if nobody edited it: indentation and line ends may differ, words may not.

    :param wanted: what would be written, for the diff where the entry's own comment is unreadable.
    :raises ConfigRefusedError: somebody did, or a newer version wrote it.
    """
    if own.is_as_written and isinstance(own.entry, HostEntry):
        return own.entry
    if own.is_as_written:
        raise ConfigRefusedError(
            f"line {own.line}: the entry {own.alias} was written by a newer kubectl-nodeport",
            hint=UPGRADE,
        )
    import difflib

    made = own.entry if isinstance(own.entry, HostEntry) else wanted
    should_be = () if made is None else render(made)
    diff = difflib.unified_diff(should_be, own.lines, "made", "found", lineterm="")
    reason = f" ({own.entry.message})" if isinstance(own.entry, NodeportError) else ""
    raise ConfigRefusedError(
        f"line {own.line}: the entry {own.alias} was edited by hand{reason}",
        hint="undo the edit, or delete the entry's lines; "
        "options of your own belong in a Host section outside of the block",
        detail="\n".join(diff),
    )
