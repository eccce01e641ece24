from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.address.resolution import Proof
from kubectl_nodeport.commands.connect import ConnectRequest, connect
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.homes import Homes, each
from kubectl_nodeport.commands.sync import Synced, SyncRequest, sync
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ApiError, Json, Request
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.ssh.edit import Change, Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.origin import Origin
from tests.commands import test_follow as follow
from tests.commands.fake_api import FakeApi, unreachable
from tests.commands.test_connect import ALIAS
from tests.commands.test_noted import another
from tests.commands.test_rules import NAME, foreign
from tests.commands.world import NODE, FakeExec, FakeHosts, World, inside
from tests.kube import make
from tests.ssh.make import key

OTHER_UID = make.UID.replace("0c3f", "1d4a")
CA = {"certificate-authority-data": "LS0t"}


def world(*objects: Json) -> World:
    """A cluster that TLS vouches for; the pods dev and web unless others are given."""
    pods = objects or (make.pod("dev"), make.pod("web", uid=OTHER_UID))
    connection = make.connection(context="docker-desktop", cluster=CA)
    return World(api=FakeApi(*pods, NODE), connection=connection)


def connected(*names: str) -> World:
    made = world()
    for name in names or ("dev",):
        made.connect(name)
    return made


def following() -> World:
    made = world(follow.deployment(), follow.pod("api-1", "uid-1"))
    connect(ConnectRequest(Target("api", kind="deployment")), made.edges)
    return made


def run(
    made: World, *hosts: str, home: Callable[[Origin], Edges] | None = None, **asked: Any
) -> Synced:
    """Sync, which never changes a cluster."""
    made.api.log.clear()
    made.exec.calls.clear()
    made.resolve.calls.clear()
    objects = copy.deepcopy(made.api.objects)
    homes = Homes(home or (lambda _origin: replace(made.edges, notes=[])))
    done = sync(SyncRequest(hosts, **asked), made.hosts, homes)
    assert made.api.writes() == []
    assert made.api.objects == objects
    return done


def changes(done: Synced) -> list[tuple[str, str, str]]:
    return [(one.entry.alias, one.change, one.told) for one in done.hosts]


def left(made: World, **asked: Any) -> NodeportError:
    """Of a run that has to leave its one entry as it is."""
    before = dict(made.hosts.written), dict(made.hosts.known)
    done = run(made, **asked)
    assert [one.change for one in done.hosts] == ["left"]
    assert (made.hosts.written, made.hosts.known) == before
    assert done.left is not None
    assert done.left.hint
    return done.left


class TestUnchanged:
    def test_what_is_asked(self) -> None:
        made = connected()
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]
        assert made.api.log == [
            "get services/nodeport-dev-ssh",
            "get pods/dev",
            "list services",
            "list pods",
        ]
        assert made.exec.calls == [("default", "dev", "main")]
        ((tried, _, patience_s),) = made.resolve.calls
        assert (tried[0], patience_s) == ("127.0.0.1", 10.0)

    def test_nothing_is_written(self) -> None:
        made = connected()
        made.hosts.error = NodeportError("it is read-only", hint="make it writable")
        assert run(made).left is None

    def test_no_hosts(self) -> None:
        assert run(world()) == Synced(())

    def test_tunnel(self) -> None:
        made = world()
        made.connect(via="tunnel")
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]
        assert made.api.log == ["get pods/dev"]
        assert made.tunnel.calls[-1] == ("default", "dev", 22)

    def test_service_of_others(self) -> None:
        made = world(make.pod("dev"), foreign())
        made.connect()
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]

    def test_one_look_answers_for_entries_of_one_rule(self) -> None:
        made = connected()
        made.connect(host="mine", user="jane")
        assert [one.change for one in run(made).hosts] == ["unchanged", "unchanged"]
        assert (len(made.exec.calls), len(made.resolve.calls)) == (1, 1)

    def test_port_and_container_that_connect_was_told(self) -> None:
        two = make.pod(
            containers=[{"name": "web"}, {"name": "box"}],
            containerStatuses=[{"name": n, "state": {"running": {}}} for n in ("web", "box")],
        )
        made = world(two)
        made.exec.output = inside(port=2222)
        made.connect(port=2222, container="box")
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]
        assert made.exec.calls == [("default", "dev", "box")]


class TestUpdated:
    def test_address(self) -> None:
        made = connected()
        made.resolve.open = {"192.168.5.82"}
        assert changes(run(made)) == [(ALIAS, "updated", "address 192.168.5.82, was 127.0.0.1")]
        assert made.hosts.written[ALIAS].hostname == "192.168.5.82"
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]

    def test_port(self) -> None:
        made = connected()
        before = made.hosts.written[ALIAS]
        found = made.api.get("services", NAME)
        assert found is not None
        found["spec"]["ports"][0]["nodePort"] = 30999
        assert changes(run(made)) == [(ALIAS, "updated", f"port 30999, was {before.port}")]
        assert made.hosts.written[ALIAS] == replace(before, port=30999)

    def test_replaced_pod(self) -> None:
        made = following()
        del made.api.objects["pods", "default", "api-1"]
        made.api.add(follow.pod("api-2", "uid-2"))
        made.exec.output, made.tunnel.key = inside(key(2)), key(2)
        ((alias, change, told),) = changes(run(made))
        assert (change, told) == ("updated", "another pod, new host keys")
        assert made.hosts.known[alias] == (key(2),)
        assert made.hosts.written[alias].origin.pod_uid == "uid-2"
        assert made.hosts.written[alias].origin.made_rule, "the rule is the same"
        assert run(made).hosts[0].change == "unchanged"

    def test_successor_of_a_stateful_sets_pod(self) -> None:
        made = world(follow.web_0("uid-1"))
        made.connect("web-0")
        made.api.add(follow.web_0("uid-2"))
        made.exec.output, made.tunnel.key = inside(key(2)), key(2)
        assert changes(run(made))[0][1:] == ("updated", "another pod, new host keys")

    def test_replaced_pod_behind_a_tunnel(self) -> None:
        made = world(follow.deployment(), follow.pod("api-1", "uid-1"))
        connect(ConnectRequest(Target("api", kind="deployment"), via="tunnel"), made.edges)
        del made.api.objects["pods", "default", "api-1"]
        made.api.add(follow.pod("api-2", "uid-2"))
        made.exec.output, made.tunnel.key = inside(key(2)), key(2)
        ((alias, change, _),) = changes(run(made))
        assert (change, made.hosts.known[alias]) == ("updated", (key(2),))
        assert made.hosts.written[alias].is_tunnel

    @pytest.mark.parametrize("via", ["nodeport", "tunnel"])
    def test_keys_that_the_pods_port_shows(self, via: str) -> None:
        """Without a shell in the container."""
        made = world()
        made.connect(via=via)
        made.exec = FakeExec(output=b"", exit_code=127)
        assert changes(run(made)) == [(ALIAS, "unchanged", "")]
        made.tunnel.key = made.resolve.shown = key(2)
        assert changes(run(made)) == [(ALIAS, "updated", "new host keys")]
        assert made.hosts.known[ALIAS] == (key(2),)

    def test_all_entries_of_the_rule(self) -> None:
        made = connected()
        made.connect(host="mine", user="jane")
        made.resolve.open = {"192.168.5.82"}
        assert [one.change for one in run(made).hosts] == ["updated", "updated"]
        found = made.hosts.written
        assert {e.hostname for e in found.values()} == {"192.168.5.82"}
        assert (found["mine"].user, found[ALIAS].user) == ("jane", "root")

    def test_rule_that_another_made_anew(self) -> None:
        made = connected()
        del made.api.objects["services", "default", NAME]
        jane = another(made)
        jane.connection = made.connection
        jane.connect()
        assert changes(run(made)) == [(ALIAS, "updated", "its rule was made anew")]
        origin = made.hosts.written[ALIAS].origin
        assert (origin.made_rule, origin.noted) == (False, "")

    def test_dry_run(self) -> None:
        made = connected("dev", "web")
        made.resolve.open = {"192.168.5.82"}
        del made.api.objects["pods", "default", "web"]
        written = dict(made.hosts.written)
        done = run(made, dry_run=True)
        assert [one.change for one in done.hosts] == ["updated", "removed"]
        assert "-Host web.default.docker-desktop\n" in done.preview
        assert made.hosts.written == written

    def test_keys_that_nobody_vouches_for(self) -> None:
        insecure = {"insecure-skip-tls-verify": True}
        connection = make.connection(context="docker-desktop", cluster=insecure)
        made = World(api=FakeApi(make.pod("dev"), NODE), connection=connection)
        made.connect()
        assert run(made).left is None
        made.exec.output, made.tunnel.key = inside(key(2)), key(2)
        assert "nobody vouches for the API server's word" in left(made).message

    def test_address_that_is_not_proven(self) -> None:
        made = connected()
        made.resolve.proof = Proof.SHARED_KEY
        assert run(made).left is None, "it was written when it was proven"
        made.resolve.open = {"192.168.5.82"}
        assert "that it is this pod is not proven" in left(made).message


class TestRemoved:
    def test_pod_that_is_gone(self) -> None:
        made = connected("dev", "web")
        del made.api.objects["pods", "default", "web"]
        done = run(made)
        assert changes(done)[1][1:] == (
            "removed",
            'no pod "web" in the namespace "default" of the context "docker-desktop"',
        )
        assert list(made.hosts.written) == list(made.hosts.known) == [ALIAS]
        assert done.left is None

    @pytest.mark.parametrize("with_rule", [True, False])
    def test_with_and_without_its_rule(self, with_rule: bool) -> None:
        """The garbage collector takes the rule a moment after the pod."""
        made = connected()
        del made.api.objects["pods", "default", "dev"]
        if not with_rule:
            del made.api.objects["services", "default", NAME]
        assert changes(run(made))[0][1] == "removed"

    def test_pod_behind_a_tunnel(self) -> None:
        made = world()
        made.connect(via="tunnel")
        del made.api.objects["pods", "default", "dev"]
        assert changes(run(made))[0][1] == "removed"

    def test_workload_that_is_gone(self) -> None:
        made = following()
        del made.api.objects["pods", "default", "api-1"]
        del made.api.objects["deployments", "default", "api"]
        ((_, change, told),) = changes(run(made))
        assert (change, told.startswith('no deployment "api" in')) == ("removed", True)


class TestLeft:
    def test_rule_that_is_gone(self) -> None:
        made = connected()
        del made.api.objects["services", "default", NAME]
        failure = left(made)
        assert failure.message == (
            f"left as they are: {ALIAS}: its rule is gone: there is no service nodeport-dev-ssh"
        )
        assert failure.hint == "kubectl nodeport connect dev -n default"

    def test_command_has_what_connect_was_told(self) -> None:
        made = world()
        made.connect(host="mine", rule_name="shell")
        made.api.objects = {at: one for at, one in made.api.objects.items() if at[0] != "services"}
        assert left(made).hint == (
            "kubectl nodeport connect dev -n default --name shell --host mine"
        )

    def test_pod_that_took_the_name(self) -> None:
        made = connected()
        made.api.add(make.pod("dev", uid="a-new-uid"))
        assert "does not lead to the pod that is there now" in left(made).message

    def test_rule_whose_type_was_changed(self) -> None:
        made = connected()
        found = made.api.get("services", NAME)
        assert found is not None
        found["spec"] |= {"type": "ClusterIP", "ports": []}
        assert "has no NodePort" in left(made).message

    def test_no_address(self) -> None:
        made = connected()
        made.resolve.open = set()
        assert "answers at no address from here" in left(made).message

    def test_pod_of_a_stateful_set_between_two(self) -> None:
        made = world(follow.web_0("uid-1"))
        made.connect("web-0")
        del made.api.objects["pods", "default", "web-0"]
        assert "its rule waits for a successor" in left(made).message

    def test_deployment_that_is_scaled_to_none(self) -> None:
        made = following()
        del made.api.objects["pods", "default", "api-1"]
        made.api.add(follow.deployment(replicas=0))
        assert "scaled to 0 replicas" in left(made).message

    def test_deployment_that_is_not_followed_any_more(self) -> None:
        made = following()
        made.api.add(follow.deployment(replicas=2))
        made.api.add(follow.pod("api-2", "uid-2"))
        assert "does not follow deployment api any more" in left(made).message

    @pytest.mark.parametrize("right", [("get", "services"), ("get", "pods"), ("list", "services")])
    @pytest.mark.parametrize("is_gone", [False, True])
    def test_missing_right(self, right: tuple[str, str], is_gone: bool) -> None:
        made = connected()
        if is_gone and right != ("list", "services"):
            del made.api.objects["pods", "default", "dev"]
        made.api.forbid(*right)
        assert f"the right to {' '.join(right)} -n default is missing" in left(made).message

    def test_keys_that_nobody_tells(self) -> None:
        """Neither exec nor the pod's port is allowed: those of the entry have to be shown."""
        made = connected()
        made.exec.error = NodeportError("the right to get pods/exec is missing", hint="ask for it")
        made.tunnel.error = ApiError("no port-forward", hint="ask for it", status=403)
        assert run(made).hosts[0].change == "unchanged"
        made.resolve.shown = key(2)
        assert "nobody vouches for another" in left(made).message

    @pytest.mark.parametrize(
        "refusal",
        [
            (404, "NotFound", "the server could not find the requested resource"),
            (404, "NotFound", 'namespaces "default" not found'),
            (404, "NotFound", 'pods "another" not found'),
            (401, "Unauthorized", "Unauthorized"),
            (500, "InternalError", "etcdserver: request timed out"),
            (503, "ServiceUnavailable", "try later"),
        ],
    )
    @pytest.mark.parametrize("resource", ["pods", "services"])
    def test_answers_that_are_not_clear(self, refusal: tuple[int, str, str], resource: str) -> None:
        made = connected()
        made.api.refused[f"get {resource}"] = refusal
        assert ALIAS in left(made).message

    def test_cluster_that_does_not_answer(self) -> None:
        made = connected("dev", "web")
        asked = []

        def fail(request: Request) -> None:
            asked.append(request)
            raise unreachable()

        made.api.before = fail
        done = run(made)
        assert [one.change for one in done.hosts] == ["left", "left"]
        assert done.left is not None
        assert done.left.message.count("broke off its answer") == 1, "once for both"

    def test_another_cluster_behind_the_context(self) -> None:
        made = connected()
        elsewhere = make.connection(server="https://another:6443")
        del made.api.objects["pods", "default", "dev"]

        def home(_origin: Origin) -> Edges:
            return replace(made.edges, connection=elsewhere)

        assert "leads to another cluster" in left(made, home=home).message
        assert made.api.log == []

    def test_context_that_is_gone(self) -> None:
        def home(_origin: Origin) -> Edges:
            raise NodeportError('context "x" does not exist', hint="…")

        assert 'context "x" does not exist' in left(connected(), home=home).message

    def test_cluster_that_takes_too_long(self) -> None:
        made = connected()
        until = threading.Event()

        def wait(_request: Request) -> None:
            until.wait(30)

        made.api.before = wait
        began = time.monotonic()
        assert "no answer within 0.2 s" in left(made, timeout_s=0.2).message
        assert time.monotonic() - began < 20
        until.set()


class TestSeveral:
    def two_clusters(self) -> tuple[World, World, Callable[[Origin], Edges]]:
        near = connected()
        far = world()
        far.connection = make.connection(
            server="https://far:6443", context="far", cluster={"certificate-authority-data": "LS0u"}
        )
        far.hosts = near.hosts
        far.connect("web")
        worlds = {"docker-desktop": near, "far": far}
        return near, far, lambda origin: worlds[origin.context].edges

    def test_one_that_does_not_answer_keeps_no_other(self) -> None:
        near, far, home = self.two_clusters()

        def fail(_request: Request) -> None:
            raise unreachable()

        far.api.before = fail
        near.resolve.open = {"192.168.5.82"}
        done = run(near, home=home)
        assert [one.change for one in done.hosts] == ["updated", "left"]
        assert near.hosts.written[ALIAS].hostname == "192.168.5.82"
        assert done.left is not None
        assert done.left.message.startswith("left as they are: web.default.far: the API server")

    def test_by_alias_context_and_namespace(self) -> None:
        near, _, home = self.two_clusters()
        for asked in ({"context": "far"}, {"hosts": ("web.default.far",)}):
            assert [a for a, _, _ in changes(run_with(near, home, **asked))] == ["web.default.far"]
        assert run(near, namespace="lab", home=home).hosts == ()
        assert run(near, "web.default.far", context="docker-desktop", home=home).hosts == ()
        with pytest.raises(NodeportError, match="there is no host web") as caught:
            run(near, "web", home=home)
        assert caught.value.hint == "did you mean: web.default.far"

    def test_at_once_and_not_too_many(self) -> None:
        running, most = set[int](), 0
        lock = threading.Lock()

        def work(number: int) -> int:
            nonlocal most
            with lock:
                running.add(number)
                most = max(most, len(running))
            time.sleep(0.02)
            with lock:
                running.discard(number)
            return number * 2

        assert each(range(30), work) == [number * 2 for number in range(30)]
        assert 1 < most <= 8
        assert each((), work) == []

    def test_notes_are_the_hosts_own(self) -> None:
        made = connected("dev", "web")
        made.api.forbid("list", "pods")
        done = run(made)
        assert all("not proven that the rule reaches" in one.notes[0] for one in done.hosts)


def run_with(made: World, home: Callable[[Origin], Edges], **asked: Any) -> Synced:
    return run(made, *asked.pop("hosts", ()), home=home, **asked)


class _Hosts(FakeHosts):
    """A file that refuses one alias, or that somebody else writes to meanwhile."""

    refuses = ""
    meanwhile: Callable[[], None] | None = None

    def entries(self) -> tuple[HostEntry, ...]:
        found = super().entries()
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        return found

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        if any(entry.alias == self.refuses for entry, _ in edit.wanted):
            raise NodeportError("line 3 overrules it", hint="--include")
        return super().apply(edit)


class TestFile:
    def test_one_that_cannot_be_written_keeps_no_other(self) -> None:
        made = world()
        made.hosts = _Hosts()
        made.connect("dev")
        made.connect("web")
        made.resolve.open = {"192.168.5.82"}
        made.hosts.refuses = ALIAS
        done = run(made)
        assert [one.change for one in done.hosts] == ["left", "updated"]
        assert [e.hostname for e in made.hosts.written.values()] == ["127.0.0.1", "192.168.5.82"]
        assert done.left is not None
        assert done.left.message == f"left as they are: {ALIAS}: line 3 overrules it"

    @pytest.mark.parametrize("what", ["changed", "removed"])
    def test_what_another_run_did_meanwhile_stays(self, what: str) -> None:
        made = world()
        made.hosts = hosts = _Hosts()
        made.connect()

        def act() -> None:
            if what == "removed":
                del hosts.written[ALIAS]
            else:
                hosts.written[ALIAS] = replace(hosts.written[ALIAS], user="jane")

        made.resolve.open = {"192.168.5.82"}
        hosts.meanwhile = act
        done = run(made)
        assert done.left is not None
        assert "changed by another run meanwhile" in done.left.message
        assert [e.user for e in hosts.written.values()] == (["jane"] if what == "changed" else [])
