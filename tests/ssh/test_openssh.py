from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import openssh


def ask(config: Path, host: str) -> Mapping[str, list[str]]:
    (answer,) = openssh.effective([openssh.Question(config, host)])
    return answer


def test_effective_options(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host dev\n  Port 31380\n  IdentityFile /a\n  IdentityFile /b\n")
    found = ask(config, "dev")
    assert found["port"] == ["31380"]
    assert found["identityfile"] == ["/a", "/b"]
    assert ask(config, "other")["port"] == ["22"]


def test_a_bad_line_is_told_in_the_words_of_ssh(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host dev\n  Prot 22\n")
    with pytest.raises(openssh.SshRefusedError, match=rf"{config}: line 2: Bad configuration") as e:
        ask(config, "dev")
    assert e.value.hint == f"see `ssh -F {config} -G dev`"


def test_a_host_is_never_an_option(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("")
    try:
        found = ask(config, "-oProxyCommand=x")
    except openssh.SshRefusedError:
        return  # which no host can be called
    assert (found["hostname"], found.get("proxycommand")) == (["-oproxycommand=x"], None)


def test_a_slow_match_exec_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "_TIMEOUT_S", 0.5)
    config, mark = tmp_path / "config", tmp_path / "pid"
    config.write_text(f'Match exec "echo $$ > {mark}; sleep 50"\n')
    start = time.monotonic()
    with pytest.raises(NodeportError, match=r"no answer within 0\.5 s"):
        ask(config, "dev")
    assert time.monotonic() - start < 10
    pid = int(mark.read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
        assert time.monotonic() < deadline, "the Match exec child is still there"
        time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeportError, match="ssh cannot be run: No such file"):
        ask(tmp_path / "config", "dev")


def test_version() -> None:
    assert openssh.version().startswith("OpenSSH_")


def test_version_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeportError, match="ssh cannot be run"):
        openssh.version()
