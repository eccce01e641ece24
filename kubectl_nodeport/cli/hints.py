"""Hints hold kubectl commands; they must ask the cluster that the failed command asked. Pure.

They ask it as the same user too, as far as that can be typed in the open: the token is never
repeated, since a hint ends up in logs and screenshots. Of certificates and keys only paths are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from kubectl_nodeport.kube.config import Flags

# A command to type: kubectl's own, or a verb of ours with something behind it. disconnect and sync
# are hinted with an alias, whose entry keeps its own flags: others would lead elsewhere.
_KUBECTL = re.compile(
    r"\bkubectl (?:nodeport (?:connect|expose|get|address|delete|doctor) (?=[a-z-])"
    r"|(?!(?:nodeport|krew)\b)(?=[a-z]))"
)

# A name and a password may stand in a URL.
_PASSWORD = re.compile("//[^/]*@")


def with_flags(hint: str, flags: Flags) -> str:
    """The hint, its kubectl commands with the connection flags that were given."""
    words = "".join(f"{name} {shlex.quote(value)} " for name, value in _given(flags))
    if flags.insecure_skip_tls_verify:
        words += "--insecure-skip-tls-verify "
    return _KUBECTL.sub(lambda found: found[0] + words, hint)


def without_password(url: str) -> str:
    """A URL without the user name and password that may stand in it."""
    return _PASSWORD.sub("//", url)


def _given(flags: Flags) -> Iterator[tuple[str, str]]:
    """The flags with a value, but for the token and what changes neither cluster nor user.

    The namespace is left out: hints name the one that they are about.
    """
    one_value = (
        ("--kubeconfig", flags.kubeconfig),
        ("--context", flags.context),
        ("--cluster", flags.cluster),
        ("--user", flags.user),
        ("--server", without_password(flags.server or "")),
        ("--certificate-authority", flags.certificate_authority),
        ("--tls-server-name", flags.tls_server_name),
        ("--client-certificate", flags.client_certificate),
        ("--client-key", flags.client_key),
        ("--as", flags.as_),
        ("--as-uid", flags.as_uid),
    )
    yield from ((name, value) for name, value in one_value if value)
    yield from (("--as-group", group) for group in flags.as_group)
    yield from (("--as-user-extra", pair) for pair in flags.as_user_extra)
