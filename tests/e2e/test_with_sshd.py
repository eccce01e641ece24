"""connect --with-sshd on the real cluster: what container it gets into, and how it is asked for."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.e2e.brought import disconnected, folder, inside, inventory, servers, told
from tests.e2e.conftest import Desk
from tests.e2e.test_host_keys import EXEC
from tests.e2e.test_rbac import Person

pytestmark = pytest.mark.cluster


def test_openssh_that_is_not_there(anywhere: Desk) -> None:
    """In, again, out: and all is as it was, in the container, the cluster and at home."""
    desk = anywhere
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    assert not [
        name for name in before if re.search(r"(bin|lib.*)/(sshd|ssh-keygen|sftp-server)$", name)
    ]
    done = desk.connect("dev", "--with-sshd")
    assert (done["via"], done["containerPort"], done["hostKeysFrom"]) == ("nodeport", 20022, "exec")
    assert "runs in container main of pod dev now, as root, on port 20022" in told(done)
    assert desk.ssh(done["host"], "hostname; id -un") == "dev\nroot"
    for words in ((), ("--with-sshd",)):
        again = desk.connect("dev", *words)
        changes = (again["service"]["change"], again["sshConfig"]["change"])
        assert changes == ("unchanged", "unchanged")
        assert "ssh server" not in told({"notes": again["notes"][:-1]})
    assert len(servers(desk)) == 3, "a keeper, its server and their folder"
    said = disconnected(desk, "dev")
    assert "ssh server in container main of pod/dev ended" in said.splitlines()
    desk.assert_nothing_left(but_backups=True)
    assert inventory(desk) == before


def test_openssh_that_is_not_started(anywhere: Desk) -> None:
    """The error without the flag names a command, and that one works."""
    desk = anywhere
    desk.ns.pod("dev", runs="nothing")
    error, hint = desk.refused("dev").splitlines()
    assert "nothing listens on port 22 of pod dev" in error
    (command,) = re.findall(r"kubectl nodeport connect .* --with-sshd", hint)
    done = desk.type(*shlex.split(command), "-o", "name")
    assert done.returncode == 0, done.stderr
    assert desk.ssh(done.stdout.strip().removeprefix("host/"), "hostname") == "dev"
    disconnected(desk, "dev")
    desk.assert_nothing_left(but_backups=True)
    assert servers(desk) == []


def test_openssh_that_runs(desk: Desk) -> None:
    """It is used, and none is brought."""
    desk.ns.pod("dev")
    done = desk.connect("dev", "--with-sshd")
    assert done["containerPort"] == 22
    assert "something listens on port 22 of pod dev already: no ssh server was" in told(done)
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert servers(desk) == []


@pytest.mark.parametrize("place", ["/tmp", "/scratch"])
def test_nobody_with_a_read_only_root(desk: Desk, place: str) -> None:
    """A user without rights, whose only place to write is a volume."""
    desk.ns.pod("dev", runs="nothing", image="bare", restricted=True, volumes=[place])
    before = inventory(desk)
    done = desk.connect("dev", "--with-sshd")
    assert done["user"] == "dev"
    assert desk.ssh(done["host"], "id -u; grep ^NoNewPrivs: /proc/self/status").split() == [
        *("1000", "NoNewPrivs:", "1"),
    ]
    assert folder(desk, place) in servers(desk)
    refused = desk.nodeport("connect", "root@dev", "--with-sshd")
    assert refused.returncode == 1
    assert "runs as its own user dev, and lets in nobody as root" in refused.stderr
    disconnected(desk, "dev")
    assert inventory(desk) == before
    desk.assert_nothing_left(but_backups=True)


def test_nowhere_to_write(desk: Desk) -> None:
    """/dev/shm can be written, as container runtimes mount it, but runs no program."""
    desk.ns.pod("dev", runs="nothing", image="bare", restricted=True)
    assert inside(desk, "sh", "-c", "echo >/dev/shm/try && echo yes; rm /dev/shm/try") == "yes\n"
    error, hint = desk.refused("dev", "--with-sshd").splitlines()
    assert error == (
        "error: no ssh server could be brought into container main of pod dev: there is no place "
        "in it to put a program: nothing can be written, or run, in /tmp, /dev/shm, /var/tmp, "
        "/home/dev, /"
    )
    assert hint == "hint: mount an emptyDir at /tmp in the pod"


def test_no_shell(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing", image="pause")
    error, hint = desk.refused("dev", "--with-sshd").splitlines()
    assert error.startswith("error: there is no shell in container main of pod dev, and without")
    assert "-c" in hint


def test_exec_forbidden(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing", image="bare")
    code, out, err = Person(desk, *EXEC).run("connect", "root@dev", "--with-sshd")
    assert (code, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith(
        "error: an ssh server is brought into container main of pod dev by exec: the right to get "
        f"pods/exec -n {desk.ns} is missing"
    )
    assert f"auth can-i get pods --subresource=exec -n {desk.ns}" in hint
    assert servers(desk) == []
    desk.assert_nothing_left()


def test_on_a_terminal_it_is_a_question(desk: Desk) -> None:
    """Whose no leaves nothing, and whose yes is said once."""
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    question = "Start an ssh server (nodeport-sshd, 5.5 MB) in container main, as root? Whoever"
    with desk.terminal("connect", "dev") as terminal:
        terminal.wait_for("[y/N]")
        assert question in " ".join(terminal.shown.split())
        assert terminal.answer("n") == 1
        assert "error: nothing listens on port 22 of pod dev" in terminal.shown
    desk.assert_nothing_left()
    assert inventory(desk) == before
    with desk.terminal("connect", "dev") as terminal:
        terminal.wait_for("[y/N]")
        assert terminal.answer("y") == 0, terminal.shown
        assert terminal.shown.count("[y/N]") == 1
    host = desk.connect("dev")["host"]
    assert desk.ssh(host, "hostname") == "dev"
    with desk.terminal("connect", "dev") as terminal:
        assert terminal.end() == 0
        assert "[y/N]" not in terminal.shown
