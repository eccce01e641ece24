"""A terminal on the laptop whose screen is kept, as it was at each moment that it changed."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyte

from tests.cluster.laptop import Laptop, end
from tests.cluster.process import ClusterError

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
COLUMNS = 100
PROMPT = "$ "
_LINES = 40
_TIMEOUT_S = 60.0
_WORD_S, _READ_S, _READ_LINE_S = 0.15, 0.8, 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one look, beginning in a column; ``colour`` is a name, "" for the usual one."""

    column: int
    text: str
    colour: str = ""
    bold: bool = False


Row = tuple[Run, ...]
Screen = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen showed from a moment on, in seconds from the beginning."""

    at_s: float
    screen: Screen


class Recorder:
    """Types at a prompt and keeps what is seen.

    Commands take the time that they take. What is typed comes word by word, and after each command
    there is a while to read.
    """

    def __init__(self, laptop: Laptop) -> None:
        self._laptop = laptop
        self._screen = pyte.Screen(COLUMNS, _LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._now_s = 0.0
        self.frames: list[Frame] = []

    def type(self, line: str, *answers: tuple[str, str]) -> str:
        """Type a command line and see it run to its end; what was shown, line by line.

        :param answers: what is typed once the command has shown something, as (shown, typed).
        :raises ClusterError: it fails, or does not come to its end.
        """
        self._feed(f"\x1b[32m{PROMPT}\x1b[0m".encode())
        for word in line.split(" "):
            self._feed(f"\x1b[1m{word}\x1b[0m ".encode(), after_s=_WORD_S)
        self._feed(b"\r\n", after_s=_WORD_S)
        got = self._run(["bash", "-c", f"exec {line}"], answers)
        self._now_s += _READ_S + _READ_LINE_S * got.count("\n")
        return got

    def _run(self, argv: Sequence[str], answers: Sequence[tuple[str, str]]) -> str:
        ours, theirs = os.openpty()
        _resize(theirs)
        variables = {"TERM": "xterm-256color"}
        try:
            process = self._laptop.popen(
                argv, env=variables, stdin=theirs, stdout=theirs, stderr=theirs
            )
        finally:
            os.close(theirs)
        try:
            shown = b"".join(self._followed(ours, list(answers)))
            code = process.wait(timeout=_TIMEOUT_S)
        finally:
            os.close(ours)
            end(process)
        if code:
            raise ClusterError(f"{argv}: exit {code}: {shown.decode(errors='replace')}")
        return _ESCAPES.sub("", shown.decode())

    def _followed(self, terminal: int, answers: list[tuple[str, str]]) -> Iterator[bytes]:
        """What comes, as it comes; each answer is given once its question is seen."""
        shown, last_s, began_s = b"", time.monotonic(), time.monotonic()
        while True:
            if time.monotonic() - began_s > _TIMEOUT_S:
                raise ClusterError(f"no end: {shown.decode(errors='replace')}")
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                data = os.read(terminal, 65536)
            except OSError:  # EIO: nobody has it open any more
                return
            now_s = time.monotonic()
            self._feed(data, after_s=now_s - last_s)
            last_s, shown = now_s, shown + data
            yield data
            if answers and answers[0][0].encode() in shown:
                typed, shown = answers.pop(0)[1], b""
                self._now_s += _READ_S
                os.write(terminal, f"{typed}\n".encode())

    def _feed(self, data: bytes, after_s: float = 0) -> None:
        self._now_s += after_s
        self._stream.feed(data)
        screen = tuple(_row(self._screen, line) for line in range(_LINES))
        if not self.frames or self.frames[-1].screen != screen:
            self.frames.append(Frame(self._now_s, screen))


def _resize(terminal: int) -> None:
    subprocess.run(
        ["stty", "rows", str(_LINES), "columns", str(COLUMNS)], stdin=terminal, check=True
    )


def _row(screen: pyte.Screen, line: int) -> Row:
    runs: list[Run] = []
    cells = screen.buffer[line]
    for column in range(COLUMNS):
        cell = cells[column]
        look = ("" if cell.fg == "default" else cell.fg, cell.bold)
        if runs and (runs[-1].colour, runs[-1].bold) == look:
            before = runs[-1]
            runs[-1] = Run(before.column, before.text + cell.data, *look)
        else:
            runs.append(Run(column, cell.data, *look))
    kept = (Run(run.column, run.text.rstrip(), run.colour, run.bold) for run in runs)
    return tuple(run for run in kept if run.text)
