"""What other programs write into the config between our runs stays whole.

Each is done as the program does it: devpod's and coder's Go, the editor's extension and the npm
library ssh-config in their steps, retold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.openssh import Question, effective
from tests.ssh.make import ALIAS, entry_for, key, origin

USERS = "# general\nCompression yes\n\n# about a\nHost a\n  User x\n\nHost *\n  ForwardAgent no\n"

DEVPOD = (
    "# DevPod Start x.devpod\nHost x.devpod\n  ForwardAgent yes\n  LogLevel error\n"
    '  ProxyCommand "/usr/bin/devpod" ssh --stdio x\n  User vscode\n# DevPod End x.devpod\n'
)
CODER = (
    "# ------------START-CODER-----------\n# This section is managed by coder. DO NOT EDIT.\n"
    "Host coder.*\n\tConnectTimeout=0\n\tProxyCommand /usr/bin/coder ssh --stdio %h\n"
    "# ------------END-CODER------------\n"
)
CODER_TOP = (
    "# --- START CODER VSCODE x ---\nHost coder-vscode--*\n  User z\n# --- END CODER VSCODE x ---\n"
)


def devpod(text: str) -> str:
    """Above the first line that begins with Host, below Includes; the end of the file is cut."""
    lines = text.split("\n")
    at = next((n for n, line in enumerate(lines) if line.strip().startswith("Host ")), len(lines))
    return "\n".join([*lines[:at], *DEVPOD.rstrip("\n").split("\n"), *lines[at:]]).rstrip("\n")


def devpod_without(text: str) -> str:
    return re.sub(r"# DevPod Start x\.devpod\n.*?# DevPod End x\.devpod\n?", "", text, flags=re.S)


def coder(text: str) -> str:
    """At the end, behind an empty line."""
    return f"{text.rstrip()}\n\n{CODER}"


def coder_extension(text: str) -> str:
    return CODER_TOP + "\n" + text


def add_new_ssh_host(text: str) -> str:
    return f"{text}\nHost new\n    HostName new.example\n    User me\n"


def add_new_ssh_host_at_the_top(text: str) -> str:
    """Below an Include, if there is one before all else."""
    lines = text.splitlines(keepends=True)
    at = next((n + 1 for n, line in enumerate(lines) if line.startswith("Include")), 0)
    return "".join([*lines[:at], "Host new\n    HostName new.example\n\n", *lines[at:]])


def npm_ssh_config(text: str) -> str:
    """prepend() of the library puts a section in front of the first, behind all global lines."""
    match = re.search(r"^Host ", text, re.MULTILINE)
    at = match.start() if match else len(text)
    return f"{text[:at]}Host new\n  HostName new.example\n\n{text[at:]}"


def colima(text: str) -> str:
    return f"Include /nowhere/colima/ssh_config\n\n{text}"


def npm_reindented(text: str) -> str:
    """An editor that trims the ends of lines and indents by tabs."""
    return "".join(re.sub(r"^ +", "\t", line).rstrip() + "\n" for line in text.splitlines())


TOOLS = {
    "devpod": (devpod, "x.devpod", "user", "vscode"),
    "coder": (coder, "coder.x", "connecttimeout", "0"),
    "coder's extension": (coder_extension, "coder-vscode--a", "user", "z"),
    "add new ssh host": (add_new_ssh_host, "new", "hostname", "new.example"),
    "add new ssh host, at the top": (add_new_ssh_host_at_the_top, "new", "hostname", "new.example"),
    "npm ssh-config": (npm_ssh_config, "new", "hostname", "new.example"),
    "colima": (colima, "a", "user", "x"),
    "an editor that trims": (npm_reindented, "a", "user", "x"),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(USERS)
    return path


@pytest.mark.parametrize("include", [False, True], ids=["block", "include"])
@pytest.mark.parametrize(("tool", "host", "keyword", "value"), TOOLS.values(), ids=TOOLS)
def test_both_stay_whole(
    config: Path,
    tool: Callable[[str], str],
    host: str,
    keyword: str,
    value: str,
    include: bool,
) -> None:
    store = ConfigFile(config, include=include)
    store.put(entry_for(store), [key()])
    config.write_text(tool(config.read_text()))
    names = [host, "a", "undeclared"]
    before = effective([Question(config, name) for name in names])
    assert before[0][keyword][0] == value
    assert [entry.alias for entry in ConfigFile(config).entries()] == [ALIAS]
    again = ConfigFile(config)
    other = entry_for(store, "other", origin=origin(target="pod/other"))
    assert again.apply(Edit(((entry_for(store, port=7), (key(),)), (other, (key(),))))) == {
        ALIAS: "updated",
        "other": "created",
    }
    assert effective([Question(config, name) for name in names]) == before
    ours = effective([Question(config, ALIAS), Question(config, "other")])
    assert [found["port"] for found in ours] == [["7"], ["31380"]]
    again.apply(Edit(gone=(ALIAS, "other")))
    left = config.read_text()
    assert "kubectl-nodeport" not in left
    # All that the tool and the user wrote, and nothing else.
    expected = sorted(tool(USERS).split("\n"))
    assert sorted(line for line in left.split("\n") if line) == [line for line in expected if line]
    assert effective([Question(config, name) for name in names]) == before


@pytest.mark.parametrize("include", [False, True], ids=["block", "include"])
def test_devpod_finds_its_own_again(config: Path, include: bool) -> None:
    store = ConfigFile(config, include=include)
    store.put(entry_for(store), [key()])
    written = config.read_text()
    config.write_text(devpod(written) + "\n")
    store.put(entry_for(store, port=7), [key()])
    assert DEVPOD in config.read_text()
    config.write_text(devpod_without(config.read_text()))
    store.put(entry_for(store), [key()])
    assert config.read_text() == written
