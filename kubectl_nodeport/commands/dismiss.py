"""The end of ssh servers that connect brought along: the key is taken out again, by disconnect, and
by a connect that leads elsewhere or comes with another key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kubectl_nodeport import interrupts
from kubectl_nodeport.commands.brought import Bid
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import NoSuchObjectError, find
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.look import choose_container
from kubectl_nodeport.commands.sshd_session import others, take_out
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import parse
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import parse_public_keys

Fate = Literal["ended", "kept", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Dismissed:
    """What became of the server of an entry, or in a dry run would if no other key is let in.

    :ivar told: why it stays, "" where it does not.
    :ivar failure: why it may still let the key in.
    """

    entry: HostEntry
    fate: Fate
    told: str = ""
    failure: NodeportError | None = None

    @property
    def where(self) -> str:
        """The container, for people."""
        origin = self.entry.origin
        return f"container {origin.container} of {origin.target}"


def dismissals(
    going: Sequence[HostEntry], staying: Sequence[HostEntry], *, keep: bool
) -> list[Dismissed]:
    """The servers that the entries led to, each key once, and which of them stay as they are.

    :param keep: whether no cluster is to be asked.
    """
    found: dict[tuple[str, ...], Dismissed] = {}
    held = {_let_in(entry): entry.alias for entry in staying}
    for entry in going:
        if not entry.origin.sshd_port:
            continue
        alias = held.get(_let_in(entry))
        if keep:
            one = Dismissed(entry, "kept", "--keep-rule")
        elif alias:
            one = Dismissed(entry, "kept", f"{alias} leads to it too")
        else:
            one = Dismissed(entry, "ended")
        found.setdefault(_let_in(entry), one)
    return list(found.values())


def dismiss(homes: Homes, planned: Dismissed) -> Dismissed:
    """Take the key out of the server, which ends when it was its last."""
    if planned.fate != "ended":
        return planned
    try:
        with homes.visit(planned.entry) as edges:
            return _done(edges, planned)
    except NoSuchObjectError:
        return replace(planned, fate="gone")
    except NodeportError as err:
        return replace(planned, fate="unknown", failure=err)


def retire(edges: Edges, before: HostEntry, now: HostEntry, *, dry_run: bool) -> None:
    """Take the key out that a Host entry was for, where it is for another one now, or for a server
    in another container. That it fails is no error, but a note: the entry is written.
    """
    if not before.origin.sshd_port or before.origin.pod_uid != now.origin.pod_uid:
        return  # a pod's servers end with it
    if _let_in(before) == _let_in(now):
        return
    beside = (entry for entry in edges.hosts.entries() if entry.alias != now.alias)
    (planned,) = dismissals([before], [now, *beside], keep=False)
    if planned.fate != "ended":
        return
    whose = f"the key with which this host came before, in {planned.where}"
    if dry_run:
        edges.notes.append(f"{whose}, would be let in no more")
        return
    try:
        with interrupts.deferred():
            is_gone = _done(edges, planned).fate == "gone"
        edges.notes.extend([] if is_gone else [f"{whose}, is let in no more"])
    except NodeportError as err:
        edges.notes.append(f"{whose}, may be let in until the container ends: {err.message}")


def _let_in(entry: HostEntry) -> tuple[str, ...]:
    origin = entry.origin
    return (
        *(origin.cluster, origin.namespace, origin.pod_uid),
        *(origin.container, origin.sshd_key),
    )


def _done(edges: Edges, planned: Dismissed) -> Dismissed:
    entry, origin = planned.entry, planned.entry.origin
    pod = find(edges, parse(origin.target), lambda pod: pod.uid == origin.pod_uid).pod
    if pod.uid != origin.pod_uid:
        return replace(planned, fate="gone")
    container = choose_container(pod, origin.container, origin.sshd_port)
    if not container.running:
        return replace(planned, fate="gone")  # it has ended with all that ran in it
    bid = Bid(pod, container, entry.alias, entry, origin.sshd_port)
    (key,) = parse_public_keys(origin.sshd_key)
    taken = take_out(edges, bid, key)
    if taken is None:
        return replace(planned, fate="gone")
    state, server = taken
    if state == "running" and server is not None:
        told = f"it lets in {others(server)}, and yours no more"
        return replace(planned, fate="kept", told=told)
    return planned
