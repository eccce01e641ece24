"""An ssh session without a terminal: its shell reads what is typed, as long as one types."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.cluster.api import until
from tests.cluster.laptop import Laptop, end
from tests.cluster.process import ClusterError


class Shell:
    """What is typed and what it says, stdout and stderr in one."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self._output.read_text(errors="replace")

    def type(self, text: str) -> None:
        """Type lines."""
        keyboard: IO[str] | None = self._process.stdin
        assert keyboard is not None, "it was started with a pipe"
        keyboard.write(text)
        keyboard.flush()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it says this; raises ClusterError with what it said instead."""

        def has_come() -> bool:
            if self._process.poll() is not None:
                raise ClusterError(f"the session ended: {self.said[-2000:]}")
            return re.search(pattern, self.said) is not None

        try:
            until(f"{pattern} from the session", has_come, timeout_s=120)
        except ClusterError as error:
            raise ClusterError(f"{error}: {self.said[-2000:]}") from error
        found = re.search(pattern, self.said)
        assert found is not None, "what it said stays"
        return found


@contextmanager
def shell(laptop: Laptop, argv: Sequence[str]) -> Iterator[Shell]:
    """Start this command, an ssh to a login shell, for the `with` block."""
    output = laptop.home / "session"
    with output.open("w") as file:
        process = laptop.popen(argv, stdin=subprocess.PIPE, stdout=file, stderr=file)
    try:
        yield Shell(process, output)
    finally:
        end(process)
