"""What a rule leaves on its pod: the label that its selector asks for, and the annotation. Pure."""

from __future__ import annotations

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import annotation, service


def traces(pod: Pod, rule_name: str, rule_id: str, node_port: int) -> Json:
    """A patch of the pod's metadata that removes the rule's label and annotation; {} for none.

    What another creation of the rule has put there since is left alone.
    """
    found: Json = {}
    label = service.pod_label(rule_name)
    if rule_id and pod.labels.get(label) == service.pod_label_value(pod.uid, rule_id):
        found["labels"] = {label: None}
    told = annotation.read(pod.annotations)
    if (rule_name, node_port) in ((a.name, a.node_port) for a in told):
        found["annotations"] = {annotation.key(rule_name): None}
    return found


def orphaned(pod: Pod, rule_name: str) -> Json:
    """The same for a rule whose Service is gone; {} unless the label tells that it was ours."""
    label = service.pod_label(rule_name)
    if not pod.uid or not pod.labels.get(label, "").startswith(f"{pod.uid}."):
        return {}
    found: Json = {"labels": {label: None}}
    if annotation.key(rule_name) in pod.annotations:
        found["annotations"] = {annotation.key(rule_name): None}
    return found
