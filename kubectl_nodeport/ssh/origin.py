"""Where a Host entry comes from: what sync, get, proxy and disconnect need to know later.

It travels as one JSON object inside the entry (see block.py), so that there is no second file that
could disagree with the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import PurePath

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.known_hosts import parse_public_keys
from kubectl_nodeport.ssh.names import has_control

_TARGET = re.compile(r"[a-z]+/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RULE = re.compile(r"[a-z]{1,20}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{0,64}")
_MAX_TEXT_CHARS = 4096

FLAGS = frozenset(
    [
        *("cluster", "user", "server", "tls_server_name", "insecure_skip_tls_verify"),
        *("as_", "as_group", "as_uid", "as_user_extra"),
        *("certificate_authority", "client_certificate", "client_key"),
    ]
)
"""Connection flags that an entry may keep, by their names in kube.config.Flags; no secret."""

# Texts that are written only where there is one.
_SELDOM = ("plugin_folder", "noted", "container", "sshd_key", "authorized_key")

_PATH_FLAGS = frozenset(["certificate_authority", "client_certificate", "client_key"])


class BadOriginError(NodeportError):
    """A value that cannot be an entry's origin, or a comment that does not hold one."""

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="run `kubectl nodeport connect` for this pod again")


@dataclass(frozen=True, slots=True)
class Origin:
    """What an entry's connect was about.

    :param cluster: identity of the cluster (its CA's hash, else the server's URL).
    :param context: name of the kubeconfig's context; where there was none, what the cluster was
        called by instead.
    :param kubeconfig: absolute paths of the kubeconfig files, in merge order.
    :param namespace: the pod's namespace.
    :param target: kind and name as connect was asked for them, ``pod/dev`` or ``deploy/web``.
    :param pod_uid: uid of the pod whose keys were pinned, empty if none was known.
    :param rule: name of the rule, such as ``ssh``.
    :param service: name of the Service that is the rule, empty for an entry without one.
    :param creation: id that the rule's creation left on it, empty where it has none.
    :param made_rule: whether this entry's connect created the rule.
    :param noted: the id under which the entry noted itself on a rule, if it did: its connect did
        not make that, or another run did at the same time.
    :param container: the container with the ssh server, where connect was told which.
    :param sshd_port: where the ssh server listens that connect brought into the container; 0 where
        it brought none.
    :param sshd_key: the public key that it let in there, as ``TYPE BASE64``.
    :param authorized_key: the public key that connect was told to add to the user's authorized_keys
        in the pod, as ``TYPE BASE64``: a pod that takes its place gets it too.
    :param flags: connection flags that were given besides context, kubeconfig and namespace, by the
        names of FLAGS; a flag that may be repeated stands once for each value.
    :param has_context: whether the context is one of the kubeconfig's.
    :param plugin_folder: absolute folder of the kubeconfig's credential plugin, empty for none: an
        editor that is started from a desktop has a short PATH.
    :raises BadOriginError: for a value that could not be what it says.
    """

    cluster: str
    context: str
    kubeconfig: tuple[str, ...]
    namespace: str
    target: str
    pod_uid: str
    rule: str
    service: str
    creation: str = ""
    made_rule: bool = False
    flags: tuple[tuple[str, str], ...] = ()
    plugin_folder: str = ""
    noted: str = ""
    container: str = ""
    has_context: bool = True
    sshd_port: int = 0
    sshd_key: str = ""
    authorized_key: str = ""

    def __post_init__(self) -> None:
        for name, text in (("cluster", self.cluster), ("context", self.context)):
            _check(bool(text) and _is_plain(text), name, text)
        for path in self.kubeconfig:
            _check(PurePath(path).is_absolute() and _is_plain(path), "path", path)
        _check(_DNS_LABEL.fullmatch(self.namespace), "namespace", self.namespace)
        _check(_TARGET.fullmatch(self.target), "target", self.target)
        _check(_RULE.fullmatch(self.rule), "rule name", self.rule)
        for name, text in (("Service", self.service), ("container", self.container)):
            _check(not text or _DNS_LABEL.fullmatch(text), name, text)
        ids = (("pod uid", self.pod_uid), ("creation id", self.creation), ("note", self.noted))
        for name, text in ids:
            _check(_TOKEN.fullmatch(text), name, text)
        _check(0 <= self.sshd_port < 65536, "port of the ssh server", str(self.sshd_port))
        keys = [key.openssh for key in parse_public_keys(self.sshd_key)]
        _check(keys == ([self.sshd_key] if self.sshd_port else []), "ssh key", self.sshd_key)
        keys = [key.openssh for key in parse_public_keys(self.authorized_key)]
        is_key = keys == ([self.authorized_key] if self.authorized_key else [])
        _check(is_key, "authorized key", self.authorized_key)
        for name, text in self.flags:
            _check(name in FLAGS, "flag", name)
            _check(text and _is_plain(text), "flag's value", text)
            _check(name not in _PATH_FLAGS or PurePath(text).is_absolute(), "path", text)
        folder = self.plugin_folder
        is_folder = PurePath(folder).is_absolute() and _is_plain(folder)
        _check(not folder or is_folder, "folder of the credential plugin", folder)

    @property
    def typed(self) -> str:
        """The target as one types it: ``dev``, ``deployment/api``."""
        return self.target.removeprefix("pod/")

    def in_place_of(self, old: Origin) -> Origin:
        """The origin that stands where another stood.

        Of one creation of a rule it stays known who made it, and under which id it is used: of two
        runs at once either may be the last to write, and the one that made it is one of them.
        """
        if not self.is_on_rule_of(old):
            return self
        made = self.made_rule or old.made_rule
        return replace(self, made_rule=made, noted=self.noted or old.noted)

    def is_on_rule_of(self, other: Origin) -> bool:
        """Whether both lead to one creation of one rule of ours."""
        return bool(self.creation) and self._creation == other._creation

    @property
    def _creation(self) -> tuple[str, str, str, str]:
        return self.cluster, self.namespace, self.service, self.creation

    @property
    def identity(self) -> str:
        """Equal for two entries that mean the same rule of the same target in the same cluster."""
        return identity_of(self.cluster, self.namespace, self.target, self.rule)


def identity_of(cluster: str, namespace: str, target: str, rule: str) -> str:
    """What :attr:`Origin.identity` is for an entry of this rule."""
    return "|".join((cluster, namespace, target, rule))


def origin_to_json(origin: Origin) -> dict[str, object]:
    """The origin as plain JSON values."""
    plain: dict[str, object] = {
        "cluster": origin.cluster,
        "context": origin.context,
        "kubeconfig": list(origin.kubeconfig),
        "namespace": origin.namespace,
        "target": origin.target,
        "pod_uid": origin.pod_uid,
        "rule": origin.rule,
        "service": origin.service,
        "creation": origin.creation,
        "made_rule": origin.made_rule,
    }
    if origin.flags:  # the others stay as they were before there were flags
        plain["flags"] = [list(pair) for pair in origin.flags]
    for name in _SELDOM:
        if text := getattr(origin, name):
            plain[name] = text
    if origin.sshd_port:
        plain["sshd_port"] = origin.sshd_port
    if not origin.has_context:
        plain["has_context"] = False
    return plain


def origin_from_json(plain: Mapping[str, object]) -> Origin:
    """The reverse of :func:`origin_to_json`; strict, as the comment may have been edited.

    :raises BadOriginError: for a missing, unknown or ill-typed value.
    """
    made_rule, has_context = plain.get("made_rule"), plain.get("has_context", True)
    for name, said in (("made_rule", made_rule), ("has_context", has_context)):
        if not isinstance(said, bool):
            raise BadOriginError(f"{name} is {said!a}")
    port = plain.get("sshd_port", 0)
    if not isinstance(port, int) or isinstance(port, bool):
        raise BadOriginError(f"sshd_port is {port!a}")
    names = ("cluster", "context", "namespace", "target", "pod_uid", "rule", "service", "creation")
    texts = {name: text_of(plain, name) for name in names}
    refuse_unknown(
        plain, {*names, "kubeconfig", "made_rule", "has_context", "flags", "sshd_port", *_SELDOM}
    )
    return Origin(
        **texts,
        kubeconfig=texts_of(plain, "kubeconfig"),
        made_rule=bool(made_rule),
        has_context=bool(has_context),
        sshd_port=port,
        flags=_flags_of(plain.get("flags", [])),
        **{name: text_of(plain, name) for name in _SELDOM if name in plain},
    )


def text_of(plain: Mapping[str, object], name: str) -> str:
    """The string of this name.

    :raises BadOriginError: when it is missing or no string.
    """
    value = plain.get(name)
    if not isinstance(value, str):
        raise BadOriginError(f"{name} is {value!a}")
    return value


def refuse_unknown(plain: Mapping[str, object], names: Set[str]) -> None:
    """Names of the same version that are not known here are refused, not passed over.

    An entry is written anew from what was read of it, both to see whether it was edited by hand
    and to update it: what was passed over would look like an edit, or be lost to a newer program.

    :raises BadOriginError: for a name that is not among these.
    """
    if unknown := plain.keys() - names:
        raise BadOriginError(f"{min(unknown)!a} is not known")


def texts_of(plain: Mapping[str, object], name: str) -> tuple[str, ...]:
    """The strings of this name.

    :raises BadOriginError: when it is missing or no list of strings.
    """
    value = plain.get(name)
    if not isinstance(value, list):
        raise BadOriginError(f"{name} is {value!a}")
    return tuple(text_of({name: item}, name) for item in value)


def _flags_of(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise BadOriginError(f"flags is {value!a}")
    pairs = [texts_of({"flag": pair}, "flag") for pair in value]
    if any(len(pair) != 2 for pair in pairs):
        raise BadOriginError(f"flags is {value!a}")
    return tuple((name, text) for name, text in pairs)


def _is_plain(text: str) -> bool:
    return len(text) <= _MAX_TEXT_CHARS and not has_control(text)


def _check(is_good: object, name: str, text: str) -> None:
    if not is_good:
        raise BadOriginError(f"{text[:80]!a} cannot be the {name} of a Host entry")
