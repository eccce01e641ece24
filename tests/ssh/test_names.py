from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.names import (
    alias_for,
    alias_with_hash,
    validate_alias,
    validate_hostname,
    validate_path,
    validate_port,
    validate_user,
)


@pytest.mark.parametrize(
    ("target", "namespace", "context", "alias"),
    [
        ("pod/dev", "default", "docker-desktop", "dev.default.docker-desktop"),
        ("dev", "default", "docker-desktop", "dev.default.docker-desktop"),
        ("pod/web.v1", "team-a", "Kind_Prod", "web-v1.team-a.kind-prod"),
        ("deploy/web", "default", "minikube", "deploy-web.default.minikube"),
        ("pod/dev", "x", "kubernetes-admin@kubernetes", "dev.x.kubernetes-admin-kubernetes"),
        ("pod/dev", "x", "arn:aws:eks:eu-west-1:123456789012:cluster/Prod_1", "dev.x.prod-1"),
        ("pod/dev", "x", "arn:aws-cn:eks:cn-north-1:123456789012:cluster/p", "dev.x.p"),
        ("pod/dev", "x", "gke_my-project_europe-west1-b_main", "dev.x.main"),
        ("pod/dev", "x", "gke_odd", "dev.x.gke-odd"),
        ("pod/dev", "x", "//a::b__c//", "dev.x.a-b-c"),
    ],
)
def test_alias_is_target_namespace_context(
    target: str, namespace: str, context: str, alias: str
) -> None:
    assert alias_for(target, namespace, context) == alias


def test_long_aliases_stay_apart() -> None:
    one, two = (alias_for("pod/dev", "default", "c" * 80 + end) for end in "ab")
    assert one != two
    assert len(one) == len(two) == 64


def test_a_context_without_a_letter_gets_a_hash() -> None:
    one, two = (alias_for("pod/dev", "default", context) for context in ("生产", "测试"))
    assert one != two
    assert one.startswith("dev.default.")


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_every_alias_made_is_valid(target: str, namespace: str, context: str) -> None:
    alias = alias_for(target, namespace, context)
    assert validate_alias(alias) == alias
    hashed = alias_with_hash(alias, "someone|else")
    assert validate_alias(hashed) == hashed != alias


@pytest.mark.parametrize("text", ["dev", "a.b.c", "my_host", "0", "a" * 64])
def test_good_aliases(text: str) -> None:
    assert validate_alias(text) == text


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("Dev", "dev"),
        ("my host", "my-host"),
        ("-oProxyCommand=x", "oproxycommand-x"),
        ("dev\n", "dev"),
        ("dev\nProxyCommand x", "dev-proxycommand-x"),
        ("*", "dev"),
        ("dev*", "dev"),
        ("!dev", "dev"),
        ("", "dev"),
        ("a" * 65, "a" * 64),
        ("de\u200bv", "de-v"),
        ("%h", "h"),
        ("a/b", "a-b"),
        ("..", "dev"),
    ],
)
def test_bad_aliases_come_with_an_offer(text: str, offer: str) -> None:
    with pytest.raises(NodeportError) as caught:
        validate_alias(text)
    assert caught.value.hint == f"--host {offer}"
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", ["root", "Jane.Doe", "_svc", "1000650000", "a-b", "a" * 32])
def test_good_users(text: str) -> None:
    assert validate_user(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-l",
        ".x",
        "a b",
        "a\n",
        "a\nProxyCommand x",
        "a%h",
        'a"',
        "a'",
        "$(id)",
        "a;b",
        "ä",
        "a" * 33,
        "a\0",
        "a`b`",
        "a\\b",
        "a/b",
        "a@b",
        "a#b",
        "a\t",
    ],
)
def test_bad_users(text: str) -> None:
    with pytest.raises(NodeportError, match="cannot be a user name"):
        validate_user(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "2001:db8::1", "node-1", "node-1.Example.COM", "1.2.3.4.nip.io"]
)
def test_good_hostnames(text: str) -> None:
    assert validate_hostname(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-h",
        "a b",
        "a\n",
        "fe80::1%eth0",
        "%h",
        "a..b",
        ".a",
        "a.",
        "a_b",
        "0x7f.1",
        "127.1",
        "2130706433",
        "a.0x1",
        "[::1]",
        "::1\n",
        "a" * 64,
        "a." * 127 + "a" * 9,
        "ä.de",
        "a;b",
    ],
)
def test_bad_hostnames(text: str) -> None:
    with pytest.raises(NodeportError, match="neither an IP address nor a host name"):
        validate_hostname(text)


@pytest.mark.parametrize("number", [0, -1, 65536, True, "22", 22.0, None])
def test_bad_ports(number: object) -> None:
    with pytest.raises(NodeportError, match="is not a TCP port"):
        validate_port(number)


@pytest.mark.parametrize("text", ["/k", "~/.ssh/id_ed25519", "/a b/c", "/ä/ключ", "/it's"])
def test_good_paths(text: str) -> None:
    assert validate_path(text, percent=False) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k",
        "~k",
        "~",
        "../k",
        '/a"b',
        "/a\\b",
        "/a#b",
        "/a\nb",
        "/a\tb",
        "/${HOME}",
        "/\u00a0",
        "/\u2028",
        "/\ufeff",
        "/a%b",
        "/" + "a" * 900,
        "/\x9b",
    ],
)
def test_bad_paths(text: str) -> None:
    with pytest.raises(NodeportError, match="cannot be written"):
        validate_path(text, percent=False)


@given(st.text(alphabet=string.printable + "\x00\x85\u2028é", max_size=20))
def test_what_passes_cannot_end_a_line_or_a_word(text: str) -> None:
    for validate in (validate_alias, validate_user, validate_hostname):
        try:
            validate(text)
        except NodeportError:
            continue
        assert not set(text) & set(" \t\r\n\"'\\$%#*?!=;|&<>(){}[]`")
        assert not text.startswith("-")
