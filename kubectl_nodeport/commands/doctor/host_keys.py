"""Whether the host keys that are pinned are the pod's."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import through_api
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey

_WHY = "ssh refuses a server whose key is not pinned"


def _judge(case: Case) -> Finding:
    before = case.before
    if before is None:
        return ok("none is pinned yet, connect does it")
    pinned = frozenset(case.edges.hosts.keys(before.alias))
    found = _found(case, before)
    if pinned & found:
        case.host_keys = tuple(found)
        return ok(f"those pinned for {before.alias} are the pod's")
    # Those in its files may be another server's, and one that connect brought has no file there.
    shown = _shown(case, pinned | found)
    case.host_keys = tuple(found) if shown is None or shown in found else (shown,)
    if shown is not None and shown in pinned:
        return ok(f"the one that the pod shows is pinned, {shown.fingerprint}")
    if shown is None and not found:
        return ok("those of the pod are not told, neither in the container nor by its port")
    return fail(
        f"none of those pinned for {before.alias} is the pod's",
        f"{_WHY}; the pod was replaced, or got other keys",
        command=case.connect_again(),
        blocks=False,
    )


def _found(case: Case, before: HostEntry) -> frozenset[HostKey]:
    """Those in the container's files."""
    look = None if before.origin.sshd_port else case.look()
    if look is None:
        return frozenset()
    look.close()
    return frozenset(look.inside.host_keys)


def _shown(case: Case, known: frozenset[HostKey]) -> HostKey | None:
    try:
        return through_api.host_key(case, known)
    except NodeportError:
        return None  # the checks of the ssh server tell it


CHECK = Check("host-keys", "host keys", _judge, _WHY, needs=("sshd", "entry"), of_target=True)
