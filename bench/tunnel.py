"""The tunnel against ``kubectl port-forward`` by hand, and a NodePort against the pod's IP.

By hand is a ProxyCommand that starts ``kubectl port-forward`` and joins standard input and output
to the port it prints, by socat. Both sides go through the same ssh to the same sshd, in turns.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from bench.table import Row, timed
from tests.cluster.cluster import Cluster
from tests.cluster.families import IPV4
from tests.cluster.namespace import Namespace, Pod
from tests.cluster.tunnel_entry import make_tunnel

RUNS = 5
SIZE_MB = 200
SESSIONS = 16

_SPLICE = """\
#!/bin/bash
exec 3< <(exec kubectl port-forward -n "$1" "pod/$2" :22 2>/dev/null)
forward=$!
read -r -u 3 line
port=${line#*127.0.0.1:}
socat - "TCP:127.0.0.1:${port%% *}"
kill $forward
"""
_BY_HAND = "x time spliced"


def rows(cluster: Cluster, ns: Namespace) -> list[Row]:
    """Throughput, logins, many sessions, and a gigabyte's checksum."""
    pod = ns.pod("far")
    ours = _connected(cluster, ns)
    port = _node_port(cluster, ours)
    make_tunnel(cluster.laptop, ours)
    theirs = _spliced(cluster, ns, ours)
    timed(cluster, f"head -c {SIZE_MB}M /dev/urandom >sent && scp -q sent {ours}:/tmp/sent")
    found = [
        _compared("tunnel, down", cluster, (ours, theirs), "ssh {} cat /tmp/sent >/dev/null", 1.1),
        _compared("tunnel, up", cluster, (ours, theirs), "ssh {} 'cat >/dev/null' <sent", 1.0),
        _compared("tunnel, login", cluster, (ours, theirs), "ssh {} true", 1.0, of_bytes=False),
        _compared("tunnel, 16 at once", cluster, (ours, theirs), _at_once(), 1.1, of_bytes=False),
        Row("tunnel, bytes lost of 1 GB", _lost(cluster, ours), 0, "GB"),
        _direct(cluster, ours, pod, port),
    ]
    timed(cluster, "rm sent")
    return found


def _connected(cluster: Cluster, ns: Namespace) -> str:
    done = cluster.laptop.run(
        ["kubectl", "nodeport", "connect", "far", "-n", str(ns), "-o", "name"], check=True
    )
    return done.stdout.strip().removeprefix("host/")


def _node_port(cluster: Cluster, alias: str) -> str:
    told = cluster.laptop.run(["ssh", "-G", alias], check=True).stdout.splitlines()
    return next(line.partition(" ")[2] for line in told if line.startswith("port "))


def _spliced(cluster: Cluster, ns: Namespace, ours: str) -> str:
    """A host of the user's own that does it by hand, with the keys of ours."""
    laptop = cluster.laptop
    script = laptop.write(laptop.home / "splice", _SPLICE)
    (laptop.home / "splice").chmod(0o700)
    config = laptop.home / ".ssh" / "config"
    known = f"~/.ssh/kubectl-nodeport/{ours}.known_hosts"
    options = f"User root\n HostKeyAlias {ours}\n UserKnownHostsFile {known}\n"
    with config.open("a") as file:
        file.write(f"Host spliced\n {options} ProxyCommand {script} {ns} far\n")
    return "spliced"


def _at_once() -> str:
    """So many sessions that stand at the same time; sshd lets ten at once be on their way in."""
    return (
        f'pids=; for n in $(seq {SESSIONS}); do ssh {{}} sleep 6 & pids="$pids $!"; sleep 0.3; '
        "done; for pid in $pids; do wait $pid || exit; done"
    )


def _compared(
    what: str,
    cluster: Cluster,
    hosts: tuple[str, str],
    line: str,
    budget: float,
    *,
    of_bytes: bool = True,
) -> Row:
    """Our time as a share of theirs. ``budget`` is of throughput where it is ``of_bytes``."""
    ours, theirs = _in_turns(cluster, [line.format(host) for host in hosts])
    speeds = f"; {SIZE_MB / ours:.0f} MB/s and {SIZE_MB / theirs:.0f} MB/s" if of_bytes else ""
    print(f"{what}: {ours:.2f} s, spliced {theirs:.2f} s{speeds}", file=sys.stderr)
    limit = round(1 / budget, 2) if of_bytes else budget
    return Row(what, ours / theirs, limit, _BY_HAND, RUNS)


def _in_turns(cluster: Cluster, lines: Sequence[str]) -> list[float]:
    """The medians of the seconds that these lines take, each run once before."""
    for line in lines:
        timed(cluster, line)
    taken = [[timed(cluster, line) for line in lines] for _ in range(RUNS)]
    return [statistics.median(times) for times in zip(*taken, strict=True)]


def _lost(cluster: Cluster, ours: str) -> int:
    """1 if a gigabyte does not arrive as it was sent, in one session each way."""
    fives = "sent sent sent sent sent"
    line = (
        f"a=$(cat {fives} | sha256sum); b=$(ssh {ours} 'cd /tmp; cat {fives}' | sha256sum); "
        f'c=$(cat {fives} | ssh {ours} sha256sum); [ "$a" = "$b" ] && [ "$a" = "$c" ]'
    )
    return int(cluster.laptop.run(["bash", "-c", line], timeout_s=300).returncode != 0)


def _direct(cluster: Cluster, ours: str, pod: Pod, port: str) -> Row:
    """A NodePort on the LAN as a share of the pod's own address, which the laptop is routed to."""
    cluster.use("lan")
    cluster.laptop.run(
        ["ip", "route", "replace", f"{pod.ip}/32", "via", IPV4.cable_node], check=True
    )
    known = f"~/.ssh/kubectl-nodeport/{ours}.known_hosts"
    keys = f"-o HostKeyAlias={ours} -o UserKnownHostsFile={known}"
    lines = [
        f"ssh {keys} -p {number} root@{address} cat /tmp/sent >/dev/null"
        for address, number in ((IPV4.node, port), (pod.ip, "22"))
    ]
    through, direct = _in_turns(cluster, lines)
    print(f"NodePort: {through:.2f} s, the pod's IP {direct:.2f} s", file=sys.stderr)
    cluster.use("docker-desktop")
    return Row("NodePort, down", through / direct, 1.05, "x time to the pod's IP", RUNS)
