"""Whether the container can be asked what is in it."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, skipped, warning
from kubectl_nodeport.commands.doctor.right import EXEC
from kubectl_nodeport.commands.look import says_no_shell
from kubectl_nodeport.errors import NodeportError

_WHY = (
    "its ssh server, keys and files are not looked at; connect takes the host key from the pod's "
    "port, and has to be told whom to log in as"
)


def _judge(case: Case) -> Finding:
    if case.missing & {str(right) for right in EXEC}:
        return skipped("optional-rights")
    try:
        user = case.examination.user
    except NodeportError as err:
        if says_no_shell(err.message):
            seen = f"there is no shell in container {case.container.name}"
            return warning(seen, _WHY, blocks=True)
        return warning(err.message, _WHY, hint=err.hint, blocks=True)
    return ok(f"runs as {user or 'a user without a name'}")


CHECK = Check(
    "inside",
    "look into the container",
    _judge,
    _WHY,
    needs=("optional-rights", "container"),
    of_target=True,
)
