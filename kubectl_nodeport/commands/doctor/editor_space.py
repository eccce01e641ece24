"""Whether VS Code's server can be put into the home folder and run there."""

from __future__ import annotations

import shlex

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning

_WHY = "VS Code puts its server and extensions there"
# The server takes about 300 MB unpacked, the archive it comes in less than 100; extensions more.
_NEEDED_MIB = 400
_ELSEWHERE = "or name another folder: remote.SSH.serverInstallPath"


def _judge(case: Case) -> Finding:
    said = case.examination
    home = said.home
    if not home:
        return ok("the home folder is not told")
    if not said.has_home:
        return _no_home(case, home)
    if said.equipment is not None and said.equipment.unwritable == home:
        return fail(
            f"the home folder {home} cannot be written",
            _WHY,
            hint=f"mount a volume there (an emptyDir does), {_ELSEWHERE}",
            blocks=False,
        )
    if home in said.noexec:
        return fail(
            f"no program may be run in {home} (mounted noexec)",
            _WHY,
            hint=f"mount it without noexec, {_ELSEWHERE}",
            blocks=False,
        )
    free = said.free_kib.get(home)
    if free is not None and free >> 10 < _NEEDED_MIB:
        return warning(
            f"{free >> 10} MiB are free in {home}",
            f"{_WHY}, which takes {_NEEDED_MIB} MiB and more",
            command=case.inside(f"du -xk {shlex.quote(home)} | sort -n | tail"),
        )
    if "/tmp" in said.noexec:  # noqa: S108 - a path in the container
        return warning(
            "no program may be run in /tmp (mounted noexec)",
            "VS Code's installation may try to",
            hint="mount it without noexec",
        )
    space = "" if free is None else f", {free >> 10} MiB free"
    return ok(f"{home} can be written{space}")


def _no_home(case: Case, home: str) -> Finding:
    said = case.examination
    seen = f"the home folder {home} is not there"
    if said.uid != 0:
        return fail(seen, _WHY, hint=f"make it in the image, {_ELSEWHERE}", blocks=False)
    folder = shlex.quote(home)
    script = f"mkdir -p {folder} && chown {said.login_uid} {folder}"
    return fail(seen, _WHY, hint=_ELSEWHERE, command=case.inside(script), blocks=False)


CHECK = Check(
    "vscode-home",
    "VS Code: home folder",
    _judge,
    _WHY,
    needs=("inside",),
    of_target=True,
    for_editor=True,
)
