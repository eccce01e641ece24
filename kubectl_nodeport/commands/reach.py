"""From where a rule answers: the candidates, asked one after another, and what is told of none."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kubectl_nodeport.address.candidates import Candidate, candidates
from kubectl_nodeport.address.facts import AddressFacts, NodeFacts, kubeconfig_providers
from kubectl_nodeport.address.resolution import Answer, Resolution, Verdict
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.look import read_node
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.known_hosts import HostKey

# A rule that stands has been open for long: where it answers at all it does so at once, and only
# when it does not is the node asked for, which is one request more.
_STANDING_RULE_S = 3.0


@dataclass(frozen=True, slots=True)
class Search:
    """Where to look: ``known`` is the address in the Host entry, ``node`` None if not read yet."""

    pod: Pod
    node: NodeFacts | None
    known: str | None
    host_keys: tuple[HostKey, ...]
    timeout_s: float


def find_address(edges: Edges, search: Search, exposed: Exposed) -> Answer:
    """The address at which the rule answers from here, with one of the pod's host keys.

    :raises NodeportError: none does; each candidate is named with its failure.
    """
    deadline = time.monotonic() + search.timeout_s
    first_s, node_unread = search.timeout_s, search.node is None and not exposed.made_now
    if node_unread:
        first_s = min(first_s, _STANDING_RULE_S)
    ordered = ordered_candidates(edges, search.pod, search.node, exposed.ip_families, search.known)
    resolution = edges.resolve(ordered, exposed.node_port, search.host_keys, first_s)
    left_s = deadline - time.monotonic()
    if resolution.answer is None and node_unread and left_s > 0:
        node = read_node(edges, search.pod)
        ordered = ordered_candidates(edges, search.pod, node, exposed.ip_families, search.known)
        resolution = edges.resolve(ordered, exposed.node_port, search.host_keys, left_s)
    if resolution.answer is None:
        raise no_answer(search.pod, exposed, resolution)
    return resolution.answer


def ordered_candidates(
    edges: Edges,
    pod: Pod | None,
    node: NodeFacts | None,
    ip_families: tuple[str, ...],
    known: str | None = None,
) -> tuple[Candidate, ...]:
    """All candidates; the one that the Host entry has already comes first.

    :param pod: the pod behind the rule; None for a Service without one.
    :param node: its node, as far as it was read.
    :param known: the address in the Host entry.
    """
    connection = edges.connection
    facts = AddressFacts(
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
    )
    ordered = candidates(facts)
    if known is None:
        return ordered
    first = Candidate(known, "the address in the Host entry")
    return (first, *(c for c in ordered if c.address != known))


def no_answer(pod: Pod, exposed: Exposed, resolution: Resolution) -> NodeportError:
    """Why there is no address: each candidate with its failure, and what may mend it."""
    rule, port = exposed.rule, exposed.node_port
    tried = "; ".join(
        f"{attempt.candidate.address}: {attempt.outcome.text} ({attempt.candidate.reason})"
        for attempt in resolution.attempts
    )
    verdicts = {attempt.outcome.verdict for attempt in resolution.attempts}
    if Verdict.NOT_SSH in verdicts:
        what = f"port {rule.port} of pod {pod.name} is open, but no ssh server is behind it"
        hint = "start an ssh server in the pod, or say where it listens with --port"
    elif Verdict.OTHER_KEY in verdicts:
        what = f"what answers at NodePort {port} is not pod {pod.name}: its host key is another's"
        hint = (
            "the ssh server may still hold a key that was replaced on disk: restart it; "
            "or another server holds the port here"
        )
    else:
        what = f"NodePort {port} of pod {pod.name} is open, but answers at no address from here"
        hint = (
            "does a firewall, a VPN or a cluster without port forwarding stand between? "
            f"kubectl get node {pod.node} -o wide shows its addresses"
        )
    return NodeportError(f"{what}; tried {tried or 'nothing'}", hint=hint)
