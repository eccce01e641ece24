"""What goes to this machine itself, and a proxy that is gone: requests and commands alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import Request
from kubectl_nodeport.kube.streams import Exec
from tests.kube import make, proxies
from tests.kube.server import Answer, Frames, Pair, Received, Server, certificate, serving, tls_for

SUCCESS = (3, b'{"metadata":{},"status":"Success"}')
GET = Request("get", "pods", "read the pod", name="dev", namespace="lab")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificate(tmp_path_factory.mktemp("pki"), "k8s.test")


def answer(request: Received) -> object:
    return Frames(((1, b"hello"), SUCCESS)) if request.headers["Upgrade"] else Answer(make.BARE_POD)


@pytest.fixture(scope="module")
def server(pair: Pair) -> Iterator[Server]:
    with serving(answer, tls_for(pair)) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def api(pair: Pair, proxy: str | None, server: str = "https://k8s.test:6443") -> Api:
    cluster = {"certificate-authority-data": pair.certificate_data}
    if proxy:
        cluster["proxy-url"] = proxy
    return Api(make.connection(server, cluster=cluster, user={"token": "t"}), timeout_s=10)


def ask_both_ways(client: Api) -> None:
    assert client.send(GET) == make.BARE_POD
    assert (
        Exec(client).start("lab", "dev", "main", ("true",)).ask("", until=b"end").stdout == b"hello"
    )


def test_environment_is_not_for_this_machine(
    pair: Pair, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    ask_both_ways(api(pair, None, f"https://127.0.0.1:{server.port}"))


def test_proxy_of_the_kubeconfig_is_for_this_machine_too(
    pair: Pair, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with proxies.connect_proxy(server.port) as proxy:
        url = f"https://127.0.0.1:{server.port}"
        ask_both_ways(api(pair, f"http://127.0.0.1:{proxy.port}", url))
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port}"] * 2


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_proxy_that_is_gone_is_told_without_its_password(scheme: str, pair: Pair) -> None:
    client = api(pair, f"{scheme}://me:hunter2@127.0.0.1:1")
    for ask in (
        lambda: client.send(GET),
        lambda: Exec(client).start("lab", "dev", "main", ("true",)),
    ):
        with pytest.raises(NodeportError) as caught:
            ask()
        assert "hunter2" not in caught.value.message + caught.value.hint
        assert "refused the connection" in caught.value.message
