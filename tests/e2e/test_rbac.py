"""What docs/rbac.md promises, with a real RBAC user for every right that is taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

Rights = list[tuple[str, str]]

DOCUMENTED = Path(__file__).parents[2] / "docs" / "rbac.yaml"


def documented() -> tuple[Rights, Rights]:
    """The (resource, verb) pairs of docs/rbac.yaml: in the namespace, and everywhere."""
    role, cluster_role = yaml.safe_load_all(DOCUMENTED.read_text())
    here, everywhere = (
        [
            (f"{resource}.{group}" if group else resource, verb)
            for rule in document["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        ]
        for document in (role, cluster_role)
    )
    return here, everywhere


def rules(rights: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """RBAC rules for (resource, verb) pairs; a resource may have its group behind a dot."""
    made = []
    for resource, verb in rights:
        name, _, group = resource.partition(".")
        made.append({"apiGroups": [group], "resources": [name], "verbs": [verb]})
    return made


class Person:
    """A user with all the documented rights but some."""

    def __init__(self, desk: Desk, *missing: str, name: str = "person") -> None:
        here, everywhere = documented()
        gone = {(resource, verb) for verb, resource in (text.split(" ") for text in missing)}
        assert gone <= {*here, *everywhere}, "the test takes away what is not documented"
        token = desk.ns.user(
            name,
            rules([right for right in here if right not in gone]),
            rules([right for right in everywhere if right not in gone]),
        )
        document = desk.cluster.kubeconfig(token)
        path = desk.laptop.home / f"{name}.kubeconfig"
        self._config = str(desk.laptop.write(path, json.dumps(document)))
        self._desk = desk

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout, and stderr without what is told of the forwarder and of VS Code."""
        done = self._desk.nodeport(*words, "--kubeconfig", self._config)
        return done.returncode, done.stdout, BESIDES.sub("", done.stderr)


BESIDES = re.compile(
    r"^note: (port \d+ is open on this machine's address|for VS Code container) .*\n", re.MULTILINE
)
WITHOUT = "without the right to "
NOT_PROVEN = f"note: {WITHOUT}list pods it is not proven that the rule reaches this pod alone\n"
NO_ANNOTATION = f"note: {WITHOUT}patch pods the pod does not carry the rule's annotation\n"
NO_NODE = f"note: {WITHOUT}get nodes the node's other addresses are unknown\n"


@pytest.mark.parametrize(
    ("missing", "connect", "expose"),
    [
        pytest.param((), "", "", id="nothing"),
        pytest.param(("list pods",), "", "", id="list pods"),
        pytest.param(("patch pods",), NO_ANNOTATION, NO_ANNOTATION, id="patch pods"),
        pytest.param(("get nodes",), NO_NODE, NO_NODE, id="get nodes"),
        pytest.param(("watch services",), "", "", id="watch services"),
        pytest.param(("patch services",), "", "", id="patch services"),
        pytest.param(("create pods/exec",), "", "", id="exec: get only"),
        pytest.param(
            ("list pods", "watch services", "get nodes", "patch services"), NO_NODE, NO_NODE,
            id="all that is optional but patch pods",
        ),
    ],
)  # fmt: skip
def test_optional_right(desk: Desk, missing: tuple[str, ...], connect: str, expose: str) -> None:
    """What is optional is done without, and what follows from that is told."""
    desk.ns.pod("dev")
    person = Person(desk, *missing)
    code, out, err = person.run("connect", "dev")
    assert (code, err) == (0, connect)
    assert desk.ssh(re.findall(r"^  ssh (\S+)$", out, re.MULTILINE)[0], "hostname") == "dev"
    code, out, err = person.run("expose", "dev", "--name", "smtp", "--port", "25")
    assert (code, err) == (0, expose), out
    assert len(desk.services()) == 2
    assert person.run("delete", "dev", "--all")[0] == 0
    assert desk.services() == []


def test_second_run_without_the_right_to_list_pods(desk: Desk) -> None:
    desk.ns.pod("dev")
    person = Person(desk, "list pods")
    assert person.run("connect", "dev")[2] == ""
    assert person.run("connect", "dev")[2] == NOT_PROVEN


@pytest.mark.parametrize(
    ("missing", "verb"),
    [
        ("get pods", "connect"),
        ("get pods", "expose"),
        ("list services", "expose"),
        ("list services", "get"),
        ("create services", "expose"),
    ],
)
def test_needed_right(desk: Desk, missing: str, verb: str) -> None:
    """Without what is needed: one error that names the right, and nothing is left behind."""
    desk.ns.pod("dev")
    code, out, err = Person(desk, missing).run(verb, "dev")
    assert (code, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith(f"error: the right to {missing} -n {desk.ns} is missing, needed to ")
    assert hint.startswith("hint: ask for it, and check with: kubectl --kubeconfig ")
    assert f"auth can-i {missing} -n {desk.ns}" in hint
    desk.assert_nothing_left()


@pytest.mark.parametrize("missing", ["list services", "create services"])
def test_connect_without_services_goes_through_the_api_server(desk: Desk, missing: str) -> None:
    """And says why; with neither way there is one error that names both rights."""
    desk.ns.pod("dev")
    code, out, err = Person(desk, missing).run("connect", "dev")
    assert code == 0, err
    assert err.startswith(f"note: the right to {missing} -n {desk.ns} is missing, needed to ")
    assert "the host goes through the API server instead; no NodePort stays open" in err
    assert desk.services() == []
    assert desk.ssh(re.findall(r"^  ssh (\S+)$", out, re.MULTILINE)[0], "hostname") == "dev"
    neither = Person(desk, missing, "get pods/portforward", name="neither")
    code, out, err = neither.run("connect", "dev", "--host", "other")
    assert (code, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith(f"error: the right to {missing} -n {desk.ns} is missing, needed to ")
    assert f"the right to get pods/portforward -n {desk.ns} is missing" in error
    assert f"auth can-i {missing} -n {desk.ns}" in hint


@pytest.mark.parametrize("missing", [("get pods/exec",), ("get pods/exec", "create pods/exec")])
def test_expose_needs_no_exec(desk: Desk, missing: tuple[str, ...]) -> None:
    desk.ns.pod("dev")
    person = Person(desk, *missing)
    assert person.run("expose", "dev")[0] == 0
    assert person.run("get")[0] == 0
    assert person.run("delete", "dev", "--name", "ssh")[0] == 0
    desk.assert_nothing_left()


@pytest.mark.parametrize(
    ("kind", "right"),
    [("deployment", "get deployments.apps"), ("statefulset", "get statefulsets.apps")],
)
def test_workload_needs_the_right_to_read_it(desk: Desk, kind: str, right: str) -> None:
    make = desk.ns.deployment if kind == "deployment" else desk.ns.stateful_set
    make("api", replicas=1)
    code, _, err = Person(desk, right).run("expose", f"{kind}/api")
    assert code == 1
    assert err.startswith(f"error: the right to {right} -n {desk.ns} is missing, needed to read")
    code, out, err = Person(desk, name="second").run("expose", f"{kind}/api")
    assert (code, err) == (0, ""), out
