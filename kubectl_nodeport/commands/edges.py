"""What the commands need of the world, as they see it. The cli builds the real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.resolution import Resolution, Sought
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.edit import Change, Edit, Whereabouts
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey


class Api(Protocol):
    """The API server of one connection; see kube.client.Api."""

    def send(self, request: Request) -> Json:
        """Send one request and return the object that the server answers with."""


class Session(Protocol):
    """A command that runs in a container; see kube.streams.Session."""

    def ask(self, line: str, *, until: bytes) -> Output:
        """Write a line to it, "" for none, and hear its answer up to a last line."""

    def send(self, data: bytes, *, until: bytes) -> Output:
        """Write bytes to it, and hear its answer up to a last line."""

    def close(self) -> None:
        """Let go of it."""


class Exec(Protocol):
    """Commands in containers; see kube.streams.Exec."""

    def start(self, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Session:
        """Start a command in a container."""


# Finds the candidate that proves to be the pod, within so many seconds; see address.probe.resolve.
Resolve = Callable[[Sought, float], Resolution]

# Reaches a port of a pod through the API server, by the pod's namespace and name, and returns the
# host key that the ssh server there shows, of the type of one of these where it can; raises
# NodeportError where it shows none, ApiError where the API server does not lead there.
Tunnel = Callable[[str, str, int, frozenset[HostKey]], HostKey]

# Finds the candidate at which anything accepts TCP connections, within so many seconds; see
# address.knock.knock.
Knock = Callable[[Sought, float], Resolution]


class Hosts(Protocol):
    """The Host entries of one ssh configuration file; see ssh.config_file.ConfigFile."""

    def entries(self) -> tuple[HostEntry, ...]:
        """Our entries in the file."""

    def readable(self) -> Readable:
        """Our entries as far as they can be read, and why the others cannot."""

    def outdated(self) -> frozenset[str]:
        """The aliases of entries that an earlier version wrote in other words."""

    def declares(self, alias: str) -> bool:
        """Whether the user's own text has a Host of this name."""

    def whereabouts(self) -> Whereabouts:
        """The file in which entries stand, or will after the next write."""

    def known_hosts_path(self, alias: str) -> str:
        """The known_hosts file of an entry, as it stands in the entry."""

    def put(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        """Write the entry and its host keys: "created", "updated" or "unchanged"."""

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        """Write and remove entries, all of it or nothing; what became of each alias."""

    def preview(self, edit: Edit) -> str:
        """The change as a unified diff, "" for none; nothing is written."""

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        """The host keys that are written for the alias."""

    def server_seed(self, alias: str) -> bytes:
        """The seed of the host key that is given to a server brought along, made where there is
        none; it goes with the entry.
        """

    def forget_server_seed(self, alias: str) -> None:
        """Remove it, where no entry was written after all."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A public key that ssh would offer, and where it is, for people to read."""

    key: HostKey
    where: str


@dataclass(frozen=True, slots=True)
class Offers:
    """The keys that ssh would offer; ``has_others``: and some whose public half is not known."""

    keys: tuple[Offered, ...] = ()
    has_others: bool = False


# The keys that ssh would offer to an alias, or that of one private key's file alone.
Offer = Callable[[str, str | None], Offers]


class OwnIdentity(Protocol):
    """The private key that is made for hosts of ours where there is none; see ssh.own_identity."""

    @property
    def path(self) -> str:
        """Where it is, or would be."""

    @property
    def is_there(self) -> bool:
        """Whether it was made already."""

    def make(self) -> None:
        """Have ssh-keygen make it, which asks for a passphrase; raises NodeportError."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an entry keeps of how the cluster was asked; see ssh.origin.Origin."""

    flags: tuple[tuple[str, str], ...] = ()
    plugin_folder: str = ""


# While its context lasts, something is waited for, which is told where it takes its time.
Step = Callable[[str], AbstractContextManager[object]]


def _no_program(architecture: str) -> bytes:
    raise NodeportError(
        f"this installation has no ssh server for {architecture} to bring along",
        hint="in a checkout: make sshd",
    )


def _no_offer(_alias: str, _identity: str | None) -> Offers:
    return Offers()


def _no_public_key(file: str) -> HostKey:
    raise NodeportError(f"{file} cannot be read", hint="name another")


def _as_it_is(command: str) -> str:
    return command


def _nobody(_port: int, _towards: Sequence[str]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Edges:
    """The world of one run.

    :ivar program: the words that start this program's tunnel, before the alias, as an entry needs
        them; raises NodeportError where a secret was given, which no entry may hold.
    :ivar kept: what an entry keeps of the connection's flags; found out where one is written.
    :ivar beyond_loopback: this machine's address on its network, if something there holds the port;
        it is the one from which the internet, or else one of these addresses, would be reached.
    :ivar sshd: the ssh server that is brought along for a processor, packed by gzip; raises
        NodeportError where there is none.
    :ivar offered: which keys ssh would offer.
    :ivar public_key: the one public key of a file; raises NodeportError where it holds another.
    :ivar own_identity: the private key of our own hosts; None where none can be made.
    :ivar again: a connect command, with the flags by which this run asks its cluster and names its
        ssh configuration.
    :ivar choose: lets a person choose one of several; None where there is none.
    :ivar confirm: asks a person a question that is answered by yes or no; None where there is none.
    :ivar notes: collects what is worth telling and is no error, for the end of the run.
    :ivar tell: says at once what has to be known before something is done.
    :ivar step: tells what is waited for.
    """

    connection: Connection
    api: Api
    exec: Exec
    resolve: Resolve
    knock: Knock
    hosts: Hosts
    local: LocalFacts
    tunnel: Tunnel
    program: Callable[[], tuple[str, ...]]
    kept: Callable[[], Kept] = Kept
    beyond_loopback: Callable[[int, Sequence[str]], str | None] = _nobody
    sshd: Callable[[str], bytes] = _no_program
    offered: Offer = _no_offer
    public_key: Callable[[str], HostKey] = _no_public_key
    own_identity: OwnIdentity | None = None
    again: Callable[[str], str] = _as_it_is
    choose: Callable[[str, Sequence[str]], int] | None = None
    confirm: Callable[[str], bool] | None = None
    notes: list[str] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _line: None
    step: Step = nullcontext
