"""The ways in: the launcher of a checkout, ``python -m``, and how the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_nodeport import __version__
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.kube import kubectl, make
from tests.ssh.make import entry_for, key, origin

ROOT = Path(__file__).parent.parent
LAUNCHER = ROOT / "bin" / "kubectl-nodeport"


def output(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_launcher_is_executable_and_runs_from_anywhere(tmp_path: Path) -> None:
    assert os.access(LAUNCHER, os.X_OK)
    assert output(sys.executable, LAUNCHER, "--version", cwd=tmp_path) == (
        f"kubectl-nodeport {__version__}\n"
    )


def test_what_kubectl_runs_for_completion_is_executable(tmp_path: Path) -> None:
    asked = ROOT / "bin" / "kubectl_complete-nodeport"
    assert os.access(asked, os.X_OK)
    told = output(sys.executable, asked, "versi", cwd=tmp_path)
    assert told == "version\tPrint the version\n:4\n"
    assert output(sys.executable, LAUNCHER, "__complete", "versi", cwd=tmp_path) == told


@pytest.mark.posix
@kubectl.needed
def test_kubectl_completes_by_it(tmp_path: Path) -> None:
    """As its shells ask it: pkg/cmd/plugin/plugin_completion.go of k8s.io/kubectl."""
    for name in ("kubectl-nodeport", "kubectl_complete-nodeport"):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/bin/{name} "$@"\n')
        script.chmod(0o755)
    path = str(make.kubeconfig(tmp_path / "config", "arn:aws:dev", "kind"))
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": path,
    }

    def told(*words: str) -> str:
        return kubectl.run(["__complete", "nodeport", *words], environ, tmp_path).stdout

    assert told("versi") == "version\tPrint the version\n:4\n"
    assert told("connect", "--context", "arn:") == "arn:aws:dev\tarn:aws:dev\n:4\n"
    assert told("-n", "lab", "connect", "--context=k") == "kind\tkind\n:4\n"
    assert told("connect", "-i", "") == ":0\n"


def test_what_the_encoding_lacks_is_no_failure(tmp_path: Path) -> None:
    store = ConfigFile(tmp_path / "config")
    store.put(entry_for(store, origin=origin(context="生产")), [key()])
    command = [sys.executable, str(LAUNCHER), "get", "hosts", "--ssh-config", str(store.path)]
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, check=True, env=environ)
    assert rb"\u751f\u4ea7" in done.stdout


@pytest.mark.posix
def test_launcher_runs_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "kubectl-nodeport"
    link.symlink_to(LAUNCHER)
    assert "kubectl nodeport COMMAND" in output(sys.executable, link, "--help", cwd=tmp_path)


def test_module_runs() -> None:
    text = output(sys.executable, "-m", "kubectl_nodeport", "--version", cwd=ROOT)
    assert text == f"kubectl-nodeport {__version__}\n"


@pytest.mark.posix
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_signal_unwinds_and_gives_its_exit_code(name: str, code: int, tmp_path: Path) -> None:
    """The kubeconfig is a pipe that nobody fills, so the run stands still where it reads it."""
    pipe = tmp_path / "kubeconfig"
    os.mkfifo(pipe)
    run = subprocess.Popen(
        [sys.executable, LAUNCHER, "connect", "dev", "--kubeconfig", str(pipe)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with pipe.open("wb"):  # opened: the run is reading, its handlers are set
            run.send_signal(signal.Signals[name])
        # Closed only now: a signal that came just before the read is seen when the read ends.
        _, told = run.communicate(timeout=20)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == code
    assert "Traceback" not in told


def test_reader_that_goes_away_is_no_traceback() -> None:
    run = subprocess.Popen(
        [sys.executable, LAUNCHER, "connect", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    told = run.stderr.read()
    run.wait(timeout=20)
    run.stderr.close()
    assert "Traceback" not in told
    assert "Exception ignored" not in told


@pytest.mark.posix
def test_interrupt_while_it_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    """A module in click's place stands for a person who is quick."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, LAUNCHER, "version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
