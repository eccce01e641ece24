"""What a Host entry of a WSL distribution becomes in the ssh configuration of Windows. Pure.

VS Code on Windows runs Windows' own ssh, which reads ``%USERPROFILE%\\.ssh\\config``; what is
written inside the distribution it never sees. Nothing here can be tried from inside: docs/wsl.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.names import passes, validate_user

# ssh there starts a ProxyCommand without a shell, by an absolute path that ends in .exe:
# https://github.com/PowerShell/Win32-OpenSSH/issues/1185
# Not with backslashes, which Open Remote SSH takes away.
_WSL = "C:/Windows/System32/wsl.exe"
# What `wsl --import NAME` takes; a blank is quoted, a quote or a path's letter is nobody's name.
_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +-]{0,99}")
_HOME = re.compile(r"[A-Za-z]:\\[^\x00-\x1f\x7f<>:\"/|?*]{1,200}")
_FOLDER = "~/.ssh/kubectl-nodeport"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Whom Windows has to start for a tunnel.

    :param name: as ``WSL_DISTRO_NAME`` has it, "" where that is lost, as under sudo.
    :param user: whose Host entries these are.
    :param windows_home: finds the Windows user's home folder as a path in here, None for none; it
        takes its time, and is asked when there is something to write.
    """

    name: str
    user: str
    windows_home: Callable[[], PurePath | None]


def known_hosts_path(alias: str) -> str:
    """The known_hosts file of an entry as Windows' ssh shall find it: both ssh know the tilde, and
    a user's name with a blank in it needs no quotes."""
    return f"{_FOLDER}/{alias}.known_hosts"


def twin(entry: HostEntry, distribution: Distribution) -> HostEntry:
    """The entry for Windows: the same host, its keys pinned there too, none of this side's files.

    :raises NodeportError: it goes through a tunnel, and nobody can say which distribution to start.
    """
    moved = replace(
        entry,
        known_hosts_file=known_hosts_path(entry.alias),
        identity_file=None,
        cancel_proxy=False,
        program=(),
    )
    if not entry.is_tunnel:
        return moved
    name, user = distribution.name, distribution.user
    if not (_DISTRIBUTION.fullmatch(name) and passes(validate_user, user)):
        raise NodeportError(
            f"{entry.alias} goes through a tunnel, and the name of this WSL distribution is not "
            "known",
            hint="run it without sudo, in a shell that has WSL_DISTRO_NAME",
        )
    # --exec: without the distribution's own shell, which would take the words apart again.
    return replace(moved, program=(_WSL, "-d", name, "-u", user, "--exec", *entry.program))


def home_of(answer: str) -> str:
    """The Windows path in what wslvar or cmd.exe printed; "" where it is none.

    cmd.exe complains first where it is started in a folder of the distribution.
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    return lines[-1] if lines and _HOME.fullmatch(lines[-1]) else ""
