"""The command line as a whole: what is printed where, and the exit code."""

from __future__ import annotations

import io
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kubectl_nodeport import __version__
from kubectl_nodeport.cli.app import program, run
from kubectl_nodeport.cli.help import global_options
from kubectl_nodeport.errors import NodeportError
from tests.kube import make
from tests.kube.server import SILENCE, Answer, Received, certificate, serving, tls_for

USE_OPTIONS = (
    'Use "kubectl nodeport options" for a list of global command-line options (applies to all '
    "commands)."
)
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.fixture
def failing() -> Iterator[list[BaseException]]:
    """A verb `fail` that raises what is put into the list."""
    errors: list[BaseException] = []

    def body(**options: object) -> None:  # noqa: ARG001
        raise errors[0]

    level = click.Option(["-v", "--v", "verbosity"], type=int, default=0)
    quiet = click.Option(["-q", "--quiet"], is_flag=True)
    program.add_command(click.Command("fail", callback=body, params=[level, quiet]))
    yield errors
    del program.commands["fail"]


def told(capsys: Captured) -> list[str]:
    """stderr's lines, with nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err.splitlines()


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        (["connect"], "a pod is needed", "name one: kubectl get pods"),
        (["connect", "a", "b"], "unexpected extra argument (b)", "connect --help"),
        (["connect", "9", "9"], "unexpected extra argument (9)", "connect --help"),
        (["connect", "a", "-v", "²"], "is not a valid integer", "connect --help"),
        (["connect", "--dry-run", "client", "dev"], "unexpected extra argument", "connect --help"),
        (["connect", "dev", "--nope"], "unknown flag", "connect --help"),
        (["connect", "dev", "-z"], "unknown shorthand flag: 'z' in -z", "connect --help"),
        (["connect", "dev", "--port", "0"], "'--port'", "connect --help"),
        (
            ["connect", "dev", "--port=Ssh"],
            "'Ssh' is neither a port's number nor",
            "connect --help",
        ),
        (["connect", "dev", "-o", "csv"], "'csv' is not one of 'text', 'json'", "--help"),
        (["connect", "dev", "--dry-run=server"], "'server' is not one of", "--help"),
        (["connect", "dev", "--timeout", "soon"], "'soon' is not a duration", "--help"),
        (["connect", "dev", "-i", "/nowhere/id"], "no such file: /nowhere/id", "--help"),
        (["connect", "dev", "-z", "-v", "0" * 5000], "unknown shorthand flag: 'z'", "--help"),
        (["connect", "dev", "-v=x"], "'x' is not a valid integer", "--help"),
        (["connect", "dev", "-n"], "flag needs an argument: 'n' in -n", "connect --help"),
        (["xyzzy"], 'unknown command "xyzzy" for "kubectl nodeport"', "kubectl nodeport --help"),
        (["conect", "dev"], 'unknown command "conect"', "did you mean: connect"),
        (["connect", "dev", "--help=x"], 'invalid argument "x" for "-h, --help"', "connect --help"),
        (["--nope"], "unknown flag", "kubectl nodeport --help"),
        (["connect", "cm/x"], '"cm" is not a kind that can be a target', "The kinds are pod, "),
        (["connect", "me@dev", "--ssh-user", "you"], "two users are given", "give one: me@dev"),
        (["connect", "dev"], "no kubeconfig: ", "KUBECONFIG"),
        (["ssh", "dev", "--", "-o", "x"], "no kubeconfig: ", "KUBECONFIG"),
        (["open"], "a pod is needed", "name one: kubectl get pods"),
        (["open", "dev", "--editor", "vi"], "'vi' is not one of 'code',", "open --help"),
        (["open", "dev", "--folder=src"], "'src' is no path in the container", "open --help"),
        (["open", "dev", "-ojson"], "-o, --output is no flag of open", "TARGET -o json"),
        (["open", "dev", "--dry-run"], "--dry-run is no flag of open", "connect TARGET --dry-run"),
        (["open", "dev", "--", "x"], "unexpected extra argument (x)", "open --help"),
        (["ssh"], "a pod is needed", "name one: kubectl get pods"),
        (["ssh", "--", "ls"], "a pod is needed", "name one: kubectl get pods"),
        (["ssh", "dev", "ls"], "extra argument (ls); what is to be passed on", "ssh --help"),
        (
            ["ssh", "dev", "-o", "json"],
            "-o, --output is no flag of ssh",
            "kubectl nodeport ssh TARGET --",
        ),
        (["ssh", "dev", "--output=x"], "--output is no flag of ssh", "ssh TARGET --"),
        (["ssh", "dev", "--dry-run"], "--dry-run is no flag of ssh", "connect TARGET --dry-run"),
        (["ssh", "dev", "--dry-run=none"], "--dry-run is no flag of ssh", "TARGET --dry-run"),
        (["connect", "dev\x1b[2J\nerror: forged"], "is not a name that a pod can have", "get pods"),
    ],
)
def test_misuse_is_one_error_and_one_hint(
    argv: list[str], error: str, hint: str, capsys: Captured
) -> None:
    assert run(argv) == 1
    lines = told(capsys)
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert error.lower() in lines[0].lower()
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]


def test_no_verb_and_help_are_the_same(capsys: Captured) -> None:
    assert run([]) == 0
    plain = capsys.readouterr().out
    for flag in ("-h", "--help"):
        assert run([flag]) == 0
        assert capsys.readouterr().out == plain
    assert plain.splitlines()[-2:] == [
        'Use "kubectl nodeport COMMAND --help" for more information about a given command.',
        USE_OPTIONS,
    ]
    for name, command in program.commands.items():
        listed = re.search(rf"^  {name}  +\S", plain, re.MULTILINE) is not None
        assert listed is not command.hidden


@pytest.mark.parametrize("argv", [["help"], ["-n", "x"], ["--context=x", "--help"], ["--"]])
def test_flags_alone_show_the_help(argv: list[str], capsys: Captured) -> None:
    assert run(argv) == 0
    assert capsys.readouterr().out.startswith("Reach a pod by ssh")


@pytest.mark.parametrize("argv", [["help", "connect"], ["-h", "connect"], ["connect", "x", "-h"]])
def test_help_of_a_verb(argv: list[str], capsys: Captured) -> None:
    assert run(argv) == 0
    assert capsys.readouterr().out.startswith("Make a pod reachable by ssh under an alias")


@pytest.mark.parametrize("argv", [["--version"], ["-n", "x", "--version"]])
def test_version_flag(argv: list[str], capsys: Captured) -> None:
    assert run(argv) == 0
    assert capsys.readouterr() == (f"kubectl-nodeport {__version__}\n", "")


def test_options_lists_what_every_verb_takes(capsys: Captured) -> None:
    everywhere = {name for option in global_options() for name in option.opts}
    assert {"-n", "--namespace", "--context", "--kubeconfig", "-v"} <= everywhere
    for name, command in program.commands.items():
        own = {word for param in command.params for word in param.opts}
        assert everywhere <= own, f"{name} lacks connection flags"
    assert run(["options"]) == 0
    out = capsys.readouterr().out
    first, *_ = out.partition("\n\n")
    assert first == "The following options can be passed to any command:"
    spelled = re.findall(r"^    (-.*):\n\t(\S.*)$", out, re.MULTILINE)
    assert "-n, --namespace=''" in [name for name, _ in spelled]
    assert len(spelled) == len(global_options())


def test_help_is_laid_out_as_kubectls(capsys: Captured) -> None:
    assert run(["connect", "--help"]) == 0
    text = capsys.readouterr().out
    text, _, last = text.removesuffix("\n").rpartition("\n\n")
    assert last == USE_OPTIONS
    first, examples, options, usage = re.split(r"\n\n(?:Examples|Options|Usage):\n", text)
    assert first.startswith("Make a pod reachable by ssh under an alias of its own.\n\n")
    assert examples.startswith("  # Make the pod dev")
    assert all(line == "" or line.startswith("  ") for line in examples.splitlines())
    assert usage == "  kubectl nodeport connect [USER@]TARGET [options]"
    spelled = re.findall(r"^    (-.*):\n\t(\S.*)$", options, re.MULTILINE)
    assert len(spelled) == len(options.split("\n\n")), "each option in two lines"
    names = [name for name, _ in spelled]
    assert "-c, --container=''" in names
    assert "--dry-run='none'" in names
    assert not any("--context" in name for name in names), "these are under options"
    assert "--via='auto'" in names
    assert "--timeout=''" in names
    long_names = [name.partition("=")[0].split(", ")[-1].lstrip("-") for name in names]
    assert long_names == sorted(long_names), "as kubectl sorts them"
    assert "\x1b" not in text


def test_every_option_and_verb_is_described() -> None:
    for name, command in program.commands.items():
        assert command.short_help, name
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{name} {param.opts}"


def test_expected_failure(failing: list[BaseException], capsys: Captured) -> None:
    failing.append(NodeportError("it broke", hint="mend it", detail="-old\n+new\n"))
    assert run(["fail"]) == 1
    assert told(capsys) == ["error: it broke", "-old", "+new", "hint: mend it"]


def test_nothing_from_outside_reaches_the_terminal_raw(
    failing: list[BaseException], capsys: Captured
) -> None:
    evil = "a\x1b[2J\r\nerror: forged\u202e\x07\x9b"
    failing.append(NodeportError(evil, hint=evil, detail="+x\x1b[2J\r"))
    assert run(["fail"]) == 1
    lines = told(capsys)
    assert len(lines) == 3, "one error, the detail, one hint"
    assert lines[0] == "error: a?[2J error: forged???"
    assert lines[-1] == "hint: a?[2J error: forged???"
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("error", [ValueError("odd\nthing"), KeyError("x"), RecursionError()])
def test_unexpected_failure_is_no_traceback(
    error: Exception, failing: list[BaseException], capsys: Captured
) -> None:
    failing.append(error)
    assert run(["fail"]) == 1
    lines = told(capsys)
    assert lines[0].startswith(f"error: this should not have happened: {type(error).__name__}")
    assert lines[1:] == ["hint: run it again with -v=9 and report what it prints"]


@pytest.mark.parametrize("argv", [["fail", "-v=9"], ["fail", "-v", "9"], ["-v=9", "fail"],
                                  ["fail", "-v9"], ["fail", "-v=10"], ["fail", "-qv=9"],
                                  ["fail", "--v=9"], ["--v", "9", "fail"]])  # fmt: skip
def test_traceback_with_v_9(
    argv: list[str], failing: list[BaseException], capsys: Captured
) -> None:
    failing.append(ValueError("odd"))
    assert run(argv) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "Traceback (most recent call last)" in err


@pytest.mark.parametrize(
    "argv", [["fail", "-v=8"], ["fail", "-v", "0"], ["fail"], ["fail", "--", "-v=9"]]
)
def test_no_traceback_below(
    argv: list[str], failing: list[BaseException], capsys: Captured
) -> None:
    failing.append(ValueError("odd"))
    assert run(argv) == 1
    assert len(told(capsys)) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupt(error: BaseException, failing: list[BaseException], capsys: Captured) -> None:
    failing.append(error)
    assert run(["fail"]) == 130
    assert [line for line in told(capsys) if line] == ["interrupted"]


def test_polite_kill_keeps_its_exit_code(failing: list[BaseException], capsys: Captured) -> None:
    failing.append(SystemExit(143))  # as __main__'s signal handler raises it
    try:
        code: object = run(["fail"])
    except SystemExit as err:
        code = err.code
    assert code == 143
    assert told(capsys) == []


def test_reader_has_gone(failing: list[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    failing.append(BrokenPipeError())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert run(["fail"]) == 1


class TestAgainstAServer:
    """The whole program, its cluster a server of our own that answers badly."""

    def connect(self, server_url: str, tmp_path: Path, *flags: str) -> int:
        path = make.kubeconfig(
            tmp_path / "kubeconfig",
            "kind-dev",
            current="kind-dev",
            cluster={"server": server_url, "insecure-skip-tls-verify": True},
            user={"token": "t0p-s3cret"},
        )
        config = str(tmp_path / "ssh_config")
        where = ["--kubeconfig", str(path), "--ssh-config", config]
        return run(["connect", "dev", *where, *(flags or ["-q"])])

    def test_cluster_is_down(self, tmp_path: Path, capsys: Captured) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{held.getsockname()[1]}"
            assert self.connect(url, tmp_path) == 1
        assert told(capsys) == [
            f'error: the API server of context "kind-dev" at {url} refused the connection',
            f"hint: is the cluster running? kubectl --kubeconfig {tmp_path}/kubeconfig version",
        ]

    def test_what_lasts_is_told(self, tmp_path: Path, capsys: Captured) -> None:
        with serving(lambda _r: SILENCE) as server:
            url = f"http://127.0.0.1:{server.port}"
            assert self.connect(url, tmp_path, "--request-timeout=1s") == 1
        waiting, error, hint = told(capsys)
        assert waiting == 'waiting for the API server of context "kind-dev" to read the pod'
        assert error.endswith("did not answer in time")
        assert hint.startswith("hint: ")

    def test_hostile_error_and_trace(self, tmp_path: Path, capsys: Captured) -> None:
        evil = Answer({"message": "no\x1b[2J\nerror: forged", "reason": "x"}, 400)
        with serving(lambda _r: evil) as server:
            assert self.connect(f"http://127.0.0.1:{server.port}", tmp_path, "-q", "-v=6") == 1
        assert told(capsys) == [
            "GET /api/v1/namespaces/default/pods/dev -> 400",
            "error: the API server refused to read the pod: no?[2J error: forged",
            "hint: the server's own words above say what to change",
        ]

    def test_requests_are_not_shown_below_6(self, tmp_path: Path, capsys: Captured) -> None:
        with serving(lambda _r: Answer({}, 401)) as server:
            assert self.connect(f"http://127.0.0.1:{server.port}", tmp_path, "-q", "-v=5") == 1
        assert len(told(capsys)) == 2

    def test_token_is_in_no_output_even_with_v_9(self, tmp_path: Path, capsys: Captured) -> None:
        tls = tls_for(certificate(tmp_path, "server"))
        with serving(lambda _r: Answer("nonsense"), tls) as server:
            assert self.connect(f"https://127.0.0.1:{server.port}", tmp_path, "-q", "-v=9") == 1
            assert server.received[0].all("Authorization") == ["Bearer t0p-s3cret"]
        out, err = capsys.readouterr()
        assert "Traceback" in err
        assert "t0p-s3cret" not in out + err

    def test_names_that_no_pod_has_are_not_told(self, tmp_path: Path, capsys: Captured) -> None:
        def answer(received: Received) -> Answer:
            if "/pods/dev" in received.path:
                return Answer({"message": 'pods "dev" not found', "reason": "NotFound"}, 404)
            return Answer({"items": [{"metadata": {"name": "dev-\x1b]0;evil\x07"}}]})

        with serving(answer) as server:
            assert self.connect(f"http://127.0.0.1:{server.port}", tmp_path) == 1
        assert "evil" not in told(capsys)[1]
