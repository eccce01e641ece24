"""Readers in Python: paramiko, asyncssh, and Zed's public rules written anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import paramiko
from asyncssh.config import SSHClientConfig

from tests.ssh.readers.reading import Options, Reading

_ME = "me"
# Zed shows no host that is only a way to a git provider.
_GIT_PROVIDERS = frozenset(
    [
        *("dev.azure.com", "bitbucket.org", "chromium.googlesource.com", "codeberg.org"),
        *("gitea.com", "gitee.com", "github.com", "gist.github.com", "gitlab.com"),
        *("sourcehut.org", "git.sr.ht"),
    ]
)


def paramiko_reading(file: Path, hosts: Sequence[str], _folder: Path) -> Reading:
    """paramiko's SSHConfig, which passes Include over; as Ansible, Fabric and their like use it."""
    try:
        config = paramiko.SSHConfig.from_path(str(file))
        listed = tuple(sorted(config.get_hostnames()))
        options = {host: _as_texts(config.lookup(host)) for host in hosts}
    except Exception as error:  # KeyError and UnicodeDecodeError besides its own
        return Reading(error=f"{type(error).__name__}: {error}")
    return Reading("", listed, options)


def asyncssh_reading(file: Path, hosts: Sequence[str], folder: Path) -> Reading:
    """asyncssh's, which follows Include and has no list of hosts."""
    options = {}
    try:
        for host in hosts:
            config = SSHClientConfig(None, False, False, False, _ME, (), host, ())  # type: ignore[arg-type]
            config._default_path = folder  # else the real ~/.ssh
            config.parse(file)
            found = config.get_options(False)
            options[host] = _as_texts({name.lower(): value for name, value in found.items()})
    except (ValueError, OSError) as error:
        return Reading(error=f"{type(error).__name__}: {error}")
    return Reading("", None, options)


def zed_reading(file: Path, _hosts: Sequence[str], _folder: Path) -> Reading:
    """Zed's list of hosts: line by line, no Include; ssh itself connects.

    https://github.com/zed-industries/zed/blob/0733e278c759b80f41ccad060f6f2b7cb2284713/crates/recent_projects/src/ssh_config.rs
    """
    sections: list[tuple[set[str], list[str]]] = [(set(), [])]
    goes_on = False
    for line in file.read_bytes().decode("utf-8", "replace").split("\n"):
        keyword, *words = line.split() or [""]
        if goes_on or keyword.lower() == "host":
            if not goes_on:
                sections.append((set(), []))
            names = {word.rstrip("\\") for word in ([keyword, *words] if goes_on else words)}
            sections[-1][0].update(n for n in names if n and n[0] != "!" and "*" not in n)
            goes_on = line.rstrip().endswith("\\")
        elif keyword.lower() == "hostname" and words:
            sections[-1][1].append(words[0])
    shown: set[str] = set()
    for names, hostnames in sections:
        if hostnames and hostnames[-1].lower() in _GIT_PROVIDERS:
            continue
        shown |= names if hostnames else {n for n in names if n.lower() not in _GIT_PROVIDERS}
    return Reading("", tuple(sorted(shown)), None)


READERS = {"paramiko": paramiko_reading, "asyncssh": asyncssh_reading, "Zed": zed_reading}


def _as_texts(found: Mapping[str, object]) -> Options:
    return {
        name: tuple(str(one) for one in (value if isinstance(value, list) else [value]))
        for name, value in found.items()
    }
