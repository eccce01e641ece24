"""Builds the real edges for a command."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.knock import knock
from kubectl_nodeport.address.local import local_facts
from kubectl_nodeport.address.resolution import Budget, Progress, Resolution
from kubectl_nodeport.cli import hints
from kubectl_nodeport.cli.connection import flags_of
from kubectl_nodeport.cli.render.terminal import Status, short
from kubectl_nodeport.commands.edges import Edges, Resolve
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags, connection
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.known_hosts import HostKey

if TYPE_CHECKING:
    from kubectl_nodeport.commands.changes import Watch
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import Connection

# Progress is told once something takes long enough to be wondered about.
_QUIET_S = 0.5


@contextlib.contextmanager
def world(options: Mapping[str, Any]) -> Iterator[Edges]:
    """The edges for one command; at its end the notes are told, if it did what was asked.

    :param options: the verb's options, the connection flags and perhaps ssh_config among them.
    :raises NodeportError: as the command does, its hint naming the cluster that was asked.
    """
    flags = flags_of(options)
    try:
        made = _edges(flags, options.get("ssh_config"), options["verbosity"])
        yield made
    except NodeportError as err:
        err.hint = hints.with_flags(err.hint, flags)
        raise
    tell_notes(made)


def tell_notes(edges: Edges) -> None:
    """Print the notes so far, each once, and forget them."""
    for note in dict.fromkeys(edges.notes):
        tell(f"note: {note}")
    edges.notes.clear()


def target(text: str | None, options: Mapping[str, Any]) -> Target | None:
    """The target that was typed; None where it is to be picked from a list on the terminal.

    :raises NodeportError: nothing is named and nobody can be asked, or what is named is no target.
    """
    from kubectl_nodeport.cli import picker

    selector, user = options.get("selector"), options.get("ssh_user")
    if text is None and selector is None and picker.is_possible():
        return None
    return parse(text, user, selector)


def tell(line: str) -> None:
    """Print a line beside the result."""
    print(short(line), file=sys.stderr)


def _edges(flags: Flags, ssh_config: str | None, verbosity: int) -> Edges:
    resolved = connection(flags, os.environ)
    from kubectl_nodeport.kube.client import Api  # late: the kubernetes package takes its time

    api = Api(resolved, trace=tell if verbosity >= 6 else lambda _line: None)
    notes: list[str] = []
    path = Path(ssh_config) if ssh_config else user_config_path()
    return edges(resolved, api, ConfigFile(path, warn=notes.append), notes)


def edges(
    resolved: Connection, api: Api, hosts: ConfigFile, notes: list[str] | None = None
) -> Edges:
    """The edges around a connection that is resolved already."""
    from kubectl_nodeport.kube.streams import Exec

    return Edges(
        connection=resolved,
        api=api,
        exec=Exec(api),
        resolve=_resolver(Status()),
        knock=knock,
        hosts=hosts,
        local=local_facts(),
        tell=lambda line: tell(f"note: {line}"),
        notes=[] if notes is None else notes,
    )


def config_name(ssh_config: str | None) -> str:
    """The ssh configuration file as a user would name it."""
    return ssh_config or "~/.ssh/config"


def warm_up() -> None:
    """Load the ssh protocol while the API server is asked, for a command that will probe."""
    threading.Thread(target=_load_probe, daemon=True).start()


def _load_probe() -> None:
    from kubectl_nodeport.address.probe import warm_up

    warm_up()


def watch(edges: Edges) -> Watch:
    """What tells of changes in the cluster that the edges are for."""
    from kubectl_nodeport.kube import watch

    return partial(watch.watch, cast("Api", edges.api).stream)  # the real one, which _edges made


def _resolver(status: Status) -> Resolve:
    def show(progress: Progress) -> None:
        if progress.elapsed_s < _QUIET_S:
            return
        why = f": {progress.outcome.text}" if progress.outcome else ""
        status.show(f"waiting for the NodePort at {progress.candidate.address}{why}")

    def resolve(
        candidates: Sequence[Candidate], port: int, known: Collection[HostKey], timeout_s: float
    ) -> Resolution:
        from kubectl_nodeport.address import probe

        try:
            return probe.resolve(candidates, port, known, Budget(timeout_s), show)
        finally:
            status.clear()

    return resolve
