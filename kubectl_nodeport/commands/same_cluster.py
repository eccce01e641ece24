"""Whether an entry's context still leads to the cluster that it was connected to."""

from __future__ import annotations

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.ssh.entry import HostEntry


class AnotherClusterError(NodeportError):
    """The context of an entry leads to another cluster than the entry's own."""


def check_cluster(entry: HostEntry, connection: Connection) -> None:
    """Refuse another cluster, before anything is asked of it.

    :raises AnotherClusterError: the context leads to another cluster by now.
    """
    origin = entry.origin
    if connection.identity != origin.cluster:
        raise AnotherClusterError(
            f'the context "{connection.context}" leads to another cluster '
            f"({connection.server_shown}) than when {entry.alias} was connected",
            hint="if its own cluster is gone, take the host away, and connect again: "
            f"kubectl nodeport disconnect {entry.alias} --keep-rule",
        )
