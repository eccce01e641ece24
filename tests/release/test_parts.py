"""What goes into the bundle. That nothing is missing in it `make package` finds out itself."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from release import parts


def test_of_the_kubernetes_package_what_is_loaded_stays() -> None:
    left_out = set(parts.left_out())
    assert {"kubernetes.client.models", "kubernetes.aio", "kubernetes.config"} <= left_out
    assert not {"kubernetes", "kubernetes.client", "kubernetes.client.rest"} & left_out


def test_nothing_is_left_out_that_ours_import() -> None:
    left_out = set(parts.left_out())
    for name in parts.imported():
        places = name.split(".")
        assert not {".".join(places[: at + 1]) for at in range(len(places))} & left_out, name


def test_every_module_of_ours_and_what_is_imported_late() -> None:
    assert {"kubectl_nodeport", "kubectl_nodeport.cli.picker"} <= set(parts.modules())
    assert {"questionary", "kubectl_nodeport.kube.client", "websocket"} <= set(parts.imported())
    assert all(find_spec(name.partition(".")[0]) for name in parts.modules())
    assert Path(str(import_module(parts.PACKAGE.name).__file__)).parent == parts.PACKAGE
