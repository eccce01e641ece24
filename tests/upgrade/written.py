"""What the version before there was a format on Services has written, and a world to use it in.

`format_1/` was written by commit f51dc9f: `connect` and `expose svc/mysql` on the fake API server,
with the real ssh configuration of a user whose home is /home/me. `config` is that file with the
entries in our block, `kubectl-nodeport/` what stood beside it, `objects.json` the API server's
objects; `own/` is the same with `--include`, of another run. It is never written anew.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from kubectl_nodeport.commands.edges import Edges, Kept
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.layout import Files
from kubectl_nodeport.ssh.location import Location
from tests.commands.fake_api import FakeApi
from tests.commands.test_login_key import MINE, OTHER, told
from tests.commands.test_with_sshd import WITHOUT_KEYS
from tests.commands.world import FakeExec, FakeSession, FakeSshd, FakeTunnel, World
from tests.kube import make
from tests.ssh.make import key

FOLDER = Path(__file__).parent / "format_1"
CONFIG = (FOLDER / "config").read_text()
SUFFIX = ".default.docker-desktop"
PODS = ("shared", "dev", "far", "bare", "deployment-api", "web-0")
"""What stands before SUFFIX in the aliases, in the order of the file."""
OWN_LINES = """\
# my own
Host bastion
  HostName 192.0.2.7

Host *.default.docker-desktop
  RemoteCommand tmux
  ProxyJump bastion
"""
SERVER_KEY = key(44)
KEPT_OF_API = Kept((("as_", "jane"), ("as_group", "a"), ("as_group", "b")), "/opt/cloud sdk/bin")


def objects() -> list[Json]:
    found: list[Json] = json.loads((FOLDER / "objects.json").read_text())
    return found


def own_files() -> Files:
    """The two files where the entries stand in one of our own."""
    own = FOLDER / "own/kubectl-nodeport/config"
    config = (FOLDER / "own/config").read_text()
    return Files("config", config, "own", own.read_text())


class AtHome(ConfigFile):
    """The files in a folder of the test's, their entries as in a home folder."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(FOLDER / "config", folder)
        shutil.copytree(FOLDER / "kubectl-nodeport", folder / "kubectl-nodeport")
        (folder / f"kubectl-nodeport/bare{SUFFIX}.host_key").chmod(0o600)
        super().__init__(folder / "config")
        self._location = _Home(self.path, is_default=False)

    @property
    def text(self) -> str:
        return self.path.read_text()


class _Home(Location):
    def known_hosts_path(self, alias: str) -> str:
        return f"~/.ssh/kubectl-nodeport/{alias}.known_hosts"


@dataclass
class Containers(FakeExec):
    """An OpenSSH in each pod; in bare the server that was brought, in web-0 one that tells keys."""

    sshd: FakeSshd = field(
        default_factory=lambda: FakeSshd(
            port=20022, has_program=True, key=SERVER_KEY, keys=[key(50).openssh]
        )
    )

    def start(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...]
    ) -> FakeSession | FakeSshd:
        said = {"bare": WITHOUT_KEYS, "web-0": told(OTHER, MINE)}
        self.output = said.get(pod, FakeExec().output)
        found = super().start(namespace, pod, container, command)
        assert isinstance(found, (FakeSession, FakeSshd))
        return found


@dataclass
class Tunnels(FakeTunnel):
    def __call__(self, namespace: str, pod: str, port: int, known: frozenset[HostKey]) -> HostKey:
        found = super().__call__(namespace, pod, port, known)
        return SERVER_KEY if pod == "bare" else found


@dataclass
class Written(World):
    """The world in which all this was written, with today's program."""

    kept: Kept = field(default_factory=Kept)
    """Flags of this run, which an entry keeps."""

    @property
    def edges(self) -> Edges:
        return replace(super().edges, kept=lambda: self.kept)


def written(folder: Path) -> Written:
    """The files in this folder, the objects on an API server of their own."""
    return Written(
        hosts=AtHome(folder),  # type: ignore[arg-type]
        api=FakeApi(*objects()),
        exec=Containers(),
        tunnel=Tunnels(),
        connection=make.connection(
            context="docker-desktop", cluster={"certificate-authority-data": "LS0t"}
        ),
    )
