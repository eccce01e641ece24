"""README.md and docs/ hold together: links, and what they say of the code, is there.

What their commands do is tried in tests/e2e/test_docs.py.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.cli.app import program

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kubectl_nodeport"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])

_LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
_CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.py)(?:: (\w+(?:\.\w+)?))?`")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _CODE_BLOCK.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    for link in (one or other for one, other in _LINK.findall(prose(page))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_readme_leads_to_every_page() -> None:
    linked = {one for one, _ in _LINK.findall(prose(ROOT / "README.md"))}
    pages = {str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.*")}
    assert pages <= linked, "README's list of pages is not whole"


def definitions(source: Path) -> set[str]:
    """The names that a module defines at its top, and those of its classes behind a dot."""
    found = set()
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (one for one in node.body if isinstance(one, ast.FunctionDef))
            found |= {f"{node.name}.{one.name}" for one in inner}
    return found


def test_architecture_names_what_there_is() -> None:
    named = _NAMED.findall((ROOT / "docs/architecture.md").read_text())
    assert len(named) > 30, "the page is written as `folder/file.py: name`"
    for path, name in named:
        source = PACKAGE / path
        assert source.exists(), f"there is no {path}"
        assert not name or name in definitions(source), f"{path} has no {name}"


def templates() -> Iterator[re.Pattern[str]]:
    """Each text of the program, with anything where it fills something in."""
    for source in PACKAGE.rglob("*.py"):
        tree = ast.parse(source.read_text())
        parts = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in ast.walk(node)
            if part is not node
        }
        for node in ast.walk(tree):
            if id(node) in parts:
                continue
            if isinstance(node, ast.JoinedStr):
                values = node.values
            elif isinstance(node, ast.Constant):
                values = [node]
            else:
                continue
            known = [one.value if isinstance(one, ast.Constant) else None for one in values]
            letters = sum(len(re.findall("[a-z]", one)) for one in known if isinstance(one, str))
            if letters >= 10:
                pattern = "".join(re.escape(one) if isinstance(one, str) else ".*" for one in known)
                yield re.compile(pattern)


def messages() -> list[str]:
    """The messages of kubectl nodeport in docs/troubleshooting.md, without what is left out."""
    ours = (ROOT / "docs/troubleshooting.md").read_text().partition("## What ssh says")[0]
    return re.findall(r"^\| `([^`]+)` \|", ours, re.MULTILINE)


def test_troubleshooting_has_messages_that_are_printed() -> None:
    """Each is a whole text of the program, with values in its gaps: nothing is paraphrased."""
    known = list(templates())
    assert len(messages()) > 30
    for message in messages():
        whole = message.removeprefix("… ")
        said = (whole, whole.removesuffix("…").rstrip())
        assert any(one.fullmatch(text) for one in known for text in said), (
            f"{message!r} is never said"
        )


def test_readme_lists_commands_as_the_help_does() -> None:
    """The same verbs in the same order, but for version, which needs no row."""
    rows = re.findall(r"^\| `(\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    shown = [name for name, one in program.commands.items() if not one.hidden]
    assert rows == [name for name in shown if name != "version"]


def spans(page: Path) -> list[list[str]]:
    """The command lines of ours that stand in running text."""
    found = re.findall(r"`kubectl nodeport ([^`]+)`", prose(page))
    return [line.split() for line in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_and_flags_in_running_text(page: Path) -> None:
    for verb, *words in spans(page):
        if not verb.isupper() and not verb.startswith(("-", "<")):
            assert verb in program.commands, f"there is no {verb}"
            known = {name for one in program.commands[verb].params for name in one.opts}
            ours = itertools.takewhile(lambda word: word != "--", words)  # else ssh's
            flags = {word.partition("=")[0] for word in ours if word.startswith("-")}
            assert flags <= known, f"{verb} does not take {flags - known}"
