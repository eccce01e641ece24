"""One TCP connection to a port inside a pod: ``pods/portforward`` over a websocket.

Two subprotocols are offered. Servers from 1.31 on take SPDY in the websocket's messages (spdy.py)
unless that is switched off. The others take ``v4.channel.k8s.io``: channel 0 carries the data,
channel 1 the error that ends it; the first two bytes from the server on each are the port, low byte
first. A half-close is known to neither:
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import frames, spdy
from kubectl_nodeport.kube.request import Request

if TYPE_CHECKING:
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.limited_socket import LimitedSocket

_SPDY = "SPDY/3.1+portforward.k8s.io"
_CHANNELS = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_BYTES = 2

PING_AFTER_S = 30.0
"""Load balancers before an API server drop what is idle, some after a minute."""

_BUFFER = 256 << 10
# Less room than this is not worth a call; TLS gives 16 KB at most at a time.
_LEAST_READ = 16 << 10
_LONGEST_ERROR = 4096
# By SPDY the data ends first, and then comes an error, if there is one.
_ERROR_WITHIN_S = 1.0
# Beyond it what a server asks by PING is not answered: it does not read.
_MOST_UNSENT_FOR_PONG = 1 << 20
_CLOSE_NORMAL = (1000).to_bytes(2, "big")
# No code, normal, going away: https://datatracker.ietf.org/doc/html/rfc6455#section-7.4.1
_CLOSED_IN_ORDER = (0, 1000, 1001)

# What a socket that does not block says instead of waiting.
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ForwardError(NodeportError):
    """The connection into the pod was not made, or broke off."""


def open_channel(
    api: Api, namespace: str, pod: str, port: int, *, ping_after_s: float = PING_AFTER_S
) -> Channel:
    """Ask for the connection; whether something listens in the pod is told by the first reads.

    :param ping_after_s: after how long a silence of ours a PING is sent.
    :raises ApiError: it is refused; :raises UnreachableError: the API server does not answer.
    """
    request = Request(
        *("get", "pods", "reach the pod's port through the API server"),
        name=pod,
        namespace=namespace,
        subresource="portforward",
        query=(("ports", str(port)),),
    )
    opened = api.open_websocket(request, _SPDY, _CHANNELS)
    # Nothing was read beyond the handshake; from here on frames are read without the library.
    limited, opened.sock = cast("LimitedSocket", opened.sock), None
    if not isinstance(limited.released(), socket.socket):  # urllib3's TLS within TLS
        limited.close()
        raise ForwardError(
            f"pod {pod} cannot be reached through an https:// proxy",
            hint="give the proxy an http:// URL, or --via nodeport",
        )
    is_spdy = str(opened.subprotocol).lower() == _SPDY.lower()
    return Channel(
        limited.released(),
        Pod(namespace, pod, port),
        is_spdy=is_spdy,
        ping_after_s=ping_after_s,
    )


@dataclass(frozen=True, slots=True)
class Pod:
    """Where the connection leads."""

    namespace: str
    name: str
    port: int


class Channel:
    """The connection, without ever waiting: whoever carries it waits for its :meth:`fileno`.

    To be used by one thread at a time, as TLS demands it.

    :ivar is_ended: nothing more will come; :meth:`close` says why, where something went wrong.
    :ivar unsent_bytes: what was handed to :meth:`send` and is still here.
    """

    def __init__(
        self, sock: socket.socket, pod: Pod, *, is_spdy: bool, ping_after_s: float
    ) -> None:
        self.is_ended = False
        self.unsent_bytes = 0
        self._sock = sock
        self._pod = pod
        self._unsent: deque[memoryview] = deque()
        self._buffer = memoryview(bytearray(_BUFFER))
        self._reader = frames.Reader(has_channels=not is_spdy)
        self._spdy = spdy.Reader() if is_spdy else None
        self._ports = {_DATA: bytearray(), _ERROR: bytearray()}
        self._error = bytearray()
        self._broken = ""
        self._sent_at = time.monotonic()
        self._ping_after_s = ping_after_s
        self._data_ended_at: float | None = None
        self._spdy_error_ended = False
        sock.setblocking(False)
        if is_spdy:
            self._queue(frames.BINARY, spdy.opening(pod.port))

    def fileno(self) -> int:
        """To wait for: readable for :meth:`receive`, writable for :meth:`flush`."""
        return self._sock.fileno()

    @property
    def has_read(self) -> bool:
        """Whether TLS holds bytes for :meth:`receive` of which the system knows nothing."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def receive(self) -> list[memoryview]:
        """What the pod has sent, perhaps nothing; valid until the next call."""
        size, has_hung_up = self._fill()
        found: list[memoryview] = []
        try:
            for one in self._reader.read(self._buffer[:size]):
                if isinstance(one, frames.Control):
                    self._obey(one)
                elif self._spdy is not None:
                    self._sort_spdy(self._spdy, one.data, found)
                elif one.channel in self._ports:
                    self._sort(one, found)
                if self.is_ended:
                    break
        except (frames.NotWebsocketError, spdy.NotSpdyError) as err:
            self._break(f"the server sends {err}")
        if has_hung_up and not self.is_ended:
            if self._data_ended_at is None:
                self._break("the server hung up")
            else:
                self._end()
        return found

    def send(self, data: bytes) -> None:
        """Have this sent to the pod."""
        framed = bytes((_DATA,)) + data if self._spdy is None else spdy.data_frame(data)
        self._queue(frames.BINARY, framed)

    def flush(self) -> None:
        """Send as much as goes without waiting."""
        try:
            while self._unsent:
                head = self._unsent[0]
                sent = self._sock.send(head)
                self.unsent_bytes -= sent
                if sent == len(head):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = head[sent:]
        except _NOT_NOW:
            pass
        except (OSError, ValueError) as err:  # what the pod sent before may still be read
            self._unsent.clear()
            self.unsent_bytes = 0
            self._broken = self._broken or _reason(err)

    def keep_alive(self) -> float:
        """Do what is due: send a PING, or end; the seconds to the next call."""
        if self.is_ended:
            return self._ping_after_s
        if self._data_ended_at is not None:
            wait_s = self._data_ended_at + _ERROR_WITHIN_S - time.monotonic()
            if wait_s <= 0:
                self._end()
            return max(wait_s, 0.0)
        left_s = self._sent_at + self._ping_after_s - time.monotonic()
        if left_s > 0 or self.unsent_bytes:
            return max(left_s, min(1.0, self._ping_after_s))
        self._queue(frames.PING, b"")
        self.flush()
        return self._ping_after_s

    def close(self) -> NodeportError | None:
        """Close it; returns what went wrong, if anything did."""
        with contextlib.suppress(OSError, ValueError):
            if not self._unsent:
                self._sock.send(frames.frame(frames.CLOSE, _CLOSE_NORMAL, self._key()))
        self._sock.close()
        pod = self._pod
        where = f"port {pod.port} of pod {pod.name}"
        if self._error:
            told = " ".join(self._error.decode(errors="replace").split())
            return ForwardError(
                f"{where} cannot be reached through the API server: {told}",
                hint=f"is its server running? kubectl logs {pod.name} -n {pod.namespace}",
            )
        if self._broken:
            return ForwardError(
                f"the connection to {where} through the API server broke off: {self._broken}",
                hint=f"is the pod still there? kubectl get pod {pod.name} -n {pod.namespace}",
            )
        return None

    def _fill(self) -> tuple[int, bool]:
        """Read into the buffer what is there: how much it is, and whether it was the last."""
        size = 0
        try:
            while size <= _BUFFER - _LEAST_READ:
                count = self._sock.recv_into(self._buffer[size:])
                if not count:
                    return size, True
                size += count
        except _NOT_NOW:
            pass
        except OSError:  # how it hung up says no more than that it did
            return size, True
        return size, False

    def _obey(self, control: frames.Control) -> None:
        if control.opcode == frames.CLOSE:
            code = int.from_bytes(control.data[:2], "big")
            if code in _CLOSED_IN_ORDER:
                self._end()
            else:
                told = control.data[2:].decode(errors="replace")
                self._break(f"the server closed it: {code} {told}".rstrip())
        elif control.opcode == frames.PING and self.unsent_bytes < _MOST_UNSENT_FOR_PONG:
            self._queue(frames.PONG, control.data)
            self.flush()

    def _sort(self, piece: frames.Piece, found: list[memoryview]) -> None:
        data, port = piece.data, self._ports[piece.channel]
        if len(port) < _PORT_BYTES:
            missing = _PORT_BYTES - len(port)
            port += data[:missing]
            data = data[missing:]
            if len(port) == _PORT_BYTES and int.from_bytes(port, "little") != self._pod.port:
                self._break("the server answers for another port")
                return
        if piece.channel == _DATA:
            if data:
                found.append(data)
            return
        self._told(data, is_last=piece.is_last)

    def _sort_spdy(self, reader: spdy.Reader, data: memoryview, found: list[memoryview]) -> None:
        for one in reader.read(data):
            if isinstance(one, spdy.Ping):
                if self.unsent_bytes < _MOST_UNSENT_FOR_PONG:
                    self._queue(frames.BINARY, one.frame)
            elif isinstance(one, spdy.Broken):
                self._break("the server gave it up")
            elif one.is_error:
                self._told(one.data, is_last=one.is_last)
                self._spdy_error_ended = one.is_last
            else:
                found += [one.data] if one.data else []
                self._data_ended_at = time.monotonic() if one.is_last else None
            if self._spdy_error_ended and self._data_ended_at is not None:
                self._end()
            if self.is_ended:
                return

    def _told(self, error: memoryview, *, is_last: bool) -> None:
        self._error += error[: _LONGEST_ERROR - len(self._error)]
        self.is_ended = bool(self._error) and is_last

    def _end(self) -> None:
        self.is_ended = True
        self._broken = ""  # what was not sent any more did not matter

    def _break(self, reason: str) -> None:
        self.is_ended = True
        self._broken = reason

    def _key(self) -> bytes:
        """A mask guards what stands between from bytes that a script in a browser has chosen.

        Within TLS nobody stands between, and there is no script: one byte four times is as good
        there, and costs a quarter of the time. RFC 6455, section 10.3.
        """
        return os.urandom(1) * 4 if isinstance(self._sock, ssl.SSLSocket) else os.urandom(4)

    def _queue(self, opcode: int, data: bytes) -> None:
        framed = frames.frame(opcode, data, self._key())
        self._unsent.append(memoryview(framed))
        self.unsent_bytes += len(framed)
        self._sent_at = time.monotonic()


def _reason(err: Exception) -> str:
    return (err.strerror if isinstance(err, OSError) else None) or str(err)
