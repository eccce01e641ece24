"""What a version after this one may write: it is told, listed as far as it goes, and left alone."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.commands.address import AddressRequest, address
from kubectl_nodeport.commands.connect import ConnectRequest, connect
from kubectl_nodeport.commands.delete import Deleted, DeleteRequest, delete
from kubectl_nodeport.commands.disconnect import DisconnectRequest, disconnect
from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.commands.get import get, hosts
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.named import Named
from kubectl_nodeport.commands.open_service import OpenRequest, open_service
from kubectl_nodeport.commands.proxy import entry_named
from kubectl_nodeport.commands.scope import GetRequest
from kubectl_nodeport.commands.sync import Synced, SyncRequest, sync
from kubectl_nodeport.errors import UPGRADE, NodeportError
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.ssh import block, layout
from tests.upgrade.written import CONFIG, PODS, SUFFIX, AtHome, Written, own_files, written

DEV = f"dev{SUFFIX}"
BY_KUBECTL = "kubectl delete service nodeport-dev-ssh -n default"


def _of_another_format() -> str:
    return "\n".join(
        [
            f"Host {DEV}",
            '  # kubectl-nodeport: {"v":2,"alias":["dev"],"sum":"of another kind"}',
            "  HostName 127.0.0.1",
            "  Tag 4",
            "",
        ]
    )


def _with_another_name() -> str:
    """Of the same format, and as written: its sum fits. What is new in it is not known here."""
    whole, words = f'{{"v":1,"alias":"{DEV}","more":1}}', [f"Host {DEV}", "HostName 127.0.0.1"]
    guard = hashlib.sha256("\n".join([whole, *words]).encode()).hexdigest()[:16]
    comment = f'  # kubectl-nodeport: {whole[:-1]},"sum":"{guard}"}}'
    return "\n".join([words[0], comment, f"  {words[1]}", ""])


@pytest.fixture
def there(tmp_path: Path) -> Written:
    return written(tmp_path)


def file_of(world: Written) -> AtHome:
    assert isinstance(world.hosts, AtHome)
    return world.hosts


def homes(world: Written) -> Homes:
    return Homes(lambda _origin: replace(world.edges, notes=[]))


def ended(world: Written, *names: str, everything: bool = False) -> object:
    request = DisconnectRequest(Named(names, all=everything))
    return disconnect(request, file_of(world), homes(world), lambda: world.edges)


def synced(world: Written) -> Synced:
    return sync(SyncRequest(), file_of(world), homes(world))


def with_newer_entry(text: str) -> str:
    """The config, its entry of dev as a newer version would have written it."""
    found = re.sub(rf"(?ms)^Host {re.escape(DEV)}\n.*?(?=^Host )", text, CONFIG)
    assert found != CONFIG
    return found


WRITING: list[Callable[[Written], object]] = [
    lambda world: connect(ConnectRequest(Target("dev")), world.edges),
    lambda world: connect(ConnectRequest(Target("web-0")), world.edges),
    lambda world: ended(world, DEV),
    lambda world: ended(world, f"far{SUFFIX}"),
    lambda world: ended(world, everything=True),
    synced,
]


@pytest.mark.parametrize("text", [_of_another_format(), _with_another_name()], ids=["v", "name"])
class TestEntry:
    @pytest.fixture(autouse=True)
    def newer(self, there: Written, text: str) -> None:
        file_of(there).path.write_text(with_newer_entry(text))

    @pytest.mark.parametrize("act", WRITING)
    def test_nothing_is_written_beside_it(
        self, there: Written, text: str, act: Callable[[Written], object]
    ) -> None:
        file, before = file_of(there), copy.deepcopy(there.api.objects)
        with pytest.raises(NodeportError) as caught:
            act(there)
        assert caught.value.message == (
            f"{file.path}, line 16: the entry {DEV} was written by a newer kubectl-nodeport"
        )
        assert caught.value.hint == UPGRADE
        assert file.text == with_newer_entry(text)
        assert there.api.objects == before
        assert file.keys(DEV), "its host keys stay"

    def test_the_others_are_listed(self, there: Written) -> None:
        seen = hosts(there.hosts)
        listed = [entry.alias.removesuffix(SUFFIX) for entry in seen.entries]
        assert listed == sorted(set(PODS) - {"dev"})
        assert seen.left is not None
        assert seen.left.message.endswith("was written by a newer kubectl-nodeport")
        rows = get(GetRequest(), there.edges)
        assert {row.name: row.hosts for row in rows if row.target == "pod/dev"} == {"ssh": ()}
        assert {row.hosts for row in rows if row.target == "pod/bare"} == {(f"bare{SUFFIX}",)}
        (note,) = there.notes
        assert note.startswith(f"{DEV} is not shown: ")

    def test_get_hosts_ends_with_the_error(
        self, there: Written, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["get", "hosts", "--ssh-config", str(file_of(there).path), "-o", "name"]
        assert run(words) == 1
        out, err = capsys.readouterr()
        assert out.splitlines() == [f"host/{name}{SUFFIX}" for name in sorted(set(PODS) - {"dev"})]
        where = f"{file_of(there).path}, line 16"
        assert err == (
            f"error: {where}: the entry {DEV} was written by a newer kubectl-nodeport\n"
            f"hint: {UPGRADE}\n"
        )

    def test_expose_writes_no_file(self, there: Written) -> None:
        assert expose(ExposeRequest(Target("dev"), "ssh"), there.edges).change == "unchanged"

    def test_login_by_another_host_goes_on(self, there: Written) -> None:
        found = file_of(there).readable()
        assert entry_named(f"far{SUFFIX}", found, "config").is_tunnel
        with pytest.raises(NodeportError, match="was written by a newer kubectl-nodeport"):
            entry_named(DEV, found, "config")


class TestBlock:
    @pytest.fixture(autouse=True)
    def newer(self, there: Written) -> None:
        file_of(there).path.write_text(CONFIG.replace(" v1 >>>", " v12 >>>", 1))

    @pytest.mark.parametrize("act", [*WRITING, lambda world: hosts(world.hosts)])
    def test_nothing_is_touched(self, there: Written, act: Callable[[Written], object]) -> None:
        file, before = file_of(there), copy.deepcopy(there.api.objects)
        with pytest.raises(NodeportError) as caught:
            act(there)
        assert caught.value.message == (
            f"{file.path}, line 1: our block was written by a newer kubectl-nodeport"
        )
        assert caught.value.hint == UPGRADE
        assert file.text == CONFIG.replace(" v1 >>>", " v12 >>>", 1)
        assert there.api.objects == before

    def test_expose_writes_no_file(self, there: Written) -> None:
        assert expose(ExposeRequest(Target("dev"), "ssh"), there.edges).change == "unchanged"

    def test_no_login_goes_through_the_api_server(
        self, there: Written, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["proxy", "--ssh-config", str(file_of(there).path), f"far{SUFFIX}"]
        assert run(words) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "line 1: our block was written by a newer kubectl-nodeport" in err

    def test_rules_are_listed_without_hosts(self, there: Written) -> None:
        assert len(get(GetRequest(), there.edges)) == 6
        (note,) = there.notes
        assert note.startswith("hosts are not shown: ")


def test_another_form_of_its_end_is_no_matter() -> None:
    """What a newer block looks like below its first line is not known."""
    text = f"{block.BEGIN.replace(' v1 ', ' v2 ')}\n# >>> kubectl-nodeport part 2 >>>\n"
    with pytest.raises(NodeportError, match="line 1: our block was written by a newer"):
        block.entries(text)


def test_newer_entry_in_a_file_of_our_own() -> None:
    files = own_files()
    assert files.own is not None
    newer = replace(files, own=files.own.replace('"v":1,"alias":"dev', '"v":2,"alias":"dev'))
    found = layout.readable(newer)
    assert [entry.alias.removesuffix(SUFFIX) for entry in found.entries] == [
        name for name in PODS if name != "dev"
    ]
    assert list(found.refused) == [DEV]
    assert found.refused[DEV].message.startswith("own, line ")


class TestRule:
    @pytest.fixture(autouse=True)
    def newer(self, there: Written) -> None:
        self.rule(there)["metadata"]["annotations"]["kubectl-nodeport/format"] = "2"

    def rule(self, world: Written) -> Json:
        found = world.api.get("services", "nodeport-dev-ssh")
        assert found is not None
        return found

    @pytest.mark.parametrize(
        "act",
        [
            WRITING[0],
            lambda world: connect(ConnectRequest(Target("dev"), dry_run=True), world.edges),
            lambda world: expose(ExposeRequest(Target("dev"), "ssh"), world.edges),
        ],
    )
    def test_it_is_not_used(self, there: Written, act: Callable[[Written], object]) -> None:
        before = copy.deepcopy(there.api.objects)
        with pytest.raises(NodeportError) as caught:
            act(there)
        assert caught.value.message == (
            "service nodeport-dev-ssh was written by a newer kubectl-nodeport"
        )
        assert caught.value.hint.startswith(f"{UPGRADE}; or: {BY_KUBECTL}")
        assert (there.api.objects, file_of(there).text) == (before, CONFIG)

    def test_nor_replaced_where_it_is_an_earlier_pods(self, there: Written) -> None:
        pod = there.api.get("pods", "dev")
        assert pod is not None
        pod["metadata"] |= {"uid": "6c9f4f0e", "labels": {"app": "dev"}, "annotations": {}}
        self.test_it_is_not_used(there, WRITING[0])

    def test_nor_taken_for_anothers_where_its_words_are_others(self, there: Written) -> None:
        annotations = self.rule(there)["metadata"]["annotations"]
        annotations["kubectl-nodeport/target"] = '{"pod":"dev"}'
        self.test_it_is_not_used(there, WRITING[0])

    @pytest.mark.parametrize("name", ["ssh", '["ssh"]'], ids=["its name", "another word"])
    def test_the_rule_of_a_workload_holds_its_pod(self, there: Written, name: str) -> None:
        """Another rule of this name would overwrite what it has put onto the pod."""
        self.with_newer_workload(there, name)
        self.refused(there, ConnectRequest(Target("api-7d9f-x"), host="alone"))
        other = ConnectRequest(Target("api-7d9f-x"), rule_name="own", host="alone")
        done = connect(other, there.edges)
        assert done.entry.origin.service == "nodeport-api-7d9f-x-own"

    @pytest.mark.parametrize("ready", [True, False])
    def test_it_is_not_judged_where_its_workload_grew(self, there: Written, ready: bool) -> None:
        """What is hinted against that is a delete, which refuses it."""
        self.with_newer_workload(there, "ssh")
        workload, pod = there.api.get("deployments", "api"), there.api.get("pods", "api-7d9f-x")
        assert workload is not None
        assert pod is not None
        if ready:
            workload["spec"]["replicas"] = 3
        else:
            pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
        self.refused(there, ConnectRequest(parse("deploy/api"), host="alone"))

    def with_newer_workload(self, world: Written, rule_name: str) -> None:
        api = world.api.get("services", "nodeport-api-ec71f4c2-ssh")
        assert api is not None
        words = {"kubectl-nodeport/format": "2", "kubectl-nodeport/rule": rule_name}
        api["metadata"]["annotations"] |= words

    def refused(self, world: Written, request: ConnectRequest) -> None:
        before = copy.deepcopy(world.api.objects)
        with pytest.raises(NodeportError) as caught:
            connect(request, world.edges)
        assert caught.value.message == (
            "service nodeport-api-ec71f4c2-ssh was written by a newer kubectl-nodeport"
        )
        assert world.api.objects == before

    def test_a_tunnel_needs_no_rule(self, there: Written) -> None:
        request = ConnectRequest(Target("dev"), host="through", via="tunnel")
        assert connect(request, there.edges).entry.is_tunnel

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_nor_opened_where_somebody_closed_it(self, there: Written, dry_run: bool) -> None:
        rule = self.rule(there)
        rule["spec"]["type"] = "ClusterIP"
        del rule["spec"]["ports"][0]["nodePort"]
        request = OpenRequest("nodeport-dev-ssh", dry_run=dry_run)
        self.test_it_is_not_used(there, lambda world: open_service(request, world.edges))

    def test_the_note_of_a_host_that_did_not_make_it_stays(self, there: Written) -> None:
        """Its words may mean something else by now: none of them is patched."""
        name, host = "nodeport-shared-ssh", f"shared{SUFFIX}"
        rule = there.api.get("services", name)
        assert rule is not None
        rule["metadata"]["annotations"]["kubectl-nodeport/format"] = "2"
        before = copy.deepcopy(rule)
        request = DisconnectRequest(Named((host,)))
        done = disconnect(request, file_of(there), homes(there), lambda: there.edges)
        assert done.notes == (
            f"on service {name} in namespace default it stays noted that you use it: "
            f"service {name} was written by a newer kubectl-nodeport",
        )
        assert rule == before
        assert host not in file_of(there).text

    def test_a_tunnel_is_offered_to_connect_alone(self, there: Written) -> None:
        with pytest.raises(NodeportError) as caught:
            connect(ConnectRequest(Target("dev")), there.edges)
        assert caught.value.hint.endswith("; or without a rule: --via tunnel")
        with pytest.raises(NodeportError) as caught:
            expose(ExposeRequest(Target("dev"), "ssh"), there.edges)
        assert "tunnel" not in caught.value.hint

    def test_it_is_listed_and_asked(self, there: Written) -> None:
        (row,) = (row for row in get(GetRequest(), there.edges) if row.target == "pod/dev")
        assert (row.name, row.node_port, row.hosts) == ("ssh", 31602, (DEV,))
        told = "was made by a newer kubectl-nodeport, and is left alone by this one"
        assert row.problem == told
        assert there.notes == [f"rule ssh of pod dev in default: {told}"]
        (found,) = address(AddressRequest(parse("dev")), there.edges)
        assert found.row.address == "127.0.0.1"

    def deleted(self, world: Written, *, dry_run: bool = False) -> Deleted:
        return delete(DeleteRequest(all=True, dry_run=dry_run), world.edges)

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_delete_leaves_it_alone(self, there: Written, dry_run: bool) -> None:
        before = copy.deepcopy(self.rule(there))
        done = self.deleted(there, dry_run=dry_run)
        assert len(done.rules) == 4
        assert "pod/dev" not in {row.target for row in done.rules}
        assert done.left is not None
        assert done.left.message == (
            'not deleted: rule "ssh" of pod/dev: '
            "service nodeport-dev-ssh was written by a newer kubectl-nodeport"
        )
        assert done.left.hint == f"{UPGRADE}; or: {BY_KUBECTL}"
        assert self.rule(there) == before
        assert there.api.services().count("nodeport-bare-ssh") == (1 if dry_run else 0)

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_disconnect_takes_the_host_alone(self, there: Written, dry_run: bool) -> None:
        before = copy.deepcopy(self.rule(there))
        request = DisconnectRequest(Named((DEV,)), dry_run=dry_run)
        done = disconnect(request, file_of(there), homes(there), lambda: there.edges)
        assert [rule.fate for rule in done.rules] == ["unknown"]
        assert done.left is not None
        assert done.left.message == (
            "service nodeport-dev-ssh in namespace default may still be open: "
            "service nodeport-dev-ssh was written by a newer kubectl-nodeport"
        )
        assert done.left.hint == (
            f"{UPGRADE}; then: kubectl nodeport delete dev --name ssh -n default; or: {BY_KUBECTL}"
        )
        assert (DEV in file_of(there).text) is dry_run
        assert self.rule(there) == before

    def test_sync_leaves_its_host_as_it_is(self, there: Written) -> None:
        done = synced(there)
        changes = {one.entry.alias.removesuffix(SUFFIX): one.change for one in done.hosts}
        assert changes == {**dict.fromkeys(PODS, "unchanged"), "dev": "left"}
        assert done.left is not None
        assert done.left.hint == f"{UPGRADE}; or: {BY_KUBECTL}"
        assert file_of(there).text == CONFIG


@pytest.mark.parametrize("found", ["1", None])
def test_formats_of_a_rule_that_are_known(there: Written, found: str | None) -> None:
    """None: before there were any."""
    with_format(there, found)
    assert connect(ConnectRequest(Target("dev")), there.edges).entry_change == "unchanged"


@pytest.mark.parametrize("found", ["", "0", "01", " 2", "2.0", "-2", "abc", "x\ny", "\u0662"])
class TestWhatIsNoFormat:
    """Whoever may annotate a Service would keep its port open, if it were taken for a newer one."""

    @pytest.fixture(autouse=True)
    def malformed(self, there: Written, found: str) -> None:
        with_format(there, found)

    def test_it_is_told(self, there: Written) -> None:
        (row,) = (row for row in get(GetRequest(), there.edges) if row.target == "pod/dev")
        assert row.problem == "its annotation kubectl-nodeport/format is malformed"

    def test_it_is_used(self, there: Written) -> None:
        assert connect(ConnectRequest(Target("dev")), there.edges).entry_change == "unchanged"

    @pytest.mark.parametrize("target", [Target("dev"), parse("svc/nodeport-dev-ssh")])
    def test_it_is_deleted(self, there: Written, target: Target) -> None:
        names = ("ssh",) if target.kind == "pod" else ()
        done = delete(DeleteRequest(target, names), there.edges)
        assert ([row.service for row in done.rules], done.left) == (["nodeport-dev-ssh"], None)
        assert "nodeport-dev-ssh" not in there.api.services()

    def test_disconnect_deletes_it(self, there: Written) -> None:
        ended(there, DEV)
        assert "nodeport-dev-ssh" not in there.api.services()


@pytest.mark.parametrize("found", ["2", "10", "9" * 5000])
def test_formats_to_come(there: Written, found: str) -> None:
    with_format(there, found)
    with pytest.raises(NodeportError, match="was written by a newer kubectl-nodeport"):
        connect(ConnectRequest(Target("dev")), there.edges)


def with_format(world: Written, found: str | None) -> None:
    rule = world.api.get("services", "nodeport-dev-ssh")
    assert rule is not None
    if found is not None:
        rule["metadata"]["annotations"]["kubectl-nodeport/format"] = found


def test_of_two_entries_of_an_alias_the_one_counts_that_ssh_takes() -> None:
    """A run was ended between its two writes, and a newer version wrote one of them."""
    files = own_files()
    assert files.own is not None
    newer = replace(files, own=files.own.replace('"v":1,"alias":"dev', '"v":2,"alias":"dev'))
    assert list(layout.readable(newer).refused) == [DEV]
    in_block = replace(newer, text=CONFIG)
    assert layout.readable(in_block).refused == {}
    assert DEV in {entry.alias for entry in layout.readable(in_block).entries}
    with pytest.raises(NodeportError, match="was written by a newer kubectl-nodeport"):
        layout.entries(in_block)
