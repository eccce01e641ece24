"""By which proxy a server is reached: Go's rules, which are not those of Python's libraries. Pure.

The kubeconfig's ``proxy-url`` holds whatever NO_PROXY says; without it the environment does. There,
unlike in Python, this machine itself is never behind a proxy, and ALL_PROXY is not known.
https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_SCHEMES = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": "80", "https": "443"}
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^][]*\]|[^][:]*):(?P<port>[^:]*)")


def proxy_of(server: str, configured: str | None, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy to use, None for a direct connection.

    :param server: URL of the server that is asked.
    :param configured: the kubeconfig's ``proxy-url``.
    """
    if configured:
        return configured
    url = urlsplit(server)
    found = _url(_first(environ, f"{url.scheme.upper()}_PROXY", f"{url.scheme}_proxy"))
    # A web server hands a request's header "Proxy" to its programs as HTTP_PROXY.
    if not found or (url.scheme == "http" and environ.get("REQUEST_METHOD")):
        return None
    host, port = (url.hostname or "").lower(), str(url.port or _PORTS.get(url.scheme, ""))
    return None if _is_excepted(host, port, _first(environ, "NO_PROXY", "no_proxy")) else found


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _url(text: str) -> str | None:
    for candidate in (text, f"http://{text}"):
        try:
            if _is_proxy(urlsplit(candidate)):
                return candidate
        except ValueError:  # a port or an IPv6 address that is none
            continue
    return None


def _is_proxy(url: SplitResult) -> bool:
    return url.scheme in _SCHEMES and bool(url.hostname) and url.port != 0


def _is_excepted(host: str, port: str, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    rules = [rule.strip().lower() for rule in no_proxy.split(",")]
    return "*" in rules or any(_Rule.of(rule).matches(host, port) for rule in rules if rule)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One part of NO_PROXY: a network, an address or a domain, perhaps with a port."""

    host: str
    port: str

    @classmethod
    def of(cls, text: str) -> _Rule:
        found = _HOST_AND_PORT.fullmatch(text)
        if not found:
            return cls(text, "")
        return cls(found["host"].removeprefix("[").removesuffix("]"), found["port"])

    def matches(self, host: str, port: str) -> bool:
        address, network = _address(host), _network(self.host)
        if not self.host or self.port not in ("", port):
            return False
        if network is not None:
            return address is not None and address in network
        # "*." is as the dot of ".example.com": the domain itself is not meant.
        domain = self.host.removeprefix("*")
        return host.endswith(f".{domain.removeprefix('.')}") or host == domain


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
