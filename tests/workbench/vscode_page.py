"""VS Code's workbench: a file is read, changed and saved, and a command is run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from tests.workbench import window


def work(page: Page, told: Mapping[str, str]) -> dict[str, Any]:
    """Open a `file`, put a `line` at its end, and run a `command`.

    Waits for what its output `shows`, and until the explorer has the file that it `makes`.
    """
    page.goto(told["url"])
    explorer = page.locator(".explorer-folders-view")
    explorer.get_by_text(told["file"]).dblclick()
    editor = page.locator(".editor-instance .view-lines")
    editor.locator(".view-line span span").first.wait_for()
    text = editor.inner_text().replace("\N{NO-BREAK SPACE}", " ")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(f"{told['line']}\n")
    changed = page.locator(".tab.dirty")
    changed.wait_for()
    page.keyboard.press("Control+s")
    changed.wait_for(state="detached")
    page.keyboard.press("Control+`")
    active = page.locator(".terminal-wrapper.active")
    terminal = active.locator(".xterm-rows")
    terminal.get_by_text("#").wait_for()  # root's prompt
    active.locator("textarea").press_sequentially(f"{told['command']}\n")
    terminal.get_by_text(told["shows"]).wait_for()
    explorer.get_by_text(told["makes"]).wait_for()
    page.mouse.move(800, 450)  # away from the explorer, whose row explains itself
    page.locator(".workbench-hover").wait_for(state="detached")
    return {
        "text": text,
        "terminal": terminal.inner_text().replace("\N{NO-BREAK SPACE}", " "),
        "errors": page.locator(".notification-list-item:has(.codicon-error)").all_inner_texts(),
    }


if __name__ == "__main__":
    window.run(work)
