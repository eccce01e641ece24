"""Which ssh the tests are run with; another one counts that stands first on PATH."""

from __future__ import annotations

import functools
import re
import subprocess


@functools.cache
def version() -> tuple[int, ...]:
    """Of OpenSSH's client, such as (9, 2)."""
    said = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    found = re.search(r"OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)", said)
    assert found is not None
    return int(found[1]), int(found[2])
