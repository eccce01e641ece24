"""A Kubernetes namespace for one test, and what is put into it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.cluster import pods, sshd_log
from tests.cluster.api import Api, ApiError, Object, until
from tests.cluster.pods import Words
from tests.cluster.process import ClusterError


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as it was when asked for."""

    name: str
    namespace: str
    uid: str
    ip: str | None


class Namespace:
    """Makes pods; their sshd lets the laptop's key in."""

    def __init__(
        self, api: Api, name: str, public_key: str, load: Callable[[Words], None] = lambda _: None
    ) -> None:
        self.api = api
        self.name = name
        self._public_key = public_key
        self._load = load
        self.words: dict[str, Words] = {}
        """The words each pod was made from."""

    def __str__(self) -> str:
        return self.name

    def pod(self, name: str, *, wait: bool = True, **words: Any) -> Pod:
        """Make a pod from a few words (the fields of pods.Words); by default wait for it.

        Waits until it is what the words say: ready with its program listening, or Pending,
        crash-looping, completed. Raises ClusterError.
        """
        self.words[name] = Words(**words)
        self._load(self.words[name])
        body = pods.manifest(name, self.words[name], self._public_key)
        created = self.api.create(f"{self.path}/pods", body)
        if wait:
            self.wait(name, self.words[name])
            return self.get_pod(name)
        return _pod(created)

    def deployment(self, name: str, *, replicas: int, wait: bool = True, **words: Any) -> list[Pod]:
        """Make a Deployment of pods with equal labels; returns its pods by name."""
        return self._workload("Deployment", name, replicas, Words(**words), wait=wait)

    def stateful_set(self, name: str, *, replicas: int = 1, **words: Any) -> list[Pod]:
        """Make a StatefulSet; returns its pods, NAME-0 and so on."""
        return self._workload("StatefulSet", name, replicas, Words(**words), wait=True)

    def scale(self, name: str, replicas: int, **words: Any) -> list[Pod]:
        """Scale a Deployment and await its pods, which these words made; returns them by name."""
        path = f"/apis/apps/v1/namespaces/{self.name}/deployments/{name}"
        self.api.patch(path, {"spec": {"replicas": replicas}})
        return self._pods_of(name, replicas, Words(**words), wait=True)

    def _workload(
        self, kind: str, name: str, replicas: int, words: Words, *, wait: bool
    ) -> list[Pod]:
        self._load(words)
        body = pods.workload(kind, name, words, self._public_key, replicas)
        self.api.create(f"/apis/apps/v1/namespaces/{self.name}/{kind.lower()}s", body)
        return self._pods_of(name, replicas, words, wait=wait)

    def _pods_of(self, name: str, replicas: int, words: Words, *, wait: bool) -> list[Pod]:
        selector = f"{self.path}/pods?labelSelector=app%3D{name}"

        def living() -> list[str]:
            items = self.api.get(selector)["items"]
            kept = [i["metadata"] for i in items if "deletionTimestamp" not in i["metadata"]]
            return sorted(metadata["name"] for metadata in kept)

        until(f"{replicas} pods of {name}", lambda: len(living()) == replicas)
        found = living()
        if wait:
            for pod in found:
                self.wait(pod, words)
        return [self.get_pod(pod) for pod in found]

    def replace_pod(self, name: str, **changed: Any) -> Pod:
        """Delete a pod that pod() made, await its end, and make one like it of the same name.

        `changed` are words that differ from the first time. With host_keys="own" the new pod has
        other keys, with "image" the same.
        """
        words = self.words[name]
        same = {field: getattr(words, field) for field in Words.__dataclass_fields__}
        self.delete_pod(name)
        return self.pod(name, **(same | changed))

    def delete_pod(self, name: str) -> None:
        """Delete a pod at once and wait until it is gone; its controller may be faster."""
        try:
            self.api.delete(f"{self.path}/pods/{name}", grace_s=0)
        except ApiError as error:
            if error.status != 404:
                raise
        until(f"the end of pod {name}", lambda: not self._exists(f"{self.path}/pods/{name}"))

    def get_pod(self, name: str) -> Pod:
        """A pod by name; raises ApiError."""
        return _pod(self.api.get(f"{self.path}/pods/{name}"))

    def wait(self, name: str, words: Words) -> None:
        """Wait until a pod is what these words say."""
        path = f"{self.path}/pods/{name}"
        is_server = words.runs in ("sshd", "dropbear", "echo")
        listens = is_server and words.command is None and words.schedulable
        try:
            until(f"pod {self.name}/{name}", lambda: pods.settled(self.api.get(path), words))
            if listens:  # a started container may not listen yet: its log says when
                until(f"a listener in pod {name}", lambda: "listening" in self.log(name))
        except ClusterError as error:
            status = self.api.get(path)["status"]
            log = self.log(name) if words.schedulable else ""
            raise ClusterError(f"{error}: {json.dumps(status)} {log}") from error

    def user(self, name: str, rules: Sequence[Object], cluster_rules: Sequence[Object] = ()) -> str:
        """Make a user with just these RBAC rules, and return its token.

        It is the service account NAME; `rules` hold in this namespace, `cluster_rules` everywhere.
        """
        self.api.create(f"{self.path}/serviceaccounts", {"metadata": {"name": name}})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.name}
        everywhere = "/apis/rbac.authorization.k8s.io/v1"
        here = f"{everywhere}/namespaces/{self.name}"
        for path, kind, granted in (
            (here, "Role", rules),
            (everywhere, "ClusterRole", cluster_rules),
        ):
            if granted:
                metadata = {"name": name if path == here else f"{self.name}-{name}"}
                reference = {"kind": kind, **metadata, "apiGroup": "rbac.authorization.k8s.io"}
                binding = {"metadata": metadata, "subjects": [subject], "roleRef": reference}
                role = {"metadata": metadata, "rules": list(granted)}
                self.api.create(f"{path}/{kind.lower()}s", role)
                self.api.create(f"{path}/{kind.lower()}bindings", binding)
        asked = self.api.create(f"{self.path}/serviceaccounts/{name}/token", {"spec": {}})
        token: str = asked["status"]["token"]
        return token

    def log(self, name: str) -> str:
        """What a pod's container has written so far."""
        return self.api.text(f"{self.path}/pods/{name}/log?container=main")

    def connections(self, name: str) -> list[sshd_log.Connection]:
        """Who has knocked at the sshd of a pod with the word `verbose`, and when."""
        return sshd_log.connections(self._dated_log(name))

    def unauthenticated_s(self, name: str) -> list[float]:
        """When those came that nobody logged in by, in seconds since the epoch; see sshd_log."""
        return sshd_log.unauthenticated_s(self._dated_log(name))

    def _dated_log(self, name: str) -> str:
        return self.api.text(f"{self.path}/pods/{name}/log?container=main&timestamps=true")

    @property
    def path(self) -> str:
        """The API path of this namespace."""
        return f"/api/v1/namespaces/{self.name}"

    def _exists(self, path: str) -> bool:
        try:
            self.api.get(path)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True


@contextmanager
def namespace(api: Api, public_key: str, load: Callable[[Words], None]) -> Iterator[Namespace]:
    """A new namespace with a random name; deleted after, in the background.

    `load` makes sure that the node has what these words need, before a pod is made from them.
    """
    name = f"t-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        # Pods are refused without it, and its controller would come a moment later.
        with suppress(ApiError):
            path = f"/api/v1/namespaces/{name}/serviceaccounts"
            api.create(path, {"metadata": {"name": "default"}})
        yield Namespace(api, name, public_key, load)
    finally:
        api.delete(f"/api/v1/namespaces/{name}")


def _pod(item: Object) -> Pod:
    metadata = item["metadata"]
    return Pod(
        metadata["name"], metadata["namespace"], metadata["uid"], item["status"].get("podIP")
    )
