from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.rule import Rule
from tests.kube import make

RULE = Rule("ssh", "default", "pod/dev", 22)
POD = Pod.of(make.pod("dev"))
ID = "0123456789abcdef"


def as_stored(**spec: Any) -> Json:
    """Our Service as the API server gives it back."""
    made = copy.deepcopy(service.manifest(RULE, bind(POD), ID, 30222))
    made["metadata"] |= {"uid": "svc-uid", "resourceVersion": "7"}
    made["spec"] |= {"clusterIP": "10.0.0.9", "ipFamilies": ["IPv4", "IPv6"], **spec}
    return made


def foreign(ports: object, **spec: Any) -> Json:
    return {
        "metadata": {"name": "other", "namespace": "default", "uid": "u"},
        "spec": {"type": "NodePort", "selector": {"app": "dev"}, "ports": ports, **spec},
    }


def test_manifest() -> None:
    assert service.manifest(RULE, bind(POD), ID, 30222) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "nodeport-dev-ssh",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "kubectl-nodeport"},
            "annotations": {
                "kubectl-nodeport/service": "default/nodeport-dev-ssh",
                "kubectl-nodeport/format": "1",
                "kubectl-nodeport/id": ID,
                "kubectl-nodeport/target": "pod/dev",
                "kubectl-nodeport/rule": "ssh",
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": "dev", "uid": make.UID}
            ],
        },
        "spec": {
            "type": "NodePort",
            "selector": {"kubectl-nodeport/ssh": f"{make.UID}.{ID}"},
            "ports": [
                {
                    "name": "ssh",
                    "port": 22,
                    "targetPort": 22,
                    "protocol": "TCP",
                    "nodePort": 30222,
                }
            ],
            "publishNotReadyAddresses": True,
            "ipFamilyPolicy": "PreferDualStack",
        },
    }


def test_manifest_without_a_node_port_leaves_the_choice_to_the_server() -> None:
    (port,) = service.manifest(RULE, bind(POD), ID, None)["spec"]["ports"]
    assert "nodePort" not in port


def test_label_and_value_are_valid_for_the_longest_names() -> None:
    prefix, name = service.pod_label("s" * 20).split("/")
    assert len(prefix) <= 253
    assert len(name) <= 63
    value = service.pod_label_value(make.UID, ID)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value)


def test_own_service_is_recognised() -> None:
    made = as_stored()
    assert service.is_ours(made)
    assert service.is_rule(made, RULE)
    assert service.is_owned_by(made, make.UID)
    assert not service.is_owned_by(made, "another")
    assert service.rule_id(made) == ID
    assert not service.is_plain_node_port(made)
    assert (service.name(made), service.uid(made)) == ("nodeport-dev-ssh", "svc-uid")
    found = service.exposed(made, RULE, POD)
    assert found is not None
    assert (found.node_port, found.id, found.ip_families) == (30222, ID, ("IPv4", "IPv6"))
    assert found.ours
    assert not found.made_now


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("metadata", {"name": "copied"}),
        ("metadata", {"namespace": "elsewhere"}),
        ("metadata", {"labels": {}}),
        ("metadata", {"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
        ("metadata", {"annotations": {}}),
        ("metadata", {"annotations": {"kubectl-nodeport/service": "default/nodeport-dev-ssh"}}),
    ],
)
def test_copied_or_stripped_manifest_is_not_ours(part: str, change: Json) -> None:
    made = as_stored()
    made[part] |= change
    assert not service.is_ours(made)
    assert not service.is_rule(made, RULE)
    assert service.is_plain_node_port(made)
    assert service.rule_id(made) == ""


def test_rule_of_another_pod_or_name_is_not_this_rule() -> None:
    made = as_stored()
    assert not service.is_rule(made, Rule("http", "default", "pod/dev", 22))
    assert not service.is_rule(made, Rule("ssh", "default", "pod/dev-2", 22))
    assert service.is_rule(made, Rule("ssh", "default", "pod/dev", 2222))


@pytest.mark.parametrize(
    ("labels", "selector", "matches"),
    [
        ({"app": "dev"}, {"app": "dev"}, True),
        ({"app": "dev", "x": ""}, {"app": "dev", "x": ""}, True),
        ({"app": "dev"}, {"app": "dev", "x": ""}, False),
        ({"app": "dev"}, {"app": "other"}, False),
        ({"app": "dev"}, {}, False),
        ({"app": "dev"}, None, False),
        ({}, {"app": "dev"}, False),
    ],
)
def test_selects(labels: Json, selector: object, matches: bool) -> None:
    pod = Pod.of(make.pod(labels=labels))
    assert service.selects(foreign([], selector=selector), pod) is matches


NAMED = Pod.of(
    make.pod(
        containers=[
            {
                "name": "main",
                "ports": [
                    {"name": "sshd", "containerPort": 22},
                    {"name": "dns", "containerPort": 22, "protocol": "UDP"},
                ],
            }
        ]
    )
)


@pytest.mark.parametrize(
    ("ports", "node_port"),
    [
        ([{"port": 2200, "targetPort": 22, "nodePort": 30100}], 30100),
        ([{"port": 2200, "targetPort": "sshd", "nodePort": 30100}], 30100),
        ([{"port": 22, "nodePort": 30100}], 30100),
        (
            [
                {"port": 80, "targetPort": 80, "nodePort": 30080},
                {"port": 22, "targetPort": "sshd", "nodePort": 30100, "protocol": "TCP"},
            ],
            30100,
        ),
        ([{"port": 22, "targetPort": 2222, "nodePort": 30100}], None),
        ([{"port": 22, "targetPort": "dns", "nodePort": 30100}], None),
        ([{"port": 22, "targetPort": "gone", "nodePort": 30100}], None),
        ([{"port": 22, "targetPort": 22, "nodePort": 30100, "protocol": "UDP"}], None),
        ([{"port": 22, "targetPort": 22}], None),
        ([{"port": 22, "targetPort": 22, "nodePort": 0}], None),
        ([{"port": 22, "targetPort": 22, "nodePort": 65536}], None),
        ([{"port": 22, "targetPort": 22, "nodePort": "30100"}], None),
        ([{"port": 22, "targetPort": ["sshd"], "nodePort": 30100}], None),
        ([{"port": 22, "targetPort": {"a": 1}, "nodePort": 30100}], None),
        ([None, 7, "x"], None),
        (None, None),
        ({"port": 22}, None),
    ],
)
def test_node_port_of_a_foreign_service(ports: object, node_port: int | None) -> None:
    found = service.exposed(foreign(ports), RULE, NAMED)
    assert (found.node_port if found else None) == node_port
    if found:
        assert not found.ours


def test_target_ports_for_a_message() -> None:
    ports = [{"targetPort": 80}, {"targetPort": "http"}, 7]
    assert service.target_ports(foreign(ports)) == ["80", "http", "None"]
    assert service.target_ports(foreign("x")) == []


@pytest.mark.parametrize(
    ("spec", "plain"),
    [({}, True), ({"type": "ClusterIP"}, False), ({"type": "LoadBalancer"}, False)],
)
def test_plain_node_port(spec: Json, plain: bool) -> None:
    assert service.is_plain_node_port(foreign([], **spec)) is plain


@pytest.mark.parametrize(
    ("value", "published"), [(True, True), (False, False), (None, False), ("true", False)]
)
def test_publishes_not_ready(value: object, published: bool) -> None:
    found = service.publishes_not_ready(foreign([], publishNotReadyAddresses=value))
    assert found is published


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
METADATA = ("name", "namespace", "uid", "labels", "annotations", "ownerReferences")
SPEC = ("type", "selector", "ports", "ipFamilies", "publishNotReadyAddresses")
PORT = ("port", "targetPort", "nodePort", "protocol")
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "metadata": JSON | st.dictionaries(st.sampled_from(METADATA), JSON),
        "spec": JSON
        | st.dictionaries(st.sampled_from(SPEC), JSON)
        | st.fixed_dictionaries(
            {"ports": st.lists(st.dictionaries(st.sampled_from(PORT), JSON), max_size=3)}
        ),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENT)
def test_hostile_service_raises_nothing(document: Json) -> None:
    assert not service.is_rule(document, RULE)
    assert not service.is_ours(document)
    assert service.rule_id(document) == ""
    service.is_owned_by(document, make.UID)
    service.selects(document, POD)
    service.is_plain_node_port(document)
    service.publishes_not_ready(document)
    service.name(document)
    service.uid(document)
    service.target_ports(document)
    service.version(document)
    assert service.users(document) == frozenset()
    service.ends_with_pod(document)
    assert isinstance(service.leads_to(document, 22), (int, str, type(None)))
    found = service.exposed(document, RULE, NAMED)
    assert found is None or 1 <= found.node_port <= 65535


def port(node_port: int, target: Any = 22) -> Json:
    return {"port": 22, "targetPort": target, "nodePort": node_port}


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ({}, 22),
        ({"ports": [port(30222, "ssh")]}, "ssh"),
        ({"ports": [{"port": 22, "nodePort": 30222}]}, 22),
        ({"ports": [port(30999, 2222)]}, 2222),  # ours has one, whatever its node port is by now
        ({"ports": [port(30111, 80), port(30222, 2222)]}, 2222),
        ({"ports": [port(30111, 80), port(30112, 2222)]}, None),
        ({"ports": [port(30222, None)]}, None),
        ({"ports": []}, None),
        ({"ports": None}, None),
    ],
)
def test_where_a_node_port_leads(spec: Json, target: int | str | None) -> None:
    assert service.leads_to(as_stored(**spec), 30222) == target


def test_other_node_port_of_what_is_not_ours() -> None:
    theirs = as_stored()
    theirs["metadata"]["labels"] = {}
    assert service.leads_to(theirs, 30222) == 22
    assert service.leads_to(theirs, 30223) is None


def test_notes_of_users() -> None:
    noted = as_stored()
    assert service.users(noted) == frozenset()
    patch = service.user_patch("svc-uid", "abc", "now")
    assert patch["metadata"]["uid"] == "svc-uid"
    noted["metadata"]["annotations"] |= patch["metadata"]["annotations"]
    assert service.users(noted) == {"abc"}
    assert "uid" not in service.user_patch("", "abc", None)["metadata"]
    noted["metadata"]["name"] = "a-copy"
    assert service.users(noted) == frozenset()


def test_whose_end_it_shares() -> None:
    assert service.ends_with_pod(as_stored())
    lasting = as_stored()
    lasting["metadata"]["ownerReferences"][0]["kind"] = "StatefulSet"
    assert not service.ends_with_pod(lasting)
    del lasting["metadata"]["ownerReferences"]
    assert not service.ends_with_pod(lasting)
