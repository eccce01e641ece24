"""How the laptop reaches the cluster: one row for each environment.

To add one: a new row here; what makes it special goes into network.route() or Cluster.use().
"""

from __future__ import annotations

from dataclasses import dataclass

NODE_IP = "192.168.65.3"
"""The node's InternalIP (Docker Desktop's own)."""
CABLE_LAPTOP = "10.77.0.1"
CABLE_NODE = "10.77.0.2"
API_PORT = 6443


@dataclass(frozen=True, slots=True)
class Profile:
    """An environment as its user sees it from the laptop."""

    name: str
    context: str
    """Name of the context in ~/.kube/config."""
    cluster: str
    user: str
    server: str
    """The API server's URL in ~/.kube/config."""
    node_reachable: bool
    """Whether packets to NODE_IP arrive; if not they vanish, as the real ones do."""
    forwarder: bool
    """Whether a process on the laptop's 127.0.0.1 forwards the API server and each NodePort."""


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="lan",
            context="kubernetes-admin@kubernetes",
            cluster="kubernetes",
            user="kubernetes-admin",
            server=f"https://{NODE_IP}:{API_PORT}",
            node_reachable=True,
            forwarder=False,
        ),
        Profile(
            name="docker-desktop",
            context="docker-desktop",
            cluster="docker-desktop",
            user="docker-desktop",
            server=f"https://127.0.0.1:{API_PORT}",
            node_reachable=False,
            forwarder=True,
        ),
    )
}
