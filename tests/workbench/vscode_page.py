"""VS Code's workbench: a file is read, changed and saved, and a command is run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from tests.workbench import window


def work(page: Page, told: Mapping[str, str]) -> dict[str, Any]:
    """Open a `file`, put a `line` at its end, run a `command`, wait for what its output `shows`."""
    page.goto(told["url"])
    row = page.locator(".explorer-folders-view .monaco-list-row", has_text=told["file"])
    row.dblclick()
    editor = page.locator(".editor-instance .view-lines")
    editor.locator(".view-line span span").first.wait_for()
    text = editor.inner_text().replace("\N{NO-BREAK SPACE}", " ")
    page.keyboard.press("Control+End")
    page.keyboard.type(f"{told['line']}\n")
    page.keyboard.press("Control+s")
    page.locator(".tab.dirty").wait_for(state="detached")
    page.keyboard.press("Control+`")
    active = page.locator(".terminal-wrapper.active")
    terminal = active.locator(".xterm-rows")
    terminal.get_by_text("#").wait_for()  # root's prompt
    active.locator("textarea").press_sequentially(f"{told['command']}\n")
    terminal.get_by_text(told["shows"]).wait_for()
    page.mouse.move(800, 450)  # away from the explorer, whose row explains itself
    page.locator(".workbench-hover").wait_for(state="detached")
    return {
        "text": text,
        "terminal": terminal.inner_text().replace("\N{NO-BREAK SPACE}", " "),
        "notices": page.locator(".notification-list-item-message").all_inner_texts(),
    }


if __name__ == "__main__":
    window.run(work)
