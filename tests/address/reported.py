"""What clusters and kubeconfigs report, as the JSON that the API and kubectl's file really hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.address.environment import Environment
from kubectl_nodeport.address.facts import (
    AddressFacts,
    LocalFacts,
    kubeconfig_providers,
    node_facts,
)
from kubectl_nodeport.kube.pod import Pod

MAC = LocalFacts("darwin")
LINUX = LocalFacts("linux")
WINDOWS = LocalFacts("win32")
WSL = LocalFacts("linux", wsl=True)
IN_CLUSTER = LocalFacts("linux", in_cluster=True)

BOOKWORM = "Debian GNU/Linux 12 (bookworm)"
UBUNTU = "Ubuntu 24.04.3 LTS"
LINUXKIT = "6.12.5-linuxkit"
WSL_KERNEL = "5.15.167.4-microsoft-standard-WSL2"
DEBIAN_KERNEL = "6.1.0-18-amd64"

Node = dict[str, Any]


def node(
    name: str,
    internal: str,
    image: str = "",
    kernel: str = "",
    *,
    labels: Mapping[str, str] | None = None,
    **more: str,
) -> Node:
    """A Node object in a few words.

    ``internal`` and ``external`` are addresses parted by blanks, ``provider`` is spec.providerID,
    ``labels`` are the node's, ``taint`` is a taint's key, ``ready`` the status of its Ready
    condition.
    """
    addresses = [{"type": "InternalIP", "address": ip} for ip in internal.split()]
    addresses += [{"type": "ExternalIP", "address": ip} for ip in more.get("external", "").split()]
    addresses.append({"type": "Hostname", "address": name})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
        },
        "spec": {
            "providerID": more.get("provider", ""),
            "taints": [{"key": more["taint"], "effect": "NoSchedule"}] if "taint" in more else None,
        },
        "status": {
            "addresses": addresses,
            "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": more.get("ready", "True")},
            ],
            "nodeInfo": {"osImage": image, "kernelVersion": kernel},
        },
    }


@dataclass(frozen=True)
class Client:
    """Where kubectl runs, what its kubeconfig says, and what the Service is.

    ``made_by`` stands in the extensions of cluster and context. Without ``reads_nodes`` only the
    pod tells of its node. ``policy`` is the Service's externalTrafficPolicy.
    """

    local: LocalFacts
    server: str
    context: str = ""
    cluster: str = ""
    made_by: str = ""
    families: tuple[str, ...] = ("IPv4",)
    reads_nodes: bool = True
    policy: str = "Cluster"


@dataclass(frozen=True)
class Row:
    """An environment: what is reported there, and what follows."""

    node: Node
    client: Client
    system: Environment
    expected: str

    @property
    def facts(self) -> AddressFacts:
        return facts_of(self.node, self.client)


def facts_of(node_json: Node, client: Client) -> AddressFacts:
    extension = {"extension": {"provider": client.made_by, "version": "v1.37.0"}}
    cluster = {"server": client.server, "extensions": [{"name": "cluster_info", **extension}]}
    context = {"cluster": "x", "extensions": [{"name": "context_info", **extension}]}
    # A pod's status.hostIPs are the InternalIPs that the kubelet of its node reports.
    internal = [a for a in node_json["status"]["addresses"] if a["type"] == "InternalIP"]
    host_ips = [{"ip": address["address"]} for address in internal]
    return AddressFacts(
        local=client.local,
        server_url=client.server,
        pod_host_ips=Pod.of({"status": {"hostIPs": host_ips}}).host_ips,
        node=node_facts(node_json) if client.reads_nodes else None,
        node_name=node_json["metadata"]["name"],
        context=client.context,
        cluster=client.cluster or client.context,
        providers=kubeconfig_providers(cluster, context),
        ip_families=client.families,
        traffic_policy=client.policy,
    )
