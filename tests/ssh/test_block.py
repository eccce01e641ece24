from __future__ import annotations

import hashlib
import json
import random
import re

import paramiko
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.reader import ConfigRefusedError
from tests.ssh.make import ALIAS, entry, origin, without_block

OTHER = entry("web.default.docker-desktop", origin=origin(target="deploy/web"))

LINES = [
    "",
    "# a comment",
    "  # indented comment",
    "Host a b",
    "host=c",
    '  "Host" d',
    "\tHOST *",
    "Match all",
    "match host x exec true",
    "Hostname 1.2.3.4",
    "HostKeyAlias x",
    "  User me  ",
    "Include conf.d/*",
    "IdentityFile ~/.ssh/\udcff\udcfe",
    "# >>> conda initialize >>>",
    "Host",
    "=",
    "\x0b\x0c\x85\u2028",
    "\r",
]


def put(text: str, one: HostEntry) -> str:
    return block.edit(text, (one,))


TEXTS = st.one_of(
    st.lists(
        st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\n", "\r\n", "\n\n", ""])),
        max_size=12,
    ).map(lambda pairs: "".join(line + end for line, end in pairs)),
    st.binary(max_size=120).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


def is_plain(text: str) -> bool:
    return "\0" not in text and not text.startswith("\ufeff")


@given(TEXTS)
def test_put_touches_no_byte_of_others(text: str) -> None:
    assume(is_plain(text))
    once = put(text, entry())
    assert without_block(once) == text
    assert block.outside(once) in (text, f"{text}\n", f"{text}\r\n")
    assert put(once, entry()) == once
    assert block.entries(once) == (entry(),)


@given(TEXTS, st.permutations([entry(), OTHER]))
def test_two_entries_come_in_any_order(text: str, come: list[HostEntry]) -> None:
    assume(is_plain(text))
    both = put(put(text, come[0]), come[1])
    assert without_block(both) == text
    assert list(block.entries(both)) == come
    changed = put(both, entry(port=1))
    assert without_block(changed) == text
    assert {one.port for one in block.entries(changed)} == {1, OTHER.port}


LINE = 'Include "/home/me/kubectl-nodeport/config"'


@given(TEXTS)
def test_the_way_back_gives_every_byte_back(text: str) -> None:
    assume(is_plain(text))
    both = block.edit(text, (entry(), OTHER))
    assert block.edit(both, (), (ALIAS, OTHER.alias)) == block.without(both) == text
    included = block.with_include(text, LINE)
    assert (block.include(included), block.without(included)) == (LINE, text)
    assert block.with_include(both, LINE) == block.with_include(included, LINE) == included
    assert block.edit(block.without(included), (entry(), OTHER)) == both


@given(TEXTS)
def test_bytes_come_back_from_text(text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    assert data.decode("utf-8", "surrogateescape").encode("utf-8", "surrogateescape") == data


def test_the_block_as_the_contract_shows_it() -> None:
    lines = put("", entry(identity_file="~/.ssh/id")).splitlines()
    comment = lines.pop(2)
    assert comment.startswith('  # kubectl-nodeport: {"v":1,')
    assert lines == [
        "# >>> kubectl-nodeport v1 >>> (made by `kubectl nodeport`; use its commands to change it)",
        "Host dev.default.docker-desktop",
        "  HostName 127.0.0.1",
        "  Port 31380",
        "  User root",
        "  HostKeyAlias dev.default.docker-desktop",
        "  UserKnownHostsFile ~/.ssh/kubectl-nodeport/dev.default.docker-desktop.known_hosts",
        "  GlobalKnownHostsFile ~/.ssh/kubectl-nodeport/dev.default.docker-desktop.known_hosts",
        "  StrictHostKeyChecking yes",
        "  CheckHostIP no",
        "  ControlPath none",
        "  ServerAliveInterval 30",
        "  IdentityFile ~/.ssh/id",
        "  IdentitiesOnly yes",
        "# <<< kubectl-nodeport <<<",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("User me\n", ""),
        ("", "Host a\n"),
        ("", "# about a\nHost a\n"),
        ("# general\n\n", "# about a\n  # more\nHost a\n"),
        ("Include x\n", "match all\n"),
        ("HostKeyAlgorithms x\nHostname y\n", "\thost=a\n"),
        ("", '"Host" a\nHost b\n'),
        ("# Host commented\n\n", "Host a\n"),
        ("Include x\r\n\r\n", "# about\r\nHost a\r\n"),
    ],
)
def test_place_is_above_the_first_section_and_its_comments(before: str, after: str) -> None:
    text = put(before + after, entry())
    assert text.startswith(before + block.BEGIN)
    newline = "\r\n" if "\r\n" in before else "\n"
    assert text.endswith(block.END + newline + after)


def test_the_block_takes_the_line_ends_of_the_file() -> None:
    assert "\n" not in put("Host a\r\nUser b\r\nPort 1\n", entry()).replace("\r\n", "").replace(
        "Port 1\n", ""
    )
    assert "\r" not in put("Host a\r\nUser b\nPort 1\n", entry()).replace("a\r", "")


def summed(text: str) -> str:
    """The text but for what guards an entry's lines against edits."""
    return re.sub(r'"sum":"[0-9a-f]{16}"', '"sum":""', text)


def test_an_update_keeps_the_place() -> None:
    text = "Host early\n" + put("Host a\n", entry())
    changed = put(text, entry(port=2200))
    assert summed(changed) == summed(
        text.replace("Port 31380", "Port 2200").replace(":31380,", ":2200,")
    )


DEVPOD = "# DevPod Start x.devpod\nHost x.devpod\n  User y\n\n# DevPod End x.devpod\n"


@pytest.mark.parametrize("place", [1, 13, 25])
def test_lines_of_others_are_moved_out_as_they_are(place: int) -> None:
    both = put(put("Include x\n\nHost a\n", entry()), OTHER)
    lines = both.splitlines(keepends=True)
    lines.insert(2 + place, DEVPOD)
    assert place == 25 or lines[3 + place].startswith("Host")
    text = "".join(lines)
    changed = put(text, entry(port=5))
    above, below = ("Include x\n\n" + DEVPOD, "") if place == 1 else ("Include x\n\n", DEVPOD)
    rest = put(both, entry(port=5)).removeprefix("Include x\n\n").removesuffix("Host a\n")
    assert changed == above + rest + below + "Host a\n"
    assert without_block(changed) == "Include x\n\n" + DEVPOD + "Host a\n"
    assert block.outside(text) == "Include x\n\n" + DEVPOD + "Host a\n"
    assert block.without(text) == block.outside(text)
    assert [one.alias for one in block.entries(text)] == [ALIAS, OTHER.alias]


def test_what_stood_below_an_entry_does_not_come_above_it() -> None:
    both = put(put("Compression yes", entry()), OTHER)
    text = both.replace("Host web", "# all\nHost *\n  User me\nHost web")
    changed = put(text, entry(port=5))
    assert changed.endswith(f"{block.END}\n# all\nHost *\n  User me\n")
    assert block.without(changed) == "Compression yes\n# all\nHost *\n  User me\n"
    assert put(changed, entry(port=5)) == changed


def test_global_lines_inside_stay_global() -> None:
    text = put("Host a\n", entry()).replace("Host dev", "Include more\nHost dev")
    assert put(text, entry()) == "Include more\n" + put("Host a\n", entry())


BLOCK = put("", entry())
COMMENT = BLOCK.splitlines()[2]


@pytest.mark.parametrize(
    "edited",
    [
        BLOCK.replace("User root", "User bob"),
        BLOCK.replace("  Port 31380\n", ""),
        BLOCK.replace("  CheckHostIP no\n", "  CheckHostIP no\n  ForwardAgent yes\n"),
        BLOCK.replace("  CheckHostIP no\n", "  # mine\n  CheckHostIP no\n"),
        BLOCK.replace("Host dev.", "Host my "),
        BLOCK.replace('"port":31380', '"port":22'),
        BLOCK.replace('"v":1', '"v":0'),
        BLOCK.replace('"v":1', '"v":"2"'),
        BLOCK.replace('"v":1', '"v":1,"more":1'),
        BLOCK.replace('"cluster":', '"more":1,"cluster":'),
        BLOCK.replace('{"v"', '"v"'),
    ],
)
def test_an_edit_by_hand_is_told_with_a_diff(edited: str) -> None:
    assert edited != BLOCK
    for change in (
        lambda: put(edited, entry(port=2)),
        lambda: block.entries(edited),
    ):
        with pytest.raises(ConfigRefusedError, match=r"line 2: .* edited by hand") as caught:
            change()
        assert "+++ found" in caught.value.detail


def test_the_diff_names_both_values() -> None:
    with pytest.raises(ConfigRefusedError) as caught:
        put(BLOCK.replace("User root", "User bob"), entry())
    assert "-  User root" in caught.value.detail
    assert "+  User bob" in caught.value.detail


def test_white_space_is_no_edit() -> None:
    text = BLOCK.replace("\n  ", "\n\t").replace("no\n", "no  \n")
    assert put(text, entry()) == BLOCK


def test_another_entry_edited_by_hand_does_not_hold_this_one_up() -> None:
    text = put(BLOCK, OTHER).replace("User root", "User bob", 1)
    assert "User bob" in put(text, entry(OTHER.alias, port=9))


def test_an_entry_that_lost_its_comment_is_the_users() -> None:
    text = BLOCK.replace(COMMENT + "\n", "")
    assert block.entries(text) == ()
    assert f"Host {ALIAS}" in block.outside(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"\n{block.BEGIN}\nHost a\n", 2),
        (f"Host a\n{block.END}\n", 2),
        (f"{block.END}\n{block.BEGIN}\n", 1),
        (BLOCK + BLOCK, 15),
        (BLOCK.replace(block.END, block.BEGIN), 14),
        (BLOCK.replace(block.END, block.BEGIN + "\n" + block.END), 14),
        (BLOCK + block.END + "\n", 15),
        (BLOCK.replace(" v1 ", " v2 "), 1),
        (BLOCK.replace(" v1 ", " v0 "), 1),
        (BLOCK.replace(" v1 ", " v01 "), 1),
        (BLOCK.replace("v1 >>>", "v1"), 1),
        (BLOCK.rstrip("\n") + "Host b\n", 14),
        (BLOCK.replace("# >>>", "#>>>"), 1),
        ("\ufeffHost a\n", 1),
        ("Host a\nUser \0\n", 2),
        (BLOCK.replace(block.END, "".join(BLOCK.splitlines(keepends=True)[1:])), 14),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(text: str, line: int) -> None:
    assert BLOCK.count("\n") == 14
    for change in (
        lambda: put(text, entry()),
        lambda: block.entries(text),
    ):
        with pytest.raises(ConfigRefusedError, match=rf"^line {line}\b"):
            change()


def test_markers_may_be_indented_and_followed_by_other_words() -> None:
    text = BLOCK.replace("(made by", "(written by", 1).replace(block.END, f"  {block.END} ")
    assert put(text, entry()) == BLOCK


def test_paramiko_reads_the_same_values() -> None:
    text = put("Host *\n  User nobody\n", entry(identity_file="/a b/c", cancel_proxy=True))
    found: dict[str, object] = {**paramiko.SSHConfig.from_text(text).lookup(ALIAS)}
    assert (found["hostname"], found["port"], found["user"]) == ("127.0.0.1", "31380", "root")
    assert found["identityfile"] == ["/a b/c"]
    assert found.get("proxycommand") is None
    assert paramiko.SSHConfig.from_text(text).get_hostnames() == {"*", ALIAS}


@given(st.data())
def test_no_value_that_passes_adds_a_line(data: st.DataObject) -> None:
    """Hostile values either make no entry or an entry of the same keywords."""
    field = data.draw(
        st.sampled_from(["alias", "hostname", "user", "known_hosts_file", "identity_file"])
    )
    good = getattr(entry(identity_file="/k"), field)
    bad = data.draw(st.text(alphabet="\n\r\0 \"'#%$={}\\\u2028\u0085abZ-*!", max_size=4))
    cut = random.Random(data.draw(st.integers(0, 99))).randint(0, len(good))
    values = {"alias": ALIAS, "identity_file": "/k", field: good[:cut] + bad + good[cut:]}
    try:
        made: HostEntry = entry(**values)
    except NodeportError:
        return
    keywords = [line.split()[0] for line in put("", made).split("\n") if line]
    usual = put("", entry(identity_file="/k")).split("\n")
    assert keywords == [line.split()[0] for line in usual if line]


def of_another_version(made: HostEntry, *more: str) -> str:
    """The entry as a version would have written it that knows one line more, or one less."""
    lines = [*made.lines[:-1], *more]
    (comment,) = made.comments
    plain = json.loads(comment.removeprefix("kubectl-nodeport: "))
    del plain["sum"]
    plain["sum"] = hashlib.sha256(
        "\n".join([json.dumps(plain, separators=(",", ":")), *lines]).encode()
    ).hexdigest()[:16]
    comment = f"  # kubectl-nodeport: {json.dumps(plain, separators=(',', ':'))}"
    body = [lines[0], comment, *(f"  {line}" for line in lines[1:])]
    return "\n".join([block.BEGIN, *body, block.END, "Host a", ""])


@pytest.mark.parametrize("more", [(), ("ServerAliveInterval 15", "ServerAliveCountMax 3")])
def test_an_entry_of_another_version_is_updated(more: tuple[str, ...]) -> None:
    text = of_another_version(entry(), *more)
    assert block.entries(text) == (entry(),)
    assert put(text, entry()) == put("Host a\n", entry())
    assert block.edit(text, (), {ALIAS}) == "Host a\n"


def test_an_entry_of_another_version_that_was_edited_is_refused() -> None:
    text = of_another_version(entry(), "ServerAliveInterval 15")
    for old, new in (("Interval 15", "Interval 16"), ("  User root\n", ""), (":31380", ":22")):
        assert old in text
        with pytest.raises(NodeportError, match="was edited by hand"):
            block.entries(text.replace(old, new))


def test_an_entry_without_a_sum_is_read_and_gets_one() -> None:
    """As the first ones were written."""
    text = put("Host a\n", entry())
    old = re.sub(r',"sum":"[0-9a-f]+"', "", text)
    assert old != text
    assert block.entries(old) == (entry(),)
    assert put(old, entry()) == text
    with pytest.raises(NodeportError, match="was edited by hand"):
        block.entries(old.replace("Port 31380", "Port 22"))


def test_an_entry_of_a_newer_version_is_told_as_such() -> None:
    """It says what is not known here, and nobody edited it."""
    made = entry()
    (comment,) = made.comments
    plain = json.loads(comment.removeprefix("kubectl-nodeport: "))
    del plain["sum"]
    plain["more"] = 1
    whole = json.dumps(plain, separators=(",", ":"))
    guard = hashlib.sha256("\n".join([whole, *made.lines]).encode()).hexdigest()[:16]
    new = f'# kubectl-nodeport: {whole[:-1]},"sum":"{guard}"}}'
    text = put("", made).replace(f"# {comment}", new)
    for act in (lambda: block.entries(text), lambda: put(text, made)):
        with pytest.raises(NodeportError, match="written by a newer kubectl-nodeport"):
            act()
