"""The rules of a namespace as rows: ours, Crater's, and NodePorts of others. Pure.

The Services are the truth. Crater's annotations on the pods add the rules whose Service is gone,
and an address where nothing else tells one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.target import is_name
from kubectl_nodeport.kube.workload import KINDS
from kubectl_nodeport.rule import annotation, service
from kubectl_nodeport.rule.reached import Backend, problem, reached
from kubectl_nodeport.rule.rule import PROTOCOLS, Exposed, is_rule_name

Source = Literal["kubectl-nodeport", "crater", "other"]
Key = tuple[str, str]  # a namespace, and the name of a Service there

# https://github.com/raids-lab/crater backend/pkg/crclient/service.go
_CRATER = "crater.raids.io/port-name"
_LONGEST_NAME = 63
_NEWER = "was made by a newer kubectl-nodeport, and is left alone by this one"
_SOURCES: tuple[Source, ...] = ("kubectl-nodeport", "crater", "other")


@dataclass(frozen=True, slots=True)
class Listed:
    """One open port of one rule or Service.

    :ivar name: the rule's name; of a Service of others, its port's name or its own.
    :ivar target: ``pod/dev`` or ``deployment/api``; "" where it is not known.
    :ivar pods: the names of the pods that it reaches; None where that is not known.
    :ivar port: the pod's port, by number or name.
    :ivar address: where it may answer, not proven; "" where it is not known.
    :ivar node_port: 0 where it is not known.
    :ivar service: the Service's name; "" where an annotation alone tells of the rule.
    :ivar source: who made it.
    :ivar hosts: the aliases of the Host entries that lead to it.
    :ivar problem: what is wrong with it, in words that follow its name; "" for nothing.
    """

    name: str
    namespace: str
    target: str = ""
    pods: tuple[str, ...] | None = None
    port: int | str = 0
    protocol: str = "TCP"
    address: str = ""
    node_port: int = 0
    service: str = ""
    source: Source = "kubectl-nodeport"
    created: datetime | None = None
    hosts: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ours(self) -> bool:
        """Whether this program made it."""
        return self.source == "kubectl-nodeport"


@dataclass(frozen=True, slots=True)
class Host:
    """A Host entry of this cluster, as far as it tells which rule it leads to, or led to.

    ``address`` is "" where it goes through the API server now; ``creation`` is the id of the rule's
    creation, "" for a Service that is not ours.
    """

    alias: str
    address: str
    namespace: str
    service: str
    creation: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in the cluster and on this machine.

    :ivar annotated: the pods whose annotations were read.
    :ivar behind: the pods that a Service's selector matches, for each Service that was looked
        behind.
    """

    services: Sequence[Mapping[str, Any]]
    annotated: Sequence[Pod] = ()
    behind: Mapping[Key, Sequence[Backend]] = field(default_factory=dict, hash=False)
    hosts: Sequence[Host] = ()


def listed(seen: Seen) -> tuple[Listed, ...]:
    """All rows: by namespace, ours first, and those of one target together."""
    rows = [row for one in seen.services for row in _of_service(one, seen)]
    for pod in seen.annotated:
        if not is_name(pod.namespace) or not is_name(pod.name):
            continue
        for told in annotation.read(pod.annotations):
            same = [at for at, row in enumerate(rows) if _tells(row, pod, told)]
            for at in same:
                rows[at] = _completed(rows[at], told)
            if not same:
                rows.append(_of_annotation(pod, told))
    return tuple(sorted(rows, key=_order))


def of_rule(exposed: Exposed, *, pods: tuple[str, ...] | None = None) -> Listed:
    """A rule that was made, found or deleted just now, without another look at the cluster."""
    rule = exposed.rule
    return Listed(
        name=rule.name,
        namespace=rule.namespace,
        target=rule.target,
        pods=pods,
        port=rule.port,
        protocol=rule.protocol,
        node_port=exposed.node_port,
        service=exposed.service,
        source="kubectl-nodeport" if exposed.ours else "other",
    )


def key(one: Mapping[str, Any]) -> Key | None:
    """A Service's namespace and name; None for what can be no Service."""
    metadata = _mapping(one.get("metadata"))
    namespace, name = metadata.get("namespace"), metadata.get("name")
    if isinstance(namespace, str) and isinstance(name, str):
        return (namespace, name) if is_name(namespace) and is_name(name) else None
    return None


def source(one: Mapping[str, Any]) -> Source:
    """Who made the Service."""
    if service.is_ours(one):
        return "kubectl-nodeport"
    return "crater" if _CRATER in _annotations(one) else "other"


def is_about(one: Mapping[str, Any], pods: Iterable[Pod], targets: Collection[str] = ()) -> bool:
    """Whether the Service is made for one of the targets, or its selector matches one of the pods.

    :param targets: such as ``pod/dev``, all in the Service's namespace.
    """
    found = key(one)
    near = [pod for pod in pods if found is not None and pod.namespace == found[0]]
    return _target(one) in targets or any(service.selects(one, pod) for pod in near)


def _of_service(one: Mapping[str, Any], seen: Seen) -> list[Listed]:
    found = key(one)
    if found is None:
        return []
    whose, (name, damage) = source(one), _name(one)
    behind = seen.behind.get(found)
    pods = None if behind is None else reached(one, behind)
    if behind is not None and whose != "other":
        damage = damage or problem(one, behind)
    creation = service.rule_id(one)
    hosts = [
        host
        for host in seen.hosts
        if (host.namespace, host.service) == found and host.creation == creation
    ]
    row = Listed(
        name=name,
        namespace=found[0],
        target=_target(one),
        pods=None if pods is None else tuple(pod.name for pod in pods if is_name(pod.name)),
        address=_address(hosts, pods or ()),
        service=found[1],
        source=whose,
        created=_created(one),
        hosts=tuple(host.alias for host in hosts),
        problem=damage,
    )
    return [_of_port(row, port) for port in _open_ports(one)]


def _of_port(row: Listed, port: Mapping[str, Any]) -> Listed:
    name, leads_to = port.get("name"), port.get("targetPort", port.get("port"))
    if type(leads_to) is not int and not _is_word(leads_to):
        leads_to = 0
    protocol = port.get("protocol", "TCP")
    return replace(
        row,
        name=name
        if row.source == "other" and isinstance(name, str) and _is_word(name)
        else row.name,
        port=leads_to,
        protocol=protocol if protocol in PROTOCOLS else "TCP",
        node_port=port["nodePort"],
    )


def _open_ports(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A LoadBalancer's ports too, as far as it has node ports."""
    ports = _mapping(one.get("spec")).get("ports")
    listed = [p for p in ports if isinstance(p, Mapping)] if isinstance(ports, list) else []
    return [p for p in listed if type(p.get("nodePort")) is int and 1 <= p["nodePort"] <= 65535]


def _name(one: Mapping[str, Any]) -> tuple[str, str]:
    """The rule's name, and what is wrong with it; for what has none, that of the Service."""
    whose = source(one)
    if whose == "kubectl-nodeport":
        name = service.rule_name(one)
        is_named = is_rule_name(name)
        damage = "" if is_named else "its annotations do not name a rule"
        if malformed := service.malformed(one):
            damage = f"its annotation {malformed} is malformed"
        return name if is_named else service.name(one), _NEWER if service.is_newer(one) else damage
    if whose == "crater":
        name = _annotations(one)[_CRATER]
        if isinstance(name, str) and _is_word(name):
            return name, ""
        return service.name(one), f"its annotation {_CRATER} is malformed"
    return service.name(one), ""


def _target(one: Mapping[str, Any]) -> str:
    """What the Service was made for: ours say it, Crater's belong to their pod."""
    text = service.target(one)
    if source(one) == "crater":
        owners = _mapping(one.get("metadata")).get("ownerReferences")
        listed = owners if isinstance(owners, list) else []
        names = [o.get("name") for o in map(_mapping, listed) if o.get("kind") == "Pod"]
        text = f"pod/{names[0]}" if len(names) == 1 else ""
    kind, _, name = text.partition("/")
    return text if kind in KINDS and is_name(name) else ""


def _of_annotation(pod: Pod, told: annotation.Annotation) -> Listed:
    return Listed(
        name=told.name if _is_word(told.name) else "?",
        namespace=pod.namespace,
        target=f"pod/{pod.name}",
        pods=(),
        port=told.container_port,
        address=told.address,
        node_port=told.node_port,
        source="crater",
        problem=f"its annotation is malformed: {told.malformed}"
        if told.malformed
        else "has an annotation, but no Service",
    )


def _tells(row: Listed, pod: Pod, told: annotation.Annotation) -> bool:
    """Whether the row's Service is what the annotation tells of."""
    if row.namespace != pod.namespace or not row.service:
        return False
    if row.pods is None and row.node_port == told.node_port:
        return True  # no two Services of a cluster have the same
    leads = row.target == f"pod/{pod.name}" or pod.name in (row.pods or ())
    return leads and (row.node_port == told.node_port or row.name == told.name)


def _completed(row: Listed, told: annotation.Annotation) -> Listed:
    malformed = f"its annotation is malformed: {told.malformed}" if told.malformed else ""
    return replace(row, address=row.address or told.address, problem=row.problem or malformed)


def _address(hosts: Sequence[Host], pods: Sequence[Pod]) -> str:
    """Where it answered once from here, else the node's address; nothing is asked now."""
    known = [host.address for host in hosts if host.address] + [
        ip for pod in pods for ip in pod.host_ips
    ]
    return known[0] if known else ""


def _order(row: Listed) -> tuple[str, int, str, str, str, int]:
    """A Service's ports stay together."""
    shown = row.service if row.source == "other" else row.name
    at = _SOURCES.index(row.source)
    return row.namespace, at, row.target, shown, row.service, row.node_port


def _created(one: Mapping[str, Any]) -> datetime | None:
    """Pods and Services have the same metadata."""
    return Pod.of({"metadata": one.get("metadata")}).created


def _annotations(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_mapping(one.get("metadata")).get("annotations"))


def _is_word(text: object) -> bool:
    """Whether it is short, and may be shown: Crater checks rule names in the browser alone."""
    return isinstance(text, str) and 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
