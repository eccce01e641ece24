"""Whether an ssh server is installed in the container, and runs."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import through_api
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, skipped, warning

_WHY = "a host that is connected to is an ssh server in the pod"
_MOST_CHARS = 200


def _judge(case: Case) -> Finding:
    if not case.is_examined:
        return _from_outside(case)
    said, where = case.examination, f"container {case.container.name}"
    if said.running:
        pid, name = said.running[0]
        return ok(f"{name} runs in {where} (process {pid})")
    if said.listening and case.port in said.listening:
        return warning(
            f"something listens on port {case.port}; {where} does not show which program",
            "its settings and its keys are not looked at",
            hint="if it runs in another container of the pod, name that with -c",
        )
    sshd = said.installed.get("sshd")
    if sshd is not None:
        return _stopped(case, sshd)
    if "dropbear" in said.installed:
        command = case.inside(f"exec {said.installed['dropbear']} -R")
        return fail(f"dropbear is installed in {where} and does not run", _WHY, command=command)
    return fail(
        f"no ssh server is installed in {where}, and nothing listens on port {case.port}",
        _WHY,
        hint="connect can bring one along, for your key alone",
        command=case.connect("--with-sshd"),
    )


def _from_outside(case: Case) -> Finding:
    """What the port says through the API server, where the container is not looked into.

    :raises NodeportError: no ssh server answers there.
    """
    key = through_api.host_key(case)
    if key is None:
        return skipped("inside")
    seen = f"port {case.port} answers through the API server, with the host key {key.fingerprint}"
    return ok(seen)


def _stopped(case: Case, sshd: str) -> Finding:
    said = case.examination
    complaint = f": {said.complaint[:_MOST_CHARS]}" if said.complaint else ""
    seen = f"{sshd} is installed in container {case.container.name} and does not run{complaint}"
    if said.uid != 0:
        return fail(
            seen,
            f"{_WHY}; the container's user may not start this one",
            command=case.connect("--with-sshd"),
        )
    # It asks for its folder, and for host keys, where an image has been made without them.
    start = f"mkdir -p /run/sshd && ssh-keygen -A && {sshd}"
    return fail(
        seen,
        _WHY,
        hint="this starts it until the container ends; the image's command has to, to stay",
        command=case.inside(start),
    )


CHECK = Check(
    "sshd", "ssh server", _judge, _WHY, needs=("optional-rights", "container"), of_target=True
)
