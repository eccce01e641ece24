"""The certificate authorities that this machine trusts, for clusters that name none of their own.

OpenSSL knows one place, which was chosen where it was built: the bundle's own is that of another
system. On Linux Go, and so kubectl, tries the files of all distributions in turn.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from collections.abc import Sequence

# https://github.com/golang/go/blob/go1.26.0/src/crypto/x509/root_linux.go
_OF_LINUX = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def bundles(platform: str) -> tuple[str, ...]:
    """Files in which they may be on a system, as :data:`sys.platform` names it.

    On Windows such a path is one below the current drive's root, where any user may make a folder.
    """
    return _OF_LINUX if platform == "linux" else ()


def load(
    context: ssl.SSLContext,
    own: ssl.DefaultVerifyPaths | None = None,
    others: Sequence[str] = bundles(sys.platform),
) -> None:
    """Let a context trust them.

    :param own: where OpenSSL looks; asked if None.
    :param others: where else they may be: the first that can be read counts. Whoever says where
        they are, by OpenSSL's variables, means no other.
    """
    context.load_default_certs()
    places = own or ssl.get_default_verify_paths()
    is_told = {places.openssl_cafile_env, places.openssl_capath_env} & os.environ.keys()
    if places.cafile or places.capath or is_told:  # None where there is no such file, or folder
        return
    for bundle in others:
        with contextlib.suppress(OSError):  # ssl.SSLError, of what holds none, is one
            context.load_verify_locations(bundle)
            return
