"""Whether the pod's node forwards NodePorts at all."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped

_WHY = "kube-proxy on the node leads a NodePort to the pod"


def _judge(case: Case) -> Finding:
    if "get nodes" in case.missing:
        return skipped("optional-rights")
    node, name = case.node, case.pod.node  # the pod's word for its name has been checked
    if node is None:
        return ok("the node is not to be read, the pod's word for its address is taken")
    if node.virtual:
        return fail(
            f"node {name} is a virtual one, without kube-proxy",
            _WHY,
            hint="run the pod on a node that is a machine, or go through the API server",
            command=case.connect("--via", "tunnel"),
        )
    if not node.ready:
        return fail(
            f"node {name} is not ready",
            f"{_WHY}, and its rules are old while the node is not",
            command=f"kubectl describe node {name}",
            blocks=False,
        )
    return ok(f"node {name} is ready, {node.os_image or 'of a system that it does not tell'}")


CHECK = Check("node", "node", _judge, _WHY, needs=("optional-rights", "container"), of_target=True)
