"""Kinds of targets, and a workload or Service as far as this program needs it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_nodeport.kube import selector
from kubectl_nodeport.kube.request import Json

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9-]{1,46}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of target: ``name`` is ours, ``api`` the manifest's, ``resource`` what RBAC calls it.

    ``group`` is the API's group and version, "" for the core's v1.
    """

    name: str
    api: str
    resource: str
    group: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` of a manifest of this kind."""
        return self.group or "v1"


# What kubectl exec takes, with kubectl's short names:
# https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/kubectl/pkg/polymorphichelpers/helpers.go
KINDS = {
    kind.name: kind
    for kind in (
        Kind("pod", "Pod", "pods", aliases=("po",)),
        Kind("deployment", "Deployment", "deployments", "apps/v1", ("deploy",)),
        Kind("statefulset", "StatefulSet", "statefulsets", "apps/v1", ("sts",)),
        Kind("daemonset", "DaemonSet", "daemonsets", "apps/v1", ("ds",)),
        Kind("replicaset", "ReplicaSet", "replicasets", "apps/v1", ("rs",)),
        Kind(
            *("replicationcontroller", "ReplicationController", "replicationcontrollers"),
            aliases=("rc",),
        ),
        Kind("job", "Job", "jobs", "batch/v1"),
        Kind("service", "Service", "services", aliases=("svc",)),
    )
}
_BY_WORD = {
    word: kind for kind in KINDS.values() for word in (kind.name, kind.resource, *kind.aliases)
}
# Their selector is a map of labels, without matchLabels around it.
_PLAIN_SELECTOR = ("replicationcontroller", "service")
_WITH_REPLICAS = ("deployment", "statefulset", "replicaset", "replicationcontroller")


def kind_of(word: str) -> Kind | None:
    """The kind that kubectl takes this word for, as in ``deploy`` or ``Deployments.v1.apps``."""
    short, _, qualified = word.lower().partition(".")
    kind = _BY_WORD.get(short)
    if kind is None:
        return None
    group, _, version = kind.api_version.rpartition("/")
    return kind if qualified in ("", group, f"{version}.{group}") else None


@dataclass(frozen=True, slots=True)
class Workload:
    """What stands behind pods: a workload, or a Service.

    :ivar kind: a name in KINDS.
    :ivar replicas: how many it wants; None for a kind that is not asked for a number.
    :ivar selector: its selector for the API's ``labelSelector``; "" where it has none, or one
        that is malformed.
    :ivar only_match_labels: whether ``match_labels`` is the whole selector, so that a Service
        can have the same.
    """

    kind: str
    name: str
    namespace: str
    uid: str
    replicas: int | None
    selector: str
    match_labels: Mapping[str, str]
    only_match_labels: bool
    deleting: bool = False

    @property
    def api_kind(self) -> str:
        """The kind as manifests and ownerReferences write it."""
        return KINDS[self.kind].api

    @property
    def api_version(self) -> str:
        """The apiVersion as manifests and ownerReferences write it."""
        return KINDS[self.kind].api_version

    @classmethod
    def of(cls, kind: Kind, document: Json) -> Workload:
        """Read a workload from the API's answer; what is missing or malformed counts as empty."""
        metadata, spec = _mapping(document.get("metadata")), _mapping(document.get("spec"))
        selects = _mapping(spec.get("selector"))
        if kind.name in _PLAIN_SELECTOR:
            selects = {"matchLabels": selects}
        labels, expressions = selects.get("matchLabels"), selects.get("matchExpressions")
        text = _selector(labels, expressions)
        replicas = spec.get("replicas") if kind.name in _WITH_REPLICAS else None
        return cls(
            kind=kind.name,
            name=_checked(_NAME, metadata.get("name")),
            namespace=_checked(_NAME, metadata.get("namespace")),
            uid=_checked(_UID, metadata.get("uid")),
            replicas=replicas if type(replicas) is int and replicas >= 0 else None,
            selector=text,
            match_labels={k: v for k, v in _mapping(labels).items() if text},
            only_match_labels=bool(text) and not expressions,
            deleting=metadata.get("deletionTimestamp") is not None,
        )


def _selector(labels: object, expressions: object) -> str:
    """A selector that lost a part would reach more pods than meant: all of it is read, or none."""
    labels, expressions = labels or {}, expressions or []
    if not (isinstance(labels, Mapping) and isinstance(expressions, list)):
        return ""
    if not all(isinstance(word, str) for pair in labels.items() for word in pair):
        return ""
    parts = selector.of_labels(labels), selector.of_expressions(expressions)
    return "" if None in parts else ",".join(part for part in parts if part)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _checked(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
