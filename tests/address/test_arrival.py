"""Whether a connection ends in the pod: servers with one host key, told apart from inside."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubectl_nodeport.address import probe
from kubectl_nodeport.address.arrival import Arrival, arrives
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.knock import knock
from kubectl_nodeport.address.resolution import (
    Budget,
    Progress,
    Proof,
    Resolution,
    Sought,
    Verdict,
)
from kubectl_nodeport.container.script import parse_peers
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.address import servers
from tests.address.servers import Listener, Sshd

POD, FORWARDER, OTHER = "127.0.0.1", "127.0.0.2", "127.0.0.3"

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="no /proc/net/tcp on this system"
)


@dataclass
class Inside:
    """A witness that reads this machine's table of sockets, as the script does in a container."""

    port: int
    can_see: bool = True
    own: bool = False
    looks: list[frozenset[str]] = field(default_factory=list)
    was_known: bool = False

    @property
    def peers_before(self) -> frozenset[str]:
        self.was_known = True
        return frozenset()

    def is_own(self, _key: HostKey) -> bool:
        return self.own

    def peers(self) -> frozenset[str]:
        rows = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        lines = [
            f"peer {peer}"
            for local, peer, state in rows
            if state == "01" and local.endswith(f":{self.port:04X}")
        ]
        self.looks.append(parse_peers("\n".join(lines).encode()))
        return self.looks[-1]


@pytest.fixture
def backend() -> int:
    return servers.free_port()


@pytest.fixture
def port() -> int:
    return servers.free_port()


@pytest.fixture
def pod(tmp_path: Path, backend: int) -> Iterator[Sshd]:
    with servers.sshd(tmp_path / "pod", backend, POD) as running:
        yield running


@contextlib.contextmanager
def twin(tmp_path: Path, port: int) -> Iterator[Sshd]:
    """Another sshd with the very host key of the pod's."""
    shutil.copytree(tmp_path / "pod", tmp_path / "twin")
    with servers.sshd(tmp_path / "twin", port, OTHER) as running:
        yield running


def resolve(pod: Sshd | None, port: int, witness: Inside, *addresses: str) -> Resolution:
    """Of no pod the keys are known, so that any is right."""
    candidates = tuple(Candidate(address, "test") for address in addresses)
    known = frozenset(pod.keys if pod else ())
    sought = Sought(candidates, port, known, witness, takes_any=pod is None)
    return probe.resolve(sought, Budget(20), lambda _progress: None)


def test_connection_through_a_forwarder_arrives(pod: Sshd, backend: int, port: int) -> None:
    witness = Inside(backend)
    with Listener(FORWARDER, port, servers.forward(backend)).running():
        found = resolve(pod, port, witness, FORWARDER)
    assert found.answer is not None
    assert found.answer.proof is Proof.CONNECTION
    assert len(set(witness.looks)) > 1, "it was there, and it was not"
    assert witness.was_known, "who was connected before is not asked again"


def test_twin_is_passed_over(tmp_path: Path, pod: Sshd, backend: int, port: int) -> None:
    """It answers first, with the right host key; the pod's own address is behind it."""
    forwarder = Listener(FORWARDER, port, servers.forward(backend))
    with twin(tmp_path, port) as other, forwarder.running():
        assert other.keys == pod.keys
        witness = Inside(backend)
        found = resolve(pod, port, witness, OTHER, FORWARDER)
    assert found.answer is not None
    assert (found.answer.candidate.address, found.answer.proof) == (FORWARDER, Proof.CONNECTION)
    assert [a.outcome.verdict for a in found.attempts] == [Verdict.OTHER_POD, Verdict.ANSWERED]
    assert other.connections() <= 2
    assert pod.connections() <= 3


def test_twin_alone_is_no_answer(tmp_path: Path, pod: Sshd, backend: int, port: int) -> None:
    with twin(tmp_path, port):
        found = resolve(pod, port, Inside(backend), OTHER)
    assert found.answer is None
    (attempt,) = found.attempts
    assert attempt.outcome.verdict is Verdict.OTHER_POD
    assert "no connection to it arrives in the pod" in attempt.outcome.text
    assert attempt.outcome.fingerprint == pod.keys[0].fingerprint


def test_any_key_is_right_at_the_pod_alone(
    tmp_path: Path, pod: Sshd, backend: int, port: int
) -> None:
    forwarder = Listener(FORWARDER, port, servers.forward(backend))
    with servers.sshd(tmp_path / "stranger", port, OTHER), forwarder.running():
        found = resolve(None, port, Inside(backend), OTHER, FORWARDER)
    assert found.answer is not None
    assert (found.answer.key, found.answer.proof) == (pod.keys[0], Proof.CONNECTION)
    assert found.attempts[0].outcome.verdict is Verdict.OTHER_POD
    assert "the pod's host key" not in found.attempts[0].outcome.text


def test_own_key_is_the_proof_where_nobody_sees(pod: Sshd, backend: int) -> None:
    witness = Inside(backend, own=True, can_see=False)
    found = resolve(pod, backend, witness, POD)
    assert found.answer is not None
    assert (found.answer.proof, witness.looks) == (Proof.HOST_KEY, [])
    assert pod.connections() == 1


def test_own_key_may_be_a_copy(tmp_path: Path, pod: Sshd, port: int, backend: int) -> None:
    """Put there by the container's start, and by that of others: it is looked all the same."""
    with twin(tmp_path, port):
        assert resolve(pod, port, Inside(backend, own=True), OTHER).answer is None


def test_without_sight_the_key_is_all_there_is(pod: Sshd, backend: int) -> None:
    found = resolve(pod, backend, Inside(backend, can_see=False), POD)
    assert found.answer is not None
    assert found.answer.proof is Proof.SHARED_KEY


def test_witness_that_is_not_heard_any_more(pod: Sshd, backend: int) -> None:
    class Gone(Inside):
        def peers(self) -> frozenset[str]:
            raise NodeportError("the stream broke off", hint="again")

    found = resolve(pod, backend, Gone(backend), POD)
    assert found.answer is not None
    assert found.answer.proof is Proof.SHARED_KEY


@pytest.mark.usefixtures("pod")
def test_sessions_of_others_are_no_arrival(tmp_path: Path, backend: int) -> None:
    """One was there before, one begins meanwhile and stays."""
    port = servers.free_port()

    @dataclass
    class Busy(Inside):
        stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

        def peers(self) -> frozenset[str]:
            if len(self.looks) == 1:
                self.stack.enter_context(socket.create_connection((POD, backend)))
            return super().peers()

    with twin(tmp_path, port), contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_connection((POD, backend)))
        assert arrives(OTHER, port, Busy(backend, stack=stack)) is Arrival.ELSEWHERE


@pytest.mark.usefixtures("pod")
def test_short_connection_of_a_stranger_is_no_arrival(tmp_path: Path, backend: int) -> None:
    """As of a probe: it comes while ours is held, and goes with it."""
    port = servers.free_port()

    @dataclass
    class Probed(Inside):
        def peers(self) -> frozenset[str]:
            if len(self.looks) != 2:
                return super().peers()
            time.sleep(0.4)
            with socket.create_connection((POD, backend)):
                return super().peers()

    with twin(tmp_path, port):
        assert arrives(OTHER, port, Probed(backend)) is Arrival.ELSEWHERE


@pytest.mark.usefixtures("pod")
def test_server_that_turns_one_connection_away(backend: int, port: int) -> None:
    """OpenSSH drops some at random when there are many: no reason to believe that it is another."""
    relay, turns = servers.forward(backend), iter([b"Exceeded MaxStartups\r\n", b""])

    def serve(connection: socket.socket) -> None:
        words = next(turns, None)
        if words is None:
            relay(connection)
        else:
            connection.sendall(words)

    with Listener(FORWARDER, port, serve).running() as listener:
        assert arrives(FORWARDER, port, Inside(backend)) is Arrival.HERE
    assert len(listener.accepted_s) == 3


def test_server_that_turns_all_away_proves_nothing(backend: int, port: int) -> None:
    with Listener(FORWARDER, port, servers.close).running():
        assert arrives(FORWARDER, port, Inside(backend)) is Arrival.UNKNOWN


def test_what_cannot_be_connected_to_is_not_known(backend: int, port: int) -> None:
    assert arrives(POD, port, Inside(backend)) is Arrival.UNKNOWN
    assert arrives("no-such-name.invalid", port, Inside(backend)) is Arrival.UNKNOWN


def test_late_arrival(pod: Sshd, backend: int, port: int) -> None:
    """A forwarder that accepts at once and needs its time to reach the node."""
    relay = servers.forward(backend)

    def serve(connection: socket.socket) -> None:
        time.sleep(0.5)
        relay(connection)

    with Listener(FORWARDER, port, serve).running():
        assert arrives(FORWARDER, port, Inside(backend)) is Arrival.HERE
    ends_s = time.monotonic() + 5
    while not pod.connections() and time.monotonic() < ends_s:  # its log comes a moment later
        time.sleep(0.01)
    assert pod.connections() <= 2


def test_knocking_waits_until_nobody_else_knocks(backend: int, port: int) -> None:
    """A connection to the right address must not stand in for one to another program's."""
    server = Listener(POD, backend, servers.echo)
    forwarder = Listener(FORWARDER, port, servers.forward(backend))
    with server.running(), forwarder.running(), Listener(OTHER, port, servers.echo).running():
        candidates = tuple(Candidate(address, "test") for address in (OTHER, FORWARDER))
        found = knock(Sought(candidates, port, frozenset(), Inside(backend)), 10.0)
    assert found.answer is not None
    assert (found.answer.candidate.address, found.answer.proof) == (FORWARDER, Proof.CONNECTION)
    assert [a.outcome.verdict for a in found.attempts] == [Verdict.OTHER_POD, Verdict.ANSWERED]


def test_another_programs_port_is_not_the_last_word(backend: int, port: int) -> None:
    """Further candidates are asked where those before were turned down."""
    server = Listener(POD, backend, servers.echo)
    forwarder = Listener(FORWARDER, port, servers.forward(backend))
    with server.running(), forwarder.running(), Listener(OTHER, port, servers.echo).running():
        further = [Candidate(OTHER, "again"), Candidate(FORWARDER, "more")]
        first = (Candidate(OTHER, "test"),)
        sought = Sought(first, port, frozenset(), Inside(backend), more=lambda: further)
        found = knock(sought, 15.0)
    assert found.answer is not None
    assert found.answer.candidate.address == FORWARDER


class TestMore:
    """Candidates that are asked for only when the first ones do not answer."""

    def found(self, pod: Sshd, port: int, *addresses: str, more: str) -> tuple[Resolution, float]:
        asked: list[float] = []
        began = time.monotonic()

        def further() -> list[Candidate]:
            asked.append(time.monotonic() - began)
            return [Candidate(more, "more"), Candidate(more, "more, once again")]

        candidates = tuple(Candidate(address, "test") for address in addresses)
        sought = Sought(candidates, port, frozenset(pod.keys), more=further)
        found = probe.resolve(sought, Budget(10, more_s=0.4), lambda _progress: None)
        return found, asked[0] if asked else -1.0

    def test_second_address(self, pod: Sshd, backend: int) -> None:
        found, asked = self.found(pod, backend, OTHER, more=POD)
        assert found.answer is not None
        assert found.answer.candidate.reason == "more"
        assert 0.4 <= asked < 1
        assert [a.candidate.address for a in found.attempts] == [OTHER, POD]

    def test_not_asked_where_the_first_answers(self, pod: Sshd, backend: int) -> None:
        found, asked = self.found(pod, backend, POD, more=OTHER)
        assert found.answer is not None
        assert asked == -1.0

    def test_asked_at_once_without_any(self, pod: Sshd, backend: int) -> None:
        found, asked = self.found(pod, backend, more=POD)
        assert found.answer is not None
        assert 0 <= asked < 0.3


def test_time_of_each_attempt(pod: Sshd, backend: int) -> None:
    seen: list[Progress] = []
    sought = Sought((Candidate(POD, "test"),), backend, frozenset(pod.keys))
    (attempt,) = probe.resolve(sought, Budget(10), seen.append).attempts
    assert 0 < attempt.took_s < 2
    assert threading.active_count() >= 1
