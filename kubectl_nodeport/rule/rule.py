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
_FIRST_PORT, _LAST_PORT = 30086, 32767
PREFERENCES = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked for: ``port`` of pod ``pod`` under the name ``name``."""

    name: str
    namespace: str
    pod: str
    port: int

    def __post_init__(self) -> None:
        if not _RULE_NAME.fullmatch(self.name):
            raise NodeportError(
                f'"{self.name}" is not a name for a rule',
                hint="a rule's name is made of 1 to 20 lower-case letters, like ssh",
            )
        if not 1 <= self.port <= 65535:
            raise NodeportError(
                f"{self.port} is not a port", hint="a port is a number from 1 to 65535"
            )

    @property
    def service_name(self) -> str:
        """The Service's name, DNS-1035: ``nodeport-POD-RULE``, with a hash where it was changed."""
        plain = self.pod.replace(".", "-")
        whole = f"nodeport-{plain}-{self.name}"
        if plain == self.pod and len(whole) <= _LONGEST_SERVICE_NAME:
            return whole
        digest = hashlib.sha256(f"{self.pod}/{self.name}".encode()).hexdigest()[:8]
        room = _LONGEST_SERVICE_NAME - len(f"nodeport---{digest}") - len(self.name)
        return f"nodeport-{plain[:room].rstrip('-')}-{digest}-{self.name}"

    def preferred_ports(self, cluster: str) -> tuple[int, ...]:
        """The node ports to ask for, in this order, before the server is left to choose.

        They hang on the cluster's identity and on the rule, so that a rule made again keeps its
        port, and two local clusters that are both forwarded to 127.0.0.1 seldom share one.
        """
        size = _LAST_PORT - _FIRST_PORT + 1
        ports = []
        for attempt in range(PREFERENCES):
            text = "\0".join((cluster, self.namespace, self.pod, self.name, str(attempt)))
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
            ports.append(_FIRST_PORT + number % size)
        return tuple(ports)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A rule as it stands in the cluster.

    ``uid`` is the Service's; ``id`` is that of its creation, "" where the Service is not ours;
    ``made_now`` says that this run created it.
    """

    rule: Rule
    service: str
    node_port: int
    id: str
    uid: str = ""
    ip_families: tuple[str, ...] = ()
    made_now: bool = False

    @property
    def ours(self) -> bool:
        """Whether this program made the Service."""
        return bool(self.id)


def new_id() -> str:
    """An id that no rule has had before: 64 random bits."""
    return secrets.token_hex(8)
