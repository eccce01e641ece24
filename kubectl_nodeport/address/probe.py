"""Find the candidate at which the pod answers, and prove it: by host key, and seen in the pod."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Iterable
from dataclasses import replace

from kubectl_nodeport.address import dial
from kubectl_nodeport.address.arrival import Arrival, arrives
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.handshake import exchange_keys
from kubectl_nodeport.address.pace import Course
from kubectl_nodeport.address.resolution import (
    Answer,
    Attempt,
    Budget,
    OnProgress,
    Outcome,
    Progress,
    Proof,
    Resolution,
    Sought,
    Verdict,
)
from kubectl_nodeport.address.search import Ask, Search, Shown
from kubectl_nodeport.errors import NodeportError

_BANNER_S = 1.5
_MAX_BANNER_S = 6.0


def host_key(sock: socket.socket, course: Course, sought: Sought, stop: dial.Stop) -> Shown:
    """Ask for the ssh server's host key.

    :raises DialError: no ssh server, or no key exchange came about.
    :raises StoppedError: the search is over.
    """
    patience_s = min(_BANNER_S * 2**course.silences, _MAX_BANNER_S)
    dial.await_banner(sock, patience_s, stop)
    key = exchange_keys(sock, sought.known, stop)
    is_known = key in sought.known or sought.takes_any
    text = "answered, host key" if is_known else "another ssh server, its host key is"
    return Shown(key, f"{text} {key.fingerprint}")


def resolve(
    sought: Sought, budget: Budget, progress: OnProgress, ask: Ask = host_key
) -> Resolution:
    """Try the candidates until one proves to be the pod, the budget is spent, or no hope is left.

    :param progress: called from this thread, for a candidate's first try and whenever it answers in
        another way than before.
    :param ask: who is asked what; host keys mean an ssh server.
    :returns: never more than one answer; what the network does is no exception.
    """
    ends_s = time.monotonic() + budget.timeout_s
    attempts: dict[Candidate, Attempt] = {}
    turned_down: set[Candidate] = set()
    further = functools.cache(lambda: tuple(sought.more()))

    def more() -> list[Candidate]:
        return [candidate for candidate in further() if candidate not in turned_down]

    left = sought.candidates
    while True:
        found = _searched(replace(sought, candidates=left, more=more), budget, progress, ask)
        attempts |= {attempt.candidate: attempt for attempt in found.attempts}
        answer = found.answer and _proven(found.answer, sought, attempts.values())
        if answer or not found.answer:
            return Resolution(answer, tuple(attempts.values()))
        there = found.answer.candidate
        outcome = _other_pod(found.answer, sought)
        attempts[there] = replace(attempts[there], outcome=outcome)
        progress(Progress(there, outcome, budget.timeout_s - (ends_s - time.monotonic())))
        turned_down.add(there)
        left = tuple(c for c in attempts if c not in turned_down)
        budget = replace(budget, timeout_s=max(0.0, ends_s - time.monotonic()))


def _searched(sought: Sought, budget: Budget, progress: OnProgress, ask: Ask) -> Resolution:
    search = Search(sought, budget, progress, ask)
    try:
        search.run()
    finally:
        search.close()
    return search.result()


def _other_pod(answer: Answer, sought: Sought) -> Outcome:
    if answer.key is None:
        return Outcome(Verdict.OTHER_POD, "accepts connections, but none arrives in the pod")
    whose = "" if sought.takes_any else " with the pod's host key"
    text = f"an ssh server{whose}, but no connection to it arrives in the pod"
    return Outcome(Verdict.OTHER_POD, text, answer.key.fingerprint)


def _proven(answer: Answer, sought: Sought, attempts: Iterable[Attempt]) -> Answer | None:
    """The answer with what proves it; None where it comes from another pod.

    No search is under way meanwhile: connections of others could stand in for one that is tried.
    """
    witness = sought.witness
    if witness is not None and witness.can_see:
        others = [attempt for attempt in attempts if attempt.candidate != answer.candidate]
        is_alone = not any(other.was_connected for other in others)
        before = witness.peers_before if is_alone else None
        try:
            arrival = arrives(answer.at or answer.candidate.address, answer.port, witness, before)
        except NodeportError:  # the container is not heard any more
            arrival = Arrival.UNKNOWN
        if arrival is Arrival.ELSEWHERE:
            return None
        if arrival is Arrival.HERE:
            return replace(answer, proof=Proof.CONNECTION)
    if answer.key is None:
        return replace(answer, proof=Proof.ACCEPTED)
    if sought.takes_any:
        return replace(answer, proof=Proof.UNVOUCHED_KEY)
    if witness is not None and witness.is_own(answer.key):
        return replace(answer, proof=Proof.HOST_KEY)
    return replace(answer, proof=Proof.SHARED_KEY)
