"""The pod's annotation for a rule, in the Crater platform's format. Pure.

``nodeport.crater.raids.io/ssh: '{"name":"ssh","containerPort":22,"address":"192.168.5.82",
"nodePort":32513}'``. The address is the node's, not the one that answers from this machine.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "nodeport.crater.raids.io/"


def key(rule_name: str) -> str:
    """The annotation's key."""
    return PREFIX + rule_name


def value(rule_name: str, container_port: int, address: str, node_port: int) -> str:
    """The annotation's value, compact as Crater writes it."""
    fields = {
        "name": rule_name,
        "containerPort": container_port,
        "address": address,
        "nodePort": node_port,
    }
    return json.dumps(fields, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Annotation:
    """A rule as an annotation tells it; ``malformed`` says why it cannot be believed, else ""."""

    name: str
    container_port: int = 0
    address: str = ""
    node_port: int = 0
    malformed: str = ""


def read(annotations: Mapping[str, str]) -> tuple[Annotation, ...]:
    """All rules among a pod's annotations, by name; the malformed ones as such."""
    found = [
        _read_one(name.removeprefix(PREFIX), text)
        for name, text in sorted(annotations.items())
        if name.startswith(PREFIX)
    ]
    return tuple(found)


def _read_one(name: str, text: str) -> Annotation:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return Annotation(name, malformed="its value is not JSON")
    if not isinstance(fields, dict):
        return Annotation(name, malformed="its value is no JSON object")
    ports = [fields.get(key) for key in ("containerPort", "nodePort")]
    if not all(type(port) is int and 1 <= port <= 65535 for port in ports):
        return Annotation(name, malformed="containerPort and nodePort are not both ports")
    if fields.get("name") != name:
        return Annotation(name, malformed="its name is not that of its key")
    address = fields.get("address")
    try:
        # A zone, as in fe80::1%eth0, may be any text and means nothing here.
        plain = address.partition("%")[0] if isinstance(address, str) else ""
        shown = str(ipaddress.ip_address(plain)) if address else ""
    except ValueError:
        return Annotation(name, malformed="its address is no IP address")
    return Annotation(name, int(fields["containerPort"]), shown, int(fields["nodePort"]))
