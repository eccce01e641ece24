"""connect --with-sshd: an ssh server of ours in a container where nothing listens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kubectl_nodeport import interrupts
from kubectl_nodeport.commands import own_key
from kubectl_nodeport.commands.brought import Bid, Brought
from kubectl_nodeport.commands.edges import Edges, Offered
from kubectl_nodeport.commands.sshd_session import (
    architecture,
    ground_of,
    not_brought,
    open_session,
    others,
    put,
    started,
    take_out,
)
from kubectl_nodeport.container import sshd
from kubectl_nodeport.container.sshd import Ground, Server, Wish
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.kube.request import NotFoundError

# Below, ports are for root alone.
_FIRST_PORT = 1024


@contextlib.contextmanager
def brought_along(edges: Edges, bid: Bid) -> Iterator[Brought | None]:
    """A server that runs in the container, started where it does not; None where another listens.

    One that was started here is ended again if the block fails.

    :raises NodeportError: it cannot be brought there.
    """
    with contextlib.closing(open_session(edges, bid)) as session:
        ground = ground_of(session, bid)
        if _is_needless(ground, bid):
            edges.notes.append(
                f"something listens on port {bid.port} of pod {bid.pod.name} already: "
                "no ssh server was brought along"
            )
            yield None
            return
        _check_user(ground, bid)
        mine = _public_key(edges, bid)
        if bid.dry_run:
            yield _rehearsed(edges, bid, ground, mine)
            return
        with _seed(edges, bid) as seed:
            wish = _wish(bid, ground, mine, seed)
            if ground.program is None or ground.program < sshd.VERSION:
                put(session, bid, ground, edges.sshd(architecture(ground, bid)))
            with _let_in(edges, bid, ground, mine):
                state, server = started(session, bid, wish)
                edges.notes.extend(_told(bid, ground, state, server, mine))
                yield _brought(bid, ground, server, mine)


@contextlib.contextmanager
def _seed(edges: Edges, bid: Bid) -> Iterator[bytes]:
    """The seed of the host key; where there is to be no entry after all, it does not stay."""
    seed = edges.hosts.server_seed(bid.alias)
    try:
        yield seed
    except BaseException:
        if bid.before is None:
            edges.hosts.forget_server_seed(bid.alias)
        raise


@contextlib.contextmanager
def _let_in(edges: Edges, bid: Bid, ground: Ground, mine: Offered) -> Iterator[None]:
    """Where the block fails, a key that was not let in before is let in no more.

    That ends a server that was started for it. It takes an exec of its own: the one before may have
    broken off, and what the server has answered, if anything, is not what counts.
    """
    had_key = ground.server is not None and mine.key in ground.server.keys
    try:
        yield
    except BaseException:
        if not had_key:
            with interrupts.deferred():
                _take_out(edges, bid, mine)
        raise


def _take_out(edges: Edges, bid: Bid, mine: Offered) -> None:
    try:
        take_out(edges, bid, mine.key)
    except NotFoundError:
        pass  # the pod is gone, with all in it
    except NodeportError as err:
        edges.tell(
            f"an ssh server in {bid.where} may run and let {mine.where} in until the container "
            f"ends: {err.message}"
        )


def question(pod: Pod, container: Container, port: int, user: str) -> str:
    """What to ask before a server is brought where nobody has asked for one."""
    return (
        f"nothing listens on port {port} of pod {pod.name}. Start an ssh server (nodeport-sshd, "
        f"5.5 MB) in container {container.name}, as {user or 'the user that it runs as'}? Whoever "
        "reaches it and has your ssh key gets in, nobody else, until disconnect or the container's "
        "end."
    )


def _is_needless(ground: Ground, bid: Bid) -> bool:
    """Whether another server listens where one was looked for."""
    if bid.was_brought or bid.is_anothers or bid.port not in (ground.listening or {}):
        return False
    return ground.server is None or ground.server.port != bid.port


def _check_user(ground: Ground, bid: Bid) -> None:
    if bid.user is not None and not ground.is_logged_in_as(bid.user):
        name = ground.user or ground.uid
        raise NodeportError(
            f"an ssh server in {bid.where} runs as its own user {name}, and lets in nobody as "
            f"{bid.user}",
            hint=f"leave the user out, or say {name}@",
        )


def _public_key(edges: Edges, bid: Bid) -> Offered:
    """The one key to let in: as said, as before, the only one, or as a person chooses."""
    before = bid.before
    identity = bid.identity_file or (before.identity_file if before else None)
    offered = edges.offered(bid.alias, identity).keys
    if before is not None and bid.identity_file is None:
        offered = own_key.kept(offered, before.origin.sshd_key)
    if not offered:
        raise NodeportError(
            "there is no ssh key of yours that the server could let in",
            hint="make one with: ssh-keygen -t ed25519; or name one with -i",
        )
    return own_key.chosen(
        edges,
        offered,
        question="Which key shall the server let in?",
        purpose="the server is to let in one",
        hint="name it with -i FILE, the private key, or the public one if only an agent has it",
    )


def _rehearsed(edges: Edges, bid: Bid, ground: Ground, mine: Offered) -> Brought:
    server = ground.server
    if server is not None and (bid.through_api or not server.is_loopback):
        if mine.key not in server.keys:
            edges.notes.append(f"your key {mine.where} would be let in by the server that runs")
        return _brought(bid, ground, server, mine)
    if ground.program is None:
        architecture(ground, bid)  # what would fail at once is not told to be done
    port = _port(bid)
    user = ground.user or ground.uid
    edges.notes.append(
        f"an ssh server would be started in {bid.where}, as {user}, on port {port} if it is free; "
        f"it would let in {mine.where}"
    )
    container = bid.container.name
    return Brought(
        *(port, user, "", None, mine.key, container),
        equipment=ground.equipment,
        folder=ground.folder,
    )


def _brought(bid: Bid, ground: Ground, server: Server, mine: Offered) -> Brought:
    return Brought(
        server.port,
        server.user,
        server.home,
        server.host_key,
        mine.key,
        bid.container.name,
        had_pods=bid.before is not None and bid.before.origin.pod_uid != bid.pod.uid,
        equipment=ground.equipment,
        folder=ground.folder,
    )


def _port(bid: Bid) -> int:
    if bid.is_exact:
        return bid.port
    if bid.before is not None and bid.was_brought:
        return bid.before.origin.sshd_port
    return bid.port if bid.port >= _FIRST_PORT and not bid.is_anothers else sshd.PORT


def _wish(bid: Bid, ground: Ground, mine: Offered, seed: bytes) -> Wish:
    running = ground.server
    if running is not None and bid.is_exact and running.port != bid.port:
        raise not_brought(
            bid,
            f"one runs there already, on port {running.port}",
            hint="others may use it: leave --port out",
        )
    return Wish(
        seed=seed,
        key=mine.key,
        port=_port(bid),
        exact=bid.is_exact,
        loopback=bid.through_api,
        replaces=running is not None and running.is_loopback and not bid.through_api,
    )


def _told(bid: Bid, ground: Ground, state: str, server: Server, mine: Offered) -> Iterator[str]:
    whom = f"it lets in {mine.where} ({mine.key.fingerprint})"
    if state == "started":
        yield (
            f"nodeport-sshd, an ssh server, runs in {bid.where} now, as {server.user}, on port "
            f"{server.port}: {whom}, until disconnect"
        )
    elif state == "replaced":
        yield f"the ssh server in {bid.where} was replaced; who was logged in has to come again"
    elif ground.server is not None and mine.key not in ground.server.keys:
        yield f"nodeport-sshd ran in {bid.where} already, for {others(ground.server)}: {whom}"
