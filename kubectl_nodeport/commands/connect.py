"""connect: expose the pod's ssh port, find the address that answers, write the Host entry."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kubectl_nodeport import background, interrupts
from kubectl_nodeport.address.candidates import Candidate, candidates
from kubectl_nodeport.address.facts import AddressFacts, NodeFacts, kubeconfig_providers
from kubectl_nodeport.address.resolution import Answer, Resolution, Verdict
from kubectl_nodeport.commands.alias import choose_alias, origin_of
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.expose import Standing, find_rule, make_rule, node_port_choices
from kubectl_nodeport.commands.look import (
    check_listening,
    choose_port,
    find_pod,
    look_inside,
    read_node,
)
from kubectl_nodeport.commands.withdraw import undo
from kubectl_nodeport.container.script import Inside
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Exposed, Rule
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey

# A rule that stands has been open for long: where it answers at all it does so at once, and only
# when it does not is the node asked for, which is one request more.
_STANDING_RULE_S = 3.0
# Stands for the id of a rule that a dry run does not make.
_NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What the command line asks for; None leaves the choice to connect."""

    target: Target
    rule_name: str = "ssh"
    port: int | None = None
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
    pod = find_pod(edges, request.target.name)
    container, port = choose_port(pod, request.port, request.container)
    rule = Rule(request.rule_name, pod.namespace, pod.name, port)
    alias, before = choose_alias(rule, edges, request.host)
    user = request.target.user or (before.user if before else None)
    look = background.start(lambda: look_inside(edges, pod, container, user))
    standing = find_rule(edges.api, rule, pod)
    edges.notes.extend(standing.notes)
    node = None if standing.exposed else read_node(edges, pod)
    inside = look()
    check_listening(inside, pod, container, port)
    draft = _Draft(request, edges, pod, container, inside, alias, before, node)
    planned = standing.exposed or _planned(edges, rule, pod, standing)
    _entry(draft, planned, "127.0.0.1")  # what cannot be written is refused before a rule is made
    if request.dry_run:
        return _rehearse(draft, planned, standing)
    with _exposed(edges, rule, pod, standing) as exposed:
        answer = _find_address(draft, exposed)
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


@contextlib.contextmanager
def _exposed(edges: Edges, rule: Rule, pod: Pod, standing: Standing) -> Iterator[Exposed]:
    """The rule, standing or made now; one made now is removed again if what follows fails."""
    exposed = standing.exposed
    try:
        if exposed is None:
            cluster = edges.connection.identity
            with interrupts.deferred():
                exposed = make_rule(edges.api, rule, pod, cluster=cluster, standing=standing)
        yield exposed
    except BaseException as failure:
        if exposed is not None and exposed.made_now:
            with interrupts.deferred():
                undo(edges.api, exposed, pod, failure)
        raise


def _find_address(draft: _Draft, exposed: Exposed) -> Answer:
    """The address at which the rule answers from here, with one of the pod's host keys.

    :raises NodeportError: none does; each candidate is named with its failure.
    """
    deadline = time.monotonic() + draft.request.timeout_s
    first_s, node_unread = draft.request.timeout_s, draft.node is None and not exposed.made_now
    if node_unread:
        first_s = min(first_s, _STANDING_RULE_S)
    resolution = _resolve(draft, exposed, draft.node, first_s)
    left_s = deadline - time.monotonic()
    if resolution.answer is None and node_unread and left_s > 0:
        node = read_node(draft.edges, draft.pod)
        resolution = _resolve(draft, exposed, node, left_s)
    if resolution.answer is None:
        raise _no_answer(draft, exposed, resolution)
    return resolution.answer


def _resolve(
    draft: _Draft, exposed: Exposed, node: NodeFacts | None, timeout_s: float
) -> Resolution:
    ordered = _candidates(draft, exposed.ip_families, node)
    return draft.edges.resolve(ordered, exposed.node_port, draft.inside.host_keys, timeout_s)


def _candidates(
    draft: _Draft, ip_families: tuple[str, ...], node: NodeFacts | None
) -> tuple[Candidate, ...]:
    """All candidates; the one that the Host entry has already comes first."""
    connection = draft.edges.connection
    facts = AddressFacts(
        local=draft.edges.local,
        server_url=connection.server,
        pod_host_ips=draft.pod.host_ips,
        node=node,
        node_name=draft.pod.node,
        context=connection.context,
        cluster=connection.cluster_name,
        providers=kubeconfig_providers(
            connection.cluster, {"extensions": list(connection.context_extensions)}
        ),
        ip_families=ip_families,
    )
    ordered = candidates(facts)
    if draft.before is None:
        return ordered
    known = Candidate(draft.before.hostname, "the address in the Host entry")
    return (known, *(c for c in ordered if c.address != known.address))


def _no_answer(draft: _Draft, exposed: Exposed, resolution: Resolution) -> NodeportError:
    rule, port = exposed.rule, exposed.node_port
    tried = "; ".join(
        f"{attempt.candidate.address}: {attempt.outcome.text} ({attempt.candidate.reason})"
        for attempt in resolution.attempts
    )
    verdicts = {attempt.outcome.verdict for attempt in resolution.attempts}
    if Verdict.NOT_SSH in verdicts:
        what = f"port {rule.port} of pod {rule.pod} is open, but no ssh server is behind it"
        hint = "start an ssh server in the pod, or say where it listens with --port"
    elif Verdict.OTHER_KEY in verdicts:
        what = f"what answers at NodePort {port} is not pod {rule.pod}: its host key is another's"
        hint = (
            "the ssh server may still hold a key that was replaced on disk: restart it; "
            "or another server holds the port here"
        )
    else:
        what = f"NodePort {port} of pod {rule.pod} is open, but answers at no address from here"
        hint = (
            "does a firewall, a VPN or a cluster without port forwarding stand between? "
            f"kubectl get node {draft.pod.node} -o wide shows its addresses"
        )
    return NodeportError(f"{what}; tried {tried or 'nothing'}", hint=hint)


def _entry(draft: _Draft, exposed: Exposed, address: str) -> HostEntry:
    """The Host entry; what an earlier connect chose and this one leaves open is kept."""
    before, request = draft.before, draft.request
    user = request.target.user or (before.user if before else "") or draft.inside.user
    if not user:
        raise NodeportError(
            "the container's user is not known, so whom to log in as is not clear",
            hint=f"say it: kubectl nodeport connect USER@{draft.pod.name}",
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


def _planned(edges: Edges, rule: Rule, pod: Pod, standing: Standing) -> Exposed:
    """The rule as it will be made if the first of its node ports is free."""
    earlier = standing.stale or standing.untied
    choices = node_port_choices(rule, pod, edges.connection.identity, earlier)
    return Exposed(rule, rule.service_name, choices[0] or 0, id=_NOT_YET)


def _rehearse(draft: _Draft, exposed: Exposed, standing: Standing) -> Connected:
    """A dry run: what stands is probed, what does not stand is told."""
    answer = _find_address(draft, exposed) if standing.exposed else None
    ordered = _candidates(draft, exposed.ip_families, draft.node)
    if not (answer or ordered):
        raise _no_answer(draft, exposed, Resolution(None, ()))
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
