"""How a setting of a running sshd is changed, by a command."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Finding, fail

_STAYS = "this lasts until the container ends; set it in the image or its volume, to stay"
_CONFIG = "/etc/ssh/sshd_config"


def to_change(case: Case, seen: str, why: str, line: str) -> Finding:
    """A fail that a line in sshd_config mends: a keyword's first line wins (sshd_config(5))."""
    said = case.examination
    pid = next((pid for pid, name in said.running if name == "sshd"), None)
    if said.uid != 0 or pid is None:
        return fail(seen, why, hint=f"put `{line}` first in its sshd_config and start it again")
    script = f"sed -i '1i {line}' {_CONFIG} && kill -HUP {pid}"
    return fail(seen, why, hint=_STAYS, command=case.inside(script), blocks=False)
