from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from tests.posix import IS_ROOT
from tests.ssh.make import entry_for, key

ALIAS = "dev.default.kind"


def test_it_is_made_once_for_each_alias_and_for_its_owner_alone(tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    seed = hosts.server_seed("a")
    assert len(seed) == 32
    assert hosts.server_seed("a") == seed
    assert hosts.server_seed("b") != seed
    file = tmp_path / "kubectl-nodeport" / "a.host_key"
    assert base64.b64decode(file.read_text()) == seed
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "config").exists()


def test_runs_at_once_get_the_same(tmp_path: Path) -> None:
    def seed(_: int) -> bytes:
        return ConfigFile(tmp_path / "config").server_seed("a")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(seed, range(8)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        "x" * 44,
        "\0",
        "A" * 42 + "=",
        "A" * 43 + "=\n" + "A" * 43 + "=",
        "\x1b[2J\n",
        "Ä",
    ],
)
def test_something_else_in_the_file(text: str, tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    hosts.server_seed("a")
    (tmp_path / "kubectl-nodeport" / "a.host_key").write_text(text)
    with pytest.raises(NodeportError, match="does not hold") as caught:
        hosts.server_seed("a")
    assert "a.host_key" in caught.value.hint


@pytest.mark.posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_others_may_not_have_it(mode: int, tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    seed = hosts.server_seed("a")
    file = tmp_path / "kubectl-nodeport" / "a.host_key"
    file.chmod(mode)
    with pytest.raises(NodeportError, match="others may read or write") as caught:
        hosts.server_seed("a")
    assert f"chmod 600 {file}" in caught.value.hint
    file.chmod(0o400)
    assert hosts.server_seed("a") == seed


@pytest.mark.skipif(not IS_ROOT, reason="giving files away needs root")
def test_somebody_elses(tmp_path: Path) -> None:
    """Root may work on a user's config, whose files then are that user's."""
    config = tmp_path / "config"
    hosts = ConfigFile(config)
    seed = hosts.server_seed("a")
    file = tmp_path / "kubectl-nodeport" / "a.host_key"
    os.chown(file, 12345, 12345)
    with pytest.raises(NodeportError, match="belongs to somebody else"):
        hosts.server_seed("a")
    config.touch()
    os.chown(config, 12345, 12345)
    assert hosts.server_seed("a") == seed


def test_link_to_it_is_followed_and_what_it_leads_to_is_looked_at(tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    seed = hosts.server_seed("a")
    file, store = tmp_path / "kubectl-nodeport" / "a.host_key", tmp_path / "store"
    file.rename(store)
    file.symlink_to(store)
    assert hosts.server_seed("a") == seed
    store.chmod(0o644)
    with pytest.raises(NodeportError, match=f"write {store}"):
        hosts.server_seed("a")


@pytest.mark.posix
@pytest.mark.parametrize("kind", ["loop", "folder", "pipe", "no folder"])
def test_no_file_at_all(kind: str, tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    file = tmp_path / "kubectl-nodeport" / "a.host_key"
    if kind == "no folder":
        file.parent.write_text("")
    else:
        file.parent.mkdir()
    if kind == "loop":
        file.symlink_to(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    with pytest.raises(NodeportError) as caught:
        hosts.server_seed("a")
    assert caught.value.hint


def test_it_is_forgotten(tmp_path: Path) -> None:
    hosts = ConfigFile(tmp_path / "config")
    seed = hosts.server_seed("a")
    hosts.forget_server_seed("a")
    hosts.forget_server_seed("a")
    assert hosts.server_seed("a") != seed


def test_it_goes_with_the_entry(tmp_path: Path) -> None:
    config = tmp_path / "config"
    hosts = ConfigFile(config)
    made = entry_for(hosts, ALIAS)
    hosts.apply(Edit(((made, (key(1),)),)))
    hosts.server_seed(ALIAS)
    hosts.apply(Edit(gone=(ALIAS,)))
    assert list((tmp_path / "kubectl-nodeport").glob("*.host_key")) == []
