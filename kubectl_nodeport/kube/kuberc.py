"""Which credential plugins kubectl's user preferences let run.

https://kubernetes.io/docs/reference/config-api/kuberc.v1beta1/ (kubectl 1.35 and later)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import documents, kubeconfig, schema

_API = "kubectl.config.k8s.io/"
_OFF = ("false", "0", "f")  # what Go's ParseBool takes for false


@dataclass(frozen=True, slots=True)
class PluginPolicy:
    """Which programs a kubeconfig may start.

    :param kind: ``AllowAll``, ``DenyAll`` or ``Allowlist``.
    :param allowed: names, looked up on PATH, and paths; for ``Allowlist``.
    :param file: where it stands.
    """

    kind: str = "AllowAll"
    allowed: tuple[str, ...] = ()
    file: str = ""

    def check(self, command: str, path: str | None) -> None:
        """See whether a plugin may run.

        :param command: as the kubeconfig has it.
        :param path: the program that it is; None where there is none.
        :raises NodeportError: it may not.
        """
        if self.kind == "AllowAll":
            return
        if self.kind == "Allowlist":
            programs = {*self.allowed, *(shutil.which(entry) for entry in self.allowed)} - {None}
            if os.path.normpath(command) in programs or path in programs:
                return
        raise NodeportError(
            f"the credential plugin {command} is not allowed to run: {self.file} has "
            f"credentialPluginPolicy {self.kind}",
            hint=f"if you trust this program, name it under credentialPluginAllowlist in "
            f"{self.file}: https://kubernetes.io/docs/reference/kubectl/kuberc/",
        )


def plugin_policy(environ: Mapping[str, str]) -> PluginPolicy:
    """The policy of ``$KUBERC``, else of ``~/.kube/kuberc``; all is allowed where there is none.

    What kubectl only warns of (a file at the usual place that cannot be read) is an error here:
    a policy that holds something back must not be lost by a slip.

    :raises NodeportError: the file cannot be read, or its policy makes no sense.
    """
    named = environ.get("KUBERC", "")
    if named == "off" or environ.get("KUBECTL_KUBERC", "").lower() in _OFF:
        return PluginPolicy()
    path = Path(named) if named else kubeconfig.home(environ) / ".kube" / "kuberc"
    try:
        document = documents.parse(path.read_bytes())
        return _policy(schema.preference(document), str(path))
    except FileNotFoundError as err:
        if not named:
            return PluginPolicy()
        raise _unusable(path, "no such file") from err
    except OSError as err:
        raise _unusable(path, err.strerror or str(err)) from err
    except documents.NotYamlError as err:
        raise _unusable(path, "it is not valid YAML") from err
    except UnicodeDecodeError as err:
        raise _unusable(path, "it is not UTF-8 text") from err
    except schema.IllTypedError as err:
        raise _unusable(path, str(err)) from err


def _unusable(path: Path, reason: str) -> NodeportError:
    return NodeportError(
        f"kubectl's preferences {path} cannot be used: {reason}",
        hint="KUBERC=off runs without them",
    )


def _policy(preference: Mapping[str, object], file: str) -> PluginPolicy:
    """Read the two fields as kubectl validates them.

    :raises schema.IllTypedError: they do not fit each other.
    """
    if not str(preference.get("apiVersion", "")).startswith(_API):
        raise schema.IllTypedError(f"its apiVersion is not one of {_API}")
    kind = str(preference.get("credentialPluginPolicy", "")) or "AllowAll"
    entries = preference.get("credentialPluginAllowlist")
    if kind not in ("AllowAll", "DenyAll", "Allowlist"):
        raise schema.IllTypedError("its credentialPluginPolicy is not known")
    if (kind == "Allowlist") != (entries is not None):
        raise schema.IllTypedError(
            f"credentialPluginPolicy is {kind}, credentialPluginAllowlist is "
            f"{'not ' if entries is None else ''}given"
        )
    allowed = []
    for entry in entries if isinstance(entries, list) else ():
        # "name" in 1.35, "command" after it: https://github.com/kubernetes/kubernetes/pull/137272
        name = entry.get("command") or entry.get("name") or ""
        if not name or os.path.normpath(name) != name:
            raise schema.IllTypedError("an entry of credentialPluginAllowlist is no plain path")
        allowed.append(name)
    if kind == "Allowlist" and not allowed:
        raise schema.IllTypedError("credentialPluginAllowlist is empty; DenyAll would say so")
    return PluginPolicy(kind, tuple(allowed), file)
