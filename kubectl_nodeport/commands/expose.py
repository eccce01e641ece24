"""expose: open a port of a pod on every node, under a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from kubectl_nodeport import background
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import find
from kubectl_nodeport.commands.look import port_number, read_node
from kubectl_nodeport.commands.reach import ordered_candidates
from kubectl_nodeport.commands.rules import planned, rule_for
from kubectl_nodeport.commands.standing import (
    RuleDraft,
    find_rule,
    held_by,
    wanted_rule,
)
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.listed import Listed, of_rule
from kubectl_nodeport.rule.rule import check_name

_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class ExposeRequest:
    """What the command line asks for; None leaves the choice to expose.

    ``port`` is a number or the name of a container port; ``timeout_s`` is for the address, the rule
    stands before.
    """

    target: Target
    rule_name: str = "ssh"
    port: int | str | None = None
    node_port: int | None = None
    protocol: str = "TCP"
    timeout_s: float = 5.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """Ports that are open, or in a dry run would be, each with the address to reach it from here.

    ``change`` is "created", "changed" or "unchanged"; ``answering`` holds the node ports at which
    something accepts connections, None where nobody was asked; ``became`` says what changed of a
    Service.
    """

    listed: tuple[Listed, ...]
    change: str
    answering: frozenset[int] | None = None
    dry_run: bool = False
    became: str = ""


def expose(request: ExposeRequest, edges: Edges) -> Opened:
    """Make sure that the rule stands; a second run changes nothing.

    :raises NodeportError: a step failed; what this run had made in the cluster is removed.
    """
    check_name(request.rule_name)
    found = find(edges, request.target, held=held_by(edges, request.rule_name))
    if found.note:
        edges.notes.append(found.note)
    pod = found.pod
    port = _port(pod, request)
    draft = RuleDraft(request.rule_name, port, request.protocol, request.node_port)
    wanted = wanted_rule(edges, found, draft)
    reading = background.start(partial(read_node, edges, pod))
    standing = find_rule(edges.api, wanted)
    edges.notes.extend(standing.notes)
    node = reading()
    if request.dry_run:
        change = "unchanged" if standing.exposed else "created"
        exposed = standing.exposed or planned(wanted, standing)
    else:
        with rule_for(edges, wanted, standing) as exposed:
            change = "created" if exposed.made_now else "unchanged"
    listed = of_rule(exposed, pods=(pod.name,))
    opened = Opened((listed,), change, dry_run=request.dry_run)
    ordered = ordered_candidates(edges, pod, node, exposed.ip_families)
    return with_addresses(edges, opened, ordered, request.timeout_s)


def with_addresses(
    edges: Edges, opened: Opened, ordered: Sequence[Candidate], timeout_s: float
) -> Opened:
    """The same with the address at which each port is reached from here.

    That is the first which accepts a connection; else, as for a port that is not TCP's or does not
    stand yet, the most promising one.
    """
    may_ask = not (opened.dry_run and opened.change != "unchanged")
    asked = [one.node_port for one in opened.listed if may_ask and one.protocol == "TCP"]
    knocking = [background.start(partial(edges.knock, ordered, port, timeout_s)) for port in asked]
    replies = {port: knock() for port, knock in zip(asked, knocking, strict=True)}
    answers = {port: answer for port, answer in replies.items() if answer is not None}
    best = ordered[0].address if ordered else ""
    listed = [
        replace(one, address=answers[one.node_port].address if one.node_port in answers else best)
        for one in opened.listed
    ]
    return replace(opened, listed=tuple(listed), answering=frozenset(answers) if asked else None)


def _port(pod: Pod, request: ExposeRequest) -> int:
    """The container port: as asked for, else the one that has the rule's name, else ssh's own."""
    if request.port is not None:
        return port_number(pod, request.port, request.protocol)
    declared = [p for c in pod.containers for p in c.ports if p.protocol == request.protocol]
    for port in declared:
        if port.name == request.rule_name:
            return port.number
    if request.rule_name == "ssh":
        return _SSH_PORT
    listed = ", ".join(f"{p.number}" + (f" ({p.name})" if p.name else "") for p in declared)
    raise NodeportError(
        f'which port of pod {pod.name} is the rule "{request.rule_name}" to open?',
        hint="say it with --port" + (f"; the pod declares {listed}" if listed else ""),
    )
