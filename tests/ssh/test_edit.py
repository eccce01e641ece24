"""Several entries in one write, and the way back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.ssh.forked import NOBODY, needs_root
from tests.ssh.make import entry_for, key, origin

NAMES = ("one", "two", "three")


@pytest.fixture
def store(tmp_path: Path) -> ConfigFile:
    (tmp_path / "more").write_text("Host included\n  User included\n  Port 44\n")
    return ConfigFile(tmp_path / "config")


def wanted(
    store: ConfigFile, *names: str, **changes: object
) -> tuple[tuple[HostEntry, tuple[HostKey, ...]], ...]:
    return tuple(
        (entry_for(store, name, origin=origin(target=f"pod/{name}"), **changes), (key(),))
        for name in names
    )


def test_one_write_creates_updates_keeps_and_removes(store: ConfigFile) -> None:
    store.path.write_text("Host a\n  User x\n")
    store.apply(Edit(wanted(store, *NAMES)))
    edit = Edit(
        (*wanted(store, "one"), *wanted(store, "two", port=2), *wanted(store, "new")),
        ("three", "nobody"),
    )
    shown = store.preview(edit)
    assert store.apply(edit) == {
        "one": "unchanged",
        "two": "updated",
        "new": "created",
        "three": "removed",
    }
    assert [entry.alias for entry in store.entries()] == ["one", "two", "new"]
    for line in ("-Host three", "+  Port 2", "+Host new"):
        assert line in shown.splitlines()
    assert f"--- {store.known_hosts_path('three')}" in shown
    assert store.preview(edit) == ""
    folder = store.path.parent / "kubectl-nodeport"
    assert {path.name for path in folder.iterdir() if path.suffix == ".known_hosts"} == {
        "one.known_hosts",
        "two.known_hosts",
        "new.known_hosts",
    }


def test_what_is_refused_for_one_is_written_for_none(store: ConfigFile) -> None:
    store.apply(Edit(wanted(store, "one")))
    before = store.path.read_bytes()
    store.path.write_bytes(before + b"Host two\n  Port 1\n")
    with pytest.raises(NodeportError, match="Host two was written by someone else"):
        store.apply(Edit((*wanted(store, "three"), *wanted(store, "two")), ("one",)))
    assert store.path.read_bytes() == before + b"Host two\n  Port 1\n"
    assert store.keys("one") == (key(),)
    assert store.keys("three") == ()


def test_a_proxy_is_cancelled_for_those_that_inherit_it(store: ConfigFile) -> None:
    store.path.write_text("Host *\n  User x\nHost *.lab\n  ProxyJump b\n")
    store.apply(Edit((*wanted(store, "one"), *wanted(store, "two.lab"))))
    assert [entry.cancel_proxy for entry in store.entries()] == [False, True]


def test_removing_what_is_not_there_writes_nothing(store: ConfigFile) -> None:
    assert store.apply(Edit(gone=("one",))) == {}
    assert not store.path.exists()
    assert [path.name for path in store.path.parent.iterdir()] == ["more"]


def test_an_entry_that_was_edited_by_hand_is_not_removed(store: ConfigFile) -> None:
    store.apply(Edit(wanted(store, "one")))
    edited = store.path.read_text().replace("User root", "User bob")
    store.path.write_text(edited)
    with pytest.raises(NodeportError, match="edited by hand") as caught:
        store.apply(Edit(gone=("one",)))
    assert "+  User bob" in caught.value.detail
    assert store.path.read_text() == edited


def test_lines_of_others_inside_the_block_stay(store: ConfigFile) -> None:
    store.path.write_text("Host a\n  User x\n")
    store.apply(Edit(wanted(store, "one")))
    theirs = "# DevPod Start x\nHost x.devpod\n  User y\n# DevPod End x\n"
    text = store.path.read_text()
    store.path.write_text(text.replace("Host one", f"{theirs}Host one"))
    store.apply(Edit(gone=("one",)))
    assert store.path.read_text() == f"{theirs}Host a\n  User x\n"


def test_keys_are_read_back(store: ConfigFile) -> None:
    assert store.keys("one") == ()
    ((entry, _),) = wanted(store, "one")
    store.put(entry, (key(2), key(1)))
    assert set(store.keys("one")) == {key(1), key(2)}
    Path(store.known_hosts_path("one")).write_bytes(b"other x y\none garbage\n\xff\n")
    assert store.keys("one") == ()


def test_an_alias_is_named_once(store: ConfigFile) -> None:
    with pytest.raises(ValueError, match="named twice"):
        Edit(wanted(store, "one"), ("one",))


def test_a_text_without_a_block_is_left_as_it_is() -> None:
    for text in ("", "Compression yes", "Compression yes\r\n", "Host a\n"):
        assert block.edit(text, (), ("one",)) == text


def test_reading_loads_nothing_that_writing_needs(store: ConfigFile) -> None:
    """Every login through a tunnel reads the entries."""
    store.apply(Edit(wanted(store, "one")))
    code = """
import sys
from pathlib import Path
from kubectl_nodeport.ssh.config_file import ConfigFile
print(ConfigFile(Path(sys.argv[1])).entries()[0].alias)
late = {"sshconf", "difflib", "tempfile", "subprocess", "filelock", "shutil", "datetime"}
print(sorted(late & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(store.path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout == "one\n[]\n"


@needs_root
@pytest.mark.parametrize("include", [False, True])
def test_root_leaves_a_user_nothing_that_the_user_cannot_use(tmp_path: Path, include: bool) -> None:
    config = tmp_path / "config"
    config.write_text("Host a\n")
    for path in (tmp_path, config):
        os.chown(path, NOBODY, 65533)
    store = ConfigFile(config, include=include)
    store.apply(Edit(wanted(store, "one")))
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.rglob("*")}
    assert owners == {(NOBODY, 65533)}
    assert len(list(tmp_path.rglob("*"))) == (6 if include else 5)


@pytest.mark.parametrize("include", [None, True])
@pytest.mark.parametrize("before", ["", "Compression yes\n", "Host a\n  User x\n"])
def test_a_line_that_fell_to_our_last_entry_comes_to_count_for_nobody_else(
    store: ConfigFile, before: str, include: bool | None
) -> None:
    store.path.write_text(f"{before}Match all\n" if "Host" in before else before)
    store.apply(Edit(wanted(store, "one", "two")))
    text = store.path.read_text()
    if "Host" in before:  # as an editor's cut and paste would leave it, within a section
        made = text[text.index(block.BEGIN) : text.index(block.END) + len(block.END) + 1]
        text = text.replace(made, "").replace("Match all\n", made)
    text += "ForwardAgent yes\n"
    store.path.write_text(text)
    assert store.apply(Edit(wanted(store, "one", port=7), ("two",)))["two"] == "removed"
    text = store.path.read_text()
    line = len(text.splitlines())
    edits = [Edit(gone=("one",))] if include is None else [Edit(wanted(store, "one", port=8))]
    for edit in edits:
        with pytest.raises(NodeportError, match=rf"config, line {line}, below our block") as caught:
            ConfigFile(store.path, include=include).apply(edit)
        assert "above our block" in caught.value.hint
    assert store.path.read_text() == text
    # What the hint says.
    store.path.write_text("ForwardAgent yes\n" + text.removesuffix("ForwardAgent yes\n"))
    ConfigFile(store.path, include=include).apply(Edit(gone=("one",)))
    assert store.path.read_text() == f"ForwardAgent yes\n{before}"
