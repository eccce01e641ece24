"""proxy: the pod behind a Host entry, through the API server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kubectl_nodeport.commands.same_cluster import check_cluster
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.origin import Origin

if TYPE_CHECKING:  # a login waits for every import, and most need neither
    from kubectl_nodeport.commands.edges import Edges
    from kubectl_nodeport.kube.pod import Pod


class Api(Protocol):
    """The API server; see kube.client.Api."""

    def send(self, request: Request) -> Json:
        """Send one request and return the object that the server answers with."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A port inside a pod."""

    namespace: str
    pod: str
    port: int


def entry_named(alias: str, found: Readable, file: str) -> HostEntry:
    """The entry of this alias; others may be as they are.

    :param file: what the entries stand in, for the error.
    :raises NodeportError: there is none, or it cannot be read.
    """
    for entry in found.entries:
        if entry.alias == alias:
            return entry
    if alias in found.refused:
        raise found.refused[alias]
    raise NodeportError(
        f"{file} has no Host {alias} that kubectl nodeport made",
        hint="kubectl nodeport get hosts lists them; connect makes one",
    )


def destination(
    entry: HostEntry, connection: Connection, api: Api, edges: Callable[[], Edges]
) -> Destination:
    """Where the entry leads to now: no request for the tunnel of a pod, one for the rule of a
    NodePort entry, two for a workload's pod.

    :param edges: what a workload's pod is found with.
    :raises NodeportError: the context leads to another cluster by now, or there is no such pod.
    """
    check_cluster(entry, connection)
    origin = entry.origin
    kind, _, name = origin.target.partition("/")
    pod = None
    if kind != "pod":
        pod = _pod_of(entry, edges())
        name = pod.name
    port = entry.port if entry.is_tunnel else _port_behind(entry, api, pod)
    return Destination(origin.namespace, name, port)


def _pod_of(entry: HostEntry, edges: Edges) -> Pod:
    from kubectl_nodeport.commands.find import find
    from kubectl_nodeport.kube.target import parse

    uid = entry.origin.pod_uid
    return find(edges, parse(entry.origin.target), held=lambda pod: pod.uid == uid).pod


def _port_behind(entry: HostEntry, api: Api, pod: Pod | None) -> int:
    """The pod's port that the entry's NodePort leads to.

    :raises NodeportError: the rule leads elsewhere by now.
    """
    origin = entry.origin
    request = Request(
        *("get", "services", "read the rule"),
        name=origin.service,
        namespace=origin.namespace,
    )
    ports = (api.send(request).get("spec") or {}).get("ports") if origin.service else []
    for port in ports if isinstance(ports, list) else []:
        if isinstance(port, dict) and port.get("nodePort") == entry.port:
            target = port.get("targetPort", port.get("port"))
            if isinstance(target, int) and 1 <= target <= 65535:
                return target
            return _named_port(origin, api, pod, str(target))
    raise NodeportError(
        f"the rule behind {entry.alias} has no NodePort {entry.port} any more",
        hint=f"kubectl nodeport connect {origin.typed} -n {origin.namespace} repairs the entry",
    )


def _named_port(origin: Origin, api: Api, pod: Pod | None, name: str) -> int:
    from kubectl_nodeport.commands.look import port_number
    from kubectl_nodeport.kube.pod import Pod as AnyPod

    if pod is None:
        pod_name = origin.target.partition("/")[2]
        request = Request(
            *("get", "pods", "read the pod"), name=pod_name, namespace=origin.namespace
        )
        pod = AnyPod.of(api.send(request))
    return port_number(pod, name, "TCP")
