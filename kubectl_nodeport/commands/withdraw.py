"""Taking back what a run has made in the cluster, or naming what is left of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from kubectl_nodeport.commands.edges import Api
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ConflictError, Json, NotFoundError, Request
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.rule import Exposed, Rule
from kubectl_nodeport.rule.trace import traces

FIELD_MANAGER = ("fieldManager", service.MANAGER)

# The kubelet writes to a pod of its own accord: what it wrote is no conflict for long.
_TRIES = 4

# The API server's words where a name belongs to an object of another uid; it has other conflicts.
# https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go
# and, where the object was replaced while it was at it, pkg/storage/interfaces.go beside that.
_ANOTHERS = re.compile(r"\bUID in (?:the )?precondition")


def undo(api: Api, exposed: Exposed, pod: Pod, failure: BaseException) -> None:
    """Withdraw a rule because of a failure that came after it was made.

    :raises NodeportError: something is left behind; the message has the failure too.
    :raises BaseException: the failure, where it is an interruption; its cause says what is left.
    """
    try:
        withdraw(api, exposed, pod)
    except NodeportError as left:
        if isinstance(failure, NodeportError):
            message = f"{failure.message}; and {left.message}"
            raise NodeportError(message, hint=left.hint) from failure
        raise failure from left


def withdraw(api: Api, exposed: Exposed, pod: Pod) -> None:
    """Remove a rule that this run made: the Service, and the pod's label and annotation.

    :raises NodeportError: not all could be removed; the message names what is left.
    """
    rule = exposed.rule
    left: list[tuple[str, str]] = []
    try:
        delete_service(api, rule.namespace, exposed.service, exposed.uid)
    except NodeportError as err:
        command = f"kubectl delete service {exposed.service} -n {rule.namespace}"
        left.append((f"service {exposed.service} is left behind ({err})", command))
    try:
        untie(
            api,
            rule.namespace,
            pod.name,
            lambda now: traces(now, rule.name, exposed.id, exposed.node_port),
        )
    except NodeportError as err:
        label = service.pod_label(rule.name)
        command = f"kubectl label pod {pod.name} -n {rule.namespace} {label}-"
        left.append((f"the label {label} of pod {pod.name} is left behind ({err})", command))
    if left:
        what = "; ".join(said for said, _ in left)
        commands = "; ".join(command for _, command in left)
        raise NodeportError(f"in namespace {rule.namespace}: {what}", hint=commands)


def untie(api: Api, namespace: str, pod_name: str, traces: Callable[[Pod], Json]) -> None:
    """Take a rule's label and annotation from a pod that has them, if there is one of this name.

    :param traces: what of the pod's metadata is the rule's, as a patch that removes it; what
        another rule of the same name has put there meanwhile is not.
    :raises NodeportError: the right to patch pods is missing, or the pod keeps changing.
    """
    request = Request("get", "pods", "read the pod", name=pod_name, namespace=namespace)
    for tries_left in reversed(range(_TRIES)):
        try:
            document = api.send(request)
            pod = Pod.of(document)
            metadata = traces(pod)
            if metadata:
                version = (document.get("metadata") or {}).get("resourceVersion")
                metadata |= {"resourceVersion": version, "uid": pod.uid}
                patch_pod(api, pod, metadata, "remove the rule's label")
            return
        except NotFoundError:
            return
        except ConflictError:
            if not tries_left:
                raise


def remove_unseen(api: Api, rule: Rule, rule_id: str) -> None:
    """After a create whose answer was not seen: remove the Service if it was made.

    :raises NodeportError: it cannot be known; the message names the Service.
    """
    try:
        found = get_service(api, rule)
        if found is not None and service.rule_id(found) == rule_id:
            delete_service(api, rule.namespace, rule.service_name, service.uid(found))
    except NodeportError as err:
        raise NodeportError(
            f"service {rule.service_name} in namespace {rule.namespace} may be left behind: {err}",
            hint=f"kubectl delete service {rule.service_name} -n {rule.namespace}",
        ) from err


def get_service(api: Api, rule: Rule) -> Json | None:
    """The Service that has the rule's name, if there is one."""
    request = Request(
        "get",
        "services",
        "read the Service of this name",
        name=rule.service_name,
        namespace=rule.namespace,
    )
    try:
        return api.send(request)
    except NotFoundError:
        return None


def delete_service(api: Api, namespace: str, name: str, uid: str, version: str = "") -> None:
    """Delete the Service with this uid: one that took its name meanwhile stays.

    :param version: the resourceVersion that it has to have; "" for any.
    :raises ConflictError: it has another.
    """
    preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
    request = Request(
        "delete",
        "services",
        "remove the Service of a rule",
        name=name,
        namespace=namespace,
        body={"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions},
    )
    try:
        api.send(request)
    except NotFoundError:
        return
    except ConflictError as err:
        if not _ANOTHERS.search(err.message):
            raise


def patch_pod(api: Api, pod: Pod, metadata: Json, purpose: str) -> None:
    """Merge-patch the pod's metadata.

    A ``uid`` in it that is not the pod's (it was replaced) is refused by the API server with 422.
    """
    request = Request(
        "patch",
        "pods",
        purpose,
        name=pod.name,
        namespace=pod.namespace,
        query=(FIELD_MANAGER,),
        body={"metadata": metadata},
    )
    api.send(request)
