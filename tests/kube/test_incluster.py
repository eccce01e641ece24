"""Inside a pod, with a folder in the place of the kubelet's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection, Flags, connection
from tests.kube import make

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("of-pod")
    (folder / "ca.crt").write_text("CA")
    (folder / "namespace").write_text("lab\n")
    return folder


def inside(account: Path, *, flags: Flags | None = None, **environ: str) -> Connection:
    variables = {"HOME": str(account.parent), **POD, **environ}
    return connection(flags or Flags(), variables, service_account=account)


def test_account_of_the_pod(account: Path) -> None:
    found = inside(account)
    assert found.server == "https://10.96.0.1:443"
    assert found.cluster["certificate-authority"] == str(account / "ca.crt")
    assert found.user == {"tokenFile": str(account / "token")}
    assert (found.context, found.namespace) == ("in-cluster", "lab")
    assert found.kubeconfig_paths == ()
    assert found.identity.startswith("ca:")


def test_ipv6_and_no_authority(account: Path) -> None:
    (account / "ca.crt").unlink()
    found = inside(account, KUBERNETES_SERVICE_HOST="fd00::1")
    assert found.server == "https://[fd00::1]:443"
    assert found.identity.startswith("url:")


@pytest.mark.parametrize(
    ("flags", "environ", "namespace"),
    [
        (Flags(), {}, "lab"),
        (Flags(), {"POD_NAMESPACE": "own"}, "own"),
        (Flags(namespace="asked"), {"POD_NAMESPACE": "own"}, "asked"),
    ],
)
def test_namespace(flags: Flags, environ: dict[str, Any], namespace: str, account: Path) -> None:
    assert inside(account, flags=flags, **environ).namespace == namespace


def test_flags_apply(account: Path) -> None:
    found = inside(account, flags=Flags(token="t", as_="jane", request_timeout_s=5))
    assert found.user == {"token": "t", "as": "jane"}
    assert found.request_timeout_s == 5


def test_kubeconfig_comes_first_but_for_its_namespace(account: Path) -> None:
    """As kubectl: a namespace that no context names is the pod's own."""
    make.kubeconfig(account.parent / ".kube" / "config", "dev", current="dev")
    found = inside(account)
    assert (found.context, found.namespace) == ("dev", "lab")
    make.kubeconfig(account.parent / ".kube" / "config", "dev", current="dev", namespace="default")
    assert inside(account).namespace == "default"


@pytest.mark.parametrize("missing", ["token", "host", "port"])
def test_outside_of_a_pod(missing: str, account: Path) -> None:
    environ: dict[str, Any] = {
        "host": {"KUBERNETES_SERVICE_HOST": ""},
        "port": {"KUBERNETES_SERVICE_PORT": ""},
    }.get(missing, {})
    if missing == "token":
        (account / "token").unlink()
    with pytest.raises(NodeportError, match="no kubeconfig"):
        inside(account, **environ)


def test_a_context_without_a_server_does_not_lead_here(account: Path) -> None:
    """kubectl would ask the pod's cluster; a slip must not lead to another one."""
    make.kubeconfig(
        account.parent / ".kube" / "config", "dev", current="dev", cluster={"server": ""}
    )
    with pytest.raises(NodeportError, match="which has no server"):
        inside(account)
