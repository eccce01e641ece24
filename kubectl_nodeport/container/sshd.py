"""The ssh server that is brought into a container: what it is asked, and how it answers. Pure.

Its own interface is in sshd/README.md; how it gets there, in bring.py. The container is not
trusted: each part of an answer is checked before it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from kubectl_nodeport.container import editor_needs
from kubectl_nodeport.container.authorized_keys import HOME
from kubectl_nodeport.container.editor_needs import Equipment
from kubectl_nodeport.container.script import listeners, shown_folder
from kubectl_nodeport.errors import UPGRADE, NodeportError
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.names import passes, validate_user

VERSION = (0, 1, 0)
"""Of the program that is sent along; in Go it is sshd/internal/daemon.Version."""

PORT = 20022
"""Where the server listens, if nothing else asks for a port and it is free: the same each time, so
that a rule outlives the server, and below the ports that the kernel lends to anybody."""

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UID = re.compile(r"\d{1,10}")
_PLACE = re.compile(r"tried (/[A-Za-z0-9/_.@+-]{0,255})")
_MOST_WORDS_CHARS = 300
_MOST_KEYS = 1024
# Those of sshd/README.md; the first come with a server.
_RUNNING = ("started", "running", "replaced")
_STATES = (*_RUNNING, "stopped", "absent")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    :ivar listen: the address that it listens on; "" for all.
    :ivar keys: those that let somebody in.
    """

    port: int
    listen: str
    version: tuple[int, ...]
    host_key: HostKey
    user: str
    home: str
    keys: frozenset[HostKey]

    @property
    def is_loopback(self) -> bool:
        """Whether nothing outside the pod reaches it."""
        return self.listen == "::1" or self.listen.startswith("127.")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the container is like.

    :ivar machine: the processor, as the kernel calls it.
    :ivar user: whom it runs as, "" where that has no name.
    :ivar program: version of the server's program that lies there; None for none.
    :ivar server: the one that runs; None for none.
    :ivar listening: see container.script.Inside, as for ``equipment`` and ``folder``.
    """

    machine: str
    user: str
    uid: str
    unpacks: bool
    program: tuple[int, ...] | None
    server: Server | None
    listening: Mapping[int, bool] | None
    equipment: Equipment | None = None
    folder: str = ""

    @property
    def architecture(self) -> str | None:
        """The program's architecture, as Go calls it; None where there is none for it."""
        return _ARCHITECTURES.get(self.machine)

    def is_logged_in_as(self, name: str) -> bool:
        """Whether the server lets somebody of that name in: the container's user alone."""
        return name in (self.user, self.uid)


@dataclass(frozen=True, slots=True)
class Wish:
    """What `start` is asked for.

    :ivar seed: the host key's, 32 bytes; the folder's own key stays where it has one.
    :ivar exact: whether no other port will do.
    :ivar loopback: whether it is to be reached from inside the pod alone.
    :ivar replaces: whether a running one is ended, if it is no older.
    """

    seed: bytes
    key: HostKey
    port: int
    exact: bool = False
    loopback: bool = False
    replaces: bool = False

    def as_input(self) -> str:
        """The line that it reads."""
        import base64

        asked: dict[str, object] = {
            "host_key": base64.b64encode(self.seed).decode("ascii"),
            "authorized_keys": [self.key.openssh],
            "port": self.port,
            "port_fallback": not self.exact,
            "keyless_exit": True,
        }
        if self.loopback:
            asked["listen"] = "127.0.0.1"
        if self.replaces:
            asked["replace"] = "always"
        return json.dumps(asked)


class SshdError(NodeportError):
    """The container could not do what it was told."""


def parse_ground(output: bytes) -> Ground:
    """Read the script's first answer."""
    said: dict[str, str] = {}
    lines = output.decode("utf-8", "replace").splitlines()
    for line in lines:
        word, _, rest = line.partition(" ")
        said.setdefault(word, rest)
    machine, user, uid = (said.get(word, "") for word in ("machine", "user", "uid"))
    return Ground(
        machine=machine if _WORD.fullmatch(machine) else "",
        user=user if passes(validate_user, user) else "",
        uid=uid if _UID.fullmatch(uid) else "",
        unpacks="gzip" in said,
        program=_program(said.get("program", "")),
        server=_running(said.get("status", "")),
        listening=listeners(lines),
        equipment=editor_needs.read(lines),
        folder=shown_folder(said.get("folder", "")),
    )


def parse_put(output: bytes, stderr: bytes) -> None:
    """Read the answer to a program that was sent.

    :raises SshdError: it is not there; the places that were tried are named.
    """
    lines = output.decode("utf-8", "replace").splitlines()
    if "put" in lines:
        return
    tried = [match[1] for line in lines if (match := _PLACE.fullmatch(line))]
    if tried:
        raise SshdError(
            "there is no place in it to put a program: nothing can be written, or run, in "
            + ", ".join(dict.fromkeys(tried)),
            hint="mount an emptyDir at /tmp in the pod",
        )
    raise SshdError(
        f"the ssh server could not be put there: {_words(stderr)}",
        hint="is the disk there full (df), and does the container have head, chmod and mv?",
    )


def parse_server(output: bytes, stderr: bytes) -> tuple[str, Server]:
    """Read what `start` answers: what became of the server, and the one that runs now.

    :raises SshdError: it failed, or said something that cannot be.
    """
    state, server = _answered(output, stderr, "the ssh server did not start")
    if server is None:
        raise _wrong()
    return state, server


def parse_removed(output: bytes, stderr: bytes, key: HostKey) -> tuple[str, Server | None]:
    """Read what `remove` answers: what became of the server, and the one that runs for other keys.

    :raises SshdError: it failed, said something that cannot be, or that the key is let in still.
    """
    state, server = _answered(output, stderr, "the ssh server did not take the key out")
    if server is not None and key in server.keys:
        raise _wrong()
    return state, server


def _answered(output: bytes, stderr: bytes, failed: str) -> tuple[str, Server | None]:
    """One of _STATES, and the server that runs."""
    lines = [line for line in output.splitlines() if line.startswith(b"{")]
    answer = _object(lines[0] if lines else b"")
    error = answer.get("error")
    if isinstance(error, dict):
        raise SshdError(
            f"{failed}: {_words(_text(error, 'message').encode('utf-8', 'replace'))}",
            hint="--port asks connect for another port, if that one is taken",
        )
    state = answer.get("state")
    if state is None:
        raise SshdError(
            f"{failed}: {_words(stderr)}",
            hint="may programs run there? AppArmor and the like forbid it",
        )
    if state not in _STATES:
        raise _wrong()
    return str(state), _server(answer) if state in _RUNNING else None


def _wrong() -> SshdError:
    return SshdError(
        "the ssh server's answer is not what it should be",
        hint=f"a newer kubectl-nodeport may have started it: {UPGRADE}",
    )


def _program(text: str) -> tuple[int, ...] | None:
    return _version(_object(text.encode()).get("version"))


def _running(text: str) -> Server | None:
    try:
        return _answered(text.encode("utf-8", "replace"), b"", "")[1]
    except SshdError:
        return None


def _server(answer: Mapping[str, object]) -> Server:
    told, keys = answer.get("server"), answer.get("keys")
    if not isinstance(told, dict) or not isinstance(keys, list):
        raise _wrong()
    port, version = told.get("port"), _version(told.get("version"))
    user, home, listen = (_text(told, name) for name in ("user", "home", "listen"))
    host_keys = parse_public_keys(_text(told, "host_key"))
    if not (_is_port(port) and passes(validate_user, user) and version and len(host_keys) == 1):
        raise _wrong()
    lines = [_text(key, "line") for key in keys[:_MOST_KEYS] if isinstance(key, dict)]
    return Server(
        port=port,
        listen=listen if _is_address(listen) else "",
        version=version,
        host_key=host_keys[0],
        user=user,
        home=home if HOME.fullmatch(home) else "",
        keys=frozenset(parse_public_keys("\n".join(lines))),
    )


def _text(plain: Mapping[str, object], name: str) -> str:
    """The string of this name; "" for anything else, however deep it is nested."""
    value = plain.get(name)
    return value if isinstance(value, str) else ""


def _is_port(number: object) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 65536


def _version(text: object) -> tuple[int, ...] | None:
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return tuple(int(part) for part in match.groups()) if match else None


def _is_address(text: str) -> bool:
    return re.fullmatch(r"[0-9A-Fa-f.:]{2,45}", text) is not None


def _object(text: bytes) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(said: bytes) -> str:
    return (
        " ".join(said.decode("utf-8", "replace").split())[:_MOST_WORDS_CHARS] or "it said no more"
    )
