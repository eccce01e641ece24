"""The seeds of host keys for ssh servers that connect brings along: a file for each alias."""

from __future__ import annotations

import base64
import binascii
import os
import secrets

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import whole_file
from kubectl_nodeport.ssh.location import Location
from kubectl_nodeport.ssh.placing import locked
from kubectl_nodeport.ssh.whole_file import Snapshot

_BYTES = 32


def kept(location: Location, alias: str) -> bytes:
    """The seed of an alias, as it was made once.

    :raises NodeportError: the file cannot be read or written, holds something else, or is not the
        user's alone, as ssh asks it of private keys.
    """
    file = location.seed_file(alias)
    if whole_file.read(file).data is None:
        with locked(location, None):
            _make(location, alias)
    found = whole_file.read(file)
    _refuse_shared(location, found)
    try:
        seed = base64.b64decode((found.data or b"").strip(), validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != _BYTES:
        raise NodeportError(
            f"{file} does not hold the seed of a host key", hint=f"rm {typed(file)}, and again"
        )
    return seed


def _refuse_shared(location: Location, found: Snapshot) -> None:
    if os.name != "posix" or found.owner is None:
        return
    file = typed(found.path)
    ours = {os.geteuid(), 0, *(whole_file.read(location.config).owner or ())[:1]}
    if found.owner[0] not in ours:
        raise NodeportError(
            f"{found.path}, the seed of a host key, belongs to somebody else",
            hint=f"rm {file}, and again: the server then gets another host key",
        )
    if found.mode & 0o077:
        raise NodeportError(
            f"others may read or write {found.path}, the seed of a host key",
            hint=f"chmod 600 {file}; or rm {file}, if somebody may have: that makes another key",
        )


def _make(location: Location, alias: str) -> None:
    before = whole_file.read(location.config)
    whole_file.make_folder(location.folder, before.owner)
    now = whole_file.read(location.seed_file(alias))
    if now.data is None:
        text = base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n"
        with whole_file.staged(now, text) as new:
            new.commit()
