"""An API server that answers as it should, but for a text in the place of many others."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from kubectl_nodeport.kube.request import Json
from tests.kube import make
from tests.kube.server import Answer, Frames, Received
from tests.ssh.make import key

POD = make.pod(
    "dev",
    labels={"app": "dev", "pod-template-hash": "1"},
    annotations={
        "nodeport.crater.raids.io/web": '{"name":"web","containerPort":80,"address":"10.0.0.1",'
        '"nodePort":30081}',
        "note": "x",
    },
    hostIP="127.0.0.1",
)
SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "namespace": "default",
        "uid": "5",
        "resourceVersion": "7",
        "labels": {"app": "dev"},
        "annotations": {"crater.raids.io/port-name": "web", "note": "x"},
        "ownerReferences": [{"kind": "Pod", "name": "dev", "uid": make.UID}],
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "type": "NodePort",
        "selector": {"app": "dev"},
        "clusterIP": "10.96.0.9",
        "externalTrafficPolicy": "Cluster",
        "ports": [
            {"name": "web", "port": 80, "targetPort": "web", "nodePort": 30080, "protocol": "TCP"}
        ],
    },
}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api", "namespace": "default", "uid": "6"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "dev"}}},
}
NODE: Json = {
    "metadata": {"name": "node-1", "uid": "8"},
    "spec": {"providerID": "kind://x"},
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": "node-1"},
        ],
        "nodeInfo": {"osImage": "Debian", "kernelVersion": "6"},
    },
}
INSIDE = (
    b"user root\nuser %b\nhome /root\nhome /%b\ntable /proc/net/tcp\nlisten 00000000:0016\n"
    b"equipment\nkernel %b\nhas %b\nfile %b\nfile libc-2.%b.so\nunwritable /%b\n"
    b"sshd allowtcpforwarding %b\nsshd passwordauthentication %b\n"
    b"made %b\nhostkey ssh-ed25519 %b\nhostkey %k %b\nend\n"
)


@dataclass
class Evil:
    """Behaves as tests.kube.server wants it.

    :ivar text: what it puts there, in the place of a share of all texts and keys.
    :ivar kept: fields that stay as they are, so that more than the first check is reached.
    :ivar refuses: answers every change with a Status that holds the text.
    """

    text: str
    share: float = 1.0
    seed: int = 0
    kept: frozenset[str] = frozenset()
    refuses: bool = False
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def __call__(self, received: Received) -> object:
        url = urlsplit(received.path)
        if url.path.endswith("/exec"):
            said = INSIDE.replace(b"%b", self._bytes).replace(b"%k", key().openssh.encode())
            return Frames(((2, self._bytes), (1, said)), hang=True)
        if self.refuses and received.method != "GET":
            return Answer(self._status(403, "Forbidden"), 403)
        if received.method == "POST":
            made = json.loads(received.body)
            made["metadata"] |= {"uid": "9", "resourceVersion": self.text}
            made["metadata"].setdefault("annotations", {})[self.text] = self.text
            made["spec"] |= {"clusterIP": self.text, "ipFamilies": [self.text]}
            made["spec"]["ports"][0].setdefault("nodePort", 30085)
            return Answer(made)
        return self._found(url.path)

    def _found(self, path: str) -> Answer:
        *_, resource, name = path.split("/")
        kinds = {"pods": POD, "services": SERVICE, "deployments": DEPLOYMENT, "nodes": NODE}
        if name in kinds:
            items = [self.poisoned(kinds[name]) for _ in range(2)]
            return Answer({"metadata": {"resourceVersion": "7"}, "items": items})
        if resource in kinds:
            return Answer(self.poisoned(kinds[resource]))
        return Answer(self._status(404, "NotFound"), 404)

    def _status(self, code: int, reason: str) -> Json:
        message = f'User "{self.text}" cannot create resource "services": {self.text}'
        return {"kind": "Status", "code": code, "reason": reason, "message": message}

    @property
    def _bytes(self) -> bytes:
        return self.text.encode("utf-8", "surrogatepass")

    def poisoned(self, document: Json) -> Json:
        """A copy with the text in many places."""
        return self._changed(copy.deepcopy(document), ())  # type: ignore[no-any-return]

    def _changed(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            free = path[-1:] in (("labels",), ("annotations",), ("selector",), ("matchLabels",))
            changed = {key: self._changed(one, (*path, key)) for key, one in value.items()}
            return {**changed, self.text: self.text} if free and self._is_hit(path) else changed
        if isinstance(value, list):
            return [self._changed(one, path) for one in value]
        return self.text if isinstance(value, str) and self._is_hit(path) else value

    def _is_hit(self, path: tuple[str, ...]) -> bool:
        return path[-1] not in self.kept and self.random.random() < self.share


# What has to be right for a pod, a Service or a workload to be taken for one.
IDENTITY = frozenset(["name", "namespace", "uid", "kind", "apiVersion", "app", "selector", "type",
                      "resourceVersion"])  # fmt: skip
# And for it to be of use.
USABLE = IDENTITY | {
    "phase",
    "status",
    "nodeName",
    "matchLabels",
    "labels",
    "hostIP",
    "ip",
    "protocol",
}
