"""The program as an archive: with a Python and libraries of its own, put together by PyInstaller.

https://pyinstaller.org/en/v6.16.0/common-issues-and-pitfalls.html
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping

IS_BUNDLE = bool(getattr(sys, "frozen", False))
FOLDER: str = getattr(sys, "_MEIPASS", "")
"""Where its libraries are; "" for what is no bundle."""

_LIBRARIES, _AS_IT_WAS = "LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG"
_OF_THE_START = "_PYI_"


def give_back(environ: MutableMapping[str, str], libraries: str) -> None:
    """Make the variables what they were before the bundle was started.

    On Linux its start puts the bundle's libraries before all others, which ssh, a credential plugin
    or an editor would load in the place of their own; everywhere it leaves marks by which another
    start of the same program, as for a tunnel, would take itself for a part of this one, and find
    no libraries. The loader of this process has read the variable when it began, and is not changed
    any more.

    :param libraries: the bundle's folder of libraries, as its start names it.
    """
    value = environ.get(_LIBRARIES, "")
    if value == libraries:
        del environ[_LIBRARIES]
    elif value.startswith(f"{libraries}:"):
        environ[_LIBRARIES] = value.removeprefix(f"{libraries}:")
        environ.pop(_AS_IT_WAS, None)  # where there was none, this one is somebody else's
    for name in [name for name in environ if name.startswith(_OF_THE_START)]:
        del environ[name]
