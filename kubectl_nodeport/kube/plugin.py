"""Credential plugins: the program that a kubeconfig names, run for a token or a certificate.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
The kubernetes package runs them otherwise than kubectl: in another folder, on Windows through a
shell, it passes over interactiveMode and installHint, and drops a certificate that comes with a
token.
"""

from __future__ import annotations

import base64
import codecs
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from kubectl_nodeport import background
from kubectl_nodeport.kube import schema
from kubectl_nodeport.kube.kuberc import plugin_policy
from kubectl_nodeport.kube.request import LoginError
from kubectl_nodeport.printable import safe

LONGEST_S = 300.0
"""How long a plugin may take. kubectl waits for ever, which for us would be a command that hangs
for no visible reason; a login in a browser is given up by the plugins themselves sooner (kubelogin:
180 s)."""

_LARGEST_ANSWER = 1 << 20
_TAIL_BYTES = 2000  # of what it said on stderr
_AFTER_END_S = 1.0  # for what it left in the pipes; a child of it may hold them open for ever
_CLUSTER_FIELDS = (
    "tls-server-name",
    "insecure-skip-tls-verify",
    "proxy-url",
    "disable-compression",
)
_EXTENSION = "client.authentication.k8s.io/exec"
_FRACTION = re.compile(r"\.\d+")  # Go writes up to nine digits, Python 3.10 reads three or six


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin gave.

    :param expires: seconds since the epoch; None where it does not say.
    """

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin as a kubeconfig's ``exec`` describes it.

    :param cluster: the kubeconfig's cluster, which the plugin is told where it asks for it.
    :param authority: the PEM text of the cluster's CA certificate.
    """

    settings: Mapping[str, Any]
    cluster: Mapping[str, Any]
    authority: bytes
    timeout_s: float = LONGEST_S

    def folder(self, environ: Mapping[str, str]) -> str:
        """The absolute folder that it is found in, for a run with a shorter PATH; "" if nowhere."""
        path = shutil.which(self.settings["command"], path=environ.get("PATH"))
        return os.path.dirname(os.path.abspath(path)) if path else ""  # noqa: PTH100, PTH120

    def run(self, environ: Mapping[str, str]) -> Credential:
        """Run it, with the caller's variables and folder, and read what it prints.

        :raises NodeportError: it may not run, is missing, failed, did not end, or gave no login.
        """
        command = self.settings["command"]
        path = shutil.which(command, path=environ.get("PATH"))
        plugin_policy(environ).check(command, path)
        if path is None:
            raise self._failed("there is no such program", self._install_hint())
        interactive = self._is_interactive()
        try:
            output = self._output(path, interactive, environ)
        except (OSError, ValueError) as err:  # ValueError: NUL bytes, or "=" in a variable's name
            told = getattr(err, "strerror", None) or str(err)
            raise self._failed(told, self._install_hint()) from err
        return self._read(output)

    def _is_interactive(self) -> bool:
        """Whether it may ask the person at the terminal."""
        mode = self.settings.get("interactiveMode", "IfAvailable")
        terminal = sys.stdin is not None and sys.stdin.isatty()
        if mode == "Always" and not terminal:
            raise self._failed("it asks for a terminal, and the standard input is none")
        return terminal and mode != "Never"

    def _output(self, path: str, interactive: bool, environ: Mapping[str, str]) -> bytes:
        process = subprocess.Popen(
            [path, *self.settings.get("args", ())],
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            env=self._environment(interactive, environ),
        )
        reading = background.start(lambda: _start_of(process.stdout))
        telling = background.start(lambda: _passed_on(process.stderr))
        try:
            code = process.wait(self.timeout_s)
            said = _within(_AFTER_END_S, telling)
            if code != 0:
                raise self._failed(f"it ended with exit code {code}{_reason(said)}")
            return reading(timeout=_AFTER_END_S)
        except (subprocess.TimeoutExpired, TimeoutError) as err:
            raise self._failed(f"it did not end within {self.timeout_s:g} s") from err
        finally:
            process.kill()
            process.wait()

    def _environment(self, interactive: bool, environ: Mapping[str, str]) -> dict[str, str]:
        own = {one.get("name", ""): one.get("value", "") for one in self.settings.get("env", ())}
        spec: dict[str, Any] = {"interactive": interactive}
        if self.settings.get("provideClusterInfo"):
            spec["cluster"] = self._cluster_info()
        asked = {"apiVersion": self.settings["apiVersion"], "kind": "ExecCredential", "spec": spec}
        return {**environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(asked)}

    def _cluster_info(self) -> dict[str, Any]:
        told: dict[str, Any] = {"server": self.cluster.get("server", "")}
        told |= {name: self.cluster[name] for name in _CLUSTER_FIELDS if self.cluster.get(name)}
        if self.authority:
            told["certificate-authority-data"] = base64.b64encode(self.authority).decode()
        for extension in self.cluster.get("extensions", ()):
            if extension.get("name") == _EXTENSION:
                told["config"] = extension.get("extension")
        return told

    def _read(self, output: bytes) -> Credential:
        try:
            given = schema.credential(json.loads(output))
        except (ValueError, RecursionError) as err:
            told = str(err) if isinstance(err, schema.IllTypedError) else "it is not JSON"
            raise self._failed(f"what it printed is no credential: {told}") from err
        version = given.get("apiVersion", "")
        if given.get("kind") != "ExecCredential" or version != self.settings["apiVersion"]:
            wanted = self.settings["apiVersion"]
            raise self._failed(f"what it printed is no ExecCredential of {wanted}")
        status = given.get("status", {})
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if bool(certificate) != bool(key):
            raise self._failed("it gave only one of certificate and key")
        if not (status.get("token") or certificate):
            raise self._failed("it gave neither token nor certificate")
        return Credential(
            token=status.get("token", ""),
            certificate=(certificate or "").encode(),
            key=(key or "").encode(),
            expires=self._expiry(status.get("expirationTimestamp")),
        )

    def _expiry(self, timestamp: str | None) -> float | None:
        if timestamp is None:
            return None
        plain = _FRACTION.sub("", timestamp).replace("Z", "+00:00")
        try:
            when = datetime.datetime.fromisoformat(plain)
        except ValueError as err:
            raise self._failed("its expirationTimestamp is no time") from err
        return when.replace(tzinfo=when.tzinfo or datetime.timezone.utc).timestamp()

    def _install_hint(self) -> str:
        """The first lines of what the kubeconfig says about installing it."""
        words = " ".join(str(self.settings.get("installHint", "")).split())[:500]
        return f"the kubeconfig says: {words}" if words else ""

    def _failed(self, reason: str, hint: str = "") -> LoginError:
        return LoginError(
            f"the credential plugin {self.settings['command']} gives no login: {reason}",
            hint=hint or "kubectl auth whoami should work first",
        )


def _start_of(pipe: IO[bytes] | None) -> bytes:
    """What is printed; the rest of an answer that is too long is thrown away."""
    if pipe is None:
        return b""
    start = pipe.read(_LARGEST_ANSWER)
    while pipe.read(1 << 16):
        pass
    return start


def _passed_on(pipe: IO[bytes] | None) -> bytes:
    """Pass on what it says as it says it, perhaps the address to log in at; the end of it."""
    tail = b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while pipe is not None and (chunk := os.read(pipe.fileno(), 1 << 16)):
        tail = (tail + chunk)[-_TAIL_BYTES:]
        # It may tell what a server told it.
        sys.stderr.write(safe(decoder.decode(chunk), keep="\n\t"))
        sys.stderr.flush()
    return tail


def _within(timeout_s: float, telling: Any) -> bytes:
    try:
        told: bytes = telling(timeout=timeout_s)
    except (TimeoutError, OSError):
        return b""
    return told


def _reason(said: bytes) -> str:
    words = " ".join(said.decode(errors="replace").split())
    return f": {words}" if words else ""
