"""Taking a rule of ours away that stands, whoever made it and whether or not its pod is there."""

from __future__ import annotations

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.meant import Rule
from kubectl_nodeport.commands.withdraw import delete_service, untie
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.selector import of_labels
from kubectl_nodeport.kube.target import is_name
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.trace import orphaned, traces


def remove_rule(edges: Edges, rule: Rule, *, as_seen: bool = False) -> None:
    """Remove a rule: its Service, then its label and annotation on the pod, which open nothing.

    What of the pod's cannot be removed is noted.

    :param as_seen: leave a Service that has changed since it was read.
    :raises NodeportError: the Service stays, or all that there is to remove on the pod.
    """
    check_known(rule)
    if rule.document is not None:
        namespace, uid = edges.connection.namespace, service.uid(rule.document)
        version = service.version(rule.document) if as_seen else ""
        delete_service(edges.api, namespace, service.name(rule.document), uid, version)
    try:
        for name in _carriers(edges, rule):
            untie(edges.api, edges.connection.namespace, name, lambda pod: _traces(pod, rule))
    except NodeportError as err:
        if rule.document is None:
            raise
        edges.notes.append(
            f'the label and annotation of the rule "{rule.row.name}" stay on '
            f"{rule.row.target or 'its pod'}, where they open nothing: {err.message}"
        )


def check_known(rule: Rule) -> None:
    """Refuse a rule that a newer version made: what is to go with it is not known here.

    :raises NewerFormatError: it is one.
    """
    service.check_format(rule.document or {})


def _carriers(edges: Edges, rule: Rule) -> list[str]:
    """The names of the pods that may carry the rule's annotation.

    A rule of a workload has put it on the pods that it reached, one after the other.
    """
    kind, _, name = rule.row.target.partition("/")
    if kind == "pod":
        return [name]
    labels = of_labels(service.selector(rule.document or {}))
    if not labels:
        return []
    request = Request(
        *("list", "pods", "find the rule's annotation"),
        namespace=edges.connection.namespace,
        query=(("labelSelector", labels),),
    )
    pods = [Pod.of(document) for document in everything(edges.api.send, request)]
    return [pod.name for pod in pods if is_name(pod.name) and _traces(pod, rule)]


def _traces(pod: Pod, rule: Rule) -> Json:
    if rule.document is None:
        return orphaned(pod, rule.row.name)
    return traces(pod, rule.row.name, service.rule_id(rule.document), rule.row.node_port)
