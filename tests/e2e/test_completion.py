"""Completion, as kubectl's shells ask for it, with the installed program on the real cluster."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def offered(desk: Desk, *words: str) -> list[str]:
    """What kubectl offers a shell, its directive last."""
    done = desk.type("kubectl", "__complete", "nodeport", *words)
    assert done.returncode == 0, done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_names_of_the_cluster(desk: Desk) -> None:
    desk.ns.pod("dev")
    here = ("-n", desk.ns.name)
    assert offered(desk, "connect", *here, "de") == ["dev", "deploy/", ":4"]
    assert offered(desk, *here, "connect", "me@de") == ["me@dev", "me@deploy/", ":4"]
    assert offered(desk, "get", "-n", desk.ns.name[:-1])[0].startswith(desk.ns.name[:-1])
    assert offered(desk, "connect", "dev", *here, "-c", "")[-1] == ":4"
    assert offered(desk, "delete", "dev", *here, "--name", "") == [":4"]
    desk.connect("dev")
    assert offered(desk, "delete", "dev", *here, "--name", "") == ["ssh", ":4"]
    assert len(offered(desk, "connect", *here, "--host", "dev")) == 2


def test_nothing_is_said_of_what_is_forbidden(desk: Desk) -> None:
    done = desk.type("kubectl_complete-nodeport", "connect", "-n", "x", "--as", "nobody", "d")
    assert (done.stdout, done.stderr, done.returncode) == ("deploy/\nds/\n:6\n", "", 0)
