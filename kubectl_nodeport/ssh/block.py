"""Our marked block in a user's ssh config: text in, text out.

All entries of ours stand in one block between two marker lines, or the block holds the one Include
line of the file in which they stand. What is outside of it is never parsed further than needed to
find the block's place, and never changed; sshconf, which rewrites what it reads, only ever sees
lines of ours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.entry import ORIGIN_MARK, HostEntry, is_as_written, parse_comments
from kubectl_nodeport.ssh.reader import (
    ConfigRefusedError,
    check_readable,
    first_section,
    is_section,
    line_number,
    literal_hosts,
    options,
    split_lines,
)

BEGIN = "# >>> kubectl-nodeport v1 >>> (made by `kubectl nodeport`; use its commands to change it)"
END = "# <<< kubectl-nodeport <<<"
# Looser than the markers themselves: what was meant as one and is not whole is refused.
_MARKER = re.compile(r"^[ \t]*#[ \t]*(?:>>>|<<<)[ \t]*kubectl-nodeport[^\n]*", re.MULTILINE)
_BEGIN = re.compile(r"# >>> kubectl-nodeport v1 >>>(?: .*)?")
# Only between our markers is such a line ours.
_INCLUDE = re.compile(
    r'[ \t]*Include[ \t]+"?(?:[^"\n]*/)?kubectl-nodeport/(?:[^"/\n]*\.)?config"?\s*'
)


@dataclass(frozen=True, slots=True)
class _Own:
    """An entry of ours as it was found.

    :param line: number of its Host line.
    :param lines: without line ends.
    :param entry: what its comment says, or the error that reading it gave.
    :param is_as_written: whether nobody edited it since, whichever version wrote it.
    """

    alias: str
    line: int
    lines: tuple[str, ...]
    entry: HostEntry | NodeportError
    is_as_written: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    """A config in its parts; ``before`` ends at a line's end, so that a marker can follow.

    :param foreign: lines of others that stood inside the block, above its first entry.
    :param foreign_below: the same from below an entry. They stay below: what was overruled by an
        entry shall not come to overrule it.
    :param include: our Include line, without its end.
    :param newline: how the block's lines end.
    :param is_last: whether the file ends with the block's last line and without a line end, the
        form in which a file that had no final line end keeps none.
    """

    before: str
    foreign: str
    own: tuple[_Own, ...]
    after: str
    newline: str
    is_last: bool
    include: str | None = None
    foreign_below: str = ""


def entries(text: str) -> tuple[HostEntry, ...]:
    """Our entries, in the order of the file.

    :raises ConfigRefusedError: for broken markers or an entry that was edited by hand.
    """
    found = []
    for own in _parse(text).own:
        _refuse_edited(own, wanted=None)
        if isinstance(own.entry, HostEntry):
            found.append(own.entry)
    return tuple(found)


def outside(text: str) -> str:
    """Everything that is not ours, in its order.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = _parse(text)
    return parts.before + parts.foreign + parts.foreign_below + parts.after


def put(text: str, entry: HostEntry) -> str:
    """The text with this entry in our block: in its old place, else at the block's end.

    :raises ConfigRefusedError: for broken markers, or when the entry was edited by hand.
    """
    return edit(text, (entry,))


def edit(text: str, wanted: Iterable[HostEntry], gone: Collection[str] = ()) -> str:
    """The text with the wanted entries as :func:`put` places them and without those of ``gone``.

    When no entry is left the block goes too, and the text is what it was without us.

    :raises ConfigRefusedError: for broken markers, or when one of these was edited by hand.
    """
    parts = _parse(text)
    new = {entry.alias: entry for entry in wanted}
    blocks = []
    for own in parts.own:
        entry = new.pop(own.alias, None)
        if entry is not None or own.alias in gone:
            _refuse_edited(own, wanted=entry)
        if own.alias not in gone:
            blocks.append(own.lines if entry is None else render(entry))
    blocks += [render(entry) for entry in new.values()]
    return _join(parts, blocks)


def has_entries(text: str) -> bool:
    """Whether entries stand in our block.

    :raises ConfigRefusedError: for broken markers.
    """
    return bool(_parse(text).own)


def include(text: str) -> str | None:
    """The Include line in our block, None where there is none.

    :raises ConfigRefusedError: for broken markers.
    """
    return _parse(text).include


def with_include(text: str, line: str) -> str:
    """The text with a block at its very top that holds this Include line and nothing else.

    Entries in the block are left out: they stand in the included file.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = _parse(text)
    block = "".join(each + parts.newline for each in (BEGIN, line, END))
    return block + _join(parts, [])


def without(text: str) -> str:
    """The text as it was without us; lines of others inside the block stay.

    :raises ConfigRefusedError: for broken markers.
    """
    return _join(_parse(text), [])


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


def first_line(text: str) -> int:
    """Number of the line that our block begins in, of the last line where there is none."""
    marker = _MARKER.search(text)
    return line_number(text, len(text) if marker is None else marker.start())


def stray_line(text: str) -> int | None:
    """Number of the first option below our block that counts for our last entry: no Host or Match
    line of its own is above it. Without the entry it would count for others.

    :raises ConfigRefusedError: for broken markers.
    """
    parts = _parse(text)
    first = next(options(parts.after), None)
    if not parts.own or parts.foreign_below or first is None or first.keyword in ("host", "match"):
        return None
    return text.count("\n") - parts.after.count("\n") + first.line


@functools.lru_cache(maxsize=4)  # several questions are asked of each text, and it may be long
def _parse(text: str) -> _Parts:
    check_readable(text)
    markers = list(_MARKER.finditer(text))
    if not markers:
        return _without_block(text)
    for index, marker in enumerate(markers):
        line = marker.group().strip(" \t\r")
        is_good = _BEGIN.fullmatch(line) if index == 0 else index == 1 and line == END
        if not is_good:
            raise _bad_marker(line_number(text, marker.start()), line)
    if len(markers) == 1:
        raise _bad_marker(line_number(text, markers[0].start()), "no end")
    begin, end = markers
    newline = "\r\n" if begin.group().endswith("\r") else "\n"
    inside_start = begin.end() + 1
    include, inside = _take_include(text[inside_start : end.start()])
    first_line = line_number(text, inside_start) + (include is not None)
    foreign, own, foreign_below = _sort_inside(inside, first_line=first_line)
    return _Parts(
        before=text[: begin.start()],
        foreign=foreign,
        own=own,
        after=text[end.end() + 1 :],
        newline=newline,
        is_last=end.end() == len(text),
        include=include,
        foreign_below=foreign_below,
    )


def _without_block(text: str) -> _Parts:
    """Where the block goes: above the first section and the comments that are attached to it."""
    newline = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    section = first_section(text)
    if section is None:
        is_last = bool(text) and not text.endswith("\n")
        before = text + newline if is_last else text
        return _Parts(before, "", (), "", newline, is_last)
    place = section
    while place:
        above = text.rfind("\n", 0, place - 1) + 1
        if not text[above:place].lstrip(" \t").startswith("#"):
            break
        place = above
    return _Parts(text[:place], "", (), text[place:], newline, is_last=False)


def _take_include(inside: str) -> tuple[str | None, str]:
    """Our Include line, and the rest."""
    lines = split_lines(inside)
    for index, line in enumerate(lines):
        if _INCLUDE.fullmatch(line):
            return line.strip(), "".join(lines[:index] + lines[index + 1 :])
    return None, inside


def _sort_inside(inside: str, *, first_line: int) -> tuple[str, tuple[_Own, ...], str]:
    """Lines of others, our entries, and the lines of others that follow one of them."""
    foreign: list[str] = []
    foreign_below: list[str] = []
    own: list[_Own] = []
    section: list[str] = []
    number = first_line
    for line in [*split_lines(inside), None]:
        if line is None or is_section(line):
            mine, others = _sort_section(section, line=number)
            own.extend(mine)
            (foreign_below if own else foreign).extend(others)
            number += len(section)
            section = []
        if line is not None:
            section.append(line)
    seen: set[str] = set()
    for item in own:
        if item.alias in seen:
            raise ConfigRefusedError(
                f"line {item.line}: {item.alias} stands in our block twice",
                hint="delete one of the two entries",
            )
        seen.add(item.alias)
    return "".join(foreign), tuple(own), "".join(foreign_below)


def _sort_section(section: list[str], *, line: int) -> tuple[list[_Own], list[str]]:
    """One section as an entry of ours and the lines of others that follow it."""
    comments = tuple(text.strip().removeprefix("# ") for text in section if _is_origin(text))
    if not comments or not is_section(section[0]):
        return [], section if "".join(section).strip() else []
    size = len(section)
    while not _is_origin(section[size - 1]) and _is_idle(section[size - 1]):
        size -= 1
    lines = tuple(text.rstrip("\r\n") for text in section[:size])
    entry: HostEntry | NodeportError
    try:
        entry = parse_comments(comments)
        alias = entry.alias
    except NodeportError as error:
        entry = error
        alias = next(literal_hosts(lines[0]), "")
    words = tuple(text.strip() for text in lines if not _is_origin(text))
    tail = section[size:]
    own = _Own(alias, line, lines, entry, is_as_written(comments, words))
    return [own], tail if "".join(tail).strip() else []


def _is_origin(line: str) -> bool:
    return line.strip().startswith(f"# {ORIGIN_MARK}")


def _is_idle(line: str) -> bool:
    return line.strip()[:1] in ("", "#")


def _join(parts: _Parts, blocks: list[tuple[str, ...]]) -> str:
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


def _refuse_edited(own: _Own, *, wanted: HostEntry | None) -> None:
    """Indentation and line ends may differ, words may not.

    :param wanted: what would be written, for the diff where the entry's own comment is unreadable.
    """
    if own.is_as_written and isinstance(own.entry, HostEntry):
        return
    if own.is_as_written:
        raise ConfigRefusedError(
            f"line {own.line}: the entry {own.alias} was written by a newer kubectl-nodeport",
            hint="kubectl krew upgrade nodeport, or delete the entry's lines",
        )
    import difflib

    made = own.entry if isinstance(own.entry, HostEntry) else wanted
    should_be = () if made is None else render(made)
    diff = difflib.unified_diff(should_be, own.lines, "made", "found", lineterm="")
    reason = f" ({own.entry.message})" if isinstance(own.entry, NodeportError) else ""
    raise ConfigRefusedError(
        f"line {own.line}: the entry {own.alias} was edited by hand{reason}",
        hint="undo the edit, or delete the entry's lines; "
        "options of your own belong into a Host section outside of the block",
        detail="\n".join(diff),
    )


def _bad_marker(line: int, found: str) -> ConfigRefusedError:
    return ConfigRefusedError(
        f"line {line}: a marker of our block is broken, doubled or too new: {found[:80]!a}",
        hint=f"there must be one line {BEGIN[:29]!r} and after it one line {END!r}",
    )
