"""What address prints: ``ADDRESS:PORT``, or all that was tried. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubectl_nodeport.cli.render import document, rules
from kubectl_nodeport.cli.render.connect import candidate
from kubectl_nodeport.cli.render.terminal import one_line
from kubectl_nodeport.commands.address import Located


def as_text(located: Sequence[Located]) -> str:
    """A line for each node port that answers; its name behind it where there are several."""
    found = [one for one in located if one.row.address]
    if len(located) == 1:
        return "\n".join(map(_where, found))
    width = max((len(_where(one)) for one in found), default=0)
    return "\n".join(f"{_where(one):<{width}}  {one_line(one.row.name)}" for one in found)


def names(located: Sequence[Located]) -> list[str]:
    """The addresses alone."""
    return [_where(one) for one in located if one.row.address]


def as_document(located: Sequence[Located]) -> dict[str, Any]:
    """All that was tried, in Kubernetes' form; docs/output.md explains the fields."""
    return document.listing("AddressList", map(_item, located))


def _item(one: Located) -> dict[str, Any]:
    rule = rules.rule(one.row)
    return document.item(
        "Address",
        {"name": one.row.name, "namespace": one.row.namespace},
        spec={**rule["spec"], "service": one.row.service or None},
        status={
            "address": one.row.address or None,
            "answered": one.answer is not None,
            "proof": one.answer.proof.value if one.answer else None,
            "candidates": [candidate(attempt) for attempt in one.attempts],
        },
    )


def _where(one: Located) -> str:
    address = one.row.address
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{one.row.node_port}"
