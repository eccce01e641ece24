"""Clients that mean harm: the server answers others, and its memory stays bounded."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import paramiko
import pytest

from tests.sshd.program import Server

MOST_KIB = 100_000
"""Resident memory that no stranger can make the server go beyond."""


@contextmanager
def within(server: Server, most_kib: int) -> Iterator[None]:
    """Watch the server's memory during the block; then it still serves, in the same process."""
    process = server.server_pid()
    before, peak, over = server.rss_kib(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, server.rss_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
        serves(server)
    finally:
        over.set()
        watcher.join()
    print(f"resident: {before} KiB before, {peak} KiB at most, {server.rss_kib()} KiB after")
    assert server.server_pid() == process, "the server crashed"
    assert peak <= most_kib


def serves(server: Server) -> None:
    done = subprocess.run(
        ("ssh", "-F", str(server.config), "pod", "echo served"),
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == b"served\n"


def dial(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-held\r\n"])
def test_connections_held_open(server: Server, said: bytes) -> None:
    with within(server, MOST_KIB), ExitStack() as held:
        for _ in range(500):
            held.enter_context(dial(server)).sendall(said)
        serves(server)


def test_a_stream_of_new_connections(server: Server) -> None:
    over = threading.Event()

    def storm() -> None:
        while not over.is_set():
            with dial(server) as peer:
                peer.sendall(b"SSH-2.0-storm\r\n")

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
            peer.settimeout(5)
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


def member(server: Server) -> paramiko.Transport:
    transport = paramiko.Transport(dial(server))
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
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - as short as what it asks
        assert time.monotonic() < deadline
        time.sleep(0.05)
