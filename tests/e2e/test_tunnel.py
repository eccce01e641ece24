"""The tunnel with the installed program, the real ssh and the real API server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.api import until
from tests.cluster.tunnel_entry import make_tunnel
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

BIG_MB = 200


def proxied(desk: Desk, target: str = "dev") -> str:
    """The alias of an entry that goes through a tunnel."""
    alias: str = desk.connect(target)["host"]
    make_tunnel(desk.laptop, alias)
    return alias


def proxies(desk: Desk, alias: str) -> list[str]:
    """The processes of the tunnel's own that run."""
    return desk.type("pgrep", "-f", f"kubectl-nodeport proxy {alias}").stdout.split()


def test_any_entry_of_ours(anywhere: Desk) -> None:
    """proxy works for a NodePort entry too; ssh checks the same host key."""
    desk = anywhere
    desk.ns.pod("dev", port=2222)
    alias = desk.connect("dev")["host"]
    command = "ProxyCommand=kubectl-nodeport proxy %n"
    done = desk.type("ssh", "-o", "BatchMode=yes", "-o", command, alias, "hostname")
    assert (done.stdout, done.returncode) == ("dev\n", 0), done.stderr


def test_an_entry_of_a_tunnel(desk: Desk) -> None:
    """No firewall in the way, no NodePort: ssh goes through the API server and says nothing."""
    desk.ns.pod("dev")
    desk.config.write_text("Host *\n  ProxyJump nowhere.invalid\n")
    alias = proxied(desk)
    desk.nodeport("delete", "dev", "--all")
    assert desk.services() == []
    done = desk.type("ssh", "-o", "BatchMode=yes", alias, "hostname")
    assert (done.stdout, done.stderr, done.returncode) == ("dev\n", "", 0)
    assert desk.ssh(alias, "exit 0") == ""
    until("the end of the tunnels", lambda: not proxies(desk, alias))


def test_a_workload_whose_pod_is_replaced(desk: Desk) -> None:
    """The entry of a Deployment leads to the pod that it has now; ssh checks whose key that is."""
    (before,) = desk.ns.deployment("web", replicas=1)
    alias = proxied(desk, "deploy/web")
    assert desk.ssh(alias, "hostname") == before.name
    desk.ns.delete_pod(before.name)
    (after,) = desk.ns.scale("web", 1)
    assert after.name != before.name
    assert desk.ssh(alias, "hostname") == after.name


def test_a_big_file_both_ways(desk: Desk) -> None:
    """scp of 200 MB there and back; not a byte is lost."""
    desk.ns.pod("dev")
    alias = proxied(desk)
    line = (
        f"head -c {BIG_MB}M /dev/urandom > big && scp -q -o BatchMode=yes big {alias}:/tmp/big && "
        f"ssh {alias} sha256sum /tmp/big && scp -q {alias}:/tmp/big back && sha256sum big back"
    )
    done = desk.type("bash", "-c", line, timeout_s=240)
    assert done.returncode == 0, done.stderr
    sums = {row.split()[0] for row in done.stdout.splitlines()}
    assert len(sums) == 1, done.stdout
    desk.type("rm", "big", "back")


def test_sixteen_at_once(desk: Desk) -> None:
    """Editors open several; all stand at the same time. sshd lets ten at once be on their way."""
    desk.ns.pod("dev")
    alias = proxied(desk)

    def one(number: int) -> str:
        time.sleep(number * 0.4)
        return desk.ssh(alias, f"echo {number}; sleep 10")

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(one, range(16)))
    assert said == [str(number) for number in range(16)]


def test_a_killed_ssh_leaves_no_process(desk: Desk) -> None:
    """kill -9 of ssh: its tunnel ends, without anybody telling it."""
    desk.ns.pod("dev")
    alias = proxied(desk)
    ssh = desk.laptop.popen(["ssh", alias, "sleep 60"])
    until("the tunnel", lambda: len(proxies(desk, alias)) == 1, timeout_s=20)
    time.sleep(1)
    os.kill(ssh.pid, signal.SIGKILL)
    ssh.wait(timeout=10)
    until("the end of the tunnel", lambda: not proxies(desk, alias), timeout_s=5)


def test_a_pod_that_is_deleted_ends_the_session(desk: Desk) -> None:
    """In the middle of a session; the next login says in one line that the pod is gone."""
    desk.ns.pod("dev")
    alias = proxied(desk)
    ssh = desk.laptop.popen(
        ["ssh", alias, "echo up; sleep 60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert ssh.stdout is not None
    assert ssh.stdout.readline() == "up\n"
    desk.ns.delete_pod("dev")
    assert ssh.wait(timeout=15) != 0
    ssh.communicate()
    until("the end of the tunnel", lambda: not proxies(desk, alias))
    again = desk.type("ssh", "-o", "BatchMode=yes", alias, "true")
    errors = [line for line in again.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, again.stderr
    assert "pod" in errors[0]


def test_nobody_listens_in_the_pod(desk: Desk) -> None:
    """What the pod's end says reaches the person, in one line."""
    desk.ns.pod("dev")
    alias = desk.connect("dev")["host"]
    make_tunnel(desk.laptop, alias, port=4)
    done = desk.type("kubectl-nodeport", "proxy", alias)
    error, hint = done.stderr.splitlines()
    assert done.returncode == 1
    assert error.startswith("error: port 4 of pod dev cannot be reached through the API server: ")
    assert "refused" in error
    assert hint.startswith("hint: ")


def test_another_cluster_under_the_context_is_refused(desk: Desk) -> None:
    """Whose identity differs is not asked for anything."""
    desk.ns.pod("dev")
    alias = proxied(desk)
    path = desk.laptop.home / ".kube" / "config"
    config = json.loads(path.read_text())
    for row in config["clusters"]:
        row["cluster"] = {"server": row["cluster"]["server"], "insecure-skip-tls-verify": True}
    path.write_text(json.dumps(config))
    done = desk.type("kubectl-nodeport", "proxy", alias)
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert "leads to another cluster" in error
    assert hint.endswith(f"kubectl nodeport disconnect {alias} --keep-rule")
