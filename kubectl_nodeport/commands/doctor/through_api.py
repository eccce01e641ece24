"""The pod's port, asked through the API server: no shell is needed, and nothing is made."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.right import PORT_FORWARD
from kubectl_nodeport.kube.request import ApiError, UnreachableError
from kubectl_nodeport.ssh.known_hosts import HostKey


def host_key(case: Case, known: frozenset[HostKey] = frozenset()) -> HostKey | None:
    """The host key that is shown there; None where it cannot be asked this way.

    :param known: keys of which one is to be shown, where the server has any.
    :raises NodeportError: it was asked, and no ssh server answers.
    """
    if case.missing & {str(right) for right in PORT_FORWARD}:
        return None
    pod = case.pod
    try:
        return case.edges.tunnel(pod.namespace, pod.name, case.port, known)
    except (ApiError, UnreachableError):  # it is not led there, which says nothing of the port
        return None
