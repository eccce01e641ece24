"""doctor: make the checks, in order. Nothing is changed, here or in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_nodeport.commands.doctor import checks
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Checked, Status
from kubectl_nodeport.commands.doctor.runner import run


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found.

    :ivar target: as it was named; "" for none.
    """

    target: str
    checked: tuple[Checked, ...]

    @property
    def fails(self) -> bool:
        """Whether any check fails."""
        return any(one.finding.status is Status.FAIL for one in self.checked)


def doctor(case: Case) -> Report:
    """Look at everything between this machine and the target, or without one at what is before."""
    target = case.request.target
    found = tuple(run(checks.of(has_target=target is not None), case))
    return Report(str(target) if target else "", found)
