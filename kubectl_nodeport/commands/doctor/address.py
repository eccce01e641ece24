"""Where the rule answers from here, or where connect would look."""

from __future__ import annotations

from dataclasses import replace

from kubectl_nodeport.address.resolution import Answer
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped
from kubectl_nodeport.commands.look import Look
from kubectl_nodeport.commands.reach import Place, UnreachedError, find_address, ordered_candidates
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.entry import HostEntry

_WHY = "ssh on this machine has to reach the NodePort"
_SHOWN = 4


def _judge(case: Case) -> Finding:
    before = case.before
    if before is not None and before.is_tunnel:
        return _tunnel(case)
    if "list services" in case.missing:
        return skipped("rights")
    exposed = case.standing.exposed
    if exposed is None:
        return _untried(case)
    try:
        return _probed(case, exposed)
    except UnreachedError as err:
        case.unreached = True
        return fail(
            err.message,
            _WHY,
            hint=f"{err.hint}; the API server leads to the pod too",
            command=case.connect("--via", "tunnel"),
            blocks=False,
        )


def _probed(case: Case, exposed: Exposed) -> Finding:
    before = case.before
    look = case.look()
    try:
        place = _place(case, look)
        answer = find_address(case.edges, place, exposed).answer
        if before is not None and _has_moved(before, answer):
            answer = _of_entry(case, replace(place, pinned=before.hostname), exposed) or answer
    finally:
        if look is not None:
            look.close()
    case.reached = True
    address = answer.candidate.address
    if before is not None and _has_moved(before, answer):
        return fail(
            f"the Host entry leads to {before.hostname}, where the NodePort does not answer; "
            f"{address} port {answer.port} answers ({answer.candidate.reason})",
            _WHY,
            command=case.connect(),
            blocks=False,
        )
    how = f"({answer.candidate.reason}; proof: {answer.proof.value})"
    return ok(f"{address} port {answer.port} answers {how}")


def _has_moved(before: HostEntry, answer: Answer) -> bool:
    return before.hostname != answer.candidate.address


def _of_entry(case: Case, place: Place, exposed: Exposed) -> Answer | None:
    """The answer of the entry's own address, which may have been slower than another."""
    try:
        return find_address(case.edges, place, exposed).answer
    except UnreachedError:
        return None


def _place(case: Case, look: Look | None) -> Place:
    before = case.before
    keys = case.host_keys
    if not keys and look is not None and not (before and before.origin.sshd_port):
        keys = look.inside.host_keys
    if not keys and before is not None:
        keys = tuple(case.edges.hosts.keys(before.alias))
    return Place(
        pod=case.pod,
        node=case.node,
        host_keys=keys,
        witness=look,
        known=before.hostname if before else None,
        timeout_s=case.request.timeout_s,
        takes_any=not keys,
    )


def _tunnel(case: Case) -> Finding:
    before, pod = case.before, case.pod
    known = frozenset(case.edges.hosts.keys(before.alias)) if before else frozenset()
    key = case.edges.tunnel(pod.namespace, pod.name, case.port, known)
    return ok(f"answers through the API server, with the host key {key.fingerprint}")


def _untried(case: Case) -> Finding:
    node = case.node
    found = ordered_candidates(case.edges, case.pod, node, ())
    told = ", ".join(f"{one.address} ({one.reason})" for one in found[:_SHOWN])
    return ok(f"no rule yet; connect would try {told or 'the addresses of other nodes'}")


CHECK = Check(
    "address",
    "address",
    _judge,
    _WHY,
    needs=("container", "rule", "node"),
    of_target=True,
)
