"""Our own reading of an ssh config, for what ``ssh -G`` does not tell: places and names.

Text is decoded as UTF-8 with surrogateescape, so every byte comes back. Lines end at a line feed
and nowhere else, as in ssh; Python's ``splitlines`` would break them at more characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubectl_nodeport.errors import NodeportError

# ssh takes blanks, quotes and an equals sign before the keyword (readconf.c, strdelim).
_LEAD = r"^[ \t\r\"=]*"
_SECTION = re.compile(_LEAD + r"(?:host|match)(?=[ \t\r\n\"=]|\Z)", re.IGNORECASE | re.MULTILINE)
_HOST = re.compile(
    _LEAD + r"host(?=[ \t\r\"=])\"?[ \t\r]*=?(?P<names>[^\n]*)", re.IGNORECASE | re.MULTILINE
)
_KEYWORD = re.compile(r"[ \t\"=]*(?P<keyword>[A-Za-z0-9]+)")


class ConfigRefusedError(NodeportError):
    """A text that is left as it is; the message names a line, its reader adds the file."""


def check_readable(text: str) -> None:
    """Refuse a text that ssh and we could read differently.

    :raises ConfigRefusedError: for a byte order mark or a NUL, with the line's number.
    """
    if text.startswith("\ufeff"):
        raise ConfigRefusedError(
            "line 1 begins with a byte order mark, which ssh refuses",
            hint="save the file as UTF-8 without a byte order mark",
        )
    if (place := text.find("\0")) >= 0:
        raise ConfigRefusedError(
            f"line {line_number(text, place)} holds a NUL byte",
            hint="save the file as plain text in UTF-8",
        )


def line_number(text: str, offset: int) -> int:
    """The number, from 1, of the line that this offset lies in."""
    return text.count("\n", 0, offset) + 1


def split_lines(text: str) -> list[str]:
    """The lines with their ends; joined they are the text again."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def first_section(text: str) -> int | None:
    """Offset of the first Host or Match line."""
    match = _SECTION.search(text)
    return None if match is None else match.start()


def is_section(line: str) -> bool:
    """Whether the line opens a Host or Match section."""
    return _SECTION.match(line) is not None


def literal_hosts(text: str) -> Iterator[str]:
    """The names on Host lines that are no patterns, in the order of the text."""
    for match in _HOST.finditer(text):
        for name in re.findall(r'"([^"]*)"|([^\s"]+)', match["names"]):
            word: str = name[0] or name[1]
            if word.startswith("#"):
                break
            if word and not re.search(r"[*?!]", word):
                yield word


def keywords(text: str) -> Iterator[tuple[int, str]]:
    """Number, from 1, and keyword, in lower case, of every option line."""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _KEYWORD.match(line):
            yield number, match["keyword"].lower()
