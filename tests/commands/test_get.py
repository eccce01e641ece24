from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.commands.get import get, hosts
from kubectl_nodeport.commands.scope import GetRequest
from kubectl_nodeport.errors import UPGRADE, NewerFormatError, NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Json, Request
from kubectl_nodeport.kube.target import parse
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.listed import Listed
from kubectl_nodeport.rule.rule import Rule
from kubectl_nodeport.ssh.block import Readable
from tests.commands.fake_api import FakeApi
from tests.commands.world import FakeHosts, World
from tests.kube import make
from tests.ssh.make import entry, origin

ID = "0123456789abcdef"
NO_PODS = (
    "without the right to list pods it is not shown which pods the rules reach, nor what their "
    "annotations tell"
)


def pod(name: str = "dev", **changes: Any) -> Json:
    """A pod with the label of its rule."""
    labels = {"app": name, "kubectl-nodeport/ssh": f"uid-{name}.{ID}"}
    return make.pod(name, **{"uid": f"uid-{name}", "labels": labels, **changes})


def rule(name: str = "dev", node_port: int = 30222) -> Json:
    """Our rule for the pod."""
    bound = bind(Pod.of(make.pod(name, uid=f"uid-{name}")))
    made = service.manifest(Rule("ssh", "default", f"pod/{name}", 22), bound, ID, node_port)
    return copy.deepcopy(made)


def theirs(name: str = "web", app: str = "dev", **changes: Any) -> Json:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": changes.pop("namespace", "default")},
        "spec": {
            "type": "NodePort",
            "selector": {"app": app},
            "ports": [{"port": 80, "targetPort": 80, "nodePort": 30080}],
            **changes,
        },
    }


def world(*objects: Json, page: int = 500) -> World:
    return World(FakeApi(*objects, page=page))


def got(made: World, target: str | None = None, **asked: Any) -> list[tuple[str, object]]:
    """The rows' Services, each with the pods that it reaches."""
    return [(row.service, row.pods) for row in rows(made, target, **asked)]


def rows(
    made: World, target: str | None = None, *, selector: str | None = None, everywhere: bool = False
) -> tuple[Listed, ...]:
    named = parse(target, None, selector) if target or selector else None
    return get(GetRequest(named, everywhere), made.edges)


class TestNamespace:
    def test_all_of_it(self) -> None:
        made = world(pod(), pod("two"), rule(), rule("two", 30223), theirs())
        assert got(made) == [
            ("nodeport-dev-ssh", ("dev",)),
            ("nodeport-two-ssh", ("two",)),
            ("web", ("dev",)),
        ]
        assert made.notes == []

    def test_requests(self) -> None:
        """As many for fifty rules as for one, and the server leaves out what is not asked for."""
        made = world(*(one for n in range(50) for one in (pod(f"p{n}"), rule(f"p{n}", 30100 + n))))
        assert len(rows(made)) == 50
        assert sorted(made.api.log) == ["list pods", "list services"]
        queries = {request.resource: dict(request.query) for request in made.api.requests}
        assert (
            queries["services"]["fieldSelector"] == "spec.type!=ClusterIP,spec.type!=ExternalName"
        )
        assert queries["pods"] == {
            "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
            "limit": "500",
        }

    def test_services_and_pods_are_asked_for_at_once(self) -> None:
        made = world(pod(), rule())
        both = threading.Barrier(2)

        def meet(_request: Request) -> None:
            both.wait(timeout=10)

        made.api.before = meet
        assert len(rows(made)) == 1

    def test_other_types_and_namespaces_are_left_out(self) -> None:
        made = world(
            theirs("inside", type="ClusterIP"),
            theirs("name", type="ExternalName"),
            theirs("elsewhere", namespace="lab"),
            theirs("lb", type="LoadBalancer"),
        )
        assert got(made) == [("lb", ())]

    def test_services_are_read_page_by_page(self) -> None:
        made = world(*(theirs(f"s{n}") for n in range(5)), page=2)
        assert len(rows(made)) == 5
        assert made.api.log.count("list services") == 3

    def test_problems_are_noted(self) -> None:
        made = world(pod(), rule(), rule("gone", 30223), theirs(app="nobody"))
        assert [row.problem for row in rows(made)] == ["", "reaches no pod", ""]
        assert made.notes == ["rule ssh of pod gone in default: reaches no pod"]

    def test_nothing(self) -> None:
        assert rows(world(pod())) == ()


class TestMorePodsThanAPage:
    PODS = tuple(pod(f"p{n}") for n in range(4))
    NOTE = (
        "there are more than 2 pods, so not all annotations were read: name a pod, or choose some "
        "with -l"
    )

    def test_each_rule_asks_for_its_own(self) -> None:
        """No further page is read; Services of others, which may reach many pods, are not asked."""
        made = world(*self.PODS, rule("p3"), theirs(app="p1"), page=2)
        assert got(made) == [("nodeport-p3-ssh", ("p3",)), ("web", None)]
        assert made.notes == [self.NOTE]
        assert sorted(made.api.log) == ["list pods", "list pods", "list services"]
        assert dict(made.api.requests[-1].query) == {
            "labelSelector": f"kubectl-nodeport/ssh=uid-p3.{ID}",
            "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
            "limit": "500",
        }

    def test_more_rules_than_are_asked_for_at_once(self) -> None:
        pods = tuple(pod(f"p{n:02}") for n in range(20))
        made = world(*pods, *(rule(f"p{n:02}", 30100 + n) for n in range(20)), page=2)
        assert [row.pods for row in rows(made)] == [(f"p{n:02}",) for n in range(20)]


class TestAllNamespaces:
    def test_pods_are_not_asked_for(self) -> None:
        made = world(pod(), rule(), theirs("elsewhere", namespace="lab"))
        assert got(made, everywhere=True) == [("nodeport-dev-ssh", None), ("elsewhere", None)]
        assert made.api.log == ["list services"]
        assert made.api.requests[0].path.startswith("/api/v1/services?")

    def test_by_label(self) -> None:
        made = world(pod(), rule(), theirs(), theirs("elsewhere", namespace="lab"))
        found = got(made, everywhere=True, selector="app=dev")
        assert found == [("nodeport-dev-ssh", ("dev",)), ("web", ("dev",))]

    def test_name(self) -> None:
        with pytest.raises(NodeportError, match="pod/dev is named, which can be in one namespace"):
            rows(world(), "dev", everywhere=True)


class TestTarget:
    def test_pod(self) -> None:
        made = world(pod(), pod("two"), rule(), rule("two", 30223), theirs(), theirs("b", "two"))
        assert got(made, "dev") == [("nodeport-dev-ssh", ("dev",)), ("web", ("dev",))]
        assert sorted(made.api.log[:2]) == ["get pods/dev", "list services"]

    def test_annotation_of_the_pod(self) -> None:
        """Also one beyond the first page."""
        told = {"nodeport.crater.raids.io/ssh": "{"}
        made = world(pod("a"), pod("b"), pod("dev", annotations=told), page=1)
        (row,) = rows(made, "dev")
        assert row.problem == "its annotation is malformed: its value is not JSON"

    def test_rule_whose_pod_lost_the_label(self) -> None:
        made = world(pod(labels={}), rule())
        assert got(made, "dev") == [("nodeport-dev-ssh", ())]
        assert made.notes == ["rule ssh of pod dev in default: reaches no pod"]

    def test_rule_that_reaches_others_too(self) -> None:
        made = world(pod(), pod("copy", labels=pod()["metadata"]["labels"]), rule())
        assert rows(made, "dev")[0].problem == "reaches 2 pods"

    @pytest.mark.parametrize("change", [{"phase": "Succeeded"}, {"hostNetwork": True}])
    def test_pod_that_could_not_be_connected_to(self, change: Json) -> None:
        assert got(world(pod(**change), rule()), "dev")[0][0] == "nodeport-dev-ssh"

    def test_missing(self) -> None:
        with pytest.raises(NodeportError, match='no pod "de" in the namespace "default"') as caught:
            rows(world(pod()), "de")
        assert caught.value.hint == "did you mean: dev"

    def test_workload(self) -> None:
        made = world(pod(), pod("two"), rule(), rule("two", 30223))
        made.api.objects["deployments", "default", "api"] = workload({"app": "dev"})
        assert got(made, "deploy/api") == [("nodeport-dev-ssh", ("dev",))]

    def test_workload_without_pods_keeps_its_rule(self) -> None:
        waiting = rule()
        waiting["metadata"]["annotations"]["kubectl-nodeport/target"] = "deployment/api"
        made = world(pod("two"), waiting, rule("two", 30223))
        made.api.objects["deployments", "default", "api"] = workload({"app": "api"})
        assert got(made, "deploy/api") == [("nodeport-dev-ssh", ())]

    def test_service(self) -> None:
        made = world(pod(), rule(), theirs())
        assert got(made, "svc/web") == [("web", ("dev",))]
        assert made.api.log == ["list services", "list pods"]

    def test_service_that_is_missing(self) -> None:
        with pytest.raises(NodeportError, match='no service "we"') as caught:
            rows(world(theirs()), "svc/we")
        assert caught.value.hint == "did you mean: web"

    def test_service_without_node_ports(self) -> None:
        inside = theirs(ports=[{"port": 80}], type="ClusterIP")
        assert got(world(inside), "svc/web") == []

    def test_by_label(self) -> None:
        made = world(pod(), pod("two"), rule(), rule("two", 30223))
        assert got(made, selector="app=two") == [("nodeport-two-ssh", ("two",))]


def workload(labels: Json) -> Json:
    return {
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "default", "uid": "uid-api"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}},
    }


class TestRights:
    @pytest.mark.parametrize("target", [None, "dev"])
    def test_without_pods(self, target: str | None) -> None:
        made = world(pod(), rule())
        made.api.forbid("list", "pods")
        assert got(made, target) == [("nodeport-dev-ssh", None)]
        assert made.notes == [NO_PODS]

    def test_by_label_without_pods(self) -> None:
        made = world(pod(), rule())
        made.api.forbid("list", "pods")
        with pytest.raises(ForbiddenError, match="the right to list pods -n default is missing"):
            rows(made, selector="app=dev")

    @pytest.mark.parametrize(
        ("everywhere", "right"), [(False, "list services -n default"), (True, "list services")]
    )
    def test_without_services(self, everywhere: bool, right: str) -> None:
        made = world(pod(), rule())
        made.api.forbid("list", "services")
        with pytest.raises(ForbiddenError) as caught:
            rows(made, everywhere=everywhere)
        assert caught.value.message == f"the right to {right} is missing, needed to list the rules"
        assert f"kubectl auth can-i {right}" in caught.value.hint


class TestHosts:
    def entries(self) -> FakeHosts:
        cluster = World().connection.identity
        mine = origin(cluster=cluster, service="nodeport-dev-ssh", creation=ID)
        tunnel = replace(mine, service="", creation="")
        return FakeHosts(
            {
                "dev": entry("dev", origin=mine),
                "other-cluster": entry("other-cluster", origin=replace(mine, cluster="ca:ff")),
                "tunnel": entry("tunnel", origin=tunnel),
                "lab": entry("lab", origin=replace(mine, namespace="lab", context="kind")),
            }
        )

    def test_of_this_cluster(self) -> None:
        made = replace(world(pod(), rule()), hosts=self.entries())
        (row,) = rows(made)
        assert (row.hosts, row.address) == (("dev",), "127.0.0.1")

    def test_config_that_cannot_be_read_hides_the_hosts_alone(self) -> None:
        class Damaged(FakeHosts):
            def readable(self) -> Readable:
                raise NodeportError("~/.ssh/config, line 3: a marker is doubled", hint="…")

        made = replace(world(pod(), rule()), hosts=Damaged())
        assert got(made) == [("nodeport-dev-ssh", ("dev",))]
        assert made.notes == ["hosts are not shown: ~/.ssh/config, line 3: a marker is doubled"]

    def test_entry_that_cannot_be_read_hides_no_other(self) -> None:
        made = replace(world(pod(), rule()), hosts=self.entries())
        made.hosts.refused["web"] = NodeportError("line 3: it was edited by hand", hint="undo it")
        assert got(made) == [("nodeport-dev-ssh", ("dev",))]
        assert made.notes == ["web is not shown: line 3: it was edited by hand"]

    def test_entries_that_cannot_be_read_are_one_error_of_get_hosts(self) -> None:
        file = self.entries()
        upgrade = NewerFormatError("line 9: the entry api")
        edited = NodeportError("line 3: the entry web was edited", hint="undo it", detail="-a\n+b")
        file.refused = {"web": edited, "api": upgrade, "db": upgrade}
        seen = hosts(file)
        assert [entry.alias for entry in seen.entries] == ["dev", "lab", "other-cluster", "tunnel"]
        assert seen.left is not None
        assert seen.left.message == (
            "line 3: the entry web was edited; "
            "line 9: the entry api was written by a newer kubectl-nodeport; "
            "line 9: the entry api was written by a newer kubectl-nodeport"
        )
        assert (seen.left.hint, seen.left.detail) == (f"undo it; {UPGRADE}", "-a\n+b")

    @pytest.mark.parametrize(
        ("context", "namespace", "expected"),
        [
            (None, None, ["dev", "lab", "other-cluster", "tunnel"]),
            ("kind", None, ["lab"]),
            (None, "default", ["dev", "other-cluster", "tunnel"]),
            ("kind", "default", []),
        ],
    )
    def test_get_hosts(
        self, context: str | None, namespace: str | None, expected: list[str]
    ) -> None:
        seen = hosts(self.entries(), context, namespace)
        assert [entry.alias for entry in seen.entries] == expected
        assert seen.left is None


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("items", [None, 7, [7, None, {}], [{"metadata": {"name": "\x1b[2J"}}]])
def test_answers_of_a_wrong_shape(items: object, everywhere: bool) -> None:
    class Hostile(FakeApi):
        def send(self, request: Request) -> Json:
            del request
            return {"metadata": 3, "items": items}

    assert rows(World(Hostile()), everywhere=everywhere) == ()
