"""An older nodeport-sshd: this one under a smaller version."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sshd import build
from tests.cluster.cache import cached
from tests.cluster.prepare import architecture

VERSION = "0.0.9"
_SETTINGS = Path("internal", "daemon", "settings.go")


def older(current: str) -> Path:
    """The program for this machine's architecture, built where it is not in the cache.

    :param current: the version in the sources.
    :raises build.BuildError: there is no Go for it.
    """
    sources = sorted(path for path in build.SOURCES.rglob("*") if path.suffix in (".go", ".mod"))

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, "sshd")
            shutil.copytree(build.SOURCES, copy)
            line = f'const Version = "{current}"'
            text = (copy / _SETTINGS).read_text()
            assert line in text
            (copy / _SETTINGS).write_text(text.replace(line, line.replace(current, VERSION)))
            program = folder / "nodeport-sshd"
            build.compile_for(architecture(), program, build.go_program(), copy)

    return cached("older-sshd", map(Path.read_text, sources), make) / "nodeport-sshd"
