from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube.selector import checked
from kubectl_nodeport.kube.workload import KINDS, Kind, Workload, kind_of
from tests.kube import make


def document(selector: Any = None, **changes: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default", "uid": make.UID}
    spec = {"selector": {"matchLabels": {"app": "web"}} if selector is None else selector}
    return {"metadata": {**metadata, **changes.pop("metadata", {})}, "spec": {**spec, **changes}}


def workload(kind: str = "deployment", selector: Any = None, **changes: Any) -> Workload:
    return Workload.of(KINDS[kind], document(selector, **changes))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("pod pods po Pod PODS pods.v1.", "pod"),
        ("deploy deployment deployments Deployment deployments.apps deploy.v1.apps", "deployment"),
        ("sts statefulset statefulsets StatefulSet.apps", "statefulset"),
        ("ds daemonset daemonsets", "daemonset"),
        ("rs replicaset replicasets", "replicaset"),
        ("rc replicationcontroller ReplicationControllers", "replicationcontroller"),
        ("job jobs jobs.batch jobs.v1.batch", "job"),
        ("svc service services services.v1.", "service"),
    ],
)
def test_kinds_as_kubectl_takes_them(words: str, kind: str) -> None:
    for word in words.split():
        assert kind_of(word) is KINDS[kind], word


@pytest.mark.parametrize(
    "word",
    ["", ".", "cronjob", "node", "deploymentz", "deployments.batch", "deployments.v2.apps",
     "pods.apps", "jobs.v1", "deployments.apps.v1"],
)  # fmt: skip
def test_what_is_no_kind(word: str) -> None:
    assert kind_of(word) is None


def test_kinds_name_what_the_api_has() -> None:
    assert [(k.resource, k.api_version) for k in KINDS.values()] == [
        ("pods", "v1"),
        ("deployments", "apps/v1"),
        ("statefulsets", "apps/v1"),
        ("daemonsets", "apps/v1"),
        ("replicasets", "apps/v1"),
        ("replicationcontrollers", "v1"),
        ("jobs", "batch/v1"),
        ("services", "v1"),
    ]


def test_deployment() -> None:
    found = workload(replicas=3)
    assert found == Workload(
        kind="deployment",
        name="web",
        namespace="default",
        uid=make.UID,
        replicas=3,
        selector="app=web",
        match_labels={"app": "web"},
        only_match_labels=True,
    )
    assert (found.api_kind, found.api_version) == ("Deployment", "apps/v1")


@pytest.mark.parametrize(
    ("kind", "replicas"),
    [
        ("statefulset", 0),
        ("replicaset", 0),
        ("replicationcontroller", 0),
        ("daemonset", None),
        ("job", None),
        ("service", None),
    ],
)
def test_replicas_where_the_kind_has_them(kind: str, replicas: int | None) -> None:
    assert workload(kind, replicas=0).replicas == replicas


@pytest.mark.parametrize("odd", [None, "1", -1, True, 1.0])
def test_odd_replicas(odd: Any) -> None:
    assert workload(replicas=odd).replicas is None


IN = {"key": "tier", "operator": "In", "values": ["b", "a"]}


@pytest.mark.parametrize(
    ("kind", "selector", "text", "labels", "only_labels"),
    [
        ("deployment", {"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2", {"a": "1", "b": "2"}, 1),
        ("job", {"matchLabels": {"a": "1"}, "matchExpressions": [IN]},
         "a=1,tier in (a,b)", {"a": "1"}, 0),
        ("daemonset", {"matchExpressions": [IN]}, "tier in (a,b)", {}, 0),
        ("deployment", {"matchLabels": {"a": "1"}, "matchExpressions": []}, "a=1", {"a": "1"}, 1),
        ("service", {"app": "web"}, "app=web", {"app": "web"}, 1),
        ("replicationcontroller", {"app": "web"}, "app=web", {"app": "web"}, 1),
        ("service", {"matchLabels": {"app": "web"}}, "", {}, 0),
        ("service", {}, "", {}, 0),
        ("deployment", {}, "", {}, 0),
        # A part that cannot be read is not left out: more pods would match.
        ("deployment", {"matchLabels": {"a": "1", "b": 2}}, "", {}, 0),
        ("deployment", {"matchLabels": {"a": "1", "b": "x,y"}}, "", {}, 0),
        ("deployment", {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "x"}]}, "", {}, 0),
        ("deployment", {"matchLabels": {"a": "1"}, "matchExpressions": {"a": 1}}, "", {}, 0),
        ("deployment", {"matchLabels": ["a"]}, "", {}, 0),
        ("deployment", "a=1", "", {}, 0),
    ],
)  # fmt: skip
def test_selector(
    kind: str, selector: Any, text: str, labels: dict[str, str], only_labels: int
) -> None:
    found = workload(kind, selector)
    assert (found.selector, dict(found.match_labels)) == (text, labels)
    assert found.only_match_labels is bool(only_labels)


def test_deleting() -> None:
    assert not workload().deleting
    assert workload(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}).deleting


@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
@pytest.mark.parametrize("value", ["evil\n", "a b", "", None, 7, "\x1b[2J", "x" * 300])
def test_names_that_no_object_has_count_as_none(field: str, value: Any) -> None:
    assert getattr(workload(metadata={field: value}), field) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(st.sampled_from(["matchLabels", "matchExpressions", "app"]), JSON)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(KINDS.values())), JSON, JSON | PARTS)
def test_arbitrary_json_raises_nothing(kind: Kind, metadata: Any, selector: Any) -> None:
    found = Workload.of(kind, {"metadata": metadata, "spec": {"selector": selector}})
    assert checked(found.selector) == found.selector
