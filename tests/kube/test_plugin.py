"""Exec credential plugins: their failure is an error, never a run without a login."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.plugin import Credential, Plugin
from tests.kube import kubectl, make
from tests.kube.server import certificate
from tests.posix import pseudo_terminal

V1 = "client.authentication.k8s.io/v1"
pytestmark = pytest.mark.posix
V1BETA1 = "client.authentication.k8s.io/v1beta1"
TOKEN = "t0p-s3cret"


def program(folder: Path, script: str) -> str:
    path = folder / "log-in"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(script)}")
    path.chmod(0o700)
    return str(path)


def test_the_folder_it_is_found_in(tmp_path: Path) -> None:
    path = program(tmp_path, "pass")
    assert plugin("log-in").folder({"PATH": str(tmp_path)}) == str(tmp_path)
    assert plugin(path).folder({}) == str(tmp_path)
    assert plugin("log-in").folder({"PATH": "/nowhere"}) == ""


def credential(version: str = V1, **status: Any) -> str:
    """A script that prints this."""
    document = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(json.dumps(document))})"


def plugin(command: str, *, timeout_s: float = 20.0, **settings: Any) -> Plugin:
    given = {"apiVersion": V1, "interactiveMode": "Never", "command": command, **settings}
    return Plugin(given, {"server": "https://k8s.test"}, b"", timeout_s)


def run(command: str, environ: Mapping[str, str] | None = None, **settings: Any) -> Credential:
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environ or {})}
    return plugin(command, **settings).run(variables)


def failure(command: str, environ: Mapping[str, str] | None = None, **more: Any) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        run(command, environ, **more)
    assert TOKEN not in caught.value.message + caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_token(version: str, tmp_path: Path) -> None:
    script = credential(version, token=TOKEN)
    found = run(program(tmp_path, script), apiVersion=version)
    assert found == Credential(TOKEN)
    assert TOKEN not in repr(found)


def test_certificate_and_token_come_together(tmp_path: Path) -> None:
    script = credential(token=TOKEN, clientCertificateData="cert", clientKeyData="key")
    assert run(program(tmp_path, script)) == Credential(TOKEN, b"cert", b"key")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.123456789Z", 60.0),
        ("1970-01-01T01:01:00.5+01:00", 60.0),
    ],
)
def test_expiry(written: str, seconds: float, tmp_path: Path) -> None:
    script = credential(token=TOKEN, expirationTimestamp=written)
    assert run(program(tmp_path, script)).expires == seconds


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit('your session\\nhas expired')", "code 1: your session has expired"),
        ("raise SystemExit(3)", "it ended with exit code 3"),
        ("print('nonsense')", "it is not JSON"),
        ("print('[1]')", "the file is not a map"),
        ("print('7')", "the file is not a map"),
        ("print('{}')", "no ExecCredential of client.authentication.k8s.io/v1"),
        ("", "it is not JSON"),
        (credential(V1BETA1, token=TOKEN), "no ExecCredential of client.authentication.k8s.io/v1"),
        (credential(), "neither token nor certificate"),
        (credential(token=""), "neither token nor certificate"),
        (credential(token=None), "neither token nor certificate"),
        (credential(token=7), "status.token is not text"),
        (credential(clientCertificateData="x"), "only one of certificate and key"),
        (credential(token=TOKEN, clientKeyData="x"), "only one of certificate and key"),
        (credential(token=TOKEN, expirationTimestamp="soon"), "expirationTimestamp is no time"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
        (f"print('{TOKEN}'); raise SystemExit(1)", "exit code 1"),
    ],
)
def test_failure_is_an_error(script: str, reason: str, tmp_path: Path) -> None:
    told = failure(program(tmp_path, script))
    assert told.message.startswith(f"the credential plugin {tmp_path}/log-in gives no login: ")
    assert reason in told.message
    assert told.hint == "kubectl auth whoami should work first"


@pytest.mark.parametrize("command", ["/nowhere/log-in", "no-such-program-anywhere"])
def test_missing_program(command: str) -> None:
    assert failure(command).message.endswith("gives no login: there is no such program")
    hinted = failure(command, installHint="Get it:\n  brew install it")
    assert hinted.hint == "the kubeconfig says: Get it: brew install it"


def test_what_it_says_is_passed_on_and_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        "import sys, time; e = sys.stderr.buffer; e.write(b'go to:\\x1b[2J \\xc3'); e.flush(); "
        "time.sleep(0.1); e.write(b'\\xa9\\r\\n'); e.flush(); raise SystemExit(1)"
    )
    failure(program(tmp_path, script))
    assert capsys.readouterr().err == "go to:?[2J é?\n"


@pytest.mark.parametrize(
    "settings",
    [
        {"args": ["a\0b"]},
        {"env": [{"name": "a=b", "value": "x"}]},
        {"env": [{"name": "a", "value": "\0"}]},
    ],
)
def test_what_no_program_can_be_given(tmp_path: Path, settings: dict[str, Any]) -> None:
    told = failure(program(tmp_path, ""), **settings)
    assert "gives no login: " in told.message


def test_program_that_cannot_be_run(tmp_path: Path) -> None:
    path = tmp_path / "log-in"
    path.write_text("no program")
    path.chmod(0o700)
    assert "Exec format error" in failure(str(path)).message


def test_it_is_ended_after_its_time(tmp_path: Path) -> None:
    command = program(tmp_path, "import time; time.sleep(60)")
    before = time.monotonic()
    assert "it did not end within 0.3 s" in failure(command, timeout_s=0.3).message
    assert time.monotonic() - before < 5


def test_a_child_that_holds_the_output_does_not_hold_us(tmp_path: Path) -> None:
    script = "import subprocess; subprocess.Popen(['sleep', '20'])"
    before = time.monotonic()
    assert "did not end" in failure(program(tmp_path, script)).message
    assert time.monotonic() - before < 10


def test_what_it_says_is_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be the address at which to log in."""
    script = f"import sys; print('open https://x', file=sys.stderr)\n{credential(token=TOKEN)}"
    assert run(program(tmp_path, script)).token == TOKEN
    assert capsys.readouterr() == ("", "open https://x\n")


def test_endless_output_is_not_kept(tmp_path: Path) -> None:
    script = "import sys\nfor _ in range(100): sys.stdout.write('x' * 100_000)"
    assert "it is not JSON" in failure(program(tmp_path, script)).message


def test_variables_arguments_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
        import json, os, sys
        told = " ".join([*sys.argv[1:], os.environ["A"], os.environ["B"], os.getcwd()])
        told += str(sys.stdin.read())
        status = {"token": told}
        kind = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
        print(json.dumps({**kind, "status": status}))
        """
    monkeypatch.chdir(tmp_path)
    env = [{"name": "A", "value": "theirs"}, {"name": "B"}]
    found = run(program(tmp_path, script), {"A": "ours", "C": "c"}, args=["x", "y z"], env=env)
    assert found.token == f"x y z theirs  {tmp_path}"


def test_policy_of_the_preferences_holds(tmp_path: Path) -> None:
    preferences = tmp_path / "kuberc"
    preferences.write_text(
        "apiVersion: kubectl.config.k8s.io/v1beta1\ncredentialPluginPolicy: DenyAll"
    )
    started = tmp_path / "started"
    command = program(tmp_path, f"open({str(started)!r}, 'w')\n{credential(token=TOKEN)}")
    told = failure(command, {"KUBERC": str(preferences)})
    assert "is not allowed to run" in told.message
    assert not started.exists()


def test_terminal_that_is_asked_for_and_missing(tmp_path: Path) -> None:
    command = program(tmp_path, credential(token=TOKEN))
    reading, writing = os.pipe()
    code = (
        "from tests.kube.test_plugin import plugin\n"
        f"plugin({command!r}, interactiveMode='Always').run({{}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=reading, capture_output=True, text=True, check=False
    )
    os.close(reading)
    os.close(writing)
    assert "it asks for a terminal, and the standard input is none" in done.stderr


@pytest.mark.parametrize(
    ("mode", "told"), [("Always", "True"), ("IfAvailable", "True"), ("Never", "False")]
)
def test_terminal(mode: str, told: str, tmp_path: Path) -> None:
    """With a terminal it may ask there, if it likes to."""
    script = """
        import json, os, sys
        asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
        spec = asked["spec"]["interactive"]
        print(json.dumps({**asked, "status": {"token": f"{spec} {sys.stdin.isatty()}"}}))
        """
    command = program(tmp_path, script)
    code = (
        "from tests.kube.test_plugin import plugin\n"
        f"print(plugin({command!r}, interactiveMode={mode!r}).run({{}}).token)"
    )
    controller, terminal = pseudo_terminal()
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=terminal, capture_output=True, text=True, check=False
    )
    os.close(controller)
    os.close(terminal)
    assert done.stdout == f"{told} {told}\n", done.stderr


@kubectl.needed
@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_it_is_told_what_kubectl_tells_it(version: str, tmp_path: Path) -> None:
    """KUBERNETES_EXEC_INFO, with the cluster, as kubectl itself writes it."""
    told, pair = tmp_path / "told", certificate(tmp_path, "k8s.test")
    script = f"import os; open({str(told)!r}, 'w').write(os.environ['KUBERNETES_EXEC_INFO'])"
    cluster = {
        "server": "https://127.0.0.1:1/path",
        "certificate-authority-data": pair.certificate_data,
        "tls-server-name": "k8s.test",
        "proxy-url": "http://127.0.0.1:1",
        "disable-compression": True,
        "extensions": [
            {"name": "other", "extension": {"a": 1}},
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}},
        ],
    }
    settings = {
        "apiVersion": version,
        "command": program(tmp_path, script),
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    config = make.kubeconfig(
        tmp_path / "config", "dev", current="dev", cluster=cluster, user={"exec": settings}
    )
    environ = {"HOME": str(tmp_path), "KUBECONFIG": str(config)}
    done = kubectl.run(["get", "--raw", "/version"], environ, tmp_path)
    assert done.returncode != 0
    by_kubectl = json.loads(told.read_text())
    told.unlink()
    with pytest.raises(NodeportError, match="it is not JSON"):
        Plugin(settings, cluster, pair.certificate.read_bytes()).run({"HOME": str(tmp_path)})
    assert json.loads(told.read_text()) == by_kubectl
    assert by_kubectl["spec"]["cluster"]["config"] == {"audience": "x"}
