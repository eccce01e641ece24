"""What a check is, and what it found. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


class Status(enum.Enum):
    """How a check ended; a closed set."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"
    SKIPPED = "skipped"
    """It was not made: an earlier check explains what it would have found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and where it is not well, why that matters and what mends it.

    Texts may hold words of a cluster or a container; the printer makes them safe.

    :ivar hint: what to do where no command alone does it.
    :ivar command: a command to type that mends it; "" where there is none.
    :ivar blocks: whether checks that need this one cannot be made.
    :ivar because: the check that explains why this one was skipped.
    """

    status: Status
    seen: str
    why: str = ""
    hint: str = ""
    command: str = ""
    blocks: bool = False
    because: str = ""


def ok(seen: str) -> Finding:
    """All is well."""
    return Finding(Status.OK, seen)


def warning(
    seen: str, why: str, *, hint: str = "", command: str = "", blocks: bool = False
) -> Finding:
    """It works, though less well than it could."""
    return Finding(Status.WARNING, seen, why, hint, command, blocks)


def fail(seen: str, why: str, *, hint: str = "", command: str = "", blocks: bool = True) -> Finding:
    """Something does not work as long as it is so."""
    return Finding(Status.FAIL, seen, why, hint, command, blocks)


def skipped(because: str) -> Finding:
    """Not made, since the check of this name explains what would be found."""
    seen = f"not looked at, see {because}"
    return Finding(Status.SKIPPED, seen, blocks=True, because=because)


@dataclass(frozen=True, slots=True)
class Check(Generic[C]):
    """A question about a case.

    :ivar name: lower-case letters and ``-``; other checks and programs call it so.
    :ivar judge: looks and judges. A NodeportError that it raises is a fail in the error's words.
    :ivar why: why it matters, for such an error.
    :ivar needs: the checks without which it cannot be made; they come earlier.
    :ivar of_target: whether it is about a pod, and there is nothing to ask without one.
    :ivar for_editor: whether ssh works all the same where it fails, and VS Code does not.
    """

    name: str
    title: str
    judge: Callable[[C], Finding]
    why: str
    needs: tuple[str, ...] = ()
    of_target: bool = False
    for_editor: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A check and what it found; ``for_editor`` is the check's."""

    name: str
    title: str
    finding: Finding
    for_editor: bool = False
