"""The Service that a rule is, as the API's JSON. Pure.

Its selector reaches exactly one pod: Remote-SSH opens two connections, and a Service over several
pods would take them to different ones.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.errors import NewerFormatError, NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule.binding import Binding
from kubectl_nodeport.rule.rule import Exposed, Rule

MANAGER = "kubectl-nodeport"
MANAGED_BY = "app.kubernetes.io/managed-by"
# Names this very Service, so that a manifest copied to another name is not taken for ours.
_SELF = "kubectl-nodeport/service"
# In which form the rest is said. What has none is of the first, which came before there were any;
# this key, the label above and _SELF and _ID mean the same in all: docs/decisions/0015.
_FORMAT = "kubectl-nodeport/format"
_FORMAT_OF_TODAY = "1"
_FORMAT_NUMBER = re.compile(r"[1-9][0-9]*")
_ID = "kubectl-nodeport/id"
_TARGET = "kubectl-nodeport/target"
_RULE = "kubectl-nodeport/rule"
# Before the id of a Host entry that uses the rule without having made it: docs/decisions/0009.
_USER = "kubectl-nodeport/user-"
_SSH_PORT = 22


def pod_label(rule_name: str) -> str:
    """The key of the label that ties a pod to its rule."""
    return f"kubectl-nodeport/{rule_name}"


def pod_label_value(pod_uid: str, rule_id: str) -> str:
    """A value that no other pod can have: it holds the id drawn for this rule just now."""
    return f"{pod_uid}.{rule_id}"


def wanted_selector(rule: Rule, binding: Binding, rule_id: str) -> dict[str, str]:
    """The selector that the binding asks for; ``rule_id`` is the id drawn for the creation."""
    if binding.selector is not None:
        return dict(binding.selector)
    return {pod_label(rule.name): pod_label_value(binding.owner.uid, rule_id)}


def manifest(rule: Rule, binding: Binding, rule_id: str, node_port: int | None) -> Json:
    """The Service for a rule.

    ``publishNotReadyAddresses``: a pod that fails its readiness probe is still reached, which is
    when a developer wants to look inside. Not so where pods follow each other: one that ends slowly
    would stay beside its successor.
    """
    port: Json = {
        "name": rule.name,
        "port": rule.port,
        "targetPort": rule.port,
        "protocol": rule.protocol,
    }
    if node_port is not None:
        port["nodePort"] = node_port
    owner = binding.owner
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": rule.service_name,
            "namespace": rule.namespace,
            "labels": {MANAGED_BY: MANAGER},
            "annotations": {
                _SELF: f"{rule.namespace}/{rule.service_name}",
                _FORMAT: _FORMAT_OF_TODAY,
                _ID: rule_id,
                _TARGET: rule.target,
                _RULE: rule.name,
            },
            "ownerReferences": [
                {
                    "apiVersion": owner.api_version,
                    "kind": owner.kind,
                    "name": owner.name,
                    "uid": owner.uid,
                }
            ],
        },
        "spec": {
            "type": "NodePort",
            "selector": wanted_selector(rule, binding, rule_id),
            "ports": [port],
            "publishNotReadyAddresses": not binding.follows,
            "ipFamilyPolicy": "PreferDualStack",
        },
    }


def is_ours(service: Mapping[str, Any]) -> bool:
    """Whether this program made the Service, under this very name."""
    metadata = _mapping(service.get("metadata"))
    labels, annotations = (_mapping(metadata.get(k)) for k in ("labels", "annotations"))
    itself = f"{metadata.get('namespace')}/{metadata.get('name')}"
    return (
        labels.get(MANAGED_BY) == MANAGER
        and annotations.get(_SELF) == itself
        and bool(annotations.get(_ID))
    )


def is_newer(service: Mapping[str, Any]) -> bool:
    """Whether it is ours in a form that is not known here: it is listed, and nothing else."""
    told = _format(service)
    return is_ours(service) and told != _FORMAT_OF_TODAY and _is_number(told)


def malformed(service: Mapping[str, Any]) -> str:
    """The annotation of a rule of ours that should tell its format, and does not; "" for none.

    No version writes such a one, so the rule is one of ours that somebody edited.
    """
    return "" if not is_ours(service) or _is_number(_format(service)) else _FORMAT


def _format(service: Mapping[str, Any]) -> object:
    annotations = _mapping(_mapping(service.get("metadata")).get("annotations"))
    return annotations.get(_FORMAT, _FORMAT_OF_TODAY)


def _is_number(told: object) -> bool:
    return isinstance(told, str) and _FORMAT_NUMBER.fullmatch(told) is not None


def check_format(service: Mapping[str, Any]) -> None:
    """Refuse what a newer version has made.

    :raises NewerFormatError: naming the Service.
    """
    if is_newer(service):
        namespace = str(_mapping(service.get("metadata")).get("namespace"))
        raise NewerFormatError(
            f"service {name(service)}", otherwise=deletion(name(service), namespace)
        )


def deletion(name: str, namespace: str) -> str:
    """kubectl's own command that deletes a Service, whoever made it."""
    return f"kubectl delete service {shlex.quote(name)} -n {shlex.quote(namespace)}"


def is_rule(service: Mapping[str, Any], rule: Rule) -> bool:
    """Whether the Service is this rule of this target's name (of this pod or of one before it)."""
    return (name(service), target(service), rule_name(service)) == (
        rule.service_name,
        rule.target,
        rule.name,
    )


def target(service: Mapping[str, Any]) -> str:
    """The target of a rule of ours, ``pod/dev``; "" for a Service that is not ours."""
    return _annotation(service, _TARGET)


def rule_name(service: Mapping[str, Any]) -> str:
    """The name of a rule of ours; "" for a Service that is not ours."""
    return _annotation(service, _RULE)


def _annotation(service: Mapping[str, Any], key: str) -> str:
    annotations = _mapping(_mapping(service.get("metadata")).get("annotations"))
    return str(annotations.get(key, "")) if is_ours(service) else ""


def is_owned_by(service: Mapping[str, Any], uid: str) -> bool:
    """Whether the pod with this uid owns the Service; one with another owner is soon collected."""
    owners = _mapping(service.get("metadata")).get("ownerReferences")
    return isinstance(owners, list) and any(_mapping(o).get("uid") == uid for o in owners)


def ends_with_pod(service: Mapping[str, Any]) -> bool:
    """Whether a pod owns the Service, so that no successor of the pod will find it there."""
    owners = _mapping(service.get("metadata")).get("ownerReferences")
    listed = map(_mapping, owners if isinstance(owners, list) else [])
    return any(owner.get("kind") == "Pod" for owner in listed)


def selector(service: Mapping[str, Any]) -> dict[str, str]:
    """The Service's selector; empty where it has none."""
    found = _mapping(_mapping(service.get("spec")).get("selector"))
    return {str(k): str(v) for k, v in found.items()}


def is_by_our_label(service: Mapping[str, Any], rule: Rule, pod: Pod) -> bool:
    """Whether it selects by the label that this rule gives this pod, and by nothing else.

    A selector is text that anybody with the right to edit Services can write: only our own label
    is ever put onto a pod because of it.
    """
    value = pod_label_value(pod.uid, rule_id(service))
    return selector(service) == {pod_label(rule.name): value}


def node_ports(service: Mapping[str, Any]) -> frozenset[int]:
    """Its node ports; a rule whose type somebody changed has none."""
    ports = _mapping(service.get("spec")).get("ports")
    listed = map(_mapping, ports if isinstance(ports, list) else [])
    found = (port.get("nodePort") for port in listed)
    return frozenset(port for port in found if type(port) is int and port > 0)


def selects(service: Mapping[str, Any], pod: Pod) -> bool:
    """Whether the selector matches the pod's labels."""
    wanted = selector(service)
    return bool(wanted) and all(pod.labels.get(k) == v for k, v in wanted.items())


def uid(service: Mapping[str, Any]) -> str:
    """The Service's uid."""
    return str(_mapping(service.get("metadata")).get("uid", ""))


def version(service: Mapping[str, Any]) -> str:
    """The Service's resourceVersion."""
    return str(_mapping(service.get("metadata")).get("resourceVersion", ""))


def name(service: Mapping[str, Any]) -> str:
    """The Service's name."""
    return str(_mapping(service.get("metadata")).get("name", ""))


def rule_id(service: Mapping[str, Any]) -> str:
    """The id of the rule's creation; "" for a Service that is not ours."""
    return _annotation(service, _ID)


def users(service: Mapping[str, Any]) -> frozenset[str]:
    """The ids under which Host entries noted that they use this rule, its maker's own aside."""
    if not is_ours(service):
        return frozenset()
    annotations = _mapping(_mapping(service.get("metadata")).get("annotations"))
    found = (str(key) for key in annotations)
    return frozenset(key.removeprefix(_USER) for key in found if key.startswith(_USER))


def user_patch(service_uid: str, user: str, when: str | None) -> Json:
    """A merge patch that notes a user of the rule, or with None takes the note away.

    A key for each user: notes that come at the same moment do not get into each other's way.

    :param service_uid: the server refuses it where another Service has taken the name; "" for any.
    """
    metadata: Json = {"annotations": {f"{_USER}{user}": when}}
    return {"metadata": {**metadata, **({"uid": service_uid} if service_uid else {})}}


def publishes_not_ready(service: Mapping[str, Any]) -> bool:
    """Whether the Service reaches a pod that is not ready."""
    return _mapping(service.get("spec")).get("publishNotReadyAddresses") is True


def exposed(service: Mapping[str, Any], rule: Rule, pod: Pod) -> Exposed | None:
    """The Service as this rule, or None where none of its ports leads to the rule's port."""
    spec = _mapping(service.get("spec"))
    port = _node_port(spec, rule, pod)
    if port is None:
        return None
    families = spec.get("ipFamilies")
    return Exposed(
        rule=rule,
        service=name(service),
        node_port=port,
        id=rule_id(service),
        uid=uid(service),
        ip_families=tuple(map(str, families)) if isinstance(families, list) else (),
        traffic_policy=str(spec.get("externalTrafficPolicy", "")),
        users=users(service),
    )


def as_rule(service: Mapping[str, Any]) -> Exposed | None:
    """A Service of ours as the rule that it is, by its own word; None where it is none."""
    spec = _mapping(service.get("spec"))
    ports = spec.get("ports")
    port = _mapping(ports[0]) if isinstance(ports, list) and ports else {}
    number, node_port = port.get("targetPort"), port.get("nodePort")
    if not (is_ours(service) and type(number) is int):
        return None
    try:
        rule = Rule(
            rule_name(service),
            str(_mapping(service.get("metadata")).get("namespace")),
            target(service),
            number,
            str(port.get("protocol", "TCP")),
        )
    except NodeportError:
        return None
    return Exposed(
        rule=rule,
        service=name(service),
        node_port=node_port if type(node_port) is int else 0,
        id=rule_id(service),
        uid=uid(service),
    )


def is_plain_node_port(service: Mapping[str, Any]) -> bool:
    """Whether it is a NodePort Service that someone else made."""
    spec = _mapping(service.get("spec"))
    return spec.get("type") == "NodePort" and not is_ours(service)


def leads_to(service: Mapping[str, Any], node_port: int) -> int | str | None:
    """Where the port with this node port leads, by number or name; of a rule of ours its only one.

    None: the Service has no such port.
    """
    ports = _mapping(service.get("spec")).get("ports")
    listed = list(map(_mapping, ports if isinstance(ports, list) else []))
    same = [port for port in listed if port.get("nodePort") == node_port]
    for port in same or (listed if is_ours(service) and len(listed) == 1 else []):
        target = port.get("targetPort", port.get("port"))
        return target if isinstance(target, (int, str)) and target else None
    return None


def target_ports(service: Mapping[str, Any]) -> list[str]:
    """The ports that the Service leads to, as numbers or names, for a message."""
    ports = _mapping(service.get("spec")).get("ports")
    listed = map(_mapping, ports) if isinstance(ports, list) else ()
    return [
        str(port.get("targetPort"))
        + (f"/{port['protocol']}" if port.get("protocol", "TCP") != "TCP" else "")
        for port in listed
    ]


def ssh_target(service: Mapping[str, Any]) -> int | str | None:
    """Where the Service's ssh port leads, by number or name: the one named ssh, else port 22."""
    ports = _mapping(service.get("spec")).get("ports")
    listed = map(_mapping, ports if isinstance(ports, list) else [])
    tcp = [p for p in listed if p.get("protocol", "TCP") == "TCP"]
    for port in sorted(tcp, key=lambda p: p.get("name") != "ssh"):
        if port.get("name") == "ssh" or port.get("port") == _SSH_PORT:
            target = port.get("targetPort", port.get("port"))
            return target if isinstance(target, (int, str)) and target else None
    return None


def _node_port(spec: Mapping[str, Any], rule: Rule, pod: Pod) -> int | None:
    names = {
        p.name
        for c in pod.containers
        for p in c.ports
        if p.name and (p.number, p.protocol) == (rule.port, rule.protocol)
    }
    ports = spec.get("ports")
    for port in map(_mapping, ports if isinstance(ports, list) else []):
        target = port.get("targetPort", port.get("port"))
        number = port.get("nodePort")
        if (
            (target == rule.port or (isinstance(target, str) and target in names))
            and port.get("protocol", "TCP") == rule.protocol
            and isinstance(number, int)
            and 1 <= number <= 65535
        ):
            return number
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
