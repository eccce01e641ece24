"""The line that is named, held against the real ssh."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from kubectl_nodeport.ssh import openssh, whole_file, winner
from kubectl_nodeport.ssh.winner import LostError, Place, Setting
from tests.ssh.generated import ADDING, ALIAS, SINGLE, configs, write_all
from tests.ssh.installed import version


def ask(config: Path, alias: str = ALIAS) -> dict[str, list[str]]:
    (answer,) = openssh.effective([openssh.Question(config, alias)])
    return dict(answer)


def read(path: str) -> str:
    return (whole_file.read_some(Path(path), 1 << 20) or b"").decode("utf-8", "surrogateescape")


def found_in(config: Path, alias: str = ALIAS) -> tuple[Setting, ...]:
    said = openssh.trace(openssh.Question(config, alias))
    return winner.settings(said, read, str(config))


def value(setting: Setting) -> str:
    return setting.rest.strip().strip('"')


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(config=configs(), a=configs(), b=configs())
def test_the_named_line_holds_the_value_that_ssh_uses(
    tmp_path_factory: pytest.TempPathFactory, config: list[str], a: list[str], b: list[str]
) -> None:
    main = write_all(tmp_path_factory.mktemp("any"), config, a, b)
    effective = ask(main)
    lines = found_in(main)
    unset = ask(Path(os.devnull))
    for keyword in map(str.lower, SINGLE):
        place = winner.winning(lines, keyword)
        named = [value(setting) for setting in lines if setting.place == place][:1]
        expected = unset.get(keyword) if place is None else named
        assert effective.get(keyword) == expected, (keyword, place)
    for keyword in map(str.lower, ADDING):
        own = set(effective.get(keyword, [])) - set(unset.get(keyword, []))
        found = {value(setting) for setting in lines if setting.keyword == keyword}
        assert own == found, keyword


# Files, of which `config` is read; {here} is their folder. An option, and the line that decides it.
PLACES: dict[str, tuple[dict[str, str], str, str]] = {
    "global": ({"config": "# x\n\nUser me\nHost *\n  User you\n"}, "user", "config:3"),
    "first wins": ({"config": "Host *\n  User a\nHost dev*\n  User b\n"}, "user", "config:2"),
    "negated": ({"config": "Host * !dev*\n  User a\nHost dev*\n  User b\n"}, "user", "config:4"),
    "negated later": (
        {"config": "Host dev* !*.kind\n User a\nHost *\n User b"},
        "user",
        "config:4",
    ),
    "case of a name": ({"config": "Host DEV*\n User a\nHost *\n User b\n"}, "user", "config:4"),
    "case of Match host": (
        {"config": "Match host DEV*\n User a\nHost *\n User b"},
        "user",
        "config:2",
    ),
    "question mark": ({"config": "Host dev.default.kin?\n User a\n"}, "user", "config:2"),
    "brackets are no pattern": (
        {"config": "Host de[v]*\n User a\nHost *\n User b"},
        "user",
        "config:4",
    ),
    "equals": ({"config": "user=a\nUser b\n"}, "user", "config:1"),
    "equals with blanks": ({"config": "\tUser = a\nUser b\n"}, "user", "config:1"),
    "a quoted keyword": ({"config": '"User" a\nUser b\n'}, "user", "config:1"),
    "a comment with blanks": ({"config": "  # User a\n \t#User b\nUser c\n"}, "user", "config:3"),
    "CRLF": ({"config": "\r\nUser a\r\nUser b\r\n"}, "user", "config:2"),
    "no line end": ({"config": "Host *\nUser a"}, "user", "config:2"),
    "form feed": ({"config": "User a\f\nUser b\n"}, "user", "config:1"),
    "line separators of Unicode": ({"config": "# \u2028\x0b\x85 x\nUser a\n"}, "user", "config:2"),
    "another spelling": ({"config": "DSAAuthentication no\n"}, "pubkeyauthentication", "config:1"),
    "a value that sets nothing": (
        {"config": "ServerAliveInterval none\nServerAliveInterval 7\n"},
        "serveraliveinterval",
        "config:2",
    ),
    "include": ({"config": "# x\nInclude {here}/a\n", "a": "\nUser a\n"}, "user", "a:2"),
    "include in quotes": ({"config": 'Include "{here}/a b"\n', "a b": "User a\n"}, "user", "a b:1"),
    "include with equals": ({"config": "INCLUDE={here}/a\n", "a": "User a\n"}, "user", "a:1"),
    "include of several": (
        {"config": "Include {here}/a {here}/b\n", "a": "Port 1\n", "b": "Port 2\nUser b\n"},
        "user",
        "b:2",
    ),
    "include by a glob": (
        {"config": "Include {here}/*.conf\n", "b.conf": "User b\n", "a.conf": "\nUser a\n"},
        "user",
        "a.conf:2",
    ),
    "includes within each other": (
        {"config": "Include {here}/a\nUser x\n", "a": "Include {here}/b\n", "b": "#\n#\nUser b\n"},
        "user",
        "b:3",
    ),
    "include after a section": (
        {"config": "Host other\n Include {here}/a\nUser x\n", "a": "User a\nHost *\n User b\n"},
        "user",
        "",
    ),
    "include in a section of others": (
        {"config": "Host other\n Include {here}/a\nHost *\n User x\n", "a": "Match all\n User a\n"},
        "user",
        "config:4",
    ),
    "the section goes on after an include": (
        {"config": "Host dev*\n Include {here}/a\n User x\n", "a": "Host other\n User a\n"},
        "user",
        "config:3",
    ),
    "the same file twice": (
        {"config": "Host other\n Include {here}/a\nHost *\n Include {here}/a\n", "a": "User a\n"},
        "user",
        "a:1",
    ),
    "a folder is passed over": (
        {"config": "Include {here} {here}/a\n", "a": "User a\n"},
        "user",
        "a:1",
    ),
    "Match all": ({"config": "Match all\n User a\n"}, "user", "config:2"),
    "Match host after HostName": (
        {"config": "HostName 10.0.0.1\nMatch host dev*\n User a\nMatch host 10.*\n User b\n"},
        "user",
        "config:5",
    ),
    "Match originalhost": (
        {"config": "HostName 10.0.0.1\nMatch originalhost dev*\n User a\n"},
        "user",
        "config:3",
    ),
    "Match user": ({"config": "User a\nMatch user a\n Port 7\n"}, "port", "config:3"),
    "Match localuser": ({"config": "Match localuser nobody-here\n Port 7\nPort 8\n"}, "port", ""),
    "Match exec": (
        {"config": 'Match exec "false"\n Port 7\nMatch exec "true"\n Port 8'},
        "port",
        "config:4",
    ),
    "Match exec with tokens": (
        {"config": 'Match exec "test %n = dev.default.kind"\n Port 7\n'},
        "port",
        "config:2",
    ),
    "Match negated": ({"config": "Match !host other\n Port 7\n"}, "port", "config:2"),
    "Match final": (
        {"config": "Match final all\n Port 7\nHost *\n User a\nMatch final host *\n User b\n"},
        "port",
        "config:2",
    ),
    "Match final comes too late for the name": (
        {"config": "Match final all\n HostName 10.0.0.1\n"},
        "hostname",
        "",
    ),
    "Match final is late": (
        {"config": "Match final all\n User a\nHost *\n User b\n"},
        "user",
        "config:4",
    ),
    "made canonical": (
        {"config": "CanonicalizeHostname yes\nHostName 10.0.0.1\nMatch canonical\n User a\n"},
        "user",
        "config:4",
    ),
    "an exec that talks": (
        {"config": 'Match exec "echo debug2: match found >&2; false"\n Port 7\nPort 8\n'},
        "port",
        "",
    ),
}


# What only newer versions read.
NEWER: dict[str, tuple[dict[str, str], str, str]] = {
    "Match tagged": (
        {"config": "Tag web\nMatch tagged mail\n User a\nMatch tagged=web\n User b\n"},
        "user",
        "config:5",
    ),
    "Match localnetwork": (
        {
            "config": "Match localnetwork 240.0.0.0/8\n User a\n"
            "Match localnetwork 127.0.0.0/8\n User b\n"
        },
        "user",
        "config:4",
    ),
    "Match version and sessiontype": (
        {"config": "Match version Open* sessiontype shell command ''\n User a\n"},
        "user",
        "config:2",
    ),
    "Include with tokens and variables": (
        {"config": "Include {here}/*%n-${LC_ALL}\n", f"x{ALIAS}-C": "\nUser a\n"},
        "user",
        f"x{ALIAS}-C:2",
    ),
}


@pytest.mark.parametrize(("files", "keyword", "expected"), NEWER.values(), ids=NEWER)
def test_places_of_newer_versions(
    tmp_path: Path, files: dict[str, str], keyword: str, expected: str
) -> None:
    try:
        test_places(tmp_path, files, keyword, expected)
    except (openssh.SshRefusedError, AssertionError):
        if version() >= (10, 1):
            raise
        pytest.skip("this ssh is older than 10.1")


@pytest.mark.parametrize(("files", "keyword", "expected"), PLACES.values(), ids=PLACES)
def test_places(tmp_path: Path, files: dict[str, str], keyword: str, expected: str) -> None:
    if "Match final" in files["config"] and version() < (8, 0):
        pytest.skip("this ssh is older than Match final")
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.replace("{here}", str(tmp_path)).encode())
        (tmp_path / name).chmod(0o600)
    try:
        place = winner.winning(found_in(tmp_path / "config"), keyword)
    except LostError:
        place = None
    if not expected:
        assert place is None
        return
    name, _, line = expected.rpartition(":")
    assert place == Place(str(tmp_path / name), int(line))


def test_a_long_name_is_cut_by_ssh(tmp_path: Path) -> None:
    folder = tmp_path / ("ö" * 20 + "x" * 180)
    folder.mkdir()
    (folder / "config").write_text(f"Include {folder}/in*\nMatch all\n  Port 1\n")
    (folder / "in\\cluded").write_text("Host dev*\n  User a\n")
    (folder / "in\\cluded").chmod(0o600)
    lines = found_in(folder / "config")
    assert winner.winning(lines, "user") == Place(str(folder / "in\\cluded"), 2)
    assert winner.winning(lines, "port") == Place(str(folder / "config"), 3)


def test_sixteen_files_within_each_other(tmp_path: Path) -> None:
    for depth in range(17):
        path = tmp_path / f"c{depth}"
        last = depth == 16
        path.write_text("#\nUser deep\n" if last else f"Include {tmp_path}/c{depth + 1}\n")
        path.chmod(0o600)
    assert winner.winning(found_in(tmp_path / "c0"), "user") == Place(str(tmp_path / "c16"), 2)
    (tmp_path / "c16").write_text(f"User deep\nInclude {tmp_path}/c0\n")
    with pytest.raises(openssh.SshRefusedError, match="Too many recursive configuration includes"):
        ask(tmp_path / "c0")


# As 7.6 writes it, with carriage returns, and what a Match exec says in between.
SAID = """\
debug1: Reading configuration data /c\r
debug1: /c line 1: Applying options for *\r
debug3: /c line 2: Including file /a depth 0\r
debug1: Reading configuration data /a\r
debug2: checking match for 'exec "x"' host h originally h\r
debug1: Executing command: 'x'\r
some wordsdebug3: command returned status 1\r
debug3: /a line 1: not matched 'exec "x"' \r
unfinished debug2: match not found\r
"""
TEXTS = {"/c": "Host *\nInclude a\nUser c\n", "/a": 'Match exec "x"\nUser a\n'}


def test_what_ssh_says_is_read_along() -> None:
    found = winner.settings(SAID, TEXTS.__getitem__, "/c")
    assert found == (Setting(Place("/c", 3), "user", "c"),)


@pytest.mark.parametrize(
    "texts",
    [
        {**TEXTS, "/a": ""},
        {**TEXTS, "/a": "Match all\nMatch all\n"},
        {**TEXTS, "/c": "#\n" + TEXTS["/c"]},
        {**TEXTS, "/c": "Include a\n"},
    ],
)
def test_a_file_that_is_another_by_now_is_noticed(texts: dict[str, str]) -> None:
    with pytest.raises(LostError):
        winner.settings(SAID, texts.__getitem__, "/c")


def test_files_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winner, "_MAX_READS", 3)
    said = "debug1: Reading configuration data /c\n" * 4
    with pytest.raises(LostError, match="more than 3 files"):
        winner.settings(said, lambda _: "", "/c")
