"""Hints repeat the connection flags that were given, so that they ask the same cluster."""

from __future__ import annotations

import pytest

from kubectl_nodeport.cli.hints import with_flags
from kubectl_nodeport.kube.config import Flags


@pytest.mark.parametrize(
    ("hint", "flags", "shown"),
    [
        ("kubectl get pods -n x", Flags(), "kubectl get pods -n x"),
        ("kubectl get pods", Flags(context="b"), "kubectl --context b get pods"),
        (
            "try kubectl version, or kubectl auth whoami",
            Flags(kubeconfig="/my kube", context="b"),
            "try kubectl --kubeconfig '/my kube' --context b version, "
            "or kubectl --kubeconfig '/my kube' --context b auth whoami",
        ),
        ("kubectl version", Flags(context="x; reboot"), "kubectl --context 'x; reboot' version"),
        (
            "say it: kubectl nodeport connect USER@dev",
            Flags(context="b"),
            "say it: kubectl nodeport connect USER@dev",
        ),
    ],
)
def test_with_flags(hint: str, flags: Flags, shown: str) -> None:
    assert with_flags(hint, flags) == shown
