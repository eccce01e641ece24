"""How the laptop reaches the cluster: one row for each environment.

To add one: a new row here; what makes it special goes into network.use(), nodes.dress() or
Cluster.use().
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

API_PORT = 6443

Route = Literal["direct", "vanishes", "unreachable", "blackhole"]
"""What becomes of packets to the node's InternalIP. They arrive; they vanish, so that connect()
times out; or the laptop itself says EHOSTUNREACH or EINVAL at once, as a VPN's routes make it."""

Firewall = Literal["open", "drop", "reject", "reset"]
"""What the node does with packets to a NodePort. `drop`: silence. `reject`: an ICMP error,
firewalld's way, which connect() tells as EHOSTUNREACH, in IPv6 as EACCES (and there only after its
second attempt, 1 s later: on this cable the first answer comes before connect() listens). `reset`:
the connection is accepted, then reset, as a service mesh or an inspecting firewall does; no program
in a pod notices."""

DEBIAN = "Debian GNU/Linux 12 (bookworm)"
EVERYWHERE = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Forwarder:
    """A process on the laptop that accepts connections and carries them to the node."""

    bind: str = "127.0.0.1"
    node_ports: bool = True
    """Whether it carries NodePorts; the API server's port it always does."""
    delay_s: float = 0
    """It opens a port so long after its Service came."""
    hollow: bool = False
    """It closes every connection to a NodePort as soon as it has accepted it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An environment as its user sees it from the laptop."""

    name: str
    route: Route
    context: str = "kubernetes-admin@kubernetes"
    """Name of the context in ~/.kube/config: USER@CLUSTER, or one name for all three."""
    os_image: str = DEBIAN
    """What the node says of its system (osImage)."""
    forwarder: Forwarder | None = None
    """If there is one, ~/.kube/config has the API server at 127.0.0.1."""
    firewall: Firewall = "open"
    external: Literal["open", "drop"] | None = None
    """Whether the node has an ExternalIP too, and what happens to NodePorts there."""
    second_node: bool = False
    """Whether a Node `worker-2` exists whose address, the cable's end, leads to kube-proxy too."""

    @property
    def user(self) -> str:
        """Name of the user in ~/.kube/config."""
        return self.context.partition("@")[0]

    @property
    def cluster(self) -> str:
        """Name of the cluster in ~/.kube/config."""
        return self.context.rpartition("@")[2]


_API_ALONE = Forwarder(node_ports=False)
PROFILES = {
    profile.name: profile
    for profile in (
        # Where the node's address answers, or is where nothing answers.
        Profile("lan", "direct"),
        Profile("firewall", "direct", firewall="drop"),
        Profile("reject", "direct", firewall="reject"),
        Profile("reset", "direct", firewall="reset"),
        Profile("no-route", "unreachable", forwarder=_API_ALONE),
        Profile("blackhole", "blackhole", forwarder=_API_ALONE),
        Profile("public", "vanishes", external="open", forwarder=_API_ALONE),
        Profile("filtered-external", "direct", external="drop"),
        Profile("second-node", "vanishes", second_node=True, forwarder=_API_ALONE),
        # Where something on the laptop forwards.
        Profile(
            "docker-desktop",
            "vanishes",
            context="docker-desktop",
            os_image="Docker Desktop",
            forwarder=Forwarder(bind=EVERYWHERE),  # vpnkit's OutIP
        ),
        # kind publishes the API server's port alone. The real one has another node too:
        # Cluster.start(name, identity=node.KIND).
        Profile("docker-desktop-kind", "vanishes", context="docker-desktop", forwarder=_API_ALONE),
        Profile(
            "orbstack", "direct", context="orbstack", os_image="OrbStack", forwarder=Forwarder()
        ),
        Profile(  # Lima's guest agent
            "late-forwarder",
            "vanishes",
            context="default",
            os_image="Ubuntu 24.04.3 LTS",
            forwarder=Forwarder(delay_s=8),
        ),
        Profile(
            "hollow-forwarder",
            "vanishes",
            context="rancher-desktop",
            os_image="Alpine Linux v3.22",
            forwarder=Forwarder(bind=EVERYWHERE, hollow=True),
        ),
    )
}
