"""Where to look further when connect fails and its own hint is a guess."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kubectl_nodeport.address.resolution import Verdict
from kubectl_nodeport.commands.look import NothingListensError
from kubectl_nodeport.commands.reach import UnreachedError
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target

# Somebody answered: then the hint says what is to be done.
_CLEAR = (Verdict.NOT_SSH, Verdict.OTHER_KEY, Verdict.OTHER_POD, Verdict.KEY_EXCHANGE_FAILED)


@contextlib.contextmanager
def pointing_to_doctor(target: Target, namespace: str) -> Iterator[None]:
    """Let the hint of what is raised inside name doctor, and the checks that may tell why.

    :raises NodeportError: the one that is raised inside.
    """
    try:
        yield
    except NothingListensError as err:
        err.hint = _more(err, target, namespace, "check sshd")
        raise
    except UnreachedError as err:
        if not any(attempt.outcome.verdict in _CLEAR for attempt in err.attempts):
            # A rule that was made now is gone again, so there is no address for doctor to ask.
            err.hint = _more(err, target, namespace, "checks node, network-policy")
        raise


def _more(err: NodeportError, target: Target, namespace: str, checks: str) -> str:
    words = f"kubectl nodeport doctor {target} -n {namespace}"
    return f"{err.hint}; more: {words} ({checks})"
