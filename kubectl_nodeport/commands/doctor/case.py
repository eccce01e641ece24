"""What the checks look at: each thing is found out when the first check asks for it, and kept."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from kubectl_nodeport.address.facts import NodeFacts
from kubectl_nodeport.commands.alias import choose_alias
from kubectl_nodeport.commands.edges import Edges, Offered
from kubectl_nodeport.commands.find import Found, find
from kubectl_nodeport.commands.look import (
    Look,
    choose_container,
    choose_port,
    look_inside,
    read_node,
    unanswered,
)
from kubectl_nodeport.commands.standing import (
    RuleDraft,
    Standing,
    Wanted,
    find_rule,
    held_by,
    wanted_rule,
)
from kubectl_nodeport.container import examination, examining, script
from kubectl_nodeport.container.examination import Examination
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import check_name
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.names import validate_user

# A name that no ssh configuration declares (RFC 6761).
_NO_HOST = "kubectl-nodeport.invalid"


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """What the command line asks for; None leaves the choice to doctor, which chooses as connect.

    ``timeout_s`` is for the addresses of the rule.
    """

    target: Target | None = None
    rule_name: str = "ssh"
    port: int | str | None = None
    container: str | None = None
    identity_file: str | None = None
    host: str | None = None
    ssh_config: str | None = None
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of this machine.

    :ivar ssh_version: what ``ssh -V`` says; raises NodeportError where there is no ssh.
    :ivar ssh_settings: what ssh would use for a host, by lower-case keyword; raises NodeportError
        where it does not accept its configuration.
    :ivar interfaces: the names of the network interfaces.
    """

    ssh_version: Callable[[], str]
    ssh_settings: Callable[[str], Mapping[str, list[str]]]
    interfaces: Callable[[], Sequence[str]]


@dataclass
class Case:
    """One run of doctor.

    :ivar make_edges: the edges for the command line's context; raises NodeportError where the
        kubeconfig does not lead to a cluster.
    :ivar allowed: what the API server said of rights, by ``VERB RESOURCE[/SUBRESOURCE]``.
    :ivar missing: the rights that were looked at and are missing.
    :ivar minor: the minor version of Kubernetes 1; 0 where it is not known.
    :ivar host_keys: the pod's own, where they were compared with those that are pinned.
    :ivar unreached: whether the rule was asked and answered nowhere.
    :ivar reached: whether it was, and answered.
    """

    request: DoctorRequest
    make_edges: Callable[[], Edges]
    machine: Machine
    allowed: dict[str, bool] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    minor: int = 0
    host_keys: tuple[HostKey, ...] = ()
    unreached: bool = False
    reached: bool = False

    @cached_property
    def edges(self) -> Edges:
        """The world of this run; raises NodeportError."""
        return self.make_edges()

    @property
    def namespace(self) -> str:
        """The namespace that is asked."""
        return self.edges.connection.namespace

    @property
    def target(self) -> Target:
        """What was named; only checks of a target ask for it."""
        assert self.request.target is not None
        return self.request.target

    @cached_property
    def found(self) -> Found:
        """The pod that is meant; raises NodeportError as commands.find does."""
        check_name(self.request.rule_name)
        if self.target.user:
            validate_user(self.target.user)
        return find(self.edges, self.target, held=held_by(self.edges, self.request.rule_name))

    @property
    def pod(self) -> Pod:
        """The pod itself."""
        return self.found.pod

    @cached_property
    def wanted(self) -> Wanted:
        """The rule as connect would make it."""
        draft = RuleDraft(self.request.rule_name, choose_port(self.found, self.request.port))
        wanted = wanted_rule(self.edges, self.found, draft)
        before = self._before(wanted)
        brought = before.origin.sshd_port if before else 0
        if brought and self.request.port is None:
            wanted = replace(wanted, rule=replace(wanted.rule, port=brought))
        return wanted

    @property
    def port(self) -> int:
        """The port of the ssh server in the pod."""
        return self.wanted.rule.port

    @cached_property
    def standing(self) -> Standing:
        """The rule as it stands; raises NodeportError as commands.standing does."""
        return find_rule(self.edges.api, self.wanted)

    @cached_property
    def node(self) -> NodeFacts | None:
        """The pod's node; None where it is not to be read."""
        return read_node(self.edges, self.pod)

    @cached_property
    def alias(self) -> str:
        """The alias that connect would write; raises NodeportError where it is another's."""
        return choose_alias(self.wanted.rule, self.edges, self.request.host)[0]

    @cached_property
    def before(self) -> HostEntry | None:
        """Our Host entry for the target, if there is one that can be read."""
        return self._before(self.wanted)

    def _before(self, wanted: Wanted) -> HostEntry | None:
        try:
            return choose_alias(wanted.rule, self.edges, self.request.host)[1]
        except NodeportError:
            return None  # the check of the ssh configuration tells it

    @cached_property
    def container(self) -> Container:
        """The container with the ssh server; raises NodeportError where there is none."""
        return choose_container(self.pod, self._container_asked(), self.port)

    def _container_asked(self) -> str:
        return self.request.container or (self.before.origin.container if self.before else "")

    @cached_property
    def examination(self) -> Examination:
        """What the container tells; raises NodeportError where it cannot be asked."""
        asked = examining.command(self.login)
        where = (self.pod.namespace, self.pod.name, self.container.name)
        session = self.edges.exec.start(*where, asked)
        try:
            said = session.ask(examining.SCRIPT, until=script.END)
        finally:
            session.close()
        if not script.is_whole(said.stdout):
            raise unanswered(self.pod, self.container, said)
        return examination.parse(said.stdout)

    @property
    def is_examined(self) -> bool:
        """Whether the container was asked, and answered."""
        return "examination" in vars(self)

    def look(self) -> Look | None:
        """A look into the container as connect takes one, to be closed; None where it has none."""
        if not self.is_examined:
            return None
        try:
            return look_inside(self.edges, self.pod, self.container, self.port, self.login)
        except NodeportError:
            return None

    @property
    def login(self) -> str | None:
        """Whom to log in as, where that is said; None leaves it to the container."""
        return self.target.user or (self.before.user if self.before else None)

    @property
    def user(self) -> str:
        """Whom ssh logs in as; "" where nobody says it."""
        return self.login or self.examination.user

    @cached_property
    def offered(self) -> Sequence[Offered]:
        """The keys that ssh would offer; raises NodeportError where ssh does not tell."""
        before = self.before if "found" in vars(self) else None  # an earlier check has found it
        identity = self.request.identity_file or (before.identity_file if before else None)
        return self.edges.offered(before.alias if before else _NO_HOST, identity).keys

    # Commands that somebody types

    def connect(self, *more: str) -> str:
        """The connect command for the target, with what doctor was told and more words."""
        request, typed = self.request, self.wanted.rule.typed
        words = [f"{self.target.user}@{typed}" if self.target.user else typed, "-n", self.namespace]
        if request.port is not None and "--port" not in more:
            words += ["--port", str(request.port)]
        for flag, value in (
            ("-c", request.container),
            ("--host", request.host),
            ("-i", request.identity_file),
            ("--name", request.rule_name if request.rule_name != "ssh" else None),
            ("--ssh-config", request.ssh_config),
        ):
            words += [flag, value] if value is not None else []
        return shlex.join(["kubectl", "nodeport", "connect", *words, *more])

    def connect_again(self) -> str:
        """The connect command that keeps the way of the Host entry: no NodePort for a tunnel."""
        is_tunnel = self.before is not None and self.before.is_tunnel
        return self.connect(*(("--via", "tunnel") if is_tunnel else ()))

    def inside(self, script: str) -> str:
        """A command that runs a script in the container, as the container's user."""
        pod = self.pod
        where = [pod.name, "-n", pod.namespace, "-c", self.container.name]
        return shlex.join(["kubectl", "exec", *where, "--", "sh", "-c", script])

    def describe(self) -> str:
        """The command that tells what the cluster knows of the pod."""
        return f"kubectl describe pod {self.pod.name} -n {self.pod.namespace}"
