"""Whether the pod's ssh server lets this person's key in, and connect --authorize-key."""

from __future__ import annotations

import contextlib
import enum
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_nodeport.commands import own_key
from kubectl_nodeport.commands.edges import Offered, Offers
from kubectl_nodeport.commands.survey import Survey
from kubectl_nodeport.container import authorize
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ForbiddenError
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys


class KeyState(enum.Enum):
    """What is known of a key to log in with; a closed set."""

    PRESENT = "present"
    """One that ssh would offer is let in."""
    ADDED = "added"
    """It is since this run."""
    WOULD_BE_ADDED = "would be added"
    """In a dry run."""
    MISSING = "missing"
    """None of them is let in."""
    UNKNOWN = "unknown"
    """The container did not say, or not all; or ssh did not say what it would offer."""


@dataclass(frozen=True, slots=True)
class LoginKey:
    """The key to log in with.

    :ivar identity_file: the private key that was made for it, which the Host entry then names.
    :ivar is_asked: whether it is to be let in by a pod that takes the place of this one too.
    """

    state: KeyState
    key: HostKey | None = None
    identity_file: str | None = None
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class _Mine:
    """The key that was chosen, and the private key's file where the entry has to name it."""

    one: Offered
    identity_file: str | None = None


def login_key(seen: Survey) -> LoginKey:
    """Find out whether ssh gets in by key; add one where that is asked for.

    :raises NodeportError: one was asked for and cannot be added.
    """
    asked = seen.request.authorize_key
    if seen.brought is not None:
        if asked is not None:
            seen.edges.notes.append(
                "the ssh server that was brought along lets your key in by itself; nothing was "
                "added to authorized_keys"
            )
        state = KeyState.UNKNOWN if seen.is_rehearsed else KeyState.PRESENT
        return LoginKey(state, seen.brought.let_in)
    if asked is not None:
        return _let_in(seen, _named(seen, asked) if asked else _of_ssh(seen))
    return _given_again(seen) or _compared(seen)


def _named(seen: Survey, file: str) -> _Mine:
    return _Mine(Offered(seen.edges.public_key(file), file))


def _of_ssh(seen: Survey) -> _Mine:
    """The key that ssh would offer: as before, one that is let in, the only one, or as chosen."""
    offers = seen.offers()
    before = seen.before.origin.authorized_key if seen.before else ""
    keys = own_key.kept(offers.keys, before)
    present = [one for one in keys if _is_let_in(seen, one.key)]
    if present or keys:
        return _Mine(present[0] if present else _chosen(seen, keys))
    made = _own(seen, offers)
    if made is not None:
        return made
    others = " of a kind that is known here" if offers.has_others else ""
    raise NodeportError(
        f"ssh has no key{others} to offer, so there is none to add",
        hint=f"make one with: ssh-keygen -t ed25519, then: {_command(seen)}",
    )


def _chosen(seen: Survey, keys: tuple[Offered, ...]) -> Offered:
    return own_key.chosen(
        seen.edges,
        keys,
        question=f"Which key shall be added to {_where(seen)}?",
        purpose="one is to be added",
        hint=f"name it: {_command(seen, '=FILE.pub')}",
    )


def _own(seen: Survey, offers: Offers) -> _Mine | None:
    """The key that was made for hosts of ours, made now where somebody says so."""
    own, edges = seen.edges.own_identity, seen.edges
    if own is None or offers.has_others:
        return None
    if not own.is_there:
        if seen.request.dry_run or edges.confirm is None:
            return None
        asked = f"ssh has no key to offer. Make one for hosts of kubectl nodeport, {own.path}, and"
        if not edges.confirm(f"{asked} add it to {_where(seen)}?"):
            return None
        own.make()
    (one,) = edges.offered(seen.alias, own.path).keys
    return _Mine(one, own.path)


def _given_again(seen: Survey) -> LoginKey | None:
    """A pod that took the place of one to which a key was added gets it too, as far as may be.

    Not the pod itself: where the key was taken out, somebody has done so.
    """
    before = seen.before
    if before is None or before.origin.pod_uid == seen.pod.uid:
        return None
    keys = parse_public_keys(before.origin.authorized_key)
    if not keys:
        return None
    mine = _Mine(Offered(keys[0], "of the Host entry"))
    try:
        return _let_in(seen, mine)
    except NodeportError as err:
        seen.edges.notes.append(err.message)
        return LoginKey(KeyState.MISSING, is_asked=True)


def _compared(seen: Survey) -> LoginKey:
    authorized, unknown = seen.look.inside.authorized, LoginKey(KeyState.UNKNOWN)
    if authorized is None:
        return unknown
    try:
        offers = seen.offers()
    except NodeportError:
        return unknown  # what ssh does not accept is told where the entry is written
    for one in offers.keys:
        if _is_let_in(seen, one.key):
            return LoginKey(KeyState.PRESENT, one.key)
    if not authorized.is_known or offers.has_others:
        return unknown
    return _offered_to_add(seen, offers) or _warned(seen, offers)


def _offered_to_add(seen: Survey, offers: Offers) -> LoginKey | None:
    """Ask whether to add a key: once for each pod, as somebody may log in by password."""
    edges, before = seen.edges, seen.before
    is_new = before is None or before.origin.pod_uid != seen.pod.uid
    if edges.confirm is None or seen.request.dry_run or not is_new:
        return None
    own = edges.own_identity
    if not offers.keys and not (own and own.is_there):
        mine = _own(seen, offers)  # which asks by itself
    else:
        which = "one of them" if len(offers.keys) > 1 else _only(seen, offers)
        if not edges.confirm(f"none of your ssh keys is in {_where(seen)}. Add {which}?"):
            return None
        mine = _Mine(_chosen(seen, offers.keys)) if offers.keys else _own(seen, offers)
    return _let_in(seen, mine) if mine else None


def _only(seen: Survey, offers: Offers) -> str:
    """The only key there is, for people; "" where there is none."""
    own = seen.edges.own_identity
    if offers.keys:
        return own_key.named(offers.keys)
    return own.path if own is not None and own.is_there else ""


def _warned(seen: Survey, offers: Offers) -> LoginKey:
    notes, where = seen.edges.notes, _where(seen)
    if len(offers.keys) > 1:
        named = own_key.named(offers.keys)
        notes.append(
            f"none of the keys that ssh would offer ({named}) is in {where}; add one, FILE.pub "
            f"being its public half, with: {_command(seen, '=FILE.pub')}"
        )
    elif which := _only(seen, offers):
        notes.append(f"your ssh key {which} is not in {where}; add it with: {_command(seen)}")
    else:
        server = f"the ssh server in {seen.pod.where(seen.container)}"
        keys_alone = seen.look.inside.passwords is False
        what = f", and {server} takes keys alone" if keys_alone else f" to {server}"
        notes.append(
            f"ssh has no key to offer{what}; make one with: ssh-keygen -t ed25519, "
            f"then: {_command(seen)}"
        )
    return LoginKey(KeyState.MISSING)


def _let_in(seen: Survey, mine: _Mine) -> LoginKey:
    """Have the key let in, where it is not yet.

    :raises NodeportError: it cannot be.
    """
    one, notes = mine.one, seen.edges.notes
    name = f"{one.where} ({one.key.fingerprint})"
    state = KeyState.PRESENT
    if not _is_let_in(seen, one.key):
        file = _file(seen, name)
        state = KeyState.WOULD_BE_ADDED
        if not seen.request.dry_run:
            done = _put(seen, file, one)
            state = KeyState.ADDED if done.added else KeyState.PRESENT
            notes.extend(
                f"others may write to {folder} in the pod, and sshd, unless StrictModes is off, "
                "then lets no key in: chmod go-w"
                for folder in done.loose
            )
        if state is not KeyState.PRESENT:
            verb = "would be" if seen.request.dry_run else "was"
            notes.append(f"your key {name} {verb} added to {file} of {_whose(seen)}")
    return LoginKey(state, one.key, mine.identity_file, is_asked=True)


def _file(seen: Survey, name: str) -> str:
    """Where a key is added.

    :raises NodeportError: that is not known.
    """
    look = seen.look
    authorized = look.inside.authorized
    if authorized is not None and authorized.files:
        return authorized.files[0]
    why = "which file its ssh server reads was not found out (AuthorizedKeysFile)"
    failure = look.failure
    raise NodeportError(
        f"the key {name} cannot be added for {_whose(seen)}: {failure.message if failure else why}",
        hint=failure.hint if failure else "add it where that server looks for keys",
    )


def _put(seen: Survey, file: str, one: Offered) -> authorize.Done:
    """Add it, in one exec, over its stdin.

    :raises NodeportError: exec is refused or fails, or the file cannot be written.
    """
    pod, container = seen.pod, seen.container.name
    command = authorize.command(seen.user, file)
    try:
        session = seen.edges.exec.start(pod.namespace, pod.name, container, command)
    except ForbiddenError as err:
        raise NodeportError(f"a key is added by exec: {err.message}", hint=err.hint) from err
    with contextlib.closing(session):
        said = session.send(authorize.line(one.key).encode(), until=authorize.END)
    done = authorize.read(said.stdout)
    if done.failure:
        raise NodeportError(
            f"the key {one.where} cannot be added to {file} of {_whose(seen)}: {done.failure}",
            hint="mend that there, or log in as another user: kubectl nodeport connect "
            f"USER@{seen.wanted.rule.typed} -n {pod.namespace} --authorize-key",
        )
    return done


def _is_let_in(seen: Survey, key: HostKey) -> bool:
    authorized = seen.look.inside.authorized
    return authorized is not None and key.blob in authorized.blobs


def _whose(seen: Survey) -> str:
    return f"{seen.user} in {seen.pod.where(seen.container)}"


def _where(seen: Survey) -> str:
    authorized = seen.look.inside.authorized
    files = authorized.files[:1] if authorized else ()
    return f"{''.join(files) or 'the authorized_keys'} of {_whose(seen)}"


def _command(seen: Survey, value: str = "") -> str:
    """The command that adds a key, as this run was asked."""
    rule = seen.wanted.rule
    words = " ".join([*_words(seen), f"--authorize-key{value}"])
    return seen.edges.again(f"kubectl nodeport connect {words} -n {rule.namespace}")


def _words(seen: Survey) -> Iterator[str]:
    request, rule = seen.request, seen.wanted.rule
    user = request.target.user
    yield f"{user}@{rule.typed}" if user else rule.typed
    if request.rule_name != "ssh":
        yield f"--name {request.rule_name}"
    if request.port is not None:
        yield f"--port {request.port}"
    if request.container:
        yield f"-c {request.container}"
    if request.host:
        yield f"--host {shlex.quote(request.host)}"
    if request.identity_file:
        yield f"-i {shlex.quote(request.identity_file)}"
