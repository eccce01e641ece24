"""Building from a checkout: the ssh servers of sshd/ go along in a wheel, and in an sdist.

All else is in setup.cfg. A wheel is also what `pip install .` makes, for somebody who may have no
Go: it is made without them then, and says so. An sdist is made for others alone, and a wheel for
others from that one (`make dist`): it fails without them.
"""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import ExecError

BUILD = Path(__file__).resolve().parent / "sshd" / "build.py"


class BuildWithSshd(build_py):
    """Builds the servers first, where Go is. An editable installation builds them when needed."""

    def run(self) -> None:
        if not self.editable_mode:
            subprocess.run((sys.executable, BUILD, "--if-possible"), check=True)
        super().run()


class SdistWithSshd(sdist):
    """Builds the servers first, or fails."""

    def run(self) -> None:
        if subprocess.run((sys.executable, BUILD), check=False).returncode != 0:
            raise ExecError("an sdist has the ssh servers in it; see above why they are missing")
        super().run()


setup(cmdclass={"build_py": BuildWithSshd, "sdist": SdistWithSshd})
