"""The file as other programs read it: our host once and right, every other as before."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kubectl_nodeport.ssh import reader
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.ssh.corpus import ACCEPTED
from tests.ssh.make import ALIAS, entry_for, key
from tests.ssh.readers import npm
from tests.ssh.readers.python import READERS
from tests.ssh.readers.reading import Options, Reading

Readings = Callable[[Sequence[Path], Sequence[str]], Iterator[tuple[str, list[Reading]]]]

MORE = {"more": "Host included\n  User included\n  Port 44\n", "user": "User included\n"}
# Who shows no host of a file that is included; docs/readers.md.
NO_INCLUDE = {"paramiko", "Zed", *(f"ssh-config {build}, Include none" for build in npm.BUILDS)}
# The package ends lines at a carriage return too, and gives every host an option that none has.
MISREAD = {"only carriage returns in a comment"}
ASKED = ["a", "b", "ab", "included", "undeclared"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, text in MORE.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "config"


def fill(config: Path, text: str) -> None:
    data = text.replace("{here}", str(config.parent)).encode("utf-8", "surrogateescape")
    config.write_bytes(data)
    config.chmod(0o600)


@pytest.fixture(params=["Python", "JavaScript"])
def readings(request: pytest.FixtureRequest) -> Readings:
    """All readers in a language: for each its name, and its reading of each file."""
    if request.param == "Python":
        return in_python
    try:
        npm.installed()
    except npm.MissingError as error:
        pytest.skip(str(error))
    return in_javascript


def in_python(files: Sequence[Path], hosts: Sequence[str]) -> Iterator[tuple[str, list[Reading]]]:
    for name, read in READERS.items():
        yield name, [read(file, hosts, files[-1].parent) for file in files]


def in_javascript(
    files: Sequence[Path], hosts: Sequence[str]
) -> Iterator[tuple[str, list[Reading]]]:
    yield from npm.read(files, hosts, folder=files[-1].parent)


def hosts_of(config: Path) -> list[str]:
    text = config.read_bytes().decode("utf-8", "replace")
    return list(dict.fromkeys([*ASKED, *list(reader.literal_hosts(text))[:20]]))


@pytest.mark.parametrize("include", [False, True], ids=["block", "include"])
@pytest.mark.parametrize("what", ACCEPTED)
def test_our_host_once_and_no_other_lost(
    config: Path, readings: Readings, what: str, include: bool
) -> None:
    fill(config, ACCEPTED[what])
    before = config.with_name("before")
    before.write_bytes(config.read_bytes())
    hosts = hosts_of(before)
    store = ConfigFile(config, include=include)
    store.put(entry_for(store, identity_file="/keys/of mine"), [key()])
    for name, (was, now) in readings([before, config], [*hosts, ALIAS]):
        if was.error:  # it took nothing from the file before, and there was nothing to lose
            continue
        assert now.error == "", name
        check_lost(name, was, now, [] if what in MISREAD else hosts)
        finds = not include or name not in NO_INCLUDE
        if now.listed is not None:
            assert now.listed.count(ALIAS) == finds, name
        if now.options is not None and finds:
            check_ours(name, now.options[ALIAS])


def check_lost(name: str, was: Reading, now: Reading, hosts: Sequence[str]) -> None:
    """Every other host is as it was."""
    if was.listed is not None and now.listed is not None:
        assert [host for host in now.listed if host != ALIAS] == list(was.listed), name
    if was.options is not None and now.options is not None:
        for host in hosts:
            found, wanted = now.options[host], was.options[host]
            changed = {name for name in {*found, *wanted} if found.get(name) != wanted.get(name)}
            # Who does not follow an Include may still list it among the options.
            assert changed <= {"include"}, f"{name}: {host}"


def check_ours(name: str, ours: Options) -> None:
    """Our host has the values of its entry."""
    wanted = {
        "hostname": ("127.0.0.1",),
        "port": ("31380",),
        "user": ("root",),
        "hostkeyalias": (ALIAS,),
    }
    assert {keyword: ours[keyword] for keyword in wanted} == wanted, name
    assert "/keys/of mine" in ours["identityfile"], name


def test_the_relative_include_of_the_users_own_file(config: Path, readings: Readings) -> None:
    """In ~/.ssh/config the line names the file as ssh finds it below ~/.ssh."""
    config.write_text("Host a\n  User x\n")
    store = ConfigFile(config, include=True)
    store.put(entry_for(store, identity_file="/keys/of mine"), [key()])
    absolute = f'"{config.parent}/kubectl-nodeport/config"'
    assert absolute in config.read_text()
    config.write_text(config.read_text().replace(absolute, "kubectl-nodeport/config"))
    for name, (now,) in readings([config], ["a", ALIAS]):
        if name not in NO_INCLUDE:
            assert now.listed is None or sorted(now.listed) == ["a", ALIAS], name
            assert now.options is not None
            check_ours(name, now.options[ALIAS])


def split_as_open_remote_ssh(value: str) -> list[str]:
    """How it takes a ProxyCommand apart, to start it without a shell: double quotes alone group.

    https://github.com/jeanp413/open-remote-ssh/blob/41e5095/src/authResolver.ts
    """
    return [word.replace('"', "") for word in re.findall(r'(?:"[^"]*"|[^\s"])+', value)]


@pytest.mark.parametrize(
    ("program", "without_shell"),
    [
        ("/usr/local/bin/kubectl-nodeport", True),
        ("/home/me/.krew/bin/kubectl-nodeport", True),
        ("/opt/my tools/kubectl-nodeport", True),
        ("/opt/bill&ted's/kubectl-nodeport", False),
    ],
)
def test_the_proxy_command_of_a_tunnel(
    config: Path, readings: Readings, program: str, without_shell: bool
) -> None:
    """ssh gives it to a shell. Who does without one knows no single quotes; docs/readers.md."""
    words = [program, "proxy", ALIAS]
    store = ConfigFile(config)
    store.put(entry_for(store, program=tuple(words[:2])), [key()])
    for name, (now,) in readings([config], [ALIAS]):
        if now.options is None:
            continue
        value, *more = now.options[ALIAS]["proxycommand"]
        if name in READERS:
            assert shlex.split(value) == words, name
        else:
            argv = [value, *more] if more else split_as_open_remote_ssh(value)
            assert (argv == words) == without_shell, name
