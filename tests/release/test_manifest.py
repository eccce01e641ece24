"""The manifest for krew: for the archives that are there, by the rules of krew and its index.

https://github.com/kubernetes-sigs/krew/blob/v0.4.5/internal/index/validation/validate.go
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_nodeport import __version__
from release.manifest import TEMPLATE, ManifestError, render

VERSION = "v0.3.0"
# The machines that each archive is for.
SYSTEMS: dict[str, dict[str, Any]] = {
    "linux_amd64": {"matchLabels": {"os": "linux", "arch": "amd64"}},
    "linux_arm64": {"matchLabels": {"os": "linux", "arch": "arm64"}},
    "darwin_amd64": {"matchLabels": {"os": "darwin", "arch": "amd64"}},
    "darwin_arm64": {"matchLabels": {"os": "darwin", "arch": "arm64"}},
    "windows_amd64": {
        "matchLabels": {"os": "windows"},
        "matchExpressions": [{"key": "arch", "operator": "In", "values": ["amd64", "arm64"]}],
    },
}
SHORTEST_TO_REVIEW = 50
ROOT = TEMPLATE.parent


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    for system in SYSTEMS:
        (tmp_path / f"kubectl-nodeport_{VERSION}_{system}.tar.gz").write_text(system)
    return tmp_path


def manifest(archives: Path, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render(TEMPLATE.read_text(), VERSION, archives, **more))
    return found


def test_every_platform_has_its_archive(archives: Path) -> None:
    spec = manifest(archives)["spec"]
    assert spec["version"] == VERSION
    assert len(spec["platforms"]) == len(SYSTEMS)
    for system, platform in zip(SYSTEMS, spec["platforms"], strict=True):
        name = f"/{VERSION}/kubectl-nodeport_{VERSION}_{system}.tar.gz"
        assert platform["uri"].startswith("https://github.com/")
        assert platform["uri"].endswith(name)
        assert platform["sha256"] == hashlib.sha256(system.encode()).hexdigest()
        assert platform["selector"] == SYSTEMS[system]
        assert platform["bin"] in ("kubectl-nodeport", "kubectl-nodeport.exe")


def test_texts_keep_the_rules_of_the_index(archives: Path) -> None:
    found = manifest(archives)
    spec = found["spec"]
    assert found["metadata"]["name"] == "nodeport"
    assert len(spec["shortDescription"]) <= SHORTEST_TO_REVIEW
    assert max(map(len, spec["description"].splitlines())) <= 80
    assert "kubectl" not in spec["caveats"], "what a caveat tells is needed, and no help"


def test_platforms_without_an_archive_are_left_out(archives: Path) -> None:
    for system in SYSTEMS.keys() - {"linux_amd64"}:
        (archives / f"kubectl-nodeport_{VERSION}_{system}.tar.gz").unlink()
    (only,) = manifest(archives)["spec"]["platforms"]
    assert only["selector"] == SYSTEMS["linux_amd64"]


def test_archives_elsewhere(archives: Path) -> None:
    platforms = manifest(archives, base_url="http://127.0.0.1:8000/")["spec"]["platforms"]
    name = f"kubectl-nodeport_{VERSION}_linux_amd64.tar.gz"
    assert platforms[0]["uri"] == f"http://127.0.0.1:8000/{name}"


@pytest.mark.parametrize("version", ["0.3.0", "v0.3", "v0.3.0-rc.1", "v0.3.0\nx: y", ""])
def test_version_that_krew_would_not_take(version: str, archives: Path) -> None:
    with pytest.raises(ManifestError, match="a version is like"):
        render(TEMPLATE.read_text(), version, archives)


def test_no_archive_at_all(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has no archive of"):
        render(TEMPLATE.read_text(), VERSION, tmp_path)


def test_manifest_in_the_checkout_is_of_this_version_and_template() -> None:
    text = (ROOT / "krew-manifest.yaml").read_text()
    found = yaml.safe_load(text)
    assert found["spec"]["version"] == f"v{__version__}"
    for platform in found["spec"]["platforms"]:
        assert re.fullmatch("[0-9a-f]{64}", platform["sha256"])
        assert f"/v{__version__}/" in platform["uri"]
    template = yaml.safe_load(
        re.sub(r"\{\{addURI.*\}\}", "x: y", TEMPLATE.read_text()).replace("{{ .TagName }}", "v0")
    )
    same = ("homepage", "shortDescription", "description", "caveats")
    assert {k: found["spec"][k] for k in same} == {k: template["spec"][k] for k in same}
