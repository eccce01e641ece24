"""What connect and disconnect say to the script of container.bring, and hear of it."""

from __future__ import annotations

import contextlib

from kubectl_nodeport.commands.brought import Bid
from kubectl_nodeport.commands.edges import Edges, Session
from kubectl_nodeport.commands.look import says_no_shell
from kubectl_nodeport.container import bring, sshd
from kubectl_nodeport.container.sshd import Ground, Server, Wish
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ForbiddenError
from kubectl_nodeport.kube.streams import ExecError, Output
from kubectl_nodeport.ssh.known_hosts import HostKey


def open_session(edges: Edges, bid: Bid) -> Session:
    """Start the script in the container.

    :raises NodeportError: exec is refused.
    """
    asked = bring.command(bring.folder_name(bid.container.name, bid.pod.uid))
    try:
        return edges.exec.start(bid.pod.namespace, bid.pod.name, bid.container.name, asked)
    except ForbiddenError as err:
        raise NodeportError(
            f"an ssh server is brought into {bid.where} by exec: {err.message}", hint=err.hint
        ) from err


def ground_of(session: Session, bid: Bid) -> Ground:
    """Hear what the container is like.

    :raises NodeportError: there is no shell in it, or exec fails.
    """
    try:
        said = session.ask("", until=bring.END)
    except ExecError as err:
        if says_no_shell(err.message):
            raise _no_shell(bid) from err
        raise
    if said.exit_code is not None:
        words = said.stderr.decode("utf-8", "replace")
        if says_no_shell(words):
            raise _no_shell(bid)
        raise not_brought(bid, f"sh ended with {said.exit_code}: {' '.join(words.split())[:200]}")
    return sshd.parse_ground(said.stdout)


def architecture(ground: Ground, bid: Bid) -> str:
    """Which program it takes.

    :raises NodeportError: there is none for its processor.
    """
    if ground.architecture is None:
        raise not_brought(
            bid,
            f"there is none for its processor ({ground.machine or 'it does not tell which'})",
            hint="it is there for x86_64 and aarch64: kubectl get nodes -L kubernetes.io/arch",
        )
    return ground.architecture


def put(session: Session, bid: Bid, ground: Ground, program: bytes) -> None:
    """Send it: packed, where the container can unpack it.

    :param program: packed by gzip.
    :raises NodeportError: it is not there then.
    """
    if not ground.unpacks:
        import gzip

        program = gzip.decompress(program)
    line = bring.put(len(program), packed=ground.unpacks)
    said = _said(session, f"{line}\n".encode() + program)
    try:
        sshd.parse_put(said.stdout, said.stderr)
    except sshd.SshdError as err:
        raise not_brought(bid, err.message, err.hint) from err


def started(session: Session, bid: Bid, wish: Wish) -> tuple[str, Server]:
    """Have it run as wished: what became of it, and the server.

    :raises NodeportError: it does not run so.
    """
    said = _said(session, f"start\n{wish.as_input()}\n".encode())
    try:
        state, server = sshd.parse_server(said.stdout, said.stderr)
    except sshd.SshdError as err:
        raise not_brought(bid, err.message, err.hint) from err
    if wish.exact and server.port != wish.port:
        raise not_brought(bid, f"it listens on port {server.port}, not on {wish.port}")
    if server.is_loopback and not wish.loopback:
        raise not_brought(bid, f"it listens on {server.listen} alone, where no NodePort leads")
    return state, server


def remove_key(session: Session, key: HostKey) -> tuple[str, Server | None]:
    """Let the key in no more; a server without keys ends, and nothing of it is left.

    :raises SshdError: it failed.
    """
    said = _said(session, f"remove\n{key.openssh}\n".encode())
    return sshd.parse_removed(said.stdout, said.stderr, key)


def take_out(edges: Edges, bid: Bid, key: HostKey) -> tuple[str, Server | None] | None:
    """The same by an exec of its own; None where no server's program is in the container.

    :raises NodeportError: it failed.
    """
    with contextlib.closing(open_session(edges, bid)) as session:
        if ground_of(session, bid).program is None:
            return None
        return remove_key(session, key)


def others(server: Server) -> str:
    """The keys of a server that lets in others alone, for people."""
    many = len(server.keys)
    return "another key" if many == 1 else f"{many} other keys"


def not_brought(bid: Bid, why: str, hint: str = "") -> NodeportError:
    """The error that no server could be brought, and why."""
    return NodeportError(
        f"no ssh server could be brought into {bid.where}: {why}",
        hint=hint
        or f"does this work? kubectl exec -i {bid.pod.name} -n {bid.pod.namespace} "
        f"-c {bid.container.name} -- sh",
    )


def _no_shell(bid: Bid) -> NodeportError:
    return NodeportError(
        f"there is no shell in {bid.where}, and without one no ssh server can be brought there",
        hint="name another container of the pod with -c, or put sh into the image",
    )


def _said(session: Session, data: bytes) -> Output:
    return session.send(data, until=bring.END)
