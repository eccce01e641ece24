"""This process' end of a tunnel: descriptors or a socket, read and written without waiting."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator, Sequence

_READ = 64 << 10
# A pipe holds 64 KB; with more, a write of what was received is mostly done in one go.
_PIPE_BYTES = 1 << 20
# As much as a terminal that is ready to be written to takes without waiting.
_LEAST_WRITE = 4096
_MOST_PARTS = 512  # of one system call; the least that systems allow is 1024
_PASSED_ON_S = 10.0  # for what a thread still has to write at the end


class Pipes:
    """Descriptors to read from and to write to: pipes, terminals, files, sockets."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        # On a terminal the shell would see our O_NONBLOCK.
        self._blocks = os.isatty(sink)

    @property
    def ends(self) -> tuple[int, int]:
        """The two descriptors."""
        return self._source, self._sink

    def read(self) -> bytes | None:
        """What is there; it was waited for, so that this does not wait."""
        try:
            return os.read(self._source, _READ)
        except BlockingIOError:
            return None
        except OSError:  # a terminal that has gone, a connection that was reset
            return b""

    def write(self, parts: Sequence[memoryview]) -> int:
        """As much as goes."""
        if self._blocks:
            _, ready, _ = select.select([], [self._sink], [], 0)
            return os.write(self._sink, parts[0][:_LEAST_WRITE]) if ready else 0
        try:
            return os.writev(self._sink, parts[:_MOST_PARTS])
        except BlockingIOError:
            return 0

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Writing does not wait inside; the descriptor is left as it was found."""
        if self._blocks:
            yield
            return
        before = os.get_blocking(self._sink)
        os.set_blocking(self._sink, False)
        _widen(self._sink)
        try:
            yield
        finally:
            os.set_blocking(self._sink, before)


def _widen(pipe: int) -> None:
    """Let a pipe hold more, where the system knows how; what is no pipe stays as it is."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # above the system's limit, or no pipe
            fcntl.fcntl(pipe, 1031, _PIPE_BYTES)  # F_SETPIPE_SZ, which Python 3.10 names


class Socket:
    """A socket whose other end is used by somebody else in this process."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setblocking(False)

    @property
    def ends(self) -> tuple[int, int]:
        """The one descriptor, for both."""
        return self._sock.fileno(), self._sock.fileno()

    def read(self) -> bytes | None:
        """What is there."""
        try:
            return self._sock.recv(_READ)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, parts: Sequence[memoryview]) -> int:
        """As much of the first part as goes."""
        try:
            return self._sock.send(parts[0])
        except BlockingIOError:
            return 0


@contextlib.contextmanager
def pumped(source: int, sink: int) -> Iterator[Socket]:
    """Two descriptors as one socket, where they cannot be waited for (Windows): by two threads.

    At the end of the block what was written to the socket is passed on, if it is taken in time.
    """
    ours, theirs = socket.socketpair()
    reading = threading.Thread(target=_pump_in, args=(source, theirs), daemon=True)
    writing = threading.Thread(target=_pump_out, args=(theirs, sink), daemon=True)
    reading.start()
    writing.start()
    with theirs, ours:
        yield Socket(ours)
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_WR)
        writing.join(_PASSED_ON_S)


def _pump_in(source: int, sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(source, _READ):
            sock.sendall(data)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _pump_out(sock: socket.socket, sink: int) -> None:
    try:
        while data := memoryview(sock.recv(_READ)):
            while data:
                data = data[os.write(sink, data) :]
    except OSError:  # nobody reads any more: neither does this
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
