from __future__ import annotations

import copy
import dataclasses
import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.address.resolution import Proof, Verdict
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request
from tests.commands.fake_api import FakeApi, unreachable
from tests.commands.test_rules import ANNOTATION, LABEL, NAME, foreign, is_clean
from tests.commands.world import NODE, FakeExec, World, inside, rule
from tests.kube import make
from tests.ssh.make import key

ALIAS = "dev.default.docker-desktop"


def failure(world: World, name: str = "dev", **asked: Any) -> NodeportError:
    """Of a run that has no other way than a NodePort, unless it is said."""
    with pytest.raises(NodeportError) as caught:
        world.connect(name, **{"via": "nodeport", **asked})
    assert caught.value.hint
    return caught.value


class TestRequests:
    def test_new_rule_in_six_with_the_exec(self) -> None:
        world = World()
        done = world.connect()
        assert sorted(world.api.log) == [
            "create services",
            "get nodes/node-1",
            "get pods/dev",
            "list services",
            "patch pods/dev",
        ]
        assert world.api.log[0] == "get pods/dev"
        assert world.api.log[-2:] == ["create services", "patch pods/dev"], "looked before made"
        assert world.exec.calls == [("default", "dev", "main")]
        assert rule(done).made_now
        assert done.entry_change == "created"

    def test_standing_rule_in_four_with_the_exec(self) -> None:
        world = World()
        first = world.connect()
        objects = copy.deepcopy(world.api.objects)
        second = world.connect()
        assert world.api.log == ["get pods/dev", "list services", "list pods"]
        assert len(world.exec.calls) == 1
        assert world.api.objects == objects
        assert second.entry_change == "unchanged"
        assert not rule(second).made_now
        assert second.entry == first.entry

    def test_node_is_read_where_a_standing_rule_does_not_answer_at_once(self) -> None:
        world = World()
        world.connect()
        world.resolve.open.clear()
        failure(world)
        looked = ["get pods/dev", "list services", "list pods", "get nodes/node-1", "list nodes"]
        assert world.api.log == looked
        ((tried, _, timeout_s),) = world.resolve.calls
        assert tried == ("127.0.0.1", "192.168.5.82"), "each once"
        assert timeout_s == 60.0
        assert world.api.services() == [NAME], "a rule of an earlier run stays"

    def test_exec_is_asked_in_the_container_that_declares_the_port(self) -> None:
        two = make.pod(
            containers=[{"name": "web"}, {"name": "box", "ports": [{"containerPort": 2222}]}],
            containerStatuses=[{"name": n, "state": {"running": {}}} for n in ("web", "box")],
        )
        world = World(FakeApi(two, NODE), FakeExec(inside(port=2222)))
        world.connect(port=2222)
        assert world.exec.calls == [("default", "dev", "box")]
        world.connect(port=2222, container="web")
        assert world.exec.calls == [("default", "dev", "web")]


class TestResult:
    def test_entry(self) -> None:
        world = World()
        done = world.connect()
        entry = world.hosts.written[ALIAS]
        assert entry == done.entry
        assert (entry.hostname, entry.port) == ("127.0.0.1", rule(done).node_port)
        assert (entry.user, entry.identity_file) == ("root", None)
        assert world.hosts.known[ALIAS] == (key(1),)
        origin = entry.origin
        assert (origin.context, origin.namespace, origin.target) == (
            "docker-desktop",
            "default",
            "pod/dev",
        )
        assert origin.cluster == world.connection.identity
        assert (origin.pod_uid, origin.rule, origin.service) == (make.UID, "ssh", NAME)
        assert origin.creation == rule(done).id
        assert origin.made_rule
        assert done.home == "/root"
        assert done.notes == ()

    def test_entry_still_says_who_made_the_rule_after_a_second_run(self) -> None:
        world = World()
        world.connect()
        assert world.connect().entry.origin.made_rule

    def test_rule_of_others_is_not_this_entrys(self) -> None:
        world = World(FakeApi(make.pod("dev"), NODE, foreign()))
        done = world.connect()
        assert (rule(done).service, rule(done).ours) == ("theirs", False)
        assert (done.entry.origin.service, done.entry.origin.creation) == ("theirs", "")
        assert not done.entry.origin.made_rule
        assert world.api.writes() == []

    def test_previous_address_is_tried_first(self) -> None:
        world = World()
        world.resolve.open = {"192.168.5.82"}
        assert world.connect().entry.hostname == "192.168.5.82"
        world.connect()
        assert world.resolve.calls[0][0][0] == "192.168.5.82"
        assert len(set(world.resolve.calls[0][0])) == len(world.resolve.calls[0][0])

    def test_user_given_then_kept_then_the_containers(self) -> None:
        world = World(exec=FakeExec(inside(user="worker")))
        assert world.connect().entry.user == "worker"
        assert world.connect(user="jane").entry.user == "jane"
        assert world.connect().entry.user == "jane"
        assert world.connect(user="worker").entry.user == "worker"

    def test_identity_given_then_kept(self) -> None:
        world = World()
        assert world.connect(identity_file="/keys/a").entry.identity_file == "/keys/a"
        assert world.connect().entry.identity_file == "/keys/a"
        assert world.connect(identity_file="/keys/b").entry.identity_file == "/keys/b"

    def test_pod_that_is_not_ready_is_reached_and_told(self) -> None:
        unready = make.pod("dev", conditions=[{"type": "Ready", "status": "False"}])
        done = World(FakeApi(unready, NODE)).connect()
        assert done.notes == ("pod dev is not ready; it is reached all the same",)

    def test_standing_rule_is_probed_by_what_the_kubeconfig_tells(self) -> None:
        world = World()
        world.connect()
        world.hosts.written.clear()
        world.resolve.open = {"192.168.5.82"}
        world.connect()
        assert world.resolve.calls[0][0] == ("127.0.0.1", "192.168.5.82")

    def test_what_is_not_proven_is_told(self) -> None:
        world = World()
        world.api.forbid("list", "pods")
        assert world.connect().notes == ()
        assert "not proven that the rule reaches this pod alone" in world.connect().notes[0]

    def test_without_the_right_to_read_nodes(self) -> None:
        world = World()
        world.api.forbid("get", "nodes")
        world.resolve.open = {"192.168.5.82"}
        done = world.connect()
        assert done.entry.hostname == "192.168.5.82", "the pod tells its node's address"
        assert world.resolve.calls[0][0][0] == "127.0.0.1", "the kubeconfig is believed then"
        assert "without the right to get nodes" in done.notes[0]

    def test_replaced_pod_gets_a_new_rule_and_its_keys(self) -> None:
        world = World()
        first = world.connect()
        world.api.add(make.pod("dev", uid="a-new-uid"))
        world.exec.output, world.tunnel.key = inside(key(2)), key(2)
        second = world.connect()
        assert rule(second).made_now
        assert second.entry_change == "updated"
        assert second.entry.port == first.entry.port
        assert second.entry.origin.pod_uid == "a-new-uid"
        assert world.hosts.known[ALIAS] == (key(2),)


class TestDryRun:
    def test_new_rule(self) -> None:
        world = World()
        objects = copy.deepcopy(world.api.objects)
        done = world.connect(dry_run=True)
        assert world.api.writes() == []
        assert world.api.objects == objects
        assert world.hosts.written == {}
        assert world.resolve.calls == []
        assert (done.dry_run, done.entry_change, done.way.answer) == (True, "created", None)
        assert rule(done).node_port == 30086 + (rule(done).node_port - 30086) % 2682
        assert done.preview == f"+Host {ALIAS} with 1 key(s)\n"

    def test_port_told_is_the_port_made(self) -> None:
        world = World()
        told = rule(world.connect(dry_run=True)).node_port
        assert rule(world.connect()).node_port == told

    def test_standing_rule_is_probed(self) -> None:
        world = World()
        world.connect()
        written = dict(world.hosts.written)
        done = world.connect(dry_run=True, user="jane")
        assert world.api.writes() == []
        assert done.way.answer is not None
        assert done.entry.user == "jane"
        assert world.hosts.written == written

    def test_refusals_are_told_too(self) -> None:
        world = World(exec=FakeExec(inside(port=80)))
        assert "nothing listens on port 22" in failure(world, dry_run=True).message

    def test_a_replaced_pods_rule_is_foretold_as_it_will_be_made(self) -> None:
        world = World()
        world.connect()
        (service,) = world.api.services()
        stale = world.api.get("services", service)
        assert stale is not None
        stale["spec"]["ports"][0]["nodePort"] = 30999
        world.api.add(make.pod("dev", uid="a-new-uid"))
        told = world.connect(dry_run=True)
        assert rule(told).node_port == 30999
        assert rule(told).ours
        assert "the rule of an earlier pod of this name would be replaced" in told.notes
        assert rule(world.connect()).node_port == 30999


class TestNothingIsLeftBehind:
    @pytest.mark.parametrize(
        ("verdict", "message", "hint"),
        [
            (Verdict.REFUSED, "answers at no address from here", "docker desktop restart"),
            (Verdict.TIMED_OUT, "answers at no address from here", "docker desktop restart"),
            (
                Verdict.NOT_SSH,
                "port 22 of pod dev is open, but no ssh server is behind it",
                "--port",
            ),
            (
                Verdict.OTHER_KEY,
                f"is not pod dev: its host key is another's than the pod's ({key(1).fingerprint})",
                "restart it",
            ),
            (Verdict.OTHER_POD, "has pod dev's host key and is another", "--node-port"),
        ],
    )
    def test_probe_finds_nothing(self, verdict: Verdict, message: str, hint: str) -> None:
        world = World()
        world.resolve.open.clear()
        world.resolve.verdict = verdict
        told = failure(world)
        assert message in told.message
        assert f"127.0.0.1: {verdict.value}" in told.message, "each candidate with its failure"
        assert f"192.168.5.82: {verdict.value}" in told.message
        assert hint in told.hint
        assert is_clean(world.api)
        assert world.hosts.written == {}

    @pytest.mark.parametrize(
        "error",
        [NodeportError("the disk is full", hint="…"), KeyboardInterrupt(), SystemExit(143)],
    )
    @pytest.mark.parametrize("where", ["resolve", "hosts"])
    def test_later_step_fails(self, where: str, error: BaseException) -> None:
        world = World()
        getattr(world, where).error = error
        with pytest.raises(type(error)):
            world.connect()
        assert is_clean(world.api)
        assert f"delete services/{NAME}" in world.api.log

    def test_rule_of_an_earlier_run_stays_when_a_later_step_fails(self) -> None:
        world = World()
        world.connect()
        world.hosts.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            world.connect()
        assert world.api.services() == [NAME]
        found = world.api.get("pods", "dev")
        assert found is not None
        assert LABEL in found["metadata"]["labels"]
        assert ANNOTATION in found["metadata"]["annotations"]

    def test_rule_of_others_stays_when_a_later_step_fails(self) -> None:
        world = World(FakeApi(make.pod("dev"), NODE, foreign()))
        world.resolve.open.clear()
        failure(world)
        assert world.api.services() == ["theirs"]
        assert world.api.writes() == []

    def test_clean_up_fails_and_names_what_is_left(self) -> None:
        world = World()
        world.resolve.open.clear()

        def cut_off() -> None:
            world.api.before = lambda _request: (_ for _ in ()).throw(unreachable())

        world.resolve.seen = cut_off
        told = failure(world)
        assert "answers at no address from here" in told.message, "the first failure is told too"
        assert f"service {NAME} is left behind" in told.message
        assert "the label kubectl-nodeport/ssh of pod dev is left behind" in told.message
        assert told.hint == (
            f"kubectl delete service {NAME} -n default; "
            "kubectl label pod dev -n default kubectl-nodeport/ssh-"
        )

    def test_interrupted_and_clean_up_fails(self) -> None:
        world = World()
        world.api.forbid("delete", "services")
        world.resolve.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt) as caught:
            world.connect()
        left = caught.value.__cause__
        assert isinstance(left, NodeportError)
        assert f"service {NAME} is left behind" in left.message

    def test_signals_while_the_rule_is_made_wait_until_it_can_be_undone(self) -> None:
        world = World()

        def ctrl_c(request: Request) -> None:
            if request.verb == "create":
                signal.raise_signal(signal.SIGINT)

        world.api.after = ctrl_c
        with pytest.raises(KeyboardInterrupt):
            world.connect()
        assert "patch pods/dev" in world.api.log, "the rule was made whole first"
        assert world.api.services() == []
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_second_signal_does_not_stop_the_clean_up(self) -> None:
        world = World()
        world.resolve.error = KeyboardInterrupt()

        def again(request: Request) -> None:
            if request.verb == "delete":
                signal.raise_signal(signal.SIGINT)

        world.api.before = again
        with pytest.raises(KeyboardInterrupt):
            world.connect()
        assert world.api.services() == []
        assert is_clean(world.api)

    @pytest.mark.parametrize(
        "asked",
        [
            {"host": "Bad Alias"},
            {"host": "a\nProxyCommand x"},
            {"user": "-oProxyCommand=x"},
            {"identity_file": "/keys/a\nb"},
        ],
    )
    def test_value_that_cannot_be_written_is_refused_before_anything_is_made(
        self, asked: dict[str, Any]
    ) -> None:
        world = World()
        failure(world, **asked)
        assert world.api.writes() == []

    def test_unknown_user_is_refused_before_anything_is_made(self) -> None:
        world = World(exec=FakeExec(inside(user="")))
        told = failure(world)
        assert told.hint == "say it: kubectl nodeport connect USER@dev"
        assert world.api.writes() == []


class TestPod:
    def test_unknown_pod_has_near_matches(self) -> None:
        world = World(
            FakeApi(make.pod("dev-0"), make.pod("dev-1", uid="x"), make.pod("web", uid="y"))
        )
        told = failure(world, "dev")
        assert told.message == (
            'no pod "dev" in the namespace "default" of the context "docker-desktop"'
        )
        assert told.hint == "did you mean: dev-0, dev-1"
        assert world.api.requests[-1].names_only

    @pytest.mark.parametrize("refused", [True, False])
    def test_unknown_pod_without_near_matches(self, refused: bool) -> None:
        world = World(FakeApi(make.pod("dev")))
        if refused:
            world.api.forbid("list", "pods")
        assert failure(world, "zzz").hint.startswith("kubectl get pods -n default lists")

    def test_odd_list_of_pods(self) -> None:
        class Odd(FakeApi):
            def _list(self, request: Request) -> Json:  # noqa: ARG002
                return {"items": [None, 7, {}, {"metadata": []}, {"metadata": {"name": "dev-1"}}]}

        assert failure(World(Odd()), "dev").hint == "did you mean: dev-1"

    def test_unusable_pod_costs_one_request(self) -> None:
        world = World(FakeApi(make.pod("dev", phase="Succeeded")))
        assert "has completed" in failure(world).message
        assert world.api.log == ["get pods/dev"]
        assert world.exec.calls == []

    def test_unknown_container(self) -> None:
        world = World()
        told = failure(world, container="gone")
        assert told.message == "pod dev has no container gone"
        assert told.hint == "name one with -c; its containers: main"

    @pytest.mark.parametrize("name", ["../evil\n", "", "a/b"])
    def test_answer_for_a_pod_of_another_name_is_not_believed(self, name: str) -> None:
        """Nothing sane answers so; a rule for a name nobody asked for must not come of it."""
        api = FakeApi(make.pod("dev"))
        found = api.get("pods", "dev")
        assert found is not None
        found["metadata"] |= {"name": name}
        world = World(api)
        failure(world)
        assert world.api.writes() == []


class TestInside:
    @pytest.mark.parametrize(
        ("output", "message", "hint"),
        [
            (inside(port=2222), "nothing listens on port 22 of pod dev (open: 2222)", "--port"),
            (inside(loopback=True), "takes connections from inside the pod alone", "ListenAddress"),
            (b"table x\nend\n", "nothing listens on port 22 of pod dev", "ssh server"),
        ],
    )
    def test_nothing_to_reach_is_told_before_anything_is_made(
        self, output: bytes, message: str, hint: str
    ) -> None:
        world = World(exec=FakeExec(output))
        told = failure(world)
        assert message in told.message
        assert hint in told.hint
        assert world.api.writes() == []

    def test_port_that_was_given_beside_one_that_is_open(self) -> None:
        world = World()
        told = failure(world, port=8080)
        assert told.message == "nothing listens on port 8080 of pod dev (open: 22)"
        assert told.hint == "port 22 is open: kubectl nodeport connect dev -n default --port 22"
        assert world.connect(port=22).entry_change == "created"

    @pytest.mark.parametrize(
        ("output", "asked", "other"),
        [
            (inside(port=8080), {}, "say with --port where one listens"),
            (inside(port=8080), {"port": 2222}, "say with --port where one listens"),
            (inside(loopback=True), {"port": 2222}, "start one in the container"),
            (b"table x\nend\n", {}, "start one in the container"),
        ],
    )
    def test_hint_where_nothing_listens(
        self, output: bytes, asked: dict[str, Any], other: str
    ) -> None:
        told = failure(World(exec=FakeExec(output)), **asked)
        bring = "bring an ssh server along: kubectl nodeport connect dev -n default --with-sshd"
        assert told.hint == f"{bring}; or {other}"

    def test_ports_without_number_are_not_all_told(self) -> None:
        ports = b"".join(f"listen 00000000:{port:04X}\n".encode() for port in range(100, 60_000))
        told = failure(World(exec=FakeExec(b"table x\n" + ports + b"end\n")))
        assert told.message.endswith("(open: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, …)")


class TestAlias:
    def test_asked_for(self) -> None:
        world = World()
        assert world.connect(host="box").entry.alias == "box"
        assert world.connect(host="box").entry_change == "unchanged"

    def test_users_own_host_is_never_shadowed(self) -> None:
        world = World()
        world.hosts.foreign = {ALIAS, "box"}
        for asked in ({}, {"host": "box"}):
            told = failure(world, **asked)
            assert "that kubectl nodeport did not make" in told.message
            assert "--host" in told.hint
            assert world.api.writes() == []

    def test_alias_of_another_rule_gets_a_hash(self) -> None:
        world = World(exec=FakeExec(inside(port=2222)))
        first = world.connect(port=2222, rule_name="other").entry
        world.exec.output = inside()
        second = world.connect().entry
        assert first.alias == ALIAS
        assert second.alias.startswith(f"{ALIAS}-")
        assert len(second.alias) == len(ALIAS) + 5
        assert world.connect().entry_change == "unchanged"
        assert world.connect().entry.alias == second.alias

    def test_hashed_alias_that_is_the_users_own(self) -> None:
        world = World(exec=FakeExec(inside(port=2222)))
        world.connect(port=2222, rule_name="other")
        world.exec.output = inside()
        hashed = world.connect(dry_run=True).entry.alias
        world.hosts.foreign = {hashed}
        assert f"Host {hashed} that" in failure(world).message

    def test_asked_for_but_leads_elsewhere(self) -> None:
        world = World(FakeApi(make.pod("dev"), make.pod("web", uid="w"), NODE))
        world.connect("web", host="box")
        before = dict(world.hosts.written)
        told = failure(world, host="box")
        assert told.message == (
            'the Host entry box leads to pod/web in the namespace "default" '
            'of the context "docker-desktop"'
        )
        assert told.hint.endswith("take that host away first: kubectl nodeport disconnect box")
        assert world.hosts.written == before

    @pytest.mark.parametrize("host", [None, "box"])
    def test_context_that_now_points_to_another_cluster(self, host: str | None) -> None:
        world = World()
        world.connect(host=host)
        before = dict(world.hosts.written)
        world.connection = replace(world.connection, cluster={"server": "https://127.0.0.1:7443"})
        world.api = FakeApi(make.pod("dev", uid="elsewhere"), NODE)
        told = failure(world, host=host)
        assert "which was another cluster then" in told.message
        alias = host or ALIAS
        assert told.hint.endswith(f"kubectl nodeport disconnect {alias} --keep-rule")
        assert world.api.writes() == []
        assert world.hosts.written == before

    def test_same_cluster_under_another_context_is_another_alias(self) -> None:
        world = World()
        first = world.connect().entry
        world.connection = dataclasses.replace(world.connection, context="second")
        second = world.connect().entry
        assert (first.alias, second.alias) == (ALIAS, "dev.default.second")


OTHER_NODE: Json = {
    "kind": "Node",
    "metadata": {"name": "node-2"},
    "spec": {},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.168.5.99"}]},
}
PUBLIC_NODE: Json = {
    **NODE,
    "status": {
        **NODE["status"],
        "addresses": [{"type": "ExternalIP", "address": "203.0.113.7"}],
        "nodeInfo": {"osImage": "Ubuntu"},
    },
}


def with_passwords(allowed: str) -> FakeExec:
    return FakeExec(f"sshd passwordauthentication {allowed}\n".encode() + inside())


class TestTunnel:
    """Without a NodePort: asked for, or where none serves."""

    def test_asked_for(self) -> None:
        world = World()
        done = world.connect(via="tunnel")
        assert world.api.log == ["get pods/dev"], "Services are not even looked at"
        assert world.tunnel.calls == [("default", "dev", 22)]
        assert world.resolve.calls == []
        entry = world.hosts.written[ALIAS]
        assert entry == done.entry
        assert entry.is_tunnel
        assert (entry.hostname, entry.port) == (ALIAS, 22)
        assert entry.program == ("/opt/kubectl-nodeport", "proxy")
        assert (entry.origin.service, entry.origin.creation) == ("", "")
        assert done.notes == ()

    def test_server_on_the_pods_loopback_is_reached(self) -> None:
        world = World(exec=FakeExec(inside(loopback=True)))
        assert "--via tunnel" in failure(world).hint
        assert world.connect(via="tunnel").entry.is_tunnel
        assert world.connect().entry_change == "unchanged"
        assert "from inside the pod alone" in failure(world, via="nodeport").message

    def test_takes_the_place_of_what_does_not_answer(self) -> None:
        world = World()
        world.resolve.open.clear()
        done = world.connect()
        assert is_clean(world.api), "a NodePort that nobody here reaches may be open to others"
        assert done.entry.is_tunnel
        reached, mend, instead = done.notes
        assert "answers at no address from here; tried 127.0.0.1: refused" in reached
        assert "192.168.5.82: refused" in reached
        assert mend.startswith("what may mend that: Docker Desktop forwards port")
        assert instead.endswith("through the API server instead; no NodePort stays open")
        assert [a.candidate.address for a in done.way.attempts] == ["127.0.0.1", "192.168.5.82"]

    def test_rule_of_an_earlier_run_is_named(self) -> None:
        world = World()
        world.connect()
        world.resolve.open.clear()
        done = world.connect()
        assert world.api.services() == [NAME]
        assert (
            f"service {NAME} stays open; remove it with: kubectl nodeport delete dev"
            in (done.notes[-1])
        )
        assert done.entry.is_tunnel

    def test_node_port_of_an_earlier_run_is_named_and_kept_in_mind(self) -> None:
        """Whoever removes the entry has to know of the rule."""
        world = World()
        first = world.connect().entry.origin
        done = world.connect(via="tunnel")
        (note,) = done.notes
        assert note.startswith(
            f"service {NAME} stays open; remove it with: kubectl nodeport delete"
        )
        origin = done.entry.origin
        assert (origin.service, origin.creation) == (first.service, first.creation)
        assert origin.made_rule

    def test_secrets_and_no_address_are_told_together(self) -> None:
        world = World()
        world.resolve.open.clear()
        world.secret = True
        told = failure(world, via="auto")
        assert "answers at no address from here; tried 127.0.0.1" in told.message
        assert told.message.endswith("; and through the API server: no secrets")
        assert is_clean(world.api)

    def test_dry_run_tells_what_a_run_does(self) -> None:
        world = World()
        world.connect()
        world.resolve.open.clear()
        done = world.connect(dry_run=True)
        assert (done.entry.is_tunnel, done.entry_change) == (True, "updated")
        assert "through the API server instead" in done.notes[-1]

    def test_entry_that_goes_that_way_stays_so(self) -> None:
        """Until a NodePort is asked for."""
        world = World()
        world.connect(via="tunnel")
        again = world.connect()
        assert (again.entry_change, world.api.log) == ("unchanged", ["get pods/dev"])

    @pytest.mark.parametrize(
        "asked", [{"via": "nodeport"}, {"node_port": 30042}, {"address": "127.0.0.1"}]
    )
    def test_and_back(self, asked: dict[str, Any]) -> None:
        world = World()
        world.connect(via="tunnel")
        assert not world.connect(**asked).entry.is_tunnel

    @pytest.mark.parametrize("verb", ["create", "list"])
    def test_missing_right(self, verb: str) -> None:
        world = World()
        world.api.forbid(verb, "services")
        done = world.connect()
        assert done.entry.is_tunnel
        assert f"the right to {verb} services" in done.notes[-3]
        assert is_clean(world.api)
        told = failure(World(api=world.api))
        assert f"the right to {verb} services" in told.message
        assert "tunnel" not in told.message

    def test_neither_way(self) -> None:
        world = World()
        world.resolve.open.clear()
        world.tunnel.error = NodeportError("not that way either", hint="no")
        told = failure(world, via="auto")
        assert "answers at no address from here" in told.message
        assert told.message.endswith("; and through the API server: not that way either")
        assert is_clean(world.api)
        assert world.hosts.written == {}

    def test_what_is_exact_is_no_tunnel(self) -> None:
        exact: list[dict[str, Any]] = [
            {"via": "auto", "node_port": 30042},
            {"via": "auto", "address": "10.0.0.1"},
            {"via": "nodeport"},
        ]
        for asked in exact:
            world = World()
            world.resolve.open.clear()
            failure(world, **asked)
            assert world.tunnel.calls == []

    def test_pod_that_was_replaced_meanwhile_is_no_reason(self) -> None:
        """Only what may not be made at all, or is not reached, is."""
        world = World()
        world.api.forbid("patch", "pods")
        world.api.forbid("list", "pods")
        told = failure(world, via="auto")
        assert "may share its labels" in told.message
        assert world.tunnel.calls == []

    def test_dry_run(self) -> None:
        world = World()
        done = world.connect(via="tunnel", dry_run=True)
        assert (done.entry.is_tunnel, done.entry_change) == (True, "created")
        assert world.hosts.written == {}
        assert world.api.log == ["get pods/dev"]

    @pytest.mark.parametrize(
        ("node", "asked", "patience_s"),
        [
            (NODE, {}, 20.0),
            (PUBLIC_NODE, {}, 8.0),
            (NODE, {"timeout_s": 3.0}, 3.0),
            (NODE, {"via": "nodeport"}, 60.0),
            (NODE, {"node_port": 30042}, 60.0),
        ],
        ids=["forwarder", "no forwarder", "asked", "nodeport", "exact"],
    )
    def test_patience(self, node: Json, asked: dict[str, Any], patience_s: float) -> None:
        world = World(FakeApi(make.pod("dev"), node))
        world.resolve.open = {"203.0.113.7", "127.0.0.1"}
        world.connect(**asked)
        assert world.resolve.calls[0][2] == patience_s


class TestAddresses:
    def test_only_the_one_that_is_asked_for(self) -> None:
        world = World()
        told = failure(world, address="192.168.5.83")
        assert told.hint == "leave --address out: kubectl nodeport connect dev -n default"
        assert world.resolve.calls[0][0] == ("192.168.5.83",)
        assert world.connect(address="192.168.5.82").entry.hostname == "192.168.5.82"

    def test_other_nodes_last(self) -> None:
        plain = copy.deepcopy(NODE)
        plain["status"]["nodeInfo"] = {"osImage": "Ubuntu"}
        world = World(FakeApi(make.pod("dev"), plain, OTHER_NODE))
        world.resolve.open = {"192.168.5.99"}
        done = world.connect()
        assert done.entry.hostname == "192.168.5.99"
        assert world.resolve.calls[0][0][-1] == "192.168.5.99"
        assert "list nodes" in world.api.log

    def test_key_that_proves_no_pod_is_told(self) -> None:
        world = World()
        world.resolve.proof = Proof.SHARED_KEY
        (note,) = world.connect().notes
        assert "that it is this pod is not proven" in note

    def test_container_may_be_asked_until_the_end(self) -> None:
        world = World()
        world.resolve.seen = lambda: self.assert_open(world)
        world.connect()
        (session,) = world.exec.sessions
        ends_s = time.monotonic() + 5
        while not session.closed and time.monotonic() < ends_s:
            time.sleep(0.01)
        assert session.closed

    @staticmethod
    def assert_open(world: World) -> None:
        assert [session.closed for session in world.exec.sessions] == [False]

    @pytest.mark.parametrize("step", ["address", "rule"])
    def test_session_is_closed_after_a_failure(self, step: str) -> None:
        world = World()
        if step == "address":
            world.resolve.open.clear()
        else:
            world.api.forbid("list", "services")
        failure(world)
        ends_s = time.monotonic() + 5
        while not all(session.closed for session in world.exec.sessions):
            assert time.monotonic() < ends_s
            time.sleep(0.01)
        assert len(world.exec.sessions) == 1

    def test_another_program_here_is_not_blamed_on_the_pod(self) -> None:
        plain = copy.deepcopy(NODE)
        plain["status"]["nodeInfo"] = {"osImage": "Ubuntu"}
        world = World(FakeApi(make.pod("dev"), plain))
        world.connection = make.connection(context="lab")
        world.resolve.open.clear()
        world.resolve.verdict = Verdict.TIMED_OUT
        world.resolve.verdicts = {"127.0.0.1": Verdict.NOT_SSH}
        told = failure(world)
        assert "another program holds port" in told.message
        assert "no ssh server is behind it" not in told.message
        assert "firewall" in told.hint


class TestExposure:
    """A NodePort on a public address, before an ssh server that takes passwords."""

    @pytest.mark.parametrize("asked", [{}, {"via": "auto"}])
    def test_refused_where_nobody_can_be_asked(self, asked: dict[str, Any]) -> None:
        world = World(FakeApi(make.pod("dev"), PUBLIC_NODE), with_passwords("yes"))
        told = failure(world, **{"via": "auto", **asked})
        assert "may be open to everyone at 203.0.113.7" in told.message
        assert "--via tunnel" in told.hint
        assert world.api.writes() == []
        assert world.tunnel.calls == []

    def test_confirmed(self) -> None:
        world = World(FakeApi(make.pod("dev"), PUBLIC_NODE), with_passwords("yes"))
        world.resolve.open = {"203.0.113.7"}
        world.answers = [True]
        assert rule(world.connect()).made_now
        assert "takes passwords. Open it?" in world.asked[0]
        assert world.connect().entry_change == "unchanged", "what stands is not asked about"

    def test_dry_run(self) -> None:
        world = World(FakeApi(make.pod("dev"), PUBLIC_NODE), with_passwords("yes"))
        assert "so none was opened" in failure(world, via="auto", dry_run=True).message
        world.answers = []
        done = world.connect(dry_run=True)
        assert "it would be asked whether to open it" in done.notes[0]
        assert world.asked == []

    def test_declined(self) -> None:
        world = World(FakeApi(make.pod("dev"), PUBLIC_NODE), with_passwords("yes"))
        world.answers = [False]
        assert "so none was opened" in failure(world, via="auto").message
        assert world.api.writes() == []

    @pytest.mark.parametrize(
        ("node", "output", "asked", "notes"),
        [
            (PUBLIC_NODE, with_passwords("no"), {}, 0),
            (PUBLIC_NODE, with_passwords("yes"), {"via": "nodeport"}, 0),
            (PUBLIC_NODE, FakeExec(), {}, 1),
            (NODE, with_passwords("yes"), {}, 0),
        ],
        ids=["keys only", "so wanted", "not known", "private"],
    )
    def test_nothing_to_ask(
        self, node: Json, output: FakeExec, asked: dict[str, Any], notes: int
    ) -> None:
        world = World(FakeApi(make.pod("dev"), node), output)
        world.resolve.open = {"203.0.113.7", "127.0.0.1"}
        assert len(world.connect(**asked).notes) == notes

    def test_forwarder_that_listens_to_all(self) -> None:
        world = World(beyond_loopback="192.168.1.5")
        (note,) = world.connect().notes
        assert "is open on this machine's address 192.168.1.5 too" in note
        assert note.endswith("reaches the pod's ssh server")
        world.resolve.open = {"192.168.5.82"}
        world.hosts.written.clear()
        assert world.connect().notes == ()

    def test_forwarder_is_told_of_where_something_is_new(self) -> None:
        """A program hears of it at every run."""
        world = World(beyond_loopback="192.168.1.5")
        first = world.connect()
        assert tuple(world.notes) == first.notes
        again = world.connect()
        assert again.entry_change == "unchanged"
        assert (world.notes, again.notes) == ([], first.notes)
        assert world.connect(user="jane").entry_change == "updated"
        assert tuple(world.notes) == first.notes

    def test_forwarder_in_a_dry_run(self) -> None:
        """As far as a rule stands, behind which the port could be seen."""
        world = World(beyond_loopback="192.168.1.5")
        assert world.connect(dry_run=True).notes == ()
        first = world.connect()
        again = world.connect(dry_run=True)
        assert (world.notes, again.notes) == ([], first.notes)
        assert world.connect(user="jane", dry_run=True).notes == first.notes
        assert tuple(world.notes) == first.notes

    @pytest.mark.parametrize(
        ("output", "is_said"),
        [(with_passwords("yes"), True), (with_passwords("no"), False), (FakeExec(), False)],
    )
    def test_forwarder_before_a_server_that_takes_passwords(
        self, output: FakeExec, is_said: bool
    ) -> None:
        world = World(exec=output, beyond_loopback="192.168.1.5")
        (note,) = world.connect().notes
        assert note.endswith("the pod's ssh server, which takes passwords") == is_said
