"""The pictures of the page for the README: the demo clip analysed, and live.

    python recipes/page_pictures.py

Starts the service and Chromium (`chromium` on the path), and writes
`docs/page.png` and `docs/live.png`.  What the camera and the microphone give
is the demo clip.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "tears-to-laughter.mp4"
SECONDS = 12.0

sys.path.insert(0, str(ROOT / "tests" / "browser"))
from fake_devices import chromium_arguments  # noqa: E402


def main() -> int:
    program = shutil.which("chromium")
    if program is None:
        print("no chromium on the path; get it with: apt-get install chromium", file=sys.stderr)
        return 1
    service = subprocess.Popen(
        [sys.executable, "-m", "emoscribe", "serve", "--config", "embedded", "--port", "7899"], stdout=subprocess.PIPE
    )
    try:
        assert service.stdout is not None
        service.stdout.readline()
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            fake = chromium_arguments(CLIP, Path(folder), SECONDS)
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *fake])
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(180_000)
            page.goto("http://127.0.0.1:7899/")
            analysed(page)
            live(page)
            browser.close()
    finally:
        service.terminate()
        service.wait()
    return 0


def analysed(page: Page) -> None:
    """The result of the clip, where she has begun to smile."""
    page.set_input_files(".drop input", CLIP)
    page.locator(".result .moment").first.wait_for()
    page.locator(".chart .name", has_text="voice alone").wait_for()
    page.locator(".moment .words", has_text="happy to see").click()
    page.locator("h1", has_text=CLIP.name).scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.querySelector('.result').offsetTop)")
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "docs" / "page.png")
    print("→ docs/page.png")


def live(page: Page) -> None:
    """Some windows of what the camera sees."""
    page.evaluate("location.hash = 'live'")
    page.get_by_role("button", name="Start").click()
    page.locator(".windows .moment").nth(3).wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=ROOT / "docs" / "live.png")
    page.get_by_role("button", name="Stop").click()
    print("→ docs/live.png")


if __name__ == "__main__":
    sys.exit(main())
