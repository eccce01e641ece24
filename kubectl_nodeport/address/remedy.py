"""What would make a NodePort answer here, in the system that the cluster belongs to. Pure.

One line each, with that system's own command where it has one. Names that came from a cluster or a
kubeconfig are put into commands only as plain words; else a word in capitals stands for them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubectl_nodeport.address.environment import (
    CLOUDS,
    Environment,
    is_hidden_in_vm,
    is_minikube_vm,
    is_talos_container,
    is_this_machine,
    server_host,
    waits_for_forwarder,
)
from kubectl_nodeport.address.facts import AddressFacts, is_ip_literal, is_tailnet
from kubectl_nodeport.address.resolution import Verdict

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_K3D_NODE = re.compile(r"k3d-(?P<cluster>.+)-(?:server|agent)-[0-9]+")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A TCP NodePort that answers at none of its candidates.

    :param service: the Service's name, in ``namespace``.
    :param verdicts: how each address that was tried answered.
    """

    node_port: int
    namespace: str = ""
    service: str = ""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


def remedy(facts: AddressFacts, kind: Environment, port: Unanswered) -> str:
    """What to do about it, for a hint: one line, no full stop.

    :param kind: the environment of the facts.
    """
    node = facts.node
    if node is not None and node.virtual:
        # https://docs.aws.amazon.com/eks/latest/userguide/fargate.html: "IP mode, not node IP mode"
        return "no kube-proxy runs on a virtual node: run the pod on a node that is a machine"
    if node is not None and not node.ready:
        return f"the pod's node is not ready: kubectl describe node {_word(node.name, 'NODE')}"
    if facts.local.in_cluster:
        return (
            "a NetworkPolicy may keep this pod from the nodes: kubectl get networkpolicies "
            "--all-namespaces"
        )
    if _is_barred_by_macos(facts, kind, port):
        return (
            "macOS may keep this program out of the local network: System Settings > "
            "Privacy & Security > Local Network, for the terminal and for the editor"
        )
    return _REMEDIES.get(kind, _machines)(facts, port)


def _is_barred_by_macos(facts: AddressFacts, kind: Environment, port: Unanswered) -> bool:
    """EHOSTUNREACH is all that a program hears without the permission, from every such address.

    Needed from macOS 15 on; Terminal is exempt, other terminals and editors are not
    (https://developer.apple.com/documentation/technotes/tn3179-understanding-local-network-privacy).
    """
    is_elsewhere = waits_for_forwarder(kind) or is_hidden_in_vm(facts, kind) or kind in CLOUDS
    if facts.local.platform != "darwin" or is_elsewhere:
        return False
    heard = {verdict for address, verdict in port.verdicts.items() if _is_local(address)}
    return heard == {Verdict.UNREACHABLE}


def _is_local(address: str) -> bool:
    if not is_ip_literal(address) or is_tailnet(address):
        return False
    return ipaddress.ip_address(address).is_private and not _is_loopback(address)


def _is_loopback(address: str) -> bool:
    return is_ip_literal(address) and ipaddress.ip_address(address).is_loopback


def _docker_desktop(facts: AddressFacts, port: Unanswered) -> str:
    if facts.local.wsl:
        # https://docs.docker.com/desktop/features/wsl/
        return (
            "Docker Desktop's ports show in a distribution that is integrated: "
            "Settings > Resources > WSL integration"
        )
    # After a reset of the cluster a port stays dead: https://github.com/docker/for-mac/issues/6178;
    # one that another Service holds is skipped silently: moby/vpnkit, go/pkg/controller.
    return (
        f"Docker Desktop forwards port {port.node_port} unless something else holds it here, or "
        "its cluster was reset since its start: docker desktop restart"
    )


def _docker_desktop_kind(_facts: AddressFacts, _port: Unanswered) -> str:
    return (
        "Docker Desktop forwards no NodePorts in kind mode: Settings > Kubernetes > kubeadm makes "
        "a cluster where it does (docker desktop kubernetes status tells the mode)"
    )


def _orbstack(_facts: AddressFacts, _port: Unanswered) -> str:
    # A VPN takes the bridge's network: https://github.com/orbstack/orbstack/issues/1719
    return (
        "OrbStack's NodePorts answer at 127.0.0.1 and, where no VPN holds the route, on its "
        "bridge: orb config set network_bridge true && orb restart k8s"
    )


def _rancher_desktop(facts: AddressFacts, _port: Unanswered) -> str:
    # https://github.com/rancher-sandbox/rancher-desktop: backend/wsl.ts, backend/lima.ts
    if facts.local.wsl:
        return (
            "Rancher Desktop's ports show in a distribution that is integrated: "
            "Preferences > WSL > Integrations"
        )
    if facts.local.platform == "darwin":
        return (
            "with administrative access Rancher Desktop's machine gets an address of its own: "
            "rdctl set --application.admin-access=true"
        )
    return "Rancher Desktop's forwarder may have lost track: rdctl shutdown, then rdctl start"


def _colima(facts: AddressFacts, _port: Unanswered) -> str:
    # Both are in https://github.com/abiosoft/colima, environment/vm/lima/yaml.go and cmd/start.go.
    names = (facts.node.name if facts.node is not None else "", facts.node_name, facts.context)
    name = next((name for name in names if name.startswith("colima-")), "colima-default")
    profile = _word(name.removeprefix("colima-"), "PROFILE")
    if facts.local.platform == "darwin":
        return (
            "an address of its own makes Colima's machine reachable: "
            f"colima stop {profile} && colima start {profile} --network-address"
        )
    return f"portForwarder must not be none: colima start {profile} --edit"


def _lima(facts: AddressFacts, port: Unanswered) -> str:
    # https://lima-vm.io/docs/config/port/
    name = facts.node.name if facts.node is not None else facts.node_name
    instance = _word(name.removeprefix("lima-"), "INSTANCE")
    return (
        f"Lima forwards port {port.node_port} unless the instance is plain or its portForwards "
        f"ignore it: limactl edit {instance}"
    )


def _kind(facts: AddressFacts, port: Unanswered) -> str:
    # https://kind.sigs.k8s.io/docs/user/configuration/#extra-port-mappings
    provider = facts.node.provider_id if facts.node is not None else ""
    if provider.startswith("kind://podman/") and facts.local.platform == "darwin":
        # Not even with mappings: https://github.com/podman-desktop/podman-desktop/issues/13564
        return "a podman machine on macOS brings no NodePorts here, not even those that kind maps"
    number = port.node_port
    mapping = (
        "make the cluster anew with extraPortMappings: "
        f"[{{containerPort: {number}, hostPort: {number}}}] on one node, "
        "kind create cluster --config FILE"
    )
    if facts.local.platform != "linux" or is_hidden_in_vm(facts, Environment.KIND):
        return f"kind publishes ports only when a cluster is made: {mapping}"
    return (
        "a kind node's address answers where Docker runs on this very Linux and not rootless; "
        f"else {mapping}"
    )


def _k3d(facts: AddressFacts, port: Unanswered) -> str:
    # https://k3d.io/stable/usage/commands/k3d_cluster_edit/
    name = facts.node.name if facts.node is not None else facts.node_name
    match = _K3D_NODE.fullmatch(name)
    cluster = match["cluster"] if match else facts.context.removeprefix("k3d-")
    number = port.node_port
    return (
        f"k3d cluster edit {_word(cluster, 'CLUSTER')} --port-add {number}:{number}@loadbalancer "
        "publishes the port here"
    )


def _minikube(facts: AddressFacts, port: Unanswered) -> str:
    label = facts.node.labels.get("minikube.k8s.io/name", "") if facts.node is not None else ""
    profile = _word(label or facts.context, "PROFILE")
    if not is_this_machine(server_host(facts.server_url)):
        return (
            "a VPN or firewall may stand before minikube's machine, "
            f"whose address is told by: minikube ip -p {profile}"
        )
    if is_minikube_vm(facts):
        # MK_UNIMPLEMENTED: https://github.com/kubernetes/minikube/issues/17187
        return (
            "QEMU's builtin network brings in no NodePorts; a profile with another one does: "
            "minikube start -p NEW --driver qemu --network socket_vmnet"
        )
    # https://minikube.sigs.k8s.io/docs/handbook/accessing/
    service, namespace = _word(port.service, "SERVICE"), _word(port.namespace, "NAMESPACE")
    return (
        f"minikube service {service} --url -n {namespace} -p {profile} opens a port here, "
        "another one each time and for as long as it runs"
    )


def _microk8s(facts: AddressFacts, port: Unanswered) -> str:
    if facts.local.platform != "linux":
        # https://github.com/canonical/microk8s/issues/4494
        return "MicroK8s' machine answers to its own host alone, at: multipass info microk8s-vm"
    # https://github.com/canonical/microk8s/issues/50
    return f"forwarding may be off on the node: sudo iptables -P FORWARD ACCEPT; {_firewall(port)}"


def _talos(facts: AddressFacts, port: Unanswered) -> str:
    if is_talos_container(facts):
        # talosctl cluster create --help
        return (
            "Talos' containers publish ports only when they are made: "
            f"talosctl cluster create with --exposed-ports {port.node_port}:{port.node_port}/tcp"
        )
    # https://docs.siderolabs.com/talos/v1.15/networking/ingress-firewall
    return (
        "where Talos' ingress firewall blocks, it needs a NetworkRuleConfig for port "
        f"{port.node_port}: talosctl patch machineconfig --nodes NODE --patch @FILE"
    )


def _gke(facts: AddressFacts, port: Unanswered) -> str:
    is_private = facts.node is not None and (
        facts.node.labels.get("cloud.google.com/private-node") == "true" or not _has_external(facts)
    )
    if is_private:
        return "GKE's private nodes answer inside their VPC alone: from a machine there, or by VPN"
    # "When using NodePort the firewall is not opened by default":
    # https://github.com/kubernetes/kubernetes/issues/86507
    return (
        f"gcloud compute firewall-rules create nodeport-{port.node_port} --network NETWORK "
        f"--allow tcp:{port.node_port} --source-ranges YOUR_ADDRESS/32 lets you in"
    )


def _eks(facts: AddressFacts, port: Unanswered) -> str:
    if facts.node is not None and not _has_external(facts):
        return "nodes with no ExternalIP answer inside their VPC: from a machine there, or by VPN"
    # https://github.com/kubernetes/kubernetes/issues/50261
    return (
        "aws ec2 authorize-security-group-ingress --group-id GROUP_OF_THE_NODES --protocol tcp "
        f"--port {port.node_port} --cidr YOUR_ADDRESS/32 lets you in"
    )


def _aks(facts: AddressFacts, port: Unanswered) -> str:
    # https://learn.microsoft.com/azure/aks/use-node-public-ips
    pool = "--resource-group GROUP --cluster-name CLUSTER --name POOL"
    allowed = f"--allowed-host-ports {port.node_port}/tcp"
    if facts.node is not None and not _has_external(facts):
        return (
            "AKS nodes have no public address unless their pool was made with one: "
            f"az aks nodepool add {pool} --enable-node-public-ip {allowed}"
        )
    return f"az aks nodepool update {pool} {allowed} lets you in"


def _machines(facts: AddressFacts, port: Unanswered) -> str:
    addresses = [*facts.pod_host_ips]
    addresses += [entry.address for entry in facts.node.addresses] if facts.node is not None else []
    if any(map(is_tailnet, addresses)):
        # ACLs decide who may connect: https://tailscale.com/kb/1018/acls
        return (
            "the node is in a tailnet: tailscale status tells whether this machine is, and the "
            f"tailnet's access rules must allow port {port.node_port}"
        )
    if facts.local.platform == "win32" and facts.node and "microsoft" in facts.node.kernel:
        # wslrelay watches for bound ports, a NodePort is none: https://wsl.dev/technical-documentation;
        # in mirrored mode: https://github.com/microsoft/WSL/issues/11730
        return (
            "Windows reaches NodePorts inside WSL at the distribution's address alone, and in "
            "mirrored mode not at all: wsl hostname -I"
        )
    beyond = {heard for address, heard in port.verdicts.items() if not _is_loopback(address)}
    if beyond == {Verdict.REFUSED}:
        # No ready endpoint is a reject: kubernetes/kubernetes, pkg/proxy/nftables/README.md
        service, namespace = _word(port.service, "SERVICE"), _word(port.namespace, "NAMESPACE")
        return (
            "kube-proxy refuses where it knows of no pod behind the Service: kubectl get "
            f"endpointslices -n {namespace} -l kubernetes.io/service-name={service}"
        )
    # Where packets vanished too, what was unreachable is mostly IPv6 on a machine without it.
    if Verdict.UNREACHABLE in beyond and Verdict.TIMED_OUT not in beyond:
        return f"no way leads to that network, or a VPN took it: {_route(facts, port)}"
    return f"a firewall or a VPN may stand between; {_firewall(port)}"


def _route(facts: AddressFacts, port: Unanswered) -> str:
    unreachable = [a for a, verdict in port.verdicts.items() if verdict is Verdict.UNREACHABLE]
    address = next(filter(is_ip_literal, unreachable), "ADDRESS")
    commands = {
        "linux": f"ip route get {address}",
        "darwin": f"route -n get {address}",
        "win32": f"powershell Find-NetRoute -RemoteIPAddress {address}",
    }
    return commands[facts.local.platform]


def _firewall(port: Unanswered) -> str:
    number = port.node_port
    return f"on the node: sudo ufw allow {number}/tcp, or sudo firewall-cmd --add-port={number}/tcp"


def _has_external(facts: AddressFacts) -> bool:
    addresses = facts.node.addresses if facts.node is not None else ()
    return any(entry.type == "ExternalIP" for entry in addresses)


def _word(text: str, placeholder: str) -> str:
    return text if _WORD.fullmatch(text) else placeholder


_REMEDIES: Mapping[Environment, Callable[[AddressFacts, Unanswered], str]] = {
    Environment.DOCKER_DESKTOP: _docker_desktop,
    Environment.DOCKER_DESKTOP_KIND: _docker_desktop_kind,
    Environment.ORBSTACK: _orbstack,
    Environment.RANCHER_DESKTOP: _rancher_desktop,
    Environment.COLIMA: _colima,
    Environment.LIMA: _lima,
    Environment.KIND: _kind,
    Environment.K3D: _k3d,
    Environment.MINIKUBE: _minikube,
    Environment.MICROK8S: _microk8s,
    Environment.TALOS: _talos,
    Environment.GKE: _gke,
    Environment.EKS: _eks,
    Environment.AKS: _aks,
    Environment.OTHER: _machines,
}
