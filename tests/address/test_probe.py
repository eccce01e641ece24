"""The probe against real sockets: the real sshd, and strangers on the same port."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport.address import probe
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.dial import DialError
from kubectl_nodeport.address.handshake import shown_key, warm_up, well_formed
from kubectl_nodeport.address.resolution import (
    Budget,
    OnProgress,
    Progress,
    Proof,
    Resolution,
    Sought,
    Verdict,
)
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.address import servers
from tests.address.servers import Listener, Sshd

NOBODY = HostKey("ssh-ed25519", b"nobody's")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    warm_up()
    threads, descriptors = _threads(), _descriptors()
    yield
    assert _threads() <= threads, "those of earlier tests may end meanwhile"
    assert _descriptors() <= descriptors


def _threads() -> set[threading.Thread]:
    """All but timers: pytest-timeout has one of its own for every test."""
    return {found for found in threading.enumerate() if not isinstance(found, threading.Timer)}


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.fixture
def port() -> int:
    return servers.free_port()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Sshd]:
    """The pod's sshd, at ``backend_port``; the tests put forwarders before it."""
    with servers.sshd(tmp_path / "pod", _backend_port(tmp_path)) as running:
        yield running


def _backend_port(tmp_path: Path) -> int:
    """One port a test, chosen once."""
    chosen = tmp_path / "backend-port"
    if not chosen.exists():
        chosen.write_text(str(servers.free_port()))
    return int(chosen.read_text())


@pytest.fixture
def backend_port(tmp_path: Path) -> int:
    return _backend_port(tmp_path)


def at(*addresses: str) -> list[Candidate]:
    return [Candidate(address, "test") for address in addresses]


def resolve(
    candidates: Sequence[Candidate],
    port: int,
    known: Collection[HostKey],
    budget: Budget,
    progress: OnProgress,
    **more: Any,
) -> Resolution:
    sought = Sought(tuple(candidates), port, frozenset(known), **more)
    return probe.resolve(sought, budget, progress)


def ignore(_: Progress) -> None:
    pass


def timed(call: Callable[[], Resolution]) -> tuple[Resolution, float]:
    began_s = time.monotonic()
    return call(), time.monotonic() - began_s


def verdicts(resolution: Resolution) -> list[Verdict]:
    return [attempt.outcome.verdict for attempt in resolution.attempts]


def test_the_pod_answers(pod: Sshd, backend_port: int) -> None:
    found, took_s = timed(
        lambda: resolve(at("127.0.0.1"), backend_port, pod.keys, Budget(10), ignore)
    )
    assert found.answer is not None
    assert found.answer.candidate.address == "127.0.0.1"
    assert found.answer.port == backend_port
    assert found.answer.key == pod.keys[0]
    assert verdicts(found) == [Verdict.ANSWERED]
    assert pod.connections() == 1
    assert took_s < 1  # 30 ms; the margin is for a busy machine


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_server_is_asked_for_a_key_that_is_known(tmp_path: Path, port: int, kind: str) -> None:
    with servers.sshd(tmp_path / "s", port, key="rsa ecdsa ed25519") as running:
        known = [key for key in running.keys if kind in key.type]
        found = resolve(at("127.0.0.1"), port, known, Budget(10), ignore)
    assert found.answer is not None
    assert found.answer.key == known[0]


def test_without_a_known_key_no_answer_is_right(pod: Sshd, backend_port: int) -> None:
    found = resolve(at("127.0.0.1"), backend_port, [], Budget(0.5), ignore)
    assert found.answer is None
    assert verdicts(found) == [Verdict.OTHER_KEY]
    assert found.attempts[0].outcome.fingerprint == pod.keys[0].fingerprint


def test_ipv6(tmp_path: Path, port: int) -> None:
    with servers.sshd(tmp_path / "s", port, "::1") as running:
        found = resolve(at("::1"), port, running.keys, Budget(10), ignore)
    assert found.answer is not None


def test_a_name_is_looked_up(pod: Sshd, backend_port: int) -> None:
    found = resolve(at("localhost"), backend_port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert found.answer.candidate.address == "localhost"


def test_a_name_that_nobody_knows(pod: Sshd, backend_port: int) -> None:
    # A label of 64 characters fails in the resolver's library, without a question to the network.
    candidates = at("x" * 64 + ".example", "127.0.0.1")
    found = resolve(candidates, backend_port, pod.keys, Budget(10), ignore)
    assert verdicts(found) == [Verdict.NAME_NOT_FOUND, Verdict.ANSWERED]


def test_another_server_on_the_port_is_passed_over(
    tmp_path: Path, pod: Sshd, backend_port: int, port: int
) -> None:
    stranger = servers.sshd(tmp_path / "stranger", port, "127.0.0.1")
    node = Listener("127.0.0.2", port, servers.forward(backend_port))
    with stranger as other, node.running():
        found = resolve(at("127.0.0.1", "127.0.0.2"), port, pod.keys, Budget(10), ignore)
        assert other.connections() == 1
    assert found.answer is not None
    assert found.answer.candidate.address == "127.0.0.2"
    assert verdicts(found) == [Verdict.OTHER_KEY, Verdict.ANSWERED]
    assert found.attempts[0].outcome.fingerprint == other.keys[0].fingerprint
    assert other.keys[0].fingerprint in found.attempts[0].outcome.text


def test_another_servers_word_is_final_after_gentle_tries(tmp_path: Path, port: int) -> None:
    with servers.sshd(tmp_path / "stranger", port) as other:
        found, took_s = timed(lambda: resolve(at("127.0.0.1"), port, [NOBODY], Budget(30), ignore))
        assert other.connections() == 2
    assert found.answer is None
    assert verdicts(found) == [Verdict.OTHER_KEY]
    assert 3 <= took_s < 6


def test_on_loopback_a_stranger_leaves_the_others_a_late_forwarders_time(
    tmp_path: Path, port: int
) -> None:
    with servers.sshd(tmp_path / "stranger", port):
        budget = Budget(30, forwarder_s=5)
        found, took_s = timed(
            lambda: resolve(at("127.0.0.1", "127.0.0.2"), port, [NOBODY], budget, ignore)
        )
    assert verdicts(found) == [Verdict.OTHER_KEY, Verdict.REFUSED]
    assert 5 <= took_s < 8


@pytest.mark.parametrize(
    ("serve", "word"),
    [
        (servers.answer_http, "HTTP/1.1 400"),
        (servers.echo, "sends back what it is sent"),
        (servers.say(b"220 ftp.example ready\r\n"), "220 ftp.example ready"),
        (servers.say(b"J\0\0\0\n8.4.6\0\x1b[2J\xff"), r"J\x00\x00\x00\x0a8.4.6\x00\x1b[2J\xff"),
        (servers.say(b"A" * 1_000_000), "AAAA"),
        (servers.say(b"SSH-" + b"A" * 1_000_000), "SSH-AAAA"),
        (servers.say(*[bytes([n]) for n in b"xy"], pause_s=0.5), "xy"),
    ],
    ids=["http", "echo", "ftp", "binary", "huge-line", "huge-banner", "slow"],
)
def test_what_is_no_ssh_server_is_told(
    port: int, serve: Callable[[socket.socket], None], word: str
) -> None:
    with Listener("127.0.0.1", port, serve).running():
        found = resolve(at("127.0.0.1"), port, [NOBODY], Budget(1.8), ignore)
    assert verdicts(found) == [Verdict.NOT_SSH]
    text = found.attempts[0].outcome.text
    assert word in text
    assert text.isprintable()
    assert len(text) < 300


def test_no_ssh_server_ends_the_search_early(port: int) -> None:
    with Listener("127.0.0.1", port, servers.answer_http).running() as listener:
        found, took_s = timed(lambda: resolve(at("127.0.0.1"), port, [NOBODY], Budget(30), ignore))
    assert verdicts(found) == [Verdict.NOT_SSH]
    assert 3 <= took_s < 6
    assert len(listener.accepted_s) == 2


@pytest.mark.parametrize(
    ("serve", "verdict"),
    [
        (servers.silence, Verdict.SILENT),
        (servers.say(*[bytes([n]) for n in b"SSH-2.0-endless"], pause_s=0.3), Verdict.SILENT),
        (servers.close, Verdict.CLOSED),
        (servers.reset, Verdict.CLOSED),
        (servers.say(b"Exceeded MaxStartups\r\n"), Verdict.TURNED_AWAY),
    ],
    ids=["silent", "tarpit", "closing", "resetting", "full"],
)
def test_what_may_still_become_an_ssh_server_is_waited_for(
    port: int, serve: Callable[[socket.socket], None], verdict: Verdict
) -> None:
    with Listener("127.0.0.1", port, serve).running() as listener:
        found, took_s = timed(lambda: resolve(at("127.0.0.1"), port, [NOBODY], Budget(2.5), ignore))
    assert verdicts(found) == [verdict]
    assert 2.4 <= took_s < 3.5
    assert len(listener.accepted_s) <= 20


@pytest.mark.parametrize(
    "serve",
    [
        servers.say(b"SSH-2.0-broken\r\n" + b"\xff" * 64),
        servers.say(b"SSH-1.5-old\r\n"),
        servers.say(b"SSH-2.0-mute\r\n"),
    ],
)
def test_a_broken_ssh_server_breaks_nothing(
    port: int, serve: Callable[[socket.socket], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with Listener("127.0.0.1", port, serve).running() as listener:
        found, took_s = timed(lambda: resolve(at("127.0.0.1"), port, [NOBODY], Budget(1.5), ignore))
    assert found.answer is None
    assert len(listener.accepted_s) == 1
    assert took_s < 2
    assert capfd.readouterr() == ("", "")


def test_no_common_key_exchange(
    tmp_path: Path, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    only = "KexAlgorithms sntrup761x25519-sha512@openssh.com"
    with servers.sshd(tmp_path / "s", port, options=only) as running:
        found = resolve(at("127.0.0.1"), port, running.keys, Budget(1), ignore)
    assert verdicts(found) == [Verdict.KEY_EXCHANGE_FAILED]
    assert "no key exchange comes about" in found.attempts[0].outcome.text
    assert capfd.readouterr() == ("", "")


def test_lines_before_the_banner(pod: Sshd, backend_port: int, port: int) -> None:
    greeting = b"Unauthorised use is forbidden.\r\nSmile.\n"
    listener = Listener("127.0.0.1", port, servers.forward(backend_port, first=greeting))
    with listener.running():
        found = resolve(at("127.0.0.1"), port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert len(listener.accepted_s) == 1


def test_as_many_lines_before_the_banner_as_ssh_bears(
    pod: Sshd, backend_port: int, port: int
) -> None:
    """RFC 4253 section 4.2; they come in more than one read, and the library would bear 100."""
    greeting = (b"x" * 253 + b"\r\n") * 255
    listener = Listener("127.0.0.1", port, servers.forward(backend_port, first=greeting))
    with listener.running():
        found = resolve(at("127.0.0.1"), port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert len(listener.accepted_s) == 1


@pytest.mark.parametrize(
    "line", [b"\n", b"x" * 4000 + b"\n", b"SS\n"], ids=["empty", "long", "almost"]
)
def test_lines_without_end_are_no_ssh_server(port: int, line: bytes) -> None:

    def serve(connection: socket.socket) -> None:
        while True:
            connection.sendall(line * 64)

    with Listener("127.0.0.1", port, serve).running():
        found = resolve(at("127.0.0.1"), port, [NOBODY], Budget(1.8), ignore)
    assert verdicts(found) == [Verdict.NOT_SSH]
    assert len(found.attempts[0].outcome.text) < 300


@pytest.mark.parametrize(
    "version",
    [b"SSH-2.0-\x1b[31mred\x07\r\n", b"SSH-1.0-\x1b]0;title\x07\r\n", b"SSH-\xff\x1b\r\n"],
)
def test_a_version_line_never_reaches_the_terminal(port: int, version: bytes) -> None:
    greeting = b"\x1b[2Jhello\r\n"
    told: list[Progress] = []
    with Listener("127.0.0.1", port, servers.say(greeting + version + b"\xff" * 64)).running():
        found = resolve(at("127.0.0.1"), port, [NOBODY], Budget(1), told.append)
    assert verdicts(found) == [Verdict.KEY_EXCHANGE_FAILED]
    texts = [event.outcome.text for event in told if event.outcome is not None]
    assert all(text.isprintable() for text in [*texts, found.attempts[0].outcome.text])


def test_any_key_is_taken_where_none_is_known(pod: Sshd, backend_port: int) -> None:
    """And told as what it is."""
    found = resolve(at("127.0.0.1"), backend_port, [], Budget(10), ignore, takes_any=True)
    assert found.answer is not None
    assert found.answer.key == pod.keys[0]
    assert found.answer.proof is Proof.UNVOUCHED_KEY


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_key_that_a_server_shows(tmp_path: Path, port: int, kind: str) -> None:
    """Of the types that are known where it has such a one, else the first that it has."""
    with servers.sshd(tmp_path / "s", port, key="rsa ecdsa ed25519") as running:
        (known,) = (key for key in running.keys if kind in key.type)
        for preferred in (frozenset([known]), frozenset[HostKey]()):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                key = shown_key(sock, preferred)
            assert key == (known if preferred else running.keys[2])


@pytest.mark.parametrize("kind", ["ssh-dss", "ssh-rsa", "ssh-\x1b[2J"])
def test_a_key_that_ssh_would_not_take_is_not_taken(kind: str) -> None:
    """Whatever the library of the key exchange makes of it."""
    name = kind.encode()
    blob = len(name).to_bytes(4, "big") + name + b"\0\0\0\1\3\0\0\0\1\5"
    with pytest.raises(DialError) as caught:
        well_formed(kind, blob)
    assert caught.value.verdict is Verdict.KEY_EXCHANGE_FAILED
    assert "does not take" in caught.value.text
    assert caught.value.text.isprintable()


def test_a_port_that_opens_late_is_seen_at_once(pod: Sshd, backend_port: int, port: int) -> None:
    late = Listener("127.0.0.1", port, servers.forward(backend_port))
    with late.running(after_s=0.7):
        found = resolve(at("127.0.0.1"), port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert late.accepted_s[0] - late.opened_s < 0.3
    assert len(late.accepted_s) == 1


def test_a_lost_syn_does_not_hide_a_port_that_opens(
    pod: Sshd, backend_port: int, port: int
) -> None:
    """A full backlog drops SYNs; the kernel would send them again only after a second."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", port))
        server.listen(0)
        fillers = [stack.enter_context(socket.socket()) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        strangers = {filler.getsockname() for filler in fillers}
        late: list[float] = []

        def open_late() -> None:
            server.settimeout(5)
            time.sleep(0.35)
            opened_s = time.monotonic()
            while not late:
                connection, peer = server.accept()
                with connection:
                    if peer not in strangers:
                        late.append(time.monotonic() - opened_s)
                        servers.forward(backend_port)(connection)

        thread = threading.Thread(target=open_late)
        thread.start()
        events: list[Progress] = []
        found = resolve(at("127.0.0.1"), port, pod.keys, Budget(5), events.append)
        thread.join()
    assert found.answer is not None
    assert late[0] < 0.5
    # Within the first try: had one failed before, it would have been told.
    assert [event.outcome and event.outcome.verdict for event in events] == [None, Verdict.ANSWERED]


def test_a_forwarder_without_its_back_end_yet(pod: Sshd, backend_port: int, port: int) -> None:
    ready = threading.Event()
    relay = servers.forward(backend_port)

    def serve(connection: socket.socket) -> None:
        if ready.is_set():
            relay(connection)

    timer = threading.Timer(1.0, ready.set)
    with Listener("127.0.0.1", port, serve).running() as listener:
        timer.start()
        found, took_s = timed(lambda: resolve(at("127.0.0.1"), port, pod.keys, Budget(10), ignore))
        timer.join()
    assert found.answer is not None
    assert took_s < 1.6
    assert len(listener.accepted_s) < 15
    assert pod.connections() == 1


def test_a_full_sshd_is_asked_again_gently(tmp_path: Path, port: int) -> None:
    with servers.sshd(tmp_path / "s", port, options="MaxStartups 1") as running:
        other = socket.create_connection(("127.0.0.1", port))
        assert other.recv(4) == b"SSH-"
        timer = threading.Timer(1.0, other.close)
        timer.start()
        seen: list[Verdict] = []

        def note(event: Progress) -> None:
            if event.outcome is not None:
                seen.append(event.outcome.verdict)

        found = resolve(at("127.0.0.1"), port, running.keys, Budget(10), note)
        timer.join()
        assert found.answer is not None
        assert seen == [Verdict.TURNED_AWAY, Verdict.ANSWERED]


def test_of_two_that_open_together_the_earlier_wins(
    pod: Sshd, backend_port: int, port: int
) -> None:
    """The later one is heard first; by the time it has proven itself the earlier one is open."""
    relay = servers.forward(backend_port)
    first = Listener("127.0.0.1", port, relay)

    def when_the_first_is_open(connection: socket.socket) -> None:
        while not first.opened_s:
            time.sleep(0.001)
        relay(connection)

    second = Listener("127.0.0.2", port, when_the_first_is_open)
    with second.running(), first.running(after_s=0.4):
        found = resolve(at("127.0.0.1", "127.0.0.2"), port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert found.answer.candidate.address == "127.0.0.1"
    assert pod.connections() <= 2


def test_a_proven_answer_does_not_wait_for_an_earlier_silence(
    pod: Sshd, backend_port: int, port: int
) -> None:
    silent = Listener("127.0.0.1", port, servers.silence)
    node = Listener("127.0.0.2", port, servers.forward(backend_port))
    with silent.running(), node.running():
        found, took_s = timed(
            lambda: resolve(at("127.0.0.1", "127.0.0.2"), port, pod.keys, Budget(10), ignore)
        )
    assert found.answer is not None
    assert found.answer.candidate.address == "127.0.0.2"
    assert 0.25 <= took_s < 1.4  # the stagger and the grace; the silence would last 2 s


def test_a_refusal_brings_on_the_next_at_once(pod: Sshd, backend_port: int, port: int) -> None:
    with Listener("127.0.0.4", port, servers.forward(backend_port)).running() as last:
        began_s = time.monotonic()
        candidates = at("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
        found = resolve(candidates, port, pod.keys, Budget(10), ignore)
    assert found.answer is not None
    assert last.accepted_s[0] - began_s < 0.5  # three staggers are 0.75 s


def test_starts_are_staggered_and_four_at_once(port: int) -> None:
    most = 0
    with contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(Listener(f"127.0.0.{n}", port, servers.silence).running())
            for n in range(1, 7)
        ]

        def note(_: Progress) -> None:
            nonlocal most
            most = max(most, sum(listener.open_now for listener in listeners))

        candidates = at(*(listener.address for listener in listeners))
        resolve(candidates, port, [NOBODY], Budget(3), note)
        starts_s = [listener.accepted_s[0] for listener in listeners]
    assert most <= 4
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(starts_s[:4])]
    assert all(0.15 < gap_s < 0.6 for gap_s in gaps_s)
    assert starts_s[4] - starts_s[0] > 1.4  # when the first has given up


def test_nothing_anywhere_lasts_the_budget(port: int) -> None:
    events: list[Progress] = []
    found, took_s = timed(
        lambda: resolve(at("127.0.0.1", "127.0.0.2"), port, [NOBODY], Budget(0.6), events.append)
    )
    assert found.answer is None
    assert verdicts(found) == [Verdict.REFUSED, Verdict.REFUSED]
    assert 0.6 <= took_s < 1.2
    # News only: a beginning and one refusal each, however often it is tried.
    assert [event.outcome is None for event in events] == [True, False, True, False]


def test_no_way_there_is_told(port: int) -> None:
    # The kernel refuses TCP to the broadcast address by itself: nothing is sent.
    found = resolve(at("255.255.255.255"), port, [NOBODY], Budget(0.2), ignore)
    assert verdicts(found) == [Verdict.UNREACHABLE]
    assert "not reachable from here (" in found.attempts[0].outcome.text


def test_no_candidates() -> None:
    assert resolve([], 30000, [NOBODY], Budget(10), ignore) == Resolution(None, ())


def test_a_search_that_is_over_says_how_far_it_came(port: int) -> None:
    with Listener("127.0.0.1", port, servers.silence).running():
        found = resolve(at("127.0.0.1", "127.0.0.2"), port, [NOBODY], Budget(0.1), ignore)
    assert verdicts(found) == [Verdict.SILENT, Verdict.NOT_TRIED]


def test_ctrl_c_ends_at_once_and_closes_the_sockets(port: int) -> None:
    with Listener("127.0.0.1", port, servers.silence).running() as listener:
        began_s = time.monotonic()
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            resolve(at("127.0.0.1"), port, [NOBODY], Budget(30), ignore)
        assert time.monotonic() - began_s < 1.0
        timer.join()
        end_s = time.monotonic() + 5
        while listener.open_now and time.monotonic() < end_s:
            time.sleep(0.01)
        assert listener.open_now == 0


def test_ctrl_c_in_the_midst_of_a_key_exchange(port: int) -> None:
    mute = servers.say(b"SSH-2.0-mute\r\n")
    with Listener("127.0.0.1", port, mute).running():
        began_s = time.monotonic()
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            resolve(at("127.0.0.1"), port, [NOBODY], Budget(30), ignore)
        assert time.monotonic() - began_s < 1.0
        timer.join()
