"""The end of a verb in another program: real programs, in a process that they take over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubectl_nodeport.cli.handover import as_child, become
from kubectl_nodeport.errors import NodeportError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.posix
BECOME = """
import sys
from kubectl_nodeport.cli.handover import become
print("before")
become(sys.argv[1:], hint="install it")
print("never")
"""
CHILD = """
import sys
from kubectl_nodeport.cli.handover import as_child
sys.exit(as_child(sys.argv[1:]))
"""


def run(code: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What a process prints and ends with that hands over to a program."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_programs(code: int) -> None:
    done = run(BECOME, "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "before\n", "")
    assert run(CHILD, "sh", "-c", f"exit {code}").returncode == code


def test_streams_and_words_are_the_programs() -> None:
    done = run(BECOME, "sh", "-c", 'cat; echo "$2" >&2', "a", "b", "c 'd' é", stdin="in\n")
    assert (done.stdout, done.stderr) == ("before\nin\n", "c 'd' é\n")


def test_it_is_the_same_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BECOME, "sh", "-c", "echo $$"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = process.communicate(timeout=60)
    assert out == f"before\n{process.pid}\n"


def test_a_signal_ends_it_and_no_signal_is_ignored() -> None:
    assert run(BECOME, "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    status = run(BECOME, "cat", "/proc/self/status").stdout
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    own = Path("/proc/self/status").read_text()  # Python's: SIGPIPE and SIGXFSZ among them
    assert int(ignored.split()[1], 16) & 1 << (signal.SIGPIPE - 1) == 0
    assert int(own.split("SigIgn:")[1].split()[0], 16) & 1 << (signal.SIGPIPE - 1)


def test_no_such_program() -> None:
    with pytest.raises(NodeportError, match="no-such-program is not on PATH") as caught:
        become(["no-such-program", "x"], hint="install it")
    assert caught.value.hint == "install it"


def test_a_program_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELF")
    (tmp_path / "broken").chmod(0o755)
    with pytest.raises(NodeportError, match="broken cannot be started: Exec format error"):
        become([str(tmp_path / "broken")], hint="install it")


def test_ctrl_c_is_left_to_the_child(tmp_path: Path) -> None:
    """As on Windows, where the console sends it to both."""
    ready = tmp_path / "ready"
    child = f"trap 'exit 7' INT; touch {ready}; for _ in $(seq 300); do sleep 0.1; done"
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, "sh", "-c", child], cwd=ROOT, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 7
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended, as it should
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_child_of_this_process() -> None:
    assert as_child([sys.executable, "-c", "raise SystemExit(9)"]) == 9
