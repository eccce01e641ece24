"""What connect prints, to the letter; docs/output.md promises the JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_nodeport.cli.connecting import check_found_by_ssh
from kubectl_nodeport.cli.output import formatted
from kubectl_nodeport.cli.render.connect import as_document, as_text, news, next_commands
from kubectl_nodeport.commands.connect import Connected
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.edit import Whereabouts
from tests.commands.fake_api import FakeApi
from tests.commands.test_rules import foreign
from tests.commands.world import NODE, FakeExec, World, inside, rule
from tests.kube import make
from tests.ssh.make import key

CONFIG = "~/.ssh/config"
PORT = rule(World().connect(dry_run=True)).node_port
FINGERPRINT = key(1).fingerprint


def test_new() -> None:
    assert (
        as_text(World().connect(), CONFIG)
        == f"""\
service/nodeport-dev-ssh created: NodePort {PORT} leads to port 22 of pod/dev
127.0.0.1:{PORT} answers with a host key that was made in this container
  ssh-ed25519 {FINGERPRINT}
host/dev.default.docker-desktop created in ~/.ssh/config, user root

Connect with:
  ssh dev.default.docker-desktop
  code --folder-uri vscode-remote://ssh-remote+dev.default.docker-desktop/root"""
    )


def test_unchanged() -> None:
    world = World()
    world.connect()
    assert (
        as_text(world.connect(), CONFIG)
        == f"""\
service/nodeport-dev-ssh unchanged: NodePort {PORT} leads to port 22 of pod/dev
127.0.0.1:{PORT} answers with a host key that was made in this container
  ssh-ed25519 {FINGERPRINT}
host/dev.default.docker-desktop unchanged in ~/.ssh/config, user root
nothing changed

Connect with:
  ssh dev.default.docker-desktop
  code --folder-uri vscode-remote://ssh-remote+dev.default.docker-desktop/root"""
    )


def test_file_in_which_the_entry_stands() -> None:
    world = World()
    world.hosts.lies = Whereabouts("~/.ssh/kubectl-nodeport/config")
    text = as_text(world.connect(), CONFIG)
    line = "host/dev.default.docker-desktop created in ~/.ssh/kubectl-nodeport/config, user root"
    assert line in text.splitlines()
    assert "\nConnect with:\n  ssh dev" in text


def test_line_without_which_ssh_does_not_get_there() -> None:
    world = World()
    own = "/srv/kubectl-nodeport/config"
    world.hosts.lies = Whereabouts(own, f"Include {own}")
    done = world.connect()
    assert as_text(done, "/srv/config").endswith(
        """
host/dev.default.docker-desktop created in /srv/kubectl-nodeport/config, user root

/srv/config is read-only. Add this line by hand, as its first:
  Include /srv/kubectl-nodeport/config

Then connect with:
  ssh -F /srv/config dev.default.docker-desktop"""
    )
    with pytest.raises(NodeportError, match="/srv/config is read-only, and does not"):
        check_found_by_ssh(done, "/srv/config")
    world.hosts.lies = Whereabouts(own)
    check_found_by_ssh(world.connect(), "/srv/config")


def test_news_are_what_is_new() -> None:
    world = World()
    first = world.connect()
    assert news(first, CONFIG) == as_text(first, CONFIG).splitlines()[:4]
    assert news(world.connect(), CONFIG) == []
    again = world.connect(user="jane")
    assert news(again, CONFIG) == as_text(again, CONFIG).splitlines()[1:4]


def test_updated_entry_does_not_say_that_nothing_changed() -> None:
    world = World()
    world.connect()
    text = as_text(world.connect(user="jane"), CONFIG)
    assert "host/dev.default.docker-desktop updated in ~/.ssh/config, user jane" in text
    assert "nothing changed" not in text


def test_rule_of_others() -> None:
    done = World(FakeApi(make.pod("dev"), NODE, foreign())).connect()
    assert as_text(done, CONFIG).splitlines()[0] == (
        "service/theirs unchanged (made by others, used): "
        "NodePort 30333 leads to port 22 of pod/dev"
    )


def test_dry_run_of_a_new_rule() -> None:
    assert (
        as_text(World().connect(dry_run=True), CONFIG)
        == f"""\
service/nodeport-dev-ssh would be created: NodePort {PORT} if it is free leads to port 22 of pod/dev
127.0.0.1 would be tried first
host/dev.default.docker-desktop would be created in ~/.ssh/config, user root

+Host dev.default.docker-desktop with 1 key(s)"""
    )


def test_dry_run_that_would_change_nothing() -> None:
    world = World()
    world.connect()
    assert as_text(world.connect(dry_run=True), CONFIG).splitlines()[-2:] == [
        "host/dev.default.docker-desktop unchanged in ~/.ssh/config, user root",
        "nothing would change",
    ]


def test_ipv6_address_is_bracketed() -> None:
    done = World().connect()
    assert done.way.answer is not None
    answer = replace(
        done.way.answer, candidate=replace(done.way.answer.candidate, address="fd00::1")
    )
    assert f"\n[fd00::1]:{PORT} answers" in as_text(
        replace(done, way=replace(done.way, answer=answer)), CONFIG
    )


def test_json() -> None:
    done = World().connect()
    assert as_document(done, CONFIG) == {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "Connection",
        "host": "dev.default.docker-desktop",
        "via": "nodeport",
        "address": "127.0.0.1",
        "port": PORT,
        "user": "root",
        "context": "docker-desktop",
        "namespace": "default",
        "pod": "dev",
        "container": "main",
        "containerPort": 22,
        "service": {"name": "nodeport-dev-ssh", "change": "created", "ours": True},
        "hostKeys": [{"type": "ssh-ed25519", "fingerprint": FINGERPRINT}],
        "hostKeysFrom": "exec",
        "answered": True,
        "proof": "host-key",
        "candidates": [
            {
                "address": "127.0.0.1",
                "reason": "this machine: Docker Desktop forwards NodePorts to 127.0.0.1",
                "result": "answered",
                "detail": "answered",
                "seconds": 0.0,
            }
        ],
        "dryRun": False,
        "sshConfig": {"path": CONFIG, "change": "created"},
        "loginKey": {"state": "unknown", "type": None, "fingerprint": None},
        "vscodeLacks": None,
        "notes": [],
    }


def test_json_of_a_dry_run() -> None:
    document = as_document(World().connect(dry_run=True), CONFIG)
    assert document["service"]["change"] == "would be created"
    assert document["sshConfig"]["change"] == "would be created"
    assert document["dryRun"] is True
    assert document["answered"] is False


def test_next_commands_for_another_config() -> None:
    done = World().connect()
    assert next_commands(done, "/tmp/c") == ["ssh -F /tmp/c dev.default.docker-desktop"]


@pytest.mark.parametrize(
    ("home", "words"),
    [
        ("", "--remote ssh-remote+dev.default.docker-desktop"),
        ("/root", "--folder-uri vscode-remote://ssh-remote+dev.default.docker-desktop/root"),
        ("/a b", "--folder-uri vscode-remote://ssh-remote+dev.default.docker-desktop/a%20b"),
    ],
)
def test_folder_for_vscode(home: str, words: str) -> None:
    done = replace(World().connect(), home=home)
    assert next_commands(done, CONFIG)[1] == f"code {words}"


def hostile(done: Connected) -> Connected:
    evil = "x\x1b[2J\r\x07"
    return replace(
        done,
        pod=replace(done.pod, name=evil),
        way=replace(done.way, exposed=replace(rule(done), service=evil)),
        container=replace(done.container, name=evil),
        context=evil,
        notes=(evil,),
        preview=evil,
    )


@pytest.mark.parametrize("dry_run", [True, False])
def test_names_from_a_cluster_are_made_safe(dry_run: bool) -> None:
    done = hostile(World(exec=FakeExec(inside())).connect(dry_run=dry_run))
    for line in as_text(done, CONFIG).split("\n"):
        assert line.isprintable()
    for chosen in ("json", "yaml"):
        text = formatted(chosen, as_document(done, CONFIG))
        assert text.isascii()
        assert text.replace("\n", "").isprintable()
