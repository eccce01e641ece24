"""Whose word host keys are pinned on, and what becomes of those that an entry has."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

import pytest

from kubectl_nodeport.address.resolution import Proof
from kubectl_nodeport.commands.vouch import Voucher
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.forward import ForwardError
from kubectl_nodeport.kube.request import ApiError, ForbiddenError, UnreachableError
from kubectl_nodeport.kube.streams import ExecError
from tests.commands.fake_api import FakeApi
from tests.commands.test_connect import ALIAS, failure
from tests.commands.test_rules import is_clean
from tests.commands.world import NODE, FakeExec, FakeTunnel, World, inside
from tests.kube import make
from tests.ssh.make import key

NO_EXEC = ForbiddenError("no right to exec", hint="ask for it", status=403)
NO_FORWARD = ForbiddenError("no right to portforward", hint="ask for it", status=403)
NO_SHELL = ExecError(
    'exec failed: OCI: unable to start: exec: "sh": executable file not found in $PATH', hint="look"
)
WITHOUT_KEYS = inside().replace(b"hostkey", b"xx")


def without_exec(**tunnel: Any) -> World:
    return World(exec=FakeExec(error=NO_EXEC), tunnel=FakeTunnel(**tunnel))


def with_neither() -> World:
    return without_exec(error=NO_FORWARD)


def is_closed(world: World) -> bool:
    ends_s = time.monotonic() + 5
    while not all(session.closed for session in world.exec.sessions):
        if time.monotonic() > ends_s:
            return False
        time.sleep(0.01)
    return True


class TestPort:
    """The pod's port vouches, through the API server."""

    @pytest.mark.parametrize(
        ("exec_", "why"),
        [
            (FakeExec(error=NO_EXEC), "no right to exec"),
            (FakeExec(error=NO_SHELL), "there is no shell in container main"),
            (FakeExec(exit_code=126), "cannot be looked into: sh ended with 126"),
            (FakeExec(b"user root\ntable x\n", exit_code=1), "cannot be looked into"),
            (FakeExec(error=ApiError("no container", hint="…", status=500)), "no container"),
            (FakeExec(error=ExecError("x" * 5000, hint="…")), "x" * 300),
        ],
        ids=["forbidden", "no shell", "shell fails", "shell stops", "kubelet refuses", "long"],
    )
    def test_what_cannot_be_looked_into(self, exec_: FakeExec, why: str) -> None:
        world = World(exec=exec_, tunnel=FakeTunnel(key(2)))
        world.resolve.proof = Proof.SHARED_KEY
        done = world.connect(user="root")
        assert world.hosts.known[ALIAS] == (key(2),)
        assert done.way.host_keys.voucher is Voucher.PORT_FORWARD
        assert not done.entry.is_tunnel
        looked, proof = done.notes
        assert why in looked
        assert looked.endswith(": the host key is what the pod's port shows through the API server")
        assert len(looked) < 400
        assert "that it is this pod is not proven" in proof
        assert done.home == ""
        assert is_closed(world)

    def test_container_without_known_files(self) -> None:
        """Of another ssh server, say; who is connected is seen all the same."""
        world = World(exec=FakeExec(WITHOUT_KEYS), tunnel=FakeTunnel(key(2)))
        done = world.connect()
        assert (done.entry.user, world.hosts.known[ALIAS]) == ("root", (key(2),))
        assert "no host keys were found in container main" in done.notes[0]

    def test_nothing_more_is_asked_where_the_container_tells(self) -> None:
        world = World()
        assert world.connect().way.host_keys.voucher is Voucher.EXEC
        assert world.tunnel.calls == []

    def test_user(self) -> None:
        """Nobody tells the container's own: given, else kept from the entry."""
        world = without_exec(key=key(2))
        told = failure(world)
        assert told.message.endswith("whom to log in as is not clear: no right to exec")
        assert told.hint == "say it: kubectl nodeport connect USER@dev"
        assert world.api.writes() == []
        assert world.connect(user="jane").entry.user == "jane"
        assert world.connect().entry_change == "unchanged"

    @pytest.mark.parametrize(
        ("where", "error"),
        [
            ("exec", UnreachableError("no answer", hint="…")),
            ("exec", ApiError("log in again", hint="…", status=401)),
            ("tunnel", UnreachableError("no answer", hint="…")),
            ("tunnel", ApiError("log in again", hint="…", status=401)),
            ("tunnel", ForwardError("nothing listens", hint="…")),
        ],
    )
    def test_what_is_no_better_elsewhere(self, where: str, error: NodeportError) -> None:
        world = World(exec=FakeExec(WITHOUT_KEYS))
        getattr(world, where).error = error
        assert error.message in failure(world, accept_new_host_key=True).message
        assert world.api.writes() == []
        assert is_closed(world)

    def test_a_tunnel_is_proven_once(self) -> None:
        world = without_exec(key=key(2))
        done = world.connect(user="root", via="tunnel")
        assert len(world.tunnel.calls) == 1
        assert (done.entry.is_tunnel, done.way.key) == (True, key(2))

    def test_replaced_pod(self) -> None:
        """Its new key is vouched for, the old ones go."""
        world = World(exec=FakeExec(inside(key(1), key(3))))
        world.connect()
        world.exec.error, world.tunnel.key = NO_EXEC, key(2)
        world.api.add(make.pod("dev", uid="a-new-uid"))
        done = world.connect()
        assert (done.entry_change, world.hosts.known[ALIAS]) == ("updated", (key(2),))

    def test_same_server(self) -> None:
        """One of the entry's keys is shown: the others stay, ssh may ask for any of them."""
        world = World(exec=FakeExec(inside(key(1), key(3))))
        world.connect()
        world.exec.error, world.tunnel.key = NO_EXEC, key(3)
        done = world.connect()
        assert (done.entry_change, world.hosts.known[ALIAS]) == ("unchanged", (key(1), key(3)))


class TestServerWithOtherKeys:
    """Than the files in the container say: of another container, or replaced since it started."""

    def test_is_asked_itself(self) -> None:
        world = World(tunnel=FakeTunnel(key(2)))
        world.resolve.shown = key(2)
        done = world.connect()
        assert world.hosts.known[ALIAS] == (key(2),)
        assert done.way.host_keys.voucher is Voucher.PORT_FORWARD
        assert "has another host key than those found in container main" in done.notes[0]
        assert done.way.answer is not None

    def test_second_run_knows_it_at_once(self) -> None:
        world = World(tunnel=FakeTunnel(key(2)))
        world.resolve.shown = key(2)
        world.connect()
        done = world.connect()
        assert (done.entry_change, len(world.resolve.calls)) == ("unchanged", 1)
        assert done.notes[0].startswith("the host keys found in container main are another server")

    @pytest.mark.parametrize("tunnel", [FakeTunnel(key(2)), FakeTunnel(error=NO_FORWARD)])
    def test_new_keys_in_the_files_are_not_another_servers(self, tunnel: FakeTunnel) -> None:
        world = World(tunnel=tunnel)
        world.connect()
        world.exec.output = inside(key(2), key(3))
        done = world.connect()
        assert (done.entry_change, done.notes) == ("updated", ())
        assert world.hosts.known[ALIAS] == (key(2), key(3))

    @pytest.mark.parametrize("behind", [key(1), key(3), NO_FORWARD])
    def test_who_answers_is_another(self, behind: Any) -> None:
        error = behind if isinstance(behind, NodeportError) else None
        world = World(tunnel=FakeTunnel(None if error else behind, error))
        world.resolve.shown = key(2)
        told = failure(world)
        assert "its host key is another's than the pod's" in told.message
        assert is_clean(world.api)
        assert world.hosts.written == {}

    def test_by_the_tunnel(self) -> None:
        world = World(tunnel=FakeTunnel(key(2)))
        done = world.connect(via="tunnel")
        assert (world.hosts.known[ALIAS], done.way.key) == ((key(2),), key(2))
        assert "another host key" in done.notes[0]


class TestNobody:
    """Neither exec nor portforward."""

    def test_fingerprint_is_told(self) -> None:
        world = with_neither()
        world.resolve.shown = key(7)
        told = failure(world, user="root")
        assert told.message.startswith(
            "nobody vouches for the host key of pod dev: no right to exec; no right to portforward"
        )
        assert told.message.endswith(f" shows ssh-ed25519 {key(7).fingerprint}")
        assert "--accept-new-host-key" in told.hint
        assert is_clean(world.api)
        assert world.hosts.written == {}

    def test_accepted(self) -> None:
        world = with_neither()
        world.resolve.shown = key(7)
        done = world.connect(user="root", accept_new_host_key=True)
        assert world.hosts.known[ALIAS] == (key(7),)
        assert done.way.host_keys.voucher is Voucher.NOBODY
        assert done.way.answer is not None
        assert done.way.answer.proof is Proof.UNVOUCHED_KEY
        (note,) = done.notes
        assert note.startswith("nobody vouches for the host key of pod dev: ssh-ed25519 SHA256:")

    @pytest.mark.parametrize("asked", [{}, {"accept_new_host_key": True}])
    def test_known_keys_stay(self, asked: dict[str, Any]) -> None:
        world = World(exec=FakeExec(inside(key(1), key(3))))
        world.connect()
        world.exec.error, world.tunnel.error = NO_EXEC, NO_FORWARD
        done = world.connect(**asked)
        assert (done.entry_change, done.way.host_keys.voucher) == ("unchanged", Voucher.ENTRY)
        assert done.notes == (
            "no right to exec; no right to portforward: the host keys stay those of the Host entry",
        )

        world.resolve.shown = key(7)
        before, rules = copy.deepcopy(world.hosts), copy.deepcopy(world.api.objects)
        for via in ("auto", "nodeport"):
            told = failure(world, via=via, **asked)
            assert f"shows the host key {key(7).fingerprint}" in told.message
            assert f"has {key(1).fingerprint}, {key(3).fingerprint}, and nobody" in told.message
            assert "--subresource=portforward" in told.hint
            assert told.hint.endswith(f"kubectl nodeport disconnect {ALIAS}")
        assert (world.hosts, world.api.objects) == (before, rules)

    def test_nothing_answers(self) -> None:
        world = with_neither()
        world.resolve.open.clear()
        told = failure(world, via="auto", user="root")
        assert "answers at no address from here" in told.message
        assert told.message.endswith("; and through the API server: no right to portforward")

    def test_no_tunnel(self) -> None:
        told = failure(with_neither(), via="tunnel", user="root", accept_new_host_key=True)
        assert told.message == "no right to portforward"

    @pytest.mark.parametrize("before", [True, False])
    def test_a_way_that_opens_a_moment_later(self, before: bool) -> None:
        """What an API server under load refuses first; its word counts then."""
        world = World()
        if before:
            world.connect()
        world.exec.error, world.tunnel.error = NO_EXEC, NO_FORWARD
        world.resolve.open.clear()
        world.resolve.seen = lambda: setattr(world.tunnel, "error", None)
        world.tunnel.key = key(7)
        done = world.connect(user="root")
        assert done.way.host_keys.voucher is Voucher.PORT_FORWARD
        assert (done.entry.is_tunnel, world.hosts.known[ALIAS]) == (True, (key(7),))
        assert any("another host key" in note for note in done.notes) == before

    def test_dry_run(self) -> None:
        world = with_neither()
        told = failure(world, user="root", dry_run=True)
        assert told.message.startswith("nobody vouches for the host key of pod dev")
        done = world.connect(user="root", dry_run=True, accept_new_host_key=True)
        assert (done.entry_change, done.preview) == ("created", "")
        assert "the one that answers would be pinned" in done.notes[-1]
        assert world.api.writes() == []
        assert world.hosts.written == {}


@pytest.mark.parametrize(
    ("cluster", "is_told"),
    [
        ({"insecure-skip-tls-verify": True}, True),
        ({"server": "http://lab.example:8080"}, True),
        ({"server": "http://127.0.0.1:8001"}, False),
        ({}, False),
    ],
)
def test_an_api_server_that_is_not_checked(cluster: dict[str, Any], is_told: bool) -> None:
    world = World(FakeApi(make.pod("dev"), NODE))
    world.connection = dataclasses.replace(
        world.connection, cluster={**world.connection.cluster, **cluster}
    )
    notes = world.connect().notes
    assert [note.startswith("the API server") for note in notes] == [True] * is_told
