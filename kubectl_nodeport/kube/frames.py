"""Frames of a websocket that carries channels (``v4.channel.k8s.io``). Pure.

A message is one byte, the channel, and its data. Frames as RFC 6455, section 5.2, has them; that
protocol's channels: https://pkg.go.dev/k8s.io/apimachinery/pkg/util/httpstream/wsstream
The websocket package collects a message whole before it gives it out, and reads 16 KB at a time;
here a message is passed on piece by piece, so that its length is no matter for the memory.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
_CONTINUED, _TEXT = 0, 1
_CONTROL = 8
_LARGEST_CONTROL = 125
_SHORTEST_HEAD, _LONGEST_HEAD = 2, 10
# By what the header says of the length where it is not the length itself.
_LONGER_HEADS = {126: 4, 127: 10}


class NotWebsocketError(ValueError):
    """The bytes are none that a websocket server may send."""


# Thousands are made a second, and a tuple takes less time than a frozen dataclass.
class Piece(NamedTuple):
    """Some bytes of a message of a channel; ``is_last`` where it ends with them."""

    channel: int
    data: memoryview
    is_last: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A CLOSE, PING or PONG."""

    opcode: int
    data: bytes


@functools.cache
def _masked(key: int) -> bytes:
    """Every byte as a key's byte masks it; made when asked for, as a connection needs a few."""
    return bytes(byte ^ key for byte in range(256))


def frame(opcode: int, data: bytes, key: bytes) -> bytes:
    """One whole frame as a client sends it: masked.

    :param key: four bytes that cannot be foreseen, new ones for each frame.
    """
    size = len(data)
    if size <= _LARGEST_CONTROL:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    if key.count(key[0]) == len(key):
        return b"".join((head, key, data.translate(_masked(key[0]))))
    # A translation for each fourth of the bytes is what plain Python does fastest, some 400 MB/s.
    masked = bytearray(size)
    for at, byte in enumerate(key):
        masked[at::4] = data[at::4].translate(_masked(byte))
    return b"".join((head, key, masked))


class Reader:
    """Reads a server's frames out of bytes as they come; it keeps no more than a header of them.

    :param has_channels: whether a message begins with its channel; else all are of channel 0.
    """

    def __init__(self, *, has_channels: bool = True) -> None:
        self._has_channels = has_channels
        self._head = b""  # as much of a header as has come
        self._in_frame = False
        self._left_bytes = 0  # of the frame
        self._opcode = 0
        self._is_final = True
        self._in_message = False
        self._channel: int | None = None  # of the message, once its first byte has come
        self._control = bytearray()

    def read(self, data: memoryview) -> Iterator[Piece | Control]:
        """What the bytes carry, in their order; pieces are views of them.

        :raises NotWebsocketError: they are no frames of a server.
        """
        at = 0
        while at < len(data):
            if not self._in_frame:
                at = self._take_head(data, at)
                if not self._in_frame:
                    return
            part = data[at : at + self._left_bytes]
            at += len(part)
            self._left_bytes -= len(part)
            self._in_frame = self._left_bytes > 0
            found = self._control_of(part) if self._opcode & _CONTROL else self._piece_of(part)
            if found is not None:
                yield found

    def _take_head(self, data: memoryview, at: int) -> int:
        """Read on in the header, and begin the frame once it is whole; returns where it stopped."""
        before = len(self._head)
        head = self._head + data[at : at + _LONGEST_HEAD - before]
        if len(head) < _SHORTEST_HEAD or len(head) < (size := _head_size(head)):
            self._head = head
            return len(data)
        self._head = b""
        self._begin(head[:size])
        return at + size - before

    def _begin(self, head: bytes) -> None:
        opcode, size = head[0] & 0x0F, head[1]
        if len(head) > 2:
            size = int.from_bytes(head[2:], "big")
        is_final = bool(head[0] & 0x80)
        if head[0] & 0x70 or head[1] & 0x80 or size >> 63:
            raise NotWebsocketError("a frame that no server may send")
        if opcode in (CLOSE, PING, PONG):
            if size > _LARGEST_CONTROL or not is_final:
                raise NotWebsocketError("a control frame that is too long")
        elif opcode not in ((_CONTINUED,) if self._in_message else (_TEXT, BINARY)):
            raise NotWebsocketError(f"a frame of kind {opcode} in the wrong place")
        else:
            self._in_message = not is_final
            self._is_final = is_final
        self._opcode, self._left_bytes, self._in_frame = opcode, size, True

    def _control_of(self, part: memoryview) -> Control | None:
        self._control += part
        if self._in_frame:
            return None
        found = Control(self._opcode, bytes(self._control))
        self._control.clear()
        return found

    def _piece_of(self, part: memoryview) -> Piece | None:
        if not self._has_channels:
            self._channel = 0
        elif self._channel is None and part:
            self._channel, part = part[0], part[1:]
        channel = self._channel
        is_last = self._is_final and not self._in_frame
        if is_last:
            self._channel = None
        if channel is None or not (part or is_last):
            return None
        return Piece(channel, part, is_last)


def _head_size(head: bytes) -> int:
    return _LONGER_HEADS.get(head[1] & 0x7F, _SHORTEST_HEAD)
