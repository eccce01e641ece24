"""What others' actions may do in the workflows: nothing that moves, nothing that writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from release.parts import ROOT


def jobs() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Each job's name, its rights, and the actions in it that are not GitHub's own."""
    for file in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, job in workflow["jobs"].items():
            used = [step["uses"] for step in job["steps"] if "uses" in step]
            others = [action for action in used if not action.startswith("actions/")]
            yield f"{file.name}: {name}", job.get("permissions", workflow["permissions"]), others


def test_actions_of_others_are_named_by_their_commit() -> None:
    named = [action for _, _, others in jobs() for action in others]
    assert named
    assert [one for one in named if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one)] == []


def test_no_job_that_may_write_runs_actions_of_others() -> None:
    writing = {job: others for job, rights, others in jobs() if "write" in rights.values()}
    assert writing == {"release.yml: publish": []}
