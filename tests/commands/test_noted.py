"""Several people on one rule: each Host file notes itself on it, but for the one that made it."""

from __future__ import annotations

import copy

import pytest

from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Request
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule import service
from tests.commands.fake_api import FakeApi, unreachable
from tests.commands.test_connect import ALIAS
from tests.commands.test_rules import NAME, foreign
from tests.commands.world import NODE, World
from tests.kube import make

STATUS = {"ready": True, "restartCount": 0, "state": {"running": {"startedAt": None}}}
TWO_CONTAINERS = make.pod(
    "dev",
    containers=[{"name": name, "image": "debian", "ports": []} for name in ("main", "tools")],
    containerStatuses=[{"name": name, **STATUS} for name in ("main", "tools")],
)
WRITES = "patch services/nodeport-dev-ssh"


def another(world: World) -> World:
    """Somebody else with a file of their own, on the same cluster."""
    return World(api=world.api)


def noted_on(world: World) -> frozenset[str]:
    found = world.api.get("services", NAME)
    assert found is not None
    return service.users(found)


def test_maker_is_not_noted_and_pays_no_request() -> None:
    world = World()
    world.connect()
    world.connect()
    assert world.api.log == ["get pods/dev", "list services", "list pods"]
    assert noted_on(world) == frozenset()
    assert world.hosts.written[ALIAS].origin.noted == ""


def test_another_is_noted_once() -> None:
    world = World()
    world.connect()
    jane = another(world)
    first = jane.connect()
    assert jane.api.log == ["get pods/dev", "list services", "list pods", WRITES]
    assert noted_on(world) == {first.entry.origin.noted}
    assert not first.entry.origin.made_rule
    second = jane.connect()
    assert jane.api.writes() == []
    assert (second.entry, second.entry_change) == (first.entry, "unchanged")
    assert world.connect().entry_change == "unchanged"


def test_a_note_that_was_lost_is_made_again() -> None:
    world = World()
    world.connect()
    jane = another(world)
    noted = jane.connect().entry.origin.noted
    found = world.api.get("services", NAME)
    assert found is not None
    del found["metadata"]["annotations"][f"kubectl-nodeport/user-{noted}"]
    assert jane.connect().entry_change == "unchanged"
    assert noted_on(world) == {noted}


def test_entries_of_one_file_are_one_user() -> None:
    world = World()
    world.connect()
    assert world.connect(host="mine").entry.origin.noted == ""
    assert noted_on(world) == frozenset()
    jane = another(world)
    noted = jane.connect().entry.origin.noted
    assert jane.connect(host="hers").entry.origin.noted == noted
    assert jane.api.writes() == []


def test_rule_that_expose_made_has_no_entry_of_its_maker() -> None:
    world = World()
    expose(ExposeRequest(Target("dev"), "ssh", 22), world.edges)
    done = world.connect()
    assert noted_on(world) == {done.entry.origin.noted}


def test_service_of_others_is_left_alone() -> None:
    world = World()
    world.api.add(foreign())
    assert world.connect().entry.origin.noted == ""
    assert world.api.writes() == []


def test_dry_run_notes_nothing() -> None:
    world = World()
    assert world.connect(dry_run=True).entry.origin.noted == "", "the rule does not stand yet"
    world.connect()
    objects = copy.deepcopy(world.api.objects)
    jane = another(world)
    told = jane.connect(dry_run=True)
    assert world.api.objects == objects
    assert told.entry.origin.noted == "", "an id drawn for a dry run would differ in the next"
    noted = jane.connect().entry.origin.noted
    assert noted
    assert jane.connect(dry_run=True).entry.origin.noted == noted


def test_rule_made_anew_by_another() -> None:
    """Its maker is whoever made it now; the former one notes itself as a user."""
    world = World()
    world.connect()
    del world.api.objects["services", "default", NAME]
    jane = another(world)
    assert jane.connect().entry.origin.made_rule
    again = world.connect()
    assert not again.entry.origin.made_rule
    assert noted_on(world) == {again.entry.origin.noted}


def test_without_the_right_to_patch_services() -> None:
    world = World()
    world.connect()
    world.api.forbid("patch", "services")
    jane = another(world)
    for _ in range(2):
        done = jane.connect()
        assert done.notes == (
            f"without the right to patch services it is not noted on service {NAME} that you use "
            "it: disconnect of whoever made it may remove it",
        )
    assert done.entry_change == "unchanged"


@pytest.mark.parametrize("follows", ["nothing", "another"])
def test_rule_that_is_removed_in_that_moment(follows: str) -> None:
    world = World()
    world.connect()
    jane = another(world)

    def remove(request: Request) -> None:
        if request.verb == "patch":
            old = world.api.objects.pop(("services", "default", NAME))
            if follows == "another":
                old["metadata"]["uid"] = "another"
                world.api.add(old)

    jane.api.before = remove
    with pytest.raises(NodeportError, match="was removed while it was looked at") as caught:
        jane.connect()
    assert caught.value.hint == "run it again"


def test_server_that_breaks_off() -> None:
    world = World()
    world.connect()
    jane = another(world)

    def break_off(request: Request) -> None:
        if request.verb == "patch":
            raise unreachable()

    jane.api.before = break_off
    (note,) = jane.connect().notes
    assert note.startswith(f"that you use service {NAME} is perhaps not noted there: ")
    jane.api.before = lambda _request: None
    jane.connect()
    assert len(noted_on(world)) == 1


def test_tunnel_keeps_what_it_noted() -> None:
    world = World()
    world.connect()
    jane = another(world)
    noted = jane.connect().entry.origin.noted
    assert jane.connect(via="tunnel").entry.origin.noted == noted
    assert jane.connect(via="nodeport").entry.origin.noted == noted
    assert noted_on(world) == {noted}


def test_users_of_what_is_not_ours() -> None:
    theirs = foreign()
    theirs["metadata"]["annotations"] = {"kubectl-nodeport/user-x": ""}
    assert service.users(theirs) == frozenset()
    assert service.users({"metadata": {"annotations": "x"}}) == frozenset()


def test_container_that_was_told_is_kept() -> None:
    world = World()
    assert world.connect().entry.origin.container == ""
    assert world.connect(container="main").entry.origin.container == "main"
    again = world.connect()
    assert (again.entry.origin.container, again.entry_change) == ("main", "unchanged")


def test_kept_container_is_looked_into() -> None:
    world = World(api=FakeApi(TWO_CONTAINERS, NODE))
    assert [world.connect().container.name] == ["main"]
    world.connect(container="tools")
    for via in ("auto", "tunnel", "nodeport"):
        assert world.connect(via=via).container.name == "tools"
        assert {container for _, _, container in world.exec.calls} == {"tools"}
    assert world.connect(container="main").entry.origin.container == "main"


def test_kept_container_that_is_gone() -> None:
    world = World(api=FakeApi(TWO_CONTAINERS, NODE))
    world.connect(container="tools")
    world.api.add(make.pod("dev"))
    with pytest.raises(NodeportError, match="pod dev has no container tools") as caught:
        world.connect()
    assert caught.value.hint == "name one with -c; its containers: main"
    assert world.connect(container="main").container.name == "main"
