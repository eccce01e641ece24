from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.entry import is_as_written, parse_comments
from kubectl_nodeport.ssh.origin import Origin, origin_from_json, origin_to_json
from tests.ssh.make import ALIAS, entry, key, origin

ODD = origin(kubeconfig=("/home/me/.kube/a", "/home/me/b c/ü\udcff"), service="", creation="")
FAR = origin(
    flags=(("as_", "jane"), ("as_group", "a"), ("as_group", "b"), ("client_key", "/home/me/key")),
    plugin_folder="/opt/cloud sdk/bin",
    noted="0123456789abcdef",
    container="box",
    sshd_port=20022,
    sshd_key=key(1).openssh,
    authorized_key=key(2).openssh,
)


def test_options_in_the_order_of_the_contract() -> None:
    file = f"~/.ssh/kubectl-nodeport/{ALIAS}.known_hosts"
    assert entry().options == (
        ("HostName", "127.0.0.1"),
        ("Port", "31380"),
        ("User", "root"),
        ("HostKeyAlias", ALIAS),
        ("UserKnownHostsFile", file),
        ("GlobalKnownHostsFile", file),
        ("StrictHostKeyChecking", "yes"),
        ("CheckHostIP", "no"),
        ("ControlPath", "none"),
        ("ServerAliveInterval", "30"),
    )


def test_identity_is_quoted_and_its_percent_doubled() -> None:
    made = entry(identity_file="/home/me/100% mine/id", cancel_proxy=True)
    assert made.options[-3:] == (
        ("ProxyCommand", "none"),
        ("IdentityFile", '"/home/me/100%% mine/id"'),
        ("IdentitiesOnly", "yes"),
    )


def test_a_tunnel_has_its_own_proxy() -> None:
    program = ("/opt/my bin/kubectl-nodeport", "proxy", "--ssh-config", "/home/me/ssh/config")
    made = entry(hostname=ALIAS, port=22, program=program, cancel_proxy=True)
    assert made.is_tunnel
    command = f'"/opt/my bin/kubectl-nodeport" proxy --ssh-config /home/me/ssh/config {ALIAS}'
    assert made.options[0] == ("HostName", ALIAS)
    assert made.options[-1] == ("ProxyCommand", command)
    assert parse_comments(made.comments) == made


def test_what_was_written_before_there_were_tunnels_is_read_and_written_alike() -> None:
    text = "".join(entry().comments)
    assert not any(
        name in text for name in ("program", "flags", "plugin_folder", "noted", "container", "sshd")
    )


def test_what_is_taken_back_stands_last_and_only_where_it_is() -> None:
    assert "neutral" not in "".join(entry().comments)
    made = entry(identity_file="/i", neutral=("remotecommand", "updatehostkeys"))
    assert made.options[-2:] == (("RemoteCommand", "none"), ("UpdateHostKeys", "no"))
    assert parse_comments(made.comments) == made


def test_an_entry_knows_its_lines() -> None:
    assert entry().lines[:2] == (f"Host {ALIAS}", "HostName 127.0.0.1")
    assert is_as_written(entry().comments, entry().lines)
    assert not is_as_written(entry().comments, entry().lines[1:])
    assert not is_as_written((), entry().lines)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("neutral", ("port",)),
        ("neutral", ("updatehostkeys", "remotecommand")),
        ("neutral", ("remotecommand", "remotecommand")),
        ("program", ("kubectl-nodeport", "proxy")),
        ("program", ("/bin/a\nb",)),
        ("alias", "*"),
        ("hostname", "1.1.1.1\n  ProxyCommand x"),
        ("port", 0),
        ("user", "a\nb"),
        ("known_hosts_file", "/a/100%"),
        ("known_hosts_file", "/a\nb"),
        ("identity_file", "id_ed25519"),
        ("identity_file", '/a"b'),
    ],
)
def test_a_bad_value_makes_no_entry(field: str, value: object) -> None:
    with pytest.raises(NodeportError):
        dataclasses.replace(entry(), **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cluster", ""),
        ("context", "a\nb"),
        ("context", "a\u2028b"),
        ("kubeconfig", ("config",)),
        ("kubeconfig", ("/a\nb",)),
        ("namespace", "Default"),
        ("target", "dev"),
        ("target", "pod/dev\n"),
        ("pod_uid", "a b"),
        ("rule", "SSH"),
        ("service", "-x"),
        ("creation", "a/b"),
        ("flags", (("token", "x"),)),
        ("flags", (("as_", "a\nb"),)),
        ("flags", (("as_", ""),)),
        ("flags", (("client_key", "key"),)),
        ("plugin_folder", "bin"),
        ("plugin_folder", "/a\nb"),
        ("noted", "a/b"),
        ("container", "a b"),
        ("sshd_port", 20022),
        ("sshd_port", -1),
        ("sshd_key", key(1).openssh),
        ("authorized_key", "x"),
        ("authorized_key", f"{key(1).openssh} me"),
        ("authorized_key", f"{key(1).openssh}\n"),
        ("authorized_key", f"no-pty {key(1).openssh}"),
    ],
)
def test_a_bad_value_makes_no_origin(field: str, value: object) -> None:
    with pytest.raises(NodeportError, match="of a Host entry"):
        origin(**{field: value})


@pytest.mark.parametrize("text", ["x", f"{key(1).openssh} me", f"{key(1).openssh}\n", ""])
def test_key_of_a_server_is_a_key_and_nothing_more(text: str) -> None:
    with pytest.raises(NodeportError, match="cannot be the ssh key of a Host entry"):
        origin(sshd_port=20022, sshd_key=text)


@pytest.mark.parametrize("port", ["20022", True, None])
def test_port_of_a_server_is_a_number(port: object) -> None:
    plain = origin_to_json(origin(sshd_port=20022, sshd_key=key(1).openssh))
    with pytest.raises(NodeportError, match="sshd_port"):
        origin_from_json({**plain, "sshd_port": port})


@pytest.mark.parametrize("one", [origin(), ODD, FAR, origin(has_context=False)])
def test_origin_round_trip(one: Origin) -> None:
    assert origin_from_json(json.loads(json.dumps(origin_to_json(one)))) == one


@pytest.mark.parametrize("one", [origin(), ODD, FAR, origin(has_context=False)])
def test_comments_round_trip(one: Origin) -> None:
    made = entry(origin=one, identity_file="/a b/c", cancel_proxy=True)
    assert parse_comments(made.comments) == made
    assert all(comment.isascii() and comment.isprintable() for comment in made.comments)


def test_long_comments_are_cut_to_what_old_ssh_reads() -> None:
    one = origin(kubeconfig=tuple(f"/home/me/{'x' * 400}/{number}" for number in range(9)))
    made = entry(origin=one)
    assert len(made.comments) > 3
    assert all(len(comment) < 1000 for comment in made.comments)
    assert parse_comments(made.comments) == made


def test_identity_ignores_what_may_change() -> None:
    assert origin().identity == origin(context="other", pod_uid="x", service="y").identity
    assert origin().identity != origin(cluster="other").identity


def _comment(**changes: object) -> tuple[str, ...]:
    plain = json.loads("".join(c.partition(" ")[2] for c in entry().comments))
    plain.update(changes)
    return (f"kubectl-nodeport: {json.dumps(plain)}",)


@pytest.mark.parametrize(
    "comments",
    [
        (),
        ("kubectl-nodeport: {",),
        ("kubectl-nodeport: []",),
        ("kubectl-nodeport: " + "[" * 100_000,),
        _comment(v=2),
        _comment(port="22"),
        _comment(port=True),
        _comment(user=None),
        _comment(identity=7),
        _comment(hostname="a b"),
        _comment(origin=None),
        _comment(origin={}),
        _comment(origin={**origin_to_json(origin()), "more": 1}),
        _comment(origin={**origin_to_json(origin()), "made_rule": 1}),
        _comment(origin={**origin_to_json(origin()), "has_context": 0}),
        _comment(origin={**origin_to_json(origin()), "kubeconfig": "/a"}),
        _comment(origin={**origin_to_json(origin()), "kubeconfig": [1]}),
        _comment(more=1),
        _comment(neutral=["ProxyCommand"]),
        _comment(neutral="remotecommand"),
        _comment(program="/bin/kn"),
        _comment(program=[1]),
        _comment(program=["kn"]),
        _comment(origin={**origin_to_json(origin()), "flags": {}}),
        _comment(origin={**origin_to_json(origin()), "flags": [["as_"]]}),
        _comment(origin={**origin_to_json(origin()), "flags": [["token", "x"]]}),
        _comment(origin={**origin_to_json(origin()), "plugin_folder": 1}),
    ],
)
def test_bad_comments_are_refused(comments: tuple[str, ...]) -> None:
    with pytest.raises(NodeportError):
        parse_comments(comments)


@given(st.text(min_size=1, max_size=60))
def test_no_context_name_breaks_out_of_the_comment(context: str) -> None:
    try:
        made = entry(origin=dataclasses.replace(origin(), context=context))
    except NodeportError:
        return
    assert parse_comments(made.comments) == made
    assert all(comment.isascii() and comment.isprintable() for comment in made.comments)
