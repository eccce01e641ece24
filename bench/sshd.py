"""nodeport-sshd, as connect brings it, against OpenSSH's sshd in the same pod, in turns.

Both serve root, with the same key, shell, folder and environment, through a NodePort each that the
laptop is routed to. ``python -m bench.sshd`` measures this alone.
"""

from __future__ import annotations

import statistics
import sys

from bench import brought
from bench.table import Row, show, timed
from tests.cluster import plugin
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace

RUNS = 5
SENT_MB = 200
SMALL_FILES = 10_000
AT_ONCE = 64
_TIMEOUT_S = 300
_HOSTS = ("ours", "theirs")

# Debian's settings, less PAM, which nothing of ours stands against, and all may come at once.
_SETTINGS = f"UsePAM no\nPasswordAuthentication no\nMaxStartups {AT_ONCE * 2}"

_NINE_TENTHS = 1 / 0.9
"""A rate of at least 0.9 x is a time of at most this."""

_MAKE = f"""\
head -c {SENT_MB}M /dev/urandom >sent && mkdir small && cd small &&
for n in $(seq {SMALL_FILES}); do echo "$n $n $n $n $n $n $n $n" >$n.txt; done
"""
_AT_ONCE = (
    f"[ $(for n in $(seq {AT_ONCE}); do ssh {{}} 'sleep 0.1; echo in' & done | wc -l) = {AT_ONCE} ]"
)
_FIVES = "sent sent sent sent sent"
_SFTP = "sftp -q -b - {} >/dev/null"
_PUT = f"ssh {{}} rm -rf /tmp/small && echo put -R small /tmp/ | {_SFTP}"
_GET = f"rm -rf back && echo get -R /tmp/small back | {_SFTP} && diff -r small back"


def rows(cluster: Cluster, ns: Namespace) -> list[Row]:
    """Logins, bulk both ways, small files; the last row counts what is not as it was sent."""
    former = cluster.profile.name
    cluster.use("lan")
    ns.pod("served", host_keys="own", env={"SSHD_SETTINGS": _SETTINGS})
    connect = f"kubectl nodeport connect served -n {ns}"
    timed(cluster, f"{connect} --host theirs")
    timed(cluster, f"{connect} --with-sshd --port 20022 --name ours --host ours")
    timed(cluster, _MAKE)
    timed(cluster, "scp -q sent theirs:/tmp/sent")
    found = [
        _row(cluster, "login", 1.0, "ssh {} true", RUNS * 3),
        _row(cluster, f"{AT_ONCE} at once", 1.0, _AT_ONCE, 3),
        _row(cluster, "400 MB down", _NINE_TENTHS, "ssh {} cat /tmp/sent /tmp/sent >/dev/null"),
        _row(cluster, "400 MB up", _NINE_TENTHS, "cat sent sent | ssh {} 'cat >/dev/null'"),
        _row(cluster, "1 GB and its checksum", _NINE_TENTHS, _checked_up("{}"), 3),
        Row("nodeport-sshd, GB of 2 not as sent", _lost(cluster), 0, "GB"),
        _row(cluster, f"sftp put, {SMALL_FILES} files", 1 / 0.8, _PUT, 3),
        _row(cluster, f"sftp get, {SMALL_FILES} files", 1 / 0.8, _GET, 3),
    ]
    timed(cluster, "rm -rf sent small back")
    ns.delete_pod("served")
    cluster.use(former)
    return found


def _checked_up(host: str) -> str:
    return f'[ "$(cat {_FIVES} | sha256sum)" = "$(cat {_FIVES} | ssh {host} sha256sum)" ]'


def _lost(cluster: Cluster) -> int:
    """How many of two gigabytes, one up and one down, do not arrive as they were sent."""
    down = (
        f'[ "$(cat {_FIVES} | sha256sum)" = "$(ssh ours \'cd /tmp; cat {_FIVES}\' | sha256sum)" ]'
    )
    lines = (_checked_up("ours"), down)
    runs = (cluster.laptop.run(["bash", "-c", line], timeout_s=_TIMEOUT_S) for line in lines)
    return sum(done.returncode != 0 for done in runs)


def _row(cluster: Cluster, what: str, budget: float, line: str, runs: int = RUNS) -> Row:
    """The median of our times as a share of the median of theirs; each has one run before."""
    lines = [line.replace("{}", host) for host in _HOSTS]
    for each in lines:
        timed(cluster, each, _TIMEOUT_S)
    taken = [[timed(cluster, each, _TIMEOUT_S) for each in lines] for _ in range(runs)]
    ours, theirs = (statistics.median(times) for times in zip(*taken, strict=True))
    print(f"{what}: {ours:.3f} s, OpenSSH {theirs:.3f} s", file=sys.stderr)
    return Row(f"nodeport-sshd, {what}", ours / theirs, budget, "x OpenSSH in the pod", runs)


def main() -> int:
    """Measure on a cluster of its own, print the table; exit 1 where a budget does not hold."""
    tools = plugin.installed()
    with Cluster.start("bench-sshd") as cluster:
        cluster.laptop.path_prepend.append(tools)
        cluster.use("docker-desktop")
        cluster.reset_home()
        with cluster.namespace() as ns:
            measured = [*brought.rows(cluster, ns), *rows(cluster, ns)]
    show(measured)
    return int(any(row.is_over for row in measured))


if __name__ == "__main__":
    sys.exit(main())
