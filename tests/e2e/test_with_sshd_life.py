"""The ssh server that connect brings into a container, from its start over restarts to its end."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest

from kubectl_nodeport.container import sshd
from sshd.build import BuildError
from tests.cluster.api import until
from tests.e2e.brought import (
    answers,
    disconnected,
    folder,
    inside,
    inventory,
    servers,
    told,
)
from tests.e2e.conftest import Desk
from tests.e2e.test_host_keys import pinned
from tests.sshd.older import VERSION, older

pytestmark = pytest.mark.cluster

MORTAL = ("sh", "-c", "trap 'exit 1' TERM; sleep infinity & wait")
"""Ends when it is asked to, which a first process else does not."""


def test_through_the_api_server(desk: Desk) -> None:
    """It listens where only a tunnel reaches it; with a NodePort it is another."""
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    done = desk.connect("dev", "--with-sshd", "--via", "tunnel")
    assert (done["via"], done["containerPort"], desk.services()) == ("tunnel", 20022, [])
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert not answers(desk, 20022)
    assert desk.connect("dev")["sshConfig"]["change"] == "unchanged"
    opened = desk.connect("dev", "--via", "nodeport")
    assert "was replaced; who was logged in has to come again" in told(opened)
    assert (pinned(opened), opened["host"]) == (pinned(done), done["host"])
    assert answers(desk, 20022)
    assert desk.ssh(done["host"], "hostname") == "dev"
    disconnected(desk, "dev")
    assert not answers(desk, 20022)
    assert inventory(desk) == before
    desk.assert_nothing_left(but_backups=True)


def test_second_container(desk: Desk) -> None:
    """OpenSSH in the one, ours in the other; each has a rule and a Host entry."""
    desk.ns.pod("dev", tool=True)
    inside(desk, "touch", "/in-tool", container="tool")
    main = desk.connect("dev")
    same = desk.nodeport("connect", "dev", "-c", "tool", "--with-sshd")
    assert same.returncode == 1
    assert 'the rule "ssh" of pod dev leads to port 22, not to 20022' in same.stderr
    assert "--name makes another" in same.stderr
    assert servers(desk, "tool") == [], "the one that this run has started ended"
    tool = desk.connect("dev", "-c", "tool", "--with-sshd", "--name", "tool", "--host", "tool")
    assert (main["containerPort"], tool["containerPort"]) == (22, 20022)
    assert tool["container"] == "tool"
    for done, found in ((main, ""), (tool, "/in-tool")):
        assert desk.ssh(done["host"], "ls -d /in-* 2>/dev/null; true") == found
    assert servers(desk, "main") == []
    again = desk.connect("dev", "--name", "tool", "--host", "tool")
    assert (again["containerPort"], again["sshConfig"]["change"]) == (20022, "unchanged")
    disconnected(desk, "tool")
    assert servers(desk, "tool") == []
    assert desk.ssh(main["host"], "hostname") == "dev"
    disconnected(desk, main["host"])
    desk.assert_nothing_left(but_backups=True)


def restart(desk: Desk) -> None:
    """End the container's first process, and wait until the kubelet has started it again."""

    def status() -> dict[str, Any]:
        pod = desk.cluster.api.get(f"{desk.ns.path}/pods/dev")
        (one,) = pod["status"]["containerStatuses"]
        return dict(one)

    before = status()["restartCount"]
    # Its end is that of all who are inside, so exec has to have gone.
    inside(desk, "sh", "-c", "{ sleep 0.2; kill 1; } </dev/null >/dev/null 2>&1 &")
    until(
        "the container's restart",
        lambda: status()["restartCount"] > before and "running" in status()["state"],
    )


def test_restarted_container(desk: Desk) -> None:
    """sync names what mends it, connect starts the server again, and nothing else has changed."""
    desk.ns.pod("dev", runs="nothing", image="bare", command=MORTAL)
    before = inventory(desk)
    done = desk.connect("dev", "--with-sshd")
    written = desk.config.read_bytes()
    restart(desk)
    assert servers(desk) == []
    left = desk.nodeport("sync")
    assert left.returncode == 1
    error, hint = left.stderr.splitlines()
    assert error == (
        f"error: left as they are: {done['host']}: the ssh server that connect brought is gone"
    )
    assert f"kubectl nodeport connect --context docker-desktop dev -n {desk.ns}" in hint
    assert servers(desk) == [], "sync makes nothing"
    assert desk.config.read_bytes() == written
    again = desk.connect("dev")
    assert (pinned(again), again["port"]) == (pinned(done), done["port"])
    assert desk.config.read_bytes() == written
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert desk.nodeport("sync").returncode == 0
    disconnected(desk, "dev")
    assert inventory(desk) == before
    desk.assert_nothing_left(but_backups=True)


def test_replaced_pod(desk: Desk) -> None:
    """Of the same name, with another uid: the alias leads to it after the next connect."""
    first = desk.ns.pod("dev", runs="nothing", image="bare")
    done = desk.connect("dev", "--with-sshd")
    second = desk.ns.replace_pod("dev")
    assert second.uid != first.uid
    assert desk.type("ssh", "-o", "BatchMode=yes", done["host"], "hostname").returncode == 255
    again = desk.connect("dev")
    assert (again["host"], pinned(again)) == (done["host"], pinned(done))
    assert desk.ssh(done["host"], "hostname") == "dev"
    disconnected(desk, "dev")
    assert servers(desk) == []
    desk.assert_nothing_left(but_backups=True)


class Person:
    """Somebody with a key and an ssh configuration of their own, on the same laptop."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk, self.name = desk, name
        self.key = f".ssh/{name}"
        self.config = f".ssh/{name}.config"
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        assert desk.type(*make).returncode == 0

    def connect(self) -> dict[str, Any]:
        """Under a rule of the same name as the person's."""
        own = ("--ssh-config", self.config, "-i", f"~/{self.key}", "--name", self.name)
        return self.desk.connect("dev", "--with-sshd", "--host", self.name, *own)

    def login(self, port: int) -> str:
        """Knock at 127.0.0.1 with the key: what the pod says, else why it did not let it in."""
        options = ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no")
        words = [word for one in options for word in ("-o", one)]
        ssh = ("ssh", "-F", "none", *words, "-o", "UserKnownHostsFile=/dev/null", "-i", self.key)
        done = self.desk.type(*ssh, "-p", str(port), "root@127.0.0.1", "hostname")
        return done.stdout.strip() or done.stderr.splitlines()[-1]

    def disconnect(self) -> str:
        return disconnected(self.desk, self.name, "--ssh-config", self.config)


def test_two_people(desk: Desk) -> None:
    """Whoever comes second adds a key; the server ends with the last one."""
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    one, two = Person(desk, "one"), Person(desk, "two")
    first = one.connect()
    second = two.connect()
    assert pinned(second) == pinned(first)
    assert "ran in container main of pod dev already, for another key: it lets in " in told(second)
    assert [person.login(first["port"]) for person in (one, two)] == ["dev", "dev"]
    assert "ssh server in container main of pod/dev stays: it lets in another key" in (
        one.disconnect()
    )
    assert "Permission denied" in one.login(second["port"])
    assert two.login(second["port"]) == "dev"
    assert "ssh server in container main of pod/dev ended" in two.disconnect()
    assert inventory(desk) == before
    for person in (one, two):
        (desk.laptop.home / person.config).unlink()
    desk.assert_nothing_left(but_backups=True)


def test_another_key_of_one_person(desk: Desk) -> None:
    """The former is let in no more, so that the server ends with the host."""
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    old, new = Person(desk, "old"), Person(desk, "new")
    desk.connect("dev", "--with-sshd", "-i", f"~/{old.key}")
    done = desk.connect("dev", "-i", f"~/{new.key}")
    assert "in container main of pod/dev, is let in no more" in told(done)
    assert "Permission denied" in old.login(done["port"])
    assert new.login(done["port"]) == "dev"
    disconnected(desk, "dev")
    assert inventory(desk) == before
    desk.assert_nothing_left(but_backups=True)


def test_older_version(desk: Desk) -> None:
    """One that runs is replaced; its host key stays, and whom it lets in."""
    current = ".".join(map(str, sshd.VERSION))
    try:
        program = older(current).read_bytes()
    except BuildError as error:
        pytest.skip(f"no older ssh server can be built: {error}")
    desk.ns.pod("dev", runs="nothing", image="bare")
    before = inventory(desk)
    there = folder(desk)
    put = "umask 077; mkdir $1 && base64 -d >$1/nodeport-sshd && chmod +x $1/nodeport-sshd"
    inside(desk, "sh", "-c", put, "sh", there, stdin=base64.b64encode(program).decode())
    somebody = Person(desk, "somebody")
    public = (desk.laptop.home / f"{somebody.key}.pub").read_text().strip()
    settings = {
        "host_key": base64.b64encode(os.urandom(32)).decode(),
        "authorized_keys": [public],
        "port": 20022,
    }
    server = (f"{there}/nodeport-sshd", "start", "--state", there)
    was = json.loads(inside(desk, *server, stdin=json.dumps(settings)))
    assert (was["state"], was["server"]["version"]) == ("started", VERSION)

    done = desk.connect("dev", "--with-sshd")
    assert "was replaced; who was logged in has to come again" in told(done)
    assert pinned(done) == {was["server"]["fingerprint"]}
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert somebody.login(done["port"]) == "dev"
    now = json.loads(inside(desk, server[0], "status", "--state", there))["server"]
    assert (now["version"], now["port"]) == (current, 20022)
    assert now["pid"] != was["server"]["pid"]
    disconnected(desk, "dev")
    assert len(servers(desk)) == 3, "somebody is left"
    inside(desk, server[0], "remove-key", "--stop-last", "--state", there, stdin=f"{public}\n")
    assert inventory(desk) == before
