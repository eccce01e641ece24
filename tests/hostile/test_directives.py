"""Whatever values an entry is made of: it is refused, or ssh reads of it what it says, and nothing
more, for this host and for every other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import known_hosts, names, openssh
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.proxy_command import proxy_command
from tests.hostile.values import PASTED, TEXTS, unquoted
from tests.ssh.make import ALIAS, entry_for, key, origin, without_block
from tests.ssh.make import entry as plain_entry

BEFORE = "Compression yes\nHost other\n  User them\n  ProxyCommand nc %h %p\nHost *\n  Port 2222\n"
HOSTS = ("other", "undeclared", "127.0.0.1")
ENTRY = ("hostname", "user", "identity_file", "known_hosts_file", "alias")
ORIGIN = ("cluster", "context", "namespace", "target", "pod_uid", "rule", "service", "creation")
# Every keyword that an entry of ours may set, as ssh -G names it. The last one follows from a
# known_hosts file that is not the usual one.
OURS = frozenset(
    [
        *("hostname", "port", "user", "hostkeyalias", "userknownhostsfile", "host"),
        *("globalknownhostsfile", "stricthostkeychecking", "checkhostip", "controlpath"),
        *("serveraliveinterval", "proxycommand", "proxyjump", "identityfile", "identitiesonly"),
        "updatehostkeys",
    ]
)


def answers(config: Path, hosts: tuple[str, ...]) -> list[Mapping[str, list[str]]]:
    return openssh.effective([openssh.Question(config, host) for host in hosts])


def made(store: ConfigFile, field: str, text: str) -> HostEntry:
    """An entry with the text in one place; raises NodeportError where that is refused."""
    if field == "program":
        return entry_for(store, program=("/usr/bin/kubectl-nodeport", "proxy", text))
    if field == "program itself":
        return entry_for(store, program=(text, "proxy"))
    if field == "kubeconfig":
        return entry_for(store, origin=origin(kubeconfig=(text,)))
    if field == "flags":
        return entry_for(store, origin=origin(flags=(("as_", text), ("server", text))))
    if field == "plugin_folder":
        return entry_for(store, origin=origin(plugin_folder=text))
    if field == OWN_FOLDER:
        return entry_for(store)
    if field == "alias":
        return entry_for(store, text)
    if field == "known_hosts_file":
        return plain_entry(ALIAS, known_hosts_file=text)
    if field in ORIGIN:
        return entry_for(store, origin=origin(**{field: text}))
    return entry_for(store, **{field: text})


FIELDS = (*ENTRY, *ORIGIN, "program", "program itself", "kubeconfig", "flags", "plugin_folder")
OWN_FOLDER = "the config's own folder"
ODD_TEXT = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("\n\r\t\0 \"'\\#%${}~!=-/abchost\u2028\x85\ufeff\x1b"), max_size=30),
    st.sampled_from(list(TEXTS.values())),
)


def check(folder: Path, field: str, text: str) -> None:
    config = folder / "config"
    if field == OWN_FOLDER:
        config = folder / text / "config"
        config.parent.mkdir()
    config.write_text(BEFORE)
    config.chmod(0o600)
    store = ConfigFile(config)
    before = answers(config, HOSTS)
    plain = answers(config, (ALIAS,))[0]
    try:
        entry = made(store, field, text)
        store.put(entry, [key()])
    except (NodeportError, ValueError) as error:
        if isinstance(error, ValueError):  # an entry that was made for another file
            assert field == "known_hosts_file"
        assert config.read_text() == BEFORE
        return
    assert without_block(config.read_text(encoding="utf-8", errors="surrogateescape")) == BEFORE
    assert answers(config, HOSTS) == before
    (now,) = answers(config, (entry.alias,))
    odd = {keyword for keyword in now if now[keyword] != plain.get(keyword)} - OURS
    assert odd == set()
    assert now["hostname"] == [entry.hostname.lower()]
    assert now["user"] == [entry.user]
    assert now["hostkeyalias"] == [entry.alias]
    if entry.is_tunnel:
        assert now["proxycommand"] == [proxy_command((*entry.program, entry.alias))]
    else:
        assert "proxycommand" not in now
    assert store.entries() == (entry,)
    keys = config.parent / "kubectl-nodeport"
    assert [path.name for path in keys.iterdir()] == [f"{entry.alias}.known_hosts"]
    assert now["userknownhostsfile"] == [str(path) for path in keys.iterdir()]


@pytest.mark.parametrize("field", FIELDS)
def test_every_hostile_text_in_every_field(tmp_path: Path, field: str) -> None:
    for number, text in enumerate(TEXTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(folder, field, text)


@pytest.mark.parametrize("text", [t for t in TEXTS.values() if len(t) < 200 and t.isprintable()])
def test_every_hostile_text_as_a_folder(tmp_path: Path, text: str) -> None:
    check(tmp_path, OWN_FOLDER, text.replace("/", "_"))


@pytest.mark.parametrize("text", ["a command", "a command in backticks", "out of quotes"])
@pytest.mark.parametrize("state", ["no folder", "a loop", "no config"])
def test_a_hint_about_a_file_can_be_pasted(tmp_path: Path, state: str, text: str) -> None:
    config = tmp_path / TEXTS[text].replace("/", "_") / "config"
    if state != "no folder":
        config.parent.mkdir()
    if state == "a loop":
        config.symlink_to(config)
    if state == "no config":
        config.write_text("Bad line\n")
    store = ConfigFile(config)
    with pytest.raises(NodeportError) as caught:
        store.put(entry_for(store), [key()])
    hint = caught.value.hint
    command = hint.partition("`")[2].rpartition("`")[0] if hint.endswith("`") else hint
    assert PASTED in command
    assert PASTED not in unquoted(command)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FIELDS), ODD_TEXT)
def test_any_text_in_any_field(
    tmp_path_factory: pytest.TempPathFactory, field: str, text: str
) -> None:
    check(tmp_path_factory.mktemp("any"), field, text)


@settings(max_examples=300, deadline=None)
@given(ODD_TEXT)
def test_what_may_stand_in_an_entry_is_one_word_or_path(text: str) -> None:
    """The checks themselves, oftener than files can be written."""
    for check_one in (names.validate_alias, names.validate_user, names.validate_hostname):
        if names.passes(check_one, text):
            assert text.isascii()
            assert text[0].isalnum() or text[0] in "_:"
            assert all(c.isalnum() or c in "._:-" for c in text)
    if names.passes(lambda path: names.validate_path(path, percent=True), text):
        assert text[0] in "/~"
        assert not set(text) & set('\n\r\t\0"\\#\u2028\u2029\x85\ufeff\x1b')
        assert "${" not in text


@settings(max_examples=100, deadline=None)
@given(st.text(), st.binary(max_size=80))
def test_a_key_is_never_more_than_a_line(kind: str, blob: bytes) -> None:
    try:
        text = known_hosts.render(ALIAS, [HostKey(kind, blob), key()])
    except NodeportError:
        return
    for line in text.splitlines():
        alias, _, base64 = line.split(" ")
        assert (alias, base64.isascii()) == (ALIAS, True)
