"""The end of a verb in another program, which takes this one's place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from kubectl_nodeport.errors import NodeportError

# What Python ignores from its start on; a program would inherit that.
_IGNORED = ("SIGPIPE", "SIGXFSZ")


def become(words: Sequence[str], *, hint: str) -> int:
    """Run a program in the place of this one: its streams, its terminal, its signals, its end.

    :param words: its name or path, and its arguments.
    :param hint: what to do where there is no such program.
    :returns: its exit code, on Windows, where no program can take another's place.
    :raises NodeportError: it is not on PATH, or cannot be started.
    """
    program = shutil.which(words[0])
    if program is None:
        raise NodeportError(f"{words[0]} is not on PATH", hint=hint)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        return _replaced(program, words) if os.name == "posix" else as_child([program, *words[1:]])
    except OSError as err:
        raise NodeportError(f"{program} cannot be started: {err.strerror}", hint=hint) from err


def _replaced(program: str, words: Sequence[str]) -> NoReturn:
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in _IGNORED}
    try:
        os.execv(program, list(words))  # noqa: S606 - no shell is wanted
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def as_child(words: Sequence[str]) -> int:
    """Run a program to its end, and return its exit code.

    Ctrl-C goes to every program of the console; what it means that one decides.
    """
    # Not caught as an exception: one that comes as the child ends would lose its exit code.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        return subprocess.run(words, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
