"""Does something in a process of its own that a test can end, starve or demote.

It is forked, so that nothing is left to load in it: every system call that is seen belongs to what
is done, and a thousand runs take a minute. What another user may not read is loaded before, too.
"""

from __future__ import annotations

import ctypes
import difflib  # noqa: F401 - loaded late by the code under test, when uid may have changed
import os
import re
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import filelock  # noqa: F401
import pytest
import sshconf  # noqa: F401

import kubectl_nodeport.ssh.writing  # noqa: F401
from kubectl_nodeport.errors import NodeportError
from tests.posix import IS_ROOT

NOBODY = 65534
# What changes files: whoever is killed elsewhere might as well be killed at the next of these.
CHANGES = "write,fsync,rename,unlink,rmdir,fchmod,fchown,mkdir,flock,ftruncate"
_PR_SET_PTRACER, _ANYONE = 0x59616D61, -1

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to become someone else")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")


@dataclass(frozen=True)
class Outcome:
    """``code`` as a shell tells it: 128 and the signal's number for what a signal ended."""

    code: int
    text: str


def forked(
    action: Callable[[], object],
    *,
    uid: int | None = None,
    scratch: Path | None = None,
    strace: tuple[str, ...] = (),
) -> Outcome:
    """What the action gives, as text; ``error: …`` and 1 for an expected failure.

    :param uid: who does it.
    :param scratch: its folder for temporary files.
    :param strace: options of the strace that watches it.
    """
    running = Running(action, uid, scratch)
    watcher = _attach(running.pid, strace) if strace else None
    running.go()
    done = running.end()
    if watcher is not None:
        watcher.communicate(timeout=20)
    return done


def at_once(actions: Iterable[Callable[[], object]]) -> list[Outcome]:
    """As :func:`forked`, all at the same time."""
    everyone = [Running(action) for action in actions]
    for running in everyone:
        running.go()
    return [running.end() for running in everyone]


class Running:
    """A process that waits for its start."""

    def __init__(
        self, action: Callable[[], object], uid: int | None = None, scratch: Path | None = None
    ) -> None:
        go, self._go = os.pipe()
        self._result, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # Whatever strikes it, the child must not go on as a second test run.
            try:
                _do(action, go, told, uid, scratch)
            finally:
                os._exit(3)
        os.close(go)
        os.close(told)

    def go(self) -> None:
        os.write(self._go, b"x")
        os.close(self._go)

    def end(self) -> Outcome:
        with os.fdopen(self._result, "rb") as pipe:
            text = pipe.read().decode()
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Outcome(code if code >= 0 else 128 - code, text)


def calls_of(
    action: Callable[[], object], log: Path, calls: str, within: Path | None = None
) -> list[tuple[str, int]]:
    """Every one of these calls in a whole run, with its number among its like.

    :param within: only those on what lies in this folder.
    """
    watch = ("-y", "-o", str(log), "-e", f"trace={calls}")
    done = forked(action, scratch=log.parent, strace=watch)
    assert done.code == 0, done
    seen: Counter[str] = Counter()
    found = []
    # The last one tells the outcome to the test.
    for line in log.read_text().splitlines()[:-1]:
        if match := re.match(r"(\w+)\(", line):
            seen[match[1]] += 1
            if within is None or f"{within}/" in line:
                found.append((match[1], seen[match[1]]))
    return found


def _do(
    action: Callable[[], object], go: int, told: int, uid: int | None, scratch: Path | None
) -> None:
    code, text = 2, ""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYONE, 0, 0, 0)
        # Finding one would write there, now and then within what is watched.
        tempfile.tempdir = tempfile.gettempdir() if scratch is None else str(scratch)
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        os.read(go, 1)
        code, text = 0, str(action())
    except NodeportError as error:
        code, text = 1, f"error: {error.message}\nhint: {error.hint}\n{error.detail}"
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        text = traceback.format_exc()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.write(told, text.encode("utf-8", "replace")[:60_000])
        os._exit(code)


def _attach(pid: int, options: tuple[str, ...]) -> subprocess.Popen[str]:
    watcher = subprocess.Popen(
        ["strace", "-p", str(pid), *options], stderr=subprocess.PIPE, text=True
    )
    assert watcher.stderr is not None
    line = watcher.stderr.readline()
    if "attached" not in line:
        watcher.kill()
        watcher.communicate()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        pytest.skip(f"this machine forbids strace: {line}")
    return watcher
