"""In WSL: the twin of each entry in the ssh configuration of Windows, by stand-ins for Windows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.cli import ssh_files
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import openssh, twin, windows
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.twin import Distribution, home_of
from kubectl_nodeport.ssh.twinned import TwinnedConfigFile, WindowsConfig
from tests.open_folders import let_others_in
from tests.ssh.forked import NOBODY, forked, needs_root
from tests.ssh.make import ALIAS, entry_for, key, without_block

HERE = Distribution("Ubuntu-24.04", "me", lambda: None)
THEIRS = "Host mine\r\n  User jane\r\nHost *\r\n  Port 2222\r\n"
CMD_COMPLAINS = (
    "'\\\\wsl.localhost\\Ubuntu\\root'\r\nCMD.EXE was started with the above path as the current "
    "directory.\r\nUNC paths are not supported.  Defaulting to Windows directory.\r\n"
)


class Machine:
    """A Windows drive in a folder, and the distribution's own file beside it."""

    def __init__(self, folder: Path) -> None:
        self.drives = folder / "mnt"
        self.home = self.drives / "c" / "Users" / "Jane Doe"
        self.home.mkdir(parents=True)
        self.there = WindowsConfig(self.home / ".ssh" / "config")
        self.warnings: list[str] = []
        (folder / "linux").mkdir()
        self.here = TwinnedConfigFile(
            folder / "linux" / "config",
            replace(HERE, windows_home=lambda: self.home),
            warn=self.warnings.append,
        )

    def fill(self, text: str) -> None:
        self.there.path.parent.mkdir()
        self.there.path.write_bytes(text.encode())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def ask(config: ConfigFile, host: str) -> Mapping[str, list[str]]:
    (answer,) = openssh.effective([openssh.Question(config.path, host)])
    return answer


def test_the_twin_has_the_same_host_and_none_of_this_sides_files(machine: Machine) -> None:
    machine.fill(THEIRS)
    entry = entry_for(machine.here, identity_file="/home/me/.ssh/id")
    assert machine.here.put(entry, [key()]) == "created"
    now = ask(machine.there, ALIAS)
    assert [now[k] for k in ("hostname", "port", "user")] == [["127.0.0.1"], ["31380"], ["root"]]
    text = machine.there.path.read_bytes().decode()
    assert f"UserKnownHostsFile ~/.ssh/kubectl-nodeport/{ALIAS}.known_hosts\r\n" in text
    assert "IdentityFile" not in text.split("ProxyCommand")[0].replace('"identity', "")
    assert without_block(text) == THEIRS
    assert machine.there.keys(ALIAS) == machine.here.keys(ALIAS) == (key(),)
    (note,) = machine.warnings
    assert note.endswith(f"this says: ssh.exe {ALIAS} true")


def test_again_changes_nothing_and_says_nothing(machine: Machine) -> None:
    machine.here.put(entry_for(machine.here), [key()])
    written = machine.there.path.read_bytes()
    machine.warnings.clear()
    assert machine.here.put(entry_for(machine.here), [key()]) == "unchanged"
    assert machine.there.path.read_bytes() == written
    assert machine.warnings == []


def test_a_twin_that_was_lost_comes_back(machine: Machine) -> None:
    machine.here.put(entry_for(machine.here), [key()])
    machine.there.path.unlink()
    assert machine.here.put(entry_for(machine.here), [key()]) == "unchanged"
    assert [one.alias for one in machine.there.entries()] == [ALIAS]


def test_it_goes_with_the_entry(machine: Machine) -> None:
    machine.fill(THEIRS)
    machine.here.put(entry_for(machine.here), [key()])
    assert machine.here.apply(Edit(gone=(ALIAS,))) == {ALIAS: "removed"}
    assert machine.there.path.read_bytes().decode() == THEIRS
    assert machine.there.keys(ALIAS) == ()


def test_a_tunnel_starts_the_program_inside_the_distribution(machine: Machine) -> None:
    program = ("/home/me/my bin/kubectl-nodeport", "proxy")
    machine.here.put(entry_for(machine.here, program=program), [key()])
    assert ask(machine.there, ALIAS)["proxycommand"] == [
        '"C:/Windows/System32/wsl.exe" -d Ubuntu-24.04 -u me --exec '
        f'"/home/me/my bin/kubectl-nodeport" proxy {ALIAS}'
    ]
    assert machine.there.entries()[0].is_tunnel


@pytest.mark.parametrize("name", ["", "x\ny", '"', "-d", "a;b", "a%b"])
def test_a_tunnel_of_a_distribution_without_a_name(name: str, tmp_path: Path) -> None:
    store = ConfigFile(tmp_path / "config")
    entry = entry_for(store, program=("/bin/kn", "proxy"))
    with pytest.raises(NodeportError, match="the name of this WSL distribution is not known"):
        twin.twin(entry, replace(HERE, name=name))
    assert twin.twin(entry_for(store), replace(HERE, name=name)).alias == ALIAS


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("Host a\n# >>> kubectl-nodeport v1 >>>\n", "line 2: a marker of our block is broken"),
        (f"Host {ALIAS}\n  User me\n", "was written by someone else"),
        ("Port 22\n", "would not take effect"),
        ("\ufeffHost a\n", "byte order mark"),
    ],
)
def test_what_fails_there_is_a_warning_and_undoes_nothing(
    machine: Machine, theirs: str, why: str
) -> None:
    machine.fill(theirs)
    assert machine.here.put(entry_for(machine.here), [key()]) == "created"
    assert [one.alias for one in machine.here.entries()] == [ALIAS]
    assert machine.there.path.read_bytes() == theirs.encode()
    (warning,) = machine.warnings
    assert warning.startswith("Windows' ssh is not told: ")
    assert why in warning


@needs_root
def test_a_windows_home_that_may_not_be_written(machine: Machine) -> None:
    """As somebody else, whose own file it is not either."""
    here = machine.here.path.parent
    let_others_in(here)
    os.chown(here, NOBODY, NOBODY)

    def act() -> str:
        change = machine.here.put(entry_for(machine.here), [key()])
        return f"{change}; {machine.warnings[0]}"

    done = forked(act, uid=NOBODY, scratch=here)
    assert done.code == 0, done
    assert done.text.startswith("created; Windows' ssh is not told: ")
    assert "Permission denied" in done.text
    assert list(machine.home.iterdir()) == []


def test_what_fails_here_changes_nothing_there(machine: Machine) -> None:
    machine.here.path.write_text("Port 22\n")
    with pytest.raises(NodeportError, match="would not take effect"):
        machine.here.put(entry_for(machine.here), [key()])
    assert list(machine.home.iterdir()) == []


def test_no_windows(machine: Machine, tmp_path: Path) -> None:
    here = TwinnedConfigFile(tmp_path / "linux" / "config", HERE, warn=machine.warnings.append)
    assert here.put(entry_for(here), [key()]) == "created"
    (warning,) = machine.warnings
    assert "home folder is not found from inside WSL" in warning


def test_preview_shows_both_sides_and_writes_nothing(machine: Machine) -> None:
    machine.fill(THEIRS)
    diff = machine.here.preview(Edit(((entry_for(machine.here), (key(),)),)))
    assert f"+++ {machine.here.path}" in diff
    assert f"+++ {machine.there.path}" in diff
    assert machine.there.path.read_bytes().decode() == THEIRS
    assert not machine.here.path.exists()


@pytest.mark.parametrize(
    ("said", "home"),
    [
        ("C:\\Users\\me\r\n", "C:\\Users\\me"),
        (CMD_COMPLAINS + "C:\\Users\\Jane Doe\r\n", "C:\\Users\\Jane Doe"),
        ("D:\\Üser\n", "D:\\Üser"),
        ("%USERPROFILE%\r\n", ""),
        ("/home/me\n", ""),
        ("\\\\server\\share\\me\n", ""),
        ("C:\\a\nfoo bar\n", ""),
        ("C:\\a|b\n", ""),
        ("", ""),
    ],
)
def test_home_of(said: str, home: str) -> None:
    assert home_of(said) == home


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.posix
@pytest.mark.parametrize("way", ["wslvar", "cmd.exe", "cmd.exe that is not on PATH", "no wslpath"])
def test_the_windows_home_is_found(
    way: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    drive = machine.drives / "c"
    says = "printf 'C:\\\\Users\\\\Jane Doe\\r\\n'"
    if way == "wslvar":
        script(tools, "wslvar", f'[ "$1" = USERPROFILE ] && {says}')
    elif way == "cmd.exe that is not on PATH":
        script(drive / "Windows" / "System32", "cmd.exe", says)
    else:
        script(tools, "cmd.exe", f'[ "$PWD" = "{drive}" ] && [ "$2" = /c ] && {says}')
    if way != "no wslpath":
        script(tools, "wslpath", f'[ "$2" = "C:\\Users\\Jane Doe" ] && echo "{machine.home}"')
    tools.mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", str(tools))
    assert windows.home(machine.drives) == machine.home


@pytest.mark.parametrize("said", ["exit 1", "sleep 60", "printf 'C:\\\\Users\\\\nobody\\n'", "yes"])
def test_a_windows_that_does_not_answer(
    said: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_TIMEOUT_S", 0.3)
    for name in ("wslvar", "cmd.exe"):
        script(tmp_path / "bin", name, said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert windows.home(machine.drives) is None


def test_only_the_users_own_file_in_wsl_has_twins(tmp_path: Path) -> None:
    assert isinstance(ssh_files.hosts(None, None, [], in_wsl=True), TwinnedConfigFile)
    for named, in_wsl in ((str(tmp_path / "config"), True), (None, False)):
        found = ssh_files.hosts(named, None, [], in_wsl=in_wsl)
        assert not isinstance(found, TwinnedConfigFile)


def test_a_twin_reads_back(machine: Machine) -> None:
    made: list[HostEntry] = [entry_for(machine.here), entry_for(machine.here, program=("/k", "p"))]
    for entry in made:
        machine.here.put(entry, [key()])
        assert machine.there.entries() == (twin.twin(entry, HERE),)
