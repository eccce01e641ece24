"""How the answer is read that a container gives to the script of examining.py. Pure.

The container is not trusted: each line is checked, and what does not fit is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubectl_nodeport.container import editor_needs
from kubectl_nodeport.container.authorized_keys import HOME, parse_line
from kubectl_nodeport.container.editor_needs import Equipment
from kubectl_nodeport.container.script import listeners
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.names import passes, validate_user

_PATH = r"/[A-Za-z0-9/_.@+-]{0,255}"
_PROGRAM = re.compile(_PATH)
_MODE = re.compile(rf"([0-7]{{3,4}}) ([0-9]{{1,10}}) ({_PATH})")
_FREE = re.compile(rf"([0-9]{{1,15}}) ({_PATH})")
_RUNNING = re.compile(r"([0-9]{1,10}) (sshd|dropbear[a-z]{0,10}|nodeport-sshd)")
_NUMBER = re.compile(r"[0-9]{1,10}")
_SETTING = re.compile(
    "((?i:port|allowtcpforwarding|disableforwarding|permitrootlogin|strictmodes|"
    "pubkeyauthentication|authorizedkeysfile|authorizedkeyscommand|trustedusercakeys)) "
    "([a-z0-9-]{1,40})"
)


@dataclass(frozen=True, slots=True)
class Mode:
    """Who may write a file or folder: its permission bits, and its owner's uid."""

    path: str
    bits: int
    uid: int


@dataclass(frozen=True, slots=True)
class Examination:
    """What a container says of its ssh server and of whoever logs in.

    :ivar user: whom it runs as; "" where it did not say. ``uid`` likewise, None then.
    :ivar login_uid: the uid of whoever logs in; None where /etc/passwd does not have them.
    :ivar home: their home folder; "" where it is not known.
    :ivar shell: their login shell; "" likewise. ``has_shell`` is whether it can be run.
    :ivar installed: sshd, dropbear and package managers, each with its path.
    :ivar running: the ssh servers that run, each with its process id.
    :ivar settings: of sshd, as ``sshd -T`` tells them, for whoever logs in; by lower-case keyword.
    :ivar config: the file of a running sshd; "" where it is not known.
    :ivar plain: settings as that file alone has them, outside of its Match blocks.
    :ivar complaint: why sshd would not start, where it does not run; "" where it would.
    :ivar key_files: the files in which sshd looks for keys, those that are there first.
    :ivar missing: those of them that are not there.
    :ivar unreadable: those that we may not read.
    :ivar odd: those that are no files.
    :ivar links: those that are symbolic links.
    :ivar firm: of those that are there, and of the folders up to the home, what the container's
        user cannot write, as it is mounted read-only perhaps.
    :ivar modes: of those that are there, and of the folders up to the home.
    :ivar authorized: the keys in them.
    :ivar free_kib: what is free in the home folder and in /tmp.
    :ivar noexec: those of them where no program may be run.
    """

    user: str = ""
    uid: int | None = None
    login_uid: int | None = None
    home: str = ""
    has_home: bool = False
    shell: str = ""
    has_shell: bool = True
    installed: Mapping[str, str] = field(default_factory=dict)
    running: tuple[tuple[int, str], ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config: str = ""
    plain: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complaint: str = ""
    key_files: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    odd: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    firm: frozenset[str] = frozenset()
    modes: tuple[Mode, ...] = ()
    authorized: frozenset[HostKey] = frozenset()
    listening: Mapping[int, bool] | None = None
    free_kib: Mapping[str, int] = field(default_factory=dict)
    noexec: frozenset[str] = frozenset()
    equipment: Equipment | None = None

    @property
    def is_brought(self) -> bool:
        """Whether the ssh server that runs is one that connect brought along."""
        return any(name == "nodeport-sshd" for _, name in self.running)

    def says(self, setting: str, *values: str) -> bool:
        """Whether sshd tells one of these values of a setting."""
        return any(value in values for value in self.settings.get(setting, ()))


def parse(output: bytes) -> Examination:
    """Read the script's answer."""
    # What ends a line for Python does not for sh: a file must not speak for the container.
    lines = output.decode("utf-8", "replace").split("\n")
    said: dict[str, list[str]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        said.setdefault(word, []).append(rest)

    def paths(word: str) -> list[str]:
        return _matching(_PROGRAM, said.get(word, []))

    users = [name for name in said.get("user", []) if passes(validate_user, name)]
    homes = _matching(HOME, said.get("home", []))
    there, files = paths("there"), paths("keyfile")
    return Examination(
        user=users[0] if users else "",
        uid=_number(said.get("uid", [])),
        login_uid=_number(said.get("login", [])),
        home=homes[0] if homes else "",
        has_home="has-home" in said,
        shell=next(iter(paths("shell")), ""),
        has_shell="no-shell" not in said,
        installed={path.rpartition("/")[2]: path for path in paths("installed")},
        running=tuple((int(m[1]), m[2]) for m in _matches(_RUNNING, said.get("running", []))),
        settings=_settings(said.get("sshd", [])),
        config=next(iter(paths("config")), ""),
        plain=_settings(said.get("plain", [])),
        complaint=next(iter(said.get("complaint", [])), "").strip(),
        key_files=tuple(dict.fromkeys([*there, *files])),
        missing=frozenset(files) - frozenset(there),
        unreadable=frozenset(paths("unreadable")),
        odd=frozenset(paths("odd")),
        links=frozenset(paths("link")),
        firm=frozenset(paths("firm")),
        modes=tuple(
            dict.fromkeys(
                Mode(m[3], int(m[1], 8), int(m[2])) for m in _matches(_MODE, said.get("mode", []))
            )
        ),
        authorized=frozenset(_keys(said.get("authorized", []))),
        listening=listeners(lines),
        free_kib={m[2]: int(m[1]) for m in _matches(_FREE, said.get("free", []))},
        noexec=frozenset(paths("noexec")),
        equipment=editor_needs.read(lines),
    )


def _settings(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for match in _matches(_SETTING, lines):
        keyword = match[1].lower()  # which it is by itself before OpenSSH 10.5
        found[keyword] = (*found.get(keyword, ()), match[2])
    return found


def _keys(lines: Iterable[str]) -> Iterable[HostKey]:
    for line in lines:
        found = parse_line(line)
        if found is not None and "cert-authority" not in found[1].lower():
            yield found[0]


def _number(texts: list[str]) -> int | None:
    found = _matching(_NUMBER, texts)
    return int(found[0]) if found else None


def _matching(pattern: re.Pattern[str], texts: Iterable[str]) -> list[str]:
    return [match[0] for match in _matches(pattern, texts)]


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> list[re.Match[str]]:
    return [match for text in texts if (match := pattern.fullmatch(text))]
