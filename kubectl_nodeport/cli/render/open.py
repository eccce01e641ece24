"""What open says beside what connect does. Pure."""

from __future__ import annotations

from kubectl_nodeport.commands.open import Opening


def as_line(opening: Opening) -> str:
    """What is opened where, for a reader."""
    editor, where = opening.found.editor, opening.folder or "a window"
    if opening.found.program is None:
        command = editor.programs[-1]
        return (
            f"{command} is not on PATH; this URL opens {where} on {opening.alias} in {editor.title}"
        )
    return f"opening {where} on {opening.alias} in {editor.title}"
