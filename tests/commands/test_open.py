"""Which editor is opened on which folder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_nodeport.cli.render.open import as_line
from kubectl_nodeport.commands.open import Found, Opening, choose_editor, opening
from kubectl_nodeport.editor import CODE, CURSOR, ZED
from tests.commands.world import World

IN_VS_CODE = {"TERM_PROGRAM": "vscode"}
ALIAS = "dev.default.docker-desktop"


@pytest.mark.parametrize(
    ("name", "environ", "on_path", "editor", "program"),
    [
        (None, {}, [], "code", None),
        (None, {}, ["codium", "zed"], "codium", "/bin/codium"),
        (None, {}, ["zed", "windsurf"], "windsurf", "/bin/windsurf"),
        (None, {}, ["zed"], "zed", "/bin/zed"),
        (None, {}, ["zed", "zeditor"], "zed", "/bin/zeditor"),
        (None, {"VISUAL": "zed", "EDITOR": "vi"}, ["code", "zed"], "code", "/bin/code"),
        (None, IN_VS_CODE, ["codium", "code"], "code", "/bin/code"),
        (None, IN_VS_CODE, ["codium"], "code", None),
        (None, {"TERM_PROGRAM": "zed"}, ["code", "zed"], "zed", "/bin/zed"),
        ("cursor", IN_VS_CODE, ["code", "cursor"], "cursor", "/bin/cursor"),
        ("cursor", {}, ["code"], "cursor", None),
    ],
)
def test_which_editor(
    name: str | None, environ: dict[str, str], on_path: list[str], editor: str, program: str | None
) -> None:
    found = choose_editor(name, environ, lambda each: f"/bin/{each}" if each in on_path else None)
    assert (found.editor.name, found.program) == (editor, program)


@pytest.mark.parametrize(
    ("asked", "starts_in", "home", "folder"),
    [
        ("/there", "/work", "/root", "/there"),
        (None, "/work", "/root", "/work"),
        (None, "/", "/root", "/root"),
        ("/", "/work", "/root", "/"),
        (None, "", "/root", "/root"),
        (None, "", "", ""),
        (None, "/", "", ""),
    ],
)
def test_which_folder(asked: str | None, starts_in: str, home: str, folder: str) -> None:
    done = replace(World().connect(), folder=starts_in, home=home)
    assert opening(done, Found(CODE, None), asked).folder == folder


def test_connect_tells_the_folder() -> None:
    assert World().connect().folder == "/srv"


def test_how_it_is_opened() -> None:
    there = Opening(Found(CURSOR, "/bin/cursor"), ALIAS, "/work")
    uri = f"vscode-remote://ssh-remote+{ALIAS}/work"
    assert there.words == ["/bin/cursor", "--folder-uri", uri]
    assert as_line(there) == f"opening /work on {ALIAS} in Cursor"
    assert as_line(replace(there, folder="")) == f"opening a window on {ALIAS} in Cursor"
    missing = replace(there, found=Found(ZED, None))
    assert missing.words == []
    assert missing.url == f"zed://ssh/{ALIAS}/work"
    assert as_line(missing) == (f"zed is not on PATH; this URL opens /work on {ALIAS} in Zed")
