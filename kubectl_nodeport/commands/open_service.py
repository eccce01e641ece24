"""expose and delete on ``svc/NAME``: its type becomes NodePort, and the former one again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport import interrupts
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.facts import NodeFacts
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.expose import Opened, with_addresses
from kubectl_nodeport.commands.find import read
from kubectl_nodeport.commands.look import read_node
from kubectl_nodeport.commands.reach import ordered_candidates, some_nodes
from kubectl_nodeport.commands.withdraw import FIELD_MANAGER
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
from kubectl_nodeport.kube.workload import KINDS
from kubectl_nodeport.rule import service as services
from kubectl_nodeport.rule import service_type
from kubectl_nodeport.rule.listed import Listed
from kubectl_nodeport.rule.service_type import Port

Service = Mapping[str, Any]
_WHAT_DECIDES = (service_type.kind, service_type.former_type)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Which Service is to become a NodePort.

    ``port`` and ``protocol`` choose the port that ``node_port`` is for, where it has several.
    """

    name: str
    port: int | str | None = None
    node_port: int | None = None
    protocol: str | None = None
    timeout_s: float = 5.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """A Service that has its former type again, or in a dry run would have.

    ``kind`` is the type that it has now.
    """

    name: str
    namespace: str
    kind: str
    dry_run: bool = False


def open_service(request: OpenRequest, edges: Edges) -> Opened:
    """Make a Service a NodePort; its ClusterIP, ports and selector stay.

    :raises NodeportError: it can be none, or the server refuses; it is unchanged then.
    """
    before = read(edges, KINDS["service"], request.name)
    service_type.check_can_open(before)
    chosen = _chosen(before, request)
    # All that may fail is read before the Service is changed.
    ordered = _candidates(edges, before)
    if service_type.kind(before) != "ClusterIP":
        unchanged = _unchanged(before, chosen, request)
        return with_addresses(edges, unchanged, ordered, request.timeout_s)
    services.check_format(before)
    _warn(before, edges, request)
    if request.dry_run:
        listed = _listed(before, _wishes(before, edges, request, chosen))
        opened = Opened(listed, "changed", dry_run=True, became="ClusterIP becomes NodePort")
        return with_addresses(edges, opened, ordered, request.timeout_s)
    with interrupts.deferred():
        after = _patched(
            edges, before, lambda now: _open(edges, now, request), service_type.is_opened
        )
    opened = Opened(_listed(after, {}), "changed", became="ClusterIP became NodePort")
    return with_addresses(edges, opened, ordered, request.timeout_s)


def close_service(name: str, edges: Edges, *, dry_run: bool = False) -> Closed:
    """Give a Service that :func:`open_service` changed its former type back.

    :raises NodeportError: this program did not change it, or the server refuses.
    """
    before = read(edges, KINDS["service"], name)
    namespace = edges.connection.namespace
    if not service_type.former_type(before):
        raise NodeportError(
            f"svc/{name} was not changed by kubectl nodeport, so there is nothing to take back",
            hint=f"kubectl delete service {name} -n {namespace} deletes it",
        )
    now = service_type.kind(before)
    if now != "NodePort":
        edges.notes.append(f"svc/{name} is of type {now} by now, which stays")
    kind = service_type.former_type(before) if now == "NodePort" else now
    if not dry_run:
        with interrupts.deferred():
            _patched(
                edges,
                before,
                lambda found: _send(edges, name, service_type.closing(found)),
                lambda found: (
                    (service_type.former_type(found), service_type.kind(found)) == ("", kind)
                ),
            )
    return Closed(name, namespace, kind, dry_run)


def _patched(
    edges: Edges,
    found: Json,
    patch: Callable[[Json], Json],
    is_done: Callable[[Json], bool],
) -> Json:
    """Patch the Service as it was read; once more if somebody changed it meanwhile.

    An answer that was lost, or a conflict with our own change, is made out by another look.

    :raises NodeportError: it is not changed, or it cannot be known whether it is.
    """
    try:
        return patch(found)
    except (ApiError, UnreachableError) as err:
        is_conflict = isinstance(err, ConflictError)
        if isinstance(err, ApiError) and err.status < 500 and not is_conflict:
            raise
        again = _again(edges, services.name(found), err)
        if is_done(again) and not is_done(found):
            return again
        # Its annotation may be gone: then it is not ours to change back any more.
        if not is_conflict or any(now(again) != now(found) for now in _WHAT_DECIDES):
            raise
        return patch(again)


def _again(edges: Edges, name: str, failure: NodeportError) -> Json:
    try:
        return read(edges, KINDS["service"], name)
    except NodeportError as err:
        namespace = edges.connection.namespace
        raise NodeportError(
            f"{failure.message}; whether the type of svc/{name} was changed is not known",
            hint=f"kubectl get service {name} -n {namespace}; "
            f"kubectl nodeport delete svc/{name} -n {namespace} gives it its former type back",
        ) from err


def _open(edges: Edges, found: Json, request: OpenRequest) -> Json:
    wishes = _wishes(found, edges, request, _chosen(found, request))
    name = services.name(found)
    asked = {at: port for at, port in wishes.items() if port == request.node_port}
    if wishes != asked:
        with contextlib.suppress(InvalidError):
            return _send(edges, name, service_type.opening(found, wishes))
    try:
        return _send(edges, name, service_type.opening(found, asked))
    except InvalidError as err:
        if request.node_port is not None:
            raise NodeportError(
                f"svc/{name} cannot get NodePort {request.node_port}: {err.message}",
                hint="leave --node-port out to get a free one",
            ) from err
        raise


def _send(edges: Edges, name: str, body: Json) -> Json:
    request = Request(
        *("patch", "services", "change the type of the Service"),
        name=name,
        namespace=edges.connection.namespace,
        query=(FIELD_MANAGER,),
        body=body,
    )
    return edges.api.send(request)


def _wishes(found: Service, edges: Edges, request: OpenRequest, chosen: Port) -> dict[int, int]:
    """The node ports to ask for, by the place of the port: the one asked for, or preferred ones."""
    ports = service_type.ports(found)
    exact = request.node_port
    wished: dict[int, int] = {} if exact is None else {ports.index(chosen): exact}
    for at, port in enumerate(ports):
        number = service_type.preferred_node_port(found, port, edges.connection.identity)
        if at not in wished and number not in wished.values():
            wished[at] = number
    return wished


def _chosen(found: Service, request: OpenRequest) -> Port:
    """The port that is meant; with no flag that chooses, the first."""
    ports = service_type.ports(found)
    fitting = [
        port
        for port in ports
        if request.port in (None, port.number, port.name)
        and request.protocol in (None, port.protocol)
    ]
    listed = ", ".join(map(str, ports))
    if not fitting:
        raise NodeportError(
            f"svc/{request.name} has no such port; it has {listed}",
            hint="a port of the Service is meant, by number or name",
        )
    if len(fitting) > 1 and request.node_port is not None:
        raise NodeportError(
            f"which port of svc/{request.name} is to get NodePort {request.node_port}? "
            f"It has {listed}",
            hint="say it with --port, and --protocol where that is not enough",
        )
    return fitting[0]


def _unchanged(found: Service, chosen: Port, request: OpenRequest) -> Opened:
    if request.node_port not in (None, chosen.node_port):
        raise NodeportError(
            f"svc/{request.name} has NodePort {chosen.node_port} for port {chosen}, "
            f"not {request.node_port}",
            hint="it is not changed; edit the Service itself, if it is yours to change",
        )
    became = f"it is of type {service_type.kind(found)} already"
    return Opened(_listed(found, {}), "unchanged", dry_run=request.dry_run, became=became)


def _listed(found: Service, wishes: Mapping[int, int]) -> tuple[Listed, ...]:
    """All ports of the Service that are open; or would be, with the node ports wished for."""
    rule = services.as_rule(found)
    return tuple(
        Listed(
            name=port.name or services.name(found),
            namespace=str(found["metadata"].get("namespace", "")),
            target=rule.rule.target if rule else "",
            port=port.target,
            protocol=port.protocol,
            node_port=node_port,
            service=services.name(found),
            source="kubectl-nodeport" if rule else "other",
        )
        for at, port in enumerate(service_type.ports(found))
        if (node_port := port.node_port or wishes.get(at) or 0) or wishes
    )


def _warn(found: Service, edges: Edges, request: OpenRequest) -> None:
    name = services.name(found)
    if manager := service_type.manager(found):
        edges.notes.append(f"svc/{name} is managed by {manager}, which may turn the change back")
    if not services.selector(found):
        edges.notes.append(f"svc/{name} has no selector: its endpoints are made by hand")
    listed = ", ".join(map(str, service_type.ports(found)))
    are = "would be" if request.dry_run else "becomes"
    edges.tell(f"every port of svc/{name} {are} open on every node: {listed}")


def _candidates(edges: Edges, found: Service) -> tuple[Candidate, ...]:
    """The addresses of a node that a pod of the Service runs on, else of any node."""
    pod = _a_pod(edges, found)
    node = read_node(edges, pod) if pod is not None else _any_node(edges)
    families = found["spec"].get("ipFamilies")
    known = tuple(map(str, families)) if isinstance(families, list) else ()
    return ordered_candidates(edges, pod, node, known)


def _a_pod(edges: Edges, found: Service) -> Pod | None:
    selector = services.selector(found)
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    if not labels:
        return None
    running = ("fieldSelector", "status.phase=Running")
    request = Request(
        *("list", "pods", "find a pod behind the Service"),
        namespace=edges.connection.namespace,
        query=(("labelSelector", labels), running, ("limit", "1")),
    )
    try:
        items = edges.api.send(request).get("items")
    except ForbiddenError:
        return None
    pods = [Pod.of(item) for item in items if isinstance(item, dict)] if items else []
    if not pods:
        edges.notes.append(f"no running pod is behind svc/{services.name(found)}")
    return pods[0] if pods and pods[0].node else None


def _any_node(edges: Edges) -> NodeFacts | None:
    nodes = some_nodes(edges)
    if nodes is None:
        edges.notes.append("without the right to list nodes no node's address is known")
    return nodes[0] if nodes else None
