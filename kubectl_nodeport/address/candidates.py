"""The addresses at which a NodePort may answer, most promising first.

Only a probe decides. Candidates are tried almost at once, so a doubtful address costs little and a
missing one costs the answer: left out is only what cannot be right, or would be wrong in an ssh
config.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_nodeport.address.environment import (
    Environment,
    environment,
    is_this_machine,
    server_host,
)
from kubectl_nodeport.address.facts import AddressFacts, is_ip_literal
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.names import validate_hostname

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address worth a try.

    :param address: an IP literal or a DNS name, never a zone or a bracket.
    :param reason: why it may answer, for people.
    """

    address: str
    reason: str


# Where a forwarder of the system (or a published port) brings NodePorts to this machine's loopback,
# that address is stable, survives VPNs and needs no permission on macOS, so it goes first.
_LOOPBACK_REASONS = {
    Environment.DOCKER_DESKTOP: "Docker Desktop forwards NodePorts to 127.0.0.1",
    Environment.DOCKER_DESKTOP_KIND: "Docker Desktop publishes container ports on 127.0.0.1",
    Environment.ORBSTACK: "OrbStack forwards NodePorts to 127.0.0.1",
    Environment.RANCHER_DESKTOP: "Rancher Desktop forwards NodePorts to 127.0.0.1",
    Environment.COLIMA: "Colima forwards NodePorts to 127.0.0.1",
    Environment.LIMA: "Lima forwards NodePorts to 127.0.0.1",
    Environment.KIND: "a port that was published when the kind cluster was made",
    Environment.K3D: "a port that was published on the k3d cluster",
    Environment.MINIKUBE: "a port that was published when the minikube container was made",
    Environment.MICROK8S: "MicroK8s may run on it",
    Environment.OTHER: "the cluster may run on it",
}
_FORWARDED = frozenset(
    {
        Environment.DOCKER_DESKTOP,
        Environment.DOCKER_DESKTOP_KIND,
        Environment.ORBSTACK,
        Environment.RANCHER_DESKTOP,
        Environment.COLIMA,
        Environment.LIMA,
    }
)
# A node has a few addresses; a list without end would make a scanner of this program.
_MOST_CANDIDATES = 16
_CONTAINER_NODES = frozenset({Environment.KIND, Environment.K3D, Environment.MINIKUBE})
# Kernels of the virtual machines in which container engines of other systems run the "nodes".
_VM_KERNELS = ("linuxkit", "orbstack", "microsoft")


def candidates(facts: AddressFacts) -> tuple[Candidate, ...]:
    """The addresses to try, in order, each once; empty when the facts name none that may do."""
    kind = environment(facts)
    node = tuple(_node_candidates(facts))
    server = tuple(_server_candidates(facts, kind))
    loopback = tuple(_loopback_candidates(facts, kind))
    if _loopback_first(facts, kind):
        ordered = (*loopback, *node, *server)
    else:
        ordered = (*node, *server, *loopback)
    unique: dict[str, Candidate] = {}
    for found in ordered:
        if _may_answer(found.address, facts.ip_families):
            unique.setdefault(found.address, found)
    return tuple(unique.values())[:_MOST_CANDIDATES]


def _loopback_first(facts: AddressFacts, kind: Environment) -> bool:
    if kind in _FORWARDED:
        return True
    if kind not in _CONTAINER_NODES or not is_this_machine(server_host(facts.server_url)):
        return False
    # Containers have addresses that a Linux host can route to; a virtual machine around them
    # (macOS, Windows, Docker Desktop for Linux) hides these.
    kernel = facts.node.kernel if facts.node is not None else ""
    return facts.local.platform != "linux" or any(mark in kernel for mark in _VM_KERNELS)


def _node_candidates(facts: AddressFacts) -> Iterator[Candidate]:
    if facts.node is not None and facts.node.virtual:
        return
    addresses = facts.node.addresses if facts.node is not None else ()
    for wanted in ("InternalIP", "ExternalIP"):
        for entry in addresses:
            if entry.type == wanted:
                yield Candidate(entry.address, f"the pod's node ({wanted})")
        if wanted == "InternalIP":
            for host_ip in facts.pod_host_ips:
                yield Candidate(host_ip, "the pod's node (hostIP)")


def _server_candidates(facts: AddressFacts, kind: Environment) -> Iterator[Candidate]:
    """The API server's host: on clusters of few machines it is often a node itself."""
    host = server_host(facts.server_url)
    if facts.local.in_cluster or kind is Environment.MANAGED_CLOUD or is_this_machine(host):
        return
    try:
        yield Candidate(validate_hostname(host), "the API server's host, which may be a node too")
    except NodeportError:
        return


def _loopback_candidates(facts: AddressFacts, kind: Environment) -> Iterator[Candidate]:
    if facts.local.in_cluster or kind is Environment.MANAGED_CLOUD:
        return
    if kind is Environment.MINIKUBE and _is_virtual_machine(facts):
        return
    yield Candidate(_LOOPBACK, f"this machine: {_LOOPBACK_REASONS[kind]}")


def _is_virtual_machine(facts: AddressFacts) -> bool:
    """minikube's own image for virtual machines; nothing on the host forwards its NodePorts."""
    return facts.node is not None and facts.node.os_image.startswith("Buildroot")


def _may_answer(address: str, ip_families: tuple[str, ...]) -> bool:
    """Not an address that names no node, nor one of a family that the Service does not have."""
    if not is_ip_literal(address):
        return True
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return False
    if ip.is_loopback and address != _LOOPBACK:  # kube-proxy serves no ::1
        return False
    if ip.is_unspecified or ip.is_link_local or ip.is_multicast or ip.is_reserved:
        return False
    return not ip_families or f"IPv{ip.version}" in ip_families
