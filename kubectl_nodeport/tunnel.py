"""Bytes between this process and a channel into a pod, both ways, in one thread.

One thread, since a TLS connection must not be used by two at once. Nothing here waits but for all
of them at the same time, so neither direction holds up the other; what one side does not take is
not read from the other, so little is held: a read of each side, and what is not sent yet.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubectl_nodeport.ends import Pipes, Socket, pumped
from kubectl_nodeport.errors import NodeportError

QUIET_S = 10.0
"""How long the pod is waited for after our side has ended: the protocol has no way to tell it."""

_MOST_UNSENT = 1 << 20

# What is wanted of a descriptor, and what has happened to it.
_IN, _OUT, _GONE = 1, 2, 4

Wait = Callable[[Mapping[int, int], float], dict[int, int]]
"""Waits so many seconds at most until something of what is wanted of descriptors has happened."""


class Channel(Protocol):
    """The connection into the pod; see kube.forward.Channel."""

    is_ended: bool
    unsent_bytes: int

    def fileno(self) -> int:
        """What to wait for."""

    @property
    def has_read(self) -> bool:
        """Whether there is something to receive of which the system knows nothing."""

    def receive(self) -> list[memoryview]:
        """What has come; valid until the next call."""

    def send(self, data: bytes) -> None:
        """Have this sent."""

    def flush(self) -> None:
        """Send what goes without waiting."""

    def keep_alive(self) -> float:
        """Keep the connection alive; the seconds until it is to be done again."""

    def close(self) -> NodeportError | None:
        """Close it, and say what went wrong, if anything did."""


class Local(Protocol):
    """This process' side: where bytes for the pod come from, and where the pod's go to."""

    @property
    def ends(self) -> tuple[int, int]:
        """The descriptors to read from and to write to, which may be one."""

    def read(self) -> bytes | None:
        """What is there; b"" at the end, None where nothing is there yet."""

    def write(self, parts: Sequence[memoryview]) -> int:
        """Write as much as goes without waiting, and say how much.

        :raises OSError: nobody reads any more.
        """


def carry(
    channel: Channel, local: Local, wait: Wait | None = None, *, quiet_s: float = QUIET_S
) -> None:
    """Carry until the pod has ended, or our side: then until nothing came for ``quiet_s``.

    Ends at once when whoever reads our side has gone. The channel is closed then.

    :param wait: how to wait; the best that the system has if None.
    :raises NodeportError: the connection was refused in the pod, or broke off.
    """
    try:
        _Carrying(channel, local, wait or _WAIT, quiet_s).run()
    finally:
        failure = channel.close()
    if failure is not None:
        raise failure


class _Carrying:
    def __init__(self, channel: Channel, local: Local, wait: Wait, quiet_s: float) -> None:
        self._channel = channel
        self._local = local
        self._wait = wait
        self._quiet_s = quiet_s
        self._source, self._sink = local.ends
        # Two descriptors may be one socket, as inetd and socat hand it over.
        self._is_one = self._source == self._sink or os.path.sameopenfile(*local.ends)
        # From the pod, and not written yet; nothing more is received as long as there is some.
        self._outgoing: list[memoryview] = []
        self._quiet_since: float | None = None  # None while there may be more to read here

    def run(self) -> None:
        while self._outgoing or not self._channel.is_ended:
            ready = self._wait(self._wanted(), self._timeout_s())
            if self._is_reader_gone(ready.get(self._sink, 0), ready.get(self._source, 0)):
                return
            try:
                has_moved = self._move(ready)
            except OSError:  # the same, seen by writing
                return
            if self._quiet_since is None:
                continue
            now = time.monotonic()
            if has_moved:
                self._quiet_since = now
            elif not self._outgoing and now - self._quiet_since >= self._quiet_s:
                return

    @property
    def _takes_more(self) -> bool:
        is_full = self._channel.unsent_bytes >= _MOST_UNSENT
        return self._quiet_since is None and not is_full and not self._channel.is_ended

    def _wanted(self) -> dict[int, int]:
        channel, takes_more = self._channel, self._takes_more
        wanted = {self._sink: _OUT if self._outgoing else 0}
        if takes_more:
            wanted[self._source] = wanted.get(self._source, 0) | _IN
        receives = _IN if not (self._outgoing or channel.is_ended) else 0
        if events := receives | (_OUT if channel.unsent_bytes else 0):
            wanted[channel.fileno()] = events
        return wanted

    def _timeout_s(self) -> float:
        if self._channel.has_read and not self._outgoing:
            return 0
        timeout_s = self._channel.keep_alive()
        if self._quiet_since is not None and not self._outgoing:
            timeout_s = min(timeout_s, self._quiet_since + self._quiet_s - time.monotonic())
        return max(timeout_s, 0)

    def _is_reader_gone(self, event: int, source_event: int) -> bool:
        """What a socket has sent before it was closed is read first."""
        is_unread = self._is_one and self._quiet_since is None and source_event & _IN
        return bool(event & _GONE) and not is_unread

    def _move(self, ready: Mapping[int, int]) -> bool:
        """Carry on both ways; False when nothing moved."""
        channel = self._channel
        before = channel.unsent_bytes
        if ready.get(self._source, 0) & (_IN | _GONE) and self._takes_more:
            data = self._local.read()
            if data:
                channel.send(data)
            elif data == b"":
                self._quiet_since = time.monotonic()
        if channel.unsent_bytes:
            channel.flush()
        has_moved = channel.unsent_bytes != before
        if not self._outgoing and (channel.fileno() in ready or channel.has_read):
            self._outgoing = channel.receive()
            has_moved = has_moved or bool(self._outgoing)
        if self._outgoing:
            written = self._local.write(self._outgoing)
            self._outgoing = _rest(self._outgoing, written)
            has_moved = has_moved or written > 0
        return has_moved


def _rest(parts: list[memoryview], written: int) -> list[memoryview]:
    """What is left of the parts behind so many bytes."""
    for at, part in enumerate(parts):
        if written < len(part):
            return [part[written:], *parts[at + 1 :]]
        written -= len(part)
    return []


def poll(wanted: Mapping[int, int], timeout_s: float) -> dict[int, int]:
    """What is ready, and whose other end has gone.

    Not selectors: they cannot wait for nothing but the end of a pipe's reader.
    """
    waiting = select.poll()
    for descriptor, events in wanted.items():
        asked = select.POLLIN if events & _IN else 0
        waiting.register(descriptor, asked | (select.POLLOUT if events & _OUT else 0))
    return {
        descriptor: (_IN if events & select.POLLIN else 0)
        | (_OUT if events & select.POLLOUT else 0)
        | (_GONE if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) else 0)
        for descriptor, events in waiting.poll(timeout_s * 1000)
    }


def select_sockets(wanted: Mapping[int, int], timeout_s: float) -> dict[int, int]:
    """What is ready, for Windows: sockets only, and whose other end has gone is not known."""
    readers = [descriptor for descriptor, events in wanted.items() if events & _IN]
    writers = [descriptor for descriptor, events in wanted.items() if events & _OUT]
    readable, writable, _ = select.select(readers, writers, [], timeout_s)
    return {
        descriptor: (_IN if descriptor in readable else 0) | (_OUT if descriptor in writable else 0)
        for descriptor in {*readable, *writable}
    }


_WAIT: Wait = poll if hasattr(select, "poll") else select_sockets


def carry_standard(channel: Channel, source: int = 0, sink: int = 1) -> None:
    """Carry between the channel and standard input and output; see :func:`carry`.

    :raises NodeportError: as :func:`carry` does.
    """
    if hasattr(select, "poll"):
        pipes = Pipes(source, sink)
        with pipes.prepared():
            carry(channel, pipes)
    else:
        with pumped(source, sink) as local:
            carry(channel, local)


@dataclass(frozen=True, slots=True)
class Carried:
    """A socket whose other end leads into the pod.

    ``failure`` tells what went wrong, once the socket has ended.
    """

    sock: socket.socket
    failure: Callable[[], Exception | None]


def as_socket(channel: Channel) -> Carried:
    """A connected socket; a thread that no exit waits for carries it until it is closed."""
    ours, theirs = socket.socketpair()
    failures: list[Exception] = []

    def run() -> None:
        with theirs:
            try:
                carry(channel, Socket(theirs))
            except Exception as err:
                failures.append(err)

    threading.Thread(target=run, daemon=True).start()
    return Carried(ours, lambda: failures[0] if failures else None)
