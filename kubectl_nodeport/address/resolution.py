"""What a probe is asked and what it finds: values only, for commands that touch no socket."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.ssh.known_hosts import HostKey


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to look for the address.

    :param timeout_s: the whole of it, late forwarders and kube-proxy's first sync included.
    :param more_s: when more candidates are asked for, if none has answered yet. kube-proxy opens a
        new port within two seconds.
    :param forwarder_s: how long addresses that show nothing are still waited for once 127.0.0.1 is
        known to be held by a server that is not the pod. 15 s is the slowest forwarder known (Lima
        asks for Services every 10 s and opens ports every 3 s).
    """

    timeout_s: float = 60.0
    more_s: float = 3.0
    forwarder_s: float = 15.0


class Verdict(enum.Enum):
    """How one address answered; a closed set."""

    ANSWERED = "answered"
    OTHER_KEY = "other-host-key"
    OTHER_POD = "other-pod"
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
    :param took_s: from the first try to that outcome; 0.0 where there was none.
    :param was_connected: whether any try was accepted there.
    """

    candidate: Candidate
    outcome: Outcome
    took_s: float = 0.0
    was_connected: bool = False


class Proof(enum.Enum):
    """What shows that the answer came from the pod; a closed set."""

    CONNECTION = "connection"
    """A connection to the address was seen arriving in the pod."""
    HOST_KEY = "host-key"
    """A host key whose file was written in this very container, which was not seen connected."""
    SHARED_KEY = "shared-key"
    """A host key that other pods of the same image may have too: no proof which of them it is."""
    UNVOUCHED_KEY = "unvouched-key"
    """An ssh server, of whose host key nobody says whether it is the pod's."""
    ACCEPTED = "accepted"
    """Something accepts connections: no proof of who it is."""


class Witness(Protocol):
    """Sees inside the pod who is connected to its port."""

    @property
    def can_see(self) -> bool:
        """Whether it sees connections at all."""

    @property
    def peers_before(self) -> frozenset[str] | None:
        """Who was connected a moment before the search began; None if that is long ago by now."""

    def is_own(self, key: HostKey) -> bool:
        """Whether this host key was made, or put, into the container after its start."""

    def peers(self) -> frozenset[str]:
        """Who is connected now.

        :raises NodeportError: the pod does not say.
        """


def no_more() -> Sequence[Candidate]:
    """Where there are no more candidates."""
    return ()


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for, and where.

    :param candidates: the most promising first.
    :param port: the NodePort.
    :param known: the pod's host keys; at least one, or no answer is right.
    :param takes_any: whether the answer of any ssh server is right, since no key is known.
    :param witness: is asked whether a connection arrives, where the host key may be another pod's
        too; an address where it does not is passed over.
    :param more: is asked for further candidates, once, when none of these has answered for a while.
    """

    candidates: tuple[Candidate, ...]
    port: int
    known: frozenset[HostKey]
    witness: Witness | None = None
    more: Callable[[], Sequence[Candidate]] = no_more
    takes_any: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The address at which the pod answers.

    :param key: the host key that the server proved to own in a key exchange, one of those that are
        known where there are any; None where it was not asked for one.
    :param at: the IP literal that answered; of a candidate that is a name, one of its addresses.
    """

    candidate: Candidate
    port: int
    key: HostKey | None
    proof: Proof = Proof.SHARED_KEY
    at: str = ""


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
