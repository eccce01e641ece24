"""What is looked at before anything is made: the pod, its container, its node."""

from __future__ import annotations

from kubectl_nodeport.address.facts import NodeFacts, node_facts
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.container.script import Inside, command, is_whole, parse
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Container, Pod, check_running, check_usable
from kubectl_nodeport.kube.request import ForbiddenError, NotFoundError, Request
from kubectl_nodeport.kube.target import near_matches


def find_pod(edges: Edges, name: str) -> Pod:
    """Read the pod, and refuse one that cannot be reached.

    :raises NodeportError: no such pod (with near matches), or one that does not run.
    """
    namespace = edges.connection.namespace
    request = Request("get", "pods", "read the pod", name=name, namespace=namespace)
    try:
        pod = Pod.of(edges.api.send(request))
    except NotFoundError as err:
        raise NodeportError(
            f'no pod "{name}" in the namespace "{namespace}" '
            f'of the context "{edges.connection.context}"',
            hint=_near_pods(edges, name),
        ) from err
    if (pod.namespace, pod.name) != (namespace, name) or not pod.uid:
        raise NodeportError(
            f"the API server answers with another pod than {name} in {namespace}",
            hint="is something between you and the API server? kubectl get pod "
            f"{name} -n {namespace} -o yaml",
        )
    check_usable(pod)
    return pod


def _near_pods(edges: Edges, name: str) -> str:
    namespace = edges.connection.namespace
    request = Request(
        "list",
        "pods",
        "find pods of a similar name",
        namespace=namespace,
        query=(("limit", "500"),),
        names_only=True,
    )
    look = f"kubectl get pods -n {namespace} lists the pods there; -n names another namespace"
    try:
        items = edges.api.send(request).get("items")
    except NodeportError:
        return look
    pods = [Pod.of(i) for i in items if isinstance(i, dict)] if isinstance(items, list) else []
    near = near_matches(name, [pod.name for pod in pods if pod.name])
    return f"did you mean: {', '.join(near)}" if near else look


def choose_port(pod: Pod, port: int | None, name: str | None) -> tuple[Container, int]:
    """The container and its ssh port: as asked for, else as the pod's manifest tells.

    :raises NodeportError: no such container, or one that does not run.
    """
    port = port or pod.ssh_port()
    container = pod.container(port)
    if name is not None:
        named = [c for c in pod.containers if c.name == name]
        if not named:
            names = ", ".join(c.name for c in pod.containers)
            raise NodeportError(
                f"pod {pod.name} has no container {name}",
                hint=f"its containers: {names}",
            )
        container = named[0]
    check_running(pod, container)
    return container, port


def look_inside(edges: Edges, pod: Pod, container: Container, user: str | None) -> Inside:
    """Ask the container for its user, its host keys and its listening ports, in one exec.

    :param user: whom to log in as, where that is known.

    :raises NodeportError: exec is refused or fails.
    """
    finished = edges.exec.run(pod.namespace, pod.name, container.name, command(user))
    if finished.exit_code != 0 or not is_whole(finished.stdout):
        said = finished.stderr.decode("utf-8", "replace").strip() or "no more"
        raise NodeportError(
            f"container {container.name} of pod {pod.name} cannot be looked into: "
            f"sh ended with {finished.exit_code} and said: {said[:200]}",
            hint="does this work? kubectl exec "
            f"{pod.name} -n {pod.namespace} -c {container.name} -- sh -c true",
        )
    return parse(finished.stdout)


def check_listening(inside: Inside, pod: Pod, container: Container, port: int) -> None:
    """Refuse a port behind which no ssh server can be reached or recognised.

    :raises NodeportError: saying what listens instead, or what is missing.
    """
    where = f"port {port} of pod {pod.name}"
    if inside.listening is not None and port not in inside.listening:
        open_ports = sorted(p for p, loopback in inside.listening.items() if not loopback)
        others = f" (open: {', '.join(map(str, open_ports))})" if open_ports else ""
        raise NodeportError(
            f"nothing listens on {where}{others}",
            hint=f"start an ssh server in container {container.name}, "
            "or say where it listens with --port",
        )
    if inside.listening is not None and inside.listening[port]:
        raise NodeportError(
            f"what listens on {where} takes connections from inside the pod alone (127.0.0.1)",
            hint="let the ssh server listen on all addresses: ListenAddress in sshd_config",
        )
    if not inside.host_keys:
        raise NodeportError(
            f"no ssh host keys were found in container {container.name} of pod {pod.name}, "
            f"so what answers on port {port} could not be told from another server",
            hint="make them with: ssh-keygen -A (as root, inside the container)",
        )


def read_node(edges: Edges, pod: Pod) -> NodeFacts | None:
    """The pod's node, or None without the right to read nodes, which is noted."""
    request = Request("get", "nodes", "learn the node's addresses", name=pod.node)
    try:
        return node_facts(edges.api.send(request))
    except ForbiddenError:
        edges.notes.append("without the right to get nodes the node's other addresses are unknown")
    except NotFoundError:
        pass  # a node that left a moment ago; the pod's own word for its address remains
    return None
