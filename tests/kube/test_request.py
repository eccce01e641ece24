from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Request,
    refusal,
)

DEV = Request("get", "pods", "", name="dev", namespace="lab")
EXEC_DEV = replace(DEV, subresource="exec", query=(("command", "sh"), ("command", "-c\nx&y")))
LIST = Request("list", "services", "", namespace="lab")
CREATE_AS = replace(LIST, verb="create", query=(("fieldManager", "me"),), body={})


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (EXEC_DEV, "GET /api/v1/namespaces/lab/pods/dev/exec"),
        (DEV, "GET /api/v1/namespaces/lab/pods/dev"),
        (LIST, "GET /api/v1/namespaces/lab/services"),
        (Request("get", "nodes", "", name="n.1"), "GET /api/v1/nodes/n.1"),
        (CREATE_AS, "POST /api/v1/namespaces/lab/services?fieldManager=me"),
        (
            replace(LIST, query=(("labelSelector", "a/b=c,d="),)),
            "GET /api/v1/namespaces/lab/services?labelSelector=a%2Fb%3Dc%2Cd%3D",
        ),
        (replace(LIST, verb="watch"), "GET /api/v1/namespaces/lab/services?watch=true"),
        (
            replace(LIST, verb="watch", query=(("resourceVersion", "7"),)),
            "GET /api/v1/namespaces/lab/services?resourceVersion=7&watch=true",
        ),
        (
            Request("get", "deployments", "", name="x", namespace="lab", group="apps/v1"),
            "GET /apis/apps/v1/namespaces/lab/deployments/x",
        ),
        (
            Request("create", "selfsubjectaccessreviews", "", group="authorization.k8s.io/v1"),
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        ),
        (
            replace(DEV, verb="delete", name="../x?y#z"),
            "DELETE /api/v1/namespaces/lab/pods/..%2Fx%3Fy%23z",
        ),
        (
            replace(DEV, verb="patch", name="a b", namespace="é"),
            "PATCH /api/v1/namespaces/%C3%A9/pods/a%20b",
        ),
    ],
)
def test_method_and_path(request_: Request, line: str) -> None:
    assert str(request_) == line


def test_headers() -> None:
    assert Request("get", "pods", "").headers == {"Accept": "application/json"}
    assert Request("create", "services", "", body={}).headers == {
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    delete = Request("delete", "services", "", name="web", body={})
    assert delete.headers["Content-Type"] == "application/json"
    patch = Request("patch", "pods", "", name="dev", body={})
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    names = Request("list", "pods", "", names_only=True).headers["Accept"]
    assert names.startswith("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,")


def status(code: int, reason: str, message: str) -> bytes:
    """A Status as the API server sends it."""
    return json.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
    ).encode()


EXEC = Request("get", "pods", "look inside", name="dev", namespace="lab", subresource="exec")
FORWARD = replace(EXEC, purpose="reach port 22", subresource="portforward")
CREATE = Request("create", "services", "expose port 22 of pod dev", namespace="lab", body={})
NODE = Request("get", "nodes", "learn the node's addresses", name="n1")

RBAC = [
    (
        EXEC,
        'pods "dev" is forbidden: User "jane" cannot get resource "pods/exec" in API group "" '
        'in the namespace "lab"',
        "the right to get pods/exec -n lab is missing, needed to look inside",
        "kubectl auth can-i get pods --subresource=exec -n lab",
    ),
    (
        EXEC,
        'pods "dev" is forbidden: User "jane" cannot create resource "pods/exec" in API group "" '
        'in the namespace "lab": RBAC: clusterrole.rbac.authorization.k8s.io "x" not found',
        "the right to create pods/exec -n lab is missing, needed to look inside",
        "kubectl auth can-i create pods --subresource=exec -n lab",
    ),
    (
        EXEC,
        'pods "dev" is forbidden: ',
        "the right to create pods/exec -n lab is missing, needed to look inside",
        "kubectl auth can-i create pods --subresource=exec -n lab",
    ),
    (
        FORWARD,
        'pods "dev" is forbidden: RBAC: role.rbac.authorization.k8s.io "x" not found',
        "the right to create pods/portforward -n lab is missing, needed to reach port 22",
        "kubectl auth can-i create pods --subresource=portforward -n lab",
    ),
    (
        CREATE,
        'services is forbidden: User "system:serviceaccount:lab:me" cannot create resource '
        '"services" in API group "" in the namespace "lab"',
        "the right to create services -n lab is missing, needed to expose port 22 of pod dev",
        "kubectl auth can-i create services -n lab",
    ),
    (
        NODE,
        'nodes "n1" is forbidden: User "jane" cannot get resource "nodes" in API group "" '
        "at the cluster scope",
        "the right to get nodes is missing, needed to learn the node's addresses",
        "kubectl auth can-i get nodes",
    ),
    (
        Request("get", "deployments", "find pods", name="x", namespace="lab", group="apps/v1"),
        'deployments.apps "x" is forbidden: User "jane" cannot get resource "deployments" '
        'in API group "apps" in the namespace "lab"',
        "the right to get deployments.apps -n lab is missing, needed to find pods",
        "kubectl auth can-i get deployments.apps -n lab",
    ),
    (
        Request("get", "deployments", "scale", name="x", namespace="lab", group="apps/v1"),
        'deployments.apps "x" is forbidden: User "jane" cannot get resource "deployments/scale" '
        'in API group "apps" in the namespace "lab"',
        "the right to get deployments.apps/scale -n lab is missing, needed to scale",
        "kubectl auth can-i get deployments.apps --subresource=scale -n lab",
    ),
    (
        Request("watch", "services", "watch the rules"),
        'services is forbidden: User "jane" cannot watch resource "services" in API group "" '
        "at the cluster scope",
        "the right to watch services is missing, needed to watch the rules",
        "kubectl auth can-i watch services",
    ),
    (
        NODE,
        'users "boss" is forbidden: User "jane" cannot impersonate resource "users" '
        'in API group "" at the cluster scope',
        "the right to impersonate users is missing, needed to learn the node's addresses",
        "kubectl auth can-i impersonate users",
    ),
]


@pytest.mark.parametrize(("request_", "message", "told", "hint"), RBAC)
def test_missing_right_is_named(request_: Request, message: str, told: str, hint: str) -> None:
    err = refusal(request_, 403, status(403, "Forbidden", message), "ctx")
    assert isinstance(err, ForbiddenError)
    assert err.message == told
    assert err.hint.endswith(hint)
    assert err.reason == "Forbidden"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (EXEC, 'pods "dev" is forbidden: no exec in production'),
        (replace(EXEC, verb="create"), 'pods "dev" is forbidden: '),
        (DEV, 'pods "dev" is forbidden: '),
    ],
)
def test_no_right_is_named_where_none_is_known_to_be_missing(
    request_: Request, message: str
) -> None:
    err = refusal(request_, 403, status(403, "Forbidden", message), "ctx")
    assert isinstance(err, ForbiddenError)
    assert err.message.endswith(f"refused to {request_.purpose}: {message.strip()}")


QUOTA = (
    'services "nodeport-dev-ssh" is forbidden: exceeded quota: none, '
    "requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0"
)
ADMISSION = 'admission webhook "validate.kyverno.svc" denied the request: no NodePorts'
ALLOCATED = (
    'Service "nodeport-dev-ssh" is invalid: spec.ports[0].nodePort: Invalid value: 30222: '
    "provided port is already allocated"
)
OUT_OF_RANGE = (
    'Service "nodeport-dev-ssh" is invalid: spec.ports[0].nodePort: Invalid value: 22: '
    "provided port is not in the valid range. The range of valid ports is 30000-32767"
)


@pytest.mark.parametrize(
    ("code", "reason", "message", "kind"),
    [
        (403, "Forbidden", QUOTA, ForbiddenError),
        (403, "Forbidden", ADMISSION, ForbiddenError),
        (404, "NotFound", 'pods "dev" not found', NotFoundError),
        (409, "AlreadyExists", 'services "x" already exists', ConflictError),
        (422, "Invalid", ALLOCATED, InvalidError),
        (422, "Invalid", OUT_OF_RANGE, InvalidError),
        (400, "BadRequest", "strict decoding error", ApiError),
        (429, "TooManyRequests", "try again", ApiError),
        (500, "InternalError", "etcdserver: request timed out", ApiError),
    ],
)
def test_servers_words_are_kept(code: int, reason: str, message: str, kind: type[ApiError]) -> None:
    err = refusal(CREATE, code, status(code, reason, message), "ctx")
    assert type(err) is kind
    assert err.message == f"the API server refused to expose port 22 of pod dev: {message}"
    assert (err.status, err.reason) == (code, reason)
    assert ("readyz" in err.hint) == (code == 429 or code >= 500)


def test_401_asks_for_a_login() -> None:
    err = refusal(CREATE, 401, status(401, "Unauthorized", "Unauthorized"), "prod")
    assert err.message == ('the API server of context "prod" does not accept the credentials (401)')
    assert "kubectl auth whoami" in err.hint


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[1]", b'"x"', b"null", b"\xff\xfe", b"{}", "", "{",
     b'{"message": null}', b'{"message": ["x"], "reason": 3}', b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("code", [302, 401, 403, 404, 409, 422, 502])
def test_answer_that_is_no_status_is_an_error_too(body: bytes | str, code: int) -> None:
    err = refusal(CREATE, code, body, "ctx")
    assert isinstance(err, NodeportError)
    assert err.status == code
    assert err.message
    assert err.hint


def test_command_is_quoted_in_the_path_and_left_out_of_the_log() -> None:
    assert EXEC_DEV.path.endswith("/pods/dev/exec?command=sh&command=-c%0Ax%26y")
    assert str(EXEC_DEV) == "GET /api/v1/namespaces/lab/pods/dev/exec"


@pytest.mark.parametrize(
    ("status_", "location", "message"),
    [
        (302, "https://sso.example.com/?state=x", "a redirect to sso.example.com that is not"),
        (307, "/elsewhere", "HTTP status 307, a redirect that is not"),
        (301, "http://[", "HTTP status 301, a redirect that is not"),
        (302, "", "HTTP status 302"),
        (500, "https://sso.example.com/", "HTTP status 500"),
    ],
)
def test_redirect_is_told_without_what_its_query_holds(
    status_: int, location: str, message: str
) -> None:
    err = refusal(DEV, status_, b"", "ctx", location=location)
    assert err.message.removesuffix(" followed").endswith(message)


@pytest.mark.parametrize(
    ("code", "body", "hint"),
    [
        (400, status(400, "BadRequest", "bad field"), "the server's own words above say"),
        (404, b"<html><title>Not here</title>", "no proxy or login page before it?"),
        (403, b"", "no proxy or login page before it?"),
        (302, b"", "no proxy or login page before it?"),
        (200, b"{}", "no proxy or login page before it?"),
        (429, b"", "try again later, and see: kubectl get --raw /readyz"),
        (502, b"<html>", "kubectl get --raw /readyz says"),
    ],
)
def test_hint_fits_who_answered(code: int, body: bytes, hint: str) -> None:
    assert hint in refusal(CREATE, code, body, "ctx").hint


@pytest.mark.parametrize("verb", ["delete", "patch"])
def test_what_would_be_done_to_all_objects_is_refused(verb: str) -> None:
    with pytest.raises(ValueError, match=f"{verb} services without a name"):
        Request(verb, "services", "", namespace="lab")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"message": "pods \\"dev\\" not found", "reason": "NotFound"}', NotFoundError),
        (b'{"kind": "Status"}', NotFoundError),
        (b"404 page not found", ApiError),
        (b"<html><title>404 Not Found</title>", ApiError),
        (b"", ApiError),
    ],
)
def test_only_an_api_server_knows_that_an_object_is_not_there(
    body: bytes, kind: type[ApiError]
) -> None:
    assert type(refusal(Request("get", "pods", "", name="dev"), 404, body, "dev")) is kind


@pytest.mark.parametrize(
    ("message", "is_of"),
    [
        ('pods "dev" not found', True),
        ('pods "dev-2" not found', False),
        ('pods "a-dev" not found', False),
        ('namespaces "dev" not found', False),
        ('services "dev" not found', False),
        ("the server could not find the requested resource", False),
        ('"dev" not found', False),
    ],
)
def test_which_object_is_not_found(message: str, is_of: bool) -> None:
    body = json.dumps({"message": message, "reason": "NotFound"})
    error = refusal(Request("get", "pods", "read the pod", name="dev"), 404, body, "kind")
    assert isinstance(error, NotFoundError)
    assert error.is_of("pods", "dev") is is_of


def test_kind_of_another_group_that_is_not_found() -> None:
    body = json.dumps({"message": 'deployments.apps "api" not found', "reason": "NotFound"})
    error = refusal(Request("get", "deployments", "read it", name="api"), 404, body, "kind")
    assert isinstance(error, NotFoundError)
    assert error.is_of("deployments", "api")
