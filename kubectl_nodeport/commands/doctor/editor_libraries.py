"""Whether the container has the C libraries that VS Code's server is linked with, and a kernel."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import editor_need
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding

_NEEDS = ("processor", "libc", "libstdc++", "kernel")


def _judge(case: Case) -> Finding:
    return editor_need.of(case, _NEEDS, ("kernel",), "libc and libstdc++ are there")


CHECK = Check(
    "vscode-libraries",
    "VS Code: libraries",
    _judge,
    "VS Code's server is linked with them",
    needs=("inside",),
    of_target=True,
    for_editor=True,
)
