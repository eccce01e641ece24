"""Shell scripts in namespaces of their own, where they mount what a container would have."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

import pytest


def told(
    script: str, *, said: bytes = b"", processes: bool = False, env: Mapping[str, str] | None = None
) -> bytes:
    """What a script prints, which has to end well, with nothing on stderr.

    :param said: its standard input.
    :param processes: whether it sees no processes but its own, which end with it.
    """
    own = ("--pid", "--fork", "--kill-child", "--mount-proc") if processes else ()
    done = subprocess.run(
        ["unshare", "--mount", *own, "sh", "-ec", script],
        env=env,
        input=said,
        capture_output=True,
        check=False,
        timeout=30,
    )
    if b"unshare: " in done.stderr:
        pytest.skip(f"this machine gives no namespaces: {done.stderr.decode().strip()}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\nend\n")
    return done.stdout
