"""The rights that connect can do without, and what each missing one costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubectl_nodeport.commands.doctor import right
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning
from kubectl_nodeport.commands.doctor.rights import HINT


def _judge(case: Case) -> Finding:
    gone = right.missing(case, right.OPTIONAL)
    if not gone:
        return ok("all that connect can use")
    return warning(
        f"missing: {', '.join(map(str, gone))}",
        "; ".join(_costs(gone)),
        hint=HINT,
        command=right.check_command(case, gone[0]),
    )


def _costs(gone: Iterable[right.Right]) -> Iterator[str]:
    """Each cost once, with the rights that have it."""
    by_cost: dict[str, list[str]] = {}
    for one in gone:
        by_cost.setdefault(one.cost, []).append(str(one))
    for cost, names in by_cost.items():
        yield f"without {' and '.join(names)} {cost}"


CHECK = Check(
    "optional-rights",
    "rights that help",
    _judge,
    "each of them makes connect surer or lets it do more",
    needs=("server", "rights"),
)
