"""The Windows around a WSL distribution: where its user's home is, as a path in here."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from kubectl_nodeport.ssh import twin

# A program of Windows takes a tenth of a second to start from here, and far longer on a busy disk.
_TIMEOUT_S = 5.0
_DRIVES = Path("/mnt")  # where drives are, unless /etc/wsl.conf says otherwise (automount.root)
_CMD = "Windows/System32/cmd.exe"


def home(drives: Path = _DRIVES) -> Path | None:
    """The Windows user's home folder; None where it cannot be found.

    :param drives: the folder with the drive ``c``, for what is not on PATH.
    """
    cmd = str(drives / "c" / _CMD)
    asked = (
        ("wslvar", "USERPROFILE"),  # of wslu, which not every distribution has
        *((program, "/d", "/c", "echo %USERPROFILE%") for program in ("cmd.exe", cmd)),
    )
    # cmd.exe knows folders of Windows alone, and complains of others.
    at = drives / "c" if (drives / "c").is_dir() else Path("/")
    for command in asked:
        if found := twin.home_of(_said(command, at)):
            folder = _here(found, drives)
            return folder if folder.is_dir() else None
    return None


def _here(path: str, drives: Path) -> Path:
    """A path of Windows as this side has it."""
    if told := _said(("wslpath", "-u", path), Path("/")).strip():
        return Path(told)
    windows = PureWindowsPath(path)
    return drives.joinpath(windows.drive[0].lower(), *windows.parts[1:])


def _said(command: Sequence[str], at: Path) -> str:
    """What a program prints; "" where there is none, or it fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command,
            cwd=at,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=_TIMEOUT_S,
        ).stdout.decode("utf-8", "replace")
    return ""
