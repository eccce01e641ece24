"""The refusal to touch a user's file, with what there is to see."""

from __future__ import annotations

from kubectl_nodeport.errors import NodeportError


class ConfigRefusedError(NodeportError):
    """An ssh config that is left as it is.

    :param detail: lines to print as they are below the error: a diff, or what to add by hand.
    """

    def __init__(self, message: str, *, hint: str, detail: str = "") -> None:
        super().__init__(message, hint=hint)
        self.detail = detail
