"""The auth-providers of old kubeconfigs, of which kubectl knows one still."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.errors import NodeportError

# https://kubernetes.io/blog/2022/11/18/upcoming-changes-in-kubernetes-1-26/
_INSTEAD = {
    "gcp": "gke-gcloud-auth-plugin --version; then: gcloud container clusters get-credentials NAME",
    "azure": "kubelogin convert-kubeconfig",
}
_EXPIRY_DELTA_S = 10  # client-go's


def authorization(provider: Mapping[str, Any], context: str) -> str:
    """The Authorization header of an auth-provider.

    An id token that has expired is not renewed here: kubectl does that, and writes the new one
    into the kubeconfig.

    :raises NodeportError: kubectl does not know the provider, or its token has expired.
    """
    name = provider.get("name", "")
    if name != "oidc":
        raise NodeportError(
            f'context "{context}": the auth-provider "{name}" is not part of kubectl any more',
            hint=_INSTEAD.get(name, "kubectl config set-credentials --help lists other ways"),
        )
    token = str(provider.get("config", {}).get("id-token", ""))
    if not _is_valid(token):
        raise NodeportError(
            f'context "{context}": the id-token of its auth-provider oidc has expired',
            hint="kubectl auth whoami renews it",
        )
    return f"Bearer {token}"


def _is_valid(token: str) -> bool:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - _EXPIRY_DELTA_S > time.time()
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return False
