"""VS Code's server and Jupyter in a pod, opened in a browser on the laptop; see tests/workbench."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.process import ClusterError
from tests.e2e.brought import inside
from tests.e2e.conftest import Desk
from tests.workbench import browser, jupyter, prepare, remote_ssh, server
from tests.workbench.shell import shell

pytestmark = pytest.mark.cluster

_HELLO = '''\
"""Says hello."""


def greeting(name: str) -> str:
    return f"Hello, {name}!"


if __name__ == "__main__":
    print(greeting("pod"))
'''
_NOTEBOOK = (
    "import os\nimport platform\nfrom pathlib import Path\n\n"
    'Path("seen.txt").write_text(platform.node())\n'
    '{"pod": platform.node(), "ssh": os.environ["SSH_CONNECTION"]}',
    "import math\nfrom IPython.display import SVG\n\n"
    'wave = " ".join(f"{x},{60 - 50 * math.sin(x / 40):.0f}" for x in range(0, 700, 5))\n'
    'line = f\'<polyline fill="none" stroke="#1f77b4" stroke-width="3" points="{wave}"/>\'\n'
    'svg = \'svg xmlns="http://www.w3.org/2000/svg" width="700" height="120"\'\n'
    'SVG(f"<{svg}>{line}</svg>")',
)


@pytest.fixture(scope="module", autouse=True)
def _workbench(cluster: object, pytestconfig: pytest.Config) -> None:  # noqa: ARG001 its reason first
    """All that is needed besides the cluster is there, or made."""
    reason = prepare.missing()
    if reason:
        reason += "; run `python -m tests.cluster prepare`"
    else:
        try:
            prepare.make()
        except ClusterError as error:
            reason = str(error)
    if reason and pytestconfig.getoption("--require-cluster"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder for screenshots: the one that KUBECTL_NODEPORT_PICTURES names, where it does."""
    folder = Path(os.environ.get("KUBECTL_NODEPORT_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        pytest.param({}, (), id="openssh at a NodePort"),
        pytest.param(
            {"runs": "nothing", "image": "bare"},
            ("--with-sshd", "--via", "tunnel"),
            id="nodeport-sshd through the API server",
        ),
    ],
)
def test_vs_code(
    desk: Desk, pictures: Path, tmp_path: Path, words: Mapping[str, Any], flags: Sequence[str]
) -> None:
    """Its server comes in by the alias; files and a terminal of the pod through one ssh."""
    desk.ns.pod("dev", of_node=server.needed(), **words)
    inside(desk, "ldconfig")
    done = desk.connect("dev", *flags)
    assert [one["need"] for one in done["vscodeLacks"]] == ["download"], "so it is sent by scp"
    inside(desk, "sh", "-c", "mkdir ~/hello && cat >~/hello/hello.py", stdin=_HELLO)
    with remote_ssh.connected(desk.laptop, done["host"], server.archive()) as connection:
        seen = browser.drive(
            desk.laptop,
            "vscode_page",
            (tmp_path if flags else pictures) / "vscode.png",
            proxy=connection.proxy,
            url=connection.url("/root/hello"),
            file="hello.py",
            line="# changed in VS Code",
            command='echo "$HOSTNAME: $SSH_CONNECTION" | tee seen.txt',
            shows=str(done["containerPort"]),
            makes="seen.txt",
        )
        assert _refused(connection.shell.said) == []
    assert 'return f"Hello, {name}!"' in seen["text"]
    assert seen["errors"] == []
    assert inside(desk, "cat", "/root/hello/hello.py") == f"{_HELLO}# changed in VS Code\n"
    pod, _, _, *arrived_at = inside(desk, "cat", "/root/hello/seen.txt").split()
    address = "127.0.0.1" if flags else desk.ns.get_pod("dev").ip
    assert (pod, arrived_at) == ("dev:", [address, str(done["containerPort"])])


def test_vs_code_s_own_check(desk: Desk) -> None:
    """It stops where connect names what is missing, and passes where connect no longer does."""
    desk.ns.pod("dev")
    lacks = desk.connect("dev")["vscodeLacks"]
    assert [one["need"] for one in lacks] == ["libstdc++", "download"]
    with pytest.raises(ClusterError):
        inside(desk, "sh", stdin=server.check())
    ((place, library),) = server.needed().items()
    desk.cluster.kubectl("cp", str(library), f"{desk.ns}/dev:{place}")
    inside(desk, "ldconfig")
    inside(desk, "sh", stdin=server.check())
    assert [one["need"] for one in desk.connect("dev")["vscodeLacks"]] == ["download"]


def test_jupyter(desk: Desk, pictures: Path, tmp_path: Path) -> None:
    """Started in an ssh that forwards its port, opened there, and at a rule of its own."""
    desk.ns.pod("dev", of_node={jupyter.PLACE: jupyter.folder()})
    write = "mkdir ~/lab && cd ~/lab && tee ssh.ipynb >rule.ipynb"
    inside(desk, "sh", "-c", write, stdin=_notebook())
    words = ("-n", desk.ns.name, "dev", "--", "-L", "8888:localhost:8888")
    with shell(desk.laptop, ("kubectl", "nodeport", "ssh", *words)) as session:
        session.type(f"cd lab && {jupyter.COMMAND} --ip 0.0.0.0 --no-browser --allow-root\n")
        printed = session.wait_for(r"http://(127\.0\.0\.1:8888)/lab\?(token=\w+)\n")
        _run_cells(desk, printed[1], f"ssh.ipynb?{printed[2]}", pictures / "jupyter.png")
        exposed = desk.nodeport("expose", "dev", "--name", "notebook", "--port", "8888")
        found = re.search(r"^(\S+) leads to port 8888 of pod/dev$", exposed.stdout, re.MULTILINE)
        assert found, (exposed.stdout, exposed.stderr)
        _run_cells(desk, found[1], f"rule.ipynb?{printed[2]}", tmp_path / "rule.png")


def _refused(said: str) -> list[str]:
    """Forwarded connections that ssh tells to have failed, but Chromium's own to the internet."""
    failed = [line for line in said.splitlines() if "open failed" in line]
    return [line for line in failed if not re.search(r"name resolution|:53: ", line)]


def _run_cells(desk: Desk, address: str, notebook: str, picture: Path) -> None:
    """Run a notebook, in a workspace of its own: the browser shows it, and the pod has a file."""
    url = f"http://{address}/lab/workspaces/{picture.stem}/tree/{notebook}"
    seen = browser.drive(desk.laptop, "jupyter_page", picture, url=url)
    assert seen["outputs"][0].startswith("{'pod': 'dev', 'ssh': '")
    assert inside(desk, "cat", "/root/lab/seen.txt") == "dev"
    inside(desk, "rm", "/root/lab/seen.txt")


def _notebook() -> str:
    text = {"cell_type": "markdown", "id": "text", "source": "# A notebook in a pod"}
    code = [
        {"cell_type": "code", "id": f"code{n}", "source": lines, "outputs": []}
        for n, lines in enumerate(_NOTEBOOK)
    ]
    cells: list[dict[str, Any]] = [
        {"metadata": {}, "execution_count": None, **cell} for cell in code
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    return json.dumps(
        {
            "cells": [{"metadata": {}, **text}, *cells],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
