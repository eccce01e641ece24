"""What is advised where nothing answers: a real command for the system at hand, and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.address.facts import AddressFacts, LocalFacts
from kubectl_nodeport.address.remedy import Unanswered, remedy
from kubectl_nodeport.address.resolution import Verdict
from tests.address.reported import MAC, WINDOWS, WSL
from tests.address.test_candidates import TABLE


def advice(
    name: str, verdicts: Mapping[str, Verdict] | None = None, local: LocalFacts | None = None
) -> str:
    row = TABLE[name]
    facts = replace(row.facts, local=local) if local else row.facts
    return remedy(facts, row.system, Unanswered(31394, "lab", "nodeport-dev-ssh", verdicts or {}))


NO_REPLY = {"192.168.5.82": Verdict.TIMED_OUT, "127.0.0.1": Verdict.REFUSED}
REFUSED = {"192.168.5.82": Verdict.REFUSED, "127.0.0.1": Verdict.REFUSED}
NO_WAY = {"192.168.5.82": Verdict.UNREACHABLE, "127.0.0.1": Verdict.REFUSED}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("docker desktop, kubeadm, mac", "docker desktop restart"),
        ("docker desktop, kubeadm, from a wsl distribution", "Resources > WSL integration"),
        ("docker desktop, kind mode", "Settings > Kubernetes > kubeadm"),
        ("orbstack", "orb config set network_bridge true"),
        ("rancher desktop, mac", "rdctl set --application.admin-access=true"),
        ("rancher desktop, windows", "rdctl shutdown, then rdctl start"),
        ("colima", "colima stop default && colima start default --network-address"),
        ("colima with --network-address", "colima start work --network-address"),
        ("colima, nodes not readable", "colima start work --network-address"),
        ("lima's k3s template", "limactl edit k3s"),
        ("kind, mac", "extraPortMappings: [{containerPort: 31394, hostPort: 31394}]"),
        ("kind, native linux", "not rootless; else make the cluster anew with extraPortMappings"),
        ("kind in podman desktop, mac", "not even those that kind maps"),
        ("k3d, mac", "k3d cluster edit dev --port-add 31394:31394@loadbalancer"),
        (
            "minikube, docker driver, mac",
            "minikube service nodeport-dev-ssh --url -n lab -p minikube",
        ),
        ("minikube, vfkit or hyperkit machine, mac", "minikube ip -p minikube"),
        ("minikube, qemu with its builtin network", "--network socket_vmnet"),
        ("microk8s, on this linux", "iptables -P FORWARD ACCEPT"),
        ("microk8s, multipass machine on a mac", "multipass info microk8s-vm"),
        ("talos machines", "talosctl patch machineconfig --nodes NODE --patch @FILE"),
        ("talos in docker, mac", "talosctl cluster create with --exposed-ports 31394:31394/tcp"),
        ("gke, public nodes", "--allow tcp:31394 --source-ranges YOUR_ADDRESS/32"),
        ("gke, private nodes", "inside their VPC alone"),
        ("eks, public nodes", "aws ec2 authorize-security-group-ingress"),
        ("eks, private nodes", "inside their VPC"),
        ("aks", "--enable-node-public-ip --allowed-host-ports 31394/tcp"),
        ("aks with --enable-node-public-ip", "az aks nodepool update"),
        ("eks fargate", "no kube-proxy runs on a virtual node"),
        ("a virtual node of kubeadm", "no kube-proxy runs on a virtual node"),
        ("k3s over tailscale", "tailscale status"),
        ("kubeadm in a wsl distribution, from windows", "wsl hostname -I"),
        ("a node that is not ready", "kubectl describe node w1"),
        ("from a pod of the cluster", "kubectl get networkpolicies"),
        ("kubeadm on a lan", "sudo ufw allow 31394/tcp"),
    ],
)
def test_advice_of_each_system(name: str, told: str) -> None:
    assert told in advice(name)


def test_every_system_is_advised_in_one_line() -> None:
    for name in TABLE:
        text = advice(name, NO_REPLY)
        assert text.isprintable()
        assert not text.endswith(".")


def test_machines_are_advised_by_what_came_back() -> None:
    lan = "kubeadm on a lan, from a wsl distribution"
    assert "sudo firewall-cmd --add-port=31394/tcp" in advice(lan, NO_REPLY)
    assert "-n lab -l kubernetes.io/service-name=nodeport-dev-ssh" in advice(lan, REFUSED)
    assert "ip route get 192.168.5.82" in advice(lan, NO_WAY)
    no_ipv6 = {"192.168.5.82": Verdict.TIMED_OUT, "2001:db8::82": Verdict.UNREACHABLE}
    assert "sudo ufw allow" in advice(lan, no_ipv6)
    assert "Find-NetRoute -RemoteIPAddress 192.168.5.82" in advice(lan, NO_WAY, WINDOWS)


def test_macos_is_suspected_where_an_address_beside_it_is_unreachable() -> None:
    lan = "kubeadm on a lan"
    assert "Privacy & Security > Local Network" in advice(lan, NO_WAY)
    assert "Local Network" in advice(
        "minikube, vfkit or hyperkit machine, mac", {"192.168.64.7": Verdict.UNREACHABLE}
    )
    assert "Local Network" not in advice(lan, NO_REPLY)
    beside = {"192.168.5.82": Verdict.TIMED_OUT, "fd00::82": Verdict.UNREACHABLE}
    assert "Local Network" not in advice(lan, beside)
    public = {"8.8.8.8": Verdict.UNREACHABLE, "w2.lab.example": Verdict.UNREACHABLE}
    assert "route -n get 8.8.8.8" in advice(lan, public)
    for hidden in ("kind, mac", "docker desktop, kubeadm, mac", "gke, public nodes"):
        assert "Local Network" not in advice(hidden, NO_WAY, MAC)


def test_rancher_desktop_in_wsl_asks_for_integration() -> None:
    assert "Preferences > WSL > Integrations" in advice("rancher desktop, windows", None, WSL)


@pytest.mark.parametrize("evil", ["$(id)", "x; id", "-p", "a b", "x\nProxyCommand id", ""])
def test_no_name_that_a_shell_would_run_gets_into_a_command(evil: str) -> None:
    for row in TABLE.values():
        node = row.facts.node
        if node is not None:
            labels = {key: evil for key in node.labels if key == "minikube.k8s.io/name"}
            node = replace(node, name=evil, labels=labels or node.labels)
        facts = replace(row.facts, node=node, node_name=evil, context=evil)
        text = remedy(facts, row.system, Unanswered(31394, evil, evil, REFUSED))
        assert not evil or evil == "-p" or evil not in text
        assert "edit -p" not in text
        assert not re.search(r"[$;`\n]\(?id", text)


@given(st.text(), st.text(), st.text(), st.sampled_from(sorted(TABLE)))
def test_whatever_is_in_a_name_the_advice_is_one_line(
    context: str, service: str, address: str, name: str
) -> None:
    row = TABLE[name]
    facts: AddressFacts = replace(row.facts, context=context, node=None, node_name=context)
    unanswered = Unanswered(31394, service, service, {address: Verdict.UNREACHABLE})
    assert remedy(facts, row.system, unanswered).isprintable()
