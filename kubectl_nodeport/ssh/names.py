"""What may stand in a Host entry, checked in one place for each kind of value.

Every rule here is an allow-list: a newline, quote, ``%`` token, shell character or leading ``-``
cannot get through, so that no value that came from a cluster, a kubeconfig or a flag can become a
directive of its own.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable
from pathlib import PurePath

from kubectl_nodeport.errors import NodeportError

MAX_ALIAS_CHARS = 64
# Of a path, a ProxyCommand and a line of an entry's comment. OpenSSH 7.6 and 7.7 die on a line of
# more than 4,095 bytes, comments included (docs/openssh.md): 900 characters are at most 3,600 bytes
# of UTF-8, which leaves room for indentation, keyword and quotes.
MAX_VALUE_CHARS = 900
# Lower case only: VS Code lower-cases a URI's authority and ssh the name it looks host keys up by,
# while Host patterns are compared as written.
_ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_DNS_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\"\\#\ud800-\udfff]|\$\{|(?! )\s|\ufeff")
# What useradd takes, plus dots, upper case and a leading digit (LDAP accounts, OpenShift's uids).
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")
_EKS_CONTEXT = re.compile(r"arn:aws[a-z-]*:eks:[a-z0-9-]+:\d+:cluster/(?P<name>[^/]+)")
# Project, location and cluster names on Google Cloud hold no underscore.
_GKE_CONTEXT = re.compile(r"gke_[^_]+_[^_]+_(?P<name>[^_]+)")


def validate_alias(text: str) -> str:
    """The text itself when it may be a Host alias, a known_hosts pattern and a file's name.

    :raises NodeportError: else, with a name that would do.
    """
    if _ALIAS.fullmatch(text) and len(text) <= MAX_ALIAS_CHARS:
        return text
    offer = _ALIAS.search(re.sub(r"[^a-z0-9._]+", "-", text.lower())[:MAX_ALIAS_CHARS])
    raise NodeportError(
        f"{text!a} cannot be a host alias: lower-case letters, digits, '.', '_' and '-', at most "
        f"{MAX_ALIAS_CHARS}, beginning and ending with a letter or digit",
        hint=f"--host {offer.group() if offer else 'dev'}",
    )


def validate_user(text: str) -> str:
    """The text itself when it may be a login name.

    :raises NodeportError: else.
    """
    if _USER.fullmatch(text):
        return text
    raise NodeportError(
        f"{text!a} cannot be a user name: letters, digits, '.', '_' and '-', at most 32, "
        "not beginning with '-' or '.'",
        hint="name the pod's user with USER@TARGET or --ssh-user",
    )


def passes(check: Callable[[str], str], text: str) -> bool:
    """Whether one of the checks here takes the text, for a reader that passes the rest over."""
    try:
        check(text)
    except NodeportError:
        return False
    return True


def validate_hostname(text: str) -> str:
    """The text itself when it is an IP literal (without a zone) or a DNS name.

    Names that the resolver would read as a number (``0x7f.1``, ``127.1``) are refused: they say
    one thing and mean another.

    :raises NodeportError: else.
    """
    if _is_ip_literal(text) or _is_dns_name(text):
        return text
    raise NodeportError(
        f"{text!a} is neither an IP address nor a host name",
        hint="an address looks like 192.0.2.1, 2001:db8::1 or node-1.example, without a port",
    )


def validate_port(number: object) -> int:
    """The number itself when it is a TCP port.

    :raises NodeportError: else.
    """
    if not isinstance(number, bool) and isinstance(number, int) and 1 <= number <= 65535:
        return number
    raise NodeportError(
        f"{number!a} is not a TCP port", hint="ports are whole numbers from 1 to 65535"
    )


def validate_path(text: str, *, percent: bool) -> str:
    """The text itself when every reader of ssh_config can be told this path.

    Absolute or beginning with ``~/``. Refused: control characters and white space other than a
    plain blank; ``"``, ``\\`` and ``#``, which ssh's versions and the config parsers of editors
    read differently; ``${``, which OpenSSH 8.4 began to expand and which nothing escapes; bytes
    that are no UTF-8 (a surrogate each), for which Python's readers would refuse the whole file.

    :param percent: whether ``%`` may stand in it (where ssh always expands it, it can be doubled).
    :raises NodeportError: for a path that cannot be written.
    """
    is_rooted = PurePath(text).is_absolute() or text.startswith("~/")
    is_short = len(text) <= MAX_VALUE_CHARS
    if is_rooted and is_short and not _UNWRITABLE.search(text) and (percent or "%" not in text):
        return text
    raise NodeportError(
        f"the path {text!a} cannot be written to an ssh config",
        hint="use an absolute path without quotes, backslashes, '#', '%' and control characters",
    )


def has_control(text: str) -> bool:
    """Whether a C0 or C1 control character, a line or a paragraph separator is in the text."""
    return _CONTROL.search(text) is not None


def alias_for(target: str, namespace: str, context: str) -> str:
    """``TARGET.NAMESPACE.CONTEXT``, each part of ``[a-z0-9-]``, the whole at most 64 characters.

    ``pod/dev`` gives ``dev``, ``deploy/web`` gives ``deploy-web``; EKS and GKE contexts are cut to
    the cluster's name. A part with nothing to keep, or a whole that is too long, ends in a hash of
    the full names, so that different targets keep different aliases.
    """
    parts = (target.removeprefix("pod/"), namespace, _short_context(context))
    alias = ".".join(_part(part) for part in parts)
    if len(alias) <= MAX_ALIAS_CHARS:
        return alias
    return _with_suffix(alias, _digest("\0".join((target, namespace, context)), 8))


def alias_with_hash(alias: str, identity: str) -> str:
    """The alias with 4 characters of the identity's hash: for a name that another of ours has."""
    return _with_suffix(alias, _digest(identity, 4))


def _short_context(context: str) -> str:
    for form in (_EKS_CONTEXT, _GKE_CONTEXT):
        if match := form.fullmatch(context):
            return match["name"]
    return context


def _part(text: str) -> str:
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return kept or _digest(text, 8)


def _with_suffix(alias: str, suffix: str) -> str:
    return f"{alias[: MAX_ALIAS_CHARS - len(suffix) - 1].rstrip('.-')}-{suffix}"


def _digest(text: str, chars: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:chars]


def _is_ip_literal(text: str) -> bool:
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_dns_name(text: str) -> bool:
    labels = text.split(".")
    is_number = re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", labels[-1]) is not None
    return (
        len(text) <= 253
        and not is_number
        and all(_DNS_LABEL.fullmatch(label) is not None for label in labels)
    )
