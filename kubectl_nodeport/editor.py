"""Editors that open a folder on an ssh host: their command lines, URLs and terminals. Pure.

Those of VS Code's family take ``--folder-uri vscode-remote://ssh-remote+ALIAS/folder``
(https://code.visualstudio.com/docs/remote/troubleshooting#_connect-to-a-remote-host-from-the-terminal,
https://github.com/jeanp413/open-remote-ssh/issues/129). ``--remote ssh-remote+ALIAS /folder`` says
the same, but takes a folder with a dot in its name for a file
(https://github.com/microsoft/vscode/issues/108257). Their URLs open folders alone and need one
(https://github.com/microsoft/vscode-remote-release/issues/656). An alias of ours stands in the
authority as it is: it is lower case, as VS Code makes all authorities.

Zed takes ``ssh://ALIAS/folder`` and ``zed://ssh/ALIAS/folder``, and runs ssh
(https://zed.dev/docs/remote-development, crates/zed/src/zed/open_listener.rs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Editor:
    """An editor.

    :ivar name: how it is named on our command line.
    :ivar title: how people call it.
    :ivar programs: its command, under each name that it may have on PATH.
    :ivar scheme: of its URLs.
    :ivar asks_platform: whether it asks for the platform of a new host.
    """

    name: str
    title: str
    programs: tuple[str, ...]
    scheme: str
    asks_platform: bool = False

    def words(self, program: str, alias: str, folder: str) -> list[str]:
        """The command line.

        :param program: its command, as it was found.
        :param folder: a path that begins with "/"; "" for none, which opens an empty window.
        """
        if self is ZED:
            return [program, f"ssh://{alias}{_quoted(folder or '/')}"]
        if not folder:
            return [program, "--remote", f"ssh-remote+{alias}"]
        return [program, "--folder-uri", f"vscode-remote://ssh-remote+{alias}{_quoted(folder)}"]

    def url(self, alias: str, folder: str) -> str:
        """The URL that makes the editor open the folder; an empty window has none, so "/" is."""
        path = _quoted(folder or "/")
        if self is ZED:
            return f"{self.scheme}://ssh/{alias}{path}"
        return f"{self.scheme}://vscode-remote/ssh-remote+{alias}{path}"


def _quoted(path: str) -> str:
    """The path in the ASCII of a URI, whatever its bytes; nothing is left that cmd.exe reads."""
    return quote(path.encode("utf-8", "surrogateescape"))


CODE = Editor("code", "VS Code", ("code",), "vscode", asks_platform=True)
INSIDERS = Editor(
    "code-insiders", "VS Code Insiders", ("code-insiders",), "vscode-insiders", asks_platform=True
)
CODIUM = Editor("codium", "VSCodium", ("codium",), "vscodium")
CURSOR = Editor("cursor", "Cursor", ("cursor",), "cursor")
WINDSURF = Editor("windsurf", "Windsurf", ("windsurf",), "windsurf")
# Several distributions call it zeditor, as zed is a daemon of ZFS: https://www.kali.org/tools/zeditor
ZED = Editor("zed", "Zed", ("zeditor", "zed"), "zed")

EDITORS = {one.name: one for one in (CODE, INSIDERS, CODIUM, CURSOR, WINDSURF, ZED)}
"""All of them by name; where none is asked for, the first one that is there is taken."""

# macOS tells each program in which application it was started.
_BUNDLES = {
    "com.microsoft.VSCode": CODE,
    "com.microsoft.VSCodeInsiders": INSIDERS,
    "com.vscodium": CODIUM,
    "com.vscodium.codium": CODIUM,
    "com.todesktop.230313mzl4w4u92": CURSOR,
    "com.exafunction.windsurf": WINDSURF,
    "dev.zed.Zed": ZED,
}
# The program that runs an editor's askpass, such as codium, Cursor.exe or "Code - Insiders".
_NAMES = (
    ("insiders", INSIDERS),
    ("codium", CODIUM),
    ("cursor", CURSOR),
    ("windsurf", WINDSURF),
)


def around(environ: Mapping[str, str]) -> Editor | None:
    """The editor in whose terminal this program runs, as far as it tells; None outside of one.

    All of VS Code's family say ``TERM_PROGRAM=vscode``
    (https://github.com/microsoft/vscode/issues/170430, https://github.com/cursor/cursor/issues/1760);
    what tells them apart is macOS' name of the application, Cursor's CURSOR_TRACE_ID, the program
    that git's askpass runs in (extensions/git/src/askpass.ts) and the version, which of Insiders
    ends in "-insider". Zed says its own name (crates/terminal/src/terminal.rs).
    """
    terminal = environ.get("TERM_PROGRAM", "").lower()
    if terminal == ZED.name:
        return ZED
    if terminal != "vscode":
        return None
    if found := _BUNDLES.get(environ.get("__CFBundleIdentifier", "")):
        return found
    if environ.get("CURSOR_TRACE_ID"):
        return CURSOR
    runs = re.split(r"[/\\]", environ.get("VSCODE_GIT_ASKPASS_NODE", ""))[-1].lower()
    for part, editor in _NAMES:
        if part in runs:
            return editor
    if environ.get("TERM_PROGRAM_VERSION", "").endswith("-insider"):
        return INSIDERS
    return CODE


def is_remote_terminal(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is that of a window on another machine, where the editor is not."""
    return environ.get("TERM_PROGRAM") == "vscode" and "VSCODE_IPC_HOOK_CLI" in environ
