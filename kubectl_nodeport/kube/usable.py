"""What kubectl refuses in a cluster and a user, before it asks anyone. Reads nothing but files.

The rules are those of client-go's tools/clientcmd/validation.go, and of rest/config.go where it
builds a transport. They are asked after the flags were applied, so that a flag can break or mend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubectl_nodeport.errors import NodeportError

_PROXIES = ("http", "https", "socks5")
_BETA = "client.authentication.k8s.io/v1beta1"
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", _BETA)
_MODES = ("Never", "IfAvailable", "Always")


def refuse_unusable(
    cluster_name: str, cluster: Mapping[str, Any], user_name: str, user: Mapping[str, Any]
) -> None:
    """Refuse what kubectl would refuse.

    :raises NodeportError: for the first thing that it would.
    """
    for what, problems in (
        (f'the cluster "{cluster_name}"', _of_cluster(cluster)),
        (f'the user "{user_name}"', _of_user(user)),
    ):
        for problem in problems:
            raise NodeportError(
                f"{what} has {problem}",
                hint="kubectl config view --minify shows what the kubeconfig says",
            )


def _of_cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    authority = "certificate-authority"
    has_authority = cluster.get(authority) or cluster.get(f"{authority}-data")
    if cluster.get(authority) and cluster.get(f"{authority}-data"):
        yield f"both {authority} and {authority}-data"
    if cluster.get("insecure-skip-tls-verify") and has_authority:
        # Unverified, the certificate says nothing, least of all which cluster this is.
        yield "both a certificate authority and insecure-skip-tls-verify"
    yield from _unreadable(cluster, authority)
    if not _is_server(str(cluster.get("server", ""))):
        yield "a server that is neither an http or https URL nor a host with a port"
    if not _is_host(cluster.get("tls-server-name", "")):
        yield "a tls-server-name that is no host name"
    proxy = cluster.get("proxy-url")
    if proxy and not _is_proxy(proxy):
        yield f"a proxy-url that is not one of {', '.join(_PROXIES)}"


def _is_server(server: str) -> bool:
    """Whether client-go could ask it: https://pkg.go.dev/k8s.io/client-go/rest#DefaultServerURL"""
    has_scheme = "://" in server
    try:
        parts = urlsplit(server if has_scheme else f"http://{server}")
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = server.isprintable() and " " not in server
    return known and plain and (has_scheme or parts.path in ("", "/"))


def _is_host(name: str) -> bool:
    """Whether a TLS library can ask for it."""
    try:
        return name.encode("idna").decode("ascii").isprintable() and " " not in name
    except UnicodeError:
        return False


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _of_user(user: Mapping[str, Any]) -> Iterator[str]:
    certificate, key = "client-certificate", "client-key"
    if user.get(certificate) or user.get(f"{certificate}-data"):
        for name in (certificate, key):
            if user.get(name) and user.get(f"{name}-data"):
                yield f"both {name} and {name}-data"
        if not (user.get(key) or user.get(f"{key}-data")):
            yield "a client certificate without its key"
        yield from _unreadable(user, certificate)
        yield from _unreadable(user, key)
    basic = user.get("username") or user.get("password")
    if basic and (user.get("token") or user.get("tokenFile")):
        yield "both a token and a user name with a password"
    if "exec" in user:
        yield from _of_plugin(user["exec"])
        if "auth-provider" in user:
            yield "both a credential plugin and an auth-provider"
    if not user.get("as") and any(
        user.get(name) for name in ("as-uid", "as-groups", "as-user-extra")
    ):
        yield "a uid, groups or extra fields to impersonate, and no user to impersonate"


def _of_plugin(plugin: Mapping[str, Any]) -> Iterator[str]:
    version = plugin.get("apiVersion", "")
    if not plugin.get("command"):
        yield "a credential plugin without a command"
    if version not in _EXEC_VERSIONS:
        known = " or ".join(_EXEC_VERSIONS)
        yield f"a credential plugin whose apiVersion is not {known}"
    if any(not variable.get("name") for variable in plugin.get("env", ())):
        yield "a credential plugin with a variable that has no name"
    # v1beta1 does not have to say it, v1 does.
    if plugin.get("interactiveMode", "IfAvailable" if version == _BETA else "") not in _MODES:
        yield f"a credential plugin whose interactiveMode is not one of {', '.join(_MODES)}"


def _unreadable(fields: Mapping[str, Any], name: str) -> Iterator[str]:
    path = fields.get(name)
    if path:
        try:
            with Path(path).open("rb"):
                return
        except (OSError, ValueError) as err:
            reason = getattr(err, "strerror", None) or "no path"
            yield f"a {name} that cannot be read: {path}: {reason}"
