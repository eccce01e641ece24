"""A user's ssh config taken apart: our block, the entries in it, and what is not ours. Pure.

All entries of ours stand in one block between two marker lines, or the block holds the one Include
line of the file in which they stand. What is outside of it is never parsed further than needed to
find the block's place.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from kubectl_nodeport.errors import UPGRADE, NodeportError
from kubectl_nodeport.ssh.entry import ORIGIN_MARK, HostEntry, is_as_written, parse_comments
from kubectl_nodeport.ssh.reader import (
    ConfigRefusedError,
    check_readable,
    first_section,
    is_section,
    line_number,
    literal_hosts,
    split_lines,
)

BEGIN = "# >>> kubectl-nodeport v1 >>> (made by `kubectl nodeport`; use its commands to change it)"
END = "# <<< kubectl-nodeport <<<"
# Looser than the markers themselves: what was meant as one and is not whole is refused.
_MARKER = re.compile(r"^[ \t]*#[ \t]*(?:>>>|<<<)[ \t]*kubectl-nodeport[^\n]*", re.MULTILINE)
_BEGIN = re.compile(r"# >>> kubectl-nodeport v1 >>>(?: .*)?")
# The number says how the block is taken apart; an entry in it has one of its own (decisions/0015).
_BEGIN_NEWER = re.compile(r"# >>> kubectl-nodeport v(?:[2-9]|[1-9][0-9]+) >>>(?: .*)?")
# Only between our markers is such a line ours.
_INCLUDE = re.compile(
    r'[ \t]*Include[ \t]+"?(?:[^"\n]*/)?kubectl-nodeport/(?:[^"/\n]*\.)?config"?\s*'
)


@dataclass(frozen=True, slots=True)
class Own:
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
class Parts:
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
    own: tuple[Own, ...]
    after: str
    newline: str
    is_last: bool
    include: str | None = None
    foreign_below: str = ""


@functools.lru_cache(maxsize=4)  # several questions are asked of each text, and it may be long
def parse(text: str) -> Parts:
    """Take a config apart.

    :raises ConfigRefusedError: for broken markers, an entry that stands twice, or a text that ssh
        and we could read differently.
    """
    check_readable(text)
    markers = list(_MARKER.finditer(text))
    if not markers:
        return _without_block(text)
    if _BEGIN_NEWER.fullmatch(_words(markers[0])):
        raise ConfigRefusedError(
            f"line {line_number(text, markers[0].start())}: our block was written by a newer "
            "kubectl-nodeport",
            hint=UPGRADE,
        )
    for index, marker in enumerate(markers):
        line = _words(marker)
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
    return Parts(
        before=text[: begin.start()],
        foreign=foreign,
        own=own,
        after=text[end.end() + 1 :],
        newline=newline,
        is_last=end.end() == len(text),
        include=include,
        foreign_below=foreign_below,
    )


def _without_block(text: str) -> Parts:
    """Where the block goes: above the first section and the comments that are attached to it."""
    newline = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    section = first_section(text)
    if section is None:
        is_last = bool(text) and not text.endswith("\n")
        before = text + newline if is_last else text
        return Parts(before, "", (), "", newline, is_last)
    place = section
    while place:
        above = text.rfind("\n", 0, place - 1) + 1
        if not text[above:place].lstrip(" \t").startswith("#"):
            break
        place = above
    return Parts(text[:place], "", (), text[place:], newline, is_last=False)


def _take_include(inside: str) -> tuple[str | None, str]:
    """Our Include line, and the rest."""
    lines = split_lines(inside)
    for index, line in enumerate(lines):
        if _INCLUDE.fullmatch(line):
            return line.strip(), "".join(lines[:index] + lines[index + 1 :])
    return None, inside


def _sort_inside(inside: str, *, first_line: int) -> tuple[str, tuple[Own, ...], str]:
    """Lines of others, our entries, and the lines of others that follow one of them."""
    foreign: list[str] = []
    foreign_below: list[str] = []
    own: list[Own] = []
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


def _sort_section(section: list[str], *, line: int) -> tuple[list[Own], list[str]]:
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
    own = Own(alias, line, lines, entry, is_as_written(comments, words))
    return [own], tail if "".join(tail).strip() else []


def _words(marker: re.Match[str]) -> str:
    return marker.group().strip(" \t\r")


def _is_origin(line: str) -> bool:
    return line.strip().startswith(f"# {ORIGIN_MARK}")


def _is_idle(line: str) -> bool:
    return line.strip()[:1] in ("", "#")


def _bad_marker(line: int, found: str) -> ConfigRefusedError:
    return ConfigRefusedError(
        f"line {line}: a marker of our block is broken or doubled: {found[:80]!a}",
        hint=f"there must be one line {BEGIN[:29]!r} and after it one line {END!r}",
    )
