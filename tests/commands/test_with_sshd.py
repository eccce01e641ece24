from __future__ import annotations

import gzip
import signal
from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.commands.edges import Offered
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.sync import Checked, SyncRequest, sync
from kubectl_nodeport.container.bring import folder_name
from kubectl_nodeport.container.sshd import PORT
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ForbiddenError, NotFoundError
from kubectl_nodeport.kube.streams import ExecError
from tests.commands import test_follow as follow
from tests.commands.fake_api import FakeApi
from tests.commands.test_disconnect import run as disconnect
from tests.commands.world import NODE, FakeExec, FakeSshd, World, inside, rule
from tests.kube import make
from tests.ssh.make import key

ALIAS = "dev.default.docker-desktop"
TWO: dict[str, Any] = {
    "containers": [{"name": "main", "ports": [{"containerPort": 22}]}, {"name": "tool"}],
    "containerStatuses": [{"name": name, "state": {"running": {}}} for name in ("main", "tool")],
}
WITHOUT_KEYS = f"user dev\ntable /proc/net/tcp\nlisten 00000000:{PORT:04X}\nend\n".encode()
EMPTY = inside(port=1)  # what the look sees; that the server listens is known from its answer


def world(**sshd: Any) -> World:
    return World(exec=FakeExec(EMPTY, sshd=FakeSshd(**sshd)))


def failure(world: World, **asked: Any) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        world.connect(**{"with_sshd": True, **asked})
    assert caught.value.hint
    assert world.hosts.written == {}
    assert world.hosts.seeds == set()
    assert world.api.services() == []
    return caught.value


class TestFresh:
    def test_server_is_sent_started_and_pinned(self) -> None:
        there = world()
        there.exec.sshd.says = ["folder /srv/app"]
        done = there.connect(with_sshd=True)
        assert done.folder == "/srv/app", "where an editor opens"
        sshd = there.exec.sshd
        assert [gzip.decompress(one) for one in sshd.sent] == [b"program for amd64"]
        assert there.exec.visits == [folder_name("main", make.UID)]
        assert there.exec.calls == [], "one exec does it all"
        (asked,) = sshd.asked
        assert (asked["port"], asked["port_fallback"]) == (PORT, True)
        assert asked["authorized_keys"] == [key(50).openssh]
        assert "listen" not in asked
        assert rule(done).rule.port == PORT
        assert there.hosts.known[ALIAS] == (sshd.key,)
        origin = done.entry.origin
        assert (origin.sshd_port, origin.sshd_key, origin.container) == (
            PORT,
            key(50).openssh,
            "main",
        )
        assert (done.entry.user, done.home) == ("dev", "/home/dev")
        assert done.notes[0].startswith(
            "nodeport-sshd, an ssh server, runs in container main of pod dev now, as dev, on port "
            "20022: it lets in ~/.ssh/id (SHA256:"
        )
        assert sshd.closed

    def test_second_run_changes_nothing_and_sends_nothing(self) -> None:
        there = world()
        first = there.connect(with_sshd=True)
        for with_sshd in (True, None):
            second = there.connect(with_sshd=with_sshd)
            assert second.entry_change == "unchanged"
            assert second.entry == first.entry
            assert second.notes == ()
            assert len(there.exec.sshd.sent) == 1

    def test_program_goes_unpacked_where_the_container_cannot_unpack(self) -> None:
        there = world(gzip=False)
        there.connect(with_sshd=True)
        assert there.exec.sshd.sent == [b"program for amd64"]

    def test_arm(self) -> None:
        there = world(machine="aarch64")
        there.connect(with_sshd=True)
        assert gzip.decompress(there.exec.sshd.sent[0]) == b"program for arm64"

    def test_through_the_api_server_it_listens_on_loopback(self) -> None:
        there = world()
        done = there.connect(with_sshd=True, via="tunnel")
        assert there.exec.sshd.asked[0]["listen"] == "127.0.0.1"
        assert (done.entry.is_tunnel, done.entry.port) == (True, PORT)
        assert there.api.services() == []
        done = there.connect(via="nodeport")
        assert there.exec.sshd.asked[-1]["replace"] == "always", "a NodePort does not reach it"
        assert rule(done).rule.port == PORT

    def test_port_that_is_asked_for_is_exact(self) -> None:
        there = world()
        done = there.connect(with_sshd=True, port=2222)
        assert (there.exec.sshd.asked[0]["port"], rule(done).rule.port) == (2222, 2222)
        assert there.exec.sshd.asked[0]["port_fallback"] is False

    def test_no_key_takes_passwords_so_nothing_is_asked_on_a_public_node(self) -> None:
        public = {**NODE, "status": {"addresses": [{"type": "ExternalIP", "address": "1.2.3.4"}]}}
        there = world()
        there.api = FakeApi(make.pod("dev"), public)
        assert not any("password" in note for note in there.connect(with_sshd=True).notes)


class TestAgain:
    def test_after_a_restart_it_is_started_with_the_same_port_and_key(self) -> None:
        there = world()
        first = there.connect(with_sshd=True)
        there.exec.sshd = FakeSshd()
        again = there.connect()
        assert again.entry == first.entry
        assert there.exec.sshd.asked[0]["port"] == PORT
        assert len(there.exec.sshd.sent) == 1

    def test_replaced_pod_gets_the_same_key_and_has_to_be_seen_answering(self) -> None:
        there = world()
        first = there.connect(with_sshd=True)
        uid = make.UID.replace("0c3f", "1d4a")
        there.api = FakeApi(make.pod("dev", uid=uid), NODE)
        there.exec.sshd = FakeSshd()
        again = there.connect()
        assert there.exec.visits[-1] == folder_name("main", uid)
        assert again.way.host_keys.keys == first.way.host_keys.keys
        assert there.exec.calls == [("default", "dev", "main")]
        assert again.entry.origin.pod_uid == uid

    def test_program_that_lies_there_is_not_sent_again(self) -> None:
        there = world(has_program=True)
        there.connect(with_sshd=True)
        assert there.exec.sshd.sent == []
        assert there.exec.sshd.port == PORT

    @pytest.mark.parametrize(("version", "sent"), [("0.0.9", 1), ("0.1.0", 0), ("0.2.0", 0)])
    def test_older_program_is_replaced(self, version: str, sent: int) -> None:
        there = world(has_program=True, version=version, port=20022, key=key(9))
        there.connect(with_sshd=True)
        assert len(there.exec.sshd.sent) == sent

    def test_server_of_somebody_else_is_shared_and_keeps_its_host_key(self) -> None:
        there = world(has_program=True, port=30001, key=key(9), keys=[key(60).openssh])
        done = there.connect(with_sshd=True)
        assert there.exec.sshd.keys == [key(60).openssh, key(50).openssh]
        assert there.hosts.known[ALIAS] == (key(9),)
        assert rule(done).rule.port == 30001
        assert "already, for another key: it lets in " in done.notes[0]

    def test_server_elsewhere_than_asked_is_left(self) -> None:
        there = world(has_program=True, port=30001, key=key(9), keys=[key(60).openssh])
        assert "runs there already, on port 30001" in failure(there, port=2222).message


class TestNotNeeded:
    def test_where_something_listens_it_is_used(self) -> None:
        there = World(exec=FakeExec(inside(), sshd=FakeSshd(others=(22,))))
        done = there.connect(with_sshd=True)
        assert there.exec.sshd.asked == []
        assert rule(done).rule.port == 22
        assert done.entry.origin.sshd_port == 0
        assert "no ssh server was brought along" in done.notes[0]

    def test_what_listens_for_another_container_is_not_meant(self) -> None:
        """A pod's containers share its ports: sshd's in the one does not serve the other."""
        there = World(exec=FakeExec(inside(), sshd=FakeSshd(others=(22,))))
        there.api = FakeApi(make.pod("dev", **TWO), NODE)
        done = there.connect(with_sshd=True, container="tool")
        assert there.exec.visits == [folder_name("tool", make.UID)]
        assert rule(done).rule.port == PORT
        assert (done.entry.origin.container, done.entry.origin.sshd_port) == ("tool", PORT)

    def test_without_the_flag_the_error_names_it(self) -> None:
        there = world()
        error = failure(there, with_sshd=None, via="nodeport")
        assert "nothing listens on port 22" in error.message
        assert "kubectl nodeport connect dev -n default --with-sshd; or" in error.hint
        assert there.exec.visits == []

    def test_the_error_names_the_target_and_of_several_containers_the_one(self) -> None:
        there = world()
        there.api = FakeApi(follow.deployment(), follow.pod("api-1", "uid-1", **TWO), NODE)
        with pytest.raises(NodeportError) as caught:
            follow.run(there, via="nodeport")
        assert "connect deployment/api -n default -c main --with-sshd; or" in caught.value.hint

    def test_not_even_on_a_terminal_where_it_is_forbidden(self) -> None:
        there = world()
        there.answers = []
        assert "nothing listens" in failure(there, with_sshd=False).message
        assert there.exec.visits == []

    def test_on_a_terminal_it_is_asked_once(self) -> None:
        there = world()
        there.answers = [True]
        there.connect()
        (asked,) = there.asked
        assert "(nodeport-sshd, 5.5 MB) in container main, as root? Whoever" in asked
        assert there.exec.sshd.port == PORT
        there.connect()
        assert len(there.asked) == 1

    def test_no_is_no(self) -> None:
        there = world()
        there.answers = [False]
        assert "nothing listens" in failure(there, with_sshd=None).message
        assert there.exec.visits == []


class TestDryRun:
    @pytest.mark.parametrize("via", ["auto", "tunnel"])
    def test_nothing_is_made(self, via: str) -> None:
        there = world()
        done = there.connect(with_sshd=True, dry_run=True, via=via)
        assert (there.exec.sshd.asked, there.exec.sshd.sent) == ([], [])
        assert there.hosts.written == {}
        assert any("would be started in container main" in note for note in done.notes)
        assert done.entry_change == "created"

    def test_of_a_server_that_runs(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        done = there.connect(dry_run=True)
        assert len(there.exec.sshd.asked) == 1
        assert (done.entry_change, done.way.key) == ("unchanged", there.exec.sshd.key)


class TestKeys:
    def test_several_are_not_guessed_among(self) -> None:
        there = world()
        there.offered = [Offered(key(50), "~/.ssh/a"), Offered(key(51), "~/.ssh/b")]
        error = failure(there)
        assert "~/.ssh/a (ssh-ed25519 SHA256:" in error.message
        assert "-i FILE" in error.hint
        assert (there.exec.sshd.asked, there.exec.sshd.sent) == ([], [])

    def test_somebody_chooses_once(self) -> None:
        there = world()
        there.offered = [Offered(key(50), "~/.ssh/a"), Offered(key(51), "~/.ssh/b")]
        there.choices = [1]
        there.connect(with_sshd=True)
        assert there.exec.sshd.keys == [key(51).openssh]
        there.connect()
        assert there.exec.sshd.keys == [key(51).openssh]
        assert there.choices == []

    def test_identity_says_which(self) -> None:
        there = world()
        there.offered = [Offered(key(50), "/a"), Offered(key(51), "/b")]
        there.connect(with_sshd=True, identity_file="/b")
        there.connect()
        assert there.exec.sshd.keys == [key(51).openssh]

    def test_none(self) -> None:
        there = world()
        there.offered = []
        assert "ssh-keygen" in failure(there).hint


class TestElsewhere:
    """A host that led to a server that was brought, and leads to another, or with another key."""

    def in_tool(self) -> World:
        there = world()
        there.api = FakeApi(make.pod("dev", **TWO), NODE)
        there.exec.beside["tool"] = FakeSshd()
        there.connect(with_sshd=True, container="tool", via="tunnel")
        assert there.exec.beside["tool"].port == PORT
        return there

    def test_another_container_gets_none_without_the_flag(self) -> None:
        there = self.in_tool()
        before = dict(there.hosts.written)
        with pytest.raises(NodeportError, match="nothing listens on port 22 of pod dev"):
            there.connect(container="main")
        assert (there.exec.sshd.asked, there.hosts.written) == ([], before)

    def test_another_container_has_it_alone(self) -> None:
        there = self.in_tool()
        done = there.connect(container="main", with_sshd=True)
        assert (there.exec.sshd.port, there.exec.beside["tool"].port) == (PORT, None)
        assert done.entry.origin.container == "main"
        assert done.notes[-1] == (
            "the key with which this host came before, in container tool of pod/dev, "
            "is let in no more"
        )

    def test_another_key_is_let_in_instead(self) -> None:
        there = world(has_program=True, port=PORT, key=key(9), keys=[key(60).openssh])
        there.offered = [Offered(key(50), "/a"), Offered(key(51), "/b")]
        there.connect(with_sshd=True, identity_file="/a")
        rehearsed = there.connect(identity_file="/b", dry_run=True)
        assert rehearsed.notes[-1].endswith("of pod/dev, would be let in no more")
        assert there.exec.sshd.keys == [key(60).openssh, key(50).openssh]
        done = there.connect(identity_file="/b")
        assert there.exec.sshd.keys == [key(60).openssh, key(51).openssh]
        assert done.notes[-1].endswith("of pod/dev, is let in no more")

    def test_a_key_that_another_host_comes_with_stays(self) -> None:
        there = world()
        there.offered = [Offered(key(50), "/a"), Offered(key(51), "/b")]
        there.connect(with_sshd=True, identity_file="/a")
        there.connect(with_sshd=True, identity_file="/a", rule_name="other", host="other")
        there.connect(identity_file="/b")
        assert there.exec.sshd.keys == [key(50).openssh, key(51).openssh]

    def test_a_key_that_cannot_be_taken_out_is_told(self) -> None:
        there = self.in_tool()
        there.exec.beside["tool"].error = ExecError("the stream broke off", hint="x")
        done = there.connect(container="main", with_sshd=True)
        assert done.entry.origin.container == "main"
        assert done.notes[-1].endswith(
            "may be let in until the container ends: the stream broke off"
        )


class TestSync:
    def synced(self, there: World) -> tuple[Checked, ...]:
        homes = Homes(lambda _origin: replace(there.edges, notes=[]))
        return sync(SyncRequest(), there.hosts, homes).hosts

    def test_server_that_runs(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.exec.output = WITHOUT_KEYS
        there.tunnel.key = there.exec.sshd.key
        (one,) = self.synced(there)
        assert (one.change, one.failure, one.notes) == ("unchanged", None, ())

    def test_server_with_another_host_key(self) -> None:
        """Somebody else has started it anew, from another seed."""
        there = world()
        there.connect(with_sshd=True)
        there.exec.output = WITHOUT_KEYS
        there.tunnel.key = there.resolve.shown = key(9)
        (one,) = self.synced(there)
        assert one.change == "updated"
        assert "is what the pod's port shows through the API server" in one.notes[0]

    def test_server_that_is_gone_takes_a_connect(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.exec.visits.clear()
        (one,) = self.synced(there)
        assert one.failure is not None
        assert one.failure.message == "the ssh server that connect brought is gone"
        assert one.failure.hint == "kubectl nodeport connect dev -n default"
        assert there.exec.visits == [], "sync makes nothing"


class TestDisconnect:
    def test_server_ends_with_its_last_key(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        done = disconnect(there, ALIAS)
        assert [(one.fate, one.told) for one in done.servers] == [("ended", "")]
        assert there.exec.sshd.port is None
        assert there.hosts.written == {}
        assert there.api.services() == []
        assert done.left is None

    def test_server_with_other_keys_stays(self) -> None:
        there = world(has_program=True, port=30001, key=key(9), keys=[key(60).openssh])
        there.connect(with_sshd=True)
        done = disconnect(there, ALIAS)
        told = "it lets in another key, and yours no more"
        assert [(one.fate, one.told) for one in done.servers] == [("kept", told)]
        assert there.exec.sshd.keys == [key(60).openssh]

    def test_another_host_with_the_same_key_keeps_it(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.connect(with_sshd=True, rule_name="other", host="other")
        done = disconnect(there, "other")
        assert [one.told for one in done.servers] == [f"{ALIAS} leads to it too"]
        assert there.exec.sshd.port == PORT
        assert [one.fate for one in disconnect(there, ALIAS).servers] == ["ended"]

    def test_both_hosts_at_once(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.connect(with_sshd=True, rule_name="other", host="other")
        assert [one.fate for one in disconnect(there, "other", ALIAS).servers] == ["ended"]

    def test_restarted_container_has_none(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.exec.sshd = FakeSshd()
        assert [one.fate for one in disconnect(there, ALIAS).servers] == ["gone"]

    def test_container_that_waits_for_its_restart_has_none(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        waiting = [{"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
        there.api.objects["pods", "default", "dev"]["status"]["containerStatuses"] = waiting
        there.exec.error = ExecError('container not found ("main")', hint="x")
        done = disconnect(there, ALIAS)
        assert ([one.fate for one in done.servers], done.left) == (["gone"], None)

    def test_pod_that_is_gone(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        del there.api.objects["pods", "default", "dev"]
        assert [one.fate for one in disconnect(there, ALIAS).servers] == ["gone"]

    def test_server_that_cannot_be_asked_is_told_and_the_host_goes(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.exec.error = ForbiddenError("no exec", hint="ask", status=403)
        done = disconnect(there, ALIAS)
        assert done.left is not None
        assert "the ssh server in container main of pod/dev" in done.left.message
        assert done.left.hint
        assert there.hosts.written == {}

    def test_keep_rule_asks_no_cluster(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        done = disconnect(there, ALIAS, keep_rule=True)
        assert [one.told for one in done.servers] == ["--keep-rule"]
        assert there.exec.sshd.port == PORT

    def test_dry_run(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        assert [one.fate for one in disconnect(there, ALIAS, dry_run=True).servers] == ["ended"]
        assert there.exec.sshd.port == PORT


class TestFailures:
    def test_server_that_was_started_ends_where_the_rest_fails(self) -> None:
        there = world()
        there.resolve.open.clear()
        failure(there, via="nodeport")
        assert there.exec.sshd.port is None
        assert not there.exec.sshd.has_program

    def test_server_that_ran_stays(self) -> None:
        there = world(has_program=True, port=30001, key=key(9), keys=[key(60).openssh])
        there.resolve.open.clear()
        failure(there, via="nodeport")
        assert there.exec.sshd.port == 30001
        assert there.exec.sshd.keys == [key(60).openssh], "what this run had added is gone again"

    def test_key_that_was_let_in_before_stays(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.resolve.open.clear()
        with pytest.raises(NodeportError):
            there.connect(via="nodeport")
        assert (there.exec.sshd.port, there.exec.sshd.keys) == (PORT, [key(50).openssh])

    def test_second_interrupt_waits_until_the_key_is_out(self) -> None:
        there = world(removing=lambda: signal.raise_signal(signal.SIGINT))
        there.resolve.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            there.connect(with_sshd=True)
        assert (there.exec.sshd.port, there.exec.sshd.keys) == (None, [])
        assert there.hosts.seeds == set()

    def test_key_that_cannot_be_taken_out_is_told(self) -> None:
        there = world()
        there.resolve.open.clear()

        def breaks() -> None:
            there.exec.error = ExecError("the stream broke off", hint="x")

        there.resolve.seen = breaks
        failure(there, via="nodeport")
        (told,) = there.said
        assert told == (
            "an ssh server in container main of pod dev may run and let ~/.ssh/id in until the "
            "container ends: the stream broke off"
        )

    def test_pod_that_is_gone_has_no_key_to_take_out(self) -> None:
        there = world()
        there.resolve.open.clear()

        def goes() -> None:
            there.exec.error = NotFoundError("pods dev not found", hint="x", status=404)

        there.resolve.seen = goes
        failure(there, via="nodeport")
        assert there.said == []

    def test_seed_of_an_entry_that_stands_stays(self) -> None:
        there = world()
        there.connect(with_sshd=True)
        there.exec.sshd = FakeSshd(refuses="no")
        with pytest.raises(NodeportError, match="did not start: no"):
            there.connect()
        assert there.hosts.seeds == {ALIAS}

    def test_no_right_to_exec(self) -> None:
        there = world()
        there.exec.error = ForbiddenError("no exec", hint="ask", status=403)
        assert (
            "is brought into container main of pod dev by exec: no exec" in failure(there).message
        )

    def test_no_shell(self) -> None:
        there = world()
        there.exec.sshd.error = ExecError('"sh": executable file not found in $PATH', hint="x")
        assert "there is no shell in container main" in failure(there).message

    @pytest.mark.parametrize("machine", ["riscv64", ""])
    @pytest.mark.parametrize("dry_run", [False, True])
    def test_no_program_for_the_processor(self, machine: str, dry_run: bool) -> None:
        told = failure(world(machine=machine), dry_run=dry_run).message
        assert "there is none for its processor" in told

    def test_what_the_server_says(self) -> None:
        assert "port 20022 is in use" in failure(world(refuses="port 20022 is in use")).message

    def test_another_user(self) -> None:
        there = world()
        with pytest.raises(NodeportError, match="lets in nobody as root") as caught:
            there.connect(user="root", with_sshd=True)
        assert "dev@" in caught.value.hint
        there.connect(user="1000", with_sshd=True)
