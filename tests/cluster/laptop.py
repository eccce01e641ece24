"""The laptop: a network and a home of its own, where kubectl, the plugin and ssh are run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests.cluster.api import until
from tests.cluster.cache import cache_root
from tests.cluster.namespaces import Holder, end_with_mount, entering, hold
from tests.cluster.process import ClusterError, ProcessId, group, run

if TYPE_CHECKING:
    import pwd

NAMESPACES = ("mount", "net")
REPOSITORY = Path(__file__).resolve().parents[2]
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def real_home() -> Path:
    """Where the home is for those inside: ssh asks passwd, not $HOME."""
    return Path(_passwd().pw_dir).resolve()


def _passwd() -> pwd.struct_passwd:
    import pwd  # late: Windows has none, and loads this for the fixtures of tests/conftest.py

    return pwd.getpwuid(os.getuid())


def mark(name: str) -> str:
    """Source of the mount that only the laptop of this cluster has."""
    return f"laptop-of-{name}"


def start(name: str, state: Path) -> Holder:
    """Start the laptop's namespaces; its home is the folder `home` in the state."""
    home = state / "home"
    home.mkdir(mode=0o700)
    spec = {"setup": _setup(name, state), "programs": [], "exits": os.devnull}
    return hold(NAMESPACES, spec, state / "log" / "laptop.log")


def _setup(name: str, state: Path) -> list[list[str]]:
    """Bind what is needed from the real home into the new one, read-only, then that over it."""
    marked = str(state / "mark")
    commands = [
        ["mkdir", marked],
        ["mount", "-t", "tmpfs", "-o", "mode=700", mark(name), marked],
    ]
    for path in _kept():
        place = str(state / "home" / path.relative_to(real_home()))
        commands += [
            ["mkdir", "-p", place],
            ["mount", "--bind", str(path), place],
            ["mount", "-o", "remount,bind,ro", place],
        ]
    return [*commands, ["mount", "--rbind", str(state / "home"), str(real_home())]]


def _kept() -> list[Path]:
    """Folders below the real home that have to stay visible: Python, this checkout, the cache."""
    wanted = {
        Path(folder).resolve() for folder in (sys.prefix, sys.base_prefix, REPOSITORY, cache_root())
    }
    below = {path for path in wanted if real_home() in path.parents}
    return sorted(path for path in below if not below & set(path.parents))


class Laptop:
    """Runs programs in the laptop.

    `path_prepend` are folders put first on PATH, as seen inside.
    """

    def __init__(self, name: str, state: Path, process: ProcessId) -> None:
        self.process = process
        self.path_prepend: list[Path] = []
        self._name = name
        self._state = state
        self._started: list[subprocess.Popen[str]] = []

    @property
    def home(self) -> Path:
        """The home folder as seen from outside."""
        return self._state / "home"

    def inside(self, path: Path) -> Path:
        """Where those inside see this file or folder of the home."""
        return real_home() / path.relative_to(self.home)

    def outside(self, path: Path) -> Path:
        """Where a file or folder of the home, as seen inside, is for us."""
        return self.home / path.relative_to(real_home())

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables a program gets: nothing from outside but the terminal's kind."""
        path = os.pathsep.join((*map(str, self.path_prepend), *_SYSTEM_PATH))
        user = _passwd().pw_name
        return {
            "HOME": str(real_home()),
            "LANG": "C.UTF-8",
            "LOGNAME": user,
            "PATH": path,
            "SHELL": "/bin/bash",
            "TERM": os.environ.get("TERM", "dumb"),
            "USER": user,
            **(extra or {}),
        }

    def argv(self, argv: Sequence[str | Path]) -> list[str]:
        """The words that, run outside, run this command inside, in its home folder."""
        words = [str(word) for word in argv]
        return [*entering(self.process, *NAMESPACES), "env", f"--chdir={real_home()}", *words]

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout_s: float = 60,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. It has no terminal.

        Raises ClusterError after timeout_s, and with `check` when it fails.
        """
        process = self.popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            output, errors = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            end(process)
            raise ClusterError(f"{argv}: no end after {timeout_s:.0f} s") from error
        except BaseException:
            end(process)
            raise
        finally:
            self._started.remove(process)
        if check and process.returncode:
            raise ClusterError(f"{argv}: exit {process.returncode}: {errors.strip()}")
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def popen(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = subprocess.DEVNULL,
        stderr: int | IO[Any] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command in a session of its own; the process is the command itself.

        It ends with the cluster at the latest.
        """
        process = subprocess.Popen(
            self.argv(argv),
            env=self.environment(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def service(self, argv: Sequence[str | Path], output: Path) -> subprocess.Popen[str]:
        """Start one of the harness's own programs and wait for its first line of output.

        It lives as long as the cluster does. Its stderr goes beside the output, to NAME.errors.
        Raises ClusterError if it does not start.
        """
        errors = output.with_suffix(".errors")
        with output.open("w") as out, errors.open("w") as err:
            here = {"PYTHONPATH": str(REPOSITORY)}
            process = self.popen(argv, env=here, stdout=out, stderr=err)
        try:
            until(str(argv), lambda: process.poll() is not None or "\n" in output.read_text())
        finally:
            if "\n" not in output.read_text():
                end(process)
        if process.returncode is not None:
            raise ClusterError(f"{argv}: {errors.read_text()[-2000:]}")
        return process

    def reset_home(self, kubeconfig: Mapping[str, Any]) -> None:
        """Empty the home, then write ~/.kube/config and a new key pair ~/.ssh/id_ed25519."""
        kept = [self.home / path.relative_to(real_home()) for path in _kept()]
        _empty(self.home, {folder for path in kept for folder in (path, *path.parents)}, kept)
        self.write(self.home / ".kube" / "config", json.dumps(kubeconfig, indent=2))
        ssh = self.home / ".ssh"
        ssh.mkdir(mode=0o700)
        key = ["-t", "ed25519", "-N", "", "-C", "laptop", "-f", str(ssh / "id_ed25519")]
        run(["ssh-keygen", "-q", *key])

    def public_key(self) -> str:
        """The laptop's public key, one line."""
        return (self.home / ".ssh" / "id_ed25519.pub").read_text().strip()

    def write(self, path: Path, text: str) -> Path:
        """Write a private file below the home; returns where those inside see it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return self.inside(path)

    def end(self) -> None:
        """End everything that runs in the laptop, what was started elsewhere too."""
        end_with_mount(mark(self._name))
        for process in self._started:
            process.wait(timeout=20)
        self._started.clear()


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process that popen() started, with its session's group, and see them all gone."""
    members = group(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    for member in members:
        member.wait()


def _empty(folder: Path, passages: set[Path], kept: Sequence[Path]) -> None:
    """Remove what is in a folder, but not the kept mount points nor the way to them."""
    for entry in folder.iterdir():
        if entry in kept:
            continue
        if entry in passages:
            _empty(entry, passages, kept)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
