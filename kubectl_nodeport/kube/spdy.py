"""SPDY/3.1, as much of it as a forwarded port needs. Pure.

Kubernetes' servers speak it inside a websocket (https://kep.k8s.io/4006), and it costs them a third
of what channels do. A connection into a pod is two streams, which the client opens: on one the data
goes both ways, on the other the server tells an error. There is no flow control:
https://github.com/moby/spdystream
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_VERSION = 0x8003
_SYN_STREAM, _RST_STREAM, _PING, _GOAWAY = 1, 3, 6, 7
_FIN = 1
# The stream, or version and kind; then a byte of flags and three of the length.
_HEAD = struct.Struct(">II")
_IS_CONTROL = 1 << 31
_FLAGS_SHIFT, _LENGTH_MASK = 24, (1 << 24) - 1
_ERROR_STREAM, _DATA_STREAM = 1, 3
_MOST_CONTROL = 64 << 10


class NotSpdyError(ValueError):
    """The bytes are none that a server of a forwarded port may send."""


# Thousands are made a second, and a tuple takes less time than a frozen dataclass.
class Part(NamedTuple):
    """Some bytes of the data, or of the error; ``is_last`` where it ends with them."""

    is_error: bool
    data: memoryview
    is_last: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """What the server asks, to be sent back as it is."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The server has given up the data's stream, or all."""


def opening(port: int) -> bytes:
    """What opens both streams."""
    # One compression for all headers. Their dictionary need not be used by the writer.
    packer = zlib.compressobj()
    frames = []
    for stream, kind in ((_ERROR_STREAM, "error"), (_DATA_STREAM, "data")):
        headers = {"streamtype": kind, "port": str(port), "requestid": "0"}
        plain = len(headers).to_bytes(4, "big") + b"".join(
            len(text).to_bytes(4, "big") + text.encode()
            for pair in headers.items()
            for text in pair
        )
        packed = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
        body = stream.to_bytes(4, "big") + bytes(6) + packed
        frames.append(_control(_SYN_STREAM, body))
    return b"".join(frames)


def data_frame(data: bytes) -> bytes:
    """The data, of 16 MB at most, for the pod."""
    return _DATA_STREAM.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data


def _control(kind: int, body: bytes) -> bytes:
    return b"".join(
        (_VERSION.to_bytes(2, "big"), kind.to_bytes(2, "big"), len(body).to_bytes(4, "big"), body)
    )


class Reader:
    """Reads frames out of bytes as they come; it keeps no data, and of control frames little."""

    def __init__(self) -> None:
        self._head = b""  # as much of a header as has come
        self._in_frame = False
        self._word = 0  # the first of the frame's header
        self._flags = 0
        self._left_bytes = 0
        self._control = bytearray()  # a control frame, with its header

    def read(self, data: memoryview) -> Iterator[Part | Ping | Broken]:
        """What the bytes say, in their order; parts are views of them.

        :raises NotSpdyError: they are no frames.
        """
        at = 0
        while at < len(data):
            if not self._in_frame:
                before = len(self._head)
                self._head += data[at : at + _HEAD.size - before]
                at += len(self._head) - before
                if len(self._head) < _HEAD.size:
                    return
                self._begin(self._head)
                self._head = b""
            body = data[at : at + self._left_bytes]
            at += len(body)
            self._left_bytes -= len(body)
            self._in_frame = self._left_bytes > 0
            is_control = self._word & _IS_CONTROL
            found = self._control_of(body) if is_control else self._part_of(body)
            if found is not None:
                yield found

    def _begin(self, head: bytes) -> None:
        self._word, rest = _HEAD.unpack(head)
        self._flags, self._left_bytes = rest >> _FLAGS_SHIFT, rest & _LENGTH_MASK
        self._in_frame = True
        if self._word & _IS_CONTROL:
            if self._word >> 16 != _VERSION or self._left_bytes > _MOST_CONTROL:
                raise NotSpdyError("a control frame that no server may send")
            self._control[:] = head

    def _part_of(self, body: memoryview) -> Part | None:
        is_last = bool(self._flags & _FIN) and not self._in_frame
        if self._word not in (_ERROR_STREAM, _DATA_STREAM) or not (body or is_last):
            return None
        return Part(self._word == _ERROR_STREAM, body, is_last)

    def _control_of(self, body: memoryview) -> Ping | Broken | None:
        self._control += body
        if self._in_frame:
            return None
        kind = self._word & 0xFFFF
        stream = int.from_bytes(self._control[_HEAD.size : _HEAD.size + 4], "big")
        if kind == _PING:
            return Ping(bytes(self._control))
        if kind == _GOAWAY or (kind == _RST_STREAM and stream == _DATA_STREAM):
            return Broken()
        return None  # answers to our opening, settings and the like
