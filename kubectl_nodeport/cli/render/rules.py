"""What get prints of rules: a table, names, or a list for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from kubectl_nodeport.cli.render import document
from kubectl_nodeport.cli.render.table import NONE, UNKNOWN, age, cell, lines, widths
from kubectl_nodeport.cli.render.table import table as aligned
from kubectl_nodeport.rule.listed import Listed

_COLUMNS = ("NAME", "POD", "PORT", "ADDRESS", "NODEPORT", "HOST", "AGE")
_WIDE = ("TARGET", "SERVICE", "MANAGED-BY", "PROBLEM")
# A Service may reach hundreds; kubectl shows as many endpoints.
_MOST_PODS = 3


def table(
    listed: Sequence[Listed], now: datetime, *, wide: bool = False, with_namespace: bool = False
) -> str:
    """The rules as kubectl would list them; "" where there is none."""
    if not listed:
        return ""
    rows = [row(one, now, wide=wide, with_namespace=with_namespace) for one in listed]
    return aligned([headings(wide=wide, with_namespace=with_namespace), *rows])


def more(
    listed: Sequence[Listed],
    before: Sequence[int],
    now: datetime,
    *,
    wide: bool = False,
    with_namespace: bool = False,
) -> tuple[str, tuple[int, ...]]:
    """Rows to print below others, with the widths of all columns for those that follow.

    :param before: the widths of those above; without any the headings come first.
    """
    rows = [row(one, now, wide=wide, with_namespace=with_namespace) for one in listed]
    if not before:
        rows = [headings(wide=wide, with_namespace=with_namespace), *rows]
    columns = widths(rows, before)
    return "\n".join(lines(rows, columns)), columns


def headings(*, wide: bool = False, with_namespace: bool = False) -> tuple[str, ...]:
    """The names of the columns."""
    return (*(("NAMESPACE",) if with_namespace else ()), *_COLUMNS, *(_WIDE if wide else ()))


def row(
    one: Listed, now: datetime, *, wide: bool = False, with_namespace: bool = False
) -> tuple[str, ...]:
    """One rule's cells."""
    protocol = "" if one.protocol == "TCP" else f"/{one.protocol}"
    cells = [
        *((one.namespace,) if with_namespace else ()),
        _name(one),
        _pods(one),
        f"{one.port or UNKNOWN}{protocol}",
        one.address or UNKNOWN,
        str(one.node_port or UNKNOWN),
        ",".join(one.hosts),
        age(one.created, now),
    ]
    if wide:
        cells += [one.target, one.service, one.source, one.problem]
    return tuple(cell(text) for text in cells)


def names(listed: Sequence[Listed]) -> list[str]:
    """The Services as kubectl names them; a rule that only an annotation tells of has none."""
    return list(dict.fromkeys(f"service/{one.service}" for one in listed if one.service))


def rule_list(listed: Sequence[Listed]) -> dict[str, Any]:
    """The rules for a program, in Kubernetes' form; docs/output.md explains the fields."""
    return document.listing("RuleList", map(rule, listed))


def rule(one: Listed) -> dict[str, Any]:
    """One rule for a program. What is not known is null, and no field is ever left out."""
    created = one.created.astimezone(timezone.utc) if one.created else None
    return document.item(
        "Rule",
        {
            "name": one.name,
            "namespace": one.namespace,
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else None,
        },
        spec={
            "target": one.target or None,
            "port": one.port or None,
            "protocol": one.protocol,
            "nodePort": one.node_port or None,
        },
        status={
            "managedBy": one.source,
            "service": one.service or None,
            "pods": None if one.pods is None else list(one.pods),
            "address": one.address or None,
            "hosts": list(one.hosts),
            "problem": one.problem or None,
        },
    )


def _name(one: Listed) -> str:
    """What is not ours is marked; of others there is no rule, so the Service is named."""
    if one.source == "other":
        return f"{one.service} (other)"
    return one.name if one.ours else f"{one.name} ({one.source})"


def _pods(one: Listed) -> str:
    if one.pods:
        more = len(one.pods) - _MOST_PODS
        shown = ",".join(one.pods[:_MOST_PODS])
        return f"{shown} + {more} more..." if more > 0 else shown
    return _typed(one) or (UNKNOWN if one.pods is None else NONE)


def _typed(one: Listed) -> str:
    return one.target.removeprefix("pod/")
