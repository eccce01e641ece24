"""Building from a checkout: what is in a wheel and an sdist beside their sources.

The ssh servers of sshd/, and the commit. All else is in setup.cfg. A wheel is also what
`pip install .` makes, for somebody who may have no Go: it is made without the servers then, and
says so. An sdist is made for others alone, and a wheel for others from that one (`make dist`): it
fails without them.
"""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import ExecError

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "sshd" / "build.py"
sys.path.insert(0, str(ROOT))

from kubectl_nodeport.about import BUILD_FILE, UNKNOWN, build_file, commit_of  # noqa: E402


def tell_commit(package: Path) -> None:
    """Write the commit into a package that is being built. An sdist has it already."""
    commit = commit_of(ROOT)
    if commit != UNKNOWN:
        (package / BUILD_FILE).write_text(build_file(commit), encoding="utf-8")


class BuildWithSshd(build_py):
    """Builds the servers first, where Go is. An editable installation builds them when needed."""

    def run(self) -> None:
        if not self.editable_mode:
            subprocess.run((sys.executable, BUILD, "--if-possible"), check=True)
        super().run()
        if not self.editable_mode:
            tell_commit(Path(self.build_lib, "kubectl_nodeport"))


class SdistWithSshd(sdist):
    """Builds the servers first, or fails."""

    def run(self) -> None:
        if subprocess.run((sys.executable, BUILD), check=False).returncode != 0:
            raise ExecError("an sdist has the ssh servers in it; see above why they are missing")
        super().run()

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        tell_commit(Path(base_dir, "kubectl_nodeport"))


setup(cmdclass={"build_py": BuildWithSshd, "sdist": SdistWithSshd})
