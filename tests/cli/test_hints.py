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
        (
            "kubectl version",
            Flags(server="https://me:pw@h:1/x"),
            "kubectl --server https://h:1/x version",
        ),
        (
            "delete it first: kubectl nodeport delete dev --name ssh -n lab",
            Flags(context="b"),
            "delete it first: kubectl nodeport delete --context b dev --name ssh -n lab",
        ),
        (
            "take it away first: kubectl nodeport disconnect box, or connect again",
            Flags(context="b"),
            "take it away first: kubectl nodeport disconnect box, or connect again",
        ),
        (
            "kubectl nodeport looks through no more",
            Flags(context="b"),
            "kubectl nodeport looks through no more",
        ),
        (
            "see; more: kubectl nodeport doctor pod/dev -n lab (check sshd)",
            Flags(context="b"),
            "see; more: kubectl nodeport doctor --context b pod/dev -n lab (check sshd)",
        ),
        ("kubectl krew upgrade x", Flags(context="b"), "kubectl krew upgrade x"),
        ("kubectl version", Flags(context="x; reboot"), "kubectl --context 'x; reboot' version"),
        (
            "kubectl auth whoami",
            Flags(
                context="b",
                cluster="c",
                user="u",
                as_="system:serviceaccount:lab:dev",
                as_group=("a", "b c"),
                as_uid="7",
                as_user_extra=("scopes=view",),
                server="https://x:6443",
                tls_server_name="y",
                certificate_authority="ca.pem",
                client_certificate="me.pem",
                client_key="me.key",
                insecure_skip_tls_verify=True,
            ),
            "kubectl --context b --cluster c --user u --server https://x:6443 "
            "--certificate-authority ca.pem --tls-server-name y --client-certificate me.pem "
            "--client-key me.key --as system:serviceaccount:lab:dev --as-uid 7 --as-group a "
            "--as-group 'b c' --as-user-extra scopes=view --insecure-skip-tls-verify auth whoami",
        ),
        (
            "kubectl get pods -n x",
            Flags(token="s3cret", namespace="lab", request_timeout_s=1, cache_dir="/c"),
            "kubectl get pods -n x",
        ),
        (
            "say it: kubectl nodeport connect USER@dev",
            Flags(context="b"),
            "say it: kubectl nodeport connect USER@dev",
        ),
    ],
)
def test_with_flags(hint: str, flags: Flags, shown: str) -> None:
    assert with_flags(hint, flags) == shown
