"""The editors of this machine: which is there, and what it has to be told of."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from kubectl_nodeport.address.local import local_facts
from kubectl_nodeport.editor import is_remote_terminal
from kubectl_nodeport.ssh import editor_settings
from kubectl_nodeport.ssh.location import home, named_config_path

if TYPE_CHECKING:
    from kubectl_nodeport.commands.connect import Connected
    from kubectl_nodeport.commands.open import Found


def find(name: str | None) -> Found:
    """The editor of this name, else the one that is there."""
    from kubectl_nodeport.commands.open import choose_editor

    return choose_editor(name, os.environ, shutil.which)


def other_configs(ssh_config: str | None) -> list[str]:
    """What to tell of editors that read another ssh configuration file than the one written."""
    root = editor_settings.settings_root(home(), sys.platform, os.environ)
    return editor_settings.notes(named_config_path(ssh_config), root, home())


def notes_on(found: Found, done: Connected, ssh_config: str | None) -> list[str]:
    """What to tell of the editor that is to open a host, before it does."""
    editor, alias = found.editor, done.entry.alias
    root = editor_settings.settings_root(home(), sys.platform, os.environ)
    config = named_config_path(ssh_config)
    told = [editor_settings.unread(editor.title, config, root, home())]
    if editor.asks_platform and done.entry_change == "created":
        told.append(editor_settings.platform_note(editor.title, alias, root))
    if is_remote_terminal(os.environ) and not local_facts().wsl:
        told.append(
            f"this terminal is that of a window on another machine than {editor.title}'s own, "
            f"which does not know the host {alias}: open it from a terminal there"
        )
    return [one for one in told if one]
