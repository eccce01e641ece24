"""Whether a NetworkPolicy may keep connections from the pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Request
from kubectl_nodeport.kube.target import is_name

_WHY = "where the network heeds it, it lets in no connections but those that it names"
_SHOWN = 4


def _judge(case: Case) -> Finding:
    request = Request(
        "list",
        "networkpolicies",
        "see what may keep connections from the pod",
        namespace=case.pod.namespace,
        group="networking.k8s.io/v1",
    )
    try:
        policies = everything(case.edges.api.send, request)
    except NodeportError as err:
        return ok(f"not known: {err.message}")
    found = [name for one in policies if (name := _name(one)) and _holds(one, case.pod)]
    if not found:
        return ok("none is for this pod")
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    seen = f"{', '.join(found[:_SHOWN])}{more} {'is' if len(found) == 1 else 'are'} for this pod"
    if case.reached:
        return ok(f"{seen}, and this machine is let in")
    command = f"kubectl describe networkpolicy {found[0]} -n {case.pod.namespace}"
    return warning(f"{seen}, and may not let this machine in", _WHY, command=command)


def _holds(policy: Mapping[str, Any], pod: Pod) -> bool:
    """Whether it may be about what comes into the pod; where expressions decide, it may."""
    spec = policy.get("spec")
    if not isinstance(spec, dict):
        return False
    types = spec.get("policyTypes")
    selector = spec.get("podSelector")
    wanted = selector.get("matchLabels") if isinstance(selector, dict) else None
    if isinstance(types, list) and "Ingress" not in types:
        return False
    return not isinstance(wanted, dict) or wanted.items() <= pod.labels.items()


def _name(policy: Mapping[str, Any]) -> str:
    metadata = policy.get("metadata")
    name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
    return name if is_name(name) else ""


CHECK = Check(
    "network-policy", "network policies", _judge, _WHY, needs=("pod", "address"), of_target=True
)
