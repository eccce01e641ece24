"""proxy without click, which a login would have to wait for: its entry says it in one form."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubectl_nodeport.errors import NodeportError

if TYPE_CHECKING:
    from kubectl_nodeport.commands.edges import Edges
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import Connection, Flags
    from kubectl_nodeport.ssh.config_file import ConfigFile

_VERB = "proxy"
_SSH_CONFIG = "--ssh-config"


def words_of(argv: Sequence[str]) -> tuple[str | None, str] | None:
    """The ssh configuration and the alias of ``proxy [--ssh-config FILE] ALIAS``; None for a
    command line of any other form."""
    verb, rest = list(argv[:1]), list(argv[1:])
    named = None
    if len(rest) == 3 and rest[0] == _SSH_CONFIG:
        named, rest = rest[1], rest[2:]
    if verb != [_VERB] or len(rest) != 1 or rest[0].startswith("-"):
        return None
    return named, rest[0]


def run(named: str | None, alias: str) -> int:
    """Carry, and give the exit code: 1 with an ``error:`` line where it failed."""
    from kubectl_nodeport.cli.report import report, unexpected

    try:
        carry(named, alias, verbosity=0)
    except NodeportError as err:
        report(err, 0)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as leaving:  # a signal, as ssh sends one at its end
        return leaving.code if isinstance(leaving.code, int) else 1
    except Exception as err:
        report(unexpected(err), 0)
        return 1
    return 0


def carry(named: str | None, alias: str, *, verbosity: int) -> None:
    """Carry standard input and output to the pod behind the alias.

    :raises NodeportError: there is no such entry, its pod is not reached, or it broke off.
    """
    from kubectl_nodeport import tunnel
    from kubectl_nodeport.commands.kept_flags import environment_of, flags_of
    from kubectl_nodeport.commands.proxy import destination, entry_named
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import connection
    from kubectl_nodeport.kube.forward import open_channel
    from kubectl_nodeport.ssh.config_file import ConfigFile
    from kubectl_nodeport.ssh.location import named_config_path

    hosts = ConfigFile(named_config_path(named))
    entry = entry_named(alias, hosts.readable(), str(hosts.path))
    flags = flags_of(entry.origin)
    os.environ.update(environment_of(entry.origin, os.environ))
    try:
        resolved = connection(flags, os.environ)
        api = Api(resolved, trace=_trace if verbosity >= 6 else lambda _line: None)
        found = destination(entry, resolved, api, lambda: _edges(resolved, api, hosts, flags))
        tunnel.carry_standard(open_channel(api, found.namespace, found.pod, found.port))
    except NodeportError as err:
        from kubectl_nodeport.cli import hints

        err.hint = hints.with_flags(err.hint, flags)
        raise


def _trace(line: str) -> None:
    from kubectl_nodeport.cli.render.terminal import short

    print(short(line), file=sys.stderr)


def _edges(resolved: Connection, api: Api, hosts: ConfigFile, flags: Flags) -> Edges:
    """What a workload's pod is found with; the rest of it is for other commands."""
    from kubectl_nodeport.cli import wiring
    from kubectl_nodeport.cli.progress import Progress

    return wiring.edges(resolved, api, hosts, flags, Progress(quiet=True))
