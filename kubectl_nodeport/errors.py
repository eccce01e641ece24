"""The failures that a user can do something about."""

from __future__ import annotations


class NodeportError(Exception):
    """An expected failure: printed as one ``error:`` line and one ``hint:`` line, exit code 1.

    Both texts may hold names that came from a cluster; the printer makes them safe for a terminal.

    :param message: what was tried and what came back, without a trailing full stop.
    :param hint: what mends it, a command where there is one.
    :param detail: lines to print between the two, such as a diff; seldom needed.
    """

    def __init__(self, message: str, *, hint: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


UPGRADE = "upgrade this one: kubectl krew upgrade nodeport, or pipx upgrade kubectl-nodeport"


class NewerFormatError(NodeportError):
    """What a newer version of this program wrote in a form that is not known here.

    It is left as it is: docs/decisions/0015.

    :param what: begins the message, such as ``the entry dev``.
    :param otherwise: a command for whoever cannot upgrade.
    """

    def __init__(self, what: str, *, otherwise: str = "") -> None:
        hint = f"{UPGRADE}; or: {otherwise}" if otherwise else UPGRADE
        super().__init__(f"{what} was written by a newer kubectl-nodeport", hint=hint)
