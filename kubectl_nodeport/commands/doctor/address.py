"""Where the rule answers from here, or where connect would look."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped
from kubectl_nodeport.commands.look import Look, look_inside
from kubectl_nodeport.commands.reach import Place, UnreachedError, find_address, ordered_candidates
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.rule.rule import Exposed

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
    before, pod = case.before, case.pod
    keys = tuple(case.edges.hosts.keys(before.alias)) if before else ()
    look = _look(case)
    if look is not None and look.inside.host_keys and not (before and before.origin.sshd_port):
        keys = look.inside.host_keys
    place = Place(
        pod=pod,
        node=case.node,
        host_keys=keys,
        witness=look,
        known=before.hostname if before else None,
        timeout_s=case.request.timeout_s,
        takes_any=not keys,
    )
    try:
        found = find_address(case.edges, place, exposed)
    finally:
        if look is not None:
            look.close()
    case.reached = True
    answer = found.answer
    how = f"({answer.candidate.reason}; proof: {answer.proof.value})"
    return ok(f"{answer.candidate.address} port {answer.port} answers {how}")


def _look(case: Case) -> Look | None:
    if not case.is_examined:
        return None
    try:
        return look_inside(case.edges, case.pod, case.container, case.port, case.login)
    except NodeportError:
        return None


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
