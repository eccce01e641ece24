"""expose: open a port of a pod on every node, under a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from kubectl_nodeport import background
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.resolution import Sought
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
from kubectl_nodeport.kube.pod import ContainerPort, Pod
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.listed import Listed, of_rule
from kubectl_nodeport.rule.rule import Exposed, check_name, is_rule_name

_SSH, _SSH_PORT = "ssh", 22
_SILENT = "nothing answers there yet"


@dataclass(frozen=True, slots=True)
class ExposeRequest:
    """What the command line asks for; None leaves the choice to expose.

    ``port`` is a number or the name of a container port; ``timeout_s`` is for the address, the rule
    stands before.
    """

    target: Target
    rule_name: str | None = None
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
    if request.rule_name is not None:
        check_name(request.rule_name)
    found = find(edges, request.target, held=held_by(edges, request.rule_name or _SSH))
    if found.note:
        edges.notes.append(found.note)
    pod = found.pod
    name, port = _name_and_port(pod, request)
    draft = RuleDraft(name, port, request.protocol, request.node_port)
    wanted = wanted_rule(edges, found, draft)
    reading = background.start(partial(read_node, edges, pod))
    standing = find_rule(edges.api, wanted)
    edges.notes.extend(standing.notes)
    node = reading()

    def told(exposed: Exposed, change: str) -> Opened:
        listed = of_rule(exposed, pods=(pod.name,))
        opened = Opened((listed,), change, dry_run=request.dry_run)
        ordered = ordered_candidates(edges, pod, node, exposed.ip_families)
        return with_addresses(edges, opened, ordered, request.timeout_s)

    if request.dry_run:
        expected = standing.exposed or planned(wanted, standing)
        return told(expected, "unchanged" if standing.exposed else "created")
    with rule_for(edges, wanted, standing) as exposed:
        return told(exposed, "created" if exposed.made_now else "unchanged")


def with_addresses(
    edges: Edges, opened: Opened, ordered: Sequence[Candidate], timeout_s: float
) -> Opened:
    """The same with the address at which each port is reached from here.

    That is the first which accepts a connection; else, as for a port that is not TCP's or does not
    stand yet, the most promising one.
    """
    may_ask = not (opened.dry_run and opened.change != "unchanged")
    asked = [one.node_port for one in opened.listed if may_ask and one.protocol == "TCP"]
    sought = [Sought(tuple(ordered), port, frozenset()) for port in asked]
    knocking = [background.start(partial(edges.knock, one, timeout_s)) for one in sought]
    replies = [(port, knock().answer) for port, knock in zip(asked, knocking, strict=True)]
    answers = {port: answer.candidate for port, answer in replies if answer is not None}
    best = ordered[0].address if ordered else ""
    listed = [
        replace(one, address=answers[one.node_port].address)
        if one.node_port in answers
        else replace(one, address=best, problem=_SILENT if one.node_port in asked else "")
        for one in opened.listed
    ]
    return replace(opened, listed=tuple(listed), answering=frozenset(answers) if asked else None)


def _name_and_port(pod: Pod, request: ExposeRequest) -> tuple[str, int]:
    """The rule's name and its container port; what was left out is as the pod's manifest says.

    :raises NodeportError: it does not say.
    """
    declared = [p for c in pod.containers for p in c.ports if p.protocol == request.protocol]
    name, port = request.rule_name, request.port
    if port is not None:
        number = port_number(pod, port, request.protocol)
    elif name is not None:
        number = next((p.number for p in declared if p.name == name), 0)
        number = number or (_SSH_PORT if name == _SSH else 0)
    else:
        number = declared[0].number if len(declared) == 1 else 0
        number = number or (_SSH_PORT if not declared else 0)
    if not number:
        raise _which_port(pod, request, declared)
    if name is None:
        names = [p.name for p in declared if p.number == number and is_rule_name(p.name)]
        name = names[0] if names else _SSH if number == _SSH_PORT else None
    if name is None:
        raise NodeportError(
            f"what is the rule for port {number} of pod {pod.name} to be called?",
            hint=f"name it: --name web --port {number}; 1 to 20 lower-case letters",
        )
    return name, number


def _which_port(
    pod: Pod, request: ExposeRequest, declared: Sequence[ContainerPort]
) -> NodeportError:
    listed = ", ".join(f"{p.number}" + (f" ({p.name})" if p.name else "") for p in declared)
    rule = "the rule" if request.rule_name is None else f'the rule "{request.rule_name}"'
    return NodeportError(
        f"which port of pod {pod.name} is {rule} to open?",
        hint="say it with --port" + (f"; the pod declares {listed}" if listed else ""),
    )
