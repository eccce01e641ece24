"""delete: remove rules by their names, or all of a target or of the namespace; only ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubectl_nodeport import interrupts
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import read
from kubectl_nodeport.commands.meant import Rule, meant, of_service
from kubectl_nodeport.commands.open_service import Closed, close_service
from kubectl_nodeport.commands.remove import check_known, remove_rule
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.kube.workload import KINDS
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.listed import Listed


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """What the command line asks for: rules by name, or all, of a target or of the namespace."""

    target: Target | None = None
    names: tuple[str, ...] = ()
    all: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """What is gone, or in a dry run would be.

    ``closed`` is a Service that has its former type again; ``left`` tells of the rules that stayed.
    """

    rules: tuple[Listed, ...] = ()
    closed: Closed | None = None
    dry_run: bool = False
    left: NodeportError | None = None


def delete(request: DeleteRequest, edges: Edges) -> Deleted:
    """Remove the rules that are meant; what is not ours is never touched.

    :raises NodeportError: it is not clear which rules are meant, one of them does not exist or is
        not ours. Nothing was removed then.
    """
    target = request.target
    _check(request)
    if target is not None and target.kind == "service" and not target.selector:
        rule = of_service(read(edges, KINDS["service"], target.name))
        if rule is None:
            return _close(target.name, edges, dry_run=request.dry_run)
        chosen: Sequence[Rule] = (rule,)
    else:
        chosen = meant(target, request.names, edges, all_rules=request.all)
    return _remove(edges, chosen, dry_run=request.dry_run)


def _check(request: DeleteRequest) -> None:
    """Rules are named, or all are meant; a Service is named itself."""
    target, by_name = request.target, bool(request.names)
    if target is not None and target.kind == "service" and (by_name or request.all):
        raise NodeportError(
            f"{target} is one Service, which has no rules to choose from",
            hint=f"kubectl nodeport delete {target}, without --name and --all",
        )
    if by_name and request.all:
        raise NodeportError("both --name and --all are given", hint="give one of them")
    if target is None and not request.all:
        raise NodeportError(
            "what is to be deleted?",
            hint="name it: kubectl nodeport delete TARGET --name RULE; "
            "or take every rule of the namespace: kubectl nodeport delete --all",
        )


def _close(name: str, edges: Edges, *, dry_run: bool) -> Deleted:
    closed = close_service(name, edges, dry_run=dry_run)
    if not dry_run and closed.kind == "ClusterIP":
        edges.notes.extend(_own_hosts(edges, name, ""))
    return Deleted(closed=closed, dry_run=dry_run)


def _remove(edges: Edges, chosen: Sequence[Rule], *, dry_run: bool) -> Deleted:
    """Remove one rule after the other; one that cannot be removed does not keep the others.

    A deletion is whole: an interruption waits for its end.
    """
    gone: list[Listed] = []
    failures: list[tuple[Listed, NodeportError]] = []
    for rule in chosen:
        try:
            if dry_run:
                check_known(rule)
            else:
                with interrupts.deferred():
                    remove_rule(edges, rule)
        except NodeportError as err:
            failures.append((rule.row, err))
        else:
            gone.append(rule.row)
            edges.notes.extend(_lost_hosts(edges, rule, dry_run=dry_run))
    return Deleted(tuple(gone), dry_run=dry_run, left=_left(failures) if failures else None)


def _lost_hosts(edges: Edges, rule: Rule, *, dry_run: bool) -> Iterator[str]:
    """Notes of the hosts that led to the rule: those here, and how many others have theirs."""
    if rule.document is None:
        return
    name, creation = rule.row.service, service.rule_id(rule.document)
    yield from _own_hosts(edges, name, creation, dry_run=dry_run)
    own: frozenset[str] = frozenset()
    with contextlib.suppress(NodeportError):  # of which was told above
        own = frozenset(entry.origin.noted for entry in edges.hosts.entries())
    others = len(service.users(rule.document) - own)
    if others:
        whose = "a host" if others == 1 else f"{others} hosts"
        leads = "would lead nowhere" if dry_run else "may lead nowhere now"
        yield f"{whose} of somebody else, noted on service {name}, {leads}"


def _own_hosts(edges: Edges, name: str, creation: str, *, dry_run: bool = False) -> Iterator[str]:
    """A note for each Host entry that led to the Service, which opens no port any more."""
    wanted = (edges.connection.identity, edges.connection.namespace, name, creation)
    try:
        entries = edges.hosts.entries()
    except NodeportError as err:
        yield f"whether a host led there is not known: {err.message}"
        return
    leads = "would lead nowhere" if dry_run else "leads nowhere now"
    for entry in entries:
        at = entry.origin
        is_there = (at.cluster, at.namespace, at.service, at.creation) == wanted
        if is_there and not entry.is_tunnel:
            yield f"the host {entry.alias} {leads}; kubectl nodeport connect makes its rule again"


def _left(failures: Sequence[tuple[Listed, NodeportError]]) -> NodeportError:
    """All that stayed as one error; what came back the same for several is said once."""
    by_reason: dict[str, list[str]] = {}
    for row, err in failures:
        shown = f'rule "{row.name}" of {row.target or row.service}'
        by_reason.setdefault(err.message, []).append(shown)
    said = [f"{', '.join(rules)}: {reason}" for reason, rules in by_reason.items()]
    return NodeportError(f"not deleted: {'; '.join(said)}", hint=failures[0][1].hint)
