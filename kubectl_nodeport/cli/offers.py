"""What may follow on the command line: each argument and flag names one of these as its
``shell_complete``, and cli.completion makes the shell's answer of it.

The kubeconfig and the Host entries are read without asking a cluster; all else is one request for
at most 500 names, or for one object. ``ctx.obj`` holds the connection flags that were given. Errors
are the caller's to pass over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

# Nothing of kube is imported above: every run of the program loads this module.
if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kubectl_nodeport.kube.config import Flags
    from kubectl_nodeport.kube.kubeconfig import Kubeconfig
    from kubectl_nodeport.kube.pod import Pod
    from kubectl_nodeport.kube.request import Json, Request
    from kubectl_nodeport.kube.workload import Kind

Source = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

_MOST = 500
# Somebody waits at the prompt; cli.completion bounds the whole.
_TIMEOUT_S = 1.5
_PURPOSE = "complete the command line"


def contexts(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The kubeconfig's contexts, each with its cluster."""
    found = _kubeconfig(ctx).contexts.items()
    return _starting(typed, {name: str(one.get("cluster") or "") for name, one in found})


def clusters(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The kubeconfig's clusters, each with its server."""
    from kubectl_nodeport.cli import hints

    found = _kubeconfig(ctx).clusters.items()
    shown = {name: hints.without_password(str(one.get("server") or "")) for name, one in found}
    return _starting(typed, shown)


def users(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The kubeconfig's users."""
    return _starting(typed, _kubeconfig(ctx).users)


def hosts(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The aliases of the Host entries that this program wrote."""
    from kubectl_nodeport.ssh.config_file import ConfigFile
    from kubectl_nodeport.ssh.location import named_config_path

    entries = ConfigFile(named_config_path(ctx.params.get("ssh_config"))).readable().entries
    return _starting(typed, {one.alias: f"{one.user}@{one.hostname}" for one in entries})


def namespaces(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The cluster's namespaces."""
    from kubectl_nodeport.kube.request import Request

    asked = Request("list", "namespaces", _PURPOSE, names_only=True)
    return _starting(typed, _names(_listed(ctx.obj, asked)))


def targets(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """``[USER@]TARGET``: pods, and the other kinds by ``KIND/``, as kubectl exec offers them."""
    from kubectl_nodeport.kube.workload import KINDS, kind_of

    user, at, rest = typed.rpartition("@")
    word, slash, _ = rest.partition("/")
    kind = kind_of(word) if slash else KINDS["pod"]
    if kind is None:
        return []
    names = _names_of(ctx, kind)
    if slash:
        return _starting(typed, [f"{user}{at}{word}/{name}" for name in names])
    found = _starting(typed, [f"{user}{at}{name}" for name in names])
    return found + _starting(typed, [f"{user}{at}{one}" for one in _kinds(rest)])


def either(words: Mapping[str, str], *others: Source) -> Source:
    """Words, each with its description, or what other sources offer."""

    def offer(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
        found = [one for source in others for one in source(ctx, param, typed)]
        return _starting(typed, words) + found

    return offer


def rules(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names of this program's rules, of the target alone where a pod or workload is named."""
    from kubectl_nodeport.kube.request import Request
    from kubectl_nodeport.rule import service

    query = (("labelSelector", f"{service.MANAGED_BY}={service.MANAGER}"),)
    asked = Request("list", "services", _PURPOSE, query=query, names_only=True)
    kind, name = _target(ctx)
    wanted = f"{kind.name}/{name}" if kind else ""
    found = {
        service.rule_name(one): service.target(one)
        for one in _listed(ctx.obj, asked)
        if wanted in ("", service.target(one))
    }
    named = {name: of for name, of in found.items() if name.isascii() and name.isalpha()}
    return _starting(typed, named)


def containers(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The containers of the target that is named."""
    pod = _pod(ctx)
    return _starting(typed, [one.name for one in pod.containers] if pod else [])


def ports(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The ports that the target's manifest declares, by name and by number."""
    found: dict[str, str] = {}
    pod = _pod(ctx)
    for container in pod.containers if pod else ():
        for port in container.ports:
            found[str(port.number)] = f"{port.name or port.protocol} of {container.name}"
            if port.name:
                found[port.name] = f"{port.number} of {container.name}"
    return _starting(typed, found)


def files(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Files, which the shell knows better."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="file")]


def _starting(typed: str, offered: Iterable[str]) -> list[CompletionItem]:
    """What begins as typed, by name; a mapping gives descriptions."""
    from click.shell_completion import CompletionItem

    told = offered if isinstance(offered, Mapping) else {}
    found = sorted(name for name in offered if name.startswith(typed))
    return [CompletionItem(name, help=str(told.get(name, ""))) for name in found[:_MOST]]


def _kubeconfig(ctx: click.Context) -> Kubeconfig:
    from kubectl_nodeport.kube import kubeconfig

    return kubeconfig.load(ctx.obj.kubeconfig or None, os.environ)


def _kinds(typed: str) -> Iterator[str]:
    """For each kind the shortest word that goes on from what is typed."""
    from kubectl_nodeport.kube.workload import KINDS

    for kind in KINDS.values():
        words = [w for w in (*kind.aliases, kind.name, kind.resource) if w.startswith(typed)]
        if words:
            yield f"{min(words, key=len)}/"


def _names_of(ctx: click.Context, kind: Kind) -> list[str]:
    """The names of a kind's objects; none where they cannot be listed: other words still fit."""
    from kubectl_nodeport.errors import NodeportError
    from kubectl_nodeport.kube.request import Request

    asked = Request("list", kind.resource, _PURPOSE, group=kind.group, names_only=True)
    try:
        return _names(_listed(ctx.obj, asked))
    except NodeportError:
        return []


def _names(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    from kubectl_nodeport.kube.target import is_name

    metadata = (one.get("metadata") for one in documents)
    found = (one.get("name") for one in metadata if isinstance(one, Mapping))
    return [name for name in found if isinstance(name, str) and is_name(name)]


def _target(ctx: click.Context) -> tuple[Kind | None, str]:
    """The kind and the name of the target on the line; None where none is named."""
    from kubectl_nodeport.kube.target import parse
    from kubectl_nodeport.kube.workload import KINDS

    text = ctx.params.get("target")
    if not isinstance(text, str):
        return None, ""
    target = parse(text)
    return KINDS[target.kind], target.name


def _pod(ctx: click.Context) -> Pod | None:
    """The pod on the line, or the one that a workload on the line would make."""
    from kubectl_nodeport.kube.pod import Pod
    from kubectl_nodeport.kube.request import Request

    kind, name = _target(ctx)
    if kind is None:
        return None
    asked = Request("get", kind.resource, _PURPOSE, name=name, group=kind.group)
    document = _asked(ctx.obj, asked)
    spec = document.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    return Pod.of(template if isinstance(template, dict) else document)


def _listed(flags: Flags, request: Request) -> list[Mapping[str, Any]]:
    from dataclasses import replace

    limited = replace(request, query=(*request.query, ("limit", str(_MOST))))
    items = _asked(flags, limited).get("items")
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []


def _asked(flags: Flags, request: Request) -> Json:
    """Send a request about the namespace, or about all of the cluster's namespaces."""
    from dataclasses import replace

    from kubectl_nodeport.kube.config import connection

    resolved = connection(flags, os.environ)
    from kubectl_nodeport.kube.client import Api  # late: the kubernetes package takes its time

    if request.resource != "namespaces":
        request = replace(request, namespace=resolved.namespace)
    return Api(resolved, timeout_s=_TIMEOUT_S).send(request)
