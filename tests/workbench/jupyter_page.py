"""JupyterLab: the cells of a notebook are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from tests.workbench import window


def work(page: Page, told: Mapping[str, str]) -> dict[str, Any]:
    """Open a notebook whose last cell draws, run all cells, and wait for the drawing."""
    page.goto(told["url"])
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()  # before it, all is idle
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(state="attached")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator('[data-command="runmenu:run-all"]').click()
    page.locator(".jp-RenderedSVG img").wait_for()
    return {"outputs": page.locator(".jp-OutputArea-output").all_inner_texts()}


if __name__ == "__main__":
    window.run(work)
