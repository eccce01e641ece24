"""The clusters that Host entries lead to, each asked by the flags that its entry keeps."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from kubectl_nodeport import background
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.same_cluster import check_cluster
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ApiError, LoginError, UnreachableError
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.origin import Origin

T = TypeVar("T")
R = TypeVar("R")

# The world around an entry's own cluster and namespace, with notes of its own; raises NodeportError
# where its context cannot be resolved any more. Entries of one cluster and login share the client.
EdgesOf = Callable[[Origin], Edges]

_AT_ONCE = 8
_UNAUTHORIZED = 401


class Homes:
    """Visits to the clusters of entries, from several threads.

    One that did not answer, or let nobody in, is not waited for again.

    :param edges_of: called from one thread at a time.
    :ivar hint: a hint, its commands with the flags by which the entry's cluster is asked.
    """

    def __init__(
        self, edges_of: EdgesOf, hint_of: Callable[[Origin, str], str] = lambda _origin, hint: hint
    ) -> None:
        self._edges_of = edges_of
        self.hint = hint_of
        self._lock = threading.Lock()
        self._shut: dict[int, NodeportError] = {}

    @contextlib.contextmanager
    def visit(self, entry: HostEntry) -> Iterator[Edges]:
        """The world of the entry's cluster, to ask things of it.

        :raises NodeportError: its context cannot be resolved or leads to another cluster by now; it
            did not answer before; or what the block raises.
        """
        try:
            with self._lock:
                edges = self._edges_of(entry.origin)
            check_cluster(entry, edges.connection)
            with self._remembered(edges):
                yield edges
        except NodeportError as err:
            err.hint = self.hint(entry.origin, err.hint)
            raise

    @contextlib.contextmanager
    def _remembered(self, edges: Edges) -> Iterator[None]:
        client = id(edges.api)
        before = self._shut.get(client)
        if before is not None:
            raise NodeportError(before.message, hint=before.hint)
        try:
            yield
        except (UnreachableError, LoginError, ApiError) as err:
            if not isinstance(err, ApiError) or err.status == _UNAUTHORIZED:
                self._shut[client] = NodeportError(err.message, hint=err.hint)
            raise


def each(items: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """The results of the work on each item, a few at a time, in the items' order."""
    waiting = queue.SimpleQueue[int]()
    for at in range(len(items)):
        waiting.put(at)
    done: dict[int, R] = {}

    def worker() -> None:
        while True:
            try:
                at = waiting.get_nowait()
            except queue.Empty:
                return
            done[at] = work(items[at])

    workers = [background.start(worker) for _ in items[:_AT_ONCE]]
    for ended in workers:
        ended()
    return [done[at] for at in range(len(items))]
