from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube.active import first, rank
from kubectl_nodeport.kube.pod import Container, Pod
from tests.kube import make

EARLY = datetime(2026, 1, 1, tzinfo=timezone.utc)
LATE = EARLY + timedelta(seconds=1)
BASE = replace(
    Pod.of(make.pod()),
    created=EARLY,
    ready_since=EARLY,
    containers=(Container("a"), Container("b")),
)


def restarted(*times: int) -> tuple[Container, ...]:
    return tuple(Container(f"c{at}", restarts=count) for at, count in enumerate(times))


GONE_EARLY: dict[str, Any] = {"deleting": True, "deleted": EARLY}
GONE_LATE: dict[str, Any] = {"deleting": True, "deleted": LATE}
NOT_READY: dict[str, Any] = {"ready": False, "ready_since": None}


@pytest.mark.parametrize(
    ("taken", "passed_over"),
    [
        # 1. on a node before not yet on one
        ({}, {"node": ""}),
        ({"phase": "Pending"}, {"node": "", "phase": "Running"}),
        # 2. running, unknown, pending; an ended pod counts as pending
        ({"phase": "Running"}, {"phase": "Unknown"}),
        ({"phase": "Unknown"}, {"phase": "Pending"}),
        ({"phase": "Unknown"}, {"phase": "Succeeded"}),
        ({"phase": "Succeeded", "created": EARLY}, {"phase": "Pending", "created": LATE}),
        ({"phase": "Running", **NOT_READY}, {"phase": "Pending", "ready": True}),
        # 3. ready before not ready, also when it is on its way out
        ({}, NOT_READY),
        (GONE_EARLY, NOT_READY),
        # 4. staying before leaving
        ({"ready_since": LATE}, GONE_EARLY),
        (NOT_READY, {**NOT_READY, **GONE_LATE}),
        # 5. leaving later before leaving sooner
        ({**GONE_LATE, "ready_since": LATE}, GONE_EARLY),
        # 6. ready for long before ready for short, before ready since nobody knows when
        ({"ready_since": EARLY, "containers": restarted(9)}, {"ready_since": LATE}),
        ({"ready_since": LATE}, {"ready_since": None}),
        # 7. fewer restarts of one container, the sum does not count; then of sidecars
        ({"containers": restarted(2, 2), "created": LATE}, {"containers": restarted(0, 3)}),
        ({"sidecar_restarts": 0, "created": LATE}, {"sidecar_restarts": 1}),
        ({"containers": restarted(0), "sidecar_restarts": 9}, {"containers": restarted(1)}),
        # 8. older before newer, before one of which nobody knows
        ({"created": EARLY}, {"created": LATE}),
        ({"created": LATE}, {"created": None}),
    ],
)
def test_each_tie_break(taken: dict[str, Any], passed_over: dict[str, Any]) -> None:
    one, other = replace(BASE, name="one", **taken), replace(BASE, name="other", **passed_over)
    assert first([one, other]) is one
    assert first([other, one]) is one


def test_nodes_names_do_not_matter_and_the_first_of_equals_is_taken() -> None:
    pods = [replace(BASE, name=name, node=node) for name, node in [("b", "n2"), ("a", "n1")]]
    assert first(pods).name == "b"


TIMES = st.sampled_from([None, EARLY, LATE])


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    ready, deleting = draw(st.booleans()), draw(st.booleans())
    return replace(
        BASE,
        node=draw(st.sampled_from(["", "n1", "n2"])),
        phase=draw(st.sampled_from(["Running", "Pending", "Unknown", "Succeeded", "Failed", ""])),
        ready=ready,
        ready_since=draw(TIMES) if ready else None,
        deleting=deleting,
        deleted=draw(TIMES) if deleting else None,
        containers=restarted(*draw(st.lists(st.integers(0, 2), max_size=2))),
        sidecar_restarts=draw(st.integers(0, 2)),
        created=draw(TIMES),
    )


def later_or_never(one: datetime | None, other: datetime | None) -> bool:
    return one is None or (other is not None and one > other)


def is_less(one: Pod, other: Pod) -> bool:
    """kubectl's comparison, step by step: the lesser pod is the one that is passed over."""
    phases = {"Unknown": 1, "Running": 2}
    if one.node != other.node and "" in (one.node, other.node):
        return one.node == ""
    if phases.get(one.phase, 0) != phases.get(other.phase, 0):
        return phases.get(one.phase, 0) < phases.get(other.phase, 0)
    if one.ready != other.ready:
        return not one.ready
    if one.deleting != other.deleting:
        return one.deleting
    if one.deleting and one.deleted != other.deleted:
        return one.deleted is None or (other.deleted is not None and one.deleted < other.deleted)
    if one.ready and one.ready_since != other.ready_since:
        return later_or_never(one.ready_since, other.ready_since)
    worst = [max((c.restarts for c in pod.containers), default=0) for pod in (one, other)]
    if worst[0] != worst[1]:
        return worst[0] > worst[1]
    if one.sidecar_restarts != other.sidecar_restarts:
        return one.sidecar_restarts > other.sidecar_restarts
    return one.created != other.created and later_or_never(one.created, other.created)


@settings(deadline=None, max_examples=300)
@given(pods(), pods(), pods())
def test_it_is_kubectls_comparison_and_a_total_order(one: Pod, other: Pod, third: Pod) -> None:
    assert (rank(one) < rank(other)) == is_less(one, other)
    assert [is_less(one, other), rank(one) == rank(other), is_less(other, one)].count(True) == 1
    if is_less(one, other) and is_less(other, third):
        assert is_less(one, third)


@settings(deadline=None)
@given(st.lists(pods(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_is_taken_does_not_hang_on_the_order(found: list[Pod], chance: random.Random) -> None:
    taken = rank(first(found))
    assert all(rank(pod) <= taken for pod in found)
    chance.shuffle(found)
    assert rank(first(found)) == taken
