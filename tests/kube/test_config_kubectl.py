"""kubectl itself is the oracle for which cluster, user and namespace a kubeconfig means."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport.kube.config import Flags, connection
from tests.kube import make

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH to compare with")


def seen_by_kubectl(home: Path, kubeconfig: str, *flags: str) -> dict[str, Any]:
    """``--flatten`` puts files in as data, so that which file is meant is seen too."""
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    if kubeconfig:
        environ["KUBECONFIG"] = kubeconfig
    done = subprocess.run(
        [str(KUBECTL), "config", "view", "--minify", "--raw", "--flatten", "-o", "json", *flags],
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    view = json.loads(done.stdout)
    (context,), (cluster,), (user,) = view["contexts"], view["clusters"], view["users"]
    return {
        "context": context["name"],
        "namespace": context["context"].get("namespace", "default"),
        "cluster": cluster["cluster"],
        "user": user["user"],
    }


def seen_by_us(home: Path, kubeconfig: str, context: str | None) -> dict[str, Any]:
    environ = {"HOME": str(home)} | ({"KUBECONFIG": kubeconfig} if kubeconfig else {})
    found = connection(Flags(context=context), environ)
    return {
        "context": found.context,
        "namespace": found.namespace,
        "cluster": flattened(found.cluster),
        "user": flattened(found.user),
    }


def flattened(fields: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(fields)
    for name in ("certificate-authority", "client-certificate", "client-key"):
        if name in flat:
            flat[f"{name}-data"] = base64.b64encode(Path(flat.pop(name)).read_bytes()).decode()
    if "tokenFile" in flat:  # kubectl leaves its path alone, and does not join it when viewing
        flat["tokenFile"] = os.path.basename(flat["tokenFile"])  # noqa: PTH119 - as text
    return flat


def compare(home: Path, kubeconfig: str = "", context: str | None = None) -> dict[str, Any]:
    flags = ["--context", context] if context else []
    ours = seen_by_us(home, kubeconfig, context)
    assert ours == seen_by_kubectl(home, kubeconfig, *flags)
    return ours


def test_home_file(tmp_path: Path) -> None:
    make.kubeconfig(tmp_path / ".kube" / "config", "a", "b", current="b", namespace="lab")
    assert compare(tmp_path)["context"] == "b"


def test_several_files_with_the_same_names(tmp_path: Path) -> None:
    first = make.kubeconfig(tmp_path / "first", "both", namespace="one")
    second = make.kubeconfig(
        tmp_path / "second",
        "both",
        "more",
        current="both",
        cluster={"insecure-skip-tls-verify": True},
        namespace="two",
    )
    third = make.kubeconfig(tmp_path / "third", "more", current="more")
    listed = ":".join(map(str, (tmp_path / "missing", first, "", second, third, first)))
    assert compare(tmp_path, listed)["cluster"] == {"server": "https://first.both:6443"}
    compare(tmp_path, listed, context="more")


def test_paths_in_files_of_several_folders(tmp_path: Path) -> None:
    """Files of the same relative name with different content: the right one must be taken."""
    for folder in ("a", "b", "."):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("ca.pem", "me.pem", "me.key"):
            (tmp_path / folder / name).write_text(f"{folder}/{name}")
    first = make.kubeconfig(
        tmp_path / "a" / "first",
        "dev",
        current="dev",
        cluster={"certificate-authority": "../ca.pem"},
        user={"client-certificate": "me.pem", "client-key": str(tmp_path / "b" / "me.key")},
    )
    second = make.kubeconfig(
        tmp_path / "b" / "second",
        "other",
        cluster={"certificate-authority": "ca.pem"},
        user={"tokenFile": "token", "client-certificate": "./me.pem"},
    )
    listed = f"{first}:{second}"
    assert compare(tmp_path, listed)["user"]["client-key-data"]
    compare(tmp_path, listed, context="other")
