"""The certificate authorities that this machine trusts, for clusters that name none of their own.

OpenSSL knows one place, which was chosen where it was built: the bundle's own is that of another
system. Go, and so kubectl, tries those of all systems in turn.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

# https://github.com/golang/go/blob/go1.26.0/src/crypto/x509/root_linux.go
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def load(
    context: ssl.SSLContext,
    own: ssl.DefaultVerifyPaths | None = None,
    bundles: Sequence[str] = _BUNDLES,
) -> None:
    """Let a context trust them.

    :param own: where OpenSSL looks; asked if None.
    :param bundles: where else they may be. Whoever says where they are, by OpenSSL's variables,
        means no other.
    """
    context.load_default_certs()
    places = own or ssl.get_default_verify_paths()
    is_told = {places.openssl_cafile_env, places.openssl_capath_env} & os.environ.keys()
    if places.cafile or places.capath or is_told:  # None where there is no such file, or folder
        return
    for bundle in bundles:
        if Path(bundle).is_file():
            context.load_verify_locations(bundle)
            return
