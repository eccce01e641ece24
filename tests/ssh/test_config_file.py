from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import openssh
from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.edit import Edit
from tests.ssh.make import ALIAS, beside, entry_for, key, without_block

LINES = [
    "Host a",
    "  host = b a*",
    '"Host" *',
    "Match all",
    "match originalhost a",
    "Host * !b",
    "User me",
    "\tPort=2222",
    "  Compression yes",
    "# Host c",
    "",
    "#",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "more").write_text("Host included\n  User included\n  Port 44\n")
    (tmp_path / "user").write_text("User included\n")
    return tmp_path / "config"


def fill(config: Path, text: str) -> bytes:
    data = text.replace("{here}", str(config.parent)).encode("utf-8", "surrogateescape")
    config.write_bytes(data)
    config.chmod(0o600)
    return data


def ask(config: Path, hosts: list[str]) -> list[Mapping[str, list[str]]]:
    return openssh.effective([openssh.Question(config, host) for host in hosts])


def ask_ours(config: Path) -> Mapping[str, list[str]]:
    (answer,) = ask(config, [ALIAS])
    return answer


def users_bytes(config: Path) -> bytes:
    text = config.read_bytes().decode("utf-8", "surrogateescape")
    return without_block(text).encode("utf-8", "surrogateescape")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\n", "\r\n", "\n\n"])),
        min_size=1,
        max_size=9,
    )
)
def test_any_order_of_lines_keeps_its_meaning(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    config = tmp_path_factory.mktemp("any") / "config"
    text = "".join(line + end for line, end in pairs)
    data = fill(config, text)
    hosts = ["a", "b", "ab", "127.0.0.1", "undeclared"]
    before = ask(config, hosts)
    # Nothing wins over a file of our own; and the way back gives every byte back.
    included = ConfigFile(config, include=True)
    included.put(entry_for(included), [key()])
    assert ask_ours(config)["user"] == ["root"]
    assert ask(config, hosts) == before
    assert users_bytes(config) == data
    included.apply(Edit(gone=(ALIAS,)))
    assert config.read_bytes() == data
    store = ConfigFile(config, include=False)
    # Only what stands above the first section may win over us.
    above = re.split(r'(?im)^[\s"]*(?:host|match)\b', text)[0]
    if re.search(r"(?m)^\s*(?:User|Port)\b", above):
        with pytest.raises(NodeportError, match=r"would use (user|port) \w+, from line \d+ of"):
            store.put(entry_for(store), [key()])
        assert config.read_bytes() == data
        return
    store.put(entry_for(store), [key()])
    assert ask_ours(config)["user"] == ["root"]
    assert ask(config, hosts) == before
    assert users_bytes(config) == data


def test_what_comes_to_win_later_is_told_even_when_nothing_changes(config: Path) -> None:
    store = ConfigFile(config)
    store.put(entry_for(store), [key()])
    config.write_bytes(b"User me\n" + config.read_bytes())
    with pytest.raises(NodeportError, match="user me, from line 1"):
        store.put(entry_for(store), [key()])


def test_nothing_is_written_when_another_host_would_change(config: Path) -> None:
    """A Match exec that is true once looks like a change, as a real one would."""
    data = fill(config, f'Host a\n  Port 1\nMatch exec "mkdir {config.parent}/once"\n  User y\n')
    store = ConfigFile(config)
    with pytest.raises(NodeportError, match="would change what ssh does for"):
        store.put(entry_for(store), [key()])
    assert config.read_bytes() == data
    assert beside(config) == {"config", "more", "user", "once"}


def test_an_inherited_proxy_is_cancelled_once_and_stays_so(config: Path) -> None:
    fill(config, "Host a\n  User x\n")
    store = ConfigFile(config)
    store.put(entry_for(store), [key()])
    assert b"ProxyCommand" not in config.read_bytes()
    config.write_bytes(config.read_bytes() + b"Host *.docker-desktop\n  ProxyJump b\n")
    assert store.put(entry_for(store), [key()]) == "updated"
    assert b"  ProxyCommand none\n" in config.read_bytes()
    assert store.put(entry_for(store), [key()]) == "unchanged"
    assert "proxyjump" not in ask_ours(config)


def test_an_identity_file_is_offered_alone(config: Path) -> None:
    identity = config.parent / "my key 100%"
    fill(config, "Host *\n  IdentityFile ~/.ssh/star\n  IdentitiesOnly no\n")
    store = ConfigFile(config)
    store.put(entry_for(store, identity_file=str(identity)), [key()])
    now = ask_ours(config)
    assert now["identitiesonly"] == ["yes"]
    assert now["identityfile"][0].replace("%%", "%") == str(identity)
    assert store.entries()[0].identity_file == str(identity)


def test_known_hosts_and_config_are_private(config: Path) -> None:
    store = ConfigFile(config)
    assert store.put(entry_for(store), [key(2), key(1)]) == "created"
    folder = config.parent / "kubectl-nodeport"
    file = folder / f"{ALIAS}.known_hosts"
    assert file.read_text() == f"{ALIAS} {key(1).openssh}\n{ALIAS} {key(2).openssh}\n"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, file, config)]
    assert modes == [0o700, 0o600, 0o600]


def written_at(path: Path) -> tuple[int, int, int]:
    """Which file it is and when it was written; reading it changes another time of its."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def test_new_keys_alone_are_an_update(config: Path) -> None:
    store = ConfigFile(config)
    store.put(entry_for(store), [key(1)])
    before = written_at(config)
    assert store.put(entry_for(store), [key(2)]) == "updated"
    assert written_at(config) == before
    assert key(2).openssh in Path(store.known_hosts_path(ALIAS)).read_text()


def test_unchanged_is_not_written(config: Path) -> None:
    store = ConfigFile(config)
    store.put(entry_for(store), [key()])
    files = [config, Path(store.known_hosts_path(ALIAS))]
    before = [written_at(file) for file in files]
    assert store.put(entry_for(store), [key()]) == "unchanged"
    assert [written_at(file) for file in files] == before


def test_entries_and_declared_names(config: Path) -> None:
    fill(config, "Host a b\n  User x\nHost *.c\n")
    store = ConfigFile(config)
    assert store.entries() == ()
    store.put(entry_for(store), [key()])
    assert store.entries() == (entry_for(store),)
    found = [store.declares(name) for name in ("a", "b", "*.c", "x.c", ALIAS, "A")]
    assert found == [True, True, False, False, False, False]


def test_preview_is_a_diff_and_touches_nothing(config: Path) -> None:
    data = fill(config, "# about\nHost a\n  ProxyJump b\nHost *\n  ProxyJump c\n")
    store = ConfigFile(config)
    diff = store.preview(Edit(((entry_for(store), (key(),)),)))
    assert config.read_bytes() == data
    assert {path.name for path in config.parent.iterdir()} == {"config", "more", "user"}
    store.put(entry_for(store), [key()])
    after = config.read_text().splitlines()
    added = [line.removeprefix("+") for line in diff.splitlines() if line.startswith("+")]
    assert [line for line in after if line not in data.decode().splitlines()] == added[1:-2]
    assert not [line for line in diff.splitlines() if re.match(r"-(?!--)", line)]
    assert store.preview(Edit(((entry_for(store), (key(),)),))) == ""
    assert f"+{ALIAS} {key().openssh}" in diff


def test_preview_without_any_file(tmp_path: Path) -> None:
    store = ConfigFile(tmp_path / "none" / "config")
    assert "+  Port 31380" in store.preview(Edit(((entry_for(store), (key(),)),)))
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_ssh_refuses_is_told_with_its_own_line(config: Path) -> None:
    data = fill(config, "Host a\n  Prot 22\n")
    store = ConfigFile(config)
    with pytest.raises(openssh.SshRefusedError, match=rf"{config}: line 2: Bad configuration"):
        store.put(entry_for(store), [key()])
    assert config.read_bytes() == data


@pytest.mark.parametrize("include", [None, False, True])
def test_damage_is_told_with_file_and_line(config: Path, include: bool | None) -> None:
    fill(config, "Host a\n# <<< kubectl-nodeport <<<\n")
    store = ConfigFile(config, include=include)
    edit = Edit(((entry_for(store), (key(),)),))
    for act in (store.entries, lambda: store.apply(edit), lambda: store.preview(edit)):
        with pytest.raises(NodeportError, match=rf"^{config}, line 2: a marker"):
            act()


def test_a_read_only_file_comes_with_the_lines_to_add(config: Path) -> None:
    data = fill(config, "Host *\n  ProxyJump bastion\n")
    config.chmod(0o444)
    store = ConfigFile(config)
    with pytest.raises(NodeportError, match="is read-only") as caught:
        store.put(entry_for(store), [key()])
    assert config.read_bytes() == data
    assert not (config.parent / "kubectl-nodeport").exists()
    # Added by hand, the very lines and keys are found to be in place.
    block_text, keys_text = caught.value.detail.split("\n\n")
    config.chmod(0o600)
    config.write_text(f"{block_text}\n{data.decode()}")
    config.chmod(0o444)
    Path(store.known_hosts_path(ALIAS)).parent.mkdir()
    Path(store.known_hosts_path(ALIAS)).write_text(keys_text)
    assert store.put(entry_for(store), [key()]) == "unchanged"


def test_host_keys_go_back_when_the_config_cannot_be_written(config: Path) -> None:
    """The user's own Match exec is the editor that saves the file while ssh checks ours."""
    store = ConfigFile(config)
    store.put(entry_for(store), [key(1)])
    known = Path(store.known_hosts_path(ALIAS))
    keys = known.read_bytes()
    text = config.read_text() + f"Match exec \"echo '# saved' >> {config}\"\n"
    config.write_text(text)
    with pytest.raises(NodeportError, match="changed by someone else"):
        store.put(entry_for(store, port=2), [key(2)])
    added = config.read_text().removeprefix(text)
    assert set(added.splitlines()) == {"# saved"}
    assert known.read_bytes() == keys
    assert beside(known) == {known.name}
    assert beside(config) == {"config", "more", "user", "kubectl-nodeport"}


def test_a_save_in_between_is_kept_and_the_write_tried_again(config: Path) -> None:
    saved, once = config.parent / "saved", config.parent / "once"
    editor = f'Match exec "mkdir {once} 2>/dev/null && cp {saved} {config}"\n'
    fill(config, editor)
    saved.write_text(f"Host saved\n  User me\n{editor}")
    store = ConfigFile(config)
    assert store.put(entry_for(store), [key()]) == "created"
    assert once.exists()
    assert config.read_text().endswith(saved.read_text())
    assert store.entries() == (entry_for(store),)


def test_an_entry_for_another_file_is_a_mistake(config: Path) -> None:
    store = ConfigFile(config)
    other = ConfigFile(config.parent / "sub" / "config")
    with pytest.raises(ValueError, match="not where host keys are written"):
        store.put(entry_for(other), [key()])


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    store = ConfigFile(tmp_path / "none" / "config")
    with pytest.raises(NodeportError, match="there is no folder"):
        store.put(entry_for(store), [key()])
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_host_keys_live_beside_it(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "config"
    link.symlink_to("../dotfiles/config")
    store = ConfigFile(link)
    assert store.put(entry_for(store), [key()]) == "created"
    assert link.is_symlink()
    assert (tmp_path / "dotfiles" / "config").read_bytes().count(b"\nHost ") == 1
    assert (tmp_path / "home" / "kubectl-nodeport" / f"{ALIAS}.known_hosts").exists()
    assert ask_ours(link)["port"] == ["31380"]


def test_a_folder_with_blanks_and_percent(tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    folder.mkdir()
    store = ConfigFile(folder / "config")
    assert store.put(entry_for(store), [key()]) == "created"
    found = ask_ours(folder / "config")["userknownhostsfile"]
    assert found == [str(folder / "kubectl-nodeport" / f"{ALIAS}.known_hosts")]
    odd = ConfigFile(tmp_path / "100%" / "config")
    with pytest.raises(NodeportError, match="cannot be written to an ssh config"):
        entry_for(odd)


def test_two_configs_of_a_folder_have_each_its_own_keys(tmp_path: Path) -> None:
    one, other = (ConfigFile(tmp_path / name) for name in ("a.conf", "b.conf"))
    for store in (one, other):
        assert store.put(entry_for(store), [key()]) == "created"
        store.server_seed(ALIAS)
    one.apply(Edit(gone=(ALIAS,)))
    left = {path.name for path in (tmp_path / "kubectl-nodeport").iterdir()}
    assert {f"b.conf@{ALIAS}.known_hosts", f"b.conf@{ALIAS}.host_key"} <= left
    assert not any(name.startswith("a.conf@") for name in left)
    assert ask_ours(tmp_path / "b.conf")["userknownhostsfile"] == [other.known_hosts_path(ALIAS)]


@pytest.mark.posix
def test_the_users_own_config_follows_passwd_not_home(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setenv("HOME", "/nowhere")
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert user_config_path() == home / ".ssh" / "config"
    store = ConfigFile(user_config_path())
    assert store.known_hosts_path("dev") == "~/.ssh/kubectl-nodeport/dev.known_hosts"


def test_a_sample_of_the_users_hosts_is_compared(config: Path) -> None:
    """Each question to ssh runs this Match exec once, so they can be counted."""
    log = config.parent / "log"
    hosts = "".join(f"Host h{number}\n  User u\n" for number in range(20))
    fill(config, f'{hosts}Match exec "echo %n >> {log}"\n  User y\n')
    store = ConfigFile(config)
    store.put(entry_for(store), [key()])
    asked = log.read_text().split()
    assert len(asked) == 9
    assert len({host for host in asked if re.fullmatch(r"h\d+", host)}) == 3
    assert asked.count("kubectl-nodeport.invalid") == 2
