"""kubectl's connection flags: which cluster, as whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from kubectl_nodeport.kube.config import Flags

F = TypeVar("F", bound=Callable[..., Any])


def connection_flags(command: F) -> F:
    """Give a verb kubectl's flags that say which cluster, as whom."""
    for option in (
        click.option("-v", "verbosity", type=int, default=0, metavar="0",
                     help="Log level: 6 shows the requests, 9 tracebacks too."),
        click.option("-n", "--namespace", help="The namespace to use; the context's if empty."),
        click.option("--kubeconfig", help="Path to the kubeconfig file to use."),
        click.option("--context", help="The name of the kubeconfig context to use."),
    ):  # fmt: skip
        command = option(command)
    return command


def flags_of(options: Mapping[str, Any]) -> Flags:
    """What was given, out of all options of a verb."""
    from kubectl_nodeport.kube.config import Flags  # late: help needs none of it

    return Flags(options["kubeconfig"], options["context"], options["namespace"])
