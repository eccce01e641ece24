"""Who asks, and by which way: what one connection means for the kubernetes package.

Its own loader of kubeconfigs goes on without a login where a credential plugin fails
(https://github.com/kubernetes-client/python/issues/1409), ignores impersonation, leaves keys in
temporary files, and obeys the proxy variables by Python's rules; so its configuration is filled
here, by client-go's.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kubectl_nodeport import __version__
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import authorities, oidc, schema
from kubectl_nodeport.kube.dialer import Dialer
from kubectl_nodeport.kube.plugin import Credential, Plugin
from kubectl_nodeport.kube.proxy import proxy_of
from kubectl_nodeport.kube.request import LoginError

if TYPE_CHECKING:  # loading the kubernetes package takes longer than a request
    import urllib3

    from kubectl_nodeport.kube.config import Connection
    from kubectl_nodeport.kube.package import RESTClientObject

_IMPERSONATION = (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid"))
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# client-go reads a token file again after a minute: a pod's token is replaced while it runs.
_FRESH_S = 60.0


class Login:
    """How one connection's server is reached, and as whom; runs its credential plugin.

    :param environ: the variables that name proxies and are handed to the plugin.
    :raises NodeportError: there is no login, or its certificates cannot be used.
    """

    def __init__(self, connection: Connection, environ: Mapping[str, str] = os.environ) -> None:
        self._connection = connection
        self._environ = environ
        self._lock = threading.Lock()
        # As kubectl: who does not ask through TLS, shows no credentials.
        self._user = connection.user if connection.is_tls else {}
        self._credential = self._new_credential()
        self._impersonation = _impersonation(connection)
        self._tls = self._new_tls() if connection.is_tls else None
        self._proxy = proxy_of(connection.server, connection.cluster.get("proxy-url"), environ)
        name = connection.cluster.get("tls-server-name")
        self._dialer = Dialer(connection.server, self._tls, name)
        self._pools: urllib3.PoolManager | None = None
        self._client: RESTClientObject | None = None

    @property
    def client(self) -> RESTClientObject:
        """The kubernetes package's client, which goes this way; loaded when it is first asked."""
        from kubectl_nodeport.kube.package import Configuration, RESTClientObject

        with self._lock:
            if self._client is None:
                server = self._connection.server
                settings = Configuration(host=server, proxy="", no_proxy="")
                self._client = RESTClientObject(settings)
                self._client.pool_manager = self._loaded_pools()
            return self._client

    def headers(self) -> list[tuple[str, str]]:
        """What each request says about who asks; credentials that have expired are renewed.

        :raises NodeportError: they cannot be renewed, or a value is no header.
        """
        headers = [("User-Agent", f"kubectl-nodeport/{__version__}"), *self._impersonation]
        with self._lock:
            if self._has_expired():
                self._credential = self._new_credential()
                if self._tls is not None:  # connections to come show the new certificate
                    self._load_client_certificate(self._tls)
                    self._dialer.forget_prepared()
            if self._credential.token:
                headers.append(("Authorization", self._credential.token))
        for name, value in headers:
            if not (value.isascii() and value.isprintable()):
                raise _no_login(self._connection, f"what it has for {name} is not one plain line")
        return headers

    def prepare(self, count: int, timeout_s: float | None) -> None:
        """Begin to connect so many times, for what :meth:`open_socket` is asked for next.

        Through a proxy none is begun: that would load urllib3 first, which these are not to wait
        for.
        """
        if not self._proxy:
            self._dialer.prepare(count, timeout_s)

    def open_socket(self, timeout_s: float | None) -> socket.socket:
        """A connection to the server for other protocols, through the proxy and TLS.

        :raises urllib3.exceptions.HTTPError, OSError: there is none.
        """
        if not self._proxy:
            return self._dialer.open(timeout_s)
        from kubectl_nodeport.kube import pools

        with self._lock:
            manager = self._loaded_pools()
        return pools.open_socket(manager, self._connection.server, timeout_s)

    def _loaded_pools(self) -> urllib3.PoolManager:
        """To be called with the lock held."""
        from kubectl_nodeport.kube import pools  # late: see there

        if self._pools is None:
            self._pools = (
                pools.pools_behind(self._proxy, self._connection, self._tls)
                if self._proxy
                else pools.pools_by(self._dialer)
            )
        return self._pools

    def _has_expired(self) -> bool:
        expires = self._credential.expires
        return expires is not None and time.time() > expires

    def _new_credential(self) -> Credential:
        """The value of the Authorization header, and a plugin's certificate."""
        user = self._user
        if "auth-provider" in user:  # kubectl refuses the removed ones before all else
            provided = oidc.authorization(user["auth-provider"], self._connection.context)
        if user.get("tokenFile"):
            return Credential(self._token_of_file(), expires=time.time() + _FRESH_S)
        if user.get("token"):
            return Credential(f"Bearer {user['token']}")
        if user.get("username"):
            pair = f"{user['username']}:{user.get('password', '')}".encode()
            return Credential(f"Basic {base64.b64encode(pair).decode()}")
        if "auth-provider" in user:
            return Credential(provided)
        if _has_certificate(user) or not self._connection.is_tls:
            return Credential()
        if "exec" in user:
            return self._run_plugin(user["exec"])
        # kubectl asks for a user name here, for basic authentication that no server has any more.
        raise _no_login(
            self._connection, "it has neither token, certificate, password nor credential plugin"
        )

    def _run_plugin(self, settings: Mapping[str, Any]) -> Credential:
        connection = self._connection
        plugin = Plugin(settings, connection.cluster, connection.authority)
        given = plugin.run(self._environ)
        token = f"Bearer {given.token}" if given.token else ""
        return Credential(token, given.certificate, given.key, given.expires)

    def _token_of_file(self) -> str:
        """The file's token; where it cannot be read, the one beside it, as client-go does it."""
        try:
            token = Path(self._user["tokenFile"]).read_text(encoding="utf-8").strip()
            if not token:
                raise ValueError("the token file is empty")
        except (OSError, ValueError) as err:
            if not self._user.get("token"):
                raise _no_login(self._connection, str(err)) from err
            token = self._user["token"]
        return f"Bearer {token}"

    def _new_tls(self) -> ssl.SSLContext:
        """TLS as Go checks it, made here so that no key stays behind in a file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.hostname_checks_common_name = False
        context.options |= ssl.OP_NO_TICKET  # no connection lasts until another could use it
        context.set_alpn_protocols(["http/1.1"])
        # Go takes any certificate of the bundle for an anchor, and those of many cluster's tools
        # lack what Python 3.13 asks for: https://github.com/kubernetes-client/python/issues/2394
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._connection.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            self._load_authority(context)
        self._load_client_certificate(context)
        return context

    def _load_authority(self, context: ssl.SSLContext) -> None:
        authority = self._connection.authority
        if not authority:
            authorities.load(context)
            return
        try:
            found = b"\n".join(_PEM.findall(authority))
            context.load_verify_locations(cadata=found.decode("ascii"))
        except (ssl.SSLError, ValueError) as err:
            raise NodeportError(
                f'context "{self._connection.context}": the certificate authority of its cluster '
                "holds no certificate that can be read",
                hint="kubectl config view --minify shows where the kubeconfig looks for it",
            ) from err

    def _load_client_certificate(self, context: ssl.SSLContext) -> None:
        certificate, key = self._credential.certificate, self._credential.key
        try:
            if not certificate and _has_certificate(self._user):
                certificate = _content(self._user, "client-certificate")
                key = _content(self._user, "client-key")
            if certificate:
                with _in_a_file(self._connection, certificate + b"\n" + key) as path:
                    context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError, OSError) as err:
            reason = getattr(err, "reason", None) or getattr(err, "strerror", None) or err
            raise _no_login(
                self._connection, f"its client certificate and key cannot be used: {reason}"
            ) from err


def _has_certificate(user: Mapping[str, Any]) -> bool:
    return bool(user.get("client-certificate") or user.get("client-certificate-data"))


def _content(user: Mapping[str, Any], name: str) -> bytes:
    if user.get(f"{name}-data"):
        return schema.decode(user[f"{name}-data"])
    return Path(user[name]).read_bytes()


def _no_password() -> str:
    raise ValueError("the key is encrypted")


@contextlib.contextmanager
def _in_a_file(connection: Connection, secret: bytes) -> Iterator[str]:
    """A file that only the user can read, for as long as the TLS library needs it."""
    try:
        number, path = tempfile.mkstemp(prefix="kubectl-nodeport-")
    except OSError as err:
        raise NodeportError(
            f'context "{connection.context}": its client certificate cannot be written to a '
            f"temporary file: {err.strerror or err}",
            hint="is there a temporary folder with room, where TMPDIR says? df -h /tmp",
        ) from err
    try:
        with os.fdopen(number, "wb") as file:
            file.write(secret)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - a name, not a path of ours


def _no_login(connection: Connection, reason: str) -> LoginError:
    return LoginError(
        f'context "{connection.context}": the user of the kubeconfig gives no login: '
        f"{' '.join(reason.split())}",
        hint="kubectl auth whoami should work first",
    )


def _impersonation(connection: Connection) -> list[tuple[str, str]]:
    """The headers for a user's ``as`` fields.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    user = connection.user
    headers = [(header, user[key]) for key, header in _IMPERSONATION if user.get(key)]
    headers += [("Impersonate-Group", group) for group in user.get("as-groups", ())]
    for key, values in user.get("as-user-extra", {}).items():
        name = f"Impersonate-Extra-{quote(key.lower(), safe='')}"
        headers += [(name, value) for value in values]
    return headers
