"""The machine's authorities are found where OpenSSL does not look for them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kubectl_nodeport.kube import authorities
from tests.kube.server import certificate

NOWHERE = ssl.DefaultVerifyPaths("", "", "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def trusts(context: ssl.SSLContext, name: str) -> bool:
    return any(name in str(one["subject"]) for one in context.get_ca_certs())


def new() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_first_bundle_that_is_there(tmp_path: Path) -> None:
    first, second = (
        certificate(tmp_path, name).certificate for name in ("first.test", "second.test")
    )
    context = new()
    authorities.load(context, NOWHERE, ("/nonexistent", str(first), str(second)))
    assert trusts(context, "first.test")
    assert not trusts(context, "second.test")


@pytest.mark.parametrize("content", ["", "none of it\n"])
def test_bundle_that_holds_none_is_passed_over(content: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text(content)
    context = new()
    good = certificate(tmp_path, "good.test").certificate
    authorities.load(context, NOWHERE, (str(damaged), str(tmp_path), str(good)))
    assert trusts(context, "good.test")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_paths_of_linux_are_tried_there_alone(platform: str) -> None:
    assert authorities.bundles(platform) == ()
    assert "/etc/ssl/certs/ca-certificates.crt" in authorities.bundles("linux")


def test_openssls_own_place_comes_first(tmp_path: Path) -> None:
    bundle = certificate(tmp_path, "first.test").certificate
    context = new()
    authorities.load(context, NOWHERE._replace(capath=str(tmp_path)), (str(bundle),))
    assert not trusts(context, "first.test")


def test_whoever_says_where_means_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = certificate(tmp_path, "first.test").certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    context = new()
    authorities.load(context, NOWHERE, (str(bundle),))
    assert not trusts(context, "first.test")


def test_none_at_all() -> None:
    authorities.load(new(), NOWHERE, ())
