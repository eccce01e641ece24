"""Label selectors: as typed after ``-l``, and as a workload's JSON has them. Pure.

The grammar is that of ``kubectl get -l``:
https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Parse
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.errors import NodeportError

_LONGEST = 2000
_LARGEST_INT64 = 2**63 - 1

_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:{_PART}(?:\.{_PART})*/)?{_NAME}"
_VALUE = rf"(?:{_NAME})?"
_REQUIREMENT = "|".join(
    [
        rf"{_KEY} ?(?:==|=|!=) ?{_VALUE}",
        rf"{_KEY} ?[<>] ?(?P<bound>[0-9]{{1,63}})",
        rf"{_KEY} (?:in|notin)\({_VALUE}(?:,{_VALUE})*\)",
        rf"(?:! ?)?{_KEY}",
    ]
)
_WHOLE_REQUIREMENT = re.compile(_REQUIREMENT)
_WHOLE_KEY, _WHOLE_VALUE = re.compile(_KEY), re.compile(_VALUE)
# A comma between requirements, not one in a set of values: no closing bracket comes next.
_BETWEEN = re.compile(r",(?![^(]*\))")
_AROUND = re.compile(r" ?([,()]) ?")

_IN_WORDS = {"In": "in", "NotIn": "notin", "Exists": "", "DoesNotExist": "!"}


def checked(text: str) -> str:
    """A selector as ``kubectl get -l`` takes it, its blanks folded; "" is one that wants nothing.

    :raises NodeportError: it is none, saying which part is wrong.
    """
    if not text.isprintable() or len(text) > _LONGEST:
        raise _refused("the selector has control characters or is too long")
    folded = re.sub(" +", " ", text).strip(" ")
    # Blanks that mean nothing are taken out first: as options they would cost exponential time.
    for part in _BETWEEN.split(_AROUND.sub(r"\1", folded)) if folded else ():
        if not _is_requirement(part):
            raise _refused(f'"{part}" is no part of a selector (-l)')
    return folded


def of_labels(labels: Mapping[str, str]) -> str | None:
    """The selector that wants exactly these labels; None where one of them can be no label."""
    if not all(_is_key(key) and _WHOLE_VALUE.fullmatch(labels[key]) for key in labels):
        return None
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def of_expressions(expressions: list[Any]) -> str | None:
    """A LabelSelector's ``matchExpressions``; None where one of them is malformed.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
    """
    parts = [_expression(expression) for expression in expressions]
    return ",".join(part for part in parts if part) if all(parts) else None


def _expression(expression: object) -> str | None:
    if not isinstance(expression, Mapping):
        return None
    key, operator = expression.get("key"), expression.get("operator")
    if not (isinstance(key, str) and _is_key(key) and isinstance(operator, str)):
        return None
    word = _IN_WORDS.get(operator)
    if word not in ("in", "notin"):
        return None if word is None else f"{word}{key}"
    values = expression.get("values")
    if not (isinstance(values, list) and values):
        return None
    if not all(isinstance(v, str) and _WHOLE_VALUE.fullmatch(v) for v in values):
        return None
    return f"{key} {word} ({','.join(sorted(values))})"


def _is_requirement(part: str) -> bool:
    found = _WHOLE_REQUIREMENT.fullmatch(part)
    if found is None or int(found["bound"] or 0) > _LARGEST_INT64:
        return False
    key = re.match(rf"(?:! ?)?({_KEY})", part)
    return key is not None and _is_key(key[1])


def _is_key(key: str) -> bool:
    return len(key.rpartition("/")[0]) <= 253 and _WHOLE_KEY.fullmatch(key) is not None


def _refused(message: str) -> NodeportError:
    return NodeportError(
        message,
        hint="as kubectl get pods -l takes it, for example: "
        "-l app=web or -l 'tier in (web, api),!legacy'",
    )
