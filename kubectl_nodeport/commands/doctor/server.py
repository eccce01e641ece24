"""Whether the API server answers, and which version it is."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok
from kubectl_nodeport.commands.server_version import minor_of, server_version
from kubectl_nodeport.kube.request import ForbiddenError


def _judge(case: Case) -> Finding:
    where = case.edges.connection.server_shown
    try:
        version = server_version(case.edges.api)
    except ForbiddenError:
        return ok(f"{where} answers, and does not tell its version")
    if not version:
        return ok(f"{where} answers, its version is not known")
    case.minor = minor_of(version)
    return ok(f"{where} is Kubernetes {version}")


CHECK = Check(
    "server",
    "API server",
    _judge,
    "all that is known of a pod comes from there, and a tunnel goes through it",
    needs=("kubeconfig",),
)
