"""The Include line for a file of our own, and others that name it too. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePath

from kubectl_nodeport.ssh import reader
from kubectl_nodeport.ssh.names import validate_path

_INCLUDE = re.compile(r"[ \t\r\"]*include(?=[ \t\"=])[ \t\"]*=?(?P<words>.*)", re.IGNORECASE)


def line(path: str) -> str:
    """The line that includes this file.

    :param path: absolute, or relative to ``~/.ssh`` as ssh understands it.
    :raises NodeportError: for a path that not every reader of the file can be told.
    """
    if not PurePath(path).is_absolute():
        return f"Include {path}"
    validate_path(path, percent=False)
    # ssh takes the words of an Include for patterns.
    escaped = re.sub(r"[*?\[]", r"\\\g<0>", path)
    return f'Include "{escaped}"'


def names(text: str, file: Collection[str], homes: Collection[str]) -> bool:
    """Whether a line above the first Host or Match includes this very file, in whatever form.

    :param file: the absolute paths by which it is known.
    :param homes: folders that ``~`` may mean; what is relative lies in their ``.ssh``.
    """
    place = reader.first_section(text)
    patterns = [
        pattern
        for word in _words(text if place is None else text[:place])
        for pattern in _absolute(word, homes)
    ]
    return any(_matches(path, pattern) for path in file for pattern in patterns)


def _words(text: str) -> Iterator[str]:
    for each in reader.split_lines(text):
        if match := _INCLUDE.match(each.rstrip("\r\n")):
            for quoted, plain in reader.WORD.findall(match["words"]):
                if plain.startswith("#"):
                    break
                yield quoted or plain


def _absolute(word: str, homes: Collection[str]) -> list[str]:
    if PurePath(word).is_absolute():
        return [word]
    inside = word[2:] if word.startswith("~/") else f".ssh/{word}"
    return [f"{home.rstrip('/')}/{inside}" for home in homes]


def _matches(path: str, pattern: str) -> bool:
    """Whether the file is named or, by glob(7), one of those that the pattern means."""
    here, there = path.split("/"), re.sub(r"/(?:\./|/)*", "/", pattern).split("/")
    return len(here) == len(there) and all(map(_matches_part, here, there))


def _matches_part(name: str, pattern: str) -> bool:
    if name.startswith(".") and pattern[:1] in ("*", "?", "["):
        return False
    regex = ""
    for escaped, group, char in re.findall(r"\\(.)|\[([^]]+)\]|(.)", pattern, re.DOTALL):
        if group:
            inner = re.escape(group.lstrip("!^")).replace(r"\-", "-")
            regex += f"[{'^' if group[0] in '!^' else ''}{inner}]"
        else:
            regex += {"*": ".*", "?": "."}.get(char, re.escape(escaped or char))
    return re.fullmatch(regex, name, re.DOTALL) is not None
