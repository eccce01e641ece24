"""Builds the edges for the clusters that Host entries lead to, each by the entry's own word."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubectl_nodeport.cli import hints, wiring
from kubectl_nodeport.cli.connection import flags_of as given_flags
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.kept_flags import environment_of, flags_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import kubeconfig
from kubectl_nodeport.kube.config import Flags, connection

if TYPE_CHECKING:
    from kubectl_nodeport.cli.progress import Progress
    from kubectl_nodeport.commands.edges import Edges
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import Connection
    from kubectl_nodeport.ssh.config_file import ConfigFile
    from kubectl_nodeport.ssh.origin import Origin

# Several clusters are waited for, of which some may be switched off.
_REQUEST_TIMEOUT_S = 10.0
# Flags that say nothing about who asks which cluster.
_HARMLESS = frozenset(["namespace", "kubeconfig", "context", "request_timeout_s", "cache_dir"])

_Login = tuple[Flags, str]


def homes(options: Mapping[str, Any], hosts: ConfigFile, told: Progress) -> Homes:
    """The clusters of the file's entries; what was given on the command line counts more.

    :param options: the verb's options, the connection flags among them.
    :param told: where it is told what is being waited for.
    """
    builder = _Builder(given_flags(options), hosts, options["verbosity"], told)
    return Homes(builder.edges, builder.hint)


class _Builder:
    def __init__(self, given: Flags, hosts: ConfigFile, verbosity: int, told: Progress) -> None:
        self._given = given
        self._told = told
        self._hosts = hosts
        self._verbosity = verbosity
        self._known: dict[_Login, tuple[Connection, Api]] = {}

    def hint(self, origin: Origin, hint: str) -> str:
        """The hint, its commands with the flags that lead to the entry's cluster."""
        flags = self._flags(origin)
        if not flags.kubeconfig and len(origin.kubeconfig) == 1 and not self._usual(origin):
            flags = dataclasses.replace(flags, kubeconfig=origin.kubeconfig[0])
        return hints.with_flags(hint, flags)

    def _usual(self, origin: Origin) -> bool:
        """Whether kubectl reads the entry's kubeconfig without being told."""
        with contextlib.suppress(NodeportError):
            paths = kubeconfig.load(None, os.environ).paths
            return tuple(map(str, paths)) == origin.kubeconfig
        return False

    def edges(self, origin: Origin) -> Edges:
        """The edges for the entry's cluster and namespace; entries of one login share a client."""
        flags = self._flags(origin)
        environ = environment_of(origin, os.environ)
        folder, path = origin.plugin_folder, os.environ.get("PATH", "")
        if folder and folder not in path.split(os.pathsep):
            os.environ["PATH"] = environ["PATH"]  # where a credential plugin is looked for
        login = dataclasses.replace(flags, namespace=None), environ.get("KUBECONFIG", "")
        if login not in self._known:
            self._refuse_for_several(origin)
            self._known[login] = self._client(flags, environ)
        resolved, api = self._known[login]
        there = dataclasses.replace(resolved, namespace=origin.namespace)
        return wiring.edges(there, api, self._hosts, flags, self._told)

    def _client(self, flags: Flags, environ: Mapping[str, str]) -> tuple[Connection, Api]:
        resolved = connection(flags, environ)
        return resolved, wiring.client(resolved, self._verbosity, self._told)

    def _flags(self, origin: Origin) -> Flags:
        given = {
            field.name: value
            for field in dataclasses.fields(Flags)
            if field.name != "namespace" and (value := getattr(self._given, field.name))
        }
        if given.get("context") == origin.context:
            del given["context"]  # it chose the entry, and need not be a context's name
        timeout = {"request_timeout_s": _REQUEST_TIMEOUT_S}
        return dataclasses.replace(flags_of(origin), **{**timeout, **given})

    def _refuse_for_several(self, origin: Origin) -> None:
        """A token or a server that was given is for one cluster, and goes to no other."""
        personal = [
            field.name
            for field in dataclasses.fields(Flags)
            if field.name not in _HARMLESS and getattr(self._given, field.name)
        ]
        if personal and self._known:
            flag = personal[0].rstrip("_").replace("_", "-")
            raise NodeportError(
                f"--{flag} is given, which is for one cluster, and {origin.context} is another",
                hint="--context names the one that is meant",
            )
