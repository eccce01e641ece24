"""kubectl's connection flags: which cluster, as whom."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kubectl_nodeport.cli import offers
from kubectl_nodeport.cli.flags import Duration

if TYPE_CHECKING:
    from kubectl_nodeport.kube.config import Flags

F = TypeVar("F", bound=Callable[..., Any])

_ZERO = re.compile(r"0+(\.0+)?(ns|us|ms|s|m|h)?")


class RequestTimeout(Duration):
    """A Go duration or a number of seconds; zero means no limit, as for kubectl."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text; click reports what fails."""
        if isinstance(value, str) and _ZERO.fullmatch(value):
            return 0.0
        return super().convert(value, param, ctx)


def connection_flags(command: F) -> F:
    """Give a verb kubectl's flags that say which cluster, as whom."""
    for option in (
        click.option("-v", "--v", "verbosity", type=int, default=0, metavar="0",
                     help="Log level: 6 shows the requests, 9 tracebacks too."),
        click.option("-q", "--quiet", is_flag=True,
                     help="Do not tell what is being waited for."),
        click.option("-n", "--namespace", shell_complete=offers.namespaces,
                     help="The namespace to use; the context's if empty."),
        click.option("--kubeconfig", shell_complete=offers.files,
                     help="Path to the kubeconfig file to use."),
        click.option("--context", shell_complete=offers.contexts,
                     help="The name of the kubeconfig context to use."),
        click.option("--cluster", shell_complete=offers.clusters,
                     help="The name of the kubeconfig cluster to use."),
        click.option("--user", shell_complete=offers.users,
                     help="The name of the kubeconfig user to use."),
        click.option("--as", "as_",
                     help="User to act as: a regular user or a service account in a namespace."),
        click.option("--as-group", multiple=True,
                     help="Group to act as; can be repeated for several groups."),
        click.option("--as-uid", help="UID to act as."),
        click.option("--as-user-extra", multiple=True, metavar="KEY=VALUE",
                     help="Extra field of the user to act as, key=value; can be repeated."),
        click.option("--token", help="Bearer token to log in to the API server with."),
        click.option("-s", "--server", help="The address and port of the API server."),
        click.option("--request-timeout", "request_timeout_s", type=RequestTimeout(),
                     help="How long one request to the API server may take, as in 1s, 2m, 3h; "
                     "0 is no limit. 30s if empty."),
        click.option("--certificate-authority", shell_complete=offers.files,
                     help="Path to the certificate of the authority that vouches for the server."),
        click.option("--client-certificate", shell_complete=offers.files,
                     help="Path to a client certificate for TLS."),
        click.option("--client-key", shell_complete=offers.files,
                     help="Path to the client certificate's key."),
        click.option("--insecure-skip-tls-verify", is_flag=True, default=None,
                     help="Do not check who the API server is. Its answers are then anybody's."),
        click.option("--tls-server-name",
                     help="The name that the server's certificate has to have; the host's name "
                     "in its address if empty."),
        click.option("--disable-compression", is_flag=True, default=None,
                     help="Taken as kubectl takes it; answers are never asked for compressed."),
        click.option("--cache-dir", help="Taken as kubectl takes it; nothing is cached."),
    ):  # fmt: skip
        command = option(command)
    return command


def flags_of(options: Mapping[str, Any]) -> Flags:
    """What was given, out of all options of a verb."""
    from kubectl_nodeport.kube.config import Flags  # late: help needs none of it

    return Flags(**{field.name: options[field.name] for field in dataclasses.fields(Flags)})
