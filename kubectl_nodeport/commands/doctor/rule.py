"""The rule that stands, if one does."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, skipped, warning

_WHY = "a NodePort is opened by a Service that reaches this pod alone"


def _judge(case: Case) -> Finding:
    if "list services" in case.missing:
        return skipped("rights")
    standing, pod = case.standing, case.pod.name
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
    return ok("; ".join(["there is none yet, connect makes it", *standing.notes]))


CHECK = Check("rule", "rule", _judge, _WHY, needs=("rights", "pod"), of_target=True)
