"""The program for arm64, under qemu's emulation of that processor."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sshd.program import (
    ENDS_WITHIN_S,
    Program,
    Server,
    Unavailable,
    make_key,
    running,
    ssh_config,
)

_WITH_DESCRIPTORS = """
import fcntl, os, sys
user, telling, listening, *command = sys.argv[1:]
given = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in (telling, listening)]
for number, one in zip((3, 4), given):
    os.dup2(one, number)
os.closerange(5, 100)
if user:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
os.execvp(command[0], command)
"""
"""Starts a command as a user, with the two descriptors that the keeper hands to the server."""


@pytest.fixture(scope="session")
def emulated(compressed: dict[str, Path], unavailable: Unavailable) -> tuple[str, Path]:
    """The emulator, and the program where every user can read it."""
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        unavailable("qemu-aarch64 is not installed (Debian: qemu-user-static)")
    path = compressed["arm64"].with_name("nodeport-sshd-arm64")
    path.parent.chmod(0o755)
    path.write_bytes(gzip.decompress(compressed["arm64"].read_bytes()))
    path.chmod(0o755)
    return emulator, path


@pytest.fixture
def emulated_server(emulated: tuple[str, Path], program: Program) -> Iterator[Server]:
    """Its server process alone: the kernel, which the keeper asks to start it, runs no arm64."""
    with tempfile.TemporaryDirectory() as folder, running(program, Path(folder)) as native:
        program.ask("stop", "--state", str(native.state))  # the folder stays
        command = (*map(str, emulated), "serve", "--state", str(native.state))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            process = _serve(command, listener, native)
        native.config.write_text(ssh_config("pod", port, native.user, native.key))
        try:
            yield replace(native, port=port, pid=process.pid)
            process.terminate()
            assert process.wait(ENDS_WITHIN_S) == 0
        finally:
            process.kill()
            process.wait()


def _serve(
    command: tuple[str, ...], listener: socket.socket, native: Server
) -> subprocess.Popen[bytes]:
    """The process, once it says that it serves."""
    user = native.program.user
    told, telling = os.pipe()
    with os.fdopen(told, "rb") as report:
        try:
            process = subprocess.Popen(
                (sys.executable, "-c", _WITH_DESCRIPTORS,
                 "" if user is None else str(user), str(telling), str(listener.fileno()), *command),
                pass_fds=(telling, listener.fileno()), cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": str(native.home)},
            )  # fmt: skip
        finally:
            os.close(telling)
        said = report.readline()
    if said != b"{}\n":
        process.kill()
        process.wait()
        pytest.fail(f"no start: {said!r}")
    return process


def test_its_version(emulated: tuple[str, Path]) -> None:
    done = subprocess.run((*emulated, "--version"), capture_output=True, check=True, timeout=60)
    answer = json.loads(done.stdout)
    assert (answer["os"], answer["arch"]) == ("linux", "arm64")


def test_commands_and_files(emulated_server: Server, tmp_path: Path) -> None:
    config = str(emulated_server.config)
    done = subprocess.run(
        ("ssh", "-F", config, "pod", "tr a-z A-Z; echo err >&2; exit 3"),
        input=b"text" * 100_000, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == (b"TEXT" * 100_000, b"err\n", 3)
    done = subprocess.run(
        ("ssh", "-F", config, "-tt", "pod", "stty size; exit 4"),
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (b"0 0\r\n", 4)
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    batch = f"put {tmp_path}/file there\nget there {tmp_path}/back\nls -l there\n"
    done = subprocess.run(
        ("sftp", "-q", "-b", "-", "-F", config, "pod"),
        input=batch.encode(), capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    assert b"3000000" in done.stdout
    assert (tmp_path / "back").read_bytes() == data


def test_strangers_stay_out(emulated_server: Server, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    config = tmp_path / "ssh_config"
    config.write_text(
        ssh_config("pod", emulated_server.port, emulated_server.user, tmp_path / "other")
    )
    done = subprocess.run(
        ("ssh", "-F", str(config), "pod", "true"),
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, b"Permission denied" in done.stderr) == (255, True)
