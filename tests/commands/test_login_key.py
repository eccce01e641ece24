from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubectl_nodeport.commands.connect import ConnectRequest, connect
from kubectl_nodeport.commands.edges import Offered
from kubectl_nodeport.commands.login_key import KeyState, LoginKey
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ForbiddenError
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.commands.fake_api import FakeApi
from tests.commands.world import (
    NODE,
    FakeAuthorize,
    FakeExec,
    FakeIdentity,
    FakeSshd,
    World,
    inside,
)
from tests.kube import make
from tests.ssh.make import key

ALIAS = "dev.default.docker-desktop"
FILE = "/root/.ssh/authorized_keys"
MINE, OTHER = key(50), key(51)


def told(*keys: HostKey, known: bool = True, files: tuple[str, ...] = (FILE,)) -> bytes:
    """A container that lets these in."""
    lines = [f"keysfile {file}" for file in files]
    lines += [f"authorized {one.openssh} somebody" for one in keys]
    lines.append("keys known" if known else "keys ")
    return inside().removesuffix(b"end\n") + "\n".join([*lines, "end", ""]).encode()


def world(*keys: HostKey, known: bool = True, **more: Any) -> World:
    return World(exec=FakeExec(told(*keys, known=known)), **more)


def replaced(there: World) -> None:
    """Let a new pod take the place of the old."""
    uid = make.UID.replace("0c3f", "1d4a")
    there.api = FakeApi(make.pod("dev", uid=uid), NODE)


def failure(there: World, **asked: Any) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        there.connect(**{"authorize_key": "", **asked})
    assert caught.value.hint
    assert (there.hosts.written, there.api.services()) == ({}, [])
    return caught.value


class TestCompared:
    def test_key_that_is_let_in(self) -> None:
        there = world(OTHER, MINE)
        done = there.connect()
        assert done.login_key == LoginKey(KeyState.PRESENT, MINE)
        assert (done.notes, there.exec.authorized) == ((), [])

    def test_none_that_fits_is_told_with_the_command(self) -> None:
        there = world(OTHER)
        done = there.connect()
        assert done.login_key == LoginKey(KeyState.MISSING)
        assert done.notes == (
            f"your ssh key ~/.ssh/id ({MINE.type} {MINE.fingerprint}) is not in {FILE} of root in "
            "container main of pod dev; add it with: kubectl nodeport connect dev --authorize-key "
            "-n default --context docker-desktop",
        )
        assert there.exec.authorized == []

    def test_command_says_what_was_asked(self) -> None:
        done = world(offered=[Offered(MINE, "/a b")]).connect(
            user="root", port=22, container="main", host="box", identity_file="/a b"
        )
        words = "connect root@dev --port 22 -c main --host box -i '/a b' --authorize-key -n "
        assert words in done.notes[0]

    @pytest.mark.parametrize(
        ("output", "has_others"),
        [(inside(), False), (told(known=False), False), (told(), True)],
        ids=["did not say", "not all", "other keys"],
    )
    def test_what_is_not_known_is_not_told(self, output: bytes, has_others: bool) -> None:
        there = World(exec=FakeExec(output), has_others=has_others, answers=[])
        done = there.connect()
        assert (done.login_key, done.notes) == (LoginKey(KeyState.UNKNOWN), ())

    def test_key_that_is_let_in_counts_where_others_may_be(self) -> None:
        assert world(MINE, known=False).connect().login_key.state is KeyState.PRESENT

    def test_several(self) -> None:
        there = world(offered=[Offered(MINE, "a"), Offered(OTHER, "b")])
        (note,) = there.connect().notes
        assert MINE.fingerprint in note
        assert OTHER.fingerprint in note
        assert "--authorize-key=FILE.pub -n default" in note

    @pytest.mark.parametrize(
        ("allowed", "said"),
        [
            ("no", "ssh has no key to offer, and the ssh server in {} takes keys alone; make one"),
            ("yes", "ssh has no key to offer to the ssh server in {}; make one"),
        ],
    )
    def test_no_key_at_all(self, allowed: str, said: str) -> None:
        there = world(offered=[])
        there.exec.output = f"sshd passwordauthentication {allowed}\n".encode() + there.exec.output
        (note,) = there.connect().notes
        assert note.startswith(said.format("container main of pod dev"))
        assert "make one with: ssh-keygen -t ed25519, then: kubectl nodeport connect dev" in note

    def test_server_that_is_brought_needs_none(self) -> None:
        there = World(exec=FakeExec(inside(port=1), sshd=FakeSshd()))
        done = there.connect(with_sshd=True, authorize_key="")
        assert done.login_key == LoginKey(KeyState.PRESENT, MINE)
        assert there.exec.authorized == []
        assert any("lets your key in by itself" in note for note in done.notes)


class TestAsked:
    def test_key_is_sent_over_stdin_and_kept_in_mind(self) -> None:
        there = world(OTHER)
        done = there.connect(authorize_key="")
        assert there.exec.authorized == [("root", FILE)]
        assert there.exec.authorize.lines == [f"{MINE.openssh} kubectl-nodeport\n"]
        assert there.exec.authorize.closed
        assert done.login_key == LoginKey(KeyState.ADDED, MINE, is_asked=True)
        assert done.entry.origin.authorized_key == MINE.openssh
        assert done.notes == (
            f"your key ~/.ssh/id ({MINE.fingerprint}) was added to {FILE} of root in container "
            "main of pod dev",
        )

    def test_again_changes_nothing(self) -> None:
        there = world()
        there.connect(authorize_key="")
        there.exec.output = told(MINE)
        for asked in ({"authorize_key": ""}, {}):
            done = there.connect(**asked)
            assert (done.entry_change, done.notes) == ("unchanged", ())
            assert done.login_key.state is KeyState.PRESENT
        assert len(there.exec.authorize.lines) == 1

    def test_named_file(self) -> None:
        there = world(files={"/k.pub": OTHER})
        assert there.connect(authorize_key="/k.pub").login_key.key == OTHER
        assert there.exec.authorize.lines == [f"{OTHER.openssh} kubectl-nodeport\n"]

    def test_identity_that_is_given_counts_alone(self) -> None:
        there = world(offered=[Offered(MINE, "/a"), Offered(OTHER, "/b")])
        assert there.connect(authorize_key="", identity_file="/b").login_key.key == OTHER

    def test_several_are_not_guessed_among(self) -> None:
        there = world(offered=[Offered(MINE, "a"), Offered(OTHER, "b")])
        assert "ssh would offer several keys, and one is to be added" in failure(there).message
        assert "--authorize-key=FILE.pub" in failure(there).hint
        there.choices = [1]
        assert there.connect(authorize_key="").login_key.key == OTHER

    def test_one_of_several_that_is_let_in_is_enough(self) -> None:
        there = world(OTHER, offered=[Offered(MINE, "a"), Offered(OTHER, "b")])
        assert there.connect(authorize_key="").login_key.state is KeyState.PRESENT
        assert there.exec.authorized == []

    def test_dry_run_adds_nothing(self) -> None:
        there = world()
        done = there.connect(authorize_key="", dry_run=True)
        assert done.login_key.state is KeyState.WOULD_BE_ADDED
        assert any("would be added to" in note for note in done.notes)
        assert there.exec.authorized == []

    def test_what_cannot_be_written_is_an_error_and_nothing_is_made(self) -> None:
        there = world()
        there.exec.authorize = FakeAuthorize("failed mkdir: Read-only file system\x1b[2J")
        error = failure(there)
        assert error.message.endswith("mkdir: Read-only file system?[2J")
        assert f"cannot be added to {FILE} of root" in error.message

    def test_container_that_does_not_say_where(self) -> None:
        assert "AuthorizedKeysFile" in failure(World(exec=FakeExec(inside()))).message

    def test_without_exec(self) -> None:
        there = World()
        there.exec.error = ForbiddenError("not you", hint="ask", status=403)
        assert "cannot be added for root" in failure(there, user="root").message

    def test_no_key_at_all(self) -> None:
        error = failure(world(offered=[]))
        assert "ssh has no key to offer" in error.message
        assert "ssh-keygen -t ed25519, then: kubectl nodeport connect dev" in error.hint

    def test_folder_that_others_may_write_is_told(self) -> None:
        there = world()
        there.exec.authorize = FakeAuthorize("loose /root\nadded")
        assert any("others may write to /root" in n for n in there.connect(authorize_key="").notes)


class TestReplacedPod:
    def test_it_gets_the_key_again(self) -> None:
        there = world()
        there.connect(authorize_key="")
        replaced(there)
        done = there.connect()
        assert done.login_key == LoginKey(KeyState.ADDED, MINE, is_asked=True)
        assert len(there.exec.authorize.lines) == 2
        assert done.entry.origin.authorized_key == MINE.openssh

    def test_not_the_same_pod_from_which_it_was_taken(self) -> None:
        there = world()
        there.connect(authorize_key="")
        done = there.connect()
        assert done.login_key.state is KeyState.MISSING
        assert done.entry.origin.authorized_key == MINE.openssh
        assert len(there.exec.authorize.lines) == 1

    def test_not_where_it_was_never_asked_for(self) -> None:
        there = world()
        there.connect()
        replaced(there)
        assert there.connect().login_key.state is KeyState.MISSING

    def test_where_it_cannot_be_the_host_is_written_all_the_same(self) -> None:
        there = world()
        there.connect(authorize_key="")
        replaced(there)
        there.exec.authorize = FakeAuthorize("failed it is full")
        done = there.connect()
        assert done.login_key.state is KeyState.MISSING
        assert any("it is full" in note for note in done.notes)
        assert there.hosts.written[ALIAS].origin.authorized_key == MINE.openssh


class TestTerminal:
    def test_yes(self) -> None:
        there = world(answers=[True])
        assert there.connect().login_key.state is KeyState.ADDED
        (question,) = there.asked
        assert question.startswith(f"none of your ssh keys is in {FILE} of root")

    def test_no_and_not_again_for_this_pod(self) -> None:
        there = world(answers=[False])
        assert there.connect().login_key.state is KeyState.MISSING
        assert any("add it with:" in note for note in there.connect().notes)
        replaced(there)
        there.answers = [True]
        assert there.connect().login_key.state is KeyState.ADDED

    def test_several(self) -> None:
        both = [Offered(MINE, "a"), Offered(OTHER, "b")]
        there = world(answers=[True], choices=[1], offered=both)
        assert there.connect().login_key.key == OTHER

    @pytest.mark.parametrize("authorize_key", ["", None])
    def test_key_is_made_for_hosts_of_ours(self, authorize_key: str | None) -> None:
        own = FakeIdentity()
        there = world(answers=[True], offered=[], own_identity=own)
        done = there.connect(authorize_key=authorize_key)
        assert own.is_there
        assert done.entry.identity_file == own.path
        assert done.login_key.key == own.key
        assert len(there.asked) == 1

    def test_key_that_was_made_serves_the_next_host(self) -> None:
        own = FakeIdentity(is_there=True)
        there = world(answers=[True], offered=[], own_identity=own)
        assert there.connect().entry.identity_file == own.path
        assert own.path in there.asked[0]
        there = world(offered=[], own_identity=own)
        assert own.path in there.connect().notes[0]
        assert there.connect(authorize_key="").entry.identity_file == own.path

    def test_none_is_made_in_a_dry_run_or_unasked(self) -> None:
        own = FakeIdentity()
        there = world(answers=[False], offered=[], own_identity=own)
        there.connect(dry_run=True)
        assert there.asked == []
        there.connect()
        assert (own.is_there, len(there.asked)) == (False, 1)

    def test_ctrl_c_at_the_question_leaves_nothing(self) -> None:
        there = world(answers=[])

        def interrupted(_question: str) -> bool:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            connect(ConnectRequest(Target("dev")), replace(there.edges, confirm=interrupted))
        assert (there.hosts.written, there.api.services()) == ({}, [])
