"""The machine this runs on, as far as it matters for where a NodePort answers."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kubectl_nodeport.address.facts import LocalFacts, Platform, is_ip_literal

_SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (a path)

# Of the ranges for documentation (RFC 5737, RFC 3849): nobody has them, so they are reached by the
# default route, and what is asked here is only which address that would be from.
_ELSEWHERE = ("192.0.2.1", "2001:db8::1")

_PLATFORMS: dict[str, Platform] = {"win32": "win32", "cygwin": "win32", "darwin": "darwin"}


def local_facts(
    environ: Mapping[str, str] | None = None,
    *,
    root: Path = Path("/"),
    platform: str = sys.platform,
) -> LocalFacts:
    """Look at this machine.

    :param environ: the environment; default: the process's own.
    :param root: where /proc and /var are looked for.
    :param platform: as ``sys.platform`` has it.
    """
    environ = os.environ if environ is None else environ
    kind = _PLATFORMS.get(platform, "linux")
    return LocalFacts(
        platform=kind,
        wsl=kind == "linux" and _is_wsl(environ, root),
        in_cluster=_is_in_cluster(environ, root),
    )


def own_lan_address(towards: Sequence[str] = ()) -> str | None:
    """The address that this machine would have in a network beyond itself, or None without one.

    A UDP socket is connected, which makes the kernel choose a route and sends nothing.

    :param towards: IP literals to reach, most wanted first; names are passed over, not looked up.
    """
    for target in (*towards, *_ELSEWHERE):
        if is_ip_literal(target) and (found := _address_towards(target)):
            return found
    return None


def is_bound_beyond_loopback(port: int, lan_address: str) -> bool:
    """Whether a program here holds the TCP port on its LAN address, or on all addresses.

    Found out by trying to bind it, which sends nothing: a connection would reach the pod's sshd,
    and OpenSSH 9.8 and later count those (PerSourcePenalties). The port is free again on return;
    ask once 127.0.0.1 has answered, lest a late forwarder finds it taken. Two answers are missed:
    ports that the kernel redirects without a listener, and on Windows those of a program that
    listens on all addresses, where a bind to one of them is allowed beside it.

    :param lan_address: an IP literal of this machine; any other is told as not bound.
    """
    with socket.socket(_family(lan_address), socket.SOCK_STREAM) as sock:
        try:
            sock.bind((lan_address, port))
        except OSError as failure:
            return failure.errno == errno.EADDRINUSE
    return False


def _address_towards(target: str) -> str | None:
    try:
        with socket.socket(_family(target), socket.SOCK_DGRAM) as sock:
            sock.connect((target, 9))  # the port of "discard"
            found = str(sock.getsockname()[0])
    except OSError:  # no route, or a kernel without IPv6
        return None
    ip = ipaddress.ip_address(found)
    return None if ip.is_loopback or ip.is_link_local or ip.is_unspecified else found


def _family(literal: str) -> socket.AddressFamily:
    return socket.AF_INET if ipaddress.ip_address(literal).version == 4 else socket.AF_INET6


def _is_wsl(environ: Mapping[str, str], root: Path) -> bool:
    """WSL_DISTRO_NAME is lost under sudo; the kernel's version names Microsoft all the same."""
    if "WSL_DISTRO_NAME" in environ:
        return True
    try:
        version = (root / "proc/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "microsoft" in version.lower()


def _is_in_cluster(environ: Mapping[str, str], root: Path) -> bool:
    """What the client libraries call in-cluster: the API's address and a service account."""
    token = root / _SERVICE_ACCOUNT_TOKEN.lstrip("/")
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and token.is_file()
