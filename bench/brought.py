"""connect --with-sshd in a fresh pod without an ssh server, against connect where OpenSSH runs."""

from __future__ import annotations

import statistics
import sys
import time

from bench.table import Row, timed
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace

RUNS = 9
_KUBE_PROXY_PAUSE_S = 1.2
"""It waits a second from one change of its rules to the next, which is neither's doing."""


def rows(cluster: Cluster, ns: Namespace) -> list[Row]:
    """How many seconds more it takes, each time with a new rule."""
    there: list[float] = []
    brought: list[float] = []
    for number in range(RUNS):
        ns.pod(f"there{number}", host_keys="own")
        ns.pod(f"bare{number}", runs="nothing", image="bare")
        pair = [(there, f"there{number}"), (brought, f"bare{number} --with-sshd")]
        for taken, words in pair if number % 2 else reversed(pair):
            time.sleep(_KUBE_PROXY_PAUSE_S)
            taken.append(timed(cluster, f"kubectl nodeport connect {words} -n {ns}"))
        for name in (f"there{number}", f"bare{number}"):
            ns.delete_pod(name)
    with_sshd, plain = statistics.median(brought), statistics.median(there)
    print(f"fresh pod: connect {plain:.2f} s, --with-sshd {with_sshd:.2f} s", file=sys.stderr)
    return [Row("connect --with-sshd, more than connect", with_sshd - plain, 0.6, "s", RUNS)]
