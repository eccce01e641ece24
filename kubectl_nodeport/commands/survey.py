"""What connect is asked, and all that it finds out before it makes anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kubectl_nodeport import background
from kubectl_nodeport.address.facts import NodeFacts
from kubectl_nodeport.commands.alias import choose_alias
from kubectl_nodeport.commands.brought import Bid, Brought
from kubectl_nodeport.commands.edges import Edges, Offers
from kubectl_nodeport.commands.find import find
from kubectl_nodeport.commands.look import Look, choose_container, choose_port, read_node
from kubectl_nodeport.commands.rules import planned
from kubectl_nodeport.commands.standing import (
    RuleDraft,
    Standing,
    Wanted,
    find_rule,
    held_by,
    wanted_rule,
)
from kubectl_nodeport.commands.vouch import (
    Asked,
    HostKeys,
    Vouched,
    look_and_vouch,
    told,
    unverified,
)
from kubectl_nodeport.commands.with_sshd import brought_along
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod, check_running
from kubectl_nodeport.kube.request import ForbiddenError
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Exposed, check_name
from kubectl_nodeport.ssh.entry import HostEntry

Via = Literal["auto", "nodeport", "tunnel"]


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What the command line asks for; None leaves the choice to connect.

    ``address`` and ``node_port`` are exact, so that with them nothing but a NodePort is tried.
    ``with_sshd``: whether nodeport-sshd is started where nothing listens; None leaves it to the
    Host entry and, on a terminal, to a person. ``authorize_key``: the file of a public key that the
    pod is to let in, "" for the one that ssh would offer. ``accept_new_host_key``: one for which
    nobody vouches is pinned, where the entry has none.
    """

    target: Target
    rule_name: str = "ssh"
    port: int | str | None = None
    node_port: int | None = None
    address: str | None = None
    via: Via = "auto"
    container: str | None = None
    identity_file: str | None = None
    host: str | None = None
    timeout_s: float | None = None
    dry_run: bool = False
    accept_new_host_key: bool = False
    with_sshd: bool | None = None
    authorize_key: str | None = None

    @property
    def may_fall_back(self) -> bool:
        """Whether the tunnel may take the place of a NodePort that does not answer."""
        return self.via == "auto" and self.node_port is None and self.address is None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known before anything is made.

    :ivar wanted: the rule as it would be.
    :ivar before: our entry of this alias, if there is one.
    :ivar standing: None where no NodePort is wanted, or where Services must not be looked at.
    :ivar refused: why they must not.
    :ivar brought: the ssh server that this run has put into the container, if it has.
    :ivar node: the pod's node; None where it was not read.
    :ivar offers: what ssh would offer to the host, as found out meanwhile; raises NodeportError.
    """

    request: ConnectRequest
    edges: Edges
    wanted: Wanted
    container: Container
    alias: str
    before: HostEntry | None
    look: Look
    host_keys: HostKeys
    standing: Standing | None
    refused: ForbiddenError | None = None
    node: NodeFacts | None = None
    brought: Brought | None = None
    offers: Callable[[], Offers] = Offers

    @property
    def pod(self) -> Pod:
        """The pod that is connected to."""
        return self.wanted.pod

    @property
    def user(self) -> str:
        """Whom to log in as: given, else kept from the entry, else the container's own.

        :raises NodeportError: it is not known.
        """
        if self.brought is not None:
            return self.brought.user  # it lets in nobody else
        before = self.before.user if self.before else ""
        found = self.request.target.user or before or self.look.inside.user
        if not found:
            failure = self.look.failure
            raise NodeportError(
                "the container's user is not known, so whom to log in as is not clear"
                f"{f': {failure.message}' if failure else ''}",
                hint=f"say it: kubectl nodeport connect USER@{self.wanted.rule.typed}",
            )
        return found

    @property
    def is_rehearsed(self) -> bool:
        """Whether there is no ssh server yet, as a dry run does not bring it along."""
        return self.brought is not None and self.brought.host_key is None

    @property
    def expected(self) -> Exposed | None:
        """The rule as it stands, or will if the first of its node ports is free."""
        if self.standing is None:
            return None
        return self.standing.exposed or planned(self.wanted, self.standing)


@contextlib.contextmanager
def surveyed(request: ConnectRequest, edges: Edges) -> Iterator[Survey]:
    """Look at the pod, its container, its rule and its node; the container can be asked meanwhile.

    :raises NodeportError: the pod cannot be connected to, or a right is missing.
    """
    aim = _aimed(request, edges)
    alias, before, wanted = aim.alias, aim.before, aim.wanted
    asked = _asked(request, edges, aim)
    with contextlib.ExitStack() as stack:
        brought = _brought(edges, _bid(request, aim), stack)
        if brought is not None:
            asked = replace(asked, port=brought.port, brought=brought)
            wanted = replace(wanted, rule=replace(wanted.rule, port=brought.port))
        looking = background.start(lambda: look_and_vouch(edges, asked))
        vouched_of = stack.enter_context(_seen(looking))
        rule = _Rule() if asked.through_api else _look_for_rule(request, edges, wanted)
        vouched = vouched_of()
        edges.notes.extend(_told(edges, vouched.host_keys, before))
        yield Survey(
            request=request,
            edges=edges,
            wanted=wanted,
            container=aim.container,
            alias=alias,
            before=before,
            look=vouched.look,
            host_keys=vouched.host_keys,
            standing=rule.standing,
            refused=rule.refused,
            node=rule.node,
            brought=brought,
            offers=_offering(request, edges, aim, vouched.look) if brought is None else Offers,
        )


def _asked(request: ConnectRequest, edges: Edges, aim: _Aim) -> Asked:
    """Where the pod's own ssh server is, and what is known of it."""
    before, rule = aim.before, aim.wanted.rule
    return Asked(
        aim.wanted.pod,
        aim.container,
        rule.port,
        rule.typed,
        user=request.target.user or (before.user if before else None),
        kept=(lambda: edges.hosts.keys(aim.alias)) if before else tuple,
        through_api=goes_through_api(request, before),
        is_given=request.port is not None,
    )


def _brought(edges: Edges, bid: Bid | None, stack: contextlib.ExitStack) -> Brought | None:
    """The server that is asked for; it ends where what is on the stack fails."""
    if bid is None:
        return None
    with edges.step(f"seeing to the ssh server in {bid.where}"):
        return stack.enter_context(brought_along(edges, bid))


def _told(edges: Edges, host_keys: HostKeys, before: HostEntry | None) -> list[str]:
    kept = edges.hosts.keys(before.alias) if before and before.origin.sshd_port else ()
    # A server that was brought has no key file where others have theirs: that is as it was.
    said = None if host_keys.shown in kept else told(host_keys)
    return [*filter(None, (unverified(edges.connection), said))]


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the request means: the rule as it would be, the container, and the Host entry."""

    wanted: Wanted
    container: Container
    alias: str
    before: HostEntry | None


def _aimed(request: ConnectRequest, edges: Edges) -> _Aim:
    check_name(request.rule_name)
    found = find(edges, request.target, held=held_by(edges, request.rule_name))
    if found.note:
        edges.notes.append(found.note)
    port = choose_port(found, request.port)
    draft = RuleDraft(request.rule_name, port, node_port=request.node_port)
    wanted = wanted_rule(edges, found, draft)
    alias, before = choose_alias(wanted.rule, edges, request.host)
    container = choose_container(found.pod, container_asked(request, before), port)
    check_running(found.pod, container)
    return _Aim(wanted, container, alias, before)


def _bid(request: ConnectRequest, aim: _Aim) -> Bid | None:
    """Where an ssh server is asked for; None where none is."""
    pod, port = aim.wanted.pod, aim.wanted.rule.port
    bid = Bid(
        pod,
        aim.container,
        aim.alias,
        aim.before,
        port,
        is_exact=request.port is not None,
        is_anothers=request.port is None and pod.declares_beside(aim.container, port),
        through_api=goes_through_api(request, aim.before),
        user=request.target.user,
        identity_file=request.identity_file,
        dry_run=request.dry_run,
    )
    if request.with_sshd is None:
        return bid if bid.was_brought and request.port is None else None
    return bid if request.with_sshd else None


def _offering(request: ConnectRequest, edges: Edges, aim: _Aim, look: Look) -> Callable[[], Offers]:
    """Begin to ask ssh what it would offer, where that will be compared with what is let in."""
    if look.inside.authorized is None and request.authorize_key is None:
        return Offers
    identity = request.identity_file or (aim.before.identity_file if aim.before else None)
    return background.start(lambda: edges.offered(aim.alias, identity))


@contextlib.contextmanager
def _seen(looking: Callable[[], Vouched]) -> Iterator[Callable[[], Vouched]]:
    """The look that was begun; it is closed at the end, without being waited for."""
    try:
        yield looking
    finally:
        background.start(lambda: looking().close())


@dataclass(frozen=True, slots=True)
class _Rule:
    """What there is of the rule; see Survey."""

    standing: Standing | None = None
    refused: ForbiddenError | None = None
    node: NodeFacts | None = None


def _look_for_rule(request: ConnectRequest, edges: Edges, wanted: Wanted) -> _Rule:
    try:
        standing = find_rule(edges.api, wanted)
    except ForbiddenError as err:
        if not request.may_fall_back:
            raise
        return _Rule(refused=err)
    edges.notes.extend(standing.notes)
    return _Rule(standing, node=None if standing.exposed else read_node(edges, wanted.pod))


def container_asked(request: ConnectRequest, before: HostEntry | None) -> str:
    """The container that was named with -c, now or when the entry was made; "" for none."""
    return request.container or (before.origin.container if before else "")


def goes_through_api(request: ConnectRequest, before: HostEntry | None) -> bool:
    """Whether no NodePort is tried: so asked for, or how the entry goes already."""
    is_tunnel = before is not None and before.is_tunnel
    return request.via == "tunnel" or (is_tunnel and request.may_fall_back)
