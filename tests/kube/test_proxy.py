"""By which proxy: Go's rules, from the documentation of golang.org/x/net/http/httpproxy."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.kube.proxy import proxy_of

P = "http://proxy:3128"


@pytest.mark.parametrize(
    ("server", "configured", "environ", "proxy"),
    [
        ("https://k8s.test", None, {}, None),
        ("https://k8s.test", P, {"NO_PROXY": "*"}, P),
        ("https://127.0.0.1:6443", P, {}, P),
        ("https://k8s.test", None, {"HTTPS_PROXY": P}, P),
        ("https://k8s.test", None, {"https_proxy": P}, P),
        ("https://k8s.test", None, {"HTTPS_PROXY": "a:1", "https_proxy": "b:2"}, "http://a:1"),
        ("https://k8s.test", None, {"HTTPS_PROXY": "", "https_proxy": "b:2"}, "http://b:2"),
        ("https://k8s.test", None, {"HTTPS_PROXY": "socks5://s:1"}, "socks5://s:1"),
        ("https://k8s.test", None, {"HTTPS_PROXY": "https://s:1"}, "https://s:1"),
        ("https://k8s.test", None, {"HTTPS_PROXY": "proxy"}, "http://proxy"),
        ("https://k8s.test", None, {"HTTPS_PROXY": "["}, None),
        ("https://k8s.test", None, {"HTTPS_PROXY": "ftp://x"}, "http://ftp://x"),  # and then fails
        ("https://k8s.test", None, {"HTTP_PROXY": P, "ALL_PROXY": P}, None),
        ("http://k8s.test", None, {"HTTP_PROXY": P}, P),
        ("http://k8s.test", None, {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None),
        ("http://k8s.test", None, {"HTTPS_PROXY": P}, None),
        ("https://localhost:6443", None, {"HTTPS_PROXY": P}, None),
        ("https://127.8.9.1:6443", None, {"HTTPS_PROXY": P}, None),
        ("https://[::1]:6443", None, {"HTTPS_PROXY": P}, None),
        ("https://localhost.test", None, {"HTTPS_PROXY": P}, P),
    ],
)
def test_proxy_of(
    server: str, configured: str | None, environ: Mapping[str, str], proxy: str | None
) -> None:
    assert proxy_of(server, configured, environ) == proxy


@pytest.mark.parametrize(
    ("host", "no_proxy", "excepted"),
    [
        ("k8s.test", "k8s.test", True),
        ("a.k8s.test", "k8s.test", True),
        ("xk8s.test", "k8s.test", False),
        ("k8s.test", ".k8s.test", False),
        ("a.k8s.test", ".k8s.test", True),
        ("k8s.test", "*.k8s.test", False),
        ("a.k8s.test", "*.k8s.test", True),
        ("K8S.test", " other.test , k8s.TEST", True),
        ("k8s.test", "*", True),
        ("k8s.test", "x,*,y", True),
        ("k8s.test", ",,", False),
        ("k8s.test", ":443", False),
        ("k8s.test", "k8s.test:443", True),
        ("k8s.test", "k8s.test:6443", False),
        ("k8s.test:6443", "k8s.test:6443", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3", "10.1.2.3:80", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "11.0.0.0/8", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]:6443", "[fd00::1]:6443", True),
        ("k8s.test", "10.0.0.0/8", False),
    ],
)
def test_no_proxy(host: str, no_proxy: str, excepted: bool) -> None:
    found = proxy_of(f"https://{host}", None, {"HTTPS_PROXY": P, "NO_PROXY": no_proxy})
    assert found == (None if excepted else P)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_variables_are_read(proxy: str, no_proxy: str) -> None:
    found = proxy_of("https://k8s.test", None, {"HTTPS_PROXY": proxy, "NO_PROXY": no_proxy})
    assert found is None or "://" in found
