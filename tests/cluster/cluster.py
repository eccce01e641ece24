"""The cluster: a node, a laptop and the cable between them, from start to down."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tests.cluster import (
    families,
    foreign,
    kubeconfig,
    lifetime,
    network,
    node,
    nodes,
    pods,
    readiness,
    versions,
)
from tests.cluster import relay as relays
from tests.cluster.api import Api, Object
from tests.cluster.build import bare_image, build, busybox_image, trixie_image
from tests.cluster.cache import locked
from tests.cluster.families import url_host
from tests.cluster.foreign import ForeignSshd
from tests.cluster.inside import Inside, inside
from tests.cluster.laptop import Laptop, end
from tests.cluster.namespace import Namespace, namespace
from tests.cluster.namespaces import Holder, connected, entering
from tests.cluster.nodes import Looks
from tests.cluster.pods import Words
from tests.cluster.process import ClusterError, ProcessId, run
from tests.cluster.profiles import API_PORT, PROFILES, Forwarder, Profile
from tests.cluster.relay import Relay
from tests.cluster.state import State, folder_of
from tests.cluster.versions import Kubernetes

_MADE_LATER = {"bare": bare_image, "busybox": busybox_image, "trixie": trixie_image}
"""Images that few tests want."""


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
        self.families = families.families(state.ip_families)
        self.node_name = state.node_name
        node_address = (self.families[0].cable_node, API_PORT)
        self.api = Api(self.ca, self.token, lambda: connected(state.laptop, node_address))

    @classmethod
    def start(
        cls,
        name: str = "test",
        *,
        api_flags: tuple[str, ...] = (),
        identity: node.Identity = node.DOCKER_DESKTOP,
        ip_families: tuple[families.Name, ...] = ("IPv4",),
        kubernetes: Kubernetes = versions.DEFAULT,
    ) -> Cluster:
        """Start a cluster; first end what a killed run left under this name.

        `api_flags` are flags for its API server, besides the usual ones; `identity` is its node's;
        of two `ip_families` the first is the primary one; `kubernetes` is built first if need be,
        and the laptop's kubectl is of the same version.

        It has the profile "lan", and nothing but a kubeconfig in its home. It dies with this
        process, unless detach() is called. Raises ClusterError, also when the name is in use.
        """
        built = build(kubernetes)
        chosen = families.families(ip_families)
        plan = node.Plan(folder_of(name), built, lifetime.cgroup(name), identity, chosen, api_flags)
        with ExitStack() as lock, ExitStack() as resources:
            lock.enter_context(_locked(name))
            earlier = State.read(folder_of(name))
            if earlier and earlier.detached:
                command = f"python -m tests.cluster down --name {name}"
                raise ClusterError(f"cluster {name} is up: {command}")
            lifetime.remove(name)
            resources.callback(lifetime.remove, name)
            state, holders = lifetime.start(plan, resources)
            cluster = cls(name, state)
            readiness.wait(cluster.api, state.node, plan)
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
            lifetime.remove(name)

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
        """Change to a profile: routes, firewall, Nodes, forwarder, the laptop's ~/.kube/config."""
        former, chosen = self.profile, PROFILES[profile]
        self._update(replace(self._state, profile=profile))
        network.use(self.laptop.process, self._state.node, chosen, self.families)
        os_release = self.folder / "node" / "os-release"
        nodes.dress(self.api, self.node_name, os_release, chosen, self.families)
        if former.second_node:
            nodes.remove(self.api, nodes.SECOND)
        if chosen.second_node:
            nodes.create(self.api, nodes.second(self.families))
        self._forward(former.forwarder, chosen.forwarder)
        self.laptop.write(
            self.laptop.home / ".kube" / "config", json.dumps(self.kubeconfig(), indent=2)
        )

    def reset_home(self) -> None:
        """Give the laptop a new home: the profile's ~/.kube/config and a fresh key pair."""
        self.laptop.reset_home(self.kubeconfig())

    @property
    def server(self) -> str:
        """The API server's URL in the profile's ~/.kube/config."""
        host = "127.0.0.1" if self.profile.forwarder else self.families[0].node
        return f"https://{url_host(host)}:{API_PORT}"

    def kubeconfig(self, token: str | None = None, namespace: str | None = None) -> dict[str, Any]:
        """A kubeconfig as the profile's user has it; the administrator's without a token."""
        profile = self.profile
        return kubeconfig.build(
            self.server,
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
        return namespace(self.api, self.laptop.public_key(), self._load)

    def default_namespace(self) -> Namespace:
        """The Kubernetes namespace `default`."""
        return Namespace(self.api, "default", self.laptop.public_key(), self._load)

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
        argv.append(self.families[0].cable_node)
        output = self.folder / "log" / f"relay-{secrets.token_hex(4)}"
        process = self.laptop.service(argv, output)
        try:
            yield Relay(self.laptop, output)
        finally:
            end(process)

    def foreign_sshd(
        self, port: int, host_keys: Literal["own", "image"] = "own"
    ) -> AbstractContextManager[ForeignSshd]:
        """Another cluster's sshd on the laptop's 127.0.0.1:PORT, for the `with` block.

        Its host keys are its own, or the very same as in the pods' image. Start it before a Service
        gets the port: the profile's forwarder passes a taken port over, and says so.
        """
        keys: Literal["own"] | Path = "own" if host_keys == "own" else Path(self._state.sshd_image)
        return foreign.sshd(self.laptop, self.folder, port, keys)

    def forwarder_errors(self) -> str:
        """What the forwarder that runs has said on stderr, such as which ports were taken."""
        return (self.folder / "log" / "forwarder.errors").read_text()

    def inside(self, namespace: Namespace, pod: str, token: str) -> AbstractContextManager[Inside]:
        """A client inside the cluster, in this running pod; see Namespace.user() for a token."""
        return inside(self.laptop, self.folder, namespace, pod, token)

    def extra_nodes(self, *looks: Looks) -> AbstractContextManager[None]:
        """More Nodes, objects alone, for the `with` block; they can look like any system's."""
        return nodes.extra(self.api, *looks)

    def run_in_node(self, argv: Sequence[str | Path]) -> str:
        """Run a command in the node's namespaces; returns its stdout, raises ClusterError."""
        return run([*entering(self._state.node, *node.NAMESPACES), *argv])

    def _update(self, state: State) -> None:
        self._state = state
        state.write(self.folder)

    def _load(self, words: Words) -> None:
        """Give the node the image that is not there from the start, if these words want it."""
        archive = _MADE_LATER.get(words.image)
        if archive and not self.run_in_node(node.image_listing(pods.IMAGES[words.image])):
            self.run_in_node(node.image_import(archive()))

    def _forward(self, former: Forwarder | None, chosen: Forwarder | None) -> None:
        """Let the forwarder that runs be the chosen one."""
        running = self._state.forwarder
        if running and chosen == former and running.alive():
            return
        if running:
            running.kill()
            running = None
        if chosen:
            plan = [str(self.folder), json.dumps(asdict(chosen)), self.families[0].cable_node]
            module = [sys.executable, "-m", "tests.cluster.forwarder"]
            argv = [*module, *plan, str(self._state.node.pid)]
            process = self.laptop.service(argv, self.folder / "log" / "forwarder")
            running = ProcessId.of(process.pid)
        self._update(replace(self._state, forwarder=running))


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
