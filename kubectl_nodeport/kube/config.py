"""Which cluster, as whom: the kubeconfig and kubectl's connection flags, resolved as kubectl does.

Read beside client-go's tools/clientcmd (client_config.go, overrides.go, validation.go), whose rules
these are. Two things are stricter here, since a slip must not lead to another cluster or identity:
kubectl falls back to http://localhost:8080 where no server is named, and asks for a name and a
password where a context names a user that does not exist.
"""

from __future__ import annotations

import binascii
import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import incluster, kubeconfig, schema
from kubectl_nodeport.kube.kubeconfig import Kubeconfig
from kubectl_nodeport.kube.usable import refuse_unusable

REQUEST_TIMEOUT_S = 30.0
"""How long one request may take where no flag says; kubectl's own default is for ever."""

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about the connection; as in kubectl, empty says nothing.

    :param as_user_extra: ``key=value`` each.
    :param request_timeout_s: seconds; 0 for no limit.
    :param disable_compression: handed on to credential plugins; we never ask for compression.
    :param cache_dir: taken for kubectl's sake; there is no discovery here that could be cached.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    cluster: str | None = None
    user: str | None = None
    as_: str | None = None
    as_group: tuple[str, ...] = ()
    as_uid: str | None = None
    as_user_extra: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    server: str | None = None
    request_timeout_s: float | None = None
    certificate_authority: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    insecure_skip_tls_verify: bool | None = None
    tls_server_name: str | None = None
    disable_compression: bool | None = None
    cache_dir: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One context and the flags, resolved: a cluster, a user and a namespace; all paths absolute.

    ``cluster`` and ``user`` are kubeconfig's own objects. ``user`` may hold secrets: it is kept out
    of the repr, and never printed.

    :param context: the context's name; where there is none, the cluster's, else the server's host.
    :param has_context: whether it is a context's name, which resolves to the same again.
    :param request_timeout_s: how long one request may take; None for no limit.
    """

    context: str
    cluster_name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    context_extensions: tuple[Mapping[str, Any], ...]
    namespace: str
    kubeconfig_paths: tuple[str, ...]
    request_timeout_s: float | None = REQUEST_TIMEOUT_S
    has_context: bool = True

    def __repr__(self) -> str:
        return f"Connection({self.context!r}, {self.server_shown!r})"

    @property
    def server(self) -> str:
        """The API server's URL, without a trailing slash; client-go's scheme for none is http."""
        server = re.split("[?#]", str(self.cluster.get("server", "")))[0].rstrip("/")
        return server if "://" in server or not server else f"http://{server}"

    @property
    def is_tls(self) -> bool:
        """Whether the server is asked through TLS; without it no credentials are sent."""
        return self.server.startswith("https://")

    @property
    def server_shown(self) -> str:
        """The URL for people, without a user name and password that may stand in it."""
        scheme, _, rest = self.server.partition("://")
        host = rest.rpartition("@")[2]
        return f"{scheme}://{host}" if rest else self.server

    @property
    def authority(self) -> bytes:
        """The PEM text of the cluster's CA certificate, empty where there is none.

        :raises NodeportError: it cannot be read.
        """
        data = self.cluster.get("certificate-authority-data")
        path = self.cluster.get("certificate-authority")
        try:
            if data:
                return schema.decode(data).strip()
            return Path(path).read_bytes().strip() if path else b""
        except (OSError, binascii.Error) as err:
            raise NodeportError(
                f"the cluster's certificate authority cannot be read: {err}",
                hint="kubectl config view --minify shows where the kubeconfig looks for it",
            ) from err

    @property
    def identity(self) -> str:
        """What tells this cluster from others: a hash of its CA certificate, else of its URL.

        The certificate comes first, since a local cluster may change its port at every start.

        :raises NodeportError: the certificate cannot be read.
        """
        authority = self.authority
        kind = "ca" if authority else "url"
        digest = hashlib.sha256(authority or self.server.encode()).hexdigest()
        return f"{kind}:{digest[:32]}"


def connection(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    service_account: Path = incluster.SERVICE_ACCOUNT,
) -> Connection:
    """Resolve the cluster and the user that kubectl would ask, and as whom.

    :param service_account: the folder in which a pod finds its own account.
    :raises NodeportError: no kubeconfig, one that cannot be read, or no such context.
    """
    found = kubeconfig.load(flags.kubeconfig or None, environ)
    name, context = _context(flags, found)
    cluster_name, cluster = _cluster(flags, found, context, environ)
    user = _user(flags, found, context, name)
    inside = incluster.account(environ, service_account)
    if not cluster.get("server"):
        if inside is None or name or flags.cluster:
            raise _no_server(found, name, cluster_name)
        cluster_name = "in-cluster"
        cluster = {**inside.cluster, **cluster}
        user = {**({} if flags.token else inside.user), **user}
    refuse_unusable(cluster_name, cluster, flags.user or context.get("user", ""), user)
    of_pod = inside.namespace if inside else ""
    return Connection(
        context=name or cluster_name or _host(cluster["server"]),
        cluster_name=cluster_name,
        cluster=cluster,
        user=user,
        context_extensions=tuple(context.get("extensions", ())),
        namespace=_namespace(flags.namespace or context.get("namespace") or of_pod or "default"),
        kubeconfig_paths=tuple(str(path) for path in found.paths),
        request_timeout_s=_timeout(flags.request_timeout_s),
        has_context=bool(name),
    )


def _host(server: str) -> str:
    """Host and port of a URL, with or without a scheme."""
    return server.rpartition("://")[2].partition("/")[0].rpartition("@")[2]


def _context(flags: Flags, found: Kubeconfig) -> tuple[str, Mapping[str, Any]]:
    name = flags.context or found.current_context
    if name and name not in found.contexts:
        raise NodeportError(f'context "{name}" does not exist', hint=_near(name, found, "contexts"))
    return name, found.contexts.get(name, {})


def _cluster(
    flags: Flags, found: Kubeconfig, context: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, Mapping[str, Any]]:
    name = flags.cluster or context.get("cluster", "")
    if flags.cluster and name not in found.clusters:
        raise NodeportError(f'cluster "{name}" does not exist', hint=_near(name, found, "clusters"))
    # Not documented, and meant for old programs, but kubectl still reads it.
    default = {"server": environ["KUBERNETES_MASTER"]} if environ.get("KUBERNETES_MASTER") else {}
    cluster = {**default, **found.clusters.get(name, {})}
    if flags.insecure_skip_tls_verify or flags.certificate_authority:
        # One given on the command line takes the place of all that the file says on trust.
        for trust in _TRUST:
            cluster.pop(trust, None)
    if flags.server:
        cluster.pop("tls-server-name", None)  # it was another server's
    given = {
        "server": flags.server,
        "tls-server-name": flags.tls_server_name,
        "certificate-authority": _absolute(flags.certificate_authority),
        "insecure-skip-tls-verify": flags.insecure_skip_tls_verify,
        "disable-compression": flags.disable_compression,
    }
    return name, {**cluster, **{key: value for key, value in given.items() if value}}


_TRUST = ("insecure-skip-tls-verify", "certificate-authority", "certificate-authority-data")


def _user(
    flags: Flags, found: Kubeconfig, context: Mapping[str, Any], context_name: str
) -> Mapping[str, Any]:
    name = flags.user or context.get("user", "")
    if flags.user and name not in found.users:
        raise NodeportError(f'user "{name}" does not exist', hint=_near(name, found, "users"))
    if name and name not in found.users and not (flags.token or flags.client_certificate):
        raise NodeportError(
            f'context "{context_name}" names the user "{name}", which does not exist',
            hint="kubectl config get-users lists them",
        )
    user = dict(found.users.get(name, {}))
    given: dict[str, Any] = {
        "token": flags.token,
        "client-certificate": _absolute(flags.client_certificate),
        "client-key": _absolute(flags.client_key),
        "as": flags.as_,
        "as-uid": flags.as_uid,
        "as-groups": list(flags.as_group),
        "as-user-extra": {**user.get("as-user-extra", {}), **_extra(flags.as_user_extra)},
    }
    return {**user, **{key: value for key, value in given.items() if value}}


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _extra(pairs: tuple[str, ...]) -> dict[str, list[str]]:
    extra: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise NodeportError(
                f"--as-user-extra {pair} is not a key and its value",
                hint="give it as key=value, once for each value",
            )
        extra.setdefault(key, []).append(value)
    return extra


def _no_server(found: Kubeconfig, context: str, cluster: str) -> NodeportError:
    if context or cluster:
        what = f'context "{context}" names the cluster "{cluster}", which'
        return NodeportError(
            f"""{what if context else f'the cluster "{cluster}"'} has no server""",
            hint="kubectl config view shows the clusters",
        )
    if not found.paths:
        sought = ", ".join(map(str, found.sought)) or "KUBECONFIG names no file"
        return NodeportError(
            f"no kubeconfig: {sought}{' does not exist' if found.sought else ''}",
            hint="set KUBECONFIG, or give --kubeconfig FILE; "
            "a local cluster writes one when it starts",
        )
    return NodeportError(
        "no context is set in the kubeconfig",
        hint="choose one with --context, or: kubectl config use-context NAME",
    )


def _near(name: str, found: Kubeconfig, section: str) -> str:
    near = difflib.get_close_matches(name, getattr(found, section), n=3)
    if near:
        return f"did you mean: {', '.join(near)}"
    return f"kubectl config get-{section} lists them"


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise NodeportError(
            f'"{name}" is not the name of a namespace',
            hint="kubectl get namespaces lists them",
        )
    return name


def _timeout(seconds: float | None) -> float | None:
    return REQUEST_TIMEOUT_S if seconds is None else seconds or None
