"""Which failures of connect point to doctor."""

from __future__ import annotations

import pytest

from kubectl_nodeport.cli.doctor_hint import pointing_to_doctor
from kubectl_nodeport.commands.reach import UnreachedError
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target
from tests.commands.world import FakeExec, World, inside
from tests.ssh.make import key


def test_where_nothing_listens() -> None:
    there = World(exec=FakeExec(inside(port=80)))
    with pytest.raises(NodeportError) as told, pointing_to_doctor(Target("dev"), "lab"):
        there.connect()
    assert told.value.hint.endswith("; more: kubectl nodeport doctor pod/dev -n lab (check sshd)")


def test_where_no_address_answers() -> None:
    there = World()
    there.resolve.open = set()
    target = Target(selector="app=dev")
    with pytest.raises(UnreachedError) as told, pointing_to_doctor(target, "lab"):
        there.connect(via="nodeport")
    assert "kubectl nodeport doctor -l 'app=dev' -n lab" in told.value.hint


def test_where_somebody_else_answers() -> None:
    """Then it is clear what is to be done."""
    there = World()
    there.resolve.shown = key(7)
    with pytest.raises(UnreachedError) as told, pointing_to_doctor(Target("dev"), "lab"):
        there.connect(via="nodeport")
    assert "doctor" not in told.value.hint


def test_other_failures_keep_their_hint() -> None:
    with pytest.raises(NodeportError) as told, pointing_to_doctor(Target("devv"), "default"):
        World().connect("devv")
    assert told.value.hint == "did you mean: dev"
