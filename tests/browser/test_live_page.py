"""Live, in a real browser: its fake camera and microphone play a real recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from .conftest import Visit
from .fake_devices import chromium_arguments

SECONDS = 14.0


@pytest.fixture
def page(playwright: Playwright, chromium: str, service: str, example: Path, tmp_path: Path) -> Iterator[Page]:
    fake = chromium_arguments(example, tmp_path, SECONDS)
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *fake])
    visit = Visit(browser.new_page(viewport={"width": 1280, "height": 900}), service)
    visit.watch()
    visit.page.goto(f"{service}/#live")
    yield visit.page
    browser.close()
    assert visit.wrong == []


def test_what_camera_and_microphone_give_is_labelled_as_it_comes(page: Page) -> None:
    # The recording plays from when it is asked for: nobody should have to wait for models then.
    page.wait_for_function("async () => (await (await fetch('/api/options')).json()).ready")
    page.get_by_role("button", name="Start").click()
    stop = page.get_by_role("button", name="Stop")
    stop.wait_for(timeout=120_000)
    windows = page.locator(".windows .moment")
    expect(windows.nth(3)).to_be_visible(timeout=60_000)
    said = " ".join(page.locator(".windows .words").all_inner_texts()).lower()
    assert re.search("miss|back|wait|believe|happy|again", said), said
    assert re.search(r"looks sad|grimace|lip corner", " ".join(page.locator(".windows .cues").all_inner_texts()))
    assert re.search(r"[\d.]+ s behind, [\d.]+ s as a rule", page.locator(".figures").inner_text())
    stop.click()
    # It is a result like any other, and what was recorded plays with it.
    page.locator(".result .moment").first.wait_for(timeout=60_000)
    expect(page.locator(".result h1")).to_contain_text("Live")
    page.wait_for_function("() => document.querySelector('.result video')?.readyState > 0")
    assert page.locator(".result .moment").count() >= 4
