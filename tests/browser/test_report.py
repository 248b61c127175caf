"""The report in a real browser, opened from disk: what moves, and who can move it."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from emoscribe.core.timeline import LabelledTranscript, Media
from emoscribe.outputs.report import report_page
from playwright.sync_api import Browser, Page

CURRENT = ".moment[aria-current] .words"


@pytest.fixture(scope="module")
def opened(
    browser: Browser,
    labelled: LabelledTranscript,
    example: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """A report whose video is the example, which plays; nothing but the video is asked for."""
    folder = tmp_path_factory.mktemp("report")
    media = Media(str(example), 19.6863, "0f" * 32, 23.976, 640, 360, True)
    peaks = {"per_s": 10.0, "peaks": [i % 100 for i in range(196)]}
    tracks = {"sound": peaks, **(labelled.tracks or {})}
    path = folder / "report.html"
    path.write_text(report_page(replace(labelled, media=media, tracks=tracks), folder), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1180, "height": 900})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelector('video').readyState > 1")
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def page(opened: Page) -> Page:
    """From the beginning, nothing chosen, in the words of the page."""
    opened.reload()
    opened.wait_for_function("document.querySelector('video').readyState > 1")
    opened.evaluate("scrollTo(0, 0)")
    return opened


def now_s(page: Page) -> float:
    told = page.locator(".player figcaption").inner_text()
    minutes, seconds = re.match(r"(\d+):([\d.]+)", told).groups()  # type: ignore[union-attr]
    return 60 * int(minutes) + float(seconds)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_keys_move_the_player_and_the_moments(page: Page) -> None:
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert now_s(page) == 2 and page.evaluate("document.querySelector('video').currentTime") == 2
    press(page, "ArrowDown", "ArrowDown")
    assert now_s(page) == 6.2 and page.locator(CURRENT).inner_text() == "wait, what?"
    assert page.locator(".player figcaption b").inner_text() == "surprise 0.71"
    press(page, "ArrowUp")
    assert now_s(page) == 3.1
    at = page.evaluate("document.querySelector('video').currentTime")
    press(page, ".", ".", ",")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(at + 1 / 23.976, abs=0.03)


def test_it_plays_at_any_speed_and_repeats_a_moment(page: Page) -> None:
    press(page, ">", ">", ">", ">")
    assert page.evaluate("document.querySelector('video').playbackRate") == 2.5
    press(page, "<", "<", "<", "<", "ArrowDown", "ArrowDown", "ArrowDown", "r")
    assert page.get_by_role("button", name="Repeat the moment").get_attribute("aria-pressed") == "true"
    page.wait_for_function("!document.querySelector('video').paused")
    times = [
        page.evaluate("new Promise((done) => setTimeout(() => done(document.querySelector('video').currentTime), 250))")
        for _ in range(10)
    ]
    assert min(times) >= 9.7 and max(times) < 12 and any(b < a for a, b in itertools.pairwise(times))
    press(page, "r", " ")
    assert page.evaluate("document.querySelector('video').paused")
    press(page, "j")
    before = now_s(page)
    page.wait_for_timeout(700)
    press(page, "k")
    assert now_s(page) < before


def test_a_click_on_a_lane_moves_the_player(page: Page) -> None:
    plot = page.get_by_role("slider", name="Emotions over time")
    box = plot.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 8 / 19.6863, box["y"] + 20)
    assert now_s(page) == pytest.approx(8, abs=0.1)
    assert plot.get_attribute("aria-valuetext") == "0:08, surprise 0.71"
    page.mouse.move(box["x"] + box["width"] * 1 / 19.6863, box["y"] + 20)
    assert page.locator(".tip").first.inner_text() == "0:01.0  sadness 0.59"


def test_time_is_zoomed_and_the_map_shows_where(page: Page) -> None:
    assert page.locator(".minimap").is_hidden()
    press(page, "ArrowDown", "ArrowDown", "+", "+")
    window = page.get_by_role("slider", name="Part of the time that is shown")
    assert window.is_visible()
    assert page.locator(".tick span").first.inner_text() != "0:00"
    shown = window.get_attribute("aria-valuetext")
    window.focus()
    press(page, "ArrowRight")
    assert window.get_attribute("aria-valuetext") != shown
    page.get_by_role("button", name="Show all of the time").click()
    assert page.locator(".minimap").is_hidden()


def test_the_transcript_is_searched_and_filtered(page: Page) -> None:
    press(page, "/")
    page.keyboard.type("ME LO creó".replace("ó", "o"))
    assert page.locator(".filter .count").inner_text() == "1 of 7"
    press(page, "Enter")
    assert page.locator(CURRENT).inner_text().startswith("¡No me lo creo!")
    assert page.evaluate("CSS.highlights.get('emoscribe-hit').size") == 1
    press(page, "Escape")
    page.get_by_role("combobox", name="Person").select_option(label="Clara (3)")
    assert page.locator(".moment:visible").count() == 3
    page.get_by_role("combobox", name="Label").select_option(label="sadness (2)")
    assert page.locator(".moment:visible").count() == 1 and page.locator(".filter .count").inner_text() == "1 of 7"


def test_keys_are_letters_where_one_types_and_are_listed(page: Page) -> None:
    press(page, "ArrowDown")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("j l?")
    assert page.get_by_role("searchbox").input_value() == "j l?" and page.locator("dialog").is_hidden()
    page.locator("h1").click()
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    assert dialog.is_visible() and "full screen" in dialog.inner_text()
    press(page, " ")
    press(page, "Escape")
    assert dialog.is_hidden() and page.evaluate("document.querySelector('video').paused")


def test_frames_stand_around_faces_with_what_they_do(page: Page) -> None:
    page.evaluate("location.hash = '#t=3.0'")
    page.wait_for_function("document.querySelector('.box').hidden === false")
    assert "lip corner puller (smile)" in page.locator(".box .doing").first.inner_text()
    box, picture = page.locator(".box").first.bounding_box(), page.locator("video").bounding_box()
    assert box and picture
    scale = picture["width"] / 640
    assert (box["x"] - picture["x"]) / scale == pytest.approx(233, abs=2)
    assert box["width"] / scale == pytest.approx(150, abs=3)


@pytest.mark.parametrize("width", [1180, 380])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_left_out(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    # On its way from one colour to the other a background has neither.
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    found = Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    page.set_viewport_size({"width": 1180, "height": 900})


def test_a_long_result_is_measured(chromium: str) -> None:
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "page.py"
    command = [sys.executable, script, "--hours", "0.1", "--frames", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == ["name", "ratio", "ours", "plain", "unit", "device"]
    assert told["name"] == "page" and told["ours"] > 0 and "120 moments" in done.stdout


def test_how_it_was_made_can_be_read_on_a_phone(browser: Browser, labelled: LabelledTranscript, tmp_path: Path) -> None:
    """Long names of models left a column of one letter to what they were."""
    made = {"face": {"models": {"mediapipe/face_detection_full_range_sparse": "0f" * 32}}}
    (tmp_path / "report.html").write_text(report_page(replace(labelled, provenance=made), tmp_path), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    page.get_by_text("How this was made").click()
    value = page.locator("details td", has_text="0f0f").last.bounding_box()
    page.close()
    assert value is not None and value["width"] > 140
