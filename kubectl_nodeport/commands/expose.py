"""expose: make sure that a rule stands, a Service whose selector reaches exactly one pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from kubectl_nodeport.commands.edges import Api
from kubectl_nodeport.commands.withdraw import (
    FIELD_MANAGER,
    delete_service,
    get_service,
    patch_pod,
    remove_unseen,
    undo,
)
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Json,
    Request,
    UnreachableError,
)
from kubectl_nodeport.rule import annotation, service
from kubectl_nodeport.rule.rule import Exposed, Rule, new_id

_PAGE = 500
# How many NodePort Services of others are asked whether they reach this pod alone.
_OTHERS_ASKED = 3
_NOT_PROVEN = "without the right to list pods it is not proven that the rule reaches this pod alone"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands already: the rule, or a Service of ours for it that no longer serves."""

    exposed: Exposed | None = None
    stale: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def find_rule(api: Api, rule: Rule, pod: Pod) -> Standing:
    """Look for the rule: ours, else a NodePort that someone made for just this pod and port.

    Ours is stale where its pod was replaced, lost its label, or shares it by now.

    :raises NodeportError: the name is taken by a rule for another port.
    """
    services = _list_services(api, rule)
    ours = next((found for found in services if service.is_rule(found, rule)), None)
    if ours is not None:
        if not service.is_owned_by(ours, pod.uid):
            return Standing(stale=ours)
        exposed = service.exposed(ours, rule, pod)
        if exposed is None:
            raise _name_taken(rule, ours)
        if not service.selects(ours, pod):
            return Standing(stale=ours)
        alone = _reaches_alone(api, service.selector(ours), pod)
        if alone is False:
            return Standing(stale=ours)
        notes = () if alone else (_NOT_PROVEN,)
        return Standing(exposed, notes=notes)
    return _made_by_others(api, services, rule, pod)


def node_port_choices(
    rule: Rule, pod: Pod, cluster: str, stale: Mapping[str, Any] | None
) -> list[int | None]:
    """The node ports to ask for in turn: a stale Service's own, the preferred, the server's (None).

    :param cluster: the cluster's identity, on which the preferred ports hang.
    """
    former = service.exposed(stale, rule, pod) if stale is not None else None
    return [*([former.node_port] if former else []), *rule.preferred_ports(cluster), None]


def make_rule(
    api: Api, rule: Rule, pod: Pod, *, cluster: str, stale: Mapping[str, Any] | None
) -> Exposed:
    """Create the Service and tie the pod to it; what was made is removed if that fails.

    :raises NodeportError: the server refuses, or the pod cannot be told from its like.
    """
    node_ports = node_port_choices(rule, pod, cluster, stale)
    if stale is not None:
        delete_service(api, rule, stale, "replace the rule of an earlier pod")
    rule_id = new_id()
    try:
        created = _create(api, rule, pod, rule_id, node_ports)
    except BaseException as err:
        # A clear no made nothing; after a timeout, a 5xx or a signal the Service may be there.
        if not isinstance(err, NodeportError) or _is_in_doubt(err):
            remove_unseen(api, rule, rule_id)
        raise
    exposed = service.exposed(created, rule, pod)
    if exposed is None:
        raise _name_taken(rule, created)
    if exposed.id != rule_id:  # another run's create came first: its rule is the rule
        return exposed
    try:
        _tie(api, exposed, created, pod)
    except BaseException as failure:
        undo(api, exposed, pod, failure)
        raise
    return replace(exposed, made_now=True)


def _is_in_doubt(err: NodeportError) -> bool:
    return isinstance(err, UnreachableError) or (isinstance(err, ApiError) and err.status >= 500)


def _list_services(api: Api, rule: Rule) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    query = [("limit", str(_PAGE))]
    while True:
        page = api.send(
            Request(
                "list",
                "services",
                "see whether the rule exists already",
                namespace=rule.namespace,
                query=tuple(query),
            )
        )
        items = page.get("items")
        found += [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return found
        query = [("limit", str(_PAGE)), ("continue", str(token))]


def _made_by_others(api: Api, services: list[Mapping[str, Any]], rule: Rule, pod: Pod) -> Standing:
    found = (
        candidate
        for candidate in services
        if service.is_plain_node_port(candidate)
        and service.selects(candidate, pod)
        and (pod.ready or service.publishes_not_ready(candidate))
        and service.exposed(candidate, rule, pod)
    )
    for candidate in islice(found, _OTHERS_ASKED):
        alone = _reaches_alone(api, service.selector(candidate), pod)
        if alone:
            return Standing(service.exposed(candidate, rule, pod))
        if alone is None:
            note = (
                f"service {service.name(candidate)} may lead to this pod alone; without the right "
                "to list pods that cannot be proven, so it is not used"
            )
            return Standing(notes=(note,))
    return Standing()


def _reaches_alone(api: Api, selector: Mapping[str, str], pod: Pod) -> bool | None:
    """Ask the server which pods a selector reaches: this one, and no other?

    None: without the right to list pods it cannot be proven.
    """
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    request = Request(
        "list",
        "pods",
        "prove that the rule reaches this pod alone",
        namespace=pod.namespace,
        query=(("labelSelector", labels), ("limit", "2")),
        names_only=True,
    )
    try:
        page = api.send(request)
    except ForbiddenError:
        return None
    items = page.get("items")
    uids = [(item.get("metadata") or {}).get("uid") for item in items or ()]
    return uids == [pod.uid]


def _create(api: Api, rule: Rule, pod: Pod, rule_id: str, node_ports: Sequence[int | None]) -> Json:
    """POST the Service with the first of the node ports that is free."""
    for last, node_port in enumerate(node_ports, start=1 - len(node_ports)):
        request = Request(
            "create",
            "services",
            f"expose port {rule.port} of pod {rule.pod}",
            namespace=rule.namespace,
            query=(FIELD_MANAGER,),
            body=service.manifest(rule, pod, rule_id, node_port),
        )
        try:
            return api.send(request)
        except InvalidError as err:
            if last == 0 or "nodePort" not in err.message:
                raise
        except ConflictError as err:
            return _made_meanwhile(api, rule, pod, err)
    raise AssertionError("the last node port returns or raises")


def _made_meanwhile(api: Api, rule: Rule, pod: Pod, conflict: ConflictError) -> Json:
    """The Service that holds the name: the same rule, made by another run at the same time?"""
    found = get_service(api, rule)
    if found is None:
        raise conflict
    if not service.is_rule(found, rule):
        raise _not_ours(rule)
    if not service.is_owned_by(found, pod.uid):
        raise conflict
    return found


def _tie(api: Api, exposed: Exposed, created: Json, pod: Pod) -> None:
    """Give the pod the label that the selector asks for, with Crater's annotation beside it."""
    rule = exposed.rule
    address = pod.host_ips[0] if pod.host_ips else ""
    value = annotation.value(rule.name, rule.port, address, exposed.node_port)
    metadata = {
        "uid": pod.uid,
        "labels": service.selector(created),
        "annotations": {annotation.key(rule.name): value},
    }
    try:
        patch_pod(api, pod, metadata, "give the pod the rule's label")
    except ForbiddenError as refused:
        _select_by_own_labels(api, exposed, pod, created, refused)


def _select_by_own_labels(
    api: Api, exposed: Exposed, pod: Pod, created: Json, refused: ForbiddenError
) -> None:
    """Without the right to label the pod: its own labels, if they reach it alone."""
    alone = bool(pod.labels) and _reaches_alone(api, pod.labels, pod)
    if not alone:
        why = "may share its labels" if alone is None else "has no labels of its own"
        raise NodeportError(f"pod {pod.name} {why}, and {refused.message}", hint=refused.hint)
    selector: dict[str, str | None] = dict.fromkeys(service.selector(created))
    api.send(
        Request(
            "patch",
            "services",
            "select the pod by its own labels",
            name=exposed.service,
            namespace=exposed.rule.namespace,
            query=(FIELD_MANAGER,),
            body={
                "metadata": {"resourceVersion": created["metadata"]["resourceVersion"]},
                "spec": {"selector": {**selector, **pod.labels}},
            },
        )
    )


def _name_taken(rule: Rule, found: Mapping[str, Any]) -> NodeportError:
    ports = ", ".join(service.target_ports(found))
    return NodeportError(
        f'the rule "{rule.name}" of pod {rule.pod} leads to port {ports}, not to {rule.port}',
        hint=f"give the rule another name with --name, or use --port {ports}",
    )


def _not_ours(rule: Rule) -> NodeportError:
    return NodeportError(
        f"the name {rule.service_name} is taken by a Service that kubectl nodeport did not make",
        hint="give the rule another name with --name, or see: "
        f"kubectl get service {rule.service_name} -n {rule.namespace} -o yaml",
    )
