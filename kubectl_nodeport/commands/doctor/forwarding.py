"""Whether sshd forwards TCP connections, which VS Code needs."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, skipped
from kubectl_nodeport.commands.doctor.sshd_setting import to_change

# https://code.visualstudio.com/docs/remote/troubleshooting: AllowTcpForwarding has to be on.
_WHY = "VS Code reaches its server in the container by a forwarded port, ssh -L is nothing else"


def _judge(case: Case) -> Finding:
    said = case.examination
    if not said.running:
        return skipped("sshd")
    if said.says("disableforwarding", "yes"):
        seen = "sshd forwards nothing (DisableForwarding yes)"
        return to_change(case, seen, _WHY, "DisableForwarding no")
    if said.says("allowtcpforwarding", "no", "remote"):
        value = said.settings["allowtcpforwarding"][0]
        seen = f"sshd forwards no ports (AllowTcpForwarding {value})"
        return to_change(case, seen, _WHY, "AllowTcpForwarding yes")
    if "allowtcpforwarding" not in said.settings:
        return ok("not told by the ssh server")
    return ok("sshd forwards ports")


CHECK = Check(
    "forwarding",
    "port forwarding",
    _judge,
    _WHY,
    needs=("inside", "sshd"),
    of_target=True,
    for_editor=True,
)
