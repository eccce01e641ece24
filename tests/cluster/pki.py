"""Keys and certificates of one cluster: an authority, the API server's certificate, tokens."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.cluster.process import run

_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.docker.internal",
    "DNS:localhost",
    "IP:127.0.0.1",
)
_FILES = ("ca.key", "ca.crt", "server.key", "server.csr", "server.ext", "server.crt")
_LONG = ("-days", "3650")
# The older form of a key file: the API server reads no public key from the newer one (PKCS #8).
_NEW_KEY = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]


def make(folder: Path, addresses: tuple[str, ...]) -> str:
    """Fill the folder with ca.crt, server.crt, server.key, accounts.key, tokens.csv and token.

    `addresses` are the server's own, beside those that every cluster answers for. Returns the
    administrator's token, which is in the file too.
    """
    folder.mkdir(mode=0o700, parents=True)
    for name in ("ca", "server", "accounts"):
        run([*_NEW_KEY, folder / f"{name}.key"])
    names = ",".join((*_NAMES, *(f"IP:{address}" for address in addresses)))
    (folder / "server.ext").write_text(
        f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n"
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    at = {name: str(folder / name) for name in _FILES}
    authority = ["-x509", "-key", at["ca.key"], "-subj", "/CN=kubernetes", *_LONG]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    run(["openssl", "req", *authority, *usage, "-out", at["ca.crt"]])
    request = ["-new", "-key", at["server.key"], "-subj", "/CN=kube-apiserver"]
    run(["openssl", "req", *request, "-out", at["server.csr"]])
    signer = ["-CA", at["ca.crt"], "-CAkey", at["ca.key"], "-CAcreateserial", *_LONG]
    signing = ["-in", at["server.csr"], *signer, "-extfile", at["server.ext"]]
    run(["openssl", "x509", "-req", *signing, "-out", at["server.crt"]])
    token = secrets.token_urlsafe(24)
    (folder / "token").write_text(token)
    administrator = "kubernetes-admin,kubernetes-admin,system:masters"
    (folder / "tokens.csv").write_text(f"{token},{administrator}\n")
    return token
