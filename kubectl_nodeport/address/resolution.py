"""What a probe is asked and what it finds: values only, for commands that touch no socket."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.ssh.known_hosts import HostKey


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to look for the address.

    :param timeout_s: the whole of it, late forwarders and kube-proxy's first sync included.
    :param forwarder_s: how long addresses that show nothing are still waited for once 127.0.0.1 is
        known to be held by a server that is not the pod. 15 s is the slowest forwarder known (Lima
        asks for Services every 10 s and opens ports every 3 s).
    """

    timeout_s: float = 60.0
    forwarder_s: float = 15.0


class Verdict(enum.Enum):
    """How one address answered; a closed set."""

    POD = "answered"
    OTHER_KEY = "other-host-key"
    KEY_EXCHANGE_FAILED = "key-exchange-failed"
    TURNED_AWAY = "turned-away"
    NOT_SSH = "not-ssh"
    SILENT = "silent"
    CLOSED = "closed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    NAME_NOT_FOUND = "name-not-found"
    NOT_TRIED = "not-tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try at one address.

    :param verdict: what kind of answer it was.
    :param text: the same for people, safe to print.
    :param fingerprint: of the host key that was seen, if it came to that.
    """

    verdict: Verdict
    text: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """All tries at one candidate.

    :param outcome: the most telling one: the last, save that a lost packet does not hide an answer.
    """

    candidate: Candidate
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """The address at which the pod's ssh server answers.

    :param key: the one of the pod's host keys that the server proved to own in a key exchange.
    """

    candidate: Candidate
    port: int
    key: HostKey


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a search: an answer or none, and what every candidate had to say, in order."""

    answer: Answer | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """News of a candidate.

    :param outcome: None when its first try begins, else how it answered.
    :param elapsed_s: from the start of the search.
    """

    candidate: Candidate
    outcome: Outcome | None
    elapsed_s: float


OnProgress = Callable[[Progress], None]
