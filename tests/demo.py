"""``make demo``: a cluster in Docker Desktop's shape, connect, ssh and scp, and all down again."""

from __future__ import annotations

import shlex
import sys
import time

from tests.cluster import plugin
from tests.cluster.cluster import Cluster
from tests.cluster.process import ClusterError


def main() -> int:
    """Run the demo; 0 if every step worked."""
    began = time.monotonic()
    try:
        with Cluster.start("demo") as cluster:
            cluster.laptop.path_prepend.append(plugin.installed())
            cluster.use("docker-desktop")
            cluster.reset_home()
            play(cluster)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\nAll taken down again, {time.monotonic() - began:.0f} s after the start.")
    return 0


def play(cluster: Cluster) -> None:
    """Every step; raises ClusterError where one does not show what it should."""
    cluster.default_namespace().pod("dev")
    alias = "dev.default.docker-desktop"
    _type(cluster, "kubectl get nodes -o wide")
    _type(cluster, "kubectl get pods")
    _type(cluster, "kubectl nodeport connect dev")
    _type(cluster, "cat .ssh/config")
    _expect("dev", _type(cluster, f"ssh {alias} hostname"))
    (cluster.laptop.home / "letter.txt").write_text("written on the laptop\n")
    _type(cluster, f"scp letter.txt {alias}:/tmp/letter.txt")
    _expect("written on the laptop", _type(cluster, f"ssh {alias} cat /tmp/letter.txt"))
    _expect("nothing changed", _type(cluster, "kubectl nodeport connect dev"))


def _type(cluster: Cluster, line: str) -> str:
    """Run a line as if typed on the laptop, and show it with what it prints."""
    print(f"\n$ {line}", flush=True)
    done = cluster.laptop.run(shlex.split(line))
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode:
        raise ClusterError(f"{line}: exit {done.returncode}")
    return done.stdout


def _expect(text: str, output: str) -> None:
    if text not in output:
        raise ClusterError(f"this should have said: {text}")


if __name__ == "__main__":
    sys.exit(main())
