"""What doctor prints: a line for each check, and more where something is to be done. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from kubectl_nodeport.cli.render import document
from kubectl_nodeport.cli.render.terminal import short
from kubectl_nodeport.commands.doctor.doctor import Report
from kubectl_nodeport.commands.doctor.finding import Checked, Status

_WIDTH = max(len(status.value) for status in Status)
_UNPRINTABLE = "the command of -o json, in which something stands that cannot be shown here"
_INDENT = " " * (_WIDTH + 2)
# Select Graphic Rendition of ECMA-48: green, yellow, red, faint.
_COLOURS = {
    Status.OK: "32",
    Status.WARNING: "33",
    Status.FAIL: "31;1",
    Status.SKIPPED: "2",
}
_MARK = re.compile(rf"^({'|'.join(status.value for status in Status)})(?= )", re.MULTILINE)

# Makes of a command what is typed, with the flags that say which cluster is asked.
Typed = Callable[[str], str]


def as_text(report: Report, typed: Typed) -> str:
    """The checks in their order; why and what to do below those that are not well.

    Those in a row that one check explains share a line. The last line says of a target what is in
    the way of ssh, and of VS Code, which goes by it.
    """
    rows = (list(group) for _, group in groupby(report.checked, _row))
    lines = [line for row in rows for line in _lines(row, typed)]
    return "\n".join([*lines, *([_sum(report)] if report.target else [])])


def coloured(text: str) -> str:
    """The text with its marks in colours, for a terminal."""
    return _MARK.sub(lambda mark: f"\x1b[{_COLOURS[Status(mark[0])]}m{mark[0]}\x1b[0m", text)


def names(report: Report) -> list[str]:
    """The names of the checks that warn or fail."""
    told = (Status.WARNING, Status.FAIL)
    return [f"check/{one.name}" for one in report.checked if one.finding.status in told]


def as_document(report: Report, typed: Typed) -> dict[str, Any]:
    """All that was found, in Kubernetes' form; docs/output.md explains the fields."""
    return document.listing("CheckList", (_item(one, typed) for one in report.checked))


def _row(one: Checked) -> str:
    """Equal for checks that share a line."""
    return f"skipped by {one.finding.because}" if one.finding.because else one.name


def _lines(row: list[Checked], typed: Typed) -> Iterator[str]:
    finding = row[0].finding
    mark = f"{finding.status.value:<{_WIDTH}}"
    if len(row) > 1:
        yield f"{mark}  {len(row)} checks that need {finding.because}"
        return
    yield f"{mark}  {short(f'{row[0].name}: {finding.seen}')}"
    if finding.status in (Status.OK, Status.SKIPPED):
        return
    if finding.why:
        yield f"{_INDENT}why: {short(finding.why)}"
    if finding.hint:
        yield f"{_INDENT}hint: {short(typed(finding.hint))}"
    if finding.command:
        # As it is, or not at all: half a command, or another one, must not be run.
        command = typed(finding.command)
        yield f"{_INDENT}run: {command if command.isprintable() else _UNPRINTABLE}"


def _sum(report: Report) -> str:
    ssh = [one for one in report.checked if not one.for_editor]
    return f"ssh: {_in_the_way(ssh)}; VS Code: {_in_the_way(report.checked)}"


def _in_the_way(checked: Sequence[Checked]) -> str:
    fails = [one.name for one in checked if one.finding.status is Status.FAIL]
    if fails:
        return f"{', '.join(fails)} {'fails' if len(fails) == 1 else 'fail'}"
    is_whole = all(one.finding.status is not Status.SKIPPED for one in checked)
    return f"nothing found in the way{'' if is_whole else ', but not all was looked at'}"


def _item(one: Checked, typed: Typed) -> dict[str, Any]:
    finding = one.finding
    return document.item(
        "Check",
        {"name": one.name},
        spec={"title": one.title},
        status={
            "result": finding.status.value,
            "seen": finding.seen,
            "why": finding.why or None,
            "hint": typed(finding.hint) or None,
            "command": typed(finding.command) or None,
            "because": finding.because or None,
        },
    )
