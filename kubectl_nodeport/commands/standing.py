"""What stands already: the rule that is asked for, or a NodePort of others that serves as well."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kubectl_nodeport.commands.edges import Api, Edges
from kubectl_nodeport.commands.find import Found
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything, first
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import ForbiddenError, Request
from kubectl_nodeport.kube.selector import of_labels
from kubectl_nodeport.kube.workload import Workload
from kubectl_nodeport.rule import annotation, service
from kubectl_nodeport.rule.binding import Binding, bind, is_followed
from kubectl_nodeport.rule.rule import Exposed, Rule

Service = Mapping[str, Any]

# How many NodePort Services of others are asked whether they reach this pod alone.
_OTHERS_ASKED = 3
_NOT_PROVEN = "without the right to list pods it is not proven that the rule reaches this pod alone"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule that is asked for, and the pod that it is to reach now.

    ``cluster`` is the cluster's identity, on which the preferred node ports hang; ``node_port`` is
    given where it has to be this one; ``workload`` is what the pod was found by, if it was.
    """

    rule: Rule
    pod: Pod
    binding: Binding
    cluster: str
    node_port: int | None = None
    workload: Workload | None = None


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A rule before it is known for which pod."""

    name: str
    port: int
    protocol: str = "TCP"
    node_port: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The rule as it stands, or a Service of ours for it that does not serve as it is.

    ``untied``: its pod lacks the label, because it was lost or another run is about to set it.
    ``stale``: it is an earlier pod's, or other pods carry the label by now.
    """

    exposed: Exposed | None = None
    untied: Service | None = None
    stale: Service | None = None
    notes: tuple[str, ...] = ()


def wanted_rule(edges: Edges, found: Found, draft: RuleDraft) -> Wanted:
    """The rule for a pod that was found, bound to it in the most lasting way."""
    pod, workload = found.pod, found.workload
    binding = bind(pod, workload)
    if workload is not None and is_followed(workload) and not pod.ready:
        edges.notes.append(
            f"pod {pod.name} is not ready, so the rule is for this pod and ends with it; made when "
            f"it is ready, it would follow {workload.kind}/{workload.name}"
        )
    rule = Rule(draft.name, pod.namespace, binding.target, draft.port, draft.protocol)
    return Wanted(rule, pod, binding, edges.connection.identity, draft.node_port, workload)


def find_rule(api: Api, wanted: Wanted) -> Standing:
    """Look for the rule: ours, else a NodePort that someone made for just this pod and port.

    :raises NodeportError: the name is taken by a rule for another port, or the rule that stands
        reaches several pods, or is of a newer version.
    """
    rule, pod, binding = wanted.rule, wanted.pod, wanted.binding
    services = everything(
        api.send,
        Request(
            "list", "services", "see whether the rule exists already", namespace=rule.namespace
        ),
    )
    _refuse_newer(services, wanted)
    _refuse_outgrown(services, wanted)
    _refuse_another_owners(services, wanted)
    ours = next((found for found in services if service.is_rule(found, rule)), None)
    if ours is None:
        return _made_by_others(api, services, wanted)
    service.check_format(ours)
    if not (service.is_owned_by(ours, binding.owner.uid) and service.node_ports(ours)):
        return Standing(stale=ours)
    exposed = checked(ours, wanted)
    if not service.selects(ours, pod):
        is_tied_by_us = binding.selector is None and service.is_by_our_label(ours, rule, pod)
        return Standing(untied=ours) if is_tied_by_us else Standing(stale=ours)
    alone = reaches_alone(api, service.selector(ours), pod, follows=binding.follows)
    if alone is False:
        if binding.selector is not None:
            raise shared(wanted)
        return Standing(stale=ours)
    return Standing(exposed, notes=() if alone else (_NOT_PROVEN,))


def held_by(edges: Edges, rule_name: str) -> Callable[[Pod], bool]:
    """Whether a pod has the rule, or a Host entry leads to it: it is taken before others.

    What cannot be read of the ssh configuration holds none: who writes it will be refused there.
    """
    connection = edges.connection
    cluster = (connection.identity, connection.namespace, rule_name)
    try:
        origins = [entry.origin for entry in edges.hosts.readable().entries]
    except NodeportError:
        origins = []
    entered = {o.target for o in origins if (o.cluster, o.namespace, o.rule) == cluster}
    label = service.pod_label(rule_name)
    return lambda pod: label in pod.labels or f"pod/{pod.name}" in entered


def checked(found: Service, wanted: Wanted) -> Exposed:
    """A Service that has the rule's name, as that rule.

    :raises NodeportError: it leads to another port, or has another node port than is asked for.
    """
    rule = wanted.rule
    exposed = service.exposed(found, rule, wanted.pod)
    if exposed is None:
        ports = ", ".join(service.target_ports(found))
        raise NodeportError(
            f'the rule "{rule.name}" of {rule.of} leads to port {ports}, not to {rule.port_shown}',
            hint=f"--port {ports} uses it, --name makes another; or delete it first: "
            f"kubectl nodeport delete {rule.typed} --name {rule.name} -n {rule.namespace}",
        )
    if wanted.node_port not in (None, exposed.node_port):
        raise NodeportError(
            f'the rule "{rule.name}" of {rule.of} has NodePort {exposed.node_port}, '
            f"not {wanted.node_port}",
            hint=f"delete it first: kubectl nodeport delete {rule.typed} --name {rule.name} "
            f"-n {rule.namespace}",
        )
    return exposed


def reaches_alone(
    api: Api, selector: Mapping[str, str], pod: Pod, *, follows: bool = False
) -> bool | None:
    """Ask the server which pods a selector reaches: this one, and no other?

    None: without the right to list pods it cannot be proven.

    :param follows: the Service passes over pods that are on their way out.
    """
    labels = of_labels(selector)
    if not labels:
        return None
    living = (("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed"),)
    request = Request(
        "list",
        "pods",
        "prove that the rule reaches this pod alone",
        namespace=pod.namespace,
        query=(("labelSelector", labels), *(living if follows else ())),
        names_only=True,
    )
    try:
        # Those on their way out are seen only here, and there may be more than a few of them.
        items = everything(api.send, request) if follows else first(api.send, request, 2)
    except ForbiddenError:
        return None
    pods = [Pod.of(item) for item in items]
    return [found.uid for found in pods if not (follows and found.deleting)] == [pod.uid]


def shared(wanted: Wanted) -> NodeportError:
    """A selector that has to reach one pod reaches others too."""
    rule, pod = wanted.rule, wanted.pod
    selector = ",".join(f"{k}={v}" for k, v in sorted((wanted.binding.selector or {}).items()))
    return NodeportError(
        f"more pods than {pod.name} have the labels by which the rule of {rule.of} finds it",
        hint=f"kubectl get pods -n {rule.namespace} -l {shlex.quote(selector)} shows them; "
        "during a rollout run it again when one is left",
    )


def _refuse_newer(services: list[Service], wanted: Wanted) -> None:
    """A newer version's rule of this name for the pod, be it that of its workload.

    By it the pod's annotation was written, which one more rule of this name would overwrite. What
    the Service says of itself may be in other words by now; selector, node port and the annotation
    are not this program's own.
    """
    rule, pod = wanted.rule, wanted.pod
    told = {one.name: one.node_port for one in annotation.read(pod.annotations)}
    for one in services:
        is_it = service.rule_name(one) == rule.name or told.get(rule.name) in service.node_ports(
            one
        )
        if is_it and service.selects(one, pod):
            service.check_format(one)


def _refuse_outgrown(services: list[Service], wanted: Wanted) -> None:
    """A rule that followed its workload's one pod, and cannot any more."""
    workload, pod = wanted.workload, wanted.pod
    if workload is None or wanted.binding.follows:
        return
    rule, target = wanted.rule, f"{workload.kind}/{workload.name}"
    known = [one for one in services if not service.is_newer(one)]
    if not any((service.target(s), service.rule_name(s)) == (target, rule.name) for s in known):
        return
    if workload.replicas == 1 and not pod.ready:
        raise NodeportError(
            f"pod {pod.name} is not ready, and the rule of {workload.kind} {workload.name} "
            "reaches ready pods only",
            hint=f"kubectl nodeport connect {pod.name} -n {rule.namespace} makes one for this pod",
        )
    raise NodeportError(
        f'the rule "{rule.name}" of {workload.kind} {workload.name} was made for one pod, and '
        f"would spread over {workload.replicas or 'several'} by now",
        hint=f"scale back, or let a rule of one pod take its place: kubectl nodeport delete "
        f"{target} --name {rule.name} -n {rule.namespace}",
    )


def _refuse_another_owners(services: list[Service], wanted: Wanted) -> None:
    """The pod carries the annotation of a rule of this name that somebody else made, and it stands.

    An annotation whose Service is gone blocks nothing.
    """
    rule, pod = wanted.rule, wanted.pod
    told = {one.name: one.node_port for one in annotation.read(pod.annotations)}
    for other in services:
        exposed = service.exposed(other, rule, pod)
        holds = told.get(rule.name) in service.node_ports(other)
        if holds and not service.is_ours(other) and exposed is None and service.selects(other, pod):
            raise NodeportError(
                f'pod {pod.name} has a rule "{rule.name}" already, which service '
                f"{service.name(other)} is and kubectl nodeport did not make",
                hint="give the rule another name with --name",
            )


def _made_by_others(api: Api, services: list[Service], wanted: Wanted) -> Standing:
    rule, pod = wanted.rule, wanted.pod
    found = (
        candidate
        for candidate in services
        if _may_serve(candidate, wanted)
        and service.selects(candidate, pod)
        and (pod.ready or service.publishes_not_ready(candidate))
    )
    for candidate in islice(found, _OTHERS_ASKED):
        alone = reaches_alone(api, service.selector(candidate), pod)
        if alone:
            return Standing(service.exposed(candidate, rule, pod))
        if alone is None:
            note = (
                f"service {service.name(candidate)} may lead to this pod alone; without the right "
                "to list pods that cannot be proven, so it is not used"
            )
            return Standing(notes=(note,))
    return Standing()


def _may_serve(candidate: Service, wanted: Wanted) -> bool:
    """Another's NodePort for this port, or the rule of this name of the pod's workload."""
    exposed = service.exposed(candidate, wanted.rule, wanted.pod)
    if exposed is None or wanted.node_port not in (None, exposed.node_port):
        return False
    if service.is_ours(candidate):
        is_pods = service.target(candidate).startswith("pod/")
        return service.rule_name(candidate) == wanted.rule.name and not is_pods
    return service.is_plain_node_port(candidate)
