from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service_type
from kubectl_nodeport.rule.rule import DEFAULT_RANGE
from kubectl_nodeport.rule.service_type import FORMER_TYPE, Port
from tests.commands.fake_api import merged

EXPECTED_PORT = 31689
MYSQL = {"name": "mysql", "port": 3306, "targetPort": "sql", "protocol": "TCP"}
CHANGED = "ClusterIP default/mysql"
DNS = [
    {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
    {"name": "dns-tcp", "port": 53, "targetPort": 5353, "protocol": "TCP"},
]


def service(*ports: object, name: str = "mysql", namespace: str = "default", **spec: Any) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "resourceVersion": "7",
            "labels": {"app": "db"},
            "annotations": {"note": "keep"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.77",
            "selector": {"app": "db"},
            "ports": list(ports) or [dict(MYSQL)],
            **spec,
        },
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70000) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "port", "targetPort", "protocol", "nodePort", "spec", "ports"])
            | st.sampled_from(["type", "metadata", "annotations", FORMER_TYPE, "labels"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


class TestPorts:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (MYSQL, Port("mysql", 3306, "sql", "TCP")),
            ({"port": 80}, Port("", 80, 80, "TCP")),
            ({"port": 80, "targetPort": 8080}, Port("", 80, 8080, "TCP")),
            ({"port": 80, "targetPort": 0}, Port("", 80, 80, "TCP")),
            ({"port": 80, "nodePort": 30080}, Port("", 80, 80, "TCP", 30080)),
            ({"port": 80, "nodePort": 0}, Port("", 80, 80, "TCP", None)),
            ({"port": 80, "nodePort": True}, Port("", 80, 80, "TCP", None)),
            ({"port": 80, "nodePort": "30080"}, Port("", 80, 80, "TCP", None)),
            ({"port": 9, "protocol": "SCTP"}, Port("", 9, 9, "SCTP")),
        ],
    )
    def test_one(self, given: Json, expected: Port) -> None:
        assert service_type.ports(service(given)) == (expected,)

    def test_in_their_order(self) -> None:
        assert [(p.name, p.protocol) for p in service_type.ports(service(*DNS))] == [
            ("dns", "UDP"),
            ("dns-tcp", "TCP"),
        ]

    @pytest.mark.parametrize(
        "given", ["80", 80, None, [], {}, {"port": "80"}, {"port": True}, {"port": None}]
    )
    def test_malformed_is_left_out(self, given: object) -> None:
        assert service_type.ports(service(given, {"port": 80})) == (Port("", 80, 80, "TCP"),)

    def test_unknown_protocol_is_left_out(self) -> None:
        assert service_type.ports(service({"port": 80, "protocol": "ICMP"})) == ()

    @given(ANYTHING)
    def test_whatever_the_server_says(self, document: object) -> None:
        spec = document if isinstance(document, dict) else {"spec": {"ports": document}}
        for port in service_type.ports(spec):
            assert type(port.number) is int
            assert port.node_port is None or port.node_port > 0
        assert service_type.former_type(spec) in ("", "ClusterIP")


@pytest.mark.parametrize(
    ("port", "text"),
    [
        (Port("", 3306, 3306, "TCP"), "3306"),
        (Port("mysql", 3306, "sql", "TCP", 30306), "3306 (mysql)"),
        (Port("", 53, 53, "UDP"), "53/UDP"),
        (Port("dns", 53, 53, "UDP"), "53/UDP (dns)"),
    ],
)
def test_port_as_text(port: Port, text: str) -> None:
    assert str(port) == text


class TestTypes:
    @pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])
    def test_kind(self, kind: str) -> None:
        assert service_type.kind(service(type=kind)) == kind

    @pytest.mark.parametrize("document", [{}, {"spec": None}, {"spec": {"type": ""}}])
    def test_cluster_ip_is_the_default(self, document: Json) -> None:
        assert service_type.kind(document) == "ClusterIP"

    @pytest.mark.parametrize(
        ("annotations", "former"),
        [
            ({FORMER_TYPE: CHANGED}, "ClusterIP"),
            ({FORMER_TYPE: "ClusterIP"}, ""),
            ({FORMER_TYPE: "ClusterIP default/copy"}, ""),
            ({FORMER_TYPE: "ExternalName"}, ""),
            ({FORMER_TYPE: "clusterip"}, ""),
            ({FORMER_TYPE: ["ClusterIP"]}, ""),
            ({FORMER_TYPE: ""}, ""),
            ({"other": "ClusterIP"}, ""),
            (None, ""),
            ("ClusterIP", ""),
        ],
    )
    def test_former(self, annotations: object, former: str) -> None:
        document = service(type="NodePort")
        document["metadata"]["annotations"] = annotations
        assert service_type.former_type(document) == former


class TestCheck:
    @pytest.mark.parametrize(
        "document",
        [
            service(),
            service(*DNS),
            service(selector=None),
            service({"port": 80, "nodePort": 30080}, type="NodePort"),
            service({"port": 80, "nodePort": 30080}, type="LoadBalancer"),
            service(name="kubernetes", namespace="dev"),
            service(namespace="default", name="kubernetes-dashboard"),
        ],
    )
    def test_can_be_opened(self, document: Json) -> None:
        service_type.check_can_open(document)

    @pytest.mark.parametrize(
        ("document", "message", "hint"),
        [
            (
                service(name="kubernetes"),
                "svc/kubernetes is the API server itself, which stays as it is",
                "kubectl cluster-info",
            ),
            (
                service(type="ExternalName", externalName="db.example", ports=None),
                "svc/mysql is of type ExternalName: a name for db.example, "
                "with no ports in this cluster",
                "connect to that name itself",
            ),
            (
                service(clusterIP="None", namespace="dev"),
                "svc/mysql is headless: without a ClusterIP it can have no NodePort",
                "kubectl nodeport expose POD --port PORT -n dev",
            ),
            (
                service(type="LoadBalancer", allocateLoadBalancerNodePorts=False),
                "svc/mysql is of type LoadBalancer without NodePorts "
                "(allocateLoadBalancerNodePorts: false)",
                "kubectl get svc mysql -n default",
            ),
            (service(ports=[]), "svc/mysql has no ports", "-o yaml"),
            (service(ports=None), "svc/mysql has no ports", "-o yaml"),
            (service(ports="80"), "svc/mysql has no ports", "-o yaml"),
        ],
    )
    def test_refused(self, document: Json, message: str, hint: str) -> None:
        with pytest.raises(NodeportError) as caught:
            service_type.check_can_open(document)
        assert caught.value.message == message
        assert hint in caught.value.hint


class TestPatches:
    def test_opening_without_wishes(self) -> None:
        assert service_type.opening(service(), {}) == {
            "metadata": {"resourceVersion": "7", "annotations": {FORMER_TYPE: CHANGED}},
            "spec": {"type": "NodePort"},
        }

    def test_opening_names_all_ports(self) -> None:
        """A merge patch replaces a list: what it leaves out of one is gone."""
        before = service(*DNS)
        patch = service_type.opening(before, {1: 30053})
        assert patch["spec"] == {
            "type": "NodePort",
            "ports": [DNS[0], {**DNS[1], "nodePort": 30053}],
        }
        assert before == service(*DNS), "what was read stays as it is"

    def test_fields_of_a_port_that_this_program_does_not_know_stay(self) -> None:
        patch = service_type.opening(service({**MYSQL, "appProtocol": "mysql"}), {0: 30306})
        assert patch["spec"]["ports"] == [{**MYSQL, "appProtocol": "mysql", "nodePort": 30306}]

    def test_nothing_else_is_changed(self) -> None:
        before = service()
        after = merged(before, service_type.opening(before, {0: 30306}))
        assert after["metadata"]["annotations"].pop(FORMER_TYPE) == CHANGED
        assert after["spec"].pop("type") == "NodePort"
        assert after["spec"]["ports"][0].pop("nodePort") == 30306
        before["spec"].pop("type")
        assert after == before

    def test_closing(self) -> None:
        before = service({**MYSQL, "nodePort": 30306}, type="NodePort")
        before["metadata"]["annotations"][FORMER_TYPE] = CHANGED
        assert service_type.closing(before) == {
            "metadata": {"resourceVersion": "7", "annotations": {FORMER_TYPE: None}},
            "spec": {"type": "ClusterIP"},
        }

    @pytest.mark.parametrize("kind", ["LoadBalancer", "ClusterIP", "ExternalName"])
    def test_closing_leaves_a_type_that_somebody_gave_it_meanwhile(self, kind: str) -> None:
        before = service(type=kind)
        before["metadata"]["annotations"][FORMER_TYPE] = CHANGED
        assert "spec" not in service_type.closing(before)

    def test_closing_takes_the_opening_back(self) -> None:
        before = service()
        opened = merged(before, service_type.opening(before, {}))
        assert merged(opened, service_type.closing(opened)) == before


class TestPreferredNodePort:
    def test_it_is_stable(self) -> None:
        """A literal: ports that people wrote down must not move with a new version."""
        found = service_type.preferred_node_port(service(), Port("", 3306, 3306, "TCP"), "ca")
        assert found == EXPECTED_PORT

    @pytest.mark.parametrize(
        ("document", "port", "cluster"),
        [
            (service(name="other"), Port("", 3306, 3306, "TCP"), "ca"),
            (service(namespace="dev"), Port("", 3306, 3306, "TCP"), "ca"),
            (service(), Port("", 3307, 3306, "TCP"), "ca"),
            (service(), Port("", 3306, 3306, "UDP"), "ca"),
            (service(), Port("sql", 3306, 3306, "TCP"), "ca"),
            (service(), Port("", 3306, 3306, "TCP"), "another"),
        ],
    )
    def test_everything_counts(self, document: Json, port: Port, cluster: str) -> None:
        assert service_type.preferred_node_port(document, port, cluster) != EXPECTED_PORT

    def test_node_port_that_it_has_does_not_count(self) -> None:
        port = Port("", 3306, 3306, "TCP", 31000)
        assert service_type.preferred_node_port(service(), port, "ca") == EXPECTED_PORT

    @given(st.text(), st.integers(1, 65535), st.sampled_from(["TCP", "UDP", "SCTP"]))
    def test_in_the_range_that_the_server_hands_out(
        self, cluster: str, number: int, protocol: str
    ) -> None:
        port = Port("", number, number, protocol)
        first, last = DEFAULT_RANGE
        assert first <= service_type.preferred_node_port(service(), port, cluster) <= last


@pytest.mark.parametrize(
    ("labels", "manager"),
    [
        ({"app.kubernetes.io/managed-by": "Helm"}, "Helm"),
        ({"app.kubernetes.io/managed-by": "somebody"}, ""),
        ({"argocd.argoproj.io/instance": "shop"}, "argocd.argoproj.io"),
        ({"kustomize.toolkit.fluxcd.io/name": "shop"}, "kustomize.toolkit.fluxcd.io"),
        ({"helm.toolkit.fluxcd.io/name": "shop"}, "helm.toolkit.fluxcd.io"),
        ({"app": "db"}, ""),
        ({}, ""),
        (None, ""),
        ("Helm", ""),
    ],
)
def test_manager(labels: object, manager: str) -> None:
    document = copy.deepcopy(service())
    document["metadata"]["labels"] = labels
    assert service_type.manager(document) == manager
