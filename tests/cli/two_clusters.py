"""Two contexts, each with an API server of a few lines and a host of ours that leads there."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.commands.kept_flags import kept_flags
from kubectl_nodeport.kube.config import Flags, connection
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from tests.kube.server import Answer, Raw, Received, serving
from tests.ssh.make import entry_for, key, origin

OWN = "Host mine\n  HostName 192.0.2.1\n"


def not_found(kind: str, name: str) -> Answer:
    """What an API server says of an object that it does not have."""
    message = f'{kind} "{name}" not found'
    return Answer({"kind": "Status", "reason": "NotFound", "message": message}, 404)


class Clusters:
    """The contexts near and far, each with its own API server and a host for pod/dev."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.asked: list[tuple[str, str]] = []
        self.config = folder / "config"
        self.config.write_text(OWN)
        self.kubeconfig = folder / "kubeconfig"
        self.pods_gone: set[str] = set()
        self.hangs = False
        self.ports = {
            name: stack.enter_context(serving(self._answering(name))).port
            for name in ("near", "far")
        }
        document: Json = {"apiVersion": "v1", "kind": "Config", "current-context": "near"}
        document["contexts"] = [{"name": name, "context": {"cluster": name}} for name in self.ports]
        document["clusters"] = [
            {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}
            for name, port in self.ports.items()
        ]
        self.kubeconfig.write_text(json.dumps(document))
        self.file = ConfigFile(self.config)
        for name in self.ports:
            self.add(name)

    def add(self, context: str) -> None:
        resolved = connection(Flags(str(self.kubeconfig), context), {})
        made = origin(
            cluster=resolved.identity,
            context=context,
            kubeconfig=(str(self.kubeconfig),),
        )
        entry = entry_for(self.file, f"dev.default.{context}", origin=made)
        self.file.put(entry, [key(1)])

    def without_contexts(self, cluster: str) -> None:
        """A kubeconfig of clusters alone, and the one host that --cluster made there."""
        document = json.loads(self.kubeconfig.read_text())
        document |= {"contexts": [], "current-context": ""}
        self.kubeconfig.write_text(json.dumps(document))
        resolved = connection(Flags(str(self.kubeconfig), cluster=cluster), {})
        assert (resolved.context, resolved.has_context) == (cluster, False)
        made = origin(
            cluster=resolved.identity,
            context=cluster,
            has_context=False,
            kubeconfig=(str(self.kubeconfig),),
            flags=kept_flags(Flags(cluster=cluster)),
        )
        entry = entry_for(self.file, f"dev.default.{cluster}", origin=made)
        others = tuple(one.alias for one in self.file.entries() if one.alias != entry.alias)
        self.file.apply(Edit(((entry, (key(1),)),), others))

    def _answering(self, name: str) -> Callable[[Received], Answer | Raw]:
        def answer(received: Received) -> Answer | Raw:
            self.asked.append((name, f"{received.method} {received.path}"))
            if self.hangs:
                return Raw(b"", hang=True)
            if "/services" in received.path:
                return not_found("services", "np-dev-ssh")
            if name in self.pods_gone:
                return not_found("pods", "dev")
            return Answer({"kind": "Status", "message": "no", "reason": "Forbidden"}, 403)

        return answer

    def type(self, *words: str) -> int:
        return run([*words, "-q", "--ssh-config", str(self.config)])
