"""Entries of ours whose note about an ssh server that was brought along somebody has changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.entry import ORIGIN_MARK
from tests.hostile.box import Box
from tests.hostile.test_output import config, home, printed
from tests.hostile.values import TEXTS
from tests.kube.server import serving
from tests.ssh.make import ALIAS, entry_for, key, origin

__all__ = ["home"]

COMMANDS = (
    "get hosts",
    "get hosts -o json",
    "connect dev",
    "connect dev --dry-run",
    "connect dev --with-sshd",
    f"disconnect {ALIAS}",
    "disconnect --all",
    "sync",
    f"proxy {ALIAS}",
)
GOOD = key(50).openssh
BROKEN = {
    "no port": {"sshd_port": 0},
    "a negative port": {"sshd_port": -1},
    "no such port": {"sshd_port": 65536},
    "a huge port": {"sshd_port": 10**400},
    "a port in words": {"sshd_port": "22"},
    "a broken port": {"sshd_port": 22.5},
    "a true port": {"sshd_port": True},
    "null for a port": {"sshd_port": None},
    "a list for a port": {"sshd_port": [22]},
    "no key": {"sshd_key": ""},
    "a number for a key": {"sshd_key": 5},
    "null for a key": {"sshd_key": None},
    "a key with options": {"sshd_key": f'command="touch /x" {GOOD}'},
    "a key with a comment": {"sshd_key": f"{GOOD} me"},
    "two keys": {"sshd_key": f"{GOOD}\n{key(51).openssh}"},
    "a key and a line": {"sshd_key": f"{GOOD}\n"},
    "half a key": {"sshd_key": GOOD[:-8]},
    "another type": {"sshd_key": GOOD.replace("ed25519", "rsa", 1)},
    "an authorized key with options": {"authorized_key": f'command="touch /x" {GOOD}'},
    "two authorized keys": {"authorized_key": f"{GOOD}\n{key(51).openssh}"},
    "null for an authorized key": {"authorized_key": None},
    "a container with a slash": {"container": "../x"},
    "a container with a blank": {"container": "a b"},
    "a container of options": {"container": "-it"},
}
# What was edited is shown as a diff, the whole of it.
ODD = {name: text for name, text in TEXTS.items() if len(text) < 1000}
HOSTILE = {
    **{f"{name}, as a key": {"sshd_key": text} for name, text in ODD.items()},
    **{f"{name}, as an authorized key": {"authorized_key": text} for name, text in ODD.items()},
    **{f"{name}, as a container": {"container": text} for name, text in ODD.items()},
    **{f"{name}, as a name": {text: 1} for name, text in ODD.items()},
}
SUM = re.compile(r',"sum":"[0-9a-f]+"')


def entry_with(path: Path, changes: dict[str, object], *, has_sum: bool) -> str:
    """Write a config with a host of ours, and change the note in it.

    :param has_sum: whether the note's sum stays, which is then not that of what it says.
    """
    path.write_text("Host mine\n  HostName 192.0.2.1\n")
    path.chmod(0o600)
    store = ConfigFile(path)
    made = origin(sshd_port=20022, sshd_key=GOOD, container="main")
    store.put(entry_for(store, origin=made), [key()])
    lines = path.read_text().split("\n")
    notes = [number for number, line in enumerate(lines) if ORIGIN_MARK in line]
    text = "".join(lines[number].partition(ORIGIN_MARK)[2].strip() for number in notes)
    plain = json.loads(text if has_sum else SUM.sub("", text))
    plain["origin"] |= changes
    note = json.dumps(plain, separators=(",", ":")).replace(" ", "\\u0020")
    lines[notes[0] : notes[-1] + 1] = [f"  # {ORIGIN_MARK} {note}"]
    path.write_text("\n".join(lines))
    return path.read_text()


@pytest.mark.parametrize("has_sum", [True, False])
@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_broken_note(home: Path, changes: dict[str, object], has_sum: bool) -> None:
    check(home, changes, has_sum=has_sum)


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_note(home: Path, changes: dict[str, object]) -> None:
    check(home, changes, has_sum=False)


def check(home: Path, changes: dict[str, object], *, has_sum: bool) -> None:
    """Every command says what is wrong, and changes nothing here or there."""
    path = home / "ssh config"
    text = entry_with(path, changes, has_sum=has_sum)
    box = Box()
    with serving(box) as server:
        flags = ["--kubeconfig", str(config(home, server)), "--ssh-config", str(path)]
        for command in COMMANDS:
            said = printed([*command.split(), *flags])
            said.check()
            error, *_diff, hint, rest = said.err.decode().split("\n")
            assert error.startswith("error: "), command
            assert (hint[:6], rest) == ("hint: ", ""), command
            # What lists hosts lists those that can be read, of which there is none.
            shown = json.loads(said.out)["items"] if command.endswith("json") else said.out
            assert not shown, command
    assert path.read_text() == text
    assert box.words == []
    assert box.api.writes() == []
    files = {one.name for one in (home / "kubectl-nodeport").iterdir() if one.name[0] != "."}
    assert files == {f"ssh config@{ALIAS}.known_hosts"}
