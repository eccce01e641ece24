"""What is known about where a NodePort could answer, read from API JSON that is not trusted.

Only what passes gets out: IP literals and DNS names for addresses, printable ASCII of a sane length
for the texts that candidates.py compares with those of known systems.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kubectl_nodeport.ssh.names import passes, validate_hostname

Platform = Literal["linux", "darwin", "win32"]

# InternalDNS and ExternalDNS are names of addresses that stand beside them.
_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname")
# A node has a handful of addresses; a list without end would become a scan.
_MAX_ADDRESSES = 16
# AKS and GKE add a score of conditions of their own; Ready is the last of them.
_MAX_CONDITIONS = 64
_MAX_TEXT_CHARS = 253
_LABELS_THAT_MATTER = (
    "minikube.k8s.io/name",
    "microk8s.io/cluster",
    "eks.amazonaws.com/nodegroup",
    "eks.amazonaws.com/compute-type",
    "cloud.google.com/gke-nodepool",
    "cloud.google.com/private-node",
    "kubernetes.azure.com/cluster",
    "type",
)
# Tailscale's ranges: https://tailscale.com/kb/1033/ip-and-dns-addresses
_TAILNETS = (ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48"))
RANCHER_DESKTOP_NODE = "lima-rancher-desktop"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """One entry of ``status.addresses``.

    :param type: InternalIP, ExternalIP or Hostname.
    :param address: an IP literal, for a Hostname mostly a DNS name.
    """

    type: str
    address: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a Node object tells about the system it belongs to.

    :param os_image: ``status.nodeInfo.osImage``.
    :param kernel: ``status.nodeInfo.kernelVersion``.
    :param provider_id: ``spec.providerID``.
    :param labels: those that name a system, no others.
    :param virtual: no machine is behind it (virtual kubelet, Fargate): it forwards no NodePort.
    :param ready: nothing in its Ready condition says that it is not; kube-proxy's rules on a node
        that is not may be old. Cordoned nodes are ready.
    """

    name: str = ""
    addresses: tuple[NodeAddress, ...] = ()
    os_image: str = ""
    kernel: str = ""
    provider_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    virtual: bool = False
    ready: bool = True

    @property
    def public_addresses(self) -> tuple[str, ...]:
        """The node's addresses that may be open to the world: ExternalIPs and global InternalIPs.

        A private ExternalIP counts too, it is its operator's word for an address behind NAT. Not so
        a tailnet's, nor that of Rancher Desktop's node: its virtual machine's bridge
        (https://github.com/rancher-sandbox/rancher-desktop, backend/lima.ts).
        """
        found = (
            entry.address
            for entry in self.addresses
            if is_public(entry.address)
            or (
                entry.type == "ExternalIP"
                and not is_tailnet(entry.address)
                and self.name != RANCHER_DESKTOP_NODE
            )
        )
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """The machine that this program, and later ssh, runs on.

    :param wsl: this is Linux inside Windows; ssh may later be that of Windows.
    :param in_cluster: this is a container of a Kubernetes cluster.
    """

    platform: Platform
    wsl: bool = False
    in_cluster: bool = False


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """All that the order of candidates depends on.

    :param local: the machine this runs on.
    :param server_url: the API server's URL from the kubeconfig.
    :param pod_host_ips: the IPs of the pod's node, told by the pod (needs no right to read nodes).
    :param node: the pod's node; None where it was not read.
    :param node_name: its name, which the pod tells.
    :param context: the name of the kubeconfig's context.
    :param cluster: the name of the kubeconfig's cluster.
    :param providers: who wrote the kubeconfig entry, from its extensions.
    :param ip_families: the Service's families, ``IPv4`` and ``IPv6``; empty: not known.
    :param traffic_policy: the Service's externalTrafficPolicy, ``Cluster`` or ``Local``; empty: not
        known, which means Cluster.
    """

    local: LocalFacts
    server_url: str
    pod_host_ips: tuple[str, ...] = ()
    node: NodeFacts | None = None
    node_name: str = ""
    context: str = ""
    cluster: str = ""
    providers: tuple[str, ...] = ()
    ip_families: tuple[str, ...] = ()
    traffic_policy: str = ""


def node_facts(node_json: object) -> NodeFacts:
    """Read a Node object; whatever is missing or malformed in it is left out."""
    node = _mapping(node_json)
    metadata, spec, status = (_mapping(node.get(key)) for key in ("metadata", "spec", "status"))
    info = _mapping(status.get("nodeInfo"))
    labels = _mapping(metadata.get("labels"))
    kept = {key: _text(labels[key]) for key in _LABELS_THAT_MATTER if key in labels}
    name = _text(metadata.get("name"))
    return NodeFacts(
        name=name,
        addresses=tuple(_node_addresses(status.get("addresses"))),
        os_image=_text(info.get("osImage")),
        kernel=_text(info.get("kernelVersion")),
        provider_id=_text(spec.get("providerID")),
        labels=kept,
        virtual=_is_virtual(name, kept, spec.get("taints")),
        ready=_is_ready(status.get("conditions")),
    )


def kubeconfig_providers(*entries: object) -> tuple[str, ...]:
    """Who made a kubeconfig entry: ``extensions[].extension.provider`` of its cluster and context.

    minikube writes ``minikube.sigs.k8s.io`` there, whatever the profile is called.

    :param entries: the ``cluster:`` and ``context:`` mappings as they stand in the file.
    """
    found = (
        _text(_mapping(_mapping(item).get("extension")).get("provider"))
        for entry in entries
        for item in _entries(_mapping(entry).get("extensions"))
    )
    return tuple(dict.fromkeys(provider for provider in found if provider))


def is_ip_literal(text: str) -> bool:
    """An IPv4 or IPv6 address, without a zone (a zone means nothing on another machine)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def one_spelling(literal: str) -> str:
    """One address is one candidate, however it is written (IPv6 has many ways)."""
    return ipaddress.ip_address(literal).compressed


def is_public(address: str) -> bool:
    """Whether the whole internet could send packets to this IP literal; a name says nothing."""
    if not is_ip_literal(address):
        return False
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast


def is_tailnet(address: str) -> bool:
    """Whether an IP literal is of the ranges that Tailscale gives to its members."""
    return is_ip_literal(address) and any(
        ipaddress.ip_address(address) in network for network in _TAILNETS
    )


def _node_addresses(addresses: object) -> Iterator[NodeAddress]:
    for entry in map(_mapping, _entries(addresses)):
        kind, address = entry.get("type"), entry.get("address")
        if kind not in _ADDRESS_TYPES or not isinstance(address, str):
            continue
        if is_ip_literal(address):
            yield NodeAddress(kind, one_spelling(address))
        elif not kind.endswith("IP") and passes(validate_hostname, address):
            yield NodeAddress(kind, address)


def _is_virtual(name: str, labels: Mapping[str, str], taints: object) -> bool:
    taint_keys = [_text(_mapping(taint).get("key")) for taint in _entries(taints)]
    return (
        labels.get("type") == "virtual-kubelet"
        or labels.get("eks.amazonaws.com/compute-type") == "fargate"
        or name.startswith("fargate-")
        or "virtual-kubelet.io/provider" in taint_keys
    )


def _is_ready(conditions: object) -> bool:
    """The node controller writes Unknown when a kubelet falls silent: that is not ready either."""
    words = [
        _mapping(condition).get("status")
        for condition in _entries(conditions, _MAX_CONDITIONS)
        if _mapping(condition).get("type") == "Ready"
    ]
    return all(word == "True" for word in words)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _entries(value: object, most: int = _MAX_ADDRESSES) -> list[Any]:
    return value[:most] if isinstance(value, list) else []


def _text(value: object) -> str:
    if isinstance(value, str) and len(value) <= _MAX_TEXT_CHARS and value.isascii():
        return value if value.isprintable() else ""
    return ""
