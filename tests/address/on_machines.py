"""Clusters of machines, and clouds: what they report, and where NodePorts answer.

Node facts are what ``kubectl get node -o yaml`` shows there (addresses, osImage, kernelVersion,
providerID, labels), servers, contexts and extensions what the system writes into the kubeconfig;
a row's comment says where it was read.
"""

from __future__ import annotations

from kubectl_nodeport.address.environment import Environment
from tests.address.reported import (
    BOOKWORM,
    DEBIAN_KERNEL,
    IN_CLUSTER,
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

MICROK8S = {"microk8s.io/cluster": "true", "node.kubernetes.io/microk8s-controlplane": "x"}
GKE_PUBLIC = {"cloud.google.com/gke-nodepool": "p", "cloud.google.com/private-node": "false"}
GKE_PRIVATE = {"cloud.google.com/gke-nodepool": "p", "cloud.google.com/private-node": "true"}
EKS = "https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
EKS_ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/dev"
AKS = "https://dev-dns-1234.hcp.westeurope.azmk8s.io:443"

ON_MACHINES: dict[str, Row] = {
    # canonical/microk8s labels its nodes; microk8s#2108
    "microk8s, on this linux": Row(
        node("laptop", "192.168.1.20", UBUNTU, "6.8.0-64-generic", labels=MICROK8S),
        Client(LINUX, "https://127.0.0.1:16443", "microk8s", "microk8s-cluster"),
        Environment.MICROK8S,
        "192.168.1.20 127.0.0.1",
    ),
    "microk8s, multipass machine on a mac": Row(
        node("microk8s-vm", "192.168.64.9", UBUNTU, "6.8.0-64-generic", labels=MICROK8S),
        Client(MAC, "https://192.168.64.9:16443", "microk8s", "microk8s-cluster"),
        Environment.MICROK8S,
        "192.168.64.9 127.0.0.1",
    ),
    # docs.k3s.io: providerID k3s://NODE, context default, server 127.0.0.1 until it is edited
    "k3s, on this machine": Row(
        node("box", "192.168.1.30", BOOKWORM, DEBIAN_KERNEL, provider="k3s://box"),
        Client(LINUX, "https://127.0.0.1:6443", "default"),
        Environment.OTHER,
        "192.168.1.30 127.0.0.1",
    ),
    # k3s-io/k3s#7880: --vpn-auth makes the tailnet's addresses InternalIPs
    "k3s over tailscale": Row(
        node(
            *("box", "100.101.102.103 fd7a:115c:a1e0::7", BOOKWORM, DEBIAN_KERNEL),
            provider="k3s://box",
        ),
        Client(MAC, "https://box.tail1234.ts.net:6443", families=("IPv4", "IPv6")),
        Environment.OTHER,
        "100.101.102.103 fd7a:115c:a1e0::7 box.tail1234.ts.net 127.0.0.1",
    ),
    "rke2 with --node-external-ip": Row(
        node(
            *("w1", "10.0.0.5", UBUNTU, DEBIAN_KERNEL),
            external="203.0.113.11",
            provider="rke2://w1",
        ),
        Client(LINUX, "https://203.0.113.10:6443", "default"),
        Environment.OTHER,
        "10.0.0.5 203.0.113.11 203.0.113.10 127.0.0.1",
    ),
    # wsl.dev/technical-documentation: localhost is relayed for bound ports alone, NAT networking
    "kubeadm in a wsl distribution, from windows": Row(
        node("pc", "172.28.112.5", UBUNTU, WSL_KERNEL),
        Client(WINDOWS, "https://172.28.112.5:6443", "kubernetes-admin@kubernetes"),
        Environment.OTHER,
        "172.28.112.5 127.0.0.1",
    ),
    # microsoft/WSL#11730: mirrored, the node has the address of Windows
    "k3s in a mirrored wsl distribution, from windows": Row(
        node("pc", "192.168.1.44", UBUNTU, WSL_KERNEL, provider="k3s://pc"),
        Client(WINDOWS, "https://127.0.0.1:6443", "default"),
        Environment.OTHER,
        "192.168.1.44 127.0.0.1",
    ),
    "k3s in this wsl distribution": Row(
        node("pc", "172.28.112.5", UBUNTU, WSL_KERNEL, provider="k3s://pc"),
        Client(WSL, "https://127.0.0.1:6443", "default"),
        Environment.OTHER,
        "172.28.112.5 127.0.0.1",
    ),
    "kubeadm on a lan, from a wsl distribution": Row(
        node("worker-2", "192.168.5.82", BOOKWORM, DEBIAN_KERNEL),
        Client(WSL, "https://192.168.5.80:6443", "kubernetes-admin@kubernetes"),
        Environment.OTHER,
        "192.168.5.82 192.168.5.80 127.0.0.1",
    ),
    # siderolabs/talos: osImage "Talos (vX)", kernel X-talos; kube-proxy in nftables mode
    "talos machines": Row(
        node("w1", "10.5.0.3", "Talos (v1.11.2)", "6.12.48-talos"),
        Client(LINUX, "https://10.5.0.2:6443", "admin@home"),
        Environment.TALOS,
        "10.5.0.3 10.5.0.2",
    ),
    "talos in docker, linux": Row(
        node("talos-default-worker-1", "10.5.0.3", "Talos (v1.11.2)", DEBIAN_KERNEL),
        Client(LINUX, "https://127.0.0.1:41901", "admin@talos-default"),
        Environment.TALOS,
        "10.5.0.3 127.0.0.1",
    ),
    "talos in docker, mac": Row(
        node("talos-default-worker-1", "10.5.0.3", "Talos (v1.11.2)", LINUXKIT),
        Client(MAC, "https://127.0.0.1:41901", "admin@talos-default"),
        Environment.TALOS,
        "127.0.0.1 10.5.0.3",
    ),
    "kubeadm on a lan": Row(
        node("worker-2", "192.168.5.82", BOOKWORM, DEBIAN_KERNEL),
        Client(MAC, "https://k8s-master.lan:6443", "kubernetes-admin@kubernetes"),
        Environment.OTHER,
        "192.168.5.82 k8s-master.lan 127.0.0.1",
    ),
    # RHEL's host names are whole; the API server is behind a virtual address
    "kubeadm behind a load balancer, names in dns": Row(
        node("w2.lab.example", "10.20.0.12", "Rocky Linux 9.5 (Blue Onyx)", "5.14.0-503.el9"),
        Client(MAC, "https://api.lab.example:6443", "lab"),
        Environment.OTHER,
        "10.20.0.12 api.lab.example w2.lab.example 127.0.0.1",
    ),
    # kubelet --hostname-override with an address, as Tencent's TKE has it
    "nodes called by their addresses": Row(
        node("10.20.0.12", "10.20.0.12", "TencentOS Server 3.1", "5.4.119-19"),
        Client(LINUX, "https://10.20.0.10:6443", "cls-1"),
        Environment.OTHER,
        "10.20.0.12 10.20.0.10 127.0.0.1",
    ),
    # VirtualBox gives every machine 10.0.2.15 on its first interface, which the kubelet takes
    "kubeadm on vagrant machines": Row(
        node("node1", "10.0.2.15", UBUNTU, "6.8.0-64-generic"),
        Client(LINUX, "https://192.168.56.10:6443", "kubernetes-admin@kubernetes"),
        Environment.OTHER,
        "192.168.56.10 127.0.0.1 10.0.2.15",
    ),
    "a lan cluster through a tunnel, called docker-desktop": Row(
        node("worker-2", "192.168.5.82", BOOKWORM, DEBIAN_KERNEL),
        Client(MAC, "https://127.0.0.1:6443", "docker-desktop"),
        Environment.OTHER,
        "192.168.5.82 127.0.0.1",
    ),
    "a lan cluster, nodes not readable": Row(
        node("worker-2", "10.0.0.2"),
        Client(LINUX, "https://10.0.0.1:6443", "dev", reads_nodes=False),
        Environment.OTHER,
        "10.0.0.2 10.0.0.1 127.0.0.1",
    ),
    # kubectl describe node on GKE: the labels gke-nodepool and private-node, providerID gce://
    "gke, public nodes": Row(
        node(
            *("gke-c-p-1", "10.128.0.7", "Container-Optimized OS from Google", "6.6.87+"),
            external="34.118.0.10",
            provider="gce://p/europe-west4-a/gke-c-p-1",
            labels=GKE_PUBLIC,
        ),
        Client(MAC, "https://34.118.0.9", "gke_p_europe-west4-a_c"),
        Environment.GKE,
        "10.128.0.7 34.118.0.10",
    ),
    "gke, private nodes": Row(
        node(
            *("gke-c-p-1", "10.128.0.7", "Container-Optimized OS from Google", "6.6.87+"),
            provider="gce://p/europe-west4-a/gke-c-p-1",
            labels=GKE_PRIVATE,
        ),
        Client(MAC, "https://gke-abc.europe-west4.gke.goog", "gke_p_europe-west4_c"),
        Environment.GKE,
        "10.128.0.7",
    ),
    # docs.aws.amazon.com/eks: an ExternalIP where the subnet gives public addresses
    "eks, public nodes": Row(
        node(
            *("ip-10-0-1-5.ec2.internal", "10.0.1.5", "Amazon Linux 2023.9", "6.1.150-174"),
            external="54.1.2.3",
            provider="aws:///eu-west-1a/i-0abc",
            labels={"eks.amazonaws.com/nodegroup": "ng"},
        ),
        Client(LINUX, EKS, EKS_ARN),
        Environment.EKS,
        "10.0.1.5 54.1.2.3",
    ),
    "eks, private nodes": Row(
        node(
            *("ip-10-0-1-5.ec2.internal", "10.0.1.5", "Amazon Linux 2023.9", "6.1.150-174"),
            provider="aws:///eu-west-1a/i-0abc",
            labels={"eks.amazonaws.com/nodegroup": "ng"},
        ),
        Client(LINUX, EKS, EKS_ARN),
        Environment.EKS,
        "10.0.1.5",
    ),
    # karpenter's nodes have no nodegroup; the server's name tells
    "eks, nodes of karpenter": Row(
        node(
            *("ip-10-0-1-6.ec2.internal", "10.0.1.6", "Bottlerocket OS 1.43.0", "6.1.150"),
            provider="aws:///eu-west-1a/i-0abd",
            labels={"karpenter.sh/nodepool": "default"},
        ),
        Client(LINUX, EKS, "dev"),
        Environment.EKS,
        "10.0.1.6",
    ),
    "eks, nodes not readable": Row(
        node("ip-10-0-1-5.ec2.internal", "10.0.1.5"),
        Client(MAC, EKS, "dev", reads_nodes=False),
        Environment.EKS,
        "10.0.1.5",
    ),
    # docs.aws.amazon.com/eks fargate: "IP mode, not node IP mode"; the label as observed
    "eks fargate": Row(
        node(
            *("fargate-ip-10-0-3-9.ec2.internal", "10.0.3.9", "Amazon Linux 2", "5.10.245"),
            labels={"eks.amazonaws.com/compute-type": "fargate"},
            taint="eks.amazonaws.com/compute-type",
        ),
        Client(MAC, EKS, EKS_ARN),
        Environment.EKS,
        "",
    ),
    # learn.microsoft.com/azure/aks/use-node-public-ips
    "aks": Row(
        node(
            *("aks-pool-1", "10.224.0.4", "Ubuntu 22.04.5 LTS", "5.15.0-1090-azure"),
            provider="azure:///subscriptions/s/aks-pool-1",
            labels={"kubernetes.azure.com/cluster": "MC_g_dev_westeurope"},
        ),
        Client(LINUX, AKS, "dev"),
        Environment.AKS,
        "10.224.0.4",
    ),
    "aks with --enable-node-public-ip": Row(
        node(
            *("aks-pool-1", "10.224.0.4", "Ubuntu 22.04.5 LTS", "5.15.0-1090-azure"),
            external="20.1.2.3",
            provider="azure:///subscriptions/s/aks-pool-1",
            labels={"kubernetes.azure.com/cluster": "MC_g_dev_westeurope"},
        ),
        Client(LINUX, AKS, "dev"),
        Environment.AKS,
        "10.224.0.4 20.1.2.3",
    ),
    # virtual-kubelet/virtual-kubelet: label and taint; its InternalIP is its own pod's
    "a virtual node of aks": Row(
        node(
            *("virtual-node-aci-linux", "10.224.0.9"),
            labels={"type": "virtual-kubelet"},
            taint="virtual-kubelet.io/provider",
        ),
        Client(LINUX, AKS, "dev"),
        Environment.AKS,
        "",
    ),
    "a virtual node of kubeadm": Row(
        node("vk", "10.20.0.12", taint="virtual-kubelet.io/provider"),
        Client(LINUX, "https://10.20.0.1:6443", "lab"),
        Environment.OTHER,
        "10.20.0.1 127.0.0.1",
    ),
    "ipv6 only": Row(
        node("w1", "2001:db8:0::15", BOOKWORM, DEBIAN_KERNEL),
        Client(LINUX, "https://[2001:db8::10]:6443", "six", families=("IPv6",)),
        Environment.OTHER,
        "2001:db8::15 2001:db8::10",
    ),
    # kind's docs/user/known-issues: Docker maps no IPv6 ports
    "kind with ipv6": Row(
        node(
            *("kind-control-plane", "fc00:f853:ccd:e793::2", BOOKWORM, DEBIAN_KERNEL),
            provider="kind://docker/kind/kind-control-plane",
        ),
        Client(LINUX, "https://[::1]:41873", "kind-kind", families=("IPv6",)),
        Environment.KIND,
        "fc00:f853:ccd:e793::2",
    ),
    # a Service is SingleStack in the cluster's first family unless it asks for more
    "dual stack, the service ipv4": Row(
        node("w1", "10.20.0.12 2001:db8::15", BOOKWORM, DEBIAN_KERNEL),
        Client(LINUX, "https://[2001:db8::10]:6443", "dual", families=("IPv4",)),
        Environment.OTHER,
        "10.20.0.12 127.0.0.1",
    ),
    "dual stack, the service dual": Row(
        node("w1", "10.20.0.12 2001:db8::15", BOOKWORM, DEBIAN_KERNEL, external="2001:db8::2"),
        Client(LINUX, "https://10.20.0.10:6443", "dual", families=("IPv4", "IPv6")),
        Environment.OTHER,
        "10.20.0.12 2001:db8::15 2001:db8::2 10.20.0.10 127.0.0.1",
    ),
    "a node that is not ready": Row(
        node("w1", "10.20.0.12", BOOKWORM, DEBIAN_KERNEL, ready="Unknown"),
        Client(LINUX, "https://10.20.0.10:6443", "lab"),
        Environment.OTHER,
        "10.20.0.10 127.0.0.1 10.20.0.12",
    ),
    # kubernetes.io "Accessing the API from within a Pod": the server is the Service kubernetes
    "from a pod of the cluster": Row(
        node("docker-desktop", "192.168.65.3", "Docker Desktop", LINUXKIT),
        Client(IN_CLUSTER, "https://10.96.0.1:443"),
        Environment.DOCKER_DESKTOP,
        "192.168.65.3",
    ),
}
