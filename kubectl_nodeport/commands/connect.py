"""connect: expose the pod's ssh port, find the address that answers, write the Host entry."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kubectl_nodeport import background
from kubectl_nodeport.address.facts import NodeFacts
from kubectl_nodeport.address.resolution import Answer, Resolution
from kubectl_nodeport.commands.alias import choose_alias, origin_of
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import find
from kubectl_nodeport.commands.look import (
    check_listening,
    choose_port,
    look_inside,
    read_node,
)
from kubectl_nodeport.commands.reach import Search, find_address, no_answer, ordered_candidates
from kubectl_nodeport.commands.rules import planned, rule_for
from kubectl_nodeport.commands.standing import (
    RuleDraft,
    Standing,
    find_rule,
    held_by,
    wanted_rule,
)
from kubectl_nodeport.container.script import Inside
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod, check_running
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Exposed, check_name
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What the command line asks for; None leaves the choice to connect."""

    target: Target
    rule_name: str = "ssh"
    port: int | str | None = None
    node_port: int | None = None
    container: str | None = None
    identity_file: str | None = None
    host: str | None = None
    timeout_s: float = 60.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """What connect did, or in a dry run would do.

    ``answer`` is None in a dry run whose rule does not stand yet; ``preview`` is the change to the
    ssh configuration as a diff.
    """

    pod: Pod
    container: Container
    exposed: Exposed
    entry: HostEntry
    entry_change: str
    host_keys: tuple[HostKey, ...]
    answer: Answer | None
    home: str
    context: str
    notes: tuple[str, ...]
    dry_run: bool = False
    preview: str = ""


def connect(request: ConnectRequest, edges: Edges) -> Connected:
    """Make the pod reachable by ssh under an alias; a second run changes nothing.

    :raises NodeportError: a step failed; what this run had made in the cluster is removed.
    """
    check_name(request.rule_name)
    found = find(edges, request.target, held=held_by(edges, request.rule_name))
    pod = found.pod
    if found.note:
        edges.notes.append(found.note)
    container, port = choose_port(found, request.port, request.container)
    check_running(pod, container)
    rule_draft = RuleDraft(request.rule_name, port, node_port=request.node_port)
    wanted = wanted_rule(edges, found, rule_draft)
    alias, before = choose_alias(wanted.rule, edges, request.host)
    user = request.target.user or (before.user if before else None)
    look = background.start(lambda: look_inside(edges, pod, container, user))
    standing = find_rule(edges.api, wanted)
    edges.notes.extend(standing.notes)
    node = None if standing.exposed else read_node(edges, pod)
    inside = look()
    check_listening(inside, pod, container, port)
    draft = _Draft(request, edges, pod, container, inside, alias, before, node)
    expected = standing.exposed or planned(wanted, standing)
    _entry(draft, expected, "127.0.0.1")  # what cannot be written is refused before a rule is made
    if request.dry_run:
        return _rehearse(draft, expected, standing)
    with rule_for(edges, wanted, standing) as exposed:
        answer = find_address(edges, draft.search, exposed)
        entry = _entry(draft, exposed, answer.candidate.address)
        change = edges.hosts.put(entry, inside.host_keys)
    return _connected(draft, exposed, entry, change, answer)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is known before the rule is made."""

    request: ConnectRequest
    edges: Edges
    pod: Pod
    container: Container
    inside: Inside
    alias: str
    before: HostEntry | None
    node: NodeFacts | None

    @property
    def search(self) -> Search:
        """Where the rule may answer."""
        known = self.before.hostname if self.before else None
        timeout_s = self.request.timeout_s
        return Search(self.pod, self.node, known, self.inside.host_keys, timeout_s)


def _entry(draft: _Draft, exposed: Exposed, address: str) -> HostEntry:
    """The Host entry; what an earlier connect chose and this one leaves open is kept."""
    before, request = draft.before, draft.request
    user = request.target.user or (before.user if before else "") or draft.inside.user
    if not user:
        raise NodeportError(
            "the container's user is not known, so whom to log in as is not clear",
            hint=f"say it: kubectl nodeport connect USER@{exposed.rule.typed}",
        )
    origin = origin_of(exposed.rule, draft.edges, exposed, draft.pod.uid)
    if before is not None and before.origin.creation == origin.creation:
        origin = replace(origin, made_rule=before.origin.made_rule)
    return HostEntry(
        alias=draft.alias,
        hostname=address,
        port=exposed.node_port,
        user=user,
        known_hosts_file=draft.edges.hosts.known_hosts_path(draft.alias),
        identity_file=request.identity_file or (before.identity_file if before else None),
        origin=origin,
    )


def _rehearse(draft: _Draft, exposed: Exposed, standing: Standing) -> Connected:
    """A dry run: what stands is probed, what does not stand is told."""
    edges, search = draft.edges, draft.search
    answer = find_address(edges, search, exposed) if standing.exposed else None
    ordered = ordered_candidates(edges, draft.pod, draft.node, exposed.ip_families, search.known)
    if not (answer or ordered):
        raise no_answer(draft.pod, exposed, Resolution(None, ()))
    address = answer.candidate.address if answer else ordered[0].address
    entry = _entry(draft, exposed, address)
    preview = draft.edges.hosts.preview(entry, draft.inside.host_keys)
    if standing.stale is not None:
        draft.edges.notes.append("the rule of an earlier pod of this name would be replaced")
    change = ("updated" if draft.before else "created") if preview else "unchanged"
    told = _connected(draft, exposed, entry, change, answer)
    return replace(told, dry_run=True, preview=preview)


def _connected(
    draft: _Draft,
    exposed: Exposed,
    entry: HostEntry,
    change: str,
    answer: Answer | None,
) -> Connected:
    pod = draft.pod
    if not pod.ready:
        draft.edges.notes.append(f"pod {pod.name} is not ready; it is reached all the same")
    return Connected(
        pod=pod,
        container=draft.container,
        exposed=exposed,
        entry=entry,
        entry_change=change,
        host_keys=draft.inside.host_keys,
        answer=answer,
        home=draft.inside.home,
        context=draft.edges.connection.context,
        notes=tuple(draft.edges.notes),
    )
