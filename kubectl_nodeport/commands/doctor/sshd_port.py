"""Whether the ssh server listens on the port that connect leads to, for others than the pod."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import through_api
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning
from kubectl_nodeport.errors import NodeportError

_WHY = "a rule leads to this port of the pod"
_MOST_PORTS = 10


def _judge(case: Case) -> Finding:
    listening, port = case.examination.listening, case.port
    if listening is None:
        return warning(
            "the container does not tell which ports are open", "see whether connect reaches it"
        )
    if port not in listening:
        return _elsewhere(case, port)
    if not listening[port]:
        return _answering(case)
    if case.before is not None and case.before.is_tunnel:
        return ok(f"port {port} is open inside the pod, and the host goes through the API server")
    return fail(
        f"port {port} takes connections from inside the pod alone (127.0.0.1)",
        "no NodePort reaches it there; a tunnel through the API server does",
        hint="or let the ssh server listen on all addresses (ListenAddress in sshd_config)",
        command=case.connect("--via", "tunnel"),
    )


def _answering(case: Case) -> Finding:
    """It is open: something else than an ssh server may be there, or one that closes at once."""
    try:
        key = through_api.host_key(case)
    except NodeportError as err:
        return fail(err.message, _WHY, hint=err.hint, blocks=False)
    return ok(f"port {case.port} is open{f', and shows {key.fingerprint}' if key else ''}")


def _elsewhere(case: Case, port: int) -> Finding:
    said = case.examination
    reachable = sorted(n for n, is_loopback in (said.listening or {}).items() if not is_loopback)
    told = {int(text) for text in said.settings.get("port", ()) if text.isdecimal()}
    servers = [n for n in reachable if n in told] if said.running else []
    if servers:
        return fail(
            f"nothing listens on port {port}; the ssh server listens on port {servers[0]}",
            _WHY,
            command=case.connect("--port", str(servers[0])),
        )
    more = ", …" if len(reachable) > _MOST_PORTS else ""
    opened = ", ".join(map(str, reachable[:_MOST_PORTS])) + more
    return fail(
        f"nothing listens on port {port}{f'; open are {opened}' if opened else ''}",
        _WHY,
        hint="say where it listens: --port",
    )


CHECK = Check("sshd-port", "ssh port", _judge, _WHY, needs=("inside", "sshd"), of_target=True)
