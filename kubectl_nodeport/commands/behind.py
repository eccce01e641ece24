"""The pods behind Services: all of a namespace that fits into one page, else asked for by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kubectl_nodeport import background
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Request
from kubectl_nodeport.kube.selector import of_labels
from kubectl_nodeport.kube.target import is_name
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.listed import Key, key
from kubectl_nodeport.rule.reached import Backend, matching

Service = Mapping[str, Any]
Behind = dict[Key, tuple[Backend, ...]]

# What has ended is reached by nobody, and finished jobs would fill a page.
_ALIVE = ("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed")
# Whole objects: metadata alone is half as much (2.5 of 5.3 kB a pod), but says neither who is
# ready nor on which node a pod runs, and that is what is asked for.
_PAGE = (_ALIVE, ("limit", "500"))
_MOST_SELECTORS = 64
_AT_ONCE = 8
_PURPOSE = "see which pods the rules reach"


@dataclass(frozen=True, slots=True)
class Page:
    """Pods of a namespace. ``whole`` says that there are no others."""

    backends: tuple[Backend, ...]
    whole: bool


def page_of(edges: Edges, namespace: str) -> Page | None:
    """The namespace's pods, as many as one page holds; None without the right to list them.

    :raises NodeportError: the API server does not answer.
    """
    request = Request("list", "pods", _PURPOSE, namespace=namespace, query=_PAGE)
    try:
        answer = edges.api.send(request)
    except ForbiddenError:
        return None
    metadata = answer.get("metadata")
    more = isinstance(metadata, Mapping) and metadata.get("continue")
    return Page(_backends(answer.get("items")), whole=not more)


def pods_matching(edges: Edges, namespace: str, selector: str) -> tuple[Pod, ...]:
    """All pods that the selector matches, in all namespaces where none is named.

    :raises NodeportError: the right to list pods is missing, or the API server does not answer.
    """
    query = (("labelSelector", selector),)
    purpose = "find the pods that match"
    request = Request("list", "pods", purpose, namespace=namespace, query=query)
    return tuple(one.pod for one in _backends(everything(edges.api.send, request)))


def sorted_out(page: Page, services: Sequence[Service]) -> Behind:
    """Which pods of a whole page are behind which Service."""
    found: Behind = {}
    for one in services:
        at = key(one)
        if at is not None and service.selector(one):
            found[at] = matching(one, page.backends)
    return found


def asked(edges: Edges, services: Sequence[Service]) -> Behind | None:
    """Ask for the pods behind each Service, a page at most; None without the right to list pods.

    One request for each selector, a few at once; Services beyond the limit are left out. A rule's
    answer is short: its selector matches one pod, but for accidents.

    :raises NodeportError: the API server does not answer.
    """
    by_selector: dict[tuple[str, str], list[Key]] = {}
    for one in services:
        at, selector = key(one), of_labels(service.selector(one))
        if at is not None and selector:
            by_selector.setdefault((at[0], selector), []).append(at)
    wanted = list(by_selector)[:_MOST_SELECTORS]
    found: Behind = {}
    try:
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            answers = [background.start(partial(_behind, edges, *pair)) for pair in part]
            for pair, answer in zip(part, answers, strict=True):
                found |= dict.fromkeys(by_selector[pair], answer())
    except ForbiddenError:
        return None
    return found


def _behind(edges: Edges, namespace: str, selector: str) -> tuple[Backend, ...]:
    query = (("labelSelector", selector), *_PAGE)
    request = Request("list", "pods", _PURPOSE, namespace=namespace, query=query)
    return _backends(edges.api.send(request).get("items"))


def _backends(items: object) -> tuple[Backend, ...]:
    """What can be no pod is left out: its name would be shown."""
    documents = [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []
    found = [Backend.of(document) for document in documents]
    return tuple(b for b in found if is_name(b.pod.namespace) and is_name(b.pod.name))
