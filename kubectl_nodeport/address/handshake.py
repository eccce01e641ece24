"""One ssh key exchange on a connection: which host key the server there proves to own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, cast

from kubectl_nodeport.address import dial
from kubectl_nodeport.address.resolution import Verdict
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.limited_socket import LimitedSocket
from kubectl_nodeport.ssh.known_hosts import HostKey, is_well_formed

if TYPE_CHECKING:
    from kubectl_nodeport.address.package import Transport

_KEY_EXCHANGE_S = 10.0
_MOST_KEY_EXCHANGE_BYTES = 256 << 10
_JOIN_S = 1.0


def warm_up() -> None:
    """Import paramiko, a fifth of a second: worth a thread while the API server is asked."""
    import logging

    from kubectl_nodeport.address import package  # noqa: F401

    log = logging.getLogger("paramiko")
    if not log.handlers:
        # Without a handler, Python prints what paramiko logs of every connection that breaks.
        log.addHandler(logging.NullHandler())


def shown_key(sock: socket.socket, preferred: frozenset[HostKey]) -> HostKey:
    """The host key that the ssh server at the other end of a connection proves to own.

    :param preferred: it is asked for a key of one of their types, where it has such a one.
    :raises NodeportError: it is no ssh server.
    """
    stop = dial.Stop()
    try:
        sock.setblocking(False)
        dial.await_banner(sock, _KEY_EXCHANGE_S, stop)
        return exchange_keys(sock, preferred, stop)
    except dial.DialError as failure:
        hint = "start an ssh server in the pod, or say where it listens with --port"
        raise NodeportError(failure.text, hint=hint) from failure
    finally:
        stop.close()


def exchange_keys(sock: socket.socket, known: frozenset[HostKey], stop: dial.Stop) -> HostKey:
    """The host key that the server proves to own; the connection is over afterwards.

    :raises DialError: no key exchange came about.
    :raises StoppedError: the search is over.
    """
    warm_up()
    from kubectl_nodeport.address.package import SSHException, Transport

    # paramiko believes a packet's length, and keeps what comes.
    limited = LimitedSocket(sock, _MOST_KEY_EXCHANGE_BYTES)
    transport = Transport(cast("socket.socket", limited))
    try:
        _ask_for_known(transport, known)
        done = threading.Event()
        transport.start_client(event=done)
        end_s = time.monotonic() + _KEY_EXCHANGE_S
        while not done.wait(0.05):
            if stop.is_set:
                raise dial.StoppedError
            if time.monotonic() >= end_s:
                text = "an ssh server that stops answering in the key exchange"
                raise dial.DialError(Verdict.KEY_EXCHANGE_FAILED, text)
        key = transport.get_remote_server_key()
        return well_formed(key.get_name(), key.asbytes())
    except (SSHException, EOFError, OSError) as failure:
        cause = transport.get_exception() or failure
        reason = dial.printable(str(cause).encode("utf-8", "replace")) or type(cause).__name__
        text = f"an ssh server with which no key exchange comes about: {reason}"
        raise dial.DialError(Verdict.KEY_EXCHANGE_FAILED, text) from failure
    finally:
        _end(transport, sock)


def well_formed(kind: str, blob: bytes) -> HostKey:
    """The host key that a server has shown, if ssh would take it too.

    :raises DialError: it is of no type that ssh takes, or too small.
    """
    key = HostKey(kind, blob)
    if not is_well_formed(key):
        shown = dial.printable(kind.encode("utf-8", "replace"))
        text = f"an ssh server whose host key ssh does not take, of type {shown}"
        raise dial.DialError(Verdict.KEY_EXCHANGE_FAILED, text)
    return key


def _ask_for_known(transport: Transport, known: frozenset[HostKey]) -> None:
    """A server with several keys shows one; make it one that can be compared."""
    wanted = {key.type for key in known}
    if "ssh-rsa" in wanted:
        wanted |= {"rsa-sha2-512", "rsa-sha2-256"}
    options = transport.get_security_options()
    options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)


def _end(transport: Transport, sock: socket.socket) -> None:
    """End the transport's thread at once: closing alone is noticed a tenth of a second late."""
    with contextlib.suppress(OSError):  # the other side was faster
        sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    if transport.ident is not None:
        transport.join(_JOIN_S)
