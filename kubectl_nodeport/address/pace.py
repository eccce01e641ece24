"""When an address is tried again, and when its word is final. Pure: the clock is handed in.

The rules, and why:

- Refused or unreachable is what kube-proxy answers until its first sync (by ICMP, whose rate the
  kernel limits), and a forwarder until it has heard of the Service. Trying again is cheap.
- A connection that is accepted and then closed or silent comes from a forwarder without a back end,
  or from an sshd in trouble: tried again at a pace that lags the wait so far by a sixth.
- Where an ssh server was heard, three connections in ten seconds are the most it gets from us:
  OpenSSH 9.8 and later count connections without a login (PerSourcePenalties).
- kube-proxy may still forward a port's former Service for a moment, so no first answer is final.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.resolution import Attempt, Budget, Outcome, Verdict

_SSH_PAUSE_S = 3.5
_NOT_SSH_PAUSE_S = 1.5
# kube-proxy syncs once a second where there is work: by then it has taken away the rule of a port's
# former Service, so that the same answer for longer comes from the present one.
_SETTLED_S = 3.0
_EAGER_S = 5.0

_SSH_HEARD = frozenset({Verdict.OTHER_KEY, Verdict.KEY_EXCHANGE_FAILED, Verdict.TURNED_AWAY})
_FROM_ANOTHER = frozenset({Verdict.OTHER_KEY, Verdict.NOT_SSH})
_NO_REPLY = frozenset({Verdict.TIMED_OUT, Verdict.UNREACHABLE, Verdict.NAME_NOT_FOUND})


@dataclass(slots=True)
class Course:
    """One candidate's tries so far.

    :param due_s: when the next try may begin, on the caller's clock.
    :param begun_s: when the last one began.
    :param is_connected: set by the try that is under way once something has accepted it.
    :param was_connected: whether an earlier one was.
    :param rtt_s: the quickest reply to a connect, if there ever was one.
    """

    candidate: Candidate
    due_s: float
    first_s: float | None = None
    begun_s: float = 0.0
    tries: int = 0
    busy: bool = False
    is_connected: bool = False
    was_connected: bool = False
    outcome: Outcome | None = None
    rtt_s: float | None = None
    silences: int = 0
    _same_since_s: float = 0.0
    _same_for_s: float = 0.0
    _told_s: float = 0.0

    def begin(self, now_s: float) -> None:
        """A try starts."""
        self.was_connected = self.was_connected or self.is_connected
        self.busy, self.is_connected = True, False
        self.begun_s = now_s
        self.tries += 1
        if self.first_s is None:
            self.first_s = now_s

    def note_reply(self, reply_s: float | None) -> None:
        """Something came back for a connect, if only a refusal."""
        if reply_s is not None:
            self.rtt_s = reply_s if self.rtt_s is None else min(self.rtt_s, reply_s)

    def end(self, outcome: Outcome, now_s: float, *, sharing: int = 1) -> bool:
        """A try ended; sets when the next one, if it takes one, is due.

        :param sharing: how many addresses lead to the same wrong ssh server, this one included.
        :returns: whether the verdict differs from the one before.
        """
        self.busy = False
        self.silences += outcome.verdict is Verdict.SILENT
        self.due_s = now_s + self._pause_s(outcome.verdict, now_s) * sharing
        before = self.outcome
        if before is not None and outcome.verdict is Verdict.TIMED_OUT:
            self._told_s = now_s if before.verdict is Verdict.TIMED_OUT else self._told_s
            return False
        self.outcome, self._told_s = outcome, now_s
        if before is None or (before.verdict, before.fingerprint) != (
            outcome.verdict,
            outcome.fingerprint,
        ):
            self._same_since_s = now_s
        self._same_for_s = now_s - self._same_since_s
        return before is None or before.verdict is not outcome.verdict

    @property
    def is_alive(self) -> bool:
        """Something at this address has replied, and no server that is not the pod."""
        if self.busy and self.is_connected:
            return True
        return self.outcome is not None and self.outcome.verdict not in _NO_REPLY | _FROM_ANOTHER

    @property
    def is_settled(self) -> bool:
        """The address gave the same answer, of another server or of no ssh server, long enough."""
        return (
            self.outcome is not None
            and self.outcome.verdict in _FROM_ANOTHER
            and self._same_for_s >= _SETTLED_S
        )

    @property
    def attempt(self) -> Attempt:
        """What the candidate has to say at the end of the search."""
        connected = self.was_connected or self.is_connected
        if self.outcome is None or self.first_s is None:
            return Attempt(self.candidate, self._unfinished, was_connected=connected)
        return Attempt(self.candidate, self.outcome, self._told_s - self.first_s, connected)

    @property
    def _unfinished(self) -> Outcome:
        if self.first_s is None:
            return Outcome(Verdict.NOT_TRIED, "not tried, the search was over before its turn")
        if self.is_connected:
            text = "accepted the connection and said nothing in that time"
            return Outcome(Verdict.SILENT, text)
        return Outcome(Verdict.TIMED_OUT, "no reply until the search was over")

    def _pause_s(self, verdict: Verdict, now_s: float) -> float:
        waited_s = now_s - (now_s if self.first_s is None else self.first_s)
        if verdict in _SSH_HEARD:
            return _SSH_PAUSE_S
        if verdict is Verdict.NOT_SSH:
            return _NOT_SSH_PAUSE_S
        if verdict in (Verdict.CLOSED, Verdict.SILENT):
            return min(max(0.1, waited_s / 6), 2.0)
        if verdict is Verdict.NAME_NOT_FOUND:
            return 2.0
        if verdict is Verdict.TIMED_OUT:
            return 0.0  # the try itself was the pause
        return 0.05 if waited_s < _EAGER_S else 0.1


def is_final(courses: Collection[Course], waited_s: float, budget: Budget) -> bool:
    """Whether waiting longer cannot bring the pod's answer.

    A settled address of a node is the NodePort itself, answering with something else. On 127.0.0.1
    any program of this machine may hold the port, so the others get a late forwarder's time.
    """
    settled = [course for course in courses if course.is_settled]
    if len(settled) == len(courses) or any(not _is_loopback(course) for course in settled):
        return True
    return bool(settled) and waited_s >= budget.forwarder_s


def _is_loopback(course: Course) -> bool:
    try:
        return ipaddress.ip_address(course.candidate.address).is_loopback
    except ValueError:
        return False
