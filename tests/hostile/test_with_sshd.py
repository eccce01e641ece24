"""Whatever a container says to connect --with-sshd: one clear error, nothing half made here, and
the key taken out again there; or a result that does no harm."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.printable import short
from tests.commands.test_disconnect import run as disconnect
from tests.commands.world import FakeExec, FakeSshd, World, inside
from tests.container.answers import answer, said
from tests.hostile.box import GROUND, TABLE, Box
from tests.hostile.test_output import Said, config, home, printed
from tests.hostile.values import TEXTS
from tests.kube.server import Server, serving
from tests.ssh.make import key

__all__ = ["home"]

MINE = key(50)
OWN = "Host mine\n  HostName 192.0.2.1\n"
ALIAS = "dev.default.docker-desktop"
DEEP = b'{"state":' + b"[" * 100_000 + b"]" * 100_000 + b"}\nend\n"


@pytest.fixture
def identity(home: Path) -> Path:
    path = home / "id"
    path.write_text("the private half is not read")
    path.with_suffix(".pub").write_text(f"{MINE.openssh} me\n")
    return path


@pytest.fixture
def ssh_config(home: Path) -> Path:
    path = home / "ssh config"
    path.write_text(OWN)
    path.chmod(0o600)
    return path


@dataclass
class Desk:
    """Runs connect --with-sshd against a box."""

    server: Server
    home: Path
    identity: Path
    ssh_config: Path

    def fails(self, box: Box, *more: str) -> str:
        """The error; nothing is left here, and where a key was sent it was taken out again."""
        self.server.behaviour = box
        shown = self.run("-v=9", *more)
        errors = [line for line in shown.err.decode().split("\n") if line.startswith("error: ")]
        (error,) = errors
        assert self.ssh_config.read_text() == OWN
        assert list((self.home / "kubectl-nodeport").glob("*")) in ([], self.locks)
        assert box.api.services() == []
        assert all(seed.encode() not in shown.out + shown.err for seed in box.seeds)
        assert len(box.seeds) <= 1
        if box.seeds:
            assert box.told[-1] == ("remove", MINE.openssh)
        return error

    def run(self, *more: str) -> Said:
        """What it prints, which moves no cursor."""
        words = ["connect", "dev", "--with-sshd", "-i", str(self.identity), "--timeout", "100ms"]
        flags = ["--kubeconfig", str(config(self.home, self.server))]
        shown = printed([*words, *flags, "--ssh-config", str(self.ssh_config), *more])
        shown.check()
        return shown

    @property
    def locks(self) -> list[Path]:
        return list((self.home / "kubectl-nodeport").glob(".*.lock"))


@pytest.fixture
def desk(home: Path, identity: Path, ssh_config: Path) -> Iterator[Desk]:
    with serving(Box()) as server:
        yield Desk(server, home, identity, ssh_config)


def grounds(text: str) -> Iterator[bytes]:
    """First answers with the text in one place after the other."""
    raw = text.encode("utf-8", "surrogatepass")
    yield raw + b"\nend\n"
    for word in ("machine", "user", "uid", "gzip", "program", "status", "listen", "table", "has"):
        yield word.encode() + b" " + raw + b"\n" + GROUND + TABLE
    yield GROUND + b"status " + said({"error": {"code": text, "message": text}})
    yield GROUND + b"status " + said(answer("running", user=text, home=text, host_key=text))
    yield b"equipment\nfile " + raw + b"\nkernel " + raw + b"\nhas " + raw + b"\n" + GROUND + TABLE


def answers(text: str) -> Iterator[bytes]:
    """Answers to start with the text in one place after the other."""
    yield text.encode("utf-8", "surrogatepass") + b"\nend\n"
    yield said({"error": {"code": text, "message": text}})
    yield said({"error": {"code": text, "message": [text]}})
    yield said({"error": text})
    yield said({text: text})
    yield said(answer(text))
    for name in ("port", "listen", "version", "host_key", "user", "home"):
        yield said(answer(**{name: text}))
    yield said({**answer(), "keys": [{"line": text}, {text: text}, text, None]})


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_first_answer_with_every_hostile_text(desk: Desk, text: str) -> None:
    for ground in grounds(text):
        desk.fails(Box(ground, start=said({"error": {"message": "no"}})))


@pytest.mark.parametrize(
    "name", ["a window's title and a cleared screen", "a new line", "a command"]
)
def test_a_first_answer_in_a_dry_run(desk: Desk, name: str) -> None:
    for ground in grounds(TEXTS[name]):
        desk.server.behaviour = box = Box(ground)
        desk.run("--dry-run")
        assert box.words == []
        assert desk.ssh_config.read_text() == OWN
        assert not (desk.home / "kubectl-nodeport").exists()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_answer_to_start_with_every_hostile_text(desk: Desk, text: str) -> None:
    for start in answers(text):
        box = Box(start=start, remove=start)
        desk.fails(box, "--via", "tunnel")
        assert box.words[0] == "start"


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (b"", None),  # nothing, then the end
        (b"end\n", "did not start: it said no more"),
        (b"\x00\xff\xfe" * 1000 + b"\nend\n", "did not start"),
        (DEEP, "did not start"),
        (said({"state": "started"}), "not what it should be"),
        (said({"state": ["started"]}), "not what it should be"),
        (said({"state": "stopped", "keys": []}), "not what it should be"),
        (said(answer("stopped")), "not what it should be"),
        (said(answer("absent")), "not what it should be"),
        (said({**answer(), "keys": None}), "not what it should be"),
        (said({**answer(), "server": [answer()]}), "not what it should be"),
        (said(answer(port=0)), "not what it should be"),
        (said(answer(port=65536)), "not what it should be"),
        (said(answer(port=-22)), "not what it should be"),
        (said(answer(port="20022")), "not what it should be"),
        (said(answer(port=20022.5)), "not what it should be"),
        (said(answer(port=True)), "not what it should be"),
        (said(answer(version="0.1")), "not what it should be"),
        (said(answer(user="root;reboot")), "not what it should be"),
        (said(answer(user="$(reboot)")), "not what it should be"),
        (said(answer(user="../root")), "not what it should be"),
        (said(answer(user={"a": 1})), "not what it should be"),
        (said(answer(host_key=f'command="x" {key(7).openssh}')), "not what it should be"),
        (said(answer(host_key=f"{key(7).openssh}\n{key(8).openssh}")), "not what it should be"),
        (said(answer(host_key=[key(7).openssh])), "not what it should be"),
        (said(answer(listen="127.0.0.1")), "it listens on 127.0.0.1 alone"),
        (said(answer(port=1)).replace(b": 1,", b": 1e400,"), "not what it should be"),
        (said(answer(port=1)).replace(b": 1,", b": " + b"9" * 9000 + b","), "did not start"),
    ],
)
def test_an_answer_to_start_that_cannot_be(desk: Desk, start: bytes, error: str | None) -> None:
    box = Box(start=start or None)
    told = desk.fails(box)
    assert box.words == ["start", "remove"]
    assert error is None or error in told


@pytest.mark.parametrize("kind", ["truncated", "other text", "others may read", "a loop", "a pipe"])
def test_a_seed_that_cannot_be(desk: Desk, kind: str) -> None:
    """Nothing is started, and the file stays for its owner to look at."""
    seed = desk.home / "kubectl-nodeport" / "ssh config@dev.default.kind.host_key"
    seed.parent.mkdir(mode=0o700)
    texts = {"truncated": "A" * 20, "other text": "\x1b[2J\nProxyCommand x\n"}
    if kind == "a loop":
        seed.symlink_to(seed)
    elif kind == "a pipe":
        os.mkfifo(seed, 0o600)
    else:
        seed.write_text(texts.get(kind, "A" * 43 + "="))
        seed.chmod(0o604 if kind == "others may read" else 0o600)
    box = Box(start=said(answer()))
    desk.server.behaviour = box
    shown = desk.run()
    error, hint, rest = shown.err.decode().split("\n")
    assert error.startswith("error: ")
    assert str(seed) in error
    assert (hint[:6], rest, shown.out) == ("hint: ", "", b"")
    assert box.words == []
    assert desk.ssh_config.read_text() == OWN
    assert [one.name for one in seed.parent.iterdir()] == [seed.name]


def test_an_answer_without_an_end(desk: Desk) -> None:
    box = Box(start=b"{" + b"x" * 60_000, floods=True)
    assert "sends more than it could have to say" in desk.fails(box)


def test_another_port_than_the_one_that_was_asked_for(desk: Desk) -> None:
    told = desk.fails(Box(start=said(answer(port=22))), "--port", "2222")
    assert "it listens on port 22, not on 2222" in told


def test_a_server_that_is_not_there(desk: Desk) -> None:
    """All that it says is good, but nobody answers at the port."""
    told = desk.fails(Box(start=said(answer())), "--via", "tunnel")
    assert "portforward" in told or "through the API server" in told


def test_a_key_that_is_not_taken_out_is_told(desk: Desk) -> None:
    box = Box(
        start=said(answer(port=0)),
        remove=said({**answer("running"), "keys": [{"line": MINE.openssh}]}),
    )
    desk.server.behaviour = box
    shown = desk.run()
    note, error, _hint, *_ = shown.err.decode().split("\n")
    assert note.startswith("note: an ssh server in container main of pod dev may run and let ")
    assert error.startswith("error: no ssh server could be brought into container main of pod dev")


@dataclass
class Liar(FakeSshd):
    """A container that says something else than it should, of what it is told; it does it, though.

    :ivar lies: what it says instead, by the command.
    """

    lies: dict[str, bytes] = field(default_factory=dict)

    def ask(self, line: str, *, until: bytes) -> Output:
        true = super().ask(line, until=until)
        return Output(self.lies.get("look", true.stdout), b"", None)

    def send(self, data: bytes, *, until: bytes) -> Output:
        true = super().send(data, until=until)
        return Output(self.lies.get(data.split(None, 1)[0].decode(), true.stdout), b"x\x1b", None)


def lied_to(**lies: bytes) -> World:
    return World(exec=FakeExec(inside(port=1), sshd=Liar(lies=lies)))


def check_nothing_is_left(there: World, failure: NodeportError) -> None:
    assert failure.hint
    assert (there.hosts.written, there.hosts.known, there.hosts.seeds) == ({}, {}, set())
    assert there.api.services() == []
    assert (there.exec.sshd.keys, there.exec.sshd.port) == ([], None)


@pytest.mark.parametrize(
    "said", [b"", b"end\n", b"failed\nend\n", b"tried /\x1b[2J\nend\n", b"Put\nend\n"]
)
def test_an_answer_to_put_that_cannot_be(said: bytes) -> None:
    there = lied_to(put=said)
    with pytest.raises(NodeportError, match="could not be put there") as caught:
        there.connect(with_sshd=True)
    check_nothing_is_left(there, caught.value)
    assert there.exec.sshd.asked == []


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([0, 22, 65535, 65536, "root", "127.0.0.1", "0.1.0", key(9).openssh, "/", ".."]),
    st.lists(st.text(max_size=4), max_size=2),
)
SERVER = st.fixed_dictionaries(
    {},
    optional={
        name: st.just(good) | ODD
        for name, good in answer()["server"].items()  # type: ignore[attr-defined]
    },
)
KEYS = ODD | st.lists(ODD | st.fixed_dictionaries({}, optional={"line": ODD}), max_size=3)
ANSWERS = st.fixed_dictionaries(
    {}, optional={"state": st.sampled_from(["started", "running", "gone"]) | ODD, "error": ODD}
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.tuples(ANSWERS, SERVER | ODD, KEYS) | st.binary(max_size=60))
def test_any_answer_to_start(told: tuple[dict[str, object], object, object] | bytes) -> None:
    if isinstance(told, tuple):
        plain, server, keys = told
        if isinstance(server, dict):
            server = {**answer()["server"], **server}  # type: ignore[dict-item]
        told = said({**plain, "server": server, "keys": keys})
    there = lied_to(start=told)
    try:
        done = there.connect(with_sshd=True)
    except NodeportError as failure:
        check_nothing_is_left(there, failure)
        return
    plain = json.loads(told.splitlines()[0])["server"]
    assert done.entry.user == plain["user"]
    assert done.entry.origin.sshd_port == plain["port"]
    assert [one.openssh for one in there.hosts.known[ALIAS]] == [
        " ".join(plain["host_key"].split()[:2])
    ]
    assert all(short(note) == note for note in done.notes)


def test_another_host_key_than_the_one_that_was_sent_is_what_is_pinned() -> None:
    """The folder's own stays where it has one; a container may say what it likes of itself."""
    there = lied_to(start=said(answer(host_key=key(9).openssh)))
    there.connect(with_sshd=True)
    assert there.hosts.known[ALIAS] == (key(9),)


def test_thousands_of_keys() -> None:
    lines = [{"line": key(n % 200).openssh + f" {n}"} for n in range(5000)]
    there = lied_to(
        look=GROUND + b"status " + said({**answer("running"), "keys": lines}),
        start=said({**answer("running"), "keys": lines}),
    )
    done = there.connect(with_sshd=True)
    assert all(len(note) < 500 for note in done.notes)


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        (said({"state": "absent"}), "ended"),
        (said({"state": "stopped", "keys": [{"line": key(1).openssh}]}), "ended"),
        (said(answer("running")), "kept"),
        (said({"state": "running"}), "unknown"),
        (said({**answer("running"), "keys": [{"line": key(50).openssh}]}), "unknown"),
        (said({"state": "gone"}), "unknown"),
        (said({"error": {"message": "\x1b[2J\ud800"}}), "unknown"),
        (b"{\nend\n", "unknown"),
        (b"\xff", "unknown"),
    ],
)
def test_an_answer_to_remove(said: bytes, fate: str) -> None:
    """What cannot be is not taken for the server's end; the host goes all the same."""
    there = lied_to()
    there.connect(with_sshd=True)
    assert isinstance(there.exec.sshd, Liar)
    there.exec.sshd.lies["remove"] = said
    done = disconnect(there, ALIAS)
    assert [one.fate for one in done.servers] == [fate]
    assert (done.left is not None) == (fate == "unknown")
    assert there.hosts.written == {}
