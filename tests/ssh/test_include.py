"""Entries in a file of our own, and the Include line that leads to it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block, include
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit, Whereabouts
from kubectl_nodeport.ssh.location import Location, user_config_path
from kubectl_nodeport.ssh.openssh import Question, effective
from tests.ssh.forked import NOBODY, forked, needs_root
from tests.ssh.make import ALIAS, entry_for, key, origin

USERS = "User me\nHost a\n  User x\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(USERS)
    path.chmod(0o600)
    return path


def put(config: Path, alias: str = ALIAS, *, chosen: bool | None = None, port: int = 31380) -> str:
    store = ConfigFile(config, include=chosen)
    one = entry_for(store, alias, port=port, origin=origin(target=f"pod/{alias}"))
    return store.put(one, [key()])


def port_of(config: Path, alias: str = ALIAS) -> list[str]:
    (found,) = effective([Question(config, alias)])
    return found["port"]


def own(config: Path) -> Path:
    return config.parent / "kubectl-nodeport" / "config"


def test_one_line_at_the_top_leads_to_a_private_file(config: Path) -> None:
    assert put(config, chosen=True) == "created"
    assert config.read_text() == f'{block.BEGIN}\nInclude "{own(config)}"\n{block.END}\n{USERS}'
    assert own(config).read_text().startswith(f"{block.BEGIN}\nHost {ALIAS}\n")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (own(config).parent, own(config))]
    assert modes == [0o700, 0o600]
    assert port_of(config) == ["31380"]


def test_the_choice_lasts(config: Path) -> None:
    put(config, chosen=True)
    before = config.read_bytes()
    assert put(config, port=7) == "updated"
    assert put(config, "other") == "created"
    assert config.read_bytes() == before
    assert port_of(config) == ["7"]
    assert [entry.alias for entry in ConfigFile(config).entries()] == [ALIAS, "other"]
    # Even when no entry is left: what remembers it is the empty file.
    ConfigFile(config).apply(Edit(gone=(ALIAS, "other")))
    assert (config.read_text(), own(config).read_bytes()) == (USERS, b"")
    assert put(config) == "created"
    assert config.read_bytes() == before


def test_entries_move_there_and_back(config: Path) -> None:
    config.write_text("Host a\n  User x\n")
    put(config)
    put(config, "other")
    in_block = config.read_text()
    assert put(config, chosen=True) == "updated"
    assert own(config).read_text() == in_block.removesuffix("Host a\n  User x\n")
    assert block.has_entries(config.read_text()) is False
    assert put(config, chosen=True) == "unchanged"
    assert put(config, chosen=False) == "updated"
    assert config.read_text() == in_block
    assert not own(config).exists()
    assert put(config) == "unchanged"


def test_the_line_comes_back_when_it_was_lost(config: Path) -> None:
    put(config, chosen=True)
    written = config.read_text()
    config.write_text(USERS)
    assert [entry.alias for entry in ConfigFile(config).entries()] == [ALIAS]
    assert put(config) == "unchanged"
    assert config.read_text() == written


@pytest.mark.parametrize("above", ["Include {here}/more\n", "User me\n", "Host b\n  User y\n"])
def test_what_others_put_above_moves_below(config: Path, above: str) -> None:
    (config.parent / "more").write_text("Host included\n  User included\n")
    put(config, chosen=True)
    written = config.read_text()
    above = above.replace("{here}", str(config.parent))
    config.write_text(above + written)
    assert put(config, port=7) == "updated"
    assert config.read_text() == written.replace(USERS, above + USERS)


@pytest.mark.parametrize("after", [1, 2])
def test_what_others_put_into_the_block_moves_below(config: Path, after: int) -> None:
    put(config, chosen=True)
    lines = config.read_text().splitlines(keepends=True)
    theirs = "# about b\nHost b\n  HostName b.example\n\n"
    config.write_text("".join([*lines[:after], theirs, *lines[after:]]))
    put(config, port=7)
    assert config.read_text() == "".join([*lines[:3], theirs, *lines[3:]])
    ConfigFile(config).apply(Edit(gone=(ALIAS,)))
    assert config.read_text() == theirs + USERS


def test_lines_of_the_user_in_our_file_stay_included(config: Path) -> None:
    put(config, chosen=True)
    mine = "Host mine\n  Port 5\n"
    own(config).write_text(own(config).read_text() + mine)
    assert ConfigFile(config).declares("mine")
    with pytest.raises(NodeportError, match=r"kubectl-nodeport/config, line 1: lines that are"):
        put(config, chosen=False)
    ConfigFile(config).apply(Edit(gone=(ALIAS,)))
    assert own(config).read_text() == mine
    assert port_of(config, "mine") == ["5"]


@pytest.mark.parametrize("text", ["Host mine\n  User me\n", "no option at all\n"])
def test_lines_of_the_user_alone_do_not_come_to_be_included(config: Path, text: str) -> None:
    own(config).parent.mkdir()
    own(config).write_text(text)
    assert ConfigFile(config).apply(Edit(gone=(ALIAS,))) == {}
    assert ConfigFile(config).preview(Edit()) == ""
    assert config.read_text() == USERS
    assert own(config).read_text() == text


def test_damage_in_our_file_is_told_with_its_name(config: Path) -> None:
    put(config, chosen=True)
    own(config).write_text(own(config).read_text().replace("User root", "User bob"))
    with pytest.raises(NodeportError, match=rf"^{own(config)}, line 2: the entry .* edited") as err:
        put(config, port=7)
    assert "+  User bob" in err.value.detail


def test_a_block_that_includes_another_file_is_refused(config: Path) -> None:
    put(config, chosen=True)
    text = config.read_text().replace(str(own(config)), "/elsewhere/kubectl-nodeport/config")
    config.write_text(text)
    with pytest.raises(NodeportError, match="has 'Include \"/elsewhere"):
        put(config, port=7)
    assert config.read_text() == text


def test_two_configs_in_one_folder_have_a_file_each(config: Path) -> None:
    work = config.with_name("work")
    put(config, chosen=True)
    put(work, "other", chosen=True)
    assert work.read_text().splitlines()[1] == f'Include "{own(config).parent}/work.config"'
    assert [entry.alias for entry in ConfigFile(config).entries()] == [ALIAS]
    assert [entry.alias for entry in ConfigFile(work).entries()] == ["other"]


@pytest.mark.parametrize("name", ["with blanks", "it's", "a[b]c*?", "ünïcode", "{x}"])
def test_odd_folders_are_included(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config").write_text(USERS)
    assert put(folder / "config", chosen=True) == "created"
    assert port_of(folder / "config") == ["31380"]
    assert put(folder / "config") == "unchanged"


def test_a_preview_shows_both_files_and_touches_none(config: Path) -> None:
    store = ConfigFile(config, include=True)
    edit = Edit(((entry_for(store), (key(),)),))
    shown = store.preview(edit)
    assert sorted(path.name for path in config.parent.iterdir()) == ["config"]
    assert f'+Include "{own(config)}"' in shown.splitlines()
    assert f"+++ {own(config)}\n" in shown
    store.apply(edit)
    assert store.preview(edit) == ""


BY_HAND = [
    'Include "{own}"',
    "include {own}",
    "INCLUDE={own}",
    "\tInclude\t/nowhere {own} # all pods",
    "Include {folder}/kubectl-nodeport/c*",
    "Include {folder}/*/conf?g",
    "Include {folder}//kubectl-nodeport/./[a-c]onfig",
]


@pytest.mark.parametrize("line", BY_HAND)
def test_a_line_of_the_users_own_is_as_good(config: Path, line: str) -> None:
    line = line.format(own=own(config), folder=config.parent)
    config.write_text(f"# pods\n{line}\n{USERS}")
    config.chmod(0o444)
    written = _file(config)
    assert put(config) == "created"
    assert put(config) == "unchanged"
    assert put(config, port=7) == "updated"
    assert port_of(config) == ["7"]
    assert ConfigFile(config).apply(Edit(gone=(ALIAS,))) == {ALIAS: "removed"}
    assert put(config, "other") == "created"
    assert _file(config) == written


def _file(path: Path) -> tuple[int, int, int]:
    """Which file it is and when it was written; all but its last reading."""
    seen = path.stat()
    return seen.st_ino, seen.st_mode, seen.st_mtime_ns


def test_a_line_in_an_included_file_is_as_good(config: Path) -> None:
    local = config.with_name("local")
    local.write_text(f"Include {own(config)}\n")
    config.write_text(f"Include {local}\nHost a\n")
    config.chmod(0o444)
    warnings: list[str] = []
    store = ConfigFile(config, include=True, warn=warnings.append)
    assert store.put(entry_for(store), [key()]) == "created"
    assert warnings  # an empty file shows nothing: what it says is there already
    assert put(config, "other") == "created"
    assert port_of(config, "other") == ["31380"]


def test_a_line_that_does_not_reach_us_takes_everything_back(config: Path) -> None:
    """Below User, our entry comes too late; only the files in their places show that."""
    config.write_text(f"User me\nInclude {own(config)}\nHost a\n")
    before = config.read_bytes()
    with pytest.raises(NodeportError, match="would not take effect: ssh would use user me"):
        put(config)
    assert config.read_bytes() == before
    visible = [path for path in own(config).parent.iterdir() if path.suffix != ".lock"]
    assert visible == []
    assert ConfigFile(config).entries() == ()


def test_a_read_only_config_lacks_one_line(config: Path) -> None:
    """What cannot be written is said, all else is done."""
    config.write_text("Host a\n")
    config.chmod(0o444)
    with pytest.raises(NodeportError, match="is read-only") as caught:
        put(config)
    line = f'Include "{own(config)}"'
    assert f"add the line `{line}` at the top" in caught.value.hint
    assert not own(config).exists()
    warnings: list[str] = []
    store = ConfigFile(config, include=True, warn=warnings.append)
    assert store.put(entry_for(store), [key()]) == "created"
    assert warnings == [
        f"{config} is read-only: add this line by hand as its first, and ssh and editors will find "
        f"the host: {line}"
    ]
    assert config.read_text() == "Host a\n"
    config.chmod(0o600)
    config.write_text(f"{line}\n{USERS}")
    config.chmod(0o444)
    assert port_of(config) == ["31380"]
    warnings.clear()
    assert ConfigFile(config, warn=warnings.append).put(entry_for(store), [key()]) == "unchanged"
    assert warnings == []


def test_where_entries_stand(config: Path) -> None:
    line, name = f'Include "{own(config)}"', str(own(config))
    config.write_text("Host a\n")
    store = ConfigFile(config)
    assert store.whereabouts() == Whereabouts()
    put(config)
    assert store.whereabouts() == Whereabouts()
    # Not yet, but it will be.
    assert ConfigFile(config, include=True).whereabouts() == Whereabouts(name, line)
    put(config, chosen=True)
    assert store.whereabouts() == Whereabouts(name)
    store.apply(Edit(gone=(ALIAS,)))
    config.chmod(0o444)
    assert put(config) == "created", "the file of our own is left over, as the choice"
    assert store.whereabouts() == Whereabouts(name, line)
    config.chmod(0o600)
    config.write_text(f"{line}\n{USERS}")
    assert store.whereabouts() == Whereabouts(name)


def test_name_of_the_file_for_people() -> None:
    file = Location.of(user_config_path())
    assert file.own_name == "~/.ssh/kubectl-nodeport/config"
    assert Location.of(Path("/srv/hosts")).own_name == "/srv/kubectl-nodeport/hosts.config"


@needs_root
def test_a_link_into_a_read_only_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As home-manager makes it; nobody but the store's owner writes there."""
    with_store = Path(os.path.realpath(tmp_path_factory.mktemp("x"))).parent
    store, home = Path("/tmp", f"{with_store.name}-store"), Path("/tmp", f"{with_store.name}-home")
    try:
        store.mkdir()
        home.mkdir()
        (store / "config").write_text("Host a\n")
        (store / "config").chmod(0o444)
        store.chmod(0o555)
        os.chown(home, NOBODY, NOBODY)
        link = home / "config"
        link.symlink_to(store / "config")
        refused = forked(lambda: put(link), uid=NOBODY)
        assert (refused.code, "add the line `Include" in refused.text) == (1, True)
        assert not (home / "kubectl-nodeport").exists()
        for change in ("created", "unchanged"):
            done = forked(lambda: put(link, chosen=True), uid=NOBODY)
            assert (done.code, done.text) == (0, change)
        assert [path.name for path in store.iterdir()] == ["config"]
        assert own(link).exists()
    finally:
        shutil.rmtree(store, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("Include ~/.ssh/kubectl-nodeport/config", True),
        ("Include kubectl-nodeport/config", True),
        ("Include kubectl-nodeport/c*", True),
        ('Include "kubectl-nodeport/config" x', True),
        ("Include x\nHost a\n  User x\nInclude kubectl-nodeport/config", False),
        ("# Include kubectl-nodeport/config", False),
        ("Include x # kubectl-nodeport/config", False),
        ("Include */config/*", False),
        ("Include kubectl-nodeport/[!c]onfig", False),
        ("Include /home/me/.ssh/*", False),
        ("Included kubectl-nodeport/config", False),
        ("Include kubectl-nodeport", False),
        ("Include", False),
        ("Include [", False),
    ],
)
def test_lines_that_name_a_file(text: str, is_found: bool) -> None:
    file = ["/home/me/.ssh/kubectl-nodeport/config"]
    assert include.names(text, file, ["/home/me", "/other"]) is is_found


def test_a_hidden_part_is_named_by_no_star() -> None:
    assert not include.names("Include ~/*/config", ["/home/me/.x/config"], ["/home/me"])
    assert include.names("Include ~/.*/config", ["/home/me/.x/config"], ["/home/me"])


@pytest.fixture
def moving(config: Path) -> Path:
    """A config whose entries were on their way when the run was killed."""
    config.write_text("Host a\n  User x\n")
    put(config)
    put(config, "other")
    in_block = config.read_bytes()
    put(config, chosen=True, port=7)
    config.write_bytes(in_block)
    return config


@pytest.mark.parametrize("chosen", [None, False, True])
def test_what_was_on_its_way_arrives(moving: Path, chosen: bool | None) -> None:
    """ssh takes what stands in the block; the other file is the beginning of a move."""
    assert [entry.port for entry in ConfigFile(moving).entries()] == [31380, 31380]
    put(moving, "third", chosen=chosen)
    found = {entry.alias: entry.port for entry in ConfigFile(moving).entries()}
    assert found == {ALIAS: 31380, "other": 31380, "third": 31380}
    assert own(moving).exists() is (chosen is True)
    assert port_of(moving) == port_of(moving, "third") == ["31380"]


def test_an_editor_that_saves_while_entries_move_is_not_written_over(config: Path) -> None:
    """The user's own Match exec is the editor; it saves each time that ssh checks our text."""
    text = f"Host a\nMatch exec \"echo '# saved' >> {config}\"\n"
    config.write_text(text)
    with pytest.raises(NodeportError, match="changed by someone else"):
        put(config, chosen=True)
    assert set(config.read_text().removeprefix(text).splitlines()) == {"# saved"}
    assert [path.name for path in own(config).parent.iterdir()] == []
