"""From where a rule answers: the candidates, asked one after another, and what is told of none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_nodeport.address.candidates import Candidate, candidates, other_candidates, pinned
from kubectl_nodeport.address.environment import environment, waits_for_forwarder
from kubectl_nodeport.address.facts import AddressFacts, NodeFacts, kubeconfig_providers, node_facts
from kubectl_nodeport.address.remedy import Unanswered, remedy
from kubectl_nodeport.address.resolution import Answer, Attempt, Sought, Verdict, Witness
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.look import read_node
from kubectl_nodeport.commands.survey import Survey
from kubectl_nodeport.commands.vouch import Voucher
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Request
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.known_hosts import HostKey

_TIMEOUT_S = 60.0
# Before the tunnel takes the NodePort's place: the slowest forwarder known takes 15 s (Lima), and
# where there is none only kube-proxy is waited for.
_FORWARDER_S, _NO_FORWARDER_S = 20.0, 8.0
_NODES_LISTED = "8"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule may answer, and who knows whether it does.

    :ivar takes_any: whether any ssh server is right, since no host key is known.
    :ivar node: None where it was not read yet.
    :ivar known: the address in the Host entry.
    :ivar pinned: the one address that is asked for.
    :ivar timeout_s: as asked for; None leaves it to the environment.
    :ivar may_fall_back: whether there is another way than a NodePort.
    """

    pod: Pod
    node: NodeFacts | None
    host_keys: tuple[HostKey, ...]
    witness: Witness | None = None
    known: str | None = None
    pinned: str | None = None
    timeout_s: float | None = None
    may_fall_back: bool = False
    takes_any: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The address at which a rule answers, and how each candidate fared."""

    answer: Answer
    attempts: tuple[Attempt, ...]


class UnreachedError(NodeportError):
    """A rule answers at no address from here; ``attempts`` tells how each candidate fared."""

    def __init__(self, message: str, *, hint: str, attempts: tuple[Attempt, ...]) -> None:
        super().__init__(message, hint=hint)
        self.attempts = attempts


def place_of(seen: Survey) -> Place:
    """Where the rule of a survey may answer."""
    request, before = seen.request, seen.before
    return Place(
        pod=seen.pod,
        node=seen.node,
        host_keys=seen.host_keys.keys,
        witness=seen.look,
        known=before.hostname if before and not before.is_tunnel else None,
        pinned=request.address,
        timeout_s=request.timeout_s,
        may_fall_back=request.may_fall_back,
        takes_any=seen.host_keys.voucher is Voucher.NOBODY,
    )


def find_address(edges: Edges, place: Place, exposed: Exposed) -> Found:
    """The address at which the rule answers from here, proven to be the pod.

    :raises UnreachedError: there is none; each candidate is named with its failure.
    """
    facts = facts_of(edges, place.pod, place.node, exposed.ip_families, exposed.traffic_policy)
    sought = Sought(
        _ordered(facts, place),
        exposed.node_port,
        frozenset(place.host_keys),
        place.witness,
        lambda: () if place.pinned else _more(edges, place, exposed),
        takes_any=place.takes_any,
    )
    found = edges.resolve(sought, _patience_s(place, facts))
    if found.answer is None:
        raise _no_answer(place, exposed, facts, found.attempts)
    return Found(found.answer, found.attempts)


def most_promising(edges: Edges, place: Place, exposed: Exposed) -> str:
    """The address that would be tried first.

    :raises UnreachedError: there is none.
    """
    facts = facts_of(edges, place.pod, place.node, exposed.ip_families, exposed.traffic_policy)
    ordered = _ordered(facts, place)
    if not ordered:
        raise _no_answer(place, exposed, facts, ())
    return ordered[0].address


def ordered_candidates(
    edges: Edges,
    pod: Pod | None,
    node: NodeFacts | None,
    ip_families: tuple[str, ...],
    traffic_policy: str = "",
) -> tuple[Candidate, ...]:
    """All candidates for a Service of these IP families, whoever is behind it.

    :param pod: the pod behind it; None for a Service without one.
    :param node: its node, as far as it was read.
    """
    return candidates(facts_of(edges, pod, node, ip_families, traffic_policy))


def facts_of(
    edges: Edges,
    pod: Pod | None,
    node: NodeFacts | None,
    ip_families: tuple[str, ...],
    traffic_policy: str = "",
) -> AddressFacts:
    """All that the order of candidates depends on."""
    connection = edges.connection
    return AddressFacts(
        local=edges.local,
        server_url=connection.server,
        pod_host_ips=pod.host_ips if pod else (),
        node=node,
        node_name=pod.node if pod else node.name if node else "",
        context=connection.context,
        cluster=connection.cluster_name,
        providers=kubeconfig_providers(
            connection.cluster, {"extensions": list(connection.context_extensions)}
        ),
        ip_families=ip_families,
        traffic_policy=traffic_policy,
    )


def _ordered(facts: AddressFacts, place: Place) -> tuple[Candidate, ...]:
    """The one that the Host entry has already comes first."""
    if place.pinned is not None:
        return (pinned(place.pinned),)
    ordered = candidates(facts)
    if place.known is None:
        return ordered
    first = Candidate(place.known, "the address in the Host entry")
    return (first, *(c for c in ordered if c.address != place.known))


def _more(edges: Edges, place: Place, exposed: Exposed) -> Sequence[Candidate]:
    """What is worth a request more only now: the node if it was not read yet, and other nodes.

    What cannot be asked is left out: that nothing answers is the failure to tell.
    """
    try:
        node = place.node or read_node(edges, place.pod)
        nodes = some_nodes(edges) or ()
    except NodeportError:
        return ()
    facts = facts_of(edges, place.pod, node, exposed.ip_families, exposed.traffic_policy)
    return (*candidates(facts), *other_candidates(facts, nodes))


def some_nodes(edges: Edges) -> list[NodeFacts] | None:
    """A few of the cluster's nodes; None without the right to list them."""
    request = Request("list", "nodes", "find a node's address", query=(("limit", _NODES_LISTED),))
    try:
        items = edges.api.send(request).get("items")
    except ForbiddenError:
        return None
    listed = items if isinstance(items, list) else []
    return [node_facts(item) for item in listed if isinstance(item, dict)]


def _patience_s(place: Place, facts: AddressFacts) -> float:
    if place.timeout_s is not None:
        return place.timeout_s
    if not place.may_fall_back:
        return _TIMEOUT_S
    return _FORWARDER_S if waits_for_forwarder(environment(facts)) else _NO_FORWARDER_S


def _no_answer(
    place: Place, exposed: Exposed, facts: AddressFacts, attempts: tuple[Attempt, ...]
) -> UnreachedError:
    """Why there is no address: each candidate with its failure, and what may mend it."""
    rule, port, pod = exposed.rule, exposed.node_port, place.pod
    verdicts = {attempt.outcome.verdict for attempt in attempts}
    of_pod = {a.outcome.verdict for a in attempts if _speaks_for_the_pod(a, place, facts)}
    unheard = f"NodePort {port} of pod {pod.name} is open, but answers at no address from here"
    hint = None
    if Verdict.NOT_SSH in of_pod:
        what = f"port {rule.port} of pod {pod.name} is open, but no ssh server is behind it"
        hint = "start an ssh server in the pod, or say where it listens with --port"
    elif Verdict.OTHER_POD in verdicts:
        why = (
            f"is not pod {pod.name}"
            if place.takes_any
            else f"has pod {pod.name}'s host key and is another"
        )
        what = f"what answers at NodePort {port} {why}"
        hint = "another cluster may have that port on this machine: take another, with --node-port"
    elif Verdict.OTHER_KEY in of_pod:
        fingerprints = ", ".join(key.fingerprint for key in place.host_keys)
        what = (
            f"what answers at NodePort {port} is not pod {pod.name}: its host key is another's "
            f"than the pod's ({fingerprints})"
        )
        hint = (
            "the ssh server may still hold a key that was replaced on disk: restart it; "
            "or another server holds the port here: take another, with --node-port"
        )
    elif verdicts & {Verdict.NOT_SSH, Verdict.OTHER_KEY}:
        what = f"{unheard}; another program holds port {port} of this machine"
    else:
        what = unheard
    if hint is None and place.pinned is not None:
        hint = f"leave --address out: kubectl nodeport connect {rule.typed} -n {rule.namespace}"
    hint = hint or remedy_for(facts, port, (rule.namespace, exposed.service), attempts)
    return UnreachedError(f"{what}; {tried(attempts)}", hint=hint, attempts=attempts)


def _speaks_for_the_pod(attempt: Attempt, place: Place, facts: AddressFacts) -> bool:
    """Whether what answers there is the NodePort, and no other program of this machine."""
    is_here = attempt.candidate.address == "127.0.0.1" and place.pinned is None
    return not is_here or waits_for_forwarder(environment(facts))


def tried(attempts: Sequence[Attempt]) -> str:
    """Each candidate with its failure, in words."""
    told = "; ".join(
        f"{attempt.candidate.address}: {attempt.outcome.text} ({attempt.candidate.reason})"
        for attempt in attempts
    )
    return f"tried {told or 'nothing'}"


def remedy_for(
    facts: AddressFacts, node_port: int, service: tuple[str, str], attempts: Sequence[Attempt]
) -> str:
    """What would make a node port answer that does not.

    :param service: the namespace and the name of its Service.
    """
    answers = {attempt.candidate.address: attempt.outcome.verdict for attempt in attempts}
    return remedy(facts, environment(facts), Unanswered(node_port, *service, verdicts=answers))
