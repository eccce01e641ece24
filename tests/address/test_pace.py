"""The pace of tries, with a clock made up here."""

from __future__ import annotations

import itertools

import pytest

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.pace import Course, is_final
from kubectl_nodeport.address.resolution import Budget, Outcome, Verdict

BUDGET = Budget(60, forwarder_s=15)


def outcome(verdict: Verdict, fingerprint: str | None = None) -> Outcome:
    return Outcome(verdict, "text", fingerprint)


def tries_s(
    verdict: Verdict, until_s: float, *, takes_s: float = 0.0, sharing: int = 1
) -> list[float]:
    """When tries begin at an address that always answers alike."""
    course = Course(Candidate("10.0.0.1", "test"), 0.0)
    begun_s = []
    while course.due_s < until_s:
        begun_s.append(course.due_s)
        course.begin(course.due_s)
        course.end(outcome(verdict), course.due_s + takes_s, sharing=sharing)
    return begun_s


def most_within(begun_s: list[float], window_s: float) -> int:
    return max(sum(0 <= other - one < window_s for other in begun_s) for one in begun_s)


@pytest.mark.parametrize(
    "verdict", [Verdict.OTHER_KEY, Verdict.KEY_EXCHANGE_FAILED, Verdict.TURNED_AWAY]
)
def test_an_sshd_gets_three_connections_in_ten_seconds(verdict: Verdict) -> None:
    assert most_within(tries_s(verdict, 60), 10) == 3
    # Through two addresses: two and two, the first two of which nobody could know to be one server.
    assert most_within(tries_s(verdict, 60, sharing=2), 10) == 2


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.UNREACHABLE])
def test_a_closed_port_is_tried_eagerly_then_calmly(verdict: Verdict) -> None:
    begun_s = tries_s(verdict, 60)
    assert most_within([at_s for at_s in begun_s if at_s < 4], 0.99) == 20
    assert most_within([at_s for at_s in begun_s if at_s > 6], 0.99) == 10


@pytest.mark.parametrize("verdict", [Verdict.CLOSED, Verdict.SILENT])
def test_a_forwarder_without_back_end_is_seen_within_a_sixth(verdict: Verdict) -> None:
    begun_s = tries_s(verdict, 60)
    for earlier, later in itertools.pairwise(begun_s):
        assert later - earlier <= max(0.1, earlier / 6) + 0.001
    assert most_within(begun_s, 10) < 30


def course_with(*answers: tuple[float, Outcome], address: str = "10.0.0.1") -> Course:
    course = Course(Candidate(address, "test"), 0.0)
    for at_s, answer in answers:
        course.begin(at_s)
        course.end(answer, at_s)
    return course


NOT_SSH = outcome(Verdict.NOT_SSH)
REFUSED = outcome(Verdict.REFUSED)
TIMED_OUT = outcome(Verdict.TIMED_OUT)


@pytest.mark.parametrize(
    ("answers", "settled"),
    [
        ([(0.0, NOT_SSH)], False),
        ([(0.0, NOT_SSH), (2.9, NOT_SSH)], False),
        ([(0.0, NOT_SSH), (3.0, NOT_SSH)], True),
        ([(0.0, NOT_SSH), (2.0, REFUSED), (3.0, NOT_SSH)], False),
        ([(0.0, NOT_SSH), (9.0, TIMED_OUT)], False),
        ([(0.0, NOT_SSH), (2.0, TIMED_OUT), (3.0, NOT_SSH)], True),
        ([(0.0, outcome(Verdict.OTHER_KEY, "a")), (3.5, outcome(Verdict.OTHER_KEY, "a"))], True),
        ([(0.0, outcome(Verdict.OTHER_KEY, "a")), (3.5, outcome(Verdict.OTHER_KEY, "b"))], False),
        ([(0.0, REFUSED), (9.0, REFUSED)], False),
        ([(0.0, outcome(Verdict.CLOSED)), (9.0, outcome(Verdict.CLOSED))], False),
        ([(0.0, outcome(Verdict.SILENT)), (9.0, outcome(Verdict.SILENT))], False),
    ],
)
def test_settled(answers: list[tuple[float, Outcome]], settled: bool) -> None:
    assert course_with(*answers).is_settled is settled


def test_a_lost_packet_does_not_hide_an_answer() -> None:
    course = course_with((0.0, REFUSED), (1.0, TIMED_OUT))
    assert course.outcome == REFUSED
    assert course_with((0.0, TIMED_OUT), (1.0, REFUSED)).outcome == REFUSED


def test_only_news_is_news() -> None:
    course = Course(Candidate("10.0.0.1", "test"), 0.0)
    told = [course.end(answer, 0.0) for answer in (TIMED_OUT, REFUSED, REFUSED, TIMED_OUT, NOT_SSH)]
    assert told == [True, True, False, False, True]


SETTLED = ((0.0, NOT_SSH), (3.0, NOT_SSH))


def test_a_settled_node_ends_the_search() -> None:
    courses = [course_with((9.0, REFUSED), address="127.0.0.1"), course_with(*SETTLED)]
    assert is_final(courses, 3.0, BUDGET)


def test_a_settled_loopback_waits_for_the_others() -> None:
    courses = [course_with(*SETTLED, address="127.0.0.1"), course_with((9.0, REFUSED))]
    assert not is_final(courses, 14.9, BUDGET)
    assert is_final(courses, 15.0, BUDGET)
    assert is_final(courses[:1], 3.0, BUDGET)


def test_nothing_settled_is_never_final() -> None:
    assert not is_final([course_with((0.0, REFUSED))], 59.0, BUDGET)
    assert is_final([], 0.0, BUDGET)


@pytest.mark.parametrize(
    ("answer", "alive"),
    [
        (REFUSED, True),
        (outcome(Verdict.CLOSED), True),
        (outcome(Verdict.SILENT), True),
        (TIMED_OUT, False),
        (outcome(Verdict.UNREACHABLE), False),
        (outcome(Verdict.OTHER_KEY, "a"), False),
        (NOT_SSH, False),
    ],
)
def test_what_replied_may_yet_be_the_pod(answer: Outcome, alive: bool) -> None:
    course = course_with((0.0, answer))
    assert course.is_alive is alive
    course.begin(1.0)
    course.is_connected = True
    assert course.is_alive
