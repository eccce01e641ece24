"""The API server: plain JSON over the kubernetes package, its only importer.

Its generated models cost half a second of start-up, so requests are made as JSON through its
ApiClient; authentication, TLS and proxies stay the package's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import urllib3
import urllib3.exceptions
import websocket
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_kube_config_from_dict
from kubernetes.stream import ws_client

from kubectl_nodeport import __version__, background
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request, UnreachableError, refusal
from kubectl_nodeport.limited_socket import LimitedSocket

if TYPE_CHECKING:
    from kubectl_nodeport.kube.config import Connection

# A page of 500 large Services is a few megabytes; JSON takes many times its size in memory.
_LARGEST_ANSWER = 16 << 20
# A stream carries what a command prints, and its end; more than that is an attack.
_LARGEST_STREAM = 8 << 20

_IMPERSONATION = (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid"))


class Api:
    """Sends requests to the API server of one connection.

    :param timeout_s: how long one request may take.
    :param trace: is told each request and the status of its answer, never a header.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float = 30.0,
        trace: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._trace = trace
        self._configuration = _configuration(connection)
        self._client = ApiClient(configuration=self._configuration)
        self._client.user_agent = f"kubectl-nodeport/{__version__}"
        self._impersonation = _impersonation(connection)

    def send(self, request: Request) -> Json:
        """Send one request and return the object that the server answers with.

        :raises ApiError: the server refused.
        :raises UnreachableError: no whole answer came in time.
        """
        # The library's timeouts are for one read each; a server that drips would hold us for ever.
        sending = background.start(lambda: self._send(request))
        try:
            status, body = sending(timeout=self._timeout_s)
        except TimeoutError as err:
            raise self._unreachable(err) from err
        self._trace(f"{request} -> {status}")
        if not 200 <= status < 300:
            raise refusal(request, status, body, self._connection.context)
        return self._object(body)

    def _send(self, request: Request) -> tuple[int, bytes]:
        headers = urllib3.HTTPHeaderDict([*request.headers.items(), *self._authentication()])
        try:
            response = self._client.call_api(
                request.method,
                self._configuration.host + request.path,
                header_params=headers,
                body=request.body,
                _request_timeout=self._timeout_s,
            )
            body = response.response.read(_LARGEST_ANSWER)
            response.response.release_conn()
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as err:
            raise self._unreachable(err) from err
        return response.status, body

    def open_websocket(self, request: Request, subprotocol: str) -> websocket.WebSocket:
        """Open a streaming subresource (exec, portforward).

        :raises ApiError: the server refused; :raises UnreachableError: it did not answer.
        """
        url = "ws" + self._configuration.host.removeprefix("http") + request.path
        options: dict[str, Any] = {
            "header": [f"{key}: {value}" for key, value in self._authentication()],
            "subprotocols": [subprotocol],
            "suppress_origin": True,
            "timeout": self._timeout_s,
            "redirect_limit": 0,  # whoever is named there must not get the credentials
        }
        if self._configuration.proxy:
            options = ws_client.websocket_proxycare(options, self._configuration, url, None)
        stream = websocket.WebSocket(sslopt=_tls_options(self._configuration))
        try:
            stream.connect(url, **options)
        except websocket.WebSocketBadStatusException as err:
            self._trace(f"{request} -> {err.status_code}")
            body = err.resp_body or b""
            raise refusal(request, err.status_code, body, self._connection.context) from err
        except (websocket.WebSocketException, OSError) as err:
            raise self._unreachable(err) from err
        self._trace(f"{request} -> 101")
        # The library knows a socket by what it can do, not by its class.
        limited = LimitedSocket(cast("socket.socket", stream.sock), _LARGEST_STREAM)
        stream.sock = cast("socket.socket", limited)
        return stream

    def _authentication(self) -> list[tuple[str, str]]:
        headers = [("User-Agent", self._client.user_agent), *self._impersonation]
        token = self._configuration.auth_settings().get("BearerToken")
        if token:  # stripped, since a token file mostly ends in a newline
            headers.append(("Authorization", str(token["value"]).strip()))
        for name, value in headers:
            if not (value.isascii() and value.isprintable()):
                raise _no_login(self._connection, f"what it has for {name} is not one plain line")
        return headers

    def _object(self, body: bytes) -> Json:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as err:
            raise self._unreachable(err) from err
        if not isinstance(answer, dict):
            raise self._unreachable(ValueError("the answer is no object"))
        return answer

    def _unreachable(self, err: Exception) -> UnreachableError:
        context, server = self._connection.context, self._connection.server_shown
        return UnreachableError(
            f'the API server of context "{context}" at {server} {_what_happened(err)}',
            hint="is the cluster running? kubectl version",
        )


def _configuration(connection: Connection) -> Configuration:
    """What the kubernetes package makes of one context.

    Its loader goes on anonymously when an exec plugin fails and only logs why
    (https://github.com/kubernetes-client/python/issues/1409): that is made an error here.
    """
    name = "only"
    document = {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": dict(connection.cluster)}],
        "users": [{"name": name, "user": dict(connection.user)}],
    }
    configuration = Configuration()
    with _captured_log() as log:
        try:
            load_kube_config_from_dict(
                document, client_configuration=configuration, persist_config=False
            )
        except (ConfigException, ValueError, TypeError) as err:
            raise _no_login(connection, str(err)) from err
        except OSError as err:
            if err.filename in connection.user.values():  # tokenFile
                raise _no_login(connection, str(err)) from err
            # The package hands certificates to the TLS library as files.
            raise NodeportError(
                f'context "{connection.context}": its certificates cannot be written to a '
                f"temporary file: {err.strerror or err}",
                hint="is there a temporary folder with room, where TMPDIR says? df -h /tmp",
            ) from err
    token = str(configuration.api_key.get("BearerToken", "")).removeprefix("Bearer").strip()
    login = token not in ("", "None") or configuration.cert_file
    if connection.user.get("exec") and (log or not login):
        raise _no_login(connection, log[-1] if log else "it gave neither token nor certificate")
    if not configuration.verify_ssl:  # asked for in the kubeconfig: kubectl does not warn either
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    # A refused or lost connection is told at once, as kubectl does.
    configuration.retries = False
    return configuration


def _no_login(connection: Connection, reason: str) -> NodeportError:
    plugin = connection.user.get("exec")
    command = plugin.get("command") if isinstance(plugin, Mapping) else None
    what = f"the credential plugin {command}" if command else "the user of the kubeconfig"
    return NodeportError(
        f'context "{connection.context}": {what} gives no login: {" ".join(reason.split())}',
        hint="kubectl auth whoami should work first",
    )


@contextlib.contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Collect what the package logs on the root logger, instead of printing it."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    collector = Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield lines
    finally:
        root.removeHandler(collector)


def _impersonation(connection: Connection) -> list[tuple[str, str]]:
    """The headers for a kubeconfig user's ``as`` fields, which the package ignores.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    user = connection.user
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    if not isinstance(groups, list):
        raise _no_login(connection, "as-groups is no list")
    if not isinstance(extra, dict) or not all(isinstance(v, list) for v in extra.values()):
        raise _no_login(connection, "as-user-extra does not map keys to lists")
    headers = [(header, str(user[key])) for key, header in _IMPERSONATION if user.get(key)]
    headers += [("Impersonate-Group", str(group)) for group in groups]
    for key, values in extra.items():
        name = f"Impersonate-Extra-{quote(str(key).lower(), safe='')}"
        headers += [(name, str(value)) for value in values]
    return headers


def _tls_options(configuration: Configuration) -> dict[str, Any]:
    if not configuration.verify_ssl:
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    else:
        options = {"cert_reqs": ssl.CERT_REQUIRED}
        if configuration.ssl_ca_cert:
            options["ca_certs"] = configuration.ssl_ca_cert
    optional = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return options | {key: value for key, value in optional.items() if value}


def _what_happened(err: Exception) -> str:
    """The reason in the words of the innermost error, which says it best."""
    causes: list[BaseException] = [err]
    while len(causes) < 10:
        last = causes[-1]
        inner = getattr(last, "reason", None)
        following = inner if isinstance(inner, BaseException) else last.__cause__
        following = following or last.__context__
        if following is None:
            break
        causes.append(following)
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or cause
            return f"failed the TLS check: {reason}"
        if isinstance(cause, ConnectionRefusedError):
            return "refused the connection"
        if isinstance(cause, socket.gaierror):
            return "has a name that cannot be resolved"
        if isinstance(cause, (TimeoutError, urllib3.exceptions.TimeoutError)):
            return "did not answer in time"
        if isinstance(cause, (ValueError, RecursionError, urllib3.exceptions.ProtocolError)):
            return "broke off its answer"
    last = causes[-1]
    strerror = last.strerror if isinstance(last, OSError) else None
    return f"could not be asked: {strerror or last}"
