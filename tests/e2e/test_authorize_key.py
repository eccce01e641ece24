"""connect --authorize-key on the real cluster, and what plain connect says of keys."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from tests.e2e import brought
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

NO_KEY = {"AUTHORIZED_KEY": "# nobody yet"}


def note(done: dict[str, Any]) -> str:
    """What is told of the key."""
    return "\n".join(one for one in done["notes"] if "key" in one)


def inside(desk: Desk, script: str) -> str:
    return brought.inside(desk, "sh", "-c", script)


def test_command_of_the_warning_lets_in(anywhere: Desk) -> None:
    desk = anywhere
    desk.ns.pod("dev", env=NO_KEY)
    done = desk.connect("dev")
    assert done["loginKey"] == {"state": "missing", "type": None, "fingerprint": None}
    assert desk.type("ssh", "-o", "BatchMode=yes", done["host"], "true").returncode == 255
    (command,) = re.findall(r"add it with: (kubectl nodeport connect .*)$", note(done), re.M)
    said = desk.type(*shlex.split(command))
    assert said.returncode == 0, said.stderr
    assert "was added to /root/.ssh/authorized_keys of root" in said.stderr
    assert "nothing changed" not in said.stdout
    assert desk.ssh(done["host"], "id -un") == "root"
    before = inside(desk, "ls -lin --time-style=full-iso /root/.ssh; cat /root/.ssh/*")
    assert before.count("ssh-ed25519 ") == 1
    assert "# nobody yet\n" in before
    for words in ((), ("--authorize-key",)):
        again = desk.connect("dev", *words)
        assert again["loginKey"]["state"] == "present"
        changes = (again["service"]["change"], again["sshConfig"]["change"], note(again))
        assert changes == ("unchanged", "unchanged", "")
    assert inside(desk, "ls -lin --time-style=full-iso /root/.ssh; cat /root/.ssh/*") == before


def test_pod_that_lets_the_key_in_is_not_warned_of(desk: Desk) -> None:
    desk.ns.pod("dev")
    for user in ("dev", "dev@dev"):
        done = desk.connect(user)
        assert (done["loginKey"]["state"], note(done)) == ("present", "")


def test_replaced_pod_gets_it_again(desk: Desk) -> None:
    desk.ns.pod("dev", env=NO_KEY)
    done = desk.connect("dev", "--authorize-key")
    assert done["loginKey"]["state"] == "added"
    assert desk.ssh(done["host"], "hostname") == "dev"
    desk.ns.replace_pod("dev")
    again = desk.connect("dev")
    assert again["loginKey"] == done["loginKey"]
    assert desk.ssh(done["host"], "hostname") == "dev"
    inside(desk, "rm /root/.ssh/authorized_keys")
    third = desk.connect("dev")
    assert third["loginKey"]["state"] == "missing", "somebody has taken it out of this very pod"


def test_another_user(desk: Desk) -> None:
    """Root puts it there, and it is the user's."""
    desk.ns.pod("dev", env=NO_KEY)
    inside(desk, "rm -r /home/dev/.ssh")
    done = desk.connect("dev@dev", "--authorize-key")
    assert done["loginKey"]["state"] == "added"
    assert desk.ssh(done["host"], "id -un") == "dev"
    stats = inside(desk, "stat -c '%U %G %a' /home/dev/.ssh /home/dev/.ssh/authorized_keys")
    assert stats.splitlines() == ["dev dev 700", "dev dev 600"]


def test_where_sshd_looks_for_keys(desk: Desk) -> None:
    """Its settings say so; outside of the home nothing is written."""
    setting = "echo 'AuthorizedKeysFile %h/keys/%u /etc/keys' >/etc/ssh/sshd_config.d/a.conf"
    desk.ns.pod("dev", env=NO_KEY)
    inside(desk, f"{setting}; kill -HUP 1")
    done = desk.connect("dev", "--authorize-key")
    assert "added to /root/keys/root of root" in note(done)
    assert desk.ssh(done["host"], "hostname") == "dev"
    inside(desk, f"{setting.replace('%h/keys/%u ', '')}; kill -HUP 1")
    refused = desk.nodeport("connect", "dev", "--authorize-key")
    assert refused.returncode == 1
    assert "/etc/keys is not in the home folder of root, /root" in refused.stderr
    inside(desk, "echo 'AuthorizedKeysCommand /bin/false' >>/etc/ssh/sshd_config.d/a.conf")
    inside(desk, "echo 'AuthorizedKeysCommandUser root' >>/etc/ssh/sshd_config.d/a.conf")
    assert desk.connect("dev")["loginKey"]["state"] == "unknown"


def test_section_that_names_another_file(desk: Desk) -> None:
    """What sshd reads for this user is written; for others it says something else."""
    desk.ns.pod("dev", env={**NO_KEY, "SSHD_SETTINGS": "Match User root\nAuthorizedKeysFile %h/a"})
    assert "added to /root/a of root" in note(done := desk.connect("dev", "--authorize-key"))
    assert desk.ssh(done["host"], "id -un") == "root"
    done = desk.connect("dev@dev", "--authorize-key", "--host", "other")
    assert "added to /home/dev/.ssh/authorized_keys of dev" in note(done)
    assert desk.ssh("other", "id -un") == "dev"


def test_home_that_cannot_be_written(desk: Desk) -> None:
    """One clear error, and nothing made: no rule, no entry."""
    desk.ns.pod("dev", env=NO_KEY)
    inside(desk, "rm -r /root/.ssh && ln -s /proc/self /root/.ssh")
    error = desk.refused("dev", "--authorize-key")
    assert "cannot be added to /root/.ssh/authorized_keys of root in container main" in error
    assert "/root/.ssh is a symbolic link" in error
    inside(desk, "sed -i s,/home/dev,/sys, /etc/passwd")
    error = desk.refused("dev@dev", "--authorize-key")
    assert re.search(r"cannot be added to /sys/\.ssh/.*: .*Read-only file system", error)


def test_several_keys_are_not_guessed_among(desk: Desk) -> None:
    desk.ns.pod("dev", env=NO_KEY)
    other = desk.config.parent / "id_ecdsa"
    inner = desk.laptop.inside(other)
    desk.type("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(inner))
    assert "ssh would offer several keys" in desk.refused("dev", "--authorize-key")
    done = desk.connect("dev")
    assert done["loginKey"]["state"] == "missing"
    assert "--authorize-key=FILE.pub" in note(done)
    private = desk.nodeport("connect", "dev", f"--authorize-key={inner}")
    assert private.returncode == 1
    assert "is a private key, which goes nowhere" in private.stderr
    assert desk.connect("dev", f"--authorize-key={inner}.pub")["loginKey"]["state"] == "added"
    assert desk.connect("dev", "--authorize-key")["loginKey"]["state"] == "present"
    assert "nistp256" in inside(desk, "cat /root/.ssh/authorized_keys")


def test_terminal_is_asked_once(desk: Desk) -> None:
    desk.ns.pod("dev", env=NO_KEY)
    with desk.terminal("connect", "dev") as terminal:
        terminal.wait_for("none of your ssh keys is in /root/.ssh/authorized_keys of root")
        assert terminal.answer("n") == 0
        assert "add it with: kubectl nodeport connect dev" in terminal.shown
    with desk.terminal("connect", "dev") as terminal:
        assert terminal.end() == 0
        assert "[y/N]" not in terminal.shown
    desk.ns.replace_pod("dev")
    with desk.terminal("connect", "dev") as terminal:
        terminal.wait_for("[y/N]")
        assert terminal.answer("y") == 0
    assert desk.connect("dev")["loginKey"]["state"] == "present"


def test_machine_without_any_key_makes_one(desk: Desk) -> None:
    desk.ns.pod("dev", env=NO_KEY)
    folder = desk.config.parent
    for path in folder.glob("id_*"):
        path.unlink()
    own = folder / "kubectl-nodeport" / "id_ed25519"
    error = desk.refused("dev", "--authorize-key")
    assert "make one with: ssh-keygen -t ed25519, then: kubectl nodeport connect dev" in error
    done = desk.connect("dev")
    assert "ssh has no key to offer" in note(done)
    with desk.terminal("connect", "dev", "--authorize-key") as terminal:
        terminal.wait_for("Make one for hosts of kubectl nodeport")
        assert terminal.answer("y\n\n") == 0, terminal.shown
    assert own.stat().st_mode & 0o777 == 0o600
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert f"IdentityFile {desk.laptop.inside(own)}" in desk.config.read_text()
