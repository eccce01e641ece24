"""Requests to the API server as values, and its refusals as errors in plain words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode, urlsplit

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.answer import Json as Json
from kubectl_nodeport.kube.answer import shown, status_of

_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "patch": "PATCH",
    "delete": "DELETE",
}

# RBAC's refusal, in the API server's fixed wording:
# https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go
_CANNOT = re.compile(
    r'cannot (?P<verb>[a-z]+) resource "(?P<resource>[a-z0-9.-]+)(?P<subresource>/[a-z0-9./-]+)?"'
    r'(?: in API group "(?P<group>[a-z0-9.-]*)")?'
)

# From 1.35 on a websocket into a pod takes the right to create too; without it the API server says
# what its authorizer gives as a reason, and RBAC gives none, unless a role cannot be read:
# https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/registry/core/pod/rest/authorize.go
_STREAMS = ("exec", "portforward")
_WITHOUT_REASON = re.compile(r"is forbidden:(?: RBAC: .*)?", re.DOTALL)

# A hint where an answer is none that an API server gives.
IS_IT_THE_SERVER = "is that the API server, and no proxy or login page before it? kubectl version"

# For a collection of which names are all that is wanted: the server leaves the rest out.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: a verb and a resource as RBAC names them.

    ``purpose`` completes "… is needed to" in the error that a refusal becomes; ``group`` is the
    API's group and version, such as ``apps/v1``, "" for the core's v1. ``raw`` is the whole path of
    what is no resource, such as ``/version``.
    """

    verb: str
    resource: str
    purpose: str
    name: str = ""
    namespace: str = ""
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: Json | None = field(default=None, compare=True, hash=False)
    names_only: bool = False
    group: str = ""
    raw: str = ""

    def __post_init__(self) -> None:
        """Refuse what would be done to every object there is.

        :raises ValueError: a delete or patch without a name.
        """
        if self.verb in ("delete", "patch") and not self.name:
            raise ValueError(f"{self.verb} {self.resource} without a name")

    @property
    def method(self) -> str:
        """The HTTP method."""
        return _METHODS[self.verb]

    @property
    def path(self) -> str:
        """The path below the server's URL, its query included."""
        if self.raw:
            return self.raw
        parts = ["", "apis", *self.group.split("/")] if self.group else ["", "api", "v1"]
        if self.namespace:
            parts += ["namespaces", self.namespace]
        parts += [part for part in (self.resource, self.name, self.subresource) if part]
        path = "/".join(quote(part, safe="") for part in parts)
        query = (*self.query, ("watch", "true")) if self.verb == "watch" else self.query
        return f"{path}?{urlencode(query)}" if query else path

    @property
    def headers(self) -> dict[str, str]:
        """Accept and Content-Type; the client adds authentication."""
        headers = {"Accept": _METADATA_ONLY if self.names_only else "application/json"}
        if self.verb == "patch":
            headers["Content-Type"] = "application/merge-patch+json"
        elif self.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def __str__(self) -> str:
        """For a log: without the words of a command, which are long."""
        shown = replace(self, query=tuple(q for q in self.query if q[0] != "command"))
        return f"{self.method} {shown.path}"


class ApiError(NodeportError):
    """The API server answered, and the answer is no.

    ``status`` is the HTTP status, ``reason`` the machine-readable reason of Kubernetes' Status.
    """

    def __init__(self, message: str, *, hint: str, status: int, reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class ForbiddenError(ApiError):
    """403: a right is missing, a quota is used up, or admission refused."""


class NotFoundError(ApiError):
    """404: the object does not exist, or something on the way to it."""

    def is_of(self, resource: str, name: str) -> bool:
        """Whether it is the object of this name that is said to be missing.

        The API server's words are fixed:
        https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go
        """
        words = rf'(^|\s){re.escape(resource)}(\.[a-z0-9.-]+)? "{re.escape(name)}" not found'
        return re.search(words, self.message) is not None


class ConflictError(ApiError):
    """409: the object exists already, or changed since it was read."""


class InvalidError(ApiError):
    """422: the server refuses a field; which one is in the message."""


class UnreachableError(NodeportError):
    """The API server did not answer, or its answer broke off."""


class LoginError(NodeportError):
    """There is nothing to log in with, or it cannot be used; the server was not asked."""


_BY_STATUS: dict[int, type[ApiError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
}


def refusal(
    request: Request, status: int, body: bytes | str, context: str, *, location: str = ""
) -> ApiError:
    """Turn an answer that is not 2xx into the error that a person can act on.

    :param location: where the answer sends us instead.
    """
    detail = status_of(body)
    reason = str(detail.get("reason") or "")
    if status == 401:
        return ApiError(
            f'the API server of context "{context}" does not accept the credentials (401)',
            hint="log in again as your cluster wants it, and try: kubectl auth whoami",
            status=status,
            reason=reason,
        )
    words = str(detail.get("message") or "").strip()
    message = words or _without_words(status, body, location)
    missing = _missing_right(request, message) if status == 403 else None
    if missing:
        return _without_right(request, *missing, reason)
    # A page of a proxy says 404 of an address, an API server's Status says it of an object.
    error = _BY_STATUS.get(status, ApiError) if detail or status != 404 else ApiError
    return error(
        f"the API server refused to {request.purpose}: {message}",
        hint=_hint(status, said_why=bool(words)),
        status=status,
        reason=reason,
    )


def _missing_right(request: Request, message: str) -> tuple[str, str] | None:
    """The verb, and the resource such as ``pods/exec``; None where something else was forbidden."""
    found = _CANNOT.search(message)
    if found:
        group = f".{found['group']}" if found["group"] else ""
        return found["verb"], f"{found['resource']}{group}{found['subresource'] or ''}"
    start = f'{request.resource} "{request.name}" '
    is_stream = request.verb == "get" and request.subresource in _STREAMS
    if is_stream and _WITHOUT_REASON.fullmatch(message.removeprefix(start)):
        return "create", f"{request.resource}/{request.subresource}"
    return None


def _without_right(request: Request, verb: str, resource: str, reason: str) -> ForbiddenError:
    where = f" -n {request.namespace}" if request.namespace else ""
    # can-i reads the second half of pods/exec as a pod's name.
    asked = f"{verb} {resource.replace('/', ' --subresource=', 1)}"
    return ForbiddenError(
        f"the right to {verb} {resource}{where} is missing, needed to {request.purpose}",
        hint=f"ask for it, and check with: kubectl auth can-i {asked}{where}",
        status=403,
        reason=reason,
    )


def _without_words(status: int, body: bytes | str, location: str) -> str:
    """An answer that holds no Status, which says all the same who may have sent it."""
    if location and 300 <= status < 400:
        try:
            there = urlsplit(location).hostname
        except ValueError:
            there = None
        # Whoever is named there must not get the credentials.
        where = f" to {there}" if there else ""
        return f"HTTP status {status}, a redirect{where} that is not followed"
    told = shown(body)
    return f"HTTP status {status}" + (f" with {told}" if told else "")


def _hint(status: int, *, said_why: bool) -> str:
    if status >= 500:
        return "kubectl get --raw /readyz says whether the server is well"
    if status == 429:
        return "it is busy: try again later, and see: kubectl get --raw /readyz"
    return "the server's own words above say what to change" if said_why else IS_IT_THE_SERVER
