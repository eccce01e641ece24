"""The variables of a bundle, which its children must not inherit."""

from __future__ import annotations

import pytest

from kubectl_nodeport.bundle import give_back

MARKS = {"_PYI_ARCHIVE_FILE": "/k/kubectl-nodeport", "_PYI_PARENT_PROCESS_LEVEL": "1"}


@pytest.mark.parametrize(
    ("started", "before"),
    [
        ({"LD_LIBRARY_PATH": "/k/_internal"}, {}),
        (
            {"LD_LIBRARY_PATH": "/k/_internal:/mine", "LD_LIBRARY_PATH_ORIG": "/mine"},
            {"LD_LIBRARY_PATH": "/mine"},
        ),
        ({"LD_LIBRARY_PATH": "/k/_internal", "LD_LIBRARY_PATH_ORIG": ""}, {"LD_LIBRARY_PATH": ""}),
        ({}, {}),
    ],
)
def test_variables_are_as_the_user_had_them(
    started: dict[str, str], before: dict[str, str]
) -> None:
    environ = {"HOME": "/home/me", **MARKS, **started}
    give_back(environ)
    assert environ == {"HOME": "/home/me", **before}
