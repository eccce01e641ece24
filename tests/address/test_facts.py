"""Facts are read from JSON that nobody vouches for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.address.facts import (
    NodeAddress,
    NodeFacts,
    is_public,
    is_tailnet,
    kubeconfig_providers,
    node_facts,
)

_NODE = {
    "metadata": {
        "name": "docker-desktop",
        "labels": {"kubernetes.io/os": "linux", "minikube.k8s.io/name": "m", "type": 7},
    },
    "spec": {"providerID": "kind://docker/dev/dev-worker"},
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "192.168.65.3"},
            {"type": "InternalIP", "address": "FD00:0:0::1"},
            {"type": "Hostname", "address": "docker-desktop"},
            {"type": "ExternalDNS", "address": "ec2-1-2-3-4.compute.amazonaws.com"},
        ],
        "nodeInfo": {"osImage": "Docker Desktop", "kernelVersion": "6.12.5-linuxkit"},
    },
}


def test_a_node_is_read() -> None:
    node = node_facts(_NODE)
    assert node.name == "docker-desktop"
    assert node.os_image == "Docker Desktop"
    assert node.kernel == "6.12.5-linuxkit"
    assert node.provider_id == "kind://docker/dev/dev-worker"
    assert node.addresses == (
        NodeAddress("InternalIP", "192.168.65.3"),
        NodeAddress("InternalIP", "fd00::1"),
        NodeAddress("Hostname", "docker-desktop"),
    )
    assert node.ready


def test_only_labels_that_name_a_system_are_kept() -> None:
    assert node_facts(_NODE).labels == {"minikube.k8s.io/name": "m", "type": ""}


@pytest.mark.parametrize(
    "address",
    [
        "node\n  ProxyCommand id",
        "-oProxyCommand=id",
        "%h",
        "fe80::1%eth0",
        "10.0.0.1:22",
        "[::1]",
        "0x7f.1",
        "10.0.0",
        "",
        None,
        7,
        ["10.0.0.1"],
    ],
)
@pytest.mark.parametrize("kind", ["InternalIP", "Hostname"])
def test_an_address_that_is_none_is_dropped(kind: str, address: object) -> None:
    node = node_facts({"status": {"addresses": [{"type": kind, "address": address}]}})
    assert node.addresses == ()


def test_a_name_is_no_ip_and_an_unknown_type_no_address() -> None:
    entries = [
        {"type": "InternalIP", "address": "node1"},
        {"type": "Wormhole", "address": "10.0.0.1"},
    ]
    assert node_facts({"status": {"addresses": entries}}).addresses == ()


def test_a_node_with_endless_addresses_becomes_no_scan() -> None:
    entries = [{"type": "InternalIP", "address": f"10.0.{n // 250}.{n % 250}"} for n in range(999)]
    assert len(node_facts({"status": {"addresses": entries}}).addresses) == 16


@pytest.mark.parametrize("text", ["Docker\x1b[2J", "Docker\nDesktop", "x" * 300, "Dócker", 5])
def test_a_text_that_no_system_reports_is_dropped(text: object) -> None:
    assert node_facts({"status": {"nodeInfo": {"osImage": text}}}).os_image == ""


@pytest.mark.parametrize(
    "node",
    [
        {"metadata": {"name": "n", "labels": {"type": "virtual-kubelet"}}},
        {"metadata": {"name": "fargate-ip-192-168-1-2.ec2.internal"}},
        {"metadata": {"labels": {"eks.amazonaws.com/compute-type": "fargate"}}},
        {"spec": {"taints": [{"key": "virtual-kubelet.io/provider", "effect": "NoSchedule"}]}},
    ],
)
def test_a_node_without_a_machine_is_virtual(node: object) -> None:
    assert node_facts(node).virtual
    assert not node_facts(_NODE).virtual


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "Ready"}], False),
        ([{"type": "DiskPressure", "status": "False"}], True),
        ([], True),
        (None, True),
        ("text", True),
        # AKS reports a score of its own conditions first
        ([{"type": f"C{n}", "status": "True"} for n in range(25)] + [{"type": "Ready"}], False),
    ],
)
def test_a_node_is_ready_unless_its_condition_denies_it(conditions: object, ready: bool) -> None:
    assert node_facts({"status": {"conditions": conditions}}).ready is ready


def test_a_cordoned_node_is_ready() -> None:
    node = {
        "spec": {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable"}]}
    }
    assert node_facts(node).ready
    assert not node_facts(node).virtual


@pytest.mark.parametrize(
    ("kind", "address", "public"),
    [
        ("InternalIP", "10.0.0.5", False),
        ("InternalIP", "192.168.65.3", False),
        ("InternalIP", "fd00::5", False),
        ("InternalIP", "8.8.8.8", True),  # bare metal in a data centre
        ("InternalIP", "2a01:4f8::5", True),
        ("ExternalIP", "8.8.8.8", True),
        ("ExternalIP", "10.9.9.9", True),  # behind NAT, by its operator's word
        ("ExternalIP", "100.101.102.103", False),
        ("InternalIP", "100.101.102.103", False),
        ("Hostname", "node.example", False),
    ],
)
def test_public_addresses_of_a_node(kind: str, address: str, public: bool) -> None:
    node = NodeFacts("n", (NodeAddress(kind, address),))
    assert node.public_addresses == ((address,) if public else ())


def test_an_address_that_is_both_is_told_once() -> None:
    both = (NodeAddress("InternalIP", "8.8.8.8"), NodeAddress("ExternalIP", "8.8.8.8"))
    assert NodeFacts("n", both).public_addresses == ("8.8.8.8",)


def test_rancher_desktops_bridge_is_not_public() -> None:
    bridge = (NodeAddress("ExternalIP", "192.168.64.5"),)
    assert NodeFacts("lima-rancher-desktop", bridge).public_addresses == ()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("169.254.1.1", False),
        ("fd7a:115c:a1e0::1", False),
        ("::1", False),
        ("224.0.1.1", False),
        ("ff0e::1", False),
        ("host.example", False),
        ("", False),
    ],
)
def test_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("address", "member"),
    [
        ("100.64.0.0", True),
        ("100.127.255.255", True),
        ("100.128.0.0", False),
        ("fd7a:115c:a1e0::1", True),
        ("fd7a:115c:a1e1::1", False),
        ("box.tail1234.ts.net", False),
    ],
)
def test_is_tailnet(address: str, member: bool) -> None:
    assert is_tailnet(address) is member


def test_minikube_names_itself_in_the_kubeconfig() -> None:
    entry = {
        "extensions": [
            {"name": "cluster_info", "extension": {"provider": "minikube.sigs.k8s.io"}},
            {"name": "other", "extension": "text"},
        ]
    }
    assert kubeconfig_providers(entry, {"user": "x"}, entry) == ("minikube.sigs.k8s.io",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "addresses", "type", "address", "labels", "taints"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_no_json_breaks_the_parsers(value: object) -> None:
    json.dumps(value)
    node_facts(value)
    kubeconfig_providers(value)
