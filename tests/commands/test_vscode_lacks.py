"""What connect tells of VS Code's needs: with a new or changed entry, and to programs always."""

from __future__ import annotations

from kubectl_nodeport.cli.render.connect import as_document
from kubectl_nodeport.commands.connect import Connected
from tests.commands.world import FakeExec, FakeSshd, World, inside
from tests.ssh.make import key

ALPINE = b"equipment\nkernel 6.1.0\nhas tar\nhas wget\nfile ld-musl-x86_64.so.1\n"
DEBIAN = ALPINE + b"has bash\nfile libstdc++.so.6\n"
NOTE = (
    "for VS Code container main lacks libstdc++ (it has none in the usual places), bash; "
    "ssh works without"
)
BOTH = [
    {"need": "libstdc++", "detail": "libstdc++ (it has none in the usual places)"},
    {"need": "bash", "detail": "bash"},
]


def lacking(done: Connected) -> object:
    return as_document(done, "~/.ssh/config")["vscodeLacks"]


def test_told_with_a_new_entry_and_not_again() -> None:
    there = World(exec=FakeExec(ALPINE + inside()))
    first = there.connect()
    assert (first.notes, lacking(first)) == ((NOTE,), BOTH)
    again = there.connect()
    assert again.entry_change == "unchanged"
    assert (again.notes, lacking(again)) == ((), BOTH)


def test_told_again_with_another_container() -> None:
    there = World(exec=FakeExec(DEBIAN + inside()))
    assert there.connect().notes == ()
    there.exec.output, there.tunnel.key = ALPINE + inside(key(7)), key(7)
    assert NOTE in there.connect().notes


def test_nothing_is_lacking() -> None:
    done = World(exec=FakeExec(DEBIAN + inside())).connect()
    assert (done.notes, lacking(done)) == ((), [])


def test_container_that_does_not_tell() -> None:
    done = World(exec=FakeExec(inside())).connect()
    assert (done.notes, lacking(done)) == ((), None)


def test_home_of_whoever_logs_in() -> None:
    there = World(exec=FakeExec(DEBIAN + b"unwritable /root\n" + inside()))
    (note,) = there.connect().notes
    assert "a home that can be written, not /root" in note


def test_dry_run_tells_it_too() -> None:
    done = World(exec=FakeExec(ALPINE + inside())).connect(dry_run=True)
    assert NOTE in done.notes


def test_with_a_server_of_ours() -> None:
    said = (ALPINE + b"unwritable /home/dev").decode().splitlines()
    there = World(exec=FakeExec(inside(port=1), sshd=FakeSshd(says=said)))
    assert NOTE in there.connect(with_sshd=True, dry_run=True).notes
    done = there.connect(with_sshd=True)
    words = NOTE.replace(
        "bash;", "bash, a home that can be written, not /home/dev (remote.SSH.serverInstallPath);"
    )
    assert words in done.notes
    assert there.connect().notes == ()
