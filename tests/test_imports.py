"""The house's rules about who may import whom (docs/decisions), read from the source by ``ast``.

Imports inside functions and under TYPE_CHECKING count too: a late import is still an import.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "kubectl_nodeport"
NOT_IN_WINDOWS = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
ROOT = Path(__file__).parent.parent

# A library, and the modules (or rooms, with a trailing dot) that alone may import it.
OWNERS = {
    "click": ("cli.",),
    "kubernetes": ("kube.package",),
    "urllib3": ("kube.client", "kube.login", "kube.pools"),
    "websocket": ("kube.client", "kube.faults", "kube.streams"),
    "paramiko": ("address.package",),
    "sshconf": ("ssh.block",),
    "filelock": ("ssh.whole_file",),
    "yaml": ("kube.documents", "cli.output"),
    "questionary": ("cli.picker",),
    "prompt_toolkit": ("cli.picker",),
    "rich": ("cli.live",),
}

# What each room may import of ours, itself aside.
ROOMS = {
    "errors": (),
    "about": ("",),
    "bundle": (),
    "printable": (),
    "editor": (),
    "background": (),
    "interrupts": (),
    "limited_socket": (),
    "ssh": ("errors", "printable"),
    "tunnel": ("errors", "ends"),
    "ends": (),
    "kube": (  # "" is the package itself: its version
        *("errors", "printable", "", "background", "limited_socket"),
    ),
    "container": ("errors", "ssh"),
    "address": ("errors", "ssh", "limited_socket"),
    "rule": ("errors", "kube"),
    "commands": (
        *("errors", "background", "interrupts", "editor"),
        *("ssh", "kube", "container", "address", "rule"),
    ),
    "cli": (
        *("about", "bundle", "errors", "printable", "background", "tunnel", "editor", ""),
        *("ssh", "kube", "container", "address", "rule", "commands"),
    ),
    "__main__": ("bundle", "cli"),
}

PURE = (
    "errors",
    "printable",
    "editor",
    "rule.",
    "commands.doctor.finding",
    "commands.doctor.runner",
    "container.editor_needs",
    "container.keywords",
    "container.script",
    "container.bring",
    "container.examination",
    "container.sshd",
    "kube.request",
    "kube.fitting",
    "kube.frames",
    "kube.spdy",
    "kube.answer",
    "kube.retry",
    "kube.listing",
    "kube.schema",
    "kube.proxy",
    "kube.pod",
    "kube.target",
    "kube.selector",
    "kube.workload",
    "kube.active",
    "address.candidates",
    "address.environment",
    "address.facts",
    "address.pace",
    "address.remedy",
    "address.resolution",
    "ssh.names",
    "ssh.edit",
    "ssh.entry",
    "ssh.origin",
    "ssh.proxy_command",
    "ssh.block",
    "ssh.parts",
    "ssh.include",
    "ssh.layout",
    "ssh.known_hosts",
    "ssh.reader",
    "ssh.shadow",
    "ssh.winner",
    "ssh.twin",
    "cli.render.connect",
    "cli.render.doctor",
    "cli.render.document",
    "cli.render.hosts",
    "cli.render.open",
    "cli.render.rules",
    "cli.render.table",
    "cli.render.waiting",
)

# The edges that are built in cli and handed in.
EDGES = (
    "kube.client",
    "kube.forward",
    "kube.login",
    "kube.pools",
    "tunnel",
    "ends",
    "address.arrival",
    "address.handshake",
    "address.knock",
    "address.probe",
    "address.dial",
    "address.local",
    "ssh.config_file",
    "ssh.writing",
    "ssh.commit",
    "ssh.placing",
    "ssh.location",
    "ssh.backup",
    "ssh.editor_settings",
    "ssh.offered",
    "ssh.openssh",
    "ssh.seed",
    "ssh.whole_file",
    "ssh.effect",
    "ssh.scratch",
    "ssh.twinned",
    "ssh.windows",
)

OUTSIDE = frozenset(
    [
        "asyncio",
        "concurrent",
        "fcntl",
        "glob",
        "http",
        "io",
        "multiprocessing",
        "os",
        "pty",
        "requests",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
    ]
) | OWNERS.keys() - {"sshconf"}


@dataclass(frozen=True)
class Import:
    """``by`` is a module of the package, as a dotted path below it; ``what`` a whole name."""

    by: str
    what: str
    line: int

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.what}"

    @property
    def ours(self) -> str | None:
        """The imported module below the package; None for one from elsewhere."""
        if self.what == PACKAGE:
            return ""
        head, _, rest = self.what.partition(".")
        return rest if head == PACKAGE else None


def modules(package: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(package: Path) -> list[Import]:
    known = modules(package)
    return [found for name, path in known.items() for found in _of_file(name, path, known)]


def _of_file(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = [PACKAGE, *name.split(".")]
                cut = node.level - (path.name == "__init__.py")
                base = ".".join([*above[: len(above) - cut], *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                is_module = whole.removeprefix(f"{PACKAGE}.") in known
                is_path = base == "pathlib"  # PurePath is pure, Path is not
                yield Import(name, whole if is_module or is_path else base, node.lineno)


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == p or (p.endswith(".") and module.startswith(p)) for p in places)


def wrong_owners(found: list[Import]) -> list[str]:
    return [
        str(one)
        for one in found
        if within(one.by, OWNERS.get(one.what.partition(".")[0], (one.by,))) is False
    ]


def wrong_ways(found: list[Import]) -> list[str]:
    wrong = []
    for one in found:
        if one.ours is None:
            continue
        room, other = one.by.partition(".")[0], one.ours.partition(".")[0]
        if other != room and other not in ROOMS[room]:
            wrong.append(str(one))
    return wrong


def impure(found: list[Import]) -> list[str]:
    wrong = []
    for one in found:
        if within(one.by, PURE):
            parts = one.what.split(".")
            heads = {".".join(parts[: n + 1]) for n in range(len(parts))}
            if heads & OUTSIDE or one.what in ("pathlib", "pathlib.Path") or one.ours in EDGES:
                wrong.append(str(one))
    return wrong


def edges_in_commands(found: list[Import]) -> list[str]:
    return [str(one) for one in found if one.by.startswith("commands.") and one.ours in EDGES]


def cycle(found: list[Import]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for one in found:
        if one.ours is not None and one.ours != one.by:
            graph.setdefault(one.by, set()).add(one.ours)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as err:
        return [" -> ".join(err.args[1])]
    return []


RULES = (wrong_owners, wrong_ways, impure, edges_in_commands, cycle)


@pytest.mark.parametrize("rule", RULES)
def test_package_keeps_the_rule(rule: object) -> None:
    assert callable(rule)
    assert rule(imports(ROOT / PACKAGE)) == []


def test_every_module_that_a_rule_names_exists() -> None:
    known = modules(ROOT / PACKAGE)
    named = {place for places in OWNERS.values() for place in places} | set(PURE) | set(EDGES)
    missing = [n for n in named if n.rstrip(".") not in known]
    assert missing == []
    assert {name.partition(".")[0] for name in known if name} == set(ROOMS)


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (wrong_owners, "commands/x.py", "import click"),
        (wrong_owners, "kube/config.py", "def f():\n    from kubernetes.client import ApiClient"),
        (wrong_owners, "ssh/entry.py", "from sshconf import SshConfigFile"),
        (wrong_owners, "container/keys.py", "import paramiko.transport"),
        (wrong_ways, "commands/x.py", "from kubectl_nodeport.cli import app"),
        (wrong_ways, "commands/x.py", "from ..cli import app"),
        (wrong_ways, "kube/x.py", "from kubectl_nodeport.ssh.entry import HostEntry"),
        (wrong_ways, "errors.py", "import kubectl_nodeport.rule.rule"),
        (impure, "rule/rule.py", "import os.path"),
        (impure, "rule/rule.py", "def f():\n    import urllib.request"),
        (impure, "ssh/names.py", "from pathlib import Path"),
        (impure, "ssh/entry.py", "from kubectl_nodeport.ssh import config_file"),
        (impure, "kube/pod.py", "from kubectl_nodeport.kube.client import Api"),
        (edges_in_commands, "commands/x.py", "from kubectl_nodeport.address import probe"),
        (cycle, "ssh/config_file.py", "def f():\n    from kubectl_nodeport.ssh import entry"),
    ],
)
def test_checker_sees_a_violation(rule: object, module: str, source: str, tmp_path: Path) -> None:
    package = tmp_path / PACKAGE
    tree = {
        "__init__.py": "",
        "cli/app.py": "import click\nfrom kubectl_nodeport.commands import y",
        "commands/y.py": "from pathlib import PurePath",
        "kube/package.py": "import kubernetes",
        "ssh/entry.py": "from kubectl_nodeport.ssh.config_file import x",
        "ssh/config_file.py": "import os",
        "address/probe.py": "",
    }
    for name, text in tree.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    assert callable(rule)
    if rule is not impure:  # its tree has an entry that imports an edge, for the cycle
        assert rule(imports(package)) == []
    (package / module).parent.mkdir(exist_ok=True)
    (package / module).write_text(f"{tree.get(module, '')}\n{source}\n")
    place = module.removesuffix(".py").replace("/", ".")
    told = rule(imports(package))
    assert any(place in line for line in told), told


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run it in an interpreter that has loaded nothing of ours."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )


def loaded_by(*words: str) -> set[str]:
    """The libraries that a run of the command line leaves in sys.modules."""
    code = (
        "import sys\n"
        "from kubectl_nodeport.cli.app import run\n"
        f"run({list(words)!r})\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)\n"
    )
    done = run_python(code)
    assert done.stdout, "the run printed nothing"
    return {name.partition(".")[0] for name in done.stderr.splitlines()}


def test_every_module_can_be_imported_where_windows_lacks_some() -> None:
    names = [".".join(filter(None, (PACKAGE, name))) for name in modules(ROOT / PACKAGE)]
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({NOT_IN_WINDOWS!r}))\n"
        f"print(*(importlib.import_module(name).__name__ for name in {names!r}))"
    )
    assert run_python(code).stdout.split() == names


def imported_at_the_top(source: str) -> Iterator[tuple[int, str]]:
    """The line and the name of each module that is imported as soon as the file is."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def test_the_tests_import_late_what_windows_lacks() -> None:
    """Else none of a file's tests could run there, of all those below a conftest.py."""
    at_the_top = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "tests").rglob("*.py")
        for line, name in imported_at_the_top(path.read_text(encoding="utf-8"))
        if name in NOT_IN_WINDOWS
    ]
    assert at_the_top == []


def test_imports_at_the_top_are_seen_in_both_forms() -> None:
    source = "import os, pwd\nfrom grp import getgrall\nfrom . import x\ndef f():\n    import tty"
    assert list(imported_at_the_top(source)) == [(1, "os"), (1, "pwd"), (2, "grp")]


@pytest.mark.parametrize("words", [("--help",), ("connect", "--help"), ("version",)])
def test_help_and_version_load_no_heavy_library(words: tuple[str, ...]) -> None:
    heavy = {"kubernetes", "paramiko", "sshconf", "yaml", "urllib3", "websocket", "filelock"}
    heavy |= {"questionary", "prompt_toolkit", "rich"}
    loaded = loaded_by(*words)
    assert "click" in loaded
    assert loaded & heavy == set()


def test_of_the_kubernetes_package_no_more_is_loaded_than_needed() -> None:
    """What its own __init__ would import beside the client costs every command its start."""
    code = (
        "import sys, kubectl_nodeport.kube.package\n"
        "print(*(m for m in sys.modules if m.startswith('kubernetes.')))"
    )
    done = run_python(code)
    parts = {name.split(".")[1] for name in done.stdout.split()}
    assert "client" in parts
    assert parts & {"config", "dynamic", "leaderelection", "stream", "watch"} == set()


def test_paramiko_is_loaded_without_invoke_which_others_still_find() -> None:
    code = (
        "import sys, kubectl_nodeport.address.package as package\n"
        "assert package.Transport.__module__ == 'paramiko.transport'\n"
        "print('invoke' in sys.modules)\n"
        "import invoke\n"
        "print('invoke' in sys.modules)"
    )
    done = run_python(code)
    assert done.stdout.split() == ["False", "True"]
