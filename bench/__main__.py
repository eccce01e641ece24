"""``make bench``: connect against the same work done by hand, on the cluster, in one run.

By hand is what people do without this program: ``kubectl get pod``, ``kubectl expose``,
``kubectl get service``, ``kubectl get nodes``, and ``ssh-keyscan`` until the key is seen. Both are
started the same way, in turns, so that their ratio holds although the machine's speed does not.
"""

from __future__ import annotations

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench import brought, scale, ssh_config, sshd, tunnel
from bench.table import Row, show, timed
from tests.cluster import plugin
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace

PROFILE = "docker-desktop"
RUNS = 9
NEW_RUNS = 5
_BY_HAND = "x time by hand"

_WATCH = """\
import subprocess, sys, time
end = time.monotonic() + 60
while time.monotonic() < end:
    before = time.monotonic()
    show = ["iptables", "-t", "nat", "-S", "KUBE-NODEPORTS"]
    if sys.argv[1] in subprocess.run(show, capture_output=True, text=True).stdout:
        print(before)
        break
    time.sleep(0.005)
"""


def main() -> int:
    """Measure, print the table, and say what is over its budget (exit 1)."""
    tools = plugin.installed()
    build()
    began = time.monotonic()
    with Cluster.start("bench") as cluster:
        started = Row("cluster start, warm", time.monotonic() - began, 15, "s")
        cluster.laptop.path_prepend.append(tools)
        cluster.use(PROFILE)
        cluster.reset_home()
        with cluster.namespace() as ns:
            rows = [
                started,
                *_existing(cluster, ns),
                *_far_away(cluster, ns),
                *_new(cluster, ns),
                *_requests(cluster, ns),
                *_start(cluster, ns),
                *tunnel.rows(cluster, ns),
                *brought.rows(cluster, ns),
                *sshd.rows(cluster, ns),
            ]
    rows += scale.rows(tools)
    rows += ssh_config.rows()
    print(f"profile {PROFILE}; where there are several runs, their median")
    show(rows)
    return int(any(row.is_over for row in rows))


def _existing(cluster: Cluster, ns: Namespace) -> list[Row]:
    """connect with a rule that stands, as a share of the time by hand."""
    ns.pod("dev")
    ns.pod("hand")
    ours = f"kubectl nodeport connect dev -n {ns}"
    timed(cluster, ours)
    timed(cluster, _by_hand(ns, "hand"))
    pairs = [(timed(cluster, ours), timed(cluster, _by_hand(ns, "hand"))) for _ in range(RUNS)]
    mine, hand = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"rule exists: connect {mine:.2f} s, by hand {hand:.2f} s (medians of {RUNS}, in turns)",
        file=sys.stderr,
    )
    return [Row("connect, rule exists", mine / hand, 0.75, _BY_HAND, RUNS)]


def _far_away(cluster: Cluster, ns: Namespace) -> list[Row]:
    """The same with an API server 50 ms away, by a relay that delays both ways."""
    with cluster.relay(delay_s=0.025) as relay:
        config = f"export KUBECONFIG={relay.kubeconfig()}; "
        ours = f"{config}kubectl nodeport connect dev -n {ns}"
        timed(cluster, ours)
        pairs = [
            (timed(cluster, ours), timed(cluster, config + _by_hand(ns, "hand")))
            for _ in range(RUNS)
        ]
    mine, hand = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"API 50 ms away: connect {mine:.2f} s, by hand {hand:.2f} s", file=sys.stderr)
    return [Row("connect, API 50 ms away", mine / hand, 0.6, _BY_HAND, RUNS)]


def _by_hand(ns: Namespace, pod: str) -> str:
    """The four commands and the scan, as one shell line."""
    k = f"kubectl -n {ns}"
    return (
        f"{k} get pod {pod} >/dev/null && "
        f"{{ {k} expose pod {pod} --type=NodePort >/dev/null 2>&1; true; }} && "
        f"port=$({k} get service {pod} -o jsonpath='{{.spec.ports[0].nodePort}}') && "
        "kubectl get nodes -o wide >/dev/null && "
        "until ssh-keyscan -T 1 -p $port 127.0.0.1 2>/dev/null | grep -q ssh-; do sleep 0.05; done"
    )


def _new(cluster: Cluster, ns: Namespace) -> list[Row]:
    """connect with a new rule: how long after kube-proxy has opened the port is it done?"""
    late = []
    for number in range(NEW_RUNS):
        name = f"new{number}"
        ns.pod(name)
        ns.pod(f"hand{number}")
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(_opening, cluster, f"{ns}/nodeport-{name}-ssh")
            began = time.monotonic()
            timed(cluster, f"kubectl nodeport connect {name} -n {ns}")
            ended = time.monotonic()
            opened = opening.result(timeout=60)
        late.append(ended - opened)
        hand = timed(cluster, _by_hand(ns, f"hand{number}"))
        print(
            f"new rule: connect {ended - began:.2f} s, kube-proxy opened the port after "
            f"{opened - began:.2f} s, by hand {hand:.2f} s",
            file=sys.stderr,
        )
    after = statistics.median(late)
    return [Row("connect, new rule, after kube-proxy", after, 0.35, "s", NEW_RUNS)]


def _opening(cluster: Cluster, service: str) -> float:
    """When kube-proxy opens the port of a Service, on the monotonic clock all processes share.

    Read from the node's rules, not by connecting: that would be the probe's own way. A Service with
    an endpoint is in the nat table's KUBE-NODEPORTS; one without is rejected in the filter table.
    """
    return float(cluster.run_in_node([sys.executable, "-c", _WATCH, service]))


# A command line, and how many requests it may cost. The order matters: each finds what those before
# have made. "connect, new rule" and "connect, rule exists" are the contract's; a workload costs two
# more, a StatefulSet's pod one (docs/decisions/0003).
_COUNTED = (
    ("connect, new rule", "connect counted", 6),
    ("connect, rule exists", "connect counted", 4),
    ("expose, new rule", "expose counted --name smtp --port 25", 5),
    ("expose, rule exists", "expose counted --name smtp --port 25", 4),
    ("connect deploy/, new rule", "connect deploy/web", 8),
    ("connect deploy/, rule exists", "connect deploy/web", 6),
    ("connect a StatefulSet's pod, new rule", "connect db-0", 7),
    ("get", "get", 2),
    ("get POD", "get counted", 4),
    ("get -A", "get -A", 1),
    ("get hosts", "get hosts", 0),
    ("delete POD --name", "delete counted --name smtp", 4),
)


def _requests(cluster: Cluster, ns: Namespace) -> list[Row]:
    """API requests of each command, counted by a relay between the client and the server."""
    ns.pod("counted")
    ns.deployment("web", replicas=1)
    ns.stateful_set("db")
    rows = []
    with cluster.relay() as relay:
        kubeconfig = relay.kubeconfig()
        for name, words, budget in _COUNTED:
            relay.reset()
            timed(cluster, f"kubectl nodeport {words} -n {ns} --kubeconfig {kubeconfig}")
            rows.append(Row(name, len(relay.requests()), budget, "API requests"))
    return rows


def _start(cluster: Cluster, ns: Namespace) -> list[Row]:
    """What needs no cluster, as a share of kubectl's own start, in turns; and pods' names."""
    lines = {
        "--help": "kubectl-nodeport --help",
        "version": "kubectl-nodeport version",
        "completion of verbs": "kubectl-nodeport __complete ''",
    }
    own: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(RUNS):
        own.append(timed(cluster, "kubectl version --client"))
        for name, line in lines.items():
            taken[name].append(timed(cluster, line))
    rows = [
        Row(
            name,
            statistics.median(times) / statistics.median(own),
            2,
            "x kubectl version --client",
            RUNS,
        )
        for name, times in taken.items()
    ]
    asked = f"kubectl-nodeport __complete connect -n {ns} ''"
    pods = statistics.median(timed(cluster, asked) for _ in range(RUNS))
    return [*rows, Row("completion of pods' names", pods, 0.4, "s", RUNS)]


if __name__ == "__main__":
    sys.exit(main())
