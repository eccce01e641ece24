"""A pod as far as this program needs it, read from the API's JSON. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubectl_nodeport.errors import NodeportError

# Names from a cluster end up in commands that people paste, so they are checked here.
_MOST_HOST_IPS = 16
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9-]{1,46}")  # with a rule's id behind it, it is a label's value
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_API_VERSION = re.compile(r"([a-z0-9][-a-z0-9.]{0,252}/)?v[a-z0-9]{1,62}")
# As the API server writes metav1.Time: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#Time
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that the pod's manifest declares."""

    number: int
    name: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the pod's main list.

    ``waiting`` is the kubelet's reason, "" if it runs; ``started`` is when, by the node's clock, in
    whole seconds, None where that is not known.
    """

    name: str
    ports: tuple[ContainerPort, ...] = ()
    running: bool = True
    waiting: str = ""
    restarts: int = 0
    started: datetime | None = None

    def declares(self, port: int | None) -> bool:
        """Whether the manifest says that it listens on this TCP port."""
        return any((p.number, p.protocol) == (port, "TCP") for p in self.ports)


@dataclass(frozen=True, slots=True)
class Controller:
    """Whoever made the pod, by its ownerReference: mostly a ReplicaSet, StatefulSet or Job."""

    kind: str
    api_version: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. ``host_ips`` are its node's addresses as the kubelet reported them.

    Times are in UTC, None where there is none: ``deleted`` is when it has to be gone,
    ``ready_since`` when it became ready, if it is. ``sidecar_restarts`` is the most that one of
    its init containers that keep running was restarted.
    """

    namespace: str
    name: str
    uid: str
    phase: str
    node: str
    containers: tuple[Container, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    host_ips: tuple[str, ...] = ()
    host_network: bool = False
    ready: bool = True
    deleting: bool = False
    waiting: str = ""
    created: datetime | None = None
    deleted: datetime | None = None
    ready_since: datetime | None = None
    sidecar_restarts: int = 0
    controller: Controller | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Pod:
        """Read a pod from the API's answer; what is missing or malformed counts as empty."""
        metadata, spec, status = (_mapping(document.get(k)) for k in ("metadata", "spec", "status"))
        conditions = _keyed("type", status.get("conditions"))
        scheduled, readiness = (conditions.get(k, {}) for k in ("PodScheduled", "Ready"))
        ready = readiness.get("status") == "True"
        return cls(
            namespace=str(metadata.get("namespace", "")),
            name=str(metadata.get("name", "")),
            uid=_checked(_UID, metadata.get("uid")),
            phase=str(status.get("phase", "")),
            node=_checked(_SUBDOMAIN, spec.get("nodeName")),
            containers=_containers(spec, status),
            labels=_strings(metadata.get("labels")),
            annotations=_strings(metadata.get("annotations")),
            host_ips=_host_ips(status),
            host_network=bool(spec.get("hostNetwork")),
            ready=ready,
            deleting=metadata.get("deletionTimestamp") is not None,
            waiting=str(scheduled.get("message") or "")
            if scheduled.get("status") == "False"
            else "",
            created=_time(metadata.get("creationTimestamp")),
            deleted=_time(metadata.get("deletionTimestamp")),
            ready_since=_time(readiness.get("lastTransitionTime")) if ready else None,
            sidecar_restarts=_sidecar_restarts(spec, status),
            controller=_controller(metadata),
        )

    def container(self, port: int | None = None) -> Container:
        """The container meant: the one that declares the port, kubectl's default, or the first."""
        for container in self.containers:
            if container.declares(port):
                return container
        default = self.annotations.get(_DEFAULT_CONTAINER)
        return next((c for c in self.containers if c.name == default), self.containers[0])

    def where(self, container: Container) -> str:
        """One of its containers, for people."""
        return f"container {container.name} of pod {self.name}"

    def declares_beside(self, container: Container, port: int) -> bool:
        """Whether the port is another container's, as far as they declare theirs."""
        others = (other for other in self.containers if other.name != container.name)
        return not container.declares(port) and any(other.declares(port) for other in others)

    def ssh_port(self) -> int:
        """The container port named ``ssh``, else 22."""
        ports = [port for container in self.containers for port in container.ports]
        named = (p.number for p in ports if (p.name, p.protocol) == ("ssh", "TCP"))
        return next(named, 22)


def check_usable(pod: Pod) -> None:
    """Refuse a pod that cannot be reached, or must not be.

    :raises NodeportError: pending, crash-looping, ended, on its way out, or on the host's network.
    """
    describe = f"kubectl describe pod {pod.name} -n {pod.namespace}"
    if pod.host_network:
        raise NodeportError(
            f"pod {pod.name} uses its node's network: a rule would open the node's own port",
            hint=f"connect to the node itself; it is {pod.node}",
        )
    if pod.deleting:
        raise NodeportError(
            f"pod {pod.name} is being deleted",
            hint=f"when its successor is there: kubectl get pods -n {pod.namespace} -w",
        )
    if pod.phase in ("Succeeded", "Failed"):
        ended = "has completed" if pod.phase == "Succeeded" else "has failed"
        raise NodeportError(
            f"pod {pod.name} {ended}, nothing runs in it any more",
            hint=f"start it anew, or see why: {describe}",
        )
    if not pod.containers:
        raise NodeportError(f"pod {pod.name} has no containers", hint=describe)


def check_running(pod: Pod, container: Container) -> None:
    """Refuse a container that does not run.

    :raises NodeportError: naming what the kubelet says it waits for.
    """
    if container.running:
        return
    describe = f"kubectl describe pod {pod.name} -n {pod.namespace}"
    pending = pod.phase == "Pending"
    if "CrashLoopBackOff" in container.waiting or (container.restarts and not pending):
        raise NodeportError(
            f"{pod.where(container)} keeps crashing: "
            f"{container.waiting or 'it ended'}, {container.restarts} restarts",
            hint=f"kubectl logs {pod.name} -c {container.name} -n {pod.namespace} --previous",
        )
    if pending:
        reason = pod.waiting or container.waiting or "its containers have not started"
        raise NodeportError(f"pod {pod.name} is pending: {reason}", hint=f"see why: {describe}")
    raise NodeportError(
        f"{pod.where(container)} does not run: "
        f"{container.waiting or 'the kubelet does not say why'}",
        hint=f"see why: {describe}",
    )


def _containers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[Container, ...]:
    statuses = _keyed("name", status.get("containerStatuses"))
    found = []
    for container in _mappings(spec.get("containers")):
        name = _checked(_LABEL, container.get("name"))
        if not name:
            continue
        state = _mapping(statuses.get(name, {}).get("state"))
        running = "running" in state
        found.append(
            Container(
                name=name,
                ports=tuple(_ports(container)),
                running=running,
                waiting="" if running else _reason(state),
                restarts=_count(statuses.get(name, {}).get("restartCount")),
                started=_time(_mapping(state.get("running")).get("startedAt")),
            )
        )
    return tuple(found)


def _sidecar_restarts(spec: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """Sidecars are init containers that are restarted for ever: https://kep.k8s.io/753."""
    statuses = _keyed("name", status.get("initContainerStatuses"))
    sidecars = (
        name
        for name, container in _keyed("name", spec.get("initContainers")).items()
        if container.get("restartPolicy") == "Always"
    )
    return max((_count(statuses.get(name, {}).get("restartCount")) for name in sidecars), default=0)


def _controller(metadata: Mapping[str, Any]) -> Controller | None:
    """The owner that is the controller, of which there is one at most; None if it is malformed."""
    for owner in _mappings(metadata.get("ownerReferences")):
        if owner.get("controller") is not True:
            continue
        found = Controller(
            kind=_checked(_KIND, owner.get("kind")),
            api_version=_checked(_API_VERSION, owner.get("apiVersion")),
            name=_checked(_SUBDOMAIN, owner.get("name")),
            uid=_checked(_UID, owner.get("uid")),
        )
        return found if found.kind and found.api_version and found.name and found.uid else None
    return None


def _reason(state: Mapping[str, Any]) -> str:
    for key in ("waiting", "terminated"):
        details = _mapping(state.get(key))
        if details:
            message = str(details.get("message") or "")
            reason = str(details.get("reason") or key)
            return f"{reason}: {message}" if message else reason
    return ""


def _ports(container: Mapping[str, Any]) -> list[ContainerPort]:
    ports = []
    for port in _mappings(container.get("ports")):
        number = port.get("containerPort")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            continue
        protocol = str(port.get("protocol") or "TCP")
        ports.append(ContainerPort(number, str(port.get("name") or ""), protocol))
    return ports


def _host_ips(status: Mapping[str, Any]) -> tuple[str, ...]:
    listed = [entry.get("ip") for entry in _mappings(status.get("hostIPs"))[:_MOST_HOST_IPS]]
    addresses = []
    for address in [status.get("hostIP"), *listed]:
        try:
            found = ipaddress.ip_address(str(address))
        except ValueError:
            continue
        if "%" not in str(found):  # a zone may be any text, and means nothing here
            addresses.append(str(found))
    return tuple(dict.fromkeys(addresses))


def _time(value: object) -> datetime | None:
    try:
        # Until Python 3.11 the Z of UTC is not understood.
        return datetime.fromisoformat(_checked(_TIME, value).replace("Z", "+00:00"))
    except ValueError:
        return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _keyed(key: str, value: object) -> dict[str, Mapping[str, Any]]:
    """The list's objects by one of their fields, those left out where it is no text."""
    return {name: o for o in _mappings(value) if isinstance(name := o.get(key), str)}


def _checked(pattern: re.Pattern[str], value: object) -> str:
    """The text itself, or "" where it is not what Kubernetes lets such a name be."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _strings(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in _mapping(value).items()}
