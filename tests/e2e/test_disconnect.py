"""disconnect, with the installed program on the real cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

OWN = "# mine\r\nHost *.example\r\n  User me\r\n\r\nHost other\n  HostName 192.0.2.1"
RULE = "service/nodeport-dev-ssh"


class Person:
    """Someone on the same laptop with an ssh configuration of their own."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._folder = desk.laptop.home / name
        self._folder.mkdir()
        self.config = self._folder / "config"

    def run(self, *words: str) -> tuple[int, list[str], str]:
        """Exit code, stdout's lines and stderr of a command on their own file."""
        path = str(self._desk.laptop.inside(self.config))
        done = self._desk.nodeport(*words, "--ssh-config", path)
        return done.returncode, done.stdout.splitlines(), done.stderr


def names(desk: Desk) -> list[str]:
    """The namespace's Services."""
    return sorted(one["metadata"]["name"] for one in desk.services())


def users(desk: Desk) -> list[str]:
    """The notes on the rule of the pod dev."""
    (rule,) = desk.services()
    found: dict[str, Any] = rule["metadata"]["annotations"]
    return [key for key in found if key.startswith("kubectl-nodeport/user-")]


@pytest.mark.parametrize("more", [(), ("--include",)])
def test_all_is_as_it_was_before(desk: Desk, more: tuple[str, ...]) -> None:
    """Cluster and file, byte for byte."""
    desk.ns.pod("dev")
    desk.config.parent.mkdir(mode=0o700, exist_ok=True)
    desk.config.write_bytes(OWN.encode())
    desk.config.chmod(0o640)
    host = desk.connect("dev", *more)["host"]
    assert desk.ssh(host, "hostname") == "dev"
    file = "~/.ssh/kubectl-nodeport/config" if more else "~/.ssh/config"
    dry = desk.nodeport("disconnect", "dev", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.splitlines()[:2] == [
        f"{RULE} would be deleted",
        f"host/{host} would be removed from {file}",
    ]
    assert f"\n-Host {host}\n" in dry.stdout
    assert desk.ssh(host, "hostname") == "dev", "nothing was done"
    done = desk.nodeport("disconnect", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{RULE} deleted",
        f"host/{host} removed from {file}",
    ]
    assert desk.config.read_bytes() == OWN.encode()
    assert desk.config.stat().st_mode & 0o777 == 0o640
    if more:
        remembers = desk.config.parent / "kubectl-nodeport" / "config"
        assert remembers.read_bytes() == b"", "which says that --include was asked for"
        remembers.unlink()
    desk.assert_nothing_left(but_backups=True)


def test_two_people_on_one_rule(desk: Desk) -> None:
    """The maker goes first: the rule stays for the other; then the other way around."""
    desk.ns.pod("dev")
    made, used = Person(desk, "made"), Person(desk, "used")
    assert made.run("connect", "dev")[0] == 0
    assert users(desk) == []
    code, lines, err = used.run("connect", "dev")
    assert code == 0, err
    assert lines[0].startswith(f"{RULE} unchanged")
    assert len(users(desk)) == 1
    assert "nothing changed" in used.run("connect", "dev")[1]
    assert len(users(desk)) == 1
    code, lines, err = made.run("disconnect", "dev")
    assert (code, err) == (0, "")
    assert lines[0].startswith(f"{RULE} stays: a host of somebody else may need it; ")
    assert "kubectl nodeport delete --context docker-desktop dev --name ssh" in lines[0]
    assert used.run("connect", "dev")[0] == 0, "it still answers"
    code, lines, err = used.run("disconnect", "dev")
    assert (code, err) == (0, "")
    assert lines[0].startswith(f"{RULE} stays: this host's connect did not make it; ")
    assert users(desk) == []
    assert desk.nodeport("delete", "dev", "--name", "ssh").returncode == 0
    assert made.run("connect", "dev")[0] == 0
    assert used.run("connect", "dev")[0] == 0
    assert used.run("disconnect", "dev")[0] == 0
    assert made.run("disconnect", "dev")[1][0] == f"{RULE} deleted"
    desk.assert_nothing_left(but_backups=True)


def test_cluster_that_does_not_answer(desk: Desk) -> None:
    """The host goes, the rule is named; by its own command it goes as well."""
    desk.ns.pod("dev")
    with desk.cluster.relay() as relay:
        config = str(relay.kubeconfig())
        host = desk.connect("dev", "--kubeconfig", config)["host"]
    done = desk.type("kubectl", "nodeport", "disconnect", "-q", host)
    assert done.returncode == 1
    assert done.stdout == f"host/{host} removed from ~/.ssh/config\n"
    error, hint = done.stderr.splitlines()
    assert error.startswith(
        f"error: service nodeport-dev-ssh in namespace {desk.ns} may still be open: the API server"
    )
    assert hint == (
        f"hint: kubectl nodeport delete --kubeconfig {config} --context docker-desktop dev "
        f"--name ssh -n {desk.ns}"
    )
    assert desk.nodeport("delete", "dev", "--name", "ssh").returncode == 0
    desk.assert_nothing_left(but_backups=True)


def test_right_that_is_missing(desk: Desk) -> None:
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    services = {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}
    token = desk.ns.user("reader", [services])
    done = desk.type("kubectl", "nodeport", "disconnect", "-q", host, "--token", token)
    assert done.returncode == 1
    assert f"may still be open: the right to delete services -n {desk.ns} is missing" in done.stderr
    assert token not in done.stderr
    assert names(desk) == ["nodeport-dev-ssh"]
    assert desk.nodeport("get", "hosts").stdout == ""


def test_json_and_a_workload(desk: Desk) -> None:
    desk.ns.deployment("api", replicas=1)
    host = desk.connect("deploy/api")["host"]
    done = desk.nodeport("disconnect", "deploy/api", "-o", "json")
    (item,) = json.loads(done.stdout)["items"]
    assert (item["metadata"]["name"], item["origin"]["target"]) == (host, "deployment/api")
    assert (item["status"]["change"], item["status"]["serviceChange"]) == ("removed", "deleted")
    desk.assert_nothing_left(but_backups=True)
