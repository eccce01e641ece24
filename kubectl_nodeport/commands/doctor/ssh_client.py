"""Whether there is an ssh client here, of an age at which it reads our entries."""

from __future__ import annotations

import re

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning

_OLDEST = (7, 6)
_OPENSSH = re.compile(r"OpenSSH_(?:for_Windows_)?([0-9]{1,3})\.([0-9]{1,3})[A-Za-z0-9.]{0,20}")


def _judge(case: Case) -> Finding:
    said = case.machine.ssh_version()
    found = _OPENSSH.match(said)
    if found is None:
        return warning(
            f"ssh says that it is {said[:80] or 'nothing'}",
            "Host entries are written for OpenSSH, other clients may not heed all of their lines",
            hint="install the OpenSSH client",
        )
    if (int(found[1]), int(found[2])) < _OLDEST:
        return fail(
            f"{found[0]} is older than OpenSSH 7.6",
            "it may refuse the whole configuration file for a line that it does not know",
            hint="install a newer OpenSSH client",
        )
    return ok(found[0])


CHECK = Check("ssh-client", "ssh client", _judge, "it is what logs in, under VS Code too")
