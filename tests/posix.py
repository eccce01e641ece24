"""What Windows lacks: a test that needs it is marked ``posix``, and skipped there.

The modules that Windows lacks are imported late, so that the other tests of a file can run.
"""

from __future__ import annotations

import os
import struct
from typing import Any

IS_ROOT = os.name == "posix" and os.geteuid() == 0


def pseudo_terminal(columns: int = 80) -> tuple[int, int]:
    """A terminal of 24 lines: what its user sees and types, and what the program in it has."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def terminal_modes(descriptor: int) -> list[Any]:
    """Whether it echoes, edits lines, and so on."""
    import termios

    return termios.tcgetattr(descriptor)
