"""A socket that stops a peer which sends more than it could have to say."""

from __future__ import annotations

import socket
from typing import Any


class LimitedSocket:
    """Passes everything on to the socket, and counts what is received.

    Libraries that read a length first and then as many bytes would fill the memory for a peer that
    announces gigabytes. Beyond ``limit_bytes`` receiving raises :class:`ConnectionAbortedError`.
    """

    def __init__(self, sock: socket.socket, limit_bytes: int) -> None:
        self._sock = sock
        self._left_bytes = limit_bytes

    def recv(self, size: int, *flags: int) -> bytes:
        """As :meth:`socket.socket.recv`."""
        data = self._sock.recv(size, *flags)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise ConnectionAbortedError("the other side sends more than it could have to say")
        return data

    def released(self) -> socket.socket:
        """The socket itself, for whoever bounds in another way what is received."""
        return self._sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
