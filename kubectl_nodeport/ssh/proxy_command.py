"""The value of a ProxyCommand: words, quoted for whoever takes them apart again. Pure.

ssh expands ``%`` tokens and gives the rest to ``$SHELL -c``, which is any login shell: what is
written here means the same to sh, bash, zsh, fish and csh. Win32-OpenSSH starts the program without
a shell, so it has to be an absolute ``.exe``:
https://github.com/PowerShell/Win32-OpenSSH/issues/1185
Editors that start the command without a shell know double quotes alone (docs/readers.md), so these
stand where they are enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.names import MAX_VALUE_CHARS, has_control

_PLAIN = re.compile(r"[A-Za-z0-9_+:,./@-]+")
_PLAIN_WITH_BLANKS = re.compile(r"[A-Za-z0-9_+:,./@ -]+")
# Letters that a quoted word cannot hold in every shell and every reader of the file: fish reads a
# backslash in single quotes, and readers cut at a '#' or pair double quotes.
_UNQUOTABLE = re.compile(r'["\\#]')
# What is no UTF-8, a surrogate for each byte: Python's readers would refuse the whole file.
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_WINDOWS_PROGRAM = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\)[^\"#]*\.exe", re.IGNORECASE)


def proxy_command(words: Sequence[str]) -> str:
    """The words as one value; the first is the absolute path of a program, by which its system
    is known.

    :raises NodeportError: they cannot be written so that every reader takes them as they are.
    """
    if not words or any(not word or has_control(word) or _NO_TEXT.search(word) for word in words):
        raise _refused(" ".join(words))
    if words[0].startswith("/"):
        text = " ".join(map(_for_any_shell, words))
    elif _WINDOWS_PROGRAM.fullmatch(words[0]):
        program, *rest = words
        text = " ".join([f'"{program}"', *map(_for_windows, rest)])
    else:
        raise _refused(words[0])
    text = text.replace("%", "%%")
    if len(text) > MAX_VALUE_CHARS:
        raise _refused(text)
    return text


def _for_any_shell(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    if _PLAIN_WITH_BLANKS.fullmatch(word):
        return f'"{word}"'
    if _UNQUOTABLE.search(word):
        raise _refused(word)
    # csh looks for events of its history in quotes too.
    escaped = re.sub("['!]", lambda found: f"'\\{found[0]}'", word)
    return f"'{escaped}'"


def _for_windows(word: str) -> str:
    if '"' in word or "#" in word or word.endswith("\\"):
        raise _refused(word)
    return f'"{word}"' if " " in word or "\t" in word else word


def _refused(text: str) -> NodeportError:
    return NodeportError(
        f"{text[:200]!a} cannot be written into a ProxyCommand",
        hint="install kubectl-nodeport, or keep the ssh configuration, at an absolute path "
        "without double quotes, backslashes, '#' and control characters",
    )
