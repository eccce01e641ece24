"""Symbolic links by which two of the files that are written would be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from tests.ssh.make import ALIAS, entry_for, key

USERS = "Host a\n  User x\n"
KEYS = f"kubectl-nodeport/{ALIAS}.known_hosts"


def link(path: Path, target: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)


def own_is_the_config(folder: Path) -> None:
    link(folder / "kubectl-nodeport" / "config", "../config")


def the_config_is_our_own(folder: Path) -> None:
    (folder / "kubectl-nodeport").mkdir()
    (folder / "config").rename(folder / "kubectl-nodeport" / "config")
    link(folder / "config", "kubectl-nodeport/config")


def our_folder_is_the_configs(folder: Path) -> None:
    link(folder / "kubectl-nodeport", ".")


def host_keys_are_the_config(folder: Path) -> None:
    link(folder / KEYS, "../config")


@pytest.mark.parametrize("include", [None, False, True])
@pytest.mark.parametrize(
    "arrange",
    [own_is_the_config, the_config_is_our_own, our_folder_is_the_configs, host_keys_are_the_config],
)
def test_files_that_are_one_are_refused(
    tmp_path: Path, arrange: Callable[[Path], None], include: bool | None
) -> None:
    config = tmp_path / "config"
    config.write_text(USERS)
    config.chmod(0o600)
    arrange(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    store = ConfigFile(config, include=include)
    edit = Edit(((entry_for(store), (key(),)),))
    for write in (store.apply, store.preview):
        with pytest.raises(NodeportError, match="are one file, by a symbolic link") as caught:
            write(edit)
        assert str(config) in caught.value.message
    assert config.read_text() == USERS
    left = sorted(path for path in tmp_path.rglob("*") if path.suffix not in (".lock", ".bak"))
    assert left == before


def test_host_keys_that_are_the_file_of_our_own_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(USERS)
    config.chmod(0o600)
    ConfigFile(config, include=True).put(entry_for(ConfigFile(config), "other", port=7), [key()])
    own = tmp_path / "kubectl-nodeport" / "config"
    before = own.read_bytes()
    (tmp_path / KEYS).symlink_to("config")
    store = ConfigFile(config)
    with pytest.raises(NodeportError, match="are one file"):
        store.put(entry_for(store), [key()])
    assert own.read_bytes() == before
