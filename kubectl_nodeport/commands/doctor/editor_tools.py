"""Whether the container has the programs that VS Code's server is unpacked and started with."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import editor_need
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding

_NEEDS = ("bash", "tar", "download")


def _judge(case: Case) -> Finding:
    fine = "bash, tar and curl or wget are there"
    return editor_need.of(case, _NEEDS, ("download",), fine)


CHECK = Check(
    "vscode-tools",
    "VS Code: programs",
    _judge,
    "VS Code's server is fetched, unpacked and started with them",
    needs=("inside",),
    of_target=True,
    for_editor=True,
)
