"""Whether anything accepts connections at a node port, where it need not be an ssh server.

A connection that is accepted does not prove who accepted it: only a witness in the pod does. A
forwarder accepts before it has reached anything, and hangs up if it cannot: what is closed at once,
without a word, was no answer.
"""

from __future__ import annotations

import math
import queue
import selectors
import socket
import threading
import time
from collections.abc import Sequence

from kubectl_nodeport.address.arrival import arrives
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.dial import (
    DialError,
    Stop,
    StoppedError,
    connect,
    look_up,
    printable,
)
from kubectl_nodeport.address.resolution import (
    Answer,
    Attempt,
    Outcome,
    Proof,
    Resolution,
    Sought,
    Verdict,
)

_AT_ONCE = 4
# Between the starts: the first is the most promising, and the last seldom needed.
_STAGGER_S = 0.25
# kube-proxy opens a new port within moments, and until then refuses. An ssh server behind it takes
# offence at many connections that say nothing, so the pause grows.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
# A forwarder on this machine finds within that time that the node refuses it.
_HANGS_UP_S = 0.2
_MORE_S = 3.0
_GREETING_BYTES = 255


def knock(sought: Sought, timeout_s: float) -> Resolution:
    """The candidate that is the first to accept a TCP connection, and how each one fared.

    The witness, where there is one that sees, says whether the connection arrives in the pod; a
    candidate where it does not is passed over.

    :param timeout_s: for all of them together; a refusal is asked again until then.
    :raises NodeportError: the witness is not heard any more.
    """
    knocking = _Knocking(sought.port, timeout_s)
    try:
        knocking.begin(sought.candidates)
        found = knocking.next_answer(_MORE_S if sought.candidates else 0.0)
        if found is None and knocking.has_time:
            knocking.begin(sought.more())
            found = knocking.next_answer()
        while found is not None:
            if answer := _proven(found, sought):
                return Resolution(answer, knocking.attempts())
            knocking.turn_down(found)
            found = knocking.next_answer()
        return Resolution(None, knocking.attempts())
    finally:
        knocking.stop.set()


def _proven(candidate: Candidate, sought: Sought) -> Answer | None:
    """What the candidate's answer proves; None where it is not the pod that answers."""
    answer = Answer(candidate, sought.port, None, Proof.ACCEPTED)
    if sought.witness is None or not sought.witness.can_see:
        return answer
    if not arrives(candidate.address, sought.port, sought.witness):
        return None
    return Answer(candidate, sought.port, None, Proof.CONNECTION)


class _Knocking:
    """Threads that ask the candidates, and what they have heard."""

    def __init__(self, port: int, timeout_s: float) -> None:
        self.stop = Stop()
        self._port = port
        self._ends_s = time.monotonic() + timeout_s
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._answers: queue.SimpleQueue[Candidate] = queue.SimpleQueue()
        self._heard: dict[str, Attempt] = {}
        self._down = 0

    @property
    def has_time(self) -> bool:
        """Whether an answer may still come in time."""
        return time.monotonic() < self._ends_s

    def begin(self, candidates: Sequence[Candidate]) -> None:
        """Ask those that are not asked yet, one a little after the other."""
        fresh = {c.address: c for c in reversed(candidates) if c.address not in self._heard}
        outcome = Outcome(Verdict.NOT_TRIED, "not tried, the search was over before its turn")
        for at, candidate in enumerate(reversed(fresh.values())):
            self._heard[candidate.address] = Attempt(candidate, outcome)
            work = threading.Thread(target=self._ask, args=(candidate, at * _STAGGER_S))
            work.daemon = True
            work.start()

    def next_answer(self, patience_s: float = math.inf) -> Candidate | None:
        """The next one that accepts; None when there is none in that time, or in time at all."""
        if self._down == len(self._heard):
            return None
        left_s = max(0.0, self._ends_s - time.monotonic())
        try:
            return self._answers.get(timeout=min(left_s, patience_s))
        except queue.Empty:
            return None

    def turn_down(self, candidate: Candidate) -> None:
        """Note that it is not the pod that answers there."""
        self._down += 1
        text = "accepts connections, but none arrives in the pod"
        self._note(candidate, Outcome(Verdict.OTHER_POD, text))

    def attempts(self) -> tuple[Attempt, ...]:
        """How each one fared, in their order."""
        return tuple(self._heard.values())

    def _ask(self, candidate: Candidate, begins_s: float) -> None:
        pause_s, following_s = begins_s, _FIRST_PAUSE_S
        began = time.monotonic() + begins_s
        while not self.stop.wait([], 0, pause_s) and time.monotonic() < self._ends_s:
            with self._turns:
                try:
                    outcome = _asked(candidate, self._port, self.stop)
                except StoppedError:
                    return
            self._note(candidate, outcome, time.monotonic() - began)
            if outcome.verdict is Verdict.ANSWERED:
                self._answers.put(candidate)
                return
            pause_s, following_s = following_s, min(2 * following_s, _LAST_PAUSE_S)

    def _note(self, candidate: Candidate, outcome: Outcome, took_s: float | None = None) -> None:
        before = self._heard[candidate.address].took_s
        took_s = before if took_s is None else took_s
        self._heard[candidate.address] = Attempt(candidate, outcome, took_s)


def _asked(candidate: Candidate, port: int, stop: Stop) -> Outcome:
    """One connection.

    :raises StoppedError: nobody asks for the answer any more.
    """
    try:
        with connect(look_up(candidate.address, port)[0], None, stop) as sock:
            stop.wait([sock], selectors.EVENT_READ, _HANGS_UP_S)
            greeting = _greeting(sock)
    except DialError as failure:
        return Outcome(failure.verdict, failure.text)
    if greeting is None:
        return Outcome(Verdict.CLOSED, "the connection was accepted and closed without a word")
    says = f", says: {printable(greeting.splitlines()[0])}" if greeting.strip() else ""
    return Outcome(Verdict.ANSWERED, f"accepts connections{says}")


def _greeting(sock: socket.socket) -> bytes | None:
    """The first bytes that have come; None where the connection was closed."""
    try:
        return sock.recv(_GREETING_BYTES, socket.MSG_PEEK) or None
    except BlockingIOError:  # open, and silent
        return b""
    except OSError:
        return None
