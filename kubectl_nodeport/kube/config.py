"""Which cluster, as whom: kubeconfig files merged and read the way kubectl does it.

Where the loader of the ``kubernetes`` package differs from kubectl (the last file's
``current-context`` wins there, a context's namespace is not applied, impersonation is ignored)
kubectl's rule holds: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubectl_nodeport.errors import NodeportError

# The fields that hold a path, relative to the folder of the file that they stand in.
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about the connection; None where it says nothing."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One context, resolved: a cluster, a user and a namespace, with all paths absolute.

    ``cluster`` and ``user`` are kubeconfig's own objects. ``user`` may hold secrets: it is kept out
    of the repr, and never printed.
    """

    context: str
    cluster_name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    context_extensions: tuple[Mapping[str, Any], ...]
    namespace: str
    kubeconfig_paths: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Connection({self.context!r}, {self.server_shown!r})"

    @property
    def server(self) -> str:
        """The API server's URL, without a trailing slash."""
        return str(self.cluster.get("server", "")).rstrip("/")

    @property
    def server_shown(self) -> str:
        """The URL for people, without a user name and password that may stand in it."""
        scheme, _, rest = self.server.partition("://")
        host = rest.rpartition("@")[2]
        return f"{scheme}://{host}" if rest else self.server

    @property
    def identity(self) -> str:
        """What tells this cluster from others: a hash of its CA certificate, else of its URL.

        The certificate comes first, since a local cluster may change its port at every start.
        """
        authority = _authority(self.cluster)
        kind = "ca" if authority else "url"
        digest = hashlib.sha256(authority or self.server.encode()).hexdigest()
        return f"{kind}:{digest[:32]}"


def _has_authority(cluster: Mapping[str, Any]) -> bool:
    return bool(cluster.get("certificate-authority-data") or cluster.get("certificate-authority"))


def _authority(cluster: Mapping[str, Any]) -> bytes:
    data = cluster.get("certificate-authority-data")
    try:
        if isinstance(data, str) and data:
            # Go's decoder passes over line breaks, so a folded value is good.
            return base64.b64decode("".join(data.split()), validate=True).strip()
        path = cluster.get("certificate-authority")
        return Path(path).read_bytes().strip() if isinstance(path, str) and path else b""
    except (OSError, binascii.Error) as err:
        raise NodeportError(
            f"the cluster's certificate authority cannot be read: {err}",
            hint="kubectl config view --minify shows where the kubeconfig looks for it",
        ) from err


def connection(flags: Flags, environ: Mapping[str, str]) -> Connection:
    """Resolve the context that kubectl would use.

    :raises NodeportError: no kubeconfig, one that cannot be read, or no such context.
    """
    paths = _paths(flags, environ)
    merged = _Merged.of(paths)
    name = flags.context or merged.current_context
    if not name:
        raise NodeportError(
            "no context is set in the kubeconfig",
            hint="choose one with --context, or: kubectl config use-context NAME",
        )
    if name not in merged.contexts:
        raise NodeportError(f'context "{name}" does not exist', hint=_near(name, merged.contexts))
    context = merged.contexts[name]
    user_name = _text(context, "user")
    if user_name and user_name not in merged.users:
        raise NodeportError(
            f'context "{name}" names the user "{user_name}", which does not exist',
            hint="kubectl config get-users lists them",
        )
    cluster_name = _text(context, "cluster")
    extensions = context.get("extensions") or ()
    return Connection(
        context=name,
        cluster_name=cluster_name,
        cluster=_cluster(merged, name, cluster_name),
        user=merged.users.get(user_name, {}),
        context_extensions=tuple(e for e in extensions if isinstance(e, Mapping)),
        namespace=_namespace(flags.namespace or _text(context, "namespace") or "default"),
        kubeconfig_paths=tuple(str(path) for path in merged.paths),
    )


def _cluster(merged: _Merged, context: str, name: str) -> Mapping[str, Any]:
    cluster = merged.clusters.get(name, {})
    if not _text(cluster, "server"):
        raise NodeportError(
            f'context "{context}" names the cluster "{name}", which has no server',
            hint="kubectl config view --minify shows the context",
        )
    if cluster.get("insecure-skip-tls-verify") and _has_authority(cluster):
        # As kubectl: unverified, the certificate says nothing, least of all which cluster this is.
        raise NodeportError(
            f'the cluster "{name}" has both a certificate authority and insecure-skip-tls-verify',
            hint="kubectl config view --minify shows both; remove one",
        )
    return cluster


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise NodeportError(
            f'"{name}" is not the name of a namespace',
            hint="kubectl get namespaces lists them",
        )
    return name


def _near(name: str, contexts: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, contexts, n=3)
    if near:
        return f"did you mean: {', '.join(near)}"
    return "kubectl config get-contexts lists them"


def _paths(flags: Flags, environ: Mapping[str, str]) -> list[Path]:
    """The files to merge, by the rules of client-go's ClientConfigLoadingRules."""
    if flags.kubeconfig:
        path = Path(flags.kubeconfig)
        if not _exists(path):
            raise NodeportError(
                f"--kubeconfig {flags.kubeconfig}: no such file",
                hint="give the path of a kubeconfig file",
            )
        return [path]
    listed = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    paths = [Path(part) for part in dict.fromkeys(listed)] or [_home(environ) / ".kube" / "config"]
    existing = [path for path in paths if _exists(path)]
    if not existing:
        raise NodeportError(
            f"no kubeconfig: {', '.join(map(str, paths))} does not exist",
            hint="set KUBECONFIG, or give --kubeconfig FILE; "
            "a local cluster writes one when it starts",
        )
    return existing


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as err:  # a folder on the way that is closed to us, a name that is too long
        raise NodeportError(
            f"the kubeconfig {str(path)[:200]} cannot be read: {err.strerror}",
            hint="set KUBECONFIG, or give --kubeconfig FILE",
        ) from err


def _home(environ: Mapping[str, str]) -> Path:
    """The home folder as client-go finds it: $HOME, unlike ssh's, which is passwd's."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) if home else Path.home()


@dataclass(frozen=True, slots=True)
class _Merged:
    """The named objects of all files; where two files name one, the first file wins."""

    current_context: str
    contexts: dict[str, Mapping[str, Any]]
    clusters: dict[str, Mapping[str, Any]]
    users: dict[str, Mapping[str, Any]]
    paths: list[Path]

    @classmethod
    def of(cls, paths: list[Path]) -> _Merged:
        merged = cls("", {}, {}, {}, [path.absolute() for path in paths])
        current = ""
        for path in merged.paths:
            document = _read(path)
            current = current or _text(document, "current-context")
            for into, section, item, relative in (
                (merged.contexts, "contexts", "context", ()),
                (merged.clusters, "clusters", "cluster", _CLUSTER_PATHS),
                (merged.users, "users", "user", _USER_PATHS),
            ):
                for name, value in _named(document, section, item, path):
                    into.setdefault(name, _absolute(value, relative, path.parent))
        return cls(current, merged.contexts, merged.clusters, merged.users, merged.paths)


def _read(path: Path) -> Mapping[str, Any]:
    import yaml  # late: completion and help need no kubeconfig

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open(encoding="utf-8") as file:
            document = yaml.load(file, Loader=loader)  # noqa: S506 - a safe loader, see above
    except (OSError, UnicodeDecodeError) as err:
        reason = getattr(err, "strerror", None) or "it is not UTF-8 text"
        raise NodeportError(
            f"the kubeconfig {path} cannot be read: {reason}",
            hint=f"ls -l {path} shows its owner and mode",
        ) from err
    except (yaml.YAMLError, ValueError, RecursionError) as err:  # ValueError: 2024-99-99
        where = getattr(err, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise NodeportError(
            f"the kubeconfig {path}{line} is not valid YAML",
            hint="kubectl config view says what is wrong",
        ) from err
    return document if isinstance(document, Mapping) else {}


def _named(
    document: Mapping[str, Any], section: str, item: str, path: Path
) -> list[tuple[str, Mapping[str, Any]]]:
    entries = document.get(section) or []
    if not isinstance(entries, list):
        raise NodeportError(
            f"the kubeconfig {path} has no list under {section}:",
            hint="kubectl config view says what is wrong",
        )
    named = []
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("name"):
            value = entry.get(item)
            named.append((str(entry["name"]), value if isinstance(value, Mapping) else {}))
    return named


def _absolute(
    value: Mapping[str, Any], relative: tuple[str, ...], folder: Path
) -> Mapping[str, Any]:
    changed: dict[str, Any] = {
        key: str(folder / str(value[key])) for key in relative if value.get(key)
    }
    plugin = value.get("exec")
    command = plugin.get("command") if isinstance(plugin, Mapping) else None
    # client-go: a command with a separator in it is a path, relative to the file's folder.
    if isinstance(plugin, Mapping) and isinstance(command, str) and os.sep in command:
        changed["exec"] = {**plugin, "command": str(folder / command)}
    return {**value, **changed}


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
