"""Builds the real edges for a command."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.local import local_facts
from kubectl_nodeport.address.resolution import Budget, Progress, Resolution
from kubectl_nodeport.cli.render.terminal import Status
from kubectl_nodeport.commands.edges import Edges, Resolve
from kubectl_nodeport.kube.config import Flags, connection
from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.known_hosts import HostKey

# Progress is told once something takes long enough to be wondered about.
_QUIET_S = 0.5


def edges(
    flags: Flags,
    ssh_config: str | None,
    tell: Callable[[str], None],
    *,
    verbosity: int,
) -> Edges:
    """The world of one run: the cluster that the flags name, and one ssh configuration file.

    :raises NodeportError: the kubeconfig cannot be used.
    """
    resolved = connection(flags, os.environ)
    from kubectl_nodeport.kube.client import Api  # late: the kubernetes package takes its time
    from kubectl_nodeport.kube.streams import Exec

    api = Api(resolved, trace=tell if verbosity >= 6 else lambda _line: None)
    threading.Thread(target=_warm_up, daemon=True).start()
    notes: list[str] = []
    path = Path(ssh_config) if ssh_config else user_config_path()
    return Edges(
        connection=resolved,
        api=api,
        exec=Exec(api),
        resolve=_resolver(Status()),
        hosts=ConfigFile(path, warn=notes.append),
        local=local_facts(),
        notes=notes,
    )


def config_name(ssh_config: str | None) -> str:
    """The ssh configuration file as a user would name it."""
    return ssh_config or "~/.ssh/config"


def _warm_up() -> None:
    """Load the ssh protocol while the API server is asked."""
    from kubectl_nodeport.address.probe import warm_up

    warm_up()


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
