"""Where this program runs, from files and variables laid out for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.local import local_facts

_WSL_KERNEL = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1)"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "linux"), ("darwin", "darwin"), ("win32", "win32"), ("freebsd14", "linux")],
)
def test_platform(tmp_path: Path, platform: str, expected: str) -> None:
    assert local_facts({}, root=tmp_path, platform=platform).platform == expected


def test_an_ordinary_linux(tmp_path: Path) -> None:
    _write(tmp_path / "proc/version", "Linux version 6.1.0-18-amd64 (debian-kernel)")
    assert local_facts({}, root=tmp_path, platform="linux") == LocalFacts("linux")


def test_wsl_by_its_variable(tmp_path: Path) -> None:
    assert local_facts({"WSL_DISTRO_NAME": "Debian"}, root=tmp_path, platform="linux").wsl


def test_wsl_by_its_kernel(tmp_path: Path) -> None:
    _write(tmp_path / "proc/version", _WSL_KERNEL)
    assert local_facts({}, root=tmp_path, platform="linux").wsl


def test_windows_itself_is_not_wsl(tmp_path: Path) -> None:
    assert not local_facts({"WSL_DISTRO_NAME": "x"}, root=tmp_path, platform="win32").wsl


def test_in_a_cluster_takes_address_and_account(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    assert not local_facts(environ, root=tmp_path, platform="linux").in_cluster
    _write(tmp_path / "var/run/secrets/kubernetes.io/serviceaccount/token", "t")
    assert local_facts(environ, root=tmp_path, platform="linux").in_cluster
    assert not local_facts({}, root=tmp_path, platform="linux").in_cluster


def test_this_machine_is_read_without_arguments() -> None:
    assert local_facts().platform in ("linux", "darwin", "win32")
