"""Whether sshd lets this user in at all, with a key."""

from __future__ import annotations

import shlex

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped
from kubectl_nodeport.commands.doctor.sshd_setting import to_change

_WHY = "ssh logs in as this user"
_SHUT = ("false", "nologin")


def _judge(case: Case) -> Finding:
    said, user = case.examination, case.user
    if not said.running:
        return skipped("sshd")
    if said.is_brought:
        return ok("the ssh server that connect brought lets in the container's user")
    if not user:
        return fail(
            "whom to log in as is not known: the container's user has no name",
            _WHY,
            hint=f"say it: kubectl nodeport doctor USER@{case.wanted.rule.typed}",
            blocks=False,
        )
    if said.login_uid is None:
        return fail(
            f"there is no user {user} in the container",
            _WHY,
            hint="name another: USER@TARGET; cat /etc/passwd there lists them",
        )
    if finding := _shell(case):
        return finding
    is_root = said.login_uid == 0
    if is_root and said.says("permitrootlogin", "no", "forced-commands-only"):
        value = said.settings["permitrootlogin"][0]
        seen = f"sshd does not let root in (PermitRootLogin {value})"
        return to_change(case, seen, _WHY, "PermitRootLogin prohibit-password")
    if said.says("pubkeyauthentication", "no"):
        seen = "sshd takes no keys (PubkeyAuthentication no)"
        return to_change(
            case, seen, "a key is all that connect sets up", "PubkeyAuthentication yes"
        )
    return ok(f"{user} may log in" if said.settings else f"{user}, of whom no setting tells more")


def _shell(case: Case) -> Finding | None:
    """A login shell with which nobody logs in (sshd(8), LOGIN PROCESS, and shells(5))."""
    said, user = case.examination, case.user
    if said.has_shell and said.shell.rpartition("/")[2] not in _SHUT:
        return None
    lacks = "ends each session at once" if said.has_shell else "cannot be run"
    seen = f"the login shell of {user}, {said.shell or 'which is not told'}, {lacks}"
    why = "ssh and VS Code run their commands by it"
    script = f"sed -i {shlex.quote(f'/^{user}:/s,:[^:]*$,:/bin/sh,')} /etc/passwd"
    if said.uid != 0:
        return fail(seen, why, hint=f"as root in the container: {script}", blocks=False)
    hint = "this lasts until the container ends; set it in the image, to stay"
    return fail(seen, why, hint=hint, command=case.inside(script), blocks=False)


CHECK = Check("login", "login", _judge, _WHY, needs=("inside", "sshd"), of_target=True)
