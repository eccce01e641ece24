from __future__ import annotations

import pytest

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule.annotation import value
from kubectl_nodeport.rule.trace import orphaned, traces
from tests.kube import make

LABEL, ANNOTATION = "kubectl-nodeport/ssh", "nodeport.crater.raids.io/ssh"
TIED = {LABEL: f"{make.UID}.a1b2"}
TOLD = {ANNOTATION: value("ssh", 22, "192.168.5.82", 31380)}


def pod(labels: Json, annotations: Json) -> Pod:
    return Pod.of(make.pod(labels={"app": "dev", **labels}, annotations={"a": "b", **annotations}))


@pytest.mark.parametrize(
    ("labels", "annotations", "patch"),
    [
        (TIED, TOLD, {"labels": {LABEL: None}, "annotations": {ANNOTATION: None}}),
        (TIED, {}, {"labels": {LABEL: None}}),
        ({}, TOLD, {"annotations": {ANNOTATION: None}}),
        ({}, {}, {}),
        # What another creation of the rule, or Crater, has put there since.
        ({LABEL: f"{make.UID}.c3d4"}, {}, {}),
        ({LABEL: "another-pod.a1b2"}, {}, {}),
        ({}, {ANNOTATION: value("ssh", 22, "192.168.5.82", 31381)}, {}),
        ({}, {ANNOTATION: "{"}, {}),
        # Those of another rule.
        ({"kubectl-nodeport/smtp": f"{make.UID}.a1b2"}, {}, {}),
        ({}, {"nodeport.crater.raids.io/smtp": value("smtp", 22, "", 31380)}, {}),
    ],
)
def test_traces_of_a_rule(labels: Json, annotations: Json, patch: Json) -> None:
    assert traces(pod(labels, annotations), "ssh", "a1b2", 31380) == patch


def test_rule_without_an_id_has_no_label() -> None:
    assert traces(pod({LABEL: f"{make.UID}."}, {}), "ssh", "", 0) == {}


@pytest.mark.parametrize(
    ("labels", "annotations", "patch"),
    [
        (TIED, TOLD, {"labels": {LABEL: None}, "annotations": {ANNOTATION: None}}),
        (TIED, {ANNOTATION: "{"}, {"labels": {LABEL: None}, "annotations": {ANNOTATION: None}}),
        (TIED, {}, {"labels": {LABEL: None}}),
        # Without the label nothing tells whose the annotation is.
        ({}, TOLD, {}),
        ({LABEL: "another-pod.a1b2"}, TOLD, {}),
    ],
)
def test_traces_of_a_rule_whose_service_is_gone(
    labels: Json, annotations: Json, patch: Json
) -> None:
    assert orphaned(pod(labels, annotations), "ssh") == patch
