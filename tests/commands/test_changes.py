from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from kubectl_nodeport.commands.changes import changes
from kubectl_nodeport.commands.scope import GetRequest
from kubectl_nodeport.kube.request import ApiError, ForbiddenError, Json, Request
from kubectl_nodeport.kube.target import parse
from tests.commands.test_get import pod, rule, theirs, world
from tests.commands.world import World


@dataclass(frozen=True)
class Happened:
    type: str
    object: Json


@dataclass
class FakeWatch:
    """Tells what is in the list, each time an exception or the end of the watch."""

    script: list[list[Happened | Exception]]
    asked: list[tuple[Request, str]] = field(default_factory=list)

    def __call__(self, request: Request, version: str) -> Iterator[Happened]:
        self.asked.append((request, version))
        for one in self.script.pop(0):
            if isinstance(one, Exception):
                raise one
            yield one


EVERYTHING = GetRequest()


def told(
    made: World, *events: Happened | Exception, batches: int, asked: GetRequest = EVERYTHING
) -> list[list[tuple[str, int]]]:
    """The batches of rows, each row as its Service and node port."""
    found = islice(changes(asked, made.edges, FakeWatch([list(events)])), batches)
    return [[(row.service, row.node_port) for row in rows] for rows in found]


FIRST = [("nodeport-dev-ssh", 30222)]
GONE = ApiError("too old resource version", hint="…", status=410, reason="Expired")


def test_what_is_asked_for() -> None:
    made = world(pod(), rule())
    watch = FakeWatch([[Happened("DELETED", rule())]])
    list(islice(changes(GetRequest(), made.edges, watch), 2))
    ((request, version),) = watch.asked
    assert request.path == (
        "/api/v1/namespaces/default/services"
        "?fieldSelector=spec.type%21%3DClusterIP%2Cspec.type%21%3DExternalName&watch=true"
    )
    assert (request.verb, version) == ("watch", "1002")


def test_added_modified_and_deleted() -> None:
    made = world(pod(), rule())
    events = [
        Happened("ADDED", theirs()),
        Happened("MODIFIED", theirs(ports=[{"port": 80, "nodePort": 30081}])),
        Happened("DELETED", theirs(ports=[{"port": 80, "nodePort": 30099}])),
    ]
    assert told(made, *events, batches=4) == [
        FIRST,
        [("web", 30080)],
        [("web", 30081)],
        [("web", 30081)],
    ]


def test_new_rule_is_looked_behind_without_a_note() -> None:
    made = world(pod(labels={}))
    watch = FakeWatch([[Happened("ADDED", rule())]])
    _, (row,) = islice(changes(GetRequest(), made.edges, watch), 2)
    assert (row.pods, row.problem, made.notes) == ((), "reaches no pod", [])


def test_nothing_at_first() -> None:
    assert told(world(pod()), Happened("ADDED", rule()), batches=2) == [[], FIRST]


def test_only_what_is_meant() -> None:
    made = world(pod(), rule())
    others = Happened("ADDED", theirs("b", "two"))
    mine = Happened("ADDED", theirs())
    batches = told(made, others, mine, batches=2, asked=GetRequest(parse("dev")))
    assert batches == [FIRST, [("web", 30080)]]


def test_rule_that_does_not_reach_the_pod_any_more_is_told() -> None:
    made = world(pod(), theirs(), rule())
    moved = Happened("MODIFIED", theirs(app="two"))
    batches = told(made, moved, batches=2, asked=GetRequest(parse("dev")))
    assert batches[1] == [("web", 30080)]


def test_all_namespaces() -> None:
    made = world(pod(), rule())
    elsewhere = Happened("ADDED", theirs(namespace="lab"))
    batches = told(made, elsewhere, batches=2, asked=GetRequest(None, True))
    assert batches == [FIRST, [("web", 30080)]]
    assert made.api.log == ["list services"]


def test_version_that_is_too_old() -> None:
    """What happened meanwhile is told, and nothing twice."""
    made = world(pod(), rule(), theirs())
    watch = FakeWatch([[GONE], [Happened("MODIFIED", rule())]])
    pauses: list[float] = []
    found = changes(GetRequest(), made.edges, watch, pause=pauses.append)
    assert len(next(found)) == 2
    del made.api.objects["services", "default", "web"]
    made.api.add(theirs("late"))
    assert [row.service for row in next(found)] == ["web", "late"]
    assert [row.service for row in next(found)] == ["nodeport-dev-ssh"]
    assert pauses == [1.0]
    assert [version for _, version in watch.asked] == ["1003", "1004"]


@pytest.mark.parametrize("object_", [{}, {"metadata": 7}, {"metadata": {"name": "\x1b"}}])
def test_events_of_a_wrong_shape(object_: Any) -> None:
    made = world(pod(), rule())
    batches = told(made, Happened("ADDED", object_), Happened("DELETED", rule()), batches=2)
    assert batches == [FIRST, FIRST]


def test_without_the_right_to_watch() -> None:
    refused = ForbiddenError("the right to watch services is missing", hint="…", status=403)
    found = changes(GetRequest(), world(pod(), rule()).edges, FakeWatch([[refused]]))
    next(found)
    with pytest.raises(ForbiddenError):
        next(found)
