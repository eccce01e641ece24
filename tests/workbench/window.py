"""A browser's window. The modules that use it are run on the laptop, see browser.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

_SIZE = {"width": 1400, "height": 900}
_PATIENCE_MS = 60_000
_FLAGS = (
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--proxy-bypass-list=<-loopback>",  # 127.0.0.1 is by a proxy's other end
)


def run(do: Callable[[Page, dict[str, str]], dict[str, Any]]) -> None:
    """Run `do` with a window and what the command line tells; its result goes to stdout as JSON.

    When it fails, what the window shows goes to stderr.
    """
    picture, told = Path(sys.argv[1]), json.loads(sys.argv[2])
    proxy = told.pop("proxy", None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=list(_FLAGS),
            timeout=_PATIENCE_MS,
            proxy={"server": proxy} if proxy else None,
        )
        page: Page = browser.new_page(viewport=_SIZE)
        page.set_default_timeout(_PATIENCE_MS)
        console: list[str] = []
        page.on("console", lambda said: console.append(f"{said.type}: {said.text[:200]}"))
        try:
            result = do(page, told)
            page.screenshot(path=picture)
        except BaseException:
            print(*console[-30:], page.inner_text("body")[:3000], sep="\n", file=sys.stderr)
            raise
        finally:
            browser.close()
    print(json.dumps(result))
