"""Whether ssh has a key to offer, in a file or in its agent."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning

_SHOWN = 4


def _judge(case: Case) -> Finding:
    offered = case.offered
    if not offered:
        return warning(
            "ssh has no key to offer: none in the usual files, none in an agent",
            "most ssh servers in pods take nothing but keys",
            command="ssh-keygen -t ed25519",
            blocks=True,
        )
    more = f" and {len(offered) - _SHOWN} more" if len(offered) > _SHOWN else ""
    return ok(f"offers {', '.join(one.where for one in offered[:_SHOWN])}{more}")


CHECK = Check(
    "ssh-keys",
    "ssh keys",
    _judge,
    "the pod's ssh server knows you by your key",
    needs=("ssh-config",),
)
