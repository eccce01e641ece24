"""Trying a config out with the real ssh before it takes its place."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, reader, scratch, shadow, whole_file
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.openssh import Answer, Options, Question, SshRefusedError, answers, trace
from kubectl_nodeport.ssh.whole_file import as_bytes

# A name that no config declares; `.invalid` is never resolved to anything (RFC 6761).
_UNDECLARED = "kubectl-nodeport.invalid"
_SAMPLE = 3
# What getaddrinfo takes for a name (NI_MAXHOST); one argument of a program has its limit, too.
_MAX_NAME_CHARS = 1024
# Of configs that are read to name a line; 10,000 hosts are half a MiB.
_MAX_BYTES = 64 * 1024 * 1024


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

    At most 12 questions to ssh, side by side, and two more to find lines that shall be named: not
    where the entry can take back what was found (:func:`shadow.remedied`).

    :raises NodeportError: when ssh refuses a file, or another host's options would change.
    """
    hosts = _bystanders(trial)
    among = Question(trial.candidate, entry.alias)
    # The system's file counts as well; only a run without -F reads it. What is the default of
    # others depends on whether that of UserKnownHostsFile is changed, as in an entry.
    own_keys = ("UserKnownHostsFile=none",)
    by_default = [Question(None, entry.alias, own_keys)] if trial.default else []
    with scratch.folder() as folder:
        alone = scratch.draft(folder, "config", as_bytes(block.render_block(entry)))
        # The current file first: its own errors are then told with its own name and lines.
        questions = [
            *(Question(trial.current, host) for host in hosts),
            *(Question(trial.candidate, host) for host in hosts),
            Question(alone, entry.alias),
            among,
            *by_default,
        ]
        alone_answer, among_answer, *rest = _own_answers(hosts, answers(questions))
    found = shadow.shadowed(entry, alone_answer, among_answer)
    has_proxy = entry.is_tunnel or entry.cancel_proxy or entry.alias in trial.tunnels
    known = {option.keyword for option in found}
    more = tuple(
        option
        for answer in rest
        for option in shadow.inherited(entry, answer, has_proxy=has_proxy)
        if option.keyword not in known
    )
    if shadow.remedied(entry, (*found, *more)) is not None:
        return found + more
    return _placed(among, found) + tuple(
        option for question in by_default for option in _placed(question, more)
    )


def require_same(trial: Trial) -> None:
    """Other hosts must be served as before, where no entry is to be examined.

    :raises NodeportError: when ssh refuses a file, or another host's options would change.
    """
    hosts = _bystanders(trial)
    found = answers([Question(f, host) for f in (trial.current, trial.candidate) for host in hosts])
    if found and isinstance(found[0], SshRefusedError):
        raise found[0]
    _refuse_changes(hosts, found)


def require(
    found: tuple[shadow.Shadowed, ...], trial: Trial, path: Path, warn: Callable[[str], None]
) -> None:
    """Refuse what decides where ssh goes, warn of the rest.

    :raises NodeportError: naming the option, what ssh would use, and the line that it comes from.
    """
    for option in found:
        what = f"{option.keyword} {option.value or '(unset)'}, from {_where(option, trial, path)}"
        harm = f"; {option.harm}" if option.harm else ""
        if option.is_decisive:
            raise NodeportError(
                f"the Host entry would not take effect: ssh would use {what}{harm}",
                hint="use --include, which keeps our entries in a file that ssh reads first, or "
                "move that line below our entries",
            )
        warn(f"the Host entry is overruled: ssh uses {what}{harm}")


def _placed(question: Question, found: tuple[shadow.Shadowed, ...]) -> tuple[shadow.Shadowed, ...]:
    """With the lines that set the options, found by reading along with ssh."""
    if not found:
        return ()
    from kubectl_nodeport.ssh import winner  # late: most entries have no line to be named

    config = None if question.config is None else str(question.config)
    try:
        lines = winner.settings(trace(question), _Texts().read, config)
    except winner.LostError:
        return found
    keywords = {option.keyword for option in found}
    return tuple(
        dataclasses.replace(option, place=winner.winning(lines, _cause(option.keyword, keywords)))
        for option in found
    )


def _cause(keyword: str, others: set[str]) -> str:
    """The option whose line is to be named: a name that was made canonical stands in none."""
    canonical = "canonicalizehostname"
    return canonical if keyword == "hostname" and canonical in others else keyword


class _Texts:
    """Configs as text, each read once, not more than a bearable amount in all."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._left = _MAX_BYTES

    def read(self, path: str) -> str:
        """
        :raises winner.LostError: it cannot be read whole. What is no file counts as empty.
        """
        from kubectl_nodeport.ssh.winner import LostError

        if path not in self._known:
            try:
                data = whole_file.read_some(Path(path), self._left)
            except OSError as error:
                raise LostError(f"{path}: {error.strerror}") from error
            if data is None:
                raise LostError(f"{path} and what it includes are too large")
            self._left -= len(data)
            self._known[path] = data.decode("utf-8", "surrogateescape")
        return self._known[path]


def _where(option: shadow.Shadowed, trial: Trial, path: Path) -> str:
    if option.place is None:
        return f"somewhere in {path} or a file that it includes"
    is_candidate = option.place.path == str(trial.candidate)
    return f"line {option.place.line} of {path if is_candidate else option.place.path}"


def _bystanders(trial: Trial) -> list[str]:
    """Hosts that must be served as before: an undeclared one, and some of the user's own."""
    if trial.current is None or trial.current == trial.candidate:
        return []
    # Odd names are ssh's own to judge; they are only not passed to it as arguments.
    names = [
        name
        for name in dict.fromkeys(reader.literal_hosts(block.outside(trial.text)))
        if name.isprintable() and not name.startswith("-") and len(name) <= _MAX_NAME_CHARS
    ]
    step = max(len(names) // _SAMPLE, 1)
    return [_UNDECLARED, *itertools.islice(reversed(names), 0, _SAMPLE * step, step)]


def _own_answers(hosts: list[str], found: Sequence[Answer]) -> list[Options]:
    """What follows the answers for other hosts, before and after, which must be the same.

    What ssh refuses for one host alone (a loop of jumps, RefuseConnection) is no matter of ours.
    """
    bystanders, own = found[: 2 * len(hosts)], found[2 * len(hosts) :]
    if refused := [one for one in own if isinstance(one, SshRefusedError)]:
        raise next((one for one in bystanders if isinstance(one, SshRefusedError)), refused[0])
    _refuse_changes(hosts, bystanders)
    return [one for one in own if not isinstance(one, SshRefusedError)]


def _refuse_changes(hosts: list[str], found: Sequence[Answer]) -> None:
    options = [{} if isinstance(one, SshRefusedError) else one for one in found]
    index = shadow.changed(options[: len(hosts)], options[len(hosts) :])
    if index is not None:
        raise NodeportError(
            f"the new config would change what ssh does for {hosts[index]}; nothing was written",
            hint="keep our entries in a file of their own: --ssh-config FILE",
        )
