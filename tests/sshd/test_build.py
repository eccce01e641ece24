"""What is packed: static programs of a size, the same from every checkout."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from sshd import build

ELF_INTERPRETER = 3
"""Program header of a program that needs a loader, elf(5)."""


def test_sizes(compressed: dict[str, Path]) -> None:
    for path in compressed.values():
        assert path.stat().st_size <= build.LARGEST


def test_they_are_static(compressed: dict[str, Path]) -> None:
    for architecture, machine in (("amd64", 62), ("arm64", 183)):
        elf = gzip.decompress(compressed[architecture].read_bytes())
        assert elf[:6] == b"\x7fELF\x02\x01"
        assert int.from_bytes(elf[18:20], "little") == machine
        offset, size = int.from_bytes(elf[32:40], "little"), int.from_bytes(elf[54:56], "little")
        count = int.from_bytes(elf[56:58], "little")
        kinds = [
            int.from_bytes(elf[offset + i * size : offset + i * size + 4], "little")
            for i in range(count)
        ]
        assert ELF_INTERPRETER not in kinds


def test_the_same_bytes_from_another_folder(compressed: dict[str, Path], tmp_path: Path) -> None:
    """From Go's cache, which knows sources by their content: a build from nothing takes minutes."""
    copy = tmp_path / "elsewhere" / "sshd"
    shutil.copytree(build.SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        ("python3", str(copy / "build.py"), "--output", str(tmp_path / "out")),
        check=True,
        capture_output=True,
    )
    for path in compressed.values():
        other = tmp_path / "out" / path.name
        assert _digest(other) == _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match=r"Go 1\.\d+ or newer is needed, and there is no go"):
        build.build(tmp_path / "out")


def test_what_is_up_to_date_is_left_alone(compressed: dict[str, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in compressed.values()}
    build.build(next(iter(before)).parent)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.timeout(600)  # with Go's caches empty it compiles for a minute and more first
def test_go_tests(go: str) -> None:
    """Its own tests, with the seeds of its fuzz targets; what vet says."""
    for command in ((go, "vet", "./..."), (go, "test", "./...")):
        done = subprocess.run(
            command, cwd=build.SOURCES, capture_output=True, text=True, check=False, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
