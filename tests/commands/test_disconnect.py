from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.commands.disconnect import Disconnected, DisconnectRequest, disconnect
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.named import Named
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ApiError, LoginError, Request
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh.origin import Origin
from tests.commands import test_follow as follow
from tests.commands.fake_api import FakeApi, unreachable
from tests.commands.test_connect import ALIAS
from tests.commands.test_delete import traces_on
from tests.commands.test_noted import another, noted_on
from tests.commands.test_rules import NAME, foreign
from tests.commands.world import NODE, World
from tests.kube import make

OTHER_UID = make.UID.replace("0c3f", "1d4a")


def run(
    world: World,
    *words: str,
    home: Callable[[Origin], Edges] | None = None,
    here: Callable[[], Edges] | None = None,
    **asked: Any,
) -> Disconnected:
    """Disconnect, the log of requests begun anew."""
    world.api.log.clear()
    world.notes.clear()
    own = {key: asked.pop(key) for key in ("keep_rule", "dry_run") if key in asked}
    request = DisconnectRequest(Named(words, **asked), **own)
    homes = Homes(home or (lambda _origin: world.edges), lambda _origin, hint: f"{hint}!")
    return disconnect(request, world.hosts, homes, here or (lambda: world.edges))


def refused(world: World, *words: str, **asked: Any) -> NodeportError:
    """A run that fails before it does anything."""
    before = dict(world.hosts.written), copy.deepcopy(world.api.objects)
    with pytest.raises(NodeportError) as caught:
        run(world, *words, **asked)
    assert (world.hosts.written, world.api.objects) == before
    assert caught.value.hint
    return caught.value


def fates(done: Disconnected) -> list[tuple[str, str]]:
    return [(rule.fate, rule.told) for rule in done.rules]


def nowhere() -> Edges:
    raise NodeportError("no kubeconfig", hint="write one")


def connected(*names: str) -> World:
    world = World(api=FakeApi(make.pod("dev"), make.pod("web", uid=OTHER_UID), NODE))
    for name in names or ("dev",):
        world.connect(name)
    return world


class TestMaker:
    def test_all_is_as_it_was_before(self) -> None:
        world = World()
        before = copy.deepcopy(world.api.objects)
        world.connect()
        done = run(world, ALIAS)
        assert world.api.log == [
            *(["get services/nodeport-dev-ssh"] * 2),
            "delete services/nodeport-dev-ssh",
            "get pods/dev",
            "patch pods/dev",
        ]
        assert ([e.alias for e in done.entries], fates(done)) == ([ALIAS], [("deleted", "")])
        assert (world.hosts.written, world.hosts.known) == ({}, {})
        after = world.api.objects
        for kind, key in (("pods", "dev"), ("nodes", "node-1")):
            at = (kind, "" if kind == "nodes" else "default", key)
            for document in (before[at], after[at]):
                document["metadata"].pop("resourceVersion")
        assert after == before
        assert done.left is None

    def test_by_target_in_the_context_and_namespace(self) -> None:
        for word in ("dev", "pod/dev", "po/dev", "root@dev"):
            world = connected()
            assert [e.alias for e in run(world, word).entries] == [ALIAS]

    def test_several_at_once_and_one_twice(self) -> None:
        world = connected("dev", "web")
        done = run(world, "web", ALIAS, "dev")
        assert [e.origin.target for e in done.entries] == ["pod/dev", "pod/web"]
        assert (world.hosts.written, world.api.services()) == ({}, [])

    def test_dry_run_changes_nothing(self) -> None:
        world = connected()
        objects, written = copy.deepcopy(world.api.objects), dict(world.hosts.written)
        done = run(world, "dev", dry_run=True)
        assert (world.api.writes(), world.hosts.written) == ([], written)
        assert world.api.objects == objects
        assert (done.preview, fates(done)) == (f"-Host {ALIAS}\n", [("deleted", "")])

    def test_keep_rule_asks_no_cluster(self) -> None:
        world = connected()
        done = run(world, ALIAS, keep_rule=True, home=lambda _origin: nowhere())
        assert (world.api.log, fates(done)) == ([], [("kept", "--keep-rule")])
        assert world.hosts.written == {}
        assert done.left is None

    def test_rule_that_is_gone_or_another_by_now(self) -> None:
        world = connected()
        found = world.api.get("services", NAME)
        assert found is not None
        found["metadata"]["annotations"]["kubectl-nodeport/id"] = "another"
        assert fates(run(world, "dev")) == [("gone", "")]
        assert world.api.services() == [NAME]
        world = connected()
        world.api.objects.pop(("services", "default", NAME))
        assert fates(run(world, "dev")) == [("gone", "")]
        assert world.hosts.written == {}

    def test_pod_that_is_gone(self) -> None:
        world = connected()
        world.api.objects.pop(("pods", "default", "dev"))
        assert fates(run(world, "dev")) == [("deleted", "")]

    def test_entry_without_a_rule(self) -> None:
        world = World()
        world.connect(via="tunnel")
        done = run(world, "dev")
        assert (world.api.log, done.rules, world.hosts.written) == ([], (), {})

    def test_tunnel_of_a_rule_that_stands_still(self) -> None:
        world = World()
        world.connect()
        world.connect(via="tunnel")
        assert fates(run(world, "dev")) == [("deleted", "")]

    def test_file_that_cannot_be_written(self) -> None:
        world = connected()
        world.hosts.error = NodeportError("it is read-only", hint="make it writable")
        with pytest.raises(NodeportError, match="read-only"):
            run(world, "dev")
        assert ALIAS in world.hosts.written


class TestNotIts:
    def test_rule_that_expose_made(self) -> None:
        world = World()
        expose(ExposeRequest(Target("dev"), "ssh", 22), world.edges)
        world.connect()
        done = run(world, "dev")
        assert fates(done) == [
            (
                "kept",
                "this host's connect did not make it; kubectl nodeport delete dev --name ssh "
                "-n default! deletes it",
            )
        ]
        name = "services/nodeport-dev-ssh"
        assert world.api.log == [f"get {name}", f"patch {name}"], "the note goes"
        assert (noted_on(world), world.hosts.written) == (frozenset(), {})

    def test_service_of_others(self) -> None:
        world = World()
        world.api.add(foreign())
        world.connect()
        done = run(world, "dev")
        assert (world.api.log, fates(done)) == ([], [("kept", "others made it")])

    def test_maker_before_the_others(self) -> None:
        world = connected()
        jane, joe = another(world), another(world)
        jane.connect()
        done = run(world, "dev")
        assert world.api.services() == [NAME]
        ((fate, told),) = fates(done)
        assert (fate, told.startswith("a host of somebody else may need it; ")) == ("kept", True)
        assert (world.hosts.written, done.left) == ({}, None)
        joe.connect()
        assert fates(run(jane, "dev"))[0][0] == "kept"
        assert noted_on(world) == {joe.hosts.written[ALIAS].origin.noted}

    def test_maker_after_the_others(self) -> None:
        world = connected()
        jane = another(world)
        jane.connect()
        run(jane, "dev")
        assert fates(run(world, "dev")) == [("deleted", "")]
        assert (world.api.services(), traces_on(world)) == ([], [])

    def test_somebody_comes_in_between(self) -> None:
        """Between the last look and the deletion, which fails for it."""
        world = connected()
        jane = another(world)

        def come(request: Request) -> None:
            if request.verb == "delete":
                world.api.before = lambda _request: None
                jane.connect()

        world.api.before = come
        assert fates(run(world, "dev"))[0][0] == "kept"
        assert (world.api.services(), len(noted_on(world))) == ([NAME], 1)

    def test_service_that_keeps_changing(self) -> None:
        world = connected()

        def change(request: Request) -> None:
            found = world.api.get("services", NAME)
            if request.verb == "delete" and found is not None:
                world.api.add(found)

        world.api.before = change
        done = run(world, "dev")
        assert done.left is not None
        assert "nodeport-dev-ssh keeps changing" in done.left.message
        assert world.api.log.count("delete services/nodeport-dev-ssh") == 4

    def test_note_that_cannot_be_taken_away(self) -> None:
        world = connected()
        jane = another(world)
        jane.connect()
        world.api.forbid("patch", "services")
        done = run(jane, "dev")
        assert done.left is None
        (note,) = done.notes
        assert note.startswith(
            "on service nodeport-dev-ssh in namespace default it stays noted that you use it: "
        )


class TestOneFile:
    def test_maker_hands_on(self) -> None:
        world = connected()
        world.connect(host="mine")
        done = run(world, ALIAS)
        assert (world.api.log, fates(done)) == ([], [("kept", "mine leads to it too")])
        assert list(world.hosts.written) == ["mine"]
        assert world.hosts.known["mine"]
        assert fates(run(world, "mine")) == [("deleted", "")]
        assert world.api.services() == []

    def test_one_whose_keys_are_lost_keeps_no_other(self) -> None:
        world = connected()
        world.connect(host="mine")
        world.hosts.known.pop("mine")
        assert fates(run(world, ALIAS)) == [("kept", "mine leads to it too")]
        assert list(world.hosts.written) == ["mine"]

    def test_both_at_once(self) -> None:
        world = connected()
        world.connect(host="mine")
        done = run(world, all=True)
        assert (len(done.entries), fates(done)) == (2, [("deleted", "")])
        assert world.hosts.written == {}

    def test_noted_together(self) -> None:
        world = connected()
        jane = another(world)
        jane.connect()
        jane.connect(host="hers")
        run(jane, ALIAS)
        assert len(noted_on(world)) == 1, "the other one still uses it"
        run(jane, "hers")
        assert noted_on(world) == frozenset()


class TestCluster:
    """The entry goes; what is not known of its rule is told."""

    def test_no_answer(self) -> None:
        world = connected("dev", "web")

        def fail(_request: Request) -> None:
            raise unreachable()

        world.api.before = fail
        done = run(world, all=True)
        assert [fate for fate, _ in fates(done)] == ["unknown", "unknown"]
        assert world.hosts.written == {}
        assert done.left is not None
        assert done.left.message.startswith(
            "service nodeport-dev-ssh in namespace default may still be open: the API server"
        )
        assert done.left.hint == (
            "kubectl nodeport delete dev --name ssh -n default!; "
            "kubectl nodeport delete web --name ssh -n default!"
        )

    @pytest.mark.parametrize(
        ("failure", "times"),
        [
            (unreachable(), 1),
            (LoginError("the plugin gives no login", hint="log in"), 1),
            (ApiError("who are you?", hint="log in", status=401), 1),
            (ApiError("not you", hint="ask", status=403), 2),
            (NodeportError("something else", hint="look"), 2),
        ],
    )
    def test_one_that_is_shut_is_not_waited_for_again(
        self, failure: NodeportError, times: int
    ) -> None:
        world = connected("dev", "web")
        edges, asked = world.edges, []

        def fail(request: Request) -> None:
            asked.append(request)
            raise failure

        world.api.before = fail
        homes = Homes(lambda _origin: edges)
        for entry in world.hosts.entries():
            with pytest.raises(NodeportError) as caught, homes.visit(entry) as there:
                there.api.send(Request("get", "pods", "look", name="dev"))
            assert caught.value.message == failure.message
        assert len(asked) == times

    def test_context_that_is_gone(self) -> None:
        world = connected()
        done = run(world, ALIAS, home=lambda _origin: nowhere(), here=nowhere)
        assert done.left is not None
        assert "may still be open: no kubeconfig" in done.left.message
        assert world.hosts.written == {}

    def test_another_cluster_behind_the_context(self) -> None:
        world = connected()
        elsewhere = World(api=world.api, connection=make.connection(server="https://another:6443"))
        assert elsewhere.connection.identity != world.connection.identity
        done = run(world, ALIAS, home=lambda _origin: elsewhere.edges)
        assert done.left is not None
        assert "leads to another cluster" in done.left.message
        assert (world.api.log, world.api.services()) == ([], [NAME])
        assert world.hosts.written == {}

    @pytest.mark.parametrize("right", [("get", "services"), ("delete", "services")])
    def test_missing_right(self, right: tuple[str, str]) -> None:
        world = connected()
        world.api.forbid(*right)
        done = run(world, "dev")
        assert done.left is not None
        assert f"the right to {right[0]} services -n default is missing" in done.left.message
        assert (fates(done)[0][0], world.hosts.written) == ("unknown", {})

    def test_label_that_cannot_be_taken_away(self) -> None:
        world = connected()
        world.api.forbid("patch", "pods")
        done = run(world, "dev")
        assert (fates(done), done.left) == ([("deleted", "")], None)
        assert "where they open nothing" in done.notes[0]


class TestNaming:
    def test_nothing_or_two_things(self) -> None:
        world = connected()
        assert "which host" in refused(world).message
        assert "two ways" in refused(world, "dev", all=True).message
        assert "two ways" in refused(world, "dev", selector="a=b").message

    @pytest.mark.parametrize("word", ["dve", "pod/dve", "dev.default.docker-desktp"])
    def test_near_matches(self, word: str) -> None:
        found = refused(connected(), word)
        assert found.message.startswith(f"there is no host {word}")
        assert "dev" in found.hint

    def test_alias_needs_no_kubeconfig_and_a_target_does(self) -> None:
        world = connected()
        found = refused(world, "dev", here=nowhere)
        assert "what pod/dev is cannot be found out: no kubeconfig" in found.message
        assert ALIAS in found.hint
        run(world, ALIAS, here=nowhere)

    def test_target_of_another_namespace(self) -> None:
        world = connected()
        lab = World(api=world.api, connection=replace(world.connection, namespace="lab"))
        assert "there is no host dev, nor one of pod/dev in the namespace" in (
            refused(world, "dev", here=lambda: lab.edges).message
        )

    def test_context_under_a_new_name(self) -> None:
        world = connected()
        renamed = World(api=world.api, connection=replace(world.connection, context="new"))
        assert run(world, "dev", here=lambda: renamed.edges).entries

    def test_alias_before_target(self) -> None:
        world = connected("dev", "web")
        world.connect("web", host="dev")
        assert [e.alias for e in run(world, "dev").entries] == ["dev"]

    def test_user_of_a_target(self) -> None:
        world = connected()
        assert "no host jane@dev" in refused(world, "jane@dev").message

    def test_pods_of_a_workload(self) -> None:
        world = World(
            api=FakeApi(
                follow.pod("api-a", make.UID),
                follow.pod("api-b", OTHER_UID),
                follow.deployment(replicas=2),
                NODE,
            )
        )
        world.connect("api-a")
        world.connect("api-b")
        done = run(world, "deploy/api", dry_run=True)
        assert [e.origin.target for e in done.entries] == ["pod/api-a", "pod/api-b"]
        done = run(world, selector="app=api")
        assert len(done.entries) == 2
        assert "no pod with these labels has a host" in refused(world, selector="a=b").message

    def test_all_of_a_context_or_namespace(self) -> None:
        world = connected("dev", "web")
        for alias, entry in world.hosts.written.items():
            if alias != ALIAS:
                origin = replace(entry.origin, context="far", namespace="lab")
                world.hosts.written[alias] = replace(entry, origin=origin)
        assert run(world, all=True, context="nope").entries == ()
        far = run(world, all=True, context="far", dry_run=True)
        assert far.entries == run(world, all=True, namespace="lab", dry_run=True).entries
        assert [e.origin.target for e in far.entries] == ["pod/web"]
        assert len(run(world, all=True, dry_run=True).entries) == 2

    def test_all_of_nothing(self) -> None:
        done = run(World(), all=True)
        assert (done.entries, done.rules, done.left) == ((), (), None)


def test_hostile_annotations_are_counted_and_not_shown() -> None:
    world = connected()
    found = world.api.get("services", NAME)
    assert found is not None
    found["metadata"]["annotations"]["kubectl-nodeport/user-\x1b[2J\n"] = "x"
    assert service.users(found)
    ((fate, told),) = fates(run(world, "dev"))
    assert (fate, told.isprintable()) == ("kept", True)
