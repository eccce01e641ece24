"""Texts that somebody could put into a name, an annotation or an answer, to do harm with them."""

from __future__ import annotations

import re

FORGED = "FORGED"
"""A line that begins with it was made out of a value."""

PASTED = "PASTED"
"""Outside of quotes in a command to paste, it would be run."""

TEXTS = {
    "a window's title and a cleared screen": "\x1b]0;owned\x07\x1b[2Jx",
    "one-byte CSI": "\x9b31mred",
    "a new line": f"x\n{FORGED}: y",
    "a new line for ssh": "x\n  ProxyCommand touch owned\nHost *",
    "carriage return": f"x\r{FORGED}: y",
    "line separator": f"x\u2028{FORGED}\u2029{FORGED}",
    "next line": f"x\x85{FORGED}\x0b{FORGED}\x0c{FORGED}",
    "right to left": "\u202egnp.exe\u2066",
    "zero width": "ad\u200bmin\ufeff\u2060",
    "NUL": "x\x00y",
    "delete": "x\x7f\x08\x08y",
    "lone surrogate": "x\ud800y",
    "other letters": "аdmin－root",  # noqa: RUF001 - that is the point
    "a command": f"$(touch {PASTED})",
    "a command in backticks": f"`touch {PASTED}`",
    "out of quotes": f"x'; touch {PASTED}; '",
    "out of double quotes": f'x"; touch {PASTED}; "',
    "an option": "-oProxyCommand=touch",
    "tokens": "%h%n%%${HOME}~",
    "a path": "../../../etc/passwd",
    "long": "x" * 100_000,
}


def unquoted(line: str) -> str:
    """What a shell would look into: not what is in single quotes, nor in harmless double ones."""
    return re.sub(r"""'[^']*'|"[^"$`\\]*\"""", "", line)
