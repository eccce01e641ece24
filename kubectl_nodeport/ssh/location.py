"""Where an ssh config lies, and where what belongs to it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import whole_file
from kubectl_nodeport.ssh.layout import Files
from kubectl_nodeport.ssh.whole_file import Snapshot

_FOLDER = "kubectl-nodeport"
_TRIES = 5


def user_config_path() -> Path:
    """``~/.ssh/config`` of the passwd entry, as ssh finds it; $HOME does not count there."""
    return home() / ".ssh" / "config"


def named_config_path(named: str | None) -> Path:
    """The config that was named on the command line, else the user's own."""
    return Path(named) if named else user_config_path()


def home() -> Path:
    """The home folder of the passwd entry."""
    if os.name == "posix":
        import pwd

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    return Path(os.environ["USERPROFILE"])


@dataclass(frozen=True, slots=True)
class Location:
    """The places around one config.

    :param config: the config's absolute path, links not followed.
    :param is_default: whether ssh reads it without ``-F``.
    """

    config: Path
    is_default: bool

    @classmethod
    def of(cls, path: Path) -> Location:
        """The location of this file."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        return cls(absolute, absolute == user_config_path())

    @property
    def folder(self) -> Path:
        """The folder of all that is ours; only its owner looks into it."""
        return self.config.parent / _FOLDER

    @property
    def own(self) -> Path:
        """The file of our own, if the config includes one."""
        name = self.config.name
        return self.folder / ("config" if name == "config" else f"{name}.config")

    @property
    def own_name(self) -> str:
        """The same for people: from ``~`` on where it is in the home folder."""
        own = self.own
        return f"~/{own.relative_to(home())}" if own.is_relative_to(home()) else str(own)

    @property
    def own_words(self) -> tuple[str, ...]:
        """How an Include may name that file, the best first.

        ssh looks for a relative name below $HOME, not below the home folder of the passwd entry.
        """
        absolute = self.own.as_posix()
        if not self.is_default:
            return (absolute,)
        relative = f"{_FOLDER}/{self.own.name}"
        is_found = Path(os.environ.get("HOME", home())) == home()
        return (relative, absolute) if is_found else (absolute, relative)

    def keys_file(self, alias: str) -> Path:
        """The known_hosts file of the alias."""
        return self.folder / f"{self._whose(alias)}.known_hosts"

    def seed_file(self, alias: str) -> Path:
        """The file with the seed of the host key of a server that was brought along."""
        return self.folder / f"{self._whose(alias)}.host_key"

    def _whose(self, alias: str) -> str:
        """Another for each config of the folder: they may have the same alias, each for itself."""
        name = self.config.name
        return alias if name == "config" else f"{name}@{alias}"

    def known_hosts_path(self, alias: str) -> str:
        """The same as the alias' entry must say it."""
        if self.is_default:
            return f"~/.ssh/{_FOLDER}/{self.keys_file(alias).name}"
        return self.keys_file(alias).as_posix()

    def read(self) -> State:
        """The config and the file of our own as they are; no lock is needed.

        :raises NodeportError: for every failure but "not found", or when the two are one.
        """
        _refuse_one_file(self.own, self.config)
        for _ in range(_TRIES):
            state = State(whole_file.read(self.config), whole_file.read(self.own))
            # Entries that are moving now stand in at least one of them at every moment, but the
            # second may be gone by the time that it is read.
            if state.own.data is not None or whole_file.read(self.config) == state.config:
                break
        return state

    def read_keys(self, alias: str) -> Snapshot:
        """The alias' known_hosts file as it is.

        :raises NodeportError: as :meth:`read`.
        """
        file = self.keys_file(alias)
        for other in (self.config, self.own):
            _refuse_one_file(file, other)
        return whole_file.read(file)

    def files(self, state: State) -> Files:
        """The same as texts."""
        own = None if state.own.data is None else state.own.text
        return Files(str(self.config), state.config.text, str(self.own), own)


@dataclass(frozen=True, slots=True)
class State:
    """What was read of the two files."""

    config: Snapshot
    own: Snapshot


def _refuse_one_file(ours: Path, other: Path) -> None:
    """What a link makes one would be written over the other's text, or include itself."""
    if os.path.realpath(ours) == os.path.realpath(other):
        raise NodeportError(
            f"{ours} and {other} are one file, by a symbolic link",
            hint=f"look at the links with `ls -l {typed(ours)} {typed(other)}`",
        )
