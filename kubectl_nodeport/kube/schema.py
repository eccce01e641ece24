"""The types of what a kubeconfig and its neighbours hold. Pure.

kubectl decodes them strictly by type: one ill-typed field anywhere makes the whole file unusable.
What has been through here is plain and of the type that its field says; a field without a value
is absent, fields that are not known are left out, and names in a list are unique.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

Reader = Callable[[object, str], Any]


class IllTypedError(ValueError):
    """A field that is not of its type; as a string its place and the type, never the value."""


def text(value: object, where: str) -> str:
    """A string."""
    return _of(str, "text", value, where) or ""


def flag(value: object, where: str) -> bool:
    """A boolean."""
    return _of(bool, "true or false", value, where) or False


def data(value: object, where: str) -> str:
    """Bytes in base64; given back as the text that they stand in the file as.

    :raises IllTypedError: it is no base64.
    """
    written = text(value, where)
    try:
        decode(written)
    except binascii.Error as err:
        raise IllTypedError(f"{where} is not base64") from err
    return written


def decode(written: str) -> bytes:
    """What base64 text stands for; Go's decoder passes over line breaks, so a folded value is good.

    :raises binascii.Error: it is no base64.
    """
    try:
        plain = written.replace("\n", "").replace("\r", "").encode("ascii")
    except UnicodeEncodeError as err:
        raise binascii.Error(str(err)) from err
    return base64.b64decode(plain, validate=True)


def anything(value: object, _where: str) -> object:
    """A value of any type."""
    return value


def list_of(item: Reader) -> Reader:
    """A list of such items."""

    def read(value: object, where: str) -> list[Any]:
        items = _of(list, "a list", value, where) or []
        return [item(one, f"{where}[{at}]") for at, one in enumerate(items)]

    return read


def map_of(item: Reader) -> Reader:
    """A map from strings to such items."""

    def read(value: object, where: str) -> dict[str, Any]:
        fields = _of(dict, "a map", value, where) or {}
        return {text(key, f"a key of {where}"): item(one, where) for key, one in fields.items()}

    return read


def object_of(fields: Mapping[str, Reader], *, keep_empty: tuple[str, ...] = ()) -> Reader:
    """An object with these fields; those that say nothing are left out, unless to be kept."""

    def read(value: object, where: str) -> dict[str, Any]:
        given = _of(dict, "a map", value, where) or {}
        found = {}
        for name, reader in fields.items():
            if given.get(name) is not None:
                one = reader(given[name], f"{where}.{name}" if where else name)
                if one or name in keep_empty:
                    found[name] = one
        return found

    return read


def named(fields: Mapping[str, Reader]) -> Reader:
    """A list of objects whose ``name`` is unique."""
    items = list_of(object_of({"name": text, **fields}))

    def read(value: object, where: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = items(value, where)
        names: set[str] = set()
        for at, one in enumerate(found):
            if one.get("name", "") in names:
                raise IllTypedError(f"{where}[{at}] has the name of another")
            names.add(one.get("name", ""))
        return found

    return read


def _of(kind: type, words: str, value: object, where: str) -> Any:
    # type() and not isinstance(): True is an int for Python, and never one in a file.
    if value is not None and type(value) is not kind:
        raise IllTypedError(f"{where or 'the file'} is not {words}")
    return value


_EXTENSIONS = named({"extension": anything})

_CONTEXT = object_of(
    {"cluster": text, "user": text, "namespace": text, "extensions": _EXTENSIONS},
)

_CLUSTER = object_of(
    {
        "server": text,
        "tls-server-name": text,
        "insecure-skip-tls-verify": flag,
        "certificate-authority": text,
        "certificate-authority-data": data,
        "proxy-url": text,
        "disable-compression": flag,
        "extensions": _EXTENSIONS,
    }
)

_EXEC = object_of(
    {
        "command": text,
        "args": list_of(text),
        "env": list_of(object_of({"name": text, "value": text})),
        "apiVersion": text,
        "installHint": text,
        "provideClusterInfo": flag,
        "interactiveMode": text,
    }
)

_USER = object_of(
    {
        "client-certificate": text,
        "client-certificate-data": data,
        "client-key": text,
        "client-key-data": data,
        "token": text,
        "tokenFile": text,
        "as": text,
        "as-uid": text,
        "as-groups": list_of(text),
        "as-user-extra": map_of(list_of(text)),
        "username": text,
        "password": text,
        "auth-provider": object_of({"name": text, "config": map_of(text)}),
        "exec": _EXEC,
        "extensions": _EXTENSIONS,
    },
    keep_empty=("auth-provider", "exec"),  # that one is asked for is a fact of its own
)

_KUBECONFIG = object_of(
    {
        "apiVersion": text,
        "kind": text,
        "current-context": text,
        "contexts": named({"context": _CONTEXT}),
        "clusters": named({"cluster": _CLUSTER}),
        "users": named({"user": _USER}),
    }
)

_CREDENTIAL = object_of(
    {
        "apiVersion": text,
        "kind": text,
        "status": object_of(
            {
                "token": text,
                "clientCertificateData": text,
                "clientKeyData": text,
                "expirationTimestamp": text,
            }
        ),
    },
    keep_empty=("status",),
)

_PREFERENCE = object_of(
    {
        "apiVersion": text,
        "kind": text,
        "credentialPluginPolicy": text,
        "credentialPluginAllowlist": list_of(object_of({"name": text, "command": text})),
    },
    keep_empty=("credentialPluginAllowlist",),
)


def kubeconfig(document: object) -> Mapping[str, Any]:
    """A kubeconfig file's document.

    :raises IllTypedError: it is none, or not one that kubectl could use.
    """
    found: Mapping[str, Any] = _KUBECONFIG(document, "")
    if found.get("apiVersion", "v1") != "v1" or found.get("kind", "Config") != "Config":
        raise IllTypedError("its apiVersion and kind are not v1 and Config")
    return found


def credential(document: object) -> Mapping[str, Any]:
    """The ExecCredential that a credential plugin prints.

    :raises IllTypedError: it is none.
    """
    found: Mapping[str, Any] = _CREDENTIAL(document, "")
    return found


def preference(document: object) -> Mapping[str, Any]:
    """The document of kubectl's own preferences, as far as it is about credential plugins.

    :raises IllTypedError: it is none.
    """
    found: Mapping[str, Any] = _PREFERENCE(document, "")
    return found
