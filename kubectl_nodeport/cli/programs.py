"""The ssh servers that connect brings along, as the package holds them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kubectl_nodeport.errors import NodeportError

PACKAGE = Path(__file__).resolve().parent.parent
_BUILD_TIMEOUT_S = 900.0


def packed(architecture: str, tell: Callable[[str], None], package: Path = PACKAGE) -> bytes:
    """The server for linux on that processor, packed by gzip. A checkout that has none builds them.

    :param tell: is told before that is done.
    :raises NodeportError: there is none, and none can be built.
    """
    program = package / "sshd" / f"nodeport-sshd-linux-{architecture}.gz"
    script = package.parent / "sshd" / "build.py"
    if not program.exists() and script.exists():
        tell("the ssh server is built with Go first, once; that takes a minute or two")
        _build(script, program.parent)
    try:
        return program.read_bytes()
    except OSError as err:
        raise NodeportError(
            f"this installation has no ssh server for linux/{architecture} to bring along",
            hint="install kubectl nodeport from a release, or from a checkout after: make sshd",
        ) from err


def _build(script: Path, output: Path) -> None:
    try:
        done = subprocess.run(
            [sys.executable, str(script), "--output", str(output)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_BUILD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise _not_built(str(err)) from err
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it says nothing"]
        raise _not_built(lines[-1].removeprefix("error: "))


def _not_built(why: str) -> NodeportError:
    return NodeportError(
        f"this checkout has no ssh server to bring along, and cannot build it: {why}",
        hint="put Go on PATH (https://go.dev/dl), and see: make sshd",
    )
