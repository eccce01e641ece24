"""docs/doctor.md has each check, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from kubectl_nodeport.commands.doctor.checks import ALL

DOCS = Path(__file__).parents[3] / "docs" / "doctor.md"


def test_each_check_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| .* \|$", DOCS.read_text(), re.MULTILINE)
    assert rows == [check.name for check in ALL]
