"""HTTP connections to the API server by urllib3, through a proxy where there is one.

A tunnel without a proxy needs nothing of it, and a login would wait for urllib3 to be loaded.
"""

from __future__ import annotations

import re
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import ssl

    from kubectl_nodeport.kube.config import Connection
    from kubectl_nodeport.kube.dialer import Dialer

# A refused or lost connection is told at once, as kubectl does.
_SETTINGS: dict[str, Any] = {"retries": False}


class _Dialled(HTTPConnection):
    def __init__(self, dialer: Dialer, **settings: Any) -> None:
        super().__init__(**settings)
        self._dialer = dialer

    def connect(self) -> None:
        self.sock = self._dialer.open(self.timeout)
        self.is_verified = True  # as far as the kubeconfig wants it; asked of TLS alone


class _DialledTls(_Dialled, HTTPSConnection):
    """The same where the pool is one of https."""


def _pool(
    kind: type[urllib3.HTTPConnectionPool], connect: Any, *where: Any, **settings: Any
) -> urllib3.HTTPConnectionPool:
    pool = kind(*where, **settings)
    pool.ConnectionCls = connect
    return pool


def pools_by(dialer: Dialer) -> urllib3.PoolManager:
    """What keeps the connections to a server that is reached without a proxy."""
    makers: dict[str, Any] = {
        "http": partial(_pool, urllib3.HTTPConnectionPool, partial(_Dialled, dialer)),
        "https": partial(_pool, urllib3.HTTPSConnectionPool, partial(_DialledTls, dialer)),
    }
    manager = urllib3.PoolManager(**_SETTINGS)
    manager.pool_classes_by_scheme = makers
    return manager


def pools_behind(
    proxy: str, connection: Connection, tls: ssl.SSLContext | None
) -> urllib3.PoolManager:
    """What keeps the connections through a proxy.

    :param proxy: its URL, as :func:`kube.proxy.proxy_of` gives it.
    """
    settings = dict(_SETTINGS)
    if tls is not None:
        settings |= {"ssl_context": tls, "cert_reqs": tls.verify_mode}
    if connection.cluster.get("tls-server-name"):
        settings["server_hostname"] = connection.cluster["tls-server-name"]
    if connection.cluster.get("insecure-skip-tls-verify"):  # kubectl does not warn either
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        # Go leaves the resolving of names to the proxy, which urllib3 calls socks5h.
        return SOCKSProxyManager(re.sub("^socks5:", "socks5h:", proxy), **settings)
    return urllib3.ProxyManager(proxy, proxy_headers=_authorization(proxy), **settings)


def open_socket(
    manager: urllib3.PoolManager, server: str, timeout_s: float | None
) -> socket.socket:
    """A connection to the server for other protocols than HTTP, through proxy and TLS.

    :raises urllib3.exceptions.HTTPError, OSError: there is none.
    """
    pool: Any = manager.connection_from_url(server)
    # The one way to a socket behind proxy and TLS without a request; so in urllib3 1 and 2.
    made: Any = pool._new_conn()
    made.timeout = timeout_s
    if pool.proxy is not None:
        pool._prepare_proxy(made)
    else:  # SOCKS
        made.connect()
    opened, made.sock = made.sock, None
    opened.settimeout(timeout_s)
    return cast("socket.socket", opened)


def _authorization(proxy: str) -> dict[str, str]:
    url = urlsplit(proxy)
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=pair))
