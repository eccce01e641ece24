"""Whether there is such a pod, and only one that can be meant."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning


def _judge(case: Case) -> Finding:
    pod, node = case.pod, case.pod.node
    seen = f"pod {pod.name}{f' on node {node}' if node else ''}"
    if case.found.note:
        seen = f"{seen} ({case.found.note})"
    if pod.ready or not all(container.running for container in pod.containers):
        return ok(seen)
    return warning(
        f"{seen} is not ready",
        "it is reached all the same, but a rule cannot follow its workload, and NodePorts of "
        "others do not lead to it",
        command=case.describe(),
    )


CHECK = Check(
    "pod", "pod", _judge, "connect needs one pod to lead to", needs=("rights",), of_target=True
)
