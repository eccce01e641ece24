"""Which pods a Service leads to, and what is wrong where that is not exactly one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.rule import service

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod that a Service may lead to; without an IP address of its own it cannot."""

    pod: Pod
    has_ip: bool = True

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Backend:
        """Read a pod from the API's answer, its status included."""
        status = document.get("status")
        return cls(Pod.of(document), isinstance(status, Mapping) and bool(status.get("podIP")))

    @property
    def is_endpoint(self) -> bool:
        """Whether it is among a Service's endpoints, ready or not.

        https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/endpointslice/util/controller_utils.go
        """
        return self.has_ip and self.pod.phase not in _ENDED


def matching(wanted: Mapping[str, Any], backends: Iterable[Backend]) -> tuple[Backend, ...]:
    """Those of the namespace's pods that the Service's selector matches."""
    return tuple(one for one in backends if service.selects(wanted, one.pod))


def reached(wanted: Mapping[str, Any], behind: Iterable[Backend]) -> tuple[Pod, ...]:
    """The pods that a connection to the Service may end at.

    They are the ready ones that are not on their way out; the ready ones that are, where there is
    no other; and simply all where the Service publishes addresses that are not ready.

    https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/

    :param behind: the pods that its selector matches.
    """
    pods = tuple(one.pod for one in behind if one.is_endpoint)
    if service.publishes_not_ready(wanted):
        return pods
    ready = tuple(pod for pod in pods if pod.ready)
    return tuple(pod for pod in ready if not pod.deleting) or ready


def problem(wanted: Mapping[str, Any], behind: Sequence[Backend]) -> str:
    """What is wrong with a rule, in words that follow its name; "" where it is as it should be.

    :param behind: the pods that its selector matches.
    """
    pods = reached(wanted, behind)
    if len(pods) > 1:
        return f"reaches {len(pods)} pods"
    if not pods:
        alive = [one.pod.name for one in behind if one.is_endpoint]
        return f"reaches no pod: {alive[0]} is not ready" if len(alive) == 1 else "reaches no pod"
    if pods[0].deleting:
        return f"pod {pods[0].name} is being deleted"
    return "" if pods[0].ready else f"pod {pods[0].name} is not ready"
