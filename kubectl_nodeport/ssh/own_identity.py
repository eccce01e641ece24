"""The private key of our own hosts, for somebody who has none: made by ssh-keygen."""

from __future__ import annotations

import os
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import openssh, whole_file
from kubectl_nodeport.ssh.location import home


class OwnIdentity:
    """``id_ed25519`` beside the host keys; it stays where it is when hosts go.

    :param ssh_folder: ``~/.ssh``, else another in its place.
    """

    def __init__(self, ssh_folder: Path | None = None) -> None:
        self._file = (ssh_folder or home() / ".ssh") / "kubectl-nodeport" / "id_ed25519"

    @property
    def path(self) -> str:
        """Where it is, or would be."""
        return str(self._file)

    @property
    def is_there(self) -> bool:
        """Whether there is anything, be it a link to nothing."""
        return os.path.lexists(self._file)

    def make(self) -> None:
        """Have ssh-keygen make it, which asks for a passphrase.

        :raises NodeportError: it did not.
        """
        for folder in (self._file.parent.parent, self._file.parent):
            whole_file.make_folder(folder)
        code = openssh.make_key(self._file)
        if code != 0:
            raise NodeportError(
                f"ssh-keygen ended with {code}, so there is no key",
                hint=f"try it: ssh-keygen -t ed25519 -f {typed(self._file)}",
            )
