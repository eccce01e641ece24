"""kubectl's connection flags, from the words that are typed to the value."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
import pytest

from kubectl_nodeport.cli import verbs
from kubectl_nodeport.cli.argv import normalise
from kubectl_nodeport.cli.connection import connection_flags, flags_of
from kubectl_nodeport.kube.config import Flags


@click.command()
@connection_flags
def flags(**options: Any) -> None:
    """Only reads the connection flags."""
    click.get_current_context().obj.append(flags_of(options))


def read(*words: str) -> Flags:
    found: list[Flags] = []
    argv = normalise(["flags", *words], click.Group("x", commands=[flags]))
    flags.main(argv[1:], standalone_mode=False, obj=found)
    return found[0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), Flags()),
        (("--kubeconfig", "f", "--context=c"), Flags(kubeconfig="f", context="c")),
        (("-n", "lab"), Flags(namespace="lab")),
        (("-nlab",), Flags(namespace="lab")),
        (("--namespace=lab",), Flags(namespace="lab")),
        (("--cluster", "c", "--user", "u"), Flags(cluster="c", user="u")),
        (("-s", "https://x"), Flags(server="https://x")),
        (("-s=https://x",), Flags(server="https://x")),
        (("--server", "a", "--server", "b"), Flags(server="b")),
        (("--as", "jane"), Flags(as_="jane")),
        (("--as-group", "a,b", "--as-group=c"), Flags(as_group=("a,b", "c"))),
        (
            ("--as-uid", "7", "--as-user-extra", "k=v=w"),
            Flags(as_uid="7", as_user_extra=("k=v=w",)),
        ),
        (("--token", "t"), Flags(token="t")),
        (("--certificate-authority", "ca"), Flags(certificate_authority="ca")),
        (
            ("--client-certificate", "c", "--client-key", "k"),
            Flags(client_certificate="c", client_key="k"),
        ),
        (("--insecure-skip-tls-verify",), Flags(insecure_skip_tls_verify=True)),
        (("--insecure-skip-tls-verify=true",), Flags(insecure_skip_tls_verify=True)),
        (("--tls-server-name", "x"), Flags(tls_server_name="x")),
        (("--disable-compression",), Flags(disable_compression=True)),
        (("--cache-dir", "/c"), Flags(cache_dir="/c")),
        (("--request-timeout", "0"), Flags(request_timeout_s=0.0)),
        (("--request-timeout=0s",), Flags(request_timeout_s=0.0)),
        (("--request-timeout=7",), Flags(request_timeout_s=7.0)),
        (("--request-timeout", "1m30.5s"), Flags(request_timeout_s=90.5)),
    ],
)
def test_words(words: tuple[str, ...], expected: Flags) -> None:
    assert read(*words) == expected


def test_false_says_as_little_as_no_flag() -> None:
    """So in kubectl: false does not take back what the kubeconfig says."""
    assert not read("--insecure-skip-tls-verify=false").insecure_skip_tls_verify


@pytest.mark.parametrize("value", ["soon", "-1s", "1x", "", "1 s"])
def test_limit_that_is_none(value: str) -> None:
    with pytest.raises(click.UsageError, match="is not a duration"):
        read("--request-timeout", value)


def test_every_verb_that_asks_a_cluster_takes_every_flag() -> None:
    """A verb either takes all of them or none."""
    names = {field.name for field in dataclasses.fields(Flags)}
    for verb in verbs.ALL:
        taken = {str(param.name) for param in verb.params} & names
        assert taken in (set(), names), verb.name


def test_token_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(read("--token", "s3cret"))
