"""connect: expose the pod's ssh port, find the address that answers, write the Host entry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kubectl_nodeport.address.resolution import Answer, Attempt
from kubectl_nodeport.commands.alias import origin_of
from kubectl_nodeport.commands.dismiss import retire
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.exposure import check_exposure, exposure, note_unproven
from kubectl_nodeport.commands.login_key import KeyState, LoginKey, login_key
from kubectl_nodeport.commands.look import NothingListensError
from kubectl_nodeport.commands.noted import note_use, with_use
from kubectl_nodeport.commands.reach import UnreachedError, most_promising, place_of
from kubectl_nodeport.commands.rules import CreationRefusedError, rule_for
from kubectl_nodeport.commands.survey import ConnectRequest as ConnectRequest
from kubectl_nodeport.commands.survey import Survey, container_asked, goes_through_api, surveyed
from kubectl_nodeport.commands.trust import accepted, find_trusted
from kubectl_nodeport.commands.tunnelled import note_fall_back, note_left_open, prove_tunnel
from kubectl_nodeport.commands.vouch import HostKeys, Voucher
from kubectl_nodeport.commands.with_sshd import question
from kubectl_nodeport.container.editor_needs import Lack, lacks
from kubectl_nodeport.errors import NewerFormatError, NodeportError
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.rule.rule import Exposed, new_id
from kubectl_nodeport.ssh.edit import Edit, Whereabouts
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey


@dataclass(frozen=True, slots=True)
class Way:
    """How the host is reached: by a NodePort, or without one through the API server.

    ``host_keys`` are those to pin; ``answer`` is None in a dry run whose rule does not stand yet,
    and for the tunnel; ``key`` is the host key that was shown.
    """

    host_keys: HostKeys
    exposed: Exposed | None = None
    answer: Answer | None = None
    key: HostKey | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Connected:
    """What connect did, or in a dry run would do.

    ``home`` is the user's, ``folder`` the one in which the container's commands start; "" where
    that is not known. ``vscode_lacks`` is what VS Code's server needs and the container has not;
    None where it did not say. ``notes`` are those that this run told, and those that hold as they
    were told before. ``preview`` is the change to the ssh configuration as a diff, ``lies`` the
    file in which the entry stands.
    """

    pod: Pod
    container: Container
    port: int
    way: Way
    entry: HostEntry
    entry_change: str
    home: str
    folder: str
    context: str
    login_key: LoginKey
    notes: tuple[str, ...] = ()
    vscode_lacks: tuple[Lack, ...] | None = None
    dry_run: bool = False
    preview: str = ""
    lies: Whereabouts = field(default_factory=Whereabouts)


def connect(request: ConnectRequest, edges: Edges) -> Connected:
    """Make the pod reachable by ssh under an alias; a second run changes nothing.

    :raises NodeportError: a step failed; what this run had made in the cluster is removed.
    """
    try:
        return _connected_to(request, edges)
    except NothingListensError as nothing:
        if not _may_bring(request, edges, nothing):
            raise
    return _connected_to(replace(request, with_sshd=True), edges)


def _may_bring(request: ConnectRequest, edges: Edges, nothing: NothingListensError) -> bool:
    """Whether a person says that an ssh server of ours may be started."""
    if request.with_sshd is not None or request.dry_run or edges.confirm is None:
        return False
    asked = question(nothing.pod, nothing.container, nothing.port, nothing.user)
    return edges.confirm(asked)


def _connected_to(request: ConnectRequest, edges: Edges) -> Connected:
    try:
        with surveyed(request, edges) as seen:
            connected = _rehearsed(seen) if request.dry_run else _reached(seen)
            lasting = _lasting(seen, connected)
    except NewerFormatError as err:
        err.hint += "; or without a rule: --via tunnel"
        raise
    if seen.before is not None:
        retire(edges, seen.before, connected.entry, dry_run=request.dry_run)
    notes = tuple(dict.fromkeys([*edges.notes, *lasting]))
    return replace(connected, notes=notes, lies=edges.hosts.whereabouts())


def _lasting(seen: Survey, connected: Connected) -> tuple[str, ...]:
    """Notes that hold for as long as the host does: told where it is new or changed alone."""
    way = connected.way
    if way.answer is None or not (note := exposure(seen, way.answer)):
        return ()
    is_new = way.exposed is not None and way.exposed.made_now
    if is_new or connected.entry_change != "unchanged":
        seen.edges.notes.append(note)
    return (note,)


def _reached(seen: Survey) -> Connected:
    if goes_through_api(seen.request, seen.before):
        return _through_api(seen)
    if seen.refused is not None:
        return _through_api(seen, seen.refused)
    try:
        return _by_node_port(seen)
    except (UnreachedError, CreationRefusedError) as failure:
        if not seen.request.may_fall_back:
            raise
        return _through_api(seen, failure)


def _by_node_port(seen: Survey) -> Connected:
    assert seen.standing is not None
    if seen.standing.exposed is None:
        check_exposure(seen)
    _check_entry(seen)
    with rule_for(seen.edges, seen.wanted, seen.standing) as exposed:
        found, host_keys = find_trusted(seen, exposed)
        way = Way(host_keys, exposed, found.answer, found.answer.key, found.attempts)
        connected = _written(seen, way, found.answer.candidate.address)
    note_use(seen.edges, exposed, connected.entry.origin)
    note_unproven(seen, found.answer)
    return connected


def _through_api(seen: Survey, failure: NodeportError | None = None) -> Connected:
    return _written(seen, _tunnelled(seen, failure), seen.alias)


def _tunnelled(seen: Survey, failure: NodeportError | None) -> Way:
    """The way without a NodePort; ``failure`` is why one does not serve."""
    host_keys = prove_tunnel(seen, failure)
    way = Way(host_keys, key=host_keys.shown)
    if failure is None:
        note_left_open(seen)
        return way
    note_fall_back(seen, failure)
    return replace(way, attempts=failure.attempts) if isinstance(failure, UnreachedError) else way


def _check_entry(seen: Survey) -> None:
    """What cannot be written is refused before a rule is made."""
    _entry(seen, seen.expected, "127.0.0.1", LoginKey(KeyState.UNKNOWN))


def _written(seen: Survey, way: Way, hostname: str) -> Connected:
    login = login_key(seen)
    entry = _entry(seen, way.exposed, hostname, login)
    with seen.edges.step(f"writing the Host entry {entry.alias}"):
        change = seen.edges.hosts.put(entry, way.host_keys.keys)
    return _connected(seen, way, entry, change, login)


def _rehearsed(seen: Survey) -> Connected:
    """A dry run: what stands is probed, what does not stand is told."""
    edges, before = seen.edges, seen.before
    way, hostname = _expected_way(seen)
    login = login_key(seen)
    entry, keys = _entry(seen, way.exposed, hostname, login), way.host_keys.keys
    # Without a key there is no entry; which one answers is not known before the rule stands.
    preview = edges.hosts.preview(Edit(((entry, keys),))) if keys else ""
    if seen.standing is not None and seen.standing.stale is not None:
        edges.notes.append("the rule of an earlier pod of this name would be replaced")
    change = ("updated" if before else "created") if preview or not keys else "unchanged"
    return replace(_connected(seen, way, entry, change, login), dry_run=True, preview=preview)


def _expected_way(seen: Survey) -> tuple[Way, str]:
    """The way that a run would take as far as that can be known, and the HostName."""
    expected, failure = seen.expected, seen.refused
    if seen.is_rehearsed and expected is None:
        return Way(seen.host_keys), seen.alias
    if expected is None or seen.standing is None:
        return _tunnelled(seen, failure), seen.alias
    if seen.standing.exposed is None or seen.is_rehearsed:
        check_exposure(seen, ask=False)
        host_keys = seen.host_keys
        if host_keys.voucher is Voucher.NOBODY:
            host_keys = accepted(seen, None)
        return Way(host_keys, expected), most_promising(seen.edges, place_of(seen), expected)
    try:
        found, host_keys = find_trusted(seen, expected)
    except UnreachedError as unreached:
        if not seen.request.may_fall_back:
            raise
        return _tunnelled(seen, unreached), seen.alias
    way = Way(host_keys, expected, found.answer, found.answer.key, found.attempts)
    return way, found.answer.candidate.address


def _entry(seen: Survey, exposed: Exposed | None, hostname: str, login: LoginKey) -> HostEntry:
    """The Host entry; what an earlier connect chose and this one leaves open is kept."""
    before, request, edges = seen.before, seen.request, seen.edges
    rule = seen.wanted.rule
    origin = origin_of(rule, edges, exposed, seen.pod.uid)
    origin = replace(origin, container=container_asked(request, before))
    if login.is_asked and login.key is not None:
        origin = replace(origin, authorized_key=login.key.openssh)
    elif before is not None:
        origin = replace(origin, authorized_key=before.origin.authorized_key)
    if seen.brought is not None:
        origin = seen.brought.noted_in(origin)
    if before is not None and exposed is None and _still_stands(seen, before):
        was = before.origin  # whoever removes the entry has to know of its rule
        origin = replace(origin, service=was.service, creation=was.creation, noted=was.noted)
    if before is not None and before.origin.creation == origin.creation:
        origin = replace(origin, made_rule=before.origin.made_rule)
    if exposed is not None:
        # Drawn in a dry run, it would make each run's diff another.
        note = "" if request.dry_run else new_id()
        origin = with_use(edges, exposed, origin, note)
    return HostEntry(
        alias=seen.alias,
        hostname=hostname,
        port=exposed.node_port if exposed else rule.port,
        user=seen.user,
        known_hosts_file=edges.hosts.known_hosts_path(seen.alias),
        identity_file=request.identity_file
        or login.identity_file
        or (before.identity_file if before else None),
        origin=origin,
        program=() if exposed else edges.program(),
    )


def _still_stands(seen: Survey, before: HostEntry) -> bool:
    """Whether the rule of an earlier run is still there, as far as this one has looked."""
    if seen.standing is None:
        return True
    exposed = seen.standing.exposed
    return exposed is not None and exposed.id == before.origin.creation


def _connected(seen: Survey, way: Way, entry: HostEntry, change: str, login: LoginKey) -> Connected:
    pod, edges = seen.pod, seen.edges
    if not pod.ready:
        edges.notes.append(f"pod {pod.name} is not ready; it is reached all the same")
    missing = _vscode_lacks(seen)
    if missing and change != "unchanged":  # told once, not at every run
        edges.notes.append(
            f"for VS Code container {seen.container.name} lacks "
            f"{', '.join(lack.words for lack in missing)}; ssh works without"
        )
    return Connected(
        pod=pod,
        container=seen.container,
        port=seen.wanted.rule.port,
        way=way,
        entry=entry,
        entry_change=change,
        home=seen.look.inside.home,
        folder=seen.look.inside.folder,
        context=edges.connection.context,
        login_key=login,
        vscode_lacks=missing,
    )


def _vscode_lacks(seen: Survey) -> tuple[Lack, ...] | None:
    inside = seen.look.inside
    return None if inside.equipment is None else lacks(inside.equipment, inside.home)
