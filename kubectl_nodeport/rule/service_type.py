"""A Service of someone's own that becomes a NodePort, and gets its former type back. Pure.

Only its type changes, with the node ports that follow from it, and an annotation of ours that keeps
the former type. A LoadBalancer keeps its type: it has node ports already, and another type would
drop its address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service as services
from kubectl_nodeport.rule.rule import DEFAULT_RANGE, PROTOCOLS

FORMER_TYPE = "kubectl-nodeport/former-type"
# Labels and annotations by which tools find their objects again; Argo CD's is an annotation:
# https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
_MARKS_OF_MANAGERS = {
    "app.kubernetes.io/managed-by": "Helm",
    "meta.helm.sh/release-name": None,
    "argocd.argoproj.io/tracking-id": None,
    "argocd.argoproj.io/instance": None,
    "kustomize.toolkit.fluxcd.io/name": None,
    "helm.toolkit.fluxcd.io/name": None,
}


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a Service; ``node_port`` is None where it is not open."""

    name: str
    number: int
    target: int | str
    protocol: str
    node_port: int | None = None

    def __str__(self) -> str:
        """``3306``, ``53/UDP``, with its name behind where it has one."""
        protocol = "" if self.protocol == "TCP" else f"/{self.protocol}"
        return f"{self.number}{protocol}" + (f" ({self.name})" if self.name else "")


def ports(service: Mapping[str, Any]) -> tuple[Port, ...]:
    """The Service's ports; what is malformed is left out."""
    listed = _mapping(service.get("spec")).get("ports")
    found = []
    for one in map(_mapping, listed if isinstance(listed, list) else []):
        number, target, node_port = one.get("port"), one.get("targetPort"), one.get("nodePort")
        protocol = one.get("protocol", "TCP")
        if type(number) is not int or protocol not in PROTOCOLS:
            continue
        found.append(
            Port(
                name=str(one.get("name") or ""),
                number=number,
                target=target if isinstance(target, (int, str)) and target else number,
                protocol=protocol,
                node_port=node_port if type(node_port) is int and node_port > 0 else None,
            )
        )
    return tuple(found)


def kind(service: Mapping[str, Any]) -> str:
    """The Service's type."""
    return str(_mapping(service.get("spec")).get("type") or "ClusterIP")


def former_type(service: Mapping[str, Any]) -> str:
    """The type that it had before this program changed it; "" where it did not.

    The annotation names this very Service, so that a manifest copied to another name is not taken
    for one that was changed.
    """
    annotations = _mapping(_mapping(service.get("metadata")).get("annotations"))
    return "ClusterIP" if annotations.get(FORMER_TYPE) == _former("ClusterIP", service) else ""


def is_opened(service: Mapping[str, Any]) -> bool:
    """Whether it is a NodePort because this program made it one."""
    return kind(service) == "NodePort" and bool(former_type(service))


def _former(kind: str, service: Mapping[str, Any]) -> str:
    return f"{kind} {_namespace(service)}/{services.name(service)}"


def check_can_open(service: Mapping[str, Any]) -> None:
    """Refuse a Service that can have no node ports, or must not.

    :raises NodeportError: saying why, and what does instead.
    """
    name, namespace = services.name(service), _namespace(service)
    spec = _mapping(service.get("spec"))
    if (namespace, name) == ("default", "kubernetes"):
        raise NodeportError(
            "svc/kubernetes is the API server itself, which stays as it is",
            hint="kubectl cluster-info shows where it is reached",
        )
    if kind(service) == "ExternalName":
        raise NodeportError(
            f"svc/{name} is of type ExternalName: a name for {spec.get('externalName')}, "
            "with no ports in this cluster",
            hint="connect to that name itself",
        )
    if kind(service) == "ClusterIP" and spec.get("clusterIP") == "None":
        raise NodeportError(
            f"svc/{name} is headless: without a ClusterIP it can have no NodePort",
            hint=f"open one of its pods: kubectl nodeport expose POD --port PORT -n {namespace}; "
            f"kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={name}",
        )
    if kind(service) == "LoadBalancer" and not any(p.node_port for p in ports(service)):
        raise NodeportError(
            f"svc/{name} is of type LoadBalancer without NodePorts "
            "(allocateLoadBalancerNodePorts: false)",
            hint=f"use its own address: kubectl get svc {name} -n {namespace}",
        )
    _check_ports(service)


def _check_ports(service: Mapping[str, Any]) -> None:
    known, listed = ports(service), _mapping(service.get("spec")).get("ports")
    if known and isinstance(listed, list) and len(known) == len(listed):
        return
    what = "has a port of a kind unknown here" if known else "has no ports"
    raise NodeportError(
        f"svc/{services.name(service)} {what}",
        hint=f"kubectl get svc {services.name(service)} -n {_namespace(service)} -o yaml",
    )


def opening(service: Mapping[str, Any], node_ports: Mapping[int, int]) -> Json:
    """The merge patch that makes it a NodePort.

    :param node_ports: by the port's place in the list; the server chooses the others.
    """
    patch: Json = {
        "metadata": {
            "resourceVersion": _version(service),
            "annotations": {FORMER_TYPE: _former(kind(service), service)},
        },
        "spec": {"type": "NodePort"},
    }
    if node_ports:
        listed = _mapping(service.get("spec")).get("ports") or []
        patch["spec"]["ports"] = [
            {**port, **({"nodePort": node_ports[at]} if at in node_ports else {})}
            for at, port in enumerate(listed)
        ]
    return patch


def closing(service: Mapping[str, Any]) -> Json:
    """The merge patch that takes the opening back.

    The API server lets go of the node ports by itself, with what it had added for them:
    https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/registry/core/service/strategy.go
    """
    patch: Json = {
        "metadata": {
            "resourceVersion": _version(service),
            "annotations": {FORMER_TYPE: None},
        }
    }
    if kind(service) == "NodePort":
        patch["spec"] = {"type": former_type(service)}
    return patch


def preferred_node_port(service: Mapping[str, Any], port: Port, cluster: str) -> int:
    """The node port to ask for, so that a Service that is opened again keeps it."""
    first, last = DEFAULT_RANGE
    words = (cluster, _namespace(service), f"svc/{services.name(service)}", str(port))
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return first + int.from_bytes(digest[:8], "big") % (last - first + 1)


def manager(service: Mapping[str, Any]) -> str:
    """Who may turn the change back at its next run, such as Helm; "" where nobody is known."""
    metadata = _mapping(service.get("metadata"))
    marks = {**_mapping(metadata.get("annotations")), **_mapping(metadata.get("labels"))}
    for key, value in _MARKS_OF_MANAGERS.items():
        if key in marks and value in (None, marks[key]):
            return value or key.partition("/")[0]
    owners = metadata.get("ownerReferences")
    for owner in map(_mapping, owners if isinstance(owners, list) else []):
        if owner.get("controller") is True:
            return f"{owner.get('kind')} {owner.get('name')}"
    return ""


def _version(service: Mapping[str, Any]) -> str:
    return str(_mapping(service.get("metadata")).get("resourceVersion", ""))


def _namespace(service: Mapping[str, Any]) -> str:
    return str(_mapping(service.get("metadata")).get("namespace", ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
