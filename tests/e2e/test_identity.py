"""Who the API server takes us for, beside whom it takes kubectl for: the same words, the same name.

There is no verb that tells it, so the installed package's own client asks, in the laptop.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

ASK = """
import json, os, sys
import click
from kubectl_nodeport.cli import argv
from kubectl_nodeport.cli.connection import connection_flags, flags_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.config import connection
from kubectl_nodeport.kube.request import Request

@click.group()
def program():
    pass

@program.command()
@connection_flags
def ask(**options):
    group = "authentication.k8s.io/v1"
    review = {"apiVersion": group, "kind": "SelfSubjectReview"}
    request = Request("create", "selfsubjectreviews", "ask who I am", group=group, body=review)
    print(json.dumps(Api(connection(flags_of(options), os.environ)).send(request)))

try:
    program.main(argv.normalise(["ask", *sys.argv[1:]], program), standalone_mode=False)
except NodeportError as err:
    sys.exit(str(err))
"""

ACT = [
    {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]},
    {
        "apiGroups": ["authentication.k8s.io"],
        "resources": ["uids", "userextras/scopes"],
        "verbs": ["impersonate"],
    },
]


def named(done: subprocess.CompletedProcess[str]) -> Any:
    """The user that a SelfSubjectReview names, None where there was none."""
    return json.loads(done.stdout)["status"]["userInfo"] if done.returncode == 0 else None


def both(desk: Desk, *words: str) -> tuple[Any, Any]:
    """Whom the server takes kubectl for, and us; None where it takes them for nobody."""
    theirs = desk.type("kubectl", "auth", "whoami", "-o", "json", *words)
    ours = desk.type("python", "-c", ASK, *words)
    assert "Traceback" not in ours.stderr, ours.stderr
    return named(theirs), named(ours)


def person(desk: Desk, name: str = "person") -> str:
    """A kubeconfig of a user who may act as others."""
    document = desk.cluster.kubeconfig(desk.ns.user(name, [], ACT))
    return str(desk.laptop.write(desk.laptop.home / f"{name}.kubeconfig", json.dumps(document)))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "system:serviceaccount:{ns}:person"),
        (("--as", "jane"), "jane"),
        (("--as=jane", "--as-group=dev", "--as-group", "ops", "--as-uid", "u-1"), "jane"),
        (("--as-group", "dev"), None),
    ],
)
def test_who_we_are(words: tuple[str, ...], name: str | None, desk: Desk) -> None:
    theirs, ours = both(desk, "--kubeconfig", person(desk), *words)
    assert ours == theirs
    assert (ours and ours["username"]) == (name and name.format(ns=desk.ns.name))


def test_impersonation_of_the_kubeconfig(desk: Desk) -> None:
    document = desk.cluster.kubeconfig(desk.ns.user("person", [], ACT))
    document["users"][0]["user"] |= {"as": "jane", "as-user-extra": {"scopes": ["view"]}}
    config = str(desk.laptop.write(desk.laptop.home / "acting", json.dumps(document)))
    theirs, ours = both(desk, "--kubeconfig", config)
    assert ours == theirs
    assert (ours["username"], ours["extra"]) == ("jane", {"scopes": ["view"]})


def test_token_of_the_command_line(desk: Desk) -> None:
    token = desk.ns.user("other", [])
    theirs, ours = both(desk, "--kubeconfig", person(desk), "--token", token)
    assert ours == theirs
    assert ours["username"] == f"system:serviceaccount:{desk.ns.name}:other"


def test_token_that_nobody_has(desk: Desk) -> None:
    assert both(desk, "--kubeconfig", person(desk), "--token", "no-such-token") == (None, None)


def test_plugin(desk: Desk) -> None:
    token = desk.ns.user("plugged", [])
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}
    folder = desk.laptop.home
    desk.laptop.write(folder / "credential.json", json.dumps(credential))
    document = desk.cluster.kubeconfig()
    document["users"][0]["user"] = {
        "exec": {
            "apiVersion": version,
            "command": "cat",
            "args": [str(desk.laptop.inside(folder / "credential.json"))],
            "interactiveMode": "Never",
        }
    }
    config = str(desk.laptop.write(folder / "plugged.kubeconfig", json.dumps(document)))
    theirs, ours = both(desk, "--kubeconfig", config)
    assert ours == theirs
    assert ours["username"] == f"system:serviceaccount:{desk.ns.name}:plugged"
