from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.rule.rule import Exposed, Rule, new_id

DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
POD_NAMES = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?){0,3}", fullmatch=True
)
RULE_NAMES = st.from_regex(r"[a-z]{1,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("pod", "rule", "service"),
    [
        ("dev", "ssh", "nodeport-dev-ssh"),
        ("web-0", "http", "nodeport-web-0-http"),
        ("0", "x", "nodeport-0-x"),
        ("a" * 50, "ssh", f"nodeport-{'a' * 50}-ssh"),
        ("web.v1", "ssh", "nodeport-web-v1-e5253230-ssh"),
    ],
)
def test_service_name(pod: str, rule: str, service: str) -> None:
    assert Rule(rule, "default", f"pod/{pod}", 22).service_name == service


def test_long_pod_name_is_cut_and_hashed() -> None:
    name = Rule("ssh", "default", "pod/" + "a" * 253, 22).service_name
    assert len(name) == 63
    assert re.fullmatch(r"nodeport-a+-[0-9a-f]{8}-ssh", name)
    longest = Rule("s" * 20, "default", "pod/" + "b" * 253, 22).service_name
    assert len(longest) == 63


@settings(deadline=None)
@given(POD_NAMES, RULE_NAMES)
def test_service_name_is_dns_1035(pod: str, rule: str) -> None:
    name = Rule(rule, "default", f"pod/{pod}", 22).service_name
    assert DNS_1035.fullmatch(name)
    assert len(name) <= 63
    assert "--" not in name or "--" in pod


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(POD_NAMES, RULE_NAMES), unique=True, max_size=12))
def test_service_names_differ(pairs: list[tuple[str, str]]) -> None:
    names = [Rule(rule, "default", f"pod/{pod}", 22).service_name for pod, rule in pairs]
    assert len(set(names)) == len(names)


def test_names_that_look_alike_differ() -> None:
    pods = ["a.b", "a-b", "a-b-c", "a.b-c", "a-b.c", *("x" * 60 + c for c in "abc")]
    names = {
        Rule(r, "default", f"pod/{p}", 22).service_name for p in pods for r in ("b", "c", "ssh")
    }
    assert len(names) == len(pods) * 3


@pytest.mark.parametrize("name", ["", "SSH", "ssh1", "s-s", "ssh\n", "a" * 21, "é", "ssh ", "../x"])
def test_bad_rule_name(name: str) -> None:
    with pytest.raises(NodeportError, match="is not a name for a rule"):
        Rule(name, "default", "pod/dev", 22)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_bad_port(port: int) -> None:
    with pytest.raises(NodeportError, match="is not a port"):
        Rule("ssh", "default", "pod/dev", port)


def test_preferred_ports_are_stable() -> None:
    """They stand in people's ~/.ssh/config: another hash would move every rule made anew."""
    assert Rule("ssh", "default", "pod/dev", 22).preferred_ports("ca:0123") == (32489, 32684)


@settings(deadline=None)
@given(st.text(), POD_NAMES, RULE_NAMES)
def test_preferred_ports_are_in_the_range_that_the_server_hands_out(
    cluster: str, pod: str, rule: str
) -> None:
    ports = Rule(rule, "default", f"pod/{pod}", 22).preferred_ports(cluster)
    assert len(ports) == 2
    assert all(30086 <= port <= 32767 for port in ports)


def test_preferred_ports_hang_on_every_part() -> None:
    one = Rule("ssh", "default", "pod/dev", 22)
    others = [
        (Rule("http", "default", "pod/dev", 22), "c"),
        (Rule("ssh", "lab", "pod/dev", 22), "c"),
        (Rule("ssh", "default", "pod/dev-2", 22), "c"),
        (one, "d"),
    ]
    assert all(rule.preferred_ports(c) != one.preferred_ports("c") for rule, c in others)
    assert Rule("ssh", "default", "pod/dev", 2222).preferred_ports("c") == one.preferred_ports("c")
    spread = {Rule("ssh", f"n{n}", "pod/dev", 22).preferred_ports("c")[0] for n in range(500)}
    assert len(spread) > 420


def test_ids_are_new() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in ids)


def test_rule_without_id_is_not_ours() -> None:
    rule = Rule("ssh", "default", "pod/dev", 22)
    assert Exposed(rule, "x", 30100, id="abc").ours
    assert not Exposed(rule, "x", 30100, id="").ours
