"""Which kind of cluster the facts speak of; names that people choose decide last.

The markers are what the systems' own code writes, or what ``kubectl get node -o yaml`` shows there.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from kubectl_nodeport.address.facts import AddressFacts, NodeFacts, is_ip_literal


class Environment(enum.Enum):
    """The systems in which NodePorts answer in a way of their own; the value is for people."""

    DOCKER_DESKTOP = "Docker Desktop"
    DOCKER_DESKTOP_KIND = "Docker Desktop in kind mode"
    ORBSTACK = "OrbStack"
    RANCHER_DESKTOP = "Rancher Desktop"
    COLIMA = "Colima"
    LIMA = "Lima"
    KIND = "kind"
    K3D = "k3d"
    MINIKUBE = "minikube"
    MICROK8S = "MicroK8s"
    MANAGED_CLOUD = "a managed cloud cluster"
    OTHER = "a cluster of its own machines"


_MANAGED_LABELS = frozenset(
    {
        "eks.amazonaws.com/nodegroup",
        "eks.amazonaws.com/compute-type",
        "cloud.google.com/gke-nodepool",
        "kubernetes.azure.com/cluster",
    }
)
# The names by which Docker Desktop's kubeconfig calls this very machine (its hosts file says so).
_NAMES_OF_THIS_MACHINE = ("localhost", "kubernetes.docker.internal")


def server_host(server_url: str) -> str:
    """The host of the API server's URL, lower case, no brackets; empty if there is none."""
    try:
        return urlsplit(server_url if "//" in server_url else f"//{server_url}").hostname or ""
    except ValueError:
        return ""


def is_this_machine(host: str) -> bool:
    """Whether a server's host means the machine itself (k3d writes 0.0.0.0 for it)."""
    if is_ip_literal(host):
        ip = ipaddress.ip_address(host)
        return ip.is_loopback or ip.is_unspecified
    return host in _NAMES_OF_THIS_MACHINE


def environment(facts: AddressFacts) -> Environment:
    """The system that the cluster belongs to.

    A node that was read decides alone. Else its name may tell, then the kubeconfig is believed: its
    extensions and server before the names of its context and cluster.
    """
    if facts.node is not None:
        return _of_node(facts.node)
    by_name = _of_node(NodeFacts(name=facts.node_name))
    return _of_kubeconfig(facts) if by_name is Environment.OTHER else by_name


def _of_node(node: NodeFacts) -> Environment:
    return next((found for found, fits in _NODE_MARKERS if fits(node)), Environment.OTHER)


# kind and k3d come first: inside Docker Desktop or OrbStack they have its kernel, not its ways.
_NODE_MARKERS: tuple[tuple[Environment, Callable[[NodeFacts], bool]], ...] = (
    (
        Environment.DOCKER_DESKTOP_KIND,
        lambda node: node.provider_id.startswith("kind://docker/desktop/"),
    ),
    (Environment.KIND, lambda node: node.provider_id.startswith("kind://")),
    (Environment.K3D, lambda node: node.provider_id.startswith("k3s://k3d-")),
    (Environment.MINIKUBE, lambda node: "minikube.k8s.io/name" in node.labels),
    (Environment.MICROK8S, lambda node: "microk8s.io/cluster" in node.labels),
    (Environment.DOCKER_DESKTOP, lambda node: node.os_image == "Docker Desktop"),
    (Environment.ORBSTACK, lambda node: node.os_image == "OrbStack"),
    (
        Environment.RANCHER_DESKTOP,
        lambda node: (
            node.os_image.startswith("Rancher Desktop") or node.name == "lima-rancher-desktop"
        ),
    ),
    (Environment.COLIMA, lambda node: node.name == "colima" or node.name.startswith("colima-")),
    (Environment.LIMA, lambda node: node.name.startswith("lima-")),
    (Environment.MANAGED_CLOUD, lambda node: not _MANAGED_LABELS.isdisjoint(node.labels)),
)


def _of_kubeconfig(facts: AddressFacts) -> Environment:
    if "minikube.sigs.k8s.io" in facts.providers:
        return Environment.MINIKUBE
    host = server_host(facts.server_url)
    if host.endswith((".eks.amazonaws.com", ".azmk8s.io")):
        return Environment.MANAGED_CLOUD
    for name in (facts.context, facts.cluster):
        for found, names, prefixes in _CONTEXT_NAMES:
            if name in names or name.startswith(prefixes):
                return found
    return Environment.OTHER


# (system, whole names, beginnings of names)
_CONTEXT_NAMES: tuple[tuple[Environment, tuple[str, ...], tuple[str, ...]], ...] = (
    (Environment.DOCKER_DESKTOP, ("docker-desktop", "docker-for-desktop"), ()),
    (Environment.ORBSTACK, ("orbstack",), ()),
    (Environment.RANCHER_DESKTOP, ("rancher-desktop",), ()),
    (Environment.COLIMA, ("colima",), ("colima-",)),
    (Environment.KIND, (), ("kind-",)),
    (Environment.K3D, (), ("k3d-",)),
    (Environment.MINIKUBE, ("minikube",), ()),
    (Environment.MICROK8S, ("microk8s", "microk8s-cluster"), ()),
    (Environment.MANAGED_CLOUD, (), ("gke_", "arn:aws:eks:", "arn:aws-cn:eks:")),
)
