"""The one place that runs ``ssh`` to ask it something."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError

# A question costs milliseconds; a `Match exec` of the user's runs within it and may go to the net.
_TIMEOUT_S = 20.0
# What -vvv adds to ssh's errors.
_TRACE = re.compile(r"debug[1-3]: |OpenSSH_")


Options = Mapping[str, list[str]]


class SshRefusedError(NodeportError):
    """ssh does not accept a config."""


Answer = Options | SshRefusedError


@dataclass(frozen=True, slots=True)
class Question:
    """What would ssh do for this host?

    :param config: the file to read instead of the user's and the system's, as with ``ssh -F``.
    :param options: words as after ``-o``, which win over the files.
    """

    config: Path | None
    host: str
    options: tuple[str, ...] = ()


def effective(questions: Sequence[Question]) -> list[Options]:
    """The options that ssh would use: ``ssh -G``, values by lower-case keyword, asked side by side.

    Options at their default "none" are left out by ssh. It runs the user's ``Match exec`` lines.

    :raises SshRefusedError: when ssh does not accept a config, with its first line.
    :raises NodeportError: when there is no ssh, or no answer within 20 s.
    """
    found: list[Options] = []
    for answer in answers(questions):
        if isinstance(answer, SshRefusedError):
            raise answer
        found.append(answer)
    return found


def answers(questions: Sequence[Question]) -> list[Answer]:
    """As :func:`effective`, with what ssh refuses as answers too: it may be meant for one host.

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


def agent_keys(agent: str | None) -> str:
    """The public keys of an agent, a line each, "" where it does not answer: ``ssh-add -L``.

    :param agent: path of its socket; None for that of the environment.
    """
    return _public(["ssh-add", "-L"], {"SSH_AUTH_SOCK": agent} if agent else {})


def public_half(private_key: str) -> str:
    """The public key of a private one that has no passphrase, else "": ``ssh-keygen -y``."""
    return _public(["ssh-keygen", "-y", "-P", "", "-f", private_key], {})


def make_key(private_key: Path) -> int:
    """Let ``ssh-keygen`` make an Ed25519 key, which asks for its passphrase; its exit code.

    What it says goes to stderr, as stdout is for results.

    :raises NodeportError: there is no ssh-keygen.
    """
    words = ["ssh-keygen", "-t", "ed25519", "-C", "kubectl-nodeport", "-f", str(private_key)]
    try:
        return subprocess.run(words, stdout=sys.stderr, check=False).returncode
    except OSError as error:
        raise NodeportError(
            f"ssh-keygen cannot be run: {error.strerror}",
            hint="install the OpenSSH client (Debian: apt install openssh-client)",
        ) from error


def _public(command: list[str], more: Mapping[str, str]) -> str:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C", **more},
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def version() -> str:
    """What ssh says of itself, such as ``OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17``.

    :raises NodeportError: there is no ssh, or it does not answer.
    """
    try:
        done = subprocess.run(
            ["ssh", "-V"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise _no_ssh(error) from error
    except subprocess.TimeoutExpired as error:
        raise NodeportError(
            f"ssh -V gave no answer within {_TIMEOUT_S:g} s", hint="which ssh is it? command -v ssh"
        ) from error
    return " ".join((done.stderr or done.stdout).split())


def trace(question: Question) -> str:
    """What ssh says while it reads its files: ``ssh -vvv -G``, the part on stderr.

    :raises NodeportError: as :func:`effective`.
    """
    process = _ask(question, "-vvv")
    try:
        _, err = _finish(question, process, _TIMEOUT_S)
    finally:
        _end(process)
    return err


def _ask(question: Question, *flags: str) -> subprocess.Popen[str]:
    file = [] if question.config is None else ["-F", str(question.config)]
    options = [word for option in question.options for word in ("-o", option)]
    try:
        return subprocess.Popen(
            ["ssh", *file, *options, *flags, "-G", "--", question.host],
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
        raise _no_ssh(error) from error


def _no_ssh(error: OSError) -> NodeportError:
    return NodeportError(
        f"ssh cannot be run: {error.strerror}",
        hint="install the OpenSSH client (Debian: apt install openssh-client)",
    )


def _answer(question: Question, process: subprocess.Popen[str], timeout_s: float) -> Answer:
    try:
        out, _ = _finish(question, process, timeout_s)
    except SshRefusedError as error:
        return error
    options: dict[str, list[str]] = {}
    for line in filter(None, out.split("\n")):
        keyword, _, value = line.partition(" ")
        options.setdefault(keyword, []).append(value)
    return options


def _finish(
    question: Question, process: subprocess.Popen[str], timeout_s: float
) -> tuple[str, str]:
    """Both outputs of an ssh that ends well."""
    try:
        out, err = process.communicate(timeout=max(timeout_s, 0.0))
    except subprocess.TimeoutExpired as error:
        raise NodeportError(
            f"ssh -G {question.host} gave no answer within {_TIMEOUT_S:g} s",
            hint="look for a slow `Match exec` line, or an Include of a pipe, in your ssh config",
        ) from error
    if process.returncode != 0:
        said = [line for line in err.strip().splitlines() if not _TRACE.match(line)]
        lines = said or [f"exit code {process.returncode}"]
        file = [] if question.config is None else ["-F", str(question.config)]
        raise SshRefusedError(
            f"ssh does not accept the config: {lines[0]}",
            hint=f"see `{shlex.join(['ssh', *file, '-G', question.host])}`",
        )
    return out, err


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
