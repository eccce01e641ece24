"""The cluster by hand: python -m tests.cluster up, shell, kubectl, status, down."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

from tests.cluster import plugin, prepare, versions
from tests.cluster.build import build, trixie_image
from tests.cluster.cluster import Cluster
from tests.cluster.laptop import Laptop
from tests.cluster.process import ClusterError
from tests.cluster.profiles import PROFILES
from tests.cluster.state import names
from tests.workbench import prepare as workbench

_OWN_CLUSTER = "on a cluster of your own: pipx install . && kubectl nodeport connect POD"


def main() -> int:
    """Do what the command line says; 1 after an error on stderr, else the command's own status."""
    arguments = _parsed(sys.argv[1:])
    chosen: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return chosen(arguments)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parsed(argv: list[str]) -> argparse.Namespace:
    """What was typed. All that follows the word `kubectl` is kubectl's, its options too."""
    at = argv.index("kubectl") if "kubectl" in argv else len(argv)
    arguments = _parser().parse_args([*argv[at : at + 1], *argv[:at]])
    arguments.words = argv[at + 1 :]
    return arguments


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--name", default="play", help="which cluster (default: %(default)s)")
    shared.add_argument("--profile", choices=sorted(PROFILES), help="how the laptop reaches it")
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (prepare_machine, up, down, status, pod, shell, kubectl):
        name = command.__name__.partition("_")[0]
        added = commands.add_parser(name, parents=[shared], help=command.__doc__)
        added.set_defaults(command=command)
        if command is prepare_machine:
            added.add_argument("--if-possible", action="store_true", help="else do nothing, with 0")
            only = f"Kubernetes {versions.DEFAULT.minor} alone, and nothing for VS Code and Jupyter"
            added.add_argument("--cluster-only", action="store_true", help=only)
        if command is pod:
            added.add_argument("pod_name", metavar="NAME", help="what to call it")
            added.add_argument("--without-ssh", action="store_true", help="no ssh server is in it")
        if command is up:
            added.add_argument(
                "--ip-families",
                nargs="+",
                choices=("IPv4", "IPv6"),
                default=["IPv4"],
                help="IPv6 too, or alone; the primary one first (default: IPv4)",
            )
            added.add_argument(
                "--kubernetes",
                choices=versions.KUBERNETES,
                default=versions.DEFAULT.minor,
                help="its minor version (default: %(default)s)",
            )
    return parser


def prepare_machine(arguments: argparse.Namespace) -> int:
    """install what this machine lacks (Debian packages, Go), and build all that runs"""
    reason = prepare.reason_to_skip()
    if reason:
        print(f"no cluster on this machine: {reason}; {_OWN_CLUSTER}", file=sys.stderr)
        return 0 if arguments.if_possible else 1
    prepare.prepare()
    build()
    try:
        trixie_image()
    except ClusterError as error:
        print(f"tests on Debian trixie will be skipped: {error}", file=sys.stderr)
    if not arguments.cluster_only:
        build(versions.NEWER)
        try:
            workbench.prepare()
        except ClusterError as error:
            print(f"tests with VS Code and Jupyter will be skipped: {error}", file=sys.stderr)
    plugin.installed()
    return 0


def up(arguments: argparse.Namespace) -> int:
    """start a cluster that stays up"""
    lacking = prepare.reason_to_skip() or ", ".join(prepare.missing())
    if lacking:
        raise ClusterError(f"{lacking}; python -m tests.cluster prepare installs what it can")
    started = time.monotonic()
    families = tuple(arguments.ip_families)
    version = versions.KUBERNETES[arguments.kubernetes]
    with Cluster.start(arguments.name, ip_families=families, kubernetes=version) as cluster:
        cluster.use(arguments.profile or "docker-desktop")
        cluster.reset_home()
        cluster.detach()
    print(f"cluster {arguments.name} is up after {time.monotonic() - started:.0f} s")
    name = f"--name {arguments.name}"
    for then in (f"shell {name}", f"{name} kubectl get nodes", f"down {name}"):
        print(f"  {sys.executable} -m tests.cluster {then}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """end a cluster and remove what it left"""
    was_up = arguments.name in names()
    Cluster.remove(arguments.name)
    print(f"cluster {arguments.name} is down" if was_up else f"cluster {arguments.name} was not up")
    return 0


def status(_: argparse.Namespace) -> int:
    """list the clusters that are up"""
    for name in names():
        cluster = Cluster.attach(name)
        print(f"{name}: profile {cluster.profile.name}, logs in {cluster.folder / 'log'}")
    return 0


def pod(arguments: argparse.Namespace) -> int:
    """start a pod with an sshd that takes the laptop's key, or without ssh"""
    namespace = Cluster.attach(arguments.name).default_namespace()
    if arguments.without_ssh:
        namespace.pod(arguments.pod_name, runs="nothing", image="bare")
    else:
        namespace.pod(arguments.pod_name)
    print(f"pod {arguments.pod_name} is ready")
    return 0


def shell(arguments: argparse.Namespace) -> int:
    """open a shell in the laptop, with kubectl and the plugin"""
    return _in_terminal(_laptop(arguments), ["bash", "--norc", "-i"])


def kubectl(arguments: argparse.Namespace) -> int:
    """run kubectl in the laptop; --name and --profile go before this word"""
    return _in_terminal(_laptop(arguments), ["kubectl", *arguments.words])


def _laptop(arguments: argparse.Namespace) -> Laptop:
    cluster = Cluster.attach(arguments.name)
    if arguments.profile:
        cluster.use(arguments.profile)
    cluster.laptop.path_prepend.append(plugin.installed())
    return cluster.laptop


def _in_terminal(laptop: Laptop, words: list[str]) -> int:
    prompt = {"PS1": r"laptop:\w\$ "}
    done = subprocess.run(laptop.argv(words), env=laptop.environment(prompt), check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
