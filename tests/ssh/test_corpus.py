"""Awkward configs, with our entries in a block and in a file of our own, as an ordinary user."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import openssh
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from tests.posix import IS_ROOT
from tests.ssh.corpus import ACCEPTED
from tests.ssh.forked import NOBODY, forked
from tests.ssh.installed import version
from tests.ssh.make import ALIAS, entry_for, key, origin, without_block

pytestmark = pytest.mark.linux
HOSTS = ["a", "b", "ab", "a.devpod", "coder.x", "included", "undeclared", "127.0.0.1"]
# A file of our own is read before these lines; a block could only stand below them.
IN_FRONT = {
    "user": "# x\nUser me\nHost a\n",
    "user and port, CRLF": "User me\r\nPort 2222\r\n",
    "hostname": "HostName 10.0.0.1",
    "host key alias": "HostKeyAlias x\nHost *\n  User y\n",
    "known hosts": "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no\n",
    "include": "# x\nInclude {here}/user\nHost a\n",
}
OURS = {
    "hostname": ["127.0.0.1"],
    "port": ["31380"],
    "user": ["root"],
    "hostkeyalias": [ALIAS],
    "stricthostkeychecking": ["true"],
    "checkhostip": ["no"],
    "serveraliveinterval": ["30"],
}


@pytest.fixture
def config() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nodeport-") as name:
        folder = Path(name)
        (folder / "more").write_text("Host included\n  User included\n  Port 44\n")
        (folder / "user").write_text("User included\n")
        yield folder / "config"


def filled(config: Path, text: str) -> bytes:
    data = text.replace("{here}", str(config.parent)).encode("utf-8", "surrogateescape")
    config.write_bytes(data)
    config.chmod(0o600)
    if IS_ROOT:
        for path in (config.parent, *config.parent.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    return data


def as_ordinary_user(check: partial[None]) -> None:
    done = forked(check, uid=NOBODY if IS_ROOT else None)
    assert done.code == 0, done.text


def ask(config: Path, hosts: list[str]) -> list[Mapping[str, list[str]]]:
    return openssh.effective([openssh.Question(config, host) for host in hosts])


def check_ours(config: Path) -> None:
    (now,) = ask(config, [ALIAS])
    assert {keyword: now[keyword] for keyword in OURS} == OURS
    known_hosts = [str(config.parent / "kubectl-nodeport" / f"{ALIAS}.known_hosts")]
    assert now["userknownhostsfile"] == now["globalknownhostsfile"] == known_hosts
    assert not {"proxycommand", "proxyjump", "controlpath"} & now.keys()


def check_outside(config: Path, data: bytes) -> None:
    text = config.read_bytes().decode("utf-8", "surrogateescape")
    assert without_block(text).encode("utf-8", "surrogateescape") == data


def check_accepted(config: Path, data: bytes, include: bool) -> None:
    before = ask(config, HOSTS)
    store = ConfigFile(config, include=include)
    assert store.put(entry_for(store), [key()]) == "created"
    check_ours(config)
    assert ask(config, HOSTS) == before
    check_outside(config, data)
    written = config.read_bytes()
    later = ConfigFile(config)
    assert later.put(entry_for(store), [key()]) == "unchanged"
    assert config.read_bytes() == written
    # To the other place, and back to none.
    moved = ConfigFile(config, include=not include)
    other = entry_for(store, "other", origin=origin(target="pod/other"))
    assert moved.put(other, [key(2)]) == "created"
    check_ours(config)
    check_outside(config, data)
    assert [entry.alias for entry in later.entries()] == [ALIAS, "other"]
    assert later.apply(Edit(gone=(ALIAS, "other"))) == {ALIAS: "removed", "other": "removed"}
    assert config.read_bytes() == data


@pytest.mark.parametrize("include", [False, True], ids=["block", "include"])
@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_ours_takes_effect_and_all_else_stays(config: Path, text: str, include: bool) -> None:
    data = filled(config, text)
    if version() < (8, 7) and (why := refused(config)):
        pytest.skip(f"this ssh is older: {why}")
    as_ordinary_user(partial(check_accepted, config, data, include))


def refused(config: Path) -> str:
    """What ssh does not accept of a text; "" for nothing, or for a file of somebody else."""
    try:
        openssh.effective([openssh.Question(config, "a")])
    except openssh.SshRefusedError as error:
        return "" if "Bad owner" in error.message else error.message.rpartition(": ")[2]
    return ""


@pytest.mark.parametrize("text", IN_FRONT.values(), ids=IN_FRONT)
def test_a_file_of_our_own_comes_before_what_would_win(config: Path, text: str) -> None:
    as_ordinary_user(partial(check_in_front, config, filled(config, text)))


def check_in_front(config: Path, data: bytes) -> None:
    store = ConfigFile(config, include=True)
    assert store.put(entry_for(store), [key()]) == "created"
    check_ours(config)
    check_outside(config, data)
    with pytest.raises(NodeportError, match="would not take effect"):
        ConfigFile(config, include=False).put(entry_for(store), [key()])
    assert re.match(rb"# >>> kubectl-nodeport v1 >>>.*\r?\nInclude ", config.read_bytes())
    assert store.apply(Edit(gone=(ALIAS,))) == {ALIAS: "removed"}
    assert config.read_bytes() == data


def test_there_are_enough_of_them() -> None:
    assert len(ACCEPTED) >= 60
