"""VS Code's needs in the container, shared by the checks that ask for some of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Finding, fail, ok, warning
from kubectl_nodeport.container.editor_needs import Lack, lacks

_WHY = "VS Code's server does not start in the container; ssh works without"
# The packages of Debian, Alpine and Fedora that bring it.
_PACKAGES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "libstdc++": ("libstdc++6", "libstdc++", "libstdc++"),
        "bash": ("bash", "bash", "bash"),
        "tar": ("tar", "tar", "tar"),
        "download": ("curl", "curl", "curl"),
    }
)
_MANAGERS = (
    ("apt-get", "apt-get update && apt-get install -y"),
    ("apk", "apk add"),
    ("dnf", "dnf install -y"),
)


def of(case: Case, needs: Collection[str], comfort: Collection[str], fine: str) -> Finding:
    """What is missing of some needs.

    :param comfort: those of them without which it works all the same.
    :param fine: what to say where nothing is.
    """
    equipment = case.examination.equipment
    if equipment is None:
        return ok("the container does not tell")
    found = [one for one in lacks(equipment, case.examination.home) if one.need in needs]
    if not found:
        return ok(fine)
    seen = f"missing: {', '.join(lack.words for lack in found)}"
    command = _install(case, found)
    hint = "this lasts until the container ends; put it into the image, to stay" if command else ""
    if all(lack.need in comfort for lack in found):
        why = "VS Code has to work around it"
        return warning(seen, why, hint=hint, command=command)
    return fail(seen, _WHY, hint=hint or "take an image that has it", command=command, blocks=False)


def _install(case: Case, found: list[Lack]) -> str:
    """The command that installs all of it, where the container's user can."""
    said = case.examination
    if said.uid != 0 or not all(lack.need in _PACKAGES for lack in found):
        return ""
    for at, (manager, install) in enumerate(_MANAGERS):
        if manager in said.installed:
            names = " ".join(_PACKAGES[lack.need][at] for lack in found)
            return case.inside(f"{install} {names}")
    return ""
