"""nodeport-sshd as the tests run it: built from this checkout, started as connect would."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tests.posix import IS_ROOT

USER_ID = 4242
"""Whom the server runs as where the tests are root: one whom passwd does not know, as in pods."""

ENDS_WITHIN_S = 60
"""Bound of what is done at once on a machine that is not busy."""


class CommandFailedError(Exception):
    """An answer with an error; code is its word for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unavailable(Protocol):
    """What a test says that cannot run on this machine, and why."""

    def __call__(self, reason: str) -> NoReturn: ...


@dataclass(frozen=True, slots=True)
class Program:
    """The built program, and who runs it."""

    path: Path
    user: int | None = USER_ID if IS_ROOT else None
    """None is whoever runs the tests."""

    def ask(self, *arguments: str, said: str = "", home: Path | None = None) -> dict[str, Any]:
        """Run one of its commands and return its answer; raises CommandFailedError."""
        environment = {"PATH": os.environ["PATH"], "IN_CONTAINER": "yes"}
        if home:
            environment["HOME"] = str(home)
        done = subprocess.run(
            (str(self.path), *arguments),
            input=said,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else (),
            env=environment,
            cwd="/",
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        if "error" in answer:
            raise CommandFailedError(answer["error"]["code"], answer["error"]["message"])
        assert done.returncode == 0, done
        return answer


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs on 127.0.0.1, and an ssh_config whose host `pod` is it."""

    program: Program
    folder: Path
    """Of the test: keys, ssh_config, what it likes."""
    home: Path
    """Where sessions start, as far as the user is not in passwd."""
    state: Path
    port: int
    user: str
    pid: int

    @property
    def key(self) -> Path:
        return self.folder / "id"

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    def status(self) -> dict[str, Any]:
        return self.program.ask("status", "--state", str(self.state))

    def server_pid(self) -> int:
        """The process that serves, a child of the keeper."""
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ends meanwhile
                for child in (thread / "children").read_text().split():
                    if b"\0serve\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        raise AssertionError(f"no server under {self.pid}")


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait for what has no event to wait for."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {ENDS_WITHIN_S} s: {what}"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether there is such a process, which is more than one that nobody has asked for its end."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not stat.rpartition(")")[2].startswith(" Z")


def make_key(path: Path) -> str:
    """An ed25519 key without passphrase; the public line."""
    subprocess.run(
        ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)), check=True
    )
    return path.with_name(path.name + ".pub").read_text().strip()


def ssh_config(host: str, port: int, user: str, key: Path, extra: str = "") -> str:
    """A Host of an ssh_config for a server on this machine."""
    return (
        f"Host {host}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {key}\n"
        "  IdentitiesOnly yes\n  IdentityAgent none\n  ControlPath none\n  LogLevel ERROR\n"
        "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
        f"  GlobalKnownHostsFile /dev/null\n  BatchMode yes\n{extra}"
    )


@contextmanager
def running(program: Program, folder: Path, **settings: object) -> Iterator[Server]:
    """A server whose folder is below the given one, until the block ends; then nothing is left."""
    folder.chmod(0o755)  # pytest's own folders are closed to other users
    home, parent = folder / "home", folder / "parent"
    for path in (home, parent):
        path.mkdir()
        if program.user is not None:
            os.chown(path, program.user, program.user)
    public = make_key(folder / "id")
    make_key(folder / "host")
    state = parent / "state"
    config: Mapping[str, object] = {
        "host_key": (folder / "host").read_text(),
        "authorized_keys": [public],
        "listen": "127.0.0.1",
        **settings,
    }
    # No end of file is needed after the object, as an exec stream has none.
    answer = program.ask("start", "--state", str(state), said=json.dumps(config), home=home)
    told = answer["server"]
    server = Server(program, folder, home, state, told["port"], told["user"], told["pid"])
    server.config.write_text(ssh_config("pod", server.port, server.user, server.key))
    try:
        yield server
    finally:
        program.ask("stop", "--purge", "--state", str(state))
        assert not state.exists()
