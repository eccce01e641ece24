"""Which line of which file sets an option: the config read along with what ssh says of it. Pure.

Whether a ``Match`` section applies can only ssh itself know (``exec``, ``localnetwork``, a name
made canonical, the file read a second time). ``ssh -vvv`` tells it in passing, and which files an
``Include`` means; from 7.6 to 10.5 in the same words (readconf.c). The lines in between are ours to
read: ssh takes the first value of an option, and adds up those that may stand several times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kubectl_nodeport.ssh import reader

# ssh gives up at 16 files within each other; what it may read one after the other has no limit.
_MAX_READS = 10_000
# It writes 200 bytes of a file's name in front of a line's number.
_NAME_BYTES = 200
# A value of these that leaves the option unset (readconf.c, parse_time).
_NOT_SET = {"connecttimeout": "none", "serveraliveinterval": "none"}
# Before it reads its files again, ssh fills these in itself (ssh.c, main).
_SET_IN_BETWEEN = frozenset(
    [
        "hostname",
        "canonicalizehostname",
        "canonicalizemaxdots",
        "canonicalizefallbacklocal",
    ]
)

_SAID = re.compile(
    r"debug1: Reading configuration data (?P<read>.*)$"
    r"|debug1: (?P<host_file>.*) line (?P<host_line>\d+): Applying options for "
    r"|debug2: match (?P<match>found|not found)$"
    r"|debug3: (?P<file>.*) line (?P<line>\d+): Including file (?P<included>.*) depth \d+"
    r"(?P<parse_only> \(parse only\))?$"
)
_OCTAL = re.compile(rb"\\(\\|[0-7]{3})")


@dataclass(frozen=True, slots=True)
class Place:
    """A line, numbered from 1, of a file as ssh names it."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Setting:
    """An option's line that counts for the host, with what follows its keyword."""

    place: Place
    keyword: str
    rest: str


class LostError(Exception):
    """What ssh said does not fit the files: they changed meanwhile, or it speaks otherwise."""


@dataclass(frozen=True, slots=True)
class _Reading:
    path: str


@dataclass(frozen=True, slots=True)
class _Applying:
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class _Matching:
    is_found: bool


@dataclass(frozen=True, slots=True)
class _Including:
    path: str
    line: int
    included: str
    is_parse_only: bool


_Event = _Reading | _Applying | _Matching | _Including
_E = TypeVar("_E", bound=_Event)


def settings(said: str, read: Callable[[str], str], config: str | None) -> tuple[Setting, ...]:
    """The lines that ssh took options from, in the order in which it read them.

    A config that is read twice (``Match final``, CanonicalizeHostname) comes twice.

    :param said: stderr of ``ssh -vvv -G``.
    :param read: gives the text of a file.
    :param config: the file after ``-F``, None where ssh chose its own.
    :raises LostError: the two do not fit, or a file cannot be read.
    """
    walk = _Walk(list(_events(said)), read)
    found: list[Setting] = []
    starts: set[str] = set()
    while (start := walk.take(_Reading)) is not None:
        is_config = config is not None and _cut(config) == start.path
        lines = walk.file(config or "" if is_config else start.path, is_active=True)
        is_again = start.path in starts
        found.extend(one for one in lines if not (is_again and one.keyword in _SET_IN_BETWEEN))
        starts.add(start.path)
    walk.end()
    return tuple(found)


def winning(found: Sequence[Setting], keyword: str) -> Place | None:
    """The line that decides an option; of one that adds up, the first."""
    for setting in found:
        if setting.keyword == keyword and not _leaves_unset(setting):
            return setting.place
    return None


def _leaves_unset(setting: Setting) -> bool:
    word = setting.rest.partition("#")[0].strip(" \t\r\n\f\"'=")
    return _NOT_SET.get(setting.keyword) == word


class _Walk:
    """The files and what was said of them, side by side."""

    def __init__(self, events: list[_Event], read: Callable[[str], str]) -> None:
        self._events = events
        self._next = 0
        self._read = read
        self._reads = 0

    def take(self, kind: type[_E], *, path: str = "", line: int = 0) -> _E | None:
        """The next event, if it is of this kind and (where given) of this line."""
        event = self._events[self._next] if self._next < len(self._events) else None
        if not isinstance(event, kind):
            return None
        if isinstance(event, _Applying | _Including) and (event.path, event.line) != (path, line):
            return None
        self._next += 1
        return event

    def end(self) -> None:
        if self._next < len(self._events):
            raise LostError(f"ssh said {self._events[self._next]}, unlike the files")

    def file(self, path: str, *, is_active: bool) -> Iterator[Setting]:
        """
        :param is_active: whether the Include that led here counts; where not, no line in it does.
        """
        self._reads += 1
        if self._reads > _MAX_READS:
            raise LostError(f"more than {_MAX_READS} files are read")
        name = _cut(path)
        is_section_active = is_active
        for option in reader.options(self._read(path)):
            if option.keyword == "host":
                applying = self.take(_Applying, path=name, line=option.line)
                is_section_active = applying is not None
            elif option.keyword == "match":
                matching = self.take(_Matching)
                if matching is None:
                    raise LostError(f"ssh said nothing of {path}, line {option.line}")
                is_section_active = is_active and matching.is_found
            elif option.keyword == "include":
                yield from self._included(name, option.line)
            elif is_section_active:
                yield Setting(Place(path, option.line), option.keyword, option.rest)

    def _included(self, name: str, line: int) -> Iterator[Setting]:
        while (including := self.take(_Including, path=name, line=line)) is not None:
            # A file that went away between glob and open is passed over.
            if self.take(_Reading) is not None:
                yield from self.file(including.included, is_active=not including.is_parse_only)


def _events(said: str) -> Iterator[_Event]:
    for line in said.split("\n"):
        # Not at the line's start: a `Match exec` may leave an unfinished line of its own there.
        found = _SAID.search(line.rstrip("\r"))
        if found is None:
            continue
        if found["read"] is not None:
            yield _Reading(_plain(found["read"]))
        elif found["host_file"] is not None:
            yield _Applying(_plain(found["host_file"]), int(found["host_line"]))
        elif found["match"] is not None:
            yield _Matching(found["match"] == "found")
        else:
            yield _Including(
                _plain(found["file"]),
                int(found["line"]),
                _plain(found["included"]),
                found["parse_only"] is not None,
            )


def _plain(shown: str) -> str:
    """A name as it was before ssh made it printable (log.c, strnvis with VIS_OCTAL)."""
    data = _OCTAL.sub(
        lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1], 8) & 0xFF]),
        shown.encode("utf-8", "surrogateescape"),
    )
    return data.decode("utf-8", "surrogateescape")


def _cut(path: str) -> str:
    data = path.encode("utf-8", "surrogateescape")
    return data[:_NAME_BYTES].decode("utf-8", "surrogateescape")
