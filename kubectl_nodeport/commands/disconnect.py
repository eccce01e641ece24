"""disconnect: take a Host entry away, and its rule where nobody else needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from kubectl_nodeport import interrupts
from kubectl_nodeport.commands.dismiss import Dismissed, dismiss, dismissals
from kubectl_nodeport.commands.edges import Edges, Hosts
from kubectl_nodeport.commands.homes import Homes, each
from kubectl_nodeport.commands.meant import of_service
from kubectl_nodeport.commands.named import Here, Named, chosen
from kubectl_nodeport.commands.noted import forget_use
from kubectl_nodeport.commands.remove import remove_rule
from kubectl_nodeport.commands.same_cluster import AnotherClusterError
from kubectl_nodeport.errors import UPGRADE, NewerFormatError, NodeportError
from kubectl_nodeport.kube.request import ConflictError, NotFoundError, Request
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.origin import Origin

Fate = Literal["deleted", "kept", "gone", "unknown"]

# Others may note themselves on a rule while it is looked at; not without end.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class DisconnectRequest:
    """What the command line asks for."""

    named: Named
    keep_rule: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Parted:
    """What became of a rule that entries led to, or in a dry run would become of it.

    :ivar entries: all on this rule that go.
    :ivar told: why it stays, "" where it does not.
    :ivar failure: why it is not known whether it stands, or why it could not be deleted.
    :ivar forgets: whether the note on it that these entries use it goes.
    """

    entries: tuple[HostEntry, ...]
    fate: Fate
    told: str = ""
    failure: NodeportError | None = None
    forgets: bool = False

    @property
    def origin(self) -> Origin:
        """What the entries know of the rule together."""
        origins = [entry.origin for entry in self.entries]
        return replace(
            origins[0],
            made_rule=any(origin.made_rule for origin in origins),
            noted=next((origin.noted for origin in origins if origin.noted), ""),
        )


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What is gone, or in a dry run would be, which ``preview`` then shows as a diff.

    :ivar servers: ssh servers that connect brought along.
    :ivar left: tells of rules that were to go and may still be open, and of such servers.
    """

    entries: tuple[HostEntry, ...]
    rules: tuple[Parted, ...]
    servers: tuple[Dismissed, ...] = ()
    preview: str = ""
    dry_run: bool = False
    left: NodeportError | None = None
    notes: tuple[str, ...] = ()


def disconnect(request: DisconnectRequest, hosts: Hosts, homes: Homes, here: Here) -> Disconnected:
    """Take the entries away that are named, with their host keys, and the rules that they made.

    An entry goes also where its cluster does not answer; its rule is named then.

    :raises NodeportError: it is not clear which entries are meant, or how the file would change;
        nothing is gone then. The file cannot be written: then no entry is gone.
    """
    entries = hosts.entries()
    going = chosen(request.named, entries, here)
    staying = [entry for entry in entries if entry not in going]
    edit = _edit(going, staying, hosts)
    preview = hosts.preview(edit)  # what cannot be written is refused before a rule goes
    notes: list[str] = []
    looked = each(_by_rule(going), partial(_looked_at, request, homes, staying))
    servers = dismissals(going, staying, keep=request.keep_rule)
    if not request.dry_run:
        looked = [_done(homes, rule, notes) for rule in looked]
        servers = each(servers, partial(dismiss, homes))
        hosts.apply(edit)
    return Disconnected(
        going,
        tuple(looked),
        tuple(servers),
        preview=preview if request.dry_run else "",
        dry_run=request.dry_run,
        left=_left(homes, looked, servers),
        notes=tuple(notes),
    )


def _edit(going: Sequence[HostEntry], staying: Sequence[HostEntry], hosts: Hosts) -> Edit:
    """Whoever made a rule and goes hands that on to another entry of the file on it."""
    heirs = {}
    for entry in going:
        beside = [one for one in staying if one.origin.is_on_rule_of(entry.origin)]
        if entry.origin.made_rule and beside:
            heirs[beside[0].alias] = beside[0]
    wanted = [
        (replace(heir, origin=replace(heir.origin, made_rule=True)), keys)
        for alias, heir in heirs.items()
        if (keys := hosts.keys(alias))  # one whose keys are lost is no host any more
    ]
    return Edit(tuple(wanted), tuple(entry.alias for entry in going))


def _by_rule(going: Sequence[HostEntry]) -> list[tuple[HostEntry, ...]]:
    """The entries that led to a rule or to a Service of others, those of one rule together."""
    found: list[tuple[HostEntry, ...]] = []
    for entry in going:
        if not entry.origin.service:
            continue
        for at, same in enumerate(found):
            if same[0].origin.is_on_rule_of(entry.origin):
                found[at] = (*same, entry)
                break
        else:
            found.append((entry,))
    return found


def _looked_at(
    request: DisconnectRequest,
    homes: Homes,
    staying: Sequence[HostEntry],
    entries: tuple[HostEntry, ...],
) -> Parted:
    """What is to become of the rule; nothing is changed."""
    kept = Parted(entries, "kept")
    origin = kept.origin
    beside = [one.alias for one in staying if one.origin.is_on_rule_of(origin)]
    if request.keep_rule:
        return replace(kept, told="--keep-rule")
    if not origin.creation:
        return replace(kept, told="others made it")
    if beside:
        return replace(kept, told=f"{beside[0]} leads to it too")
    if not origin.made_rule:
        told = f"this host's connect did not make it; {_deletes(homes, origin)}"
        return replace(kept, told=told, forgets=bool(origin.noted))
    try:
        with homes.visit(entries[0]) as edges:
            return _judged(homes, kept, _read(edges, origin))
    except NodeportError as err:
        return replace(kept, fate="unknown", failure=err)


def _judged(homes: Homes, rule: Parted, found: Mapping[str, Any] | None) -> Parted:
    origin = rule.origin
    if found is None:
        return replace(rule, fate="gone")
    service.check_format(found)
    others = len(service.users(found) - {origin.noted})
    if others:
        whose = "a host" if others == 1 else f"{others} hosts"
        told = f"{whose} of somebody else may need it; {_deletes(homes, origin)}"
        return replace(rule, fate="kept", told=told)
    return replace(rule, fate="deleted", told="")


def _done(homes: Homes, rule: Parted, notes: list[str]) -> Parted:
    """Do what the look at it came to."""
    try:
        if rule.fate == "deleted":
            with homes.visit(rule.entries[0]) as edges:
                return _deleted(homes, edges, rule, notes)
        if rule.forgets:
            with homes.visit(rule.entries[0]) as edges:
                if (found := _read(edges, rule.origin)) is not None:
                    service.check_format(found)
                    forget_use(edges.api, rule.origin)
    except NodeportError as err:
        if rule.fate == "deleted":
            return replace(rule, fate="unknown", failure=err)
        where = f"service {rule.origin.service} in namespace {rule.origin.namespace}"
        notes.append(f"on {where} it stays noted that you use it: {err.message}")
    return rule


def _deleted(homes: Homes, edges: Edges, rule: Parted, notes: list[str]) -> Parted:
    """Delete the rule as it was looked at; if it has changed, it is looked at again.

    A deletion is whole: an interruption waits for its end.
    """
    for _ in range(_TRIES):
        found = _read(edges, rule.origin)
        now = _judged(homes, rule, found)
        meant = of_service(found) if found is not None else None
        if now.fate != "deleted" or meant is None:
            return now
        with contextlib.suppress(ConflictError):
            with interrupts.deferred():
                remove_rule(edges, meant, as_seen=True)
            notes.extend(edges.notes)
            return now
    raise NodeportError(f"service {rule.origin.service} keeps changing", hint=_command(rule.origin))


def _read(edges: Edges, origin: Origin) -> dict[str, Any] | None:
    """The rule's Service; None where that very creation of it is gone."""
    request = Request(
        *("get", "services", "see who uses the rule"),
        name=origin.service,
        namespace=origin.namespace,
    )
    try:
        found = edges.api.send(request)
    except NotFoundError:
        return None
    return found if service.rule_id(found) == origin.creation else None


def _command(origin: Origin) -> str:
    """What deletes the rule, whoever uses it."""
    return f"kubectl nodeport delete {origin.typed} --name {origin.rule} -n {origin.namespace}"


def _deletes(homes: Homes, origin: Origin) -> str:
    return f"{homes.hint(origin, _command(origin))} deletes it"


def _against(homes: Homes, origin: Origin, failure: NodeportError) -> str:
    """What to do where it is not known whether the rule is open, or it is."""
    if isinstance(failure, AnotherClusterError):
        # What has the rule's name in another cluster is another rule.
        rest = "kubectl nodeport get hosts lists the rest"
        return f"a cluster that is gone took its rules along: {rest}"
    if isinstance(failure, NewerFormatError):
        by_kubectl = service.deletion(origin.service, origin.namespace)
        return f"{UPGRADE}; then: {homes.hint(origin, f'{_command(origin)}; or: {by_kubectl}')}"
    return homes.hint(origin, _command(origin))


def _left(
    homes: Homes, rules: Sequence[Parted], servers: Sequence[Dismissed]
) -> NodeportError | None:
    """The rules and servers that may still be open, as one error with commands against that."""
    failed = [(rule.origin, rule.failure) for rule in rules if rule.failure is not None]
    running = [(one, one.failure) for one in servers if one.failure is not None]
    if not failed and not running:
        return None
    said = [
        f"service {origin.service} in namespace {origin.namespace} may still be open: "
        f"{failure.message}"
        for origin, failure in failed
    ]
    hints = [_against(homes, origin, failure) for origin, failure in failed]
    said += [
        f"the ssh server in {one.where} in namespace {one.entry.origin.namespace} may still let "
        f"your key in: {failure.message}"
        for one, failure in running
    ]
    hints += [
        "the server ends with its container, or when both of these get through: "
        f"{homes.hint(origin, f'kubectl nodeport connect {origin.typed} -n {origin.namespace}')} "
        f"--with-sshd, and: kubectl nodeport disconnect {one.entry.alias}"
        for one, _ in running
        for origin in [one.entry.origin]
    ]
    return NodeportError("; ".join(said), hint="; ".join(dict.fromkeys(hints)))
