"""When a request is sent again: where the server itself asks to come back later. Pure."""

from __future__ import annotations

import re

from kubectl_nodeport.kube.request import Request

# As many as client-go.
_MOST = 10
# Whole seconds; client-go passes over the other form, a date.
_SECONDS = re.compile(r"[0-9]{1,6}")
_TOO_MANY_REQUESTS = 429


def wait_s(request: Request, status: int, retry_after: str | None, attempt: int) -> float | None:
    """How long to wait before the request is sent again; None where it is not.

    As client-go does it, except that a create is sent again only after 429, which is said before
    anything is done: what a server failed at with 5xx may be there all the same, and the second
    answer would be that another has made it.
    https://github.com/kubernetes/client-go/blob/v0.34.4/rest/with_retry.go

    :param retry_after: the header of this name.
    :param attempt: how often the request has been sent.
    """
    is_asked = status == _TOO_MANY_REQUESTS or (status >= 500 and request.verb != "create")
    if not is_asked or attempt > _MOST or not _SECONDS.fullmatch(retry_after or ""):
        return None
    return float(retry_after or "")
