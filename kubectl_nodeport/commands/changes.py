"""get -w: the rules, and then those of each Service that changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.get import Look, look, rows_of
from kubectl_nodeport.commands.scope import GetRequest, service_request
from kubectl_nodeport.kube.request import ApiError, Request
from kubectl_nodeport.rule.listed import Key, Listed, key

Rows = tuple[Listed, ...]

_GONE = 410
# A server that finds every version too old is not to be asked without rest.
_PAUSE_S = 1.0


class Event(Protocol):
    """What happened to an object; see kube.watch.Event."""

    @property
    def type(self) -> str:
        """ADDED, MODIFIED or DELETED."""

    @property
    def object(self) -> Mapping[str, Any]:
        """The object as it is now, or was at last."""


# Tells what happens to a collection's objects after a version, without end; see kube.watch.watch.
Watch = Callable[[Request, str], Iterator[Event]]


def changes(
    request: GetRequest,
    edges: Edges,
    watch: Watch,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Rows]:
    """First the rules as they are, then without end those of each Service that changed.

    A rule that was deleted comes once more as it was, which is how kubectl tells it. Pods are not
    watched: which of them a rule reaches is as new as the last change of its Service.

    :raises NodeportError: as get does, or the right to watch Services is missing.
    """
    asked = replace(service_request(edges, request), verb="watch", purpose="watch the rules")
    known: dict[Key, Rows] = {}
    while True:
        seen = look(request, edges)
        now = _by_service(seen.rows)
        gone = [rows for at, rows in known.items() if at not in now]
        new = [rows for at, rows in now.items() if known.get(at) != rows]
        yield tuple(row for rows in (*gone, *new) for row in rows)
        known = now
        try:
            for event in watch(asked, seen.version):
                yield from _changed(event, edges, seen, known)
        except ApiError as err:
            # What happened since a version that is too old is seen in a new list.
            if err.status != _GONE:
                raise
        pause(_PAUSE_S)


def _changed(event: Event, edges: Edges, seen: Look, known: dict[Key, Rows]) -> Iterator[Rows]:
    """The rows of one Service, none if it is not meant; ``known`` is kept up to date."""
    at = key(event.object)
    if at is None or not (at in known or seen.scope.has(event.object)):
        return
    if event.type == "DELETED":
        rows = known.pop(at, ())
    else:
        rows = known[at] = rows_of(edges, seen.scope, event.object)
    if rows:
        yield rows


def _by_service(rows: Rows) -> dict[Key, Rows]:
    found: dict[Key, Rows] = {}
    for row in rows:
        at = row.namespace, row.service
        found[at] = (*found.get(at, ()), row)
    return found
