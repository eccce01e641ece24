"""Files and objects of the version before, in the hands of today's program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.commands.address import AddressRequest, address
from kubectl_nodeport.commands.connect import Connected, ConnectRequest, connect
from kubectl_nodeport.commands.delete import DeleteRequest, delete
from kubectl_nodeport.commands.disconnect import Disconnected, DisconnectRequest, disconnect
from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.commands.get import get, hosts
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.named import Named
from kubectl_nodeport.commands.proxy import destination, entry_named
from kubectl_nodeport.commands.scope import GetRequest
from kubectl_nodeport.commands.sync import Synced, SyncRequest, sync
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh import layout
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.layout import Place
from kubectl_nodeport.ssh.origin import Origin
from tests.ssh.make import key
from tests.upgrade.written import (
    CONFIG,
    KEPT_OF_API,
    OWN_LINES,
    PODS,
    SERVER_KEY,
    SUFFIX,
    AtHome,
    Written,
    own_files,
    written,
)

NODE_PORTS = {"shared": 31342, "dev": 31602, "bare": 32110, "deployment-api": 32481, "web-0": 32028}


@pytest.fixture
def there(tmp_path: Path) -> Written:
    return written(tmp_path)


def file_of(world: Written) -> AtHome:
    assert isinstance(world.hosts, AtHome)
    return world.hosts


def again(world: Written, name: str) -> Connected:
    world.api.log.clear()
    target = Target(name)
    if name == "api":
        target, world.kept = Target(name, kind="deployment"), KEPT_OF_API
    return connect(ConnectRequest(target), world.edges)


def synced(world: Written) -> Synced:
    homes = Homes(lambda _origin: replace(world.edges, notes=[]))
    return sync(SyncRequest(), file_of(world), homes)


def disconnected(world: Written, *names: str, everything: bool = False) -> Disconnected:
    homes = Homes(lambda _origin: replace(world.edges, notes=[]))
    request = DisconnectRequest(Named(names, all=everything))
    return disconnect(request, file_of(world), homes, lambda: world.edges)


def aliases(entries: Sequence[HostEntry]) -> list[str]:
    return [entry.alias.removesuffix(SUFFIX) for entry in entries]


def test_entries_say_what_they_said(there: Written) -> None:
    entries = {entry.alias.removesuffix(SUFFIX): entry for entry in there.hosts.entries()}
    assert tuple(entries) == PODS
    assert entries["dev"] == HostEntry(
        alias=f"dev{SUFFIX}",
        hostname="127.0.0.1",
        port=31602,
        user="root",
        known_hosts_file=f"~/.ssh/kubectl-nodeport/dev{SUFFIX}.known_hosts",
        identity_file="/home/me/.ssh/my key",
        origin=Origin(
            cluster="ca:cb3f91d54eee30e53e35b2b99905f70f",
            context="docker-desktop",
            kubeconfig=("/home/me/.kube/config",),
            namespace="default",
            target="pod/dev",
            pod_uid="0c3f4f0e-52c7-4a4e-8a58-9a53a2c6f7d1",
            rule="ssh",
            service="nodeport-dev-ssh",
            creation="0f0f76aef13a630a",
            made_rule=True,
        ),
        cancel_proxy=True,
        neutral=("remotecommand",),
    )
    far, bare, api = entries["far"], entries["bare"].origin, entries["deployment-api"].origin
    assert (far.program, far.port) == (("/opt/kubectl-nodeport", "proxy"), 22)
    assert (bare.container, bare.sshd_port) == ("main", 20022)
    assert (bare.sshd_key, bare.authorized_key) == (key(50).openssh, "")
    assert (api.target, api.flags, api.plugin_folder) == ("deployment/api", *_kept())
    assert entries["shared"].origin.noted == "dbcc7bb68b98b768"
    assert entries["web-0"].origin.authorized_key == key(50).openssh
    assert there.hosts.keys(f"bare{SUFFIX}") == (SERVER_KEY,)


def _kept() -> tuple[tuple[tuple[str, str], ...], str]:
    return KEPT_OF_API.flags, KEPT_OF_API.plugin_folder


@pytest.mark.parametrize("name", ["shared", "dev", "far", "bare", "api", "web-0"])
def test_connect_takes_them_as_its_own(there: Written, name: str) -> None:
    done = again(there, name)
    assert (done.entry_change, file_of(there).text) == ("unchanged", CONFIG)
    assert there.api.writes() == []


@pytest.mark.parametrize("name", ["shared", "dev"])
def test_expose_finds_the_rule(there: Written, name: str) -> None:
    opened = expose(ExposeRequest(Target(name), "ssh"), there.edges)
    assert opened.change == "unchanged"
    assert [row.node_port for row in opened.listed] == [NODE_PORTS[name]]


def test_connect_makes_a_rule_anew_for_the_next_pod(there: Written) -> None:
    """A pod replaced since: today's rule takes the place of the old one, on the same node port."""
    found = there.api.get("pods", "dev")
    assert found is not None
    found["metadata"] |= {"uid": "6c9f4f0e", "labels": {"app": "dev"}, "annotations": {}}
    done = again(there, "dev")
    assert done.entry_change == "updated"
    assert done.entry.port == NODE_PORTS["dev"]
    made = there.api.get("services", "nodeport-dev-ssh")
    assert made is not None
    assert made["metadata"]["annotations"]["kubectl-nodeport/format"] == "1"
    assert made["metadata"]["annotations"]["kubectl-nodeport/id"] == done.entry.origin.creation


def test_sync_finds_nothing_to_change(there: Written) -> None:
    done = synced(there)
    assert [(one.entry.alias.removesuffix(SUFFIX), one.change) for one in done.hosts] == [
        (name, "unchanged") for name in PODS
    ]
    assert done.left is None
    assert file_of(there).text == CONFIG


def test_get_lists_them(there: Written) -> None:
    rows = get(GetRequest(), there.edges)
    found = {row.hosts[0].removesuffix(SUFFIX): row.node_port for row in rows if row.hosts}
    assert found == NODE_PORTS
    assert {row.problem for row in rows if row.ours} == {""}
    assert [row.service for row in rows if not row.ours] == ["mysql"]
    seen = hosts(there.hosts)
    assert (aliases(seen.entries), seen.left) == (sorted(PODS), None)


def test_address_asks_the_rule(there: Written) -> None:
    (found,) = address(AddressRequest(parse("dev")), there.edges)
    assert (found.row.node_port, found.row.address) == (31602, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "pod", "port"),
    [
        ("far", "far", 22),
        ("dev", "dev", 22),
        ("bare", "bare", 20022),
        ("deployment-api", "api-7d9f-x", 22),
    ],
)
def test_proxy_finds_the_pod(there: Written, name: str, pod: str, port: int) -> None:
    entry = entry_named(f"{name}{SUFFIX}", file_of(there).readable(), "config")
    found = destination(entry, there.connection, there.api, lambda: there.edges)
    assert (found.namespace, found.pod, found.port) == ("default", pod, port)


def test_disconnect_takes_all_of_it_back(there: Written) -> None:
    done = disconnected(there, everything=True)
    assert done.left is None
    fates = {rule.entries[0].alias.removesuffix(SUFFIX): rule.fate for rule in done.rules}
    assert fates == {
        **dict.fromkeys(["dev", "bare", "deployment-api", "web-0"], "deleted"),
        "shared": "kept",  # somebody else's connect made it
    }
    assert [(one.entry.origin.target, one.fate) for one in done.servers] == [("pod/bare", "ended")]
    assert file_of(there).text == OWN_LINES
    assert [one.name for one in (file_of(there).path.parent / "kubectl-nodeport").iterdir()] == []
    assert sorted(there.api.services()) == ["mysql", "nodeport-shared-ssh"]
    kept = there.api.get("services", "nodeport-shared-ssh")
    assert kept is not None
    assert service.users(kept) == frozenset(), "the note of its use is gone"
    for pod in ("dev", "bare", "api-7d9f-x", "web-0"):
        document = there.api.get("pods", pod)
        assert document is not None
        marks = {**document["metadata"]["labels"], **document["metadata"]["annotations"]}
        assert not [mark for mark in marks if "nodeport" in mark]


def test_delete_removes_rules_and_closes_a_service(there: Written) -> None:
    gone = delete(DeleteRequest(all=True), there.edges)
    assert len(gone.rules) == 5
    closed = delete(DeleteRequest(parse("svc/mysql")), there.edges).closed
    assert closed is not None
    assert closed.kind == "ClusterIP"
    (left,) = (one for (kind, _, _), one in there.api.objects.items() if kind == "services")
    assert "kubectl-nodeport/former-type" not in left["metadata"]["annotations"]


def test_entries_in_a_file_of_their_own() -> None:
    files = own_files()
    assert tuple(aliases(layout.entries(files))) == PODS
    assert layout.chosen(files) is True
    assert layout.include_line(files, ["Include kubectl-nodeport/config"])
    assert layout.outdated(files) == frozenset()
    into_block = layout.changed(files, (), (), Place(include=False))
    assert into_block.own is None
    assert layout.entries(into_block) == layout.entries(files)
    assert into_block.text.endswith(OWN_LINES)


class TestWordsOfBefore:
    """Entries without a sum, as the first were: the next write puts them in today's words."""

    @pytest.fixture
    def older(self, there: Written) -> Written:
        text = re.sub(r',"sum":"[0-9a-f]{16}"', "", CONFIG)
        assert text != CONFIG
        file_of(there).path.write_text(text)
        return there

    def test_sync(self, older: Written) -> None:
        done = synced(older)
        assert {(one.change, one.told) for one in done.hosts} == {("updated", "in today's form")}
        assert file_of(older).text == CONFIG
        assert {one.change for one in synced(older).hosts} == {"unchanged"}

    def test_sync_that_is_rehearsed(self, older: Written) -> None:
        before = file_of(older).text
        homes = Homes(lambda _origin: replace(older.edges, notes=[]))
        done = sync(SyncRequest((f"dev{SUFFIX}",), dry_run=True), file_of(older), homes)
        assert [one.change for one in done.hosts] == ["updated"]
        assert '+  # kubectl-nodeport: {"v":1,"alias":"dev' in done.preview
        assert file_of(older).text == before

    def test_connect(self, older: Written) -> None:
        assert again(older, "dev").entry_change == "updated"
        assert f"dev{SUFFIX}" not in file_of(older).outdated()
        assert len(file_of(older).outdated()) == 5, "the others are as they were"
        assert again(older, "dev").entry_change == "unchanged"

    def test_disconnect(self, older: Written) -> None:
        assert disconnected(older, everything=True).left is None
        assert file_of(older).text == OWN_LINES
