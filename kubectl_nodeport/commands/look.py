"""What is looked at before anything is made: the pod, its container, its node."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kubectl_nodeport.address.facts import NodeFacts, node_facts
from kubectl_nodeport.commands.edges import Edges, Session
from kubectl_nodeport.commands.find import Found
from kubectl_nodeport.container import script
from kubectl_nodeport.container.script import Inside
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.kube.request import ForbiddenError, NotFoundError, Request
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh.known_hosts import HostKey

# Younger than that, nobody else's connection is likely to have come and to go with ours.
_FRESH_S = 1.0
# As many as are told of those that listen instead.
_MOST_PORTS = 10
# Where an ssh server listens unless it was told something else.
_SSH_PORT = 22
# As runc and crun say it, in the kubelet's words.
_NO_SHELL = ('"sh": executable file not found', "`sh`: No such file or directory")


def choose_port(found: Found, port: int | str | None) -> int:
    """The pod's ssh port: as asked for, else as the Service or the pod tells.

    :param port: a number, or the name of a container port.
    :raises NodeportError: no such port.
    """
    pod = found.pod
    if port is None and found.service is not None:
        port = service.ssh_target(found.service)
    return pod.ssh_port() if port is None else port_number(pod, port, "TCP")


def port_number(pod: Pod, port: int | str, protocol: str) -> int:
    """The number of a container port that may be given by its name.

    :raises NodeportError: no container of the pod has a port of this name.
    """
    if isinstance(port, int):
        return port
    declared = [p for c in pod.containers for p in c.ports if p.name]
    for one in declared:
        if (one.name, one.protocol) == (port, protocol):
            return one.number
    names = ", ".join(f"{p.name} ({p.number}/{p.protocol})" for p in declared)
    raise NodeportError(
        f'no container of pod {pod.name} has a {protocol} port named "{port}"',
        hint=f"its named ports: {names}" if names else "give the port's number",
    )


def choose_container(pod: Pod, name: str, port: int) -> Container:
    """The container of this name; where it is empty, the one that the port belongs to.

    :raises NodeportError: no such container.
    """
    if not name:
        return pod.container(port)
    named = [c for c in pod.containers if c.name == name]
    if not named:
        names = ", ".join(c.name for c in pod.containers)
        raise NodeportError(
            f"pod {pod.name} has no container {name}",
            hint=f"name one with -c; its containers: {names}",
        )
    return named[0]


@dataclass(frozen=True, slots=True)
class Look:
    """What the container said, and the session in which it can be asked who is connected.

    It is a witness for address.probe.resolve. ``looked_s`` is when the container said it, on the
    monotonic clock. ``failure`` is why it could not be asked; then it has said nothing, and there
    is no session. ``made_here`` are host keys that this program gave to a server in the container.
    """

    inside: Inside
    port: int
    container_started: datetime | None
    session: Session | None
    looked_s: float
    failure: NodeportError | None = None
    made_here: frozenset[HostKey] = frozenset()

    @property
    def can_see(self) -> bool:
        """Whether the container's table of sockets shows the port."""
        return self.port in (self.inside.listening or {})

    @property
    def peers_before(self) -> frozenset[str] | None:
        """Who was connected when the container was asked first; None if that was long ago."""
        return self.inside.peers if time.monotonic() - self.looked_s < _FRESH_S else None

    def is_own(self, key: HostKey) -> bool:
        """Whether the key was put there after the container had started: no image brought it."""
        made_s, started = self.inside.made_s.get(key), self.container_started
        if key in self.made_here:
            return True
        # Both are cut to whole seconds; an image that is started has been there for more than one.
        return made_s is not None and started is not None and made_s >= started.timestamp()

    def peers(self) -> frozenset[str]:
        """Who is connected to the port now.

        :raises NodeportError: the session broke off, or ended.
        """
        if self.session is None:
            raise self.failure or NodeportError("there is no session", hint="run it again")
        answer = self.session.ask(script.peers_of(self.port), until=script.END)
        if answer.exit_code is not None:
            raise NodeportError(
                f"the shell in the container ended with {answer.exit_code}", hint="run it again"
            )
        return script.parse_peers(answer.stdout)

    def at(self, port: int) -> Look:
        """The same at another port; who was connected there before is not known."""
        return self if port == self.port else replace(self, port=port, looked_s=-math.inf)

    def close(self) -> None:
        """End the session."""
        if self.session is not None:
            self.session.close()


def look_inside(edges: Edges, pod: Pod, container: Container, port: int, user: str | None) -> Look:
    """Ask the container for its user, its host keys and its ports, in one exec that stays open.

    :param user: whom to log in as, where that is known.
    :raises NodeportError: exec is refused or fails.
    """
    what = f"asking {pod.where(container)} for its host keys"
    with edges.step(what):
        return _looked(edges, pod, container, port, script.command(user, port))


def _looked(
    edges: Edges, pod: Pod, container: Container, port: int, asked: tuple[str, ...]
) -> Look:
    session = edges.exec.start(pod.namespace, pod.name, container.name, asked)
    try:
        said = session.ask(script.MORE, until=script.END)
        if said.exit_code is not None or not script.is_whole(said.stdout):
            raise unanswered(pod, container, said)
    except BaseException:
        session.close()
        raise
    return Look(
        inside=script.parse(said.stdout),
        port=port,
        container_started=container.started,
        session=session,
        looked_s=time.monotonic(),
    )


def unanswered(pod: Pod, container: Container, said: Output) -> NodeportError:
    """The script that asks the container ended before it had told all."""
    words = said.stderr.decode("utf-8", "replace").strip() or "no more"
    return NodeportError(
        f"{pod.where(container)} cannot be looked into: "
        f"sh ended with {said.exit_code} and said: {words[:200]}",
        hint="does this work? kubectl exec "
        f"{pod.name} -n {pod.namespace} -c {container.name} -- sh -c true",
    )


def blind(port: int, failure: NodeportError) -> Look:
    """What is known of a container that could not be looked into."""
    return Look(Inside("", "", (), None), port, None, None, -math.inf, failure)


class NothingListensError(NodeportError):
    """Nothing listens on the port; ``user`` is whom the container runs as, "" if it did not say."""

    def __init__(
        self, message: str, *, hint: str, pod: Pod, container: Container, port: int, user: str
    ) -> None:
        super().__init__(message, hint=hint)
        self.pod = pod
        self.container = container
        self.port = port
        self.user = user


def says_no_shell(text: str) -> bool:
    """Whether the words of an exec that failed mean that there is no sh."""
    return any(words in text for words in _NO_SHELL)


@dataclass(frozen=True, slots=True)
class AskedPort:
    """The port that an ssh server is looked for on.

    :ivar typed: the target that the pod was found by.
    :ivar is_given: whether the port was said on the command line.
    """

    number: int
    typed: str
    is_given: bool = False


def check_listening(inside: Inside, pod: Pod, container: Container, port: AskedPort) -> None:
    """Refuse a port on which nothing listens, as far as the container tells.

    :raises NothingListensError: saying what listens instead.
    """
    if inside.listening is not None and port.number not in inside.listening:
        open_ports = sorted(p for p, loopback in inside.listening.items() if not loopback)
        more = ", …" if len(open_ports) > _MOST_PORTS else ""
        shown = ", ".join(map(str, open_ports[:_MOST_PORTS]))
        others = f" (open: {shown}{more})" if open_ports else ""
        raise NothingListensError(
            f"nothing listens on port {port.number} of pod {pod.name}{others}",
            hint=_instead(open_ports, pod, container, port),
            pod=pod,
            container=container,
            port=port.number,
            user=inside.user,
        )


def _instead(open_ports: Sequence[int], pod: Pod, container: Container, port: AskedPort) -> str:
    which = f" -c {container.name}" if len(pod.containers) > 1 else ""
    command = f"kubectl nodeport connect {port.typed} -n {pod.namespace}{which}"
    if port.is_given and _SSH_PORT in open_ports:
        return f"port {_SSH_PORT} is open: {command} --port {_SSH_PORT}"
    other = "say with --port where one listens" if open_ports else "start one in the container"
    return f"bring an ssh server along: {command} --with-sshd; or {other}"


def check_beyond_loopback(inside: Inside, pod: Pod, port: int) -> None:
    """Refuse a port that no NodePort reaches, as far as the container tells.

    :raises NodeportError: what listens there does so on the pod's own loopback address.
    """
    if inside.listening is not None and inside.listening[port]:
        raise NodeportError(
            f"what listens on port {port} of pod {pod.name} takes connections from inside the pod "
            "alone (127.0.0.1)",
            hint="let the ssh server listen on all addresses (ListenAddress in sshd_config), or "
            "give --via tunnel, which reaches it there through the API server",
        )


def read_node(edges: Edges, pod: Pod) -> NodeFacts | None:
    """The pod's node, or None without the right to read nodes, which is noted."""
    request = Request("get", "nodes", "learn the node's addresses", name=pod.node)
    try:
        return node_facts(edges.api.send(request))
    except ForbiddenError:
        edges.notes.append("without the right to get nodes the node's other addresses are unknown")
    except NotFoundError:
        pass  # a node that left a moment ago; the pod's own word for its address remains
    return None
