"""How a setting of a running sshd is changed, by a command."""

from __future__ import annotations

import shlex

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Finding, fail

_STAYS = "this lasts until the container ends; set it in the image or its volume, to stay"


def to_change(case: Case, seen: str, why: str, line: str) -> Finding:
    """A fail that a line in sshd_config mends: a keyword's first line wins (sshd_config(5)).

    It does not against a Match block, nor against sshd's command line.
    """
    said = case.examination
    pid = next((pid for pid, name in said.running if name == "sshd"), None)
    keyword = line.partition(" ")[0].lower()
    told = said.settings[keyword]
    if not said.config or said.plain.get(keyword) != told:
        hint = f"a Match block of its sshd_config or its command line says so: there, {line}"
        return fail(seen, why, hint=hint, blocks=False)
    if said.uid != 0 or pid is None:
        hint = f"put `{line}` first in {said.config} and start sshd again"
        return fail(seen, why, hint=hint, blocks=False)
    script = f"sed -i {shlex.quote(f'1i {line}')} {shlex.quote(said.config)} && kill -HUP {pid}"
    return fail(seen, why, hint=_STAYS, command=case.inside(script), blocks=False)
