"""The rule that stands, if one does, and whether the Host entry leads to it."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped, warning
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.request import Request
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh.entry import HostEntry

_WHY = "a NodePort is opened by a Service that reaches this pod alone"
_WHY_LOST = "ssh goes where the Host entry says, and the pod is not there"


def _judge(case: Case) -> Finding:
    if "list services" in case.missing:
        return skipped("rights")
    standing, pod = case.standing, case.pod.name
    before = case.before
    if before is not None and not before.is_tunnel and (how := _lost(case, before)):
        seen = f"the Host entry leads to NodePort {before.port}, and {how}"
        return fail(seen, _WHY_LOST, command=case.connect(), blocks=False)
    if standing.exposed is not None:
        exposed = standing.exposed
        of = "" if exposed.ours else ", made by others,"
        leads = f"service {exposed.service}{of} leads NodePort {exposed.node_port} to {pod}"
        return ok("; ".join([leads, *standing.notes]))
    if standing.stale is not None or standing.untied is not None:
        return warning(
            "a rule stands that does not reach this pod",
            "it is an earlier pod's, or the pod has lost the label by which it is found",
            command=case.connect(),
        )
    return ok("; ".join([_none_yet(before), *standing.notes]))


def _none_yet(before: HostEntry | None) -> str:
    if before is None:
        return "there is none yet, connect makes it"
    return "there is none, the Host entry goes " + (
        "through the API server" if before.is_tunnel else f"by service {before.origin.service}"
    )


def _lost(case: Case, before: HostEntry) -> str:
    """How the entry's NodePort does not lead to the pod; "" where it does."""
    standing, origin = case.standing, before.origin
    unfit = standing.stale or standing.untied
    if unfit is not None and service.name(unfit) == origin.service:
        return "the rule behind it does not reach this pod"
    exposed = standing.exposed
    if exposed is not None and exposed.node_port == before.port:
        return ""
    if _leads_still(case, before):
        return ""
    if exposed is not None:
        return f"the pod is behind NodePort {exposed.node_port}, of service {exposed.service}"
    is_another = origin.pod_uid not in ("", case.pod.uid)
    return f"the rule behind it is gone{' (the pod was replaced)' if is_another else ''}"


def _leads_still(case: Case, before: HostEntry) -> bool:
    """Whether the entry's own Service does, though connect would now take another one."""
    rule, pod = case.wanted.rule, case.pod
    request = Request("list", "services", "see where the host leads", namespace=rule.namespace)
    return any(
        service.name(one) == before.origin.service
        and before.port in service.node_ports(one)
        and service.exposed(one, rule, pod) is not None
        and service.selects(one, pod)
        and (pod.ready or service.publishes_not_ready(one))
        for one in everything(case.edges.api.send, request)
    )


CHECK = Check("rule", "rule", _judge, _WHY, needs=("rights", "pod"), of_target=True)
