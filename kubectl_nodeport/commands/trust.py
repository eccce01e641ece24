"""What becomes of the host key that answers: compared with those that are vouched for, or asked."""

from __future__ import annotations

from dataclasses import replace

from kubectl_nodeport.address.resolution import Answer, Attempt, Verdict
from kubectl_nodeport.commands.reach import Found, UnreachedError, find_address, place_of
from kubectl_nodeport.commands.survey import Survey
from kubectl_nodeport.commands.vouch import HostKeys, Voucher
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.known_hosts import HostKey


def find_trusted(seen: Survey, exposed: Exposed) -> tuple[Found, HostKeys]:
    """The address at which the rule answers from here, and the host keys to pin.

    :raises UnreachedError: there is none.
    :raises NodeportError: an ssh server answers there, and nobody vouches for its host key.
    """
    host_keys, place = seen.host_keys, place_of(seen)
    try:
        found = find_address(seen.edges, place, exposed)
    except UnreachedError as failure:
        others = _shown(failure.attempts)
        if host_keys.voucher is Voucher.ENTRY and others:
            raise _changed(seen, others) from failure
        shown = _key_behind(seen, others)
        if shown is None:
            raise
        host_keys = shown_instead(seen, shown)
        found = find_address(seen.edges, replace(place, host_keys=host_keys.keys), exposed)
    if host_keys.voucher is Voucher.NOBODY:
        host_keys = accepted(seen, found.answer)
    return found, host_keys


def shown_instead(seen: Survey, shown: HostKey) -> HostKeys:
    """The pod's port shows another key than those that were known: it is the one to pin.

    It is vouched for by the API server, as the others were; that is noted, where there were any.
    """
    known = ", ".join(key.fingerprint for key in seen.host_keys.keys)
    where = f"found in container {seen.container.name}"
    if seen.host_keys.voucher is not Voucher.EXEC:
        where = "of the Host entry"
    if known:
        seen.edges.notes.append(
            f"the ssh server of pod {seen.pod.name} has another host key than those {where} "
            f"({known}): the one that it shows through the API server is pinned"
        )
    return HostKeys((shown,), Voucher.PORT_FORWARD, shown)


def accepted(seen: Survey, answer: Answer | None) -> HostKeys:
    """The key that answered, where it was said that a new one may be pinned unseen.

    :param answer: None in a dry run whose rule does not stand yet.
    :raises NodeportError: that was not said; the fingerprint is told.
    """
    notes, name, why = seen.edges.notes, seen.pod.name, seen.host_keys.why
    rule = seen.wanted.rule
    key = answer.key if answer else None
    if not seen.request.accept_new_host_key:
        at = f"; what answers at {answer.candidate.address}:{answer.port} shows " if answer else ""
        raise NodeportError(
            f"nobody vouches for the host key of pod {name}: {why}"
            f"{at}{f'{key.type} {key.fingerprint}' if key else ''}",
            hint="pin it, if whoever runs the pod knows it (ssh-keygen -lf KEY.pub), with: kubectl "
            f"nodeport connect {seen.user}@{rule.typed} -n {rule.namespace} --accept-new-host-key",
        )
    shown = "the one that answers would be pinned"
    if key is not None:
        verb = "would be" if seen.request.dry_run else "is"
        shown = f"{key.type} {key.fingerprint}, seen from here only, {verb} pinned"
    notes.append(f"nobody vouches for the host key of pod {name}: {shown}; {why}")
    return HostKeys((key,) if key else (), Voucher.NOBODY, why=why)


def _shown(attempts: tuple[Attempt, ...]) -> tuple[str, ...]:
    """The fingerprints of other servers' keys, where any answered."""
    other = [a.outcome for a in attempts if a.outcome.verdict is Verdict.OTHER_KEY]
    return tuple(dict.fromkeys(outcome.fingerprint or "" for outcome in other))


def _key_behind(seen: Survey, others: tuple[str, ...]) -> HostKey | None:
    """The key of the pod's port, if it is one of these fingerprints that were seen from here.

    Files tell only which keys a server has that reads them: another container may hold it, or it
    was not started again since.
    """
    if seen.host_keys.voucher is not Voucher.EXEC or not others:
        return None
    pod, known = seen.pod, frozenset(seen.host_keys.keys)
    try:
        shown = seen.edges.tunnel(pod.namespace, pod.name, seen.wanted.rule.port, known)
    except NodeportError:
        return None
    return shown if shown not in known and shown.fingerprint in others else None


def _changed(seen: Survey, others: tuple[str, ...]) -> NodeportError:
    known = ", ".join(key.fingerprint for key in seen.host_keys.keys)
    return NodeportError(
        f"what answers shows the host key {', '.join(others)}, the Host entry {seen.alias} has "
        f"{known}, and nobody vouches for another: {seen.host_keys.why}",
        hint="a pod that was replaced may have a new key: ask for the right, and check with: "
        f"kubectl auth can-i get pods --subresource=portforward -n {seen.pod.namespace}; or, if "
        "whoever runs the pod knows the new key, forget the old one, to connect again with "
        f"--accept-new-host-key: kubectl nodeport disconnect {seen.alias}",
    )
