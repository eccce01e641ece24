"""get: the rules of a namespace, of all namespaces, or of what is named; nothing is probed.

Its requests do not grow in number with the cluster: one list of the Services that have node ports,
and beside it one page of pods at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kubectl_nodeport import background
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import read
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Json, Request
from kubectl_nodeport.kube.selector import of_labels
from kubectl_nodeport.kube.target import Target, is_name
from kubectl_nodeport.kube.workload import KINDS, Workload
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.listed import Host, Key, Listed, Seen, is_about, key, listed, source
from kubectl_nodeport.rule.reached import Backend, matching

Query = tuple[tuple[str, str], ...]
Service = Mapping[str, Any]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields
_WITH_NODE_PORTS: Query = (("fieldSelector", "spec.type!=ClusterIP,spec.type!=ExternalName"),)
# What has ended is reached by nobody, and finished jobs would fill the page.
_ALIVE: Query = (("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed"),)
# Whole objects: their metadata alone is half as much, but says neither who is ready nor on which
# node a pod runs, and that is what the rows are for.
_PAGE: Query = (*_ALIVE, ("limit", "500"))
# Two would do to see that a rule reaches more than one, but some may be on their way out.
_FEW: Query = (*_ALIVE, ("limit", "10"))
_MOST_ASKED = 64
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What the command line asks for; without a target all rules there are."""

    target: Target | None = None
    all_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which Services are asked for.

    :ivar namespace: "" for all of them.
    :ivar pods: the pods that are meant; None where no target was named.
    :ivar targets: what a rule may have been made for, such as ``pod/dev``.
    :ivar only: the name of the one Service that was named.
    """

    namespace: str
    pods: tuple[Pod, ...] | None = None
    targets: frozenset[str] = frozenset()
    only: str = ""

    def has(self, one: Service) -> bool:
        """Whether the Service belongs to it."""
        if self.only:
            return service.name(one) == self.only
        return self.pods is None or is_about(one, self.pods, self.targets)


def get(request: GetRequest, edges: Edges) -> tuple[Listed, ...]:
    """The rules that are asked for; what is wrong with them is noted.

    :raises NodeportError: there is no such target, or the right to list Services is missing.
    """
    scope = find_scope(request, edges)
    reading = None
    if scope.namespace and scope.pods is None and not scope.only:
        reading = background.start(partial(_page_of_pods, edges, scope.namespace))
    services = [one for one in services_of(edges, scope) if scope.has(one)]
    page = reading() if reading else None
    found = listed(_seen(edges, scope, services, page))
    edges.notes += problems(found)
    return found


def problems(found: Iterable[Listed]) -> list[str]:
    """A line for each rule with which something is wrong."""
    lines = []
    for one in found:
        of = f" of {one.target.replace('/', ' ', 1)}" if one.target else ""
        if one.problem:
            lines.append(f"rule {one.name}{of} in {one.namespace}: {one.problem}")
    return list(dict.fromkeys(lines))


def find_scope(request: GetRequest, edges: Edges) -> Scope:
    """What the target stands for. One request for a pod, two for a workload or a selector's pods.

    :raises NodeportError: there is no such object, or no right to look.
    """
    target, namespace = request.target, edges.connection.namespace
    if target is None or target.selector:
        everywhere = "" if request.all_namespaces else namespace
        if target is None:
            return Scope(everywhere)
        pods = _pods(edges, everywhere, target.selector)
        return Scope(everywhere, pods)
    if request.all_namespaces:
        raise NodeportError(
            f"{target} is named, and a name needs a namespace",
            hint=f"leave out -A, or the name: kubectl nodeport get {target} -n {namespace}",
        )
    if target.kind == "service":
        return Scope(namespace, only=target.name)
    kind = KINDS[target.kind]
    document = read(edges, kind, target.name)
    if kind.name == "pod":
        return Scope(namespace, (Pod.of(document),), frozenset([str(target)]))
    workload = Workload.of(kind, document)
    pods = _pods(edges, namespace, workload.selector) if workload.selector else ()
    return Scope(namespace, pods, frozenset([str(target), *(f"pod/{pod.name}" for pod in pods)]))


def services_of(edges: Edges, scope: Scope) -> list[Service]:
    """The Services with node ports, in one list that is read page by page.

    :raises NodeportError: the named Service does not exist, or the right to list them is missing.
    """
    if scope.only:
        return [read(edges, KINDS["service"], scope.only)]
    request = Request(
        *("list", "services", "list the rules"),
        namespace=scope.namespace,
        query=_WITH_NODE_PORTS,
    )
    return everything(edges.api.send, request)


def rows_of(edges: Edges, scope: Scope, services: Sequence[Service]) -> tuple[Listed, ...]:
    """The rows of these Services alone, without what annotations tell."""
    return listed(_seen(edges, Scope(scope.namespace, only=scope.only or "-"), services, None))
