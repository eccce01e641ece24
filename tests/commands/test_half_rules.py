"""Whatever goes wrong at whichever request: nothing of ours is left, or the error names it.

The real client asks a server with state (tests/kube/faulty.py); the rest of the world is fake.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kubectl_nodeport.commands.connect import ConnectRequest, connect
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.target import Target
from tests.commands import test_follow
from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE, FakeResolve, World
from tests.kube import make
from tests.kube.faulty import FAULTS, OUTAGES, Fault, Faulty, Place
from tests.kube.server import SILENCE, serving

LABEL = "kubectl-nodeport/ssh"
ANNOTATION = "nodeport.crater.raids.io/ssh"
# Each silence costs the client so much, or more where the machine is so busy that the request that
# is to be met with silence was not even read by then; all else has time enough.
SILENCES_S, LIMIT_S = (0.25, 2.0, 10.0), 10.0

THEIRS: Json = {
    "kind": "Service",
    "metadata": {"name": "theirs", "uid": "uid-of-theirs"},
    "spec": {
        "type": "NodePort",
        "selector": {"app": "other"},
        "ports": [{"port": 80, "targetPort": 80, "nodePort": 30333}],
    },
}


def world(*objects: Json) -> World:
    """With things of others beside it, which have to stay as they are."""
    other = make.pod("other", uid="another-uid", labels={"app": "other", "team": "a"})
    return World(api=FakeApi(*(objects or [make.pod("dev")]), other, NODE, THEIRS))


def stale() -> World:
    """The rule is an earlier pod's of the same name."""
    made = world()
    connected(made.edges)
    made.api.add(make.pod("dev", uid="the-next-uid"))
    return made


def untied() -> World:
    """The rule stands, and somebody took the label from its pod."""
    made = world()
    connected(made.edges)
    found = made.api.get("pods", "dev")
    assert found is not None
    found["metadata"] |= {"labels": {"app": "dev"}, "annotations": {}}
    return made


def without_label() -> World:
    """Pods must not be patched, so the rule takes the pod's own labels."""
    made = world()
    made.api.forbid("patch", "pods")
    return made


def out_of_reach() -> World:
    """The rule is made, and nothing answers: it is removed again."""
    made = world()
    made.resolve = FakeResolve(open=set())
    return made


def followed() -> World:
    return world(test_follow.deployment(), test_follow.pod("api-1", "uid-1"))


def connected(edges: Edges) -> object:
    return connect(ConnectRequest(Target("dev"), via="nodeport"), edges)


def connected_somehow(edges: Edges) -> object:
    return connect(ConnectRequest(Target("dev")), edges)


def exposed(edges: Edges) -> object:
    return expose(ExposeRequest(Target("dev")), edges)


def connected_to_workload(edges: Edges) -> object:
    return connect(ConnectRequest(Target("api", kind="deployment"), via="nodeport"), edges)


@dataclass(frozen=True)
class Scenario:
    """A run, and the requests that it consists of where nothing goes wrong.

    ``fails``: it ends in an error all the same; ``tunnelled``: it ends without a rule.
    """

    start: Callable[[], World]
    run: Callable[[Edges], object]
    steps: tuple[str, ...]
    fails: bool = False
    tunnelled: bool = False


LOOK = ("get pods", "list services", "get nodes")
MAKE = ("create services", "patch pods")
UNMAKE = ("list nodes", "delete services", "get pods", "patch pods")
SCENARIOS = {
    "connect": Scenario(world, connected, (*LOOK, *MAKE)),
    "expose": Scenario(world, exposed, (*LOOK, *MAKE)),
    "stale": Scenario(stale, connected, (*LOOK, "delete services", *MAKE)),
    "untied": Scenario(untied, connected, (*LOOK, "patch pods")),
    "without label": Scenario(
        without_label, connected, (*LOOK, *MAKE, "list pods", "patch services")
    ),
    "out of reach": Scenario(out_of_reach, connected, (*LOOK, *MAKE, *UNMAKE), fails=True),
    "through the API server instead": Scenario(
        out_of_reach, connected_somehow, (*LOOK, *MAKE, *UNMAKE), tunnelled=True
    ),
    "workload": Scenario(
        followed,
        connected_to_workload,
        ("get deployments", "list pods", "list services", "get nodes", *MAKE, "list pods"),
    ),
}


def cases() -> list[Any]:
    """Each fault at each request of each scenario; some of them at all that come after it too.

    Up to its end, a run that falls back to the tunnel is the one that finds nothing in reach.
    """
    found = []
    for name, scenario in SCENARIOS.items():
        for at, step in enumerate(scenario.steps):
            if scenario.tunnelled and at < len(LOOK):
                continue
            nth = scenario.steps[:at].count(step)
            for lasting, kinds in ((False, FAULTS), (True, OUTAGES)):
                place = Place(step, nth, lasting)
                found += [
                    pytest.param(scenario, place, fault, id=f"{name}, {place}: {kind}")
                    for kind, fault in kinds.items()
                    if (name, step, fault.stored) != ("without label", "patch pods", True)
                ]
    return found


def attempt(
    scenario: Scenario, made: World, faulty: Faulty, limit_s: float = LIMIT_S
) -> NodeportError | None:
    """Run it through the real client; the error in which it ends, if it does."""
    with serving(faulty) as server:
        connection = make.connection(f"http://127.0.0.1:{server.port}", context="docker-desktop")
        edges = replace(made.edges, api=Api(connection, timeout_s=limit_s))
        try:
            scenario.run(edges)
        except NodeportError as err:
            return err
    return None


def traces(made: World) -> set[str]:
    """What of ours is in the cluster: Services by their ids, labels and annotations by values.

    Those of a pod whose Service stands are its own.
    """
    services = {name: made.api.get("services", name) for name in made.api.services()}
    found = {f"{name} {_uid(one)}" for name, one in services.items() if name != "theirs"}
    for (resource, _, _), pod in made.api.objects.items():
        if resource == "pods" and not any(_selects(one, pod) for one in services.values()):
            values = {**(pod["metadata"].get("labels") or {}), **pod["metadata"]["annotations"]}
            found |= {f"{LABEL} {values[key]}" for key in values.keys() & {LABEL, ANNOTATION}}
    return found


def _uid(service: Json | None) -> str:
    return str(service["metadata"]["uid"]) if service else ""


def _selects(service: Json | None, pod: Json) -> bool:
    selector = service["spec"]["selector"] if service else {}
    return bool(selector.items() <= pod["metadata"]["labels"].items())


def is_sound(made: World) -> bool:
    """One Service of ours, whose selector reaches one pod."""
    names = [name for name in made.api.services() if name != "theirs"]
    found = made.api.get("services", names[0]) if len(names) == 1 else None
    if found is None:
        return False
    pods = [value for key, value in made.api.objects.items() if key[0] == "pods"]
    return sum(_selects(found, pod) for pod in pods) == 1


def is_told(what: str, failed: NodeportError) -> bool:
    return bool(re.search(rf"{what} .*left behind", failed.message)) and what in failed.hint


@pytest.mark.parametrize("name", SCENARIOS)
def test_requests_where_nothing_goes_wrong(name: str) -> None:
    scenario = SCENARIOS[name]
    made = scenario.start()
    faulty = Faulty(made.api)
    failed = attempt(scenario, made, faulty)
    assert (failed is not None) == scenario.fails
    assert sorted(faulty.asked) == sorted(scenario.steps)


@pytest.mark.parametrize(("scenario", "place", "fault"), cases())
def test_nothing_is_left_unsaid(scenario: Scenario, place: Place, fault: Fault) -> None:
    for limit_s in SILENCES_S if fault.answer is SILENCE else (LIMIT_S,):
        made = scenario.start()
        before, traced = copy.deepcopy(made.api.objects), traces(made)
        faulty = Faulty(made.api, fault, place)
        failed = attempt(scenario, made, faulty, limit_s)
        if faulty.struck:
            break
    assert faulty.struck, "the request was not made"
    assert faulty.collections_deleted == []
    for key in (("services", "default", "theirs"), ("pods", "default", "other")):
        assert made.api.objects[key] == before[key]
    if failed is None:
        assert is_sound(made) or (scenario.tunnelled and not traces(made))
    else:
        assert "\n" not in failed.message + failed.hint
        unsaid = [one for one in traces(made) - traced if not is_told(one.split()[0], failed)]
        assert not unsaid, f"{unsaid} of: {failed.message}"
    again = attempt(scenario, made, Faulty(made.api))
    assert (again is not None) == scenario.fails
    assert scenario.fails or is_sound(made) or (scenario.tunnelled and not traces(made))
