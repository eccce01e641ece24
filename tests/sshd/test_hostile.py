"""Clients that mean harm: the server answers others, and its memory stays bounded."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paramiko
import pytest

from tests.sshd.program import ENDS_WITHIN_S, Server, eventually, runs

MOST_KIB = 100_000
"""Resident memory that no stranger can make the server go beyond."""

WAITING = 128
"""Connections that may be held without a login."""


@contextmanager
def within(server: Server, most_kib: int) -> Iterator[None]:
    """Bound the server's memory during the block; then it still serves, in the same process, and
    has no more open than before."""
    process = server.server_pid()
    before, descriptors = memory_kib(process, "VmRSS"), opened(process)
    Path(f"/proc/{process}/clear_refs").write_text("5")  # begins the peak anew, proc(5)
    yield
    serves(server)
    assert server.server_pid() == process, "the server crashed"
    peak, after = memory_kib(process, "VmHWM"), memory_kib(process, "VmRSS")
    print(f"resident: {before} KiB before, {peak} KiB at most, {after} KiB after")
    assert peak <= most_kib
    eventually(lambda: opened(process) <= descriptors, "its descriptors are closed")


def memory_kib(process: int, kind: str) -> int:
    """VmRSS, what is resident, or VmHWM, the most that was."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0])


def opened(process: int) -> int:
    """How many descriptors the process has."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def serves(server: Server) -> None:
    done = subprocess.run(
        ("ssh", "-F", str(server.config), "pod", "echo served"),
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout == b"served\n"


def dial(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-held\r\n"])
def test_connections_held_open(server: Server, said: bytes) -> None:
    process = server.server_pid()
    before = opened(process)
    with within(server, MOST_KIB), ExitStack() as held:
        for _ in range(500):
            held.enter_context(dial(server)).sendall(said)
        serves(server)
        eventually(lambda: opened(process) <= before + WAITING, "no more are held than may wait")


def test_a_stream_of_new_connections(server: Server) -> None:
    over = threading.Event()
    dialled = Counter[str]()

    def storm() -> None:
        while not over.is_set():
            with contextlib.suppress(ConnectionError), dial(server) as peer:
                peer.sendall(b"SSH-2.0-storm\r\n")
                dialled[threading.current_thread().name] += 1

    storms = [threading.Thread(target=storm) for _ in range(2)]
    with within(server, MOST_KIB):
        for one in storms:
            one.start()
        try:
            for _ in range(5):
                serves(server)
        finally:
            over.set()
            for one in storms:
                one.join()
    assert sum(dialled.values()) > WAITING
    assert len(dialled) == len(storms)


OVERSIZED = {
    "a length of 4 GB": b"SSH-2.0-x\r\n" + b"\xff" * 64,
    "a first packet of 35,001 bytes": b"SSH-2.0-x\r\n" + struct.pack(">IB", 35_001, 4),
    "a version line without end": b"SSH-2.0-" + b"x" * 1_000_000,
    "lines before the version": b"x\r\n" * 100_000,
    "noise": os.urandom(1_000_000),
    "a first packet that never ends": b"SSH-2.0-x\r\n" + struct.pack(">IB", 35_000, 4),
    "a key exchange of garbage": b"SSH-2.0-x\r\n"
    + struct.pack(">IB", 300, 10) + b"\x14" + os.urandom(289) + b"\0" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", OVERSIZED)
def test_oversized(server: Server, kind: str) -> None:
    with within(server, MOST_KIB), ExitStack() as held:
        for _ in range(60):
            peer = held.enter_context(dial(server))
            peer.settimeout(5)  # for a server that reads no more of it, which is as good
            try:
                peer.sendall(OVERSIZED[kind])
            except OSError:
                continue  # closed meanwhile


def stranger(server: Server, act: Callable[[paramiko.Transport], None]) -> None:
    transport = paramiko.Transport(dial(server))
    transport.banner_timeout = 60
    try:
        transport.start_client(timeout=60)
        act(transport)
    except (paramiko.SSHException, EOFError, OSError):
        pass  # what the server does to such a client
    finally:
        transport.close()


def test_wrong_keys(server: Server) -> None:
    keys = [paramiko.RSAKey.generate(2048) for _ in range(3)]

    def guess(transport: paramiko.Transport) -> None:
        for key in keys:
            transport.auth_publickey(server.user, key)

    with within(server, MOST_KIB):
        for _ in range(20):
            stranger(server, guess)
    log = (server.state / "log").read_text()
    assert "no login" in log


def test_long_names_and_cut_connections(server: Server) -> None:
    def shout(transport: paramiko.Transport) -> None:
        message = paramiko.Message()
        message.add_byte(b"\x05")
        message.add_string("ssh-userauth")
        transport._send_user_message(message)  # type: ignore[attr-defined]
        for _ in range(10):
            message = paramiko.Message()
            message.add_byte(b"\x32")
            message.add_string("u\n\x1b[31m" * 30_000)
            message.add_string("ssh-connection")
            message.add_string("none")
            transport._send_user_message(message)  # type: ignore[attr-defined]
        transport.sock.close()

    with within(server, MOST_KIB):
        threads = [threading.Thread(target=stranger, args=(server, shout)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    log = (server.state / "log").read_text()
    assert log.isprintable() or all(line.isprintable() for line in log.splitlines())
    assert len(log) < 300_000


CUT = {
    "at once": b"",
    "in the version": b"SSH-2.0-",
    "after the version": b"SSH-2.0-x\r\n",
    "in the first packet": b"SSH-2.0-x\r\n" + struct.pack(">IB", 1000, 4) + b"\x14" * 200,
}


@pytest.mark.parametrize("when", CUT)
def test_connections_that_are_cut(server: Server, when: str) -> None:
    with within(server, MOST_KIB):
        for _ in range(300):
            with dial(server) as peer:
                peer.sendall(CUT[when])
                reset(peer)


def test_sessions_that_are_cut(server: Server) -> None:
    pids = []
    with within(server, MOST_KIB):
        for number in range(16):
            peer = dial(server)
            transport = member(server, peer)
            channel = transport.open_session()
            if number % 2:
                channel.get_pty()
            channel.exec_command("sleep 300 & echo $$ $!; wait")
            pids += [int(pid) for pid in channel.makefile().readline().split()]
            reset(peer)
            transport.close()
    assert len(pids) == 32
    eventually(lambda: not any(map(runs, pids)), "the sessions' processes end")


def reset(peer: socket.socket) -> None:
    """The next close() is a reset, as of a client whose machine or network has gone."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def member(server: Server, peer: socket.socket | None = None) -> paramiko.Transport:
    transport = paramiko.Transport(peer or dial(server))
    transport.start_client(timeout=60)
    key = paramiko.Ed25519Key.from_private_key_file(str(server.key))
    transport.auth_publickey(server.user, key)
    return transport


def test_many_channels(server: Server) -> None:
    with within(server, 200_000):
        transport = member(server)
        opened, refused = [], 0
        for _ in range(600):
            try:
                opened.append(transport.open_session())
            except paramiko.ChannelException:
                refused += 1
        assert (len(opened), refused) == (128, 472)
        transport.close()


def test_slow_readers(server: Server) -> None:
    """Output that nobody takes stays in the command's pipe, not in the server."""
    with within(server, MOST_KIB), ExitStack() as open_ones:
        for _ in range(4):
            transport = member(server)
            open_ones.callback(transport.close)
            channels = [transport.open_session() for _ in range(25)]
            open_ones.callback(channels.clear)
            for channel in channels:
                channel.exec_command("yes")  # and never read
        time.sleep(2)


def test_input_that_no_command_reads(server: Server) -> None:
    """It waits in the server, a channel's window at most, and all of it within the limit."""
    with within(server, 400_000), ExitStack() as open_ones:
        for _ in range(4):
            transport = member(server)  # the greedy one before it has to go for it
            open_ones.callback(transport.close)
            channels: list[paramiko.Channel] = []
            open_ones.callback(channels.clear)
            for _ in range(60):
                try:
                    channel = transport.open_session()
                    channels.append(channel)
                    channel.exec_command("sleep 60")
                    channel.setblocking(False)
                    for _ in range(70):
                        channel.send(b"x" * 32_000)
                except (paramiko.SSHException, OSError):
                    continue


def test_nothing_is_left(server: Server) -> None:
    """Of a session that was cut off."""
    process = subprocess.Popen(
        ("ssh", "-F", str(server.config), "-tt", "pod", "echo $$; sleep 300"),
        stdout=subprocess.PIPE, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "its process is gone, and reaped")


def test_nothing_is_left_of_a_stop(server: Server, tmp_path: Path) -> None:
    """Neither processes nor files, though everything is in use."""
    before = sorted(server.home.iterdir())
    agent = subprocess.Popen(
        ("ssh-agent", "-D", "-a", str(tmp_path / "agent")), stdout=subprocess.DEVNULL
    )
    eventually((tmp_path / "agent").exists, "an agent")
    options = (
        *("-A", "-o", f"IdentityAgent={tmp_path}/agent", "-o", "ExitOnForwardFailure=yes"),
        *("-R", f"{server.home}/socket:{tmp_path}/agent", "-R", f"0:{tmp_path}/agent"),
    )
    clients = [
        subprocess.Popen(
            ("ssh", "-F", str(server.config), *more, "pod", "sleep 300 & echo $$ $!; wait"),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for more in (options, ("-tt",))
    ]  # fmt: skip
    try:
        pids = [server.pid, server.server_pid()]
        for client in clients:
            assert client.stdout is not None
            pids += [int(pid) for pid in client.stdout.readline().split()]
        assert len(pids) == 6
        assert all(map(runs, pids))
        assert (server.home / "socket").exists()
        assert list(server.state.glob("agent-*"))
        server.program.ask("stop", "--purge", "--state", str(server.state))
        assert not list(server.state.parent.iterdir())
        assert sorted(server.home.iterdir()) == before
        with pytest.raises(ConnectionRefusedError):
            dial(server)
        eventually(lambda: not any(map(runs, pids)), "the processes end")
        assert [client.wait(ENDS_WITHIN_S) for client in clients] == [255, 255]
    finally:
        for process in (agent, *clients):
            process.kill()
            process.communicate()
