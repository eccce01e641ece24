"""The world of one run, made of plain fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.resolution import (
    Answer,
    Attempt,
    Outcome,
    Proof,
    Resolution,
    Sought,
    Verdict,
)
from kubectl_nodeport.commands.connect import Connected, ConnectRequest, connect
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.edit import Change, Edit
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
class FakeSession:
    """What a container says at first, and then to each question."""

    first: Output
    peers: list[bytes] = field(default_factory=list)
    closed: bool = False

    def ask(self, line: str, *, until: bytes) -> Output:
        assert until == b"end"
        assert not self.closed
        if not line:
            return self.first
        return Output((self.peers.pop(0) if self.peers else b"") + b"end\n", b"", None)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeExec:
    output: bytes = field(default_factory=inside)
    exit_code: int | None = None
    error: Exception | None = None
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)

    def start(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...]
    ) -> FakeSession:
        assert command[:2] == ("sh", "-c")
        self.calls.append((namespace, pod, container))
        if self.error:
            raise self.error
        self.sessions.append(FakeSession(Output(self.output, b"sh: broken", self.exit_code)))
        return self.sessions[-1]


@dataclass
class FakeHosts:
    written: dict[str, HostEntry] = field(default_factory=dict)
    known: dict[str, tuple[HostKey, ...]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    error: BaseException | None = None

    def entries(self) -> tuple[HostEntry, ...]:
        return tuple(self.written.values())

    def declares(self, alias: str) -> bool:
        return alias in self.foreign

    def known_hosts_path(self, alias: str) -> str:
        return f"~/.ssh/kubectl-nodeport/{alias}.known_hosts"

    def put(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        return self.apply(Edit(((entry, tuple(keys)),)))[entry.alias]

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        if self.error:
            raise self.error
        changes: dict[str, Change] = {}
        for entry, keys in edit.wanted:
            before = self.written.get(entry.alias), self.known.get(entry.alias)
            self.written[entry.alias], self.known[entry.alias] = entry, keys
            same = before == (entry, keys)
            changes[entry.alias] = "unchanged" if same else "updated" if before[0] else "created"
        for alias in edit.gone:
            self.known.pop(alias, None)
            if self.written.pop(alias, None):
                changes[alias] = "removed"
        return changes

    def preview(self, edit: Edit) -> str:
        added = [f"+Host {entry.alias} with {len(keys)} key(s)\n" for entry, keys in edit.wanted]
        return "".join([*added, *(f"-Host {alias}\n" for alias in edit.gone)])

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        return self.known.get(alias, ())


@dataclass
class FakeResolve:
    """Answers at the first candidate whose address is in ``open``."""

    open: set[str] = field(default_factory=lambda: {"127.0.0.1", "192.168.5.82"})
    verdict: Verdict = Verdict.REFUSED
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    proof: Proof = Proof.HOST_KEY
    error: BaseException | None = None
    calls: list[tuple[tuple[str, ...], int, float]] = field(default_factory=list)
    seen: Callable[[], None] = lambda: None

    def __call__(self, sought: Sought, timeout_s: float) -> Resolution:
        self.seen()
        if self.error:
            raise self.error
        found = self._first(sought.candidates, sought)
        if found.answer is None:
            known = {candidate.address for candidate in sought.candidates}
            more = {c.address: c for c in sought.more() if c.address not in known}.values()
            found = self._first((*sought.candidates, *more), sought)
        tried = tuple(attempt.candidate.address for attempt in found.attempts)
        self.calls.append((tried, sought.port, timeout_s))
        return found

    def _first(self, candidates: Sequence[Candidate], sought: Sought) -> Resolution:
        attempts: list[Attempt] = []
        for candidate in candidates:
            if candidate.address in self.open:
                answer = Answer(candidate, sought.port, min(sought.known, key=repr), self.proof)
                attempts.append(Attempt(candidate, Outcome(Verdict.ANSWERED, "answered")))
                return Resolution(answer, tuple(attempts))
            verdict = self.verdicts.get(candidate.address, self.verdict)
            attempts.append(Attempt(candidate, Outcome(verdict, verdict.value)))
        return Resolution(None, tuple(attempts))


@dataclass
class FakeTunnel:
    """Leads to an ssh server with the first of the keys."""

    error: NodeportError | None = None
    calls: list[tuple[str, str, int]] = field(default_factory=list)

    def __call__(self, namespace: str, pod: str, port: int, known: frozenset[HostKey]) -> HostKey:
        self.calls.append((namespace, pod, port))
        if self.error:
            raise self.error
        return min(known, key=repr)


@dataclass
class FakeKnock:
    """Answers at the first candidate whose address is in ``open``."""

    open: set[str] = field(default_factory=lambda: {"127.0.0.1"})
    ports: list[int] = field(default_factory=list)

    def __call__(self, sought: Sought, timeout_s: float) -> Resolution:
        assert timeout_s > 0
        self.ports.append(sought.port)
        attempts: list[Attempt] = []
        for candidate in sought.candidates:
            if candidate.address in self.open:
                attempts.append(Attempt(candidate, Outcome(Verdict.ANSWERED, "accepts")))
                answer = Answer(candidate, sought.port, None, Proof.ACCEPTED)
                return Resolution(answer, tuple(attempts))
            attempts.append(Attempt(candidate, Outcome(Verdict.REFUSED, "refused")))
        return Resolution(None, tuple(attempts))


def rule(done: Connected) -> Exposed:
    """The rule by which the pod is reached."""
    assert done.way.exposed is not None
    return done.way.exposed


@dataclass
class World:
    api: FakeApi = field(default_factory=lambda: FakeApi({**make.pod("dev")}, NODE))
    exec: FakeExec = field(default_factory=FakeExec)
    hosts: FakeHosts = field(default_factory=FakeHosts)
    resolve: FakeResolve = field(default_factory=FakeResolve)
    knock: FakeKnock = field(default_factory=FakeKnock)
    tunnel: FakeTunnel = field(default_factory=FakeTunnel)
    beyond_loopback: str | None = None
    secret: bool = False
    answers: list[bool] | None = None
    asked: list[str] = field(default_factory=list)
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
            tunnel=self.tunnel,
            program=self._program,
            beyond_loopback=lambda _port, _towards: self.beyond_loopback,
            confirm=None if self.answers is None else self._confirm,
            notes=self.notes,
            tell=self.said.append,
        )

    def _program(self) -> tuple[str, ...]:
        if self.secret:
            raise NodeportError("no secrets", hint="leave them out")
        return "/opt/kubectl-nodeport", "proxy"

    def _confirm(self, question: str) -> bool:
        assert self.answers is not None
        self.asked.append(question)
        return self.answers.pop(0)

    def connect(self, name: str = "dev", *, user: str | None = None, **asked: object) -> Connected:
        """Run connect, with the log of requests begun anew."""
        self.api.log.clear()
        self.exec.calls.clear()
        self.resolve.calls.clear()
        self.notes.clear()
        request = ConnectRequest(target=Target(name, user), **asked)  # type: ignore[arg-type]
        return connect(request, self.edges)
