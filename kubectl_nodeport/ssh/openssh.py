"""The one place that runs ``ssh`` to ask it something."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError

# A question costs milliseconds; a `Match exec` of the user's runs within it and may go to the net.
_TIMEOUT_S = 20.0


class SshRefusedError(NodeportError):
    """ssh does not accept a config."""


@dataclass(frozen=True, slots=True)
class Question:
    """What would ssh do for this host?

    :param config: the file to read instead of the user's and the system's, as with ``ssh -F``.
    """

    config: Path | None
    host: str


def effective(questions: Sequence[Question]) -> list[Mapping[str, list[str]]]:
    """The options that ssh would use: ``ssh -G``, values by lower-case keyword, asked side by side.

    Options at their default "none" are left out by ssh. It runs the user's ``Match exec`` lines.

    :raises SshRefusedError: when ssh does not accept a config, with its first line.
    :raises NodeportError: when there is no ssh, or no answer within 20 s.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    running: list[subprocess.Popen[str]] = []
    try:
        for question in questions:
            running.append(_ask(question))
        return [
            _answer(question, process, deadline - time.monotonic())
            for question, process in zip(questions, running, strict=True)
        ]
    finally:
        for process in running:
            _end(process)


def _ask(question: Question) -> subprocess.Popen[str]:
    file = [] if question.config is None else ["-F", str(question.config)]
    try:
        return subprocess.Popen(
            ["ssh", *file, "-G", "--", question.host],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            env={**os.environ, "LC_ALL": "C"},
            # So that what a `Match exec` started can be ended with it.
            start_new_session=True,
        )
    except OSError as error:
        raise NodeportError(
            f"ssh cannot be run: {error.strerror}",
            hint="install the OpenSSH client (Debian: apt install openssh-client)",
        ) from error


def _answer(
    question: Question, process: subprocess.Popen[str], timeout_s: float
) -> Mapping[str, list[str]]:
    try:
        out, err = process.communicate(timeout=max(timeout_s, 0.0))
    except subprocess.TimeoutExpired as error:
        raise NodeportError(
            f"ssh -G {question.host} gave no answer within {_TIMEOUT_S:g} s",
            hint="look for a slow `Match exec` line in your ssh config",
        ) from error
    if process.returncode != 0:
        lines = err.strip().splitlines() or [f"exit code {process.returncode}"]
        file = [] if question.config is None else ["-F", str(question.config)]
        raise SshRefusedError(
            f"ssh does not accept the config: {lines[0]}",
            hint=f"see `{shlex.join(['ssh', *file, '-G', question.host])}`",
        )
    options: dict[str, list[str]] = {}
    for line in out.splitlines():
        keyword, _, value = line.partition(" ")
        options.setdefault(keyword, []).append(value)
    return options


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    # Leaving its `with` closes the pipes and reaps it.
    with process:
        pass
