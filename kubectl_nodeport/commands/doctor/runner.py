"""Runs checks in their order, and leaves out those whose answer an earlier one explains. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubectl_nodeport.commands.doctor.finding import C, Check, Checked, Finding, fail, skipped
from kubectl_nodeport.errors import NodeportError


def run(checks: Iterable[Check[C]], case: C) -> Iterator[Checked]:
    """What each check found, in the order given.

    A check that needs a blocked one is skipped, and names the one at the bottom of it.

    :raises ValueError: a check needs one that does not come before it.
    """
    causes: dict[str, str] = {}  # of each check so far the one that blocks it, "" for none
    for check in checks:
        if missing := [name for name in check.needs if name not in causes]:
            raise ValueError(f"{check.name} needs {', '.join(missing)}, not made before it")
        cause = next((causes[name] for name in check.needs if causes[name]), "")
        finding = skipped(cause) if cause else _found(check, case)
        blocked_by = finding.because or check.name
        causes[check.name] = blocked_by if finding.blocks else ""
        yield Checked(check.name, check.title, finding, check.for_editor)


def _found(check: Check[C], case: C) -> Finding:
    try:
        return check.judge(case)
    except NodeportError as err:
        return fail(err.message, check.why, hint=err.hint)
