"""Which keys ssh would offer to a host: those of its files, and its agent's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import openssh
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.openssh import Options, Question

# A public key is a line.
_MOST_BYTES = 16 * 1024


def public_key(file: str) -> HostKey:
    """The public key of a .pub file, one line that was looked at to its last byte.

    :raises NodeportError: it cannot be read, or holds anything else.
    """
    make = f"ssh-keygen -y -f PRIVATE > {typed(Path(file))}"
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError as err:
        raise NodeportError(
            f"{file} cannot be read: {err.strerror}", hint=f"make it with: {make}"
        ) from err
    keys = parse_public_keys(text)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(keys) == 1 and len(lines) == 1:
        return keys[0]
    if "PRIVATE KEY" in text:
        raise NodeportError(
            f"{file} is a private key, which goes nowhere",
            hint=f"name its public half: {typed(Path(f'{file}.pub'))}",
        )
    raise NodeportError(
        f"{file} is not one public key of a kind that is supported (ed25519, ecdsa and rsa are)",
        # Nothing is to be written to a file that is there: it may be a private key of another form.
        hint="a .pub file has one line: TYPE BASE64 COMMENT; this prints it: ssh-keygen -y -f "
        "PRIVATE",
    )


@dataclass(frozen=True, slots=True)
class Offers:
    """What ssh would offer.

    :ivar keys: each public key once, with where it is.
    :ivar has_others: whether there are keys of which the public half is not known here: of a kind
        that is not supported, on a smart card, behind a passphrase.
    """

    keys: tuple[tuple[HostKey, str], ...]
    has_others: bool = False


def offered(config: Path | None, alias: str, identity: str | None) -> Offers:
    """The keys that ssh would offer to a host.

    :param config: the ssh configuration; None for the user's and the system's.
    :param identity: the file of the one private key that counts.
    :raises NodeportError: the public half of that is not to be had, or ssh tells nothing.
    """
    if identity is not None:
        key = _of_file(identity)
        if key is None:
            raise NodeportError(
                f"the public key of {identity} is not known: {identity}.pub is missing, or of a "
                "kind that is not supported (ed25519, ecdsa and rsa are)",
                hint=f"make it with: ssh-keygen -y -f {typed(Path(identity))} > "
                f"{typed(Path(f'{identity}.pub'))}",
            )
        return Offers(((key, identity),))
    (options,) = openssh.effective([Question(config, alias)])
    found: dict[HostKey, str] = {}
    has_others = "pkcs11provider" in options
    for key, where in (*_of_files(options), *_of_agent(options)):
        if key is None:
            has_others = True
        else:
            found.setdefault(key, where)
    return Offers(tuple(found.items()), has_others)


def _of_files(options: Options) -> Iterator[tuple[HostKey | None, str]]:
    for name in options.get("identityfile", []):
        path = os.path.expanduser(name)  # noqa: PTH111 - what it cannot expand stays as it is
        if Path(path).exists():
            yield _of_file(path), name


def _of_agent(options: Options) -> Iterator[tuple[HostKey | None, str]]:
    """What the agent holds; with IdentitiesOnly ssh offers of that only what files name too."""
    (agent, *_) = options.get("identityagent", ["SSH_AUTH_SOCK"])
    if options.get("identitiesonly") == ["yes"] or agent == "none":
        return
    for line in openssh.agent_keys(None if agent == "SSH_AUTH_SOCK" else agent).splitlines():
        comment = " ".join(line.split()[2:])
        for key in parse_public_keys(line) or (None,):
            yield key, f"{comment or 'a key'} in the agent"


def _of_file(path: str) -> HostKey | None:
    """The public half beside a private key, or made of it; or the file is that itself, which ssh
    takes for a key that only the agent has (IdentityFile in ssh_config(5)).
    """
    public = path if path.endswith(".pub") else f"{path}.pub"
    try:
        with Path(public).open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        text = openssh.public_half(path)
    keys = parse_public_keys(text)
    return keys[0] if len(keys) == 1 else None
