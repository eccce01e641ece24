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
_MOST_PAGES = 40
# How many NodePort Services of others are asked whether they reach this pod alone.
_OTHERS_ASKED = 3
_NOT_PROVEN = "without the right to list pods it is not proven that the rule reaches this pod alone"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands already: the rule, or a Service of ours for it that does not serve as it is.

    ``untied``: its pod lacks the label, because it was lost or another run is about to set it.
    ``stale``: it is an earlier pod's, or other pods carry the label by now.
    """

    exposed: Exposed | None = None
    untied: Mapping[str, Any] | None = None
    stale: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def find_rule(api: Api, rule: Rule, pod: Pod) -> Standing:
    """Look for the rule: ours, else a NodePort that someone made for just this pod and port.

    :raises NodeportError: the name is taken by a rule for another port.
    """
    services = _list_services(api, rule)
    ours = next((found for found in services if service.is_rule(found, rule)), None)
    if ours is None:
        return _made_by_others(api, services, rule, pod)
    if not service.is_owned_by(ours, pod.uid):
        return Standing(stale=ours)
    exposed = service.exposed(ours, rule, pod)
    if exposed is None:
        raise _name_taken(rule, ours)
    if not service.selects(ours, pod):
        return Standing(untied=ours)
    alone = _reaches_alone(api, service.selector(ours), pod)
    if alone is False:
        return Standing(stale=ours)
    return Standing(exposed, notes=() if alone else (_NOT_PROVEN,))


def node_port_choices(
    rule: Rule, pod: Pod, cluster: str, stale: Mapping[str, Any] | None
) -> list[int | None]:
    """The node ports to ask for in turn: a stale Service's own, the preferred, the server's (None).

    :param cluster: the cluster's identity, on which the preferred ports hang.
    """
    former = service.exposed(stale, rule, pod) if stale is not None else None
    return [*([former.node_port] if former else []), *rule.preferred_ports(cluster), None]


def make_rule(api: Api, rule: Rule, pod: Pod, *, cluster: str, standing: Standing) -> Exposed:
    """Create the Service and tie the pod to it; what was made is removed if that fails.

    :param cluster: the cluster's identity, on which the preferred ports hang.
    :param standing: what :func:`find_rule` found.
    :raises NodeportError: the server refuses, or the pod cannot be told from its like.
    """
    if standing.untied is not None:
        return _join(api, rule, pod, standing.untied)
    node_ports = node_port_choices(rule, pod, cluster, standing.stale)
    if standing.stale is not None:
        stale = standing.stale
        delete_service(api, rule, service.name(stale), service.uid(stale))
    rule_id = new_id()
    try:
        created = _create(api, rule, pod, rule_id, node_ports)
    except BaseException as err:
        # A clear no made nothing; after a timeout, a 5xx or a bug the Service may be there.
        if not isinstance(err, NodeportError) or _is_in_doubt(err):
            remove_unseen(api, rule, rule_id)
        raise
    if created is None:
        return _join(api, rule, pod, _made_meanwhile(api, rule, pod))
    exposed = _as_sent(api, rule, pod, rule_id, created)
    try:
        _tie(api, exposed, created, pod)
        _prove_new(api, created, pod, standing)
    except BaseException as failure:
        undo(api, exposed, pod, failure)
        raise
    return exposed


def _as_sent(api: Api, rule: Rule, pod: Pod, rule_id: str, created: Json) -> Exposed:
    """The Service that was just made, if it is what was asked for; else it is removed."""
    exposed = service.exposed(created, rule, pod)
    wanted = {service.pod_label(rule.name): service.pod_label_value(pod.uid, rule_id)}
    if (
        exposed is not None
        and exposed.id == rule_id
        and service.selector(created) == wanted
        and service.is_owned_by(created, pod.uid)
    ):
        return replace(exposed, made_now=True)
    delete_service(api, rule, service.name(created), service.uid(created))
    raise NodeportError(
        f"the cluster changed the Service {rule.service_name} while it was made, so that it is "
        "no rule any more; it was removed again",
        hint="ask which admission policy changes Services of type NodePort there",
    )


def _join(api: Api, rule: Rule, pod: Pod, found: Mapping[str, Any]) -> Exposed:
    """Use a rule of ours that its pod is not tied to (yet): tie it to that rule's own id."""
    exposed = service.exposed(found, rule, pod)
    if exposed is None:
        raise _name_taken(rule, found)
    _tie(api, exposed, found, pod)
    return exposed


def _prove_new(api: Api, created: Json, pod: Pod, standing: Standing) -> None:
    """Where other pods carried an earlier rule's label, see whether they carry the new one too.

    A label that nobody copied before holds an id drawn a moment ago: that needs no proof.
    """
    was_shared = standing.stale is not None and service.is_owned_by(standing.stale, pod.uid)
    if was_shared and _reaches_alone(api, service.selector(created), pod) is False:
        raise NodeportError(
            f"another pod takes over every label of pod {pod.name}, so no rule reaches it alone",
            hint=f"kubectl get pods -n {pod.namespace} --show-labels shows which",
        )


def _is_in_doubt(err: NodeportError) -> bool:
    return isinstance(err, UnreachableError) or (isinstance(err, ApiError) and err.status >= 500)


def _list_services(api: Api, rule: Rule) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    query = [("limit", str(_PAGE))]
    for _ in range(_MOST_PAGES):
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
        metadata = page.get("metadata")
        token = metadata.get("continue") if isinstance(metadata, Mapping) else None
        if not token:
            return found
        query = [("limit", str(_PAGE)), ("continue", str(token))]
    raise NodeportError(
        f"the namespace {rule.namespace} has more than {_MOST_PAGES * _PAGE} Services",
        hint="kubectl nodeport looks through no more; use another namespace",
    )


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
    return isinstance(items, list) and [Pod.of(item).uid for item in items] == [pod.uid]


def _create(
    api: Api, rule: Rule, pod: Pod, rule_id: str, node_ports: Sequence[int | None]
) -> Json | None:
    """POST the Service with the first of the node ports that is free; None: its name is taken."""
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
        except ConflictError:
            return None
    raise AssertionError("the last node port returns or raises")


def _made_meanwhile(api: Api, rule: Rule, pod: Pod) -> Json:
    """The Service that holds the name: the same rule, made by another run at the same time."""
    found = get_service(api, rule)
    if found is not None and not service.is_rule(found, rule):
        raise _not_ours(rule)
    if found is None or not service.is_owned_by(found, pod.uid):
        raise NodeportError(
            f"pod {rule.pod} or its rule was replaced while it was looked at", hint="run it again"
        )
    return found


def _tie(api: Api, exposed: Exposed, found: Mapping[str, Any], pod: Pod) -> None:
    """Give the pod the label that the selector asks for, with Crater's annotation beside it."""
    rule = exposed.rule
    address = pod.host_ips[0] if pod.host_ips else ""
    value = annotation.value(rule.name, rule.port, address, exposed.node_port)
    metadata = {
        "uid": pod.uid,
        "labels": service.selector(found),
        "annotations": {annotation.key(rule.name): value},
    }
    try:
        patch_pod(api, pod, metadata, "give the pod the rule's label")
    except ForbiddenError as refused:
        _select_by_own_labels(api, exposed, pod, found, refused)


def _select_by_own_labels(
    api: Api, exposed: Exposed, pod: Pod, found: Mapping[str, Any], refused: ForbiddenError
) -> None:
    """Without the right to label the pod: its own labels, if they reach it alone."""
    alone = bool(pod.labels) and _reaches_alone(api, pod.labels, pod)
    if alone is None:
        raise NodeportError(
            f"pod {pod.name} may share its labels, and {refused.message}",
            hint=f"{refused.hint}; or for list pods and patch services, if its labels are its own",
        )
    if not alone:
        why = f"pod {pod.name} has no labels of its own"
        raise NodeportError(f"{why}, and {refused.message}", hint=refused.hint)
    selector: dict[str, str | None] = dict.fromkeys(service.selector(found))
    api.send(
        Request(
            "patch",
            "services",
            "select the pod by its own labels",
            name=exposed.service,
            namespace=exposed.rule.namespace,
            query=(FIELD_MANAGER,),
            body={
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "spec": {"selector": {**selector, **pod.labels}},
            },
        )
    )


def _name_taken(rule: Rule, found: Mapping[str, Any]) -> NodeportError:
    ports = ", ".join(service.target_ports(found))
    return NodeportError(
        f'the rule "{rule.name}" of pod {rule.pod} leads to port {ports}, not to {rule.port}',
        hint=f"kubectl nodeport connect {rule.pod} --port {ports} uses it; --name makes another",
    )


def _not_ours(rule: Rule) -> NodeportError:
    return NodeportError(
        f"the name {rule.service_name} is taken by a Service that kubectl nodeport did not make",
        hint="give the rule another name with --name, or see: "
        f"kubectl get service {rule.service_name} -n {rule.namespace} -o yaml",
    )
