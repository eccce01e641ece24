"""The ssh config on disk, with its entries of ours and their known_hosts files.

Reading is here; what writes is loaded where it is needed, as every login through a tunnel reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kubectl_nodeport.ssh import layout, whole_file
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.edit import Change, Edit, Whereabouts
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.location import Location
from kubectl_nodeport.ssh.location import user_config_path as user_config_path
from kubectl_nodeport.ssh.whole_file import Snapshot


class ConfigFile:
    """An ssh config that holds, or shall hold, entries of ours.

    :param path: the file; it need not exist, its folder must unless it is the user's ``~/.ssh``.
    :param warn: told of options of little weight that the user's own lines overrule, and of what is
        left to the user.
    :param include: whether entries shall stand in a file of our own that this one includes; None
        for what was chosen before. What stands elsewhere moves with the next write.
    """

    def __init__(
        self,
        path: Path,
        *,
        warn: Callable[[str], None] = lambda _: None,
        include: bool | None = None,
    ) -> None:
        self._location = Location.of(path)
        self.path = self._location.config
        self._warn = warn
        self._include = include

    def entries(self) -> tuple[HostEntry, ...]:
        """Our entries, in the order of the file.

        :raises NodeportError: when the file cannot be read or our block is damaged.
        """
        return layout.entries(self._location.files(self._location.read()))

    def readable(self) -> Readable:
        """The same, where an entry that cannot be read does not hide the others.

        :raises NodeportError: when the file cannot be read or our markers are broken.
        """
        return layout.readable(self._location.files(self._location.read()))

    def outdated(self) -> frozenset[str]:
        """The aliases of entries that the next write would put in other words, as an earlier
        version wrote them.

        :raises NodeportError: as :meth:`readable`.
        """
        return layout.outdated(self._location.files(self._location.read()))

    def declares(self, alias: str) -> bool:
        """Whether a Host line of the user's own, outside of our block, has this very name.

        :raises NodeportError: as :meth:`entries`.
        """
        return layout.declares(self._location.files(self._location.read()), alias)

    def whereabouts(self) -> Whereabouts:
        """The file in which entries stand, or will after the next write.

        :raises NodeportError: as :meth:`entries`, or ssh refuses the config.
        """
        from kubectl_nodeport.ssh import placing

        return placing.whereabouts(self._location, self._include)

    def known_hosts_path(self, alias: str) -> str:
        """Where the alias' host keys live, as its entry must say it."""
        return self._location.known_hosts_path(alias)

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        """The host keys that stand in the alias' known_hosts file now; none where there is none.

        :raises NodeportError: when the file cannot be read.
        """
        text = self._location.read_keys(alias).text
        start = f"{alias} "
        lines = (line for line in text.split("\n") if line.startswith(start))
        return parse_public_keys("\n".join(line.removeprefix(start) for line in lines))

    def server_seed(self, alias: str) -> bytes:
        """The 32 bytes of which the host key is made that a server brought along gets (ed25519).

        They stand beside the alias' known_hosts file, for its owner alone, and are made where there
        are none. A container that was started again gets the same key from them.

        :raises NodeportError: when the file cannot be read or written.
        """
        from kubectl_nodeport.ssh import seed

        return seed.kept(self._location, alias)

    def forget_server_seed(self, alias: str) -> None:
        """Remove what :meth:`server_seed` made, where no entry was written after all."""
        from kubectl_nodeport.ssh.commit import let_go

        let_go(self._location.seed_file(alias), self._warn)

    def read(self) -> Snapshot:
        """The file as it is.

        :raises NodeportError: for every failure but "not found".
        """
        return whole_file.read(self.path)

    def put(self, entry: HostEntry, keys: Iterable[HostKey]) -> Change:
        """Write an entry and its host keys, both or neither; see :meth:`apply`."""
        return self.apply(Edit(((entry, tuple(keys)),)))[entry.alias]

    def apply(self, edit: Edit) -> Mapping[str, Change]:
        """Write and remove entries with their host keys: all of the edit or nothing.

        :returns: what became of each alias; one of ``gone`` that was not there is left out.
        :raises NodeportError: when the file cannot be written, is damaged, or would not make ssh
            go where an entry says; nothing was changed then.
        :raises ValueError: for an entry that was made for another config.
        """
        from kubectl_nodeport.ssh.writing import Writer

        return Writer(self._location, self._warn, self._include).apply(edit)

    def preview(self, edit: Edit) -> str:
        """What :meth:`apply` would change, as a unified diff; empty when nothing.

        :raises NodeportError: as :meth:`apply`, but for what only writing can find out.
        """
        from kubectl_nodeport.ssh.writing import Writer

        return Writer(self._location, self._warn, self._include).preview(edit)
