"""Whether the API server answers, and which version it is."""

from __future__ import annotations

import re

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok
from kubectl_nodeport.kube.request import ForbiddenError, Request

_VERSION = re.compile(r"v1\.([0-9]{1,3})\.[0-9]{1,3}[A-Za-z0-9.+-]{0,60}")


def _judge(case: Case) -> Finding:
    where = case.edges.connection.server_shown
    try:
        answer = case.edges.api.send(Request("get", "", "ask for its version", raw="/version"))
    except ForbiddenError:
        return ok(f"{where} answers, and does not tell its version")
    version = _VERSION.fullmatch(str(answer.get("gitVersion")))
    if version is None:
        return ok(f"{where} answers, its version is not known")
    case.minor = int(version[1])
    return ok(f"{where} is Kubernetes {version[0]}")


CHECK = Check(
    "server",
    "API server",
    _judge,
    "all that is known of a pod comes from there, and a tunnel goes through it",
    needs=("kubeconfig",),
)
