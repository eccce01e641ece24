"""Which keys ssh would offer to a host: those of its files, and its agent's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import openssh
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.openssh import Options, Question

# A public key is a line.
_MOST_BYTES = 16 * 1024


def offered(config: Path | None, alias: str, identity: str | None) -> list[tuple[HostKey, str]]:
    """Each public key once, with where it is.

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
        return [(key, identity)]
    (options,) = openssh.effective([Question(config, alias)])
    found: dict[HostKey, str] = {}
    for key, where in (*_of_files(options), *_of_agent(options)):
        found.setdefault(key, where)
    return list(found.items())


def _of_files(options: Options) -> Iterator[tuple[HostKey, str]]:
    for name in options.get("identityfile", []):
        path = os.path.expanduser(name)  # noqa: PTH111 - what it cannot expand stays as it is
        key = _of_file(path) if Path(path).exists() else None
        if key is not None:
            yield key, name


def _of_agent(options: Options) -> Iterator[tuple[HostKey, str]]:
    """What the agent holds; with IdentitiesOnly ssh offers of that only what files name too."""
    (agent, *_) = options.get("identityagent", ["SSH_AUTH_SOCK"])
    if options.get("identitiesonly") == ["yes"] or agent == "none":
        return
    for line in openssh.agent_keys(None if agent == "SSH_AUTH_SOCK" else agent).splitlines():
        comment = " ".join(line.split()[2:])
        for key in parse_public_keys(line):
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
