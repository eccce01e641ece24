"""Which rules get is asked for, and the Services among which they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.commands.behind import pods_matching
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import read
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.kube.workload import KINDS, Workload
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.listed import is_about

Service = Mapping[str, Any]

# The server leaves the others out: a cluster has mostly Services without node ports.
# https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields
_WITH_NODE_PORTS = "spec.type!=ClusterIP,spec.type!=ExternalName"


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What the command line asks for; without a target all rules there are."""

    target: Target | None = None
    all_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rules are meant.

    :ivar namespace: "" for all namespaces.
    :ivar pods: the pods that were named, by whatever name; None where no target was.
    :ivar targets: what a rule may have been made for, such as ``pod/dev``.
    :ivar only: the name of the one Service that was named.
    """

    namespace: str
    pods: tuple[Pod, ...] | None = None
    targets: frozenset[str] = frozenset()
    only: str = ""

    @property
    def is_named(self) -> bool:
        """Whether a target was given."""
        return self.pods is not None or bool(self.only)

    def has(self, one: Service) -> bool:
        """Whether the Service belongs to it."""
        if self.only:
            return service.name(one) == self.only
        return self.pods is None or is_about(one, self.pods, self.targets)


@dataclass(frozen=True, slots=True)
class Services:
    """What was listed, and the ``version`` from which changes can be watched."""

    items: tuple[Service, ...]
    version: str


def find_scope(request: GetRequest, edges: Edges) -> Scope:
    """What the target stands for: one request for a pod, two for a workload, none for a Service.

    :raises NodeportError: there is no such object, or no right to look for it.
    """
    target, namespace = request.target, edges.connection.namespace
    everywhere = "" if request.all_namespaces else namespace
    if target is None:
        return Scope(everywhere)
    if target.selector:
        return Scope(everywhere, pods_matching(edges, everywhere, target.selector))
    if request.all_namespaces:
        raise NodeportError(
            f"{target} is named, which can be in one namespace only",
            hint=f"leave out -A: kubectl nodeport get {target} -n {namespace}",
        )
    kind = KINDS[target.kind]
    if kind.name == "service":
        return Scope(namespace, only=target.name)
    document = read(edges, kind, target.name)
    if kind.name == "pod":
        return Scope(namespace, (Pod.of(document),), frozenset([str(target)]))
    workload = Workload.of(kind, document)
    # A workload without pods may still have a rule, which waits for the next one.
    pods = pods_matching(edges, namespace, workload.selector) if workload.selector else ()
    return Scope(namespace, pods, frozenset([str(target), *(f"pod/{pod.name}" for pod in pods)]))


def services_of(edges: Edges, request: GetRequest) -> Services:
    """The Services with node ports, or the one that is named, in one list, page by page.

    :raises NodeportError: the one that is named does not exist, or the right to list is missing.
    """
    versions = [""]

    def send(page: Request) -> Json:
        answer = edges.api.send(page)
        metadata = answer.get("metadata")
        if isinstance(metadata, Mapping):
            versions.append(str(metadata.get("resourceVersion", "")))
        return answer

    name = _service_name(request)
    items = everything(send, service_request(edges, request))
    if name and not items:
        items = [read(edges, KINDS["service"], name)]  # which tells of near matches
    return Services(tuple(items), versions[-1])


def service_request(edges: Edges, request: GetRequest) -> Request:
    """The list of Services that is asked for."""
    name = _service_name(request)
    selector = f"metadata.name={name}" if name else _WITH_NODE_PORTS
    return Request(
        *("list", "services", "list the rules"),
        namespace="" if request.all_namespaces else edges.connection.namespace,
        query=(("fieldSelector", selector),),
    )


def _service_name(request: GetRequest) -> str:
    target = request.target
    return target.name if target is not None and target.kind == "service" else ""
