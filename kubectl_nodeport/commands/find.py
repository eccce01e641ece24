"""From TARGET to the one pod that is meant, with near matches for a name that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import active
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.pod import Pod, check_usable
from kubectl_nodeport.kube.request import ForbiddenError, Json, NotFoundError, Request
from kubectl_nodeport.kube.target import Target, is_name, near_matches
from kubectl_nodeport.kube.workload import KINDS, Kind, Workload

Query = tuple[tuple[str, str], ...]

_ENOUGH_NAMES = "500"


@dataclass(frozen=True, slots=True)
class Found:
    """The pod that was chosen, and what it was chosen by.

    :ivar workload: the workload or Service that was named; None for a pod or a selector.
    :ivar others: how many more pods match.
    :ivar service: the Service itself, where one was named.
    """

    pod: Pod
    workload: Workload | None = None
    others: int = 0
    service: Json | None = None

    @property
    def note(self) -> str:
        """What kubectl says where it had a choice; "" where there was none."""
        return f"found {self.others + 1} pods, using pod/{self.pod.name}" if self.others else ""


class NoSuchObjectError(NodeportError):
    """The API server itself says that there is no object of this name."""


def find(edges: Edges, target: Target, held: Callable[[Pod], bool] = lambda _pod: False) -> Found:
    """Find the pod, and refuse one that cannot be reached.

    One request for a pod by name, one for a selector, two for a workload or Service; one more for
    each 500 pods that match.

    :param held: whether an entry or a rule leads to the pod already. Of several pods it is kept.
    :raises NodeportError: there is no such object (with near matches), no pod behind it, none that
        can be reached, or no right to look.
    """
    if target.selector:
        found = _by_selector(edges, target.selector, held)
    elif target.kind == "pod":
        found = Found(_read_pod(edges, target.name))
    else:
        found = _by_workload(edges, KINDS[target.kind], target.name, held)
    check_usable(found.pod)
    return found


def pods(edges: Edges, selector: str = "") -> list[Pod]:
    """The namespace's pods, or those that the selector matches, as the API server lists them.

    :raises NodeportError: the right to list pods is missing, or the API server does not answer.
    """
    query = (("labelSelector", selector),) if selector else ()
    return _pods(edges, "find the pods that match", query)


def running_pods(edges: Edges) -> list[Pod]:
    """The namespace's pods that can be connected to now, for somebody to choose from.

    :raises NodeportError: as `pods` does.
    """
    query = (("fieldSelector", "status.phase=Running"),)
    listed = _pods(edges, "list the pods to choose from", query)
    return [pod for pod in listed if pod.phase == "Running" and _is_usable(pod)]


def choose(matching: Sequence[Pod], held: Callable[[Pod], bool]) -> Pod:
    """The pod that is meant, of at least one: a usable one that is held, else kubectl's.

    kubectl would take a pod that is ready and on its way out before its successor that is not
    ready yet. Such a pod is passed over here: what is set up would be lost within seconds.
    """
    usable = [pod for pod in matching if _is_usable(pod)]
    kept = [pod for pod in usable if held(pod)]
    return active.first(kept or usable or matching)


def _by_selector(edges: Edges, selector: str, held: Callable[[Pod], bool]) -> Found:
    matching = pods(edges, selector)
    if not matching:
        raise NodeportError(
            f"no pod matches -l '{selector}' in {_place(edges)}",
            hint=f"kubectl get pods -n {edges.connection.namespace} --show-labels",
        )
    return Found(choose(matching, held), others=len(matching) - 1)


def _by_workload(edges: Edges, kind: Kind, name: str, held: Callable[[Pod], bool]) -> Found:
    document = read(edges, kind, name)
    workload = Workload.of(kind, document)
    _check_answer(edges, kind, name, (workload.namespace, workload.name, workload.uid))
    if not workload.selector:
        raise NodeportError(
            f"{kind.name} {name} has no selector, so it leads to no pod",
            hint=f"kubectl describe {kind.name} {name} -n {workload.namespace}",
        )
    query = (("labelSelector", workload.selector),)
    matching = _pods(edges, f"find the pods of {kind.name} {name}", query)
    if not matching:
        raise _no_pods(workload)
    return Found(
        pod=choose(matching, held),
        workload=workload,
        others=len(matching) - 1,
        service=document if kind.name == "service" else None,
    )


def _read_pod(edges: Edges, name: str) -> Pod:
    pod = Pod.of(read(edges, KINDS["pod"], name))
    _check_answer(edges, KINDS["pod"], name, (pod.namespace, pod.name, pod.uid))
    return pod


def read(edges: Edges, kind: Kind, name: str) -> Json:
    """Read an object of the namespace by its name.

    :raises NoSuchObjectError: the API server says that it does not exist; with near matches.
    :raises NodeportError: it must not be read, or there is no clear answer.
    """
    request = Request(
        "get",
        kind.resource,
        f"read the {kind.name}",
        name=name,
        namespace=edges.connection.namespace,
        group=kind.group,
    )
    try:
        return edges.api.send(request)
    except NotFoundError as err:
        if not err.is_of(kind.resource, name):
            raise  # of something on the way there, and so no word on the object
        raise NoSuchObjectError(
            f'no {kind.name} "{name}" in {_place(edges)}', hint=_near(edges, kind, name)
        ) from err


def _check_answer(edges: Edges, kind: Kind, name: str, answer: tuple[str, str, str]) -> None:
    namespace = edges.connection.namespace
    if answer[:2] != (namespace, name) or not answer[2]:
        raise NodeportError(
            f"the API server answers with another {kind.name} than {name} in {namespace}",
            hint="is something between you and the API server? kubectl get "
            f"{kind.name} {name} -n {namespace} -o yaml",
        )


def _near(edges: Edges, kind: Kind, name: str) -> str:
    namespace = edges.connection.namespace
    request = Request(
        "list",
        kind.resource,
        f"find {kind.resource} of a similar name",
        namespace=namespace,
        query=(("limit", _ENOUGH_NAMES),),
        names_only=True,
        group=kind.group,
    )
    look = (
        f"kubectl get {kind.resource} -n {namespace} lists the {kind.resource} there; "
        "-n names another namespace"
    )
    try:
        answer = edges.api.send(request)
    except NodeportError:
        return look
    items = answer.get("items")
    if "items" in answer and not items:  # null, as the real one says where there are none
        return (
            f"there are no {kind.resource} at all in that namespace; kubectl get namespaces lists "
            "those that exist, -n names one"
        )
    # Of each object there is its metadata alone, which is the same for every kind.
    listed = [Pod.of(i) for i in items if isinstance(i, dict)] if isinstance(items, list) else []
    near = near_matches(name, [one.name for one in listed if is_name(one.name)])
    return f"did you mean: {', '.join(near)}" if near else look


def _no_pods(workload: Workload) -> NodeportError:
    kind, name, namespace = workload.kind, workload.name, workload.namespace
    if workload.replicas == 0:
        return NodeportError(
            f"{kind} {name} is scaled to 0 replicas: it has no pod",
            hint=f"kubectl scale {kind} {name} --replicas=1 -n {namespace}",
        )
    return NodeportError(
        f"{kind} {name} has no pod in {namespace}: nothing matches its selector "
        f"{workload.selector}",
        hint=f"see why: kubectl describe {kind} {name} -n {namespace}",
    )


def _pods(edges: Edges, purpose: str, query: Query) -> list[Pod]:
    namespace = edges.connection.namespace
    request = Request("list", "pods", purpose, namespace=namespace, query=query)
    try:
        listed = [Pod.of(document) for document in everything(edges.api.send, request)]
    except ForbiddenError as err:
        raise ForbiddenError(
            err.message,
            hint="a pod by its name needs no list: pod/NAME; or ask for the right, and check "
            f"with: kubectl auth can-i list pods -n {namespace}",
            status=err.status,
            reason=err.reason,
        ) from err
    # Anything that can be no pod of the namespace is no answer to what was asked.
    return [pod for pod in listed if pod.namespace == namespace and is_name(pod.name) and pod.uid]


def _is_usable(pod: Pod) -> bool:
    try:
        check_usable(pod)
    except NodeportError:
        return False
    return True


def _place(edges: Edges) -> str:
    connection = edges.connection
    return f'the namespace "{connection.namespace}" of the context "{connection.context}"'
