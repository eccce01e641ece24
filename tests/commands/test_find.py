from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.commands.find import Found, choose, find, pods, running_pods
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Json, Request
from kubectl_nodeport.kube.target import Target, parse
from tests.commands.fake_api import FakeApi
from tests.commands.world import World
from tests.kube import make

PLACE = 'in the namespace "default" of the context "docker-desktop"'


def pod(name: str, **changes: Any) -> Json:
    """A ready pod of the application web, created in the order of its name."""
    document = make.pod(name, **{"uid": f"uid-{name}", "labels": {"app": "web"}, **changes})
    document["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:{ord(name[-1]) % 60:02}Z"
    return document


def workload(kind: str = "Deployment", name: str = "web", **spec: Any) -> Json:
    selector: Json = {"app": "web"} if kind == "Service" else {"matchLabels": {"app": "web"}}
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{kind}-{name}"},
        "spec": {"selector": selector, **spec},
    }


def world(*objects: Json) -> World:
    api = FakeApi(*(o for o in objects if o["kind"] in ("Pod", "Service")))
    for document in objects:
        resource = f"{document['kind'].lower()}s"
        api.objects[resource, "default", document["metadata"]["name"]] = document
    return World(api)


def failure(made: World, target: Target) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        find(made.edges, target)
    return caught.value


NOT_READY: Json = {"conditions": [{"type": "Ready", "status": "False"}]}
LEAVING: Json = {"deletionTimestamp": "2026-01-01T00:01:00Z"}


class TestPod:
    def test_by_name_in_one_request(self) -> None:
        made = world(pod("dev"))
        assert find(made.edges, Target("dev")) == Found(Pod.of(made.api.get("pods", "dev") or {}))
        assert made.api.log == ["get pods/dev"]

    def test_unusable(self) -> None:
        made = world(pod("dev", phase="Succeeded"))
        assert "has completed" in failure(made, Target("dev")).message

    @pytest.mark.parametrize(
        "change", [{"name": "other"}, {"namespace": "kube-system"}, {"uid": 7}]
    )
    def test_answer_that_is_another_pod(self, change: Json) -> None:
        made = world(pod("dev"))
        made.api.objects["pods", "default", "dev"]["metadata"].update(change)
        told = failure(made, Target("dev"))
        assert told.message == "the API server answers with another pod than dev in default"
        assert "kubectl get pod dev -n default -o yaml" in told.hint


class TestMissing:
    def test_near_matches_of_pods(self) -> None:
        made = world(pod("dev-0"), pod("dev-1"), pod("other"))
        told = failure(made, Target("dev"))
        assert told.message == f'no pod "dev" {PLACE}'
        assert told.hint == "did you mean: dev-0, dev-1"
        assert made.api.requests[-1].names_only

    def test_near_matches_of_a_kind(self) -> None:
        made = world(workload(name="webapp"), pod("web-0"))
        told = failure(made, Target("webap", kind="deployment"))
        assert told.message == f'no deployment "webap" {PLACE}'
        assert told.hint == "did you mean: webapp"
        assert {(r.resource, r.group) for r in made.api.requests} == {("deployments", "apps/v1")}
        assert made.api.log == ["get deployments/webap", "list deployments"]

    @pytest.mark.parametrize("refused", [True, False])
    def test_none_is_near(self, refused: bool) -> None:
        made = world(pod("dev"), workload("Service"))
        if refused:
            made.api.forbid("list", "services")
        assert failure(made, Target("zzz", kind="service")).hint == (
            "kubectl get services -n default lists the services there; -n names another namespace"
        )

    @pytest.mark.parametrize("kind", ["pod", "deployment"])
    def test_nothing_in_the_namespace(self, kind: str) -> None:
        """Its name may be the one that was mistyped."""
        assert failure(world(), Target("dev", kind=kind)).hint == (
            f"there are no {kind}s at all in that namespace; kubectl get namespaces lists those "
            "that exist, -n names one"
        )

    def test_odd_names_are_not_proposed(self) -> None:
        made = world(pod("dev-0"))
        made.api.objects["pods", "default", "x"] = {"metadata": {"name": "dev\n"}}
        made.api.objects["pods", "default", "y"] = {"metadata": {"name": "dev-1 && rm"}}
        assert failure(made, Target("dev")).hint == "did you mean: dev-0"


class TestWorkload:
    @pytest.mark.parametrize(
        ("kind", "path"),
        [
            ("Deployment", "/apis/apps/v1/namespaces/default/deployments/web"),
            ("StatefulSet", "/apis/apps/v1/namespaces/default/statefulsets/web"),
            ("DaemonSet", "/apis/apps/v1/namespaces/default/daemonsets/web"),
            ("ReplicaSet", "/apis/apps/v1/namespaces/default/replicasets/web"),
            ("Job", "/apis/batch/v1/namespaces/default/jobs/web"),
            (
                "ReplicationController",
                "/api/v1/namespaces/default/replicationcontrollers/web",
            ),
        ],
    )
    def test_two_requests(self, kind: str, path: str) -> None:
        document = workload(kind)
        if kind == "ReplicationController":
            document["spec"]["selector"] = {"app": "web"}
        made = world(document, pod("web-a"), pod("else", labels={"app": "else"}))
        found = find(made.edges, parse(f"{kind}/web"))
        assert (found.pod.name, found.others, found.note) == ("web-a", 0, "")
        assert found.workload is not None
        assert (found.workload.api_kind, found.workload.uid) == (kind, f"uid-{kind}-web")
        assert found.service is None
        assert [request.path.partition("?")[0] for request in made.api.requests] == [
            path,
            "/api/v1/namespaces/default/pods",
        ]
        assert dict(made.api.requests[1].query)["labelSelector"] == "app=web"

    def test_service_comes_with_its_document(self) -> None:
        made = world(workload("Service", type="NodePort"), pod("web-a"))
        found = find(made.edges, Target("web", kind="service"))
        assert found.service == made.api.get("services", "web")
        assert found.workload is not None
        assert found.workload.match_labels == {"app": "web"}

    @pytest.mark.parametrize("kind", ["Deployment", "Service"])
    def test_without_selector(self, kind: str) -> None:
        made = world({**workload(kind), "spec": {}}, pod("web-a"))
        told = failure(made, parse(f"{kind}/web"))
        assert told.message == f"{kind.lower()} web has no selector, so it leads to no pod"
        assert made.api.log == [f"get {kind.lower()}s/web"]

    def test_scaled_to_none(self) -> None:
        told = failure(world(workload(replicas=0)), Target("web", kind="deployment"))
        assert told.message == "deployment web is scaled to 0 replicas: it has no pod"
        assert told.hint == "kubectl scale deployment web --replicas=1 -n default"

    def test_no_pod_yet(self) -> None:
        told = failure(world(workload(replicas=1)), Target("web", kind="deployment"))
        assert told.message == (
            "deployment web has no pod in default: nothing matches its selector app=web"
        )
        assert told.hint == "see why: kubectl describe deployment web -n default"

    def test_answer_that_is_another(self) -> None:
        made = world(workload())
        made.api.objects["deployments", "default", "web"]["metadata"]["uid"] = "\x1b[2J"
        told = failure(made, Target("web", kind="deployment"))
        assert told.message == "the API server answers with another deployment than web in default"

    def test_pods_that_may_not_be_listed(self) -> None:
        made = world(workload(), pod("web-a"))
        made.api.forbid("list", "pods")
        told = failure(made, Target("web", kind="deployment"))
        assert isinstance(told, ForbiddenError)
        assert told.message == (
            "the right to list pods -n default is missing, "
            "needed to find the pods of deployment web"
        )
        assert told.hint == (
            "a pod by its name needs no list: pod/NAME; or ask for the right, and check with: "
            "kubectl auth can-i list pods -n default"
        )

    def test_workload_that_may_not_be_read(self) -> None:
        made = world(workload())
        made.api.forbid("get", "deployments")
        told = failure(made, Target("web", kind="deployment"))
        assert "the right to get deployments" in told.message
        assert "needed to read the deployment" in told.message


class TestSeveral:
    TARGET = Target("web", kind="deployment")

    def test_kubectls_pick_and_how_many_others(self) -> None:
        made = world(workload(), pod("web-a", **NOT_READY), pod("web-b"), pod("web-c"))
        found = find(made.edges, self.TARGET)
        assert (found.pod.name, found.others) == ("web-b", 2)
        assert found.note == "found 3 pods, using pod/web-b"

    def test_one_that_is_held_is_kept(self) -> None:
        made = world(workload(), pod("web-a"), pod("web-b"), pod("web-c", **NOT_READY))
        found = find(made.edges, self.TARGET, lambda one: one.uid in ("uid-web-b", "uid-web-c"))
        assert found.pod.name == "web-b"
        found = find(made.edges, self.TARGET, lambda one: one.name == "web-c")
        assert found.pod.name == "web-c"

    @pytest.mark.parametrize("gone", [LEAVING, {"phase": "Failed"}])
    def test_a_held_pod_that_is_gone_is_not(self, gone: Json) -> None:
        made = world(workload(), pod("web-a", **gone), pod("web-b"))
        assert find(made.edges, self.TARGET, lambda one: one.name == "web-a").pod.name == "web-b"

    def test_a_successor_comes_before_a_ready_pod_on_its_way_out(self) -> None:
        made = world(workload(), pod("web-a", **LEAVING), pod("web-b", **NOT_READY))
        found = find(made.edges, self.TARGET)
        assert (found.pod.name, found.others) == ("web-b", 1)

    def test_none_is_usable(self) -> None:
        made = world(workload(), pod("web-a", **LEAVING), pod("web-b", **LEAVING, **NOT_READY))
        assert failure(made, self.TARGET).message == "pod web-a is being deleted"

    def test_more_than_a_page(self) -> None:
        made = world(workload(), *(pod(f"web-{n}", **NOT_READY) for n in range(7)), pod("web-z"))
        made.api.page = 3
        found = find(made.edges, self.TARGET)
        assert (found.pod.name, found.others) == ("web-z", 7)
        assert made.api.log == ["get deployments/web", *3 * ["list pods"]]

    def test_choose_asks_nobody_of_a_single_pod(self) -> None:
        only = Pod.of(pod("web-a", **LEAVING))
        assert choose([only], lambda _pod: False) is only


class TestSelector:
    TARGET = Target(selector="app=web")

    def test_one_request(self) -> None:
        made = world(pod("web-a"), pod("web-b"), pod("else", labels={}))
        found = find(made.edges, self.TARGET)
        assert (found.pod.name, found.others, found.workload) == ("web-a", 1, None)
        assert made.api.log == ["list pods"]
        assert dict(made.api.requests[0].query)["labelSelector"] == "app=web"

    def test_no_match(self) -> None:
        told = failure(world(pod("else", labels={})), self.TARGET)
        assert told.message == f"no pod matches -l 'app=web' {PLACE}"
        assert told.hint == "kubectl get pods -n default --show-labels"

    def test_forbidden(self) -> None:
        made = world(pod("web-a"))
        made.api.forbid("list", "pods")
        assert "the right to list pods -n default is missing" in failure(made, self.TARGET).message


class TestPods:
    def test_all_of_the_namespace(self) -> None:
        made = world(pod("a"), pod("b", phase="Failed"), pod("c", namespace="else"))
        assert [one.name for one in pods(made.edges)] == ["a", "b"]
        assert "labelSelector" not in dict(made.api.requests[0].query)

    def test_running_ones_to_choose_from(self) -> None:
        made = world(
            pod("a"),
            pod("b", phase="Failed"),
            pod("c", phase="Pending"),
            pod("d", **LEAVING),
            pod("e", hostNetwork=True),
            pod("f", **NOT_READY),
        )
        assert [one.name for one in running_pods(made.edges)] == ["a", "f"]
        assert dict(made.api.requests[0].query)["fieldSelector"] == "status.phase=Running"

    @pytest.mark.parametrize(
        "odd",
        [None, 7, {}, {"metadata": []}, {"metadata": {"name": "x", "namespace": "default"}},
         pod("evil\n"), pod("x", namespace="kube-system"), pod("x", uid="a b")],
    )  # fmt: skip
    def test_what_is_no_pod_of_the_namespace_is_left_out(self, odd: Any) -> None:
        class Odd(FakeApi):
            def _list(self, request: Request) -> Json:  # noqa: ARG002
                return {"items": [odd, pod("a")]}

        assert [one.name for one in pods(World(Odd()).edges)] == ["a"]
