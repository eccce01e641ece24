from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.rule import annotation
from kubectl_nodeport.rule.annotation import Annotation


def test_text_is_craters() -> None:
    """Byte for byte the example of the contract, which Crater's own reader takes."""
    assert annotation.key("ssh") == "nodeport.crater.raids.io/ssh"
    assert annotation.value("ssh", 22, "192.168.5.82", 32513) == (
        '{"name":"ssh","containerPort":22,"address":"192.168.5.82","nodePort":32513}'
    )


def test_hostile_address_stays_inside_its_quotes() -> None:
    text = annotation.value("ssh", 22, '","nodePort":1,"x":"', 32513)
    assert json.loads(text)["nodePort"] == 32513


def test_written_is_read() -> None:
    text = annotation.value("ssh", 22, "192.168.5.82", 32513)
    pod = {annotation.key("ssh"): text, "crater.raids.io/task-name": "x"}
    assert annotation.read(pod) == (Annotation("ssh", 22, "192.168.5.82", 32513),)


SEEDS = {
    "nodeport.crater.raids.io/smtp": '{"name":"smtp","containerPort":25,"address":"192.168.5.82","nodePort":30631}',  # noqa: E501
    "nodeport.crater.raids.io/ssh": '{"name":"ssh","containerPort":22,"address":"192.168.5.82","nodePort":32513}',  # noqa: E501
}


def test_craters_own_are_read() -> None:
    assert [(a.name, a.container_port, a.node_port) for a in annotation.read(SEEDS)] == [
        ("smtp", 25, 30631),
        ("ssh", 22, 32513),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "no JSON object"),
        ("[]", "no JSON object"),
        ("{}", "not both ports"),
        ('{"name":"ssh","containerPort":"22","nodePort":32513}', "not both ports"),
        ('{"name":"ssh","containerPort":22,"nodePort":0}', "not both ports"),
        ('{"name":"ssh","containerPort":true,"nodePort":32513}', "not both ports"),
        ('{"name":"ssh","containerPort":22,"nodePort":65536}', "not both ports"),
        ('{"containerPort":22,"nodePort":32513}', "its name"),
        ('{"name":"\\u001b[2J","containerPort":22,"nodePort":32513}', "its name"),
        ('{"name":"ssh","containerPort":22,"nodePort":32513,"address":"a\\nb"}', "its address"),
        ('{"name":"ssh","containerPort":22,"nodePort":32513,"address":7}', "its address"),
    ],
)
def test_malformed(text: str, why: str) -> None:
    (found,) = annotation.read({annotation.key("ssh"): text})
    assert why in found.malformed
    assert found.malformed.isprintable()
    assert (found.name, found.container_port, found.node_port) == ("ssh", 0, 0)


@pytest.mark.parametrize("address", ["", "fe80::1%eth0", "2001:db8::7"])
def test_addresses(address: str) -> None:
    (found,) = annotation.read({annotation.key("ssh"): annotation.value("ssh", 22, address, 32513)})
    assert found.address == address.partition("%")[0]


@given(st.text(), st.text())
def test_anything_is_read_without_a_crash(name: str, text: str) -> None:
    (found,) = annotation.read({annotation.PREFIX + name: text})
    assert found.name == name
