"""Whether sshd reads the file of keys, and one of ssh's keys is in it."""

from __future__ import annotations

import shlex

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning
from kubectl_nodeport.commands.doctor.sshd_setting import to_change
from kubectl_nodeport.container.examination import Examination, Mode

_WHY = "sshd lets in whoever has a key that is written there"
_OTHERS_MAY_WRITE = 0o022
_MOUNTED = (
    "mount the Secret somewhere else, with mode 0600, and name its file by AuthorizedKeysFile, or "
    "copy it from there when the container starts"
)


def _judge_file(case: Case) -> Finding:
    said = case.examination
    there = [path for path in said.key_files if path not in said.missing]
    if case.examination.is_brought:
        return ok("the ssh server that connect brought keeps keys of its own")
    if not said.key_files:
        return _no_file(case)
    if there and there[0] in said.odd:
        return fail(f"{there[0]} is no file", _WHY, hint="take it away: connect makes one")
    if not there:
        # That no key is in it is the matter of the next check, which has the command.
        return ok(f"{said.key_files[0]} is not there yet")
    loose = [mode for mode in said.modes if _is_loose(case, mode)]
    if loose and not said.says("strictmodes", "no"):
        return _loose(case, loose)
    return ok(f"{there[0]} with {len(said.authorized)} key{'s' * (len(said.authorized) != 1)}")


def _no_file(case: Case) -> Finding:
    said = case.examination
    others = ("authorizedkeyscommand", "trustedusercakeys")
    if said.says("authorizedkeysfile", "none") and all(said.says(one, "none") for one in others):
        seen = "sshd reads no file of keys (AuthorizedKeysFile none)"
        return to_change(case, seen, _WHY, "AuthorizedKeysFile .ssh/authorized_keys")
    return ok("which file it is, is not told")


def _is_loose(case: Case, mode: Mode) -> bool:
    """As sshd sees it with StrictModes: others may write it, or it is another's (sshd(8))."""
    owners = {0, case.examination.login_uid}
    return bool(mode.bits & _OTHERS_MAY_WRITE) or mode.uid not in owners


def _loose(case: Case, loose: list[Mode]) -> Finding:
    paths = [shlex.quote(mode.path) for mode in loose]
    said = case.examination
    told = ", ".join(f"{mode.path} (mode {mode.bits:o}, uid {mode.uid})" for mode in loose)
    seen = f"sshd does not trust {told}"
    why = "with StrictModes it heeds no keys that others than the user could have written"
    script = f"chmod go-w {' '.join(paths)}"
    if any(m.path == said.home and m.uid not in (0, said.login_uid) for m in loose):
        # It is somebody's: to give it away would keep them out instead.
        return fail(seen, why, hint=f"{case.user} needs a home folder of their own in /etc/passwd")
    strangers = [shlex.quote(m.path) for m in loose if m.uid not in (0, said.login_uid)]
    if strangers:
        script += f" && chown {said.login_uid} {' '.join(strangers)}"
    may = said.uid == 0 or (not strangers and said.uid == said.login_uid)
    if any(mode.path in said.firm for mode in loose) and said.uid == 0:
        return fail(seen, why, hint=f"mounted read-only: {_MOUNTED}; else {script}")
    if not may:
        return fail(seen, why, hint=f"as root in the container: {script}")
    return fail(seen, why, command=case.inside(script))


def _judge_key(case: Case) -> Finding:
    said = case.examination
    if case.examination.is_brought:
        return ok("connect puts it there")
    if said.unreadable:
        return warning(
            f"{min(said.unreadable)} may not be read by the container's user",
            "whether a key of yours is in it is not known",
        )
    if not said.key_files:
        return ok("not looked at, the file is not told")
    held = [one for one in case.offered if one.key in said.authorized]
    if held:
        return ok(f"{held[0].where} is in {said.key_files[0]}")
    return _no_key(case)


def _no_key(case: Case) -> Finding:
    said, (first, *more) = case.examination, case.offered
    path = said.key_files[0]
    seen = f"ssh's key {first.where} is not in {path}"
    if more:
        seen = f"none of ssh's {len(more) + 1} keys is in {path}"
    if said.uid != 0 and (said.uid is None or said.uid != said.login_uid):
        hint = f"as root in the container put this into {path}: {first.key.openssh}"
        return fail(seen, _WHY, hint=hint, blocks=False)
    if not path.startswith(f"{said.home}/") or path in said.links or _is_firm(said, path):
        hint = f"connect cannot write there; put this where it comes from: {first.key.openssh}"
        return fail(seen, _WHY, hint=hint, blocks=False)
    if more:
        command = case.connect("--authorize-key=FILE.pub")
        hint = f"name the key to add, as {first.where}: {command}"
        return fail(seen, _WHY, hint=hint, blocks=False)
    return fail(seen, _WHY, command=case.connect("--authorize-key"), blocks=False)


def _is_firm(said: Examination, path: str) -> bool:
    """Whether the file, or a folder on the way to it, cannot be written."""
    return any(one == path or path.startswith(f"{one}/") for one in said.firm)


FILE = Check(
    "authorized-keys", "authorized_keys", _judge_file, _WHY, needs=("login",), of_target=True
)
KEY = Check(
    "own-key",
    "your key",
    _judge_key,
    _WHY,
    needs=("ssh-keys", "authorized-keys"),
    of_target=True,
)
