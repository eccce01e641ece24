"""Our own reading of an ssh config, for what ``ssh -G`` does not tell: places and names.

Text is decoded as UTF-8 with surrogateescape, so every byte comes back. Lines end at a line feed
and nowhere else, as in ssh; Python's ``splitlines`` would break them at more characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError

# ssh takes blanks, quotes and an equals sign before the keyword (readconf.c, strdelim).
_LEAD = r"^[ \t\r\"=]*"
_SECTION = re.compile(_LEAD + r"(?:host|match)(?=[ \t\r\n\"=]|\Z)", re.IGNORECASE | re.MULTILINE)
_HOST = re.compile(
    _LEAD + r"host(?=[ \t\r\"=])\"?[ \t\r]*=?(?P<names>[^\n]*)", re.IGNORECASE | re.MULTILINE
)
_BLANK = " \t\r\n"
WORD = re.compile(r'"([^"]*)"|([^\s"]+)')
"""A word of an option's value, one group for those in quotes and one for the others."""
_PATTERN = re.compile(r"[*?!]")
_DELIMITER = re.compile(r'[ \t\r\n"=]')
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
# Other spellings of an option, of 7.6 to 10.5 (readconf.c, keywords).
_ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
    "smartcarddevice": "pkcs11provider",
    "tisauthentication": "kbdinteractiveauthentication",
}


@dataclass(frozen=True, slots=True)
class Option:
    """A line as ssh begins to read it.

    :param line: its number, from 1.
    :param keyword: in lower case, in the spelling of ``ssh -G``.
    :param rest: what follows the keyword and its blanks or ``=``, as written.
    """

    line: int
    keyword: str
    rest: str


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
        for name in WORD.findall(match["names"]):
            word: str = name[0] or name[1]
            if word.startswith("#"):
                break
            if word and not _PATTERN.search(word):
                yield word


def options(text: str) -> Iterator[Option]:
    """Every line that ssh takes for an option, Host, Match and Include among them."""
    for number, line in enumerate(text.split("\n"), 1):
        # A C string ends at a NUL; of a line that is blank but for its first byte, that stays.
        told = line.partition("\0")[0]
        keyword, rest = _first_token(told[:1] + told[1:].rstrip(_BLANK + "\f"))
        if keyword == "" and rest is not None:  # blanks in front of the keyword
            keyword, rest = _first_token(rest)
        if keyword and not keyword.startswith("#"):
            name = keyword.translate(_LOWER)
            yield Option(number, _ALIASES.get(name, name), rest or "")


def _first_token(text: str) -> tuple[str | None, str | None]:
    """What ``strdelim`` (misc.c) cuts off, and what it leaves; all versions do this alike.

    None for the token when a quote has no end; None for the rest when there is none.
    """
    found = _DELIMITER.search(text)
    if found is None:
        return text, None
    place = found.start()
    if found[0] == '"':
        text = text[:place] + text[place + 1 :]
        end = text.find('"', place)
        return (None, None) if end < 0 else (text[:end], text[end + 1 :].lstrip(_BLANK))
    rest = text[place + 1 :].lstrip(_BLANK)
    if found[0] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_BLANK)
    return text[:place], rest
