"""What is run where: the supported Pythons, and the unit tests, are the same everywhere."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def supported() -> list[str]:
    """As the package says to whoever installs it."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return re.findall(r":: Python :: (3\.\d+)$", setup["metadata"]["classifiers"], re.MULTILINE)


def test_one_list_of_pythons() -> None:
    first, *_, last = found = supported()
    assert found == [f"3.{minor}" for minor in range(int(first[2:]), int(last[2:]) + 1)]
    ci = (ROOT / ".github/workflows/ci.yml").read_text()
    (matrix,) = re.findall(r"python: \[(.*)\]", ci)
    assert re.findall(r"3\.\d+", matrix) == found
    (made,) = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert made.split() == found


def test_the_oldest_is_the_same_everywhere() -> None:
    oldest, setup = supported()[0], (ROOT / "setup.cfg").read_text()
    assert f"python_requires = >={oldest}\n" in setup
    assert f"python_version = {oldest}\n" in setup, "of mypy"
    assert (
        f'target-version = "py{oldest.replace(".", "")}"' in (ROOT / "pyproject.toml").read_text()
    ), "of ruff"
    assert f"Python {oldest} or newer" in (ROOT / "README.md").read_text()


def test_one_list_of_what_is_no_unit_test() -> None:
    """Folders are left out by name, so that a new one is run everywhere."""
    (makes,) = re.findall(r"^UNIT := tests (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    ci = (ROOT / ".github/workflows/ci.yml").read_text()
    (elsewhere,) = re.findall(r"UNIT: tests \$\{\{ runner.os != 'Linux' && '(.*?)'", ci)
    assert elsewhere == makes
