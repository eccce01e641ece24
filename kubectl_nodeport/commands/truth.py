"""How a Host entry should be, by its cluster and by what answers; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kubectl_nodeport.address.resolution import Proof
from kubectl_nodeport.commands.alias import AnotherTargetError
from kubectl_nodeport.commands.edges import Edges, Hosts
from kubectl_nodeport.commands.find import NoSuchObjectError, find
from kubectl_nodeport.commands.homes import Homes
from kubectl_nodeport.commands.look import NothingListensError
from kubectl_nodeport.commands.survey import ConnectRequest, Survey, Via, surveyed
from kubectl_nodeport.commands.trust import find_trusted
from kubectl_nodeport.commands.tunnelled import prove_tunnel
from kubectl_nodeport.commands.vouch import unverified
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import NotFoundError, Request
from kubectl_nodeport.kube.target import parse
from kubectl_nodeport.rule import service
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.names import alias_for


@dataclass(frozen=True, slots=True)
class Truth:
    """What answers for the entry now.

    :ivar keys: the host keys that were read in the pod.
    :ivar is_proven: whether it was seen that this pod answers, and no other of its image.
    :ivar is_vouched: whether the API server's word, which the keys are, is checked by TLS.
    """

    hostname: str
    port: int
    pod_uid: str
    service: str
    creation: str
    keys: tuple[HostKey, ...]
    is_proven: bool
    is_vouched: bool

    def check_vouched(self, entry: HostEntry, *, has_new_keys: bool) -> None:
        """Refuse what is new and not certain.

        :raises NodeportError: saying what is not.
        """
        if has_new_keys and not self.is_vouched:
            raise needs_connect(
                entry, "its host keys are others, and nobody vouches for the API server's word"
            )
        is_moved = (self.hostname, self.port) != (entry.hostname, entry.port)
        if is_moved and not self.is_proven:
            raise needs_connect(
                entry,
                f"{self.hostname} port {self.port} answers, but that it is this pod is not proven",
            )


@dataclass(frozen=True, slots=True)
class Gone:
    """What the entry was made for is gone, by the API server's own word."""

    why: str


def truth_of(
    entry: HostEntry, hosts: Hosts, homes: Homes, patience_s: float
) -> tuple[Truth | Gone, tuple[str, ...]]:
    """Look at the entry's pod, its rule and the address, as connect does; with notes.

    :param patience_s: how long an address is waited for.
    :raises NodeportError: it cannot be found out, or takes a connect to mend.
    """
    with homes.visit(entry) as edges:
        there = replace(edges, hosts=hosts, program=lambda: entry.program)
        try:
            if entry.is_tunnel:
                found = _through_api(entry, there)
            else:
                found = _by_node_port(entry, there, patience_s)
        except NoSuchObjectError as err:
            return Gone(err.message), ()
        return found, tuple(dict.fromkeys(edges.notes))


def needs_connect(entry: HostEntry, what: str) -> NodeportError:
    """An entry that sync cannot mend, since it changes nothing in a cluster."""
    origin = entry.origin
    words = [origin.typed, "-n", origin.namespace]
    if origin.rule != "ssh":
        words += ["--name", origin.rule]
    if entry.alias != alias_for(origin.target, origin.namespace, origin.context):
        words += ["--host", entry.alias]
    return NodeportError(what, hint=f"kubectl nodeport connect {' '.join(words)}")


def _by_node_port(entry: HostEntry, edges: Edges, patience_s: float) -> Truth:
    origin = entry.origin
    found = _service(entry, edges)
    if found is None:
        find(edges, parse(origin.target))  # which says whether there is still something to reach
        raise needs_connect(entry, f"its rule is gone: there is no service {origin.service}")
    port = service.leads_to(found, entry.port)
    if port is None:
        raise needs_connect(
            entry, f"service {origin.service} has no NodePort {entry.port} any more"
        )
    try:
        with _survey(entry, edges, port, "nodeport", patience_s) as seen:
            return _answering(entry, seen)
    except NoSuchObjectError as err:
        is_its_own = bool(origin.creation) and service.rule_id(found) == origin.creation
        if origin.target.startswith("pod/") and is_its_own and not service.ends_with_pod(found):
            raise NodeportError(
                f"{err.message} just now; its rule waits for a successor",
                hint="run it again when it is there, or take the host away: "
                f"kubectl nodeport disconnect {entry.alias}",
            ) from err
        raise


def _answering(entry: HostEntry, seen: Survey) -> Truth:
    exposed = seen.standing.exposed if seen.standing is not None else None
    if exposed is None:
        what = f"service {entry.origin.service} does not lead to the pod that is there now"
        raise needs_connect(entry, what)
    found, host_keys = find_trusted(seen, exposed)
    return Truth(
        hostname=found.answer.candidate.address,
        port=exposed.node_port,
        pod_uid=seen.pod.uid,
        service=exposed.service,
        creation=exposed.id,
        keys=host_keys.keys,
        is_proven=found.answer.proof in (Proof.CONNECTION, Proof.HOST_KEY),
        is_vouched=unverified(seen.edges.connection) is None,
    )


def _through_api(entry: HostEntry, edges: Edges) -> Truth:
    with _survey(entry, edges, entry.port, "tunnel") as seen:
        host_keys = prove_tunnel(seen, None)
        return Truth(
            hostname=entry.hostname,
            port=entry.port,
            pod_uid=seen.pod.uid,
            service=entry.origin.service,
            creation=entry.origin.creation,
            keys=host_keys.keys,
            is_proven=True,
            is_vouched=unverified(edges.connection) is None,
        )


@contextmanager
def _survey(
    entry: HostEntry, edges: Edges, port: int | str, via: Via, patience_s: float | None = None
) -> Iterator[Survey]:
    origin = entry.origin
    request = ConnectRequest(
        target=parse(origin.target),
        rule_name=origin.rule,
        port=port,
        via=via,
        container=origin.container or None,
        host=entry.alias,
        timeout_s=patience_s,
        with_sshd=False,
    )
    try:
        with surveyed(request, edges) as seen:
            yield seen
    except NothingListensError as err:
        if not origin.sshd_port:
            raise
        raise needs_connect(entry, "the ssh server that connect brought is gone") from err
    except AnotherTargetError as err:
        what = f"a rule of one pod does not follow {origin.target.replace('/', ' ')} any more"
        raise needs_connect(entry, what) from err


def _service(entry: HostEntry, edges: Edges) -> Mapping[str, Any] | None:
    """The Service behind the entry; None where the API server says that it is gone."""
    origin = entry.origin
    request = Request(
        *("get", "services", "see where the rule leads"),
        name=origin.service,
        namespace=origin.namespace,
    )
    try:
        return edges.api.send(request)
    except NotFoundError as err:
        if not err.is_of("services", origin.service):
            raise
        return None
