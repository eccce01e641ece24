"""A peer that sends without end is left."""

from __future__ import annotations

import socket

import pytest

from kubectl_nodeport.limited_socket import LimitedSocket


def test_receives_up_to_its_limit() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limited = LimitedSocket(ours, 10)
        theirs.sendall(b"0123456789")
        assert limited.recv(100) == b"0123456789"
        assert limited.fileno() == ours.fileno(), "all else is the socket's own"
        theirs.sendall(b"x")
        with pytest.raises(ConnectionAbortedError):
            limited.recv(100)
