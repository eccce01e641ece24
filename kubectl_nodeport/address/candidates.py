"""The addresses at which a NodePort may answer, most promising first.

Only a probe decides. Candidates are tried almost at once, so a doubtful address costs little and a
missing one costs the answer: left out is only what cannot be right, or would be wrong in an ssh
config.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubectl_nodeport.address.environment import (
    CLOUDS,
    Environment,
    environment,
    is_hidden_in_vm,
    is_minikube_vm,
    is_talos_container,
    is_this_machine,
    server_host,
    waits_for_forwarder,
)
from kubectl_nodeport.address.facts import (
    AddressFacts,
    NodeFacts,
    is_ip_literal,
    is_tailnet,
    one_spelling,
)
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
    Environment.TALOS: "a port that was published when the Talos container was made",
    Environment.MICROK8S: "MicroK8s may run on it",
    Environment.OTHER: "the cluster may run on it",
}
# A node has a few addresses; a list without end would make a scanner of this program.
_MOST_CANDIDATES = 16
_MOST_OTHER_NODES = 4
_MOST_OTHERS = 8
# What a virtual machine is called inside its own user-mode network, which nobody else can enter:
# QEMU and VirtualBox NAT, Lima (pkg/networks/usernet), Rancher Desktop on Windows.
_GUEST_ONLY_EVERYWHERE = ipaddress.ip_network("10.0.2.15/32")
_GUEST_ONLY = {
    Environment.RANCHER_DESKTOP: ("192.168.5.0/24", "192.168.127.2/32"),
    Environment.COLIMA: ("192.168.5.0/24",),
    Environment.LIMA: ("192.168.5.0/24",),
}
# Elsewhere a node's name says nothing that its addresses do not say.
_NAMED_MACHINES = frozenset({Environment.OTHER, Environment.TALOS})


def candidates(facts: AddressFacts) -> tuple[Candidate, ...]:
    """The addresses to try, in order, each once; empty when the facts name none that may do.

    Addresses of a node that is not ready, and those inside a virtual machine's own network, go
    last.
    """
    kind = environment(facts)
    own = tuple(_own_candidates(facts))
    last = own if facts.node is not None and not facts.node.ready else ()
    last = last or tuple(found for found in own if _is_guest_only(found.address, kind))
    node = tuple(found for found in own if found not in last)
    server = (*_server_candidates(facts, kind), *_name_candidates(facts, kind))
    loopback = tuple(_loopback_candidates(facts, kind))
    if waits_for_forwarder(kind) or is_hidden_in_vm(facts, kind):
        ordered = (*loopback, *node, *server, *last)
    else:
        ordered = (*node, *server, *loopback, *last)
    return _each_once(ordered, facts)[:_MOST_CANDIDATES]


def other_candidates(facts: AddressFacts, nodes: Sequence[NodeFacts]) -> tuple[Candidate, ...]:
    """Addresses of a few other nodes, for when none of the pod's own answers.

    kube-proxy forwards a NodePort on every node, save where externalTrafficPolicy is Local
    (https://kubernetes.io/docs/reference/networking/virtual-ips/). Empty as well where the nodes
    are containers inside one virtual machine: what hides one of them hides them all. In WSL they
    may be containers of this very distribution, whose kernel is the same.

    :param nodes: of the cluster, in any order; those that are ready are preferred.
    """
    kind = environment(facts)
    is_hidden = is_hidden_in_vm(facts, kind) and not facts.local.wsl
    if facts.traffic_policy == "Local" or is_hidden:
        return ()
    tried = {found.address for found in candidates(facts)}
    own = {facts.node_name, facts.node.name if facts.node is not None else ""}

    def fresh(node: NodeFacts, wanted: str) -> list[Candidate]:
        return [
            Candidate(entry.address, f"another node, {node.name} ({wanted})")
            for entry in node.addresses
            if entry.type == wanted
            and entry.address not in tried
            and not _is_guest_only(entry.address, kind)
            and _may_answer(entry.address, facts.ip_families)
        ]

    machines = [node for node in nodes if not node.virtual and node.name not in own]
    useful = [node for node in machines if fresh(node, "InternalIP") or fresh(node, "ExternalIP")]
    chosen = sorted(useful, key=lambda node: not node.ready)[:_MOST_OTHER_NODES]
    ordered = [
        found
        for wanted in ("InternalIP", "ExternalIP")
        for node in chosen
        for found in fresh(node, wanted)
    ]
    return _each_once(ordered, facts)[:_MOST_OTHERS]


def pinned(address: str) -> Candidate:
    """The one candidate of ``--address``.

    :param address: an IP literal or a DNS name.
    :raises NodeportError: it is neither.
    """
    checked = validate_hostname(address)
    return Candidate(
        one_spelling(checked) if is_ip_literal(checked) else checked, "given with --address"
    )


def _each_once(ordered: Sequence[Candidate], facts: AddressFacts) -> tuple[Candidate, ...]:
    unique: dict[str, Candidate] = {}
    for found in ordered:
        if _may_answer(found.address, facts.ip_families):
            unique.setdefault(found.address, found)
    return tuple(unique.values())


def _own_candidates(facts: AddressFacts) -> Iterator[Candidate]:
    if facts.node is not None and facts.node.virtual:
        return
    addresses = facts.node.addresses if facts.node is not None else ()
    for wanted in ("InternalIP", "ExternalIP"):
        for entry in addresses:
            if entry.type == wanted:
                over = ", over Tailscale" if is_tailnet(entry.address) else ""
                yield Candidate(entry.address, f"the pod's node ({wanted}{over})")
        if wanted == "InternalIP":
            for host_ip in facts.pod_host_ips:
                yield Candidate(host_ip, "the pod's node (hostIP)")


def _server_candidates(facts: AddressFacts, kind: Environment) -> Iterator[Candidate]:
    """The API server's host: on clusters of few machines it is often a node itself."""
    host = server_host(facts.server_url)
    if facts.local.in_cluster or kind in CLOUDS or is_this_machine(host):
        return
    try:
        yield Candidate(validate_hostname(host), "the API server's host, which may be a node too")
    except NodeportError:
        return


def _name_candidates(facts: AddressFacts, kind: Environment) -> Iterator[Candidate]:
    """The node's host name, where a LAN's DNS may know an address that the node does not.

    So it is behind NAT, or in virtual machines that all call themselves 10.0.2.15 (Vagrant). A
    name without a dot is left out: what it means depends on this machine's search list.
    """
    if facts.node is None or facts.node.virtual or facts.local.in_cluster:
        return
    for entry in facts.node.addresses if kind in _NAMED_MACHINES else ():
        if entry.type == "Hostname" and "." in entry.address and not is_ip_literal(entry.address):
            yield Candidate(entry.address, "the pod's node (its host name)")


def _loopback_candidates(facts: AddressFacts, kind: Environment) -> Iterator[Candidate]:
    if facts.local.in_cluster or kind in CLOUDS:
        return
    if kind is Environment.MINIKUBE and is_minikube_vm(facts):
        return  # nothing forwards their NodePorts
    if kind is Environment.TALOS and not is_talos_container(facts):
        return  # a Talos machine runs no programs of users, this one included
    yield Candidate(_LOOPBACK, f"this machine: {_LOOPBACK_REASONS[kind]}")


def _is_guest_only(address: str, kind: Environment) -> bool:
    if not is_ip_literal(address):
        return False
    ip = ipaddress.ip_address(address)
    return ip in _GUEST_ONLY_EVERYWHERE or any(
        ip in ipaddress.ip_network(network) for network in _GUEST_ONLY.get(kind, ())
    )


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
