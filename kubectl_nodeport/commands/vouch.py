"""Whose word the host keys are: the container's, its port's, an earlier run's, or nobody's."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kubectl_nodeport.commands.brought import Brought
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.look import (
    AskedPort,
    Look,
    blind,
    check_beyond_loopback,
    check_listening,
    look_inside,
    says_no_shell,
)
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.kube.request import ApiError, UnreachableError
from kubectl_nodeport.ssh.known_hosts import HostKey

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_WORDS_CHARS = 300


class Voucher(enum.Enum):
    """Who says that host keys are the pod's; a closed set."""

    EXEC = "exec"
    """The container: they were read inside it, through the API server."""
    PORT_FORWARD = "port-forward"
    """The pod's port: its ssh server showed one of them there, through the API server."""
    ENTRY = "entry"
    """An earlier run: they stand in the Host entry, and nobody was to be asked now."""
    NOBODY = "nobody"
    """None are known, or one was seen from here only."""


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The host keys that are pinned.

    :ivar shown: the one that was shown at the pod's port, through the API server.
    :ivar why: why they were not read in the container, or why nobody vouches for them.
    """

    keys: tuple[HostKey, ...]
    voucher: Voucher
    shown: HostKey | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the ssh server is.

    :ivar typed: the target that the pod was found by.
    :ivar user: whom to log in as, where that is known.
    :ivar kept: tells the host keys that the Host entry has.
    :ivar through_api: whether no NodePort is to lead there; the kubelet, which then dials inside
        the pod, reaches its loopback address too.
    :param brought: the ssh server that this run has put there.
    :param is_given: whether the port was said on the command line.
    """

    pod: Pod
    container: Container
    port: int
    typed: str
    user: str | None
    kept: Callable[[], tuple[HostKey, ...]]
    through_api: bool = False
    brought: Brought | None = None
    is_given: bool = False


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the container said, or that it could not be asked, and the host keys."""

    look: Look
    host_keys: HostKeys

    def close(self) -> None:
        """End the session in the container."""
        self.look.close()


def look_and_vouch(edges: Edges, asked: Asked) -> Vouched:
    """Look into the container; what host keys are not found there, ask the pod's port for.

    :raises NodeportError: the API server does not answer, or nothing in the pod does.
    """
    if asked.brought is not None:
        look = asked.brought.look
        if asked.brought.had_pods:
            look = asked.brought.seen_in(_look(edges, asked))
        return Vouched(look, HostKeys(look.inside.host_keys, Voucher.EXEC))
    look = _look(edges, asked)
    try:
        port = AskedPort(asked.port, asked.typed, asked.is_given)
        check_listening(look.inside, asked.pod, asked.container, port)
        if not asked.through_api:
            check_beyond_loopback(look.inside, asked.pod, asked.port)
        return Vouched(look, _host_keys(edges, asked, look))
    except BaseException:
        look.close()
        raise


def unverified(connection: Connection) -> str | None:
    """What to tell where the API server itself may be another; None where it is checked."""
    if connection.cluster.get("insecure-skip-tls-verify"):
        how = "is not checked (insecure-skip-tls-verify)"
        return f"the API server's certificate {how}, so nobody vouches for what it says of the pod"
    host = urlsplit(connection.server).hostname or ""
    if not connection.is_tls and host not in _LOOPBACK:
        how = "is asked without TLS"
        return f"the API server {how}, so nobody vouches for what it says of the pod"
    return None


def told(host_keys: HostKeys) -> str | None:
    """What to tell of keys that were not read in the container; None where there is nothing."""
    if host_keys.voucher is Voucher.PORT_FORWARD:
        return f"{host_keys.why}: the host key is what the pod's port shows through the API server"
    if host_keys.voucher is Voucher.ENTRY:
        return f"{host_keys.why}: the host keys stay those of the Host entry"
    return None


def _look(edges: Edges, asked: Asked) -> Look:
    try:
        return look_inside(edges, asked.pod, asked.container, asked.port, asked.user)
    except NodeportError as err:
        if _is_of_the_server(err):
            raise
        return blind(asked.port, err)


def _host_keys(edges: Edges, asked: Asked, look: Look) -> HostKeys:
    found, kept = look.inside.host_keys, asked.kept()
    if found:
        return _doubted(edges, asked, found, kept) if kept else HostKeys(found, Voucher.EXEC)
    why = _why(look.failure, asked.container.name)
    try:
        shown = _shown(edges, asked, kept)
    except ApiError as err:
        if _is_of_the_server(err):
            raise
        voucher = Voucher.ENTRY if kept else Voucher.NOBODY
        return HostKeys(kept, voucher, why=f"{why}; {err.message}")
    except UnreachableError:
        raise
    except NodeportError as err:
        raise NodeportError(f"{err.message} ({why})", hint=err.hint) from err
    # The others were vouched for at another time, by the key that stands beside them.
    keys = kept if shown in kept else (shown,)
    return HostKeys(keys, Voucher.PORT_FORWARD, shown, why)


def _doubted(
    edges: Edges, asked: Asked, found: tuple[HostKey, ...], kept: tuple[HostKey, ...]
) -> HostKeys:
    """Keys found in files none of which the entry has: of a new pod, or not this server's at all,
    which an earlier run has found out."""
    of_files = HostKeys(found, Voucher.EXEC)
    if set(found) & set(kept):
        return of_files
    try:
        shown = _shown(edges, asked, (*found, *kept))
    except NodeportError:
        return of_files
    if shown in found:
        return replace(of_files, shown=shown)
    why = f"the host keys found in container {asked.container.name} are another server's"
    return HostKeys(kept if shown in kept else (shown,), Voucher.PORT_FORWARD, shown, why)


def _shown(edges: Edges, asked: Asked, preferred: tuple[HostKey, ...]) -> HostKey:
    pod = asked.pod
    return edges.tunnel(pod.namespace, pod.name, asked.port, frozenset(preferred))


def _why(failure: NodeportError | None, container: str) -> str:
    """Why the container did not tell its host keys, in words that are not too many."""
    if failure is None:
        return f"no host keys were found in container {container}"
    if says_no_shell(failure.message):
        return f"there is no shell in container {container}"
    return failure.message[:_MOST_WORDS_CHARS]


def _is_of_the_server(err: NodeportError) -> bool:
    """Whether it is no better elsewhere: the API server does not answer, or not to us."""
    return isinstance(err, UnreachableError) or (isinstance(err, ApiError) and err.status == 401)
