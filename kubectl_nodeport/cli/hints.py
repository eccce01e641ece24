"""Hints hold kubectl commands; they must ask the cluster that the failed command asked. Pure."""

from __future__ import annotations

import re
import shlex

from kubectl_nodeport.kube.config import Flags

# A command to type, not the name of this program.
_KUBECTL = re.compile(r"\bkubectl (?!nodeport\b)(?=[a-z])")


def with_flags(hint: str, flags: Flags) -> str:
    """The hint, its kubectl commands with the connection flags that were given."""
    given = (("--kubeconfig", flags.kubeconfig), ("--context", flags.context))
    words = [f"{name} {shlex.quote(value)} " for name, value in given if value]
    return _KUBECTL.sub(lambda found: found[0] + "".join(words), hint)
