"""Whether a kubeconfig leads to a cluster."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning
from kubectl_nodeport.commands.vouch import unverified


def _judge(case: Case) -> Finding:
    connection = case.edges.connection
    seen = f"context {connection.context}, namespace {connection.namespace}"
    doubt = unverified(connection)
    if doubt is None:
        return ok(seen)
    return warning(
        f"{seen}; {doubt}",
        "who sits between you and the API server can put another machine in the pod's place",
        hint="give the cluster's certificate-authority in the kubeconfig",
    )


CHECK = Check("kubeconfig", "kubeconfig", _judge, "without it no cluster is known")
