"""JupyterLab with a Python of Debian's: a folder that a pod of the same Debian can mount."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

from tests.cluster import image
from tests.cluster.cache import cached
from tests.cluster.prepare import pip_install
from tests.cluster.process import run

PLACE = "/opt/jupyter"
"""Where a pod has to mount the folder."""
COMMAND = f"{PLACE}/jupyter-lab"

_WHEEL = "jupyterlab==4.6.6"
_PYTHON = """\
#!/bin/sh
root=${0%/*}
export PYTHONHOME="$root/usr" LD_LIBRARY_PATH="$(echo "$root"/usr/lib/*-linux-gnu)"
LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$(echo "$root"/lib/*-linux-gnu)"
exec "$root/usr/bin/python3" "$@"
"""
_JUPYTER_LAB = """\
#!/bin/sh
root=${0%/*}
export PYTHONPATH="$root/site" JUPYTER_PATH="$root/site/share/jupyter"
export JUPYTER_CONFIG_PATH="$root/site/etc/jupyter" JUPYTERLAB_DIR="$JUPYTER_PATH/lab"
exec "$root/python" -m jupyterlab "$@"
"""
_NO_NEWS = {
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"}
}
"""It would ask whether to fetch news from the internet."""


def folder() -> Path:
    """The folder; raises ClusterError where it cannot be made."""
    suite = image.release()["VERSION_CODENAME"]

    def make(target: Path) -> None:
        _debian_python(target, suite)
        for name, script in (("python", _PYTHON), ("jupyter-lab", _JUPYTER_LAB)):
            (target / name).write_text(script)
            (target / name).chmod(0o755)
        pip_install(target / "site", _WHEEL, python=target / "python")
        settings = target / "site" / "share" / "jupyter" / "lab" / "settings"
        settings.mkdir(exist_ok=True)
        (settings / "overrides.json").write_text(json.dumps(_NO_NEWS))

    return cached("jupyter", (Path(__file__).read_text(), suite, platform.machine()), make)


def _debian_python(target: Path, suite: str) -> None:
    """Unpack Debian's python3, with what it and wheels need, from this machine's sources."""
    with tempfile.TemporaryDirectory() as temporary:
        sources, options = Path(temporary, "sources.list"), Path(temporary, "apt.conf")
        sources.write_text("".join(f"{line}\n" for line in image.apt_sources()))
        options.write_text(run(["apt-config", "dump", "Acquire"]))
        words = ["--quiet", "--mode=root", "--variant=extract", "--include=python3,libstdc++6"]
        run(
            ["mmdebstrap", *words, f"--aptopt={options}", suite, target, sources],
            timeout_s=900,
        )
