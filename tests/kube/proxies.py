"""Proxies on 127.0.0.1 that keep what they were asked for: CONNECT and SOCKS5."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: Any, target: int) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.target = target
        self.asked: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of several tests."""


class _Connect(socketserver.StreamRequestHandler):
    """HTTP's CONNECT, whatever host is asked for is the target."""

    server: _Proxy

    def handle(self) -> None:
        first = self.rfile.readline().decode().strip()
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        login = headers.get("proxy-authorization")
        self.server.asked.append(first.rpartition(" ")[0] + (f" as {login}" if login else ""))
        if not first.startswith("CONNECT "):
            self.wfile.write(b"HTTP/1.1 501 Only CONNECT\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        _pump(self.connection, self.server.target)


class _Socks(socketserver.StreamRequestHandler):
    """SOCKS5 without a login: https://www.rfc-editor.org/rfc/rfc1928"""

    server: _Proxy
    rbufsize = 0

    def handle(self) -> None:
        _version, count = self.rfile.read(2)
        self.rfile.read(count)
        self.wfile.write(b"\x05\x00")
        *_, kind = self.rfile.read(4)
        if kind == 1:
            host = socket.inet_ntoa(self.rfile.read(4))
        else:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        port = int.from_bytes(self.rfile.read(2), "big")
        self.server.asked.append(f"SOCKS5 {host}:{port}")
        self.wfile.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        _pump(self.connection, self.server.target)


def _pump(client: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as server:
        other = {client: server, server: client}
        while True:
            for ready in select.select(list(other), [], [], 30)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)


@contextlib.contextmanager
def _serving(proxy: _Proxy) -> Iterator[_Proxy]:
    thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def connect_proxy(target: int) -> contextlib.AbstractContextManager[_Proxy]:
    """An HTTP proxy; every CONNECT ends at 127.0.0.1:``target``."""
    return _serving(_Proxy(_Connect, target))


def socks_proxy(target: int) -> contextlib.AbstractContextManager[_Proxy]:
    """A SOCKS5 proxy; every connection ends at 127.0.0.1:``target``."""
    return _serving(_Proxy(_Socks, target))
