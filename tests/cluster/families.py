"""The addresses of laptop, node and pods, in each IP family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Name = Literal["IPv4", "IPv6"]


@dataclass(frozen=True, slots=True)
class Family:
    """The addresses of one IP family. Neither network is one that this machine could be in."""

    name: Name
    node: str
    """The node's InternalIP; in IPv4 it is Docker Desktop's own."""
    external: str
    """The node's ExternalIP, in profiles where it has one."""
    cable_laptop: str
    cable_node: str
    """The node's end of the cable: always reachable, and no address that Kubernetes knows of."""
    nobody: str
    """A neighbour with a hardware address nobody has: what is sent there vanishes silently."""
    cable_bits: int
    """Length of the cable's network prefix."""
    bits: int
    """Length of a whole address."""
    pods: str
    services: str
    kubernetes: str
    """The API server's ClusterIP."""


IPV4 = Family(
    name="IPv4",
    node="192.168.65.3",
    external="203.0.113.10",
    cable_laptop="10.77.0.1",
    cable_node="10.77.0.2",
    nobody="10.77.0.254",
    cable_bits=24,
    bits=32,
    pods="10.244.0.0/24",
    services="10.96.0.0/16",
    kubernetes="10.96.0.1",
)
IPV6 = Family(
    name="IPv6",
    node="fd00:65::3",
    external="2001:db8::10",
    cable_laptop="fd00:77::1",
    cable_node="fd00:77::2",
    nobody="fd00:77::fe",
    cable_bits=64,
    bits=128,
    pods="fd00:244::/64",
    services="fd00:96::/112",
    kubernetes="fd00:96::1",
)
_BY_NAME = {family.name: family for family in (IPV4, IPV6)}


def families(names: Sequence[Name]) -> tuple[Family, ...]:
    """The families of these names, in the same order: the first is the cluster's primary one."""
    return tuple(_BY_NAME[name] for name in names)


def url_host(address: str) -> str:
    """An address as it stands in a URL: an IPv6 one in brackets."""
    return f"[{address}]" if ":" in address else address
