"""Starting, entering and ending what lives in namespaces of its own."""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.process import ClusterError, ProcessId

_CLONE_NEWNET = 0x40000000
_HOLDER = Path(__file__).with_name("holder.py")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Holder:
    """The first process of a node or a laptop, waiting for the word to go on."""

    process: ProcessId
    words: subprocess.Popen[str]

    def say(self, word: str) -> None:
        """Tell it "go" or "stay" (see holder.py)."""
        assert self.words.stdin is not None
        self.words.stdin.write(f"{word}\n")
        self.words.stdin.flush()

    def leave(self) -> None:
        """Let go of it: it ends, unless it was told to stay."""
        assert self.words.stdin is not None
        self.words.stdin.close()
        self.words.wait(timeout=20)


def hold(kinds: Sequence[str], spec: Mapping[str, Any], log: Path) -> Holder:
    """Start a holder in new namespaces of these kinds ("net", "mount", "pid", …)."""
    argv = ["unshare", *(f"--{kind}" for kind in kinds)]
    if "pid" in kinds:
        argv += ["--fork", "--kill-child"]
    with log.open("ab") as errors:
        words = subprocess.Popen(
            [*argv, sys.executable, "-I", "-S", str(_HOLDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            cwd="/",
        )
    assert words.stdin is not None
    assert words.stdout is not None
    words.stdin.write(f"{json.dumps(spec)}\n")
    words.stdin.flush()
    answer = words.stdout.readline().strip()
    if not answer.isdecimal():
        words.stdin.close()
        words.wait(timeout=20)
        raise ClusterError(f"no namespaces: {log.read_text(errors='replace')[-2000:]}")
    return Holder(ProcessId.of(int(answer)), words)


def entering(holder: ProcessId, *kinds: str) -> list[str]:
    """The words that, put before a command, run it in the holder's namespaces."""
    return ["nsenter", f"--target={holder.pid}", *(f"--{kind}" for kind in kinds), "--"]


def in_network_of(holder: ProcessId, act: Callable[[], _Result]) -> _Result:
    """Call a function in a thread that stands in the holder's network.

    A socket stays in the network where it was made, so what the function returns can be used here.
    """
    results: list[_Result | Exception] = []

    def thread() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/proc/{holder.pid}/ns/net").open() as network:
                if libc.setns(network.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            results.append(act())
        except Exception as error:
            results.append(error)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    result = results[0]
    if isinstance(result, Exception):
        raise result
    return result


def connected(holder: ProcessId, address: tuple[str, int], timeout_s: float = 5) -> socket.socket:
    """A TCP connection made in the holder's network; raises OSError."""
    return in_network_of(holder, lambda: socket.create_connection(address, timeout_s))


def with_mount(source: str) -> Iterator[ProcessId]:
    """The processes that see a mount of this source, so they live in the mount namespace it marks.

    Our own mount namespace is never meant: a mount that can be seen from here finds nothing.
    """
    mark = f" - tmpfs {source} "
    if mark in Path("/proc/self/mountinfo").read_text():
        raise ClusterError(f"{source} is mounted outside its namespace")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            found = ProcessId.of(int(entry.name))
            if mark in (entry / "mountinfo").read_text():
                yield found
        except (OSError, ClusterError):
            continue  # it has just ended


def end_with_mount(source: str) -> None:
    """Kill every process in the mount namespace that has this mount, those born meanwhile too."""
    for _ in range(100):
        found = list(with_mount(source))
        if not found:
            return
        for process in found:
            process.kill()
    raise ClusterError(f"processes around the mount {source} keep being born")
