"""Who uses a rule: a Host entry whose connect did not make it notes itself on the rule.

Whoever made the rule then sees at disconnect that others would lose it: docs/decisions/0009.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timezone

from kubectl_nodeport.commands.edges import Api, Edges
from kubectl_nodeport.commands.withdraw import FIELD_MANAGER
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Request,
)
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.rule import Exposed
from kubectl_nodeport.ssh.origin import Origin

_REPLACED = (NotFoundError, ConflictError, InvalidError)


def with_use(edges: Edges, exposed: Exposed, origin: Origin, note: str) -> Origin:
    """The origin of an entry for a rule that stands, with the id under which it notes itself.

    Entries of one file are one user: where one of them made the rule or is noted, that is enough.

    :param note: the id for one that is new here.
    """
    if not (exposed.ours and exposed.stands) or origin.made_rule:
        return origin
    beside = [one.origin for one in edges.hosts.entries() if one.origin.is_on_rule_of(origin)]
    if any(one.made_rule for one in beside):
        return origin
    known = [one.noted for one in beside if one.noted]
    return replace(origin, noted=known[0] if known else note)


def note_use(edges: Edges, exposed: Exposed, origin: Origin) -> None:
    """Note the entry on its rule, if it is to be and is not yet: one request at the first use.

    :raises NodeportError: the rule was removed meanwhile.
    """
    if not origin.noted or origin.noted in exposed.users:
        return
    when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        _patch(edges.api, origin, exposed.uid, when)
    except ForbiddenError:
        edges.notes.append(
            f"without the right to patch services it is not noted on service {exposed.service} "
            "that you use it: disconnect of whoever made it may remove it"
        )
    except _REPLACED as err:
        raise NodeportError(
            f"service {exposed.service} was removed while it was looked at", hint="run it again"
        ) from err
    except NodeportError as err:
        edges.notes.append(
            f"that you use service {exposed.service} is perhaps not noted there: {err.message}"
        )


def forget_use(api: Api, origin: Origin) -> None:
    """Take the entry's note from its rule, if that is still there.

    Where another Service has its name by now, nothing there has this id.

    :raises NodeportError: it stays.
    """
    with contextlib.suppress(NotFoundError):
        _patch(api, origin, "", None)


def _patch(api: Api, origin: Origin, service_uid: str, when: str | None) -> None:
    request = Request(
        *("patch", "services", "note who uses the rule"),
        name=origin.service,
        namespace=origin.namespace,
        query=(FIELD_MANAGER,),
        body=service.user_patch(service_uid, origin.noted, when),
    )
    api.send(request)
