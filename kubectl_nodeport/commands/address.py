"""address: where the node ports of a pod or a Service answer from this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubectl_nodeport.address.candidates import Candidate, candidates, other_candidates
from kubectl_nodeport.address.facts import AddressFacts, NodeFacts
from kubectl_nodeport.address.resolution import Answer, Attempt, Proof, Sought
from kubectl_nodeport.commands.behind import asked
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.look import Look, look_inside, port_number, read_node
from kubectl_nodeport.commands.reach import facts_of, remedy_for, some_nodes, tried
from kubectl_nodeport.commands.scope import GetRequest, find_scope, services_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule import service as services
from kubectl_nodeport.rule import service_type
from kubectl_nodeport.rule.listed import Listed, Seen, key, listed
from kubectl_nodeport.rule.reached import reached

Service = Mapping[str, Any]

_SSH, _SSH_PORT = "ssh", 22


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """What the command line asks for; without names every node port of the target is meant.

    ``timeout_s`` is for each node port.
    """

    target: Target
    names: tuple[str, ...] = ()
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Located:
    """Where one node port answers.

    ``row.address`` is that address, "" where nothing answered; of a port that cannot be asked, as
    it is not TCP's, the most promising one, and ``answer`` is None then. ``remedy`` says what to do
    where none answers.
    """

    row: Listed
    answer: Answer | None
    attempts: tuple[Attempt, ...] = ()
    remedy: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether it was asked for, and nothing answered."""
        return self.answer is None and self.row.protocol == "TCP"


def address(request: AddressRequest, edges: Edges) -> tuple[Located, ...]:
    """Ask each node port at each candidate until one answers; nothing is changed.

    :raises NodeportError: there is no such target, or it has no such node port.
    """
    asking = GetRequest(request.target)
    scope = find_scope(asking, edges)
    found = [one for one in services_of(edges, asking).items if scope.has(one)]
    behind = asked(edges, found) or {}
    located: list[Located] = []
    for one in found:
        rows = [row for row in listed(Seen([one], behind=behind)) if _is_meant(row, request.names)]
        if not rows:
            continue
        backends = behind.get(key(one) or ("", ""), ())
        pods = reached(one, backends) or scope.pods or ()
        with _visit(edges, rows, pods) as visit:
            located += [_located(edges, one, row, visit, request.timeout_s) for row in rows]
    if not located:
        raise _nothing(request, found)
    return tuple(located)


def lost(located: Sequence[Located]) -> NodeportError | None:
    """What to tell of the node ports that answer nowhere; None where all do."""
    gone = [one for one in located if one.is_lost]
    if not gone:
        return None
    said = [
        f"NodePort {one.row.node_port} of service {one.row.service} answers at no address from "
        f"here; {tried(one.attempts)}"
        for one in gone
    ]
    return NodeportError("; ".join(said), hint=gone[0].remedy)


@dataclass(frozen=True, slots=True)
class _Visit:
    """A pod behind the node ports, and a session in it where one is to be had."""

    pod: Pod | None = None
    node: NodeFacts | None = None
    look: Look | None = None


@contextlib.contextmanager
def _visit(edges: Edges, rows: Sequence[Listed], pods: Sequence[Pod]) -> Iterator[_Visit]:
    """The first of the pods; only a single one can prove that it is the one that answers."""
    pod = pods[0] if pods else None
    node = read_node(edges, pod) if pod is not None and pod.node else None
    ports = [number for row in rows if pod is not None and (number := _number(pod, row))]
    if pod is None or len(pods) > 1 or not ports:
        if len(pods) > 1:
            edges.notes.append(
                f"service {rows[0].service} reaches {len(pods)} pods: which of them answers is "
                "not proven"
            )
        yield _Visit(pod, node)
        return
    try:
        look = look_inside(edges, pod, pod.container(ports[0]), ports[0], None)
    except NodeportError as err:
        edges.notes.append(f"that pod {pod.name} answers is not proven: {err.message}")
        yield _Visit(pod, node)
        return
    try:
        yield _Visit(pod, node, look)
    finally:
        look.close()


def _located(edges: Edges, one: Service, row: Listed, visit: _Visit, timeout_s: float) -> Located:
    spec = one["spec"]
    families = spec.get("ipFamilies")
    known = tuple(map(str, families)) if isinstance(families, list) else ()
    policy = str(spec.get("externalTrafficPolicy", ""))
    facts = facts_of(edges, visit.pod, visit.node, known, policy)
    ordered = candidates(facts) or _others(edges, facts)
    if row.protocol != "TCP":
        best = ordered[0].address if ordered else ""
        edges.notes.append(
            f"NodePort {row.node_port} is {row.protocol}, where no answer can be waited for: the "
            "address is the most promising one"
        )
        return Located(replace(row, address=best), None)
    sought = Sought(ordered, row.node_port, frozenset(), more=lambda: _others(edges, facts))
    found = _asked(edges, row, visit, sought, timeout_s)
    row = replace(row, address=found.answer.candidate.address if found.answer else "")
    at = (row.namespace, row.service)
    mend = "" if found.answer else remedy_for(facts, row.node_port, at, found.attempts)
    return replace(found, row=row, remedy=mend)


def _asked(edges: Edges, row: Listed, visit: _Visit, sought: Sought, timeout_s: float) -> Located:
    """By its host key where it is ssh and the keys are known, else by a connection."""
    pod, look = visit.pod, visit.look
    number = _number(pod, row) if pod is not None else 0
    if look is None or not number:
        found = edges.knock(sought, timeout_s)
    else:
        look = look.at(number)
        keys = frozenset(look.inside.host_keys)
        if keys and (_SSH in (row.name, row.port) or number == _SSH_PORT):
            found = edges.resolve(replace(sought, known=keys, witness=look), timeout_s)
        else:
            found = edges.knock(replace(sought, witness=look), timeout_s)
        if found.answer is not None and found.answer.proof in (Proof.ACCEPTED, Proof.SHARED_KEY):
            edges.notes.append(
                f"that pod {pod.name if pod else ''} answers is not proven: its container does not "
                "tell who is connected"
            )
    return Located(row, found.answer, found.attempts)


def _others(edges: Edges, facts: AddressFacts) -> tuple[Candidate, ...]:
    """Other nodes' addresses, where the pod's own node does not answer or has none."""
    try:
        return other_candidates(facts, some_nodes(edges) or ())
    except NodeportError:
        return ()


def _number(pod: Pod, row: Listed) -> int:
    """The number of the pod's port; 0 where it is not TCP's or the pod does not declare it."""
    if row.protocol != "TCP" or not row.port:
        return 0
    try:
        return port_number(pod, row.port, row.protocol)
    except NodeportError:
        return 0


def _is_meant(row: Listed, names: Sequence[str]) -> bool:
    return not names or row.name in names or row.service in names


def _nothing(request: AddressRequest, found: Sequence[Service]) -> NodeportError:
    target = request.target
    if target.kind == "service" and not target.selector and found:
        (one,) = found
        kind = service_type.kind(one)
        if not services.node_ports(one):
            return NodeportError(
                f"svc/{target.name} has no node port, it is of type {kind}",
                hint=f"kubectl nodeport expose svc/{target.name} opens one",
            )
    what = f" named {' or '.join(request.names)}" if request.names else ""
    return NodeportError(
        f"{target} has no node port{what}",
        hint="kubectl nodeport get lists those there are; expose opens one",
    )
