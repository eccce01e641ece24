"""A container with nothing in it: no shell, no passwd, no home, its root read-only."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.posix import IS_ROOT
from tests.sshd.program import Program, make_key, ssh_config

_USER = 5555
_VOLUME = "/vol"
_SERVER = f"{_VOLUME}/nodeport-sshd"

_ENTER = f"""
mount -t tmpfs root "$1" && cd "$1" && mkdir proc dev vol && mount -t proc proc proc &&
mount --bind /dev dev && mount --bind /dev/pts dev/pts && mount -t tmpfs vol vol &&
cp "$2" .{_SERVER} && chown -R {_USER}:{_USER} vol && mount -o remount,ro . &&
echo ready && exec sleep infinity
"""


class Container:
    """Its first process reaps nothing, as in many images."""

    def __init__(self, root: Path, first: int) -> None:
        self.root = root
        self.first = first

    def exec(self, *command: str, said: str = "") -> dict[str, object]:
        """Run a program of the container, as its user, and return its answer."""
        done = subprocess.run(
            (
                *("nsenter", "-t", str(self.first), "-m", "-p", "--"),
                *("/usr/bin/env", "-i", "PATH=/vol", "FROM_IMAGE=yes", "/usr/sbin/chroot"),
                *(f"--userspec={_USER}:{_USER}", str(self.root), *command),
            ),
            input=said, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        answer: dict[str, object] = json.loads(done.stdout)
        return answer


@pytest.fixture
def container(program: Program, tmp_path: Path) -> Iterator[Container]:
    if not IS_ROOT:
        pytest.skip("a container of the test's own needs root")
    if any(shutil.which(tool) is None for tool in ("unshare", "nsenter")):
        pytest.skip("a container of the test's own needs unshare and nsenter")
    root = tmp_path / "root"
    root.mkdir()
    with _first_process(root, program) as first:
        yield Container(root, first)


@contextmanager
def _first_process(root: Path, program: Program) -> Iterator[int]:
    unshare = subprocess.Popen(
        (*("unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", _ENTER, "sh"),
         str(root), str(program.path)),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert unshare.stdout is not None
        assert unshare.stdout.readline() == "ready\n"
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text()
        yield int(children)
    finally:
        unshare.kill()
        unshare.communicate()


def test_an_empty_container(container: Container, tmp_path: Path) -> None:
    public = make_key(tmp_path / "id")
    make_key(tmp_path / "host")
    state = f"{_VOLUME}/state"
    config = {
        "host_key": (tmp_path / "host").read_text(),
        "authorized_keys": [public],
        "listen": "127.0.0.1",
    }
    answer = container.exec(_SERVER, "start", "--state", state, said=json.dumps(config))
    server = answer["server"]
    assert isinstance(server, dict)
    assert (server["user"], server["home"], server["shell"]) == (str(_USER), "/", "")
    file = tmp_path / "ssh_config"
    file.write_text(ssh_config("pod", server["port"], str(_USER), tmp_path / "id"))

    def ssh(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ("ssh", "-F", str(file), *arguments), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert ssh("pod", "nodeport-sshd --version")[0] == 0
    assert ssh("-tt", "pod", f"{_SERVER} --version")[0] == 0
    status, said = ssh("pod", "echo a | cat")
    assert (status, "this container has none" in said) == (127, True)
    status, said = ssh("pod")
    assert (status, "this container has no shell" in said) == (127, True)
    done = subprocess.run(
        ("sftp", "-q", "-b", "-", "-F", str(file), "pod"),
        input=f"put {file} {_VOLUME}/put\nget {_VOLUME}/put {tmp_path}/back\nls -1 /\n",
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "/vol" in done.stdout
    assert (tmp_path / "back").read_text() == file.read_text()
    container.exec(_SERVER, "stop", "--purge", "--state", state)
    left = container.root / "vol"
    seen = subprocess.run(
        ("nsenter", "-t", str(container.first), "-m", "--", "ls", str(left)),
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert seen == ["nodeport-sshd", "put"]
