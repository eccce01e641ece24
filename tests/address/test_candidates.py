"""One row per environment: facts as that system really reports them, and the order that follows.

The rows are in on_this_machine.py and on_machines.py.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.address.candidates import candidates, other_candidates, pinned
from kubectl_nodeport.address.environment import (
    Environment,
    environment,
    is_this_machine,
    server_host,
    waits_for_forwarder,
)
from kubectl_nodeport.address.facts import AddressFacts, node_facts
from kubectl_nodeport.errors import NodeportError
from tests.address.on_machines import ON_MACHINES
from tests.address.on_this_machine import ON_THIS_MACHINE
from tests.address.reported import BOOKWORM, DEBIAN_KERNEL, LINUX, Client, facts_of, node

TABLE = ON_THIS_MACHINE | ON_MACHINES


@pytest.mark.parametrize("name", TABLE)
def test_order(name: str) -> None:
    row = TABLE[name]
    assert environment(row.facts) is row.system
    assert [found.address for found in candidates(row.facts)] == row.expected.split()


def test_every_system_has_a_row() -> None:
    assert {row.system for row in TABLE.values()} == set(Environment)
    assert len(TABLE) == len(ON_THIS_MACHINE) + len(ON_MACHINES)


@pytest.mark.parametrize("system", Environment)
def test_a_late_forwarder_is_waited_for_where_there_is_one(system: Environment) -> None:
    late = {"Docker Desktop", "OrbStack", "Rancher Desktop", "Colima", "Lima"}
    assert waits_for_forwarder(system) == (system.value in late)


def test_reasons_are_told() -> None:
    told = {
        found.address: found.reason
        for name in ("rke2 with --node-external-ip", "k3s over tailscale")
        for found in candidates(TABLE[name].facts)
    }
    assert told == {
        "10.0.0.5": "the pod's node (InternalIP)",
        "203.0.113.11": "the pod's node (ExternalIP)",
        "203.0.113.10": "the API server's host, which may be a node too",
        "127.0.0.1": "this machine: the cluster may run on it",
        "100.101.102.103": "the pod's node (InternalIP, over Tailscale)",
        "fd7a:115c:a1e0::7": "the pod's node (InternalIP, over Tailscale)",
        "box.tail1234.ts.net": "the API server's host, which may be a node too",
    }
    desktop = candidates(TABLE["docker desktop, kubeadm, mac"].facts)
    assert desktop[0].reason == "this machine: Docker Desktop forwards NodePorts to 127.0.0.1"
    named = candidates(TABLE["kubeadm behind a load balancer, names in dns"].facts)
    assert named[2].reason == "the pod's node (its host name)"


NEVER = pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "::1", "127.0.0.9", "169.254.1.1", "fe80::1", "224.0.0.5", "ff02::1",
     "240.0.0.1", "255.255.255.255", "::ffff:10.0.0.1"],
)  # fmt: skip


@NEVER
@pytest.mark.parametrize("families", [(), ("IPv4", "IPv6")])
def test_never_a_candidate(address: str, families: tuple[str, ...]) -> None:
    server = f"https://[{address}]:6443" if ":" in address else f"https://{address}"
    bad = node("n", address, external=address)
    asked = facts_of(bad, Client(LINUX, server, families=families))
    assert [found.address for found in candidates(asked)] == ["127.0.0.1"]
    other = node_facts(node("m", address, external=address))
    assert other_candidates(asked, [other]) == ()


def test_unknown_families_leave_all() -> None:
    asked = replace(TABLE["dual stack, the service ipv4"].facts, ip_families=())
    everything = ["10.20.0.12", "2001:db8::15", "2001:db8::10", "127.0.0.1"]
    assert [found.address for found in candidates(asked)] == everything


OTHERS = [
    node_facts(one)
    for one in (
        node("w1", "10.20.0.12"),
        node("w2", "10.20.0.13", ready="False"),
        node("w3", "10.20.0.14 2001:db8::3", external="203.0.113.3"),
        node("vk", "10.20.0.99", taint="virtual-kubelet.io/provider"),
        node("cp", "10.20.0.10"),
        node("w4", "10.20.0.15"),
        node("w5", "10.20.0.16"),
        node("w6", "10.20.0.17"),
        node("w7", "10.20.0.18"),
    )
]
LAN = facts_of(
    node("w1", "10.20.0.12", BOOKWORM, DEBIAN_KERNEL), Client(LINUX, "https://10.20.0.10:6443")
)


def test_a_few_other_nodes_are_tried_ready_ones_first_internal_addresses_first() -> None:
    found = other_candidates(LAN, OTHERS)
    assert [one.address for one in found] == (
        ["10.20.0.14", "10.20.0.15", "10.20.0.16", "10.20.0.17", "203.0.113.3"]
    )
    assert found[0].reason == "another node, w3 (InternalIP)"
    two = [one.address for one in other_candidates(LAN, OTHERS[1:3])]
    assert two == ["10.20.0.14", "10.20.0.13", "203.0.113.3"]


def test_other_nodes_have_the_families_of_the_service() -> None:
    dual = replace(LAN, ip_families=("IPv6",))
    assert [one.address for one in other_candidates(dual, OTHERS)] == ["2001:db8::3"]


def test_with_traffic_policy_local_no_other_node_answers() -> None:
    assert other_candidates(replace(LAN, traffic_policy="Local"), OTHERS) == ()


def test_containers_in_a_virtual_machine_are_all_hidden() -> None:
    others = [node_facts(node("kind-worker2", "172.18.0.9"))]
    assert other_candidates(TABLE["kind, mac"].facts, others) == ()
    assert other_candidates(TABLE["kind, docker desktop for linux"].facts, others) == ()
    assert other_candidates(TABLE["docker desktop, kind mode"].facts, others) == ()
    distribution = other_candidates(TABLE["kind in a wsl distribution"].facts, others)
    assert [one.address for one in distribution] == ["172.18.0.9"]
    native = other_candidates(TABLE["kind, native linux"].facts, others)
    assert [one.address for one in native] == ["172.18.0.9"]


def test_a_pod_on_fargate_is_reached_through_nodes_that_are_machines() -> None:
    fargate = TABLE["eks fargate"]
    nodes = [node_facts(fargate.node), node_facts(TABLE["eks, public nodes"].node)]
    found = other_candidates(fargate.facts, nodes)
    assert [one.address for one in found] == ["10.0.1.5", "54.1.2.3"]


def test_vagrant_machines_do_not_pass_for_each_other() -> None:
    facts = TABLE["kubeadm on vagrant machines"].facts
    assert other_candidates(facts, [node_facts(node("node2", "10.0.2.15"))]) == ()


def test_nodes_with_many_addresses_become_no_scan() -> None:
    many = [
        node_facts(node(f"m{n}", " ".join(f"10.{n}.0.{k}" for k in range(1, 17)))) for n in range(9)
    ]
    assert len(other_candidates(LAN, many)) == 8


@pytest.mark.parametrize(
    ("given_address", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("node-1.example", "node-1.example"),
        ("0.0.0.0", "0.0.0.0"),  # asked for is asked for
    ],
)
def test_pinned_is_this_one(given_address: str, address: str) -> None:
    assert pinned(given_address).address == address
    assert pinned(given_address).reason == "given with --address"


@pytest.mark.parametrize("bad", ["", "[::1]", "10.0.0.1:22", "-oProxyCommand=id", "a\nb", "127.1"])
def test_pinned_takes_nothing_else(bad: str) -> None:
    with pytest.raises(NodeportError):
        pinned(bad)


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


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") and "%" not in text
    return "%" not in text


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_kubeconfig_brings_in_anything_but_an_address(
    server: str, context: str, cluster: str
) -> None:
    asked = AddressFacts(LINUX, server, context=context, cluster=cluster)
    assert all(is_address(found.address) for found in candidates(asked))


@given(
    st.sampled_from(sorted(TABLE)),
    st.lists(st.ip_addresses().map(str) | st.text(max_size=12), max_size=5),
)
def test_a_hostile_node_brings_in_at_most_addresses(name: str, reported: list[str]) -> None:
    row = TABLE[name]
    bad = node("n", "", external="")
    bad["status"]["addresses"] = [
        {"type": kind, "address": text}
        for text in reported
        for kind in ("InternalIP", "ExternalIP", "Hostname")
    ]
    asked = replace(row.facts, node=node_facts(bad), pod_host_ips=())
    others = other_candidates(row.facts, [node_facts(bad)])
    for found in (*candidates(asked), *others):
        assert is_address(found.address.lower())
        assert found.address == "127.0.0.1" or not _is_nobodys(found.address)


def _is_nobodys(text: str) -> bool:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast
