"""Direct connections to the API server, for every protocol that is spoken with it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from kubectl_nodeport import background


class Dialer:
    """Connects to one server, TLS included.

    :param server: its URL.
    :param tls: None for plain HTTP.
    :param name: what its certificate has to name; the host of the URL if None.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None, name: str | None) -> None:
        url = urlsplit(server)
        self._host = (url.hostname or "").replace("%25", "%")  # before the zone of an IPv6 address
        self._port = url.port or (443 if tls else 80)
        self._tls = tls
        # A certificate names neither a zone nor the dot that ends an absolute name.
        self._name = name or self._host.partition("%")[0].rstrip(".")
        self._lock = threading.Lock()
        self._prepared: list[Callable[[], socket.socket]] = []

    def prepare(self, count: int, timeout_s: float | None) -> None:
        """Begin to connect so many times, for what :meth:`open` is asked for next.

        To be called when that is but moments away: a connection without a request is soon closed.
        """
        connect = partial(self._connected, timeout_s)
        with self._lock:
            self._prepared += [background.start(connect) for _ in range(count)]

    def forget_prepared(self) -> None:
        """What was prepared shows a certificate that is none any more."""
        with self._lock:
            self._prepared.clear()

    def open(self, timeout_s: float | None) -> socket.socket:
        """A connection to the server: one that was prepared, else a new one.

        :raises OSError: there is none.
        """
        while connecting := self._next_prepared():
            # One that was refused meanwhile, by one of several servers, says nothing of the next.
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                opened = connecting()
                if _is_open(opened):
                    opened.settimeout(timeout_s)
                    return opened
                opened.close()
        return self._connected(timeout_s)

    def _next_prepared(self) -> Callable[[], socket.socket] | None:
        with self._lock:
            return self._prepared.pop(0) if self._prepared else None

    def _connected(self, timeout_s: float | None) -> socket.socket:
        try:
            opened = socket.create_connection((self._host, self._port), timeout_s)
        except UnicodeError as err:  # a label that is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, "no host name") from err
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return opened
            return self._tls.wrap_socket(opened, server_hostname=self._name)
        except BaseException:
            opened.close()
            raise


def _is_open(sock: socket.socket) -> bool:
    """Whether the other side still waits for a request. TLS reads what is no data by itself."""
    sock.setblocking(False)
    try:
        sock.recv(1)  # its end, or an answer before any request
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False
