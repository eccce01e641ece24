"""The command lines and URLs of editors, and the editor whose terminal this is."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.editor import EDITORS, around, is_remote_terminal

ALIAS = "dev.default.docker-desktop"
HOST = f"vscode-remote://ssh-remote+{ALIAS}"
WINDOWS = r"C:\Users\Ann Lee\AppData\Local\Programs\Microsoft VS Code\bin\code.cmd"


@pytest.mark.parametrize(
    ("name", "program", "folder", "words"),
    [
        ("code", "/usr/bin/code", "/work", ["--folder-uri", f"{HOST}/work"]),
        ("code", WINDOWS, "/work", ["--folder-uri", f"{HOST}/work"]),
        ("code", "/usr/bin/code", "", ["--remote", f"ssh-remote+{ALIAS}"]),
        ("code", "/usr/bin/code", "/", ["--folder-uri", f"{HOST}/"]),
        ("code", "/usr/bin/code", "/a b/é.d", ["--folder-uri", f"{HOST}/a%20b/%C3%A9.d"]),
        ("code", "/usr/bin/code", "/a\udcffb", ["--folder-uri", f"{HOST}/a%FFb"]),
        ("code-insiders", "/x/code-insiders", "/work", ["--folder-uri", f"{HOST}/work"]),
        ("codium", "/x/codium", "/work", ["--folder-uri", f"{HOST}/work"]),
        ("cursor", "/x/cursor", "/work", ["--folder-uri", f"{HOST}/work"]),
        ("windsurf", "/x/windsurf", "/work", ["--folder-uri", f"{HOST}/work"]),
        ("zed", "/x/zeditor", "/work", [f"ssh://{ALIAS}/work"]),
        ("zed", "/x/zed", "/a b/é", [f"ssh://{ALIAS}/a%20b/%C3%A9"]),
        ("zed", "/x/zed", "", [f"ssh://{ALIAS}/"]),
    ],
)
def test_command_lines(name: str, program: str, folder: str, words: list[str]) -> None:
    assert EDITORS[name].words(program, ALIAS, folder) == [program, *words]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("code", f"vscode://vscode-remote/ssh-remote+{ALIAS}"),
        ("code-insiders", f"vscode-insiders://vscode-remote/ssh-remote+{ALIAS}"),
        ("codium", f"vscodium://vscode-remote/ssh-remote+{ALIAS}"),
        ("cursor", f"cursor://vscode-remote/ssh-remote+{ALIAS}"),
        ("windsurf", f"windsurf://vscode-remote/ssh-remote+{ALIAS}"),
        ("zed", f"zed://ssh/{ALIAS}"),
    ],
)
def test_urls(name: str, url: str) -> None:
    assert EDITORS[name].url(ALIAS, "/a b") == f"{url}/a%20b"
    assert EDITORS[name].url(ALIAS, "") == f"{url}/"


@pytest.mark.parametrize("name", EDITORS)
@given(path=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_path_comes_back_whole_and_its_uri_is_harmless(name: str, path: str) -> None:
    folder = f"/{path}"
    for uri in (EDITORS[name].words("x", ALIAS, folder)[-1], EDITORS[name].url(ALIAS, folder)):
        assert uri.isascii()
        assert not set(uri) & set(" \t\r\n\"'&|<>^()!;,`$\\?#")
        parts = urlsplit(uri)
        assert (parts.query, parts.fragment) == ("", "")
        assert unquote(parts.path).endswith(folder)


def asked_by(program: str) -> dict[str, str]:
    return {"TERM_PROGRAM": "vscode", "VSCODE_GIT_ASKPASS_NODE": program}


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, None),
        ({"TERM_PROGRAM": "iTerm.app", "VISUAL": "code -w", "CURSOR_TRACE_ID": "x"}, None),
        ({"TERM_PROGRAM": "vscode"}, "code"),
        ({"TERM_PROGRAM": "vscode", "TERM_PROGRAM_VERSION": "1.105.0"}, "code"),
        (
            {"TERM_PROGRAM": "vscode", "TERM_PROGRAM_VERSION": "1.106.0-insider"},
            "code-insiders",
        ),
        (
            {"TERM_PROGRAM": "vscode", "__CFBundleIdentifier": "com.microsoft.VSCode"},
            "code",
        ),
        (
            {"TERM_PROGRAM": "vscode", "__CFBundleIdentifier": "com.exafunction.windsurf"},
            "windsurf",
        ),
        ({"TERM_PROGRAM": "vscode", "__CFBundleIdentifier": "com.apple.Terminal"}, "code"),
        ({"TERM_PROGRAM": "vscode", "CURSOR_TRACE_ID": "1d"}, "cursor"),
        (asked_by("/usr/share/code/code"), "code"),
        (asked_by("/usr/share/code-insiders/code-insiders"), "code-insiders"),
        (asked_by(r"C:\Programs\Microsoft VS Code Insiders\Code - Insiders.exe"), "code-insiders"),
        (asked_by("/usr/share/codium/codium"), "codium"),
        (asked_by(r"C:\Programs\VSCodium\VSCodium.exe"), "codium"),
        (asked_by("/usr/share/cursor/cursor"), "cursor"),
        (asked_by("/usr/share/windsurf/windsurf"), "windsurf"),
        (asked_by("/home/cursor/.vscode-server/bin/1d/node"), "code"),
        ({"TERM_PROGRAM": "zed", "ZED_TERM": "true"}, "zed"),
    ],
)
def test_whose_terminal(environ: dict[str, str], name: str | None) -> None:
    found = around(environ)
    assert (found and found.name) == name


def test_a_terminal_on_another_machine() -> None:
    assert is_remote_terminal({"TERM_PROGRAM": "vscode", "VSCODE_IPC_HOOK_CLI": "/tmp/x"})
    assert not is_remote_terminal({"TERM_PROGRAM": "vscode"})
    assert not is_remote_terminal({"VSCODE_IPC_HOOK_CLI": "/tmp/x"})
