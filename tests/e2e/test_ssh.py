"""ssh with the installed program: connect, then the real ssh in its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.cluster.api import until
from tests.cluster.tunnel_entry import make_tunnel
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def log_in(desk: Desk, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """``kubectl nodeport ssh -q -n NAMESPACE WORDS``."""
    return desk.laptop.run(("kubectl", "nodeport", "ssh", "-qn", desk.ns.name, *words), **more)


def unnoted(done: subprocess.CompletedProcess[str]) -> str:
    """stderr without the warnings, which come each time."""
    lines = done.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("note: "))


def test_a_command_and_its_exit_code(anywhere: Desk) -> None:
    """The first run tells on stderr what is new, the second nothing; stdout is the command's."""
    desk = anywhere
    desk.ns.pod("dev")
    first = log_in(desk, "dev", "--", "hostname")
    assert (first.returncode, first.stdout) == (0, "dev\n"), first.stderr
    assert "service/nodeport-dev-ssh created" in first.stderr
    assert "created in ~/.ssh/config, user root" in first.stderr
    again = log_in(desk, "dev", "--", "sh -c 'cat >&2; exit 42'", stdin="from here\n")
    assert (again.returncode, again.stdout, unnoted(again)) == (42, "", "from here\n")
    assert log_in(desk, "dev", "--", "kill -TERM $$").returncode == 255
    assert len(desk.services()) == 1


def test_a_forwarded_port(desk: Desk) -> None:
    """Options of ssh; ending the program ends ssh, which has taken its place."""
    desk.ns.pod("dev")
    desk.connect("dev")
    words = ("-N", "-o", "ExitOnForwardFailure=yes", "-L", "8888:localhost:22")
    command = ["kubectl", "nodeport", "ssh", "dev", "-n", desk.ns.name, "--", *words]
    ssh = desk.laptop.popen(command)
    try:

        def banner() -> bool:
            said = desk.type("socat", "-T", "1", "TCP:127.0.0.1:8888", "-").stdout
            return said.startswith("SSH-2.0-OpenSSH")

        until("the pod's banner at the forwarded port", banner, timeout_s=30)
        name = desk.type("ps", "-o", "comm=", "-p", str(ssh.pid)).stdout.strip()
        assert name == "ssh"
        os.kill(ssh.pid, signal.SIGTERM)
        ssh.wait(timeout=10)
    finally:
        ssh.kill()
        ssh.wait(timeout=10)


@pytest.mark.parametrize("include", [False, True])
def test_a_config_that_ssh_does_not_read_by_itself(desk: Desk, include: bool) -> None:
    desk.ns.pod("dev")
    words = ("--include",) if include else ()
    done = log_in(desk, "dev", "--ssh-config", "other.conf", *words, "--", "hostname")
    assert done.stdout == "dev\n", done.stderr
    assert not desk.config.exists()
    usual = log_in(desk, "dev", "--host", "usual", *words, "--", "hostname")
    assert usual.stdout == "dev\n", usual.stderr
    named = ("--ssh-config", str(desk.laptop.inside(desk.config)))
    again = log_in(desk, "dev", "--host", "usual", *named, *words, "--", "hostname")
    assert (again.stdout, unnoted(again)) == ("dev\n", "")


def test_through_the_api_server(desk: Desk) -> None:
    """An entry of a tunnel stays one."""
    desk.ns.pod("dev")
    make_tunnel(desk.laptop, desk.connect("dev")["host"])
    done = log_in(desk, "dev", "--", "hostname")
    assert (done.returncode, done.stdout) == (0, "dev\n"), done.stderr
    (host,) = json.loads(desk.nodeport("get", "hosts", "-o", "json").stdout)["items"]
    assert host["spec"]["via"] == "tunnel"


def test_without_a_target_on_a_terminal(desk: Desk) -> None:
    """The list that connect shows; a single pod is taken. What stands behind -- is no TARGET."""
    desk.ns.pod("dev")
    terminal, theirs = os.openpty()
    command = ["kubectl", "nodeport", "ssh", "-qn", desk.ns.name, "--", "hostname; exit 3"]
    ssh = desk.laptop.popen(
        command, env={"TERM": "xterm"}, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        out, _ = ssh.communicate(timeout=60)
        assert (ssh.returncode, out) == (3, "dev\n")
        assert b"using pod/dev, the only one that runs" in screen.read(65536)


def test_what_cannot_be_connected_to_starts_no_ssh(desk: Desk) -> None:
    done = log_in(desk, "gone", "--", "hostname")
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert error.startswith('error: no pod "gone" in the namespace')
    assert hint.startswith("hint: ")


def test_no_ssh(desk: Desk) -> None:
    """connect asks ssh already, and says what is missing."""
    desk.ns.pod("dev")
    desk.connect("dev")
    plugin = desk.type("sh", "-c", "command -v kubectl-nodeport").stdout.strip()
    done = desk.type("env", "PATH=/nowhere", plugin, "ssh", "dev", "-n", desk.ns.name)
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error: ssh cannot be run: No such file or directory"
    assert hint.startswith("hint: install the OpenSSH client")
