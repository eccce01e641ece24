"""Whether ssh accepts its configuration, and our entry in it takes effect."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, fail, ok, warning
from kubectl_nodeport.ssh.edit import Edit
from kubectl_nodeport.ssh.entry import HostEntry

_WHY = "ssh and VS Code go where this file says"
_ANY_HOST = "kubectl-nodeport.invalid"


def _judge(case: Case) -> Finding:
    hosts = case.edges.hosts
    count = len(hosts.entries())
    case.machine.ssh_settings(_ANY_HOST)
    return ok(f"ssh accepts its configuration, with {count} host{'s' * (count != 1)} of ours")


def _judge_entry(case: Case) -> Finding:
    alias, before, notes = case.alias, case.before, case.edges.notes
    if before is None:
        return ok(f"there is none yet; connect makes {alias}")
    keys = case.edges.hosts.keys(before.alias)
    if not keys:
        return fail(
            f"{before.alias} has no host keys in {before.known_hosts_file}",
            "ssh refuses a server whose key is not written there",
            command=case.connect_again(),
        )
    told = len(notes)
    case.edges.hosts.preview(Edit(((before, keys),)))  # tries it out with the real ssh
    if lines := notes[told:]:
        return warning("; ".join(lines), _WHY, hint="docs/shadowing.md explains each")
    return ok(f"{before.alias} takes effect: {_way(before)} as {before.user}")


def _way(entry: HostEntry) -> str:
    if entry.is_tunnel:
        return "through the API server"
    return f"{entry.hostname} port {entry.port}"


CHECK = Check("ssh-config", "ssh configuration", _judge, _WHY, needs=("kubeconfig", "ssh-client"))
ENTRY = Check(
    "entry", "Host entry", _judge_entry, _WHY, needs=("ssh-config", "pod"), of_target=True
)
