"""The world of one run, made of plain fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.resolution import Answer, Attempt, Outcome, Resolution, Verdict
from kubectl_nodeport.commands.connect import Connected, ConnectRequest, connect
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.streams import Finished
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.commands.fake_api import FakeApi
from tests.kube import make
from tests.ssh.make import key

NODE: Json = {
    "kind": "Node",
    "metadata": {"name": "node-1"},
    "spec": {},
    "status": {
        "addresses": [{"type": "InternalIP", "address": "192.168.5.82"}],
        "nodeInfo": {"osImage": "Docker Desktop"},
    },
}


def inside(*keys: HostKey, user: str = "root", port: int = 22, loopback: bool = False) -> bytes:
    """What the script in the container prints."""
    lines = [f"user {user}", "home /root", *(f"hostkey {k.openssh}" for k in keys or (key(1),))]
    lines += ["table /proc/net/tcp", f"listen {'0100007F' if loopback else '00000000'}:{port:04X}"]
    return "\n".join([*lines, "end", ""]).encode()


@dataclass
class FakeExec:
    output: bytes = field(default_factory=inside)
    exit_code: int = 0
    error: Exception | None = None
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def run(self, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Finished:
        assert command[:2] == ("sh", "-c")
        self.calls.append((namespace, pod, container))
        if self.error:
            raise self.error
        return Finished(self.output, b"sh: broken", self.exit_code)


@dataclass
class FakeHosts:
    written: dict[str, HostEntry] = field(default_factory=dict)
    keys: dict[str, tuple[HostKey, ...]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    error: BaseException | None = None

    def entries(self) -> tuple[HostEntry, ...]:
        return tuple(self.written.values())

    def declares(self, alias: str) -> bool:
        return alias in self.foreign

    def known_hosts_path(self, alias: str) -> str:
        return f"~/.ssh/kubectl-nodeport/{alias}.known_hosts"

    def put(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        if self.error:
            raise self.error
        before = self.written.get(entry.alias), self.keys.get(entry.alias)
        self.written[entry.alias], self.keys[entry.alias] = entry, tuple(keys)
        if before == (entry, tuple(keys)):
            return "unchanged"
        return "updated" if before[0] else "created"

    def preview(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        return f"+Host {entry.alias} with {len(keys)} key(s)\n"


@dataclass
class FakeResolve:
    """Answers at the first candidate whose address is in ``open``."""

    open: set[str] = field(default_factory=lambda: {"127.0.0.1", "192.168.5.82"})
    verdict: Verdict = Verdict.REFUSED
    error: BaseException | None = None
    calls: list[tuple[tuple[str, ...], int, float]] = field(default_factory=list)
    seen: Callable[[], None] = lambda: None

    def __call__(
        self, candidates: Sequence[Candidate], port: int, known: Collection[HostKey], timeout: float
    ) -> Resolution:
        addresses = tuple(candidate.address for candidate in candidates)
        self.calls.append((addresses, port, timeout))
        self.seen()
        if self.error:
            raise self.error
        attempts: list[Attempt] = []
        for candidate in candidates:
            if candidate.address in self.open:
                found = Answer(candidate, port, next(iter(known)))
                return Resolution(found, tuple(attempts))
            outcome = Outcome(self.verdict, self.verdict.value)
            attempts.append(Attempt(candidate, outcome))
        return Resolution(None, tuple(attempts))


@dataclass
class FakeKnock:
    """Answers at the first candidate whose address is in ``open``."""

    open: set[str] = field(default_factory=lambda: {"127.0.0.1"})
    ports: list[int] = field(default_factory=list)

    def __call__(
        self, candidates: Sequence[Candidate], port: int, timeout_s: float
    ) -> Candidate | None:
        assert timeout_s > 0
        self.ports.append(port)
        return next((found for found in candidates if found.address in self.open), None)


@dataclass
class World:
    api: FakeApi = field(default_factory=lambda: FakeApi({**make.pod("dev")}, NODE))
    exec: FakeExec = field(default_factory=FakeExec)
    hosts: FakeHosts = field(default_factory=FakeHosts)
    resolve: FakeResolve = field(default_factory=FakeResolve)
    knock: FakeKnock = field(default_factory=FakeKnock)
    connection: Connection = field(
        default_factory=lambda: make.connection(context="docker-desktop")
    )
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def edges(self) -> Edges:
        return Edges(
            connection=self.connection,
            api=self.api,
            exec=self.exec,
            resolve=self.resolve,
            knock=self.knock,
            hosts=self.hosts,
            local=LocalFacts("linux"),
            notes=self.notes,
            tell=self.said.append,
        )

    def connect(self, name: str = "dev", *, user: str | None = None, **asked: object) -> Connected:
        """Run connect, with the log of requests begun anew."""
        self.api.log.clear()
        self.exec.calls.clear()
        self.resolve.calls.clear()
        self.notes.clear()
        request = ConnectRequest(target=Target(name, user), **asked)  # type: ignore[arg-type]
        return connect(request, self.edges)
