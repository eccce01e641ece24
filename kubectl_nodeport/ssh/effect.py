"""Trying a config out with the real ssh before it takes its place."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, reader, shadow, whole_file
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.openssh import Question, effective
from kubectl_nodeport.ssh.whole_file import as_bytes

# A name that no config declares; `.invalid` is never resolved to anything (RFC 6761).
_UNDECLARED = "kubectl-nodeport.invalid"
_SAMPLE = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """A config to try out.

    :param current: the file as it is now, None when there is none.
    :param text: the text to try.
    :param candidate: a file that holds this text; the current one when nothing changes.
    :param default: whether it is the file that ssh reads without ``-F``, beside the system's.
    :param tunnels: aliases whose entry in the current file has a ProxyCommand of ours.
    """

    current: Path | None
    text: str
    candidate: Path
    default: bool
    tunnels: frozenset[str] = frozenset()


def examine(trial: Trial, entry: HostEntry) -> tuple[shadow.Shadowed, ...]:
    """What keeps the entry from taking effect; other hosts must be served as before.

    At most 12 questions to ssh, side by side.

    :raises NodeportError: when ssh refuses a file, or another host's options would change.
    """
    hosts = _bystanders(trial)
    with whole_file.scratch() as folder:
        alone = whole_file.draft(folder, "config", as_bytes(block.render_block(entry)))
        # The current file first: its own errors are then told with its own name and lines.
        questions = [
            *(Question(trial.current, host) for host in hosts),
            *(Question(trial.candidate, host) for host in hosts),
            Question(alone, entry.alias),
            Question(trial.candidate, entry.alias),
        ]
        has_own = entry.is_tunnel or entry.cancel_proxy or entry.alias in trial.tunnels
        if trial.default and not has_own:
            # The system's file counts as well; only a run without -F reads it.
            questions.append(Question(None, entry.alias))
        answers = effective(questions)
    _refuse_changes(hosts, answers[: 2 * len(hosts)])
    alone_answer, among, *rest = answers[2 * len(hosts) :]
    found = shadow.shadowed(alone_answer, among)
    if rest and shadow.inherits_proxy(rest[0]):
        found = (shadow.Shadowed("proxycommand", "inherited", is_decisive=True), *found)
    return found


def require_same(trial: Trial) -> None:
    """Other hosts must be served as before, where no entry is to be examined.

    :raises NodeportError: when ssh refuses a file, or another host's options would change.
    """
    hosts = _bystanders(trial)
    questions = [
        Question(file, host) for file in (trial.current, trial.candidate) for host in hosts
    ]
    _refuse_changes(hosts, effective(questions))


def require(
    found: tuple[shadow.Shadowed, ...], trial: Trial, path: Path, warn: Callable[[str], None]
) -> None:
    """Refuse what decides where ssh goes, warn of the rest.

    :raises NodeportError: naming the option, what ssh would use, and where that comes from.
    """
    start = block.first_line(trial.text)
    for option in found:
        place = shadow.winning_line(trial.text, option.keyword, start)
        what = f"{option.keyword} {option.value or '(unset)'}, from {place} of {path}"
        if option.is_decisive:
            raise NodeportError(
                f"the Host entry would not take effect: ssh would use {what}",
                hint="move that line below our block or into a Host section, "
                "or keep our entries in a file of their own: --ssh-config FILE",
            )
        warn(f"the Host entry is overruled: ssh uses {what}")


def _bystanders(trial: Trial) -> list[str]:
    """Hosts that must be served as before: an undeclared one, and some of the user's own."""
    if trial.current is None or trial.current == trial.candidate:
        return []
    # Odd names are ssh's own to judge; they are only not passed to it as arguments.
    names = [
        name
        for name in dict.fromkeys(reader.literal_hosts(block.outside(trial.text)))
        if name.isprintable() and not name.startswith("-")
    ]
    step = max(len(names) // _SAMPLE, 1)
    return [_UNDECLARED, *itertools.islice(reversed(names), 0, _SAMPLE * step, step)]


def _refuse_changes(hosts: list[str], answers: list[shadow.Options]) -> None:
    index = shadow.changed(answers[: len(hosts)], answers[len(hosts) :])
    if index is not None:
        raise NodeportError(
            f"the new config would change what ssh does for {hosts[index]}; nothing was written",
            hint="keep our entries in a file of their own: --ssh-config FILE",
        )
