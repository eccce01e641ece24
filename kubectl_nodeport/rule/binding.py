"""By what a rule holds on to its pod, and with whose end it goes. Pure.

A rule reaches exactly one pod. Three ways lead there, from the most lasting to the least:

- A workload of one replica is followed by the workload's own selector: the rule outlives the pod.
- A StatefulSet's pod has a label that its successor has too, and no other pod.
- Any other pod is given a label with an id drawn for this rule: the rule ends with the pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_nodeport.kube.pod import Controller, Pod
from kubectl_nodeport.kube.workload import Workload

# https://kubernetes.io/docs/reference/labels-annotations-taints/#statefulsetkubernetesiopod-name
_STATEFULSET_POD = "statefulset.kubernetes.io/pod-name"
_FOLLOWED = ("deployment", "replicaset")


@dataclass(frozen=True, slots=True)
class Binding:
    """How a rule is tied to what it reaches.

    ``selector`` is None where the pod is given a label of ours; ``follows`` says that a successor
    may take the pod's place under another name.
    """

    target: str
    owner: Controller
    selector: Mapping[str, str] | None = field(default=None, hash=False)
    follows: bool = False


def bind(pod: Pod, workload: Workload | None = None) -> Binding:
    """Choose the most lasting way that this pod, found by way of this workload, allows.

    A pod that is not ready is not followed: a Service for whichever pod comes next must pass over
    those that are on their way out, and so over those that are not ready.
    """
    if workload is not None and is_followed(workload) and pod.ready:
        return Binding(
            target=f"{workload.kind}/{workload.name}",
            owner=Controller(workload.api_kind, workload.api_version, workload.name, workload.uid),
            selector=workload.match_labels,
            follows=True,
        )
    target = f"pod/{pod.name}"
    if _has_successors(pod) and pod.controller is not None:
        return Binding(target, pod.controller, {_STATEFULSET_POD: pod.name})
    return Binding(target, Controller("Pod", "v1", pod.name, pod.uid))


def is_followed(workload: Workload) -> bool:
    """Whether one pod after another is all that the workload's selector ever reaches."""
    return (
        workload.kind in _FOLLOWED
        and workload.replicas == 1
        and workload.only_match_labels
        and bool(workload.match_labels)
    )


def _has_successors(pod: Pod) -> bool:
    """Whether it is a StatefulSet's pod: the next one has its name, and its label."""
    owner = pod.controller
    return (
        owner is not None
        and (owner.kind, owner.api_version) == ("StatefulSet", "apps/v1")
        and pod.labels.get(_STATEFULSET_POD) == pod.name
    )
