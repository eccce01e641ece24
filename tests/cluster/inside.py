"""A client inside the cluster: the plugin and kubectl as they would run in a pod."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.laptop import Laptop
from tests.cluster.namespace import Namespace
from tests.cluster.namespaces import entering
from tests.cluster.process import ClusterError

_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"  # /var/run is a link to /run
_SCRIPT = f"""\
mount -t tmpfs -o mode=755 none /run
mkdir -p {_ACCOUNT}
mount --bind "$1" {_ACCOUNT}
mkdir -p ~/.kube
mount -t tmpfs none ~/.kube
cd
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Inside:
    """Runs programs in a pod's network, under its host name, as its service account.

    All else is the laptop's: its files with Python, kubectl and ssh, and its home, though without
    ~/.kube. A pod whose image had all that would see the same network and the same account.
    """

    _laptop: Laptop
    _process: int
    _account: Path
    _variables: Mapping[str, str]

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; raises ClusterError after timeout_s."""
        spaces = [f"--{kind}=/proc/{self._process}/ns/{kind}" for kind in ("net", "uts")]
        *enter, end_of_options = entering(self._laptop.process, "mount")
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        shell = ["sh", "-ec", _SCRIPT, "sh", str(self._account)]
        try:
            return subprocess.run(
                [*enter, *spaces, end_of_options, *own, *shell, *argv],
                env=self._laptop.environment({**self._variables, **(env or {})}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{argv}: no end after {timeout_s:.0f} s") from error


@contextmanager
def inside(
    laptop: Laptop, state: Path, namespace: Namespace, pod: str, token: str
) -> Iterator[Inside]:
    """A client in a running pod, with a service account's token where pods have it."""
    status = namespace.api.get(f"{namespace.path}/pods/{pod}")["status"]
    container = status["containerStatuses"][0]["containerID"].rpartition("/")[2]
    kubernetes = namespace.api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
    variables = {
        "KUBERNETES_SERVICE_HOST": kubernetes["clusterIP"],
        "KUBERNETES_SERVICE_PORT": str(kubernetes["ports"][0]["port"]),
    }
    account = state / f"account-{secrets.token_hex(4)}"
    account.mkdir(mode=0o700)
    try:
        shutil.copy(state / "pki" / "ca.crt", account)
        (account / "token").write_text(token)
        (account / "namespace").write_text(namespace.name)
        yield Inside(laptop, _process_of(container), account, variables)
    finally:
        shutil.rmtree(account)


def _process_of(container: str) -> int:
    """A process of a container: its cgroup bears the container's name."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and container in (entry / "cgroup").read_text():
                return int(entry.name)
        except OSError:
            continue  # it has just ended
    raise ClusterError(f"container {container} has no process")
