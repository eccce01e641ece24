from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.ssh import editor_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def write(home: Path, text: str | bytes, folder: str = "Code") -> None:
    file = home / ".config" / folder / "User" / "settings.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def told(home: Path) -> list[str]:
    root = editor_settings.settings_root(home, "linux", {})
    return editor_settings.notes(home / ".ssh" / "config", root, home)


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, "/home/me/.config"),
        ("linux", {"XDG_CONFIG_HOME": "/else"}, "/else"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, "/home/me/.config"),
        ("darwin", {"XDG_CONFIG_HOME": "/else"}, "/home/me/Library/Application Support"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming"),
        ("win32", {}, "/home/me/AppData/Roaming"),
    ],
)
def test_where_settings_are(platform: str, environ: dict[str, str], folder: str) -> None:
    assert editor_settings.settings_root(Path("/home/me"), platform, environ) == Path(folder)


def test_another_config_is_told_with_the_flag_that_fits(home: Path) -> None:
    write(home, '{"remote.SSH.configFile": "/data/ssh config"}')
    assert told(home) == [
        "VS Code reads /data/ssh config, as the setting remote.SSH.configFile says, and not "
        f"{home}/.ssh/config: to be in the host picker there, connect with "
        "--ssh-config '/data/ssh config'"
    ]


def test_editors_that_agree_are_told_together(home: Path) -> None:
    for folder in ("Code", "Code - Insiders", "Cursor"):
        write(home, '{"remote.SSH.configFile": "/data/config"}', folder)
    write(home, '{"remote.SSH.configFile": "~/other"}', "Windsurf")
    first, second = told(home)
    assert first.startswith("VS Code and VS Code Insiders and Cursor read /data/config,")
    assert second.startswith(f"Windsurf reads {home}/other,")


@pytest.mark.parametrize(
    "text",
    [
        '{\n  // "remote.SSH.configFile": "/no",\n  "remote.SSH.configFile": "/data/config", //\n}',
        '{ /* a */ "a": "// \\" /*", "remote.SSH.configFile": "/data/config", "b": [1, 2,], }',
        '\ufeff{"remote.SSH.configFile"/**/:/*"*/"/data/config"}',
        '{"a": "x,}", "remote.SSH.configFile": "/data/config", // last\n }\n// end',
    ],
)
def test_comments_and_trailing_commas(home: Path, text: str) -> None:
    write(home, text)
    (note,) = told(home)
    assert note.endswith("--ssh-config /data/config")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"remote.SSH.configFile": ""}',
        '{"remote.SSH.configFile": null}',
        '{"remote.SSH.configFile": 5}',
        '{"remote.SSH.configFile": ["/data/config"]}',
        '{"remote.SSH.configFile": "relative/config"}',
        '{"remote.SSH.configFile": "/data/\\u001b[31mconfig"}',
        '{"remote.SSH.configFile": "/work\\n/config"}',
        '{"remote.SSH.configFile": "/data/' + "x" * 2000 + '"}',
        '{"remote.SSH.configFile": "/data/config"',
        '{"a": "',
        "/* " * 1000,
        "[" * 100_000,
        '"' * 100_001,
        '\\"' * 100_000,
        b"\xff\xfe{\x00",
    ],
)
def test_what_is_broken_or_names_nothing_is_passed_over(home: Path, text: str | bytes) -> None:
    write(home, text)
    assert told(home) == []


def test_settings_that_cannot_be_read_are_passed_over(home: Path) -> None:
    (home / ".config" / "Code" / "User" / "settings.json").mkdir(parents=True)
    (home / ".config" / "Cursor").symlink_to("Cursor")
    assert told(home) == []


def test_the_config_itself_by_another_name_is_no_other(home: Path) -> None:
    (home / "link").symlink_to(".ssh/config")
    for name in ("~/.ssh/config", f"{home}/link", f"{home}/.ssh/../.ssh/config"):
        write(home, json.dumps({"remote.SSH.configFile": name}))
        assert told(home) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\/*,{}[]\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON)
def test_plain_json_keeps_its_meaning(value: object) -> None:
    text = json.dumps(value, indent=1)
    assert json.loads(editor_settings._plain_json(text)) == value


class TestOneEditor:
    def unread(self, home: Path, config: str, editor: str = "VS Code") -> str | None:
        root = editor_settings.settings_root(home, "linux", {})
        return editor_settings.unread(editor, Path(config), root, home)

    def test_the_usual_config(self, home: Path) -> None:
        assert self.unread(home, f"{home}/.ssh/config") is None
        assert self.unread(home, f"{home}/.ssh/config", "Zed") is None
        write(home, '{"remote.SSH.configFile": "/data/config"}', "Cursor")
        assert self.unread(home, f"{home}/.ssh/config") is None

    def test_another_config(self, home: Path) -> None:
        assert self.unread(home, "/data/config") == (
            f"VS Code reads {home}/.ssh/config and not /data/config, unless its setting "
            "remote.SSH.configFile names that: it does not know the host"
        )
        write(home, '{"remote.SSH.configFile": "/data/config"}')
        assert self.unread(home, "/data/config") is None
        told = self.unread(home, f"{home}/.ssh/config")
        assert told
        assert told.startswith(f"VS Code reads /data/config and not {home}/.ssh/config")

    def test_zed_has_no_such_setting(self, home: Path) -> None:
        assert self.unread(home, "/data/config", "Zed") == (
            f"Zed reads {home}/.ssh/config and not /data/config: it does not know the host"
        )


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        ("{}", True),
        ("nonsense", True),
        ("[]", True),
        ('{"remote.SSH.remotePlatform": "linux"}', True),
        ('{"remote.SSH.remotePlatform": {"other": "linux", 7: 8}}', True),
        ('{"remote.SSH.remotePlatform": {"other": "linux"}}', True),
        ('{"remote.SSH.remotePlatform": {"dev.default.kind": "linux"}}', False),
        ('{"remote.SSH.remotePlatform": {"*.kind": "linux"}}', False),
        ('{"remote.SSH.remotePlatform": {"Dev.*": "linux"}} // mine', False),
    ],
)
def test_platform_of_a_new_host(settings: str, is_told: bool, home: Path) -> None:
    write(home, settings)
    told = editor_settings.platform_note("VS Code", "dev.default.kind", home / ".config")
    assert bool(told) is is_told
    if told:
        assert '"remote.SSH.remotePlatform": {"dev.default.kind": "linux"}' in told
