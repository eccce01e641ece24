"""Whether a command's cost grows with the cluster: 10,000 pods and 1,000 nodes against 10 and 1.

Two clusters run at once and are asked in turns. The many pods are objects that no node runs (their
scheduling is gated), in other namespaces than the one that is worked in; the nodes are objects
without a kubelet.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.table import Row, timed
from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace

RUNS = 9
PODS, NODES, SPACES = 10_000, 1_000, 20
HERE = 10
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Side:
    """A cluster and the namespace to work in, with HERE pods."""

    cluster: Cluster
    ns: Namespace

    def run(self, line: str) -> float:
        """The seconds that a command takes."""
        return timed(self.cluster, f"kubectl nodeport {line} -n {self.ns}")

    def cost(self, line: str) -> tuple[int, int]:
        """The API requests of a command, and the bytes of their answers."""
        with self.cluster.relay() as relay:
            self.run(f"{line} --kubeconfig {relay.kubeconfig()}")
            requests = relay.requests()
        return len(requests), sum(one.received_bytes for one in requests)


def rows(tools: Path) -> list[Row]:
    """Time ratios, and how many requests and bytes more the big cluster costs."""
    with _side("bench-small", tools) as small, _side("bench-big", tools) as big:
        _fill(big.cluster)
        found = []
        for name, line, undo in _commands():
            ratio = _ratio(small, big, line, undo)
            found.append(
                Row(f"{name}, 10,000 pods, 1,000 nodes", ratio, 1.1, "x time with 10 and 1", RUNS)
            )
            costs = []
            for side in (small, big):
                costs.append(side.cost(line(0)))
                undo(side, 0)
            (count, size), (more, bigger) = costs
            print(
                f"{name}: {count} requests, {size} bytes; big cluster {more}, {bigger}",
                file=sys.stderr,
            )
            found.append(Row(f"{name}, requests more", more - count, 0, "API requests"))
            # Names and versions in the answers have not the same number of digits.
            found.append(Row(f"{name}, bytes", bigger / size, 1.03, "x bytes with 10 and 1"))
        return found


def _commands() -> list[tuple[str, Callable[[int], str], Callable[[Side, int], None]]]:
    """Name, command line of the n-th run, and what makes the next run like it."""

    def keep(_side: Side, _number: int) -> None:
        return

    def delete(side: Side, number: int) -> None:
        side.run(f"delete dev --name {_word(number)}")

    return [
        ("get", lambda _n: "get", keep),
        ("expose, rule exists", lambda _n: "expose dev", keep),
        ("expose, new rule", lambda n: f"expose dev --name {_word(n)} --port 22", delete),
        ("connect, rule exists", lambda _n: "connect dev", keep),
    ]


def _word(number: int) -> str:
    return "bench" + "abcdefghijklmnopqrstuvwxyz"[number]


def _ratio(
    small: Side, big: Side, line: Callable[[int], str], undo: Callable[[Side, int], None]
) -> float:
    taken: dict[str, list[float]] = {"bench-small": [], "bench-big": []}
    for number in range(RUNS + 1):
        for side in (small, big) if number % 2 else (big, small):
            seconds = side.run(line(number))
            undo(side, number)
            if number:  # the first run warms up
                taken[side.cluster.name].append(seconds)
    before, after = (statistics.median(taken[name]) for name in ("bench-small", "bench-big"))
    return after / before


@contextmanager
def _side(name: str, tools: Path) -> Iterator[Side]:
    with Cluster.start(name) as cluster:
        cluster.laptop.path_prepend.append(tools)
        cluster.use("docker-desktop")
        cluster.reset_home()
        with cluster.namespace() as ns:
            ns.pod("dev")
            for number in range(1, HERE):
                ns.api.create(f"{ns.path}/pods", _gated(f"other-{number}"))
            side = Side(cluster, ns)
            side.run("connect dev")
            yield side


def _fill(cluster: Cluster) -> None:
    """Make the many pods and nodes, and wait until the cluster has come to rest."""
    began = time.monotonic()
    spaces = [f"crowd-{number}" for number in range(SPACES)]
    for space in spaces:
        cluster.api.create("/api/v1/namespaces", {"metadata": {"name": space}})
        path = f"/api/v1/namespaces/{space}/serviceaccounts"
        try:
            cluster.api.create(path, {"metadata": {"name": "default"}})
        except ApiError as error:
            if error.status != 409:
                raise
    pods = (
        (f"/api/v1/namespaces/{space}/pods", _gated(f"pod-{number}"))
        for number in range(PODS // SPACES)
        for space in spaces
    )
    nodes = (("/api/v1/nodes", _node(number)) for number in range(NODES))
    objects = itertools.chain(nodes, pods)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        share = list(objects)
        parts = [share[at::_AT_ONCE] for at in range(_AT_ONCE)]
        for done in [pool.submit(_create, Cluster.attach(cluster.name).api, p) for p in parts]:
            done.result()
    print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
    _rest(cluster)


def _create(api: Api, objects: list[tuple[str, dict[str, object]]]) -> None:
    for path, body in objects:
        api.create(path, body)
    api.close()


def _rest(cluster: Cluster) -> None:
    """Wait until the controllers have looked at it all: the newest version stays for a while."""
    seen, since, end = "", time.monotonic(), time.monotonic() + 180
    while time.monotonic() < end:
        now = cluster.api.get("/api/v1/nodes?limit=1")["metadata"]["resourceVersion"]
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > 3:
            return
        time.sleep(0.5)


def _gated(name: str) -> dict[str, object]:
    return {
        "metadata": {"name": name, "labels": {"app": "crowd"}},
        "spec": {
            "schedulingGates": [{"name": "example.com/bench"}],
            "containers": [{"name": "main", "image": "localhost/none:1"}],
        },
    }


def _node(number: int) -> dict[str, object]:
    address = f"10.200.{number // 250}.{number % 250 + 1}"
    return {
        "metadata": {"name": f"crowd-{number}"},
        "spec": {"unschedulable": True},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }
