"""What is seen of an ssh server that connect has brought into a container."""

from __future__ import annotations

from typing import Any

from kubectl_nodeport.container.bring import folder_name
from tests.cluster.process import ClusterError
from tests.e2e.conftest import Desk

# Programs by what they run, not by their words: those of the script that looks would be among them.
_LOOK = """
for exe in /proc/[0-9]*/exe; do
  case $(readlink "$exe" 2>/dev/null) in *nodeport-sshd*) echo "process $exe" ;; esac
done
find / -path /proc -prune -o -path /sys -prune -o -print 2>/dev/null | sort
"""


def inside(desk: Desk, *command: str, stdin: str | None = None, container: str = "main") -> str:
    """What a command prints in the container of the pod dev."""
    into = ("exec", "-i", "-n", desk.ns.name, "dev", "-c", container)
    return desk.cluster.kubectl(*into, "--", *command, stdin=stdin or "")


def inventory(desk: Desk, container: str = "main") -> list[str]:
    """Every file in the container, and the processes of servers of ours."""
    return inside(desk, "sh", "-c", _LOOK, container=container).splitlines()


def servers(desk: Desk, container: str = "main") -> list[str]:
    """The processes and the folders of servers of ours."""
    found = inventory(desk, container)
    folders = [line for line in found if line.rpartition("/")[2].startswith("nodeport-sshd-")]
    return [line for line in found if line.startswith("process")] + folders


def folder(desk: Desk, place: str = "/tmp", container: str = "main") -> str:
    """Where the server's state is, if it is in this place."""
    return f"{place}/{folder_name(container, desk.ns.get_pod('dev').uid)}"


def answers(desk: Desk, port: int) -> bool:
    """Whether the pod's own address takes a connection there, seen from its node."""
    ip = desk.ns.get_pod("dev").ip
    try:
        desk.cluster.run_in_node(["timeout", "5", "bash", "-c", f": </dev/tcp/{ip}/{port}"])
    except ClusterError as error:
        if "Connection refused" not in str(error):
            raise
        return False
    return True


def told(done: dict[str, Any]) -> str:
    """The notes."""
    return "\n".join(done["notes"])


def disconnected(desk: Desk, *words: str) -> str:
    """Disconnect, which has to work without a complaint; its stdout."""
    done = desk.nodeport("disconnect", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
