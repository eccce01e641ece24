"""Kubeconfig files: found, read and merged as kubectl does it.

Where the loader of the ``kubernetes`` package differs from kubectl (the last file's
``current-context`` wins there) kubectl's rule holds:
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import documents, schema
from kubectl_nodeport.printable import typed

# The fields that hold a path, relative to the folder of the file that they stand in.
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")
# Thousands of contexts fit; /dev/zero does not.
_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True, repr=False)
class Kubeconfig:
    """The named objects of all files; where two files name one, the first file wins.

    :param paths: the files that were read, absolute, in merge order.
    :param sought: what was looked for.
    """

    current_context: str
    contexts: Mapping[str, Mapping[str, Any]]
    clusters: Mapping[str, Mapping[str, Any]]
    users: Mapping[str, Mapping[str, Any]]
    paths: tuple[Path, ...]
    sought: tuple[Path, ...]


def load(explicit: str | None, environ: Mapping[str, str]) -> Kubeconfig:
    """Read the file that was asked for, else those of KUBECONFIG, else ``~/.kube/config``.

    Files that do not exist are passed over, unless asked for; so there may be none at all.

    :param explicit: the value of ``--kubeconfig``.
    :raises NodeportError: a file cannot be read, or is no kubeconfig.
    """
    sought = [Path(explicit)] if explicit else _listed(environ)
    documents: list[tuple[Path, Mapping[str, Any]]] = []
    for path in sought:
        try:
            documents.append((path.absolute(), _read(path)))
        except FileNotFoundError as err:
            if explicit:
                raise NodeportError(
                    f"--kubeconfig {explicit}: no such file",
                    hint="give the path of a kubeconfig file",
                ) from err
    return _merged(documents, tuple(sought))


def _listed(environ: Mapping[str, str]) -> list[Path]:
    """The files that client-go's ClientConfigLoadingRules look for; KUBECONFIG=: names none."""
    listed = environ.get("KUBECONFIG", "")
    if not listed:
        return [home(environ) / ".kube" / "config"]
    return [Path(part) for part in dict.fromkeys(listed.split(os.pathsep)) if part]


def home(environ: Mapping[str, str]) -> Path:
    """The home folder as client-go finds it: $HOME, unlike ssh's, which is passwd's."""
    folder = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(folder) if folder else Path.home()


def _merged(
    documents: list[tuple[Path, Mapping[str, Any]]], sought: tuple[Path, ...]
) -> Kubeconfig:
    current = ""
    contexts: dict[str, Mapping[str, Any]] = {}
    clusters: dict[str, Mapping[str, Any]] = {}
    users: dict[str, Mapping[str, Any]] = {}
    for path, document in documents:
        current = current or document.get("current-context", "")
        for into, section, item, relative in (
            (contexts, "contexts", "context", ()),
            (clusters, "clusters", "cluster", _CLUSTER_PATHS),
            (users, "users", "user", _USER_PATHS),
        ):
            for entry in document.get(section, ()):
                value = _absolute(entry.get(item, {}), relative, path.parent)
                into.setdefault(entry.get("name", ""), value)
    return Kubeconfig(
        current, contexts, clusters, users, tuple(path for path, _ in documents), sought
    )


def _absolute(
    value: Mapping[str, Any], relative: tuple[str, ...], folder: Path
) -> Mapping[str, Any]:
    changed: dict[str, Any] = {
        key: _joined(folder, value[key]) for key in relative if value.get(key)
    }
    plugin = value.get("exec", {})
    # client-go: a command with a separator in it is a path, relative to the file's folder.
    if os.sep in plugin.get("command", ""):
        changed["exec"] = {**plugin, "command": _joined(folder, plugin["command"])}
    return {**value, **changed}


def _joined(folder: Path, path: str) -> str:
    """As Go's filepath.Join: ``..`` is taken out of the text, links are not looked at."""
    return path if os.path.isabs(path) else os.path.normpath(folder / path)  # noqa: PTH117


def _read(path: Path) -> Mapping[str, Any]:
    """One file's document, with the types that it has to have.

    :raises FileNotFoundError: there is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise NodeportError(
                f"the kubeconfig {str(path)[:200]} has more than {_LARGEST >> 20} MB",
                hint="set KUBECONFIG, or give --kubeconfig FILE",
            )
        document = documents.parse(content)
    except FileNotFoundError:
        raise
    except OSError as err:
        raise NodeportError(
            f"the kubeconfig {str(path)[:200]} cannot be read: {err.strerror}",
            hint=f"ls -l {typed(path)} shows its owner and mode"
            if len(str(path)) < 200
            else "set KUBECONFIG, or give --kubeconfig FILE",
        ) from err
    except UnicodeDecodeError as err:
        raise NodeportError(
            f"the kubeconfig {path} cannot be read: it is not UTF-8 text",
            hint=f"file {typed(path)} says what it is",
        ) from err
    except documents.NotYamlError as err:
        raise NodeportError(
            f"the kubeconfig {path}{err} is not valid YAML",
            hint="kubectl config view says what is wrong",
        ) from err
    try:
        return schema.kubeconfig(document)
    except schema.IllTypedError as err:
        raise NodeportError(
            f"the kubeconfig {path} cannot be used: {err}",
            hint="kubectl config view says what is wrong",
        ) from err
