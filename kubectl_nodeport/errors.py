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
