"""What several tests of the command line stand on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.two_clusters import Clusters


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clusters]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with ExitStack() as stack:
        made = Clusters(tmp_path, stack)
        monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
        yield made
