"""connect --with-sshd with the real script and the real server; this machine is the container."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubectl_nodeport.commands.brought import Bid
from kubectl_nodeport.commands.edges import Edges, Offered, Offers
from kubectl_nodeport.commands.sshd_session import ground_of, open_session, remove_key
from kubectl_nodeport.commands.with_sshd import brought_along
from kubectl_nodeport.container import bring, sshd
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys, render
from tests.commands.world import World
from tests.kube import make
from tests.sshd.program import Program, make_key

SEED = bytes(range(32))


class LocalSession:
    """A shell on this machine, as kube.streams.Session is one in a container."""

    def __init__(self, command: tuple[str, ...], home: Path, user: int | None) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            cwd="/",
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )
        self._killer = threading.Timer(60, self._process.kill)
        self._killer.start()

    def ask(self, line: str, *, until: bytes) -> Output:
        return self.send(f"{line}\n".encode() if line else b"", until=until)

    def send(self, data: bytes, *, until: bytes) -> Output:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()
        said = b""
        while not (b"\n" + said).endswith(b"\n" + until + b"\n"):
            line = self._process.stdout.readline()
            if not line:
                assert self._process.stderr is not None
                return Output(said, self._process.stderr.read(), self._process.wait())
            said += line
        return Output(said, b"", None)

    def close(self) -> None:
        self._process.communicate()
        self._killer.cancel()


@dataclass
class LocalExec:
    home: Path
    user: int | None
    sent: list[int] = field(default_factory=list)

    def start(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...]
    ) -> LocalSession:
        assert (namespace, pod, container) == ("default", "dev", "main")
        return LocalSession(command, self.home, self.user)


@dataclass(frozen=True)
class Place:
    """A container in which connect has not been yet."""

    bid: Bid
    world: World
    exec: LocalExec
    keys: Path
    programs: dict[str, Path]

    def edges(self, name: str) -> Edges:
        """The world of somebody with a key of that name."""
        return dataclasses.replace(
            self.world.edges,
            sshd=lambda architecture: self.programs[architecture].read_bytes(),
            exec=self.exec,
            offered=lambda _alias, _identity: Offers((Offered(self.key(name), name),)),
        )

    def key(self, name: str) -> HostKey:
        if not (self.keys / name).exists():
            make_key(self.keys / name)
        (key,) = parse_public_keys((self.keys / f"{name}.pub").read_text())
        return key

    def ssh(self, name: str, port: int, user: str, host_key: HostKey) -> str:
        known = self.keys / "known_hosts"
        known.write_text(render("pod", [host_key]))
        words = ("HostKeyAlias=pod", "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes")
        more = (f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=none")
        done = subprocess.run(
            [
                *("ssh", "-F", "none", "-p", str(port), "-i", str(self.keys / name)),
                *(word for each in (*words, *more) for word in ("-o", each)),
                *(f"{user}@127.0.0.1", "echo in"),
            ],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout.strip() or done.stderr


@pytest.fixture
def place(program: Program, compressed: dict[str, Path], tmp_path: Path) -> Iterator[Place]:
    pod = dataclasses.replace(Pod.of(make.pod("dev")), uid=str(uuid.uuid4()))
    tmp_path.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    if program.user is not None:
        os.chown(home, program.user, program.user)
    bid = Bid(pod, pod.containers[0], "dev.default.here", None, 22)
    keys = tmp_path / "keys"
    keys.mkdir()
    yield Place(bid, World(), LocalExec(home, program.user), keys, compressed)
    folder = Path("/tmp") / bring.folder_name("main", pod.uid)
    if folder.exists():
        subprocess.run(
            [folder / "nodeport-sshd", "stop", "--purge", "--state", folder], check=False
        )
        shutil.rmtree(folder, ignore_errors=True)
        pytest.fail("a folder was left")


def end(place: Place, *names: str) -> list[bool]:
    """Take out the keys, one after the other: whether the server still runs."""
    states = []
    with contextlib.closing(open_session(place.edges(names[0]), place.bid)) as session:
        ground_of(session, place.bid)
        for name in names:
            states.append(remove_key(session, place.key(name))[0] == "running")
    return states


def test_two_people_share_it_and_the_last_ends_it(place: Place) -> None:
    ours, theirs = place.edges("ours"), place.edges("theirs")
    with brought_along(ours, place.bid) as first:
        assert first is not None
        assert first.host_key is not None
    with brought_along(theirs, place.bid) as second:
        assert second is not None
        assert (second.port, second.host_key) == (first.port, first.host_key)
    for name in ("ours", "theirs"):
        assert place.ssh(name, first.port, first.user, first.host_key) == "in"
    assert end(place, "ours", "theirs") == [True, False]


def test_server_that_is_gone_comes_back_with_its_port_and_host_key(place: Place) -> None:
    edges = place.edges("ours")
    with brought_along(edges, place.bid) as first:
        assert first is not None
    assert end(place, "ours") == [False]
    with brought_along(edges, place.bid) as again:
        assert again == first
    assert end(place, "ours") == [False]


def test_server_ends_where_the_rest_of_connect_fails(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), brought_along(place.edges("ours"), place.bid):
        raise ZeroDivisionError
    with contextlib.closing(open_session(place.edges("ours"), place.bid)) as session:
        assert ground_of(session, place.bid).program is None


def test_nothing_secret_is_in_arguments_or_answers(place: Place) -> None:
    with brought_along(place.edges("ours"), place.bid):
        seed = json.loads(sshd.Wish(SEED, place.key("ours"), 1).as_input())["host_key"]
        titles = b"".join(
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
        )
        assert b"nodeport-sshd" in titles
        assert seed.encode() not in titles
    assert end(place, "ours") == [False]
