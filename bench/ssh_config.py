"""A write to an ssh config with many hosts, as a multiple of what ssh itself takes to read it.

All that a write does is in it: reading, the lock, the checks with their own runs of ``ssh -G``,
fsync and rename. Both are taken in turns; the entry changes each time, so that each write is one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, show
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.ssh.make import entry_for, key

RUNS = 9
_FEW, _MANY, _TWICE = 10, 10_000, 20_000
_COUNTER = '#!/bin/sh\necho >>"{folder}/runs"\nexec {ssh} "$@"\n'


class Cost(NamedTuple):
    """What something takes, in seconds; CPU time is that of its children too."""

    s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.s:.3f} s ({self.cpu_s:.2f} s of CPU)"


def rows() -> list[Row]:
    """The write at 10, 10,000 and 20,000 hosts, and how often it runs ssh."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for hosts in (_FEW, _MANY, _TWICE):
            write, read = found[hosts] = _in_turns(_config(Path(folder, str(hosts)), hosts))
            print(f"{hosts} hosts: a write {write}, one ssh -G {read}", file=sys.stderr)
        runs = _ssh_runs(_config(Path(folder, "counted"), _FEW))
    few, many, twice = (write.cpu_s for write, _ in found.values())
    grown = (twice - few) / (many - few)
    write, read = found[_MANY]
    return [
        Row("write to 10,000 hosts", write.s / read.s, 12, "x one ssh -G there", RUNS),
        Row("runs of ssh in it", runs, 12, "runs"),
        Row("twice the hosts, what 10 cost left out", grown, 2.3, "x CPU time", RUNS),
    ]


def _config(folder: Path, hosts: int) -> ConfigFile:
    folder.mkdir()
    sections = (
        f"Host host-{number} h{number}\n  HostName 10.{number >> 16}.{number >> 8 & 255}."
        f"{number & 255}\n  User me\n  Port {2000 + number % 999}\n\n"
        for number in range(hosts)
    )
    path = folder / "config"
    path.write_text("# mine\n" + "".join(sections) + "Host *\n  ServerAliveInterval 60\n")
    path.chmod(0o600)
    store = ConfigFile(path)
    _write(store, 1)
    return store


def _write(store: ConfigFile, number: int) -> None:
    entry = entry_for(store, port=30000 + number)
    if store.put(entry, [key()]) == "unchanged":
        raise RuntimeError("nothing was written")


def _in_turns(store: ConfigFile) -> tuple[Cost, Cost]:
    """The medians of a write and of one ``ssh -G``."""
    ask = ["ssh", "-F", str(store.path), "-G", "--", "host-5"]

    def read() -> None:
        subprocess.run(ask, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    read()
    writes, reads = [], []
    for number in range(RUNS):
        writes.append(_taken(partial(_write, store, 2 + number)))
        reads.append(_taken(read))
    return _median(writes), _median(reads)


def _taken(work: Callable[[], None]) -> Cost:
    began, before = time.monotonic(), os.times()
    work()
    return Cost(time.monotonic() - began, sum(os.times()[:4]) - sum(before[:4]))


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(side) for side in zip(*costs, strict=True)))


def _ssh_runs(store: ConfigFile) -> int:
    """How many times a write runs ssh, counted by a stand-in before it on PATH."""
    folder = store.path.parent
    real = subprocess.run(["which", "ssh"], check=True, capture_output=True, text=True)
    counter = folder / "ssh"
    counter.write_text(_COUNTER.format(folder=folder, ssh=real.stdout.strip()))
    counter.chmod(0o700)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    try:
        _write(store, 99)
    finally:
        os.environ["PATH"] = before
    return (folder / "runs").read_text().count("\n")


def main() -> int:
    """These rows alone, which need no cluster: ``python -m bench.ssh_config``."""
    found = rows()
    show(found)
    return int(any(row.is_over for row in found))


if __name__ == "__main__":
    sys.exit(main())
