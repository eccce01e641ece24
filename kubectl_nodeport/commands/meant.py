"""Which rules delete is asked for: those of ours, found by their Services' own word.

A pod's rule is found without the pod, as it may be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import pods, read
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Request
from kubectl_nodeport.kube.target import Target, is_name, near_matches
from kubectl_nodeport.kube.workload import KINDS, Workload
from kubectl_nodeport.rule import annotation, service, service_type
from kubectl_nodeport.rule.listed import Listed, Seen, is_about, listed
from kubectl_nodeport.rule.trace import orphaned

Service = Mapping[str, Any]

_OTHERS = {"crater": "Crater's", "other": "not made by kubectl nodeport"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of ours as get lists it.

    ``document`` is its Service; None where that is gone and the pod still carries the rule's label.
    """

    row: Listed
    document: Service | None


def meant(
    target: Target | None, names: Sequence[str], edges: Edges, *, all_rules: bool
) -> tuple[Rule, ...]:
    """The rules of these names, or with ``all_rules`` all, of a target or of the namespace.

    One request for a pod or for the namespace, one or two more for a selector or workload.

    :raises NodeportError: a name is no rule's, is another's, or no name is given; there is no such
        target; a right is missing.
    """
    services = _services(edges)
    ours = [_rule(one) for one in services if service.is_ours(one)]
    if target is None:
        edges.notes.extend(_opened(services))
        return tuple(ours)
    belongs = _belongs(target, ours, edges)
    found = [rule for rule in ours if belongs(rule)]
    if all_rules:
        return tuple(found or _nothing(target, edges))
    if not names:
        raise _which(target, found, edges)
    for name in dict.fromkeys(names):
        if not any(rule.row.name == name for rule in found):
            found.append(_without_service(target, name, found, services, edges))
    return tuple(rule for rule in found if rule.row.name in names)


def of_service(document: Service) -> Rule | None:
    """The Service as a rule of ours; None where it is none."""
    return _rule(document) if service.is_ours(document) else None


def _services(edges: Edges) -> list[Service]:
    namespace = edges.connection.namespace
    request = Request("list", "services", "find the rules", namespace=namespace)
    return everything(edges.api.send, request)


def _opened(services: Sequence[Service]) -> list[str]:
    """A note for each Service that was changed, not made: it is named itself to be changed back."""
    names = [service.name(one) for one in services if service_type.is_opened(one)]
    return [
        f"svc/{name} stays open; kubectl nodeport delete svc/{name} gives it its former type back"
        for name in names
        if is_name(name)
    ]


def _rule(document: Service) -> Rule:
    rows = listed(Seen([document]))
    # A rule whose node port was taken away is still one to delete.
    metadata = document["metadata"]
    bare = Listed(
        service.rule_name(document),
        metadata["namespace"],
        service.target(document),
        service=service.name(document),
    )
    return Rule(rows[0] if rows else bare, document)


def _belongs(target: Target, ours: Sequence[Rule], edges: Edges) -> Callable[[Rule], bool]:
    """Whether a rule is for the target, or for one of the pods that it stands for."""
    if target.selector:
        matching = pods(edges, target.selector)
        names = {f"pod/{pod.name}" for pod in matching}
        return lambda rule: rule.row.target in names or _follows(rule, matching)
    own = str(target)
    if target.kind == "pod":
        return lambda rule: rule.row.target == own
    uid, names = _of_workload(target, edges, needed=all(r.row.target != own for r in ours))
    return lambda rule: rule.row.target in {own, *names} or _is_owned(rule, uid)


def _of_workload(target: Target, edges: Edges, *, needed: bool) -> tuple[str, set[str]]:
    """The workload's uid, and the targets that its pods are.

    :param needed: without it there is no rule to delete.
    """
    kind = KINDS[target.kind]
    try:
        workload = Workload.of(kind, read(edges, kind, target.name))
        found = pods(edges, workload.selector) if workload.selector else []
    except NodeportError as err:
        if needed:
            raise
        edges.notes.append(f"rules of single pods of {target} were not looked for: {err.message}")
        return "", set()
    return workload.uid, {f"pod/{pod.name}" for pod in found}


def _follows(rule: Rule, matching: Sequence[Pod]) -> bool:
    """Whether it is a workload's rule that reaches one of the pods."""
    return not rule.row.target.startswith("pod/") and is_about(rule.document or {}, matching)


def _is_owned(rule: Rule, uid: str) -> bool:
    return bool(uid) and service.is_owned_by(rule.document or {}, uid)


def _nothing(target: Target, edges: Edges) -> list[Rule]:
    """Nothing to delete is no error, unless there is no such pod."""
    if target.kind == "pod" and not target.selector:
        _pod(target, edges)
    return []


def _which(target: Target, found: Sequence[Rule], edges: Edges) -> NodeportError:
    """Without a name nothing is deleted."""
    names = sorted({rule.row.name for rule in found})
    if not names:
        _nothing(target, edges)
        return _none(target, edges)
    return NodeportError(
        f"which rule of {target} is to be deleted? It has {', '.join(names)}",
        hint=f"kubectl nodeport delete {_typed(target)} --name {names[0]} "
        f"-n {edges.connection.namespace}, or --all for all of them",
    )


def _none(target: Target, edges: Edges) -> NodeportError:
    return NodeportError(
        f"{target} has no rule of kubectl nodeport",
        hint=f"kubectl nodeport get -n {edges.connection.namespace} lists the rules there are",
    )


def _without_service(
    target: Target,
    name: str,
    found: Sequence[Rule],
    services: Sequence[Service],
    edges: Edges,
) -> Rule:
    """What is left on the pod of a rule whose Service is gone.

    :raises NodeportError: there is nothing of ours, saying whose it is or which names there are.
    """
    pod = _pod(target, edges) if target.kind == "pod" and not target.selector else None
    rows = _near_rows(target, services, pod)
    # A Service that still selects by the label is somebody's, even if its marks of ours are gone.
    is_used = any(service.pod_label(name) in service.selector(one) for one in services)
    if pod is not None and not is_used and orphaned(pod, name):
        return Rule(Listed(name, pod.namespace, str(target), (pod.name,)), None)
    for row in rows:
        if name in (row.name, row.service):
            raise _not_here(target, row, edges)
    names = sorted({rule.row.name for rule in found})
    if not names:
        raise _none(target, edges)
    near = near_matches(name, names)
    raise NodeportError(
        f'{target} has no rule "{name}"',
        hint=f"did you mean {near[0]}?" if near else f"its rules: {', '.join(names)}",
    )


def _near_rows(target: Target, services: Sequence[Service], pod: Pod | None) -> tuple[Listed, ...]:
    """What others, or rules of its workload, open of the target."""
    known = [pod] if pod is not None else []
    near = [one for one in services if is_about(one, known, {str(target)})]
    return listed(Seen(near, annotated=known))


def _not_here(target: Target, row: Listed, edges: Edges) -> NodeportError:
    namespace = edges.connection.namespace
    if row.ours:
        return NodeportError(
            f'the rule "{row.name}" that reaches {target} is that of {row.target}',
            hint=f"kubectl nodeport delete {row.target} --name {row.name} -n {namespace}",
        )
    if not row.service:
        return NodeportError(
            f'of the rule "{row.name}" of {target} there is an annotation alone, and nothing tells '
            "that kubectl nodeport made it",
            hint=f"remove it by hand if it is yours: kubectl annotate {target} "
            f"{annotation.key(row.name)}- -n {namespace}",
        )
    return NodeportError(
        f'"{row.name}" of {target} is {_OTHERS[row.source]} (service {row.service}), so it is not '
        "deleted",
        hint=f"whose it is may do so: kubectl delete service {row.service} -n {namespace}",
    )


def _pod(target: Target, edges: Edges) -> Pod | None:
    """The pod; None without the right to read it.

    :raises NodeportError: there is no such pod.
    """
    try:
        return Pod.of(read(edges, KINDS["pod"], target.name))
    except ForbiddenError:
        return None


def _typed(target: Target) -> str:
    return str(target).removeprefix("pod/")
