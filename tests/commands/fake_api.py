"""An API server as plain data: Services, Pods and Nodes as JSON, and the verbs that we use on them.

It refuses in the real one's words, through the same `refusal` that the real client uses.
tests/e2e/test_fake_api.py holds it against the real one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from kubectl_nodeport.kube.request import ApiError, Json, Request, UnreachableError, refusal
from kubectl_nodeport.kube.workload import KINDS

Key = tuple[str, str, str]

_OTHERS = {"Node": "nodes", "NetworkPolicy": "networkpolicies"}
_RESOURCES = {**_OTHERS, **{kind.api: kind.resource for kind in KINDS.values()}}


class FakeApi:
    """Holds objects by (resource, namespace, name) and answers `send`.

    :ivar log: each request as "verb resource" or "verb resource/name".
    :ivar refused: "verb resource" → the status, reason and message to refuse it with.
    :ivar before: called with each request, before it is served; may change objects, or raise.
    :ivar after: called once it is served, its answer not yet given; may raise.
    """

    def __init__(self, *objects: Json, page: int = 500) -> None:
        self.objects: dict[Key, Json] = {}
        self.log: list[str] = []
        self.requests: list[Request] = []
        self.refused: dict[str, tuple[int, str, str]] = {}
        self.before: Callable[[Request], None] = lambda _request: None
        self.after: Callable[[Request], None] = lambda _request: None
        self.page = page
        self.version = "v1.34.4"
        self.node_port_range = (30000, 32767)
        self._count = 1000
        for document in objects:
            self.add(document)

    def add(self, document: Json) -> Json:
        """Put an object there, as someone else would."""
        return self._store(_RESOURCES[document["kind"]], copy.deepcopy(document))

    def get(self, resource: str, name: str, namespace: str = "default") -> Json | None:
        """The object itself, to look at or to change."""
        return self.objects.get((resource, namespace, name))

    def services(self) -> list[str]:
        return [name for resource, _, name in self.objects if resource == "services"]

    def writes(self) -> list[str]:
        return [line for line in self.log if line.split()[0] in ("create", "patch", "delete")]

    def forbid(self, verb: str, resource: str) -> None:
        """Refuse as RBAC does."""
        message = (
            f'{resource} is forbidden: User "jane" cannot {verb} resource "{resource}" '
            'in API group "" in the namespace "default"'
        )
        self.refused[f"{verb} {resource}"] = (403, "Forbidden", message)

    def send(self, request: Request) -> Json:
        self.requests.append(request)
        named = f"/{request.name}" if request.name else ""
        self.log.append(f"{request.verb} {request.resource}{named}")
        self.before(request)
        refused = self.refused.get(f"{request.verb} {request.resource}")
        if refused:
            raise _refusal(request, *refused)
        serve = getattr(self, f"_{request.verb}")
        answer: Json = copy.deepcopy(serve(request))
        self.after(request)
        return answer

    def _key(self, request: Request, name: str = "") -> Key:
        return request.resource, request.namespace, name or request.name

    def _existing(self, request: Request) -> Json:
        found = self.objects.get(self._key(request))
        if found is None:
            message = f'{request.resource} "{request.name}" not found'
            raise _refusal(request, 404, "NotFound", message)
        return found

    def _get(self, request: Request) -> Json:
        if request.raw == "/version":
            return {"gitVersion": self.version}
        return self._existing(request)

    def _list(self, request: Request) -> Json:
        query = dict(request.query)
        wanted = dict(
            part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part
        )
        found = [
            document
            for (resource, namespace, _), document in sorted(self.objects.items())
            if resource == request.resource
            and request.namespace in (namespace, "")
            and _passes(document, query.get("fieldSelector", ""))
            and wanted.items() <= (document["metadata"].get("labels") or {}).items()
        ]
        start = int(query.get("continue", "0"))
        end = start + min(int(query.get("limit", "500")), self.page)
        more = {"continue": str(end)} if end < len(found) else {}
        items = found[start:end]
        if request.names_only:
            items = [{"metadata": item["metadata"]} for item in items]
        # So the real one says it where there are none: tests/e2e/test_errors.py holds that.
        listed = None if request.names_only and not items else items
        metadata = {"resourceVersion": str(self._count), **more}
        return {"kind": "List", "metadata": metadata, "items": listed}

    def _create(self, request: Request) -> Json:
        document = copy.deepcopy(request.body or {})
        if request.resource == "selfsubjectaccessreviews":
            return {**document, "status": {"allowed": self._allows(document)}}
        name = document["metadata"]["name"]
        if self._key(request, name) in self.objects:
            message = f'services "{name}" already exists'
            raise _refusal(request, 409, "AlreadyExists", message)
        self._allocate(request, document)
        document["metadata"].setdefault("uid", f"uid-{self._count}")
        document["spec"] |= {"clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"]}
        return self._store("services", document)

    def _allows(self, review: Json) -> bool:
        asked = review["spec"]["resourceAttributes"]
        subresource = f"/{asked['subresource']}" if "subresource" in asked else ""
        return f"{asked['verb']} {asked['resource']}{subresource}" not in self.refused

    def _patch(self, request: Request) -> Json:
        found, body = self._existing(request), request.body or {}
        metadata = body.get("metadata", {})
        version = metadata.get("resourceVersion", found["metadata"]["resourceVersion"])
        if version != found["metadata"]["resourceVersion"]:
            message = (
                "the object has been modified; please apply your changes to the latest version"
            )
            raise _refusal(request, 409, "Conflict", message)
        if metadata.get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
            # A patch has no preconditions: the uid in it is a field that must not change.
            message = f'Pod "{request.name}" is invalid: metadata.uid: field is immutable'
            raise _refusal(request, 422, "Invalid", message)
        changed = merged(found, body)
        if request.resource == "services":
            self._allocate(request, changed)
        return self._store(request.resource, changed)

    def _allocate(self, request: Request, service: Json) -> None:
        """Give a Service the node ports that its type asks for, or take them back."""
        name, ports = service["metadata"]["name"], service["spec"].get("ports", [])
        if service["spec"]["type"] == "ClusterIP":
            for port in ports:
                port.pop("nodePort", None)
            return
        used, (first, last) = self.node_ports(but=name), self.node_port_range
        for at, port in enumerate(ports):
            asked = port.get("nodePort")
            why = "provided port is already allocated" if asked in used else ""
            if asked is not None and not first <= asked <= last:
                why = (
                    "provided port is not in the valid range. "
                    f"The range of valid ports is {first}-{last}"
                )
            if why:
                message = (
                    f'Service "{name}" is invalid: spec.ports[{at}].nodePort: '
                    f"Invalid value: {asked}: {why}"
                )
                raise _refusal(request, 422, "Invalid", message)
            port.setdefault("nodePort", next(n for n in range(first, last + 1) if n not in used))
            used.add(port["nodePort"])

    def _delete(self, request: Request) -> Json:
        found = self._existing(request)
        for key, value in (request.body or {}).get("preconditions", {}).items():
            if value != found["metadata"][key]:
                what = {"uid": "UID", "resourceVersion": "ResourceVersion"}[key]
                message = (
                    f'Operation cannot be fulfilled on Service "{request.name}": the {what} in '
                    f"the precondition ({value}) does not match the {what} in record "
                    f"({found['metadata'][key]})"
                )
                raise _refusal(request, 409, "Conflict", message)
        del self.objects[self._key(request)]
        return {"kind": "Status", "status": "Success"}

    def node_ports(self, but: str = "") -> set[int]:
        """Those in use, save by the Service of this name."""
        return {
            port["nodePort"]
            for (resource, _, name), document in self.objects.items()
            if resource == "services" and name != but
            for port in document["spec"].get("ports", ())
            if "nodePort" in port
        }

    def _store(self, resource: str, document: Json) -> Json:
        self._count += 1
        metadata = document["metadata"]
        metadata["resourceVersion"] = str(self._count)
        namespace = "" if resource == "nodes" else metadata.setdefault("namespace", "default")
        self.objects[resource, namespace, metadata["name"]] = document
        return document


def _passes(document: Json, field_selector: str) -> bool:
    """Whether an object passes a field selector of the two forms that we use."""
    for part in filter(None, field_selector.split(",")):
        path, value = part.split("!=") if "!=" in part else part.split("=")
        found: Any = document
        for step in path.split("."):
            found = found.get(step, {})
        if (found == value) is ("!=" in part):
            return False
    return True


def merged(into: Any, patch: Any) -> Any:
    """A merge patch applied, RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(into) if isinstance(into, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def unreachable() -> UnreachableError:
    """What the real client raises where no whole answer came."""
    return UnreachableError(
        'the API server of context "kind-dev" at https://x broke off its answer', hint="…"
    )


def _refusal(request: Request, status: int, reason: str, message: str) -> ApiError:
    body = json.dumps({"kind": "Status", "message": message, "reason": reason}).encode()
    return refusal(request, status, body, "kind-dev")
