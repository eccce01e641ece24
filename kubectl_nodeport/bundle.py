"""The program as an archive: with a Python and libraries of its own, put together by PyInstaller.

https://pyinstaller.org/en/v6.16.0/common-issues-and-pitfalls.html
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping

IS_BUNDLE = bool(getattr(sys, "frozen", False))

_LIBRARIES, _AS_IT_WAS = "LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG"
_OF_THE_START = "_PYI_"


def give_back(environ: MutableMapping[str, str]) -> None:
    """Make the variables what they were before the bundle was started.

    Its start puts the bundle's libraries before all others, which ssh, a credential plugin or an
    editor would load in the place of their own; and it leaves marks by which another start of the
    same program, as for a tunnel, would take itself for a part of this one, and find no libraries.
    The loader of this process has read the variable when it began, and is not changed any more.
    """
    before = environ.pop(_AS_IT_WAS, None)
    if before is None:
        environ.pop(_LIBRARIES, None)
    else:
        environ[_LIBRARIES] = before
    for name in [name for name in environ if name.startswith(_OF_THE_START)]:
        del environ[name]
