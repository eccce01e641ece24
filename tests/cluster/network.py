"""The cable between laptop and node, and what a profile does to it."""

from __future__ import annotations

from tests.cluster.namespaces import entering
from tests.cluster.process import ProcessId, run
from tests.cluster.profiles import CABLE_LAPTOP, CABLE_NODE, NODE_IP, Profile

_NOBODY = "10.77.0.254"
"""A neighbour with a hardware address that nobody has: what is sent there vanishes silently."""


def plug_in(laptop: ProcessId, node: ProcessId) -> None:
    """Connect the two. Neither gets a default route: no packet can leave the machine."""
    ends = ["eth0", "netns", str(laptop.pid), "type", "veth", "peer", "name", "eth0"]
    run(["ip", "link", "add", *ends, "netns", str(node.pid)])
    _configure(
        laptop,
        "link set lo up",
        f"address add {CABLE_LAPTOP}/24 dev eth0",
        "link set eth0 up",
        f"neighbour add {_NOBODY} lladdr 02:00:00:00:00:fe nud permanent dev eth0",
    )
    _configure(
        node,
        "link set lo up",
        f"address add {CABLE_NODE}/24 dev eth0",
        f"address add {NODE_IP}/32 dev eth0",
        "link set eth0 up",
    )


def route(laptop: ProcessId, profile: Profile) -> None:
    """Let packets to the node's own address arrive, or vanish."""
    gateway = CABLE_NODE if profile.node_reachable else _NOBODY
    _configure(laptop, f"route replace {NODE_IP}/32 via {gateway}")


def _configure(holder: ProcessId, *lines: str) -> None:
    run([*entering(holder, "net"), "ip", "-batch", "-"], stdin="\n".join(lines))
