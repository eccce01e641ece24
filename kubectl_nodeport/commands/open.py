"""open: an editor on a host that was connected to, and a folder there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubectl_nodeport import editor as editors
from kubectl_nodeport.commands.connect import Connected
from kubectl_nodeport.editor import Editor

# Finds a program on PATH, as shutil.which does.
Which = Callable[[str], "str | None"]


@dataclass(frozen=True, slots=True)
class Found:
    """An editor, and its command's path; None where it is not on PATH."""

    editor: Editor
    program: str | None


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be opened. ``folder`` is "" where none is known."""

    found: Found
    alias: str
    folder: str

    @property
    def words(self) -> list[str]:
        """The command line; empty where the editor is not on PATH."""
        found = self.found
        return found.editor.words(found.program, self.alias, self.folder) if found.program else []

    @property
    def url(self) -> str:
        """The same as a URL."""
        return self.found.editor.url(self.alias, self.folder)


def choose_editor(name: str | None, environ: Mapping[str, str], which: Which) -> Found:
    """The editor of this name; else the one around us, else the first one on PATH, else VS Code."""
    asked = editors.EDITORS[name] if name else editors.around(environ)
    if asked is not None:
        return Found(asked, _program(asked, which))
    for each in editors.EDITORS.values():
        if program := _program(each, which):
            return Found(each, program)
    return Found(editors.CODE, None)


def opening(done: Connected, found: Found, folder: str | None) -> Opening:
    """Where the editor is opened.

    :param folder: as asked for; else it is the one in which the container's commands start, unless
        that is "/", where images without one start, else the user's home.
    """
    starts_in = done.folder if done.folder != "/" else ""
    return Opening(found, done.entry.alias, folder or starts_in or done.home)


def _program(editor: Editor, which: Which) -> str | None:
    return next((path for name in editor.programs if (path := which(name))), None)
