"""One Host entry: its values, checked, and the lines that ssh reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubectl_nodeport.errors import NewerFormatError, NodeportError
from kubectl_nodeport.ssh.names import (
    MAX_VALUE_CHARS,
    validate_alias,
    validate_hostname,
    validate_path,
    validate_port,
    validate_user,
)
from kubectl_nodeport.ssh.neutral import NEUTRAL
from kubectl_nodeport.ssh.origin import (
    BadOriginError,
    Origin,
    origin_from_json,
    origin_to_json,
    refuse_unknown,
    text_of,
    texts_of,
)
from kubectl_nodeport.ssh.proxy_command import proxy_command

ORIGIN_MARK = "kubectl-nodeport:"
# Raised when something that stands here already comes to mean something else: decisions/0015.
_VERSION = 1
_NAMES = frozenset(
    [
        "v",
        "alias",
        "hostname",
        "port",
        "user",
        "known_hosts",
        "identity",
        "cancel_proxy",
        "program",
        "neutral",
        "origin",
        "sum",
    ]
)


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A Host entry of ours; what exists has passed every check.

    :param alias: the name that people and editors type.
    :param hostname: IP literal or DNS name that answered.
    :param port: the port there.
    :param user: login name.
    :param known_hosts_file: path as it shall stand in the entry, absolute or ``~/…``.
    :param identity_file: private key to offer alone, as a path like the above.
    :param origin: what sync, get and disconnect need.
    :param cancel_proxy: whether a ProxyCommand or ProxyJump of the user's own patterns would reach
        this entry and is cancelled. Not always: some readers (Open Remote SSH) take the word
        ``none`` for a command.
    :param program: for an entry that goes through a tunnel: the words of its ProxyCommand in front
        of the alias, the program's absolute path first. Then ``port`` is the pod's own.
    :param neutral: what else of the user's own patterns is taken back: keys of
        :data:`~kubectl_nodeport.ssh.neutral.NEUTRAL`, each once, in its order.
    :raises NodeportError: for a value that must not be written.
    """

    alias: str
    hostname: str
    port: int
    user: str
    known_hosts_file: str
    identity_file: str | None
    origin: Origin
    cancel_proxy: bool = False
    program: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        validate_alias(self.alias)
        validate_hostname(self.hostname)
        validate_port(self.port)
        validate_user(self.user)
        # ssh expands % here since 8.4 and not before, so no spelling is right for both.
        validate_path(self.known_hosts_file, percent=False)
        if self.identity_file is not None:
            validate_path(self.identity_file, percent=True)
        if self.is_tunnel:
            proxy_command((*self.program, self.alias))
        if self.neutral != tuple(keyword for keyword in NEUTRAL if keyword in self.neutral):
            raise BadOriginError("the entry takes back options that are not known here")

    @property
    def is_tunnel(self) -> bool:
        """Whether ssh goes through a program of ours instead of to an address."""
        return bool(self.program)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Keyword and value as written, in the order of the file; all known to OpenSSH 7.6."""
        known_hosts = _quoted(self.known_hosts_file)
        pairs = [
            ("HostName", self.hostname),
            ("Port", str(self.port)),
            ("User", self.user),
            ("HostKeyAlias", self.alias),
            ("UserKnownHostsFile", known_hosts),
            ("GlobalKnownHostsFile", known_hosts),
            ("StrictHostKeyChecking", "yes"),
            # Before 8.5 ssh adds the address to our file and then refuses the next pod there.
            ("CheckHostIP", "no"),
            # A live master of `Host *` on a port used again is another pod, without a key check.
            ("ControlPath", "none"),
            ("ServerAliveInterval", "30"),
        ]
        if self.is_tunnel:
            pairs.append(("ProxyCommand", proxy_command((*self.program, self.alias))))
        elif self.cancel_proxy:
            # `ProxyJump none` does not cancel an inherited ProxyCommand; this cancels both.
            pairs.append(("ProxyCommand", "none"))
        if self.identity_file is not None:
            pairs.append(("IdentityFile", _quoted(self.identity_file.replace("%", "%%"))))
            pairs.append(("IdentitiesOnly", "yes"))
        return (*pairs, *(NEUTRAL[keyword] for keyword in self.neutral))

    @property
    def lines(self) -> tuple[str, ...]:
        """What ssh reads of the entry, without indentation."""
        return (f"Host {self.alias}", *(" ".join(pair) for pair in self.options))

    @property
    def comments(self) -> tuple[str, ...]:
        """What stands behind ``# `` in the entry: itself as ASCII JSON, cut to bearable lines."""
        plain: dict[str, object] = {
            "v": _VERSION,
            "alias": self.alias,
            "hostname": self.hostname,
            "port": self.port,
            "user": self.user,
            "known_hosts": self.known_hosts_file,
            "identity": self.identity_file,
            "cancel_proxy": self.cancel_proxy,
            "origin": origin_to_json(self.origin),
        }
        if self.is_tunnel:  # the others stay as they were before there were tunnels
            plain["program"] = list(self.program)
        if self.neutral:
            plain["neutral"] = list(self.neutral)
        text = _to_json({**plain, "sum": _sum(plain, self.lines)})
        pieces = range(0, len(text), MAX_VALUE_CHARS)
        return tuple(f"{ORIGIN_MARK} {text[start : start + MAX_VALUE_CHARS]}" for start in pieces)


def is_as_written(comments: tuple[str, ...], lines: tuple[str, ...]) -> bool:
    """Whether comment and lines are what some version of this program wrote together.

    Which lines an entry has may change from one version to the next; an entry of another version
    is no edited one. Of a newer format it is not known how to see an edit.

    :param lines: of the entry, without the comments and stripped.
    """
    try:
        plain = _from_comments(comments)
        if "sum" in plain:
            return plain.pop("sum") == _sum(plain, lines)
        # The first ones had no sum, and the lines of today.
        return lines == parse_comments(comments).lines
    except NewerFormatError:
        return True
    except NodeportError:
        return False


def parse_comments(comments: tuple[str, ...]) -> HostEntry:
    """The entry that wrote these :attr:`HostEntry.comments`.

    :raises NewerFormatError: when they are of a newer format.
    :raises NodeportError: when they are not whole, or say more than is known.
    """
    plain = _from_comments(comments)
    refuse_unknown(plain, _NAMES)
    port, identity, cancel_proxy = (plain.get(k) for k in ("port", "identity", "cancel_proxy"))
    origin = plain.get("origin")
    if not isinstance(port, int) or not isinstance(cancel_proxy, bool):
        raise BadOriginError("the entry's comment has no port")
    if not isinstance(origin, dict) or not isinstance(identity, str | None):
        raise BadOriginError("the entry's comment has no origin")
    return HostEntry(
        alias=text_of(plain, "alias"),
        hostname=text_of(plain, "hostname"),
        port=port,
        user=text_of(plain, "user"),
        known_hosts_file=text_of(plain, "known_hosts"),
        identity_file=identity,
        origin=origin_from_json(origin),
        cancel_proxy=cancel_proxy,
        program=texts_of(plain, "program") if "program" in plain else (),
        neutral=texts_of(plain, "neutral") if "neutral" in plain else (),
    )


def _from_comments(comments: tuple[str, ...]) -> dict[str, object]:
    text = "".join(comment.removeprefix(ORIGIN_MARK).strip() for comment in comments)
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadOriginError(f"the entry's comment is not whole: {error}") from error
    if isinstance(plain, dict):
        version = plain.get("v")
        if version == _VERSION:
            return plain
        if isinstance(version, int) and version > _VERSION:
            raise NewerFormatError("the entry's comment")
    raise BadOriginError("the entry's comment has no format that is known here")


def _to_json(plain: Mapping[str, object]) -> str:
    # Blanks are escaped too: no editor that trims or folds white space can change a value.
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":")).replace(" ", "\\u0020")


def _sum(plain: Mapping[str, object], lines: Iterable[str]) -> str:
    """Tells an edited entry, not a forged one: whoever may write the file may write all of it."""
    text = "\n".join([_to_json(plain), *lines])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _quoted(path: str) -> str:
    """Quoted only where it must be: not every reader of the file takes quotes off."""
    return f'"{path}"' if " " in path or "'" in path else path
