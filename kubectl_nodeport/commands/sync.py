"""sync: hold every Host entry against its cluster, and write what has changed, all at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from kubectl_nodeport import background
from kubectl_nodeport.commands.edges import Hosts
from kubectl_nodeport.commands.homes import Homes, each
from kubectl_nodeport.commands.named import no_host, within
from kubectl_nodeport.commands.truth import Gone, Truth, truth_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.edit import Change as Written
from kubectl_nodeport.ssh.edit import Edit, Whereabouts
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey

Change = Literal["unchanged", "updated", "removed", "left"]


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What the command line asks for: all hosts, or those of these aliases, context or namespace.

    ``timeout_s`` is what one host may take.
    """

    hosts: tuple[str, ...] = ()
    context: str | None = None
    namespace: str | None = None
    timeout_s: float = 20.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry, and how it was found to be.

    :ivar change: "left" where it could not be found out, or takes a connect to mend.
    :ivar told: what changed, or why it is gone.
    :ivar after: the entry as it is to be, with its host keys.
    """

    entry: HostEntry
    change: Change
    told: str = ""
    after: tuple[HostEntry, tuple[HostKey, ...]] | None = None
    failure: NodeportError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """What was changed, or in a dry run would be, which ``preview`` then shows as a diff.

    :ivar left: tells why some hosts were left as they are.
    """

    hosts: tuple[Checked, ...]
    preview: str = ""
    dry_run: bool = False
    left: NodeportError | None = None


def sync(request: SyncRequest, hosts: Hosts, homes: Homes) -> Synced:
    """Write changed ports, addresses and host keys, and remove the entries of pods that are gone.

    Nothing is changed in a cluster. What is not clear changes nothing of an entry.

    :raises NodeportError: an alias is nobody's, or the file cannot be read.
    """
    entries = hosts.entries()
    meant = _meant(request, entries)
    there = _AsRead(hosts, entries, hosts.outdated())
    alike = _alike(meant)
    found = each(alike, partial(_checked, request, there, homes))
    by_alias = {one.entry.alias: one for checked in found for one in checked}
    checked = [by_alias[entry.alias] for entry in meant]
    if request.dry_run:
        preview = hosts.preview(_edit(checked))
        return Synced(tuple(checked), preview, dry_run=True, left=_left(checked))
    checked = _written(hosts, checked)
    return Synced(tuple(checked), left=_left(checked))


def _meant(request: SyncRequest, entries: Sequence[HostEntry]) -> tuple[HostEntry, ...]:
    known = {entry.alias for entry in entries}
    for alias in request.hosts:
        if alias not in known:
            raise no_host(alias, entries)
    found = within(entries, request.context, request.namespace)
    return tuple(one for one in found if not request.hosts or one.alias in request.hosts)


def _alike(entries: Sequence[HostEntry]) -> list[tuple[HostEntry, ...]]:
    """The entries that one look answers for: an sshd is not to be asked by each of them."""
    found: dict[tuple[object, ...], tuple[HostEntry, ...]] = {}
    for entry in entries:
        origin = entry.origin
        way = (entry.is_tunnel, entry.port, origin.service, origin.container)
        login = (origin.context, origin.kubeconfig, origin.flags)
        key = (origin.identity, *way, *login)
        found[key] = (*found.get(key, ()), entry)
    return list(found.values())


def _checked(
    request: SyncRequest, hosts: _AsRead, homes: Homes, alike: tuple[HostEntry, ...]
) -> list[Checked]:
    entry = alike[0]
    try:
        looking = background.start(partial(truth_of, entry, hosts, homes, request.timeout_s / 2))
        try:
            truth, notes = looking(timeout=request.timeout_s)
        except TimeoutError as err:
            raise NodeportError(
                f"no answer within {request.timeout_s:g} s", hint="give it more with --timeout"
            ) from err
        return [replace(_compared(one, truth, hosts), notes=notes) for one in alike]
    except NodeportError as err:
        return [Checked(one, "left", failure=err) for one in alike]


def _compared(entry: HostEntry, truth: Truth | Gone, hosts: Hosts) -> Checked:
    """What the truth means for this entry.

    :raises NodeportError: nobody vouches for what is new.
    """
    if isinstance(truth, Gone):
        return Checked(entry, "removed", truth.why)
    origin = entry.origin
    is_same_rule = origin.creation == truth.creation
    after = replace(
        entry,
        hostname=truth.hostname,
        port=truth.port,
        origin=replace(
            origin,
            pod_uid=truth.pod_uid,
            service=truth.service,
            creation=truth.creation,
            made_rule=origin.made_rule and is_same_rule,
            noted=origin.noted if is_same_rule else "",
        ),
    )
    known = hosts.keys(entry.alias)
    has_new_keys = frozenset(known) != frozenset(truth.keys)
    if after == entry and not has_new_keys:
        if entry.alias in hosts.outdated():
            return Checked(entry, "updated", "in today's form", after=(entry, known))
        return Checked(entry, "unchanged")
    truth.check_vouched(entry, has_new_keys=has_new_keys)
    return Checked(
        entry,
        "updated",
        _differences(entry, after, has_new_keys=has_new_keys),
        after=(after, truth.keys),
    )


def _differences(before: HostEntry, after: HostEntry, *, has_new_keys: bool) -> str:
    said = []
    if after.hostname != before.hostname:
        said.append(f"address {after.hostname}, was {before.hostname}")
    if after.port != before.port:
        said.append(f"port {after.port}, was {before.port}")
    if after.origin.pod_uid != before.origin.pod_uid:
        said.append("another pod")
    if has_new_keys:
        said.append("new host keys")
    return ", ".join(said) or "its rule was made anew"


def _edit(checked: Sequence[Checked]) -> Edit:
    return Edit(
        tuple(one.after for one in checked if one.after is not None),
        tuple(one.entry.alias for one in checked if one.change == "removed"),
    )


def _written(hosts: Hosts, checked: Sequence[Checked]) -> list[Checked]:
    """Write all changes at once; where that fails, each alone: one does not keep the others.

    An entry that another run has changed meanwhile is left to it.
    """
    now = {entry.alias: entry for entry in hosts.entries()}
    held = [one if now.get(one.entry.alias) == one.entry else _overtaken(one) for one in checked]
    changes = [one for one in held if one.change in ("updated", "removed")]
    if not changes:
        return held
    failed: dict[str, NodeportError] = {}
    try:
        hosts.apply(_edit(changes))
    except NodeportError as whole:
        for one in changes:
            try:
                if len(changes) == 1:
                    raise whole
                hosts.apply(_edit([one]))
            except NodeportError as err:
                failed[one.entry.alias] = err
    return [
        Checked(one.entry, "left", failure=failed[one.entry.alias])
        if one.entry.alias in failed
        else one
        for one in held
    ]


def _overtaken(checked: Checked) -> Checked:
    if checked.change not in ("updated", "removed"):
        return checked
    failure = NodeportError("it was changed by another run meanwhile", hint="run it again")
    return Checked(checked.entry, "left", failure=failure)


def _left(checked: Sequence[Checked]) -> NodeportError | None:
    """All that was left as it is, as one error; what is the same for several is said once."""
    failed = [(one.entry.alias, one.failure) for one in checked if one.failure is not None]
    if not failed:
        return None
    by_reason: dict[str, list[str]] = {}
    for alias, failure in failed:
        by_reason.setdefault(failure.message, []).append(alias)
    said = [f"{', '.join(aliases)}: {reason}" for reason, aliases in by_reason.items()]
    hints = dict.fromkeys(failure.hint for _, failure in failed)
    return NodeportError(f"left as they are: {'; '.join(said)}", hint="; ".join(hints))


@dataclass(frozen=True, slots=True)
class _AsRead:
    """The file as it was read once: every look would read it again."""

    file: Hosts
    read: tuple[HostEntry, ...]
    outdated_aliases: frozenset[str]

    def entries(self) -> tuple[HostEntry, ...]:
        """Our entries as they were."""
        return self.read

    def readable(self) -> Readable:
        """As the file."""
        return self.file.readable()

    def outdated(self) -> frozenset[str]:
        """As it was."""
        return self.outdated_aliases

    def declares(self, alias: str) -> bool:
        """As the file."""
        return self.file.declares(alias)

    def whereabouts(self) -> Whereabouts:
        """As the file."""
        return self.file.whereabouts()

    def known_hosts_path(self, alias: str) -> str:
        """As the file."""
        return self.file.known_hosts_path(alias)

    def put(self, entry: HostEntry, keys: Collection[HostKey]) -> str:
        """As the file."""
        return self.file.put(entry, keys)

    def apply(self, edit: Edit) -> Mapping[str, Written]:
        """As the file."""
        return self.file.apply(edit)

    def preview(self, edit: Edit) -> str:
        """As the file."""
        return self.file.preview(edit)

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        """As the file."""
        return self.file.keys(alias)

    def server_seed(self, alias: str) -> bytes:
        """As the file."""
        return self.file.server_seed(alias)

    def forget_server_seed(self, alias: str) -> None:
        """As the file."""
        self.file.forget_server_seed(alias)
