"""What the commands need of the world, as they see it. The cli builds the real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.resolution import Resolution
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.streams import Finished
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey


class Api(Protocol):
    """The API server of one connection; see kube.client.Api."""

    def send(self, request: Request) -> Json:
        """Send one request and return the object that the server answers with."""


class Exec(Protocol):
    """Commands in containers; see kube.streams.Exec."""

    def run(self, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Finished:
        """Run a command in a container and wait for its end."""


# Finds the candidate that answers on a port with one of the keys, within so many seconds; see
# address.probe.resolve.
Resolve = Callable[[Sequence[Candidate], int, Collection[HostKey], float], Resolution]


# Finds the candidate at which anything accepts TCP connections on a port, within so many seconds;
# see address.knock.knock.
Knock = Callable[[Sequence[Candidate], int, float], Candidate | None]


class Hosts(Protocol):
    """The Host entries of one ssh configuration file; see ssh.config_file.ConfigFile."""

    def entries(self) -> tuple[HostEntry, ...]:
        """Our entries in the file."""

    def declares(self, alias: str) -> bool:
        """Whether the user's own text has a Host of this name."""

    def known_hosts_path(self, alias: str) -> str:
        """The known_hosts file of an entry, as it stands in the entry."""

    def put(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        """Write the entry and its host keys: "created", "updated" or "unchanged"."""

    def preview(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        """The change as a unified diff; nothing is written."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The world of one run.

    ``notes`` collects what is worth telling and is no error, for the end of the run; ``tell`` says
    at once what has to be known before something is done.
    """

    connection: Connection
    api: Api
    exec: Exec
    resolve: Resolve
    knock: Knock
    hosts: Hosts
    local: LocalFacts
    notes: list[str] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _line: None
