"""The scripts in the real shells: what is typed on a terminal, and what the program then gets."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.cli.shells import SCRIPTS
from tests.kube import make
from tests.kube.server import Answer, Received, serving

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.posix
EKS = "arn:aws:eks:eu-1:12:cluster/dev"
_PATIENCE_S = 30

# The program: it answers shells as it is, and keeps what else it is given.
PROGRAM = f"""#!/bin/sh
if [ "$1" = __complete ]; then
    PYTHONPATH={ROOT} exec {sys.executable} -m kubectl_nodeport "$@"
fi
printf '%s\\0' "$@" > "$HOME/part"
mv "$HOME/part" "$HOME/given"
"""

# For each shell the file that it begins with, and how it is started.
BEGINNINGS = {
    "bash": (".bashrc", "PS1='ready> '; bind 'set bell-style none'\n"),
    "zsh": (".zshrc", "PS1='ready> '; autoload -U compinit; compinit -u -D\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n"),
}
STARTS = {
    "bash": ["bash", "--noprofile", "-i"],
    "zsh": ["zsh", "-d", "-i"],
    "fish": ["fish", "--private", "-i"],
}


def behaviour(received: Received) -> Answer:
    assert urlsplit(received.path).path == "/api/v1/namespaces/default/pods"
    return Answer({"items": [{"metadata": {"name": name}} for name in ("web-1", "other")]})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder with the program in bin/, a kubeconfig, and a few files."""
    path = tmp_path_factory.mktemp("home")
    program = path / "bin" / "kubectl-nodeport"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (path / "key one").touch()
    (path / "keys").mkdir()
    (path / "keys" / "id_work").touch()
    for shell, (name, text) in BEGINNINGS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(f"{text}source {path}/script.{shell}\n")
        (path / f"script.{shell}").write_text(SCRIPTS[shell])
    with serving(behaviour) as server:
        url = {"server": f"http://127.0.0.1:{server.port}"}
        make.kubeconfig(path / "config", EKS, "with blank", "kind", current="kind", cluster=url)
        yield path


def typed(shell: str, keys: str, home: Path) -> list[str]:
    """What the program is given when these keys are pressed, tabs and all, and then Enter."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    given = home / "given"
    given.unlink(missing_ok=True)
    environ = {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "KUBECONFIG": str(home / "config"),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
    }
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execvpe(STARTS[shell][0], STARTS[shell], environ)
    try:
        shown = _read(terminal, lambda so_far: b"ready> " in so_far)
        os.write(terminal, f"kubectl-nodeport {keys}\r".encode())
        shown += _read(terminal, lambda _so_far: given.exists())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)
    assert given.exists(), f"the program was not run: {shown!r}"
    return given.read_bytes().decode().removesuffix("\0").split("\0")


def _read(terminal: int, is_enough: Callable[[bytes], bool]) -> bytes:
    shown, until = b"", time.monotonic() + _PATIENCE_S
    while not is_enough(shown) and time.monotonic() < until:
        if select.select([terminal], [], [], 0.02)[0]:
            shown += os.read(terminal, 65536)
    return shown


ALL = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize(
    ("keys", "given"),
    [
        ("con\tdev", ["connect", "dev"]),
        ("-n lab con\tdev", ["-n", "lab", "connect", "dev"]),
        ("connect dev --namesp\tx", ["connect", "dev", "--namespace", "x"]),
        ("connect w\t-n x", ["connect", "web-1", "-n", "x"]),
        ("connect me@w\t-n x", ["connect", "me@web-1", "-n", "x"]),
        ("connect me@statef\tx", ["connect", "me@statefulset/x"]),
        ("connect statef\tx", ["connect", "statefulset/x"]),
        ("get dev --context arn:a\t-o wide", ["get", "dev", "--context", EKS, "-o", "wide"]),
        ("get --context arn:aws:e\t-o wide", ["get", "--context", EKS, "-o", "wide"]),
        ("get --context=arn:a\t-o wide", ["get", f"--context={EKS}", "-o", "wide"]),
        ("get --context=k\tx", ["get", "--context=kind", "x"]),
        ("get --context w\tx", ["get", "--context", "with blank", "x"]),
        ("get --context 'arn:a\t -o wide", ["get", "--context", EKS, "-o", "wide"]),
        ("get --context \"wi\t -o wide", ["get", "--context", "with blank", "-o", "wide"]),
        ("get -n 'a b' --context k\tx", ["get", "-n", "a b", "--context", "kind", "x"]),
        ("connect -i keys/i\tdev", ["connect", "-i", "keys/id_work", "dev"]),
        ("connect -i 'key one' w\tx", ["connect", "-i", "key one", "web-1", "x"]),
        ("connect nope --zzz\t", ["connect", "nope", "--zzz"]),
    ],
)  # fmt: skip
def test_what_is_typed_is_completed(shell: str, keys: str, given: list[str], home: Path) -> None:
    assert typed(shell, keys, home) == given


def test_zsh_loads_it_from_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "functions").mkdir()
    (home / "functions" / "_kubectl-nodeport").write_text(SCRIPTS["zsh"])
    text = f"PS1='ready> '; fpath=({home}/functions $fpath); autoload -U compinit; compinit -u -D\n"
    (home / "with-file").mkdir()
    (home / "with-file" / ".zshrc").write_text(text)
    monkeypatch.setitem(STARTS, "zsh", ["env", f"ZDOTDIR={home}/with-file", "zsh", "-d", "-i"])
    assert typed("zsh", "con\tdev", home) == ["connect", "dev"]


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("quote", ["", '"', "'"])
@pytest.mark.parametrize("name", ["zz$(touch evil)", "zz`touch evil`", "zz'; touch evil; '", 'zz";touch evil;"'])  # fmt: skip  # noqa: E501
def test_nothing_that_is_offered_is_run(shell: str, quote: str, name: str, home: Path) -> None:
    """Names are a kubeconfig's, which may come from anybody."""
    make.kubeconfig(home / "foreign", name, "zzz", current=name)
    start = f"get --kubeconfig {home}/foreign --context {quote}zz"
    typed(shell, f"{start}\t\x15kubectl-nodeport version", home)
    text = bash(home, start) if shell == "bash" else []
    assert shell != "bash" or "zzz" in [word.strip() for word in text]
    if quote:
        assert not any(set(word) & set("\"'$`\\!") for word in text)
    assert not (home / "evil").exists()


@pytest.mark.parametrize("shell", ALL)
def test_nothing_that_is_typed_is_run(shell: str, home: Path) -> None:
    """The line is taken back before Enter; ~ and * are not for the program to see either."""
    keys = 'connect $(touch evil) `touch evil` "$(touch evil)" w\t\x15kubectl-nodeport version'
    assert typed(shell, keys, home) == ["version"]
    assert not (home / "evil").exists()


def bash(home: Path, line: str, *, point: int | None = None, settings: str = "") -> list[str]:
    """What the script offers to bash itself."""
    code = f"""{settings}
COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
source {home}/script.bash
COMP_LINE="$1" COMP_POINT="$2"
__kubectl_nodeport_complete
((${{#COMPREPLY[@]}})) && printf '%s\\n' "${{COMPREPLY[@]}}"
exit 0
"""
    whole = f"kubectl-nodeport {line}"
    at = str(len(whole) if point is None else len("kubectl-nodeport ") + point)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", code, "bash", whole, at],
        cwd=home,
        env={
            "PATH": f"{home}/bin:{os.environ['PATH']}",
            "HOME": str(home),
            "KUBECONFIG": str(home / "config"),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("con", ["connect "]),
        ("co", ["completion ", "connect "]),
        ("zzz", []),
        ("-n 'a b' con", ["connect "]),
        ("connect statef", ["statefulset/"]),
        ("connect me@statef", ["@statefulset/"]),
        ("connect 'me@w", ["me@web-1"]),
        ("get --context a", [f"{EKS} "]),
        ("get --context arn:", ["aws:eks:eu-1:12:cluster/dev "]),
        ("get --context arn:aws:ek", ["eks:eu-1:12:cluster/dev "]),
        ("get --context 'arn:aws:ek", [EKS]),
        ("get --context arn\\:aws\\:ek", [f"{EKS} "]),
        ("get --context=", [f"{EKS} ", "kind ", "with\\ blank "]),
        ("get --context=arn:", ["aws:eks:eu-1:12:cluster/dev "]),
        ("get --context w", ["with\\ blank "]),
        ("get --context with\\ b", ["with\\ blank "]),
        ('get --context "with b', ["with blank"]),
        ("connect -i k", ["key\\ one ", "keys/"]),
        ("connect -i 'key o", ["key one"]),
        ("connect -i ~/k", ["~/key\\ one ", "~/keys/"]),
        ("connect --identity=k", ["key\\ one ", "keys/"]),
        ("connect \\o", ["other "]),
        ('connect "a\\"b', []),
    ],
)
def test_bash_gets_what_it_replaces(line: str, replies: list[str], home: Path) -> None:
    assert bash(home, line) == replies
    assert bash(home, line, settings="set -u; IFS=,") == replies


def test_bash_completes_up_to_the_cursor(home: Path) -> None:
    assert bash(home, "con dev", point=3) == ["connect "]


def test_bash_lists_descriptions(home: Path) -> None:
    described = bash(home, "con", settings="COMP_TYPE=63")
    assert described == ["connect  (Make a pod reachable by ssh under an alias of its own)"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert capsys.readouterr() == (SCRIPTS[shell], "")


@pytest.mark.parametrize("shell", ALL)
def test_shell_finds_no_fault(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [shell, "-n"], input=SCRIPTS[shell], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_3_2_can_read_its_script() -> None:
    """What bash 4 brought and macOS' bash lacks."""
    later = ("mapfile", "readarray", "declare -A", "local -n", "compopt", "@Q}", "|&", "${x,,}")
    assert [word for word in later if word in SCRIPTS["bash"]] == []


def test_powershell_script_is_whole() -> None:
    """No PowerShell at hand: what opens is closed, and it asks what the others ask."""
    script = SCRIPTS["powershell"]
    for opening, closing in ("()", "{}", "[]"):
        quoted = script.replace(r"'[^\w@%+=:./-]'", "").replace("'^-[^=]*='", "")
        assert quoted.count(opening) == quoted.count(closing)
    assert "-Native -CommandName 'kubectl-nodeport'" in script
    assert "& $program __complete @words $last 2>$null" in script
