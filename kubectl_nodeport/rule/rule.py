"""A rule: one port of one pod, opened on every node. Pure.

Names follow the Crater platform's NodePort rules: lower-case letters only, at most 20, unique in
the pod.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError

_RULE_NAME = re.compile(r"[a-z]{1,20}")
_LONGEST_SERVICE_NAME = 63

# The part of the default range that the API server hands out by itself; 30000 to 30085 is kept for
# ports that people choose: https://kubernetes.io/docs/concepts/services-networking/service/#avoid-nodeport-collisions
DEFAULT_RANGE = (30086, 32767)
PREFERENCES = 2
PROTOCOLS = ("TCP", "UDP", "SCTP")
NOT_YET = "not-yet"
"""Stands for the id of a rule that a dry run does not make."""


def is_rule_name(name: str) -> bool:
    """Whether a rule can have the name."""
    return _RULE_NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Refuse what is no name for a rule.

    :raises NodeportError: saying what a name is made of.
    """
    if not is_rule_name(name):
        raise NodeportError(
            f'"{name}" is not a name for a rule',
            hint="a rule's name is made of 1 to 20 lower-case letters, like ssh",
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked for: a port of a pod under a name.

    ``target`` is ``pod/dev``, or ``deployment/api`` for a rule that follows the workload's one pod;
    ``protocol`` is TCP, UDP or SCTP.
    """

    name: str
    namespace: str
    target: str
    port: int
    protocol: str = "TCP"

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 1 <= self.port <= 65535:
            raise NodeportError(
                f"{self.port} is not a port", hint="a port is a number from 1 to 65535"
            )
        if self.protocol not in PROTOCOLS:
            raise NodeportError(
                f"{self.protocol} is not a protocol of Services",
                hint=f"one of {', '.join(PROTOCOLS)}",
            )

    @property
    def of(self) -> str:
        """The target in words: ``pod dev``."""
        return self.target.replace("/", " ", 1)

    @property
    def typed(self) -> str:
        """The target as one types it: ``dev``, ``deployment/api``."""
        return self.target.removeprefix("pod/")

    @property
    def port_shown(self) -> str:
        """``22``, or ``53/UDP`` where the protocol is not TCP."""
        return f"{self.port}" + (f"/{self.protocol}" if self.protocol != "TCP" else "")

    @property
    def service_name(self) -> str:
        """The Service's name, DNS-1035: ``nodeport-POD-RULE``, with a hash where it was changed.

        That of a workload's rule always has the hash: a pod may be called like the workload.
        """
        kind, _, name = self.target.partition("/")
        plain = name.replace(".", "-")
        whole = f"nodeport-{plain}-{self.name}"
        if kind == "pod" and plain == name and len(whole) <= _LONGEST_SERVICE_NAME:
            return whole
        hashed = name if kind == "pod" else self.target
        digest = hashlib.sha256(f"{hashed}/{self.name}".encode()).hexdigest()[:8]
        room = _LONGEST_SERVICE_NAME - len(f"nodeport---{digest}") - len(self.name)
        return f"nodeport-{plain[:room].rstrip('-')}-{digest}-{self.name}"

    def preferred_ports(
        self, cluster: str, within: tuple[int, int] = DEFAULT_RANGE
    ) -> tuple[int, ...]:
        """The node ports to ask for, in this order, before the server is left to choose.

        They hang on the cluster's identity and on the rule, so that a rule made again keeps its
        port, and two local clusters that are both forwarded to 127.0.0.1 seldom share one.

        :param within: the first and the last port to choose from.
        """
        first, last = within
        ports = []
        for attempt in range(PREFERENCES):
            text = "\0".join((cluster, self.namespace, self.typed, self.name, str(attempt)))
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
            ports.append(first + number % (last - first + 1))
        return tuple(ports)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A rule as it stands in the cluster.

    ``uid`` is the Service's; ``id`` is that of its creation, "" where the Service is not ours;
    ``made_now`` says that this run created it; ``traffic_policy`` is Local where only the node of
    the pod answers; ``users`` are the ids of Host entries that use it and did not make it.
    """

    rule: Rule
    service: str
    node_port: int
    id: str
    uid: str = ""
    ip_families: tuple[str, ...] = ()
    made_now: bool = False
    traffic_policy: str = ""
    users: frozenset[str] = frozenset()

    @property
    def stands(self) -> bool:
        """Whether it is there, and not only planned."""
        return self.id != NOT_YET

    @property
    def ours(self) -> bool:
        """Whether this program made the Service."""
        return bool(self.id)


def dynamic_band(first: int, last: int) -> tuple[int, int]:
    """The part of a node port range that the API server hands out by itself.

    A 32nd of the range at its start, 16 to 128 ports, is kept for ports that people choose:
    https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/3668-reserved-service-nodeport-range
    """
    size = last - first + 1
    kept = min(max(16, size // 32), 128) if size > 16 else 0
    return first + kept, last


def new_id() -> str:
    """An id that no rule has had before: 64 random bits."""
    return secrets.token_hex(8)
