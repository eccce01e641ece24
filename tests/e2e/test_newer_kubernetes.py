"""The newer Kubernetes, with its own kubectl: the main paths, and what it does otherwise."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cluster import versions
from tests.cluster.cluster import Cluster
from tests.e2e.brought import disconnected, servers, told
from tests.e2e.conftest import ANSWERS_AT, Desk
from tests.e2e.test_doctor import NO_LIBRARY, examined, fails
from tests.e2e.test_rbac import Person
from tests.e2e.test_ssh import log_in
from tests.e2e.test_sync import hosts, sync

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(newer_cluster: Cluster) -> Cluster:
    """What desk, ns and laptop stand on in this module."""
    return newer_cluster


def typed(desk: Desk, *words: str) -> str:
    """A command of ours that has to work; its stdout."""
    done = desk.nodeport(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_versions(desk: Desk) -> None:
    """Laptop and server are what this module is about, and not the other tests' version."""
    kubectl = json.loads(desk.type("kubectl", "version", "-o", "json").stdout)
    shown = {kubectl[side]["gitVersion"] for side in ("clientVersion", "serverVersion")}
    assert shown == {versions.NEWER.version}
    assert json.loads(typed(desk, "version", "-o", "json"))["server"] == versions.NEWER.version


def test_connect(anywhere: Desk) -> None:
    desk = anywhere
    desk.ns.pod("dev")
    done = desk.connect("dev")
    assert done["address"] == ANSWERS_AT[desk.cluster.profile.name]
    assert (done["via"], done["hostKeysFrom"], done["proof"]) == ("nodeport", "exec", "connection")
    assert desk.ssh(done["host"], "hostname") == "dev"


def test_in_and_out(desk: Desk) -> None:
    """connect twice, ssh, expose, get, doctor, sync, delete, disconnect: nothing that any of them
    asks for is deprecated, of which the API server would warn."""
    desk.ns.pod("dev")
    with desk.cluster.relay() as relay:
        config = ("--kubeconfig", str(relay.kubeconfig()))
        desk.type("kubectl", *config, "get", "endpoints", "-n", desk.ns.name)
        assert "Endpoints is deprecated" in relay.requests()[-1].warning
        relay.reset()
        done = desk.connect("dev", *config)
        again = desk.connect("dev", *config)
        changes = (again["service"]["change"], again["sshConfig"]["change"])
        assert changes == ("unchanged", "unchanged")
        assert log_in(desk, *config, "dev", "--", "hostname").stdout == "dev\n"
        typed(desk, "expose", "dev", "--name", "again", "--port", "22", *config)
        found = json.loads(typed(desk, "get", "-o", "json", *config))["items"]
        assert [item["status"]["problem"] for item in found] == [None, None]
        assert {item["metadata"]["name"]: item["status"]["hosts"] for item in found} == {
            "again": [],
            "ssh": [done["host"]],
        }
        status = examined(desk, "dev", *config)
        assert fails(status) == [NO_LIBRARY]
        assert status["server"]["seen"].endswith(f"is Kubernetes {versions.NEWER.version}")
        assert "proof: connection" in status["address"]["seen"]
        assert sync(desk, *config) == (0, [f"host/{done['host']} unchanged"], "")
        typed(desk, "delete", "dev", "--name", "again", *config)
        disconnected(desk, "dev", *config)
        asked = relay.requests()
        assert len(asked) > 30
        assert {one.warning for one in asked} == {""}
    desk.assert_nothing_left(but_backups=True)


def test_tunnel(desk: Desk) -> None:
    desk.ns.pod("dev")
    done = desk.connect("dev", "--via", "tunnel")
    assert (done["via"], desk.services()) == ("tunnel", [])
    assert desk.ssh(done["host"], "hostname") == "dev"
    sent = "x" * 1_000_000
    there_and_back = desk.laptop.run(["ssh", done["host"], "cat"], stdin=sent)
    assert (there_and_back.returncode, there_and_back.stdout) == (0, sent)


def test_server_that_is_brought(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing", image="bare")
    done = desk.connect("dev", "--with-sshd")
    assert (done["via"], done["hostKeysFrom"]) == ("nodeport", "exec")
    assert "runs in container main of pod dev now" in told(done)
    assert desk.ssh(done["host"], "hostname; id -un") == "dev\nroot"
    disconnected(desk, "dev")
    assert servers(desk) == []


def test_replaced_pod(desk: Desk) -> None:
    """Its rule follows, and sync takes its keys over; the rule's owner is gone with its pod."""
    (before,) = desk.ns.deployment("api", replicas=1, host_keys="own")
    desk.ns.pod("dev")
    api, _ = (desk.connect(name)["host"] for name in ("deploy/api", "dev"))
    desk.ns.delete_pod("dev")
    desk.ns.delete_pod(before.name)
    (after,) = desk.ns.scale("api", 1, host_keys="own")
    code, lines, err = sync(desk)
    assert (code, err) == (0, "")
    assert lines[0] == f"host/{api} updated: another pod, new host keys"
    assert hosts(desk) == [api]
    assert desk.ssh(api, "hostname") == after.name


class TestRightToCreate:
    """A websocket takes the right to get and, from 1.35 on, the right to create as well."""

    EXEC = "create pods/exec"
    FORWARD = "create pods/portforward"

    def test_documented_role_suffices(self, desk: Desk) -> None:
        desk.ns.pod("dev")
        person = Person(desk)
        for words in (("connect", "dev"), ("connect", "dev", "--via", "tunnel", "--host", "box")):
            code, out, err = person.run(*words)
            assert (code, err) == (0, ""), out
            (host,) = re.findall(r"^  ssh (\S+)$", out, re.MULTILINE)
            assert desk.ssh(host, "hostname") == "dev"

    def test_exec(self, desk: Desk) -> None:
        """What is not to be had is named with the right, and the pod's port asked instead."""
        desk.ns.pod("dev")
        person = Person(desk, self.EXEC)
        missing = f"the right to create pods/exec -n {desk.ns} is missing"
        code, out, err = person.run("connect", "dev")
        assert (code, out) == (1, "")
        error, hint = err.splitlines()
        assert error.startswith("error: the container's user is not known")
        assert missing in error
        assert "USER@dev" in hint
        code, out, err = person.run("connect", "root@dev")
        assert code == 0, err
        assert err.startswith(f"note: {missing}, needed to run a command in the container: the ")
        (host,) = re.findall(r"^  ssh (\S+)$", out, re.MULTILINE)
        assert desk.ssh(host, "hostname") == "dev"

    def test_bringing_a_server(self, desk: Desk) -> None:
        desk.ns.pod("dev", runs="nothing", image="bare")
        code, out, err = Person(desk, self.EXEC).run("connect", "dev", "--with-sshd")
        assert (code, out) == (1, "")
        error, hint = err.splitlines()
        assert f"the right to create pods/exec -n {desk.ns} is missing" in error
        assert f"auth can-i create pods --subresource=exec -n {desk.ns}" in hint
        desk.assert_nothing_left()

    def test_tunnel(self, desk: Desk) -> None:
        """A NodePort is no worse without; a tunnel is refused by name."""
        desk.ns.pod("dev")
        person = Person(desk, self.FORWARD)
        code, out, err = person.run("connect", "dev", "--via", "tunnel")
        assert (code, out) == (1, "")
        error, hint = err.splitlines()
        assert f"the right to create pods/portforward -n {desk.ns} is missing" in error
        assert f"auth can-i create pods --subresource=portforward -n {desk.ns}" in hint
        code, _, err = person.run("connect", "dev")
        assert (code, err) == (0, "")

    def test_neither(self, desk: Desk) -> None:
        desk.ns.pod("dev")
        person = Person(desk, self.EXEC, self.FORWARD)
        code, out, err = person.run("connect", "root@dev")
        assert (code, out) == (1, "")
        error, hint = err.splitlines()
        assert error.startswith("error: nobody vouches for the host key of pod dev: the right to ")
        for subresource in ("exec", "portforward"):
            assert f"the right to create pods/{subresource} -n {desk.ns} is missing" in error
        assert "--accept-new-host-key" in hint
        desk.assert_nothing_left()

    @pytest.mark.parametrize("subresource", ["exec", "portforward"])
    def test_doctor(self, desk: Desk, subresource: str) -> None:
        desk.ns.pod("dev")
        person = Person(desk, f"create pods/{subresource}")
        code, out, err = person.run("doctor", "dev", "-o", "json")
        assert (code, err) in ((0, ""), (1, "")), err
        found: dict[str, dict[str, Any]] = {
            one["metadata"]["name"]: one["status"] for one in json.loads(out)["items"]
        }
        rights = found["optional-rights"]
        assert (rights["result"], rights["seen"]) == (
            "warning",
            f"missing: create pods/{subresource}",
        )
        assert (
            f"auth can-i create pods --subresource={subresource} -n {desk.ns}" in rights["command"]
        )
