"""The program, built once a run where Go is; one server for those who do no harm to it."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from sshd import build
from tests.address.servers import free_port
from tests.cluster.prepare import go_program, missing, reason_to_skip
from tests.posix import IS_ROOT
from tests.sshd.program import Program, Server, Unavailable, make_key, running, ssh_config


@pytest.fixture(scope="session")
def unavailable(pytestconfig: pytest.Config) -> Unavailable:
    """Skips, or fails where nothing may be missing."""

    def give_up(reason: str) -> NoReturn:
        if pytestconfig.getoption("--require-cluster"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    return give_up


@pytest.fixture
def needs(unavailable: Unavailable) -> Callable[[str], None]:
    """Takes the name of a program without which the test cannot run."""

    def look(name: str) -> None:
        if shutil.which(name) is None:
            unavailable(f"{name} is not installed")

    return look


@pytest.fixture(scope="session")
def go(unavailable: Unavailable) -> Iterator[str]:
    """A Go that can build it: on PATH, or that of the test cluster, which is put there."""
    with pytest.MonkeyPatch.context() as patch:
        if shutil.which("go") is None and reason_to_skip() is None and not missing():
            patch.setenv("PATH", f"{go_program().parent}:{os.environ['PATH']}")
        try:
            yield build.go_program()
        except build.BuildError as failed:
            unavailable(f"nodeport-sshd cannot be built here: {failed}")


@pytest.fixture(scope="session")
def compressed(go: str) -> Iterator[dict[str, Path]]:  # noqa: ARG001 it has to be on PATH
    """The built programs by architecture, as they are packed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        files = build.build(output)
        yield dict(zip(build.ARCHITECTURES, files, strict=True))


@pytest.fixture(scope="session")
def program(compressed: dict[str, Path], unavailable: Unavailable) -> Iterator[Program]:
    """The program of this machine's architecture, where every user can run it."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    if architecture is None:
        unavailable(f"nodeport-sshd is not built for {os.uname().machine}")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "nodeport-sshd"
        path.write_bytes(gzip.decompress(compressed[architecture].read_bytes()))
        path.chmod(0o755)
        yield Program(path)


@pytest.fixture(scope="session")
def _of_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def shared(program: Program, _of_all: Path) -> Iterator[Server]:
    """One server for all tests that leave it as it was."""
    with running(program, _of_all) as server:
        yield server


@pytest.fixture
def known(program: Program) -> Iterator[Server]:
    """A server of a user that passwd knows: whoever runs the tests."""
    whoever = replace(program, user=None)
    with tempfile.TemporaryDirectory() as folder, running(whoever, Path(folder)) as one:
        yield one


@pytest.fixture
def server(program: Program) -> Iterator[Server]:
    """A server of the test's own."""
    with tempfile.TemporaryDirectory() as folder, running(program, Path(folder)) as one:
        yield one


@pytest.fixture(scope="session")
def openssh(shared: Server, unavailable: Unavailable) -> Iterator[Path]:
    """An ssh_config with the host `pod` as it is and the host `openssh`, OpenSSH's own server."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or not IS_ROOT:
        unavailable("OpenSSH's sshd, to compare with, needs to be installed and root")
    folder = shared.folder / "openssh"
    folder.mkdir()
    make_key(folder / "host")
    port = free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {shared.key}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\nAcceptEnv LANG LC_*\n"
    )
    process = subprocess.Popen(
        (sshd, "-D", "-f", str(folder / "sshd_config")), stderr=subprocess.DEVNULL
    )
    config = folder / "ssh_config"
    config.write_text(shared.config.read_text() + ssh_config("openssh", port, "root", shared.key))
    try:
        _await_banner(port)
        yield config
    finally:
        process.terminate()
        process.wait()


def _await_banner(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as peer:
                if peer.recv(4) == b"SSH-":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)
