"""Whether the container runs, and if not, why."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import check_running

# The kubelet's reasons: pkg/kubelet/images/types.go and kuberuntime/kuberuntime_container.go of
# https://github.com/kubernetes/kubernetes.
_IMAGE = (
    *("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"),
    *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
)
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


def _judge(case: Case) -> Finding:
    container = case.container
    try:
        check_running(case.pod, container)
    except NodeportError as err:
        return _why_not(case, err)
    restarts = f", {container.restarts} restarts" if container.restarts else ""
    return ok(f"container {container.name} runs{restarts}")


def _why_not(case: Case, err: NodeportError) -> Finding:
    pod, container = case.pod, case.container
    logs = f"kubectl logs {pod.name} -c {container.name} -n {pod.namespace} --previous"
    if container.waiting.startswith(_IMAGE):
        return fail(
            err.message,
            "the node cannot get its image: the name, the registry or the pull secret is wrong, "
            "or the image is on no node that may not pull",
            command=case.describe(),
        )
    if container.waiting.startswith(_CONFIG):
        return fail(
            err.message,
            "the kubelet cannot make it: a ConfigMap, a Secret, a volume or its command is missing",
            command=case.describe(),
        )
    if pod.waiting:
        return fail(err.message, "no node takes it as it is", command=case.describe())
    if container.restarts or "CrashLoopBackOff" in container.waiting:
        return fail(err.message, "its program ends by itself; its log says why", command=logs)
    return fail(err.message, "nothing can listen in it yet", command=case.describe())


CHECK = Check(
    "container",
    "container",
    _judge,
    "the ssh server runs in it",
    needs=("pod",),
    of_target=True,
)
