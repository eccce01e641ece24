"""The variables of a bundle, which its children must not inherit."""

from __future__ import annotations

import pytest

from kubectl_nodeport.bundle import give_back

MARKS = {"_PYI_ARCHIVE_FILE": "/k/kubectl-nodeport", "_PYI_PARENT_PROCESS_LEVEL": "1"}


LIBRARIES = "/k/_internal"


@pytest.mark.parametrize(
    ("started", "before"),
    [
        ({"LD_LIBRARY_PATH": LIBRARIES}, {}),
        (
            {"LD_LIBRARY_PATH": f"{LIBRARIES}:/mine:/k", "LD_LIBRARY_PATH_ORIG": "/mine:/k"},
            {"LD_LIBRARY_PATH": "/mine:/k"},
        ),
        ({}, {}),
        # Inside another bundle, which has not given it back.
        (
            {"LD_LIBRARY_PATH": LIBRARIES, "LD_LIBRARY_PATH_ORIG": "/others"},
            {"LD_LIBRARY_PATH_ORIG": "/others"},
        ),
        # Windows and macOS, where the start leaves it alone.
        ({"LD_LIBRARY_PATH": "/mine"}, {"LD_LIBRARY_PATH": "/mine"}),
        ({"LD_LIBRARY_PATH": f"{LIBRARIES}2:/x"}, {"LD_LIBRARY_PATH": f"{LIBRARIES}2:/x"}),
    ],
)
def test_variables_are_as_the_user_had_them(
    started: dict[str, str], before: dict[str, str]
) -> None:
    environ = {"HOME": "/home/me", **MARKS, **started}
    give_back(environ, LIBRARIES)
    assert environ == {"HOME": "/home/me", **before}
