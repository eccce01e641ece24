"""What the user's own lines do to our hosts: refused, told, taken back (docs/shadowing.md)."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import effect, openssh, shadow, whole_file
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.neutral import NEUTRAL
from kubectl_nodeport.ssh.shadow import Shadowed
from tests.ssh import generated
from tests.ssh.corpus import SHADOWING
from tests.ssh.installed import version
from tests.ssh.make import ALIAS, beside, entry, entry_for, key

PROGRAM = ("/usr/local/bin/kubectl-nodeport", "proxy")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "user").write_text("User included\n")
    (tmp_path / "nested").write_text(f"# nested\nInclude {tmp_path}/user\n")
    (tmp_path / "match").write_text('Host other\nMatch exec "true"\n  User matched\n')
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return tmp_path / "config"


def fill(config: Path, text: str) -> bytes:
    data = text.replace("{here}", str(config.parent)).encode()
    config.write_bytes(data)
    config.chmod(0o600)
    return data


def ask(config: Path, host: str = ALIAS) -> Mapping[str, list[str]]:
    (answer,) = openssh.effective([openssh.Question(config, host)])
    return answer


def put(config: Path, **changes: object) -> tuple[str, list[str]]:
    """The change, and what was warned of."""
    warnings: list[str] = []
    store = ConfigFile(config, warn=warnings.append)
    alias = str(changes.get("alias", ALIAS))
    made = dataclasses.replace(entry_for(store, alias), **changes)  # type: ignore[arg-type]
    return store.put(made, [key()]), warnings


@pytest.mark.parametrize(("text", "value", "place"), SHADOWING.values(), ids=SHADOWING)
def test_what_wins_over_us_is_named_and_nothing_written(
    config: Path, text: str, value: str, place: str
) -> None:
    data = fill(config, text)
    before = beside(config)
    store = ConfigFile(config)
    name, _, line = place.rpartition(":")
    told = rf"{value}.*, from line {line} of {re.escape(str(config.parent / name))}(;|$)"
    for change in (store.apply, store.preview):
        with pytest.raises(NodeportError, match=told) as caught:
            change(Edit(((entry_for(store), (key(),)),)))
        assert "--include" in caught.value.hint
    assert config.read_bytes() == data
    assert beside(config) == before


@pytest.mark.parametrize("text", [case[0] for case in SHADOWING.values()], ids=SHADOWING)
def test_with_include_nothing_wins_over_us(config: Path, text: str) -> None:
    fill(config, text)
    store = ConfigFile(config, include=True)
    assert store.put(entry_for(store), [key()]) == "created"
    now = ask(config)
    assert (now["user"], now["port"], now["hostname"]) == (["root"], ["31380"], ["127.0.0.1"])
    assert now["stricthostkeychecking"] == ["true"]
    assert not now.keys() & {"controlpath", "proxycommand", "proxyjump", "remotecommand"}


@pytest.mark.parametrize(
    ("text", "changes", "told"),
    [
        ("ProxyUseFdpass yes\n", {"program": PROGRAM}, "proxyusefdpass yes, from line 1"),
        ("ProxyCommand nc x\n", {"program": PROGRAM}, "proxycommand nc x, from line 1"),
        ("#\nProxyJump b\n", {"program": PROGRAM}, "proxyjump b, from line 2"),
        ("ProxyCommand none\n", {"program": PROGRAM}, r"proxycommand \(unset\), from line 1"),
        ("DSAAuthentication no\n", {"identity_file": "/i"}, "pubkeyauthentication .*line 1"),
        ("AddressFamily inet\n", {"hostname": "fd00::1"}, "addressfamily inet, from line 1"),
        ("#\nVerifyHostKeyDNS yes\n", {"hostname": "node.example"}, "verifyhostkeydns .*line 2"),
        (
            "CanonicalizeHostname yes\nCanonicalDomains localdomain\n"
            "CanonicalizeFallbackLocal yes\nHostName 127.0.0.1\n",
            {},
            None,
        ),
    ],
)
def test_what_wins_over_some_entries(
    config: Path, text: str, changes: dict[str, object], told: str | None
) -> None:
    data = fill(config, text)
    if told is None:
        assert put(config, **changes)[0] == "created"
        return
    with pytest.raises(NodeportError, match=f"would use {told}"):
        put(config, **changes)
    assert config.read_bytes() == data


# What `Host *` below us says, the entry that it would harm, and what ssh uses for it then.
TAKEN_BACK: dict[str, tuple[str, dict[str, object], dict[str, list[str]]]] = {
    "remotecommand": ("RemoteCommand date", {}, {}),
    "requesttty": ("RequestTTY force", {}, {"requesttty": ["auto"]}),
    "clearallforwardings": ("ClearAllForwardings yes", {}, {"clearallforwardings": ["no"]}),
    "exitonforwardfailure": (
        "ExitOnForwardFailure yes\n  LocalForward 7001 localhost:80",
        {},
        {"exitonforwardfailure": ["no"], "localforward": ["7001 [localhost]:80"]},
    ),
    "addressfamily": ("AddressFamily inet6", {}, {"addressfamily": ["any"]}),
    "canonicalizehostname": (
        "CanonicalizeHostname always",
        {},
        {"canonicalizehostname": ["false"]},
    ),
    "verifyhostkeydns": (
        "VerifyHostKeyDNS yes",
        {"hostname": "node.example"},
        {"verifyhostkeydns": ["false"]},
    ),
    "updatehostkeys": ("UpdateHostKeys ask", {}, {"updatehostkeys": ["false"]}),
    "proxyusefdpass": ("ProxyUseFdpass yes", {"program": PROGRAM}, {"proxyusefdpass": ["no"]}),
    "pubkeyauthentication": (
        "PubkeyAuthentication no",
        {"identity_file": "/i"},
        {"pubkeyauthentication": ["true" if version() >= (8, 9) else "yes"]},
    ),
}


@pytest.mark.parametrize(("keyword", "case"), TAKEN_BACK.items(), ids=TAKEN_BACK)
def test_what_is_inherited_is_taken_back(
    config: Path, keyword: str, case: tuple[str, dict[str, object], dict[str, list[str]]]
) -> None:
    line, changes, wanted = case
    fill(config, f"Host a\n  Port 1\nHost *\n  {line}\n")
    others = ask(config, "a")
    assert put(config, **changes) == ("created", [])
    now = ask(config)
    assert {option: now.get(option) for option in wanted} == wanted
    assert wanted or keyword not in now
    assert ask(config, "a") == others
    (written,) = ConfigFile(config).entries()
    assert written.neutral == (keyword,)
    assert f"\n  {' '.join(NEUTRAL[keyword])}\n" in config.read_text()
    assert put(config, **changes) == ("unchanged", [])


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(text=generated.configs(), a=generated.configs(), b=generated.configs())
def test_an_entry_works_or_the_line_that_keeps_it_from_that_is_named(
    tmp_path_factory: pytest.TempPathFactory, text: list[str], a: list[str], b: list[str]
) -> None:
    # A config that has a Host of this very name is refused as such.
    lines = [line.replace(f"Host {generated.ALIAS}", "Host dev*") for line in text]
    config = generated.write_all(tmp_path_factory.mktemp("any"), lines, a, b)
    data = config.read_bytes()
    refusal = ""
    try:
        assert put(config, alias=generated.ALIAS, identity_file="/i/own")[0] == "created"
    except NodeportError as error:
        refusal = error.message
    if refusal:
        found = re.search(r"would use (\w+) (.*?), from line (\d+) of ([^;]*)", refusal)
        assert found is not None, refusal
        keyword, value, number, file = found.groups()
        line = Path(file).read_text().split("\n")[int(number) - 1]
        assert keyword in line.lower()
        assert value in line
        assert config.read_bytes() == data
        return
    now = ask(config, generated.ALIAS)
    made = ConfigFile(config).entries()[0]
    for keyword, value in made.options:
        if value == "none":
            assert keyword.lower() not in now
        elif keyword not in ("ServerAliveInterval", "StrictHostKeyChecking"):
            assert value in now[keyword.lower()], keyword


def test_every_line_that_an_entry_may_have_is_tried() -> None:
    assert set(TAKEN_BACK) == set(NEUTRAL)


def test_much_is_taken_back_at_once_and_stays_so(config: Path) -> None:
    text = "Host *\n  RemoteCommand date\n  ProxyJump bastion\n  UpdateHostKeys yes\n"
    fill(config, text)
    assert put(config) == ("created", [])
    config.write_text(config.read_text().replace(text, ""))
    assert put(config) == ("unchanged", [])
    assert put(config, port=7) == ("updated", [])
    (written,) = ConfigFile(config).entries()
    assert (written.neutral, written.cancel_proxy) == (("remotecommand", "updatehostkeys"), True)


def test_what_does_no_harm_is_left_to_the_user(config: Path) -> None:
    fill(
        config,
        "Host *\n  ForwardAgent yes\n  ForwardX11 yes\n  Compression yes\n  ConnectTimeout 3\n"
        "  SendEnv LANG\n  LocalForward 7001 localhost:80\n  ControlMaster auto\n"
        "  ControlPersist 9\n  HashKnownHosts yes\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        "  PermitLocalCommand yes\n  LocalCommand date\n  BatchMode yes\n  AddressFamily inet\n"
        "  NoHostAuthenticationForLocalhost yes\n  VerifyHostKeyDNS yes\n  RequestTTY no\n"
        "  CanonicalDomains example.org\n  PubkeyAuthentication no\n  ExitOnForwardFailure no\n"
        "  PreferredAuthentications password\n"
        "  Ciphers aes256-ctr\n  HostKeyAlgorithms ssh-ed25519\n",
    )
    assert put(config) == ("created", [])
    (written,) = ConfigFile(config).entries()
    assert (written.neutral, written.cancel_proxy) == ((), False)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("KnownHostsCommand /bin/true", {}),
        ("SessionType none", {}),
        ("StdinNull yes", {}),
        ("BindAddress 127.0.0.2", {}),
        ("BindInterface eth7", {}),
        ("PreferredAuthentications password", {"identity_file": "/i"}),
    ],
)
def test_what_cannot_be_taken_back_is_a_warning(
    config: Path, line: str, changes: dict[str, object]
) -> None:
    """Below us; the line is told as it is numbered once our block is in place."""
    fill(config, f"{line}\n")
    try:
        ask(config)
    except openssh.SshRefusedError:
        pytest.skip(f"this ssh is older than {line}")
    fill(config, f"Host a\n  User x\nHost *\n  {line}\n")
    change, warnings = put(config, **changes)
    (warning,) = warnings
    number = config.read_text().split("\n").index(f"  {line}") + 1
    assert change == "created"
    assert f"{line.lower()}, from line {number} of {config}; " in warning


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("ServerAliveInterval 7", {}),
        ("CheckHostIP yes", {}),
        ("IdentitiesOnly no", {"identity_file": "/i"}),
        ("RequestTTY force", {}),
        ("UpdateHostKeys ask", {}),
        ("CanonicalizeHostname yes", {}),
    ],
)
def test_lesser_options_are_a_warning(config: Path, line: str, changes: dict[str, object]) -> None:
    fill(config, f"# x\n{line}\n")
    change, (warning,) = put(config, **changes)
    assert change == "created"
    assert f"ssh uses {line.split()[0].lower()} " in warning
    assert f"from line 2 of {config}" in warning
    assert put(config, **changes) == ("unchanged", [warning])


def test_a_name_made_canonical_is_told_by_its_cause() -> None:
    """The name itself stands in no line but ours."""
    plain = {"hostname": ["node"]}
    other = {"hostname": ["node.example"], "canonicalizehostname": ["true"]}
    found = shadow.shadowed(entry(hostname="node"), plain, other)
    assert [(one.keyword, one.is_decisive) for one in found] == [
        ("hostname", True),
        ("canonicalizehostname", False),
    ]
    better = shadow.remedied(entry(hostname="node"), found)
    assert better is not None
    assert better.neutral == ("canonicalizehostname",)


@pytest.mark.parametrize(
    ("made", "options", "keyword"),
    [
        (entry(hostname="fd00::1"), {"addressfamily": ["inet"]}, "addressfamily"),
        (entry(hostname="fd00::1"), {"addressfamily": ["inet6"]}, None),
        (entry(hostname="node"), {"addressfamily": ["inet6"]}, None),
        (entry(program=PROGRAM), {"addressfamily": ["inet6"]}, None),
        (entry(program=PROGRAM), {"bindaddress": ["::1"]}, None),
        (entry(), {"proxyusefdpass": ["yes"]}, None),
        (entry(), {"verifyhostkeydns": ["true"]}, None),
        (entry(hostname="node"), {"verifyhostkeydns": ["ask"]}, "verifyhostkeydns"),
        (entry(), {"canonicalizehostname": ["unset"]}, "canonicalizehostname"),
        (entry(), {"exitonforwardfailure": ["yes"]}, None),
        (entry(), {"sessiontype": ["subsystem"]}, "sessiontype"),
        (entry(), {"preferredauthentications": ["password"]}, None),
        (
            entry(identity_file="/i"),
            {"preferredauthentications": ["gssapi-with-mic,publickey"]},
            None,
        ),
    ],
)
def test_harm_depends_on_the_entry(
    made: HostEntry, options: dict[str, list[str]], keyword: str | None
) -> None:
    alone: dict[str, list[str]] = {}
    assert [one.keyword for one in shadow.shadowed(made, alone, options)] == (
        [keyword] if keyword else []
    )


def test_what_the_system_says_counts_only_where_the_entry_does_not() -> None:
    answer = {"remotecommand": ["date"], "proxyjump": ["b"]}
    found = shadow.inherited(entry(), answer, has_proxy=False)
    assert [one.keyword for one in found] == ["remotecommand", "proxyjump"]
    assert shadow.inherited(entry(neutral=("remotecommand",)), answer, has_proxy=True) == ()


def test_a_remedy_is_found_once() -> None:
    found = (Shadowed("remotecommand", "date", True), Shadowed("proxyjump", "b", True))
    better = shadow.remedied(entry(), found)
    assert better == entry(neutral=("remotecommand",), cancel_proxy=True)
    assert shadow.remedied(better, found) is None
    assert shadow.kept(entry(port=7), better) == entry(
        port=7, neutral=("remotecommand",), cancel_proxy=True
    )


def test_what_ssh_refuses_for_another_host_alone_is_its_own_matter(config: Path) -> None:
    """A loop of jumps; the host is among those that are compared, for there are but two."""
    loop = "  HostName j\n  ProxyJump me@j\n  User me\n"
    fill(config, f"Host j\n{loop}Host a\n  Port 1\n")
    if version() < (8, 4):
        pytest.skip("this ssh goes in circles")
    with pytest.raises(openssh.SshRefusedError, match="jumphost loop"):
        ask(config, "j")
    assert put(config) == ("created", [])
    fill(config, "Prot 1\n")
    with pytest.raises(openssh.SshRefusedError, match="line 1: Bad configuration option"):
        put(config)


def test_a_section_that_another_tool_put_above_our_block_is_named(config: Path) -> None:
    """As DevPod and Coder do: above the first Host, which is ours by now."""
    assert put(config)[0] == "created"
    ours = config.read_text()
    above = "Host other\n  Port 1\nHost *.docker-desktop !*.prod.*\n  HostName 10.0.0.9\n"
    config.write_text(f"{above}{ours}")
    with pytest.raises(NodeportError, match=rf"hostname 10.0.0.9, from line 4 of {config}$"):
        put(config)
    config.write_text(f"Host other\n  Port 1\n{ours}")
    assert put(config) == ("unchanged", [])


@pytest.mark.posix
def test_an_include_without_end_is_told(config: Path) -> None:
    data = fill(config, "Include {here}/config\n")
    with pytest.raises(NodeportError, match="Too many recursive configuration includes"):
        put(config)
    assert config.read_bytes() == data


@pytest.mark.posix
def test_an_include_of_a_pipe_does_not_hold_us_up(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh waits for a writer; we end it, and open nothing ourselves."""
    monkeypatch.setattr(openssh, "_TIMEOUT_S", 1.0)
    os.mkfifo(config.parent / "pipe", 0o600)
    data = fill(config, "Include {here}/pipe\n")
    with pytest.raises(NodeportError, match="no answer within 1 s") as caught:
        put(config)
    assert "an Include of a pipe" in caught.value.hint
    assert config.read_bytes() == data
    assert whole_file.read_some(config.parent / "pipe", 100) == b""


def test_of_a_config_no_more_is_read_than_is_bearable(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("x" * 11)
    assert whole_file.read_some(tmp_path / "c", 11) == b"x" * 11
    assert whole_file.read_some(tmp_path / "c", 10) is None
    assert whole_file.read_some(tmp_path, 10) == b""
    assert whole_file.read_some(Path("/dev/zero"), 10) == b""


def test_where_a_line_cannot_be_found_none_is_invented(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect, "_MAX_BYTES", 10)
    fill(config, "# a comment\nUser me\n")
    told = rf"user me, from somewhere in {config} or a file that it includes$"
    with pytest.raises(NodeportError, match=told):
        put(config)
