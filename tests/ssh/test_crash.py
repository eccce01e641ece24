"""What ends a write in the middle: signals at every system call, full disks, other users' files."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.known_hosts import render
from tests.ssh import put_one
from tests.ssh.make import ALIAS, beside, entry_for, key

USERS = "Host a\n  User x\n" + "# a long file\n" * 300
# What changes files. Reads and the start of Python are left out: nothing has happened by then.
CALLS = "write,fsync,rename,unlink,fchmod,fchown,mkdir,flock"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become someone else")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(USERS)
    path.chmod(0o600)
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="nodeport-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def check_whole(config: Path) -> None:
    """Old or new, never less; and the next run works and leaves nothing lying about."""
    store = ConfigFile(config)
    new = block.put(USERS, entry_for(store))
    assert config.read_text() in (USERS, new)
    known = Path(store.known_hosts_path(ALIAS))
    if known.exists():
        assert known.read_text() == render(ALIAS, [key()])
    store.put(entry_for(store), [key()])
    assert config.read_text() == new
    assert known.read_text() == render(ALIAS, [key()])
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert beside(config) == {"config", "kubectl-nodeport"}
    assert beside(known) == {known.name}
    take_back(config)


def take_back(config: Path) -> None:
    """As it was before the entry came, but for the folder."""
    config.write_text(USERS)
    Path(ConfigFile(config).known_hosts_path(ALIAS)).unlink()


def file_calls(config: Path, log: Path) -> list[tuple[str, int]]:
    """Every call of a whole run that changes a file, each with its number among its like."""
    done = put_one.run(config, ALIAS, through=["strace", "-o", str(log), "-e", f"trace={CALLS}"])
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine forbids strace")
    assert done.stdout == "created\n", done.stderr
    take_back(config)
    names = re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE)
    return [(name, names[: index + 1].count(name)) for index, name in enumerate(names)]


@needs_strace
@pytest.mark.parametrize("fault", ["signal=KILL", "signal=INT", "error=EIO"])
def test_a_fault_at_any_file_call_loses_nothing(config: Path, tmp_path: Path, fault: str) -> None:
    log = tmp_path.parent / f"{tmp_path.name}.strace"
    calls = file_calls(config, log)
    assert {"write", "fsync", "rename", "flock"} <= {name for name, _ in calls}
    ended = 0
    # What a killed run leaves in the system's temporary folder shall go with the test's.
    elsewhere = tmp_path.parent / f"{tmp_path.name}.tmp"
    elsewhere.mkdir()
    for name, number in calls:
        inject = f"inject={name}:{fault}:when={number}"
        through = ["env", f"TMPDIR={elsewhere}", "strace", "-o", str(log), "-e", inject]
        done = put_one.run(config, ALIAS, through=through)
        ended += done.returncode != 0
        check_whole(config)
    # Some calls are of the first run only, and some errors (syncing a folder, removing a temporary
    # file that is gone) are none; but most must have struck for this to mean anything.
    assert ended > len(calls) / 2


@pytest.mark.parametrize("limit", [0, 100, 4096])
def test_a_file_that_cannot_grow_keeps_its_content(config: Path, limit: int) -> None:
    done = put_one.run(config, ALIAS, "--file-size", str(limit))
    assert done.returncode == 1
    assert "File too large" in done.stdout + done.stderr
    assert config.read_text() == USERS
    check_whole(config)


@needs_root
def test_a_full_disk_keeps_the_content(tmp_path: Path) -> None:
    """A small tmpfs of our own, in a mount namespace that ends with the script."""
    script = f"""
        set -e
        mount -t tmpfs -o size=24k none {tmp_path}
        i=0; while [ $i -lt 400 ]; do echo "# sixteen bytes"; i=$((i+1)); done > {tmp_path}/config
        echo "Host a" >> {tmp_path}/config
        dd if=/dev/zero of={tmp_path}/filler bs=4k count=9 2>/dev/null || true
        before=$(sha256sum {tmp_path}/config)
        "$@" || true
        test "$before" = "$(sha256sum {tmp_path}/config)" && echo kept
        rm {tmp_path}/filler
        "$@"
        ls -A {tmp_path}
    """
    probe = subprocess.run(["unshare", "-m", "true"], check=False, timeout=20)
    if probe.returncode != 0:
        pytest.skip("this machine gives no mount namespace")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *put_one.command(tmp_path / "config", ALIAS)],
        check=False,
        cwd=put_one.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert "No space left on device" in lines[0], done
    assert lines[1:3] == ["kept", "created"]
    assert set(lines[3:]) == {".config.kubectl-nodeport.lock", "config", "kubectl-nodeport"}


@needs_root
@pytest.mark.parametrize(
    ("owner", "mode", "folder_mode", "message"),
    [
        (0, 0o600, 0o777, "cannot be read: Permission denied"),
        (NOBODY, 0o200, 0o777, "cannot be read: Permission denied"),
        (NOBODY, 0o600, 0o555, "cannot be written: Permission denied"),
        (NOBODY, 0o400, 0o777, "is read-only"),
        (0, 0o644, 0o777, "cannot be written: Operation not permitted"),
    ],
)
def test_files_of_others_are_left_alone(
    open_folder: Path, owner: int, mode: int, folder_mode: int, message: str
) -> None:
    config = open_folder / "config"
    config.write_text(USERS)
    os.chown(config, owner, owner)
    config.chmod(mode)
    open_folder.chmod(folder_mode)
    before = config.stat()
    done = put_one.run(config, ALIAS, "--uid", str(NOBODY))
    assert message in done.stdout
    assert done.returncode == 1
    assert config.read_text() == USERS
    assert (config.stat().st_ino, config.stat().st_mode) == (before.st_ino, before.st_mode)
    assert beside(config) <= {"config", "kubectl-nodeport"}


@needs_root
def test_an_ordinary_user_can(open_folder: Path) -> None:
    os.chown(open_folder, NOBODY, NOBODY)
    config = open_folder / "config"
    assert put_one.run(config, ALIAS, "--uid", str(NOBODY)).stdout == "created\n"
    assert put_one.run(config, ALIAS, "--uid", str(NOBODY)).stdout == "unchanged\n"
    assert (config.stat().st_uid, stat.S_IMODE(config.stat().st_mode)) == (NOBODY, 0o600)
