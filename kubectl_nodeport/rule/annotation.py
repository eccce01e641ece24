"""The pod's annotation for a rule, in the Crater platform's format. Pure.

``nodeport.crater.raids.io/ssh: '{"name":"ssh","containerPort":22,"address":"192.168.5.82",
"nodePort":32513}'``. The address is the node's, not the one that answers from this machine.
"""

from __future__ import annotations

import json

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
