"""A real service, and a real browser that looks at it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, expect, sync_playwright

from ..fixtures.programs import Serving

# Names under which distributions install it.
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_IN_CI = bool(os.environ.get("CI"))
# Nobody waits longer for what he expects to see.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium's program; where there is none it is installed, if that can be done."""
    with open(Path(tempfile.gettempdir()) / "emoscribe-tests-chromium.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _found() is None and shutil.which("apt-get") and os.geteuid() == 0:
            for command in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", "-y", "chromium"]):
                subprocess.run(["apt-get", *command], check=_IN_CI, stdout=subprocess.DEVNULL)
    program = _found()
    if program is None:
        line = "THE PAGE IS NOT TESTED: no Chromium on the path; get it with: apt-get install chromium"
        if _IN_CI:
            pytest.fail(line)
        warnings.warn(line, stacklevel=1)
        pytest.skip(line)
    return program


def _found() -> str | None:
    return next((program for name in _CHROMIUM if (program := shutil.which(name))), None)


@pytest.fixture(scope="module")
def service(serving: Callable[..., Serving]) -> Iterator[str]:
    """The address of `emoscribe serve` with the embedded engines, in a process of its own."""
    with serving("--config", "embedded") as begun:
        yield begun.address


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    yield opened
    opened.close()


@dataclass
class Visit:
    """A page that is open, and what went wrong on it: console errors, and whatever was asked of anybody else.

    Attributes:
        refused: whether it will ask for what cannot be had, which browsers call an error.
    """

    page: Page
    home: str
    refused: bool = False
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda said: self._said(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._requested)
        self.page.set_default_timeout(PATIENCE_MS)

    def _said(self, error: str) -> None:
        if not (self.refused and "status of 400" in error):
            self.wrong.append(error)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.home, "blob:", "data:", self.home.replace("http", "ws"))):
            self.wrong.append(f"asked elsewhere: {request.url}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address; at the end nothing may have gone wrong on any page."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def opened(address: str, *, at: str = "", refused: bool = False, **context: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))
        visits.append(Visit(contexts[-1].new_page(), address, refused))
        visits[-1].watch()
        visits[-1].page.goto(address + at)
        return visits[-1].page

    yield opened
    wrong = [line for each in visits for line in each.wrong]
    for context in contexts:
        context.close()
    assert wrong == []
