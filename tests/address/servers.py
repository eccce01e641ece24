"""Servers to probe: the real sshd, and listeners that misbehave as forwarders and strangers do."""

from __future__ import annotations

import contextlib
import random
import re
import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from tests.posix import IS_ROOT

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin:/opt/homebrew/sbin")


@dataclass(frozen=True)
class Sshd:
    """A running sshd with host keys of its own."""

    keys: tuple[HostKey, ...]
    log: Path

    def connections(self) -> int:
        return len(re.findall(r"^Connection from ", self.log.read_text(), re.MULTILINE))


def free_port() -> int:
    """A port that is free on every address of this machine.

    As with NodePorts, it is below those that the kernel gives to outgoing connections: else one of
    them might take it, and a connect to it could even meet itself.
    """
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("0.0.0.0", port))
            return port


def make_key(path: Path, kind: str = "ed25519") -> HostKey:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return read_key(path)


def read_key(path: Path) -> HostKey:
    (key,) = parse_public_keys(path.with_suffix(".pub").read_text())
    return key


@contextlib.contextmanager
def sshd(folder: Path, port: int, address: str = "127.0.0.1", *, key: str = "ed25519",
         options: str = "") -> Iterator[Sshd]:  # fmt: skip
    """sshd on ``address``; ``key`` names the types of its host keys."""
    if SSHD is None:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    if IS_ROOT:
        Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation asks for it
    folder.mkdir(parents=True, exist_ok=True)
    keys = tuple(
        make_key(folder / kind, kind) if not (folder / kind).exists() else read_key(folder / kind)
        for kind in key.split()
    )
    lines = [f"HostKey {folder / kind}" for kind in key.split()]
    lines += [f"ListenAddress {address}", "LogLevel VERBOSE", "PidFile none", options, ""]
    (folder / "conf").write_text("\n".join(lines))
    command = [SSHD, "-D", "-e", "-f", str(folder / "conf"), "-p", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
    try:
        _await_log(process, folder / "log")
        yield Sshd(keys, folder / "log")
    finally:
        process.terminate()
        process.wait(10)


def _await_log(process: subprocess.Popen[bytes], log: Path) -> None:
    end_s = time.monotonic() + 10
    while "Server listening" not in log.read_text():
        if process.poll() is not None or time.monotonic() > end_s:
            pytest.fail(f"sshd did not start: {log.read_text()}")
        time.sleep(0.005)


@dataclass
class Listener:
    """Accepts on one address and hands each connection, in a thread, to ``serve``.

    :ivar accepted_s: when each connection was accepted.
    :ivar most_at_once: of the connections that were open.
    """

    address: str
    port: int
    serve: Callable[[socket.socket], None]
    family: socket.AddressFamily = socket.AF_INET
    accepted_s: list[float] = field(default_factory=list)
    open_now: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    opened_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def running(self, after_s: float = 0.0) -> Iterator[Listener]:
        """Listen until the block ends, beginning ``after_s`` seconds after it began."""
        thread = threading.Thread(target=self._run, args=(after_s,))
        ready = threading.Event()
        self._ready = ready
        thread.start()
        if not after_s:
            assert ready.wait(10)
        try:
            yield self
        finally:
            self.ended.set()
            thread.join(10)
            assert not thread.is_alive()

    def _run(self, after_s: float) -> None:
        if self.ended.wait(after_s):
            return
        threads = []
        with socket.socket(self.family) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((self.address, self.port))
            server.listen(64)
            self.opened_s = time.monotonic()
            self._ready.set()
            server.settimeout(0.02)
            while not self.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection = server.accept()[0]
                    self.accepted_s.append(time.monotonic())
                    threads.append(threading.Thread(target=self._serve, args=(connection,)))
                    threads[-1].start()
        for thread in threads:
            thread.join(10)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open_now += 1
        connection.settimeout(None)
        with connection, contextlib.suppress(OSError):
            self.serve(connection)
        with self._lock:
            self.open_now -= 1


def close(_: socket.socket) -> None:
    """Accept, then close: a forwarder whose back end refuses."""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def silence(connection: socket.socket) -> None:
    """Say nothing until the other side is gone."""
    while connection.recv(1024):
        pass


def say(*words: bytes, pause_s: float = 0.0) -> Callable[[socket.socket], None]:
    """Say the words, then wait for the other side to go."""

    def serve(connection: socket.socket) -> None:
        for word in words:
            connection.sendall(word)
            time.sleep(pause_s)
        silence(connection)

    return serve


def answer_http(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def echo(connection: socket.socket) -> None:
    while data := connection.recv(1024):
        connection.sendall(data)


def forward(
    port: int, address: str = "127.0.0.1", first: bytes = b""
) -> Callable[[socket.socket], None]:
    """Relay to a server, after saying ``first``."""

    def serve(connection: socket.socket) -> None:
        with socket.create_connection((address, port)) as backend, selectors.DefaultSelector() as s:
            connection.sendall(first)
            s.register(connection, selectors.EVENT_READ, backend)
            s.register(backend, selectors.EVENT_READ, connection)
            while True:
                for key, _ in s.select():
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    data = sock.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)

    return serve
