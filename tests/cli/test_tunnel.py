"""The form in which entries say proxy, and the words by which this program is started again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_nodeport.cli.program import own_words
from kubectl_nodeport.cli.tunnel import words_of
from kubectl_nodeport.errors import NodeportError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("proxy dev", (None, "dev")),
        ("proxy --ssh-config /a/b dev", ("/a/b", "dev")),
        ("proxy", None),
        ("proxy --help", None),
        ("proxy dev -v=6", None),
        ("proxy --ssh-config /a", None),
        ("-v 6 proxy dev", None),
        ("get dev", None),
        ("", None),
    ],
)
def test_the_form_of_an_entry(line: str, words: object) -> None:
    assert words_of(line.split()) == words


@pytest.mark.parametrize("flags", [[], ["-v=6"]])
def test_no_such_entry(flags: list[str], tmp_path: Path) -> None:
    """Both ways in say the same: the quick one and click's."""
    command = [sys.executable, "-m", "kubectl_nodeport", "proxy"]
    done = subprocess.run(
        [*command, "--ssh-config", str(tmp_path / "config"), "dev", *flags],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error == f"error: {tmp_path}/config has no Host dev that kubectl nodeport made"
    assert hint == "hint: kubectl nodeport get hosts lists them; connect makes one"


def test_a_login_waits_for_neither_click_nor_the_kubernetes_package() -> None:
    code = (
        "import sys\n"
        "from kubectl_nodeport.cli import tunnel\n"
        "tunnel.run('/nowhere/config', 'dev')\n"
        "import kubectl_nodeport.kube.client, kubectl_nodeport.kube.forward\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "websocket" in loaded
    assert loaded & {"click", "kubernetes", "paramiko", "pydantic", "urllib3"} == set()


@pytest.mark.posix
def test_own_words(tmp_path: Path) -> None:
    """The link that was started, not what is behind it today."""
    store = tmp_path / "store" / "v1"
    store.mkdir(parents=True)
    program = store / "kubectl-nodeport"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link = tmp_path / "kubectl-nodeport"
    link.symlink_to(program)
    module = ("/usr/bin/python3", "-P", "-m", "kubectl_nodeport")
    environ = {"PATH": str(tmp_path)}

    def words(argv0: str) -> tuple[str, ...]:
        return own_words(argv0, environ, "/usr/bin/python3", (3, 11))

    assert words(str(link)) == (str(link),)
    assert words("kubectl-nodeport") == (str(link),)
    assert words(os.path.relpath(link)) == (str(link),)
    assert words("kubectl-other") == module
    assert words(str(ROOT / "kubectl_nodeport" / "__main__.py")) == module
    program.chmod(0o644)
    assert words(str(link)) == module
    with pytest.raises(NodeportError, match="started as a Python module"):
        own_words("kubectl-other", environ, "/usr/bin/python3", (3, 10))
    assert own_words("other", environ, str(program), (3, 10), is_bundle=True) == (str(program),)
