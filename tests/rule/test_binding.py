from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.kube.pod import Controller, Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.workload import KINDS, Workload
from kubectl_nodeport.rule.binding import Binding, bind
from tests.kube import make

LABELS = {"app": "api"}


def workload(kind: str = "deployment", **spec: Any) -> Workload:
    whole = {"replicas": 1, "selector": {"matchLabels": LABELS}, **spec}
    metadata = {"name": "api", "namespace": "default", "uid": "uid-of-api"}
    return Workload.of(KINDS[kind], {"metadata": metadata, "spec": whole})


def owned(kind: str, api_version: str = "apps/v1", **labels: str) -> Pod:
    document = make.pod("web-0", labels={"app": "web", **labels})
    document["metadata"]["ownerReferences"] = [
        {
            "apiVersion": api_version,
            "kind": kind,
            "name": "web",
            "uid": "uid-of-web",
            "controller": True,
        }
    ]
    return Pod.of(document)


def test_plain_pod_gets_a_label_and_takes_the_rule_along() -> None:
    assert bind(Pod.of(make.pod("dev"))) == Binding(
        "pod/dev", Controller("Pod", "v1", "dev", make.UID), selector=None, follows=False
    )


@pytest.mark.parametrize("kind", ["deployment", "replicaset"])
def test_workload_of_one_is_followed_by_its_own_selector(kind: str) -> None:
    found = bind(Pod.of(make.pod("api-7d9f")), workload(kind))
    api = {"deployment": "Deployment", "replicaset": "ReplicaSet"}[kind]
    assert found == Binding(
        f"{kind}/api", Controller(api, "apps/v1", "api", "uid-of-api"), LABELS, follows=True
    )


NOT_READY: Json = {"conditions": [{"type": "Ready", "status": "False"}]}


@pytest.mark.parametrize(
    ("found_by", "changes"),
    [
        (workload(replicas=2), {}),
        (workload(replicas=0), {}),
        (workload(selector={"matchExpressions": [{"key": "a", "operator": "Exists"}]}), {}),
        (
            workload(
                selector={
                    "matchLabels": LABELS,
                    "matchExpressions": [{"key": "a", "operator": "Exists"}],
                }
            ),
            {},
        ),
        (workload("daemonset"), {}),
        (workload("job"), {}),
        (workload("service", selector=LABELS), {}),
        (workload(), NOT_READY),
    ],
)
def test_what_is_not_followed(found_by: Workload, changes: Json) -> None:
    found = bind(Pod.of(make.pod("api-7d9f", **changes)), found_by)
    assert (found.target, found.selector, found.follows) == ("pod/api-7d9f", None, False)
    assert found.owner.kind == "Pod"


def test_pod_of_a_stateful_set_is_found_again_by_its_name() -> None:
    label = {"statefulset.kubernetes.io/pod-name": "web-0"}
    pod = owned("StatefulSet", **label)
    owner = Controller("StatefulSet", "apps/v1", "web", "uid-of-web")
    expected = Binding("pod/web-0", owner, label, follows=False)
    assert bind(pod) == expected
    assert bind(pod, workload("statefulset")) == expected


@pytest.mark.parametrize(
    "pod",
    [
        owned("StatefulSet"),
        owned("StatefulSet", **{"statefulset.kubernetes.io/pod-name": "web-1"}),
        owned("ReplicaSet", **{"statefulset.kubernetes.io/pod-name": "web-0"}),
        owned(
            "StatefulSet", "apps.kruise.io/v1", **{"statefulset.kubernetes.io/pod-name": "web-0"}
        ),
    ],
)
def test_label_that_proves_nothing(pod: Pod) -> None:
    assert bind(pod).selector is None
