"""One TCP connection to one address, up to the ssh server's identification line.

The line is peeked at, not taken off the connection, so that the key exchange can run on the very
connection that showed it. Lines before it are taken off: they are nobody's business.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubectl_nodeport.address.resolution import Verdict

SockAddr = tuple[socket.AddressFamily, tuple[str, int]]

# One try. The kernel sends a lost SYN again after 1 s; a node whose reply takes longer than that
# to come is too far to work on.
_CONNECT_S = 1.0
# RFC 4253 section 4.2 lets a server send other lines first and says nothing of their number. A line
# as long, and as many of them, is what OpenSSH's client bears; all together are bounded too.
_LINE_BYTES, _MOST_LINES, _MOST_BYTES = 8192, 1024, 256 << 10
# Sent at last to a server that waits for its client to speak, to hear what it is.
_IDENT = b"SSH-2.0-kubectl_nodeport\r\n"
_REPLY_S = 0.5
# A partly read line keeps a peeked socket readable; this is how often it is looked at again.
_PEEK_AGAIN_S = 0.01
_SHOWN_BYTES = 60
SSHD_TURNS_AWAY = (b"Exceeded MaxStartups", b"Not allowed at this time")


class Stop:
    """Ends every wait of this module at once, from any thread."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self.is_set = False

    def set(self) -> None:
        self.is_set = True
        self._writer.send(b"x")

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def wait(self, sockets: Iterable[socket.socket], events: int, timeout_s: float) -> bool:
        """Wait until a socket is ready or the time is up; True when it was stopped meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            for sock in sockets:
                selector.register(sock, events)
            selector.select(max(0.0, timeout_s))
        return self.is_set


class DialError(Exception):
    """Why there is no ssh server at the other end; the text is safe to print.

    :param reply_s: what the reply to the connect took, where that was the failure.
    """

    def __init__(self, verdict: Verdict, text: str, *, reply_s: float | None = None) -> None:
        super().__init__(text)
        self.verdict = verdict
        self.text = text
        self.reply_s = reply_s


class StoppedError(Exception):
    """The search is over; nobody asks for the result."""


def look_up(address: str, port: int) -> Sequence[SockAddr]:
    """Socket addresses of a literal or a name.

    :raises DialError: the name is not known.
    """
    try:
        literal = ipaddress.ip_address(address)
    except ValueError:
        pass
    else:
        family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
        return ((family, (address, port)),)
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        reason = getattr(failure, "strerror", None) or "not a name that can be looked up"
        raise DialError(Verdict.NAME_NOT_FOUND, f"the name is not found ({reason})") from failure
    return tuple((family, (str(where[0]), port)) for family, _, _, _, where in found)


def connect(where: SockAddr, rtt_s: float | None, stop: Stop) -> socket.socket:
    """A connection within one second.

    Beside the first connect a brisk one is renewed all the time: it sees a port that opens within
    its interval, where the first one's SYN may have got lost on kube-proxy's closed port; the first
    one stays to reach a node that is further away than the interval.

    :param rtt_s: the quickest reply so far; None: none yet.
    :raises DialError: refused, unreachable, or no reply.
    :raises StoppedError: the search is over.
    """
    interval_s = 0.1 if rtt_s is None else min(max(0.05, 1.5 * rtt_s), _CONNECT_S)
    end_s = time.monotonic() + _CONNECT_S
    pending: dict[socket.socket, float] = {}  # and when each was begun
    try:
        while (now_s := time.monotonic()) < end_s:
            if len(pending) == 2:
                pending.popitem()[0].close()
            pending[_start(where)] = now_s
            if connected := _await(pending, min(end_s, now_s + interval_s), stop):
                del pending[connected]
                return connected
    finally:
        for sock in pending:
            sock.close()
    raise DialError(Verdict.TIMED_OUT, "no reply: a firewall, or no way to that network from here")


def await_banner(sock: socket.socket, timeout_s: float, stop: Stop) -> None:
    """Wait for the ssh server's identification line; it stays unread on the socket.

    :raises DialError: closed, silent, or not ssh.
    :raises StoppedError: the search is over.
    """
    end_s = time.monotonic() + timeout_s
    told, seen, is_open = _Told(), b"", True
    while is_open and len(seen) < _LINE_BYTES and told.is_bearable and time.monotonic() < end_s:
        if stop.wait([sock], selectors.EVENT_READ, end_s - time.monotonic()):
            raise StoppedError
        before = len(seen)
        seen, is_open = _peek(sock, seen)
        if seen.startswith(SSHD_TURNS_AWAY):
            break
        lines = _lines_before_ident(seen)
        if seen.startswith(b"SSH-", lines) and b"\n" in seen[lines:]:
            _take_off(sock, lines)
            return
        told.note(seen[:lines])
        _take_off(sock, lines)
        seen = seen[lines:]
        is_news = lines or len(seen) > before
        if not is_news and is_open and stop.wait([], 0, _PEEK_AGAIN_S):
            raise StoppedError
    raise _no_banner(sock, told, seen, is_open=is_open, stop=stop)


@dataclass
class _Told:
    """What a server has said before it identifies itself.

    :ivar start: its first words, as many as are ever shown.
    """

    start: bytes = b""
    lines: int = 0
    size_bytes: int = 0

    @property
    def is_bearable(self) -> bool:
        return self.lines <= _MOST_LINES and self.size_bytes <= _MOST_BYTES

    def note(self, text: bytes) -> None:
        self.start = (self.start + text)[: _SHOWN_BYTES + 1]
        self.lines += text.count(b"\n")
        self.size_bytes += len(text)


def _lines_before_ident(seen: bytes) -> int:
    """The length of the whole lines that come before the identification, or before what is no
    whole line yet."""
    at = 0
    while not seen.startswith(b"SSH-", at) and (end := seen.find(b"\n", at)) >= 0:
        at = end + 1
    return at


def _take_off(sock: socket.socket, size: int) -> None:
    """Read what was peeked at; that the connection broke meanwhile is seen by the next peek."""
    with contextlib.suppress(OSError):
        while size and (data := sock.recv(size)):
            size -= len(data)


def printable(raw: bytes) -> str:
    """Bytes of a stranger as printable ASCII, cut short."""
    start = raw[:_SHOWN_BYTES]
    shown = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in start)
    return shown + ("…" if len(raw) > _SHOWN_BYTES else "")


def _start(where: SockAddr) -> socket.socket:
    family, address = where
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as failure:  # a kernel without IPv6
        raise _connect_failure(failure.errno or 0, 0.0) from failure
    sock.setblocking(False)
    number = sock.connect_ex(address)
    if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        sock.close()
        raise _connect_failure(number, 0.0)
    return sock


def _await(pending: dict[socket.socket, float], end_s: float, stop: Stop) -> socket.socket | None:
    """The connect that succeeded first; a failed one ends them all, for it is the newest word."""
    if stop.wait(pending, selectors.EVENT_WRITE, end_s - time.monotonic()):
        raise StoppedError
    for sock, began_s in pending.items():
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise _connect_failure(number, time.monotonic() - began_s)
        try:
            sock.getpeername()
        except OSError:
            continue
        return sock
    return None


def _connect_failure(number: int, reply_s: float) -> DialError:
    if number == errno.ECONNREFUSED:
        text = "connection refused: nothing is behind that port there"
        return DialError(Verdict.REFUSED, text, reply_s=reply_s)
    if number == errno.ECONNRESET:
        return DialError(Verdict.CLOSED, "the connection was reset")
    if number == errno.ETIMEDOUT:
        return DialError(Verdict.TIMED_OUT, "no reply")
    text = f"not reachable from here ({os.strerror(number)})"
    return DialError(Verdict.UNREACHABLE, text, reply_s=reply_s)


def _peek(sock: socket.socket, seen: bytes) -> tuple[bytes, bool]:
    """What has arrived so far, and whether more may come."""
    try:
        now = sock.recv(_LINE_BYTES, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return seen, True
    except OSError:
        return seen, False
    # At the end of the stream a peek gives nothing more than before; at its very end, nothing.
    return (now, True) if now else (seen, False)


def _no_banner(
    sock: socket.socket, told: _Told, seen: bytes, *, is_open: bool, stop: Stop
) -> DialError:
    """Why there is no identification: ``told`` are the whole lines, ``seen`` is the last one."""
    if seen.startswith(SSHD_TURNS_AWAY):
        text = f"its ssh server turns connections away: {printable(seen.rstrip())}"
        return DialError(Verdict.TURNED_AWAY, text)
    said = printable(told.start + seen)
    may_go_on = told.is_bearable and len(seen) < _LINE_BYTES
    if seen and may_go_on and seen[:4] == b"SSH-"[: len(seen)]:
        return DialError(Verdict.SILENT, f"began to identify itself and stopped: {said}")
    if told.start or seen:
        return DialError(Verdict.NOT_SSH, f"not an ssh server, it says: {said}")
    if not is_open:
        return DialError(Verdict.CLOSED, "the connection was accepted and closed without a word")
    return _provoke(sock, stop)


def _provoke(sock: socket.socket, stop: Stop) -> DialError:
    """Speak first on a connection that is given up anyway: HTTP and TLS servers show themselves."""
    silent = DialError(Verdict.SILENT, "the connection was accepted, then silence")
    try:
        sock.send(_IDENT)
        if stop.wait([sock], selectors.EVENT_READ, _REPLY_S):
            raise StoppedError
        reply = sock.recv(_LINE_BYTES)
    except OSError:
        return silent
    if reply.startswith(_IDENT):
        return DialError(Verdict.NOT_SSH, "not an ssh server, it sends back what it is sent")
    if not reply or reply.startswith(b"SSH-"):
        return silent
    return DialError(Verdict.NOT_SSH, f"not an ssh server, it says: {printable(reply)}")
