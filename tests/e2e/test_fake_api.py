"""The fake API server of the unit tests answers as the real one, where the commands rely on it."""

from __future__ import annotations

from typing import Protocol

import pytest

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import (
    ConflictError,
    InvalidError,
    Json,
    NotFoundError,
    Request,
    refusal,
)
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.rule import Rule
from tests.cluster.api import Api, ApiError
from tests.cluster.namespace import Namespace
from tests.commands.fake_api import FakeApi
from tests.kube import make


class Sender(Protocol):
    """What both have in common."""

    def send(self, request: Request) -> Json:
        """Send one request."""


class Real:
    """The real API server, with refusals as kube.client makes them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def send(self, request: Request) -> Json:
        kind = request.headers.get("Content-Type", "application/json")
        try:
            return self._api.request(request.method, request.path, request.body, kind)
        except ApiError as err:
            _, _, body = str(err).partition(f": {err.status} ")
            raise refusal(request, err.status, body, "context") from err


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
def api(request: pytest.FixtureRequest) -> tuple[Sender, str]:
    """An API server with the pods dev and other, and their namespace."""
    if request.param == "fake":
        return FakeApi(make.pod("dev"), make.pod("other", uid="other-uid")), "default"
    ns: Namespace = request.getfixturevalue("ns")
    for name in ("dev", "other"):
        ns.pod(name, runs="nothing", wait=False)
    return Real(ns.api), ns.name


def pod(api: Sender, namespace: str, name: str = "dev") -> Pod:
    return Pod.of(api.send(Request("get", "pods", "", name=name, namespace=namespace)))


def create(api: Sender, namespace: str, rule_name: str = "ssh", port: int | None = None) -> Json:
    rule = Rule(rule_name, namespace, "pod/dev", 22)
    body = service.manifest(rule, bind(pod(api, namespace)), "0123456789abcdef", port)
    return api.send(Request("create", "services", "", namespace=namespace, body=body))


def patch(api: Sender, namespace: str, metadata: Json) -> Json:
    body: Json = {"metadata": metadata}
    return api.send(Request("patch", "pods", "", name="dev", namespace=namespace, body=body))


def test_create(api: tuple[Sender, str]) -> None:
    made = create(*api)
    assert made["spec"]["ports"][0]["nodePort"] >= 30000
    with pytest.raises(ConflictError):
        create(*api)


def test_node_port_that_is_taken_or_out_of_range(api: tuple[Sender, str]) -> None:
    taken = create(*api)["spec"]["ports"][0]["nodePort"]
    with pytest.raises(InvalidError, match=r"nodePort.*already allocated"):
        create(*api, "two", taken)
    with pytest.raises(InvalidError, match=r"nodePort.*not in the valid range"):
        create(*api, "two", 80)


def test_patch_sets_and_takes_labels(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    patch(sender, namespace, {"labels": {"kubectl-nodeport/ssh": "x"}})
    assert pod(sender, namespace).labels["kubectl-nodeport/ssh"] == "x"
    patch(sender, namespace, {"labels": {"kubectl-nodeport/ssh": None}})
    assert "kubectl-nodeport/ssh" not in pod(sender, namespace).labels


def test_patch_with_another_pods_uid(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    with pytest.raises(InvalidError):
        patch(sender, namespace, {"uid": pod(sender, namespace, "other").uid, "labels": {}})


def test_patch_with_an_old_resource_version(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    first = patch(sender, namespace, {"labels": {"a": "1"}})["metadata"]["resourceVersion"]
    patch(sender, namespace, {"labels": {"a": "2"}})
    with pytest.raises(ConflictError):
        patch(sender, namespace, {"resourceVersion": first, "labels": {"a": "3"}})


def test_delete_with_another_uid(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    name = create(sender, namespace)["metadata"]["name"]
    body: Json = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "00000000-0000-4000-8000-000000000000"},
    }
    asked = Request("delete", "services", "", name=name, namespace=namespace, body=body)
    with pytest.raises(ConflictError, match="the UID in the precondition"):
        sender.send(asked)


def test_delete_with_an_old_resource_version(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    made = create(sender, namespace)["metadata"]
    note_use(sender, namespace, made)
    preconditions = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    body: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
    asked = Request("delete", "services", "", name=made["name"], namespace=namespace, body=body)
    with pytest.raises(ConflictError, match="the ResourceVersion in the precondition"):
        sender.send(asked)


def note_use(api: Sender, namespace: str, made: Json, uid: str = "") -> Json:
    body = service.user_patch(uid or made["uid"], "jane", "now")
    return api.send(
        Request("patch", "services", "", name=made["name"], namespace=namespace, body=body)
    )


def test_patch_of_a_service_that_took_the_name(api: tuple[Sender, str]) -> None:
    made = create(*api)["metadata"]
    assert service.users(note_use(*api, made)) == {"jane"}
    with pytest.raises((ConflictError, InvalidError)):
        note_use(*api, made, pod(*api, "other").uid)


def test_what_is_not_there(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    with pytest.raises(NotFoundError):
        pod(sender, namespace, "nobody")


def test_list_by_labels(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    patch(sender, namespace, {"labels": {"kubectl-nodeport/ssh": "x"}})
    query = (("labelSelector", "kubectl-nodeport/ssh=x"), ("limit", "2"))
    asked = Request("list", "pods", "", namespace=namespace, query=query, names_only=True)
    items = sender.send(asked)["items"]
    assert [Pod.of(item).uid for item in items] == [pod(sender, namespace).uid]


def test_version(api: tuple[Sender, str]) -> None:
    answer = api[0].send(Request("get", "", "ask for its version", raw="/version"))
    assert str(answer["gitVersion"]).startswith("v1.")


def test_access_review(api: tuple[Sender, str]) -> None:
    sender, namespace = api
    asked = {"verb": "get", "resource": "pods", "subresource": "exec", "namespace": namespace}
    group, kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
    review: Json = {"apiVersion": group, "kind": kind, "spec": {"resourceAttributes": asked}}
    resource = "selfsubjectaccessreviews"
    answer = sender.send(Request("create", resource, "know", group=group, body=review))
    assert answer["status"]["allowed"] is True
