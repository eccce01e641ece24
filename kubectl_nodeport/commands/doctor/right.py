"""Rights as docs/rbac.md lists them, and whether the person has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.homes import each
from kubectl_nodeport.kube.request import Request

# From here on the API server asks for create as well, where something is run or forwarded.
_ASKS_FOR_CREATE = 35


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource, as RBAC names them.

    :ivar cost: what is not to be had without it, after "without it".
    :ivar since: the minor version of Kubernetes from which on it is asked for.
    """

    verb: str
    resource: str
    cost: str
    subresource: str = ""
    everywhere: bool = False
    since: int = 0

    def __str__(self) -> str:
        """As errors and docs/rbac.md write it."""
        return f"{self.verb} {self.resource}{'/' * bool(self.subresource)}{self.subresource}"


GET_PODS = Right("get", "pods", "no pod can be looked at")
LIST_SERVICES = Right("list", "services", "connect goes through the API server, if it may")
CREATE_SERVICES = Right("create", "services", "connect goes through the API server, if it may")
_FORWARD = "there is no way through the API server where no address answers"
_EXEC = (
    "host keys, user and settings are not read in the container, nor is it proven that "
    "connections arrive there; --with-sshd is not possible"
)
PORT_FORWARD = (
    Right("get", "pods", _FORWARD, "portforward"),
    Right("create", "pods", _FORWARD, "portforward", since=_ASKS_FOR_CREATE),
)
EXEC = (
    Right("get", "pods", _EXEC, "exec"),
    Right("create", "pods", _EXEC, "exec", since=_ASKS_FOR_CREATE),
)
OPTIONAL = (
    Right("get", "services", "who else uses a rule is not known, and svc/NAME is no target"),
    Right("delete", "services", "what connect made stays when a step fails, and disconnect fails"),
    *EXEC,
    *PORT_FORWARD,
    Right("list", "pods", "that one pod is behind a rule is not proven, and workloads, -l and "
          "NodePorts of others are not used"),
    Right("patch", "pods", "a rule needs labels that this pod has alone"),
    Right("patch", "services", "your use of a rule of others is not noted on it"),
    Right("get", "nodes", "the node's other addresses are not tried", everywhere=True),
    Right("list", "nodes", "other nodes' addresses are not tried", everywhere=True),
)  # fmt: skip


_ALL = (GET_PODS, LIST_SERVICES, CREATE_SERVICES, *OPTIONAL)


def missing(case: Case, rights: Iterable[Right]) -> list[Right]:
    """Those that the person has not; they are noted in the case.

    All rights are asked for when the first of them is, a review for each and several at once, so
    that an API server that is far away is not waited for again and again.

    :raises NodeportError: the API server does not say.
    """
    if not case.allowed:
        asked = [one for one in _ALL if one.since <= case.minor]
        answers = each(asked, partial(_is_allowed, case))
        case.allowed.update(zip(map(str, asked), answers, strict=True))
    found = [one for one in rights if not case.allowed.get(str(one), True)]
    case.missing.update(map(str, found))
    return found


def check_command(case: Case, right: Right) -> str:
    """The command that asks for a right."""
    # can-i reads the second half of pods/exec as a pod's name.
    sub = f" --subresource={right.subresource}" if right.subresource else ""
    where = "" if right.everywhere else f" -n {case.namespace}"
    return f"kubectl auth can-i {right.verb} {right.resource}{sub}{where}"


def _is_allowed(case: Case, right: Right) -> bool:
    asked = {"verb": right.verb, "resource": right.resource, "subresource": right.subresource}
    if not right.everywhere:
        asked["namespace"] = case.namespace
    request = Request(
        "create",
        "selfsubjectaccessreviews",
        "know your rights",
        group="authorization.k8s.io/v1",
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {name: value for name, value in asked.items() if value}},
        },
    )
    status = case.edges.api.send(request).get("status")
    return isinstance(status, dict) and status.get("allowed") is True
