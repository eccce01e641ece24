"""Results on stdout: text, or a document in the format that -o names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kubectl_nodeport.cli.render.terminal import safe
from kubectl_nodeport.errors import NodeportError

F = TypeVar("F", bound=Callable[..., Any])
Document = Mapping[str, Any]


def option(*more: str) -> Callable[[F], F]:
    """The -o of a verb: text, json, yaml, name, and formats that this verb has besides."""
    formats = ["text", *more, "json", "yaml", "name"]
    listed = f"{', '.join(formats[:-1])} or {formats[-1]}"
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default="text",
        help=f"Output format: {listed}.",
    )


def write(
    chosen: str,
    *,
    text: Callable[[], str],
    document: Callable[[], Document],
    names: Callable[[], Sequence[str]],
    hint: str,
    paint: Callable[[str], str] = str,
) -> None:
    """Print a result in the format that was chosen.

    :param paint: puts colours into the text, once it is safe.
    :param hint: where to find what was done, should it not be possible to print it.
    :raises NodeportError: stdout cannot be written, as on a full disk.
    """
    if chosen in ("json", "yaml"):
        out = formatted(chosen, document())
    elif chosen == "name":
        out = safe("\n".join(names()), keep="\n")
    else:
        out = paint(safe(text(), keep="\n\t"))
    try:
        if out:
            click.echo(out)
    except BrokenPipeError:
        raise
    except OSError as err:
        raise NodeportError(f"the result cannot be printed: {err.strerror}", hint=hint) from err


def formatted(chosen: str, document: Document) -> str:
    """The document as JSON or YAML, in ASCII: nothing in it can move a terminal's cursor."""
    if chosen == "json":
        return json.dumps(document, indent=2).replace("\x7f", "\\u007f")  # DEL is left as it is
    import yaml  # late: few ask for it

    class Plain(yaml.SafeDumper):
        """Without anchors, which not every reader of YAML expects in such output."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
            return True

    text: str = yaml.dump(document, Dumper=Plain, sort_keys=False)
    return text.rstrip("\n")
