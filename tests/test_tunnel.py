"""The tunnel against a server on loopback with TLS that says what a test wants it to."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport import ends, tunnel
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.forward import PING_AFTER_S, Channel, ForwardError, open_channel
from kubectl_nodeport.kube.request import ForbiddenError, NotFoundError
from tests.kube import make
from tests.kube.server import Answer, Peer, Talk, certificate, frame, serving, tls_for

# Pipes that can be waited for.
pytestmark = pytest.mark.posix

MB = 1 << 20
LIMIT_S = 60


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> object:
    return certificate(tmp_path_factory.mktemp("tls"), "server")


@contextlib.contextmanager
def channel_to(
    answer: object,
    pair: object = None,
    port: int = 22,
    *,
    spdy: bool = False,
    ping_after_s: float = PING_AFTER_S,
) -> Iterator[Channel]:
    """A channel to a server that answers so, with TLS where there is a certificate."""
    tls = tls_for(pair) if pair is not None else None  # type: ignore[arg-type]
    with serving(lambda _r: answer, tls) as server:
        server.takes_first = spdy
        cluster = {"certificate-authority-data": pair.certificate_data} if pair else {}  # type: ignore[attr-defined]
        scheme = "https" if pair else "http"
        connection = make.connection(f"{scheme}://127.0.0.1:{server.port}", cluster=cluster)
        api = Api(connection, timeout_s=10)
        yield open_channel(api, "lab", "dev", port, ping_after_s=ping_after_s)
        (received,) = server.received
        assert received.path == f"/api/v1/namespaces/lab/pods/dev/portforward?ports={port}"


class Ends:
    """Pipes as ssh has them to its ProxyCommand, and the tunnel between, in a thread."""

    def __init__(self, channel: Channel, **how: Any) -> None:
        their_in, self.stdin = os.pipe()
        self.stdout, their_out = os.pipe()
        self.failure: list[NodeportError] = []
        self.pipes = ends.Pipes(their_in, their_out)

        def run() -> None:
            try:
                with self.pipes.prepared():
                    tunnel.carry(channel, self.pipes, **how)
            except NodeportError as err:
                self.failure.append(err)
            finally:
                os.close(their_in)
                os.close(their_out)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def read_all(self) -> bytes:
        found = bytearray()
        while data := os.read(self.stdout, MB):
            found += data
        return bytes(found)

    def end(self) -> None:
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def echo(peer: Peer) -> None:
    peer.begin()
    while True:
        opcode, data = peer.receive()
        if opcode == 8:
            return
        assert opcode == 2
        peer.send(0, data[1:])


def say(*messages: tuple[int, bytes], close: bool = True) -> Callable[[Peer], None]:
    def talk(peer: Peer) -> None:
        peer.begin()
        for channel, data in messages:
            peer.send(channel, data)
        if close:
            peer.raw(frame(8, (1000).to_bytes(2, "big")))

    return talk


def test_both_ways_at_once(pair: object) -> None:
    """More than all buffers hold, echoed while it is still being sent."""
    data = os.urandom(MB) * 32
    with channel_to(Talk(echo), pair) as channel:
        both = Ends(channel)
        sending = threading.Thread(target=write_all, args=(both.stdin, data), daemon=True)
        sending.start()
        digest, left = hashlib.sha256(), len(data)
        while left:
            got = os.read(both.stdout, MB)
            digest.update(got)
            left -= len(got)
        assert digest.digest() == hashlib.sha256(data).digest()
        os.close(both.stdout)  # ssh has gone: at once, though stdin is still open
        both.end()
        assert both.failure == []
        os.close(both.stdin)


def test_both_sides_full_then_drained(pair: object) -> None:
    """Nobody reads on either side for a while; then both do, and nothing is lost."""
    size, go = 16 * MB, threading.Event()
    got: list[int] = []

    def talk(peer: Peer) -> None:
        peer.begin()
        sender = threading.Thread(target=peer.send_often, args=(b"d" * 65536, size // 65536))
        sender.start()
        go.wait(LIMIT_S)
        while sum(got) < size:
            got.append(len(peer.receive()[1]) - 1)
        sender.join(LIMIT_S)
        peer.raw(frame(8, b""))

    with channel_to(Talk(talk), pair) as channel:
        both = Ends(channel)
        sending = threading.Thread(target=write_all, args=(both.stdin, b"u" * size), daemon=True)
        sending.start()
        time.sleep(0.5)
        assert channel.unsent_bytes < 2 * MB
        go.set()
        assert len(both.read_all()) == size
        both.end()
        assert (sum(got), both.failure) == (size, [])
        os.close(both.stdin)


def test_what_comes_after_stdin_has_ended_is_delivered(pair: object) -> None:
    def talk(peer: Peer) -> None:
        peer.begin()
        assert peer.receive() == (2, b"\0question")
        time.sleep(0.3)
        for _ in range(10):
            peer.send(0, b"answer " * 1000)
        peer.raw(frame(8, b""))

    with channel_to(Talk(talk), pair) as channel:
        both = Ends(channel)
        write_all(both.stdin, b"question")
        os.close(both.stdin)
        assert both.read_all() == b"answer " * 10_000
        both.end()
        assert both.failure == []


def test_a_pod_that_says_nothing_after_stdin_has_ended() -> None:
    def talk(peer: Peer) -> None:
        peer.begin()
        peer.receive()

    with channel_to(Talk(talk)) as channel:
        both = Ends(channel, quiet_s=0.3)
        os.close(both.stdin)
        began = time.monotonic()
        assert both.read_all() == b""
        both.end()
        assert time.monotonic() - began < 5
        assert both.failure == []


def test_stdout_whose_reader_goes_ends_it_at_once() -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.begin()
        with contextlib.suppress(EOFError):
            while peer.receive()[0] != 8:
                pass
        gone.set()

    with channel_to(Talk(talk)) as channel:
        both = Ends(channel)
        os.close(both.stdout)
        both.end()
        assert gone.wait(LIMIT_S), "the server is told"
        os.close(both.stdin)


def failing(talk: Callable[[Peer], None], pair: object = None) -> tuple[NodeportError, bytes]:
    with channel_to(Talk(talk), pair) as channel:
        both = Ends(channel)
        data = both.read_all()
        both.end()
        os.close(both.stdin)
    (failure,) = both.failure
    assert isinstance(failure, ForwardError)
    assert not failure.message.endswith(".")
    return failure, data


def test_error_of_the_remote_end() -> None:
    refused = b"error forwarding port 22 to pod x, uid : dial tcp4 127.0.0.1:22:\n connect: refused"
    failure, data = failing(say((0, b"banner"), (1, refused), close=False))
    assert data == b"banner", "what came before it is delivered"
    assert "port 22 of pod dev" in failure.message
    assert "127.0.0.1:22: connect: refused" in failure.message
    assert failure.hint == "is its server running? kubectl logs dev -n lab"


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        (say((0, b"half"), close=False), "broke off: the server hung up"),
        (lambda peer: peer.raw(b"HTTP/1.1 200 OK\r\n\r\n" * 9), "broke off: the server sends"),
        (lambda peer: peer.begin(port=23), "broke off: the server answers for another port"),
        (lambda peer: peer.raw(frame(2, b"\0")[:1]), "broke off: the server hung up"),
        (
            lambda peer: peer.raw(frame(8, (1011).to_bytes(2, "big") + b"no kubelet")),
            "broke off: the server closed it: 1011 no kubelet",
        ),
    ],
)
def test_a_server_that_breaks_off(talk: Callable[[Peer], None], told: str) -> None:
    assert told in failing(talk)[0].message


def test_an_error_without_end_fills_no_memory() -> None:
    def talk(peer: Peer) -> None:
        peer.begin()
        peer.raw(b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"\x01")
        for _ in range(256):
            peer.raw(b"no " * 5000)

    failure, _ = failing(talk)
    assert len(failure.message) < 5000


def test_a_frame_of_gigabytes_is_carried_in_little_memory() -> None:
    size = 64 * MB

    def talk(peer: Peer) -> None:
        peer.begin()
        peer.raw(b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"\x00")
        for _ in range(size // MB):
            peer.raw(b"x" * MB)

    with channel_to(Talk(talk)) as channel:
        tracemalloc.start()
        try:
            both = Ends(channel)
            left = size
            while left:
                left -= len(os.read(both.stdout, 65536))
            assert tracemalloc.get_traced_memory()[1] < 8 * MB
        finally:
            tracemalloc.stop()
            os.close(both.stdout)
            both.end()
            os.close(both.stdin)


def test_a_server_that_drips() -> None:
    def talk(peer: Peer) -> None:
        begin = b"".join(frame(2, bytes([channel]) + b"\x16\0") for channel in (0, 1))
        for byte in begin + frame(2, b"\0" + b"drop") + frame(8, b""):
            peer.raw(bytes([byte]))
            time.sleep(0.005)

    with channel_to(Talk(talk)) as channel:
        both = Ends(channel)
        assert both.read_all() == b"drop"
        both.end()
        assert both.failure == []
        os.close(both.stdin)


def test_pings() -> None:
    """The server's are answered; ours are sent when nothing else was."""
    heard: list[tuple[int, bytes]] = []

    def talk(peer: Peer) -> None:
        peer.begin()
        peer.raw(frame(9, b"there?"))
        while len(heard) < 2:
            heard.append(peer.receive())
        peer.raw(frame(8, b""))

    with channel_to(Talk(talk), ping_after_s=0.2) as channel:
        both = Ends(channel)
        both.end()
        assert heard == [(10, b"there?"), (9, b"")]
        os.close(both.stdin)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer({"kind": "Status", "message": "pods dev is forbidden"}, 403), ForbiddenError),
        (Answer({"kind": "Status", "message": 'pods "dev" not found'}, 404), NotFoundError),
        (Answer("no upgrade here", 200), NodeportError),
        (Answer("upgrade request required", 400), NodeportError),
    ],
)
def test_refused(answer: Answer, kind: type[NodeportError]) -> None:
    with pytest.raises(kind), channel_to(answer):
        pass


def test_sixteen_at_once(pair: object) -> None:
    def one(number: int) -> None:
        data = bytes([number]) * MB
        with channel_to(Talk(echo), pair) as channel:
            both = Ends(channel)
            sending = threading.Thread(target=write_all, args=(both.stdin, data), daemon=True)
            sending.start()
            found = bytearray()
            while len(found) < MB:
                found += os.read(both.stdout, 65536)
            assert found == data
            os.close(both.stdout)
            both.end()
            os.close(both.stdin)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(16)))


@pytest.mark.parametrize("wait", [tunnel.poll, tunnel.select_sockets])
def test_threads_and_a_socket_where_pipes_cannot_be_waited_for(wait: tunnel.Wait) -> None:
    """The way of Windows, which works here too."""
    data = os.urandom(4 * MB)
    their_in, stdin = os.pipe()
    stdout, their_out = os.pipe()

    def talk(peer: Peer) -> None:
        peer.begin()
        left = len(data)
        while left:
            message = peer.receive()[1][1:]
            left -= len(message)
            peer.send(0, message)
        peer.raw(frame(8, b""))

    def run() -> None:
        with channel_to(Talk(talk)) as channel:
            with ends.pumped(their_in, their_out) as local:
                tunnel.carry(channel, local, wait)
            os.close(their_out)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    sending = threading.Thread(target=write_all, args=(stdin, data), daemon=True)
    sending.start()
    found = bytearray()
    while got := os.read(stdout, MB):
        found += got
    assert found == data
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    for descriptor in (stdin, stdout, their_in):
        os.close(descriptor)


def test_a_socket_into_the_pod(pair: object) -> None:
    with channel_to(Talk(echo), pair) as channel:
        carried = tunnel.as_socket(channel)
        with carried.sock as sock:
            sock.settimeout(LIMIT_S)
            sock.sendall(b"SSH-2.0-x\r\n")
            assert sock.recv(100) == b"SSH-2.0-x\r\n"
        assert carried.failure() is None


def test_a_socket_tells_what_went_wrong() -> None:
    with channel_to(Talk(say((1, b"connection refused")))) as channel:
        carried = tunnel.as_socket(channel)
        with carried.sock as sock:
            sock.settimeout(LIMIT_S)
            assert sock.recv(100) == b""
        failure = carried.failure()
        assert isinstance(failure, ForwardError)
        assert "connection refused" in failure.message


def test_the_descriptors_are_left_as_they_were() -> None:
    with channel_to(Talk(say((0, b"x")))) as channel:
        source, stdin = os.pipe()
        stdout, sink = os.pipe()
        tunnel.carry_standard(channel, source, sink)
        assert os.get_blocking(sink)
        assert os.get_blocking(source)
        assert os.read(stdout, 10) == b"x"
        for descriptor in (source, stdin, stdout, sink):
            os.close(descriptor)


def test_a_terminal_is_never_made_non_blocking() -> None:
    leader, follower = os.openpty()
    with channel_to(Talk(say((0, b"y" * 20_000)))) as channel:
        source, stdin = os.pipe()
        thread = threading.Thread(
            target=tunnel.carry_standard, args=(channel, source, follower), daemon=True
        )
        thread.start()
        left = 20_000
        while left:
            left -= len(os.read(leader, 65536))
            assert os.get_blocking(follower)
        thread.join(LIMIT_S)
        for descriptor in (source, stdin, leader, follower):
            os.close(descriptor)


def test_a_file_for_stdin(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"from a file")
    with channel_to(Talk(echo)) as channel, path.open("rb") as source:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(LIMIT_S)
            thread = threading.Thread(
                target=tunnel.carry_standard,
                args=(channel, source.fileno(), theirs.fileno()),
                daemon=True,
            )
            thread.start()
            assert ours.recv(100) == b"from a file"
            ours.close()
            thread.join(LIMIT_S)
            assert not thread.is_alive()


class Spdy:
    """A server's end by SPDY, its websocket frames cut otherwise than those inside."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._got = bytearray()

    def begin(self) -> None:
        for _ in range(2):
            assert self.receive()[:4] == b"\x80\x03\x00\x01"
            self.say(b"\x80\x03\x00\x02\x00\x00\x00\x08" + bytes(8))

    def say(self, data: bytes) -> None:
        half = len(data) // 2
        self._peer.raw(frame(2, data[:half]) + frame(2, data[half:]))

    def send(self, data: bytes, *, stream: int = 3, is_last: bool = False) -> None:
        head = stream.to_bytes(4, "big") + bytes([is_last]) + len(data).to_bytes(3, "big")
        self.say(head + data)

    def receive(self) -> bytes:
        """One frame, its head too."""
        while len(self._got) < 8 or len(self._got) < 8 + int.from_bytes(self._got[5:8], "big"):
            opcode, data = self._peer.receive()
            if opcode == 8:
                raise EOFError
            self._got += data
        size = 8 + int.from_bytes(self._got[5:8], "big")
        found = bytes(self._got[:size])
        del self._got[:size]
        return found


def by_spdy(talk: Callable[[Spdy], None]) -> Talk:
    def talking(peer: Peer) -> None:
        spdy = Spdy(peer)
        spdy.begin()
        talk(spdy)
        while True:
            spdy.receive()  # holds the connection until the client goes

    return Talk(talking)


def test_spdy_both_ways(pair: object) -> None:
    data = os.urandom(MB) * 16

    def echo_all(peer: Spdy) -> None:
        left = len(data)
        while left:
            got = peer.receive()
            left -= len(got) - 8
            peer.say(got)
        peer.send(b"", stream=1, is_last=True)
        peer.send(b"", is_last=True)

    with channel_to(by_spdy(echo_all), pair, spdy=True) as channel:
        both = Ends(channel)
        sending = threading.Thread(target=write_all, args=(both.stdin, data), daemon=True)
        sending.start()
        assert both.read_all() == data
        both.end()
        assert both.failure == []
        os.close(both.stdin)


@pytest.mark.parametrize("has_error", [True, False])
def test_spdy_ends_with_the_data_or_with_the_error_behind_it(has_error: bool) -> None:
    def end(peer: Spdy) -> None:
        peer.send(b"bye", is_last=True)
        if has_error:
            time.sleep(0.2)
            peer.send(b"refused", stream=1)
            peer.send(b"", stream=1, is_last=True)

    with channel_to(by_spdy(end), spdy=True) as channel:
        both = Ends(channel)
        assert both.read_all() == b"bye"
        both.end()
        assert ["refused" in one.message for one in both.failure] == [True] * has_error
        os.close(both.stdin)


@pytest.mark.parametrize(
    "sent", [b"\x80\x03\0\x03\0\0\0\x08\0\0\0\x03\0\0\0\x05", b"\x80\x02\0\x02\0\0\0\x01x"]
)
def test_spdy_that_breaks_off(sent: bytes) -> None:
    with channel_to(by_spdy(lambda peer: peer.say(sent)), spdy=True) as channel:
        both = Ends(channel)
        assert both.read_all() == b""
        both.end()
        assert ["broke off" in one.message for one in both.failure] == [True]
        os.close(both.stdin)


@pytest.mark.parametrize("spdy", [False, True])
def test_a_reader_that_stalls_costs_nothing(pair: object, spdy: bool) -> None:
    """Whatever has ended meanwhile: waiting is waiting."""

    def talk(peer: Peer) -> None:
        if spdy:
            peer.raw(frame(2, b"\0\0\0\x03\x01\x0f\x42\x40" + bytes(1_000_000)))
        else:
            peer.begin()
            peer.send(0, bytes(1_000_000))
            peer.raw(frame(8, b""))
        peer.receive()

    with channel_to(Talk(talk), pair, spdy=spdy) as channel:
        both = Ends(channel, quiet_s=0.1)
        os.close(both.stdin)
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(1.0)
        assert time.process_time() - before < 0.5
        assert both.read_all() == bytes(1_000_000)
        both.end()


def test_two_descriptors_that_are_one_socket(pair: object) -> None:
    """As socat hands it over: what came before the other end closed is carried."""
    received: list[bytes] = []
    closed = threading.Event()

    def talk(peer: Peer) -> None:
        peer.begin()
        while (found := peer.receive())[0] != 8:
            received.append(found[1])
        closed.set()

    ours, theirs = socket.socketpair()
    with channel_to(Talk(talk), pair) as channel, theirs:
        with ours:
            ours.sendall(b"x" * 100_000)
        source, sink = os.dup(theirs.fileno()), os.dup(theirs.fileno())
        try:
            tunnel.carry(channel, ends.Pipes(source, sink), quiet_s=0.5)
        finally:
            os.close(source)
            os.close(sink)
        assert closed.wait(LIMIT_S)
    assert sum(len(data) - 1 for data in received) == 100_000
