"""The kinds of values that flags take, each checked where it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
# An IANA_SVC_NAME, as a container port's name has to be:
# https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#ports
_PORT_NAME = re.compile(r"(?=.{1,15}\Z)(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A Go duration (``60s``, ``1m30s``) or a plain number of seconds, above zero; in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text; click reports what fails."""
        if isinstance(value, float):
            return value
        parts = _DURATION_PART.findall(value)
        if "".join(number + unit for number, unit in parts) == value and parts:
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        elif re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            seconds = float(value)
        else:
            self.fail(f"{value!r} is not a duration like 30s or 1m30s", param, ctx)
        if not 0 < seconds <= 24 * 3600:
            self.fail(f"{value!r} is not between 0 and 24h", param, ctx)
        return seconds


class Number(click.IntRange):
    """A whole number in ASCII digits; Python's own reading takes those of other scripts too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the text; click reports what fails."""
        if isinstance(value, str) and not value.isascii():
            self.fail(f"{value!r} is not a valid integer", param, ctx)
        return int(super().convert(value, param, ctx))


class Port(click.ParamType["int | str"]):
    """A port by its number, 1 to 65535, or by the name that the pod's manifest gives it."""

    name = "port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Read the text; click reports what fails."""
        text = str(value)
        if text.isascii() and text.isdecimal():
            number = int(text)
            if 1 <= number <= 65535:
                return number
            self.fail(f"{text} is not in the range 1<=x<=65535", param, ctx)
        if not (_PORT_NAME.fullmatch(text) and "--" not in text):
            self.fail(f"{text!r} is neither a port's number nor a port's name", param, ctx)
        return text


class Address(click.ParamType[str]):
    """An IP address or a host name, without a port."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text; click reports what fails."""
        from kubectl_nodeport.errors import NodeportError
        from kubectl_nodeport.ssh.names import validate_hostname

        text = str(value).removeprefix("[").removesuffix("]")
        try:
            return validate_hostname(text)
        except NodeportError as err:
            self.fail(err.message, param, ctx)


class RemoteFolder(click.ParamType[str]):
    """A folder's path on another machine, from "/" on."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text; click reports what fails."""
        text = str(value)
        if not text.startswith("/"):
            self.fail(f"{text!r} is no path in the container: it begins with /", param, ctx)
        return text


class FilePath(click.ParamType[str]):
    """A file's path, made absolute; ``exists`` says that the file has to be there.

    :param or_empty: whether it may be left empty, and stays so.
    """

    name = "file"

    def __init__(self, *, exists: bool, or_empty: bool = False) -> None:
        self._exists = exists
        self._or_empty = or_empty

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Make the path absolute and look for the file; click reports what fails."""
        if self._or_empty and value == "":
            return ""
        try:
            path = Path(value).expanduser().absolute()
            found = path.is_file() or not self._exists
        except (OSError, RuntimeError):  # a name that is too long, the home of an unknown user
            found = False
        if not found:
            self.fail(f"no such file: {value}", param, ctx)
        return str(path)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files, which the shell knows better."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]
