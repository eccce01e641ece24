"""Keywords of sshd's configuration in a shell's patterns. Pure."""

from __future__ import annotations

import re


def any_case(shell: str) -> str:
    """A script with each ``<word>``, in small letters alone, as a pattern of it in any case.

    sshd reads keywords so (sshd_config(5)). In a script that has to be short, what `sshd -T` writes
    is matched by shorter patterns: from OpenSSH 10.5 on it has capitals, but each in one place.
    """
    return re.sub("<([a-z]+)>", lambda found: _pattern(found[1]), shell)


def _pattern(word: str) -> str:
    return "".join(f"[{c.upper()}{c}]" for c in word)
