"""Systems that bring a cluster to one's own machine: what they report, and where NodePorts answer.

Node facts are what ``kubectl get node -o yaml`` shows there (addresses, osImage, kernelVersion,
providerID, labels), servers, contexts and extensions what the system writes into the kubeconfig;
a row's comment says where it was read.
"""

from __future__ import annotations

from kubectl_nodeport.address.environment import Environment
from tests.address.reported import (
    BOOKWORM,
    DEBIAN_KERNEL,
    LINUX,
    LINUXKIT,
    MAC,
    UBUNTU,
    WINDOWS,
    WSL,
    WSL_KERNEL,
    Client,
    Row,
    node,
)

ORB_KERNEL = "6.17.8-orbstack-00308-g8f9c941121b1"
MINIKUBE = {"minikube.k8s.io/name": "minikube", "minikube.k8s.io/primary": "true"}
BY_MINIKUBE = "minikube.sigs.k8s.io"

ON_THIS_MACHINE: dict[str, Row] = {
    # docs.docker.com "networking-how-tos": no route to containers; moby/vpnkit forwards NodePorts
    "docker desktop, kubeadm, mac": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", LINUXKIT),
        Client(MAC, "https://kubernetes.docker.internal:6443", "docker-desktop"),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, windows": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", WSL_KERNEL),
        Client(WINDOWS, "https://kubernetes.docker.internal:6443", "docker-desktop"),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, from a wsl distribution": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", WSL_KERNEL),
        Client(WSL, "https://127.0.0.1:6443", "docker-desktop"),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, its context renamed": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", LINUXKIT),
        Client(MAC, "https://127.0.0.1:6443", "work"),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    "docker desktop, kubeadm, nodes not readable": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", LINUXKIT),
        Client(MAC, "https://127.0.0.1:6443", "work", reads_nodes=False),
        Environment.DOCKER_DESKTOP,
        "127.0.0.1 192.168.65.3",
    ),
    # docker ps and kubectl get nodes -o wide in users' reports; providerID from kind's template
    "docker desktop, kind mode": Row(
        node(
            *("desktop-control-plane", "172.18.0.2", BOOKWORM, LINUXKIT),
            provider="kind://docker/desktop/desktop-control-plane",
        ),
        Client(MAC, "https://127.0.0.1:62526", "docker-desktop"),
        Environment.DOCKER_DESKTOP_KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "docker desktop, kind mode, windows": Row(
        node(
            *("desktop-worker2", "172.18.0.4", BOOKWORM, WSL_KERNEL),
            provider="kind://docker/desktop/desktop-worker2",
        ),
        Client(WINDOWS, "https://127.0.0.1:62526", "docker-desktop"),
        Environment.DOCKER_DESKTOP_KIND,
        "127.0.0.1 172.18.0.4",
    ),
    "docker desktop, kind mode, nodes not readable": Row(
        node("desktop-worker", "172.18.0.3", BOOKWORM, LINUXKIT),
        Client(MAC, "https://127.0.0.1:62526", "docker-desktop", reads_nodes=False),
        Environment.DOCKER_DESKTOP_KIND,
        "127.0.0.1 172.18.0.3",
    ),
    # docs.orbstack.dev/kubernetes, kubectl get nodes -o wide in users' reports
    "orbstack": Row(
        node("orbstack", "192.168.139.2", "OrbStack", ORB_KERNEL),
        Client(MAC, "https://127.0.0.1:26443", "orbstack"),
        Environment.ORBSTACK,
        "127.0.0.1 192.168.139.2",
    ),
    # orbstack/orbstack#1719: a VPN takes the bridge's network, 127.0.0.1 still answers
    "orbstack with a vpn, older network": Row(
        node("orbstack", "198.19.249.2", "OrbStack", ORB_KERNEL),
        Client(MAC, "https://127.0.0.1:26443", "orbstack"),
        Environment.ORBSTACK,
        "127.0.0.1 198.19.249.2",
    ),
    "kind inside orbstack": Row(
        node(
            *("dev-control-plane", "172.18.0.2", BOOKWORM, ORB_KERNEL),
            provider="kind://docker/dev/dev-control-plane",
        ),
        Client(MAC, "https://127.0.0.1:51234", "kind-dev"),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    # orbstack/orbstack#135
    "k3d inside orbstack": Row(
        node(
            *("k3d-dev-server-0", "172.19.0.3", "K3s v1.33.4+k3s1", ORB_KERNEL),
            provider="k3s://k3d-dev-server-0",
        ),
        Client(MAC, "https://0.0.0.0:40935", "k3d-dev"),
        Environment.K3D,
        "127.0.0.1 172.19.0.3",
    ),
    # minikube pkg/minikube/driver/driver.go NeedsPortForward: then the server is on 127.0.0.1
    "minikube, docker driver, mac": Row(
        node("minikube", "192.168.49.2", BOOKWORM, LINUXKIT, labels=MINIKUBE),
        Client(MAC, "https://127.0.0.1:53211", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "minikube, docker driver, windows": Row(
        node("minikube", "192.168.49.2", BOOKWORM, WSL_KERNEL, labels=MINIKUBE),
        Client(WINDOWS, "https://127.0.0.1:53211", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "minikube, docker driver, in a wsl distribution": Row(
        node("minikube", "192.168.49.2", BOOKWORM, WSL_KERNEL, labels=MINIKUBE),
        Client(WSL, "https://127.0.0.1:53211", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "minikube, podman driver, rootless, linux": Row(
        node("minikube", "192.168.49.2", BOOKWORM, DEBIAN_KERNEL, labels=MINIKUBE),
        Client(LINUX, "https://127.0.0.1:38443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    "minikube, docker driver, linux": Row(
        node("minikube", "192.168.49.2", BOOKWORM, DEBIAN_KERNEL, labels=MINIKUBE),
        Client(LINUX, "https://192.168.49.2:8443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "192.168.49.2 127.0.0.1",
    ),
    # minikube.sigs.k8s.io/docs/handbook/accessing: minikube ip is the node; Buildroot is its ISO
    "minikube, vfkit or hyperkit machine, mac": Row(
        node("p2", "192.168.64.7", "Buildroot 2025.02", "5.10.207", labels=MINIKUBE),
        Client(MAC, "https://192.168.64.7:8443", "p2", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "192.168.64.7",
    ),
    "minikube, kvm2 machine, linux": Row(
        node("minikube", "192.168.39.14", "Buildroot 2025.02", "5.10.207", labels=MINIKUBE),
        Client(LINUX, "https://192.168.39.14:8443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "192.168.39.14",
    ),
    "minikube, hyperv machine, windows": Row(
        node("minikube", "172.26.80.5", "Buildroot 2025.02", "5.10.207", labels=MINIKUBE),
        Client(WINDOWS, "https://172.26.80.5:8443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "172.26.80.5",
    ),
    # kubernetes/minikube#17187: the builtin network forwards the API server and ssh alone
    "minikube, qemu with its builtin network": Row(
        node("minikube", "10.0.2.15", "Buildroot 2025.02", "5.10.207", labels=MINIKUBE),
        Client(MAC, "https://localhost:55443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "10.0.2.15",
    ),
    "minikube, none driver": Row(
        node("host", "10.1.2.3", BOOKWORM, DEBIAN_KERNEL, labels=MINIKUBE),
        Client(LINUX, "https://10.1.2.3:8443", "minikube", made_by=BY_MINIKUBE),
        Environment.MINIKUBE,
        "10.1.2.3 127.0.0.1",
    ),
    "minikube, nodes not readable, the profile called orbstack": Row(
        node("m", "192.168.49.2"),
        Client(
            *(MAC, "https://127.0.0.1:53211", "orbstack"), made_by=BY_MINIKUBE, reads_nodes=False
        ),
        Environment.MINIKUBE,
        "127.0.0.1 192.168.49.2",
    ),
    # kind.sigs.k8s.io/docs/user/configuration: "you can simply send traffic to the node IPs"
    "kind, native linux": Row(
        node(
            *("kind-worker", "172.18.0.3", BOOKWORM, DEBIAN_KERNEL),
            provider="kind://docker/kind/kind-worker",
        ),
        Client(LINUX, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "172.18.0.3 127.0.0.1",
    ),
    # nothing in the API tells rootless from rootful: the mapped port comes second
    "kind, rootless podman, linux": Row(
        node(
            *("kind-control-plane", "10.89.0.2", BOOKWORM, "6.12.7-200.fc41.x86_64"),
            provider="kind://podman/kind/kind-control-plane",
        ),
        Client(LINUX, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "10.89.0.2 127.0.0.1",
    ),
    "kind, called desktop, native linux": Row(
        node(
            *("desktop-control-plane", "172.18.0.2", BOOKWORM, DEBIAN_KERNEL),
            provider="kind://docker/desktop/desktop-control-plane",
        ),
        Client(LINUX, "https://127.0.0.1:41873", "kind-desktop"),
        Environment.KIND,
        "172.18.0.2 127.0.0.1",
    ),
    "kind, mac": Row(
        node(
            *("kind-control-plane", "172.18.0.2", BOOKWORM, LINUXKIT),
            provider="kind://docker/kind/kind-control-plane",
        ),
        Client(MAC, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "kind, docker desktop for linux": Row(
        node(
            *("kind-control-plane", "172.18.0.2", BOOKWORM, LINUXKIT),
            provider="kind://docker/kind/kind-control-plane",
        ),
        Client(LINUX, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    "kind in a wsl distribution": Row(
        node(
            *("kind-control-plane", "172.18.0.2", BOOKWORM, WSL_KERNEL),
            provider="kind://docker/kind/kind-control-plane",
        ),
        Client(WSL, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "127.0.0.1 172.18.0.2",
    ),
    # podman-desktop/podman-desktop#13564
    "kind in podman desktop, mac": Row(
        node(
            *("kind-control-plane", "10.89.0.2", BOOKWORM, "6.12.7-200.fc41.aarch64"),
            provider="kind://podman/kind/kind-control-plane",
        ),
        Client(MAC, "https://127.0.0.1:41873", "kind-kind"),
        Environment.KIND,
        "127.0.0.1 10.89.0.2",
    ),
    "kind, nodes not readable, named by its cluster": Row(
        node("dev-worker", "172.18.0.2"),
        Client(LINUX, "https://127.0.0.1:41873", "dev", "kind-dev", reads_nodes=False),
        Environment.KIND,
        "172.18.0.2 127.0.0.1",
    ),
    # k3d.io/stable/usage/exposing_services; its kubeconfig says 0.0.0.0
    "k3d, native linux": Row(
        node(
            *("k3d-dev-server-0", "172.19.0.3", "K3s v1.33.4+k3s1", DEBIAN_KERNEL),
            provider="k3s://k3d-dev-server-0",
        ),
        Client(LINUX, "https://0.0.0.0:40935", "k3d-dev"),
        Environment.K3D,
        "172.19.0.3 127.0.0.1",
    ),
    "k3d, mac": Row(
        node(
            *("k3d-dev-agent-0", "172.19.0.4", "K3s v1.33.4+k3s1", LINUXKIT),
            provider="k3s://k3d-dev-agent-0",
        ),
        Client(MAC, "https://0.0.0.0:40935", "k3d-dev"),
        Environment.K3D,
        "127.0.0.1 172.19.0.4",
    ),
    # rancher-sandbox/rancher-desktop backend/lima.ts and assets/lima-config.yaml
    "rancher desktop, mac": Row(
        node(
            *("lima-rancher-desktop", "192.168.5.15", "Alpine Linux v3.21", "6.6.72-0-virt"),
            external="192.168.64.5",
            provider="k3s://lima-rancher-desktop",
        ),
        Client(MAC, "https://127.0.0.1:6443", "rancher-desktop"),
        Environment.RANCHER_DESKTOP,
        "127.0.0.1 192.168.64.5 192.168.5.15",
    ),
    "rancher desktop, linux": Row(
        node(
            *("lima-rancher-desktop", "192.168.5.15", "Alpine Linux v3.21", "6.6.72-0-virt"),
            provider="k3s://lima-rancher-desktop",
        ),
        Client(LINUX, "https://127.0.0.1:6443", "rancher-desktop"),
        Environment.RANCHER_DESKTOP,
        "127.0.0.1 192.168.5.15",
    ),
    # backend/wsl.ts: the node is called like the Windows machine
    "rancher desktop, windows": Row(
        node(
            *("desktop-abc123", "192.168.127.2", "Rancher Desktop WSL Distribution", WSL_KERNEL),
            provider="k3s://desktop-abc123",
        ),
        Client(WINDOWS, "https://127.0.0.1:6443", "rancher-desktop"),
        Environment.RANCHER_DESKTOP,
        "127.0.0.1 192.168.127.2",
    ),
    # abiosoft/colima environment/vm/lima/yaml.go
    "colima": Row(
        node("colima", "192.168.5.1", UBUNTU, "6.8.0-64-generic", provider="k3s://colima"),
        Client(MAC, "https://127.0.0.1:58427", "colima"),
        Environment.COLIMA,
        "127.0.0.1 192.168.5.1",
    ),
    "colima with --network-address": Row(
        node(
            *("colima-work", "192.168.5.1", UBUNTU, "6.8.0-64-generic"),
            provider="k3s://colima-work",
        ),
        Client(MAC, "https://192.168.106.2:58427", "colima-work"),
        Environment.COLIMA,
        "127.0.0.1 192.168.106.2 192.168.5.1",
    ),
    "colima, nodes not readable": Row(
        node("work", "192.168.5.1"),
        Client(MAC, "https://127.0.0.1:58427", "colima-work", reads_nodes=False),
        Environment.COLIMA,
        "127.0.0.1 192.168.5.1",
    ),
    # lima-vm/lima templates/k3s.yaml, pkg/guestagent/kubernetesservice
    "lima's k3s template": Row(
        node("lima-k3s", "192.168.5.15", UBUNTU, "6.8.0-64-generic", provider="k3s://lima-k3s"),
        Client(MAC, "https://127.0.0.1:6443", "default"),
        Environment.LIMA,
        "127.0.0.1 192.168.5.15",
    ),
    "lima's k8s template on a network of its own": Row(
        node("lima-k8s", "192.168.105.3", UBUNTU, "6.8.0-64-generic"),
        Client(MAC, "https://127.0.0.1:6443", "kubernetes-admin@kubernetes"),
        Environment.LIMA,
        "127.0.0.1 192.168.105.3",
    ),
}
