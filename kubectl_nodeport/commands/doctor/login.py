"""Whether sshd lets this user in at all, with a key."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped
from kubectl_nodeport.commands.doctor.sshd_setting import to_change

_WHY = "ssh logs in as this user"


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


CHECK = Check("login", "login", _judge, _WHY, needs=("sshd",), of_target=True)
