"""One row per environment: facts as that system really reports them, and the order that follows.

Node facts are what ``kubectl get node -o yaml`` shows there (addresses, osImage, kernelVersion,
providerID, labels), servers and contexts what the system writes into the kubeconfig.
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.address.candidates import candidates
from kubectl_nodeport.address.environment import (
    Environment,
    environment,
    is_this_machine,
    server_host,
)
from kubectl_nodeport.address.facts import AddressFacts, LocalFacts, NodeAddress, NodeFacts

MAC = LocalFacts("darwin")
LINUX = LocalFacts("linux")
WINDOWS = LocalFacts("win32")
WSL = LocalFacts("linux", wsl=True)
IN_CLUSTER = LocalFacts("linux", in_cluster=True)


def node(
    name: str, internal: str, *, external: str = "", image: str = "", kernel: str = "", **more: str
) -> NodeFacts:
    """A node in a few words; ``provider`` is its providerID, ``label`` a label that matters."""
    addresses = [NodeAddress("InternalIP", ip) for ip in internal.split()]
    addresses += [NodeAddress("ExternalIP", ip) for ip in external.split()]
    addresses.append(NodeAddress("Hostname", name))
    return NodeFacts(
        name=name,
        addresses=tuple(addresses),
        os_image=image,
        kernel=kernel,
        provider_id=more.get("provider", ""),
        labels={more["label"]: "true"} if "label" in more else {},
    )


def facts(
    server: str, its_node: NodeFacts | None, local: LocalFacts, context: str = ""
) -> AddressFacts:
    internal = [a.address for a in its_node.addresses if a.type == "InternalIP"] if its_node else []
    return AddressFacts(
        local=local,
        server_url=server,
        pod_host_ips=tuple(internal),
        node=its_node,
        context=context,
        cluster=context,
        ip_families=("IPv4",),
    )


DEBIAN = "Debian GNU/Linux 12 (bookworm)"
UBUNTU = "Ubuntu 24.04.3 LTS"

TABLE: dict[str, tuple[AddressFacts, Environment, str]] = {
    "docker desktop, kubeadm, mac": (
        facts(
            "https://kubernetes.docker.internal:6443",
            node(
                "docker-desktop", "192.168.65.3", image="Docker Desktop", kernel="6.12.5-linuxkit"
            ),
            MAC,
            "docker-desktop",
        ),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, windows": (
        facts(
            "https://127.0.0.1:6443",
            node(
                "docker-desktop",
                "192.168.65.3",
                image="Docker Desktop",
                kernel="5.15.167.4-microsoft-standard-WSL2",
            ),
            WINDOWS,
            "docker-desktop",
        ),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, its context renamed": (
        facts(
            "https://127.0.0.1:6443",
            node("docker-desktop", "192.168.65.3", image="Docker Desktop"),
            MAC,
            "kubernetes-admin@kubernetes",
        ),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kind": (
        facts(
            "https://127.0.0.1:62526",
            node(
                "desktop-control-plane",
                "172.18.0.2",
                image=DEBIAN,
                kernel="6.12.5-linuxkit",
                provider="kind://docker/desktop/desktop-control-plane",
            ),
            MAC,
            "docker-desktop",
        ),
        Environment.DOCKER_DESKTOP_KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "orbstack": (
        facts(
            "https://127.0.0.1:26443",
            node("orbstack", "192.168.139.2", image="OrbStack", kernel="6.17.8-orbstack-00308"),
            MAC,
            "orbstack",
        ),
        Environment.ORBSTACK,
        "127.0.0.1 192.168.139.2",
    ),
    "kind inside orbstack": (
        facts(
            "https://127.0.0.1:51234",
            node(
                "dev-control-plane",
                "172.18.0.2",
                image=DEBIAN,
                kernel="6.17.8-orbstack-00308",
                provider="kind://docker/dev/dev-control-plane",
            ),
            MAC,
            "kind-dev",
        ),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "minikube, docker driver, mac": (
        facts(
            "https://127.0.0.1:53211",
            node("minikube", "192.168.49.2", image=UBUNTU, label="minikube.k8s.io/name"),
            MAC,
            "minikube",
        ),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "minikube, docker driver, linux": (
        facts(
            "https://192.168.49.2:8443",
            node("minikube", "192.168.49.2", image=UBUNTU, label="minikube.k8s.io/name"),
            LINUX,
            "minikube",
        ),
        Environment.MINIKUBE,
        "192.168.49.2 127.0.0.1",
    ),
    "minikube, virtual machine": (
        facts(
            "https://192.168.64.7:8443",
            node("p2", "192.168.64.7", image="Buildroot 2023.02.9", label="minikube.k8s.io/name"),
            MAC,
            "p2",
        ),
        Environment.MINIKUBE,
        "192.168.64.7",
    ),
    "minikube, none driver": (
        facts(
            "https://10.1.2.3:8443",
            node("host", "10.1.2.3", image=DEBIAN, label="minikube.k8s.io/name"),
            LINUX,
            "minikube",
        ),
        Environment.MINIKUBE,
        "10.1.2.3 127.0.0.1",
    ),
    "kind, linux": (
        facts(
            "https://127.0.0.1:41873",
            node(
                "kind-worker",
                "172.18.0.3",
                image=DEBIAN,
                kernel="6.1.0-18-amd64",
                provider="kind://docker/kind/kind-worker",
            ),
            LINUX,
            "kind-kind",
        ),
        Environment.KIND,
        "172.18.0.3 127.0.0.1",
    ),
    "kind, mac": (
        facts(
            "https://127.0.0.1:41873",
            node(
                "kind-control-plane",
                "172.18.0.2",
                image=DEBIAN,
                kernel="6.12.5-linuxkit",
                provider="kind://docker/kind/kind-control-plane",
            ),
            MAC,
            "kind-kind",
        ),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "kind, docker desktop for linux": (
        facts(
            "https://127.0.0.1:41873",
            node(
                "kind-control-plane",
                "172.18.0.2",
                kernel="6.12.5-linuxkit",
                provider="kind://docker/kind/kind-control-plane",
            ),
            LINUX,
            "kind-kind",
        ),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "kind in a podman machine": (
        facts(
            "https://127.0.0.1:41873",
            node(
                "kind-control-plane",
                "10.89.0.2",
                kernel="6.12.7-200.fc41.aarch64",
                provider="kind://podman/kind/kind-control-plane",
            ),
            MAC,
            "kind-kind",
        ),
        Environment.KIND,
        "127.0.0.1 10.89.0.2",
    ),
    "k3d, linux": (
        facts(
            "https://0.0.0.0:40935",
            node(
                "k3d-dev-server-0",
                "172.19.0.3",
                image="K3s v1.33.4+k3s1",
                kernel="6.1.0-18-amd64",
                provider="k3s://k3d-dev-server-0",
            ),
            LINUX,
            "k3d-dev",
        ),
        Environment.K3D,
        "172.19.0.3 127.0.0.1",
    ),
    "k3d, mac": (
        facts(
            "https://0.0.0.0:40935",
            node(
                "k3d-dev-agent-0",
                "172.19.0.4",
                image="K3s v1.33.4+k3s1",
                kernel="6.12.5-linuxkit",
                provider="k3s://k3d-dev-agent-0",
            ),
            MAC,
            "k3d-dev",
        ),
        Environment.K3D,
        "127.0.0.1 172.19.0.4",
    ),
    "rancher desktop, mac": (
        facts(
            "https://127.0.0.1:6443",
            node(
                "lima-rancher-desktop",
                "192.168.5.15",
                external="192.168.64.5",
                image="Alpine Linux v3.21",
                provider="k3s://lima-rancher-desktop",
            ),
            MAC,
            "rancher-desktop",
        ),
        Environment.RANCHER_DESKTOP,
        "127.0.0.1 192.168.5.15 192.168.64.5",
    ),
    "rancher desktop, windows": (
        facts(
            "https://127.0.0.1:6443",
            node(
                "desktop-abc123",
                "192.168.127.2",
                image="Rancher Desktop WSL Distribution",
                provider="k3s://desktop-abc123",
            ),
            WINDOWS,
            "rancher-desktop",
        ),
        Environment.RANCHER_DESKTOP,
        "127.0.0.1 192.168.127.2",
    ),
    "colima": (
        facts(
            "https://127.0.0.1:58427",
            node("colima", "192.168.5.1", image=UBUNTU, provider="k3s://colima"),
            MAC,
            "colima",
        ),
        Environment.COLIMA,
        "127.0.0.1 192.168.5.1",
    ),
    "colima with --network-address": (
        facts(
            "https://192.168.106.2:58427",
            node("colima-work", "192.168.5.1", image=UBUNTU, provider="k3s://colima-work"),
            MAC,
            "colima-work",
        ),
        Environment.COLIMA,
        "127.0.0.1 192.168.5.1 192.168.106.2",
    ),
    "lima's k3s template": (
        facts(
            "https://127.0.0.1:6443",
            node("lima-k3s", "192.168.5.15", image=UBUNTU, provider="k3s://lima-k3s"),
            MAC,
            "default",
        ),
        Environment.LIMA,
        "127.0.0.1 192.168.5.15",
    ),
    "microk8s, on this linux": (
        facts(
            "https://127.0.0.1:16443",
            node("laptop", "192.168.1.20", image=UBUNTU, label="microk8s.io/cluster"),
            LINUX,
            "microk8s",
        ),
        Environment.MICROK8S,
        "192.168.1.20 127.0.0.1",
    ),
    "microk8s, multipass": (
        facts(
            "https://192.168.64.9:16443",
            node("microk8s-vm", "192.168.64.9", image=UBUNTU, label="microk8s.io/cluster"),
            MAC,
            "microk8s",
        ),
        Environment.MICROK8S,
        "192.168.64.9 127.0.0.1",
    ),
    "k3s, on this machine": (
        facts(
            "https://127.0.0.1:6443",
            node("box", "192.168.1.30", image=DEBIAN, provider="k3s://box"),
            LINUX,
            "default",
        ),
        Environment.OTHER,
        "192.168.1.30 127.0.0.1",
    ),
    "k3s over tailscale": (
        facts(
            "https://box.tail1234.ts.net:6443",
            node("box", "100.101.102.103", image=DEBIAN, provider="k3s://box"),
            MAC,
            "default",
        ),
        Environment.OTHER,
        "100.101.102.103 box.tail1234.ts.net 127.0.0.1",
    ),
    "rke2 with an external address": (
        facts(
            "https://203.0.113.10:6443",
            node("w1", "10.0.0.5", external="203.0.113.11", image=UBUNTU, provider="rke2://w1"),
            LINUX,
            "default",
        ),
        Environment.OTHER,
        "10.0.0.5 203.0.113.11 203.0.113.10 127.0.0.1",
    ),
    "kubeadm in a wsl distribution, from windows": (
        facts(
            "https://172.28.112.5:6443",
            node("pc", "172.28.112.5", image=UBUNTU, kernel="5.15.167.4-microsoft-standard-WSL2"),
            WINDOWS,
            "kubernetes-admin@kubernetes",
        ),
        Environment.OTHER,
        "172.28.112.5 127.0.0.1",
    ),
    "kind in a wsl distribution": (
        facts(
            "https://127.0.0.1:41873",
            node(
                "kind-control-plane",
                "172.18.0.2",
                kernel="5.15.167.4-microsoft-standard-WSL2",
                provider="kind://docker/kind/kind-control-plane",
            ),
            WSL,
            "kind-kind",
        ),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "talos": (
        facts(
            "https://10.5.0.2:6443",
            node("w1", "10.5.0.3", image="Talos (v1.11.2)", kernel="6.12.48-talos"),
            LINUX,
            "admin@home",
        ),
        Environment.OTHER,
        "10.5.0.3 10.5.0.2 127.0.0.1",
    ),
    "kubeadm on a lan": (
        facts(
            "https://k8s-master.lan:6443",
            node("worker-2", "192.168.5.82", image=DEBIAN, kernel="6.1.0-18-amd64"),
            MAC,
            "kubernetes-admin@kubernetes",
        ),
        Environment.OTHER,
        "192.168.5.82 k8s-master.lan 127.0.0.1",
    ),
    "a lan cluster through a tunnel, called docker-desktop": (
        facts(
            "https://127.0.0.1:6443",
            node("worker-2", "192.168.5.82", image=DEBIAN),
            MAC,
            "docker-desktop",
        ),
        Environment.OTHER,
        "192.168.5.82 127.0.0.1",
    ),
    "gke": (
        facts(
            "https://34.118.0.9",
            node(
                "gke-c-pool-1",
                "10.128.0.7",
                external="34.118.0.10",
                image="Container-Optimized OS from Google",
                provider="gce://p/europe-west4-a/gke-c-pool-1",
                label="cloud.google.com/gke-nodepool",
            ),
            MAC,
            "gke_p_europe-west4-a_c",
        ),
        Environment.MANAGED_CLOUD,
        "10.128.0.7 34.118.0.10",
    ),
    "eks": (
        facts(
            "https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
            node(
                "ip-10-0-1-5.ec2.internal",
                "10.0.1.5",
                external="54.1.2.3",
                image="Amazon Linux 2023.9",
                provider="aws:///eu-west-1a/i-0abc",
                label="eks.amazonaws.com/nodegroup",
            ),
            LINUX,
            "arn:aws:eks:eu-west-1:123456789012:cluster/dev",
        ),
        Environment.MANAGED_CLOUD,
        "10.0.1.5 54.1.2.3",
    ),
    "aks": (
        facts(
            "https://dev-dns-1234.hcp.westeurope.azmk8s.io:443",
            node(
                "aks-pool-1",
                "10.224.0.4",
                image="Ubuntu 22.04.5 LTS",
                provider="azure:///subscriptions/s/aks-pool-1",
                label="kubernetes.azure.com/cluster",
            ),
            LINUX,
            "dev",
        ),
        Environment.MANAGED_CLOUD,
        "10.224.0.4",
    ),
    "from a pod of the cluster": (
        facts(
            "https://10.96.0.1:443",
            node("docker-desktop", "192.168.65.3", image="Docker Desktop"),
            IN_CLUSTER,
        ),
        Environment.DOCKER_DESKTOP,
        "192.168.65.3",
    ),
    "nodes not readable, lan": (
        AddressFacts(LINUX, "https://10.0.0.1:6443", pod_host_ips=("10.0.0.2",), context="dev"),
        Environment.OTHER,
        "10.0.0.2 10.0.0.1 127.0.0.1",
    ),
    "nodes not readable, docker desktop": (
        AddressFacts(
            MAC,
            "https://kubernetes.docker.internal:6443",
            pod_host_ips=("192.168.65.3",),
            context="docker-desktop",
        ),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "nodes not readable, minikube under another name": (
        AddressFacts(
            MAC,
            "https://127.0.0.1:53211",
            pod_host_ips=("192.168.49.2",),
            context="orbstack",
            providers=("minikube.sigs.k8s.io",),
        ),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "nodes not readable, kind named by its cluster": (
        AddressFacts(
            LINUX,
            "https://127.0.0.1:41873",
            pod_host_ips=("172.18.0.2",),
            context="dev",
            cluster="kind-dev",
        ),
        Environment.KIND,
        "172.18.0.2 127.0.0.1",
    ),
    "nodes not readable, eks": (
        AddressFacts(MAC, "https://A.gr7.eu-west-1.eks.amazonaws.com", pod_host_ips=("10.0.1.5",)),
        Environment.MANAGED_CLOUD,
        "10.0.1.5",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_order(name: str) -> None:
    given_facts, system, expected = TABLE[name]
    assert environment(given_facts) is system
    assert [found.address for found in candidates(given_facts)] == expected.split()


def test_reasons_are_told() -> None:
    told = {
        found.address: found.reason
        for found in candidates(TABLE["rke2 with an external address"][0])
    }
    assert told == {
        "10.0.0.5": "the pod's node (InternalIP)",
        "203.0.113.11": "the pod's node (ExternalIP)",
        "203.0.113.10": "the API server's host, which may be a node too",
        "127.0.0.1": "this machine: the cluster may run on it",
    }
    desktop = candidates(TABLE["docker desktop, kubeadm, mac"][0])
    assert desktop[0].reason == "this machine: Docker Desktop forwards NodePorts to 127.0.0.1"


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "::1", "127.0.0.9", "169.254.1.1", "fe80::1", "224.0.0.5", "ff02::1",
     "240.0.0.1", "255.255.255.255", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_never_a_candidate(address: str) -> None:
    seen = facts(
        f"https://[{address}]:6443" if ":" in address else f"https://{address}",
        node("n", address),
        LINUX,
    )
    for families in ((), ("IPv4", "IPv6")):
        bad = AddressFacts(LINUX, seen.server_url, (address,), seen.node, ip_families=families)
        assert [found.address for found in candidates(bad)] == ["127.0.0.1"]


def test_families_are_those_of_the_service() -> None:
    dual = node("n", "10.0.0.1 2001:db8::1", external="2001:db8::2")
    server = "https://[2001:db8::3]:6443"

    def order(*families: str) -> list[str]:
        asked = AddressFacts(LINUX, server, ("2001:db8::1",), dual, ip_families=families)
        return [found.address for found in candidates(asked)]

    assert order("IPv4") == ["10.0.0.1", "127.0.0.1"]
    assert order("IPv6") == ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
    everything = ["10.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "127.0.0.1"]
    assert order("IPv4", "IPv6") == order() == everything


def test_a_virtual_node_has_no_address() -> None:
    fargate = NodeFacts("fargate-x", (NodeAddress("InternalIP", "10.0.0.9"),), virtual=True)
    asked = AddressFacts(MAC, "https://10.0.0.1", ("10.0.0.9",), fargate)
    assert [found.address for found in candidates(asked)] == ["10.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://10.0.0.1:6443", "10.0.0.1"),
        ("https://[2001:db8::1]:6443/k8s", "2001:db8::1"),
        ("HTTPS://Master.LAN", "master.lan"),
        ("master:6443", "master"),
        ("https://user@10.0.0.1", "10.0.0.1"),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_server_host(url: str, host: str) -> None:
    assert server_host(url) == host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.1.1", "::1", "0.0.0.0", "localhost", "kubernetes.docker.internal"]
)
def test_this_machine_has_many_names(host: str) -> None:
    assert is_this_machine(host)
    assert not is_this_machine("10.0.0.1")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_kubeconfig_brings_in_anything_but_an_address(
    server: str, context: str, host_ip: str
) -> None:
    asked = AddressFacts(LINUX, server, (), None, context=context, cluster=host_ip)
    for found in candidates(asked):
        try:
            ipaddress.ip_address(found.address)
        except ValueError:
            assert set(found.address) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
