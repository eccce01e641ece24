"""What ends a write in the middle: signals and errors at system calls, full disks, other users'
files."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.openssh import Question, effective
from tests.ssh import put_one
from tests.ssh.forked import CHANGES, NOBODY, calls_of, forked, needs_root, needs_strace
from tests.ssh.make import ALIAS, entry_for, key, origin

USERS = "Host *\n  User x\n" + "# a long file\n" * 300
pytestmark = pytest.mark.linux

Content = Mapping[str, bytes]


def put(config: Path, *names: str, include: bool | None = None, gone: str = "") -> object:
    """Write entries, those whose name begins with a capital on port 2 and with another key."""
    store = ConfigFile(config, include=include)
    wanted = []
    for name in names:
        plain = entry_for(store, name.lower(), origin=origin(target=f"pod/{name.lower()}"))
        port, seed = (2, 2) if name[0].isupper() else (31380, 1)
        wanted.append((entry_for(store, plain.alias, origin=plain.origin, port=port), (key(seed),)))
    return store.apply(Edit(tuple(wanted), (gone,) if gone else ()))


@dataclass(frozen=True)
class Scenario:
    """What is done, and what was done before."""

    act: Callable[[Path], object]
    before: Callable[[Path], object] = lambda _config: None


SCENARIOS = {
    "add": Scenario(lambda config: put(config, "one")),
    "change": Scenario(
        lambda config: put(config, "One", gone="two"),
        lambda config: put(config, "one", "two", "three"),
    ),
    "remove the last": Scenario(
        lambda config: put(config, gone="one"), lambda config: put(config, "one")
    ),
    "add to a file of our own": Scenario(lambda config: put(config, "one", include=True)),
    "change in a file of our own": Scenario(
        lambda config: put(config, "One", gone="two"),
        lambda config: put(config, "one", "two", "three", include=True),
    ),
    "remove the last from a file of our own": Scenario(
        lambda config: put(config, gone="one"), lambda config: put(config, "one", include=True)
    ),
    "move to a file of our own": Scenario(
        lambda config: put(config, "One", gone="two", include=True),
        lambda config: put(config, "one", "two", "three"),
    ),
    "move back": Scenario(
        lambda config: put(config, "One", gone="two", include=False),
        lambda config: put(config, "one", "two", "three", include=True),
    ),
}


def content(folder: Path) -> Content:
    """What every file holds that is no lock and no backup."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".bak")
    }


class Stage:
    """A folder in which the same is done again and again."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.act = scenario.act
        self.config = folder / "home" / "config"
        self.config.parent.mkdir()
        self.config.write_text(USERS)
        self.config.chmod(0o600)
        scenario.before(self.config)
        for path in self.config.parent.glob(".*.bak"):
            path.unlink()
        self._saved = folder / "saved"
        shutil.copytree(self.config.parent, self._saved)
        self.before, self.aliases_before = content(self.config.parent), self.aliases()
        self.act(self.config)
        self.after, self.aliases_after = content(self.config.parent), self.aliases()
        self.reset()

    def reset(self) -> None:
        shutil.rmtree(self.config.parent)
        shutil.copytree(self._saved, self.config.parent)

    def aliases(self) -> set[str]:
        return {entry.alias for entry in ConfigFile(self.config).entries()}

    def check(self) -> None:
        """Old or new, no entry lost for a moment; and the next run works and leaves nothing."""
        folder = self.config.parent
        for name in self.before.keys() | self.after.keys():
            found = (folder / name).read_bytes() if (folder / name).exists() else None
            assert found in (self.before.get(name), self.after.get(name)), name
        assert block.without(self.config.read_text()) == USERS
        assert stat.S_IMODE(self.config.stat().st_mode) == 0o600
        for backup in folder.glob(".config.kubectl-nodeport-*.bak"):
            assert backup.read_bytes() == self.before["config"]
        lasting = sorted(self.aliases_before & self.aliases_after)
        assert set(lasting) <= self.aliases() <= self.aliases_before | self.aliases_after
        for answer in effective([Question(self.config, alias) for alias in lasting]):
            assert answer["hostkeyalias"] == answer.get("host", answer["hostkeyalias"])
            assert Path(answer["userknownhostsfile"][0]).exists()
        self.act(self.config)
        assert content(folder) == self.after


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="nodeport-") as folder:
        yield Stage(Path(folder), SCENARIOS[request.param])


def strike(
    stage: Stage, tmp_path: Path, fault: str, names: str, within: Path | None = None
) -> float:
    """The fault at each of these calls; the part of them at which it ended the run."""
    act = partial(stage.act, stage.config)
    log = tmp_path / "strace"
    calls = calls_of(act, log, names, within)
    assert {name for name, _ in calls} >= {"rename", "openat"} & set(names.split(","))
    ended = 0
    for name, number in calls:
        stage.reset()
        inject = f"inject={name}:{fault}:when={number}"
        done = forked(act, scratch=tmp_path, strace=("-o", str(log), "-e", inject))
        assert done.code != 2, done.text
        ended += done.code != 0
        stage.check()
    return ended / len(calls)


@needs_strace
@pytest.mark.parametrize("stage", SCENARIOS, indirect=True)
def test_a_run_that_is_killed_at_any_change_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    # What is tried out elsewhere, before, makes no difference to the files here.
    assert strike(stage, tmp_path, "signal=KILL", CHANGES, stage.config.parent) == 1


# Some errors (syncing a folder, removing a temporary file that is gone) are none; but most must
# have struck for this to mean anything.
@needs_strace
@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("signal=INT", CHANGES),
        ("error=EIO", f"{CHANGES},openat"),
        ("error=ENOSPC", "write,fsync,mkdir,rename"),
        ("error=EACCES", "openat,mkdir,rename,unlink"),
    ],
)
@pytest.mark.parametrize("stage", ["move to a file of our own"], indirect=True)
def test_a_fault_at_any_call_loses_nothing(
    stage: Stage, tmp_path: Path, fault: str, names: str
) -> None:
    assert strike(stage, tmp_path, fault, names) > 0.5


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


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("limit", [0, 100, 4096])
def test_a_file_that_cannot_grow_keeps_its_content(config: Path, limit: int, include: bool) -> None:
    def starved() -> object:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return put(config, "one", include=include)

    before = content(config.parent)
    done = forked(starved)
    assert done.code == 1
    assert "File too large" in done.text
    assert content(config.parent) == before
    put(config, "one", include=include)


@needs_root
@pytest.mark.parametrize("include", ["false", "true"])
def test_a_full_disk_keeps_the_content(tmp_path: Path, include: str) -> None:
    """A small tmpfs of our own, in a mount namespace that ends with the script."""
    script = f"""
        set -e
        mount -t tmpfs -o size=40k none {tmp_path}
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
    words = put_one.command(tmp_path / "config", ALIAS, "--include", include)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *words],
        check=False,
        cwd=put_one.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert "No space left on device" in lines[0], done
    assert lines[1:3] == ["kept", "created"]
    left = {name for name in lines[3:] if not name.endswith(".bak")}
    assert left == {".config.kubectl-nodeport.lock", "config", "kubectl-nodeport"}


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
    done = forked(lambda: put(config, "one"), uid=NOBODY)
    assert done.code == 1
    assert message in done.text
    assert config.read_text() == USERS
    assert (config.stat().st_ino, config.stat().st_mode) == (before.st_ino, before.st_mode)
    assert content(open_folder).keys() == {"config"}


@needs_root
@pytest.mark.parametrize("include", [False, True])
def test_an_ordinary_user_can(open_folder: Path, include: bool) -> None:
    os.chown(open_folder, NOBODY, NOBODY)
    config = open_folder / "config"
    for change in ("created", "unchanged"):
        done = forked(lambda: put(config, "one", include=include), uid=NOBODY)
        assert done.text == str({"one": change})
    for path in (config, *(open_folder / "kubectl-nodeport").iterdir()):
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (NOBODY, 0o600)
