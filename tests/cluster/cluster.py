"""The cluster: a node, a laptop and the cable between them, from start to down."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cluster import cgroups, kubeconfig, network, node, pki, readiness
from tests.cluster import laptop as laptops
from tests.cluster import relay as relays
from tests.cluster.api import Api, Object
from tests.cluster.build import Built, build
from tests.cluster.cache import cache_root, locked
from tests.cluster.laptop import Laptop, end
from tests.cluster.namespace import Namespace, namespace
from tests.cluster.namespaces import (
    Holder,
    connected,
    end_with_mount,
    entering,
)
from tests.cluster.process import ClusterError, ProcessId, run
from tests.cluster.profiles import API_PORT, CABLE_NODE, NODE_IP, PROFILES, Profile
from tests.cluster.relay import Relay


@dataclass(frozen=True, slots=True)
class State:
    """What another process has to know to use or end a cluster; the file state.json."""

    node: ProcessId
    laptop: ProcessId
    kubectl: str
    profile: str = "lan"
    forwarder: ProcessId | None = None
    detached: bool = False

    @classmethod
    def read(cls, folder: Path) -> State | None:
        """The state in a cluster's folder; None if there is none, or none of a live cluster."""
        try:
            fields: dict[str, Any] = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return None
        for key in ("node", "laptop", "forwarder"):
            fields[key] = ProcessId(**fields[key]) if fields[key] else None
        state = cls(**fields)
        return state if state.node.alive() and state.laptop.alive() else None

    def write(self, folder: Path) -> None:
        """Write the file whole or not at all."""
        temporary = folder / "state.json.new"
        temporary.write_text(json.dumps(asdict(self)))
        temporary.rename(folder / "state.json")


class Cluster:
    """A running cluster. Leaving its `with` block takes it down."""

    def __init__(self, name: str, state: State) -> None:
        self.name = name
        self.folder = folder_of(name)
        self.laptop = Laptop(name, self.folder, state.laptop)
        self.laptop.path_prepend.append(Path(state.kubectl))
        self.token = (self.folder / "pki" / "token").read_text()
        self._state = state
        self._holders: tuple[Holder, ...] = ()
        self._resources = ExitStack()
        self._lock = ExitStack()
        self.api = Api(self.ca, self.token, lambda: connected(state.laptop, (CABLE_NODE, API_PORT)))

    @classmethod
    def start(cls, name: str = "test", *, api_flags: tuple[str, ...] = ()) -> Cluster:
        """Start a cluster; first end what a killed run left under this name.

        `api_flags` are flags for its API server, besides the usual ones.

        It has the profile "lan", and nothing but a kubeconfig in its home. It dies with this
        process, unless detach() is called. Raises ClusterError, also when the name is in use.
        """
        built = build()
        with ExitStack() as lock, ExitStack() as resources:
            lock.enter_context(_locked(name))
            earlier = State.read(folder_of(name))
            if earlier and earlier.detached:
                command = f"python -m tests.cluster down --name {name}"
                raise ClusterError(f"cluster {name} is up: {command}")
            _remove(name)
            resources.callback(_remove, name)
            state, holders = _start(name, built, resources, api_flags)
            cluster = cls(name, state)
            log = cluster.folder / "log"
            readiness.wait(cluster.api, state.node, log, built.images)
            cluster.use("lan")
            cluster._holders = holders
            cluster._resources = resources.pop_all()
            cluster._lock = lock.pop_all()
        return cluster

    @classmethod
    def attach(cls, name: str) -> Cluster:
        """A cluster that another process has started; raises ClusterError if it is not up."""
        state = State.read(folder_of(name))
        if state is None:
            raise ClusterError(f"no cluster {name}: python -m tests.cluster up --name {name}")
        return cls(name, state)

    @staticmethod
    def remove(name: str) -> None:
        """Take a cluster down that another process has started, or what is left of one.

        Raises ClusterError when the process that started it still runs.
        """
        with _locked(name):
            _remove(name)

    def down(self) -> None:
        """End everything, and remove every trace but the cache. After detach(): does nothing."""
        self.api.close()
        with self._lock, self._resources:
            if self._holders:
                self.laptop.end()

    def detach(self) -> None:
        """Let the cluster stay up when this process ends, until someone takes it down."""
        self._update(replace(self._state, detached=True))
        for holder in self._holders:
            holder.say("stay")
        self._holders = ()
        self._resources.pop_all()
        self._lock.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def ca(self) -> Path:
        """The cluster's certificate authority, a PEM file."""
        return self.folder / "pki" / "ca.crt"

    @property
    def profile(self) -> Profile:
        """The network profile in use."""
        return PROFILES[self._state.profile]

    def use(self, profile: str) -> None:
        """Change to a network profile: routes, forwarder, and ~/.kube/config in the laptop."""
        chosen = PROFILES[profile]
        network.route(self.laptop.process, chosen)
        if self._state.forwarder and not chosen.forwarder:
            self._state.forwarder.kill()
        running = self._state.forwarder if chosen.forwarder else None
        if chosen.forwarder and not (running and running.alive()):
            running = self._start_forwarder()
        self._update(replace(self._state, profile=profile, forwarder=running))
        self.laptop.write(
            self.laptop.home / ".kube" / "config", json.dumps(self.kubeconfig(), indent=2)
        )

    def reset_home(self) -> None:
        """Give the laptop a new home: the profile's ~/.kube/config and a fresh key pair."""
        self.laptop.reset_home(self.kubeconfig())

    def kubeconfig(self, token: str | None = None, namespace: str | None = None) -> dict[str, Any]:
        """A kubeconfig as the profile's user has it; the administrator's without a token."""
        profile = self.profile
        return kubeconfig.build(
            profile.server,
            self.ca,
            token or self.token,
            context=profile.context,
            cluster=profile.cluster,
            user=profile.user,
            namespace=namespace,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the laptop as administrator, whatever the profile; returns its stdout."""
        config = f"--kubeconfig={self.folder / 'admin.kubeconfig'}"
        return self.laptop.run(["kubectl", config, *arguments], stdin=stdin, check=True).stdout

    def namespace(self) -> AbstractContextManager[Namespace]:
        """A fresh Kubernetes namespace for the `with` block."""
        return namespace(self.api, self.laptop.public_key())

    def user(
        self,
        name: str,
        rules: Sequence[Object],
        *,
        namespace: Namespace,
        cluster_rules: Sequence[Object] = (),
    ) -> Path:
        """A user who may do just this; returns its kubeconfig as seen inside the laptop."""
        token = namespace.user(name, rules, cluster_rules)
        config = self.kubeconfig(token, namespace.name)
        path = self.laptop.home / ".kube" / f"{name}.{namespace}"
        return self.laptop.write(path, json.dumps(config, indent=2))

    @contextmanager
    def relay(
        self,
        *,
        delay_s: float = 0,
        cut_after_bytes: int | None = None,
        cut_path: str = "",
    ) -> Iterator[Relay]:
        """Something between the laptop's clients and the API server: it counts, delays and cuts.

        `delay_s` is added each way. `cut_after_bytes`: answers to requests whose path contains
        `cut_path` end after so many bytes of their body, and the connection with them.
        """
        plan = json.dumps(asdict(relays.Plan(delay_s, cut_after_bytes, cut_path)))
        argv = [sys.executable, "-m", "tests.cluster.relay", str(self.folder / "pki"), plan]
        output = self.folder / "log" / f"relay-{secrets.token_hex(4)}"
        process = self.laptop.service(argv, output)
        try:
            yield Relay(self.laptop, output)
        finally:
            end(process)

    def run_in_node(self, argv: Sequence[str | Path]) -> str:
        """Run a command in the node's namespaces; returns its stdout, raises ClusterError."""
        return run([*entering(self._state.node, *node.NAMESPACES), *argv])

    def _update(self, state: State) -> None:
        self._state = state
        state.write(self.folder)

    def _start_forwarder(self) -> ProcessId:
        plan = (str(self.folder), "127.0.0.1", str(self._state.node.pid))
        argv = [sys.executable, "-m", "tests.cluster.forwarder", *plan]
        return ProcessId.of(self.laptop.service(argv, self.folder / "log" / "forwarder").pid)


def folder_of(name: str) -> Path:
    """Where a cluster keeps its state; raises ClusterError for a name that cannot be one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise ClusterError(f"a cluster cannot be named {name!r}")
    parent = cache_root() / "clusters"
    parent.mkdir(mode=0o700, exist_ok=True)
    return parent / name


def names() -> list[str]:
    """The clusters that are up."""
    folders = sorted(path for path in (cache_root() / "clusters").glob("*") if path.is_dir())
    return [path.name for path in folders if State.read(path)]


@contextmanager
def _locked(name: str) -> Iterator[None]:
    try:
        with locked(folder_of(name).with_suffix(".lock"), wait=False):
            yield
    except BlockingIOError:
        raise ClusterError(f"cluster {name} is in use by another process") from None


def free_name(stem: str) -> str:
    """STEM, or STEM-2 and so on: the first that no running process and no cluster has."""
    for number in range(1, 100):
        name = stem if number == 1 else f"{stem}-{number}"
        folder = folder_of(name)
        state = State.read(folder)
        try:
            with locked(folder.with_suffix(".lock"), wait=False):
                if not (state and state.detached):
                    return name
        except BlockingIOError:
            continue
    raise ClusterError(f"too many clusters called {stem}")


def _cgroup(name: str) -> str:
    return f"kubectl-nodeport-{name}"


def _start(
    name: str, built: Built, stack: ExitStack, api_flags: tuple[str, ...]
) -> tuple[State, tuple[Holder, ...]]:
    folder = folder_of(name)
    (folder / "log").mkdir(mode=0o700, parents=True)
    token = pki.make(folder / "pki", (CABLE_NODE, NODE_IP))
    admin = kubeconfig.build(f"https://{CABLE_NODE}:{API_PORT}", folder / "pki/ca.crt", token)
    (folder / "admin.kubeconfig").write_text(json.dumps(admin, indent=2))
    cgroups.make(_cgroup(name))
    laptop = laptops.start(name, folder)
    stack.callback(laptop.leave)
    server = node.start(node.Plan(folder, token, built, _cgroup(name), api_flags))
    stack.callback(server.leave)
    state = State(server.process, laptop.process, str(built.kubectl))
    state.write(folder)
    network.plug_in(laptop.process, server.process)
    for holder in (laptop, server):
        holder.say("go")
    return state, (laptop, server)


def _remove(name: str) -> None:
    """End what is left of a cluster and remove its cgroups and its folder."""
    for mark in (node.mark(name), laptops.mark(name)):
        end_with_mount(mark)
    cgroups.remove(_cgroup(name))
    if folder_of(name).exists():
        shutil.rmtree(folder_of(name))
