"""doctor on the command line, and what it prints, to the letter; docs/output.md has the JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.cli.output import formatted
from kubectl_nodeport.cli.render import doctor as render
from kubectl_nodeport.cli.render.colour import takes_colour
from kubectl_nodeport.commands.doctor.doctor import Report, doctor
from kubectl_nodeport.commands.doctor.finding import Checked, Finding, fail, ok, skipped, warning
from tests.commands.doctor.cases import case
from tests.kube import make

Captured = pytest.CaptureFixture[str]

REPORT = Report(
    "pod/dev",
    (
        Checked("kubeconfig", "kubeconfig", ok("context kind")),
        Checked("rights", "rights", warning("missing: x", "it costs", hint="ask for it")),
        Checked("sshd", "ssh server", fail("none", "it matters", hint="so", command="kubectl get")),
        Checked("login", "login", skipped("sshd")),
    ),
)
TEXT = """\
ok       kubeconfig: context kind
warning  rights: missing: x
         why: it costs
         hint: ask for it
fail     sshd: none
         why: it matters
         hint: so
         run: kubectl get
skipped  login: not looked at, see sshd
ssh: sshd fails; VS Code: sshd fails"""


def test_text() -> None:
    assert render.as_text(REPORT, str) == TEXT


def test_skipped_in_a_row_for_one_cause_share_a_line() -> None:
    causes = {"a": "x", "b": "x", "c": "y", "d": "", "e": "y", "f": "y", "g": "y"}
    checked = (
        Checked(name, name.upper(), skipped(because) if because else ok("well"))
        for name, because in causes.items()
    )
    assert render.as_text(Report("", tuple(checked)), str).split("\n") == [
        "skipped  2 checks that need x",
        "skipped  c: not looked at, see y",
        "ok       d: well",
        "skipped  3 checks that need y",
    ]


@pytest.mark.parametrize(
    ("ssh", "editor", "told"),
    [
        ([], [ok("well")], "ssh: nothing found in the way; VS Code: nothing found in the way"),
        ([], [fail("a", "b")], "ssh: nothing found in the way; VS Code: vscode-0 fails"),
        (
            [warning("a", "b")],
            [skipped("x"), ok("well")],
            "ssh: nothing found in the way; "
            "VS Code: nothing found in the way, but not all was looked at",
        ),
        (
            [fail("a", "b")],
            [skipped("x"), fail("a", "b")],
            "ssh: ssh-0 fails; VS Code: ssh-0, vscode-1 fail",
        ),
    ],
)
def test_last_line(ssh: list[Finding], editor: list[Finding], told: str) -> None:
    checked = [Checked(f"ssh-{n}", "", one) for n, one in enumerate(ssh)]
    checked += [Checked(f"vscode-{n}", "", one, for_editor=True) for n, one in enumerate(editor)]
    shown = render.as_text(Report("pod/dev", tuple(checked)), str)
    assert shown.split("\n")[-1] == told


def test_commands_and_hints_are_those_to_type() -> None:
    shown = render.as_text(REPORT, lambda text: text.replace("kubectl", "kubectl --context b"))
    assert "run: kubectl --context b get" in shown


def test_colours_are_in_the_marks_alone() -> None:
    shown = render.coloured(TEXT)
    assert shown.splitlines()[0] == "\x1b[32mok\x1b[0m       kubeconfig: context kind"
    assert shown.count("\x1b[") == 8
    assert "\x1b[31;1mfail\x1b[0m     sshd" in shown


def test_names() -> None:
    assert render.names(REPORT) == ["check/rights", "check/sshd"]


def test_document() -> None:
    document = render.as_document(REPORT, str)
    assert document["kind"] == "CheckList"
    assert document["items"][2] == {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "Check",
        "metadata": {"name": "sshd"},
        "spec": {"title": "ssh server"},
        "status": {
            "result": "fail",
            "seen": "none",
            "why": "it matters",
            "hint": "so",
            "command": "kubectl get",
            "because": None,
        },
    }
    assert document["items"][3]["status"]["because"] == "sshd"
    assert yaml.safe_load(formatted("yaml", document)) == document


@given(st.text(max_size=200))
def test_hostile_words_stay_in_their_line(text: str) -> None:
    finding: Finding = fail(text, text, hint=text, command=text or "x")
    lines = render.as_text(Report("", (Checked("a", "A", finding),)), str).split("\n")
    assert lines[0].startswith("fail ")
    assert len(lines) <= 4
    assert all(line.isprintable() for line in lines)


def test_hostile_container() -> None:
    evil = "\x1b]0;x\x07\r\nok       sshd: fine\u202e"
    says = {"complaint": (evil.replace("\n", " "),), "running": (), "listen": (), "sshd": ()}
    shown = render.as_text(doctor(case(says=says)), str)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "fail     sshd: /usr/sbin/sshd is installed" in shown


def test_a_command_is_shown_as_it_is_or_not_at_all() -> None:
    def shown(command: str) -> str:
        finding: Finding = fail("a", "b", command=command)
        return render.as_text(Report("", (Checked("a", "A", finding),)), str).split("\n")[-1]

    assert shown("connect -i '/a  b'").endswith("run: connect -i '/a  b'")
    assert "/a" not in shown("connect -i '/a\nb'")


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_where_colours_are_wanted(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert takes_colour(Stream(), environ) is coloured


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    def test_no_kubeconfig(self, capsys: Captured, tmp_path: Path) -> None:
        (tmp_path / "ssh").write_text("")
        assert run(["doctor", "--ssh-config", str(tmp_path / "ssh")]) == 1
        told = capsys.readouterr()
        assert told.err == ""
        assert told.out.startswith("fail     kubeconfig: no kubeconfig: ")
        assert "skipped  3 checks that need kubeconfig" in told.out

    def test_server_that_is_not_there(self, capsys: Captured, tmp_path: Path) -> None:
        make.kubeconfig(
            tmp_path / "config", "a", current="a", cluster={"server": "https://127.0.0.1:1"}
        )
        config = tmp_path / "ssh"
        config.write_text("Host x\n")
        words = ["doctor", "dev", "--context", "a", "--ssh-config", str(config), "-o", "json"]
        assert run(words) == 1
        items = json.loads(capsys.readouterr().out)["items"]
        by_name = {one["metadata"]["name"]: one["status"] for one in items}
        assert by_name["server"]["result"] == "fail"
        assert by_name["server"]["hint"].endswith("kubectl --context a version")
        assert by_name["pod"]["because"] == "server"
        assert by_name["ssh-config"]["result"] == "ok"

    def test_configuration_that_ssh_refuses(self, capsys: Captured, tmp_path: Path) -> None:
        make.kubeconfig(
            tmp_path / "config", "a", current="a", cluster={"server": "https://127.0.0.1:1"}
        )
        config = tmp_path / "ssh"
        config.write_text("NoSuchKeyword yes\n")
        assert run(["doctor", "--ssh-config", str(config), "-o", "name"]) == 1
        assert capsys.readouterr().out.split() == ["check/server", "check/ssh-config"]

    def test_a_target_that_is_none(self, capsys: Captured) -> None:
        assert run(["doctor", "nope/dev"]) == 1
        assert capsys.readouterr().err.startswith("error: ")

    def test_full_disk(self) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "kubectl_nodeport", "doctor"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 1
        assert "the result cannot be printed: No space left on device" in done.stderr
