"""Which kind of cluster the facts speak of; names that people choose decide last.

The markers are what the systems' own code writes, or what ``kubectl get node -o yaml`` shows there.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from kubectl_nodeport.address.facts import (
    RANCHER_DESKTOP_NODE,
    AddressFacts,
    NodeFacts,
    is_ip_literal,
)


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
    TALOS = "Talos"
    GKE = "GKE"
    EKS = "EKS"
    AKS = "AKS"
    OTHER = "a cluster of its own machines"


CLOUDS = frozenset({Environment.GKE, Environment.EKS, Environment.AKS})
_WITH_FORWARDER = frozenset(
    {
        Environment.DOCKER_DESKTOP,
        Environment.ORBSTACK,
        Environment.RANCHER_DESKTOP,
        Environment.COLIMA,
        Environment.LIMA,
    }
)
_IN_CONTAINERS = frozenset({Environment.KIND, Environment.K3D, Environment.MINIKUBE})
# Kernels of the virtual machines in which container engines of other systems run the "nodes".
_VM_KERNELS = ("linuxkit", "orbstack", "microsoft")
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

    A node decides, by what it reports or, where it was not read, by its name; then the server's
    host, for clouds have names of their own for it. Where no node was read, the kubeconfig is
    believed at last: its extensions before the names of its context and cluster.
    """
    by_server = _of_server(server_host(facts.server_url))
    if facts.node is not None:
        return _of_node(facts.node) or by_server or Environment.OTHER
    by_name = _of_node(NodeFacts(name=facts.node_name)) or _of_node_name(facts.node_name)
    return by_name or by_server or _of_kubeconfig(facts) or Environment.OTHER


def waits_for_forwarder(kind: Environment) -> bool:
    """Whether a forwarder of the system may still open the port here, seconds after the cluster.

    It looks for new Services now and then (Lima's: every 10 s, then ports every 3 s; Rancher
    Desktop's: every 3 s). Elsewhere ports are published when the cluster is made, or never.
    """
    return kind in _WITH_FORWARDER


def is_hidden_in_vm(facts: AddressFacts, kind: Environment) -> bool:
    """Whether the nodes are containers that a virtual machine or a rootless engine hides.

    Containers have addresses that a Linux host can route to; the virtual machine of macOS, Windows
    or Docker Desktop for Linux around them hides these. minikube publishes its API server on
    127.0.0.1 exactly where it is so, rootless engines included (NeedsPortForward in
    https://github.com/kubernetes/minikube, pkg/minikube/driver/driver.go).
    """
    if kind is Environment.DOCKER_DESKTOP_KIND:
        return True
    is_container = kind in _IN_CONTAINERS or (
        kind is Environment.TALOS and is_talos_container(facts)
    )
    if not is_container or not is_this_machine(server_host(facts.server_url)):
        return False
    kernel = facts.node.kernel if facts.node is not None else ""
    is_native = facts.local.platform == "linux" and not _is_vm_kernel(kernel)
    return kind is Environment.MINIKUBE or not is_native


def is_minikube_vm(facts: AddressFacts) -> bool:
    """Whether minikube's node is a virtual machine: its image for these is made with Buildroot."""
    return facts.node is not None and facts.node.os_image.startswith("Buildroot")


def is_talos_container(facts: AddressFacts) -> bool:
    """Whether the node is a container of ``talosctl cluster create``: its kernel is not Talos'."""
    return facts.node is not None and "talos" not in facts.node.kernel


def _is_vm_kernel(kernel: str) -> bool:
    return any(mark in kernel for mark in _VM_KERNELS)


def _of_node(node: NodeFacts) -> Environment | None:
    return next((found for found, fits in _NODE_MARKERS if fits(node)), None)


# kind and k3d come first: inside Docker Desktop or OrbStack they have its kernel, not its ways.
_NODE_MARKERS: tuple[tuple[Environment, Callable[[NodeFacts], bool]], ...] = (
    # A kind cluster that somebody called "desktop" on Linux's own Docker has Linux's own kernel.
    (
        Environment.DOCKER_DESKTOP_KIND,
        lambda node: (
            node.provider_id.startswith("kind://docker/desktop/") and _is_vm_kernel(node.kernel)
        ),
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
            node.os_image.startswith("Rancher Desktop") or node.name == RANCHER_DESKTOP_NODE
        ),
    ),
    (Environment.COLIMA, lambda node: node.name == "colima" or node.name.startswith("colima-")),
    (Environment.LIMA, lambda node: node.name.startswith("lima-")),
    (Environment.TALOS, lambda node: node.os_image.startswith("Talos (")),
    (Environment.GKE, lambda node: "cloud.google.com/gke-nodepool" in node.labels),
    (
        Environment.EKS,
        lambda node: any(label.startswith("eks.amazonaws.com/") for label in node.labels),
    ),
    (Environment.AKS, lambda node: "kubernetes.azure.com/cluster" in node.labels),
)


def _of_node_name(name: str) -> Environment | None:
    """The system that names its nodes so; for a node that was read its name is too little."""
    return next((found for found, pattern in _NODE_NAMES if re.fullmatch(pattern, name)), None)


_NODE_NAMES: tuple[tuple[Environment, str], ...] = (
    (Environment.DOCKER_DESKTOP, "docker-desktop"),
    (Environment.DOCKER_DESKTOP_KIND, r"desktop-(control-plane|worker)[0-9]*"),
    (Environment.ORBSTACK, "orbstack"),
    (Environment.K3D, r"k3d-.+-(server|agent)-[0-9]+"),
)


def _of_server(host: str) -> Environment | None:
    return next((found for found, endings in _SERVER_NAMES if host.endswith(endings)), None)


# (system, endings of the API server's name)
_SERVER_NAMES: tuple[tuple[Environment, tuple[str, ...]], ...] = (
    (Environment.EKS, (".eks.amazonaws.com", ".eks.amazonaws.com.cn")),
    (Environment.AKS, (".azmk8s.io",)),
    (Environment.GKE, (".gke.goog",)),
)


def _of_kubeconfig(facts: AddressFacts) -> Environment | None:
    if "minikube.sigs.k8s.io" in facts.providers:
        return Environment.MINIKUBE
    for name in (facts.context, facts.cluster):
        for found, names, prefixes in _CONTEXT_NAMES:
            if name in names or name.startswith(prefixes):
                return found
    return None


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
    (Environment.GKE, (), ("gke_",)),
    (Environment.EKS, (), ("arn:aws:eks:", "arn:aws-cn:eks:")),
)
