"""Making a rule: a Service whose selector reaches exactly one pod."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kubectl_nodeport import interrupts
from kubectl_nodeport.commands.edges import Api, Edges
from kubectl_nodeport.commands.standing import Standing, Wanted, checked, reaches_alone, shared
from kubectl_nodeport.commands.withdraw import (
    FIELD_MANAGER,
    delete_service,
    get_service,
    patch_pod,
    remove_unseen,
    undo,
)
from kubectl_nodeport.errors import NodeportError
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
from kubectl_nodeport.rule.rule import NOT_YET, Exposed, Rule, dynamic_band, new_id

# The API server's words where --service-node-port-range is another:
# https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/registry/core/service/portallocator/allocator.go
_RANGE = re.compile(r"The range of valid ports is ([0-9]{1,5})-([0-9]{1,5})")


class CreationRefusedError(NodeportError):
    """A rule cannot be made here: no right, no quota, or an admission policy against it."""


def node_port_choices(wanted: Wanted, former: Mapping[str, Any] | None) -> list[int | None]:
    """The node ports to ask for in turn; None leaves it to the server.

    The one that has to be, or else a former Service's own, the preferred ones, the server's.
    """
    if wanted.node_port is not None:
        return [wanted.node_port]
    rule = wanted.rule
    before = service.exposed(former, rule, wanted.pod) if former is not None else None
    return [*([before.node_port] if before else []), *rule.preferred_ports(wanted.cluster), None]


def planned(wanted: Wanted, standing: Standing) -> Exposed:
    """The rule as it will be made if the first of its node ports is free."""
    choices = node_port_choices(wanted, standing.stale or standing.untied)
    return Exposed(wanted.rule, wanted.rule.service_name, choices[0] or 0, id=NOT_YET)


@contextlib.contextmanager
def rule_for(edges: Edges, wanted: Wanted, standing: Standing) -> Iterator[Exposed]:
    """The rule, standing or made now; one made now is removed again if what follows fails."""
    exposed = standing.exposed
    try:
        if exposed is None:
            with interrupts.deferred():
                exposed = make_rule(edges.api, wanted, standing, edges.notes)
        yield exposed
    except BaseException as failure:
        if exposed is not None and exposed.made_now:
            with interrupts.deferred():
                undo(edges.api, exposed, wanted.pod, failure)
        raise


def make_rule(api: Api, wanted: Wanted, standing: Standing, notes: list[str]) -> Exposed:
    """Create the Service and tie the pod to it; what was made is removed if that fails.

    :param standing: what :func:`find_rule` found.
    :param notes: is told what could not be done, and what follows.
    :raises NodeportError: the server refuses, or the pod cannot be told from its like.
    """
    rule, pod = wanted.rule, wanted.pod
    if standing.untied is not None:
        return _join(api, wanted, standing.untied, notes)
    if standing.stale is not None:
        stale = standing.stale
        delete_service(api, rule.namespace, service.name(stale), service.uid(stale))
    rule_id = new_id()
    try:
        created = _create(api, wanted, rule_id, standing.stale)
    except BaseException as err:
        # A clear no made nothing; after a timeout, a 5xx or a bug the Service may be there.
        if not isinstance(err, NodeportError) or _is_in_doubt(err):
            remove_unseen(api, rule, rule_id)
        raise
    if created is None:
        return _join(api, wanted, _made_meanwhile(api, wanted), notes)
    exposed = _as_sent(api, wanted, rule_id, created)
    try:
        _tie(api, wanted, exposed, created, notes)
        _prove_new(api, wanted, created, standing)
    except BaseException as failure:
        undo(api, exposed, pod, failure)
        raise
    return exposed


def _as_sent(api: Api, wanted: Wanted, rule_id: str, created: Json) -> Exposed:
    """The Service that was just made, if it is what was asked for; else it is removed."""
    rule, pod, binding = wanted.rule, wanted.pod, wanted.binding
    exposed = service.exposed(created, rule, pod)
    if (
        exposed is not None
        and exposed.id == rule_id
        and service.selector(created) == service.wanted_selector(rule, binding, rule_id)
        and service.is_owned_by(created, binding.owner.uid)
    ):
        return replace(exposed, made_now=True)
    changed = f"the cluster changed the Service {rule.service_name} while it was made"
    try:
        delete_service(api, rule.namespace, rule.service_name, service.uid(created))
    except NodeportError as err:
        raise NodeportError(
            f"{changed}, and it is left behind in namespace {rule.namespace}: {err.message}",
            hint=f"kubectl delete service {rule.service_name} -n {rule.namespace}",
        ) from err
    raise NodeportError(
        f"{changed}, so that it is no rule any more; it was removed again",
        hint="ask which admission policy changes Services of type NodePort there",
    )


def _join(api: Api, wanted: Wanted, found: Mapping[str, Any], notes: list[str]) -> Exposed:
    """Use a rule of ours that its pod is not tied to (yet): tie it to that rule's own id."""
    exposed = checked(found, wanted)
    _tie(api, wanted, exposed, found, notes)
    follows = wanted.binding.follows
    if not service.is_by_our_label(found, wanted.rule, wanted.pod):
        alone = reaches_alone(api, service.selector(found), wanted.pod, follows=follows)
        if alone is False:
            raise shared(wanted)
    return exposed


def _prove_new(api: Api, wanted: Wanted, created: Json, standing: Standing) -> None:
    """See whether the new Service's selector reaches this pod alone, where that is not certain.

    A label of ours holds an id drawn a moment ago. It needs no proof, unless another pod has copied
    the label of an earlier rule, and may copy this one.
    """
    pod, binding = wanted.pod, wanted.binding
    is_ours = binding.selector is None
    was_copied = standing.stale is not None and service.is_owned_by(standing.stale, pod.uid)
    if is_ours and not was_copied:
        return
    alone = reaches_alone(api, service.selector(created), pod, follows=binding.follows)
    if alone is False and is_ours:
        raise NodeportError(
            f"another pod takes over every label of pod {pod.name}, so no rule reaches it alone",
            hint=f"kubectl get pods -n {pod.namespace} --show-labels shows which",
        )
    if alone is False:
        raise shared(wanted)


def _is_in_doubt(err: NodeportError) -> bool:
    return isinstance(err, UnreachableError) or (isinstance(err, ApiError) and err.status >= 500)


def _create(
    api: Api, wanted: Wanted, rule_id: str, former: Mapping[str, Any] | None
) -> Json | None:
    """POST the Service with the first of the node ports that is free; None: its name is taken."""
    rule, choices = wanted.rule, node_port_choices(wanted, former)
    range_known = False
    while True:
        request = Request(
            "create",
            "services",
            f"expose port {rule.port_shown} of {rule.of}",
            namespace=rule.namespace,
            query=(FIELD_MANAGER,),
            body=service.manifest(rule, wanted.binding, rule_id, choices.pop(0)),
        )
        try:
            return api.send(request)
        except ForbiddenError as err:
            raise CreationRefusedError(err.message, hint=err.hint) from err
        except InvalidError as err:
            if "nodePort" not in err.message:
                raise CreationRefusedError(err.message, hint=err.hint) from err
            if wanted.node_port is not None:
                raise _not_this_port(wanted.node_port, err) from err
            told = _RANGE.search(err.message)
            if told and not range_known:
                range_known = True
                band = dynamic_band(int(told[1]), int(told[2]))
                choices = [*rule.preferred_ports(wanted.cluster, band), None]
            if not choices:
                raise
        except ConflictError:
            return None


def _not_this_port(node_port: int, err: InvalidError) -> NodeportError:
    told = _RANGE.search(err.message)
    why = f"the range is {told[1]}-{told[2]}" if told else "another Service has it"
    if not told and "already allocated" not in err.message:
        why = err.message
    return NodeportError(
        f"NodePort {node_port} cannot be had: {why}",
        hint="leave --node-port out to get a free one; kubectl get services -A shows who has which",
    )


def _made_meanwhile(api: Api, wanted: Wanted) -> Json:
    """The Service that holds the name: the same rule, made by another run at the same time.

    :raises NodeportError: it is something else.
    """
    rule = wanted.rule
    found = get_service(api, rule)
    service.check_format(found or {})
    if found is not None and not service.is_rule(found, rule):
        raise _not_ours(rule)
    binding, pod = wanted.binding, wanted.pod
    if binding.selector is None:
        as_wanted = service.is_by_our_label(found or {}, rule, pod)
        as_wanted = as_wanted or service.selects(found or {}, pod)  # by its own labels
    else:
        as_wanted = service.selector(found or {}) == dict(binding.selector)
    if not as_wanted or found is None or not service.is_owned_by(found, binding.owner.uid):
        raise NodeportError(
            f"{rule.of} or its rule was replaced while it was looked at", hint="run it again"
        )
    return found


def _tie(
    api: Api, wanted: Wanted, exposed: Exposed, found: Mapping[str, Any], notes: list[str]
) -> None:
    """Give the pod the label that the selector asks for, with Crater's annotation beside it."""
    rule, pod = wanted.rule, wanted.pod
    address = pod.host_ips[0] if pod.host_ips else ""
    value = annotation.value(rule.name, rule.port, address, exposed.node_port)
    metadata: Json = {"uid": pod.uid, "annotations": {annotation.key(rule.name): value}}
    if service.is_by_our_label(found, rule, pod):
        metadata["labels"] = service.selector(found)
    elif pod.labels.get(service.pod_label(rule.name), "").startswith(f"{pod.uid}."):
        metadata["labels"] = {service.pod_label(rule.name): None}  # an earlier rule's
    try:
        patch_pod(api, pod, metadata, "give the pod the rule's label")
    except ForbiddenError as refused:
        if service.is_by_our_label(found, rule, pod):
            _select_by_own_labels(api, wanted, found, refused)
        notes.append("without the right to patch pods the pod does not carry the rule's annotation")


def _select_by_own_labels(
    api: Api, wanted: Wanted, found: Mapping[str, Any], refused: ForbiddenError
) -> None:
    """Without the right to label the pod: its own labels, if they reach it alone."""
    rule, pod = wanted.rule, wanted.pod
    alone = bool(pod.labels) and reaches_alone(api, pod.labels, pod)
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
            name=service.name(found),
            namespace=rule.namespace,
            query=(FIELD_MANAGER,),
            body={
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "spec": {"selector": {**selector, **pod.labels}},
            },
        )
    )


def _not_ours(rule: Rule) -> NodeportError:
    return NodeportError(
        f"the name {rule.service_name} is taken by a Service that kubectl nodeport did not make",
        hint="give the rule another name with --name, or see: "
        f"kubectl get service {rule.service_name} -n {rule.namespace} -o yaml",
    )
