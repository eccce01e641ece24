"""The world of one run, made of plain fakes."""

from __future__ import annotations

import gzip
import json
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
from kubectl_nodeport.commands.edges import Edges, Offered, Offers
from kubectl_nodeport.container import examining, script
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.edit import Change, Edit, Whereabouts
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
    lines = [f"user {user}", "folder /srv", "home /root"]
    lines += [f"hostkey {k.openssh}" for k in keys or (key(1),)]
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
        if line in (examining.SCRIPT, script.MORE):
            return self.first
        return Output((self.peers.pop(0) if self.peers else b"") + b"end\n", b"", None)

    def send(self, data: bytes, *, until: bytes) -> Output:
        raise AssertionError(f"nothing is to be sent: {data!r} until {until!r}")

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeSshd:
    """A container in which the script of container.bring runs, and the server that it starts."""

    port: int | None = None
    """Where the server listens; None where none runs."""
    listen: str = ""
    version: str = "0.1.0"
    key: HostKey | None = None
    """The host key of the folder, which stays."""
    keys: list[str] = field(default_factory=list)
    has_program: bool = False
    machine: str = "x86_64"
    gzip: bool = True
    others: tuple[int, ...] = ()
    """Ports that somebody else listens on."""
    says: list[str] = field(default_factory=list)
    """What else the container tells at first."""
    refuses: str = ""
    error: Exception | None = None
    removing: Callable[[], None] = lambda: None
    """Is called before a key is taken out."""
    made: bool = False
    """Whether its folder was made, and nothing was started in it yet."""
    sent: list[bytes] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    closed: bool = False

    def ask(self, line: str, *, until: bytes) -> Output:
        assert (line, until) == ("", b"end")
        if self.error:
            raise self.error
        self.closed = False
        lines = [f"machine {self.machine}", "user dev", "uid 1000", *(["gzip"] * self.gzip)]
        lines += self.says
        if self.has_program:
            lines.append(f"program {json.dumps({'version': self.version})}")
            lines.append(f"status {self._answer('stopped' if self.port is None else 'running')}")
        lines += ["table /proc/net/tcp", *(f"listen 00000000:{p:04X}" for p in self.listening)]
        return self._said(*lines)

    @property
    def listening(self) -> tuple[int, ...]:
        return (*self.others, *([] if self.port is None else [self.port]))

    def send(self, data: bytes, *, until: bytes) -> Output:
        assert until == b"end"
        assert not self.closed
        line, _, rest = data.partition(b"\n")
        word, *numbers = line.split()
        if word == b"put":
            assert numbers == [str(len(rest)).encode(), b"gzip" if self.gzip else b"raw"]
            self.sent.append(rest)
            self.made = self.made or not self.has_program
            self.has_program = True
            return self._said("put")
        if word == b"start":
            return self._started(json.loads(rest))
        assert word == b"remove"
        self.removing()
        gone = rest.decode().strip()
        self.keys = [one for one in self.keys if one != gone]
        if not self.keys:
            self.port, self.has_program, self.key = None, False, None
        return self._said(self._answer("running" if self.keys else "absent"))

    def _started(self, asked: dict[str, object]) -> Output:
        self.asked.append(asked)
        if self.refuses:
            self.has_program = self.has_program and not self.made
            return self._said(json.dumps({"error": {"code": "port", "message": self.refuses}}))
        self.made = False
        state = "started" if self.port is None else "running"
        if state == "running" and asked.get("replace") == "always":
            state = "replaced"
        lines = asked["authorized_keys"]
        assert isinstance(lines, list)
        self.keys += [line for line in lines if line not in self.keys]
        if state != "running":
            assert isinstance(asked["port"], int)
            self.port = self.port or asked["port"]
            self.listen = str(asked.get("listen", ""))
            self.key = self.key or key(len(str(asked["host_key"])))
        return self._said(self._answer(state))

    def _answer(self, state: str) -> str:
        server = {
            "port": self.port,
            "listen": self.listen,
            "version": self.version,
            "host_key": self.key.openssh if self.key else "",
            "user": "dev",
            "home": "/home/dev",
        }
        answer = {"state": state, "keys": [{"line": line} for line in self.keys]}
        return json.dumps(answer | ({} if self.port is None else {"server": server}))

    def _said(self, *lines: str) -> Output:
        return Output("\n".join([*lines, "end", ""]).encode(), b"", None)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeAuthorize:
    """A container in which the script of container.authorize runs."""

    answer: str = "added"
    lines: list[str] = field(default_factory=list)
    closed: bool = False

    def ask(self, line: str, *, until: bytes) -> Output:
        raise AssertionError(f"nothing is to be asked: {line} until {until!r}")

    def send(self, data: bytes, *, until: bytes) -> Output:
        assert until == b"end"
        self.lines.append(data.decode())
        return Output(f"{self.answer}\nend\n".encode(), b"", 0)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeIdentity:
    """The private key of hosts of ours."""

    path: str = "/home/me/.ssh/kubectl-nodeport/id_ed25519"
    is_there: bool = False
    key: HostKey = field(default_factory=lambda: key(60))

    def make(self) -> None:
        assert not self.is_there
        self.is_there = True


@dataclass
class FakeExec:
    output: bytes = field(default_factory=inside)
    exit_code: int | None = None
    error: Exception | None = None
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)
    sshd: FakeSshd = field(default_factory=FakeSshd)
    beside: dict[str, FakeSshd] = field(default_factory=dict)
    """The same of other containers, by name."""
    visits: list[str] = field(default_factory=list)
    """Folders that the script of container.bring was given."""
    authorize: FakeAuthorize = field(default_factory=FakeAuthorize)
    authorized: list[tuple[str, ...]] = field(default_factory=list)
    """Users and files that the script of container.authorize was given."""

    def start(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...]
    ) -> FakeSession | FakeSshd | FakeAuthorize:
        assert command[:2] == ("sh", "-c")
        if "nodeport-sshd" in command[2]:
            if self.error:
                raise self.error
            self.visits.append(command[4])
            return self.beside.get(container, self.sshd)
        if ".nodeport-$$" in command[2]:
            self.authorized.append(command[4:])
            return self.authorize
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
    seeds: set[str] = field(default_factory=set)
    lies: Whereabouts = field(default_factory=Whereabouts)
    refused: dict[str, NodeportError] = field(default_factory=dict)
    """Entries that cannot be read, and why."""
    old: set[str] = field(default_factory=set)
    """Entries that an earlier version wrote in other words."""
    error: BaseException | None = None

    def entries(self) -> tuple[HostEntry, ...]:
        for error in self.refused.values():
            raise error
        return tuple(self.written.values())

    def readable(self) -> Readable:
        return Readable(tuple(self.written.values()), self.refused)

    def outdated(self) -> frozenset[str]:
        return frozenset(self.old)

    def declares(self, alias: str) -> bool:
        return alias in self.foreign

    def whereabouts(self) -> Whereabouts:
        return self.lies

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
            same = same and entry.alias not in self.old
            self.old.discard(entry.alias)
            changes[entry.alias] = "unchanged" if same else "updated" if before[0] else "created"
        for alias in edit.gone:
            self.known.pop(alias, None)
            if self.written.pop(alias, None):
                changes[alias] = "removed"
        return changes

    def preview(self, edit: Edit) -> str:
        added = [
            f"+Host {entry.alias} with {len(keys)} key(s)\n"
            for entry, keys in edit.wanted
            if (entry, keys) != (self.written.get(entry.alias), self.known.get(entry.alias))
        ]
        return "".join([*added, *(f"-Host {alias}\n" for alias in edit.gone)])

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        return self.known.get(alias, ())

    def server_seed(self, alias: str) -> bytes:
        self.seeds.add(alias)
        return alias.encode().ljust(32)[:32]

    def forget_server_seed(self, alias: str) -> None:
        self.seeds.remove(alias)


@dataclass
class FakeResolve:
    """Answers at the first candidate whose address is in ``open``."""

    open: set[str] = field(default_factory=lambda: {"127.0.0.1", "192.168.5.82"})
    verdict: Verdict = Verdict.REFUSED
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    proof: Proof = Proof.HOST_KEY
    shown: HostKey | None = None
    """The host key of what answers; one that is known if None."""
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
            shown = self.shown or min(sought.known, key=repr, default=key(1))
            is_right = shown in sought.known or sought.takes_any
            if candidate.address in self.open and is_right:
                proof = Proof.UNVOUCHED_KEY if sought.takes_any else self.proof
                answer = Answer(candidate, sought.port, shown, proof)
                attempts.append(Attempt(candidate, Outcome(Verdict.ANSWERED, "answered")))
                return Resolution(answer, tuple(attempts))
            if candidate.address in self.open:
                other = Outcome(Verdict.OTHER_KEY, "another", shown.fingerprint)
                attempts.append(Attempt(candidate, other))
                continue
            verdict = self.verdicts.get(candidate.address, self.verdict)
            attempts.append(Attempt(candidate, Outcome(verdict, verdict.value)))
        return Resolution(None, tuple(attempts))


@dataclass
class FakeTunnel:
    """Leads to an ssh server with this key, else with the first of those that are known."""

    key: HostKey | None = None
    error: NodeportError | None = None
    calls: list[tuple[str, str, int]] = field(default_factory=list)

    def __call__(self, namespace: str, pod: str, port: int, known: frozenset[HostKey]) -> HostKey:
        self.calls.append((namespace, pod, port))
        if self.error:
            raise self.error
        return self.key or min(known, key=repr, default=key(1))


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
    choices: list[int] | None = None
    offered: list[Offered] = field(default_factory=lambda: [Offered(key(50), "~/.ssh/id")])
    has_others: bool = False
    files: dict[str, HostKey] = field(default_factory=dict)
    own_identity: FakeIdentity | None = None
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
            sshd=self._sshd,
            offered=self._offered,
            public_key=self._public_key,
            own_identity=self.own_identity,
            again=lambda command: f"{command} --context docker-desktop",
            choose=None if self.choices is None else self._choose,
            confirm=None if self.answers is None else self._confirm,
            notes=self.notes,
            tell=self.said.append,
        )

    def _program(self) -> tuple[str, ...]:
        if self.secret:
            raise NodeportError("no secrets", hint="leave them out")
        return "/opt/kubectl-nodeport", "proxy"

    def _sshd(self, architecture: str) -> bytes:
        return gzip.compress(f"program for {architecture}".encode())

    def _offered(self, _alias: str, identity: str | None) -> Offers:
        own = self.own_identity
        if own is not None and own.is_there and identity == own.path:
            return Offers((Offered(own.key, own.path),))
        found = tuple(one for one in self.offered if identity in (None, one.where))
        return Offers(found, self.has_others)

    def _public_key(self, file: str) -> HostKey:
        return self.files[file]

    def _choose(self, question: str, titles: Sequence[str]) -> int:
        assert self.choices is not None
        self.asked.append(question)
        assert len(titles) == len(self.offered)
        return self.choices.pop(0)

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
