"""Tries at several addresses at once, until one answers as it should.

Threads wait on sockets, this module's caller waits for them; each try is one thread, so that a
connection can be read top to bottom. What is asked of a connection is handed in; pace.py says when
to try again.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubectl_nodeport.address import dial
from kubectl_nodeport.address.pace import Course, is_final
from kubectl_nodeport.address.resolution import (
    Answer,
    Budget,
    OnProgress,
    Outcome,
    Progress,
    Resolution,
    Sought,
    Verdict,
)
from kubectl_nodeport.ssh.known_hosts import HostKey

_AT_ONCE = 4
_STAGGER_S = 0.25
# An earlier candidate that replies at all gets this long to answer too once a later one has, or
# half as long again as the later one's own connection took: a measure of the way and the machine.
_GRACE_S = 0.1
_GRACE_FACTOR = 1.5
# Only a name look-up cannot be interrupted; such a thread is left to end by itself.
_JOIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What the other end of a connection has shown.

    :param key: the host key that it proved to own; None where it was not asked for one.
    :param text: the same for people, safe to print.
    """

    key: HostKey | None
    text: str


# Asks the other end of a fresh connection who it is; raises DialError where it is not what is
# sought, and StoppedError once the search is over.
Ask = Callable[[socket.socket, Course, Sought, dial.Stop], Shown]

_Found = tuple[Answer, str] | Outcome | Exception


class Search:
    """The state of one search: which tries run, what came back. To be closed at its end."""

    def __init__(self, sought: Sought, budget: Budget, progress: OnProgress, ask: Ask) -> None:
        self._sought, self._budget, self._progress, self._ask = sought, budget, progress, ask
        self._started_s = time.monotonic()
        self._courses = [Course(candidate, self._started_s) for candidate in sought.candidates]
        self._more_s = min(budget.more_s, budget.timeout_s / 2)
        self._more_asked = False
        self._next_new_s = self._started_s
        self._answer: tuple[int, Answer] | None = None
        self._grace_end_s = 0.0
        self._results: queue.SimpleQueue[tuple[int, _Found]] = queue.SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        self._looked_up: dict[str, Sequence[dial.SockAddr]] = {}
        self._stop = dial.Stop()

    def run(self) -> None:
        while not self._is_over():
            if self._is_more_wanted():
                self._ask_for_more()
            self._begin_due()
            try:
                index, found = self._results.get(timeout=self._idle_s())
            except queue.Empty:
                continue
            self._threads.pop(index).join()
            if isinstance(found, Exception):
                raise found
            if isinstance(found, Outcome):
                self._note_failure(index, found)
            else:
                self._note_answer(index, *found)

    def close(self) -> None:
        """End every try; their sockets are closed when this returns."""
        self._stop.set()
        for thread in self._threads.values():
            if thread.ident is not None:  # a signal may come before a thread has started
                thread.join(_JOIN_S)
        self._stop.close()

    def result(self) -> Resolution:
        attempts = tuple(course.attempt for course in self._courses)
        return Resolution(self._answer[1] if self._answer else None, attempts)

    def _waited_s(self) -> float:
        return time.monotonic() - self._started_s

    def _is_over(self) -> bool:
        waited_s = self._waited_s()
        if self._answer is not None:
            return time.monotonic() >= self._grace_end_s or not self._hopeful_before_answer()
        if not self._courses and not self._more_asked:
            return False
        return waited_s >= self._budget.timeout_s or is_final(self._courses, waited_s, self._budget)

    def _is_more_wanted(self) -> bool:
        if self._more_asked or self._answer is not None:
            return False
        return not self._courses or self._waited_s() >= self._more_s

    def _ask_for_more(self) -> None:
        self._more_asked = True
        by_address = {candidate.address: candidate for candidate in reversed(self._sought.more())}
        for course in self._courses:
            by_address.pop(course.candidate.address, None)
        now_s = time.monotonic()
        self._courses += [Course(candidate, now_s) for candidate in reversed(by_address.values())]

    def _hopeful_before_answer(self) -> list[Course]:
        """Earlier candidates that may yet turn out to be the better address."""
        assert self._answer is not None
        return [
            course
            for course in self._courses[: self._answer[0]]
            if course.is_alive and (course.busy or course.due_s <= time.monotonic())
        ]

    def _waiting(self) -> list[tuple[float, int]]:
        """When each candidate that may still matter is due, the longest due first."""
        before = len(self._courses) if self._answer is None else self._answer[0]
        return sorted(
            (self._next_new_s if course.first_s is None else course.due_s, index)
            for index, course in enumerate(self._courses[:before])
            if not course.busy and (self._answer is None or course.is_alive)
        )

    def _begin_due(self) -> None:
        while len(self._threads) < _AT_ONCE:
            due = [(due_s, index) for due_s, index in self._waiting() if due_s <= time.monotonic()]
            if not due:
                return
            self._begin(due[0][1])

    def _idle_s(self) -> float:
        """Until the next try is due; short enough for Ctrl-C where a wait is not interrupted."""
        end_s = self._started_s + self._budget.timeout_s
        if self._answer is not None:
            end_s = self._grace_end_s
        elif not self._more_asked:
            end_s = min(end_s, self._started_s + self._more_s)
        if len(self._threads) < _AT_ONCE:
            end_s = min([end_s, *(due_s for due_s, _ in self._waiting())])
        return min(max(0.001, end_s - time.monotonic()), 0.25)

    def _begin(self, index: int) -> None:
        course, now_s = self._courses[index], time.monotonic()
        if course.first_s is None:
            self._next_new_s = now_s + _STAGGER_S
            self._progress(Progress(course.candidate, None, self._waited_s()))
        course.begin(now_s)
        thread = threading.Thread(target=self._try, args=(index,), daemon=True)
        self._threads[index] = thread
        thread.start()

    def _note_failure(self, index: int, outcome: Outcome) -> None:
        course, now_s = self._courses[index], time.monotonic()
        if course.outcome is None:
            self._next_new_s = now_s
        others = [other.outcome for other in self._courses if other is not course]
        seen = [other.fingerprint for other in others if other is not None and other.fingerprint]
        if course.end(outcome, now_s, sharing=1 + seen.count(outcome.fingerprint or "")):
            self._progress(Progress(course.candidate, outcome, self._waited_s()))

    def _note_answer(self, index: int, answer: Answer, text: str) -> None:
        now_s = time.monotonic()
        outcome = Outcome(Verdict.ANSWERED, text, answer.key.fingerprint if answer.key else None)
        self._courses[index].end(outcome, now_s)
        self._progress(Progress(answer.candidate, outcome, self._waited_s()))
        if self._answer is None:
            took_s = now_s - self._courses[index].begun_s
            self._grace_end_s = now_s + max(_GRACE_S, _GRACE_FACTOR * took_s)
            for earlier in self._courses[:index]:
                earlier.due_s = min(earlier.due_s, now_s)
        if self._answer is None or index < self._answer[0]:
            self._answer = (index, answer)

    def _try(self, index: int) -> None:
        """In a thread: one try; what it found goes into the queue, for nobody once stopped."""
        try:
            self._results.put((index, self._found(self._courses[index])))
        except dial.StoppedError:
            return
        except Exception as failure:
            self._results.put((index, failure))

    def _found(self, course: Course) -> tuple[Answer, str] | Outcome:
        sought = self._sought
        try:
            where, shown = self._shown(course)
        except dial.DialError as failure:
            course.note_reply(failure.reply_s)
            return Outcome(failure.verdict, failure.text)
        if shown.key is None or shown.key in sought.known or sought.takes_any:
            answer = Answer(course.candidate, sought.port, shown.key, at=where[1][0])
            return answer, shown.text
        return Outcome(Verdict.OTHER_KEY, shown.text, shown.key.fingerprint)

    def _shown(self, course: Course) -> tuple[dial.SockAddr, Shown]:
        address = course.candidate.address
        if address not in self._looked_up:
            self._looked_up[address] = dial.look_up(address, self._sought.port)
        if self._stop.is_set:
            raise dial.StoppedError
        found = self._looked_up[address]
        # A name with several addresses: another one with each try.
        where = found[(course.tries - 1) % len(found)]
        with dial.connect(where, course.rtt_s, self._stop) as sock:
            course.is_connected = True
            return where, self._ask(sock, course, self._sought, self._stop)
