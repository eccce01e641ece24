"""Rules that outlive their pod: those of a workload of one, and of a StatefulSet's pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubectl_nodeport.commands.connect import Connected, ConnectRequest, connect
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.target import Target
from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE, World, inside, rule
from tests.kube import make

API = {"app": "api"}
NOT_READY = [{"type": "Ready", "status": "False"}]
STABLE = "statefulset.kubernetes.io/pod-name"


def deployment(replicas: int = 1, uid: str = "uid-of-api") -> Json:
    return {
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "default", "uid": uid},
        "spec": {"replicas": replicas, "selector": {"matchLabels": API}},
    }


def pod(name: str, uid: str, **changes: Any) -> Json:
    return make.pod(name, uid=uid, labels={**API, "pod-template-hash": "7d9f"}, **changes)


def web_0(uid: str, set_uid: str = "uid-of-web") -> Json:
    document = make.pod("web-0", uid=uid, labels={"app": "web", STABLE: "web-0"})
    document["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": "web",
            "uid": set_uid,
            "controller": True,
        }
    ]
    return document


def world(*objects: Json) -> World:
    return World(api=FakeApi(*objects, NODE))


def run(made: World, name: str = "api", kind: str = "deployment", **asked: Any) -> Connected:
    made.api.log.clear()
    return connect(ConnectRequest(Target(name, kind=kind), **asked), made.edges)


def service(made: World) -> Json:
    (name,) = made.api.services()
    found = made.api.get("services", name)
    assert found is not None
    return found


class TestDeployment:
    def test_rule_is_the_deployments(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        done = run(made)
        assert made.api.log == [
            *("get deployments/api", "list pods", "list services", "get nodes/node-1"),
            *("create services", "patch pods/api-1", "list pods"),
        ]
        found = service(made)
        assert found["spec"]["selector"] == API
        assert found["spec"]["publishNotReadyAddresses"] is False
        assert found["metadata"]["ownerReferences"] == [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api", "uid": "uid-of-api"}
        ]
        assert done.entry.alias == "deployment-api.default.docker-desktop"
        assert done.entry.origin.target == "deployment/api"
        carrier = made.api.get("pods", "api-1")
        assert carrier is not None
        assert not [label for label in carrier["metadata"]["labels"] if "nodeport" in label]
        told = json.loads(carrier["metadata"]["annotations"]["nodeport.crater.raids.io/ssh"])
        assert told["nodePort"] == done.entry.port

    def test_successor_is_reached_by_the_same_rule(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        first = run(made)
        del made.api.objects["pods", "default", "api-1"]
        made.api.add(pod("api-2", "uid-2"))
        again = run(made)
        assert made.api.log == [*("get deployments/api", "list pods", "list services", "list pods")]
        assert (again.entry.alias, again.entry.port) == (first.entry.alias, first.entry.port)
        assert again.pod.name == "api-2"

    def test_pod_on_its_way_out_does_not_count(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        run(made)
        leaving = made.api.get("pods", "api-1")
        assert leaving is not None
        leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        made.api.add(pod("api-2", "uid-2"))
        assert run(made).pod.name == "api-2"

    def test_many_on_their_way_out_hide_no_second_pod(self) -> None:
        gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
        ending = [pod(f"api-{n}", f"uid-0{n}", **gone) for n in range(12)]
        made = world(deployment(), pod("api-x", "uid-x"), *ending)
        run(made)
        made.api.add(pod("api-z", "uid-z"))
        with pytest.raises(NodeportError) as caught:
            run(made)
        assert "more pods than api-" in caught.value.message

    def test_other_run_made_the_rule_and_a_second_pod_came(self) -> None:
        made, other = world(deployment(), pod("api-1", "uid-1")), world(deployment(), pod("api-1", "uid-1"))  # fmt: skip  # noqa: E501
        run(other)

        def come_first(request: Request) -> None:
            if request.verb == "create":
                made.api.objects.update(other.api.objects)
                made.api.add(pod("api-2", "uid-2"))

        made.api.before = come_first
        with pytest.raises(NodeportError) as caught:
            run(made)
        assert "more pods than api-1 have the labels" in caught.value.message

    def test_scaled_up_is_told(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        run(made)
        made.api.objects["deployments", "default", "api"]["spec"]["replicas"] = 2
        made.api.add(pod("api-2", "uid-2"))
        with pytest.raises(NodeportError) as caught:
            run(made)
        assert "was made for one pod, and would spread over 2 by now" in caught.value.message
        assert "kubectl nodeport delete deployment/api --name ssh" in caught.value.hint
        assert made.api.writes() == []

    def test_two_pods_during_a_rollout(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        run(made)
        made.api.add(pod("api-2", "uid-2"))
        with pytest.raises(NodeportError) as caught:
            run(made)
        assert "more pods than api-" in caught.value.message
        assert "kubectl get pods -n default -l app=api" in caught.value.hint
        assert made.api.writes() == []

    def test_several_replicas_get_a_rule_on_one_pod(self) -> None:
        made = world(deployment(2), pod("api-1", "uid-1"), pod("api-2", "uid-2"))
        done = run(made)
        assert done.entry.origin.target == f"pod/{done.pod.name}"
        assert f"found 2 pods, using pod/{done.pod.name}" in done.notes
        again = run(made)
        assert again.pod.name == done.pod.name, "the pod that has the rule is kept"
        assert made.api.writes() == []

    def test_pod_that_is_not_ready_gets_a_rule_of_its_own(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1", conditions=NOT_READY))
        done = run(made)
        assert done.entry.origin.target == "pod/api-1"
        assert any("is not ready, so the rule is for this pod" in note for note in done.notes)
        assert service(made)["spec"]["publishNotReadyAddresses"] is True

    def test_rule_stands_and_its_pod_is_not_ready(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        run(made)
        found = made.api.get("pods", "api-1")
        assert found is not None
        found["status"]["conditions"] = NOT_READY
        with pytest.raises(NodeportError) as caught:
            run(made)
        assert "api-1 is not ready, and the rule of deployment api" in caught.value.message
        assert "kubectl nodeport connect api-1" in caught.value.hint

    def test_owner_that_is_gone_is_repaired_with_the_same_port(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        first = run(made)
        made.api.objects["deployments", "default", "api"]["metadata"]["uid"] = "another"
        again = run(made)
        assert again.entry.port == first.entry.port
        assert service(made)["metadata"]["ownerReferences"][0]["uid"] == "another"

    def test_pod_by_its_name_uses_the_deployments_rule(self) -> None:
        made = world(deployment(), pod("api-1", "uid-1"))
        first = run(made)
        again = run(made, "api-1", "pod")
        assert made.api.writes() == []
        assert again.entry.port == first.entry.port


class TestStatefulSet:
    def test_pod_is_found_again_by_its_name(self) -> None:
        made = world(web_0("uid-1"))
        first = run(made, "web-0", "pod")
        assert service(made)["spec"]["selector"] == {STABLE: "web-0"}
        assert service(made)["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
        del made.api.objects["pods", "default", "web-0"]
        made.api.add(web_0("uid-2"))
        again = run(made, "web-0", "pod")
        assert made.api.writes() == []
        assert again.entry.port == first.entry.port

    def test_another_pod_wears_the_label(self) -> None:
        other = make.pod("thief", uid="uid-3", labels={STABLE: "web-0"})
        made = world(web_0("uid-1"), other)
        with pytest.raises(NodeportError) as caught:
            run(made, "web-0", "pod")
        assert "more pods than web-0 have the labels" in caught.value.message
        assert made.api.services() == [], "what was made is removed"

    def test_set_that_was_made_anew(self) -> None:
        made = world(web_0("uid-1"))
        first = run(made, "web-0", "pod")
        made.api.add(web_0("uid-2", "uid-of-new-web"))
        again = run(made, "web-0", "pod")
        assert again.entry.port == first.entry.port
        assert service(made)["metadata"]["ownerReferences"][0]["uid"] == "uid-of-new-web"


def test_without_the_right_to_patch_pods_a_lasting_rule_needs_no_label() -> None:
    made = world(deployment(), pod("api-1", "uid-1"))
    made.api.forbid("patch", "pods")
    done = run(made)
    assert done.entry.origin.target == "deployment/api"
    assert any("does not carry the rule's annotation" in note for note in done.notes)


class TestService:
    def service(self, kind: str = "ClusterIP", **port: Any) -> Json:
        listed = {"name": "ssh", "port": 22, "targetPort": 2222, **port}
        return {
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "default", "uid": "uid-of-service"},
            "spec": {"type": kind, "selector": API, "ports": [listed]},
        }

    def test_its_node_port_is_used_where_it_reaches_one_pod(self) -> None:
        made = world(self.service("NodePort", nodePort=30333), pod("api-1", "uid-1"))
        made.exec.output = inside(port=2222)
        done = run(made, "web", "service")
        assert made.api.writes() == []
        assert (rule(done).service, done.entry.port) == ("web", 30333)

    @pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
    def test_else_a_rule_on_kubectls_pick(self, kind: str) -> None:
        pods = pod("api-1", "uid-1"), pod("api-2", "uid-2")
        node_port = {"nodePort": 30333} if kind == "NodePort" else {}
        made = world(self.service(kind, **node_port), *pods)
        made.exec.output = inside(port=2222)
        before = dict(made.api.objects["services", "default", "web"])
        done = run(made, "web", "service")
        assert done.entry.origin.target == f"pod/{done.pod.name}"
        assert rule(done).rule.port == 2222
        assert made.api.objects["services", "default", "web"] == before, "connect changes none"
