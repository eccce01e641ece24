"""The way without a NodePort, through the API server: asked for, or where nothing else answers."""

from __future__ import annotations

from dataclasses import replace

from kubectl_nodeport.commands.survey import Survey
from kubectl_nodeport.commands.trust import shown_instead
from kubectl_nodeport.commands.vouch import HostKeys, Voucher
from kubectl_nodeport.errors import NodeportError


def prove_tunnel(seen: Survey, failure: NodeportError | None) -> HostKeys:
    """The host keys to pin; the pod's ssh server has shown one of them through the API server.

    :param failure: why a NodePort does not serve.
    :raises NodeportError: it cannot be reached that way either.
    """
    pod, port, host_keys = seen.pod, seen.wanted.rule.port, seen.host_keys
    try:
        seen.edges.program()  # what an entry must not hold is refused before all else
        if host_keys.shown is not None:  # a moment ago
            return host_keys
        shown = seen.edges.tunnel(pod.namespace, pod.name, port, frozenset(host_keys.keys))
    except NodeportError as err:
        if failure is None:
            raise
        raise NodeportError(
            f"{failure.message}; and through the API server: {err.message}", hint=failure.hint
        ) from err
    if host_keys.voucher is not Voucher.EXEC:  # the way there was closed a moment ago
        host_keys = replace(host_keys, voucher=Voucher.PORT_FORWARD)
    if shown in host_keys.keys:
        return replace(host_keys, shown=shown)
    return shown_instead(seen, shown)


def note_fall_back(seen: Survey, failure: NodeportError) -> None:
    """Tell why there is no NodePort, what would mend that, and what has become of the Service."""
    notes = seen.edges.notes
    notes.append(failure.message)
    notes.append(f"what may mend that: {failure.hint}")
    standing = seen.standing.exposed if seen.standing else None
    what = "no NodePort stays open"
    if standing is not None:
        what = _stays(seen, standing.service, ours=standing.ours)
    notes.append(f"the host goes through the API server instead; {what}")


def note_left_open(seen: Survey) -> None:
    """Tell of the NodePort by which the host was reached so far, and is not any more."""
    before = seen.before
    if before is not None and not before.is_tunnel and before.origin.service:
        origin = before.origin
        seen.edges.notes.append(_stays(seen, origin.service, ours=bool(origin.creation)))


def _stays(seen: Survey, service: str, *, ours: bool) -> str:
    if not ours:
        return f"service {service}, which others made, stays open"
    rule = seen.wanted.rule
    return (
        f"service {service} stays open; remove it with: kubectl nodeport delete {rule.typed} "
        f"--name {rule.name} -n {rule.namespace}"
    )
