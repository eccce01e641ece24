"""Running other programs, and knowing a process again by more than its number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class ClusterError(Exception):
    """Something of the test cluster does not work; the text says what and what came back."""


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 60,
) -> str:
    """Run a program to its end and return what it wrote to stdout.

    Raises ClusterError with its stderr when it fails, is missing or takes too long.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=env,
            cwd=cwd,
            timeout=timeout_s,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ClusterError(f"{' '.join(words)}: exit {done.returncode}: {said}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process by number and start time (clock ticks since boot): numbers are used again."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this number now; raises ClusterError if there is none."""
        ticks = _start_ticks(pid)
        if ticks is None:
            raise ClusterError(f"process {pid} has ended")
        return cls(pid, ticks)

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _start_ticks(self.pid) == self.started_ticks

    def kill(self, timeout_s: float = 20) -> None:
        """Kill it and wait until it is gone; no error if it has ended before."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)
        self.wait(timeout_s)

    def wait(self, timeout_s: float = 20) -> None:
        """Wait until it is gone, with the files and sockets that it alone held open."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                raise ClusterError(f"process {self.pid} does not end")
            time.sleep(0.01)


def group(number: int) -> list[ProcessId]:
    """The processes of a process group that run now."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    stats = [(pid, _stat(pid)) for pid in pids]
    return [ProcessId(pid, int(stat[19])) for pid, stat in stats if stat and int(stat[2]) == number]


def _start_ticks(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[19]) if stat else None


def _stat(pid: int) -> list[str]:
    """The fields of its /proc/PID/stat from the state on; none when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()
    return [] if fields[0] in "ZX" else fields
