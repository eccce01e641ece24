"""Host keys: read from a cluster's answer, checked to the last byte, written as known_hosts lines.

Nothing of the text that came in is ever copied out: a key is decoded to its blob, the blob is read
as the wire format it claims to be, and every line that leaves is built from that blob again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.names import validate_alias

# A 16384-bit RSA key, the largest that OpenSSH takes, has a blob of about 2.1 kB.
_MAX_BLOB_BYTES = 4096
_MAX_TEXT_CHARS = 256 * 1024
_ECDSA_COORDINATE_BYTES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
# RequiredRSASize of ssh_config(5): smaller keys are refused by ssh itself.
_RSA_BITS = range(1024, 16384 + 1)


@dataclass(frozen=True, slots=True)
class HostKey:
    """The public half of a host key.

    :param type: the key type as on the wire, such as ``ssh-ed25519``.
    :param blob: the key in the encoding of RFC 4253 section 6.6 (what base64 hides in a .pub file).
    """

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it: ``SHA256:`` and unpadded base64."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")

    @property
    def openssh(self) -> str:
        """The line of a .pub file without its comment: ``ssh-ed25519 AAAA…``."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"


def parse_public_keys(text: str) -> tuple[HostKey, ...]:
    """Read .pub lines (``TYPE BASE64 [COMMENT]``), each key once, in the order of the text.

    A line that is not wholly a good key of a kind we trust (Ed25519, ECDSA, RSA of at least 1024
    bits) is passed over, so that garbage beside the keys does not hide them; DSA counts as garbage.
    """
    found = (_parse_line(line) for line in text[:_MAX_TEXT_CHARS].splitlines())
    return tuple(dict.fromkeys(key for key in found if key is not None))


def render(alias: str, keys: Iterable[HostKey]) -> str:
    """The known_hosts text for one entry: a line per key, its only pattern the alias.

    The same keys give the same text in whatever order they come.

    :raises NodeportError: for a bad alias, no key at all, or a key that is not well formed.
    """
    validate_alias(alias)
    unique = sorted(set(keys), key=lambda key: (key.type, key.blob))
    if not unique:
        raise NodeportError(
            f"no host key is known for {alias}",
            hint="give the pod's sshd a host key (ssh-keygen -A) and run connect again",
        )
    for key in unique:
        if not is_well_formed(key):
            raise NodeportError(
                f"the host key of {alias} is not a well-formed {key.type!a} key",
                hint="look at the .pub files of the pod's sshd; ssh-keygen -A makes new keys",
            )
    return "".join(f"{alias} {key.openssh}\n" for key in unique)


def is_well_formed(key: HostKey) -> bool:
    """Whether the blob is, without a byte left over, a key of the type that it is called."""
    try:
        fields = tuple(wire_fields(key.blob))
    except ValueError:
        return False
    if not fields or fields[0] != key.type.encode("ascii", "replace"):
        return False
    if key.type == "ssh-ed25519":
        return [len(field) for field in fields[1:]] == [32]
    if key.type.startswith("ecdsa-sha2-"):
        return _is_ecdsa(key.type.removeprefix("ecdsa-sha2-"), fields[1:])
    return key.type == "ssh-rsa" and _is_rsa(fields[1:])


def _parse_line(line: str) -> HostKey | None:
    words = line.split(maxsplit=2)
    if len(words) < 2 or len(words[1]) > 2 * _MAX_BLOB_BYTES:
        return None
    try:
        blob = base64.b64decode(words[1].encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    key = HostKey(words[0], blob)
    # Re-encoding shows stray bits and padding that a lenient decoder lets pass.
    if key.openssh != f"{words[0]} {words[1]}" or not is_well_formed(key):
        return None
    return key


def wire_fields(blob: bytes) -> Iterator[bytes]:
    """The length-prefixed strings of a blob (RFC 4251 section 5).

    :raises ValueError: when a field runs over the end.
    """
    if len(blob) > _MAX_BLOB_BYTES:
        raise ValueError("blob too long")
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("field runs over the end")
        yield blob[4 : 4 + size]
        blob = blob[4 + size :]


def _is_ecdsa(curve: str, fields: tuple[bytes, ...]) -> bool:
    size = _ECDSA_COORDINATE_BYTES.get(curve)
    if size is None or len(fields) != 2 or fields[0] != curve.encode("ascii"):
        return False
    # RFC 5656 section 3.1; OpenSSH takes the uncompressed form only, marked by 0x04.
    return len(fields[1]) == 1 + 2 * size and fields[1][0] == 4


def _is_rsa(fields: tuple[bytes, ...]) -> bool:
    if len(fields) != 2 or not all(_is_positive_mpint(field) for field in fields):
        return False
    exponent, modulus = (int.from_bytes(field, "big") for field in fields)
    return exponent % 2 == 1 and exponent > 1 and modulus.bit_length() in _RSA_BITS


def _is_positive_mpint(field: bytes) -> bool:
    """RFC 4251 section 5: no sign bit, and a leading zero byte only where the sign needs it."""
    if not field or field[0] & 0x80:
        return False
    return field[0] != 0 or (len(field) > 1 and bool(field[1] & 0x80))
