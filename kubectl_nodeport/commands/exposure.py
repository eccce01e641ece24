"""Who else reaches a NodePort: asked before one is opened, and told of one that answers."""

from __future__ import annotations

from kubectl_nodeport.address.facts import is_public
from kubectl_nodeport.address.resolution import Answer, Proof
from kubectl_nodeport.commands.survey import Survey
from kubectl_nodeport.errors import NodeportError


def check_exposure(seen: Survey, *, ask: bool = True) -> None:
    """Before a NodePort is opened to the internet where passwords are enough to come in.

    :param ask: whether to ask for leave; else it is told that a run will ask.
    :raises NodeportError: nobody says that it is wanted.
    """
    public = _public_addresses(seen)
    if not public or seen.look.inside.passwords is False:
        return
    at, name = ", ".join(public), seen.pod.name
    if seen.look.inside.passwords is None:
        seen.edges.notes.append(
            f"the NodePort is open to whoever reaches {at}; whether the ssh server of pod {name} "
            "takes passwords is not known"
        )
        return
    if seen.request.via == "nodeport":
        return
    what = f"a NodePort of pod {name} may be open to everyone at {at}, and its ssh server takes "
    confirm = seen.edges.confirm
    if confirm is not None and not ask:
        seen.edges.notes.append(f"{what}passwords: it would be asked whether to open it")
        return
    if confirm is None or not confirm(f"{what}passwords. Open it?"):
        raise NodeportError(
            f"{what}passwords, so none was opened",
            hint="set PasswordAuthentication no in the pod's sshd_config; or --via tunnel, which "
            "opens nothing; or --via nodeport, if that is what you want",
        )


def note_unproven(seen: Survey, answer: Answer) -> None:
    """Tell who else may be behind the address."""
    if answer.proof is Proof.SHARED_KEY:
        seen.edges.notes.append(
            "other pods of this image may have the same host key, and the container does not tell "
            "who is connected: that it is this pod is not proven"
        )


def exposure(seen: Survey, answer: Answer) -> str:
    """Who else comes in by the address, for people to read; "" where that is nobody else."""
    if answer.candidate.address != "127.0.0.1":
        return ""
    address = seen.edges.beyond_loopback(answer.port, seen.pod.host_ips)
    if address is None:
        return ""
    passwords = ", which takes passwords" if seen.look.inside.passwords else ""
    return (
        f"port {answer.port} is open on this machine's address {address} too: whoever reaches "
        f"this machine reaches the pod's ssh server{passwords}"
    )


def _public_addresses(seen: Survey) -> tuple[str, ...]:
    """Those of the pod's node, as far as they are known."""
    of_node = seen.node.public_addresses if seen.node is not None else ()
    return tuple(dict.fromkeys([*of_node, *filter(is_public, seen.pod.host_ips)]))
