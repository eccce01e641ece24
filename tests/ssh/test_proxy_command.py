"""The ProxyCommand: quoted, then taken apart again by the real ssh and the shells there are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.proxy_command import proxy_command
from tests.ssh.make import ALIAS, entry_for, key

SHELLS = [shell for shell in ("sh", "bash", "zsh", "fish", "csh", "tcsh") if shutil.which(shell)]
ODD = "it's 100% $HOME `id` $(id) & ; | < > * ? [a] {b} ~ ! ^ ü"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("/opt/bin/kubectl-nodeport", "proxy", "dev"), "/opt/bin/kubectl-nodeport proxy dev"),
        (("/a b/kn", "proxy", "dev"), '"/a b/kn" proxy dev'),
        (("/a b&c/kn", "proxy", "dev"), "'/a b&c/kn' proxy dev"),
        (("/100%/kn", "proxy"), "'/100%%/kn' proxy"),
        (("/it's/kn",), "'/it'\\''s/kn'"),
        (("/a!/kn",), "'/a'\\!'/kn'"),
        (("/$HOME/`id`",), "'/$HOME/`id`'"),
        (
            (r"C:\Program Files\kn.exe", "proxy", "dev"),
            r'"C:\Program Files\kn.exe" proxy dev',
        ),
        (
            (r"C:\kn.EXE", "proxy", "--ssh-config", r"C:\My 100% files\config", "dev"),
            r'"C:\kn.EXE" proxy --ssh-config "C:\My 100%% files\config" dev',
        ),
        ((r"\\server\share\kn.exe", "dev"), r'"\\server\share\kn.exe" dev'),
    ],
)
def test_quoting(words: tuple[str, ...], text: str) -> None:
    assert proxy_command(words) == text


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("kubectl-nodeport", "proxy"),  # no absolute path
        ("/a\nProxyCommand b",),
        ("/a", "b\x85"),
        ('/a"b',),
        ("/a\\b",),
        ("/a#b",),
        ("/a", ""),
        ("/" + "x" * 900,),
        (r"C:\kn.bat", "proxy"),
        (r"C:\a\"b.exe",),
        (r"C:\kn.exe", "a\\"),
        (r"kn.exe",),
    ],
)
def test_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(NodeportError):
        proxy_command(words)


def recorder(folder: Path) -> Path:
    """A program that writes its arguments down, at a path with everything in it."""
    path = folder / ODD.replace("/", "") / "kubectl-nodeport"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >"{folder}/said"\n')
    path.chmod(0o755)
    return path


@pytest.mark.posix
@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_ssh_runs_it_by_every_shell(shell: str, tmp_path: Path) -> None:
    program = recorder(tmp_path)
    config = tmp_path / "a b" / "my config"
    config.parent.mkdir()
    assert f'"{config}"' in proxy_command(("/kn", str(config)))
    store = ConfigFile(config)
    words = (str(program), "proxy", "--ssh-config", str(config))
    made = entry_for(store, hostname=ALIAS, port=22, program=words)
    assert store.put(made, [key()]) == "created"
    assert store.entries() == (made,)
    assert store.put(made, [key()]) == "unchanged"
    subprocess.run(
        ["ssh", "-F", config, "-o", "BatchMode=yes", ALIAS],
        check=False,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=20,
        env={**os.environ, "SHELL": str(shutil.which(shell))},
    )
    assert (tmp_path / "said").read_text().splitlines() == [*words, ALIAS]


@pytest.mark.posix
@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=40))
def test_sh_reads_back_what_is_not_refused(word: str) -> None:
    try:
        text = proxy_command(("/bin/true", word))
    except NodeportError:
        return
    script = f"printf %s{text.removeprefix('/bin/true').replace('%%', '%')}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=20)
    assert done.stdout.decode() == word


@pytest.mark.parametrize("below", ["Host *\n  ProxyJump b\n", "Host *\n  ProxyCommand nc %h 1\n"])
def test_it_wins_over_what_stands_below(below: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(below)
    store = ConfigFile(config)
    made = entry_for(store, hostname=ALIAS, port=22, program=("/bin/kn", "proxy"))
    assert store.put(made, [key()]) == "created"
    done = subprocess.run(
        ["ssh", "-F", config, "-G", ALIAS], capture_output=True, text=True, check=True, timeout=20
    )
    lines = done.stdout.splitlines()
    assert f"proxycommand /bin/kn proxy {ALIAS}" in lines
    assert not any(line.startswith("proxyjump") for line in lines)
    assert "ProxyCommand none" not in config.read_text()


@pytest.mark.parametrize(("line", "keyword"), [("ProxyJump b", "proxyjump"),
                                               ("ProxyCommand nc", "proxycommand")])  # fmt: skip
def test_a_line_above_that_wins_is_told(line: str, keyword: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"{line}\nHost a\n")
    store = ConfigFile(config)
    made = entry_for(store, hostname=ALIAS, port=22, program=("/bin/kn", "proxy"))
    with pytest.raises(NodeportError, match=f"{keyword} .*line 1"):
        store.put(made, [key()])
    assert config.read_text() == f"{line}\nHost a\n"


def test_from_a_node_port_to_a_tunnel_and_back(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyJump b\n")
    store = ConfigFile(config)
    plain = entry_for(store)
    store.put(plain, [key()])
    assert "ProxyCommand none" in config.read_text()
    store.put(entry_for(store, hostname=ALIAS, port=22, program=("/bin/kn", "proxy")), [key()])
    assert "ProxyCommand none" not in config.read_text()
    assert store.put(plain, [key()]) == "updated"
    (back,) = store.entries()
    assert (back.is_tunnel, back.cancel_proxy) == (False, True)
