"""Host entries of a WSL distribution, each with a twin in the ssh configuration of Windows.

The distribution's own file is the truth: it is read, written first, and what becomes of the twin
never undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import twin, whole_file
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Change, Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.location import Location
from kubectl_nodeport.ssh.twin import Distribution


class WindowsLocation(Location):
    """The places around the Windows user's config, reached through the mounted drive."""

    def known_hosts_path(self, alias: str) -> str:
        """Where the alias' host keys live, as Windows' ssh finds them."""
        return twin.known_hosts_path(alias)


class WindowsConfig(ConfigFile):
    """``%USERPROFILE%\\.ssh\\config``. An Include there could not be followed from here, so entries
    always stand in the file itself.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(path, warn=warn, include=False)
        self._location = WindowsLocation(self.path, is_default=False)


class TwinnedConfigFile(ConfigFile):
    """A ConfigFile that hands on to Windows what was written.

    :param path: the distribution's own file.
    :param warn: told of what could not be done there; that is no failure.
    """

    def __init__(
        self,
        path: Path,
        distribution: Distribution,
        *,
        warn: Callable[[str], None],
        include: bool | None = None,
    ) -> None:
        super().__init__(path, warn=warn, include=include)
        self._distribution = distribution

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        """Write and remove entries here, then there; see :meth:`ConfigFile.apply`."""
        changes = super().apply(edit)
        try:
            done = self._apply_there(edit)
        except NodeportError as failure:
            self._warn(f"Windows' ssh is not told: {failure.message}; {failure.hint}")
            return changes
        for alias in (alias for alias, change in done.items() if change == "created"):
            self._warn(
                f"{alias} is in the ssh configuration of Windows too, for VS Code there; "
                f"whether it gets through from there, this says: ssh.exe {alias} true"
            )
        return changes

    def preview(self, edit: Edit) -> str:
        """What :meth:`apply` would change on both sides, as far as that can be told."""
        text = super().preview(edit)
        try:
            there = self._there()
            return text + there.preview(self._twins(edit, there))
        except NodeportError as failure:
            self._warn(f"Windows' ssh would not be told: {failure.message}; {failure.hint}")
            return text

    def _apply_there(self, edit: Edit) -> Mapping[str, Change]:
        there = self._there()
        twins = self._twins(edit, there)
        if twins.wanted:
            whole_file.make_folder(there.path.parent)
        return there.apply(twins) if twins.wanted or twins.gone else {}

    def _there(self) -> WindowsConfig:
        home = self._distribution.windows_home()
        if home is None:
            raise NodeportError(
                "the Windows user's home folder is not found from inside WSL",
                hint="it is asked of wslvar and cmd.exe; docs/wsl.md says what to do by hand",
            )
        return WindowsConfig(Path(home, ".ssh", "config"), warn=self._warn)

    def _twins(self, edit: Edit, there: WindowsConfig) -> Edit:
        """The edit for the other side, where entries that never were need not go."""
        old = {entry.alias: entry for entry in there.entries()}
        wanted = tuple((self._twin(entry), keys) for entry, keys in edit.wanted)
        return Edit(wanted, tuple(alias for alias in edit.gone if alias in old))

    def _twin(self, entry: HostEntry) -> HostEntry:
        return twin.twin(entry, self._distribution)
