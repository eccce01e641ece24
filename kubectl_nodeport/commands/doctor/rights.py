"""The rights without which there is no way to a pod."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import right
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning

HINT = "ask for them: docs/rbac.yaml of kubectl nodeport is a Role with all that it can use"


def _judge(case: Case) -> Finding:
    gone = right.missing(case, (right.GET_PODS,))
    if gone:
        return _missing(case, gone)
    gone = right.missing(case, (right.LIST_SERVICES, right.CREATE_SERVICES))
    if not gone:
        return ok("get pods, list and create services")
    if right.missing(case, right.PORT_FORWARD):
        return _missing(case, gone, "nor is there one through the API server (pods/portforward)")
    what = _listed(gone)
    return warning(
        f"missing: {what}",
        "no NodePort can be made: connect goes through the API server",
        hint=HINT,
        command=right.check_command(case, gone[0]),
    )


def _missing(case: Case, gone: list[right.Right], more: str = "") -> Finding:
    is_blind = gone[0] is right.GET_PODS
    why = gone[0].cost if is_blind else f"no NodePort can be made, {more}"
    command = right.check_command(case, gone[0])
    return fail(f"missing: {_listed(gone)}", why, hint=HINT, command=command, blocks=is_blind)


def _listed(gone: list[right.Right]) -> str:
    return ", ".join(map(str, gone))


CHECK = Check(
    "rights",
    "rights",
    _judge,
    "connect reads the pod and makes a Service",
    needs=("server",),
)
