"""get: the rules of a namespace, of all namespaces, or of what is named; nothing is probed.

What it asks does not grow with the cluster: one list of the Services that have node ports, and
beside it one page of pods. Only with more pods than that each rule costs a small request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kubectl_nodeport import background
from kubectl_nodeport.commands.behind import Page, asked, page_of, sorted_out
from kubectl_nodeport.commands.edges import Edges, Hosts
from kubectl_nodeport.commands.scope import GetRequest, Scope, find_scope, services_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.rule.listed import Host, Listed, Seen, listed, source
from kubectl_nodeport.ssh.entry import HostEntry

Service = Mapping[str, Any]

_NO_PODS = (
    "without the right to list pods it is not shown which pods the rules reach, nor what their "
    "annotations tell"
)


@dataclass(frozen=True, slots=True)
class Look:
    """What get found; ``version`` is where to watch from for what changes after it."""

    rows: tuple[Listed, ...]
    scope: Scope
    version: str


def get(request: GetRequest, edges: Edges) -> tuple[Listed, ...]:
    """The rules that are asked for; what is wrong with them is noted.

    :raises NodeportError: there is no such target, or the right to list Services is missing.
    """
    return look(request, edges).rows


def look(request: GetRequest, edges: Edges) -> Look:
    """The same, with what is needed to go on from there.

    :raises NodeportError: as get does.
    """
    listing = background.start(partial(services_of, edges, request))
    scope = find_scope(request, edges)
    page = None
    if scope.namespace and not scope.is_named:
        page = background.start(partial(page_of, edges, scope.namespace))
    services = listing()
    found = [one for one in services.items if scope.has(one)]
    if page is not None:
        seen = _beside_a_page(edges, found, page())
    elif scope.is_named:
        seen = _behind_each(edges, found, scope)
    else:
        seen = Seen(found)
    rows = listed(replace(seen, hosts=_hosts(edges)))
    edges.notes.extend(problems(rows))
    return Look(rows, scope, services.version)


def rows_of(edges: Edges, scope: Scope, one: Service) -> tuple[Listed, ...]:
    """The rows of a Service that changed just now, which is looked behind anew.

    Nothing is noted: of a rule that is being made the pod's label comes a moment later.
    """
    behind = asked(edges, [one]) if scope.is_named or scope.namespace else None
    return listed(Seen([one], behind=behind or {}, hosts=_hosts(edges)))


@dataclass(frozen=True, slots=True)
class HostsSeen:
    """Our Host entries by alias; ``left`` tells of those that cannot be read."""

    entries: tuple[HostEntry, ...]
    left: NodeportError | None = None


def hosts(file: Hosts, context: str | None = None, namespace: str | None = None) -> HostsSeen:
    """Our Host entries in the file; of one context or namespace where it is given.

    :raises NodeportError: the file cannot be read, or our part of it is damaged.
    """
    found = file.readable()
    entries = [
        entry
        for entry in found.entries
        if context in (None, entry.origin.context) and namespace in (None, entry.origin.namespace)
    ]
    entries.sort(key=lambda entry: entry.alias)
    return HostsSeen(tuple(entries), _unread(list(found.refused.values())))


def _unread(errors: Sequence[NodeportError]) -> NodeportError | None:
    """Why entries are not shown, as one error."""
    if not errors:
        return None
    return NodeportError(
        "; ".join(one.message for one in errors),
        hint="; ".join(dict.fromkeys(one.hint for one in errors)),
        detail="\n".join(one.detail for one in errors if one.detail),
    )


def _beside_a_page(edges: Edges, services: list[Service], page: Page | None) -> Seen:
    """With the pods of a namespace, as far as they fit into a page."""
    if page is None:
        edges.notes.append(_NO_PODS)
        return Seen(services)
    pods = tuple(one.pod for one in page.backends)
    if page.whole:
        return Seen(services, pods, sorted_out(page, services))
    edges.notes.append(
        f"there are more than {len(pods)} pods, so not all annotations were read: name a pod, or "
        "choose some with -l"
    )
    rules = [one for one in services if source(one) != "other"]
    return Seen(services, pods, asked(edges, rules) or {})


def _behind_each(edges: Edges, services: list[Service], scope: Scope) -> Seen:
    """With the pods that each Service reaches, others than those that were named among them."""
    behind = asked(edges, services)
    if behind is None:
        edges.notes.append(_NO_PODS)
    return Seen(services, scope.pods or (), behind or {})


def _hosts(edges: Edges) -> tuple[Host, ...]:
    """Our Host entries that lead into this cluster."""
    try:
        seen = edges.hosts.readable()
    except NodeportError as err:
        edges.notes.append(f"hosts are not shown: {err.message}")
        return ()
    notes = (f"{alias} is not shown: {err.message}" for alias, err in seen.refused.items())
    edges.notes.extend(notes)
    cluster = edges.connection.identity
    return tuple(
        Host(one.alias, address, at.namespace, at.service, at.creation)
        for one in seen.entries
        if (at := one.origin).cluster == cluster and at.service
        for address in ["" if one.is_tunnel else one.hostname]
    )


def problems(rows: Iterable[Listed]) -> list[str]:
    """A line for each rule with which something is wrong."""
    lines = []
    for row in rows:
        of = f" of {row.target.replace('/', ' ', 1)}" if row.target else ""
        if row.problem:
            lines.append(f"rule {row.name}{of} in {row.namespace}: {row.problem}")
    return list(dict.fromkeys(lines))
