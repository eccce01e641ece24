"""Taking back what a run has made in the cluster, or naming what is left of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.commands.edges import Api
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    Json,
    NotFoundError,
    Request,
)
from kubectl_nodeport.rule import annotation, service
from kubectl_nodeport.rule.rule import Exposed, Rule

FIELD_MANAGER = ("fieldManager", service.MANAGER)


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
    """Remove a rule that this run made: the Service, then the pod's label and annotation.

    :raises NodeportError: it could not be removed; the message names what is left.
    """
    rule = exposed.rule
    try:
        found = get_service(api, rule)
        if found is not None and service.rule_id(found) == exposed.id:
            delete_service(api, rule, found, "remove the Service that was just made")
    except (NodeportError, KeyboardInterrupt, SystemExit) as err:
        why = err.message if isinstance(err, NodeportError) else "interrupted"
        raise NodeportError(
            f"service {exposed.service} in namespace {rule.namespace} is left behind: {why}",
            hint=f"kubectl delete service {exposed.service} -n {rule.namespace}",
        ) from err
    metadata = {
        "uid": pod.uid,
        "labels": {service.pod_label(rule.name): None},
        "annotations": {annotation.key(rule.name): None},
    }
    try:
        patch_pod(api, pod, metadata, "remove the rule's label")
    except (ForbiddenError, NotFoundError, ConflictError, InvalidError):
        return  # without the right there is no label; without the pod, or in a new one, neither
    except NodeportError as err:
        label = service.pod_label(rule.name)
        raise NodeportError(
            f"the label {label} of pod {pod.name} in namespace {rule.namespace} "
            f"is left behind: {err}",
            hint=f"kubectl label pod {pod.name} -n {rule.namespace} {label}-",
        ) from err


def remove_unseen(api: Api, rule: Rule, rule_id: str) -> None:
    """After a create whose answer was not seen: remove the Service if it was made.

    :raises NodeportError: it cannot be known; the message names the Service.
    """
    try:
        found = get_service(api, rule)
        if found is not None and service.rule_id(found) == rule_id:
            delete_service(api, rule, found, "remove the Service that was just made")
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


def delete_service(api: Api, rule: Rule, found: Mapping[str, Any], purpose: str) -> None:
    """Delete this very Service: one that took its name meanwhile stays."""
    request = Request(
        "delete",
        "services",
        purpose,
        name=service.name(found),
        namespace=rule.namespace,
        body={
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": service.uid(found)},
        },
    )
    try:
        api.send(request)
    except (NotFoundError, ConflictError):
        return


def patch_pod(api: Api, pod: Pod, metadata: Json, purpose: str) -> None:
    """Merge-patch the pod's metadata; for a replaced pod the ``uid`` in it is refused (422)."""
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
