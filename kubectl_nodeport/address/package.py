"""What is used of the paramiko package, its only importer: one side of an ssh connection.

It imports invoke where that is installed, for the ``Match exec`` of configurations that are not
read here, and does without where it is not (paramiko/config.py). That is a third of the time that
paramiko takes to load, so here it does without.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_modules = cast("dict[str, ModuleType | None]", sys.modules)
_was_there = "invoke" in _modules
if not _was_there:
    _modules["invoke"] = None  # for import, what cannot be found

from paramiko import SSHException, Transport  # noqa: E402 - see above

if not _was_there:
    del _modules["invoke"]

__all__ = ["SSHException", "Transport"]
