"""Builds the real edges for a command."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from kubectl_nodeport.address.knock import knock
from kubectl_nodeport.address.local import is_bound_beyond_loopback, local_facts, own_lan_address
from kubectl_nodeport.address.resolution import Budget, Resolution, Sought
from kubectl_nodeport.address.resolution import Progress as News
from kubectl_nodeport.cli import hints, picker
from kubectl_nodeport.cli.connection import flags_of
from kubectl_nodeport.cli.program import own_words
from kubectl_nodeport.cli.progress import Progress, Step
from kubectl_nodeport.cli.render import waiting
from kubectl_nodeport.cli.render.terminal import short
from kubectl_nodeport.commands.edges import Edges, Kept, Offer, Offered, Offers, Tunnel
from kubectl_nodeport.commands.kept_flags import kept_flags, refuse_secrets
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags, connection
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.location import Location, named_config_path
from kubectl_nodeport.ssh.own_identity import OwnIdentity

if TYPE_CHECKING:
    from kubectl_nodeport.commands.changes import Watch
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import Connection

_AT_FIRST = "waiting for the NodePort to answer"


@contextlib.contextmanager
def world(options: Mapping[str, Any]) -> Iterator[Edges]:
    """The edges for one command; at its end the notes are told, if it did what was asked.

    :param options: the verb's options, the connection flags and perhaps ssh_config and include
        among them.
    :raises NodeportError: as the command does, its hint naming the cluster that was asked.
    """
    flags = flags_of(options)
    with progress(options) as told:
        try:
            made = _edges(flags, options, told)
            yield made
        except NodeportError as err:
            err.hint = hints.with_flags(err.hint, flags)
            raise
    tell_notes(made.notes)


@contextlib.contextmanager
def progress(options: Mapping[str, Any]) -> Iterator[Progress]:
    """What tells the steps of one command.

    :param options: the verb's options, -q among them.
    """
    made = Progress(quiet=options["quiet"])
    try:
        yield made
    finally:
        made.close()


def tell_notes(notes: list[str]) -> None:
    """Print the notes so far, each once, and forget them."""
    for note in dict.fromkeys(notes):
        tell(f"note: {note}")
    notes.clear()


def target(text: str | None, options: Mapping[str, Any]) -> Target | None:
    """The target that was typed; None where it is to be picked from a list on the terminal.

    :raises NodeportError: nothing is named and nobody can be asked, or what is named is no target.
    """
    selector, user = options.get("selector"), options.get("ssh_user")
    if text is None and selector is None and picker.is_possible():
        return None
    return parse(text, user, selector)


def tell(line: str) -> None:
    """Print a line beside the result."""
    print(short(line), file=sys.stderr)


def _edges(flags: Flags, options: Mapping[str, Any], told: Progress) -> Edges:
    resolved = connection(flags, os.environ)
    api = client(resolved, options["verbosity"], told)
    ssh_config = options.get("ssh_config")
    notes: list[str] = []
    kept = hosts(ssh_config, options.get("include"), notes, in_wsl=local_facts().wsl)
    made = edges(resolved, api, kept, flags, told)
    is_answered = picker.is_possible()
    return dataclasses.replace(
        made,
        notes=notes,
        program=lambda: _tunnel_program(flags, ssh_config),
        sshd=partial(_sshd, told),
        offered=_offer(ssh_config),
        public_key=_public_key,
        own_identity=OwnIdentity(),
        again=lambda command: _again(command, flags, ssh_config),
        choose=partial(_choose, told) if is_answered else None,
        confirm=partial(_confirm, told) if is_answered else None,
        tell=lambda line: told.tell(f"note: {line}"),
    )


def hosts(
    ssh_config: str | None, include: bool | None, notes: list[str], *, in_wsl: bool
) -> ConfigFile:
    """The Host entries to work on; in WSL those of the user's own file have twins in Windows."""
    if ssh_config or not in_wsl:
        path = named_config_path(ssh_config)
        return ConfigFile(path, warn=notes.append, include=include)
    import pwd  # which Windows itself has not

    from kubectl_nodeport.ssh import windows
    from kubectl_nodeport.ssh.twin import Distribution
    from kubectl_nodeport.ssh.twinned import TwinnedConfigFile

    user = pwd.getpwuid(os.getuid()).pw_name
    here = Distribution(os.environ.get("WSL_DISTRO_NAME", ""), user, windows.home)
    return TwinnedConfigFile(user_config_path(), here, warn=notes.append, include=include)


def here(options: Mapping[str, Any], hosts: ConfigFile, told: Progress) -> Edges:
    """The edges for the command line's own context, beside those of Host entries.

    :param told: where it is told what is being waited for.
    :raises NodeportError: there is no such context.
    """
    flags = flags_of(options)
    resolved = connection(flags, os.environ)
    return edges(resolved, client(resolved, options["verbosity"], told), hosts, flags, told)


def client(resolved: Connection, verbosity: int, told: Progress) -> Api:
    """The API server's client, which tells its requests from verbosity 6 on."""
    from kubectl_nodeport.kube.client import Api  # late: the kubernetes package takes its time

    trace = told.tell if verbosity >= 6 else lambda _line: None
    return Api(resolved, trace=trace, step=told.step)


def edges(resolved: Connection, api: Api, hosts: ConfigFile, flags: Flags, told: Progress) -> Edges:
    """The edges around a connection that is resolved already, with nobody to talk to.

    :param told: where it is told what is being waited for.
    """
    from kubectl_nodeport.kube.streams import Exec

    return Edges(
        connection=resolved,
        api=api,
        exec=Exec(api),
        resolve=partial(_resolve, told),
        knock=partial(_knock, told),
        hosts=hosts,
        local=local_facts(),
        tunnel=_tunnel(api, told),
        program=lambda: _tunnel_program(flags, None),
        kept=lambda: Kept(kept_flags(flags), _plugin_folder(resolved)),
        beyond_loopback=_beyond_loopback,
        step=told.step,
    )


def _plugin_folder(resolved: Connection) -> str:
    """Where the kubeconfig's credential plugin is; "" where it has none."""
    from kubectl_nodeport.kube.plugin import Plugin

    settings = resolved.user.get("exec")
    return Plugin(settings, resolved.cluster, b"").folder(os.environ) if settings else ""


def _tunnel_program(flags: Flags, ssh_config: str | None) -> tuple[str, ...]:
    refuse_secrets(flags)
    config = ("--ssh-config", ssh_config) if ssh_config else ()
    return (*own_words(), "proxy", *config)


def _sshd(told: Progress, architecture: str) -> bytes:
    from kubectl_nodeport.cli import programs

    return programs.packed(architecture, lambda line: told.tell(f"note: {line}"))


def _offer(ssh_config: str | None) -> Offer:
    def offer(alias: str, identity: str | None) -> Offers:
        from kubectl_nodeport.ssh import offered

        named = named_config_path(ssh_config) if ssh_config else None
        config = named if named and named.exists() else None
        found = offered.offered(config, alias, identity)
        return Offers(tuple(Offered(*one) for one in found.keys), found.has_others)

    return offer


def _public_key(file: str) -> HostKey:
    from kubectl_nodeport.ssh import offered

    return offered.public_key(file)


def _again(command: str, flags: Flags, ssh_config: str | None) -> str:
    words = f" --ssh-config {shlex.quote(ssh_config)}" if ssh_config else ""
    return f"{hints.with_flags(command, flags)}{words}"


def config_file(options: Mapping[str, Any], notes: list[str]) -> ConfigFile:
    """The ssh configuration file that is meant, which may not be there yet."""
    return hosts(options["ssh_config"], None, notes, in_wsl=local_facts().wsl)


def config_name(ssh_config: str | None) -> str:
    """The ssh configuration file as a user would name it."""
    return ssh_config or "~/.ssh/config"


def ssh_words(ssh_config: str | None) -> list[str]:
    """ssh, and what makes it read the ssh configuration file that was written."""
    location = Location.of(named_config_path(ssh_config))
    return ["ssh", *([] if location.is_default else ["-F", str(location.config)])]


def warm_up(edges: Edges) -> None:
    """What takes its time, begun for a command that will look into a container and probe.

    A second connection to the API server is made, and while the first request is under way the ssh
    protocol is loaded.
    """
    api = cast("Api", edges.api)  # the real one, which _edges made
    api.prepare_websocket()
    api.load()
    threading.Thread(target=_load_probe, daemon=True).start()


def _load_probe() -> None:
    from kubectl_nodeport.address.handshake import warm_up

    warm_up()


def watch(edges: Edges) -> Watch:
    """What tells of changes in the cluster that the edges are for."""
    from kubectl_nodeport.kube import watch

    return partial(watch.watch, cast("Api", edges.api).stream)  # the real one, which _edges made


def _resolve(told: Progress, sought: Sought, timeout_s: float) -> Resolution:
    from kubectl_nodeport.address import probe

    with told.step(_AT_FIRST) as step:
        return probe.resolve(sought, Budget(timeout_s), partial(_say, step, sought.port))


def _knock(told: Progress, sought: Sought, timeout_s: float) -> Resolution:
    with told.step(_AT_FIRST) as step:
        return knock(sought, timeout_s, partial(_say, step, sought.port))


def _say(step: Step, port: int, news: News) -> None:
    step.say(waiting.for_address(news, port), news.outcome.text if news.outcome else "")


def _tunnel(api: Api, told: Progress) -> Tunnel:
    def shown(namespace: str, pod: str, port: int, preferred: frozenset[HostKey]) -> HostKey:
        from kubectl_nodeport import tunnel
        from kubectl_nodeport.address import handshake
        from kubectl_nodeport.kube.forward import open_channel

        what = f"asking port {port} of pod {pod} for its host key through the API server"
        with told.step(what), contextlib.ExitStack() as stack:
            carried = tunnel.as_socket(open_channel(api, namespace, pod, port))
            stack.enter_context(carried.sock)
            try:
                return handshake.shown_key(carried.sock, preferred)
            except NodeportError as err:
                raise carried.failure() or err from None

    return shown


def _beyond_loopback(port: int, towards: Sequence[str]) -> str | None:
    address = own_lan_address() or own_lan_address(towards)
    return address if address and is_bound_beyond_loopback(port, address) else None


def _choose(told: Progress, question: str, titles: Sequence[str]) -> int:
    with told.aside():
        return picker.choose(question, titles)


def _confirm(told: Progress, question: str) -> bool:
    with told.aside():
        return click.confirm(short(question), err=True)
