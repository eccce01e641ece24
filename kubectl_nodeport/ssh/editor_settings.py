"""Which ssh config the editors of the VS Code family read, where their settings name one."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubectl_nodeport.ssh.names import has_control

_SETTING = "remote.SSH.configFile"
_PLATFORM = "remote.SSH.remotePlatform"
# Editors and their folders: https://code.visualstudio.com/docs/configure/settings for the first,
# the others are named after it.
_EDITORS = (
    ("VS Code", "Code"),
    ("VS Code Insiders", "Code - Insiders"),
    ("VSCodium", "VSCodium"),
    ("Cursor", "Cursor"),
    ("Windsurf", "Windsurf"),
)
_MAX_BYTES = 1024 * 1024
_MAX_PATH_CHARS = 1024
# A string, or a comment; what is not closed goes to the end, so that no letter is read twice.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*(?:"|\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*(?:"|\Z))|,(?=\s*[}\]])', re.DOTALL)


def settings_root(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """The folder in which each editor has one of its own.

    :param platform: as ``sys.platform`` says it.
    """
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    named = environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if os.path.isabs(named) else home / ".config"  # noqa: PTH117 - may be ""


def notes(config: Path, root: Path, home: Path) -> list[str]:
    """What to tell of editors that read another ssh config than the one that is written.

    Settings that are missing, broken or unreadable are passed over: they are not ours to judge.

    :param config: the config that is written.
    :param root: see :func:`settings_root`.
    :param home: what ``~`` means.
    """
    found: dict[Path, list[str]] = {}
    for editor, folder in _EDITORS:
        named = _named(root / folder / "User" / "settings.json", home)
        if named is not None and not _is_same(named, config):
            found.setdefault(named, []).append(editor)
    return [
        f"{' and '.join(editors)} read{'s' if len(editors) == 1 else ''} {path}, as the setting "
        f"{_SETTING} says, and not {config}: to be in the host picker there, connect with "
        f"--ssh-config {shlex.quote(str(path))}"
        for path, editors in found.items()
    ]


def unread(editor: str, config: Path, root: Path, home: Path) -> str | None:
    """What to tell where one editor reads another ssh config than the one that is written.

    :param editor: as people call it; the others as for :func:`notes`.
    """
    settings = _settings_of(editor, root)
    read = (settings and _named(settings, home)) or home / ".ssh" / "config"
    if _is_same(read, config):
        return None
    how = f", unless its setting {_SETTING} names that" if settings else ""
    return f"{editor} reads {read} and not {config}{how}: it does not know the host"


def platform_note(editor: str, alias: str, root: Path) -> str | None:
    """What to tell where the editor may ask for the platform of a new host; None if it is set.

    Patterns count since November 2023: https://github.com/microsoft/vscode-remote-release/issues/9191
    """
    settings = _settings_of(editor, root)
    known = _read(settings).get(_PLATFORM) if settings else None
    patterns = known if isinstance(known, Mapping) else {}
    if any(fnmatch.fnmatchcase(alias, str(pattern).lower()) for pattern in patterns):
        return None
    return (
        f"{editor} may ask for the host's platform, which is Linux; it does not with "
        f'"{_PLATFORM}": {{"{alias}": "linux"}} in its settings, or {{"*": "linux"}} for all hosts'
    )


def _settings_of(editor: str, root: Path) -> Path | None:
    folder = dict(_EDITORS).get(editor)
    return root / folder / "User" / "settings.json" if folder else None


def _read(settings: Path) -> Mapping[str, Any]:
    """The settings; none where they are missing, broken or too long."""
    try:
        with settings.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)[:_MAX_BYTES].decode("utf-8-sig")
        value = json.loads(_plain_json(text))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _named(settings: Path, home: Path) -> Path | None:
    value = _read(settings).get(_SETTING)
    if not isinstance(value, str) or has_control(value) or len(value) > _MAX_PATH_CHARS:
        return None
    if value.startswith(("~/", "~\\")):
        return home / value[2:]
    return Path(value) if Path(value).is_absolute() else None


def _plain_json(text: str) -> str:
    """Without the comments and the trailing commas that these settings may have."""
    bare = "".join(_pieces(text))
    return _TRAILING_COMMA.sub(lambda found: found[1] or "", bare)


def _pieces(text: str) -> Iterator[str]:
    end = 0
    for token in _TOKEN.finditer(text):
        yield text[end : token.start()]
        yield token[0] if token[0].startswith('"') else " "
        end = token.end()
    yield text[end:]


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
