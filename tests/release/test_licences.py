"""The licences of what goes along: each part's own text, and no part without one."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest

from release.licences import LicenceError, collected, document
from tests.sshd.conftest import go, unavailable

__all__ = ["go", "unavailable"]


@pytest.mark.usefixtures("go")
def test_each_part_has_its_heading_and_its_text() -> None:
    text = document(
        collected(["click", "click.core", "paramiko.transport", "kubectl_nodeport"], [])
    )
    for name in ("click", "paramiko"):
        assert f"\n{name} {metadata.version(name)}\n" in text
    assert f"\nPython {'.'.join(map(str, sys.version_info[:3]))}\n" in text
    assert "\ngolang.org/x/crypto v" in text
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in text
    assert text.count("\nclick ") == 1
    assert "kubectl-nodeport 0" not in text


@pytest.mark.linux
@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs Debian's package data")
@pytest.mark.usefixtures("go")
def test_library_is_a_package_of_the_system_that_it_was_taken_from() -> None:
    library = next(Path("/usr/lib").glob("*/libc.so.6"))
    (vendor,) = re.findall(r"(?m)^ID=\W?([\w.-]+)", Path("/etc/os-release").read_text())
    parts = {part.name: part for part in collected([], [str(library)])}
    assert parts["libc6"].kind == f"deb/{vendor}"
    assert "GNU" in parts["libc6"].texts[0]


def test_library_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "libmystery.so.1"
    library.touch()
    with pytest.raises(LicenceError, match=r"nobody tells the licence of .*libmystery\.so\.1"):
        collected([], [str(library)])
