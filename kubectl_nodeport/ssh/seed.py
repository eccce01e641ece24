"""The seeds of host keys for ssh servers that connect brings along: a file for each alias."""

from __future__ import annotations

import base64
import binascii
import secrets

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import whole_file
from kubectl_nodeport.ssh.location import Location
from kubectl_nodeport.ssh.placing import locked

_BYTES = 32


def kept(location: Location, alias: str) -> bytes:
    """The seed of an alias, as it was made once.

    :raises NodeportError: the file cannot be read or written, or holds something else.
    """
    file = location.seed_file(alias)
    if whole_file.read(file).data is None:
        with locked(location, None):
            _make(location, alias)
    text = whole_file.read(file).data or b""
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != _BYTES:
        raise NodeportError(
            f"{file} does not hold the seed of a host key", hint=f"rm {typed(file)}, and again"
        )
    return seed


def _make(location: Location, alias: str) -> None:
    before = whole_file.read(location.config)
    whole_file.make_folder(location.folder, before.owner)
    now = whole_file.read(location.seed_file(alias))
    if now.data is None:
        text = base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n"
        with whole_file.staged(now, text) as new:
            new.commit()
