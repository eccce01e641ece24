"""Builds the real edges for a command."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from kubectl_nodeport.address.local import local_facts
from kubectl_nodeport.cli import hints, picker, progress, reaching, ssh_files
from kubectl_nodeport.cli.connection import flags_of
from kubectl_nodeport.cli.program import own_words
from kubectl_nodeport.cli.render.terminal import short
from kubectl_nodeport.cli.report import tell_notes
from kubectl_nodeport.commands.edges import Edges, Kept, Offer, Offered, Offers
from kubectl_nodeport.commands.kept_flags import kept_flags, refuse_secrets
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags, connection
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.location import named_config_path
from kubectl_nodeport.ssh.own_identity import OwnIdentity

if TYPE_CHECKING:
    from kubectl_nodeport.cli.progress import Progress
    from kubectl_nodeport.commands.changes import Watch
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.config import Connection
    from kubectl_nodeport.ssh.config_file import ConfigFile


@contextlib.contextmanager
def world(options: Mapping[str, Any]) -> Iterator[Edges]:
    """The edges for one command; at its end the notes are told, if it did what was asked.

    :param options: the verb's options, the connection flags and perhaps ssh_config and include
        among them.
    :raises NodeportError: as the command does, its hint naming the cluster that was asked.
    """
    flags = flags_of(options)
    with progress.of(options) as told:
        try:
            made = _edges(flags, options, told)
            yield made
        except NodeportError as err:
            err.hint = hints.with_flags(err.hint, flags)
            raise
    tell_notes(made.notes)


def target(text: str | None, options: Mapping[str, Any]) -> Target | None:
    """The target that was typed; None where it is to be picked from a list on the terminal.

    :raises NodeportError: nothing is named and nobody can be asked, or what is named is no target.
    """
    selector, user = options.get("selector"), options.get("ssh_user")
    if text is None and selector is None and picker.is_possible():
        return None
    return parse(text, user, selector)


def _edges(flags: Flags, options: Mapping[str, Any], told: Progress) -> Edges:
    resolved = connection(flags, os.environ)
    api = client(resolved, options["verbosity"], told)
    ssh_config = options.get("ssh_config")
    notes: list[str] = []
    kept = ssh_files.hosts(ssh_config, options.get("include"), notes, in_wsl=local_facts().wsl)
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


def here(options: Mapping[str, Any], hosts: ConfigFile, told: Progress) -> Edges:
    """The edges for the command line's own context, beside those of Host entries.

    :param told: where it is told what is being waited for.
    :raises NodeportError: there is no such context.
    """
    flags = flags_of(options)
    resolved = connection(flags, os.environ)
    return edges(resolved, client(resolved, options["verbosity"], told), hosts, flags, told)


@contextlib.contextmanager
def server(options: Mapping[str, Any]) -> Iterator[Api]:
    """The API server alone, for a command that touches nothing else.

    :raises NodeportError: there is no such context.
    """
    with progress.of(options) as told:
        yield client(connection(flags_of(options), os.environ), options["verbosity"], told)


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
        resolve=partial(reaching.resolve, told),
        knock=partial(reaching.knock, told),
        hosts=hosts,
        local=local_facts(),
        tunnel=reaching.tunnel_of(api, told),
        program=lambda: _tunnel_program(flags, None),
        kept=lambda: Kept(kept_flags(flags), _plugin_folder(resolved)),
        beyond_loopback=reaching.beyond_loopback,
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


def _choose(told: Progress, question: str, titles: Sequence[str]) -> int:
    with told.aside():
        return picker.choose(question, titles)


def _confirm(told: Progress, question: str) -> bool:
    with told.aside():
        return click.confirm(short(question), err=True)


def _again(command: str, flags: Flags, ssh_config: str | None) -> str:
    words = f" --ssh-config {shlex.quote(ssh_config)}" if ssh_config else ""
    return f"{hints.with_flags(command, flags)}{words}"


def warm_up(edges: Edges) -> None:
    """What takes its time, begun for a command that will look into a container and probe.

    Connections to the API server are made, and while the first request is under way the ssh
    protocol is loaded.
    """
    cast("Api", edges.api).prepare()  # the real one, which _edges made
    threading.Thread(target=reaching.load_probe, daemon=True).start()


def watch(edges: Edges) -> Watch:
    """What tells of changes in the cluster that the edges are for."""
    from kubectl_nodeport.kube import watch

    return partial(watch.watch, cast("Api", edges.api).stream)  # the real one, which _edges made
