"""The ssh configuration file that is meant, and the Host entries in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.address.local import local_facts
from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.location import Location, named_config_path


def hosts(
    ssh_config: str | None, include: bool | None, notes: list[str], *, in_wsl: bool
) -> ConfigFile:
    """The Host entries to work on; in WSL those of the user's own file have twins in Windows."""
    if ssh_config or not in_wsl:
        path = named_config_path(ssh_config)
        return ConfigFile(path, warn=notes.append, include=include)
    import pwd  # which Windows itself has not

    from kubectl_nodeport.ssh import windows
    from kubectl_nodeport.ssh.twin import Distribution
    from kubectl_nodeport.ssh.twinned import TwinnedConfigFile

    user = pwd.getpwuid(os.getuid()).pw_name
    here = Distribution(os.environ.get("WSL_DISTRO_NAME", ""), user, windows.home)
    return TwinnedConfigFile(user_config_path(), here, warn=notes.append, include=include)


def config_file(options: Mapping[str, Any], notes: list[str]) -> ConfigFile:
    """The ssh configuration file that is meant, which may not be there yet."""
    return hosts(options["ssh_config"], None, notes, in_wsl=local_facts().wsl)


def config_name(ssh_config: str | None) -> str:
    """The ssh configuration file as a user would name it."""
    return ssh_config or "~/.ssh/config"


def ssh_words(ssh_config: str | None) -> list[str]:
    """ssh, and what makes it read the ssh configuration file that was written."""
    location = Location.of(named_config_path(ssh_config))
    return ["ssh", *([] if location.is_default else ["-F", str(location.config)])]


def entries_name(file: ConfigFile, ssh_config: str | None) -> str:
    """The file in which the entries stand as a user would name it."""
    return file.whereabouts().own or config_name(ssh_config)
