"""A list to choose a pod from, where TARGET was left out on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kubectl_nodeport.cli.render.terminal import one_line
from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import running_pods
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.target import Target

if TYPE_CHECKING:
    from questionary import Question

# So many have a number to press; with more, what is typed filters the list.
_MOST_NUMBERED = 9
# A lone Esc is told from an arrow key by the silence after it.
_ESCAPE_S = 0.1


def is_possible() -> bool:
    """Whether somebody can be asked: keys come from a terminal, and stderr is one that can draw."""
    drawing = os.environ.get("TERM", "") not in ("dumb", "unknown")
    return sys.stdin.isatty() and sys.stderr.isatty() and drawing


def ask_target(edges: Edges, user: str | None = None) -> Target:
    """Ask which of the namespace's running pods is meant; a single one is taken, and told so.

    :param user: whom to log in as, if that was said.
    :raises NodeportError: no pod runs there, or they cannot be listed.
    :raises KeyboardInterrupt: it was left with Esc or Ctrl-C.
    """
    found = running_pods(edges)
    connection = edges.connection
    place = f'the namespace "{connection.namespace}" of the context "{connection.context}"'
    if not found:
        raise NodeportError(
            f"a pod is needed, and none that could be connected to runs in {place}",
            hint=f"kubectl get pods -n {connection.namespace} lists them; -n names another "
            "namespace",
        )
    if len(found) == 1:
        edges.notes.append(f"using pod/{found[0].name}, the only one that runs in {place}")
        return Target(found[0].name, user)
    return Target(pick(found, f"Which pod of {connection.namespace}?"), user)


def pick(pods: Sequence[Pod], question: str) -> str:
    """Let somebody choose a pod on the terminal, and return its name. Drawn on stderr.

    :raises KeyboardInterrupt: it was left with Esc or Ctrl-C, or the terminal has gone.
    """
    width = max(len(pod.name) for pod in pods)
    name: str = _answer([(_title(pod, width), pod.name) for pod in pods], one_line(question))
    return name


def choose(question: str, titles: Sequence[str]) -> int:
    """Let somebody choose one of several on the terminal, and return its index.

    :raises KeyboardInterrupt: as :func:`pick`.
    """
    at: int = _answer([(one_line(title), at) for at, title in enumerate(titles)], question)
    return at


def _answer(choices: Sequence[tuple[str, object]], question: str) -> Any:
    try:
        return _question(choices, question).unsafe_ask()
    except EOFError as err:
        raise KeyboardInterrupt from err


def _question(choices: Sequence[tuple[str, object]], question: str) -> Question:
    # Late: they take longer than kubectl to start, and a TARGET is mostly given.
    import questionary
    from prompt_toolkit.output import create_output

    numbered = len(choices) <= _MOST_NUMBERED
    how = "arrow keys or a number" if numbered else "arrow keys, or type to filter"
    asked = questionary.select(
        question,
        choices=[questionary.Choice(title, value=value) for title, value in choices],
        use_shortcuts=numbered,
        use_search_filter=not numbered,
        use_jk_keys=False,
        instruction=f"({how}, then Enter; Esc leaves)",
        output=create_output(stdout=sys.stderr),  # stdout is for results
    )
    _leave_on_escape(asked)
    return asked


def _title(pod: Pod, width: int) -> str:
    state = "" if pod.ready else "  not ready"
    return one_line(pod.name).ljust(width) + state if state else one_line(pod.name)


def _leave_on_escape(asked: Question) -> None:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()

    @bindings.add(Keys.Escape, eager=True)
    @bindings.add(Keys.SIGINT)
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    application = asked.application
    application.ttimeoutlen = _ESCAPE_S
    before = application.key_bindings
    application.key_bindings = merge_key_bindings([*([before] if before else []), bindings])
